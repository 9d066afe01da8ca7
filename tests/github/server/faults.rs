//! What can go wrong on demand, and when.

use std::fmt;
use std::time::Duration;

/// A request as faults and hooks see it before it is answered.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Counted from 0, in the order of arrival, over all requests to this server.
    pub index: usize,
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The path without `/api/v3`.
    pub path: String,
    /// Who sent it, as far as the token says.
    pub login: Option<String>,
    /// The secret that came with it, known or not: tells two runs with the same login apart.
    pub secret: Option<String>,
}

/// Which request.
pub struct When(Box<dyn FnMut(&Seen) -> bool + Send>);

impl When {
    /// The request with this index, counted from 0 since the server started.
    pub fn index(index: usize) -> Self {
        When(Box::new(move |seen| seen.index == index))
    }

    /// A request with this method, `*` for any, whose path contains this text.
    pub fn is(method: &str, path: &str) -> Self {
        let (method, path) = (method.to_string(), path.to_string());
        When::such(move |seen| {
            (method == "*" || seen.method == method) && seen.path.contains(&path)
        })
    }

    /// A request of which this is true.
    pub fn such(predicate: impl FnMut(&Seen) -> bool + Send + 'static) -> Self {
        When(Box::new(predicate))
    }

    /// The one after `skip` others of which the same is true.
    pub fn after(mut self, mut skip: usize) -> Self {
        When::such(move |seen| {
            let now = (self.0)(seen);
            let skipped = now && skip > 0;
            skip -= usize::from(skipped);
            now && !skipped
        })
    }

    /// Is it this request?
    pub fn matches(&mut self, seen: &Seen) -> bool {
        (self.0)(seen)
    }
}

impl fmt::Debug for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("When")
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status with GitHub's JSON, and nothing was written.
    Status(u16),
    /// This status with GitHub's JSON, although everything was written.
    StatusAfter(u16),
    /// 403 with `Retry-After`, in seconds.
    RetryAfter(u64),
    /// 403 or 429: the secondary limit, without a `Retry-After`.
    SecondaryLimit(u16),
    /// 403: the hourly limit, to be reset in so many seconds.
    HourlyLimit(u64),
    /// The connection is closed before anything was written.
    DropBefore,
    /// The connection is closed without an answer after everything was written.
    DropAfter,
    /// A page of HTML with this status, and nothing was written.
    Html(u16),
    /// 200 with GraphQL's errors in place of data, as where a limit is met there.
    GraphErrors,
    /// Everything is right, but late.
    Delay(Duration),
    /// Everything was written; the connection is closed in the middle of the answer.
    Truncated,
    /// Everything was written; half of the JSON arrives, with the length of that half.
    HalfJson,
}

impl Fault {
    /// Whether the request is refused before it has an effect.
    pub fn refuses(self) -> bool {
        matches!(
            self,
            Fault::Status(_)
                | Fault::RetryAfter(_)
                | Fault::SecondaryLimit(_)
                | Fault::HourlyLimit(_)
                | Fault::DropBefore
                | Fault::Html(_)
                | Fault::GraphErrors
        )
    }

    /// One of each, for tests that try them all. The delay is short.
    pub fn each() -> Vec<Fault> {
        vec![
            Fault::Status(500),
            Fault::Status(502),
            Fault::Status(503),
            Fault::StatusAfter(502),
            Fault::RetryAfter(1),
            Fault::SecondaryLimit(403),
            Fault::SecondaryLimit(429),
            Fault::HourlyLimit(1),
            Fault::DropBefore,
            Fault::DropAfter,
            Fault::Html(502),
            Fault::Delay(Duration::from_millis(200)),
            Fault::Truncated,
            Fault::HalfJson,
        ]
    }
}
