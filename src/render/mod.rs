//! Every output format: pure functions from the report's data to text.
//!
//! [`words`] says things once for all formats, as phrases that keep our own words apart from names
//! that come out of manifests; [`untrusted`] is the only way such names reach an output. One file
//! or folder for each format stands beside them.

pub mod annotation;
pub mod csv;
pub mod dot;
pub mod github;
pub mod html;
pub mod json;
pub mod markdown;
pub mod mermaid;
pub mod sarif;
pub mod text;
pub mod unread;
pub mod untrusted;
pub mod words;

use crate::report::{Report, Row};

/// A row of a report, and where it stands in it.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The environment's name.
    pub environment: &'a str,
    /// Opened, or else closed.
    pub opened: bool,
    /// The row.
    pub row: &'a Row,
}

/// The rows whose fingerprint begins with `prefix`, in the order of the report.
///
/// The beginning of one is enough to look at it. An empty prefix finds nothing.
pub fn find<'a>(report: &'a Report, prefix: &str) -> Vec<Found<'a>> {
    if prefix.is_empty() {
        return vec![];
    }
    let prefix = prefix.to_ascii_lowercase();
    let mut found = Vec::new();
    for environment in &report.environments {
        for (opened, rows) in [(true, &environment.opened), (false, &environment.closed)] {
            let rows = rows.iter().filter(|row| row.fingerprint.starts_with(&prefix));
            found.extend(rows.map(|row| Found { environment: &environment.name, opened, row }));
        }
    }
    found
}
