//! The files that are no manifests by their names: known, and read on demand. What tools build from may
//! have any name.

use super::MAX_FILE_BYTES;
use super::git::Objects;
use super::read::read_limited;
use crate::tree::{Content, Files, Tree, below};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// Files of one side beside those of its tree.
#[derive(Clone, Debug, Default)]
pub struct Others {
    places: BTreeMap<Arc<str>, Place>,
    objects: Option<Objects>,
}

/// Where a file's bytes are.
#[derive(Clone, Debug)]
enum Place {
    Disk(PathBuf),
    Blob(String),
    Read(Content),
}

impl Others {
    pub(super) fn on_disk(&mut self, path: Arc<str>, disk: PathBuf) {
        self.places.insert(path, Place::Disk(disk));
    }

    pub(super) fn blobs(
        &mut self,
        objects: &Objects,
        blobs: impl IntoIterator<Item = (Arc<str>, String)>,
    ) {
        self.objects = Some(objects.clone());
        self.places.extend(blobs.into_iter().map(|(path, id)| (path, Place::Blob(id))));
    }

    pub(super) fn read_already(&mut self, path: Arc<str>, content: Content) {
        self.places.insert(path, Place::Read(content));
    }

    fn read(&self, path: &str) -> Option<Content> {
        match self.places.get(path)? {
            Place::Read(content) => Some(content.clone()),
            Place::Disk(disk) => {
                let metadata = fs::symlink_metadata(disk).ok()?;
                let small = metadata.is_file() && metadata.len() <= MAX_FILE_BYTES;
                small.then(|| read_limited(disk, metadata.len()).ok())?
            }
            Place::Blob(id) => match self.objects.as_ref()? {
                Objects::Mirror(mirror) => mirror.content(id),
                Objects::Git(git) => {
                    let size = git.run("cat-file", ["-s", id]).ok()?;
                    let size: u64 = String::from_utf8_lossy(&size).trim().parse().ok()?;
                    let read = || git.run("cat-file", ["blob", id]).ok();
                    (size <= MAX_FILE_BYTES).then(read)?.map(Content::new)
                }
            },
        }
    }

    /// Lets these files be at hand before each of them is read, where they have to be fetched.
    pub(super) fn expect<'p>(&self, paths: impl Iterator<Item = &'p str>) {
        let Some(Objects::Mirror(mirror)) = &self.objects else { return };
        let ids = paths.filter_map(|path| match self.places.get(path)? {
            Place::Blob(id) => Some(id),
            Place::Disk(_) | Place::Read(_) => None,
        });
        mirror.expect(ids);
    }
}

/// All files of a side: the manifests of a tree, and the others.
#[derive(Clone, Copy, Debug)]
pub struct AllFiles<'a> {
    tree: &'a Tree,
    others: &'a Others,
}

impl<'a> AllFiles<'a> {
    /// The files of a tree, and others beside them.
    pub fn new(tree: &'a Tree, others: &'a Others) -> Self {
        Self { tree, others }
    }

    /// Says that these are about to be read. Those that have to be fetched are fetched together, and not each when it
    /// is read.
    pub fn expect<'p>(&self, paths: impl Iterator<Item = &'p str>) {
        self.others.expect(paths);
    }
}

impl Files for AllFiles<'_> {
    fn read(&self, path: &str) -> Option<Content> {
        self.tree.files.get(path).cloned().or_else(|| self.others.read(path))
    }

    fn is_file(&self, path: &str) -> bool {
        self.tree.files.contains_key(path) || self.others.places.contains_key(path)
    }

    fn below(&self, directory: &str) -> Vec<Arc<str>> {
        let mut paths: Vec<Arc<str>> = below(&self.tree.files, directory).cloned().collect();
        let others = below(&self.others.places, directory);
        paths.extend(others.filter(|path| !self.tree.files.contains_key(*path)).cloned());
        paths.sort_unstable();
        paths
    }

    fn is_directory(&self, directory: &str) -> bool {
        self.tree.is_directory(directory) || below(&self.others.places, directory).next().is_some()
    }
}
