//! What one side deploys and the other only has: it may have come to the cluster, or gone from it, and no file of it
//! changed.

use crate::renderers::tool;
use crate::sandbox::{DENY, OPEN, Sandbox};

const OTHER: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: other, namespace: elsewhere}
spec: {podSelector: {}, policyTypes: [Ingress]}
";

fn application(name: &str, source: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\n\
         spec: {{source: {{repoURL: 'https://git.example/r', {source}}}, \
         destination: {{name: prod, namespace: shop}}}}\n"
    )
}

/// Files of both sides, and then files of the side after alone; an empty one is removed there.
fn sides(both: &[(&str, &str)], after: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    for (path, text) in both {
        sandbox.write(&format!("before/{path}"), text).write(&format!("after/{path}"), text);
    }
    sandbox.run("diff before after --fail-on any").ends(0);
    for (path, text) in after {
        sandbox.write(&format!("after/{path}"), text);
        if text.is_empty() {
            std::fs::remove_file(sandbox.path(&format!("after/{path}"))).unwrap();
        }
    }
    sandbox
}

#[track_caller]
fn says(sandbox: &Sandbox, words: &str) {
    for line in ["diff before after", "diff before after --render never"] {
        let line = format!("{line} --fail-on any --format json");
        let said = sandbox.run(&line).ends(11).not_evaluated();
        assert!(line.contains("never") || said.contains(words), "{said}");
    }
    let back = sandbox.run("diff after before --fail-on any --format json");
    assert_ne!(back.code, 0, "the way back is none that opens nothing: {back:#?}");
}

#[test]
fn a_kustomization_drops_a_base() {
    let sandbox = sides(
        &[
            ("base/np/kustomization.yaml", "resources: [p.yaml]\n"),
            ("base/np/p.yaml", DENY),
            ("overlays/prod/kustomization.yaml", "resources: [../../base/np, q.yaml]\n"),
            ("overlays/prod/q.yaml", OTHER),
        ],
        &[("overlays/prod/kustomization.yaml", "resources: [q.yaml]\n")],
    );
    says(
        &sandbox,
        "after base/np/kustomization.yaml (widening): `overlays/prod` deployed it, and nothing here does any more",
    );
}

#[test]
fn a_kustomization_takes_up_a_base_that_was_there() {
    let sandbox = sides(
        &[
            ("base/np/kustomization.yaml", "resources: [p.yaml]\n"),
            ("base/np/p.yaml", OTHER),
            ("base/open/kustomization.yaml", "resources: [q.yaml]\n"),
            ("base/open/q.yaml", OPEN),
            ("overlays/prod/kustomization.yaml", "resources: [../../base/np]\n"),
        ],
        &[("overlays/prod/kustomization.yaml", "resources: [../../base/np, ../../base/open]\n")],
    );
    says(
        &sandbox,
        "before base/open/kustomization.yaml (widening): nothing here deployed it, and now `overlays/prod` does",
    );
}

#[test]
fn a_kustomization_drops_a_file_that_stays() {
    let sandbox = sides(
        &[
            ("app/kustomization.yaml", "resources: [pol/p.yaml, q.yaml]\n"),
            ("app/pol/p.yaml", DENY),
            ("app/q.yaml", OTHER),
        ],
        &[("app/kustomization.yaml", "resources: [q.yaml]\n")],
    );
    says(&sandbox, "after app/pol/p.yaml (widening): `app` deployed it");
}

#[test]
fn an_application_goes_elsewhere_or_away_or_leaves_something_out() {
    let both = [
        ("v1/p.yaml", DENY),
        ("v1/z.yaml", OTHER),
        ("v2/q.yaml", OPEN),
        ("argo/a.yaml", &application("a", "path: v1")),
        ("argo/z.yaml", &application("z", "path: v3")),
        ("v3/z.yaml", OTHER),
    ];
    for after in [
        application("a", "path: v2"),
        application("a", "path: v1, directory: {exclude: p.yaml}"),
        String::new(),
    ] {
        let sandbox = sides(&both, &[("argo/a.yaml", &after)]);
        says(&sandbox, "after v1/p.yaml (widening): `argo/a.yaml` deployed it");
    }
}

#[test]
fn a_chart_drops_one_beside_it() {
    if tool(&["helm"]).is_none() {
        return;
    }
    let chart = "apiVersion: v2\nname: app\nversion: 1.0.0\n";
    let depends = format!(
        "{chart}dependencies: [{{name: np, version: 1.0.0, repository: 'file://../np'}}]\n"
    );
    let sandbox = sides(
        &[
            ("np/Chart.yaml", "apiVersion: v2\nname: np\nversion: 1.0.0\n"),
            ("np/templates/p.yaml", DENY),
            ("app/Chart.yaml", &depends),
            ("app/templates/z.yaml", OTHER),
        ],
        &[("app/Chart.yaml", chart)],
    );
    says(&sandbox, "after np/Chart.yaml (widening): `app` deployed it");
}

/// What holds nothing that plays a part, and what both sides deploy, is not spoken of.
#[test]
fn what_is_deployed_all_the_same_is_not_told() {
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: shop}\n";
    let sandbox = sides(
        &[
            ("base/kustomization.yaml", "resources: [p.yaml]\n"),
            ("base/p.yaml", DENY),
            ("extra/kustomization.yaml", "resources: [c.yaml]\n"),
            ("extra/c.yaml", config),
            ("overlays/dev/kustomization.yaml", "resources: [../../base]\n"),
            ("overlays/prod/kustomization.yaml", "resources: [../../base, ../../extra]\n"),
        ],
        &[("overlays/prod/kustomization.yaml", "resources: [../../base]\n")],
    );
    let run = sandbox.run("diff before after --fail-on any --format json");
    assert_eq!(run.ends(0).not_evaluated(), "");
}

/// Limits say what is looked at; what that deploys is part of it.
#[test]
fn what_is_deployed_from_beyond_the_limits() {
    let limits = |path: &str| format!("version: 1\npaths: [{path}]\n");
    let config = ".github/netpol-review.yml";
    let remote = "resources: [../app, 'https://git.example/x//y?ref=v1']\n";
    sides(
        &[
            (config, &limits("argo")),
            ("app/p.yaml", DENY),
            ("argo/a.yaml", &application("a", "path: app")),
        ],
        &[("app/p.yaml", OPEN)],
    )
    .run("diff before after --fail-on any")
    .ends(10);
    sides(
        &[
            (config, &limits("ov")),
            ("app/kustomization.yaml", "resources: [p.yaml]\n"),
            ("app/p.yaml", DENY),
            ("ov/kustomization.yaml", remote),
        ],
        &[("app/p.yaml", OPEN)],
    )
    .run("diff before after --fail-on any")
    .ends(11);
}

/// Values that nobody is known to use count where they change.
#[test]
fn values_of_a_chart_by_any_name() {
    let chart = ("app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n");
    let template = ("app/templates/p.yaml", "{{ if .Values.open }}\n{{ end }}\n");
    for path in ["app/prod.yaml", "app/prod/values.yaml", "app/config/prod.json"] {
        let [before, after] = ["{\"open\": false}\n", "{\"open\": true}\n"];
        let sandbox = sides(&[chart, template, (path, before)], &[(path, after)]);
        let run = sandbox.run("diff before after --fail-on any --format json");
        let said = run.ends(11).not_evaluated();
        assert!(said.contains(&format!("{path} (widening): it looks like values")), "{said}");
    }
    let sandbox = sides(
        &[chart, template, ("app/ci/test.yaml", "open: false\n")],
        &[("app/ci/test.yaml", "open: true\n")],
    );
    sandbox.run("diff before after --fail-on any").ends(0);
}

/// What kustomize reads and nothing here does, and files that only plugins name.
#[test]
fn inputs_that_stand_in_other_places() {
    let deny = r#"[{"op": "replace", "path": "/spec/ingress", "value": []}]"#;
    let open = r#"[{"op": "replace", "path": "/spec/ingress", "value": [{}]}]"#;
    let policy = ("app/p.yaml", DENY);
    let patch = ("app/patch.txt", deny);
    let spelt = "resources: [p.yaml]\npatchesJSON6902: [{path: patch.txt, target: {group: networking.k8s.io, \
                 version: v1, kind: NetworkPolicy, name: deny}}]\n";
    let transformer = "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: patch.txt\n\
                       target: {kind: NetworkPolicy}\n";
    let inflated = "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: h}\nname: c\n\
                    repo: https://charts.example\nversion: 1.0.0\nvaluesFile: patch.txt\n";
    let replaces = "resources: [p.yaml, 'https://git.example/x//y?ref=v1']\n\
                    configMapGenerator: [{name: c, envs: [patch.txt]}]\n\
                    replacements: [{source: {kind: ConfigMap, name: c, fieldPath: data.ns}, \
                    targets: [{select: {kind: NetworkPolicy}, fieldPaths: [metadata.namespace]}]}]\n";
    for more in [
        vec![("app/kustomization.yaml", spelt)],
        vec![
            ("app/kustomization.yaml", "resources: [p.yaml]\ntransformers: [t.yaml]\n"),
            ("app/t.yaml", transformer),
        ],
        vec![("app/kustomization.yaml", "generators: [h.yaml]\n"), ("app/h.yaml", inflated)],
        vec![("app/kustomization.yaml", replaces)],
    ] {
        let both: Vec<_> = [policy, patch].into_iter().chain(more).collect();
        let sandbox = sides(&both, &[("app/patch.txt", open)]);
        let run = sandbox.run("diff before after --fail-on any");
        assert_ne!(run.code, 0, "{run:#?}");
    }
}
