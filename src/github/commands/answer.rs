//! What is told of commands: in an answer, in the check, in the log. What people wrote reaches Markdown through one
//! function only.

use super::parse::Command;
use super::waivers::Fate;
use crate::render::words::{self, Phrase, Piece};
use crate::render::{markdown, untrusted};
use crate::settings::Waiver;
use std::collections::BTreeMap;

/// How much of a check's summary the list of commands takes, in bytes.
const LIST: usize = 1_800;

/// How much of an answer the explanations take, in bytes.
const EXPLANATIONS: usize = 50_000;

/// The answer to a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The comment with the commands.
    pub comment: u64,
    /// Markdown.
    pub body: String,
}

/// What became of a command, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who wrote it.
    pub actor: String,
    /// The command's word; empty where it was not understood.
    pub command: &'static str,
    /// What it names.
    pub fingerprint: String,
    /// What was decided, in one or two words.
    pub decision: &'static str,
    /// Why, in words; or the reason that its author gave.
    pub reason: String,
    /// The comment.
    pub comment: u64,
    /// Its page.
    pub url: String,
}

impl Entry {
    /// An approving review that counts.
    pub fn approval(waiver: &Waiver) -> Self {
        let given = waiver.given.as_ref();
        Self {
            actor: waiver.by.clone().unwrap_or_default(),
            command: "approve",
            fingerprint: waiver.fingerprint.clone(),
            decision: "accepted",
            reason: waiver.reason.clone(),
            comment: 0,
            url: given.map(|given| given.url.clone()).unwrap_or_default(),
        }
    }
}

/// What is told of one command.
#[derive(Clone, Debug)]
pub struct Part {
    command: &'static str,
    fingerprint: String,
    decision: &'static str,
    /// What its author said why.
    reason: String,
    /// Whole sentences.
    words: Phrase,
    /// The commands follow.
    help: bool,
}

impl Part {
    fn new(
        command: &'static str,
        fingerprint: &str,
        decision: &'static str,
        words: Phrase,
    ) -> Self {
        let (fingerprint, reason) = (fingerprint.to_string(), String::new());
        Self { command, fingerprint, decision, reason, words, help: false }
    }

    /// A comment that was edited.
    pub fn edited() -> Self {
        let words = "This comment was edited after it was written, so it accepts nothing. Write a new one instead.";
        Self::new("", "", "edited", vec![Piece::Words(words)])
    }

    /// A comment that is gone.
    pub fn gone() -> Self {
        let words = "The comment with the command, or its author, is gone, so what it said does not count any more.";
        Self::new("", "", "deleted", vec![Piece::Words(words)])
    }

    /// A command of a program.
    pub fn of_program(command: &Result<Command, String>) -> Self {
        let (word, fingerprint) = match command {
            Ok(command) => (command.word(), command.fingerprint().unwrap_or_default()),
            Err(_) => ("", ""),
        };
        let words = vec![Piece::Words("commands of programs do not count")];
        Self::new(word, fingerprint, "ignored", words)
    }

    /// A command that was not understood.
    pub fn not_understood(wrong: &str) -> Self {
        let words = vec![Piece::Words("**Not understood**: "), Piece::Text(format!("{wrong}."))];
        Self { help: true, ..Self::new("", "", "not understood", words) }
    }

    /// Why nothing can be accepted where there are too many comments.
    pub fn too_many_comments() -> Phrase {
        vec![Piece::Words(
            "this pull request has more comments than can be read, so none of them accepts anything",
        )]
    }

    /// A waiver. `absent`: nothing here has its fingerprint.
    pub fn waive(
        fingerprint: &str,
        fate: &Fate,
        allowed: &Result<(), Phrase>,
        absent: bool,
    ) -> Self {
        let name = || Piece::Name(fingerprint.to_string());
        let end = |waiver: &Waiver| Piece::Text(waiver.end().unwrap_or_default());
        let mut reason = String::new();
        let (decision, words) = match fate {
            Fate::InForce(waiver) => {
                reason.clone_from(&waiver.reason);
                let mut words = vec![Piece::Words("**Accepted**: "), name()];
                match waiver.end() {
                    Some(end) => words.extend([Piece::Words(" until "), Piece::Text(end)]),
                    None => words.push(Piece::Words(" without an end")),
                }
                words.extend([
                    Piece::Words(", "),
                    Piece::Name(waiver.reason.clone()),
                    Piece::Words("."),
                ]);
                if absent {
                    words.push(Piece::Words(
                        " Nothing that this pull request opens has this fingerprint now; it counts as soon as \
                         something has.",
                    ));
                }
                ("accepted", words)
            }
            Fate::Ended(waiver) => {
                reason.clone_from(&waiver.reason);
                let words = vec![
                    Piece::Words("**Expired**: "),
                    name(),
                    Piece::Words(" was accepted until "),
                    end(waiver),
                    Piece::Words(", and counts again."),
                ];
                ("expired", words)
            }
            Fate::TakenBack { by } => (
                "taken back",
                vec![
                    name(),
                    Piece::Words(" was accepted here; "),
                    Piece::Name(by.clone()),
                    Piece::Words(" took it back."),
                ],
            ),
            Fate::Replaced { by } => (
                "replaced",
                vec![
                    name(),
                    Piece::Words(" was accepted here; a later command of "),
                    Piece::Name(by.clone()),
                    Piece::Words(" takes its place."),
                ],
            ),
            Fate::Idle | Fate::TookBack(_) => ("refused", refused(allowed, fingerprint)),
        };
        Self { reason, ..Self::new("waive", fingerprint, decision, words) }
    }

    /// The end of a waiver. `stays`: the configuration has one, too.
    pub fn unwaive(
        fingerprint: &str,
        fate: &Fate,
        allowed: &Result<(), Phrase>,
        stays: bool,
    ) -> Self {
        let name = Piece::Name(fingerprint.to_string());
        let (decision, mut words) = match fate {
            Fate::TookBack(0) => (
                "nothing to do",
                vec![
                    Piece::Words("Nothing to take back: no comment that counts has accepted "),
                    name,
                    Piece::Words("."),
                ],
            ),
            Fate::TookBack(_) => (
                "taken back",
                vec![
                    Piece::Words("**Taken back**: no comment accepts "),
                    name,
                    Piece::Words(" any more."),
                ],
            ),
            _ => ("refused", refused(allowed, fingerprint)),
        };
        if stays {
            words.push(Piece::Words(
                " The configuration on the base branch has a waiver of it, which no comment takes back.",
            ));
        }
        Self::new("unwaive", fingerprint, decision, words)
    }

    /// Another review.
    pub fn recheck() -> Self {
        let words =
            "Reviewed again after this comment; the check of the present head has the result.";
        Self::new("recheck", "", "done", vec![Piece::Words(words)])
    }

    /// The commands.
    pub fn help() -> Self {
        Self { help: true, ..Self::new("help", "", "done", Vec::new()) }
    }

    /// An explanation, which is added where it is told.
    pub fn explain(fingerprint: &str) -> Self {
        Self::new("explain", fingerprint, "done", Vec::new())
    }

    /// For the record.
    pub fn entry(&self, actor: String, comment: u64, url: String) -> Entry {
        let reason = match (self.decision, self.reason.is_empty()) {
            ("done", _) => String::new(),
            (_, true) => words::plain(&self.words).replace("**", ""),
            (_, false) => self.reason.clone(),
        };
        let Self { command, ref fingerprint, decision, .. } = *self;
        Entry { actor, command, fingerprint: fingerprint.clone(), decision, reason, comment, url }
    }
}

fn refused(allowed: &Result<(), Phrase>, fingerprint: &str) -> Phrase {
    let mut words = vec![
        Piece::Words("**Refused**, "),
        Piece::Name(fingerprint.to_string()),
        Piece::Words(" stays as it is: "),
    ];
    words.extend(allowed.as_ref().err().cloned().unwrap_or_default());
    words.push(Piece::Words("."));
    words
}

/// The body of an answer to a comment of somebody, without its marker.
pub fn body(
    to: Option<(&str, &str)>,
    parts: &[Part],
    explained: &BTreeMap<String, String>,
) -> String {
    let mut out = String::new();
    if let Some((login, url)) = to {
        let comment = match untrusted::link_target(url) {
            Some(url) => format!("[a comment](<{url}>)"),
            None => "a comment".into(),
        };
        out.push_str(&format!(
            "<sub>In answer to {comment} by {}</sub>\n\n",
            untrusted::markdown(login)
        ));
    }
    let mut left = EXPLANATIONS;
    for part in parts {
        if part.command == "explain" {
            out.push_str(&explanation(&part.fingerprint, explained, &mut left));
        } else if !part.words.is_empty() {
            out.push_str(&format!("{}\n\n", markdown::phrase(&part.words)));
        }
    }
    if parts.iter().any(|part| part.help) {
        out.push_str(HELP);
    }
    out
}

fn explanation(
    fingerprint: &str,
    explained: &BTreeMap<String, String>,
    left: &mut usize,
) -> String {
    let name = untrusted::markdown(fingerprint);
    match explained.get(fingerprint) {
        None => format!(
            "{name}: nothing that this pull request opens or adds has this fingerprint now.\n\n"
        ),
        Some(text) if text.len() > *left => {
            format!("{name}: too much to explain here; ask for it in a comment of its own.\n\n")
        }
        Some(text) => {
            *left -= text.len();
            format!("{name}:\n\n{text}\n")
        }
    }
}

const HELP: &str = "\
| command, at the beginning of a line | what it does |
|---|---|
| `/netpol-review waive FINGERPRINT --reason \"why\"` | accepts what has this fingerprint; with `--expires 30d`, `12h` or `2027-01-31` for so long |
| `/netpol-review unwaive FINGERPRINT` | takes that back |
| `/netpol-review explain FINGERPRINT` | tells all about it |
| `/netpol-review recheck` | reviews once more |
| `/netpol-review help` | tells this |

A fingerprint is 12 to 32 digits, as the review shows it. Who may accept, `approvers` of the configuration on the base branch says. A comment that was edited does not count.
";

/// The commands, newest first, for the summary of a check; nothing where there are none.
pub fn list(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let mut out = String::from("\n#### Commands\n\n");
    for (number, entry) in entries.iter().rev().enumerate() {
        let mut line = format!("- {}", untrusted::markdown(&entry.actor));
        if !entry.command.is_empty() {
            line.push_str(&format!(" {}", entry.command));
        }
        if !entry.fingerprint.is_empty() {
            let short: String = entry.fingerprint.chars().take(12).collect();
            line.push_str(&format!(" {}", untrusted::markdown(&short)));
        }
        line.push_str(&format!(": {}", entry.decision));
        if let Some(url) = untrusted::link_target(&entry.url) {
            line.push_str(&format!(" ([comment](<{url}>))"));
        }
        if !entry.reason.is_empty() {
            line.push_str(&format!(", {}", untrusted::markdown(&entry.reason)));
        }
        if out.len() + line.len() > LIST {
            out.push_str(&format!("- and {} older\n", entries.len() - number));
            break;
        }
        out.push_str(&format!("{line}\n"));
    }
    out
}

/// Writes the record: one line for each command, at every run that is judged by it.
pub fn audit(entries: &[Entry], repository: &str, pull: u64) {
    for entry in entries {
        tracing::info!(
            target: "audit",
            repository,
            pull,
            actor = untrusted::plain(&entry.actor),
            command = entry.command,
            fingerprint = entry.fingerprint,
            decision = entry.decision,
            reason = untrusted::plain(&entry.reason),
            comment = entry.comment,
            "command"
        );
    }
}
