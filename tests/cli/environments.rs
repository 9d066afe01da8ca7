//! Environments from the command line: found, built with the real tools, compared, merged.

use crate::renderers::{kustomize, tool};
use crate::sandbox::{Run, Sandbox};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn policy(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )
}

const DENY: &str = "{podSelector: {}, policyTypes: [Ingress]}";
const ALLOW: &str = "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: front}}}]}]}";
const ALLOW_MORE: &str =
    "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}]}]}";

/// A base and overlays, in a repository with one commit.
fn overlays(sandbox: &Sandbox, names: &[&str]) {
    sandbox.init("r");
    sandbox.write("r/base/kustomization.yaml", "resources: [deny.yaml, allow.yaml]\n");
    sandbox.write("r/base/deny.yaml", policy("deny", DENY));
    sandbox.write("r/base/allow.yaml", policy("allow", ALLOW));
    for name in names {
        sandbox.write(
            &format!("r/overlays/{name}/kustomization.yaml"),
            "namespace: shop\nresources: [../../base]\n",
        );
    }
    sandbox.commit("r", "one");
}

/// The JSON of a diff of the last two commits.
fn diff(sandbox: &Sandbox, more: &str) -> (Value, Run) {
    let run = sandbox.run(&format!("diff --git HEAD~1..HEAD --repo r --format json {more}"));
    (serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:#?}")), run)
}

/// The fingerprints that opened, by environment.
fn opened(report: &Value) -> Vec<(String, usize)> {
    let environments = report["environments"].as_array().unwrap();
    let count = |each: &Value| each["opened"].as_array().unwrap().len();
    environments.iter().map(|each| (each["name"].as_str().unwrap().into(), count(each))).collect()
}

fn counts(pairs: &[(&str, usize)]) -> Vec<(String, usize)> {
    pairs.iter().map(|(name, count)| (name.to_string(), *count)).collect()
}

/// A program that notes each call and then is the real one.
fn counting(sandbox: &Sandbox, program: &std::path::Path) -> String {
    let name = program.file_name().unwrap().to_str().unwrap();
    let path = sandbox.path(&format!("bin/{name}"));
    let log = sandbox.path("calls");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *version*) ;; *) echo \"$*\" >>'{}';; esac\nexec '{}' \"$@\"\n",
        log.display(),
        program.display()
    );
    sandbox.write(&format!("bin/{name}"), script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn calls(sandbox: &Sandbox) -> usize {
    fs::read_to_string(sandbox.path("calls")).unwrap_or_default().lines().count()
}

#[test]
fn a_base_that_all_share_is_one_row_for_all() {
    let Some(_) = kustomize() else { return };
    let sandbox = Sandbox::new();
    overlays(&sandbox, &["dev", "staging", "prod"]);
    sandbox.write("r/base/allow.yaml", policy("allow", ALLOW_MORE));
    sandbox.commit("r", "two");
    let (report, _) = diff(&sandbox, "");
    assert_eq!(opened(&report), counts(&[("dev", 1), ("prod", 1), ("staging", 1)]));
    let text = sandbox.run("diff --git HEAD~1..HEAD --repo r").stdout;
    assert!(text.starts_with("widened: 1 path opened"), "{text}");
    assert!(text.contains("IN every environment (dev, prod, staging)"), "{text}");
    assert!(text.contains("base/allow.yaml:4"), "{text}");
    let again = sandbox.run("diff --git HEAD~1..HEAD --repo r").stdout;
    assert_eq!(text, again, "the same input gives the same bytes");
}

#[test]
fn of_two_hundred_overlays_the_one_that_changed_is_built() {
    let Some(program) = kustomize() else { return };
    let sandbox = Sandbox::new();
    let names: Vec<String> = (0..200).map(|number| format!("team-{number}")).collect();
    overlays(&sandbox, &names.iter().map(String::as_str).collect::<Vec<_>>());
    sandbox.write("r/overlays/team-7/more.yaml", policy("more", ALLOW_MORE));
    sandbox.write(
        "r/overlays/team-7/kustomization.yaml",
        "namespace: shop\nresources: [../../base, more.yaml]\n",
    );
    sandbox.commit("r", "two");
    let option = format!("--kustomize {}", counting(&sandbox, &program));
    let (report, _) = diff(&sandbox, &option);
    let all = opened(&report);
    assert_eq!(all.len(), 200);
    assert_eq!(all.into_iter().filter(|(_, count)| *count > 0).count(), 1);
    assert_eq!(calls(&sandbox), 2, "before and after of one overlay");
}

#[test]
fn what_no_environment_claims_belongs_to_every_one() {
    let Some(_) = kustomize() else { return };
    let sandbox = Sandbox::new();
    sandbox.init("r");
    sandbox.write("r/policies/deny.yaml", policy("deny, namespace: shop", DENY));
    for name in ["prod", "staging"] {
        sandbox.write(
            &format!("r/overlays/{name}/kustomization.yaml"),
            "namespace: shop\nresources: [settings.yaml]\n",
        );
        sandbox.write(
            &format!("r/overlays/{name}/settings.yaml"),
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
        );
    }
    sandbox.commit("r", "one");
    // Without the deny beside it this policy would isolate and open nothing.
    sandbox.write("r/overlays/prod/settings.yaml", policy("allow", ALLOW));
    sandbox.commit("r", "two");
    let (report, _) = diff(&sandbox, "");
    assert_eq!(opened(&report), counts(&[("prod", 1), ("staging", 0)]));
    assert_eq!(report["result"], "widened");
}

#[test]
fn what_would_reach_out_is_refused_before_anything_runs() {
    let Some(program) = kustomize() else { return };
    for (resources, why) in [
        ("resources: ['https://example.com/x.yaml']", "which is not in this repository"),
        ("resources: ['github.com/example/x//base?ref=v1']", "which is not in this repository"),
        ("resources: [../../../outside.yaml]", "outside of this repository"),
        ("resources: [/etc/passwd]", "outside of this repository"),
        ("resources: [missing.yaml]", "which is not here"),
        ("generators: [plugin.yaml]", "runs a program"),
        ("transformers: ['apiVersion: x/v1\n\n  kind: Y']", "runs a program"),
        ("helmCharts: [{name: x, repo: 'https://example.com'}]", "runs another program"),
        ("patches: [{path: 'https://example.com/p.yaml'}]", "which is not in this repository"),
        (
            "configMapGenerator: [{name: x, files: ['a=https://example.com/x']}]",
            "not in this repository",
        ),
    ] {
        let sandbox = Sandbox::new();
        overlays(&sandbox, &["prod", "staging"]);
        sandbox.write("r/overlays/prod/plugin.yaml", "apiVersion: example.com/v1\nkind: Exec\n");
        sandbox.write("r/overlays/prod/kustomization.yaml", format!("{resources}\n"));
        sandbox.commit("r", "two");
        let option = format!("--fail-on any --kustomize {}", counting(&sandbox, &program));
        let (report, run) = diff(&sandbox, &option);
        run.ends(11);
        let entries = report["notEvaluated"].as_array().unwrap();
        let told = entries.iter().any(|entry| {
            entry["reason"].as_str().unwrap().contains(why)
                && entry["file"].as_str().unwrap().starts_with("overlays/prod/")
        });
        assert!(told, "{resources}: {entries:#?}");
        // Only the side before, where nothing reaches out.
        assert!(calls(&sandbox) <= 1, "{resources}");
    }
}

#[test]
fn rings_and_components_alone_are_said() {
    let sandbox = Sandbox::new();
    sandbox.write("r/a/kustomization.yaml", "resources: [../b]\n");
    sandbox.write("r/b/kustomization.yaml", "resources: [../a]\n");
    sandbox.write("r/c/kustomization.yaml", "kind: Component\nresources: [p.yaml]\n");
    sandbox.write("r/c/p.yaml", policy("p", DENY));
    sandbox.write("r/helmfile.yaml", "releases: [{name: x, chart: ./x}]\n");
    let text = sandbox.run("environments r").ends(0).stdout.clone();
    for words in
        ["include each other", "a component that no kustomization", "what a helmfile releases"]
    {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn the_gate_can_be_that_of_one_environment() {
    let Some(_) = kustomize() else { return };
    for (environment, code) in [("prod", 10), ("staging", 0)] {
        let sandbox = Sandbox::new();
        overlays(&sandbox, &["prod", "staging"]);
        sandbox.write(
            "r/.github/netpol-review.yml",
            "version: 1\nfailOn: never\nenvironments: [{name: prod, failOn: any}]\n",
        );
        sandbox.commit("r", "gate");
        sandbox.write(&format!("r/overlays/{environment}/more.yaml"), policy("more", ALLOW_MORE));
        sandbox.write(
            &format!("r/overlays/{environment}/kustomization.yaml"),
            "namespace: shop\nresources: [../../base, more.yaml]\n",
        );
        sandbox.commit("r", "two");
        sandbox.run("diff --git HEAD~1..HEAD --repo r").ends(code);
    }
}

#[test]
fn one_snapshot_is_one_environment() {
    let Some(_) = kustomize() else { return };
    let sandbox = Sandbox::new();
    overlays(&sandbox, &["prod", "staging"]);
    let query =
        "query r --from namespace:shop,pod:app=front --to namespace:shop,pod:app=web --port TCP/80";
    for command in ["list r", query] {
        let run = sandbox.run(command);
        run.ends(2);
        assert!(run.stderr.contains("`prod`, `staging`"), "{run:#?}");
        sandbox.run(&format!("{command} --environment prod")).ends(0);
        let run = sandbox.run(&format!("{command} --environment prd"));
        run.ends(2);
        assert!(run.stderr.contains("did you mean: `prod`"), "{run:#?}");
    }
    let answer = sandbox.run(&format!("{query} --environment prod")).stdout;
    assert!(answer.starts_with("allowed"), "{answer}");
}

#[test]
fn stated_environments_are_all_there_are() {
    let Some(_) = kustomize() else { return };
    let sandbox = Sandbox::new();
    overlays(&sandbox, &["prod", "staging"]);
    sandbox.write(
        "r/.github/netpol-review.yml",
        "version: 1\nenvironments: [{name: live, paths: [overlays/prod], namespace: shop}]\n",
    );
    sandbox.commit("r", "state");
    sandbox.write("r/base/allow.yaml", policy("allow", ALLOW_MORE));
    sandbox.write("r/other.yaml", policy("other", DENY));
    sandbox.commit("r", "two");
    let (report, _) = diff(&sandbox, "");
    assert_eq!(opened(&report), counts(&[("live", 1)]));
    let entries = report["notEvaluated"].as_array().unwrap();
    let other = entries.iter().find(|entry| entry["file"] == "other.yaml").expect("it is said");
    assert_eq!(other["hides"], "widening");
}

#[test]
fn a_chart_has_the_environments_of_its_values() {
    let Some(_) = tool(&["helm"]) else { return };
    let sandbox = Sandbox::new();
    sandbox.init("r");
    sandbox.write("r/shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");
    sandbox.write("r/shop/values.yaml", "open: false\n");
    sandbox.write("r/shop/values-prod.yaml", "name: live\n");
    sandbox.write("r/shop/values-dev.yaml", "name: dev\n");
    sandbox.write(
        "r/shop/templates/policy.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: {{ .Values.name }}\n  namespace: shop\n\
         spec:\n  podSelector: {}\n  policyTypes: [Ingress]\n  {{- if .Values.open }}\n  ingress:\n  - {}\n  {{- end }}\n",
    );
    sandbox.commit("r", "one");
    sandbox.write("r/shop/values-prod.yaml", "name: live\nopen: true\n");
    sandbox.commit("r", "two");
    let (report, _) = diff(&sandbox, "");
    assert_eq!(opened(&report), counts(&[("dev", 0), ("prod", 1)]));
    let row = &report["environments"][1]["opened"][0];
    let location = &row["causes"][0]["location"];
    assert_eq!(location["file"], "shop/values-prod.yaml", "{location}");
    assert_eq!(location["startLine"], 2, "{location}");
}

#[test]
fn without_the_tools_files_are_read_as_they_stand() {
    let sandbox = Sandbox::new();
    overlays(&sandbox, &["prod"]);
    sandbox.write("r/base/allow.yaml", policy("allow", ALLOW_MORE));
    sandbox.commit("r", "two");
    let run = {
        let mut program = sandbox.program();
        let git = tool(&["git"]).expect("git is here");
        sandbox.mkdir("bin");
        std::os::unix::fs::symlink(git, sandbox.path("bin/git")).unwrap();
        program.env("PATH", sandbox.path("bin"));
        program.args(["diff", "--git", "HEAD~1..HEAD", "--repo", "r"]);
        crate::sandbox::finish(&mut program)
    };
    run.ends(0);
    assert!(run.stdout.contains("there is no `kustomize` and no `kubectl`"), "{run:#?}");
    assert!(run.stdout.contains("pods app=web in namespace\n          default"), "{run:#?}");
}

/// An Application into a cluster, with the values of a chart.
fn application(server: &str, source: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: shop, namespace: argocd}}\nspec:\n  \
         destination: {{server: 'https://{server}', namespace: shop}}\n  source: {{repoURL: \
         https://example.com/o/r, {source}}}\n"
    )
}

#[test]
fn applications_of_one_name_in_several_clusters_all_count() {
    if tool(&["helm"]).is_none() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.init("r");
    sandbox.write("r/chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");
    sandbox.write("r/chart/templates/deny.yaml", policy("deny", DENY));
    let template = policy("allow", "{podSelector: {}, ingress: {{ toJson .Values.ingress }}}");
    sandbox.write("r/chart/templates/allow.yaml", template);
    let source = |rules| format!("path: chart, helm: {{valuesObject: {{ingress: {rules}}}}}");
    for cluster in ["east", "west"] {
        sandbox.write(&format!("r/{cluster}/shop.yaml"), application(cluster, &source("[]")));
    }
    sandbox.commit("r", "one");
    sandbox.write("r/west/shop.yaml", application("west", &source("[{}]")));
    sandbox.commit("r", "two");
    assert_eq!(opened(&diff(&sandbox, "").0), counts(&[("east", 0), ("west", 1)]));
}

#[test]
fn a_cluster_of_which_nothing_can_be_told_is_not_silent() {
    let sandbox = Sandbox::new();
    sandbox.init("r");
    let source = |rules| format!("chart: shop, helm: {{valuesObject: {{ingress: {rules}}}}}");
    sandbox.write("r/apps/shop.yaml", application("prod", &source("[]")));
    sandbox.commit("r", "one");
    sandbox.write("r/apps/shop.yaml", application("prod", &source("[{}]")));
    sandbox.commit("r", "two");
    let (report, _) = diff(&sandbox, "");
    assert_eq!(report["result"], "unknown", "{report:#}");
    assert_eq!(report["environments"][0]["name"], "prod");
}

#[test]
fn an_environment_on_which_another_builds_is_still_one() {
    let Some(_) = kustomize() else { return };
    let sandbox = Sandbox::new();
    overlays(&sandbox, &["prod"]);
    sandbox.write(
        "r/overlays/staging/kustomization.yaml",
        "resources: [../prod]\npatches:\n- patch: |\n    apiVersion: networking.k8s.io/v1\n    kind: \
         NetworkPolicy\n    metadata: {name: allow, namespace: shop}\n    $patch: delete\n",
    );
    sandbox.commit("r", "two");
    sandbox.write("r/base/allow.yaml", policy("allow", ALLOW_MORE));
    sandbox.commit("r", "three");
    assert_eq!(opened(&diff(&sandbox, "").0), counts(&[("prod", 1), ("staging", 0)]));
}

#[test]
fn a_chart_at_the_top_hides_nothing_of_what_is_beside_it() {
    if kustomize().is_none() || tool(&["helm"]).is_none() {
        return;
    }
    let sandbox = Sandbox::new();
    overlays(&sandbox, &["prod", "dev"]);
    sandbox.write("r/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");
    sandbox.write("r/templates/x.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n");
    sandbox.commit("r", "two");
    sandbox.write("r/base/allow.yaml", policy("allow", ALLOW_MORE));
    sandbox.commit("r", "three");
    assert_eq!(opened(&diff(&sandbox, "").0), counts(&[("dev", 1), ("prod", 1)]));
}

#[test]
fn a_chart_that_another_depends_on_is_no_release_of_its_own() {
    if tool(&["helm"]).is_none() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.init("r");
    let dependency = "dependencies: [{name: sub, version: 1.0.0, repository: 'file://../sub', condition: sub.enabled}]\n";
    let chart = |name| format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n");
    sandbox.write("r/shop/Chart.yaml", format!("{}{dependency}", chart("shop")));
    sandbox.write("r/shop/values.yaml", "sub: {enabled: false}\n");
    sandbox.write("r/shop/templates/deny.yaml", policy("deny", DENY));
    sandbox.write("r/sub/Chart.yaml", chart("sub"));
    sandbox.write("r/sub/templates/allow.yaml", policy("allow", ALLOW_MORE));
    sandbox.commit("r", "one");
    sandbox.write("r/shop/values.yaml", "sub: {enabled: true}\n");
    sandbox.commit("r", "two");
    assert_eq!(opened(&diff(&sandbox, "").0), counts(&[("default", 1)]));
}

/// One commit with these files and one with more of them: how a gate on anything ends, and what is not evaluated.
fn changed(before: &[(&str, &str)], after: &[(&str, &str)]) -> (i32, String) {
    let sandbox = Sandbox::new();
    sandbox.init("r");
    for (files, message) in [(before, "one"), (after, "two")] {
        for (path, text) in files {
            sandbox.write(&format!("r/{path}"), text);
        }
        sandbox.commit("r", message);
    }
    let run = sandbox.run("diff --git HEAD~1..HEAD --repo r --format json --fail-on any");
    (run.code, run.not_evaluated())
}

const CHART: &str = "apiVersion: v2\nname: shop\nversion: 1.0.0\n";

#[test]
fn what_is_built_in_no_stated_environment_does_not_change_in_silence() {
    let Some(_) = kustomize() else { return };
    let deny = policy("deny", DENY);
    let before = [
        (
            ".github/netpol-review.yml",
            "version: 1\nenvironments: [{name: live, paths: [overlays/prod], namespace: shop}]\n",
        ),
        ("base/kustomization.yaml", "resources: [deny.yaml]\n"),
        ("base/deny.yaml", deny.as_str()),
        ("overlays/prod/kustomization.yaml", "resources: [../../base]\n"),
        (
            "overlays/dev/kustomization.yaml",
            "resources: [../../base]\npatches: [{path: patch.yaml, target: {kind: NetworkPolicy}}]\n",
        ),
        ("overlays/dev/patch.yaml", "- {op: test, path: /kind, value: NetworkPolicy}\n"),
        ("charts/shop/Chart.yaml", CHART),
        ("charts/shop/values.yaml", "open: false\n"),
        ("charts/shop/templates/_helpers.tpl", "{{ define \"x\" }}{{ end }}\n"),
        ("charts/shop/README.md", "words\n"),
        ("values/live.yaml", "open: false\n"),
    ];
    for (path, text, told) in [
        ("overlays/dev/kustomization.yaml", "resources: [../../base]\n", Some("overlays/dev")),
        ("overlays/dev/patch.yaml", "- {op: remove, path: /spec}\n", Some("overlays/dev")),
        ("charts/shop/values.yaml", "open: true\n", Some("charts/shop")),
        (
            "charts/shop/templates/_helpers.tpl",
            "{{ define \"y\" }}{{ end }}\n",
            Some("charts/shop"),
        ),
        ("values/live.yaml", "open: true\n", Some("values/live.yaml")),
        ("charts/shop/values.yaml", "# words\nopen: false\n", None),
        ("charts/shop/README.md", "more words\n", None),
        ("other.yaml", "open: {to: all}\nelse: true\n", None),
    ] {
        let (code, entries) = changed(&before, &[(path, text)]);
        match told {
            Some(words) => {
                assert_eq!(code, 11, "{path}: {entries}");
                assert!(
                    entries.contains(words) && entries.contains("(widening)"),
                    "{path}: {entries}"
                );
                assert_eq!(entries.lines().count(), 1, "{path}: {entries}");
            }
            None => assert_eq!((code, entries.as_str()), (0, ""), "{path}"),
        }
    }
}

#[test]
fn values_that_nothing_deploys_do_not_change_in_silence() {
    let Some(_) = tool(&["helm"]) else { return };
    let before = [
        ("charts/shop/Chart.yaml", CHART),
        ("charts/shop/values.yaml", "open: false\n"),
        ("charts/shop/templates/x.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"),
        ("values/prod.yaml", "open: false\n"),
        ("config.yaml", "log: debug\n"),
    ];
    let (code, entries) = changed(&before, &[("values/prod.yaml", "open: true\n")]);
    assert_eq!(code, 11, "{entries}");
    assert!(entries.contains("values/prod.yaml") && entries.contains("`charts/shop`"), "{entries}");
    for (path, text) in
        [("values/prod.yaml", "open: false # so far\n"), ("config.yaml", "log: info\n")]
    {
        assert_eq!(changed(&before, &[(path, text)]), (0, String::new()), "{path}");
    }
}

#[test]
fn what_is_refused_changes_with_what_would_shape_it_and_with_nothing_else() {
    let Some(_) = kustomize() else { return };
    const REMOTE: &str = "resources: ['https://example.com/x.yaml?v=1', ../../base]\n";
    let overlay = format!("{REMOTE}patches: [{{path: patch.yaml}}]\n");
    let deny = policy("deny", DENY);
    let patch = |spec: &str| policy("deny", spec);
    let (same, wider) = (patch(DENY), patch("{podSelector: {}, policyTypes: [Egress]}"));
    let before = [
        ("base/kustomization.yaml", "resources: [deny.yaml]\n"),
        ("base/deny.yaml", deny.as_str()),
        ("overlays/prod/kustomization.yaml", overlay.as_str()),
        ("overlays/prod/patch.yaml", same.as_str()),
        ("overlays/dev/kustomization.yaml", "resources: [all.yaml]\ngenerators: [chart.yaml]\n"),
        ("overlays/dev/all.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"),
        (
            "overlays/dev/chart.yaml",
            "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: x}\nname: x\n",
        ),
        ("overlays/qa/kustomization.yaml", "helmCharts: [{name: x, valuesFile: v.yaml}]\n"),
        ("overlays/qa/v.yaml", "open: false\n"),
    ];
    let comment = format!("# words\n{overlay}");
    let image = format!("{overlay}images: [{{name: web, newTag: '2'}}]\n");
    let namespace = format!("{overlay}namespace: shop\n");
    let revision = overlay.replace("v=1", "v=2");
    let chart = before[6].1.replace("\nname: x", "\nname: y");
    for (path, text, told) in [
        ("overlays/prod/kustomization.yaml", comment.as_str(), false),
        ("overlays/prod/kustomization.yaml", image.as_str(), false),
        ("overlays/prod/kustomization.yaml", namespace.as_str(), true),
        ("overlays/prod/kustomization.yaml", revision.as_str(), true),
        ("overlays/prod/patch.yaml", wider.as_str(), true),
        ("overlays/qa/v.yaml", "open: true\n", true),
        ("overlays/dev/chart.yaml", chart.as_str(), true),
    ] {
        let (code, entries) = changed(&before, &[(path, text)]);
        assert_eq!(code, if told { 11 } else { 0 }, "{path}: {text}{entries}");
        assert_eq!(entries.contains("(widening)"), told, "{path}: {text}{entries}");
        let of_chart = entries.lines().filter(|line| line.contains("overlays/dev/")).count();
        assert_eq!(of_chart, 1, "{path}: {entries}");
    }
}

/// Without a name, the findings of all environments stand once each, with their names.
#[test]
fn lint_looks_at_every_environment() {
    let Some(_) = kustomize() else { return };
    let sandbox = Sandbox::new();
    overlays(&sandbox, &["prod", "staging"]);
    let own = policy("wide", "{podSelector: {matchLabels: {app: db}}, ingress: [{}]}");
    sandbox.write("r/overlays/prod/wide.yaml", own);
    sandbox.write(
        "r/overlays/prod/kustomization.yaml",
        "namespace: shop
resources: [../../base, wide.yaml]
",
    );
    let findings = |more: &str| {
        let run = sandbox.run(&format!("lint r --format json {more}"));
        let found: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:#?}"));
        let findings = found["findings"].as_array().unwrap().iter();
        findings
            .map(|each| (each["rule"].as_str().unwrap().to_string(), each["environments"].clone()))
            .collect::<Vec<_>>()
    };
    let both = serde_json::json!(["prod", "staging"]);
    let rule = |name: &str| name.to_string();
    assert_eq!(
        findings(""),
        [
            (rule("rule-without-peers"), serde_json::json!(["prod"])),
            (rule("missing-default-deny"), both),
        ]
    );
    assert_eq!(findings("--environment staging"), [(rule("missing-default-deny"), Value::Null)]);
    let text = sandbox.run("lint r").stdout;
    assert!(text.contains("of prod, staging"), "{text}");
}
