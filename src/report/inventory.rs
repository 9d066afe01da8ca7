//! What came from an inventory.

use chrono::NaiveDate;
use serde::Serialize;

/// A file of an inventory, and what of it was used: what the repository declares itself is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// Its path in the repository, or as the user wrote it.
    pub file: String,
    /// The day on which it was taken (UTC), where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken: Option<NaiveDate>,
    /// Workloads.
    pub workloads: usize,
    /// Namespaces.
    pub namespaces: usize,
    /// Policies.
    pub policies: usize,
    /// How many days ago it was taken, which only an edge can know (see [`date`]); no part of the JSON.
    #[serde(skip)]
    pub age: Option<i64>,
}

/// Notes how old each file of an inventory is on a day.
pub fn date(inventory: &mut [Inventory], today: NaiveDate) {
    for file in inventory {
        file.age = file.taken.map(|taken| (today - taken).num_days());
    }
}
