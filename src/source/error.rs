//! What can go wrong while a snapshot is read.

use std::io;
use std::path::PathBuf;

/// A snapshot could not be read. The message says what was attempted, on what, what was wrong and,
/// on lines of their own, what to try.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The argument names nothing.
    #[error("`{path}` does not exist{}", hint("did you mean", .nearest))]
    NoSuchPath {
        /// The argument.
        path: String,
        /// Existing paths with almost the same name.
        nearest: Vec<String>,
    },
    /// The argument exists and can't be read.
    #[error("could not read `{}`: {}", path.display(), io_reason(.source))]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The argument is neither a directory nor a regular file.
    #[error(
        "`{}` is {what}, not a directory or a file\n  try: a directory with manifests, or one manifest file",
        path.display()
    )]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A single file that was named is too large.
    #[error(
        "`{}` has {size} bytes, more than the {limit} that are read\n  try: split it, or name the file that holds the manifests",
        path.display()
    )]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
}

impl Error {
    /// Is the argument itself malformed, rather than what it names?
    pub fn is_usage(&self) -> bool {
        false
    }
}

/// `\n  WORDS: \`a\`, \`b\`?`, or nothing where there is nothing to suggest.
pub(crate) fn hint(words: &str, suggestions: &[String]) -> String {
    if suggestions.is_empty() {
        return String::new();
    }
    let quoted: Vec<String> = suggestions.iter().map(|s| format!("`{s}`")).collect();
    format!("\n  {words}: {}?", quoted.join(", "))
}

/// A system error without its number: `permission denied`.
pub(crate) fn io_reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => "unknown error".to_string(),
    }
}
