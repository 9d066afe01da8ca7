//! Clients that take turns by a schedule: how interleavings of two runs are played.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex};

#[derive(Debug, Default)]
struct Inner {
    /// Whose request is to be answered next, by the secret it comes with.
    order: VecDeque<String>,
    /// Those that will send no more.
    finished: BTreeSet<String>,
    /// A request is being answered.
    busy: bool,
}

/// A schedule that is being played. A request waits for its turn, and its turn is over once the
/// request has been answered. Clients that the schedule does not name wait for nothing; neither
/// does anybody once the schedule has ended.
#[derive(Clone, Debug)]
pub struct Turns(Arc<(Mutex<Inner>, Condvar)>);

/// A turn; over when dropped.
#[derive(Debug)]
pub struct Turn(Turns);

impl Turns {
    /// One secret for each request, in the order in which they are answered.
    pub fn new(order: &[&str]) -> Self {
        let order = order.iter().map(|secret| (*secret).to_string()).collect();
        let inner = Inner { order, ..Inner::default() };
        Turns(Arc::new((Mutex::new(inner), Condvar::new())))
    }

    /// This client has ended: the turns that it has left are skipped. To be called after each run, or
    /// the other one waits for ever.
    pub fn finished(&self, secret: &str) {
        let (inner, changed) = &*self.0;
        inner.lock().unwrap().finished.insert(secret.into());
        changed.notify_all();
    }

    /// Waits for a turn; none where there is nothing to wait for.
    pub fn wait(&self, secret: &str) -> Option<Turn> {
        let (inner, changed) = &*self.0;
        let mut inner = inner.lock().unwrap();
        if !inner.order.iter().any(|other| other == secret) {
            return None;
        }
        loop {
            while inner.order.front().is_some_and(|next| inner.finished.contains(next)) {
                inner.order.pop_front();
            }
            let next = inner.order.front()?;
            if next == secret && !inner.busy {
                inner.busy = true;
                return Some(Turn(self.clone()));
            }
            inner = changed.wait(inner).unwrap();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (inner, changed) = &*self.0.0;
        let mut inner = inner.lock().unwrap();
        inner.busy = false;
        inner.order.pop_front();
        changed.notify_all();
    }
}
