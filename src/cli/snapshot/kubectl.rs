//! One call of kubectl, which may hang, print without end, or print nonsense.

use std::io::{self, BufReader, ErrorKind, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How many bytes of an answer are read. A pod has some 10 KB with its status.
pub(super) const MOST_BYTES: u64 = 512 << 20;

/// How many bytes of standard error are kept.
const MOST_WORDS: u64 = 64 << 10;

/// How long a process that has said all may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// There is no such program.
    #[error("could not run `kubectl`: there is no such program in PATH")]
    NoKubectl,
    /// The system did not let it.
    #[error("could not run `kubectl`: {0}")]
    Start(String),
    /// It did not end.
    #[error("kubectl did not answer within {0} seconds")]
    Time(u64),
    /// It printed more than anybody reads.
    #[error("kubectl printed more than the {} MiB that are read", MOST_BYTES >> 20)]
    Size,
    /// It said no.
    #[error("{0}")]
    Refused(String),
}

/// What reading an answer gave.
struct Answer<T> {
    read: T,
    too_large: bool,
}

/// Runs kubectl and reads its answer with `read`. That may stop early.
pub(super) fn call<T: Send + 'static>(
    arguments: &[String],
    limit: Duration,
    read: impl FnOnce(&mut dyn Read) -> T + Send + 'static,
) -> Result<T, CallError> {
    let deadline = Instant::now() + limit;
    let child = Command::new("kubectl")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|error| match error.kind() {
        ErrorKind::NotFound => CallError::NoKubectl,
        _ => CallError::Start(crate::source::io_reason(&error)),
    })?;
    let words = words(&mut child);
    let answer = answer(&mut child, read);
    // Whoever holds a pipe after kubectl is gone keeps a thread waiting, and nobody waits for that.
    let answer = answer.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    let Ok(answer) = answer else {
        end(&mut child);
        return Err(CallError::Time(limit.as_secs()));
    };
    if answer.too_large {
        end(&mut child);
        return Err(CallError::Size);
    }
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            _ => {
                end(&mut child);
                return Err(CallError::Time(limit.as_secs()));
            }
        }
    };
    if status.success() {
        return Ok(answer.read);
    }
    let words = words.recv_timeout(GRACE).unwrap_or_default();
    let last = words.lines().rfind(|line| !line.trim().is_empty());
    let last =
        last.map(|line| line.trim().trim_start_matches("error: ").chars().take(400).collect());
    Err(CallError::Refused(last.unwrap_or_else(|| "kubectl failed and gave no reason".to_string())))
}

/// Reads the answer in a thread of its own, and drains what is left of it.
fn answer<T: Send + 'static>(
    child: &mut Child,
    read: impl FnOnce(&mut dyn Read) -> T + Send + 'static,
) -> Receiver<Answer<T>> {
    let (send, receive) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        thread::spawn(move || {
            let mut output = BufReader::with_capacity(1 << 16, output).take(MOST_BYTES);
            let read = read(&mut output);
            // What follows does not count, but a pipe that nobody reads would let kubectl wait.
            let rest = io::copy(&mut output, &mut io::sink());
            let too_large = rest.is_ok() && output.limit() == 0;
            let _ = send.send(Answer { read, too_large });
        });
    }
    receive
}

/// What kubectl says of itself.
fn words(child: &mut Child) -> Receiver<String> {
    let (send, receive) = mpsc::channel();
    if let Some(mut output) = child.stderr.take() {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = output.by_ref().take(MOST_WORDS).read_to_end(&mut bytes);
            let _ = io::copy(&mut output, &mut io::sink());
            let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
        });
    }
    receive
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
