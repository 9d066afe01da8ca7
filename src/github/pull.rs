//! Which commits are compared, and a repository that has them.

use super::action::Error;
use super::api::{Api, Pull};
use super::client;
use super::event::{Event, Subject};
use crate::source::git::{Mirrors, Remote, Repository};
use crate::source::{self};
use secrecy::SecretString;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How often GitHub is asked for a merge commit that it is still building.
const MERGE_TRIES: u32 = 3;

/// How often a fetch is tried. Unlike a call's, its effect is only here.
const FETCH_TRIES: u32 = 3;

/// The commits of a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commits {
    /// The side before the change.
    pub before: String,
    /// What merging would give; the head where GitHub built no merge commit.
    pub after: String,
    /// The head of the pull request: where lines, links and checks belong.
    pub head: String,
    /// Whose configuration holds: the tip of the base branch.
    pub base: String,
    /// False where the head is compared with the merge base instead.
    pub merged: bool,
}

/// A place for what is fetched of a repository.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// The place for all.
    pub mirrors: Arc<Mirrors>,
    /// The repository's number, which stays when its name changes.
    pub id: u64,
}

/// Fetches what is missing.
pub struct Fetcher<'a> {
    event: &'a Event,
    mirror: Option<&'a Mirror>,
    token: Option<&'a SecretString>,
    checkout: Option<Repository>,
    /// The first wait before something is asked again.
    pause: Duration,
}

impl<'a> Fetcher<'a> {
    /// Uses the event's checkout where there is one.
    pub fn new(
        event: &'a Event,
        mirror: Option<&'a Mirror>,
        token: Option<&'a SecretString>,
        pause: Duration,
    ) -> Self {
        let checkout = event.workspace.as_deref().and_then(|path| Repository::open(path).ok());
        Self { event, mirror, token, checkout, pause }
    }

    /// What is checked out.
    pub fn checked_out(&self) -> Option<String> {
        self.checkout.as_ref().and_then(|checkout| checkout.commit("HEAD"))
    }

    /// The commits to compare, and a repository that has them.
    pub async fn commits(
        mut self,
        api: &Api<'_>,
        pull: Option<&Pull>,
    ) -> Result<(Commits, Repository), Error> {
        match (&self.event.subject, pull) {
            (Subject::Group { base, head }, _) => {
                let commits = Commits {
                    before: base.clone(),
                    after: head.clone(),
                    head: head.clone(),
                    base: base.clone(),
                    merged: true,
                };
                let repository = self.with(&[base, head], 1).await?;
                Ok((commits, repository))
            }
            (Subject::Pull(_), Some(pull)) => {
                if let Some(found) = self.merge_commit(api, pull).await? {
                    return Ok(found);
                }
                let head = pull.head.sha.clone();
                let comparison = api.compare(&pull.base.name, &head).await?;
                let (base, before) = (comparison.base_commit.sha, comparison.merge_base_commit.sha);
                let repository = self.with(&[&before, &head, &base], 1).await?;
                let commits = Commits { before, after: head.clone(), head, base, merged: false };
                Ok((commits, repository))
            }
            (Subject::Pull(number), None) => Err(Error::GitHub(client::Error::Unclear {
                what: "read the pull request",
                reason: format!("number {number} was not read"),
            })),
        }
    }

    /// The commit that merging would make, if GitHub has built one of this head and of what its base branch is now.
    ///
    /// GitHub builds it again some time after either moved, or after the pull request got another base. The configuration
    /// of an older base must not judge: who changes the base could choose it.
    async fn merge_commit(
        &mut self,
        api: &Api<'_>,
        pull: &Pull,
    ) -> Result<Option<(Commits, Repository)>, Error> {
        let tip = api.tip(&pull.base.name).await?;
        let mut seen = pull.clone();
        let mut known = BTreeSet::new();
        for attempt in 1..=MERGE_TRIES {
            let candidates = [self.event.commit.clone(), seen.merge_commit_sha.clone()];
            for candidate in candidates.into_iter().flatten() {
                if known.insert(candidate.clone())
                    && let Some(found) = self.merge_of(&candidate, &tip, &pull.head.sha).await?
                {
                    return Ok(Some(found));
                }
            }
            // It can't be merged; otherwise GitHub does not yet know, and asking makes it find out.
            let never = seen.mergeable == Some(false) || seen.state != "open";
            if attempt == MERGE_TRIES || never {
                break;
            }
            tokio::time::sleep(self.pause).await;
            seen = api.pull(pull.number).await?;
        }
        Ok(None)
    }

    /// The sides of a merge commit, if it is that of this tip and this head.
    async fn merge_of(
        &mut self,
        merge: &str,
        tip: &str,
        head: &str,
    ) -> Result<Option<(Commits, Repository)>, Error> {
        let sides = |repository: &Repository| -> Option<Commits> {
            match repository.parents(merge).ok()?.as_slice() {
                [base, second] if base == tip && second == head => Some(Commits {
                    before: base.clone(),
                    after: merge.to_string(),
                    head: head.to_string(),
                    base: base.clone(),
                    merged: true,
                }),
                _ => None,
            }
        };
        if let Some(checkout) = &self.checkout
            && let Some(commits) = sides(checkout)
            && [&commits.before, &commits.after, &commits.head].iter().all(|id| checkout.has(id))
        {
            return Ok(self.checkout.take().map(|checkout| (commits, checkout)));
        }
        // Two generations hold the merge commit and both its parents, whole. An old one may be gone.
        match self.fetch(&[merge], 2).await {
            Ok(fetched) => Ok(sides(&fetched).map(|commits| (commits, fetched))),
            Err(source::Error::Fetch { missing: true, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn fetch(&self, commits: &[&str], depth: u32) -> Result<Repository, source::Error> {
        let mut tried = 1;
        loop {
            match self.try_fetch(commits, depth).await {
                Err(source::Error::Fetch { missing: false, .. }) if tried < FETCH_TRIES => {
                    tokio::time::sleep(self.pause * tried).await;
                    tried += 1;
                }
                result => return result,
            }
        }
    }

    async fn try_fetch(&self, commits: &[&str], depth: u32) -> Result<Repository, source::Error> {
        let Some(Mirror { mirrors, id }) = self.mirror.cloned() else {
            return Repository::fetch(&self.remote(), commits, depth);
        };
        let commits: Vec<String> = commits.iter().map(|commit| commit.to_string()).collect();
        let (remote, url) = (self.remote(), self.remote().url);
        // Other reviews go on meanwhile.
        let fetch = move || {
            let commits: Vec<&str> = commits.iter().map(String::as_str).collect();
            mirrors.fetch(id, &remote, &commits, depth)
        };
        let fetched = tokio::task::spawn_blocking(fetch).await;
        fetched.unwrap_or_else(|error| {
            Err(source::Error::Fetch { url, reason: error.to_string(), missing: false })
        })
    }

    /// A repository with these commits.
    async fn with(&mut self, commits: &[&str], depth: u32) -> Result<Repository, Error> {
        match self.checkout.take() {
            Some(checkout) if commits.iter().all(|id| checkout.has(id)) => Ok(checkout),
            _ => Ok(self.fetch(commits, depth).await?),
        }
    }

    fn remote(&self) -> Remote {
        let Event { addresses, repository, .. } = self.event;
        Remote {
            url: format!("{}/{}.git", addresses.git, repository.as_str()),
            token: self.token.cloned(),
        }
    }
}
