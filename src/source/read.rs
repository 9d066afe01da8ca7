//! Bytes from disk, in parallel and within limits.

use super::error::io_reason;
use super::walk::{Found, unknown_content};
use super::{MAX_FILE_BYTES, MAX_TREE_BYTES, Meter};
use crate::tree::{Content, SkippedFile, Tree};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Reads the files into the tree. What is too large, or can't be read, is added to `tree.skipped`.
pub(super) fn read_into(tree: &mut Tree, found: Vec<Found>, meter: &Meter) {
    meter.found(found.len());
    let mut budget = MAX_TREE_BYTES;
    let mut within = Vec::with_capacity(found.len());
    for file in found {
        let reason = too_large(file.size, &mut budget);
        within.push((file, reason));
    }
    let read: Vec<(Found, Result<Content, String>)> = within
        .into_par_iter()
        .map(|(file, reason)| {
            let result = match reason {
                Some(reason) => Err(reason),
                None => read_limited(&file.disk, file.size)
                    .map_err(|error| format!("it could not be read: {}", io_reason(&error))),
            };
            meter.read();
            (file, result)
        })
        .collect();
    for (file, result) in read {
        match result {
            Ok(content) => {
                tree.files.insert(file.path, content);
            }
            Err(reason) => {
                let metadata = fs::symlink_metadata(&file.disk).ok();
                let identity = unknown_content(&file.disk, metadata.as_ref());
                tree.skipped.push(SkippedFile::new(file.path.to_string(), reason, identity));
            }
        }
    }
    tree.skipped.sort_unstable_by(|a, b| a.path.cmp(&b.path));
}

/// Says that a file of this size is not read.
pub(super) fn more_than_one_file_may(size: u64) -> String {
    format!("it has {size} bytes, more than the {MAX_FILE_BYTES} that are read of one file")
}

/// What tells the bytes of a file that is too large to be read from others; `None` where that takes longer than anybody
/// waits (a sparse file can claim any size), or fails.
pub(super) fn checksum(disk: &Path, size: u64) -> Option<String> {
    const MOST: u64 = 1 << 30;
    if size > MOST {
        return None;
    }
    let mut hash = Sha256::new();
    let mut file = File::open(disk).ok()?.take(MOST + 1);
    let read = io::copy(&mut file, &mut hash).ok()?;
    (read <= MOST).then(|| format!("{read} bytes, SHA-256 {:x}", hash.finalize()))
}

/// Why a file of this size is not read, if it is not; otherwise the budget pays for it.
pub(super) fn too_large(size: u64, budget: &mut u64) -> Option<String> {
    if size > MAX_FILE_BYTES {
        return Some(more_than_one_file_may(size));
    }
    match budget.checked_sub(size) {
        Some(rest) => {
            *budget = rest;
            None
        }
        None => Some(format!(
            "the files before it add up to {MAX_TREE_BYTES} bytes, all that is read of one side; name a smaller directory"
        )),
    }
}

/// The whole file; an error where it turns out to be larger than any file may be.
pub(super) fn read_limited(path: &Path, expected: u64) -> io::Result<Content> {
    read_all_limited(File::open(path)?, expected)
}

fn read_all_limited(file: impl Read, expected: u64) -> io::Result<Content> {
    let mut bytes =
        Vec::with_capacity(usize::try_from(expected.min(MAX_FILE_BYTES)).unwrap_or_default() + 1);
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it grew beyond {MAX_FILE_BYTES} bytes")));
    }
    Ok(Content::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_pays_until_it_is_used_up() {
        let mut budget = 100;
        assert_eq!(too_large(60, &mut budget), None);
        assert!(
            too_large(60, &mut budget).is_some_and(|reason| reason.contains("smaller directory"))
        );
        assert_eq!(too_large(40, &mut budget), None);
        assert!(
            too_large(MAX_FILE_BYTES + 1, &mut 0)
                .is_some_and(|reason| reason.contains("of one file"))
        );
    }

    #[test]
    fn endless_files_end() {
        let error =
            read_all_limited(io::repeat(b'a'), 0).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(error, Err(format!("it grew beyond {MAX_FILE_BYTES} bytes")));
    }
}
