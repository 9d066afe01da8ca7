//! JSON: the contract of `report`, indented, with a newline at the end.

use serde::Serialize;

use super::untrusted;
use crate::report::environments::Environments;
use crate::report::{Answer, Lint, Listing, Report};

/// The outcome of a comparison.
pub fn report(report: &Report) -> String {
    pretty(report)
}

/// The effective reachability of one snapshot.
pub fn listing(listing: &Listing) -> String {
    pretty(listing)
}

/// The findings of one snapshot.
pub fn lint(lint: &Lint) -> String {
    pretty(lint)
}

/// The answer to a query.
pub fn answer(answer: &Answer) -> String {
    pretty(answer)
}

/// The environments of a repository.
pub fn environments(found: &Environments) -> String {
    pretty(found)
}

fn pretty<T: Serialize>(value: &T) -> String {
    let mut json = serde_json::to_string_pretty(value)
        .expect("derived serializers without maps have nothing that can fail");
    json.push('\n');
    untrusted::json(&json)
}
