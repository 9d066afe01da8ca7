//! Files of a snapshot, written back: whole or not at all, and only where they were read.

use crate::source::io_reason;
use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

/// Where a file of a snapshot stands on the disk, if it can be replaced. `root` is what was read, a directory or the
/// file itself; `old` is what was read of the file.
///
/// # Errors
///
/// Why it can't be: it is behind a symbolic link, not there any more, not what was read, or write-protected.
pub(super) fn check(root: &Path, path: &str, old: &[u8]) -> Result<PathBuf, String> {
    let disk = match fs::metadata(root) {
        Ok(metadata) if metadata.is_dir() => below(root, path)?,
        Ok(_) => root.to_path_buf(),
        Err(error) => return Err(io_reason(&error)),
    };
    let metadata = fs::symlink_metadata(&disk).map_err(|error| io_reason(&error))?;
    if metadata.is_symlink() {
        return Err("it is a symbolic link".into());
    }
    if !metadata.is_file() {
        return Err("it is no plain file".into());
    }
    if metadata.permissions().readonly() {
        return Err("it is write-protected".into());
    }
    match fs::read(&disk) {
        Ok(now) if now == old => Ok(disk),
        Ok(_) => Err("it was changed since it was read".into()),
        Err(error) => Err(io_reason(&error)),
    }
}

/// A path below a directory, with no link and no way up in it.
fn below(root: &Path, path: &str) -> Result<PathBuf, String> {
    let mut disk = root.to_path_buf();
    let mut parts = Path::new(path).components().peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else {
            return Err("its path leads out of the directory".into());
        };
        disk.push(name);
        let is_link = fs::symlink_metadata(&disk).is_ok_and(|metadata| metadata.is_symlink());
        if is_link && parts.peek().is_some() {
            return Err("a directory on the way to it is a symbolic link".into());
        }
    }
    Ok(disk)
}

/// Replaces a file in one step. Its permissions stay.
///
/// # Errors
///
/// As [`check`], or the disk did not take it; then the file is as it was.
pub(super) fn replace(root: &Path, path: &str, old: &[u8], new: &[u8]) -> Result<(), String> {
    let disk = check(root, path, old)?;
    let folder = match disk.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let written = || -> std::io::Result<()> {
        let permissions = fs::metadata(&disk)?.permissions();
        let mut file = tempfile::Builder::new()
            .prefix(".netpol-review-")
            .suffix(".tmp")
            .tempfile_in(folder)?;
        file.write_all(new)?;
        file.as_file().set_permissions(permissions)?;
        file.as_file().sync_all()?;
        file.persist(&disk)?;
        Ok(())
    };
    written().map_err(|error| io_reason(&error))
}
