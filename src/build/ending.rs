//! The end of the whole program while tools run: they end with it, and so do their directories.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What begins the names of directories of ours.
const PREFIX: &str = "netpol-review-";

/// How long a directory is tried again that what has just been killed still writes to.
const TRIES: u32 = 10;

/// The next look at what takes a moment.
const MOMENT: Duration = Duration::from_millis(5);

static ENDED: AtomicBool = AtomicBool::new(false);

/// Directories that are there now.
static DIRECTORIES: AtomicUsize = AtomicUsize::new(0);

/// Ends every run of a tool that this process has begun; no other begins after that. It returns at once: each run
/// is ended by whoever waits for it, who then gets [`super::Stopped::Ended`].
pub fn end() {
    ENDED.store(true, Ordering::SeqCst);
}

/// Waits until nothing is left of what [`end`] ended: no process and no directory. False: not within `time`.
pub fn all_gone(time: Duration) -> bool {
    let started = Instant::now();
    while DIRECTORIES.load(Ordering::SeqCst) > 0 {
        if started.elapsed() > time {
            return false;
        }
        std::thread::sleep(MOMENT);
    }
    true
}

pub(super) fn ended() -> bool {
    ENDED.load(Ordering::SeqCst)
}

/// A temporary directory of a run, which ends before [`all_gone`] says so.
#[derive(Debug)]
pub struct Temporary(Option<TempDir>);

impl Temporary {
    /// An empty one.
    ///
    /// # Errors
    ///
    /// It can't be made, or the program ends.
    pub fn new() -> io::Result<Self> {
        // Counted before the look, so that whoever ends the program either sees it or prevents it.
        DIRECTORIES.fetch_add(1, Ordering::SeqCst);
        let mut made = Self(None);
        if ended() {
            return Err(io::Error::other("the program was asked to end"));
        }
        made.0 = Some(tempfile::Builder::new().prefix(PREFIX).tempdir()?);
        Ok(made)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new(""), TempDir::path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(directory) = self.0.take() {
            let path = directory.keep();
            for _ in 0..TRIES {
                match std::fs::remove_dir_all(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        std::thread::sleep(MOMENT);
                    }
                    _ => break,
                }
            }
        }
        DIRECTORIES.fetch_sub(1, Ordering::SeqCst);
    }
}
