//! One file of a revision, from the object database.

use super::program::Git;
use super::range::Range;
use super::revision::Revision;
use super::sides;
use super::worktree::bytes_to_path;
use crate::source::{Error, MAX_SINGLE_BYTES};
use std::path::{Path, PathBuf};

/// A file of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// `REVISION:PATH`, for messages.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// One file of the side before a range, of the repository at or around `repo`; `None` where that side has none.
/// `path` counts from the root of the repository, `limit` is how many bytes it may have.
///
/// # Errors
///
/// The range means nothing here, or the file is there and is a link, too large, or not in the repository.
pub fn file_before(
    range: &Range,
    repo: Option<&Path>,
    path: &str,
    limit: u64,
) -> Result<Option<FoundFile>, Error> {
    let git = Git::open(repo)?;
    let (before, _) = sides(&git, range)?;
    file(&git, &before, path, limit)
}

/// [`file_before`], of one revision: a commit or a tree. It may have [`MAX_SINGLE_BYTES`].
///
/// # Errors
///
/// See [`file_before`].
pub fn file_at(
    revision: &str,
    repo: Option<&Path>,
    path: &str,
) -> Result<Option<FoundFile>, Error> {
    let git = Git::open(repo)?;
    let revision = git.resolve(revision, &Range::WorkingTree(revision.to_string()))?;
    file(&git, &revision, path, MAX_SINGLE_BYTES)
}

fn file(
    git: &Git,
    revision: &Revision,
    path: &str,
    limit: u64,
) -> Result<Option<FoundFile>, Error> {
    let listed =
        git.run("ls-tree", ["-z", "--full-tree", &revision.id, "--", path]).map_err(|error| {
            match error {
                Error::Git { reason, .. } => {
                    Error::IncompleteRevision { revision: revision.name.clone(), reason }
                }
                other => other,
            }
        })?;
    // `MODE TYPE ID\tPATH`; nothing where there is no such path.
    let listed = String::from_utf8_lossy(&listed);
    let Some((head, _)) = listed.split_once('\t') else { return Ok(None) };
    let mut fields = head.split(' ');
    let (mode, kind, id) = (fields.next(), fields.next(), fields.next().unwrap_or_default());
    let what = match (mode, kind) {
        (Some("120000"), _) => Some("a symbolic link"),
        (_, Some("blob")) => None,
        (_, Some("tree")) => Some("a directory"),
        _ => Some("a submodule"),
    };
    if let Some(what) = what {
        let (path, place) = (path.to_string(), revision.name.clone());
        return Err(Error::NotAPlainFile { path, place, what });
    }
    let size = git.ask("cat-file", ["-s", id])?;
    if !size.status.success() {
        let (path, repo) = (path.to_string(), git.name());
        return Err(Error::MissingObjects { path, count: 1, repo });
    }
    let size = String::from_utf8_lossy(&size.stdout).trim().parse().unwrap_or(u64::MAX);
    if size > limit {
        return Err(Error::TooLarge { path: path.into(), size, limit });
    }
    let bytes = git.run("cat-file", ["blob", id])?;
    Ok(Some(FoundFile { name: format!("{}:{path}", revision.name), bytes }))
}

/// Where the working tree of the repository at or around `repo` begins; `None` where there is none.
pub fn top(repo: Option<&Path>) -> Option<PathBuf> {
    let mut bytes = Git::open(repo).ok()?.run("rev-parse", ["--show-toplevel"]).ok()?;
    while bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    Some(bytes_to_path(&bytes))
}
