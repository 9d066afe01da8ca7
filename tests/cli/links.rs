//! Symbolic links with the names of manifests: not followed, and no change hides behind one.

use crate::sandbox::{DENY, OPEN, Sandbox};
use std::fs;
use std::os::unix::fs::symlink;

/// `p.yaml` denies; `allow.yaml` is a link that leads to text with another name.
fn linked(links: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.init("r").write("r/p.yaml", DENY).write("r/texts/allow.txt", "# nothing\n");
    sandbox.write("r/deploy/q.yaml", "# nothing\n");
    for (link, target) in links {
        symlink(target, sandbox.path(&format!("r/{link}"))).unwrap();
    }
    sandbox.commit("r", "one");
    sandbox
}

const WAYS: [&[(&str, &str)]; 3] = [
    &[("allow.yaml", "texts/allow.txt")],
    &[("allow.yaml", "words"), ("words", "texts/allow.txt")],
    &[("here", "texts"), ("allow.yaml", "here/allow.txt")],
];

#[test]
fn what_a_link_leads_to_may_not_change_unnoticed() {
    for links in WAYS {
        let sandbox = linked(links);
        // The same, of a commit, and of the files on disk.
        let on_disk = || sandbox.run("diff --git HEAD --repo r --fail-on any --format json");
        on_disk().ends(0);
        sandbox.write("r/texts/other.txt", "words\n");
        sandbox.commit("r", "something else");
        sandbox.run("diff --git HEAD~1..HEAD --repo r --fail-on any").ends(0);
        sandbox.write("r/texts/allow.txt", OPEN);
        let said = on_disk().ends(11).not_evaluated();
        assert!(said.contains("allow.yaml (widening): it is a symbolic link"), "{said}");
        sandbox.commit("r", "open");
        sandbox.run("diff --git HEAD~1..HEAD --repo r --fail-on any").ends(11);
        on_disk().ends(0);
    }
}

#[test]
fn in_directories_as_well() {
    for links in WAYS {
        let (before, after) = (linked(links), linked(links));
        let line = format!(
            "diff {} {} --fail-on any",
            before.path("r").display(),
            after.path("r").display()
        );
        after.run(&line).ends(0);
        after.write("r/texts/allow.txt", OPEN);
        after.run(&line).ends(11);
    }
}

#[test]
fn a_limit_leaves_it_in_sight() {
    let sandbox = linked(&[("deploy/allow.yaml", "../p.yaml")]);
    sandbox.run("diff --git HEAD --repo r --fail-on any deploy").ends(0);
    sandbox.write("r/p.yaml", OPEN);
    sandbox.run("diff --git HEAD --repo r --fail-on any deploy").ends(11);
    sandbox.commit("r", "open");
    sandbox.run("diff --git HEAD~1..HEAD --repo r --fail-on any deploy").ends(11);
    sandbox.run("diff --git HEAD~1..HEAD --repo r --fail-on any p.yaml").ends(10);
    // Read under its own name, it is no other link.
    let run = sandbox.run("diff --git HEAD~1..HEAD --repo r --format json");
    assert!(run.not_evaluated().contains("both deploy/allow.yaml"), "{run:#?}");
}

#[test]
fn what_is_too_large_to_read_counts_as_different() {
    let sandbox = linked(&[("allow.yaml", "texts/allow.txt")]);
    let file = fs::File::create(sandbox.path("r/texts/allow.txt")).unwrap();
    file.set_len((64 << 20) + 1).unwrap();
    sandbox.run("diff --git HEAD --repo r --fail-on any").ends(11);
}

#[test]
fn a_manifest_of_another_environment_is_not_read_in_this_one() {
    let sandbox = linked(&[]);
    sandbox.write(
        "r/.github/netpol-review.yml",
        "version: 1\nenvironments: [{name: dev, paths: [dev]}, {name: prod, paths: [prod]}]\n",
    );
    sandbox.write("r/dev/allow.yaml", DENY).write("r/prod/p.yaml", DENY);
    symlink("../dev/allow.yaml", sandbox.path("r/prod/allow.yaml")).unwrap();
    sandbox.commit("r", "two environments");
    sandbox.write("r/dev/allow.yaml", OPEN);
    let run = sandbox.run("diff --git HEAD --repo r --format json");
    let said = run.not_evaluated();
    assert!(said.contains("after prod/allow.yaml (widening)"), "{said}");
}

/// A link that leads nowhere, out of the repository or to nothing that is deployed is no news, however it is read.
#[test]
fn links_without_a_part() {
    let sandbox = linked(&[
        ("nowhere", "gone"),
        ("out", "/usr/share"),
        ("up", "../../elsewhere"),
        ("latest", "texts"),
        ("deploy/all", "../deploy"),
    ]);
    sandbox.run("diff --git HEAD --repo r --fail-on any").ends(0);
    fs::remove_file(sandbox.path("r/latest")).unwrap();
    symlink("deploy/../texts", sandbox.path("r/latest")).unwrap();
    sandbox.run("diff --git HEAD --repo r --fail-on any").ends(0);
    sandbox.commit("r", "to the same");
    symlink("nothing", sandbox.path("r/more")).unwrap();
    sandbox.commit("r", "one more");
    sandbox.run("diff --git HEAD~2..HEAD --repo r --fail-on any").ends(0);
    sandbox.run("diff --git HEAD --repo r --fail-on any").ends(0);
}

/// A directory beyond a limit is read by nobody under its own name.
#[test]
fn a_linked_directory_beyond_a_limit() {
    let sandbox = linked(&[("deploy/all", "../lib")]);
    sandbox.write("r/lib/p.yaml", DENY);
    sandbox.commit("r", "a library");
    sandbox.write("r/lib/p.yaml", OPEN);
    sandbox.run("diff --git HEAD --repo r --fail-on any -- deploy").ends(11);
    sandbox.commit("r", "open");
    sandbox.run("diff --git HEAD~1..HEAD --repo r --fail-on any -- deploy").ends(11);
}

/// What a linked kustomization or chart makes of what is beside it is not known.
#[test]
fn what_stands_beside_a_linked_kustomization_or_chart() {
    for (link, target, beside) in [
        ("app/kustomization.yaml", "k.yaml", "app/patch.txt"),
        ("app/Chart.yaml", "c.yaml", "app/values.yaml"),
    ] {
        let sandbox = Sandbox::new();
        sandbox
            .init("r")
            .write("r/app/k.yaml", "resources: [p.yaml]\npatches: [{path: patch.txt}]\n");
        sandbox.write("r/app/c.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n");
        sandbox.write("r/app/p.yaml", DENY).write(&format!("r/{beside}"), "open: false\n");
        symlink(target, sandbox.path(&format!("r/{link}"))).unwrap();
        sandbox.commit("r", "one");
        sandbox.run("diff --git HEAD --repo r --fail-on any").ends(0);
        sandbox.write(&format!("r/{beside}"), "open: true\n");
        sandbox.run("diff --git HEAD --repo r --fail-on any").ends(11);
        sandbox.commit("r", "two");
        sandbox.run("diff --git HEAD~1..HEAD --repo r --fail-on any").ends(11);
    }
}
