//! Traces: a server sends them to the collector that a variable names, and is the same without one or with a bad one.

use crate::house::{APP, House, REPOSITORY, SECRET, commit};
use crate::replicas::Replica;
use crate::server::{Delivery, Fault, When};
use crate::webhooks::{headers, opened, send};
use crate::world::ANY;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode as Mark};
use prost::Message;
use serde_json::{Value as Json, json};
use std::fs::{self, File};
use std::io::Read;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TIMEOUT: &str = "OTEL_EXPORTER_OTLP_TIMEOUT";
/// How long spans are gathered before they are sent, in milliseconds.
const DELAY: &str = "OTEL_BSP_SCHEDULE_DELAY";

/// What is sent to it, and where it is.
struct Collector {
    url: String,
    sent: Arc<Mutex<Vec<(HeaderMap, ExportTraceServiceRequest)>>>,
    _runtime: Runtime,
}

impl Collector {
    /// One that answers with this status, or never.
    fn start(status: Option<u16>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let sent = Arc::new(Mutex::new(Vec::new()));
        let kept = sent.clone();
        let take = async move |headers: HeaderMap, body: Bytes| {
            let request = ExportTraceServiceRequest::decode(body).expect("spans");
            kept.lock().unwrap().push((headers, request));
            match status {
                Some(status) => StatusCode::from_u16(status).expect("a status"),
                None => std::future::pending().await,
            }
        };
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().route("/v1/traces", post(take));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { url, sent, _runtime: runtime }
    }

    fn requests(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    /// The spans of this name that have this in a field.
    fn spans(&self, name: &str, field: &str, value: &str) -> Vec<Span> {
        let is_meant = |span: &Span| span.name == name && read(&span.attributes, field) == value;
        self.all().into_iter().filter(is_meant).collect()
    }

    fn all(&self) -> Vec<Span> {
        let sent = self.sent.lock().unwrap();
        let resources = sent.iter().flat_map(|(_, request)| &request.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    /// What sent them, as each request says.
    fn services(&self) -> Vec<String> {
        let sent = self.sent.lock().unwrap();
        let resources = sent.iter().flat_map(|(_, request)| &request.resource_spans);
        let resources = resources.flat_map(|resource| &resource.resource);
        resources.map(|resource| read(&resource.attributes, "service.name")).collect()
    }
}

/// A field as a text; empty where there is none.
fn read(fields: &[KeyValue], name: &str) -> String {
    let field = fields.iter().find(|field| field.key == name);
    match field.and_then(|field| field.value.clone()).and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        None => String::new(),
        other => panic!("{name}: {other:?}"),
    }
}

fn is_marked(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code() == Mark::Error)
}

/// A server, with its log.
struct Serving {
    replica: Replica,
    log: PathBuf,
}

impl Serving {
    fn start(house: &House, variables: &[(&'static str, &str)]) -> Self {
        let mut replica = Replica::new();
        replica.variables =
            variables.iter().map(|(name, value)| (*name, value.to_string())).collect();
        let log = house.folder.path().join("log");
        let database = format!("sqlite:{}", house.folder.path().join("traces.db").display());
        let url = format!("http://127.0.0.1:{}/webhook", replica.port);
        house.github.edit_app(APP, |app| app.webhook_url = url);
        replica.start_with(house, &database, "json", File::create(&log).expect("a file").into());
        house.until("it answers", || replica.is_up());
        Self { replica, log }
    }

    /// Its log so far, but for a line that is not whole.
    fn lines(&self) -> Vec<Json> {
        let text = fs::read_to_string(&self.log).expect("a log");
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// Those of its lines that begin like this.
    fn said(&self, words: &str) -> Vec<Json> {
        let begins = |line: &Json| line["message"].as_str().is_some_and(|it| it.starts_with(words));
        self.lines().into_iter().filter(begins).collect()
    }
}

/// Another head that opens as much, told by a webhook, and its review.
fn push(house: &House) -> Delivery {
    let before = house.head();
    commit(&house.world, "feature", &format!("{ANY}        # {before}\n"));
    house.github.refresh_pull(REPOSITORY, 1);
    let delivery = house.github.send(&house.github.synchronize_event(REPOSITORY, 1, &before));
    house.expect_one_review("failure");
    delivery
}

#[test]
fn a_webhook_and_its_review_are_spans() {
    let (house, collector) = (House::new(), Collector::start(Some(200)));
    let server = Serving::start(&house, &[(ENDPOINT, &collector.url), (DELAY, "100")]);
    house.expect_one_review("failure");
    let guid = push(&house).guid;
    let is_traced = || !collector.spans("job", "delivery", &guid).is_empty();
    house.until("the review is traced", is_traced);
    let webhook = collector.spans("webhook", "delivery", &guid).remove(0);
    let job = collector.spans("job", "delivery", &guid).remove(0);
    let key = read(&job.attributes, "job");
    assert!(key.starts_with("pull/") && key.ends_with("/1"), "{key}");
    for span in [&webhook, &job] {
        assert_eq!(read(&span.attributes, "job"), key);
        assert_eq!(read(&span.attributes, "repository"), REPOSITORY);
        assert_eq!(read(&span.attributes, "pull_request"), "1");
        assert!(!is_marked(span) && span.end_time_unix_nano > span.start_time_unix_nano);
    }
    assert_eq!(read(&webhook.attributes, "event"), "pull_request");
    assert_eq!(read(&webhook.attributes, "answer"), "accepted");
    assert_eq!(read(&job.attributes, "attempt"), "1");
    assert_eq!(read(&job.attributes, "result"), "done");
    assert_eq!(read(&job.attributes, "verdict"), "widened");
    assert_eq!((webhook.kind(), job.kind()), (SpanKind::Server, SpanKind::Consumer));
    let mut parts = collector.all();
    parts.retain(|span| span.parent_span_id == job.span_id);
    let mut names: Vec<_> = parts.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["check", "comment", "comparison", "conversation", "evaluation", "git", "token"]
    );
    assert!(collector.services().iter().all(|name| name == "netpol-review"));
    // Whoever reads the log sees nothing of it.
    for line in server.lines() {
        assert!(line.get("span").is_none() && line.get("spans").is_none(), "{line}");
    }
}

#[test]
fn what_fails_is_marked() {
    let (house, collector) = (House::new(), Collector::start(Some(200)));
    house.github.fault(When::is("POST", "/graphql"), Fault::GraphErrors);
    let _server = Serving::start(&house, &[(ENDPOINT, &collector.url), (DELAY, "100")]);
    let broken = house.github.send_anything("pull_request", json!({"action": 4}));
    assert_eq!(broken.status_code, 400);
    let job = || collector.spans("job", "result", "failed");
    let webhook = || collector.spans("webhook", "delivery", &broken.guid);
    house.until("both are traced", || !job().is_empty() && !webhook().is_empty());
    let (job, webhook) = (job().remove(0), webhook().remove(0));
    assert!(is_marked(&job) && is_marked(&webhook));
    let mut parts = collector.all();
    parts.retain(|span| span.parent_span_id == job.span_id);
    parts.retain(is_marked);
    let names: Vec<_> = parts.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["conversation"], "the part that failed, and no other");
}

#[test]
fn what_is_not_signed_leaves_no_span() {
    let (house, collector) = (House::new(), Collector::start(Some(200)));
    let server = Serving::start(&house, &[(ENDPOINT, &collector.url), (DELAY, "100")]);
    let (address, body) = (format!("127.0.0.1:{}", server.replica.port), opened());
    let webhook =
        |guid, secret| send(&address, &headers("pull_request", guid, secret, &body), &body);
    assert_eq!(webhook("g-1", "another secret"), 401);
    assert_eq!(webhook("g-2", SECRET), 202);
    let traced = |guid| collector.spans("webhook", "delivery", guid).len();
    house.until("the signed one is traced", || traced("g-2") == 1);
    assert_eq!(collector.all().iter().filter(|span| span.name == "webhook").count(), 1);
}

#[test]
fn the_last_spans_are_sent_at_the_end() {
    let (house, collector) = (House::new(), Collector::start(Some(200)));
    let mut server = Serving::start(&house, &[(ENDPOINT, &collector.url), (DELAY, "3600000")]);
    house.expect_one_review("failure");
    assert_eq!(collector.requests(), 0, "they are gathered for an hour");
    let (status, _) = server.replica.terminate();
    assert!(status.success(), "{status}");
    assert_eq!(collector.spans("job", "verdict", "widened").len(), 1);
}

#[test]
fn a_collector_that_takes_nothing_is_told_of_once_and_holds_nothing_up() {
    let away = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    let away = format!("http://{}", away.expect("an address"));
    let (broken, mute) = (Collector::start(Some(500)), Collector::start(None));
    for (url, asked, error) in [
        (&away, None, "Connection refused"),
        (&broken.url, Some(&broken), "it answered 500"),
        (&mute.url, Some(&mute), "no answer within 500ms"),
    ] {
        let house = House::new();
        let variables = [(ENDPOINT, url.as_str()), (DELAY, "100"), (TIMEOUT, "500")];
        let mut server = Serving::start(&house, &variables);
        house.expect_one_review("failure");
        push(&house);
        let said = || server.said("the collector takes no traces");
        house.until("the log says so", || !said().is_empty());
        house.until("it was asked again", || asked.is_none_or(|one| one.requests() > 1));
        let (status, took) = server.replica.terminate();
        assert!(status.success() && took < Duration::from_secs(15), "{error}: {status}, {took:?}");
        let said = server.said("the collector takes no traces");
        let [line] = &said[..] else { panic!("{said:?}") };
        assert!(line["error"].as_str().is_some_and(|text| text.contains(error)), "{line}");
        assert_eq!(line["level"], "WARN");
    }
}

#[test]
fn a_collector_that_never_answers_does_not_hold_the_end_up() {
    let (house, collector) = (House::new(), Collector::start(None));
    let variables = [(ENDPOINT, collector.url.as_str()), (DELAY, "100"), (TIMEOUT, "3600000")];
    let mut server = Serving::start(&house, &variables);
    house.expect_one_review("failure");
    house.until("it is asked", || collector.requests() > 0);
    let (status, took) = server.replica.terminate();
    assert!(status.success() && took < Duration::from_secs(15), "{status}, {took:?}");
    assert_eq!(server.said("the last traces were not sent").len(), 1, "{:?}", server.lines());
}

#[test]
fn without_a_variable_nothing_is_begun() {
    let collector = Collector::start(Some(200));
    let sends = |variables: &[(&'static str, &str)]| {
        let house = House::new();
        let mut server = Serving::start(&house, variables);
        house.expect_one_review("failure");
        let threads = server.replica.threads();
        server.replica.terminate();
        threads.iter().any(|name| name.starts_with("OpenTelemetry"))
    };
    // What else is said about collectors is no wish for one.
    let others = ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"];
    let others = others.map(|name| (name, collector.url.as_str()));
    assert!(!sends(&others));
    assert!(!sends(&[(ENDPOINT, "")]));
    assert_eq!(collector.requests(), 0);
    assert!(sends(&[(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        &format!("{}/v1/traces", collector.url)
    )]));
    assert!(collector.requests() > 0);
}

#[test]
fn other_variables_of_opentelemetry_count() {
    let (house, collector) = (House::new(), Collector::start(Some(200)));
    let token = ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20token");
    let name = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=reviews,team=security");
    let _server =
        Serving::start(&house, &[(ENDPOINT, &collector.url), (DELAY, "100"), token, name]);
    house.until("something is sent", || collector.requests() > 0);
    assert_eq!(collector.sent.lock().unwrap()[0].0["authorization"], "Bearer token");
    assert_eq!(collector.services()[0], "reviews");
}

#[test]
fn an_address_with_tls_is_spoken_to_with_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    let house = House::new();
    let _server = Serving::start(&house, &[(ENDPOINT, &url), (DELAY, "100")]);
    let mut stream = None;
    house.until("it connects", || {
        stream = listener.accept().ok();
        stream.is_some()
    });
    let (mut stream, _) = stream.expect("a connection");
    stream.set_nonblocking(false).expect("a socket");
    let mut first = [0];
    stream.read_exact(&mut first).expect("a byte");
    assert_eq!(first, [22], "the beginning of a handshake");
}

#[test]
fn an_address_of_another_kind_is_refused_at_the_start() {
    let house = House::new();
    let mut replica = Replica::new();
    replica.variables = vec![(ENDPOINT, "grpc://collector.example:4317".into())];
    let log = house.folder.path().join("log");
    let database = format!("sqlite:{}", house.folder.path().join("traces.db").display());
    replica.start_with(&house, &database, "json", File::create(&log).expect("a file").into());
    let said = || fs::read_to_string(&log).expect("a log");
    house.until("it says why", || said().contains("only `http://` and `https://` are supported"));
    assert!(said().contains(ENDPOINT) && !replica.is_up());
}
