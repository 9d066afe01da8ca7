//! What was built already, for several reviews that belong to one run.

use crate::build::Key;
use crate::parse::Problem;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

/// The text of a build, or why there is none.
pub(super) type Text = Result<Vec<u8>, Box<Problem>>;

/// Texts in memory, and why there are none: what hung once is not waited for again.
#[derive(Debug, Default)]
pub struct Kept(Mutex<BTreeMap<Key, Arc<OnceLock<Text>>>>);

impl Kept {
    /// The text of a key; it is built where nobody asked for it before.
    pub(super) fn text(&self, key: Key, build: impl FnOnce() -> Text) -> Text {
        let slot = {
            let mut all = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            all.entry(key).or_default().clone()
        };
        slot.get_or_init(build).clone()
    }
}
