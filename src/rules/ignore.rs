//! Findings that somebody has accepted, where and why.
//!
//! A comment on the line of a finding or above it, an annotation of the policy or of its namespace, or the
//! configuration. A comment or an annotation counts once it is there before the change: what a change accepts for itself
//! is for its reviewers to see.

use super::catalogue::RULES;
use super::{Draft, Snapshot};
use crate::config::{Config, Ignored as Configured};
use crate::model::{Acceptance, Origin};
use crate::report::{Finding, Ignored, Location, Message, Side as ReportSide};
use crate::tree::Tree;
use memchr::memmem;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a comment begins with, behind its `#`.
const MARK: &str = "netpol-review: ignore[";

/// One acceptance.
#[derive(Clone, Debug)]
struct Ignore {
    rules: Vec<String>,
    reason: String,
    origin: Origin,
    reach: Reach,
}

/// What it is about.
#[derive(Clone, Debug)]
enum Reach {
    /// What stands on this line.
    Line(u32),
    /// A policy, by `namespace/name`.
    Policy(String),
    /// A namespace and the policies in it.
    Namespace(String),
}

/// All acceptances of both sides that can concern a finding.
pub(super) struct Ignores<'c> {
    before: Side,
    after: Side,
    config: &'c Config,
}

#[derive(Default)]
struct Side {
    /// Comments, by file.
    comments: BTreeMap<Arc<str>, Vec<Ignore>>,
    annotations: Vec<Ignore>,
}

impl Side {
    fn all(&self) -> impl Iterator<Item = &Ignore> {
        self.annotations.iter().chain(self.comments.values().flatten())
    }
}

impl<'c> Ignores<'c> {
    /// Reads those of some policies and namespaces, and of the files in which these stand.
    pub(super) fn of(
        [before, after]: [(&Snapshot<'_, '_, '_>, &Tree); 2],
        config: &'c Config,
    ) -> Self {
        Self { before: side(before.0, before.1), after: side(after.0, after.1), config }
    }

    /// Takes out of the findings what is accepted and counts; what does not count yet says so.
    pub(super) fn apply(&self, findings: &mut Vec<Finding>) -> Accepted {
        let mut accepted = Accepted::default();
        findings.retain_mut(|finding| {
            let settings = self.config.rules.settings.get(finding.rule);
            let configured = settings.iter().flat_map(|settings| &settings.ignore);
            for entry in configured {
                if names(finding, entry) {
                    let place = Location {
                        side: ReportSide::Before,
                        file: crate::config::PATH.into(),
                        start_line: entry.line,
                        end_line: entry.line,
                    };
                    accepted.findings.push(ignored(finding, &entry.reason, place));
                    return false;
                }
            }
            let side = if finding.location.side == ReportSide::Before {
                &self.before
            } else {
                &self.after
            };
            let mut later = None;
            let all: Vec<&Ignore> = side.all().filter(|ignore| concerns(ignore, finding)).collect();
            for ignore in all {
                accepted.used.insert((ignore.origin.clone(), finding.rule));
                if ignore.reason.is_empty() {
                    continue;
                }
                let place = location(&ignore.origin);
                if self.known_before(ignore, finding.rule) {
                    accepted.findings.push(ignored(finding, &ignore.reason, place));
                    return false;
                }
                later = Some(place);
            }
            finding.accepted_by_change = later;
            true
        });
        accepted
    }

    /// Is the same acceptance there before the change? Lines may have moved.
    fn known_before(&self, ignore: &Ignore, rule: &str) -> bool {
        self.before.all().any(|known| {
            let same_place = match (&known.reach, &ignore.reach) {
                (Reach::Line(_), Reach::Line(_)) => known.origin.file == ignore.origin.file,
                (Reach::Policy(a), Reach::Policy(b))
                | (Reach::Namespace(a), Reach::Namespace(b)) => a == b,
                _ => false,
            };
            same_place
                && known.reason == ignore.reason
                && known.rules.iter().any(|name| name == rule)
        })
    }

    /// What is wrong with the acceptances of the side after: no reason, no such rule, nothing to accept. Whether there is
    /// something to accept is only known of rules that the persona is shown, as others need not look everywhere.
    pub(super) fn faults(&self, accepted: &Accepted) -> Vec<Draft> {
        let mut drafts = Vec::new();
        for ignore in self.after.all() {
            for rule in &ignore.rules {
                let used = accepted
                    .used
                    .iter()
                    .any(|(origin, used)| *origin == ignore.origin && used == rule);
                let message = match RULES.iter().any(|known| known.id == rule) {
                    false => Message::new("There is no rule ")
                        .name(rule)
                        .words("; `netpol-review rules` lists them"),
                    true if ignore.reason.is_empty() => Message::new("The acceptance of ")
                        .name(rule)
                        .words(" gives no reason and does not count; say why"),
                    true if !used && self.is_asked(rule) => Message::new("Nothing here breaks ")
                        .name(rule)
                        .words(" any more: remove the acceptance"),
                    true => continue,
                };
                let subject = format!("{rule} {}", ignore.reason);
                let about = match &ignore.reach {
                    Reach::Line(_) => ignore.origin.file.to_string(),
                    Reach::Policy(name) | Reach::Namespace(name) => name.clone(),
                };
                drafts.push(Draft::object(about, &ignore.origin, subject, message));
            }
        }
        drafts
    }

    /// Is all that a rule of this name finds shown?
    fn is_asked(&self, name: &str) -> bool {
        let persona = self.config.rules.persona;
        RULES.iter().any(|rule| rule.id == name && (rule.lesson || rule.persona <= persona))
    }

    /// Has the side before the same fault?
    pub(super) fn fault_known(&self, draft: &Draft) -> bool {
        self.before.all().any(|ignore| {
            ignore.origin.file == draft.origin.file
                && ignore
                    .rules
                    .iter()
                    .any(|rule| draft.subject == format!("{rule} {}", ignore.reason))
        })
    }
}

/// What was accepted.
#[derive(Default)]
pub(super) struct Accepted {
    pub(super) findings: Vec<Ignored>,
    used: BTreeSet<(Origin, &'static str)>,
}

fn side(snapshot: &Snapshot<'_, '_, '_>, tree: &Tree) -> Side {
    let mut side = Side::default();
    let mut files: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut spans: Vec<(Arc<str>, u32, u32)> = Vec::new();
    let mut add = |origin: &Origin| {
        files.insert(origin.file.clone());
        spans.push((origin.file.clone(), origin.start_line, origin.end_line));
    };
    for policy in snapshot.policies() {
        add(&policy.origin);
        let reach = Reach::Policy(policy.id.to_string());
        side.annotations.extend(policy.acceptance.iter().flat_map(|text| annotation(text, &reach)));
    }
    for (_, namespace) in snapshot.namespaces() {
        let Some(manifest) = snapshot.cluster().namespaces.get(&namespace.name) else { continue };
        add(&manifest.origin);
        let reach = Reach::Namespace(namespace.name.to_string());
        side.annotations
            .extend(manifest.acceptance.iter().flat_map(|text| annotation(text, &reach)));
    }
    for file in files {
        let Some(content) = tree.files.get(&file) else { continue };
        if memmem::find(content.bytes(), MARK.as_bytes()).is_none() {
            continue;
        }
        let text = String::from_utf8_lossy(content.bytes());
        let mut comments = comments(&text, &file);
        // A comment belongs to what stands on its line or below it.
        comments.retain(|ignore| {
            let Reach::Line(line) = ignore.reach else { return false };
            spans.iter().any(|(of, first, last)| *of == file && (*first..=*last).contains(&line))
        });
        side.comments.insert(file, comments);
    }
    side
}

/// The acceptances in the comments of a file. One that has its line for itself is about the next line that is no
/// comment.
fn comments(text: &str, file: &Arc<str>) -> Vec<Ignore> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some((code, comment)) = line.split_once('#') else { continue };
        let Some((rules, reason)) =
            comment.trim_start().strip_prefix(MARK).and_then(|rest| rest.split_once(']'))
        else {
            continue;
        };
        let own = code.trim().is_empty();
        let below = || {
            let rest = lines.iter().enumerate().skip(index + 1);
            let mut code = rest.filter(|(_, line)| {
                let line = line.trim();
                !line.is_empty() && !line.starts_with('#') && line != "---"
            });
            code.next().map_or(index, |(below, _)| below)
        };
        let number = |index: usize| u32::try_from(index).map_or(u32::MAX, |index| index + 1);
        let here = number(index);
        found.push(Ignore {
            rules: list(rules),
            reason: reason.trim().trim_start_matches(':').trim().into(),
            origin: Origin { file: file.clone(), start_line: here, end_line: here },
            reach: Reach::Line(if own { number(below()) } else { here }),
        });
    }
    found
}

/// `RULE[, RULE]: REASON`, several with `;` or line breaks between them.
fn annotation(acceptance: &Acceptance, reach: &Reach) -> Vec<Ignore> {
    let parts = acceptance.text.split([';', '\n']).map(str::trim).filter(|part| !part.is_empty());
    let ignores = parts.map(|part| {
        let (rules, reason) = part.split_once(':').unwrap_or((part, ""));
        Ignore {
            rules: list(rules),
            reason: reason.trim().into(),
            origin: acceptance.origin.clone(),
            reach: reach.clone(),
        }
    });
    ignores.collect()
}

fn list(rules: &str) -> Vec<String> {
    rules.split(',').map(|rule| rule.trim().to_string()).filter(|rule| !rule.is_empty()).collect()
}

fn concerns(ignore: &Ignore, finding: &Finding) -> bool {
    ignore.rules.iter().any(|rule| rule == finding.rule)
        && match &ignore.reach {
            Reach::Line(line) => {
                *ignore.origin.file == *finding.location.file
                    && *line == finding.location.start_line
            }
            Reach::Policy(name) => finding.policy.as_ref() == Some(name),
            Reach::Namespace(name) => {
                let policy = finding.policy.as_ref().and_then(|policy| policy.split_once('/'));
                policy.map(|(namespace, _)| namespace) == Some(name)
                    || finding.object.as_ref().is_some_and(|object| {
                        object == name
                            || object
                                .strip_prefix(name.as_str())
                                .is_some_and(|rest| rest.starts_with('/'))
                    })
            }
        }
}

/// Does an entry of the configuration name what a finding is about?
fn names(finding: &Finding, entry: &Configured) -> bool {
    let about = finding.policy.as_deref().or(finding.object.as_deref()).unwrap_or_default();
    let mut rest = about;
    let mut pieces = entry.policy.split('*');
    let Some(start) = pieces.next().and_then(|first| rest.strip_prefix(first)) else {
        return false;
    };
    rest = start;
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else { return rest.is_empty() };
    for piece in middle {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

fn ignored(finding: &Finding, reason: &str, place: Location) -> Ignored {
    Ignored {
        rule: finding.rule,
        policy: finding.policy.clone(),
        object: finding.object.clone(),
        fingerprint: finding.fingerprint.clone(),
        reason: reason.into(),
        location: place,
    }
}

fn location(origin: &Origin) -> Location {
    Location {
        side: ReportSide::After,
        file: origin.file.to_string(),
        start_line: origin.start_line,
        end_line: origin.end_line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_read() {
        let text = "a: 1 # netpol-review: ignore[vague-name] it stays\n\n# netpol-review: ignore[a, b]: why\n# more\n---\nb: 2\n";
        let found = comments(text, &"f".into());
        let read: Vec<_> = found
            .iter()
            .map(|ignore| {
                (ignore.rules.join("+"), ignore.reason.as_str(), ignore.origin.start_line)
            })
            .collect();
        assert_eq!(read, [("vague-name".into(), "it stays", 1), ("a+b".into(), "why", 3)]);
        assert!(matches!(found[0].reach, Reach::Line(1)));
        assert!(matches!(found[1].reach, Reach::Line(6)));
    }

    #[test]
    fn patterns() {
        let config =
            |policy: &str| Configured { policy: policy.into(), reason: "r".into(), line: 1 };
        let message = Message::new("m");
        let origin = Origin { file: "f".into(), start_line: 1, end_line: 1 };
        let finding = |name: &str| {
            Draft::object(name, &origin, "s", message.clone()).finding(&RULES[0], true)
        };
        for (pattern, name, matches) in [
            ("shop/db", "shop/db", true),
            ("shop/db", "shop/db2", false),
            ("shop/*", "shop/db", true),
            ("*", "anything", true),
            ("*/db", "shop/db", true),
            ("s*p/d*", "shop/db", true),
            ("s*x/d*", "shop/db", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(names(&finding(name), &config(pattern)), matches, "{pattern} {name}");
        }
    }
}
