//! The configuration: where it comes from, what it changes, what is said of a bad one.

use crate::sandbox::{DENY, OPEN, Sandbox};
use netpol_review::source::git::file_at;

const FILE: &str = ".github/netpol-review.yml";

fn directories(configuration: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a/deploy/p.yaml", DENY).write("b/deploy/p.yaml", OPEN);
    sandbox.write(&format!("a/{FILE}"), configuration);
    sandbox
}

#[test]
fn the_threshold_comes_from_the_side_before() {
    let sandbox = directories("version: 1\nfailOn: any\n");
    sandbox.run("diff a b").ends(10);
    sandbox.run("diff a b --fail-on never").ends(0);
    // What the change itself says counts for nothing.
    sandbox.run("diff b a").ends(0);
    sandbox.write(&format!("b/{FILE}"), "version: 1\nfailOn: never\n");
    sandbox.run("diff a b").ends(10);
    // `warn` fails nothing, unless an exit code is asked for.
    sandbox.write(&format!("a/{FILE}"), "version: 1\nfailOn: any\nmode: warn\n");
    sandbox.run("diff a b").ends(0);
    sandbox.run("diff a b --fail-on critical").ends(10);
    // The configuration is no manifest.
    let report = sandbox.run("diff a b --format json").json();
    assert_eq!(report["notEvaluated"], serde_json::json!([]));
}

#[test]
fn a_file_can_be_named() {
    let sandbox = directories("version: 1\nfailOn: never\n");
    sandbox.write("strict.yml", "version: 1\nfailOn: any\n");
    sandbox.run("diff a b --config strict.yml").ends(10);
    sandbox.run("diff a b --config strictt.yml").ends(4).says("`strict.yml`").prints_nothing();
    sandbox.run("diff a b --config a").ends(4).says("a directory").prints_nothing();
}

#[test]
fn mistakes_end_with_2_and_name_the_line() {
    let sandbox = directories("version: 1\nfail-on: any\n");
    for command in
        ["diff a b", "explain abc a b", "list a", "query a --from 10.0.0.1 --to shop/x --port 1"]
    {
        let run = sandbox.run(command);
        run.ends(2)
            .says(&format!("a/{FILE}:2:1: "))
            .says("did you mean `failOn`?")
            .prints_nothing();
    }
    sandbox.write(&format!("a/{FILE}"), "version: 1\npaths: [/a]\ncluster: {podCIDRs: [x]}\n");
    sandbox
        .run("diff a b")
        .ends(2)
        .says(&format!("a/{FILE}:2:9: "))
        .says(&format!("a/{FILE}:3:22: "));
}

/// The fingerprint of the one row.
fn fingerprint(sandbox: &Sandbox) -> String {
    let report = sandbox.run("diff a b --format json --fail-on never").json();
    report["environments"][0]["opened"][0]["fingerprint"].as_str().expect("a row").to_string()
}

#[test]
fn waivers_cover_and_leave_a_trail() {
    let sandbox = directories("version: 1\n");
    let fingerprint = fingerprint(&sandbox);
    let waive = |fields: &str| {
        let text = format!(
            "version: 1\nfailOn: any\nwaivers:\n- {{fingerprint: {}, reason: known, {fields}}}\n",
            fingerprint
        );
        sandbox.write(&format!("a/{FILE}"), text);
        sandbox.run("diff a b")
    };
    waive("by: ada").ends(0).says(&format!("{fingerprint} is waived by ada: known")).says(":4)");
    waive("expires: 2999-01-01").ends(0).says("until 2999-01-01");
    waive("expires: 2001-01-01").ends(10).says(&format!("the waiver of {fingerprint} expired"));
    // What could not be evaluated is covered by none.
    waive("by: ada");
    sandbox.write(
        "b/deploy/q.yaml",
        "kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nspec: [\n",
    );
    sandbox.run("diff a b").ends(11);
}

#[test]
fn paths_limit_what_is_looked_at() {
    let sandbox = directories("version: 1\nfailOn: any\npaths: [other]\n");
    let other = DENY.replace("shop", "other");
    sandbox.write("a/other/p.yaml", &other).write("b/other/p.yaml", &other);
    sandbox.run("diff a b").ends(0);
    sandbox.run("list a --format json").ends(0);
    sandbox.write(&format!("a/{FILE}"), "version: 1\nfailOn: any\npaths: [other, deploy]\n");
    sandbox.run("diff a b").ends(10);
    sandbox.write(&format!("a/{FILE}"), "version: 1\npaths: [deplo]\n");
    sandbox.run("diff a b").ends(3);
    sandbox.run("list a").ends(3);
    // A file that is named is looked at.
    sandbox.run("list a/deploy/p.yaml").ends(0);
}

#[test]
fn facts_of_the_file_count_for_every_command() {
    let sandbox = directories("version: 1\ndefaultNamespace: shop\n");
    sandbox.write(
        "a/w.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: w}\nspec: {containers: []}\n",
    );
    let query = "query a --from 10.0.0.1 --to shop/w --port TCP/80 --format json";
    assert_eq!(sandbox.run(query).ends(0).json()["allowed"], false);
    sandbox.run(&format!("{query} --default-namespace other")).ends(2);
}

#[cfg(unix)]
#[test]
fn a_configuration_is_no_link() {
    let sandbox = directories("version: 1\n");
    std::fs::remove_file(sandbox.path(&format!("a/{FILE}"))).unwrap();
    sandbox.write("elsewhere.yml", "version: 1\nfailOn: never\n");
    std::os::unix::fs::symlink("../../elsewhere.yml", sandbox.path(&format!("a/{FILE}"))).unwrap();
    sandbox.run("diff a b").ends(4).says("a symbolic link").prints_nothing();
    sandbox.run(&format!("diff a b --config a/{FILE}")).ends(0);
}

#[test]
fn in_a_repository_it_is_that_of_the_base() {
    let sandbox = Sandbox::new();
    let other = DENY.replace("shop", "other");
    sandbox.init("r").write("r/deploy/p.yaml", DENY).write("r/other/p.yaml", &other);
    let without = sandbox.commit("r", "no configuration");
    sandbox.write(&format!("r/{FILE}"), "version: 1\nfailOn: any\n");
    let strict = sandbox.commit("r", "strict");
    sandbox.write("r/deploy/p.yaml", OPEN).write(&format!("r/{FILE}"), "version: 1\nmode: warn\n");
    let loose = sandbox.commit("r", "opened, and loosened");
    let diff = |range: &str| sandbox.run(&format!("diff --repo r --git {range}"));
    diff(&format!("{without}..{loose}")).ends(0);
    diff(&format!("{strict}..{loose}")).ends(10);
    diff(&format!("{strict}...{loose}")).ends(10);
    diff(&strict).ends(10);
    // The paths of the file, and those that are typed.
    sandbox.write(&format!("r/{FILE}"), "version: 1\nfailOn: any\npaths: [other]\n");
    sandbox.write("r/deploy/p.yaml", DENY);
    let limited = sandbox.commit("r", "limited");
    sandbox.write("r/deploy/p.yaml", OPEN);
    diff(&limited).ends(0);
    sandbox.run(&format!("diff --repo r --git {limited} deploy")).ends(10);
    // One that can't be read.
    sandbox.write(&format!("r/{FILE}"), "version: 1\nmodes: warn\n");
    let bad = sandbox.commit("r", "bad");
    diff(&bad).ends(2).says(&format!("{bad}:{FILE}:2:1: ")).says("`mode`").prints_nothing();
    let repo = sandbox.path("r");
    let found = file_at(&strict, Some(&repo), FILE).expect("a revision").expect("a file");
    assert_eq!(found.bytes, b"version: 1\nfailOn: any\n");
    assert_eq!(file_at(&without, Some(&repo), FILE).expect("a revision"), None);
    assert!(file_at(&strict, Some(&repo), "deploy").is_err(), "a directory is no file");
}
