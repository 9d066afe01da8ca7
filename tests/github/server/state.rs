//! What the test GitHub knows: plain data, changed by routes and read back by tests.

use super::app::App;
use super::budgets::Budget;
use super::git;
use super::hooks::{Delivery, Outgoing, Weather};
use super::installations::{Installation, Mint};
use super::rights::Token;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A pull request. `head` and `base` are looked up in the bare repository when it is opened or
/// refreshed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Its author's login.
    pub user: String,
    /// The branch to merge, which has to be in the bare repository even if it is a fork's.
    pub head: String,
    /// The branch to merge into.
    pub base: String,
    /// `OWNER/NAME` of the fork it comes from.
    pub fork: Option<String>,
    /// Not ready for review.
    pub draft: bool,
    /// Closed.
    pub closed: bool,
    /// The commit of `head`.
    pub head_sha: String,
    /// The commit of `base`.
    pub base_sha: String,
    /// GitHub's merge of the two, none on a conflict.
    pub merge_commit_sha: Option<String>,
    /// Whether the two merge; none while GitHub is still finding out.
    pub mergeable: Option<bool>,
}

impl Default for Pull {
    fn default() -> Self {
        Pull {
            number: 1,
            title: "A change".into(),
            user: "contributor".into(),
            head: "feature".into(),
            base: "main".into(),
            fork: None,
            draft: false,
            closed: false,
            head_sha: String::new(),
            base_sha: String::new(),
            merge_commit_sha: None,
            mergeable: None,
        }
    }
}

/// A comment in the conversation of a pull request.
#[derive(Clone, Debug, Serialize)]
pub struct Comment {
    /// Its id; the oldest has the smallest.
    pub id: u64,
    /// The pull request's number.
    pub number: u64,
    /// Who wrote it.
    pub login: String,
    /// Markdown.
    pub body: String,
    /// When it was written.
    pub created_at: String,
    /// When it was last edited.
    pub updated_at: String,
}

/// A review.
#[derive(Clone, Debug, Serialize)]
pub struct Review {
    /// Its id.
    pub id: u64,
    /// The pull request's number.
    pub number: u64,
    /// Who wrote it.
    pub login: String,
    /// Markdown.
    pub body: String,
    /// `COMMENTED`, `APPROVED`, `CHANGES_REQUESTED` or `PENDING`.
    pub state: String,
    /// The commit that it is about.
    pub commit_id: String,
    /// When it was sent.
    pub submitted_at: String,
}

/// A comment on lines of a pull request's diff or on one of its files.
#[derive(Clone, Debug, Serialize)]
pub struct ReviewComment {
    /// Its id.
    pub id: u64,
    /// The pull request's number.
    pub number: u64,
    /// The review that it belongs to.
    pub review: u64,
    /// Who wrote it.
    pub login: String,
    /// The file.
    pub path: String,
    /// The last line; none for a whole file.
    pub line: Option<u64>,
    /// `LEFT` (before) or `RIGHT` (after).
    pub side: Option<String>,
    /// The first of several lines.
    pub start_line: Option<u64>,
    /// The side of the first line.
    pub start_side: Option<String>,
    /// Markdown.
    pub body: String,
    /// The commit that it was written on.
    pub commit_id: String,
    /// The part of the diff that it was written on.
    pub diff_hunk: String,
    /// The comment that this one answers.
    pub in_reply_to: Option<u64>,
    /// When it was written.
    pub created_at: String,
    /// When it was last edited.
    pub updated_at: String,
}

/// A check run.
#[derive(Clone, Debug, Serialize)]
pub struct CheckRun {
    /// Its id.
    pub id: u64,
    /// Who created it.
    pub login: String,
    /// The id of the app that created it.
    pub app_id: u64,
    /// Its name.
    pub name: String,
    /// The commit that it is about.
    pub head_sha: String,
    /// `queued`, `in_progress` or `completed`.
    pub status: String,
    /// Its verdict, once completed.
    pub conclusion: Option<String>,
    /// The client's own reference.
    pub external_id: Option<String>,
    /// A link to more.
    pub details_url: Option<String>,
    /// The title of its output.
    pub title: Option<String>,
    /// The summary of its output: Markdown.
    pub summary: Option<String>,
    /// The details of its output: Markdown.
    pub text: Option<String>,
    /// Every annotation ever sent, in order, as it was sent.
    pub annotations: Vec<Value>,
    /// When it began.
    pub started_at: String,
    /// When it was completed.
    pub completed_at: Option<String>,
}

/// A commit status.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Its id.
    pub id: u64,
    /// Who set it.
    pub login: String,
    /// The commit.
    pub sha: String,
    /// `error`, `failure`, `pending` or `success`.
    pub state: String,
    /// Its name.
    pub context: String,
    /// One line.
    pub description: Option<String>,
    /// A link to more.
    pub target_url: Option<String>,
    /// When it was set.
    pub created_at: String,
}

/// A reaction to a comment in a conversation.
#[derive(Clone, Debug, Serialize)]
pub struct Reaction {
    /// Its id.
    pub id: u64,
    /// The comment.
    pub comment: u64,
    /// Who reacted.
    pub login: String,
    /// `+1`, `eyes` and so on.
    pub content: String,
    /// When.
    pub created_at: String,
}

/// A repository with everything in it, oldest first.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Repository {
    /// `OWNER/NAME`.
    pub full_name: String,
    /// The bare repository behind it.
    pub path: PathBuf,
    /// Pull requests by number.
    pub pulls: BTreeMap<u64, Pull>,
    /// Comments in conversations.
    pub comments: Vec<Comment>,
    /// Reviews.
    pub reviews: Vec<Review>,
    /// Comments on lines and files.
    pub review_comments: Vec<ReviewComment>,
    /// Check runs.
    pub check_runs: Vec<CheckRun>,
    /// Commit statuses.
    pub statuses: Vec<Status>,
    /// Reactions to comments in conversations.
    pub reactions: Vec<Reaction>,
    /// Roles by login: `admin`, `maintain`, `write`, `triage` or `read`. Whoever is not here may read.
    pub roles: BTreeMap<String, String>,
}

/// A request as it was logged.
#[derive(Clone, Debug, Serialize)]
pub struct Logged {
    /// Counted from 0, in the order of arrival.
    pub index: usize,
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The path without `/api/v3`.
    pub path: String,
    /// What follows `?`, possibly nothing.
    pub query: String,
    /// Who sent it, as far as the token says.
    pub login: Option<String>,
    /// The secret that came with it, known or not.
    #[serde(skip)]
    pub secret: Option<String>,
    /// The JSON that came with it.
    pub body: Option<Value>,
    /// What was answered; none while it is being answered and where the connection was dropped.
    pub status: Option<u16>,
    /// The fault that was played on it.
    pub fault: Option<String>,
    /// How many bytes git was answered with.
    pub answered: usize,
}

/// Everything.
#[derive(Debug, Default, Serialize)]
pub struct State {
    /// Where the server is: the beginning of every link.
    pub url: String,
    /// Repositories by `OWNER/NAME`.
    pub repositories: BTreeMap<String, Repository>,
    /// All requests so far.
    pub requests: Vec<Logged>,
    /// What was wrong with requests or answers, by GitHub's description.
    pub violations: Vec<String>,
    /// Tokens by their secret, which is not shown.
    #[serde(skip)]
    pub tokens: BTreeMap<String, Token>,
    /// The last id given and the clock in one: ids and times only grow.
    pub last_id: u64,
    /// How many seconds the clock of tokens, deliveries and the header `Date` is ahead.
    pub clock_shift: i64,
    /// Whether what is written gets the time of that clock instead of a count of events.
    pub real_times: bool,
    /// Apps, oldest first.
    pub apps: Vec<App>,
    /// Installations by their id; those that were deleted are gone.
    pub installations: BTreeMap<u64, Installation>,
    /// Where installations stand in their hour; 0 is everybody else.
    pub budgets: BTreeMap<u64, Budget>,
    /// All tokens that were made for installations.
    pub mints: Vec<Mint>,
    /// Logins of the active members of teams by `ORGANISATION/SLUG`, with whether each maintains it.
    pub teams: BTreeMap<String, BTreeMap<String, bool>>,
    /// All deliveries of events, finished ones only, in the order in which they were finished.
    pub deliveries: Vec<Delivery>,
    /// The id of the last delivery that was begun.
    pub last_delivery: u64,
    /// What befalls events on their way.
    pub weather: Weather,
    /// Events that are still to be sent.
    #[serde(skip)]
    pub outbox: Vec<Outgoing>,
}

impl State {
    /// A new id and the time that goes with it. Time is a count of events, so that runs are alike.
    pub fn next(&mut self) -> (u64, String) {
        self.last_id += 1;
        (1000 + self.last_id, self.now())
    }

    /// The clock of tokens, deliveries and the header `Date`.
    pub fn clock(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::seconds(self.clock_shift)
    }

    /// The present, in GitHub's format.
    pub fn now(&self) -> String {
        if self.real_times {
            return written(self.clock());
        }
        let seconds = 1_767_225_600 + i64::try_from(self.last_id).expect("few events");
        written(DateTime::from_timestamp(seconds, 0).expect("a time in range"))
    }
}

/// A time in GitHub's format.
pub fn written(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl State {
    /// Opens a pull request or looks at its branches again, and sends the event of that where events
    /// are sent automatically: `opened`, or `synchronize` where it has a new head.
    pub fn open_pull(&mut self, repository: &str, pull: Pull) -> Result<Pull, String> {
        let known = self.repositories.get_mut(repository).ok_or("no such repository")?;
        let before = known.pulls.get(&pull.number).map(|pull| pull.head_sha.clone());
        let pull = known.open_pull(pull)?;
        match before {
            Some(before) if before == pull.head_sha => {}
            Some(before) => {
                self.automatic(|state| state.synchronize_event(repository, &pull, &before));
            }
            None => self.automatic(|state| state.pull_event(repository, pull.number, "opened")),
        }
        Ok(pull)
    }

    /// A repository that has to be there.
    pub fn repository(&mut self, full_name: &str) -> &mut Repository {
        let found = self.repositories.get_mut(full_name);
        found.unwrap_or_else(|| panic!("no repository `{full_name}`"))
    }
}

impl Repository {
    /// Looks up a pull request's branches, merges them, sets `refs/pull/N/head` and `/merge`, and
    /// keeps it under its number. Says which branch is unknown.
    pub fn open_pull(&mut self, mut pull: Pull) -> Result<Pull, String> {
        let path = &self.path;
        let commit = |name: &str| {
            let found = git::commit(path, &format!("refs/heads/{name}"));
            found.ok_or_else(|| format!("no branch `{name}` in {}", path.display()))
        };
        pull.head_sha = commit(&pull.head)?;
        pull.base_sha = commit(&pull.base)?;
        pull.merge_commit_sha = git::merge(path, &pull.base_sha, &pull.head_sha);
        pull.mergeable = Some(pull.merge_commit_sha.is_some());
        let number = pull.number;
        git::set_reference(path, &format!("refs/pull/{number}/head"), &pull.head_sha);
        // On a conflict GitHub leaves the last merge there is; with the first one there is none.
        if let Some(merge) = &pull.merge_commit_sha {
            git::set_reference(path, &format!("refs/pull/{number}/merge"), merge);
        }
        self.pulls.insert(number, pull.clone());
        Ok(pull)
    }
}
