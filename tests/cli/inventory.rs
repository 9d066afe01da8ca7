//! `--inventory`, and `inventory` of the configuration: which file counts, and what is said of it.

use crate::sandbox::{DENY, OPEN, Sandbox};

const FILE: &str = ".github/netpol-review.yml";

/// A workload that policies of `shop` are about, and a policy that lets nobody in.
const CLUSTER: &str = "\
apiVersion: v1
kind: List
metadata:
  annotations: {netpol-review/taken: '2001-02-03T04:05:06Z'}
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: api, namespace: shop}
  spec: {template: {metadata: {labels: {app: api}}, spec: {containers: []}}}
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata: {name: wall, namespace: shop}
  spec: {podSelector: {}, policyTypes: [Ingress]}
";

/// A change that removes the last policy of a namespace.
fn removal() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a/p.yaml", DENY).write("a/q.yaml", "kind: ConfigMap\napiVersion: v1\n");
    sandbox.write("b/q.yaml", "kind: ConfigMap\napiVersion: v1\n").write("cluster.yaml", CLUSTER);
    sandbox
}

#[test]
fn every_comparison_takes_it() {
    let sandbox = removal();
    sandbox.run("diff a b --fail-on any").ends(10);
    let run = sandbox.run("diff a b --fail-on any --inventory cluster.yaml");
    let said =
        "1 workload and 1 policy come from the inventory `cluster.yaml`, taken on\n2001-02-03 (";
    assert!(run.ends(0).stdout.contains(said), "{run:#?}");
    let run = sandbox.run("list b --inventory cluster.yaml --format json");
    let source = &run.ends(0).json()["inventory"][0];
    assert_eq!((&source["file"], &source["taken"]), (&"cluster.yaml".into(), &"2001-02-03".into()));
    assert!(source.get("age").is_none(), "{source}");
    let query = "query b --from 10.0.0.1 --to shop/api --port TCP/80 --inventory cluster.yaml";
    let run = sandbox.run(query);
    assert!(run.ends(0).stdout.contains("shop/wall, cluster.yaml:"), "{run:#?}");
    // A deletion opens what nothing in the inventory closes.
    sandbox.write("open.yaml", CLUSTER.replace("kind: NetworkPolicy", "kind: ConfigMap"));
    let diff = "diff a b --inventory open.yaml --format json";
    let report = sandbox.run(diff).ends(0).json();
    let row = &report["environments"][0]["opened"][0];
    let fingerprint = row["fingerprint"].as_str().expect("a row");
    sandbox.run(&format!("explain {fingerprint} a b --inventory open.yaml")).ends(0);
    sandbox.run(&format!("explain {fingerprint} a b --inventory cluster.yaml")).ends(2);
    let two = format!("{diff} --inventory cluster.yaml");
    assert_eq!(sandbox.run(&two).json()["inventory"].as_array().map(Vec::len), Some(2));
}

#[test]
fn one_for_an_environment_needs_one() {
    let sandbox = removal();
    sandbox.run("diff a b --inventory default=cluster.yaml --fail-on any").ends(0);
    let run = sandbox.run("diff a b --inventory prod=cluster.yaml");
    run.ends(2)
        .says("there is no environment `prod`")
        .says("`./prod=cluster.yaml`")
        .prints_nothing();
    sandbox.write("prod=cluster.yaml", CLUSTER);
    sandbox.run("diff a b --inventory ./prod=cluster.yaml --fail-on any").ends(0);
}

#[test]
fn one_that_can_not_be_read_ends_the_run() {
    let sandbox = removal();
    for command in ["diff a b", "list a", "query a --from 10.0.0.1 --to 10.0.0.2 --port 1"] {
        let run = sandbox.run(&format!("{command} --inventory clusters.yaml"));
        run.ends(4).says("did you mean: `cluster.yaml`?").prints_nothing();
        sandbox.run(&format!("{command} --inventory a")).ends(4).says("a directory");
    }
    // One that holds nothing that counts can hide anything.
    sandbox.write("empty.yaml", "");
    sandbox.run("diff a b --inventory empty.yaml --fail-on any").ends(11);
}

/// Who looks for an example's workload in the repository does not find it: so its name is marked.
#[test]
fn an_example_from_it_is_marked() {
    let sandbox = removal();
    let (without_wall, _) = CLUSTER.split_once("- apiVersion: networking").unwrap();
    sandbox.write("cluster.yaml", without_wall);
    for format in ["text", "markdown", "sarif", "github"] {
        let run = sandbox.run(&format!("diff a b --inventory cluster.yaml --format {format}"));
        let words: Vec<&str> = run.stdout.split_whitespace().collect();
        let marked = words.join(" ").contains("(inventory of 2001-02-03)");
        assert!(marked, "{format}: {run:#?}");
    }
    let report = sandbox.run("diff a b --inventory cluster.yaml --format json").ends(0).json();
    let witness = &report["environments"][0]["opened"][0]["witness"];
    let listed = serde_json::json!({"file": "cluster.yaml", "taken": "2001-02-03"});
    assert_eq!(witness["toInventory"], listed, "{witness:#}");
    // What the repository has as well is found there.
    let (_, items) = without_wall.split_once("items:\n- ").unwrap();
    let own = items.replace("\n  ", "\n");
    sandbox.write("a/api.yaml", own.as_str()).write("b/api.yaml", own);
    let run = sandbox.run("diff a b --inventory cluster.yaml");
    assert!(!run.ends(0).stdout.contains("(inventory"), "{run:#?}");
}

#[test]
fn the_configuration_names_files_of_the_side_before() {
    let sandbox = removal();
    let names = "version: 1\nfailOn: any\ninventory: [state/cluster.yaml]\n";
    sandbox.write(&format!("a/{FILE}"), names).write(&format!("b/{FILE}"), names);
    sandbox.write("b/state/cluster.yaml", CLUSTER);
    let run = sandbox.run("diff a b");
    run.ends(2)
        .says("the inventory `state/cluster.yaml`")
        .says(&format!("a/{FILE}"))
        .prints_nothing();
    sandbox.write("a/state/cluster.yaml", CLUSTER);
    let report = sandbox.run("diff a b --format json").ends(0).json();
    // It is no manifest itself, or its policy would stand on both sides as one of the repository.
    assert_eq!(report["read"]["policies"], 1);
    assert_eq!(report["notEvaluated"], serde_json::json!([]));
    // The change can't take anything out of it, nor bring anything in.
    sandbox.write("b/state/cluster.yaml", "kind: ConfigMap\napiVersion: v1\n");
    let run = sandbox.run("diff a b --format json");
    let said = "after state/cluster.yaml (nothing): the change edits the inventory; ";
    assert!(run.ends(0).not_evaluated().starts_with(said), "{run:#?}");
    // One that is typed counts in its place, and this one is no manifest either.
    sandbox.write("deploy.yaml", CLUSTER.replace("name: wall", "name: deny"));
    let report = sandbox.run("diff a b --format json --inventory deploy.yaml").ends(10).json();
    assert_eq!(
        (&report["read"]["policies"], &report["inventory"][0]["policies"]),
        (&1.into(), &0.into())
    );
    sandbox.run("list a --format json").ends(0);
    #[cfg(unix)]
    {
        std::fs::remove_file(sandbox.path("a/state/cluster.yaml")).unwrap();
        let target = sandbox.path("cluster.yaml");
        std::os::unix::fs::symlink(target, sandbox.path("a/state/cluster.yaml")).unwrap();
        sandbox.run("diff a b").ends(4).says("a symbolic link").prints_nothing();
    }
}

#[test]
fn in_a_repository_it_is_that_of_the_base() {
    let sandbox = Sandbox::new();
    let names = "version: 1\nfailOn: any\ninventory: [cluster.yaml]\n";
    sandbox.init("r").write("r/p.yaml", DENY).write(&format!("r/{FILE}"), names);
    sandbox.write("r/cluster.yaml", CLUSTER);
    let base = sandbox.commit("r", "base");
    std::fs::remove_file(sandbox.path("r/p.yaml")).unwrap();
    std::fs::remove_file(sandbox.path("r/cluster.yaml")).unwrap();
    let head = sandbox.commit("r", "nothing left");
    let range = format!("{base}..{head}");
    let diff = |more: &str| sandbox.run(&format!("diff --repo r --format json {more}"));
    let report = diff(&format!("--git {range}")).ends(0).json();
    assert_eq!((&report["result"], &report["read"]["files"]), (&"unchanged".into(), &3.into()));
    diff(&format!("--git {base}...{head}")).ends(0);
    diff(&format!("--git {base}")).ends(0);
    // The other way round the base has none.
    diff(&format!("--git {head}..{base}"))
        .ends(2)
        .says("the side before of")
        .says("`cluster.yaml`");
}

/// Also where its name is none of a manifest, so that nothing else would read it.
#[test]
fn an_edit_of_it_is_noticed_whatever_its_name() {
    let sandbox = Sandbox::new();
    let names = "version: 1\ninventory: [cluster.dump]\n";
    sandbox.init("r").write("r/p.yaml", DENY).write(&format!("r/{FILE}"), names);
    sandbox.write("r/cluster.dump", CLUSTER);
    let base = sandbox.commit("r", "base");
    sandbox.write("r/cluster.dump", format!("{CLUSTER}# newer\n"));
    let head = sandbox.commit("r", "edited");
    let said = "after cluster.dump (nothing): the change edits the inventory; ";
    for command in [
        format!("--git {base}..{head} --repo r"),
        format!("--git {base} --repo r"),
        format!("--git {base}..{head} --repo r --inventory r/cluster.dump"),
    ] {
        let run = sandbox.run(&format!("diff {command} --format json"));
        assert!(run.ends(0).not_evaluated().starts_with(said), "{command}: {run:#?}");
        let run = sandbox.run(&format!("diff {} --format json", command.replace(&base, &head)));
        assert_eq!(run.ends(0).not_evaluated(), "", "{command}: {run:#?}");
    }
}

/// A file of the checkout that is typed is the same file in the commits.
#[test]
fn a_typed_file_is_no_manifest_where_it_lies_in_what_is_compared() {
    let sandbox = Sandbox::new();
    sandbox.init("r").write("r/p.yaml", DENY).write("r/state/cluster.yaml", CLUSTER);
    let base = sandbox.commit("r", "base");
    sandbox.write("r/p.yaml", OPEN).write("r/state/cluster.yaml", format!("{CLUSTER}# newer\n"));
    let head = sandbox.commit("r", "opened");
    for command in
        [format!("diff --repo r --git {base}..{head}"), "diff r r".into(), "list r".into()]
    {
        let run = sandbox.run(&format!("{command} --format json --inventory r/state/cluster.yaml"));
        let report = run.ends(0).json();
        let source = &report["inventory"][0];
        assert_eq!(source["file"], "state/cluster.yaml", "{command}");
        assert_eq!(
            (&source["workloads"], &source["policies"]),
            (&1.into(), &1.into()),
            "{command}"
        );
        let sides = if command.starts_with("list") { 1 } else { 2 };
        assert_eq!(report["read"]["policies"], sides, "{command}");
    }
}
