//! How `git` is called: with nothing in reach that could run a command, ask a question, use the
//! network or change the repository.

use crate::source::directory;
use crate::source::error::{Error, io_reason};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A repository, through the `git` program.
#[derive(Clone, Debug)]
pub(in crate::source) struct Git {
    directory: PathBuf,
    /// Was the repository named, or is it where the environment says?
    named: bool,
}

/// Configuration that could make one of our commands run a program, each with a harmless value. A
/// repository's own configuration comes with a tarball or a shared disk and is not trusted.
const HARMLESS: [&str; 8] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.alternateRefsCommand=",
    "core.sshCommand=false",
    "protocol.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
];

/// Where the environment may say that the repository is; a hook's environment does. They must not
/// redirect us once a repository was named.
const WHERE: [&str; 7] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
];

impl Git {
    /// The repository at or around a directory, by default the current one.
    pub(super) fn open(repo: Option<&Path>) -> Result<Self, Error> {
        if let Some(repo) = repo {
            directory::existing(repo)?;
        }
        let git =
            Self { directory: repo.unwrap_or(Path::new(".")).to_path_buf(), named: repo.is_some() };
        match git.run("rev-parse", ["--git-dir"]) {
            Err(Error::Git { reason, .. }) if reason.contains("not a git repository") => {
                Err(Error::NotARepository { path: git.directory })
            }
            Err(error) => Err(error),
            Ok(_) => Ok(git),
        }
    }

    /// The repository in exactly this directory, whether there is one or not.
    pub(super) fn named(directory: &Path) -> Self {
        Self { directory: directory.to_path_buf(), named: true }
    }

    /// A new bare repository in an empty directory.
    pub(super) fn bare(directory: &Path) -> Result<Self, Error> {
        let git = Self::named(directory);
        git.run("init", ["--quiet", "--bare", "--template="])?;
        Ok(git)
    }

    /// The repository as the user named it.
    pub(super) fn name(&self) -> String {
        self.directory.display().to_string()
    }

    /// The same repository, seen from another directory of it.
    pub(super) fn at(&self, directory: &Path) -> Self {
        Self { directory: directory.to_path_buf(), named: self.named }
    }

    /// A call that is not yet made. Its standard streams are closed or captured.
    pub(super) fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.directory).arg("--no-pager");
        for setting in HARMLESS {
            command.args(["-c", setting]);
        }
        command
            .arg(subcommand)
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_ALLOW_PROTOCOL", "none")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_LITERAL_PATHSPECS", "1")
            // What is reviewed is what is in the history, not what stands in for it here.
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in ["GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"] {
            command.env_remove(name);
        }
        if self.named {
            for name in WHERE {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs a call whose failure means no (a revision that does not exist).
    pub(super) fn ask<I>(&self, subcommand: &str, arguments: I) -> Result<Output, Error>
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        self.command(subcommand).args(arguments).output().map_err(could_not_run)
    }

    /// Runs a call that has to succeed; its standard output.
    pub(in crate::source) fn run<I>(&self, subcommand: &str, arguments: I) -> Result<Vec<u8>, Error>
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        let output = self.ask(subcommand, arguments)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(self.failed(subcommand, &output.stderr))
    }

    /// The error for a call that failed.
    pub(super) fn failed(&self, subcommand: &str, stderr: &[u8]) -> Error {
        Error::Git {
            subcommand: subcommand.to_string(),
            repo: self.name(),
            reason: complaint(stderr),
        }
    }

    /// Is the history cut off somewhere?
    pub(super) fn is_shallow(&self) -> bool {
        self.run("rev-parse", ["--is-shallow-repository"])
            .is_ok_and(|answer| answer.starts_with(b"true"))
    }
}

/// What git said, without `fatal:`.
pub(super) fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.trim_start_matches("fatal: ").trim_start_matches("error: "))
        .filter(|line| !line.trim().is_empty())
        .collect();
    if lines.is_empty() { "git gave no reason".to_string() } else { lines.join("\n  ") }
}

pub(super) fn could_not_run(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::NoGit,
        _ => Error::Git {
            subcommand: "git".to_string(),
            repo: ".".to_string(),
            reason: io_reason(&error),
        },
    }
}
