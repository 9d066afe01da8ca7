//! What a pull request of each kind ends with.

use crate::scene::{REPOSITORY, Scene, TOKEN};
use crate::server::{Pull, Token};
use crate::world::{ANY, Files, WEB, World, shop};
use netpol_review::gate::GateVerdict;
use netpol_review::github::Inputs;
use netpol_review::report::Verdict;

/// The shop, and a change of it on `feature`.
pub fn changed(change: Files<'_>) -> World {
    let world = World::new();
    let files = shop(WEB);
    let files: Vec<(&str, Option<&str>)> =
        files.iter().map(|(path, text)| (*path, Some(text.as_str()))).collect();
    world.commit("main", &files);
    world.commit("feature", change);
    world
}

pub fn policy(peers: &str) -> String {
    shop(peers).pop().expect("a policy").1
}

#[test]
fn opened() {
    let widened = policy(ANY);
    let world = changed(&[("shop/policy.yaml", Some(&widened))]);
    let scene = Scene::new(&world);
    // Without a checkout: everything is fetched.
    let outcome = scene.run_as("1", &scene.event(), &Inputs::default()).expect("a review");
    assert_eq!(outcome.evaluated.report.result, Verdict::Widened);
    assert_eq!(outcome.evaluated.gate.verdict, GateVerdict::Fail);
    let comments = scene.comments();
    assert_eq!(comments.len(), 1, "{comments:?}");
    assert!(comments[0].contains("any pod in any namespace"), "{}", comments[0]);
    let head = scene.github.refresh_pull(REPOSITORY, 1).head_sha;
    let link =
        format!("https://github.example/shop/manifests/blob/{head}/shop/policy.yaml#L12-L15");
    assert!(comments[0].contains(&link), "{}", comments[0]);
    let lines = scene.github.review_comments(REPOSITORY, 1);
    assert_eq!(lines.len(), 1);
    assert_eq!((lines[0].path.as_str(), lines[0].line), ("shop/policy.yaml", Some(13)));
    let checks = scene.github.check_runs(REPOSITORY);
    assert_eq!(checks.len(), 1);
    assert_eq!(checks[0].conclusion.as_deref(), Some("failure"));
    assert_eq!(checks[0].head_sha, head);
    // One for the path, one for how the rule is written.
    assert_eq!(checks[0].annotations.len(), 2);
    assert_eq!(outcome.told.problems, Vec::<String>::new());

    // The same again writes nothing but its check.
    let before = scene.github.requests().len();
    scene.run_as("2", &scene.event(), &Inputs::default()).expect("a review");
    let requests = scene.github.requests();
    let writes: Vec<String> = requests[before..]
        .iter()
        .filter(|r| !["GET"].contains(&r.method.as_str()) && !r.path.contains("graphql"))
        .filter(|r| !r.path.contains("check-runs") && !r.path.contains("git-upload-pack"))
        .map(|r| format!("{} {}", r.method, r.path))
        .collect();
    assert_eq!(writes, Vec::<String>::new());
    scene.github.finish();
}

#[test]
fn closed_only_is_told_and_passes() {
    let empty = policy(WEB).split("  ingress:").next().expect("a beginning").to_string();
    let world = changed(&[("shop/policy.yaml", Some(&empty))]);
    let scene = Scene::new(&world);
    let outcome = scene.run().expect("a review");
    assert_eq!(outcome.evaluated.report.result, Verdict::Narrowed);
    assert_eq!(scene.comments().len(), 1);
    assert!(scene.comments()[0].contains("arrowed"));
    assert!(scene.github.review_comments(REPOSITORY, 1).is_empty());
    assert_eq!(scene.github.check_runs(REPOSITORY)[0].conclusion.as_deref(), Some("success"));
    scene.github.finish();
}

#[test]
fn nothing_is_said_where_nothing_changes() {
    let reformatted =
        policy(WEB).replace("policyTypes: [Ingress]", "policyTypes:\n    - \"Ingress\"");
    for change in [&[("README.md", Some("words"))][..], &[("shop/policy.yaml", Some(&reformatted))]]
    {
        let world = changed(change);
        let scene = Scene::new(&world);
        let outcome = scene.run().expect("a review");
        assert_eq!(outcome.evaluated.report.result, Verdict::Unchanged);
        assert!(scene.comments().is_empty());
        assert!(scene.github.review_comments(REPOSITORY, 1).is_empty());
        assert_eq!(scene.github.check_runs(REPOSITORY)[0].conclusion.as_deref(), Some("success"));
        scene.github.finish();
    }
}

#[test]
fn a_deleted_file_opens_and_is_told_on_the_left() {
    let world = changed(&[("shop/policy.yaml", None)]);
    let scene = Scene::new(&world);
    let outcome = scene.run().expect("a review");
    assert_eq!(outcome.evaluated.report.result, Verdict::Widened);
    let lines = scene.github.review_comments(REPOSITORY, 1);
    assert_eq!(lines.len(), 1, "{:?}", outcome.told.problems);
    assert_eq!(lines[0].side.as_deref(), Some("LEFT"));
    assert_eq!(scene.github.check_runs(REPOSITORY)[0].conclusion.as_deref(), Some("failure"));
    scene.github.finish();
}

#[test]
fn a_relabelled_workload_opens() {
    let relabelled = shop(WEB)[1].1.replace("app: db", "app: database");
    let world = changed(&[("shop/db.yaml", Some(&relabelled))]);
    let scene = Scene::new(&world);
    let outcome = scene.run().expect("a review");
    assert_eq!(outcome.evaluated.report.result, Verdict::Widened);
    let lines = scene.github.review_comments(REPOSITORY, 1);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].path, "shop/db.yaml");
    scene.github.finish();
}

#[test]
fn a_broken_manifest_fails_with_its_own_title() {
    let world = changed(&[("shop/policy.yaml", Some("kind: NetworkPolicy\n  apiVersion: [\n"))]);
    let scene = Scene::new(&world);
    let outcome = scene.run().expect("a review");
    assert_eq!(outcome.evaluated.gate.verdict, GateVerdict::Unknown);
    let checks = scene.github.check_runs(REPOSITORY);
    assert_eq!(checks[0].conclusion.as_deref(), Some("failure"));
    assert!(checks[0].title.as_deref().unwrap_or_default().contains("not evaluated"));
    assert!(scene.comments()[0].contains("Not evaluated"));
    scene.github.finish();
}

#[test]
fn a_forks_token_that_only_reads_is_no_failure() {
    let widened = policy(ANY);
    let world = changed(&[("shop/policy.yaml", Some(&widened))]);
    let pull = Pull { fork: Some("somebody/manifests".into()), ..Pull::default() };
    let scene = Scene::with(&world, Token::fork(), pull);
    let outcome = scene.run().expect("a review");
    assert_eq!(outcome.evaluated.gate.verdict, GateVerdict::Fail);
    assert!(scene.comments().is_empty());
    assert!(!outcome.told.problems.is_empty(), "it is said what could not be written");
    scene.github.finish();
}

#[test]
fn a_second_push_that_mends_it_resolves_the_comment() {
    let widened = policy(ANY);
    let world = changed(&[("shop/policy.yaml", Some(&widened))]);
    let scene = Scene::new(&world);
    scene.run().expect("a review");
    world.commit("feature", &[("shop/policy.yaml", Some(&policy(WEB)))]);
    scene.github.refresh_pull(REPOSITORY, 1);
    scene.run_as("2", &scene.event_with_checkout(), &Inputs::default()).expect("a review");
    let comments = scene.comments();
    assert_eq!(comments.len(), 1);
    assert!(comments[0].contains("Resolved"), "{}", comments[0]);
    assert!(scene.github.review_comments(REPOSITORY, 1).is_empty(), "nobody answered the comment");
    let last = scene.github.check_runs(REPOSITORY).pop().expect("a check");
    assert_eq!(last.conclusion.as_deref(), Some("success"));
    // Once resolved it stays so.
    scene.run_as("3", &scene.event_with_checkout(), &Inputs::default()).expect("a review");
    assert_eq!(scene.comments(), comments);
    scene.github.finish();
}

#[test]
fn a_second_push_that_makes_it_worse_edits_the_comment() {
    let widened = policy(&format!("{WEB}        - podSelector: {{}}\n"));
    let world = changed(&[("shop/policy.yaml", Some(&widened))]);
    let scene = Scene::new(&world);
    scene.run().expect("a review");
    let first = scene.comments();
    let worse = policy(ANY);
    world.commit("feature", &[("shop/policy.yaml", Some(&worse))]);
    scene.github.refresh_pull(REPOSITORY, 1);
    scene.run_as("2", &scene.event_with_checkout(), &Inputs::default()).expect("a review");
    let second = scene.comments();
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first, second);
    assert!(second[0].contains("any pod in any namespace"));
    scene.github.finish();
}

#[test]
fn without_a_merge_commit_the_merge_base_counts_and_it_is_said() {
    let widened = policy(ANY);
    let world = changed(&[("shop/policy.yaml", Some(&widened))]);
    // Both sides change the same line.
    let other = policy("        - podSelector: {}\n");
    world.commit("main", &[("shop/policy.yaml", Some(&other))]);
    let scene = Scene::new(&world);
    let outcome = scene.run_as("1", &scene.event(), &Inputs::default()).expect("a review");
    assert_eq!(outcome.evaluated.report.result, Verdict::Widened);
    assert!(scene.comments()[0].contains("merge base"), "{}", scene.comments()[0]);
    scene.github.finish();
}

#[test]
fn what_others_merged_meanwhile_is_not_told() {
    let widened = policy(ANY);
    let world = changed(&[("shop/new.yaml", Some(&shop(WEB)[0].1.replace("web", "worker")))]);
    world.commit("main", &[("shop/policy.yaml", Some(&widened))]);
    let scene = Scene::new(&world);
    let outcome = scene.run().expect("a review");
    let report = &outcome.evaluated.report.environments[0];
    assert!(
        report.closed.is_empty(),
        "the base's own widening is not undone: {:#?}",
        report.closed
    );
    assert!(report.opened.iter().all(|row| row.severity == netpol_review::report::Severity::Info));
    scene.github.finish();
}

#[test]
fn lines_are_those_of_the_head_where_the_base_moved() {
    let widened = policy(ANY);
    let world = changed(&[("shop/policy.yaml", Some(&widened))]);
    let longer = format!("# One line.\n# Another one.\n{}", policy(WEB));
    world.commit("main", &[("shop/policy.yaml", Some(&longer))]);
    let scene = Scene::new(&world);
    let outcome = scene.run().expect("a review");
    let cause = &outcome.evaluated.report.environments[0].opened[0].causes[0];
    assert_eq!(cause.location.start_line, 14, "in the merge result");
    let lines = scene.github.review_comments(REPOSITORY, 1);
    assert_eq!(lines[0].line, Some(13), "in the head");
    assert!(scene.comments()[0].contains("#L12-L15"));
    scene.github.finish();
}

#[test]
fn the_configuration_of_the_base_counts_and_a_change_of_it_is_previewed() {
    let widened = policy(ANY);
    let world = changed(&[
        ("shop/policy.yaml", Some(&widened)),
        (".github/netpol-review.yml", Some("version: 1\nmode: warn\n")),
    ]);
    let scene = Scene::new(&world);
    let outcome = scene.run().expect("a review");
    assert_eq!(outcome.evaluated.gate.verdict, GateVerdict::Fail);
    assert_eq!(scene.github.check_runs(REPOSITORY)[0].conclusion.as_deref(), Some("failure"));
    assert!(scene.comments()[0].contains("would only warn"), "{}", scene.comments()[0]);
    scene.github.finish();
}

#[test]
fn a_waiver_on_the_base_lets_the_row_through_and_an_expired_one_does_not() {
    let widened = policy(ANY);
    let world = changed(&[("shop/policy.yaml", Some(&widened))]);
    let scene = Scene::new(&world);
    let outcome = scene.run().expect("a review");
    let fingerprint = outcome.evaluated.report.environments[0].opened[0].fingerprint.clone();
    for (expires, conclusion) in [("2026-06-01", "success"), ("2026-05-31", "failure")] {
        let waiver = format!(
            "version: 1\nwaivers:\n  - fingerprint: {fingerprint}\n    reason: the metrics need it\n    \
             expires: {expires}\n    by: platform\n"
        );
        world.commit("main", &[(".github/netpol-review.yml", Some(&waiver))]);
        scene.github.refresh_pull(REPOSITORY, 1);
        scene.run_as(expires, &scene.event_with_checkout(), &Inputs::default()).expect("a review");
        let last = scene.github.check_runs(REPOSITORY).pop().expect("a check");
        assert_eq!(last.conclusion.as_deref(), Some(conclusion));
        assert!(scene.comments()[0].contains("the metrics need it"), "{}", scene.comments()[0]);
    }
    scene.github.finish();
}

#[test]
fn comments_of_others_are_left_alone_whatever_they_hold() {
    let widened = policy(ANY);
    let world = changed(&[("shop/policy.yaml", Some(&widened))]);
    let scene = Scene::new(&world);
    let forged = "<!-- netpol-review:v1 state=open base=x head=y digest=z -->";
    scene.github.add_comment(REPOSITORY, 1, "mallory", forged);
    scene.run().expect("a review");
    let comments = scene.comments();
    assert_eq!(comments.len(), 2);
    assert_eq!(comments[0], forged);
    scene.github.finish();
}

#[test]
fn the_token_is_in_no_message() {
    let world = changed(&[("README.md", Some("words"))]);
    let scene = Scene::new(&world);
    let mut event = scene.event();
    event.addresses.git = format!("{}/nowhere", scene.github.url());
    let error = scene.run_as("1", &event, &Inputs::default()).expect_err("nothing to fetch");
    let text = format!("{error} {error:?}");
    assert!(!text.contains(TOKEN) && !text.contains("eC1hY2Nlc3MtdG9rZW4"), "{text}");
    let check = scene.github.check_runs(REPOSITORY).pop().expect("a check");
    assert_eq!(check.conclusion.as_deref(), Some("failure"), "a check that was begun is concluded");
    // The path that git was sent to is none of GitHub's.
    assert!(!scene.github.take_violations().is_empty());
}

#[test]
fn lines_that_can_simply_be_taken_back_are_offered() {
    let one_more = policy(&format!("{WEB}{ANY}"));
    let world = changed(&[("shop/policy.yaml", Some(&one_more))]);
    let scene = Scene::new(&world);
    scene.run().expect("a review");
    let lines = scene.github.review_comments(REPOSITORY, 1);
    assert!(lines[0].body.contains("```suggestion\n```"), "{}", lines[0].body);
    // Near miss: without its only peer the rule would let everybody in.
    let other = policy(ANY);
    let world = changed(&[("shop/policy.yaml", Some(&other))]);
    let scene = Scene::new(&world);
    scene.run().expect("a review");
    let lines = scene.github.review_comments(REPOSITORY, 1);
    assert!(!lines[0].body.contains("suggestion"), "{}", lines[0].body);
}
