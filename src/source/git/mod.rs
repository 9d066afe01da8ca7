//! Git revisions as snapshots, straight from the object database: no checkout, nothing that the repository's
//! configuration names is run, and no network but for [`Repository::fetch`] and [`Mirrors`].
//!
//! Reading order: `range` (what the user asked for), `program` (how `git` is called), `revision`
//! (names to commits), `listing` (commits to paths), `objects` (paths to bytes), `worktree`,
//! `lookup` (one file of a revision), `repository` (by commit ids), `fetching` (from a server), `mirror` (what was
//! fetched, kept).

mod fetching;
mod listing;
mod lookup;
mod mirror;
mod objects;
mod paths;
mod program;
mod range;
mod repository;
mod revision;
mod worktree;

pub use fetching::Remote;
pub use lookup::{FoundFile, file_at, file_before, top};
pub use mirror::{Bounds, Figures, Mirrors};
pub use range::Range;
pub use repository::Repository;

use super::{Error, Loaded, Meter, Pair, links, share::share};
use crate::report::Snapshot;
pub(super) use objects::Objects;
use program::Git;
use revision::Revision;
use std::path::{Path, PathBuf};
pub(super) use worktree::blob_id;

/// Reads both sides of a range, of the repository at or around `repo`. Where `paths` are given, only
/// what lies at or below them is looked at; they count from the root of the repository.
pub fn load_pair(
    range: &Range,
    repo: Option<&Path>,
    limits: &[PathBuf],
    meter: &Meter,
) -> Result<Pair, Error> {
    let limits = paths::normalise(limits)?;
    let git = Git::open(repo)?;
    match sides(&git, range)? {
        (before, Some(after)) => load_commits(&Objects::Git(git), before, after, &limits, meter),
        (before, None) => load_working_tree(git, before, &limits, meter),
    }
}

/// Reads two commits.
fn load_commits(
    from: &Objects,
    before: Revision,
    after: Revision,
    limits: &[String],
    meter: &Meter,
) -> Result<Pair, Error> {
    let (base_files, head_files) = (from.list(&before, limits)?, from.list(&after, limits)?);
    let missing = match limits {
        [] => Vec::new(),
        limits => paths::missing(limits, &[base_files.paths(), head_files.paths()]),
    };
    let mut read = objects::read(from, vec![base_files, head_files], meter)?.into_iter();
    let mut side = |revision: Revision| revision.loaded(read.next().unwrap_or_default());
    let pair = Pair { before: side(before), after: side(after) };
    complete(from.git(), pair, &missing)
}

fn load_working_tree(
    git: Git,
    before: Revision,
    limits: &[String],
    meter: &Meter,
) -> Result<Pair, Error> {
    let from = Objects::Git(git.clone());
    let base_files = from.list(&before, limits)?;
    let mut disk = worktree::list(&git, limits)?;
    let missing = paths::missing(limits, &[base_files.paths(), disk.paths()]);
    if !limits.is_empty() {
        disk.add_beyond(worktree::list(&git, &[])?, limits);
    }
    let mut read = objects::read(&from, vec![base_files, disk.in_index], meter)?.into_iter();
    let base = before.loaded(read.next().unwrap_or_default());
    let (mut tree, mut others) = read.next().unwrap_or_default();
    tree.name = "working tree".to_string();
    worktree::read_into(&git, &mut tree, &mut others, disk.on_disk, meter);
    share(&base.tree, &mut tree);
    let snapshot = Snapshot { source: "git", name: tree.name.clone(), commit: None };
    complete(&git, Pair { before: base, after: Loaded { tree, snapshot, others } }, &missing)
}

/// Both sides with what links lead to, if no limit names nothing.
fn complete(git: &Git, mut pair: Pair, missing: &[String]) -> Result<Pair, Error> {
    if let Some(path) = missing.first() {
        return Err(paths::not_found(git, &pair, path));
    }
    links::identify(&mut pair.before);
    links::identify(&mut pair.after);
    Ok(pair)
}

/// What a repository says of itself.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The addresses of its remotes.
    pub urls: Vec<String>,
    /// Names of branches that a range may stand for: those that it names, the one that is checked out, and the
    /// remotes' own.
    pub branches: Vec<String>,
}

/// What the repository at or around `repo` says of itself.
///
/// # Errors
///
/// There is no repository.
pub fn about(repo: Option<&Path>, range: &Range) -> Result<About, Error> {
    let git = Git::open(repo)?;
    let lines = |subcommand: &str, arguments: &[&str]| -> Vec<String> {
        let output = git.ask(subcommand, arguments).ok().filter(|output| output.status.success());
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        text.unwrap_or_default().lines().map(str::to_string).collect()
    };
    let urls = lines("config", &["--get-regexp", r"^remote\..*\.url$"]);
    let urls = urls.iter().filter_map(|line| Some(line.split_once(' ')?.1.to_string()));
    let mut branches = lines("symbolic-ref", &["--quiet", "--short", "HEAD"]);
    let remote = lines("for-each-ref", &["--format=%(symref:lstrip=3)", "refs/remotes/*/HEAD"]);
    branches.extend(remote.into_iter().filter(|name| !name.is_empty()));
    let named = match range {
        Range::Between(before, after) | Range::FromMergeBase(before, after) => vec![before, after],
        Range::WorkingTree(before) => vec![before],
    };
    for name in named {
        let full = lines("rev-parse", &["--symbolic-full-name", "--verify", "--quiet", name]);
        let branch = full.first().and_then(|full| {
            let local = full.strip_prefix("refs/heads/");
            local.or_else(|| {
                full.strip_prefix("refs/remotes/")?.split_once('/').map(|(_, name)| name)
            })
        });
        branches.extend(branch.map(str::to_string));
    }
    branches.sort();
    branches.dedup();
    Ok(About { urls: urls.collect(), branches })
}

/// The revisions of a range; `None` is the working tree.
fn sides(git: &Git, range: &Range) -> Result<(Revision, Option<Revision>), Error> {
    Ok(match range {
        Range::Between(before, after) => {
            (git.resolve(before, range)?, Some(git.resolve(after, range)?))
        }
        Range::FromMergeBase(base, head) => {
            let head_revision = git.resolve(head, range)?;
            (git.merge_base(&git.resolve(base, range)?, &head_revision)?, Some(head_revision))
        }
        Range::WorkingTree(base) => (git.resolve(base, range)?, None),
    })
}
