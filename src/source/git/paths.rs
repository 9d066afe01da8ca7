//! Limits: which paths of the repository to look at.

use super::program::Git;
use crate::nearest::nearest;
use crate::source::{Error, Pair};
use std::path::{Component, Path, PathBuf};

/// Paths from the root of the repository, without `.` and without a `/` at the end. An empty list is
/// the whole repository.
pub(super) fn normalise(limits: &[PathBuf]) -> Result<Vec<String>, Error> {
    let mut normal = Vec::new();
    for limit in limits {
        let mut parts = Vec::new();
        for component in limit.components() {
            let part = match component {
                Component::CurDir => continue,
                Component::Normal(part) => part.to_str(),
                _ => None,
            };
            let path = || limit.display().to_string();
            parts.push(part.ok_or_else(|| Error::MalformedPath { path: path() })?);
        }
        if parts.is_empty() {
            // The root itself: no limit.
            return Ok(Vec::new());
        }
        normal.push(parts.join("/"));
    }
    Ok(normal)
}

/// Is a path one of these, or below one? Where there are none every path is.
pub(super) fn within(path: &str, limits: &[String]) -> bool {
    limits.is_empty() || limits.iter().any(|limit| at_or_below(path, limit))
}

fn at_or_below(path: &str, limit: &str) -> bool {
    path.strip_prefix(limit).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The limits at or below which no side has anything.
pub(super) fn missing(limits: &[String], sides: &[Vec<&str>]) -> Vec<String> {
    let exists = |limit: &String| sides.iter().flatten().any(|path| at_or_below(path, limit));
    limits.iter().filter(|limit| !exists(limit)).cloned().collect()
}

/// The error for a limit that names nothing on either side.
pub(super) fn not_found(git: &Git, pair: &Pair, path: &str) -> Error {
    let revision = pair.before.snapshot.commit.as_deref().unwrap_or("HEAD");
    let listed = git
        .run("ls-tree", ["-r", "-t", "-z", "--full-tree", "--name-only", revision])
        .unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed);
    let known = listed.split('\0').filter(|known| !known.is_empty());
    let near = nearest(path, known.clone(), 3);
    // `api` for `deploy/api`: the limit may have been meant from another directory.
    let ends = |known: &&str| Path::new(known).ends_with(path);
    let mut found: Vec<String> = known.filter(ends).take(3).map(str::to_string).collect();
    for name in near {
        if !found.iter().any(|known| known == name) {
            found.push(name.to_string());
        }
    }
    found.truncate(3);
    Error::NoSuchPathInGit {
        path: path.to_string(),
        sides: format!("`{}` nor `{}`", pair.before.tree.name, pair.after.tree.name),
        nearest: found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_paths_from_the_root() {
        let normal =
            |paths: &[&str]| normalise(&paths.iter().map(PathBuf::from).collect::<Vec<_>>()).ok();
        let some = |paths: &[&str]| Some(paths.iter().map(|s| s.to_string()).collect::<Vec<_>>());
        assert_eq!(normal(&[]), some(&[]));
        assert_eq!(normal(&["./a/b/", "c"]), some(&["a/b", "c"]));
        assert_eq!(normal(&["a", "."]), some(&[]));
        assert_eq!(normal(&["../x"]), None);
        assert_eq!(normal(&["/x"]), None);
        assert_eq!(normal(&[":(top)x", "-x", "*"]), some(&[":(top)x", "-x", "*"]));
    }

    #[test]
    fn a_limit_exists_on_either_side() {
        let limits = ["a".to_string(), "a/b".into(), "ab".into(), "c.yaml".into()];
        let sides = [vec!["a/b/x.yaml"], vec!["c.yaml"]];
        assert_eq!(missing(&limits, &sides), ["ab"]);
    }
}
