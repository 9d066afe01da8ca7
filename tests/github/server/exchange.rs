//! One exchange: a request is logged, hooks and faults have their turn, a route answers, and both
//! sides are held to GitHub's description.

use super::budgets::Budget;
use super::faults::{Fault, Seen, When};
use super::hooks;
use super::listener::Switch;
use super::openapi;
use super::routes::{self, Call};
use super::state::{Logged, State};
use super::turns::{Turn, Turns};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::extract::{ConnectInfo, Request};
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};

/// What a request may bring along; git sends the longest.
const LARGEST_BODY: usize = 64 << 20;
const LIMIT: u64 = 5000;

type Hook = Box<dyn FnOnce(&Seen) + Send>;

/// What all connections share.
pub struct Shared {
    state: Mutex<State>,
    faults: Mutex<Vec<(When, Fault, bool)>>,
    hooks: Mutex<Vec<(When, Hook)>>,
    turns: Mutex<Option<Turns>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    pub fn new(url: &str) -> Self {
        let state = State { url: url.into(), ..State::default() };
        let (faults, hooks, turns) = (Mutex::default(), Mutex::default(), Mutex::default());
        Shared { state: Mutex::new(state), faults, hooks, turns }
    }

    /// A test that failed while it held the lock must not fail all others.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn add_fault(&self, when: When, fault: Fault, once: bool) {
        self.faults.lock().unwrap().push((when, fault, once));
    }

    pub fn clear_faults(&self) {
        self.faults.lock().unwrap().clear();
    }

    pub fn add_hook(&self, when: When, hook: Hook) {
        self.hooks.lock().unwrap().push((when, hook));
    }

    pub fn set_turns(&self, turns: Turns) {
        *self.turns.lock().unwrap() = Some(turns);
    }

    /// Waits for the turn of a request.
    fn turn(&self, seen: &Seen) -> Option<Turn> {
        let turns = self.turns.lock().unwrap().clone();
        turns?.wait(seen.secret.as_deref()?)
    }

    fn take_fault(&self, seen: &Seen) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let at = faults.iter_mut().position(|(when, ..)| when.matches(seen))?;
        if faults[at].2 { Some(faults.remove(at).1) } else { Some(faults[at].1) }
    }

    fn take_hooks(&self, seen: &Seen) -> Vec<Hook> {
        let mut hooks = self.hooks.lock().unwrap();
        let (mut now, mut later) = (Vec::new(), Vec::new());
        for (mut when, hook) in hooks.drain(..) {
            if when.matches(seen) {
                now.push(hook);
            } else {
                later.push((when, hook));
            }
        }
        *hooks = later;
        now
    }
}

/// What is sent back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub content: Content,
}

/// The body of an answer.
#[derive(Debug)]
pub enum Content {
    Nothing,
    Json(Value),
    Bytes(Vec<u8>),
}

impl Reply {
    pub fn json(status: u16, value: Value) -> Self {
        Reply { status, headers: Vec::new(), content: Content::Json(value) }
    }

    /// An error with GitHub's usual three fields.
    pub fn error(status: u16, message: &str) -> Self {
        let documentation = "https://docs.github.com/rest";
        let status_text = status.to_string();
        Reply::json(
            status,
            json!({"message": message, "documentation_url": documentation, "status": status_text}),
        )
    }

    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.into(), value.to_string()));
        self
    }
}

/// The service for `axum::serve`.
pub fn service(shared: Arc<Shared>) -> IntoMakeServiceWithConnectInfo<Router, Switch> {
    let handle = move |ConnectInfo(switch): ConnectInfo<Switch>, request: Request| {
        let shared = Arc::clone(&shared);
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, LARGEST_BODY).await.unwrap_or_default();
            // Hooks, delays and git block, so an exchange has a thread of its own.
            let exchange =
                tokio::task::spawn_blocking(move || exchange(&shared, &parts, &body, &switch));
            exchange.await.unwrap_or_else(|_| {
                let mut failed = Response::new(Body::from("the test GitHub panicked"));
                *failed.status_mut() = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
                failed
            })
        }
    };
    Router::new().fallback(handle).into_make_service_with_connect_info::<Switch>()
}

fn header<'a>(parts: &'a Parts, name: &str) -> &'a str {
    parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The secret in `Authorization`: `Bearer` and `token` for the API, `Basic` for git.
fn secret(parts: &Parts) -> Option<String> {
    let (scheme, rest) = header(parts, "authorization").split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "token" => Some(rest.trim().to_string()),
        "basic" => {
            let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
            text.split_once(':').map(|(_, password)| password.to_string())
        }
        _ => None,
    }
}

fn exchange(shared: &Arc<Shared>, parts: &Parts, body: &Bytes, switch: &Switch) -> Response {
    let method = parts.method.as_str();
    let whole = parts.uri.path();
    let prefix = if whole.starts_with("/api/v3/") { "/api/v3" } else { "" };
    // GraphQL of GitHub Enterprise is at /api/graphql.
    let path = whole.strip_prefix(prefix).unwrap_or(whole);
    let path = if path == "/api/graphql" { "/graphql" } else { path };
    let query = parts.uri.query().unwrap_or_default();
    if path.starts_with("/_") {
        let mut state = shared.state();
        let reply = routes::own(&mut state, method, path, body);
        let now = state.clock();
        drop(state);
        hooks::flush(shared);
        return response(reply, 0, now, None);
    }

    let sent: Option<Value> = serde_json::from_slice(body).ok();
    let git = routes::git_path(path);
    let (seen, bearer, budget) = {
        let mut state = shared.state();
        let secret = secret(parts);
        let bearer = state.bearer(secret.as_deref());
        let seen = Seen {
            index: state.requests.len(),
            method: method.into(),
            path: path.into(),
            login: bearer.login().map(str::to_string),
            secret,
        };
        state.requests.push(Logged {
            index: seen.index,
            method: method.into(),
            path: path.into(),
            query: query.into(),
            login: seen.login.clone(),
            secret: seen.secret.clone(),
            body: sent.clone(),
            status: None,
            fault: None,
            answered: 0,
        });
        // git does not count.
        let budget = git.is_none().then(|| state.spend(&bearer));
        (seen, bearer, budget)
    };
    let _turn = shared.turn(&seen);
    for hook in shared.take_hooks(&seen) {
        hook(&seen);
    }
    let fault = shared.take_fault(&seen);
    let mut reply = if let Some(fault) = fault.filter(|fault| fault.refuses()) {
        refused(fault, shared.state().clock().timestamp())
    } else if let Some(refusal) = budget.and_then(Budget::refusal) {
        refusal
    } else {
        let call = Call {
            method,
            path,
            prefix,
            query,
            host: header(parts, "host"),
            body: sent.as_ref().unwrap_or(&Value::Null),
            bearer: &bearer,
        };
        if let Some((repository, rest)) = &git {
            let headers = ["content-type", "content-encoding", "git-protocol"];
            let headers = headers.map(|name| header(parts, name));
            routes::git(shared, &call, repository, rest, headers, body.to_vec())
        } else {
            let mut state = shared.state();
            let reply = routes::answer(&mut state, &call);
            let complaints = match &reply.content {
                Content::Json(value) => openapi::answer(method, path, reply.status, Some(value)),
                _ => openapi::answer(method, path, reply.status, None),
            };
            complain(&mut state, &seen, complaints);
            reply
        }
    };
    if git.is_none() {
        let complaints = openapi::request(method, path, query, sent.as_ref(), !body.is_empty());
        complain(&mut shared.state(), &seen, complaints);
    }
    if let Some(fault) = fault {
        reply = spoiled(fault, reply, switch);
    }
    let mut state = shared.state();
    let logged = &mut state.requests[seen.index];
    logged.fault = fault.map(|fault| format!("{fault:?}"));
    if !matches!(fault, Some(Fault::DropBefore | Fault::DropAfter)) {
        logged.status = Some(reply.status);
        if let Content::Bytes(bytes) = &reply.content {
            logged.answered = bytes.len();
        }
    }
    let now = state.clock();
    drop(state);
    hooks::flush(shared);
    response(reply, seen.index, now, budget)
}

fn complain(state: &mut State, seen: &Seen, complaints: Vec<String>) {
    for complaint in complaints {
        let Seen { index, method, path, .. } = seen;
        state.violations.push(format!("request {index}, {method} {path}: {complaint}"));
    }
}

/// What is answered instead of doing anything.
fn refused(fault: Fault, now: i64) -> Reply {
    let wait = "Please wait a few minutes before you try again.";
    let secondary = format!("You have exceeded a secondary rate limit. {wait}");
    match fault {
        Fault::RetryAfter(seconds) => Reply::error(403, &secondary).with("retry-after", seconds),
        Fault::SecondaryLimit(status) => Reply::error(status, &secondary),
        Fault::HourlyLimit(seconds) => {
            let reset = now + i64::try_from(seconds).unwrap_or(0);
            Reply::error(403, "API rate limit exceeded for installation.")
                .with("x-ratelimit-remaining", 0)
                .with("x-ratelimit-used", LIMIT)
                .with("x-ratelimit-reset", reset)
        }
        Fault::Html(status) => html(status),
        Fault::GraphErrors => {
            let error = json!({"type": "RATE_LIMITED", "message": "API rate limit exceeded"});
            Reply::json(200, json!({ "errors": [error] }))
        }
        Fault::Status(status) => failed(status),
        // The switch closes the connection; nobody sees this.
        _ => Reply::error(500, "dropped"),
    }
}

fn failed(status: u16) -> Reply {
    Reply::error(status, if status == 500 { "Server Error" } else { "Unavailable" })
}

fn html(status: u16) -> Reply {
    let page = "<!DOCTYPE html>\n<html><head><title>Unicorn!</title></head>\n\
                <body><p>We had issues producing the response to your request.</p></body></html>\n";
    let content = Content::Bytes(page.as_bytes().to_vec());
    Reply { status, headers: Vec::new(), content }.with("content-type", "text/html; charset=utf-8")
}

/// What a fault makes of an answer.
fn spoiled(fault: Fault, reply: Reply, switch: &Switch) -> Reply {
    let length = match &reply.content {
        Content::Nothing => 0,
        Content::Json(value) => value.to_string().len(),
        Content::Bytes(bytes) => bytes.len(),
    };
    match fault {
        Fault::DropBefore | Fault::DropAfter => switch.close(),
        Fault::Truncated => switch.close_in_body(length / 2),
        Fault::Delay(time) => std::thread::sleep(time),
        Fault::StatusAfter(status) => return failed(status),
        Fault::HalfJson => {
            let mut bytes = match reply.content {
                Content::Nothing => Vec::new(),
                Content::Json(value) => value.to_string().into_bytes(),
                Content::Bytes(bytes) => bytes,
            };
            bytes.truncate(length / 2);
            let json = "application/json; charset=utf-8";
            let content = Content::Bytes(bytes);
            return Reply { content, ..reply }.with("content-type", json);
        }
        _ => {}
    }
    reply
}

fn response(reply: Reply, index: usize, now: DateTime<Utc>, budget: Option<Budget>) -> Response {
    let mut headers = vec![
        ("date".to_string(), now.format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        ("x-github-request-id".into(), format!("0000:{index:04}")),
    ];
    let body = match reply.content {
        Content::Nothing => Body::empty(),
        Content::Json(value) => {
            headers.push(("content-type".into(), "application/json; charset=utf-8".into()));
            Body::from(value.to_string())
        }
        Content::Bytes(bytes) => Body::from(bytes),
    };
    let mut response = Response::new(body);
    *response.status_mut() = axum::http::StatusCode::from_u16(reply.status).expect("a status");
    let budget = budget.map(Budget::headers).into_iter().flatten();
    headers.extend(budget.map(|(name, value)| (name.to_string(), value)));
    for (name, value) in headers.into_iter().chain(reply.headers) {
        let name = axum::http::HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        response.headers_mut().insert(name, value.parse().expect("a header's value"));
    }
    response
}
