//! What a check answers with, before it is known whether it is introduced and shown.

use super::confirm::Shown;
use super::granted::Granted;
use super::repair::Repair;
use super::{Rule, words};
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
    /// The two evaluators disagree on its flow.
    pub contradicted: bool,
    /// The pods of its policy in a canonical spelling; empty for other objects.
    pub pods: String,
    /// What of its rule's grants it is about; `None`: it is about no rule of a policy, so it is told by its subject alone.
    pub granted: Option<Granted>,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A policy.
    Policy(PolicyId),
    /// Something else, by the name that people know it by.
    Object(String),
}

impl Draft {
    /// Something about a policy, or about some lines of it.
    pub fn policy(
        policy: &Policy,
        origin: &Origin,
        subject: impl Into<String>,
        message: Message,
    ) -> Self {
        let pods = words::pods(&policy.subject).to_string();
        Self { pods, ..Self::new(About::Policy(policy.id.clone()), origin, subject, message) }
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
            origin: origin.clone(),
            side: Side::After,
            severity: None,
            persona: None,
            introduced: None,
            message,
            fix: None,
            repair: None,
            witness: None,
            contradicted: false,
            pods: String::new(),
            granted: None,
        }
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

    /// With an example, if there is one.
    #[must_use]
    pub fn shown(self, shown: Shown) -> Self {
        match shown {
            Shown::Nothing => self,
            Shown::Confirmed(witness) => self.witness(witness),
            Shown::Contradicted(witness) => Self { contradicted: true, ..self.witness(witness) },
        }
    }

    /// Said of these grants: where the side before said it of the same, written in another way, it is no news.
    #[must_use]
    pub fn granted(self, granted: Granted) -> Self {
        Self { granted: Some(granted), ..self }
    }

    /// What tells it from others.
    pub(super) fn identity(&self, rule: &Rule) -> String {
        let about = match &self.about {
            About::Policy(id) => id.to_string(),
            About::Object(name) => name.clone(),
        };
        format!("{}\n{about}\n{}", rule.id, self.subject)
    }

    /// Whom its policy is for, whatever its name. `None`: it is about no policy.
    pub(super) fn place(&self) -> Option<(&str, &str)> {
        let About::Policy(id) = &self.about else { return None };
        Some((id.namespace.as_deref().unwrap_or_default(), &self.pods))
    }

    pub(super) fn finding(self, rule: &Rule, introduced: bool) -> Finding {
        let digest = Sha256::digest(self.identity(rule).as_bytes());
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
            unfixed: None,
            row: None,
            fingerprint,
            witness: self.witness,
            accepted_by_change: None,
            environments: Vec::new(),
        }
    }
}
