//! What Argo CD and Flux deploy: which environment it is in, what of it is elsewhere, and what the change means there.

use crate::renderers::{kustomize, tool};
use crate::sandbox::{DENY, Sandbox};
use serde_json::Value;

const DIFF: &str = "diff --git HEAD~1..HEAD --repo r --format json";

const HOME: &str = "https://github.com/example/gitops";

/// A policy that lets `from` into `to`, in the namespace of whoever deploys it.
fn allow(to: &str, from: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {to}}}\n\
         spec: {{podSelector: {{matchLabels: {{app: {to}}}}}, ingress: [{{from: [{{podSelector: {from}}}]}}]}}\n"
    )
}

const DENY_ALL: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny}\nspec: {podSelector: {}, policyTypes: [Ingress]}\n";

fn application(name: &str, source: &str, cluster: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\n\
         spec:\n  source: {{{source}}}\n  destination: {{name: {cluster}, namespace: shop}}\n---\n"
    )
}

fn here(path: &str) -> String {
    format!("repoURL: '{HOME}.git', targetRevision: main, path: {path}")
}

fn repository() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.init("r");
    sandbox.git("r", &format!("remote add origin {HOME}"));
    sandbox
}

/// A base that denies, and two overlays of it.
fn overlays() -> Sandbox {
    let sandbox = repository();
    sandbox.write("r/base/kustomization.yaml", "namespace: shop\nresources: [deny.yaml]\n");
    sandbox.write("r/base/deny.yaml", DENY_ALL);
    for name in ["prod", "staging"] {
        let path = format!("r/overlays/{name}/kustomization.yaml");
        sandbox.write(&path, "resources: [../../base]\n");
    }
    sandbox.commit("r", "one");
    sandbox
}

/// How many paths opened, by environment.
fn opened(report: &Value) -> Vec<(String, usize)> {
    let environments = report["environments"].as_array().unwrap();
    let name = |each: &Value| each["name"].as_str().unwrap().to_string();
    let count = |each: &Value| each["opened"].as_array().unwrap().len();
    environments.iter().map(|each| (name(each), count(each))).collect()
}

#[track_caller]
fn is(report: &Value, counts: &[(&str, usize)]) {
    let counts: Vec<(String, usize)> =
        counts.iter().map(|(name, count)| (name.to_string(), *count)).collect();
    assert_eq!(opened(report), counts, "{report:#}");
}

#[test]
fn two_applications_into_one_cluster_are_one_world_and_into_two_are_two() {
    for (second, count) in [("eu", 1), ("us", 0)] {
        let sandbox = repository();
        // The one denies, the other allows: only where they meet does the second open anything.
        sandbox.write("r/guard/deny.yaml", DENY_ALL);
        sandbox
            .write("r/web/config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n");
        let both =
            application("guard", &here("guard"), "eu") + &application("web", &here("web"), second);
        sandbox.write("r/argocd/apps.yaml", both);
        sandbox.commit("r", "one");
        sandbox.write("r/web/allow.yaml", allow("web", "{}"));
        sandbox.commit("r", "two");
        let report = sandbox.run(DIFF).ends(0).json();
        match second {
            "eu" => is(&report, &[("eu", count)]),
            _ => {
                is(&report, &[("eu", 0), ("us", count)]);
                // There it isolates what was open.
                assert_eq!(report["result"], "narrowed", "{report:#}");
            }
        }
    }
}

/// A prefix that Argo CD is told takes the place of the kustomization's own, and the patches of either know names
/// without any.
#[test]
fn what_an_application_says_is_written_into_the_kustomization() {
    let Some(_) = tool(&["kustomize", "kubectl"]) else { return };
    let own = "resources: [allow.yaml]\nnamePrefix: own-\n";
    for (name, count) in [("web", 1), ("own-web", 0), ("eu-web", 0), ("eu-own-web", 0)] {
        let sandbox = repository();
        sandbox.write("r/shop/kustomization.yaml", own);
        sandbox.write("r/shop/allow.yaml", allow("web", "{matchLabels: {app: front}}"));
        let application = |patches: &str| {
            let options = format!("kustomize: {{namePrefix: eu-, patches: [{patches}]}}");
            application("shop", &format!("{}, {options}", here("shop")), "eu")
        };
        sandbox.write("r/argocd/shop.yaml", application(""));
        sandbox.commit("r", "one");
        let open = r#"[{"op": "add", "path": "/spec/ingress/-", "value": {}}]"#;
        let patch = format!("{{target: {{kind: NetworkPolicy, name: {name}}}, patch: '{open}'}}");
        sandbox.write("r/argocd/shop.yaml", application(&patch));
        sandbox.commit("r", "two");
        let report = sandbox.run(DIFF).ends(0).json();
        assert_eq!(report["notEvaluated"], Value::Array(vec![]), "{name}: {report:#}");
        is(&report, &[("eu", count)]);
        if count > 0 {
            let text = report.to_string();
            assert!(text.contains("eu-web") && !text.contains("own-"), "{report:#}");
            assert!(text.contains("argocd/shop.yaml"), "{report:#}");
        }
        let status = sandbox.git("r", "status --porcelain");
        assert_eq!(status, "", "the checkout is as it was");
    }
}

#[test]
fn a_set_makes_an_environment_of_each_directory() {
    let Some(_) = kustomize() else { return };
    let sandbox = repository();
    sandbox.write("r/base/kustomization.yaml", "resources: [deny.yaml]\n");
    sandbox.write("r/base/deny.yaml", DENY_ALL);
    for name in ["dev", "prod", "staging"] {
        let path = format!("r/overlays/{name}/kustomization.yaml");
        sandbox.write(&path, "resources: [../../base]\n");
    }
    let set = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {{name: shop, namespace: argocd}}\nspec:\n  \
         goTemplate: true\n  generators:\n  - git: {{repoURL: '{HOME}', revision: HEAD, directories: [{{path: 'overlays/*'}}]}}\n  \
         template:\n    metadata: {{name: 'shop-{{{{.path.basename}}}}'}}\n    spec:\n      \
         source: {{repoURL: '{HOME}', targetRevision: HEAD, path: '{{{{.path.path}}}}'}}\n      \
         destination: {{name: 'cluster-{{{{.path.basename}}}}', namespace: shop}}\n"
    );
    sandbox.write("r/argocd/set.yaml", set);
    sandbox.commit("r", "one");
    sandbox.write("r/overlays/prod/allow.yaml", allow("web", "{}"));
    sandbox.write("r/overlays/prod/kustomization.yaml", "resources: [../../base, allow.yaml]\n");
    sandbox.commit("r", "two");
    let report = sandbox.run(DIFF).ends(0).json();
    is(&report, &[("cluster-dev", 0), ("cluster-prod", 1), ("cluster-staging", 0)]);
    assert_eq!(report["notEvaluated"], Value::Array(vec![]));
    // One more directory is one more Application: a cluster in which all is new.
    sandbox.write("r/overlays/qa/kustomization.yaml", "resources: [../../base]\n");
    sandbox.commit("r", "three");
    let report = sandbox.run(DIFF).ends(0).json();
    let names: Vec<String> = opened(&report).into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"cluster-qa".to_string()), "{names:?}");
}

#[test]
fn flux_substitutes_from_what_the_repository_has() {
    let Some(_) = kustomize() else { return };
    for (kind, missing) in [("ConfigMap", false), ("ConfigMap", true), ("Secret", false)] {
        let sandbox = repository();
        let sync = format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: flux-system, namespace: flux-system}}\n\
             spec: {{interval: 1m, ref: {{branch: main}}, url: '{HOME}'}}\n---\n\
             apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: app, namespace: flux-system}}\n\
             spec:\n  interval: 10m\n  path: ./app\n  prune: true\n  targetNamespace: shop\n  \
             sourceRef: {{kind: GitRepository, name: flux-system}}\n  postBuild: {{substituteFrom: [{{kind: {kind}, name: vars}}]}}\n"
        );
        sandbox.write("r/clusters/edge/sync.yaml", sync);
        let vars = |client: &str| {
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: vars, namespace: flux-system}}\ndata: {{client: {client}}}\n"
            )
        };
        sandbox.write("r/app/deny.yaml", DENY_ALL);
        sandbox.write("r/app/allow.yaml", allow("db", "{matchLabels: {app: '${client}'}}"));
        if !missing {
            sandbox.write("r/clusters/edge/vars.yaml", vars("web"));
        }
        sandbox.commit("r", "one");
        if missing {
            sandbox.write("r/app/allow.yaml", allow("db", "{matchLabels: {app: 'x${client}'}}"));
        } else {
            sandbox.write("r/clusters/edge/vars.yaml", vars("batch"));
        }
        sandbox.commit("r", "two");
        let run = sandbox.run(&format!("{DIFF} --fail-on any"));
        match (kind, missing) {
            ("ConfigMap", false) => {
                let report = run.ends(10).json();
                is(&report, &[("edge", 1)]);
                assert!(report["environments"][0].to_string().contains("app=batch"), "{report:#}");
            }
            ("ConfigMap", true) => {
                run.ends(11);
                assert!(run.not_evaluated().contains("vars"), "{run:#?}");
            }
            // It may have changed or not, nobody sees; the policy itself did not.
            _ => {
                let told = run.not_evaluated();
                assert!(told.contains("Secret"), "{run:#?}");
                assert!(told.contains("(flow)") || told.contains("(widening)"), "{told}");
            }
        }
    }
}

#[test]
fn what_another_repository_deploys_hides_a_widening_only_where_it_changes() {
    let other = |revision: &str| {
        application("web", &here("web"), "eu")
            + &application(
                "else",
                &format!(
                    "repoURL: 'https://github.com/example/other', targetRevision: {revision}, path: x"
                ),
                "eu",
            )
    };
    let base = |sandbox: &Sandbox| {
        sandbox.write("r/web/deny.yaml", DENY_ALL);
        sandbox.write("r/web/allow.yaml", allow("web", "{matchLabels: {app: front}}"));
        sandbox.write("r/argocd/apps.yaml", other("v1"));
        sandbox.commit("r", "one");
    };
    // What it deploys stays as it is.
    let sandbox = repository();
    base(&sandbox);
    sandbox.write("r/README.md", "words\n");
    sandbox.commit("r", "two");
    let run = sandbox.run(&format!("{DIFF} --fail-on any"));
    run.ends(0);
    assert!(!run.not_evaluated().contains("(widening)"), "{run:#?}");
    // Its revision changes: whatever that brings is not known.
    sandbox.write("r/argocd/apps.yaml", other("v2"));
    sandbox.commit("r", "three");
    let run = sandbox.run(&format!("{DIFF} --fail-on any"));
    run.ends(11);
    assert!(run.not_evaluated().contains("(widening)"), "{run:#?}");
    // With an inventory what it deploys is known, as far as it stays.
    sandbox.write("eu.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
    sandbox.write("r/web/other.yaml", allow("other", "{matchLabels: {app: front}}"));
    sandbox.commit("r", "four");
    let run = sandbox.run(&format!("{DIFF} --fail-on any --inventory eu=eu.yaml"));
    run.ends(10);
    assert!(!run.not_evaluated().contains("(widening)"), "{run:#?}");
}

#[test]
fn an_inventory_is_of_one_environment() {
    let Some(_) = kustomize() else { return };
    let sandbox = overlays();
    sandbox.write("r/base/allow.yaml", allow("web", "{}"));
    sandbox.write(
        "r/base/kustomization.yaml",
        "namespace: shop\nresources: [deny.yaml, allow.yaml]\n",
    );
    sandbox.commit("r", "two");
    is(&sandbox.run(DIFF).ends(0).json(), &[("prod", 1), ("staging", 1)]);
    // In production another policy lets the same in already.
    let known = allow("web", "{}").replace("{name: web}", "{name: known, namespace: shop}");
    sandbox.write("prod.yaml", known);
    let report = sandbox.run(&format!("{DIFF} --inventory prod=prod.yaml")).ends(0).json();
    is(&report, &[("prod", 0), ("staging", 1)]);
    let run = sandbox.run(&format!("{DIFF} --inventory prd=prod.yaml"));
    run.ends(2).prints_nothing();
    run.says("there is no environment `prd`").says("`prod`").says("`staging`");
}

#[test]
fn directories_and_the_working_tree_are_built_as_commits_are() {
    let Some(_) = kustomize() else { return };
    let sandbox = overlays();
    sandbox.git(".", "clone -q r before");
    sandbox.write(
        "r/overlays/prod/allow.yaml",
        allow("web", "{}").replace("{name: web}", "{name: web, namespace: shop}"),
    );
    sandbox.write("r/overlays/prod/kustomization.yaml", "resources: [../../base, allow.yaml]\n");
    for command in ["diff --git HEAD --repo r --format json", "diff before r --format json"] {
        let report = sandbox.run(command).ends(0).json();
        is(&report, &[("prod", 1), ("staging", 0)]);
    }
    let closed = sandbox.run("diff r before --format json").ends(0).json();
    assert_eq!(closed["result"], "narrowed", "{closed:#}");
}

#[test]
fn a_limit_to_one_overlay_never_hides_what_its_base_opens() {
    let Some(_) = kustomize() else { return };
    for limit in ["paths: [overlays/prod]", "environments: [{name: prod, paths: [overlays/prod]}]"]
    {
        let sandbox = repository();
        sandbox.write("r/.github/netpol-review.yml", format!("version: 1\n{limit}\n"));
        sandbox.write("r/base/kustomization.yaml", "resources: [deny.yaml]\n");
        sandbox.write("r/base/deny.yaml", DENY);
        for name in ["prod", "staging"] {
            let path = format!("r/overlays/{name}/kustomization.yaml");
            sandbox.write(&path, "resources: [../../base]\n");
        }
        sandbox.commit("r", "one");
        sandbox.write("r/base/deny.yaml", crate::sandbox::OPEN);
        sandbox.commit("r", "two");
        let run = sandbox.run(&format!("{DIFF} --fail-on any"));
        let report = run.json();
        assert_eq!(report["result"], "widened", "{limit}: {report:#}");
        run.ends(10);
    }
}

#[test]
fn charts_that_deploy_charts_are_followed_so_deep_and_then_said() {
    let Some(_) = tool(&["helm"]) else { return };
    for (depth, said) in [(3, false), (12, true)] {
        let sandbox = repository();
        sandbox.write("r/argocd/root.yaml", application("c0", &here("c0"), "eu"));
        for level in 0..depth {
            let chart = format!("apiVersion: v2\nname: c{level}\nversion: 1.0.0\n");
            sandbox.write(&format!("r/c{level}/Chart.yaml"), chart);
            let next = level + 1;
            let next = application(&format!("c{next}"), &here(&format!("c{next}")), "eu");
            let text = if level + 1 == depth { DENY_ALL.to_string() } else { next };
            sandbox.write(&format!("r/c{level}/templates/all.yaml"), text);
        }
        sandbox.commit("r", "one");
        let last = format!("r/c{}/templates/all.yaml", depth - 1);
        sandbox.write(&last, DENY_ALL.replace("[Ingress]", "[Ingress], ingress: [{}]"));
        sandbox.commit("r", "two");
        let run = sandbox.run(&format!("{DIFF} --fail-on any"));
        run.ends(if said { 11 } else { 10 });
        assert_eq!(run.not_evaluated().contains("8 times over"), said, "{run:#?}");
    }
}

#[test]
fn one_cluster_by_its_name_and_by_its_server_is_not_taken_for_two() {
    let by_server = |name: &str| {
        application(name, &here(name), "eu").replace("name: eu", "server: 'https://eu.example.com'")
    };
    for (guard, told) in
        [(application("guard", &here("guard"), "eu"), true), (by_server("guard"), false)]
    {
        let sandbox = repository();
        sandbox.write("r/guard/deny.yaml", DENY_ALL);
        let nothing = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
        sandbox.write("r/web/allow.yaml", nothing);
        sandbox.write("r/argocd/apps.yaml", guard + &by_server("web"));
        sandbox.commit("r", "one");
        sandbox.write("r/web/allow.yaml", allow("web", "{}"));
        sandbox.commit("r", "two");
        let run = sandbox.run(&format!("{DIFF} --fail-on any"));
        run.ends(if told { 11 } else { 10 });
        assert_eq!(run.not_evaluated().contains("may be the same"), told, "{run:#?}");
    }
}

#[test]
fn labels_that_argo_cd_gives_a_namespace_do_not_change_in_silence() {
    let sandbox = repository();
    let labels = |team: &str| {
        let more = format!(
            "  syncPolicy: {{managedNamespaceMetadata: {{labels: {{team: {team}}}}}}}\n---\n"
        );
        application("web", &here("web"), "eu").replace("---\n", &more)
    };
    sandbox.write("r/web/deny.yaml", DENY_ALL);
    sandbox.write("r/argocd/apps.yaml", labels("a"));
    sandbox.commit("r", "one");
    sandbox.write("r/argocd/apps.yaml", format!("# words\n{}", labels("a")));
    sandbox.commit("r", "two");
    sandbox.run(&format!("{DIFF} --fail-on any")).ends(0);
    sandbox.write("r/argocd/apps.yaml", labels("b"));
    sandbox.commit("r", "three");
    let run = sandbox.run(&format!("{DIFF} --fail-on any"));
    run.ends(11);
    assert!(run.not_evaluated().contains("managedNamespaceMetadata"), "{run:#?}");
}
