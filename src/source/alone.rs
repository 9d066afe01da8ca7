//! A file that says that something is one process's alone.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long somebody who has the file is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes a file, which is made where there is none, for this process; it is free again when the value goes, or the
/// process ends, however it does. `None`: another process has it. Blocks for a second at most: whoever had it may be
/// gone but for a program that it was just about to start, which has a copy until it runs.
pub(crate) fn alone(path: &Path) -> io::Result<Option<File>> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    let since = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if since.elapsed() < PATIENCE => {
                std::thread::sleep(PATIENCE / 20);
            }
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}
