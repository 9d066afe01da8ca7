//! Inputs of builds that nobody can read: what they hold is never taken for what they held before.

use crate::renderers::tool;
use crate::sandbox::{DENY, Sandbox};
use std::fs;
use std::io::{Seek, SeekFrom, Write};

const KUSTOMIZATION: &str = "resources: [p.yaml, huge.txt]\n";
/// One byte more than is read of a file.
const TOO_LARGE: u64 = (64 << 20) + 1;

/// A kustomization of a file that is too large, with this at its end.
fn side(sandbox: &Sandbox, root: &str, end: &str) {
    sandbox.write(&format!("{root}/app/kustomization.yaml"), KUSTOMIZATION);
    sandbox.write(&format!("{root}/app/p.yaml"), DENY).write(&format!("{root}/app/huge.txt"), "");
    let path = sandbox.path(&format!("{root}/app/huge.txt"));
    let mut file = fs::File::options().write(true).open(path).unwrap();
    // Sparse: it takes no room on the disk.
    file.set_len(TOO_LARGE).unwrap();
    file.seek(SeekFrom::Start(TOO_LARGE - end.len() as u64)).unwrap();
    file.write_all(end.as_bytes()).unwrap();
}

const SAYS: &str = "app/huge.txt (widening): it has 67108865 bytes, more than the 67108864 that are read of one file; \
                    `app` is built from it";

#[test]
fn an_input_that_is_too_large_hides_what_changes_in_it() {
    let sandbox = Sandbox::new();
    side(&sandbox, "before", "one");
    side(&sandbox, "same", "one");
    side(&sandbox, "after", "two");
    sandbox.run("diff before same --fail-on any").ends(0);
    let said =
        sandbox.run("diff before after --format json --fail-on any").ends(11).not_evaluated();
    assert!(said.contains(SAYS), "{said}");
    // A file of the same name that nobody knows to be the same.
    sandbox.run("diff before before --fail-on any").ends(0);
}

#[test]
fn an_input_of_revisions_is_known_by_its_object() {
    let sandbox = Sandbox::new();
    sandbox.init("r");
    side(&sandbox, "r", "one");
    sandbox.commit("r", "one");
    sandbox.write("r/app/README.md", "Nothing is built from it.\n");
    sandbox.commit("r", "words");
    side(&sandbox, "r", "two");
    sandbox.commit("r", "two");
    sandbox.run("diff --git HEAD~2..HEAD~1 --repo r --fail-on any").ends(0);
    let changed = sandbox.run("diff --git HEAD~1..HEAD --repo r --format json --fail-on any");
    let said = changed.ends(11).not_evaluated();
    assert!(said.contains(SAYS), "{said}");
    // Nothing that is outside of what was named is read for its own sake; what is built from it counts.
    sandbox.write("r/all/kustomization.yaml", "resources: [../app]\n");
    sandbox.commit("r", "all");
    side(&sandbox, "r", "three");
    sandbox.commit("r", "three");
    sandbox.run("diff --git HEAD~1..HEAD --repo r --fail-on any -- all").ends(11);
    sandbox.run("diff --git HEAD --repo r --fail-on any").ends(0);
    side(&sandbox, "r", "four");
    sandbox.run("diff --git HEAD --repo r --fail-on any").ends(11);
}

#[test]
fn an_input_that_is_not_here_hides_what_changes_in_it() {
    let sandbox = Sandbox::new();
    sandbox.init("full").write("full/app/kustomization.yaml", "resources: [p.yaml, more.txt]\n");
    sandbox.write("full/app/p.yaml", DENY).write("full/app/more.txt", DENY);
    sandbox.commit("full", "one");
    sandbox.write("full/app/more.txt", format!("{DENY}# other\n"));
    let head = sandbox.commit("full", "two");
    let blob = sandbox.git("full", &format!("rev-parse {head}:app/more.txt"));
    let blob = blob.trim();
    fs::remove_file(sandbox.path(&format!("full/.git/objects/{}/{}", &blob[..2], &blob[2..])))
        .unwrap();
    let run = sandbox.run("diff --git HEAD~1..HEAD --repo full --format json --fail-on any");
    let said = run.ends(11).not_evaluated();
    assert!(said.contains("app/more.txt (widening): its content is not here"), "{said}");
    sandbox.run("diff --git HEAD..HEAD --repo full --fail-on any").ends(0);
}

/// What a chart reads of itself is as good as a template.
#[test]
fn a_chart_is_not_built_without_one_of_its_files() {
    if tool(&["helm"]).is_none() {
        return;
    }
    let sandbox = Sandbox::new();
    for side in ["before", "after"] {
        sandbox
            .write(&format!("{side}/c/Chart.yaml"), "apiVersion: v2\nname: c\nversion: 1.0.0\n")
            .write(&format!("{side}/c/templates/p.yaml"), "{{ .Files.Get \"data.txt\" }}\n")
            .write(&format!("{side}/c/data.txt"), DENY);
    }
    sandbox.run("diff before after --fail-on any").ends(0);
    fs::File::options()
        .write(true)
        .open(sandbox.path("after/c/data.txt"))
        .unwrap()
        .set_len(TOO_LARGE)
        .unwrap();
    let run = sandbox.run("diff before after --format json --fail-on any");
    let said = run.ends(11).not_evaluated();
    assert!(said.contains("c/data.txt (widening): it has 67108865 bytes"), "{said}");
}
