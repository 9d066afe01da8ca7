//! One mirror: a bare repository of our own that lacks what nobody asked for.

use super::id::Id;
use crate::source::Error;
use crate::source::git::fetching::{self, Failed, Limits, Remote};
use crate::source::git::program::Git;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// All that a mirror's configuration says: git may lack what the server has. The server's address is given with each
/// fetch, so that a repository that moves stays the same.
const CONFIG: &str = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tpartialClone = upstream\n\
                      [remote \"upstream\"]\n\tpromisor = true\n\tpartialclonefilter = blob:none\n";

/// The setting that has a fetch's address.
const URL: &str = "remote.upstream.url";

/// Stands in a mirror as long as git writes into it. One that was left behind says that nobody knows what is whole.
const WRITING: &str = "writing";

/// How many commits are remembered for a fetch to start from: git sends what they lack.
const REMEMBERED: usize = 16;

/// Packs that a mirror may have before they become one. Each fetch brings one.
const MOST_PACKS: usize = 40;

/// Blobs asked for in one fetch.
const AT_ONCE: usize = 50_000;

/// A bare repository in a directory of its own.
#[derive(Debug)]
pub(super) struct Mirror {
    pub(super) git: Git,
    directory: PathBuf,
    /// Told apart by it from all others of this process, those of the same repository included.
    pub(super) number: u64,
    /// Held by who fetches.
    pub(super) fetching: Mutex<()>,
    /// In bytes, as of the last fetch.
    pub(super) size: AtomicU64,
    /// When it was used last, as a number that only grows.
    pub(super) used: AtomicU64,
    /// The next of the remembered commits to be replaced.
    turn: AtomicUsize,
    /// To be deleted once nobody reads it.
    condemned: AtomicBool,
}

impl Mirror {
    fn at(directory: PathBuf, number: u64) -> Self {
        Self {
            git: Git::named(&directory),
            directory,
            number,
            fetching: Mutex::default(),
            size: AtomicU64::default(),
            used: AtomicU64::new(number),
            turn: AtomicUsize::default(),
            condemned: AtomicBool::default(),
        }
    }

    /// An empty one.
    pub(super) fn create(directory: PathBuf, number: u64) -> io::Result<Self> {
        for inside in ["objects/pack", "refs"] {
            fs::create_dir_all(directory.join(inside))?;
        }
        fs::write(directory.join("HEAD"), "ref: refs/heads/none\n")?;
        fs::write(directory.join("config"), CONFIG)?;
        Ok(Self::at(directory, number))
    }

    /// One that an earlier process left. `None`: it was ended while it wrote.
    pub(super) fn adopt(directory: PathBuf, number: u64) -> Option<Self> {
        let left = |inside: &str| -> bool {
            let Ok(entries) = fs::read_dir(directory.join(inside)) else {
                return inside != "refs/kept";
            };
            entries.flatten().any(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name == WRITING || name.ends_with(".lock") || name.starts_with("tmp_")
            })
        };
        if ["", "objects", "objects/pack", "refs/kept"].into_iter().any(left) {
            return None;
        }
        // Whatever it says by now.
        fs::write(directory.join("config"), CONFIG).ok()?;
        let mirror = Self::at(directory, number);
        mirror.measure();
        Some(mirror)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn condemn(&self) {
        self.condemned.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_condemned(&self) -> bool {
        self.condemned.load(Ordering::Relaxed)
    }

    /// The error of a mirror that is of no use.
    pub(super) fn damaged(&self, reason: impl ToString) -> Error {
        Error::Damaged { path: self.directory.clone(), reason: reason.to_string() }
    }

    /// Fetches commits with the names of their files. The caller holds `fetching`.
    pub(super) fn fetch_commits(
        &self,
        remote: &Remote,
        commits: &[Id],
        depth: u32,
        limits: Limits,
    ) -> Result<(), Error> {
        let mut command = fetching::command(&self.git, remote, &[(URL, &remote.url)]);
        command.args([&format!("--depth={depth}"), "--filter=blob:none", "--", "upstream"]);
        for commit in commits {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % REMEMBERED;
            command.arg(format!("+{commit}:refs/kept/{turn}"));
        }
        self.write(
            |packs| fetching::run(command, Vec::new(), &remote.url, packs, limits),
            remote,
            limits.bytes,
        )
    }

    /// Fetches blobs, whatever commits they are of. The caller holds `fetching`.
    pub(super) fn fetch_blobs(
        &self,
        remote: &Remote,
        blobs: &[Id],
        limits: Limits,
    ) -> Result<(), Error> {
        for some in blobs.chunks(AT_ONCE) {
            // What the commits have that are here says nothing of blobs.
            let settings = [(URL, &*remote.url), ("fetch.negotiationAlgorithm", "noop")];
            let mut command = fetching::command(&self.git, remote, &settings);
            command.args(["--filter=blob:none", "--stdin", "--", "upstream"]);
            let input: String = some.iter().map(|id| format!("{id}\n")).collect();
            let run = |packs: &Path| {
                fetching::run(command, input.into_bytes(), &remote.url, packs, limits)
            };
            self.write(run, remote, limits.bytes)?;
        }
        // What was fetched is here. A mirror that has become too large, or can't be put in order, is used up and then
        // made anew.
        if self.repack(remote, limits).is_err() {
            self.condemn();
        }
        Ok(())
    }

    /// Makes one pack of many: each has to be looked into for every object.
    fn repack(&self, remote: &Remote, limits: Limits) -> Result<(), Error> {
        let packs = fs::read_dir(self.packs()).into_iter().flatten().flatten();
        let packs = packs.filter(|entry| entry.path().extension().is_some_and(|end| end == "pack"));
        if packs.count() <= MOST_PACKS {
            return Ok(());
        }
        let mut command = self.git.command("repack");
        command.args(["-a", "-d", "-q"]);
        self.write(
            |packs| fetching::run(command, Vec::new(), &remote.url, packs, limits),
            remote,
            limits.bytes,
        )
    }

    fn packs(&self) -> PathBuf {
        self.directory.join("objects/pack")
    }

    fn write(
        &self,
        run: impl FnOnce(&Path) -> Result<(), Failed>,
        remote: &Remote,
        limit: u64,
    ) -> Result<(), Error> {
        let marker = self.directory.join(WRITING);
        fs::write(&marker, "").map_err(|error| self.damaged(error))?;
        let (before, result) = (self.size.load(Ordering::Relaxed), run(&self.packs()));
        self.measure();
        let grown = self.size.load(Ordering::Relaxed).saturating_sub(before);
        match result {
            // It may have come faster than anybody looked.
            Ok(()) if grown > limit => {
                self.condemn();
                Err(Error::FetchTooLarge { url: remote.url.clone(), limit })
            }
            Ok(()) => fs::remove_file(&marker).map_err(|error| self.damaged(error)),
            Err(Failed::Ended(error)) => {
                self.condemn();
                Err(error)
            }
            Err(Failed::Said(reason)) => {
                // git takes away what it wrote itself.
                let _ = fs::remove_file(&marker);
                let missing = reason.contains("not our ref");
                match missing || is_of_server(&reason) {
                    true => Err(Error::Fetch { url: remote.url.clone(), reason, missing }),
                    false => Err(self.damaged(reason)),
                }
            }
        }
    }

    /// Nearly all of a mirror is in its packs, which are few.
    fn measure(&self) {
        let entries = [self.packs(), self.directory.clone()]
            .into_iter()
            .filter_map(|at| fs::read_dir(at).ok());
        let sizes =
            entries.flatten().flatten().filter_map(|entry| Some(entry.metadata().ok()?.len()));
        self.size.store(sizes.sum(), Ordering::Relaxed);
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        if self.is_condemned() {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// Is this what git says where the server, the way to it or the token is at fault, and not what is here?
fn is_of_server(reason: &str) -> bool {
    const WORDS: [&str; 16] = [
        "unable to access",
        "authentication failed",
        "could not read from remote",
        "could not read username",
        "could not read password",
        "could not resolve",
        "repository '",
        "does not appear to be a git repository",
        "remote error",
        "remote:",
        "rpc failed",
        "hung up",
        "early eof",
        "unexpected disconnect",
        "protocol error",
        "the requested url returned error",
    ];
    let reason = reason.to_lowercase();
    WORDS.iter().any(|words| reason.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_fault_a_failure_is() {
        for (reason, server) in [
            ("unable to access 'http://x/': The requested URL returned error: 502", true),
            ("repository 'http://x/a.git/' not found", true),
            ("could not read Username for 'http://x': terminal prompts disabled", true),
            ("early EOF\n  index-pack failed", true),
            ("Unable to create '/m/shallow.lock': File exists.", false),
            ("write error: No space left on device\n  index-pack failed", false),
            ("packfile ./objects/pack/pack-1.pack cannot be accessed", false),
            ("inflate: data stream error (incorrect data check)", false),
        ] {
            assert_eq!(is_of_server(reason), server, "{reason}");
        }
    }
}
