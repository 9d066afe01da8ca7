//! Is the server ready?

use super::queue::Queue;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A server whose oldest job waits longer than this is behind.
const BEHIND: Duration = Duration::from_secs(30 * 60);

/// How long GitHub may be out of reach.
const UNREACHABLE: Duration = Duration::from_secs(10 * 60);

/// What readiness hangs on beside the database.
#[derive(Default)]
pub struct Ready {
    ending: AtomicBool,
    /// Since when GitHub does not answer, and its last error.
    unreachable: Mutex<Option<(Instant, String)>>,
}

impl Ready {
    /// The server is to end: it takes no more.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// GitHub answered, or it did not.
    pub fn reached(&self, error: Option<String>) {
        let mut state = self.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
        *state = match (error, state.take()) {
            (None, _) => None,
            (Some(error), Some((since, _))) => Some((since, error)),
            (Some(error), None) => Some((Instant::now(), error)),
        };
    }

    /// Can it take webhooks? Yes, or why not.
    pub async fn for_webhooks(&self, queue: &Queue) -> Result<String, String> {
        if self.ending.load(Ordering::Relaxed) {
            return Err("the server is ending".into());
        }
        queue.ping().await.map_err(|error| error.to_string())?;
        Ok("ready for webhooks".into())
    }

    /// Is all as it should be? Yes, or why not.
    pub async fn now(&self, queue: &Queue) -> Result<String, String> {
        self.for_webhooks(queue).await?;
        let depth = queue.depth().await.map_err(|error| error.to_string())?;
        let unreachable = self.unreachable.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((since, error)) = unreachable.filter(|(since, _)| since.elapsed() > UNREACHABLE)
        {
            let seconds = since.elapsed().as_secs();
            return Err(format!("GitHub has not answered for {seconds} s: {error}"));
        }
        let age = depth.age.as_secs();
        if depth.age > BEHIND {
            return Err(format!("{} jobs wait, the oldest for {age} s", depth.waiting));
        }
        Ok(format!("ready; {} jobs wait, the oldest for {age} s", depth.waiting))
    }
}
