//! What the server answers.

use super::intake::{self, Wish};
use super::metrics::Metrics;
use super::pages::{self, Pages};
use super::queue::{Accepted, Queue};
use super::signature::{self, Secrets};
use crate::source::git::Mirrors;
use crate::spans::{self, TARGET};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tracing::{Instrument, Span, field::Empty, info_span};

/// The largest webhook that GitHub sends, in bytes.
const LARGEST: usize = 25 << 20;

/// Nearly all webhooks are smaller, in bytes. Larger ones wait for each other and not for these.
const USUAL: usize = 128 << 10;

/// So much is read at a time of the usual and of the larger ones each, in KiB, so that nobody fills the memory with what is
/// not even signed.
const AT_ONCE: usize = 200 << 10;

/// How long a body may take. GitHub gives up after ten seconds.
const BODY: Duration = Duration::from_secs(10);

/// What the routes need.
pub struct Web {
    /// Where events go.
    pub queue: Arc<Queue>,
    /// How senders prove themselves.
    pub secrets: Secrets,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What was fetched of repositories.
    pub mirrors: Arc<Mirrors>,
    /// Is the server ready, or what is it not?
    pub ready: super::ready::Ready,
    /// For the usual ones and for larger ones; the places are KiB.
    rooms: [Semaphore; 2],
}

impl Web {
    /// With these.
    pub fn new(
        queue: Arc<Queue>,
        secrets: Secrets,
        metrics: Arc<Metrics>,
        mirrors: Arc<Mirrors>,
        ready: super::ready::Ready,
    ) -> Self {
        Self { queue, secrets, metrics, mirrors, ready, rooms: [AT_ONCE; 2].map(Semaphore::new) }
    }

    /// The routes, with that of report pages where there are such.
    pub fn router(self: Arc<Self>, pages: Option<Arc<Pages>>) -> Router {
        let router = Router::new()
            .route("/webhook", post(webhook))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(readyz))
            .route("/readyz/webhooks", get(ready_for_webhooks))
            .route("/metrics", get(metrics))
            .with_state(self);
        match pages {
            Some(pages) => {
                router.merge(Router::new().route(pages::ROUTE, get(pages::show)).with_state(pages))
            }
            None => router,
        }
    }
}

/// Takes a webhook: proves its sender, writes it down, answers.
async fn webhook(State(web): State<Arc<Web>>, request: Request) -> Response {
    let begun = Instant::now();
    let (parts, body) = request.into_parts();
    let (status, words) = match taken(&web, &parts.headers, body).await {
        Ok(words) => (StatusCode::ACCEPTED, words),
        Err((status, words)) => (status, words),
    };
    web.metrics.webhook(status.as_u16(), begun.elapsed());
    (status, words + "\n").into_response()
}

type Refused = (StatusCode, String);

async fn taken(web: &Web, headers: &HeaderMap, body: Body) -> Result<String, Refused> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bad = |words: &str| (StatusCode::BAD_REQUEST, words.to_string());
    let event = text("x-github-event").ok_or_else(|| bad("no `X-GitHub-Event`"))?;
    let guid = text("x-github-delivery").filter(|guid| is_guid(guid));
    let guid = guid.ok_or_else(|| bad("no `X-GitHub-Delivery`"))?;
    let unsigned = || (StatusCode::UNAUTHORIZED, "the signature is not ours".to_string());
    let signature = headers.get(signature::HEADER).ok_or_else(unsigned)?;
    let length = text(header::CONTENT_LENGTH.as_str()).and_then(|text| text.parse().ok());
    let too_large = || (StatusCode::PAYLOAD_TOO_LARGE, "larger than any webhook".to_string());
    if length.is_some_and(|length: usize| length > LARGEST) {
        return Err(too_large());
    }
    let slow = |_| (StatusCode::REQUEST_TIMEOUT, "too slow".to_string());
    let length = length.unwrap_or(LARGEST);
    let kilobytes = u32::try_from(length / 1024 + 1).unwrap_or(u32::MAX);
    let [usual, large] = &web.rooms;
    let room = if length <= USUAL { usual } else { large };
    let read = async { (room.acquire_many(kilobytes).await, to_bytes(body, LARGEST).await) };
    let (_room, body) = tokio::time::timeout(BODY, read).await.map_err(slow)?;
    let body = body.map_err(|error| match is_limit(&error) {
        true => too_large(),
        false => bad("the body broke off"),
    })?;
    if !web.secrets.signed(signature.as_bytes(), &body) {
        return Err(unsigned());
    }
    // What anybody could send leaves no span.
    let span = info_span!(
        target: TARGET, "webhook", otel.kind = "server", otel.status_code = Empty,
        event, delivery = guid, job = Empty, repository = Empty, pull_request = Empty, answer = Empty
    );
    written(web, event, guid, &body).instrument(span).await
}

/// Writes down what a webhook of GitHub's asks for.
async fn written(web: &Web, event: &str, guid: &str, body: &[u8]) -> Result<String, Refused> {
    let wishes = intake::read(event, body).map_err(|error| {
        spans::failed();
        tracing::warn!(delivery = guid, event, %error, "webhook refused");
        (StatusCode::BAD_REQUEST, error.to_string())
    })?;
    web.metrics.event(event);
    let span = Span::current();
    let answered = |words: &str| {
        span.record("answer", words);
        words.to_string()
    };
    let Some(first) = wishes.first() else { return Ok(answered("nothing to do")) };
    if let Wish::Do(job) = first {
        job.name_in(&span);
    }
    let count = wishes.len();
    match web.queue.accept(guid, wishes).await {
        Ok(Accepted::New) => {
            tracing::info!(delivery = guid, event, jobs = count, "webhook accepted");
            Ok(answered("accepted"))
        }
        Ok(Accepted::Known) => Ok(answered("known already")),
        Err(error) => {
            spans::failed();
            tracing::error!(delivery = guid, event, %error, "webhook not accepted");
            Err((StatusCode::SERVICE_UNAVAILABLE, "not now; deliver it again".into()))
        }
    }
}

/// What GitHub's identifiers of deliveries are made of.
fn is_guid(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

fn is_limit(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = cause.source();
    }
    false
}

async fn readyz(State(web): State<Arc<Web>>) -> Response {
    told(web.ready.now(&web.queue).await)
}

/// For who sends webhooks to one of several servers: one that is behind, or does not reach GitHub, still takes them.
async fn ready_for_webhooks(State(web): State<Arc<Web>>) -> Response {
    told(web.ready.for_webhooks(&web.queue).await)
}

fn told(answer: Result<String, String>) -> Response {
    match answer {
        Ok(words) => (StatusCode::OK, words + "\n").into_response(),
        Err(words) => (StatusCode::SERVICE_UNAVAILABLE, words + "\n").into_response(),
    }
}

async fn metrics(State(web): State<Arc<Web>>) -> Response {
    match web.queue.depth().await {
        Ok(depth) => web.metrics.depth(&depth),
        Err(error) => tracing::warn!(%error, "could not count what waits"),
    }
    web.metrics.paused(web.queue.paused());
    web.metrics.mirrors(&web.mirrors.figures());
    let kind =
        [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    (kind, web.metrics.text()).into_response()
}
