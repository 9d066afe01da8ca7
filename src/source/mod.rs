//! Where snapshots come from: directories and git repositories -> [`Tree`]s.
//!
//! Reading order: [`directory`] (the plain case), `walk` (what a directory holds), `charts` (what of it
//! belongs to a Helm chart), `read` (bytes,
//! within limits), `others` (what is no manifest by its name), `links` (where they lead), `share` (equal bytes become one content), [`git`] (revisions without a checkout),
//! `error` (what can go wrong, in words).
//!
//! A source never follows a symbolic link, never leaves its root, and never drops a manifest without
//! a word: what it does not read is in [`Tree::skipped`].

mod charts;
mod alone;
pub mod directory;
mod error;
pub mod git;
mod links;
mod others;
mod read;
mod share;
mod walk;

pub use crate::tree::is_manifest;
pub(crate) use alone::alone;
pub(crate) use error::io_reason;
pub use error::{Error, NoSuchRevision};
pub use others::{AllFiles, Others, Unread};
pub(crate) use walk::leads_elsewhere;

/// The largest single file that is read for its own sake (a configuration, say), in bytes.
pub const MAX_SINGLE_BYTES: u64 = 1 << 20;

use crate::report::Snapshot;
use crate::tree::{SkippedFile, Tree};
use std::sync::atomic::{AtomicU64, Ordering};

/// The largest file that is read, in bytes. The largest manifests in public GitOps repositories
/// (rendered bundles of custom resource definitions) stay below 10 MiB; GitHub itself refuses files
/// over 100 MiB. What is larger is an artefact with a manifest's name.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// How much is read of one side altogether, in bytes. It keeps a mistaken argument (`/`, a data
/// directory) from filling the memory; the largest public GitOps repositories hold a hundredth.
pub const MAX_TREE_BYTES: u64 = 2 << 30;

/// One side: what was read, and what a report says about where it came from.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The files.
    pub tree: Tree,
    /// Their provenance.
    pub snapshot: Snapshot,
    /// What else is there.
    pub others: Others,
}

impl Loaded {
    /// All files of the side, whatever their names.
    pub fn files(&self) -> AllFiles<'_> {
        AllFiles::new(&self.tree, &self.others)
    }
}

/// Both sides of a comparison. Files with equal bytes share one content.
#[derive(Clone, Debug, Default)]
pub struct Pair {
    /// The side before the change.
    pub before: Loaded,
    /// The side after the change.
    pub after: Loaded,
}

/// Leaves of a side's tree what lies at or below some of these paths (from its root, without a `/` at the end); all
/// of it where there are none. What was skipped above a path could hide what is below it, and stays. The other files
/// are still there to build from.
pub fn limit(side: &mut Loaded, paths: &[String]) {
    if paths.is_empty() {
        return;
    }
    let below = |path: &str, limit: &str| {
        path.strip_prefix(limit).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let Loaded { tree, others, .. } = side;
    tree.files.retain(|path, content| {
        let kept = paths.iter().any(|limit| below(path, limit));
        if !kept {
            others.read_already(path.clone(), content.clone());
        }
        kept
    });
    let (skipped, beyond): (Vec<SkippedFile>, Vec<SkippedFile>) =
        std::mem::take(&mut tree.skipped).into_iter().partition(|file| {
            paths.iter().any(|limit| below(&file.path, limit) || below(limit, &file.path))
        });
    tree.skipped = skipped;
    links::identify(side);
    side.others.not_read(beyond);
}

/// How far the reading got; a progress display polls it from another thread.
#[derive(Debug, Default)]
pub struct Meter {
    total: AtomicU64,
    done: AtomicU64,
}

impl Meter {
    /// Files that were found and files that were read, so far.
    pub fn get(&self) -> (u64, u64) {
        let done = self.done.load(Ordering::Relaxed);
        (self.total.load(Ordering::Relaxed), done)
    }

    fn found(&self, files: usize) {
        self.total.fetch_add(files as u64, Ordering::Relaxed);
    }

    fn read(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }
}
