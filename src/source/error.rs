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
    /// A file that decides something is a link, or not in one piece.
    #[error("`{path}` of `{place}` is {what}, not a file\n  try: put the file itself there")]
    NotAPlainFile {
        /// Its path from the root.
        path: String,
        /// The directory or revision.
        place: String,
        /// What it is.
        what: &'static str,
    },
    /// The range is no range.
    #[error(
        "`{range}` is not a range of revisions: {why}\n  try: `BASE..HEAD`, `BASE...HEAD` from the merge base, or `BASE` against the working tree"
    )]
    MalformedRange {
        /// As typed.
        range: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A path that can't lie in a repository.
    #[error(
        "`{path}` is not a path from the root of the repository\n  try: without a leading `/` and without `..`"
    )]
    MalformedPath {
        /// As typed.
        path: String,
    },
    /// There is no `git` to ask.
    #[error(
        "could not run `git`: there is no such program in PATH\n  try: install git, or compare two directories"
    )]
    NoGit,
    /// No repository at or around the directory.
    #[error("`{}` is not in a git repository\n  try: `--repo DIR`, or compare two directories", path.display())]
    NotARepository {
        /// Where one was looked for.
        path: PathBuf,
    },
    /// A revision means nothing here.
    #[error(transparent)]
    NoSuchRevision(Box<NoSuchRevision>),
    /// Two histories have nothing in common here.
    #[error("`{base}` and `{head}` have no merge base{}", try_lines(.tries))]
    NoMergeBase {
        /// The first revision.
        base: String,
        /// The second.
        head: String,
        /// What may help.
        tries: Vec<String>,
    },
    /// Nothing lies at or below a path that was asked for.
    #[error("`{path}` exists in neither {sides}; paths count from the root of the repository{}", hint("did you mean", .nearest))]
    NoSuchPathInGit {
        /// As typed.
        path: String,
        /// Both sides, in words.
        sides: String,
        /// Existing paths with almost the same name.
        nearest: Vec<String>,
    },
    /// Commits could not be fetched.
    #[error(
        "could not fetch from `{url}`: {reason}\n  try: a token that may read the repository's contents"
    )]
    Fetch {
        /// Where from.
        url: String,
        /// What git said.
        reason: String,
        /// The server has no such commit.
        missing: bool,
    },
    /// A fetch took too long and was ended.
    #[error(
        "could not fetch from `{url}`: it took more than {seconds} seconds\n  try: again later; if it stays so, the repository is too large for what this server allows"
    )]
    FetchTooLong {
        /// Where from.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// A fetch brought too much and was ended.
    #[error(
        "could not fetch from `{url}`: it brings more than {limit} bytes, all that one fetch may\n  try: name a part of the repository with `paths` in the configuration"
    )]
    FetchTooLarge {
        /// Where from.
        url: String,
        /// The limit.
        limit: u64,
    },
    /// There is more in a repository than is looked at.
    #[error(
        "the repository is too large to review: at `{revision}` it has {what}\n  try: name a part of it with `paths` in the configuration"
    )]
    TooMuch {
        /// The commit.
        revision: String,
        /// Of what there is too much, with the limit.
        what: String,
    },
    /// A tree that no program makes.
    #[error(
        "could not list the files of `{revision}`: one of them is called `{name}`, which is no name for a file"
    )]
    NoFileName {
        /// The commit.
        revision: String,
        /// The name.
        name: String,
    },
    /// Our own copy of a repository is of no use.
    #[error("could not use the copy of the repository in `{}`: {reason}", path.display())]
    Damaged {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody else uses a folder that is for one process alone.
    #[error(
        "the folder `{}` is in use by another process\n  try: another folder for each process", path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A commit is here, its files' names are not.
    #[error("could not list the files of `{revision}`: {reason}\n  try: {REFETCH}")]
    IncompleteRevision {
        /// The revision.
        revision: String,
        /// What git said.
        reason: String,
    },
    /// Files' names are here, their contents are not.
    #[error(
        "the contents of {count} files, `{path}` among them, are not in the repository `{repo}`\n  try: {REFETCH}"
    )]
    MissingObjects {
        /// The first such file.
        path: String,
        /// How many contents are missing.
        count: usize,
        /// The repository.
        repo: String,
    },
    /// There is nothing on disk to compare with.
    #[error("`{repo}` has no working tree to compare with\n  try: two revisions, `BASE..HEAD`")]
    NoWorkingTree {
        /// The repository.
        repo: String,
    },
    /// Git failed otherwise.
    #[error("`git {subcommand}` failed in `{repo}`: {reason}")]
    Git {
        /// Which command.
        subcommand: String,
        /// The repository.
        repo: String,
        /// What git said.
        reason: String,
    },
}

/// A revision that means nothing in a repository.
#[derive(Debug, thiserror::Error)]
#[error(
    "the revision `{revision}` of `{range}` {why} in the repository `{repo}`{}{}",
    hint("did you mean", .nearest),
    try_lines(.tries)
)]
pub struct NoSuchRevision {
    /// The side of the range that is wrong.
    pub revision: String,
    /// The whole range.
    pub range: String,
    /// The repository.
    pub repo: String,
    /// What is wrong with it.
    pub why: String,
    /// Revisions with almost the same name.
    pub nearest: Vec<String>,
    /// What may help.
    pub tries: Vec<String>,
}

impl Error {
    /// Is the argument itself malformed, rather than what it names?
    pub fn is_usage(&self) -> bool {
        matches!(self, Error::MalformedRange { .. } | Error::MalformedPath { .. })
    }

    /// Will it be the same as long as the commits are? What a repository or its configuration holds is not to be
    /// reviewed, whoever tries it when.
    pub fn is_lasting(&self) -> bool {
        matches!(
            self,
            Error::TooMuch { .. }
                | Error::FetchTooLarge { .. }
                | Error::NoFileName { .. }
                | Error::TooLarge { .. }
                | Error::NotAPlainFile { .. }
                | Error::MalformedPath { .. }
                | Error::NoSuchPathInGit { .. }
        )
    }

    /// May a copy of the repository that is made anew do better? For what is read from a copy of our own.
    pub(super) fn is_damage(&self) -> bool {
        matches!(
            self,
            Error::Damaged { .. }
                | Error::Git { .. }
                | Error::IncompleteRevision { .. }
                | Error::MissingObjects { .. }
        )
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

/// A line `try: ...` for each.
fn try_lines(tries: &[String]) -> String {
    tries.iter().map(|what| format!("\n  try: {what}")).collect()
}

/// What brings the objects that a partial clone left out.
const REFETCH: &str = "`git fetch --refetch --no-filter` if this is a partial clone (nothing is fetched without \
     being asked); `git fsck` if it is not";

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
