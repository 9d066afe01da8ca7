//! What a check answers with, before it is known whether it is introduced and shown.

use super::Rule;
use super::repair::Repair;
use crate::model::{Origin, Policy, PolicyId};
use crate::report::{Finding, Fix, Location, Message, Persona, Severity, Side, Witness};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A finding in the making.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it is about.
    pub about: About,
    /// What of that, in a canonical spelling without lines and indexes: what stays the same when other things
    /// are edited.
    pub subject: String,
    /// The faults that it is an instance of, whatever its extent: an edit that leaves a policy with as many of them, none
    /// worse, introduces nothing. What it opens is told by rows. Empty: each subject is a fault of its own.
    pub faults: Vec<&'static str>,
    /// Where it stands.
    pub origin: Origin,
    /// The side of these lines.
    pub side: Side,
    /// How bad it is; `None`: as bad as the rule usually is.
    pub severity: Option<Severity>,
    /// Who is shown it; `None`: whoever is usually.
    pub persona: Option<Persona>,
    /// Whether the change introduces it; `None`: what the side before has not.
    pub introduced: Option<bool>,
    /// What is wrong.
    pub message: Message,
    /// How to mend it, in words and by example.
    pub fix: Option<Fix>,
    /// An edit that would mend it. Where a copy shows that it keeps its promise, it takes the place of the words.
    pub repair: Option<Repair>,
    /// A flow that shows it.
    pub witness: Option<Witness>,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A policy.
    Policy(PolicyId),
    /// Something else, by the name that people know it by.
    Object(String),
}

impl About {
    /// What it is called, in the rule's findings.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Policy(id) => id.to_string(),
            Self::Object(name) => name.clone(),
        }
    }
}

impl Draft {
    /// Something about a policy, or about some lines of it.
    pub fn policy(
        policy: &Policy,
        origin: &Origin,
        subject: impl Into<String>,
        message: Message,
    ) -> Self {
        Self::new(About::Policy(policy.id.clone()), origin, subject, message)
    }

    /// Something about another object.
    pub fn object(
        name: impl Into<String>,
        origin: &Origin,
        subject: impl Into<String>,
        message: Message,
    ) -> Self {
        Self::new(About::Object(name.into()), origin, subject, message)
    }

    fn new(about: About, origin: &Origin, subject: impl Into<String>, message: Message) -> Self {
        Self {
            about,
            subject: subject.into(),
            faults: Vec::new(),
            origin: origin.clone(),
            side: Side::After,
            severity: None,
            persona: None,
            introduced: None,
            message,
            fix: None,
            repair: None,
            witness: None,
        }
    }

    /// As an instance of these faults: the side before may have had it in another extent.
    #[must_use]
    pub fn faults(self, faults: impl IntoIterator<Item = &'static str>) -> Self {
        Self { faults: faults.into_iter().collect(), ..self }
    }

    /// Another level than the rule's usual one.
    #[must_use]
    pub fn severity(self, severity: Severity) -> Self {
        Self { severity: Some(severity), ..self }
    }

    /// Other readers than the rule's usual ones.
    #[must_use]
    pub fn persona(self, persona: Persona) -> Self {
        Self { persona: Some(persona), ..self }
    }

    /// With a way to mend it.
    #[must_use]
    pub fn fix(self, fix: Fix) -> Self {
        Self { fix: Some(fix), ..self }
    }

    /// With an edit that would mend it.
    #[must_use]
    pub fn repair(self, repair: Repair) -> Self {
        Self { repair: Some(repair), ..self }
    }

    /// With a flow that shows it.
    #[must_use]
    pub fn witness(self, witness: Witness) -> Self {
        Self { witness: Some(witness), ..self }
    }

    /// What tells it from others, with or without the name of its policy.
    pub(super) fn identity(&self, rule: &Rule, named: bool) -> String {
        let about = match (&self.about, named) {
            (About::Policy(id), false) => id.namespace.as_deref().unwrap_or_default().into(),
            (about, _) => about.name(),
        };
        format!("{}\n{about}\n{}", rule.id, self.subject)
    }

    pub(super) fn finding(self, rule: &Rule, introduced: bool) -> Finding {
        let digest = Sha256::digest(self.identity(rule, true).as_bytes());
        let fingerprint = digest.iter().take(16).fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let (policy, object) = match self.about {
            About::Policy(id) => (Some(id.to_string()), None),
            About::Object(name) => (None, Some(name)),
        };
        Finding {
            rule: rule.id,
            severity: self.severity.unwrap_or(rule.severity),
            persona: self.persona.unwrap_or(rule.persona),
            introduced,
            message: self.message,
            policy,
            object,
            location: Location {
                side: self.side,
                file: self.origin.file.to_string(),
                start_line: self.origin.start_line,
                end_line: self.origin.end_line,
            },
            fix: self.fix,
            fingerprint,
            witness: self.witness,
            accepted_by_change: None,
            environments: Vec::new(),
        }
    }
}
