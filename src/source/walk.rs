//! What a directory holds: the manifest files to read, and what is not going to be read.

use super::charts;
use super::error::io_reason;
use crate::tree::{SkippedFile, is_manifest};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, DirEntry, FileType, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A manifest file that was found and not yet read.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it is on disk.
    pub(super) disk: PathBuf,
    /// Its path in the snapshot.
    pub(super) path: Arc<str>,
    /// Its size when it was found, in bytes.
    pub(super) size: u64,
}

/// The first name in a path that no program gives a file and that would lead elsewhere if it were believed; names stand
/// between `/`, and on some systems between `\`. A path that begins at the root has an empty one.
pub(crate) fn leads_elsewhere(path: &[u8]) -> Option<&[u8]> {
    let names = path.split(|byte| matches!(byte, b'/' | b'\\' | 0));
    let elsewhere =
        |name: &&[u8]| matches!(*name, b"" | b"." | b"..") || name.eq_ignore_ascii_case(b".git");
    names.into_iter().find(elsewhere)
}

/// What is below a directory. Directories named `.git` are
/// passed over.
pub(super) fn walk(root: &Path) -> io::Result<Walked> {
    let real_root = root.canonicalize()?;
    let mut walk = Walk { real_root, ..Walk::default() };
    walk.directory(root, "", true)?;
    while let Some((disk, path, named)) = walk.pending.pop() {
        if let Err(error) = walk.directory(&disk, &path, named) {
            walk.skip(
                &path,
                format!("the directory could not be read: {}", io_reason(&error)),
                unknown_content(&disk, None),
            );
        }
    }
    add_parts(&mut walk.found, walk.parts, &[]);
    walk.found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    walk.skipped.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let Walk { found, skipped, others, unread, .. } = walk;
    Ok(Walked { found, skipped, others, unread })
}

/// Adds those files that are part of a chart, whose own file is among the manifests.
pub(super) fn add_parts(found: &mut Vec<Found>, parts: Vec<Found>, others: &[&str]) {
    if parts.is_empty() {
        return;
    }
    let charts: HashSet<&str> = found
        .iter()
        .map(|file| &*file.path)
        .chain(others.iter().copied())
        .filter(|path| path.ends_with("Chart.yaml"))
        .collect();
    let keep: Vec<Found> = parts
        .into_iter()
        .filter(|file| charts::belongs(&file.path, |path| charts.contains(path)))
        .collect();
    found.extend(keep);
}

/// What a directory holds.
pub(super) struct Walked {
    /// Manifest files, and what else is part of a Helm chart, in the order of their paths.
    pub(super) found: Vec<Found>,
    /// Manifests that are not read, in the order of their paths.
    pub(super) skipped: Vec<SkippedFile>,
    /// All other files: path, and where it is on disk.
    pub(super) others: Vec<(Arc<str>, PathBuf)>,
    /// What else is not read, which counts where something is built from it.
    pub(super) unread: Vec<SkippedFile>,
}

#[derive(Default)]
struct Walk {
    real_root: PathBuf,
    /// Directories to open: where they are, their path in the snapshot, and whether every name on
    /// the way is UTF-8.
    pending: Vec<(PathBuf, String, bool)>,
    /// The directories that were opened, by device and inode: a bind mount can make a loop.
    seen: HashSet<(u64, u64)>,
    found: Vec<Found>,
    /// Files that are read if they are part of a chart.
    parts: Vec<Found>,
    skipped: Vec<SkippedFile>,
    others: Vec<(Arc<str>, PathBuf)>,
    unread: Vec<SkippedFile>,
}

impl Walk {
    fn skip(&mut self, path: &str, reason: String, identity: String) {
        self.skipped.push(SkippedFile::new(path.to_string(), reason, identity));
    }

    fn directory(&mut self, disk: &Path, path: &str, named: bool) -> io::Result<()> {
        if let Some(id) = file_id(&fs::metadata(disk)?)
            && !self.seen.insert(id)
        {
            self.skip(
                path,
                "it is a directory that was read already under another path".to_string(),
                "directory loop".to_string(),
            );
            return Ok(());
        }
        let mut entries = fs::read_dir(disk)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_unstable_by_key(DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            if name == ".git" {
                continue;
            }
            let (shown, utf8) = match name.to_str() {
                Some(name) => (name.to_string(), true),
                None => (escaped(&name), false),
            };
            let inside = if path.is_empty() { shown } else { format!("{path}/{shown}") };
            match entry.file_type() {
                Ok(kind) => self.entry(entry.path(), inside, kind, named && utf8),
                Err(error) => {
                    self.skip(
                        &inside,
                        could_not_stat(&error),
                        unknown_content(&entry.path(), None),
                    );
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, disk: PathBuf, path: String, kind: FileType, named: bool) {
        if kind.is_dir() {
            self.pending.push((disk, path, named));
            return;
        }
        if kind.is_symlink() {
            let link = Link::read(&disk, &path, &self.real_root);
            let side = if link.plays_a_part { &mut self.skipped } else { &mut self.unread };
            side.push(link.file);
            return;
        }
        if !is_manifest(&path) {
            if named && kind.is_file() && charts::could_belong(&path) {
                let size = fs::symlink_metadata(&disk).map_or(0, |metadata| metadata.len());
                self.parts.push(Found { disk: disk.clone(), path: path.as_str().into(), size });
            }
            if named && kind.is_file() {
                self.others.push((path.into(), disk));
            } else {
                let what =
                    if named { format!("it is {}", special(kind)) } else { NOT_UTF8.to_string() };
                let identity = unknown_content(&disk, fs::symlink_metadata(&disk).ok().as_ref());
                self.unread.push(SkippedFile::new(path, what, identity));
            }
            return;
        }
        if !kind.is_file() {
            let what = special(kind);
            self.skip(&path, format!("it is {what}"), what.to_string());
            return;
        }
        match fs::symlink_metadata(&disk) {
            Err(error) => self.skip(&path, could_not_stat(&error), unknown_content(&disk, None)),
            Ok(metadata) if !named => {
                let identity = unknown_content(&disk, Some(&metadata));
                self.skip(&path, NOT_UTF8.to_string(), identity);
            }
            Ok(metadata) => {
                self.found.push(Found { disk, path: path.into(), size: metadata.len() });
            }
        }
    }
}

/// The reason for a path that can't be written down.
pub(super) const NOT_UTF8: &str = "its path is not UTF-8 (shown with the bytes escaped); rename it";

/// A symbolic link.
pub(super) struct Link {
    /// Where it leads; why it is not read.
    pub(super) file: SkippedFile,
    /// It could stand for manifests: its own name says so, or it leads to a directory. Every other link only counts
    /// where something is built from it.
    pub(super) plays_a_part: bool,
}

impl Link {
    /// Looks where a link leads.
    pub(super) fn read(disk: &Path, path: &str, real_root: &Path) -> Self {
        let to_directory = fs::metadata(disk).is_ok_and(|target| target.is_dir());
        let target = link_target(disk);
        let resolved = disk.canonicalize().ok();
        let outside = resolved.as_deref().is_some_and(|resolved| !resolved.starts_with(real_root));
        let (note, identity) = match &resolved {
            None => (", which leads nowhere", target.clone()),
            // What lies outside may differ although the link is the same.
            Some(resolved) if outside => {
                (", outside the directory", format!("{target} = {}", resolved.display()))
            }
            Some(_) => ("", target.clone()),
        };
        let directory = if to_directory { " (a directory)" } else { "" };
        let file = SkippedFile {
            path: path.to_string(),
            reason: format!(
                "it is a symbolic link to `{target}`{directory}{note}; links are not followed"
            ),
            identity,
            leads_to: resolved.as_deref().and_then(|resolved| within(resolved, real_root)),
        };
        Self { file, plays_a_part: to_directory || is_manifest(path) }
    }
}

/// The path in the snapshot of what lies below its root, as far as it can be written down.
fn within(disk: &Path, real_root: &Path) -> Option<String> {
    let names = disk.strip_prefix(real_root).ok()?.iter();
    Some(names.map(OsStr::to_str).collect::<Option<Vec<&str>>>()?.join("/"))
}

/// What a directory entry is that is neither file, directory nor link.
pub(super) fn special(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a named pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_block_device() || kind.is_char_device() {
            return "a device";
        }
    }
    let _ = kind;
    "not a regular file"
}

pub(super) fn could_not_stat(error: &io::Error) -> String {
    format!("it could not be looked at: {}", io_reason(error))
}

/// An identity for content that nobody looked at. It is equal on both sides only for the very same
/// file, so that a change that could not be seen is never taken for none.
pub(super) fn unknown_content(disk: &Path, metadata: Option<&Metadata>) -> String {
    let place = disk.canonicalize().unwrap_or_else(|_| disk.to_path_buf());
    let size = metadata.map(Metadata::len).unwrap_or_default();
    format!("{size} bytes at {}", escaped(place.as_os_str()))
}

/// Where a link points, as it is written.
pub(super) fn link_target(disk: &Path) -> String {
    fs::read_link(disk).map(|target| escaped(target.as_os_str())).unwrap_or_default()
}

/// A name with the bytes that are not UTF-8 written as `\xNN`.
fn escaped(name: &OsStr) -> String {
    escaped_bytes(name.as_encoded_bytes())
}

/// Text with the bytes that are not UTF-8 written as `\xNN`.
pub(super) fn escaped_bytes(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    text
}

#[cfg(unix)]
fn file_id(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn file_id(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::leads_elsewhere;

    #[test]
    fn names_that_lead_elsewhere() {
        for path in [
            "",
            "/",
            "/etc/passwd",
            "a//b",
            "a/",
            ".",
            "..",
            "./a",
            "a/./b",
            "../a",
            "a/..",
            "a/../../b",
            ".git",
            ".GIT/config",
            "a/.Git/hooks/x",
            "..\\a",
            "a\\..\\b",
            "\\a",
            "a/b\\.git",
            "a\0",
        ] {
            assert!(leads_elsewhere(path.as_bytes()).is_some(), "{path:?}");
        }
        for path in [
            "a",
            "...",
            "..a/b",
            ".gitignore",
            "a/.github/b",
            "git",
            "dev-disk\\x2d1.swap",
            "\u{ff0e}",
        ] {
            assert_eq!(leads_elsewhere(path.as_bytes()), None, "{path:?}");
        }
        assert_eq!(leads_elsewhere(b"a/../\xff"), Some(&b".."[..]));
        assert_eq!(leads_elsewhere(b"\xff"), None);
    }
}
