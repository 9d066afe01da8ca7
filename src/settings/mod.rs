//! What a team decides: `.github/netpol-review.yml` as data.
//!
//! [`Settings`] is what the rest of the program sees. Reading order: `file` (what can be written,
//! strictly, and the JSON Schema of it), `guardrail` (the part of it that is about guardrails), `read` (text to that, or errors that name the line), `check`
//! (what single values must be like), `profile` (what is known of network plugins).

mod check;
pub mod file;
mod guardrail;
pub mod profile;
mod read;

pub use check::{
    day as check_day, fingerprint as check_fingerprint, namespace as check_namespace,
    words as check_words,
};
pub use read::{SettingsError, parse, parse_bytes};

use crate::config::{Config, Stated};
use crate::report::Severity;
use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

pub use crate::config::PATH;

/// How many hexadecimal digits of a row's fingerprint a waiver can name.
pub const FINGERPRINT_DIGITS: usize = 32;

/// Everything that can be decided, with a default for each.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What is looked at in the repository, as paths from its root; empty: everything.
    pub paths: Vec<String>,
    /// Files with objects that live elsewhere, as paths from its root. Like the settings themselves they are
    /// those of the side before the change: a change cannot take a policy out of them.
    pub inventory: Vec<String>,
    /// What changes the meaning of a review: namespaces, facts about the cluster, protected places, limits.
    pub config: Config,
    /// Does a verdict fail, or only warn?
    pub mode: Mode,
    /// The least that fails; `None` leaves it to the command, each of which has its own default.
    pub fail_on: Option<FailOn>,
    /// Levels for rows by the kind of their cause (`isolation-lost`), in place of the computed ones where
    /// that is lower.
    pub severity: BTreeMap<String, Severity>,
    /// Environments that are stated; empty: they are found.
    pub environments: Vec<Stated>,
    /// The least that fails in one environment, by its name; the others have [`Settings::fail_on`].
    pub environment_fail_on: BTreeMap<String, FailOn>,
    /// Who may accept what opens.
    pub approvers: Approvers,
    /// What has been accepted.
    pub waivers: Vec<Waiver>,
    /// How a pull request is told.
    pub comment: CommentOptions,
}

/// What the inputs of the Action say. They stand in the workflow, which a pull request can change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// `mode`.
    pub mode: Option<Mode>,
    /// `fail-on`.
    pub fail_on: Option<FailOn>,
    /// `paths`, from the root of the repository; empty: not given.
    pub paths: Vec<String>,
}

impl Settings {
    /// The settings under these inputs: they fill what the file leaves open, and may tighten what it says,
    /// never loosen it. Of two thresholds the stricter one counts, and paths of the file stay.
    ///
    /// The one exception is the mode: `warn` in either place means that nothing fails, although a change can
    /// write it into its own workflow. Whoever wants a gate that no pull request can open protects
    /// `.github/workflows`, too.
    pub fn tightened_by(&self, inputs: &Inputs) -> Settings {
        let mut settings = self.clone();
        settings.mode = inputs.mode.map_or(self.mode, |mode| mode.min(self.mode));
        settings.fail_on = self.fail_on.max(inputs.fail_on);
        if settings.paths.is_empty() {
            settings.paths.clone_from(&inputs.paths);
        }
        settings
    }
}

impl Settings {
    /// Does the configuration say what belongs to which environment?
    pub fn states_environments(&self) -> bool {
        !self.environments.is_empty()
    }
}

impl Waiver {
    /// Does it hold on a day?
    pub fn holds_on(&self, day: NaiveDate) -> bool {
        match &self.given {
            Some(given) => !given.lapsed,
            None => self.expires.is_none_or(|last| last >= day),
        }
    }

    /// When it ends: its last day, or a point in time; nothing where it has no end.
    pub fn end(&self) -> Option<String> {
        let until = self.given.as_ref().and_then(|given| given.until);
        let until = until.map(|time| time.format("%Y-%m-%d %H:%M UTC").to_string());
        until.or_else(|| self.expires.map(|day| day.to_string()))
    }
}

impl Approvers {
    /// Is there anybody who may?
    pub fn is_anybody(&self) -> bool {
        self.codeowners || !self.users.is_empty() || !self.teams.is_empty()
    }
}

/// Does a verdict fail, or only warn?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It is told, and nothing fails.
    Warn,
    /// What is at or above the threshold fails, and so does what could not be evaluated.
    #[default]
    Enforce,
}

/// The least that makes a command fail. Ordered from the loosest to the strictest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailOn {
    /// Nothing that is found: the exit code is 0.
    #[default]
    Never,
    /// Rows of severity critical.
    Critical,
    /// Rows of severity high and above.
    High,
    /// Rows of severity medium and above.
    Medium,
    /// Rows of severity low and above.
    Low,
    /// Anything that opened.
    Any,
}

impl FailOn {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            FailOn::Never => "never",
            FailOn::Critical => "critical",
            FailOn::High => "high",
            FailOn::Medium => "medium",
            FailOn::Low => "low",
            FailOn::Any => "any",
        }
    }

    /// The least severity that counts; `None` where none does.
    pub fn threshold(self) -> Option<Severity> {
        match self {
            FailOn::Never => None,
            FailOn::Any => Some(Severity::Info),
            FailOn::Low => Some(Severity::Low),
            FailOn::Medium => Some(Severity::Medium),
            FailOn::High => Some(Severity::High),
            FailOn::Critical => Some(Severity::Critical),
        }
    }
}

/// Who may accept what opens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approvers {
    /// Logins.
    pub users: Vec<String>,
    /// `organisation/team`.
    pub teams: Vec<String>,
    /// Owners of the touched files, as CODEOWNERS of the base branch has them.
    pub codeowners: bool,
    /// The author of the pull request too, if one of the above.
    pub author: bool,
}

/// An opened row that is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// The row's fingerprint.
    pub fingerprint: String,
    /// Why.
    pub reason: String,
    /// The last day on which it holds.
    pub expires: Option<NaiveDate>,
    /// Who accepted it.
    pub by: Option<String>,
    /// Its first line in the file.
    pub line: u32,
    /// Where it was given on the pull request, if it does not stand in the configuration.
    pub given: Option<Given>,
}

/// A waiver that was given on a pull request, by somebody who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The page of the comment or the review.
    pub url: String,
    /// When it ends, where that is no whole day.
    pub until: Option<DateTime<Utc>>,
    /// It has ended.
    pub lapsed: bool,
    /// It is an approval, which is one of a single head.
    pub approval: bool,
}

/// How a pull request is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommentOptions {
    /// When there is a comment.
    pub when: CommentWhen,
    /// Comments on the causing lines.
    pub inline: bool,
}

impl Default for CommentOptions {
    fn default() -> Self {
        Self { when: CommentWhen::OnChange, inline: true }
    }
}

/// When a pull request gets a comment. One that exists is always brought up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CommentWhen {
    /// On every pull request that was reviewed.
    Always,
    /// Where something opened or closed, or could not be evaluated.
    #[default]
    OnChange,
    /// Where the check fails or would fail in `enforce`.
    OnFailure,
    /// On none.
    Never,
}
