//! A progress display on standard error, for work that takes long and a person who watches.

use crate::source::Meter;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Work shorter than this shows nothing: a flicker tells nobody anything.
const PATIENCE: Duration = Duration::from_millis(400);
const REFRESH: Duration = Duration::from_millis(100);

/// Shows how far the reading is, then that the comparison runs, until it is dropped.
pub(super) struct Progress {
    /// What the sources report to.
    pub(super) meter: Arc<Meter>,
    display: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    pub(super) fn start() -> Self {
        let meter = Arc::new(Meter::default());
        let display = io::stderr().is_terminal().then(|| {
            let (stop, stopped) = mpsc::channel();
            let meter = Arc::clone(&meter);
            let thread = thread::spawn(move || {
                if stopped.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                    bar.set_style(style);
                }
                while stopped.recv_timeout(REFRESH) == Err(RecvTimeoutError::Timeout) {
                    let (total, done) = meter.get();
                    bar.set_message(if done < total || total == 0 {
                        format!("reading manifests {done}/{total}")
                    } else {
                        format!("{total} manifests read, computing what may talk to what")
                    });
                    bar.tick();
                }
                bar.finish_and_clear();
            });
            (stop, thread)
        });
        Self { meter, display }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.display.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}
