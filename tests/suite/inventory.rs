//! Objects that live elsewhere: they count as declared, and what the repository says of the same object
//! beats them.

use crate::reports::trees;
use crate::worlds::pair;
use netpol_review::config::Config;
use netpol_review::parse::{Parsed, parse_both};
use netpol_review::report::{CauseKind, Hides, Inventory, Report, Side, Verdict};
use netpol_review::tree::{Content, InventoryFile, Tree, declare};
use netpol_review::{list, query, review};
use proptest::prelude::*;

/// A policy of namespace `shop`.
fn policy(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
         metadata: {{name: {name}, namespace: shop}}\nspec: {spec}\n"
    )
}

/// Lets nothing in.
fn deny(name: &str) -> String {
    policy(name, "{podSelector: {}, policyTypes: [Ingress]}")
}

/// Lets pods of namespace `web` in.
fn from_web(name: &str) -> String {
    let web = "{matchLabels: {kubernetes.io/metadata.name: web}}";
    policy(
        name,
        &format!("{{podSelector: {{}}, ingress: [{{from: [{{namespaceSelector: {web}}}]}}]}}"),
    )
}

/// Something with a pod template, in namespace `shop`.
fn workload(kind: &str, name: &str, owner: &str, labels: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: shop{}}}\n\
         spec: {{replicas: 1, template: {{metadata: {{labels: {{{labels}}}}}, spec: {{containers: []}}}}}}\n",
        owner_references(owner)
    )
}

fn deployment(name: &str, labels: &str) -> String {
    workload("Deployment", name, "", labels)
}

/// A running pod, `status` being more of its status.
fn pod(name: &str, owner: &str, labels: &str, status: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{{labels}}}{}}}\n\
         spec: {{containers: []}}\nstatus: {{{status}}}\n",
        owner_references(owner)
    )
}

/// `Kind/name` as the field.
fn owner_references(owner: &str) -> String {
    owner.split_once('/').map_or(String::new(), |(kind, name)| {
        format!(", ownerReferences: [{{kind: {kind}, name: {name}, controller: true}}]")
    })
}

/// An inventory of these objects, as documents of one file.
fn inventory(objects: &[String]) -> Vec<InventoryFile> {
    vec![file("cluster.yaml", &objects.join("---\n"))]
}

fn file(name: &str, text: &str) -> InventoryFile {
    let content = Content::new(text.as_bytes());
    InventoryFile { name: name.into(), path: None, content, edited: false, environment: None }
}

/// A tree with each object in a file of its own.
fn tree(objects: &[String]) -> Tree {
    let named: Vec<_> =
        objects.iter().enumerate().map(|(i, text)| (format!("{i}.yaml"), text)).collect();
    Tree::from_texts("t", named.iter().map(|(path, text)| (path.as_str(), text.as_str())))
}

/// Compares two sides with the same inventory.
fn compare(before: &[String], after: &[String], inventory: Vec<InventoryFile>) -> Report {
    let (mut before, mut after) = (tree(before), tree(after));
    declare(&mut before, &mut after, inventory);
    review(&before, &after, &Config::default())
}

/// Both sides, read.
fn sides(before: &[String], after: &[String], inventory: Vec<InventoryFile>) -> [Parsed; 2] {
    let (mut before, mut after) = (tree(before), tree(after));
    declare(&mut before, &mut after, inventory);
    parse_both(&before, &after, &Config::default()).into()
}

fn names(parsed: &Parsed) -> Vec<String> {
    parsed.cluster.workloads.iter().map(|workload| workload.id.to_string()).collect()
}

/// The workloads of a repository beside those of an inventory.
fn declared(repository: &[String], elsewhere: &[String]) -> Vec<String> {
    names(&sides(repository, repository, inventory(elsewhere))[1])
}

fn kinds(report: &Report) -> Vec<CauseKind> {
    let rows = report.environments[0].opened.iter();
    rows.flat_map(|row| row.causes.iter().map(|cause| cause.kind)).collect()
}

#[test]
fn a_policy_that_the_change_deletes_does_not_live_on() {
    let report = compare(&[deny("p")], &[], inventory(&[deny("p"), deployment("api", "app: api")]));
    assert_eq!(report.result, Verdict::Widened, "{report:#?}");
    assert_eq!(kinds(&report), [CauseKind::IsolationLost]);
    // One of another name does.
    let report = compare(&[deny("p")], &[], inventory(&[deny("q")]));
    assert_eq!(report.result, Verdict::Unchanged, "{report:#?}");
}

#[test]
fn an_edit_counts_against_the_repository_and_not_against_the_inventory() {
    // What runs has been open already, and was closed in the repository alone.
    let report = compare(&[deny("p")], &[from_web("p")], inventory(&[from_web("p")]));
    assert_eq!(report.result, Verdict::Widened, "{report:#?}");
    // Where the inventory is the narrower one nothing closes either.
    let report = compare(&[from_web("p")], &[from_web("p")], inventory(&[deny("p")]));
    assert_eq!(report.result, Verdict::Unchanged, "{report:#?}");
}

/// What the repository takes over is compared with what was there: with nothing before, a policy in place of
/// a stricter one would look as if it closed something.
#[test]
fn what_the_change_takes_over_is_compared_with_the_inventory() {
    let report = compare(&[], &[from_web("p")], inventory(&[deny("p")]));
    assert_eq!(report.result, Verdict::Widened, "{report:#?}");
    let cause = &report.environments[0].opened[0].causes[0];
    assert_eq!((cause.kind, &*cause.location.file), (CauseKind::RuleAdded, "0.yaml"));
    let report = compare(&[], &[deny("p")], inventory(&[from_web("p")]));
    assert_eq!(report.result, Verdict::Narrowed, "{report:#?}");
    assert_eq!(report.environments[0].closed[0].causes[0].location.file, "cluster.yaml");
    let api = || deployment("api", "app: api");
    let same = [deny("p"), api()];
    let report = compare(&[], &same, inventory(&same));
    assert_eq!(report.result, Verdict::Unchanged, "{report:#?}");
}

#[test]
fn a_policy_from_elsewhere_takes_part() {
    // Without it nothing opens: the repository's own policy lets nobody in.
    let web = |to: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: out, namespace: web}}\n\
             spec: {{podSelector: {{}}, policyTypes: [Egress], egress: [{to}]}}\n"
        )
    };
    let shop = "{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}]}";
    let (before, after) = ([deny("p"), web("")], [deny("p"), web(shop)]);
    let opened = |elsewhere: &[String]| compare(&before, &after, inventory(elsewhere));
    let unrelated = [deployment("api", "app: api")];
    assert_eq!(opened(&unrelated).result, Verdict::Unchanged);
    let report = opened(&[from_web("also")]);
    assert_eq!(report.result, Verdict::Widened, "{report:#?}");
    let text = serde_json::to_string(&report.environments[0].opened[0].admitted_by).expect("JSON");
    assert!(text.contains("cluster.yaml"), "{text}");
}

#[test]
fn namespaces_from_elsewhere_have_their_labels() {
    let namespace = |name: &str, team: &str| {
        format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{team: {team}}}}}\n"
        )
    };
    let [_, side] = sides(&[namespace("a", "x")], &[namespace("a", "x")], {
        inventory(&[namespace("a", "old"), namespace("b", "z")])
    });
    let team =
        |name: &str| side.cluster.namespace_labels(name).get("team").map(|team| team.to_string());
    assert_eq!((team("a").as_deref(), team("b").as_deref()), (Some("x"), Some("z")));
    let [before, after] = sides(&[namespace("a", "x")], &[], inventory(&[namespace("a", "old")]));
    assert!(before.cluster.namespaces.contains_key("a"));
    assert!(after.cluster.namespaces.is_empty(), "it was deleted");
}

#[test]
fn a_workload_of_the_repository_takes_its_whole_tree_of_owners() {
    let tree = [
        deployment("api", "app: old"),
        workload("ReplicaSet", "api-1", "Deployment/api", "app: old"),
        pod("api-1-x", "ReplicaSet/api-1", "app: old", "podIP: 10.0.0.1"),
        pod("api-1-y", "ReplicaSet/api-1", "app: old", "podIP: 10.0.0.2"),
    ];
    assert_eq!(declared(&[], &tree), ["shop/api[Deployment]"]);
    let side = &sides(&[deployment("api", "app: new")], &[], inventory(&tree))[0];
    assert_eq!(names(side), ["shop/api[Deployment]"]);
    assert_eq!(side.cluster.workloads[0].labels.get("app").map(|app| &**app), Some("new"));
    // Deleted is deleted, whatever runs.
    let side = &sides(&[deployment("api", "app: new")], &[], inventory(&tree))[1];
    assert_eq!(names(side), [""; 0]);
    // The owner itself may be of a kind that is no workload, or not in the inventory.
    let owned = [
        workload("Deployment", "api", "Shop/api", "app: old"),
        pod("api-x", "Deployment/api", "app: old", ""),
        pod("db-x", "Shop/api", "app: db", ""),
    ];
    assert_eq!(
        declared(&[deployment("api", "app: new")], &owned),
        ["shop/api[Deployment]", "shop/api[Shop]"]
    );
    assert_eq!(
        declared(&[deployment("api", "app: new")], &tree[2..]),
        ["shop/api[Deployment]", "shop/api-1[ReplicaSet]"]
    );
    // A pod of the repository that says who owns it.
    let repository = [pod("api-1-z", "Deployment/api", "app: new", "")];
    assert_eq!(declared(&repository, &tree), ["shop/api[Deployment]"]);
}

#[test]
fn a_rollout_of_the_repository_takes_its_pods() {
    let rollout = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: api, namespace: shop}\n\
                   spec: {workloadRef: {kind: Deployment, name: api}}\n";
    let elsewhere =
        [deployment("api", "app: old"), workload("ReplicaSet", "api-1", "Rollout/api", "app: old")];
    let repository = [deployment("api", "app: new"), rollout.to_string()];
    assert_eq!(declared(&repository, &elsewhere), ["shop/api[Deployment]"]);
}

#[test]
fn finished_pods_have_no_traffic() {
    let job = |name: &str, status: &str| {
        let text = workload("Job", name, "", "app: job").replace("apps/v1", "batch/v1");
        format!("{text}status: {{{status}}}\n")
    };
    let elsewhere = [
        pod("done", "", "app: a", "phase: Succeeded"),
        pod("evicted", "ReplicaSet/gone", "app: a", "phase: Failed"),
        pod("runs", "", "app: a", "phase: Running"),
        pod("waits", "", "app: a", "phase: Pending"),
        job("ended", "conditions: [{type: Complete, status: 'True'}]"),
        job(
            "broke",
            "conditions: [{type: FailureTarget, status: 'True'}, {type: Failed, status: 'True'}]",
        ),
        job("works", "active: 1, conditions: [{type: Complete, status: 'False'}]"),
    ];
    assert_eq!(declared(&[], &elsewhere), ["shop/runs[Pod]", "shop/waits[Pod]", "shop/works[Job]"]);
    // The API server ignores what a manifest says of its own status, and so must a review.
    let written = sides(&[], &elsewhere[..1], Vec::new());
    assert_eq!(names(&written[1]), ["shop/done[Pod]"]);
}

#[test]
fn pods_of_a_controller_are_one_workload_whatever_their_addresses() {
    let pods = [
        pod("api-x", "ReplicaSet/api", "app: a", "podIP: 10.0.0.1"),
        pod("api-y", "ReplicaSet/api", "app: a", "podIP: 10.0.0.2"),
        pod("alone", "", "app: a", "podIP: 10.0.0.3"),
        // A static pod belongs to its node, and each is one of its own.
        pod("apiserver-n1", "Node/n1", "app: b", "podIP: 10.0.0.4"),
        pod("etcd-n1", "Node/n1", "app: c", "podIP: 10.0.0.4"),
    ];
    let [_, side] = sides(&[], &[], inventory(&pods));
    assert_eq!(
        names(&side),
        ["shop/alone[Pod]", "shop/api[ReplicaSet]", "shop/apiserver-n1[Pod]", "shop/etcd-n1[Pod]"]
    );
    let addresses: Vec<_> = side.cluster.workloads.iter().map(|w| w.addresses.len()).collect();
    assert_eq!(addresses, [1, 0, 1, 1]);
}

/// The entries that were not evaluated, but for those of the repository.
fn entries(report: &Report) -> Vec<(Side, Hides, &str)> {
    let entries = report.not_evaluated.iter().filter(|entry| entry.file == "cluster.yaml");
    entries.map(|entry| (entry.side, entry.hides, entry.reason.as_str())).collect()
}

#[test]
fn what_can_not_be_read_hides_a_flow_and_a_widening_where_its_pods_are_touched() {
    let cilium = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: shop}\n";
    let broken = policy("broken", "{podSelector: {}, ingress: [{from: [{}]}]}");
    let elsewhere = inventory(&[cilium.to_string(), broken]);
    let same = [deny("p").replace("shop", "other")];
    let report = compare(&same, &same, elsewhere.clone());
    let found = entries(&report);
    assert_eq!((report.result, found.len()), (Verdict::Unchanged, 2), "{report:#?}");
    assert!(found.iter().all(|(side, hides, _)| (*side, *hides) == (Side::Both, Hides::Flow)));
    let report = compare(&[deny("p")], &[deny("p"), from_web("q")], elsewhere.clone());
    assert!(entries(&report).iter().all(|(_, hides, _)| *hides == Hides::Widening), "{report:#?}");
    // What the repository says of the same object is said once.
    let report = compare(&[cilium.to_string()], &[cilium.to_string()], elsewhere);
    assert_eq!(report.not_evaluated.len(), 2, "{report:#?}");
}

#[test]
fn an_inventory_that_holds_nothing_is_not_silently_empty() {
    for text in
        ["", "error: You must be logged in to the server\n", "kind: ConfigMap\napiVersion: v1\n"]
    {
        let report = compare(&[deny("p")], &[from_web("p")], vec![file("cluster.yaml", text)]);
        let [(Side::Both, Hides::Widening, reason)] = entries(&report)[..] else {
            panic!("{text:?}: {report:#?}")
        };
        assert!(reason.contains("no workload, namespace or policy"), "{reason}");
        assert!(!report.exact);
    }
}

#[test]
fn two_files_that_differ_are_said() {
    let files = vec![file("one.yaml", &deny("p")), file("cluster.yaml", &from_web("p"))];
    let report = compare(&[], &[], files);
    let [(Side::Both, Hides::Flow, reason)] = entries(&report)[..] else { panic!("{report:#?}") };
    assert!(reason.contains("one.yaml:1"), "{reason}");
    // The same twice is no matter.
    let files = vec![file("one.yaml", &deny("p")), file("cluster.yaml", &deny("p"))];
    assert!(compare(&[], &[], files).exact);
}

#[test]
fn a_file_of_the_repository_is_no_manifest_and_its_edit_is_said() {
    let inside = |text: &str| {
        let path = Some("0.yaml".into());
        vec![InventoryFile { path, ..file("0.yaml", text) }]
    };
    let report = compare(&[deny("p")], &[from_web("p")], inside(&deny("p")));
    let [entry] = report.not_evaluated.as_slice() else { panic!("{report:#?}") };
    assert_eq!((report.result, entry.hides), (Verdict::Unchanged, Hides::Nothing));
    assert!(entry.reason.contains("until it is merged"), "{entry:#?}");
    let report = compare(&[deny("p")], &[], inside(&deny("p")));
    assert_eq!((report.result, report.not_evaluated.len()), (Verdict::Unchanged, 1));
    let report = compare(&[deny("p")], &[deny("p")], inside(&deny("p")));
    assert_eq!((report.result, report.not_evaluated.len()), (Verdict::Unchanged, 0));
    assert_eq!((report.read.files, report.inventory[0].policies), (0, 1));
}

/// A list with these annotations.
fn annotated(annotations: &str, objects: &[String]) -> Vec<InventoryFile> {
    let items: Vec<String> = objects
        .iter()
        .map(|text| format!("- {}\n", text.trim_end().replace('\n', "\n  ")))
        .collect();
    let text = format!(
        "apiVersion: v1\nkind: List\nmetadata: {{annotations: {{{annotations}}}}}\nitems:\n{}",
        items.concat()
    );
    vec![file("cluster.yaml", &text)]
}

fn line(source: &Inventory) -> (String, usize, usize, usize) {
    let taken = source.taken.map_or(String::new(), |day| day.to_string());
    (taken, source.workloads, source.namespaces, source.policies)
}

#[test]
fn reports_count_what_was_used_and_say_when_it_was_taken() {
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n".to_string();
    let objects = [deny("p"), deny("q"), deployment("api", ""), deployment("web", ""), namespace];
    let taken = "netpol-review/taken: '2026-11-20T23:30:00-02:00'";
    let repository = [deny("q"), deployment("web", "")];
    let report = compare(&repository, &repository, annotated(taken, &objects));
    assert_eq!(report.inventory.len(), 1, "{report:#?}");
    assert_eq!(line(&report.inventory[0]), ("2026-11-21".into(), 1, 1, 1));
    assert_eq!((report.read.policies, report.read.workloads), (2, 2), "those of the repository");
    // What one side alone has of the inventory counts.
    let report = compare(&[], &repository, annotated(taken, &objects));
    assert_eq!(line(&report.inventory[0]), ("2026-11-21".into(), 2, 1, 2));
    for unknown in ["", "netpol-review/taken: yesterday", "taken: '2026-11-20T00:00:00Z'"] {
        let report = compare(&repository, &repository, annotated(unknown, &objects));
        assert_eq!(line(&report.inventory[0]).0, "", "{unknown}");
    }
    // An annotation of a single object says nothing of the file.
    let one = objects[0]
        .replace("namespace: shop", &format!("namespace: shop, annotations: {{{taken}}}"));
    let report = compare(&[], &[], inventory(&[one]));
    assert_eq!(line(&report.inventory[0]), (String::new(), 0, 0, 1));
}

#[test]
fn what_a_snapshot_could_not_read_is_said() {
    let unread = "netpol-review/unread: 'pods,deployments.apps, egressfirewalls.k8s.ovn.org'";
    let api = deployment("api", "app: api");
    let report = compare(&[deny("p")], &[from_web("p")], annotated(unread, &[api]));
    let mut found = entries(&report);
    found.sort();
    let [(_, Hides::Nothing, _), (_, Hides::Nothing, pods), (_, Hides::Widening, policies)] =
        found[..]
    else {
        panic!("{report:#?}")
    };
    assert!(pods.contains("`pods`") && policies.contains("`egressfirewalls.k8s.ovn.org`"));
}

#[test]
fn a_single_snapshot_has_its_inventory_too() {
    let mut tree = tree(&[deny("p")]);
    tree.declare(inventory(&[deployment("api", "app: api"), from_web("q")]));
    let listing = list(&tree, &Config::default());
    assert_eq!(line(&listing.inventory[0]), (String::new(), 1, 0, 1));
    assert_eq!(listing.unisolated.egress, ["shop/api[Deployment]"]);
    let ask = |from: &str| {
        query::query(&tree, &Config::default(), from, "shop/api", "TCP/80").expect("a question")
    };
    assert!(ask("namespace:web,pod:app=x").allowed && !ask("10.0.0.1").allowed);
    let answer = ask("namespace:web,pod:app=x");
    assert_eq!(answer.ingress.by[0].location.file, "cluster.yaml");
    assert_eq!(line(&answer.inventory[0]), (String::new(), 1, 0, 1));
}

/// What a report says of paths, whatever the files are called.
fn paths(report: &Report) -> Vec<(bool, &str, &str, &str, String)> {
    let environment = &report.environments[0];
    let sides = [(true, &environment.opened), (false, &environment.closed)];
    let rows =
        sides.into_iter().flat_map(|(opened, rows)| rows.iter().map(move |row| (opened, row)));
    rows.map(|(opened, row)| {
        let (from, to) = (row.from.text.as_str(), row.to.text.as_str());
        (opened, row.fingerprint.as_str(), from, to, format!("{:?}", row.exceptions))
    })
    .collect()
}

proptest! {
    #![proptest_config(crate::worlds::config(96))]

    /// What a change leaves alone may as well stand in an inventory: paths are the same.
    #[test]
    fn what_both_sides_hold_may_stand_elsewhere(pair in pair()) {
        let (mut before, mut after) = trees(&pair);
        let stated = review(&before, &after, &Config::default());
        let both = |(path, content): (&std::sync::Arc<str>, &Content)| {
            let same = after.files.get(path).is_some_and(|other| other.same(content));
            same.then(|| (path.clone(), String::from_utf8_lossy(content.bytes()).into_owned()))
        };
        let shared: Vec<_> = before.files.iter().filter_map(both).collect();
        prop_assume!(!shared.is_empty());
        let texts: Vec<String> = shared.iter().map(|(_, text)| text.clone()).collect();
        for (path, _) in &shared {
            before.files.remove(path);
            after.files.remove(path);
        }
        declare(&mut before, &mut after, inventory(&texts));
        let moved = review(&before, &after, &Config::default());
        prop_assert_eq!(paths(&stated), paths(&moved));
        prop_assert_eq!(stated.result, moved.result);
        let used = &moved.inventory[0];
        prop_assert_eq!(used.workloads + used.namespaces + used.policies, shared.len());
    }
}
