//! Keeps the house: what no compiler checks and every reader relies on.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

mod action;
mod directions;
mod documents;
mod files;
mod json;
mod schema;

use std::fs;
use std::path::{Path, PathBuf};

/// The repository's root.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the repository.
fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}

/// All files below a folder of the repository, relative to the root and in order. Build output and
/// hidden files are left out, except `.ci`.
fn files_below(folder: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            let hidden = name.starts_with('.') && name != ".ci";
            if hidden || ["target", "corpus", "artifacts"].contains(&&*name) || path.is_symlink() {
                continue;
            }
            match path.is_dir() {
                true => walk(&path, into),
                false => into.push(path.strip_prefix(root()).unwrap().to_path_buf()),
            }
        }
    }
    let mut files = Vec::new();
    walk(&root().join(folder), &mut files);
    files.sort();
    files
}

/// The Rust files below a folder.
fn sources_below(folder: &str) -> Vec<PathBuf> {
    let mut files = files_below(folder);
    files.retain(|path| path.extension().is_some_and(|e| e == "rs"));
    files
}

/// The rows of the first table of a text whose header starts with this cell, as trimmed cells
/// without backticks.
fn table(text: &str, first_header: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim().trim_start_matches('|').trim_end_matches('|');
        line.split('|').map(|cell| cell.replace('`', "").trim().to_string()).collect()
    };
    text.lines()
        .skip_while(|line| !line.starts_with('|') || cells(line)[0] != first_header)
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect()
}

/// The identifiers of a text: runs of letters, digits and `_`.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Fails with all complaints at once.
#[track_caller]
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
