//! One row at length.

use crate::sandbox::{DENY, OPEN, Sandbox};

#[test]
fn fingerprints_and_the_beginnings_of_them() {
    let sandbox = Sandbox::new();
    sandbox.init("r").write("r/p.yaml", DENY);
    sandbox.commit("r", "deny");
    sandbox.write("r/p.yaml", OPEN);
    sandbox.commit("r", "open");
    sandbox.write("a/p.yaml", DENY).write("b/p.yaml", OPEN);

    let report = sandbox.run("diff a b --format json").ends(0).json();
    let row = &report["environments"][0]["opened"][0];
    let fingerprint = row["fingerprint"].as_str().expect("a row has a fingerprint");
    let whole = sandbox.run(&format!("explain {fingerprint} a b"));
    assert!(whole.ends(0).stdout.contains("opened"), "{whole:#?}");
    for start in [&fingerprint[..12], &fingerprint.to_uppercase()] {
        assert_eq!(sandbox.run(&format!("explain {start} a b")).ends(0).stdout, whole.stdout);
    }
    // The same row, out of a repository.
    sandbox.run(&format!("explain {fingerprint} --git HEAD~1..HEAD --repo r")).ends(0);
    // A slip in the last of its first digits.
    let last = if &fingerprint[11..12] == "0" { "1" } else { "0" };
    let slip = format!("{}{last}", &fingerprint[..11]);
    sandbox.run(&format!("explain {slip} a b")).ends(2).says("did you mean").says(fingerprint);
    sandbox
        .run("explain zzzzzzzzzzzz a b")
        .ends(2)
        .says("there are")
        .says(fingerprint)
        .prints_nothing();
    sandbox
        .run(&format!("explain {fingerprint} a a"))
        .ends(2)
        .says("nothing opened and nothing closed");
    sandbox.run(&format!("explain {fingerprint} a")).ends(2).says("one directory is not enough");
}
