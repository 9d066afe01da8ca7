//! Pull requests in a repository with a base and overlays: what is the same in all of them is told once.

use crate::renderers::kustomize;
use crate::scene::{REPOSITORY, Scene, TOKEN};
use crate::world::{Files, World};
use netpol_review::build::{Given, Tools};
use netpol_review::environments::Render;
use netpol_review::gate::GateVerdict;
use netpol_review::github::Inputs;
use netpol_review::report::Verdict;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CONFIGURATION: &str = ".github/netpol-review.yml";

/// `allow` has peers after these lines.
const ALLOW: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: allow
spec:
  podSelector:
    matchLabels:
      app: web
  ingress:
    - from:
        - podSelector:
            matchLabels:
              app: front
";

/// One peer more: every pod of the namespace.
const MORE: &str = "        - podSelector: {}\n";

const DENY: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: deny
spec:
  podSelector: {}
  policyTypes: [Ingress]
";

/// A base with three overlays and these files more on `main`, and a change on `feature`.
fn changed(base: Files<'_>, change: Files<'_>) -> World {
    let overlay = Some("namespace: shop\nresources: [../../base]\n");
    let world = World::new();
    let mut files = vec![
        ("base/kustomization.yaml", Some("resources: [deny.yaml, allow.yaml]\n")),
        ("base/deny.yaml", Some(DENY)),
        ("base/allow.yaml", Some(ALLOW)),
        ("overlays/dev/kustomization.yaml", overlay),
        ("overlays/staging/kustomization.yaml", overlay),
        ("overlays/prod/kustomization.yaml", overlay),
    ];
    files.extend(base);
    world.commit("main", &files);
    world.commit("feature", change);
    world
}

/// The change of one overlay alone.
fn opens_in(environment: &str) -> [(String, String); 2] {
    let more = format!("{ALLOW}{MORE}").replace("name: allow", "name: more");
    [
        (format!("overlays/{environment}/more.yaml"), more),
        (
            format!("overlays/{environment}/kustomization.yaml"),
            "namespace: shop\nresources: [../../base, more.yaml]\n".to_string(),
        ),
    ]
}

/// A program in place of the real one that notes each build.
fn noting(folder: &Path, real: &Path) -> Inputs {
    let name = real.file_name().unwrap().to_str().unwrap();
    let program = folder.join(name);
    let log = folder.join("calls");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *version*) ;; *) echo \"$*\" >>'{}';; esac\nexec '{}' \"$@\"\n",
        log.display(),
        real.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut inputs = Inputs::default();
    inputs.rendering.tools = Arc::new(Tools::new(Given { kustomize: Some(program), helm: None }));
    inputs
}

fn calls(folder: &Path) -> usize {
    fs::read_to_string(folder.join("calls")).unwrap_or_default().lines().count()
}

#[test]
fn what_opens_everywhere_is_told_once() {
    let Some(_) = kustomize() else { return };
    // With an Application of Argo CD the environment is that of its destination.
    let application = "\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop, namespace: argocd}
spec:
  source: {repoURL: 'https://github.example/shop/manifests', path: overlays/prod, targetRevision: main}
  destination: {name: eu-1, namespace: shop}
";
    let widened = format!("{ALLOW}{MORE}");
    for (more, names) in [
        (&[][..], "every environment (dev, prod, staging)"),
        (&[("argocd/shop.yaml", Some(application))][..], "every environment (dev, eu-1, staging)"),
    ] {
        let world = changed(more, &[("base/allow.yaml", Some(&widened))]);
        let scene = Scene::new(&world);
        // Without a checkout: what builds need is fetched too.
        let outcome = scene.run_as("1", &scene.event(), &Inputs::default()).expect("a review");
        assert_eq!(outcome.evaluated.report.result, Verdict::Widened);
        assert_eq!(outcome.evaluated.report.not_evaluated, vec![]);
        let comments = scene.comments();
        assert_eq!(comments.len(), 1, "{comments:?}");
        let comment = &comments[0];
        assert_eq!(comment.matches(names).count(), 1, "{comment}");
        assert_eq!(comment.matches("Fingerprint:").count(), 1, "{comment}");
        assert!(comment.contains("1 path opened"), "{comment}");
        assert!(comment.contains("1 opened path is at or above low"), "{comment}");

        let checks = scene.github.check_runs(REPOSITORY);
        assert_eq!(checks[0].conclusion.as_deref(), Some("failure"));
        let mut calls = scene.github.requests();
        calls.retain(|call| !call.path.contains(".git/"));
        assert!(calls.len() <= 12, "{calls:#?}");
        scene.github.finish();
    }
}

#[test]
fn the_line_of_the_base_is_commented_on_once() {
    let Some(_) = kustomize() else { return };
    let widened = format!("{ALLOW}{MORE}");
    let world = changed(&[], &[("base/allow.yaml", Some(&widened))]);
    let scene = Scene::new(&world);
    scene.run().expect("a review");
    let comment = &scene.comments()[0];
    assert!(comment.contains("base/allow.yaml#L"), "{comment}");
    assert!(!comment.contains("overlays/"), "{comment}");
    let lines = scene.github.review_comments(REPOSITORY, 1);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!((lines[0].path.as_str(), lines[0].line), ("base/allow.yaml", Some(14)));
    assert!(lines[0].body.contains("```suggestion\n```"), "{}", lines[0].body);
    let checks = scene.github.check_runs(REPOSITORY);
    assert_eq!(checks[0].annotations.len(), 1, "{:#?}", checks[0].annotations);
    scene.github.finish();
}

#[test]
fn taking_back_is_not_offered_where_another_environment_needs_the_line() {
    let Some(_) = kustomize() else { return };
    // In production a patch takes the other peer away: without the new one its rule lets everybody in.
    let patch = "\
namespace: shop
resources: [../../base]
patches:
  - target: {kind: NetworkPolicy, name: allow}
    patch: |-
      - {op: remove, path: /spec/ingress/0/from/0}
";
    let widened = format!("{ALLOW}{MORE}");
    for (overlay, offered) in [("namespace: shop\nresources: [../../base]\n", true), (patch, false)]
    {
        let path = "overlays/prod/kustomization.yaml";
        let world = changed(&[], &[("base/allow.yaml", Some(&widened)), (path, Some(overlay))]);
        let scene = Scene::new(&world);
        scene.run().expect("a review");
        let lines = scene.github.review_comments(REPOSITORY, 1);
        let on_base = lines.iter().find(|line| line.path == "base/allow.yaml").expect("it is told");
        assert_eq!(on_base.body.contains("```suggestion"), offered, "{}", on_base.body);
        scene.github.finish();
    }
}

#[test]
fn the_gate_is_that_of_the_environment_as_the_base_has_it() {
    let Some(_) = kustomize() else { return };
    let strict = "version: 1\nfailOn: never\nenvironments: [{name: prod, failOn: any}]\n";
    let loose = "version: 1\nfailOn: never\nenvironments: [{name: prod, failOn: never}]\n";
    for (environment, edit, conclusion) in
        [("staging", None, "success"), ("prod", None, "failure"), ("prod", Some(loose), "failure")]
    {
        let files = opens_in(environment);
        let mut change: Vec<(&str, Option<&str>)> =
            files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
        change.extend(edit.map(|text| (CONFIGURATION, Some(text))));
        let world = changed(&[(CONFIGURATION, Some(strict))], &change);
        let scene = Scene::new(&world);
        let outcome = scene.run().expect("a review");
        assert_eq!(outcome.evaluated.report.result, Verdict::Widened);
        let check = scene.github.check_runs(REPOSITORY).remove(0);
        assert_eq!(check.conclusion.as_deref(), Some(conclusion), "{environment} {edit:?}");
        let comment = &scene.comments()[0];
        assert!(comment.contains(environment), "{comment}");
        assert_eq!(comment.contains("would pass"), edit.is_some(), "{comment}");
        scene.github.finish();
    }
}

#[test]
fn a_change_can_not_state_other_environments() {
    let Some(_) = kustomize() else { return };
    // That would leave production out, where it opens something.
    let stated = "version: 1\nenvironments: [{name: dev, paths: [overlays/dev]}]\n";
    let files = opens_in("prod");
    let mut change: Vec<(&str, Option<&str>)> =
        files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    change.push((CONFIGURATION, Some(stated)));
    let world = changed(&[], &change);
    let scene = Scene::new(&world);
    let outcome = scene.run().expect("a review");
    let names: Vec<&str> =
        outcome.evaluated.report.environments.iter().map(|each| each.name.as_str()).collect();
    assert_eq!(names, ["dev", "prod", "staging"]);
    let check = scene.github.check_runs(REPOSITORY).remove(0);
    assert_eq!(check.conclusion.as_deref(), Some("failure"));
    scene.github.finish();
}

#[test]
fn nothing_is_fetched_beside_the_secrets_of_the_repository() {
    let Some(real) = kustomize() else { return };
    // Nobody listens there, wherever this runs.
    let remote = "namespace: shop\nresources: ['https://127.0.0.1:1/base.yaml']\n";
    let path = "overlays/prod/kustomization.yaml";
    for (trusted_context, said, built) in [
        (true, "which is not in this repository", 1),
        // Near miss: where it may, it is tried.
        (false, "it was not built", 2),
    ] {
        let world = changed(&[], &[(path, Some(remote))]);
        let scene = Scene::new(&world);
        let folder = tempfile::tempdir().unwrap();
        let mut inputs = noting(folder.path(), &real);
        inputs.rendering.render = Render::Trusted;
        let mut event = scene.event_with_checkout();
        event.trusted_context = trusted_context;
        let outcome = scene.run_as("1", &event, &inputs).expect("a review");
        let report = &outcome.evaluated.report;
        assert!(
            report
                .not_evaluated
                .iter()
                .any(|entry| entry.file == path && entry.reason.contains(said)),
            "{:#?}",
            report.not_evaluated
        );
        assert_eq!(outcome.evaluated.gate.verdict, GateVerdict::Unknown);
        assert_eq!(calls(folder.path()), built, "trusted context: {trusted_context}");
        scene.github.finish();
    }
}

#[test]
fn without_the_tools_a_review_concludes() {
    let widened = format!("{ALLOW}{MORE}");
    let world = changed(&[], &[("base/allow.yaml", Some(&widened))]);
    let scene = Scene::new(&world);
    let nowhere = std::path::PathBuf::from("/nowhere/kubectl");
    let mut inputs = Inputs::default();
    inputs.rendering.tools =
        Arc::new(Tools::new(Given { kustomize: Some(nowhere.clone()), helm: Some(nowhere) }));
    let outcome = scene.run_as("1", &scene.event(), &inputs).expect("a review");
    assert_eq!(outcome.evaluated.report.result, Verdict::Widened);
    let check = scene.github.check_runs(REPOSITORY).remove(0);
    assert_eq!(check.conclusion.as_deref(), Some("failure"));
    let comment = &scene.comments()[0];
    assert!(comment.contains("it was not built"), "{comment}");
    assert_eq!(scene.github.review_comments(REPOSITORY, 1).len(), 1);
    scene.github.finish();
}

#[test]
fn what_was_built_is_not_built_again_to_try_a_suggestion() {
    let Some(real) = kustomize() else { return };
    let own = |name: &str| ALLOW.replace("name: allow", &format!("name: {name}"));
    let files = |more: &str| -> Vec<(String, String)> {
        let of = |environment: &str| {
            [
                (
                    format!("overlays/{environment}/kustomization.yaml"),
                    "namespace: shop\nresources: [../../base, own.yaml]\n".to_string(),
                ),
                (format!("overlays/{environment}/own.yaml"), own(environment) + more),
            ]
        };
        ["dev", "prod"].iter().flat_map(|environment| of(environment)).collect()
    };
    let (before, after) = (files(""), files(MORE));
    let [before, after] = [&before, &after].map(|files| -> Vec<(&str, Option<&str>)> {
        files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect()
    });
    let world = changed(&before, &after);
    let scene = Scene::new(&world);
    let folder = tempfile::tempdir().unwrap();
    let inputs = noting(folder.path(), &real);
    scene.run_as("1", &scene.event_with_checkout(), &inputs).expect("a review");
    let comments = scene.github.review_comments(REPOSITORY, 1);
    let tried = comments.iter().filter(|comment| comment.body.contains("```suggestion"));
    assert_eq!((comments.len(), tried.count()), (2, 2), "{comments:#?}");
    // Two environments with two sides: without the lines of one of them, it is as it was before.
    assert_eq!(calls(folder.path()), 4);
    scene.github.finish();
}

/// The program itself, as the runner starts and stops it.
#[test]
fn a_run_that_is_stopped_concludes_the_check_and_leaves_no_builds() {
    let Some(real) = kustomize() else { return };
    let widened = format!("{ALLOW}{MORE}");
    let world = changed(&[], &[("base/allow.yaml", Some(&widened))]);
    let scene = Scene::new(&world);
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let program = place(real.file_name().unwrap().to_str().unwrap());
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *version*) exec '{}' \"$@\";; esac\necho >'{}'\nsleep 300\n",
        real.display(),
        place("begun").display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(place("tmp")).unwrap();
    fs::write(place("event.json"), r#"{"pull_request":{"number":1}}"#).unwrap();
    let url = scene.github.url();
    let mut child = Command::new(env!("CARGO_BIN_EXE_netpol-review"))
        .args(["pr", "--kustomize"])
        .arg(&program)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TMPDIR", place("tmp"))
        .env("GITHUB_TOKEN", TOKEN)
        .env("GITHUB_REPOSITORY", REPOSITORY)
        .env("GITHUB_EVENT_NAME", "pull_request")
        .env("GITHUB_EVENT_PATH", place("event.json"))
        .env("GITHUB_API_URL", url)
        .env("GITHUB_GRAPHQL_URL", format!("{url}/graphql"))
        .env("GITHUB_SERVER_URL", url)
        .spawn()
        .unwrap();
    let started = Instant::now();
    let patiently = |what: &str| {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    };
    while !place("begun").exists() {
        patiently("no build begins");
    }
    let kill = format!("kill -TERM {}", child.id());
    assert!(Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success());
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        patiently("it does not end");
    };
    assert_eq!(status.code(), Some(128 + 15));
    let check = scene.github.check_runs(REPOSITORY).remove(0);
    assert_eq!(check.conclusion.as_deref(), Some("failure"));
    assert!(scene.comments().is_empty());
    let left: Vec<_> =
        fs::read_dir(place("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
    scene.github.finish();
}
