//! A signal that asks the program to end: what it runs ends first, and leaves no directory behind.

use crate::build::{Signals, ending};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Killing takes milliseconds. Nobody waits for longer than this because a directory can't be removed.
const PATIENCE: Duration = Duration::from_secs(3);

static ENDING: AtomicBool = AtomicBool::new(false);

/// From now on a signal ends the runs of tools and then the program.
pub(super) fn watch() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        // Then a signal ends the program as it would any other.
        return;
    };
    let signals = {
        let _inside = runtime.enter();
        Signals::take()
    };
    std::thread::spawn(move || {
        let number = runtime.block_on(signals.first());
        ENDING.store(true, Ordering::SeqCst);
        ending::end();
        ending::all_gone(PATIENCE);
        std::process::exit(super::exit::signal(number).into());
    });
}

/// Comes back only if the program is not about to end: a result in which builds were ended tells nothing.
pub(super) fn hold() {
    while ENDING.load(Ordering::SeqCst) {
        std::thread::park();
    }
}
