//! How long each step of a run took, for measurements: `NETPOL_REVIEW_TIMINGS=1` prints lines such
//! as `parsing 12.3 ms` to standard error.

use std::io::{self, Write};
use std::time::Instant;

/// Tells the time since the last step; silent unless the environment asks for it.
pub(super) struct Timings(Option<Instant>);

impl Timings {
    /// Starts the clock.
    pub(super) fn start() -> Self {
        let wanted = std::env::var_os("NETPOL_REVIEW_TIMINGS").is_some_and(|value| value == "1");
        Self(wanted.then(Instant::now))
    }

    /// A step has ended.
    pub(super) fn done(&mut self, step: &str) {
        if let Some(since) = &mut self.0 {
            let took = since.elapsed().as_secs_f64() * 1000.0;
            // Nobody is left to tell where standard error can't be written.
            let _ = writeln!(io::stderr(), "{step} {took:.3} ms");
            *since = Instant::now();
        }
    }
}
