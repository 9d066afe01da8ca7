//! What stands on a line of a change: the rows that the line opens and the rules that it breaks, in few words.

use super::finding;
use super::row::{cause_text, ends};
use super::{Options, Writer, sign};
use crate::render::{untrusted, words};
use crate::report::{Cause, Finding, Row};

/// How many rows, and how many findings, one comment tells.
const MOST: usize = 5;

/// Something that belongs to a line.
#[derive(Clone, Copy, Debug)]
pub enum Note<'a> {
    /// A row, and the edit of it that stands on the line.
    Opened {
        /// The row.
        row: &'a Row,
        /// The edit.
        cause: &'a Cause,
    },
    /// A finding that the change introduces.
    Finding(&'a Finding),
}

impl<'a> Note<'a> {
    /// The fingerprint of the row or the finding.
    pub fn fingerprint(&self) -> &'a str {
        match self {
            Note::Opened { row, .. } => &row.fingerprint,
            Note::Finding(finding) => &finding.fingerprint,
        }
    }
}

/// The text of a comment on the lines of these. The fix of the finding of the fingerprint `suggested` stands beside it
/// as a suggestion.
pub fn on_lines(notes: &[Note<'_>], suggested: Option<&str>, options: &Options<'_>) -> String {
    let writer = Writer { options };
    let mut text = String::new();
    let opened: Vec<(&Row, &Cause)> = notes
        .iter()
        .filter_map(|note| match note {
            Note::Opened { row, cause } => Some((*row, *cause)),
            Note::Finding(_) => None,
        })
        .collect();
    if let Some((_, cause)) = opened.first() {
        let what = match opened.len() {
            1 => "This opens a path".to_string(),
            several => format!("This opens {several} paths"),
        };
        text.push_str(&format!("{what}: {}.\n\n", cause_text(cause, writer)));
    }
    for (row, _) in opened.iter().take(MOST) {
        text.push_str(&format!(
            "- {} **{}** {}\n",
            sign(row.severity),
            row.severity.as_str(),
            ends(row)
        ));
        if let Some(assumes) = row.assumes {
            text.push_str(&format!("  <br>*{}*\n", words::assumption(assumes)));
        }
        text.push_str(&format!(
            "  <br>for example {}{} → {}{}, {}/{}\n",
            untrusted::markdown(&row.witness.from),
            words::listed(row.witness.from_inventory.as_ref()),
            untrusted::markdown(&row.witness.to),
            words::listed(row.witness.to_inventory.as_ref()),
            row.witness.protocol,
            row.witness.port
        ));
    }
    more(&mut text, opened.len());
    let findings = || {
        notes.iter().filter_map(|note| match note {
            Note::Finding(finding) => Some(*finding),
            Note::Opened { .. } => None,
        })
    };
    if !text.is_empty() && findings().next().is_some() {
        text.push('\n');
    }
    for each in findings().take(MOST) {
        let offered = suggested == Some(each.fingerprint.as_str());
        let told =
            opened.iter().take(MOST).any(|(row, _)| each.row.as_ref() == Some(&row.fingerprint));
        text.push_str(&finding::on_line(each, offered, told, writer));
    }
    more(&mut text, findings().count());
    text
}

fn more(text: &mut String, count: usize) {
    if count > MOST {
        text.push_str(&format!("- and {} more, in the review's comment\n", count - MOST));
    }
}
