//! The signals that ask a program to end.

use std::future::Future;
use std::task::Poll;

/// SIGHUP, SIGINT and SIGTERM. One that whoever started the program has it ignore is not among them (`nohup`).
pub struct Signals(Vec<(u8, system::Signal)>);

impl Signals {
    /// Takes them from now on, in place of what they would do by themselves. Only within a runtime of tokio.
    pub fn take() -> Self {
        Self(system::take())
    }

    /// The number of the first that comes; it never ends where none does.
    pub fn first(mut self) -> impl Future<Output = u8> {
        std::future::poll_fn(move |context| {
            let came = self
                .0
                .iter_mut()
                .find_map(|(number, signal)| system::came(signal, context).then_some(*number));
            came.map_or(Poll::Pending, Poll::Ready)
        })
    }
}

#[cfg(unix)]
mod system {
    use std::task::Context;
    pub(super) use tokio::signal::unix::Signal;
    use tokio::signal::unix::{SignalKind, signal};

    pub(super) fn take() -> Vec<(u8, Signal)> {
        let ignored = ignored();
        let kinds = [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()];
        let numbered = kinds.into_iter().filter_map(|kind| {
            let number = u8::try_from(kind.as_raw_value()).ok()?;
            let bit = 1u64.checked_shl(u32::from(number).checked_sub(1)?)?;
            (ignored & bit == 0).then_some((number, kind))
        });
        numbered.filter_map(|(number, kind)| Some((number, signal(kind).ok()?))).collect()
    }

    pub(super) fn came(signal: &mut Signal, context: &mut Context<'_>) -> bool {
        signal.poll_recv(context).is_ready()
    }

    /// Those that are ignored, a bit each, as Linux tells it; elsewhere none.
    fn ignored() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or_default()
    }
}

#[cfg(not(unix))]
mod system {
    pub(super) struct Signal;

    pub(super) fn take() -> Vec<(u8, Signal)> {
        Vec::new()
    }

    pub(super) fn came(_: &mut Signal, _: &mut std::task::Context<'_>) -> bool {
        false
    }
}
