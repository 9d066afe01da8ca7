//! The files that are no manifests by their names: known, and read on demand. What tools build from may
//! have any name.

use super::error::io_reason;
use super::git::{Objects, blob_id};
use super::read::{checksum, more_than_one_file_may, read_limited};
use super::walk::{special, unknown_content};
use super::{Error, MAX_FILE_BYTES};
use crate::tree::{Content, Files, SkippedFile, Tree, below, digest, is_manifest};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files of one side beside those of its tree.
#[derive(Clone, Debug, Default)]
pub struct Others {
    places: BTreeMap<Arc<str>, Place>,
    /// What is not read: links, other repositories, manifests that are too large.
    unread: BTreeMap<Arc<str>, SkippedFile>,
    objects: Option<Objects>,
}

/// Where a file's bytes are.
#[derive(Clone, Debug)]
enum Place {
    Disk(PathBuf),
    Blob(String),
    Read(Content),
}

/// A file that is there and whose content can't be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Why, in words that say of it that "it ...", and what to do.
    pub reason: String,
    /// Equal on two sides only where the content surely is the same.
    pub identity: String,
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

    pub(super) fn not_read(&mut self, files: impl IntoIterator<Item = SkippedFile>) {
        self.unread.extend(files.into_iter().map(|file| (file.path.as_str().into(), file)));
    }

    /// `None` where there is no such file.
    fn open(&self, path: &str) -> Option<Result<Content, Unread>> {
        Some(match self.places.get(path)? {
            Place::Read(content) => Ok(content.clone()),
            Place::Disk(disk) => on_disk(disk, |size| match &self.objects {
                // A working tree, which is compared with a commit.
                Some(objects) => blob_id(objects.git(), disk).map(|id| object(&id)),
                None => checksum(disk, size),
            }),
            Place::Blob(id) => {
                self.blob(id).map_err(|reason| Unread { reason, identity: object(id) })
            }
        })
    }

    fn blob(&self, id: &str) -> Result<Content, String> {
        let missing = || "its content is not here; fetch it (`git fetch --refetch`)".to_string();
        match &self.objects {
            None => Err(missing()),
            Some(Objects::Mirror(mirror)) => mirror.content(id).ok_or_else(|| {
                format!("it has more than the {MAX_FILE_BYTES} bytes that are read of one file, or could not be fetched")
            }),
            Some(Objects::Git(git)) => {
                let size = git.run("cat-file", ["-s", id]).map_err(|_| missing())?;
                let size: Option<u64> = String::from_utf8_lossy(&size).trim().parse().ok();
                match size.ok_or_else(missing)? {
                    size if size > MAX_FILE_BYTES => Err(more_than_one_file_may(size)),
                    _ => {
                        let read = git.run("cat-file", ["blob", id]);
                        read.map(Content::new).map_err(|_: Error| missing())
                    }
                }
            }
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

    /// The content of a file, or why it can't be had; `None` where there is no such file. A link whose name is no
    /// manifest's is what it leads to, as Helm reads it.
    pub fn open(&self, path: &str) -> Option<Result<Content, Unread>> {
        let link = match self.file(path) {
            None => self.others.unread.get(path)?,
            file => return file,
        };
        let target = link.leads_to.as_deref().filter(|_| !is_manifest(path));
        target.and_then(|target| self.file(target)).or_else(|| {
            Some(Err(Unread { reason: link.reason.clone(), identity: self.identity(link) }))
        })
    }

    /// [`AllFiles::open`] of what is no link.
    fn file(&self, path: &str) -> Option<Result<Content, Unread>> {
        match self.tree.files.get(path) {
            Some(content) => Some(Ok(content.clone())),
            None => self.others.open(path),
        }
    }

    /// What identifies something that is not read: where it is a link, with all that is where it leads.
    fn identity(&self, unread: &SkippedFile) -> String {
        let led_to = unread.leads_to.as_deref().map(|path| self.identity_of(path));
        format!("{}{}", unread.identity, led_to.unwrap_or_default())
    }

    /// What identifies all that is at a path or below it, and where links from there lead.
    pub(super) fn identity_of(&self, path: &str) -> String {
        let mut pending: Vec<Arc<str>> = vec![path.into()];
        let mut seen = BTreeSet::new();
        let mut whole = String::new();
        while let Some(path) = pending.pop() {
            if !seen.insert(path.clone()) {
                continue;
            }
            let found = match self.file(&path) {
                Some(Ok(content)) => format!("{:032x}", digest(content.bytes())),
                Some(Err(unread)) => unread.identity,
                None => match self.others.unread.get(&path) {
                    Some(link) => {
                        pending.extend(link.leads_to.as_deref().map(Arc::from));
                        link.identity.clone()
                    }
                    None => {
                        let inside = [self.below(&path), self.unread_below(&path)].concat();
                        self.expect(inside.iter().map(|path| &**path));
                        pending.extend(inside);
                        continue;
                    }
                },
            };
            whole.push_str(&format!("\0{path}\0{found}"));
        }
        whole
    }
}

/// What identifies the content of an object.
fn object(id: &str) -> String {
    format!("object {id}")
}

/// A file as it is on disk. `identity`: that of one that is too large, by its size; `None` where it can't be told.
fn on_disk(disk: &Path, identity: impl FnOnce(u64) -> Option<String>) -> Result<Content, Unread> {
    let unread = |reason, identity| Err(Unread { reason, identity });
    let metadata = match fs::symlink_metadata(disk) {
        Ok(metadata) => metadata,
        Err(error) => {
            let reason = format!("it could not be read: {}", io_reason(&error));
            return unread(reason, unknown_content(disk, None));
        }
    };
    let unknown = || unknown_content(disk, Some(&metadata));
    if !metadata.is_file() {
        return unread(format!("it is {}", special(metadata.file_type())), unknown());
    }
    if metadata.len() > MAX_FILE_BYTES {
        let identity = identity(metadata.len()).unwrap_or_else(unknown);
        return unread(more_than_one_file_may(metadata.len()), identity);
    }
    read_limited(disk, metadata.len())
        .or_else(|error| unread(format!("it could not be read: {}", io_reason(&error)), unknown()))
}

impl Files for AllFiles<'_> {
    fn read(&self, path: &str) -> Option<Content> {
        self.open(path)?.ok()
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

    fn unread(&self, path: &str) -> Option<String> {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let unread = ends.filter_map(|end| self.others.unread.get(path.get(..end)?)).next()?;
        Some(self.identity(unread))
    }

    fn unread_below(&self, directory: &str) -> Vec<Arc<str>> {
        below(&self.others.unread, directory).cloned().collect()
    }

    fn is_directory(&self, directory: &str) -> bool {
        self.tree.is_directory(directory) || below(&self.others.places, directory).next().is_some()
    }
}
