//! Paths: where they lead, and what environment they tell.

use super::inputs::beside;
use crate::tree::Files;

/// A path that somebody follows from a directory, from the root of the tree: without `.`, `..` and `/` at either
/// end. `None`: it is absolute or leads out of the tree. The root is "".
pub(super) fn join(directory: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part if part.contains('\0') => return None,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Is there a directory with a file in it?
pub(super) fn is_directory(files: &dyn Files, path: &str) -> bool {
    files.is_directory(path)
}

/// Is a directory a chart?
pub(super) fn has_chart(files: &dyn Files, directory: &str) -> bool {
    files.is_file(&beside(directory, "Chart.yaml"))
}

/// Directories whose subdirectories are environments.
const PARENTS: &[&str] =
    &["overlays", "overlay", "environments", "environment", "envs", "env", "clusters", "stages"];

/// Names that are those of environments wherever they stand.
const WELL_KNOWN: &[&str] = &[
    "dev",
    "develop",
    "development",
    "test",
    "testing",
    "qa",
    "uat",
    "int",
    "integration",
    "stg",
    "stage",
    "staging",
    "preprod",
    "pre-prod",
    "preproduction",
    "pre-production",
    "prd",
    "prod",
    "production",
    "live",
    "sandbox",
    "canary",
];

/// The environment that the directories of a path tell: the one after the first of `overlays`, `environments`,
/// `clusters` and the like, or else the last with the name of an environment, as `staging`. The name of a manifest
/// at the end does not count.
pub fn path_environment(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let is_manifest = |name: &str| [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end));
    parts.pop_if(|last| is_manifest(last));
    let after =
        parts.iter().position(|part| PARENTS.contains(part)).and_then(|index| parts.get(index + 1));
    let known =
        || parts.iter().rev().find(|part| WELL_KNOWN.contains(&part.to_ascii_lowercase().as_str()));
    after.or_else(known).map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_tree() {
        for (directory, path, expected) in [
            ("", "a/b", Some("a/b")),
            ("", "./a//b/", Some("a/b")),
            ("", ".", Some("")),
            ("a/b", "../c", Some("a/c")),
            ("a", "..", Some("")),
            ("a", "../..", None),
            ("", "../a", None),
            ("a", "x/../../../a", None),
            ("a", "/etc", None),
            ("", "a/..b", Some("a/..b")),
            ("", "a\0b", None),
        ] {
            assert_eq!(join(directory, path).as_deref(), expected, "{directory} {path}");
        }
    }

    #[test]
    fn environments_of_paths() {
        for (path, expected) in [
            ("apps/shop/overlays/production", Some("production")),
            ("overlays/eu-1/shop", Some("eu-1")),
            ("clusters/prod/apps/staging", Some("prod")),
            ("env/live", Some("live")),
            ("env/live/web.yaml", Some("live")),
            ("clusters/web.yaml", None),
            ("dev/kustomization.yml", Some("dev")),
            ("stages/one", Some("one")),
            ("dev/shop/prod", Some("prod")),
            ("Prod/shop", Some("Prod")),
            ("shop/pre-prod/base", Some("pre-prod")),
            ("apps/overlays", None),
            ("apps/prod/overlays", Some("prod")),
            ("apps/shop/base", None),
            ("apps/prod-db", None),
            ("my-overlays/x", None),
            ("", None),
        ] {
            assert_eq!(path_environment(path).as_deref(), expected, "{path}");
        }
    }
}
