//! Directories, or single files, as snapshots.

use super::error::Error;
use super::read::{read_into, read_limited};
use super::share::share;
use super::walk::{Walked, special, walk};
use super::{Loaded, MAX_FILE_BYTES, Meter, Others, Pair, links};
use crate::nearest::nearest;
use crate::report::Snapshot;
use crate::tree::Tree;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::path::Path;

/// Reads both sides of a comparison.
pub fn load_pair(before: &Path, after: &Path, meter: &Meter) -> Result<Pair, Error> {
    let before = load(before, meter)?;
    let mut after = load(after, meter)?;
    share(&before.tree, &mut after.tree);
    Ok(Pair { before, after })
}

/// Reads one snapshot: every manifest below a directory, or the one file that is named, whatever its
/// name. The argument itself may be a symbolic link; no other link is followed.
pub fn load(path: &Path, meter: &Meter) -> Result<Loaded, Error> {
    let metadata = existing(path)?;
    let mut tree = Tree { name: path.display().to_string(), ..Tree::default() };
    let mut others = Others::default();
    let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
    if metadata.is_dir() {
        let Walked { found, skipped, others: rest, unread } = walk(path).map_err(unreadable)?;
        tree.skipped = skipped;
        others.not_read(unread);
        for (path, disk) in rest {
            others.on_disk(path, disk);
        }
        read_into(&mut tree, found, meter);
    } else if metadata.is_file() || is_stream(path) {
        if metadata.len() > MAX_FILE_BYTES {
            return Err(Error::TooLarge {
                path: path.to_path_buf(),
                size: metadata.len(),
                limit: MAX_FILE_BYTES,
            });
        }
        meter.found(1);
        let content = read_limited(path, metadata.len()).map_err(unreadable)?;
        meter.read();
        let name = match path.file_name() {
            Some(name) if metadata.is_file() => name.to_string_lossy().into_owned(),
            _ => path.display().to_string(),
        };
        tree.files.insert(name.into(), content);
    } else {
        return Err(Error::NotAFile {
            path: path.to_path_buf(),
            what: special(metadata.file_type()),
        });
    }
    let snapshot = Snapshot { source: "directory", name: tree.name.clone(), commit: None };
    let mut side = Loaded { tree, snapshot, others };
    links::identify(&mut side);
    Ok(side)
}

/// The bytes of one file below a directory; `None` where there is none, or where `root` is no directory. `path`
/// counts from the root, `limit` is how many bytes it may have.
///
/// # Errors
///
/// It is there and is no plain file (no link on the way is followed), can't be read, or is too large.
pub fn file(root: &Path, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    let mut disk = root.to_path_buf();
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        disk.push(part);
        let kind = match fs::symlink_metadata(&disk) {
            Ok(metadata) => metadata.file_type(),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(source) => return Err(Error::Unreadable { path: disk, source }),
        };
        let what = match (kind.is_symlink(), parts.peek().is_some()) {
            (true, _) => "a symbolic link",
            (false, true) => continue,
            (false, false) if kind.is_file() => continue,
            (false, false) if kind.is_dir() => "a directory",
            (false, false) => special(kind),
        };
        let (path, place) = (path.to_string(), root.display().to_string());
        return Err(Error::NotAPlainFile { path, place, what });
    }
    named_file(&disk, limit).map(Some)
}

/// The bytes of a file that was named, which may be a link or a stream. `limit`: how many it may have.
///
/// # Errors
///
/// It does not exist, is no file, can't be read, or is too large.
pub fn named_file(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let metadata = existing(path)?;
    if !metadata.is_file() && !is_stream(path) {
        let what = match metadata.is_dir() {
            true => "a directory",
            false => special(metadata.file_type()),
        };
        let place = path.parent().unwrap_or(path).display().to_string();
        let path = path.display().to_string();
        return Err(Error::NotAPlainFile { path, place, what });
    }
    let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    let size = metadata.len().max(bytes.len() as u64);
    if size > limit {
        return Err(Error::TooLarge { path: path.to_path_buf(), size, limit });
    }
    Ok(bytes)
}

/// What an argument names, or an error that suggests what else it could have been.
pub(super) fn existing(path: &Path) -> Result<Metadata, Error> {
    fs::metadata(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Error::NoSuchPath { path: path.display().to_string(), nearest: siblings(path) }
        }
        _ => Error::Unreadable { path: path.to_path_buf(), source },
    })
}

/// Is it an open file of this process, as shells pass for `<(command)`? Such a pipe has a writer; a
/// named pipe elsewhere may wait for one forever.
fn is_stream(path: &Path) -> bool {
    ["/dev/fd", "/proc/self/fd"].iter().any(|streams| path.starts_with(streams))
        || path == Path::new("/dev/stdin")
}

/// Existing paths beside one that does not exist, with almost its name. The first component that is
/// missing is the one that is looked for.
fn siblings(path: &Path) -> Vec<String> {
    let Some(missing) = path
        .ancestors()
        .filter(|ancestor| !ancestor.as_os_str().is_empty())
        .take_while(|ancestor| fs::symlink_metadata(ancestor).is_err())
        .last()
    else {
        return Vec::new();
    };
    let parent = match missing.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Some(wanted) = missing.file_name().and_then(|name| name.to_str()) else {
        return Vec::new();
    };
    let names: Vec<String> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let rest = path.strip_prefix(missing).unwrap_or(Path::new(""));
    nearest(wanted, names.iter().map(String::as_str), 3)
        .into_iter()
        .map(|name| {
            let near = missing.with_file_name(name);
            // With what was typed behind the slip, where that exists.
            let whole = near.join(rest);
            let exists = !rest.as_os_str().is_empty() && whole.exists();
            if exists { whole } else { near }.display().to_string()
        })
        .collect()
}
