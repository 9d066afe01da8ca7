//! A repository by commit ids: what is here, single files, and commits fetched from a server.
//!
//! The repository that was checked out is only read. What it lacks is fetched into a bare one of our own, for one
//! review or kept for more, so that nothing of the checkout's configuration sees the token, and the token reaches no
//! file.

use super::fetching::{self, Remote};
use super::mirror::{Id, Lease, Mode};
use super::objects::Objects;
use super::program::{Git, complaint, could_not_run};
use super::revision::{Revision, is_object_id};
use super::{load_commits, paths};
use crate::source::{Error, MAX_FILE_BYTES, Meter, Pair};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A repository that answers for commit ids.
pub struct Repository {
    objects: Objects,
    /// Removed with the repository that lies in it.
    _temporary: Option<tempfile::TempDir>,
    asked: Option<Asked>,
}

/// What a mirror was asked for.
struct Asked {
    id: u64,
    commits: Vec<String>,
    depth: u32,
}

impl Repository {
    /// The repository at or around a directory.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let objects = Objects::Git(Git::open(Some(directory))?);
        Ok(Self { objects, _temporary: None, asked: None })
    }

    /// A mirror that has these commits.
    pub(super) fn mirrored(lease: Arc<Lease>, id: u64, commits: Vec<String>, depth: u32) -> Self {
        let asked = Some(Asked { id, commits, depth });
        Self { objects: Objects::Mirror(lease), _temporary: None, asked }
    }

    /// The same commits in a mirror that is made anew, where this one is a mirror and what went wrong with it may be
    /// its fault.
    ///
    /// # Errors
    ///
    /// They could not be fetched again.
    pub fn anew(&self, error: &Error) -> Result<Option<Self>, Error> {
        let (Objects::Mirror(lease), Some(asked)) = (&self.objects, &self.asked) else {
            return Ok(None);
        };
        if !error.is_damage() {
            return Ok(None);
        }
        let commits: Vec<&str> = asked.commits.iter().map(String::as_str).collect();
        lease.anew(asked.id, &commits, asked.depth).map(Some)
    }

    /// What went wrong where files were read on demand, if anything did. What was made of them is not to be believed.
    pub fn failure(&self) -> Option<Error> {
        match &self.objects {
            Objects::Git(_) => None,
            Objects::Mirror(lease) => lease.failure(),
        }
    }

    /// Reads two commits as both sides of a comparison. Where `paths` are given, only what lies at or below them is
    /// looked at; they count from the root of the repository.
    ///
    /// # Errors
    ///
    /// A commit is not here whole and can't be fetched, or there is too much in it.
    pub fn pair(
        &self,
        before: &str,
        after: &str,
        limits: &[PathBuf],
        meter: &Meter,
    ) -> Result<Pair, Error> {
        let limits = paths::normalise(limits)?;
        let [before, after] = [before, after].map(Revision::of_commit);
        load_commits(&self.objects, before, after, &limits, meter)
    }

    /// Is this commit here, with the names of its files?
    pub fn has(&self, commit: &str) -> bool {
        let git = match &self.objects {
            Objects::Git(git) => git,
            Objects::Mirror(lease) => {
                return lease.commit(commit).is_ok_and(|found| found.is_some());
            }
        };
        is_object_id(commit)
            && git
                .ask("rev-parse", ["--verify", "--quiet", &format!("{commit}^{{tree}}")])
                .is_ok_and(|output| {
                    output.status.success()
                        && git
                            .ask("ls-tree", ["-r", "--name-only", commit])
                            .is_ok_and(|listed| listed.status.success())
                })
    }

    /// The parents of a commit, as its object names them, whether they are here or not.
    pub fn parents(&self, commit: &str) -> Result<Vec<String>, Error> {
        match &self.objects {
            Objects::Git(git) => {
                let bytes = git.run("cat-file", ["commit", commit])?;
                let text = String::from_utf8_lossy(&bytes);
                let header = text.lines().take_while(|line| !line.is_empty());
                let parents = header.filter_map(|line| line.strip_prefix("parent "));
                Ok(parents.map(str::to_string).collect())
            }
            Objects::Mirror(lease) => {
                let parents = lease.commit(commit)?.map(|commit| commit.parents);
                Ok(parents.unwrap_or_default().iter().map(Id::to_string).collect())
            }
        }
    }

    /// The commit that a name means; a branch also by its name on `origin`.
    pub fn commit(&self, name: &str) -> Option<String> {
        [name.to_string(), format!("origin/{name}")].iter().find_map(|name| self.verified(name))
    }

    fn verified(&self, name: &str) -> Option<String> {
        let wanted = format!("{name}^{{commit}}");
        let arguments = ["--verify", "--quiet", "--end-of-options", &wanted];
        let output = self.objects.git().ask("rev-parse", arguments).ok()?;
        let id = String::from_utf8_lossy(&output.stdout).trim().to_string();
        (output.status.success() && is_object_id(&id)).then_some(id)
    }

    /// Says that these files, each of a commit, are about to be read. Those that have to be fetched are fetched
    /// together.
    ///
    /// # Errors
    ///
    /// They are there and could not be fetched.
    pub fn expect(&self, wanted: &[(&str, &str)]) -> Result<(), Error> {
        if let Objects::Mirror(lease) = &self.objects {
            let blobs = lease.blobs(wanted)?;
            lease.sizes(&blobs.into_iter().flatten().collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Does something that is no file stand where a path leads: a link, a directory, another repository? What decides
    /// something must not be taken for missing then.
    pub fn is_no_file(&self, commit: &str, path: &str) -> Result<bool, Error> {
        match &self.objects {
            Objects::Mirror(lease) => {
                Ok(lease.entry(commit, path)?.is_some_and(|(mode, _)| mode != Mode::File))
            }
            Objects::Git(git) => {
                let directories = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
                let paths: Vec<&str> = directories.chain([path]).collect();
                let arguments = ["-z", "--full-tree", commit, "--"];
                let listed = git.run("ls-tree", arguments.iter().chain(&paths))?;
                let listed = String::from_utf8_lossy(&listed);
                Ok(listed.split('\0').filter_map(|line| line.split_once('\t')).any(
                    |(fields, at)| {
                        let mode = fields.split(' ').next().unwrap_or_default();
                        matches!(mode, "120000" | "160000") || mode == "040000" && at == path
                    },
                ))
            }
        }
    }

    /// The bytes of a regular file of a commit; `None` where there is none.
    pub fn file(&self, commit: &str, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let lease = match &self.objects {
            Objects::Git(git) => return file(git, commit, path),
            Objects::Mirror(lease) => lease,
        };
        let Some(id) = lease.blobs(&[(commit, path)])?.pop().flatten() else { return Ok(None) };
        match lease.sizes(&[id])?.pop().flatten() {
            Some(size) if size > MAX_FILE_BYTES => {
                let (path, limit) = (PathBuf::from(path), MAX_FILE_BYTES);
                Err(Error::TooLarge { path, size, limit })
            }
            Some(_) => {
                let found = lease.contents(&[id])?.pop();
                Ok(found.map(|found| found.bytes().to_vec()))
            }
            None => {
                let (path, repo) = (path.to_string(), self.objects.git().name());
                Err(Error::MissingObjects { path, count: 1, repo })
            }
        }
    }

    /// Fetches commits with their files, and `depth - 1` generations before them, into a repository of
    /// our own that lasts as long as the value.
    pub fn fetch(remote: &Remote, commits: &[&str], depth: u32) -> Result<Self, Error> {
        if let Some(wrong) = commits.iter().find(|commit| !is_object_id(commit)) {
            return Err(Error::Fetch {
                url: remote.url.clone(),
                reason: format!("`{wrong}` is no commit id"),
                missing: true,
            });
        }
        let temporary = tempfile::tempdir()
            .map_err(|source| Error::Unreadable { path: std::env::temp_dir(), source })?;
        let git = Git::bare(temporary.path())?;
        let mut command = fetching::command(&git, remote, &[]);
        command.arg(format!("--depth={depth}")).arg("--").arg(&remote.url).args(commits);
        let output = command.output().map_err(could_not_run)?;
        if !output.status.success() {
            let reason = complaint(&output.stderr);
            let missing = reason.contains("not our ref");
            return Err(Error::Fetch { url: remote.url.clone(), reason, missing });
        }
        Ok(Self { objects: Objects::Git(git), _temporary: Some(temporary), asked: None })
    }
}

fn file(git: &Git, commit: &str, path: &str) -> Result<Option<Vec<u8>>, Error> {
    let listed = git.run("ls-tree", ["-z", "--full-tree", commit, "--", path])?;
    let listed = String::from_utf8_lossy(&listed);
    // `100644 blob ID<tab>PATH`, and nothing for a path that does not exist.
    let mut fields = listed.split(['\t', '\0']).next().unwrap_or_default().split(' ');
    match (fields.next(), fields.next(), fields.next()) {
        (Some("100644" | "100755"), Some("blob"), Some(id)) => {
            Ok(Some(git.run("cat-file", ["blob", id])?))
        }
        _ => Ok(None),
    }
}
