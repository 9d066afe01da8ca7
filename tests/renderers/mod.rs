//! The programs that build kustomizations and charts, for every test target that runs them.

#![allow(clippy::print_stderr, reason = "a test that skips says so")]
#![allow(dead_code, reason = "no target needs all of it")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// The first program of these names on the PATH. `None`: there is none, which is said and lets the test skip, and
/// which `NETPOL_REVIEW_TOOLS=required` forbids.
pub fn tool(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut all = names.iter().flat_map(|name| places.iter().map(move |place| place.join(name)));
    let runs = |program: &PathBuf| {
        program
            .metadata()
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    let found = all.find(runs);
    if found.is_none() {
        let required =
            std::env::var_os("NETPOL_REVIEW_TOOLS").is_some_and(|value| value == "required");
        assert!(!required, "none of {names:?} was found");
        eprintln!("skipped: none of {names:?} was found");
    }
    found
}

/// The program that builds kustomizations.
pub fn kustomize() -> Option<PathBuf> {
    tool(&["kustomize", "kubectl"])
}
