//! What the test GitHub knows: plain data, changed by routes and read back by tests.

use super::git;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What kind of account a token acts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A person's token. `GET /user` works, check runs can't be created.
    Personal,
    /// The `GITHUB_TOKEN` of a workflow run.
    Actions,
    /// The token of an installed app.
    Installation,
}

/// How far a permission goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Nothing.
    None,
    /// Reading.
    Read,
    /// Reading and writing.
    Write,
}

/// What a token may do, by the names of a workflow's `permissions`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Permissions {
    /// Commits, and git over HTTP.
    pub contents: Access,
    /// Pull requests, reviews, and comments on pull requests.
    pub pull_requests: Access,
    /// Comments on issues, which those on pull requests are too.
    pub issues: Access,
    /// Check runs.
    pub checks: Access,
    /// Commit statuses.
    pub statuses: Access,
}

impl Permissions {
    /// The same access to everything.
    pub fn all(access: Access) -> Self {
        Permissions {
            contents: access,
            pull_requests: access,
            issues: access,
            checks: access,
            statuses: access,
        }
    }
}

/// An account's key.
#[derive(Clone, Debug, Serialize)]
pub struct Token {
    /// Who writes with it.
    pub login: String,
    /// What it is.
    pub kind: Kind,
    /// What it may do.
    pub permissions: Permissions,
}

impl Token {
    /// The token of a workflow run that may do what the README asks for: read contents, write the rest.
    pub fn actions() -> Self {
        let permissions = Permissions { contents: Access::Read, ..Permissions::all(Access::Write) };
        Token { login: "github-actions[bot]".into(), kind: Kind::Actions, permissions }
    }

    /// The token of a workflow run for a fork's pull request.
    pub fn fork() -> Self {
        Token { permissions: Permissions::all(Access::Read), ..Token::actions() }
    }

    /// A person's token that may do everything.
    pub fn personal(login: &str) -> Self {
        let permissions = Permissions::all(Access::Write);
        Token { login: login.into(), kind: Kind::Personal, permissions }
    }

    /// The token of an installation of the app `name`, which may do everything.
    pub fn installation(name: &str) -> Self {
        let permissions = Permissions::all(Access::Write);
        Token { login: format!("{name}[bot]"), kind: Kind::Installation, permissions }
    }
}

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
}

impl State {
    /// A new id and the time that goes with it. Time is a count of events, so that runs are alike.
    pub fn next(&mut self) -> (u64, String) {
        self.last_id += 1;
        (1000 + self.last_id, self.now())
    }

    /// The present, in GitHub's format.
    pub fn now(&self) -> String {
        let seconds = 1_767_225_600 + i64::try_from(self.last_id).expect("few events");
        let time = chrono::DateTime::from_timestamp(seconds, 0).expect("a time in range");
        time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

impl State {
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
