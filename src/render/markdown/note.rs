//! What stands on a line of a change: the rows that the line opens, in few words.

use super::row::{cause_text, ends};
use super::{Options, Writer, sign};
use crate::render::{untrusted, words};
use crate::report::{Cause, Row};

/// How many rows one note tells.
const ROWS: usize = 5;

/// A row, and the edit of it that stands on the line.
#[derive(Clone, Copy, Debug)]
pub struct Note<'a> {
    /// The row.
    pub row: &'a Row,
    /// The edit.
    pub cause: &'a Cause,
}

/// The text of a comment on the lines of these edits.
pub fn on_lines(notes: &[Note<'_>], options: &Options<'_>) -> String {
    let writer = Writer { options };
    let mut text = String::new();
    if let Some(first) = notes.first() {
        let what = match notes.len() {
            1 => "This opens a path".to_string(),
            several => format!("This opens {several} paths"),
        };
        text.push_str(&format!("{what}: {}.\n\n", cause_text(first.cause, writer)));
    }
    for note in notes.iter().take(ROWS) {
        let row = note.row;
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
    if notes.len() > ROWS {
        text.push_str(&format!("- and {} more, in the review's comment\n", notes.len() - ROWS));
    }
    text
}
