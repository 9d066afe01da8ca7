//! Findings: what a rule says of one place.

use super::{Location, Severity, Witness};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// What a rule found in one place.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The rule's id.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Who is shown it.
    pub persona: Persona,
    /// It counts against the change: it is not there before it, or a guardrail counts it all the same.
    pub introduced: bool,
    /// What is wrong.
    pub message: Message,
    /// The policy, `namespace/name`, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Another object that it is about: a namespace, a workload, a Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Where it stands.
    pub location: Location,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// Why no edit of lines is offered or was written, where one could be asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfixed: Option<String>,
    /// Names the finding by rule, policy and what it is about; no line, file or environment. 32 hexadecimal
    /// digits.
    pub fingerprint: String,
    /// The fingerprint of the opened row that says the same of these lines. Texts tell the finding under it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// A flow that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub witness: Option<Witness>,
    /// Where the change itself accepts it, which counts once it is merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_by_change: Option<Location>,
    /// The environments of a snapshot that have it, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
}

/// A finding that somebody has accepted.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ignored {
    /// The rule's id.
    pub rule: &'static str,
    /// As in [`Finding::policy`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// As in [`Finding::object`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// As in [`Finding::fingerprint`].
    pub fingerprint: String,
    /// Why.
    pub reason: String,
    /// Where it is accepted.
    pub location: Location,
}

/// How to mend a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// What it does to what can talk.
    pub kind: FixKind,
    /// What to do.
    pub description: Message,
    /// What to write: in the place of the lines below, or as a new object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
    /// The lines that the text replaces; absent where it is an example, or an object of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The edit as a unified diff with three lines around it, where there are lines to replace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// The flows that it takes away, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<String>,
}

/// A finding that was mended in its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fixed {
    /// The rule's id.
    pub rule: &'static str,
    /// As in [`Fix::kind`].
    pub kind: FixKind,
    /// As in [`Finding::policy`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The lines that were replaced, as they were counted at that moment: fixes of one file come one after another.
    pub location: Location,
    /// As in [`Fix::description`].
    pub description: Message,
    /// As in [`Fix::removes`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<String>,
}

/// What a fix does to what can talk. Each was tried on a copy before it is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FixKind {
    /// Nothing.
    Equivalent,
    /// It only takes flows away.
    Narrowing,
    /// It may open something, or cut off what is needed.
    Behavioural,
}

impl FixKind {
    /// As JSON has it.
    pub fn as_str(self) -> &'static str {
        match self {
            FixKind::Equivalent => "equivalent",
            FixKind::Narrowing => "narrowing",
            FixKind::Behavioural => "behavioural",
        }
    }
}

/// Who is shown a finding. Each also sees what those before see.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Persona {
    /// Whoever reviews a change: what is almost surely wrong.
    #[default]
    Regular,
    /// Whoever wants everything as it should be written.
    Pedantic,
    /// Whoever looks for what could be wrong, and takes false alarms for it.
    Auditor,
}

impl Persona {
    /// As JSON has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Persona::Regular => "regular",
            Persona::Pedantic => "pedantic",
            Persona::Auditor => "auditor",
        }
    }
}

/// A sentence that keeps our own words apart from names out of manifests, so that no format can confuse
/// the two. In JSON it is one text with the names in backticks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(Vec<Part>);

/// A part of a [`Message`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Our own words.
    Words(String),
    /// Text out of a manifest.
    Name(String),
}

impl Message {
    /// A message that begins with our own words.
    pub fn new(words: &'static str) -> Self {
        Self::default().words(words)
    }

    /// Goes on with our own words.
    #[must_use]
    pub fn words(mut self, words: &'static str) -> Self {
        self.0.push(Part::Words(words.into()));
        self
    }

    /// Goes on with a text out of a manifest.
    #[must_use]
    pub fn name(mut self, name: impl fmt::Display) -> Self {
        self.0.push(Part::Name(name.to_string()));
        self
    }

    /// Goes on with a number.
    #[must_use]
    pub fn number(mut self, number: usize) -> Self {
        self.0.push(Part::Words(number.to_string()));
        self
    }

    /// `1 port`, `2 ports`.
    #[must_use]
    pub fn count(self, n: usize, one: &'static str, many: &'static str) -> Self {
        self.number(n).words(" ").words(if n == 1 { one } else { many })
    }

    /// Texts out of manifests with commas between them; of more than `most` the rest is counted.
    #[must_use]
    pub fn names(
        mut self,
        names: impl IntoIterator<Item = impl fmt::Display>,
        most: usize,
    ) -> Self {
        let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
        let rest = names.len().saturating_sub(most);
        for (index, name) in names.into_iter().take(most).enumerate() {
            if index > 0 {
                self = self.words(", ");
            }
            self = self.name(name);
        }
        if rest > 0 { self.words(" and ").number(rest).words(" more") } else { self }
    }

    /// Goes on with another message.
    #[must_use]
    pub fn then(mut self, other: Message) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Its parts in order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }
}

/// As JSON has it: names in backticks.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Words(words) => f.write_str(words)?,
                Part::Name(name) => write!(f, "`{name}`")?,
            }
        }
        Ok(())
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
