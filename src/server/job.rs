//! What there is to do.

use serde::{Deserialize, Serialize};
use tracing::Span;

/// A repository, as one installation sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The number of the installation.
    pub installation: i64,
    /// The number of the repository, which stays when it is renamed; 0 where the installation itself is meant.
    pub repository: i64,
    /// `OWNER/NAME`, when the job was written; empty where the installation itself is meant.
    pub name: String,
}

/// What is to be done there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Review a pull request, whatever its head is by then.
    Pull(u64),
    /// Review the head of a group of a merge queue.
    Group {
        /// The commit that the group starts from.
        base: String,
        /// The commit that would be merged.
        head: String,
    },
    /// Review the open pull requests with this head.
    Head(String),
    /// Review the open pull requests to this branch: their meaning changed with it.
    Base(String),
    /// Review the open pull requests of the repository whose head has no concluded check.
    Repository,
    /// Do that for all its repositories.
    Installation,
}

/// One thing to do. There is one at most of each [`Job::key`], whatever number of webhooks asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Where.
    pub place: Place,
    /// What.
    pub task: Task,
    /// Also where the head has a concluded check of ours: its meaning changed, or somebody wants it.
    pub again: bool,
    /// Who waits for it? Lower numbers go first within an installation.
    pub urgency: i64,
}

/// Somebody waits for it.
const AWAITED: i64 = 0;

/// Many may wait, for one of many.
const MANY: i64 = 1;

/// Nobody waits for what only makes sure.
pub const BACKGROUND: i64 = 2;

impl Task {
    /// [`Task::Head`] of a commit's name, if it is one.
    pub fn head(commit: &str) -> Option<Self> {
        is_commit(commit).then(|| Self::Head(commit.into()))
    }

    /// [`Task::Group`] of two commits' names, if they are such.
    pub fn group(base: &str, head: &str) -> Option<Self> {
        let good = is_commit(base) && is_commit(head);
        good.then(|| Self::Group { base: base.into(), head: head.into() })
    }

    fn urgency(&self) -> i64 {
        match self {
            Self::Pull(_) | Self::Group { .. } | Self::Head(_) => AWAITED,
            Self::Base(_) => MANY,
            Self::Repository | Self::Installation => BACKGROUND,
        }
    }
}

/// 40 or 64 hexadecimal digits.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Job {
    /// A job, for heads that have no concluded check.
    pub fn new(place: Place, task: Task) -> Self {
        let urgency = task.urgency();
        Self { place, task, again: false, urgency }
    }

    /// The same, as one of many that came about together: what somebody waits for goes first.
    #[must_use]
    pub fn one_of_many(self) -> Self {
        Self { urgency: self.urgency.max(MANY), ..self }
    }

    /// The same, whatever check there is.
    #[must_use]
    pub fn again(self) -> Self {
        Self { again: true, ..self }
    }

    /// What tells it from others.
    pub fn key(&self) -> String {
        let Place { installation, repository, .. } = self.place;
        match &self.task {
            Task::Pull(number) => format!("pull/{repository}/{number}"),
            Task::Group { base, head } => format!("group/{repository}/{base}/{head}"),
            Task::Head(head) => format!("head/{repository}/{head}"),
            Task::Base(branch) => format!("base/{repository}/{branch}"),
            Task::Repository => format!("repository/{repository}"),
            Task::Installation => format!("installation/{installation}"),
        }
    }

    /// Says in a span which job this is: its fields `job`, `repository` and, of one, `pull_request`.
    pub fn name_in(&self, span: &Span) {
        span.record("job", self.key()).record("repository", &self.place.name);
        if let Task::Pull(number) = self.task {
            span.record("pull_request", number.cast_signed());
        }
    }
}
