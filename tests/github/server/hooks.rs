//! Events on their way to an App: signed, sent, lost, doubled, recorded, and sent again.

use super::TestGitHub;
use super::exchange::Shared;
use super::installations::random;
use super::openapi;
use super::payloads::Event;
use super::state::{State, written};
use aws_lc_rs::hmac;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long GitHub waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// GitHub's ids of deliveries are far beyond 32 bits.
const FIRST_DELIVERY: u64 = 2_000_000_000_000;

/// One attempt to deliver an event.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    /// Its id; the newest has the largest.
    pub id: u64,
    /// The event's own id, the same in each attempt: `X-GitHub-Delivery`.
    pub guid: String,
    /// The App's id.
    pub app: u64,
    /// `pull_request` and so on.
    pub event: String,
    /// `opened` and so on, where the event has one.
    pub action: Option<String>,
    /// The status that was answered; 502 where nobody listened, 504 where nothing was answered in time.
    pub status_code: u16,
    /// `OK`, or what went wrong.
    pub status: String,
    /// When it began.
    pub delivered_at: String,
    /// How long it took, in seconds.
    pub duration: f64,
    /// The installation's id, where the event is about one.
    pub installation: Option<u64>,
    /// The repository's id, where the event is about one.
    pub repository: Option<u64>,
    /// Whether the event was sent before.
    pub redelivery: bool,
    /// What was sent.
    pub payload: Value,
    /// The headers that were sent.
    pub request_headers: BTreeMap<String, String>,
    /// The headers that were answered.
    pub response_headers: BTreeMap<String, String>,
    /// The text that was answered.
    pub response_body: String,
}

/// An event that is to be sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The App's id.
    pub app: u64,
    /// The event's own id.
    pub guid: String,
    /// Its name.
    pub event: String,
    /// Its payload.
    pub payload: Value,
    /// Whether it was sent before.
    pub redelivery: bool,
}

/// What befalls events on their way.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Weather {
    /// So many more are recorded as failed and never sent.
    pub lost: usize,
    /// So many more are sent twice.
    pub doubled: usize,
    /// Whether pull requests and comments that are made through this program send events.
    pub automatic: bool,
    /// How many threads are sending.
    pub sending: usize,
}

/// The value of `X-Hub-Signature-256` for a body.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, body);
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

/// An answer to [`post`]: its status, its headers with names in lower case, its body.
pub type Posted = (u16, BTreeMap<String, String>, String);

/// Posts a body to an `http://` address, within ten seconds. The error's kind is `TimedOut` where no
/// whole answer came in that time.
pub fn post(url: &str, headers: &[(String, String)], body: &[u8]) -> io::Result<Posted> {
    let end = Instant::now() + PATIENCE;
    let late = || io::Error::from(io::ErrorKind::TimedOut);
    let rest = url.strip_prefix("http://").ok_or(io::ErrorKind::Unsupported)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host)?;
    let left = || end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut head = format!("POST /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    // Who refuses a body early may close before all of it was written; the answer is what counts.
    let written = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        stream.set_read_timeout(Some(left().ok_or_else(late)?))?;
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => {
                bytes.extend_from_slice(&piece[..length]);
                if whole(&bytes) {
                    break;
                }
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Err(late());
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if bytes.is_empty() => return Err(e),
            Err(_) => break,
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        written?;
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_string())).collect();
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, headers, body.to_string()))
}

/// Whether an answer has all the bytes that it announces; one that announces none ends with its
/// connection.
fn whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| body.len() >= length)
}

impl Outgoing {
    /// What comes with the body, without the signature of what is not signed.
    fn headers(&self, secret: &str, body: &[u8]) -> Vec<(String, String)> {
        let app = self.app;
        let mut headers = vec![
            ("Accept", "*/*".to_string()),
            ("User-Agent", "GitHub-Hookshot/0000000".into()),
            ("Content-Type", "application/json".into()),
            ("X-GitHub-Delivery", self.guid.clone()),
            ("X-GitHub-Event", self.event.clone()),
            ("X-GitHub-Hook-ID", (500_000_000 + app).to_string()),
            ("X-GitHub-Hook-Installation-Target-ID", app.to_string()),
            ("X-GitHub-Hook-Installation-Target-Type", "integration".into()),
        ];
        if !secret.is_empty() {
            headers.push(("X-Hub-Signature-256", signature(secret, body)));
        }
        headers.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
    }
}

fn failure(error: &io::Error) -> (u16, String) {
    match error.kind() {
        io::ErrorKind::TimedOut => (504, "timed out".into()),
        _ => (502, "failed to connect to host".into()),
    }
}

/// Sends an event once, or loses it, and records that.
fn deliver(shared: &Shared, outgoing: &Outgoing) -> Delivery {
    let (id, delivered_at, url, secret, lost) = {
        let mut state = shared.state();
        state.last_delivery = state.last_delivery.max(FIRST_DELIVERY) + 1;
        let lost = state.weather.lost > 0;
        state.weather.lost -= usize::from(lost);
        let app = state.app(outgoing.app);
        let (url, secret) = (app.webhook_url.clone(), app.webhook_secret.clone());
        (state.last_delivery, written(state.clock()), url, secret, lost)
    };
    let begun = Instant::now();
    let body = outgoing.payload.to_string();
    let headers = outgoing.headers(&secret, body.as_bytes());
    let answer = match lost {
        true => Err(io::ErrorKind::ConnectionRefused.into()),
        false => post(&url, &headers, body.as_bytes()),
    };
    let (status_code, status, response_headers, response_body) = match answer {
        Ok((code @ 200..=299, headers, body)) => (code, "OK".to_string(), headers, body),
        Ok((code, headers, body)) => {
            (code, format!("Invalid HTTP Response: {code}"), headers, body)
        }
        Err(error) => {
            let (code, status) = failure(&error);
            (code, status, BTreeMap::new(), String::new())
        }
    };
    let payload = outgoing.payload.clone();
    let delivery = Delivery {
        id,
        guid: outgoing.guid.clone(),
        app: outgoing.app,
        event: outgoing.event.clone(),
        action: payload["action"].as_str().map(str::to_string),
        status_code,
        status,
        delivered_at,
        duration: begun.elapsed().as_secs_f64(),
        installation: payload["installation"]["id"].as_u64(),
        repository: payload["repository"]["id"].as_u64(),
        redelivery: outgoing.redelivery,
        payload,
        request_headers: headers.into_iter().collect(),
        response_headers,
        response_body,
    };
    shared.state().deliveries.push(delivery.clone());
    delivery
}

/// Sends an event, twice if that is what it is in for. Gives the last attempt.
fn send(shared: &Shared, outgoing: &Outgoing) -> Delivery {
    let doubled = {
        let mut state = shared.state();
        let doubled = state.weather.doubled > 0;
        state.weather.doubled -= usize::from(doubled);
        doubled
    };
    let delivery = deliver(shared, outgoing);
    if doubled { deliver(shared, outgoing) } else { delivery }
}

/// Begins to send what waits, in its order, on a thread of its own.
pub fn flush(shared: &Arc<Shared>) {
    let waiting = {
        let mut state = shared.state();
        let waiting = std::mem::take(&mut state.outbox);
        state.weather.sending += usize::from(!waiting.is_empty());
        waiting
    };
    if waiting.is_empty() {
        return;
    }
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        for outgoing in &waiting {
            send(&shared, outgoing);
        }
        shared.state().weather.sending -= 1;
    });
}

impl State {
    /// An event with an id of its own, for the App of its installation, or else the last App.
    pub fn outgoing(&mut self, event: &Event) -> Outgoing {
        let complaints = openapi::event(&event.name, &event.payload);
        self.violations.extend(complaints);
        let id = event.payload["installation"]["id"].as_u64();
        let installation = id.and_then(|id| self.installations.get(&id));
        let app = installation.map(|installation| installation.app);
        let app = app.unwrap_or_else(|| self.apps.last().expect("an App is registered first").id);
        let digits = random(16);
        let cut = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)];
        let guid = cut.map(|(from, to)| &digits[from..to]).join("-");
        let (event, payload) = (event.name.clone(), event.payload.clone());
        Outgoing { app, guid, event, payload, redelivery: false }
    }
}

impl State {
    /// Puts an event where it is sent from next, if events are sent by themselves. GitHub sends none
    /// about what no installation shows, and none to one that is suspended.
    pub fn automatic(&mut self, event: impl FnOnce(&State) -> Event) {
        if !self.weather.automatic {
            return;
        }
        let event = event(self);
        let id = event.payload["installation"]["id"].as_u64();
        let known = id.and_then(|id| self.installations.get(&id));
        if known.is_some_and(|known| known.suspended_at.is_none()) {
            let outgoing = self.outgoing(&event);
            self.outbox.push(outgoing);
        }
    }
}

impl TestGitHub {
    /// Sends an event to its App and waits for the answer. Panics when the server ends if GitHub has
    /// no such payload; what is wrong on purpose goes through [`TestGitHub::send_anything`].
    pub fn send(&self, event: &Event) -> Delivery {
        let outgoing = self.state().outgoing(event);
        send(&self.shared, &outgoing)
    }

    /// Does the same on a thread of its own, without waiting.
    pub fn send_later(&self, event: &Event) {
        let mut state = self.state();
        let outgoing = state.outgoing(event);
        state.outbox.push(outgoing);
        drop(state);
        flush(&self.shared);
    }

    /// Sends a payload that need not be one of GitHub's, well signed.
    pub fn send_anything(&self, name: &str, payload: Value) -> Delivery {
        let mut state = self.state();
        let known = std::mem::take(&mut state.violations);
        let outgoing = state.outgoing(&Event { name: name.into(), payload });
        state.violations = known;
        drop(state);
        send(&self.shared, &outgoing)
    }

    /// Sends an event again, as the button in the App's settings does. Gives the new attempt.
    pub fn redeliver(&self, delivery: &Delivery) -> Delivery {
        let outgoing = delivery.again();
        send(&self.shared, &outgoing)
    }

    /// Lets the next events fail: they are recorded, never sent.
    pub fn lose_events(&self, count: usize) {
        self.state().weather.lost = count;
    }

    /// Sends each of the next events twice, under one GUID.
    pub fn double_events(&self, count: usize) {
        self.state().weather.doubled = count;
    }

    /// From now on (or no longer) what is done to pull requests and comments through this program
    /// sends events by itself, without waiting for their answers.
    pub fn send_automatically(&self, on: bool) {
        self.state().weather.automatic = on;
    }

    /// Waits until nothing is being sent any more.
    pub fn wait_until_sent(&self) {
        while self.state().weather.sending > 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// All attempts to deliver an event, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        let mut deliveries = self.state().deliveries.clone();
        deliveries.sort_by_key(|delivery| delivery.id);
        deliveries
    }
}

impl Delivery {
    /// The same event once more.
    pub fn again(&self) -> Outgoing {
        Outgoing {
            app: self.app,
            guid: self.guid.clone(),
            event: self.event.clone(),
            payload: self.payload.clone(),
            redelivery: true,
        }
    }

    /// Whether the App took it.
    pub fn succeeded(&self) -> bool {
        self.status == "OK"
    }
}
