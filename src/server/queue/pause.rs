//! Installations that have to wait: GitHub said so, or would soon.

use super::{Queue, lock};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What of an installation waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// What nobody waits for.
    Background,
    /// All of it.
    All,
}

/// By installation, what waits and until when.
pub type Pauses = HashMap<i64, (Pause, Instant)>;

impl Queue {
    /// This process takes nothing of an installation for a while, or nothing that nobody waits for. What is known to
    /// last longer stays.
    pub fn pause(&self, installation: i64, what: Pause, time: Duration) {
        let until = Instant::now() + time.min(super::LONGEST_PAUSE);
        let mut pauses = lock(&self.pauses);
        pauses.retain(|_, (_, until)| *until > Instant::now());
        let known = pauses.entry(installation).or_insert((what, until));
        match (known.0 == what, what) {
            (true, _) => known.1 = known.1.max(until),
            (false, Pause::All) => *known = (what, until),
            (false, Pause::Background) => {}
        }
    }

    /// How many installations have to wait.
    pub fn paused(&self) -> usize {
        let now = Instant::now();
        lock(&self.pauses).values().filter(|(_, until)| *until > now).count()
    }

    /// What of an installation has to wait now.
    pub(super) fn waits(&self, installation: i64) -> Option<Pause> {
        let pauses = lock(&self.pauses);
        pauses
            .get(&installation)
            .filter(|(_, until)| *until > Instant::now())
            .map(|(what, _)| *what)
    }
}
