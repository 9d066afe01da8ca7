//! Charts as repositories have them: with dependencies, libraries, hooks.

use crate::renderers::tool;
use crate::sandbox::Sandbox;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const DIFF: &str = "diff --git HEAD~1..HEAD --repo r --format json";

/// A policy whose template lets everybody in where `.Values.open`.
fn template(name: &str, annotations: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: {name}\n  namespace: shop\n{annotations}\
         spec:\n  podSelector: {{}}\n  policyTypes: [Ingress]\n  {{{{- if .Values.open }}}}\n  ingress:\n  - {{}}\n  {{{{- end }}}}\n"
    )
}

fn chart(sandbox: &Sandbox, at: &str, more: &str) {
    let name = at.rsplit('/').next().unwrap();
    let text = format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n{more}");
    sandbox.write(&format!("{at}/Chart.yaml"), text);
    sandbox.write(&format!("{at}/values.yaml"), "open: false\n");
}

/// How many paths opened in the only environment, which says nothing that could hide one.
#[track_caller]
fn opened(sandbox: &Sandbox) -> usize {
    let run = sandbox.run(DIFF);
    let report = run.ends(0).json();
    assert_eq!(report["notEvaluated"], Value::Array(vec![]), "{report:#}");
    let environments = report["environments"].as_array().unwrap();
    assert_eq!(environments.len(), 1, "{report:#}");
    environments[0]["opened"].as_array().unwrap().len()
}

#[test]
fn a_subchart_that_is_in_the_repository_counts() {
    let Some(_) = tool(&["helm"]) else { return };
    for (at, dependency) in [
        ("r/shop/charts/db", ""),
        ("r/shop/charts/db", "dependencies: [{name: db, version: 1.0.0}]\n"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.init("r");
        chart(&sandbox, "r/shop", dependency);
        chart(&sandbox, at, "");
        sandbox.write(&format!("{at}/templates/policy.yaml"), template("db", ""));
        sandbox.commit("r", "one");
        sandbox.write("r/shop/values.yaml", "db: {open: true}\n");
        sandbox.commit("r", "two");
        assert_eq!(opened(&sandbox), 1, "{at}");
    }
}

#[test]
fn a_dependency_by_path_counts() {
    let Some(_) = tool(&["helm"]) else { return };
    let sandbox = Sandbox::new();
    sandbox.init("r");
    chart(
        &sandbox,
        "r/shop",
        "dependencies: [{name: db, version: 1.0.0, repository: 'file://../db'}]\n",
    );
    sandbox.write("r/shop/values.yaml", "db: {open: false}\n");
    chart(&sandbox, "r/db", "");
    sandbox.write("r/db/templates/policy.yaml", template("db", ""));
    sandbox.commit("r", "one");
    sandbox.write("r/shop/values.yaml", "db: {open: true}\n");
    sandbox.commit("r", "two");
    // What another chart depends on is no release of its own, which would stand twice.
    let run = sandbox.run(DIFF);
    let report = run.ends(0).json();
    assert_eq!(report["environments"][0]["opened"].as_array().map(Vec::len), Some(1), "{report:#}");
    assert!(!run.not_evaluated().contains("stands in"), "{run:#?}");
}

fn pack(sandbox: &Sandbox, helm: &Path) {
    let packed = Command::new(helm)
        .args(["package", "elsewhere/db", "--destination", "r/shop/charts"])
        .current_dir(sandbox.path("."))
        .env("HOME", sandbox.path("."))
        .output()
        .unwrap();
    assert!(packed.status.success(), "{packed:?}");
}

/// What it opens stands in the archive.
#[test]
fn a_packed_subchart_that_is_replaced_counts() {
    let Some(helm) = tool(&["helm"]) else { return };
    for needs in ["", "dependencies: [{name: db, version: 1.0.0}]\n"] {
        let sandbox = Sandbox::new();
        sandbox.init("r");
        chart(&sandbox, "r/shop", needs);
        chart(&sandbox, "elsewhere/db", "");
        sandbox.write("elsewhere/db/templates/policy.yaml", template("db", ""));
        pack(&sandbox, &helm);
        sandbox.commit("r", "one");
        sandbox.write("elsewhere/db/values.yaml", "open: true\n");
        pack(&sandbox, &helm);
        sandbox.commit("r", "two");
        assert_eq!(opened(&sandbox), 1);
        let report = sandbox.run(DIFF).ends(0).json();
        let cause = &report["environments"][0]["opened"][0]["causes"][0];
        assert_eq!(cause["location"]["file"], "shop/charts/db-1.0.0.tgz", "{cause:#}");
    }
}

#[test]
fn a_packed_subchart_counts() {
    let Some(helm) = tool(&["helm"]) else { return };
    let sandbox = Sandbox::new();
    sandbox.init("r");
    chart(&sandbox, "r/shop", "dependencies: [{name: db, version: 1.0.0}]\n");
    chart(&sandbox, "elsewhere/db", "");
    sandbox.write("elsewhere/db/templates/policy.yaml", template("db", ""));
    pack(&sandbox, &helm);
    sandbox.write("r/shop/values.yaml", "db: {open: false}\n");
    sandbox.commit("r", "one");
    sandbox.write("r/shop/values.yaml", "db: {open: true}\n");
    sandbox.commit("r", "two");
    assert_eq!(opened(&sandbox), 1);
}

#[test]
fn a_dependency_that_is_not_here_is_said() {
    let Some(_) = tool(&["helm"]) else { return };
    for repository in
        ["", ", repository: 'https://example.com/charts'", ", repository: 'file://../db'"]
    {
        let sandbox = Sandbox::new();
        sandbox.init("r");
        let needs = format!("dependencies: [{{name: db, version: 1.0.0{repository}}}]\n");
        chart(&sandbox, "r/shop", "");
        sandbox.write("r/shop/templates/policy.yaml", template("shop", ""));
        sandbox.commit("r", "one");
        chart(&sandbox, "r/shop", &needs);
        sandbox.commit("r", "two");
        let run = sandbox.run(&format!("{DIFF} --fail-on any"));
        let report = run.ends(11).json();
        let reasons = report["notEvaluated"].to_string();
        assert!(reasons.contains("db"), "{reasons}");
        assert!(!reasons.contains("/tmp"), "{reasons}");
    }
}

#[test]
fn a_library_and_hooks_are_as_helm_has_them() {
    let Some(_) = tool(&["helm"]) else { return };
    let sandbox = Sandbox::new();
    sandbox.init("r");
    chart(&sandbox, "r/shop", "");
    chart(&sandbox, "r/shop/charts/common", "type: library\n");
    let define =
        format!("{{{{- define \"common.policy\" }}}}\n{}{{{{- end }}}}\n", template("shop", ""));
    sandbox.write("r/shop/charts/common/templates/_policy.tpl", define);
    sandbox.write("r/shop/templates/policy.yaml", "{{ include \"common.policy\" . }}\n");
    let hook = "  annotations: {helm.sh/hook: pre-install}\n";
    sandbox.write("r/shop/templates/hook.yaml", template("hook", hook));
    sandbox.commit("r", "one");
    // Both are closed: each alone keeps the pods shut, and each alone opens them.
    sandbox.write("r/shop/values.yaml", "open: true\n");
    sandbox.commit("r", "two");
    assert_eq!(opened(&sandbox), 1);
    sandbox.write("r/shop/values.yaml", "open: false\n");
    sandbox.write(
        "r/shop/templates/hook.yaml",
        template("hook", hook).replace("if .Values.open", "if true"),
    );
    sandbox.commit("r", "three");
    assert_eq!(opened(&sandbox), 0, "what `hook` lets in was let in before");
    sandbox.write("r/shop/templates/hook.yaml", template("hook", hook));
    sandbox.commit("r", "four");
    sandbox.write(
        "r/shop/templates/hook.yaml",
        template("hook", hook).replace("if .Values.open", "if true"),
    );
    sandbox.commit("r", "five");
    assert_eq!(opened(&sandbox), 1, "a hook's policy counts");
}

#[test]
fn a_library_alone_is_no_release() {
    let Some(_) = tool(&["helm"]) else { return };
    let sandbox = Sandbox::new();
    sandbox.init("r");
    chart(&sandbox, "r/common", "type: library\n");
    sandbox.write("r/common/templates/_policy.tpl", "{{- define \"x\" }}a{{- end }}\n");
    sandbox.commit("r", "one");
    sandbox.write("r/common/templates/_policy.tpl", "{{- define \"x\" }}b{{- end }}\n");
    sandbox.commit("r", "two");
    assert_eq!(opened(&sandbox), 0);
}
