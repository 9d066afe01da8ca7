//! Spans of what a server does, for whoever traces it. Where nobody does, none is made.

use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

/// The target of all spans, and of no line of the log.
pub const TARGET: &str = "traces";

/// Does a part of what the current span is about, as a span of its own.
pub async fn part<T, E>(
    name: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let span = info_span!(target: TARGET, "part", otel.name = name, otel.status_code = Empty);
    let work = async {
        let result = work.await;
        if result.is_err() {
            failed();
        }
        result
    };
    work.instrument(span).await
}

/// Marks the current span, which has the field `otel.status_code`, as that of an error.
pub fn failed() {
    Span::current().record("otel.status_code", "ERROR");
}
