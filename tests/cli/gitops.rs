//! A repository with bases and overlays, a chart with values, Argo CD and Flux (tests/cli/gitops): what is found, and
//! what a change opens in each environment, word for word.

use crate::renderers::tool;
use crate::sandbox::Sandbox;
use std::fs;
use std::path::{Path, PathBuf};

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/gitops").join(path)
}

fn copy(from: &Path, sandbox: &Sandbox, to: &str) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = format!("{to}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), sandbox, &to);
        } else {
            sandbox.write(&to, fs::read(entry.path()).unwrap());
        }
    }
}

/// The repository with both commits; `None` where the tools are missing.
fn repository() -> Option<Sandbox> {
    tool(&["kustomize", "kubectl"])?;
    tool(&["helm"])?;
    let sandbox = Sandbox::new();
    sandbox.init("r");
    sandbox.git("r", "remote add origin https://github.com/example/gitops.git");
    for side in ["before", "after"] {
        copy(&data(side), &sandbox, "r");
        sandbox.commit("r", side);
    }
    Some(sandbox)
}

/// `UPDATE_GITOPS=1 cargo test --release --test cli gitops` writes what is expected.
#[track_caller]
fn is_expected(name: &str, real: &str) {
    let path = data(name);
    if std::env::var_os("UPDATE_GITOPS").is_some() {
        fs::write(&path, real).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    assert_eq!(expected, real, "left: {}, right: the program", path.display());
}

#[test]
fn environments_are_found() {
    let Some(sandbox) = repository() else { return };
    let run = sandbox.run("environments --git HEAD --repo r");
    is_expected("environments.txt", &run.ends(0).stdout);
}

#[test]
fn each_environment_says_what_opens() {
    let Some(sandbox) = repository() else { return };
    let run = sandbox.run("diff --git HEAD~1..HEAD --repo r");
    is_expected("diff.txt", &run.ends(0).stdout);
    let cached = "diff --git HEAD~1..HEAD --repo r --render-cache cache";
    for _ in 0..2 {
        assert_eq!(sandbox.run(cached).stdout, run.stdout, "a cache changes nothing");
    }
    assert!(sandbox.path("cache").is_dir());
}
