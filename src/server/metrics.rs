//! What is counted, for Prometheus.

use super::queue::Depth;
use crate::source::git::Figures;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

/// Upper bounds of buckets, in seconds: webhooks are answered in milliseconds, reviews take seconds.
const ANSWERS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0, 10.0];
const REVIEWS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Status {
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Event {
    event: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Result {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Installation {
    installation: i64,
}

/// The counters.
pub struct Metrics {
    registry: Registry,
    webhooks: Family<Status, Counter>,
    answers: Histogram,
    events: Family<Event, Counter>,
    jobs: Family<Result, Counter>,
    reviews: Family<Result, Counter>,
    review_time: Histogram,
    calls: Counter,
    pages: Family<Result, Counter>,
    depth: Family<State, Gauge>,
    age: Gauge<f64, std::sync::atomic::AtomicU64>,
    remaining: Family<Installation, Gauge>,
    paused: Gauge,
    mirrors: Gauge,
    mirror_bytes: Gauge,
    mirror_memory: Gauge,
    mirror_fetches: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("netpol_review");
        let metrics = Self {
            webhooks: Family::default(),
            answers: Histogram::new(ANSWERS),
            events: Family::default(),
            jobs: Family::default(),
            reviews: Family::default(),
            review_time: Histogram::new(REVIEWS),
            calls: Counter::default(),
            pages: Family::default(),
            depth: Family::default(),
            age: Gauge::default(),
            remaining: Family::default(),
            paused: Gauge::default(),
            mirrors: Gauge::default(),
            mirror_bytes: Gauge::default(),
            mirror_memory: Gauge::default(),
            mirror_fetches: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("webhooks", "Webhooks answered, by status", metrics.webhooks.clone());
        registry.register(
            "webhook_seconds",
            "Time to the answer of a webhook",
            metrics.answers.clone(),
        );
        registry.register("events", "Events that were signed, by name", metrics.events.clone());
        registry.register("jobs", "Jobs worked on, by what became of them", metrics.jobs.clone());
        registry.register("reviews", "Reviews made, by result", metrics.reviews.clone());
        registry.register("review_seconds", "Time of a review", metrics.review_time.clone());
        registry.register(
            "github_calls",
            "Requests to GitHub's API by reviews",
            metrics.calls.clone(),
        );
        registry.register("pages", "Report pages, by what was done", metrics.pages.clone());
        registry.register("queue_jobs", "Jobs in the queue, by state", metrics.depth.clone());
        registry.register(
            "queue_age_seconds",
            "How long the oldest waiting job waits",
            metrics.age.clone(),
        );
        registry.register(
            "github_remaining_calls",
            "Calls that an installation has left in the hour, as GitHub said last",
            metrics.remaining.clone(),
        );
        for (name, help, gauge) in [
            (
                "installations_paused",
                "Installations that wait for GitHub's limits",
                &metrics.paused,
            ),
            ("mirrors", "Repositories that are kept on disk", &metrics.mirrors),
            ("mirror_bytes", "Disk that they take", &metrics.mirror_bytes),
            ("mirror_memory_bytes", "Memory of what was read of them", &metrics.mirror_memory),
            ("mirror_fetches", "Fetches since the start", &metrics.mirror_fetches),
        ] {
            registry.register(name, help, gauge.clone());
        }
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// A webhook was answered.
    pub fn webhook(&self, status: u16, took: Duration) {
        self.webhooks.get_or_create(&Status { status }).inc();
        self.answers.observe(took.as_secs_f64());
    }

    /// An event was signed. What nobody knows has one name, as names come from outside.
    pub fn event(&self, event: &str) {
        let event = if super::intake::EVENTS.contains(&event) { event } else { "other" };
        self.events.get_or_create(&Event { event: event.into() }).inc();
    }

    /// A job was worked on.
    pub fn job(&self, result: &'static str) {
        self.jobs.get_or_create(&Result { result }).inc();
    }

    /// A review was made.
    pub fn review(&self, result: &'static str, took: Duration, calls: usize) {
        self.reviews.get_or_create(&Result { result }).inc();
        self.review_time.observe(took.as_secs_f64());
        self.calls.inc_by(calls as u64);
    }

    /// A report page was kept, could not be kept, or was shown.
    pub fn page(&self, result: &'static str) {
        self.pages.get_or_create(&Result { result }).inc();
    }

    /// How the queue is.
    pub fn depth(&self, depth: &Depth) {
        for (state, count) in [
            ("waiting", depth.waiting),
            ("running", depth.running),
            ("later", depth.later),
            ("dead", depth.dead),
        ] {
            self.depth.get_or_create(&State { state }).set(count);
        }
        self.age.set(depth.age.as_secs_f64());
    }

    /// What an installation has left.
    pub fn remaining(&self, installation: i64, calls: i64) {
        self.remaining.get_or_create(&Installation { installation }).set(calls);
    }

    /// How many installations wait.
    pub fn paused(&self, count: usize) {
        self.paused.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// What is kept of repositories.
    pub fn mirrors(&self, figures: &Figures) {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.mirrors.set(number(figures.mirrors as u64));
        self.mirror_bytes.set(number(figures.bytes));
        self.mirror_memory.set(number(figures.memory));
        self.mirror_fetches.set(number(figures.fetches));
    }

    /// All of them, in the text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
