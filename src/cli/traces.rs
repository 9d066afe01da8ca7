//! Traces of a server: its spans, to a collector that an operator names.

use super::failure::Failure;
use crate::github::chain;
use crate::spans::TARGET;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

/// Where to, by OpenTelemetry's own variables; the first that is set decides.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// How long one answer may take, in milliseconds, likewise.
const TIMEOUTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];

/// The same where no variable says so, as OpenTelemetry has it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long the end of a server waits for a collector to take the last spans.
const LAST: Duration = Duration::from_secs(3);

/// How long nothing more is said of a collector that takes no traces.
const QUIET: Duration = Duration::from_secs(600);

/// The largest answer that is read, in bytes. One to traces has a few words at most.
const LARGEST_ANSWER: usize = 64 << 10;

/// What sends spans, until the server ends.
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins where a variable names a collector; otherwise there are none. Whether the collector is there is not
    /// asked. An error where spans could never reach it.
    pub(super) fn begin(runtime: &Handle) -> Result<Option<Self>, Failure> {
        let Some((name, endpoint)) = variable(ENDPOINTS) else { return Ok(None) };
        let unusable = |reason: String| {
            Failure::Usage(format!(
                "could not send traces where `{name}` says: {reason}\n  try: `http://localhost:4318`, a collector beside \
                 the server"
            ))
        };
        let scheme = endpoint.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        if !matches!(scheme.as_deref(), Some("http" | "https")) {
            return Err(unusable("only `http://` and `https://` are supported".into()));
        }
        let sender = Sender::new(runtime.clone()).map_err(|error| unusable(error.to_string()))?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(sender)
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let mut resource = Resource::builder();
        let attributes = variable(["OTEL_RESOURCE_ATTRIBUTES"]);
        let is_named = attributes.is_some_and(|(_, value)| value.contains("service.name="));
        if !is_named && variable(["OTEL_SERVICE_NAME"]).is_none() {
            resource = resource.with_service_name("netpol-review");
        }
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter);
        Ok(Some(Self(provider.with_resource(resource.build()).build())))
    }

    /// What takes spans, beside what writes the log.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("netpol-review"))
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(TARGET, LevelFilter::INFO))
    }

    /// Sends what is left, for a few seconds at most. The runtime is still needed.
    pub(super) fn end(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// The first of these variables that is set to something.
fn variable<const N: usize>(names: [&'static str; N]) -> Option<(&'static str, String)> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    names.into_iter().find_map(|name| Some((name, set(name)?)))
}

/// Sends requests with the client that octocrab has too, so that there is one crypto stack, and says in the log when the
/// collector takes none.
#[derive(Debug)]
struct Sender {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// What sends has a thread outside of every runtime; connections need one.
    runtime: Handle,
    timeout: Duration,
    /// When the log said last that the collector takes nothing.
    said: Mutex<Option<Instant>>,
}

impl Sender {
    fn new(runtime: Handle) -> std::io::Result<Self> {
        let https = HttpsConnectorBuilder::new().with_native_roots()?.https_or_http();
        let client = Client::builder(TokioExecutor::new()).build(https.enable_http1().build());
        let timeout = variable(TIMEOUTS).and_then(|(_, value)| value.parse().ok());
        let timeout = timeout.map_or(TIMEOUT, Duration::from_millis);
        Ok(Self { client, runtime, timeout, said: Mutex::default() })
    }

    /// Not for every batch of spans: a collector may be away for days.
    fn say(&self, error: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() >= QUIET) {
            *said = Some(Instant::now());
            tracing::warn!(
                error,
                "the collector takes no traces; this is said every ten minutes at most"
            );
        }
    }
}

impl HttpClient for Sender {
    fn send_bytes<'own, 'future>(
        &'own self,
        request: Request<Bytes>,
    ) -> BoxFuture<'future, Result<Response<Bytes>, HttpError>>
    where
        'own: 'future,
        Self: 'future,
    {
        let client = self.client.clone();
        let sent = async move {
            let (parts, body) = client.request(request.map(Full::new)).await?.into_parts();
            let body = Limited::new(body, LARGEST_ANSWER).collect().await?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        };
        let timeout = self.timeout;
        let sent = self.runtime.spawn(async move { tokio::time::timeout(timeout, sent).await });
        Box::pin(async move {
            let answer: Result<_, HttpError> = match sent.await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(format!("no answer within {timeout:?}").into()),
                // The server ends, and says itself what is lost.
                Err(error) => return Err(error.into()),
            };
            match &answer {
                Ok(answer) if answer.status().is_success() => {}
                Ok(answer) => self.say(&format!("it answered {}", answer.status())),
                Err(error) => self.say(&chain(&**error)),
            }
            answer
        })
    }
}
