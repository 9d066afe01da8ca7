//! The working tree: what git tracks, and what is new and not ignored, as it is on disk.

use super::listing::{Listing, named};
use super::paths::within;
use super::program::Git;
use crate::source::charts;
use crate::source::links::resolve;
use crate::source::read::read_into as read_files;
use crate::source::walk::{
    Found, Link, NOT_UTF8, add_parts, could_not_stat, escaped_bytes, link_target, special,
    unknown_content,
};
use crate::source::{Error, Meter, Others};
use crate::tree::{SkippedFile, Tree, is_manifest};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// The files of a working tree.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// Files that a sparse checkout leaves out: the index has them.
    pub(super) in_index: Listing,
    /// Files to be read from disk.
    pub(super) on_disk: OnDisk,
}

/// Files to be read from disk, and what is not going to be read.
#[derive(Debug, Default)]
pub(super) struct OnDisk {
    found: Vec<Found>,
    /// Files that are read if they are part of a chart; they are among the others as well.
    parts: Vec<Found>,
    skipped: Vec<SkippedFile>,
    /// Each with where it is on disk.
    others: Vec<(String, PathBuf)>,
    /// What else is not read, which counts where something is built from it.
    unread: Vec<SkippedFile>,
}

impl Disk {
    /// Everything that is listed, in no particular order.
    pub(super) fn paths(&self) -> Vec<&str> {
        let on_disk = &self.on_disk;
        let mut paths = self.in_index.paths();
        paths.extend(on_disk.found.iter().map(|file| &*file.path));
        paths.extend(on_disk.skipped.iter().map(|file| file.path.as_str()));
        paths.extend(on_disk.others.iter().map(|(path, _)| path.as_str()));
        paths.extend(on_disk.unread.iter().map(|file| file.path.as_str()));
        paths
    }
}

impl Disk {
    /// Adds what is outside of the limits, of which what is within may be built. `all`: the same tree without limits.
    pub(super) fn add_beyond(&mut self, all: Self, limits: &[String]) {
        let beyond = |path: &str| !within(path, limits);
        let Self { in_index, on_disk } = all;
        let blobs = in_index.blobs.into_iter().map(|entry| (entry.path, entry.id));
        let others = in_index.others.into_iter().chain(blobs);
        self.in_index.others.extend(others.filter(|(path, _)| beyond(path)));
        self.in_index.links_beyond = in_index.links;
        self.in_index.links_beyond.retain(|link| beyond(&link.path));
        let unread = in_index.unread.into_iter().chain(in_index.skipped);
        self.in_index.unread.extend(unread.filter(|file| beyond(&file.path)));
        let found = on_disk.found.into_iter().map(|file| (file.path.to_string(), file.disk));
        let others = on_disk.others.into_iter().chain(found);
        self.on_disk.others.extend(others.filter(|(path, _)| beyond(path)));
        let unread = on_disk.unread.into_iter().chain(on_disk.skipped);
        self.on_disk.unread.extend(unread.filter(|file| beyond(&file.path)));
    }
}

/// Lists the working tree at and below the limits.
pub(super) fn list(git: &Git, limits: &[String]) -> Result<Disk, Error> {
    let mut top = git.run("rev-parse", ["--show-toplevel"]).map_err(|error| match error {
        Error::Git { reason, .. } if reason.contains("work tree") => {
            Error::NoWorkingTree { repo: git.name() }
        }
        other => other,
    })?;
    while top.last() == Some(&b'\n') {
        top.pop();
    }
    let top = bytes_to_path(&top);
    let git = git.at(&top);
    let limits = || ["--".to_string()].into_iter().chain(limits.iter().cloned());
    let options = ["-z", "-t", "--stage", "--full-name"].map(str::to_string);
    let tracked = git.run("ls-files", options.into_iter().chain(limits()))?;
    let options = ["-z", "--others", "--exclude-standard", "--full-name"].map(str::to_string);
    let untracked = git.run("ls-files", options.into_iter().chain(limits()))?;

    let mut paths: BTreeMap<&[u8], Tracked> = BTreeMap::new();
    for record in records(&tracked) {
        let (path, tracked) = parse(record).ok_or_else(|| {
            git.failed(
                "ls-files",
                format!("unexpected line `{}`", escaped_bytes(record)).as_bytes(),
            )
        })?;
        paths.insert(path, tracked);
    }
    for path in records(&untracked) {
        paths.entry(path).or_default();
    }
    let real_top = top.canonicalize().unwrap_or_else(|_| top.clone());
    let mut lister =
        Lister { git: &git, top, real_top, directories: HashMap::new(), disk: Disk::default() };
    for (path, tracked) in paths {
        // Another repository stands there as a directory.
        named("the working tree", path.strip_suffix(b"/").unwrap_or(path))?;
        lister.add(path, &tracked);
    }
    let mut disk = lister.disk;
    let on_disk = &mut disk.on_disk;
    let found = on_disk.found.iter().map(|file| file.path.to_string()).collect();
    let in_index: Vec<&str> = disk.in_index.blobs.iter().map(|entry| &*entry.path).collect();
    add_parts(&mut on_disk.found, std::mem::take(&mut on_disk.parts), &in_index);
    disk.in_index.add_parts(&found);
    Ok(disk)
}

/// Reads what is on disk into the tree, which already holds what is not.
pub(super) fn read_into(
    git: &Git,
    tree: &mut Tree,
    others: &mut Others,
    on_disk: OnDisk,
    meter: &Meter,
) {
    let places: HashMap<String, PathBuf> =
        on_disk.found.iter().map(|file| (file.path.to_string(), file.disk.clone())).collect();
    tree.skipped.extend(on_disk.skipped);
    others.not_read(on_disk.unread);
    for (path, disk) in on_disk.others {
        others.on_disk(path.into(), disk);
    }
    read_files(tree, on_disk.found, meter);
    // A file that was too large here is too large in the commit; they are the same where git says so.
    for file in &mut tree.skipped {
        if let Some(id) = places.get(&file.path).and_then(|disk| blob_id(git, disk)) {
            file.identity = id;
        }
    }
}

/// What the index says of a path; empty for an untracked one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tracked {
    mode: Vec<u8>,
    id: String,
    sparse: bool,
}

/// `TAG MODE ID STAGE\tPATH`.
fn parse(record: &[u8]) -> Option<(&[u8], Tracked)> {
    let tab = record.iter().position(|byte| *byte == b'\t')?;
    let (fields, path) = (record.get(..tab)?, record.get(tab + 1..)?);
    let mut fields = fields.split(|byte| *byte == b' ');
    let sparse = fields.next()? == b"S";
    let mode = fields.next()?.to_vec();
    let id = std::str::from_utf8(fields.next()?).ok()?.to_string();
    Some((path, Tracked { mode, id, sparse }))
}

fn records(output: &[u8]) -> impl Iterator<Item = &[u8]> {
    output.split(|byte| *byte == 0).filter(|record| !record.is_empty())
}

struct Lister<'a> {
    git: &'a Git,
    top: PathBuf,
    real_top: PathBuf,
    /// Is a directory (by its path from the top) a real one, all the way?
    directories: HashMap<PathBuf, bool>,
    disk: Disk,
}

impl Lister<'_> {
    fn skip(&mut self, path: String, reason: String, identity: String) {
        self.disk.on_disk.skipped.push(SkippedFile::new(path, reason, identity));
    }

    fn add(&mut self, bytes: &[u8], tracked: &Tracked) {
        let relative = bytes_to_path(bytes);
        let disk = self.top.join(&relative);
        let path = escaped_bytes(bytes);
        let metadata = match self.look(&relative, &disk) {
            Ok(metadata) => metadata,
            Err(error) if is_absent(&error) => {
                if tracked.sparse {
                    self.disk.in_index.add(&tracked.mode, &tracked.id, bytes);
                }
                return;
            }
            Err(error) => {
                if is_manifest(&path) {
                    self.skip(path, could_not_stat(&error), unknown_content(&disk, None));
                }
                return;
            }
        };
        let kind = metadata.file_type();
        if kind.is_dir() {
            if tracked.mode == b"160000" {
                let id = self.checked_out(&disk).unwrap_or_else(|| tracked.id.clone());
                self.disk.in_index.add(&tracked.mode, &id, bytes);
            } else if path.ends_with('/') {
                let reason =
                    "it is another git repository, which this one does not track".to_string();
                let path = path.trim_end_matches('/').to_string();
                self.skip(path, reason, unknown_content(&disk, Some(&metadata)));
            }
        } else if kind.is_symlink() {
            let Link { file, plays_a_part } = Link::read(&disk, &path, &self.real_top);
            // As a commit keeps it: the target alone, and what is outside of the repository is nowhere.
            let identity = link_target(&disk);
            let leads_out = resolve(&path, &BTreeMap::from([(&*path, identity.clone())])).is_none();
            let leads_to = file.leads_to.filter(|_| !leads_out);
            let to_directory = plays_a_part && leads_to.is_some();
            let plays_a_part = is_manifest(&path) || leads_out || to_directory;
            let file = SkippedFile { identity, leads_to, ..file };
            let on_disk = &mut self.disk.on_disk;
            if plays_a_part { &mut on_disk.skipped } else { &mut on_disk.unread }.push(file);
        } else if !is_manifest(&path) {
            let named = std::str::from_utf8(bytes).is_ok();
            if named && kind.is_file() && charts::could_belong(&path) {
                let (path, size) = (path.as_str().into(), metadata.len());
                self.disk.on_disk.parts.push(Found { disk: disk.clone(), path, size });
            }
            self.disk.on_disk.others.push((path, disk));
        } else if !kind.is_file() {
            let what = special(kind);
            self.skip(path, format!("it is {what}"), what.to_string());
        } else if std::str::from_utf8(bytes).is_err() {
            let identity =
                blob_id(self.git, &disk).unwrap_or_else(|| unknown_content(&disk, Some(&metadata)));
            self.skip(path, NOT_UTF8.to_string(), identity);
        } else {
            let size = metadata.len();
            self.disk.on_disk.found.push(Found { disk, path: path.into(), size });
        }
    }

    /// The file itself, unless a link stands for a directory on the way: git calls it deleted then.
    fn look(&mut self, relative: &Path, disk: &Path) -> io::Result<Metadata> {
        if !self.is_real_directory(relative.parent().unwrap_or(Path::new(""))) {
            return Err(io::ErrorKind::NotFound.into());
        }
        fs::symlink_metadata(disk)
    }

    fn is_real_directory(&mut self, relative: &Path) -> bool {
        if relative.as_os_str().is_empty() {
            return true;
        }
        if let Some(known) = self.directories.get(relative) {
            return *known;
        }
        let real = self.is_real_directory(relative.parent().unwrap_or(Path::new("")))
            // What can't be looked at is left to the look at the file, which says so.
            && fs::symlink_metadata(self.top.join(relative)).map_or(true, |metadata| metadata.is_dir());
        self.directories.insert(relative.to_path_buf(), real);
        real
    }

    /// The commit that a submodule has checked out, where it has one.
    fn checked_out(&self, disk: &Path) -> Option<String> {
        fs::symlink_metadata(disk.join(".git")).ok()?;
        let id = self.git.at(disk).run("rev-parse", ["--verify", "HEAD"]).ok()?;
        Some(String::from_utf8_lossy(&id).trim().to_string())
    }
}

/// The object id that the file's bytes have in this repository; no filter is run.
pub(in crate::source) fn blob_id(git: &Git, disk: &Path) -> Option<String> {
    /// Hashing more takes longer than anybody waits; a sparse file can claim any size.
    const MOST: u64 = 1 << 30;
    let metadata = fs::symlink_metadata(disk).ok()?;
    if !metadata.is_file() || metadata.len() > MOST {
        return None;
    }
    let disk = disk.canonicalize().ok()?;
    let id = git.run("hash-object", [Path::new("--no-filters"), Path::new("--"), &disk]).ok()?;
    Some(String::from_utf8_lossy(&id).trim().to_string())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(unix)]
pub(super) fn bytes_to_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
pub(super) fn bytes_to_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_records() {
        let tracked = |sparse| Tracked { mode: b"100644".to_vec(), id: "01".into(), sparse };
        assert_eq!(parse(b"H 100644 01 0\ta b"), Some((b"a b".as_slice(), tracked(false))));
        assert_eq!(parse(b"S 100644 01 0\tx"), Some((b"x".as_slice(), tracked(true))));
        assert_eq!(parse(b"H 100644"), None);
    }
}
