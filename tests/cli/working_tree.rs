//! A revision against the files on disk.

use crate::sandbox::{DENY, OPEN, Sandbox};
use std::fs;

fn one_commit() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.init("r").write("r/p.yaml", DENY).write("r/.gitignore", "ignored.yaml\n");
    sandbox.write("r/sub/q.yaml", "# nothing\n");
    sandbox.commit("r", "one");
    sandbox
}

fn against_disk(sandbox: &Sandbox) -> crate::sandbox::Run {
    sandbox.run("diff --git HEAD --repo r --format json --fail-on any")
}

#[test]
fn what_is_on_disk_counts() {
    let sandbox = one_commit();
    let json = against_disk(&sandbox).ends(0).json();
    assert_eq!(json["after"]["name"], "working tree");
    assert_eq!(json["after"]["source"], "git");
    assert_eq!(json["after"]["commit"], serde_json::Value::Null);
    assert_eq!(json["read"]["files"], 4);
    // Changed, staged or not.
    sandbox.write("r/p.yaml", OPEN);
    against_disk(&sandbox).ends(10);
    sandbox.git("r", "add p.yaml");
    against_disk(&sandbox).ends(10);
    // Staged and changed back on disk.
    sandbox.write("r/p.yaml", DENY);
    against_disk(&sandbox).ends(0);
    // From a directory inside.
    sandbox.write("r/p.yaml", OPEN);
    sandbox.run("diff --git HEAD --repo r/sub --fail-on any").ends(10);
    sandbox.run("diff --git HEAD --repo r/sub --fail-on any sub").ends(0);
    sandbox.run("diff --git HEAD --repo r sbu").ends(4).says("nor `working tree`").says("`sub`");
}

#[test]
fn deleted_untracked_and_ignored_files() {
    let sandbox = one_commit();
    fs::remove_file(sandbox.path("r/p.yaml")).unwrap();
    against_disk(&sandbox).ends(10);
    // The same policy under another name, untracked.
    sandbox.write("r/new place.yaml", DENY);
    against_disk(&sandbox).ends(0);
    sandbox.write("r/ignored.yaml", OPEN);
    assert_eq!(against_disk(&sandbox).ends(0).json()["read"]["files"], 4);
    sandbox.write("r/more.yaml", OPEN.replace("name: deny", "name: more"));
    against_disk(&sandbox).ends(10);
}

#[test]
fn sparse_checkouts_have_the_rest_in_the_index() {
    let sandbox = one_commit();
    sandbox.git("r", "sparse-checkout set --no-cone /sub/");
    assert!(!sandbox.path("r/p.yaml").exists());
    assert_eq!(against_disk(&sandbox).ends(0).json()["result"], "unchanged");
}

#[test]
fn unmerged_paths_are_read_once() {
    let sandbox = one_commit();
    sandbox.git("r", "checkout -q -b topic");
    sandbox.write("r/p.yaml", OPEN);
    sandbox.commit("r", "open");
    sandbox.git("r", "checkout -q main");
    sandbox.write("r/p.yaml", DENY.replace("Ingress", "Egress"));
    sandbox.commit("r", "other");
    assert!(!sandbox.try_git("r", &["merge", "-q", "topic"]).status.success());
    // The file holds conflict markers: it can't be read, and that is said.
    let run = against_disk(&sandbox);
    assert!(run.ends(11).not_evaluated().contains("p.yaml"));
}

#[test]
fn nested_repositories_and_submodules() {
    let sandbox = one_commit();
    sandbox.init("r/nested").write("r/nested/p.yaml", OPEN);
    sandbox.commit("r/nested", "nested");
    let said = against_disk(&sandbox).ends(11).not_evaluated();
    assert!(said.contains("nested (widening): it is another git repository"), "{said}");
    let id = sandbox.git("r/nested", "rev-parse HEAD");
    sandbox.git("r", &format!("update-index --add --cacheinfo 160000,{id},nested"));
    sandbox.git("r", "commit -q -m submodule");
    let said = against_disk(&sandbox).ends(0).not_evaluated();
    assert!(said.contains("both nested (flow): it is a submodule"), "{said}");
    // Another commit is checked out there.
    sandbox.commit("r/nested", "more");
    against_disk(&sandbox).ends(11);
}

#[test]
fn a_bare_repository_has_no_files() {
    let sandbox = one_commit();
    sandbox.git("", "clone -q --bare r bare.git");
    sandbox
        .run("diff --git HEAD --repo bare.git")
        .ends(4)
        .says("no working tree")
        .says("BASE..HEAD");
}

#[cfg(unix)]
#[test]
fn links_on_the_way_are_not_followed() {
    use std::os::unix::fs::symlink;
    let sandbox = one_commit();
    sandbox.write("outside/q.yaml", OPEN);
    fs::remove_dir_all(sandbox.path("r/sub")).unwrap();
    // `sub/q.yaml` is tracked and would be found through the link.
    symlink("../outside", sandbox.path("r/sub")).unwrap();
    let run = against_disk(&sandbox);
    let said = run.ends(11).not_evaluated();
    assert!(said.contains("sub (widening): it is a symbolic link to `../outside`"), "{said}");
    assert_eq!(run.json()["read"]["files"], 3);
    // Committed, the link is the same on both sides.
    sandbox.commit("r", "link");
    against_disk(&sandbox).ends(0);
}
