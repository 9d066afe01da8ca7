//! A webhook to what there is to do. Reads the few fields that are needed; an action that nobody knew when this was
//! written means nothing to do, and is no error.

use super::job::{Job, Place, Task};
use serde::Deserialize;

/// What a webhook asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Something to do, before others of a greater number.
    Do(Job),
    /// An installation is gone or suspended: nothing of it is to be done any more.
    Forget {
        /// Its number.
        installation: i64,
    },
}

/// The body of a webhook is not what GitHub documents.
#[derive(Debug, thiserror::Error)]
#[error("could not understand the webhook `{event}`: {reason}")]
pub struct Unreadable {
    event: String,
    reason: String,
}

/// The fields in use, of all events.
#[derive(Debug, Default, Deserialize)]
struct Payload {
    #[serde(default)]
    action: String,
    installation: Option<Numbered>,
    repository: Option<Repository>,
    pull_request: Option<Pull>,
    changes: Option<Changes>,
    check_run: Option<Check>,
    check_suite: Option<Check>,
    merge_group: Option<Group>,
    issue: Option<Issue>,
    comment: Option<Comment>,
    review: Option<Review>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    #[serde(default)]
    deleted: bool,
    repositories_added: Option<Vec<Repository>>,
}

#[derive(Debug, Deserialize)]
struct Numbered {
    id: i64,
}

#[derive(Clone, Debug, Deserialize)]
struct Repository {
    id: i64,
    full_name: String,
}

#[derive(Debug, Deserialize)]
struct Pull {
    number: u64,
}

#[derive(Debug, Deserialize)]
struct Changes {
    base: Option<serde::de::IgnoredAny>,
    body: Option<From>,
}

#[derive(Debug, Deserialize)]
struct From {
    from: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Check {
    head_sha: String,
    external_id: Option<String>,
}

impl Check {
    /// What it is about, as our runs are named; otherwise whatever has its head.
    fn task(&self) -> Option<Task> {
        let subject = self.external_id.as_deref().and_then(|id| Some(id.split_once('#')?.0));
        let task = subject.and_then(|subject| match subject.split('/').collect::<Vec<_>>()[..] {
            ["pull", _, number] => number.parse().ok().map(Task::Pull),
            ["group", _, base, head] => Task::group(base, head),
            _ => None,
        });
        task.or_else(|| Task::head(&self.head_sha))
    }
}

#[derive(Debug, Deserialize)]
struct Group {
    base_sha: String,
    head_sha: String,
}

#[derive(Debug, Deserialize)]
struct Issue {
    number: u64,
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Comment {
    body: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Review {
    state: Option<String>,
}

/// What comments that are commands have at the beginning of a line.
pub const COMMAND: &str = "/netpol-review";

/// Reads a webhook: the event of `X-GitHub-Event`, and the body, whose sender is known to be GitHub.
pub fn read(event: &str, body: &[u8]) -> Result<Vec<Wish>, Unreadable> {
    if !EVENTS.contains(&event) {
        return Ok(Vec::new());
    }
    let payload: Payload = serde_json::from_slice(body)
        .map_err(|error| Unreadable { event: event.into(), reason: error.to_string() })?;
    // Webhooks of a repository or an organisation have none, and nobody to act as.
    let Some(installation) = payload.installation.as_ref().map(|one| one.id) else {
        return Ok(Vec::new());
    };
    let of_installation = || {
        let place = Place { installation, repository: 0, name: String::new() };
        vec![Wish::Do(Job::new(place, Task::Installation))]
    };
    Ok(match event {
        "installation" => match payload.action.as_str() {
            "created" | "unsuspend" | "new_permissions_accepted" => of_installation(),
            "deleted" | "suspend" => vec![Wish::Forget { installation }],
            _ => Vec::new(),
        },
        "installation_repositories" => {
            let added = payload.repositories_added.iter().flatten();
            let jobs = added.filter_map(|one| {
                Some(Wish::Do(Job::new(one.place(installation)?, Task::Repository)))
            });
            jobs.collect()
        }
        _ => match payload.repository.as_ref().and_then(|one| one.place(installation)) {
            Some(place) => payload.task(event).map(|(task, again)| {
                let job = Job::new(place, task);
                Wish::Do(if again { job.again() } else { job })
            }),
            None => None,
        }
        .into_iter()
        .collect(),
    })
}

/// The events that can mean something to do.
pub(super) const EVENTS: [&str; 9] = [
    "check_run",
    "check_suite",
    "installation",
    "installation_repositories",
    "issue_comment",
    "merge_group",
    "pull_request",
    "pull_request_review",
    "push",
];

impl Repository {
    fn place(&self, installation: i64) -> Option<Place> {
        let name = crate::github::RepositoryName::new(&self.full_name)?;
        Some(Place { installation, repository: self.id, name: name.as_str().into() })
    }
}

impl Payload {
    /// What is to be done, and whether also where there is a concluded check.
    fn task(&self, event: &str) -> Option<(Task, bool)> {
        let pull = || Some(Task::Pull(self.pull_request.as_ref()?.number));
        Some(match (event, self.action.as_str()) {
            ("pull_request", "opened" | "synchronize" | "ready_for_review") => (pull()?, false),
            // While it was closed its base may have moved.
            ("pull_request", "reopened") => (pull()?, true),
            // A change of the title means nothing.
            ("pull_request", "edited") if self.has_another_base() => (pull()?, true),
            // An approval is evidence, and so is its end.
            ("pull_request_review", "submitted" | "dismissed") if self.is_verdict() => {
                (pull()?, true)
            }
            ("check_run", "rerequested") => (self.check_run.as_ref()?.task()?, true),
            ("check_suite", "rerequested") => (self.check_suite.as_ref()?.task()?, true),
            ("merge_group", "checks_requested") => {
                let group = self.merge_group.as_ref()?;
                (Task::group(&group.base_sha, &group.head_sha)?, false)
            }
            ("issue_comment", "created" | "edited" | "deleted") if self.has_command() => {
                let issue = self.issue.as_ref()?;
                issue.pull_request.as_ref()?;
                (Task::Pull(issue.number), true)
            }
            ("push", _) if !self.deleted => {
                let branch = self.reference.as_deref()?.strip_prefix("refs/heads/")?;
                (Task::Base(branch.into()), true)
            }
            _ => return None,
        })
    }

    /// Does the review of somebody say more than words?
    fn is_verdict(&self) -> bool {
        let state = self.review.as_ref().and_then(|review| review.state.as_deref());
        state.is_none_or(|state| state != "commented")
    }

    fn has_another_base(&self) -> bool {
        self.changes.as_ref().is_some_and(|changes| changes.base.is_some())
    }

    /// Is the comment a command, or was it one?
    fn has_command(&self) -> bool {
        let now = self.comment.as_ref().and_then(|comment| comment.body.as_deref());
        let before = self.changes.as_ref().and_then(|changes| changes.body.as_ref());
        let before = before.and_then(|body| body.from.as_deref());
        let mut lines = [now, before].into_iter().flatten().flat_map(str::lines);
        lines.any(|line| line.trim_start().starts_with(COMMAND))
    }
}
