//! Calls to GitHub: one at a time, repeated only where that cannot do a thing twice.
//!
//! octocrab builds requests, signs them and keeps the connection; its own repetition is off, since it
//! repeats a POST whose effect is unknown. Answers are read here, because what is not JSON (a proxy's page)
//! would lose its status otherwise.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{ACCEPT, DATE, HeaderName, LINK, RETRY_AFTER};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use octocrab::Octocrab;
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often a call is made before it counts as failed.
const ATTEMPTS: u32 = 5;

/// The longest wait that a server may ask for. An Action is paid by the minute.
const LONGEST_WAIT: Duration = Duration::from_secs(90);

/// The largest answer that is read, in bytes. A page of a hundred long comments has seven million.
const LARGEST_ANSWER: usize = 32 << 20;

/// A call that failed for good.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// GitHub answered, and the answer is no.
    #[error("could not {what}: GitHub answered {status}: {message}{}", advice(*.status))]
    Refused {
        /// What was attempted, as `read the pull request`.
        what: &'static str,
        /// The status.
        status: u16,
        /// GitHub's own words, shortened.
        message: String,
        /// How long GitHub wants us to wait, where it refused because of a limit.
        wait: Option<Duration>,
    },
    /// No answer, or none that can be read. What was attempted may have happened.
    #[error("could not {what}: {reason}")]
    Unclear {
        /// What was attempted.
        what: &'static str,
        /// Why nobody knows.
        reason: String,
    },
    /// The client itself could not be made.
    #[error("could not use `{url}` as GitHub's address: {reason}")]
    Address {
        /// The address.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn advice(status: u16) -> &'static str {
    match status {
        401 => "\n  try: a token that has not expired",
        403 | 404 => "\n  try: the permissions that docs/action.md lists",
        _ => "",
    }
}

impl Error {
    /// The token may not do this. On a pull request from a fork that is expected.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Error::Refused { status: 403 | 404, .. })
    }

    /// GitHub did not accept what was sent.
    pub fn is_unprocessable(&self) -> bool {
        matches!(self, Error::Refused { status: 422, .. })
    }

    /// Whoever we say we are is not known.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Error::Refused { status: 401, .. })
    }

    /// Nobody knows whether it happened.
    pub fn is_unclear(&self) -> bool {
        matches!(self, Error::Unclear { .. } | Error::Refused { status: 500..=599, .. })
    }
}

pub(super) type Result<T> = std::result::Result<T, Error>;

/// GitHub, as one token sees it.
pub struct Client {
    rest: Host,
    graphql: Host,
    /// The first wait before a call is repeated; each further one is twice as long.
    pause: Duration,
    calls: AtomicUsize,
    /// By how many seconds GitHub's clock is ahead of ours.
    ahead: AtomicI64,
    budget: Mutex<Option<Budget>>,
}

/// What is left of an hour's calls, as an answer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How many calls are left.
    pub remaining: i64,
    /// How many there were at the beginning of the hour.
    pub limit: i64,
    /// How long it takes until they are there again.
    pub renewed: Duration,
}

/// Where GitHub is.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// `https://api.github.com`, or `https://HOST/api/v3`.
    pub api: String,
    /// `https://api.github.com/graphql`, or `https://HOST/api/graphql`.
    pub graphql: String,
    /// `https://github.com`: where links lead.
    pub server: String,
    /// Where git fetches from; the same, save in tests.
    pub git: String,
}

impl Addresses {
    /// Those of `https://github.com`, or of a GitHub Enterprise Server by its address.
    pub fn of_server(url: &str) -> Self {
        let server = url.trim_end_matches('/').to_string();
        let (api, graphql) = match server.as_str() {
            "https://github.com" => {
                ("https://api.github.com".into(), "https://api.github.com/graphql".into())
            }
            server => (format!("{server}/api/v3"), format!("{server}/api/graphql")),
        };
        Self { api, graphql, git: server.clone(), server }
    }
}

/// One of GitHub's addresses.
struct Host {
    octocrab: Octocrab,
    /// The path of the address, which those of requests follow: empty, `/api/v3` or `/graphql`.
    prefix: String,
}

impl Host {
    fn new(address: &str, token: &SecretString) -> Result<Self> {
        let wrong = |reason: String| Error::Address { url: address.to_string(), reason };
        let uri: Uri = address.parse().map_err(|_| wrong("it is no URL".into()))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong("it has no host".into()));
        };
        let octocrab = Octocrab::builder()
            .base_uri(format!("{scheme}://{authority}"))
            .map_err(|error| wrong(error.to_string()))?
            .add_header(ACCEPT, "application/vnd.github+json".to_string())
            .add_header(HeaderName::from_static("x-github-api-version"), "2022-11-28".to_string())
            .personal_token(token.clone())
            .set_connect_timeout(Some(Duration::from_secs(10)))
            .set_read_timeout(Some(Duration::from_secs(30)))
            .set_write_timeout(Some(Duration::from_secs(30)))
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        Ok(Self { octocrab, prefix: uri.path().trim_end_matches('/').to_string() })
    }
}

/// An answer that came.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Client {
    /// A client for one token, made inside a runtime, which it needs. `pause` is the first wait between
    /// attempts: a second, save in tests.
    pub fn new(addresses: &Addresses, token: &SecretString, pause: Duration) -> Result<Self> {
        Ok(Self {
            rest: Host::new(&addresses.api, token)?,
            graphql: Host::new(&addresses.graphql, token)?,
            pause,
            calls: AtomicUsize::new(0),
            ahead: AtomicI64::new(0),
            budget: Mutex::default(),
        })
    }

    /// How many requests were sent.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// By how many seconds GitHub's clock is ahead of ours, as its last answer said.
    pub fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::Relaxed)
    }

    /// What is left of the hour's calls, as the last answer said.
    pub fn budget(&self) -> Option<Budget> {
        *self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        what: &'static str,
        path: &str,
    ) -> Result<T> {
        self.parsed(what, Method::GET, path, None::<&()>, true).await
    }

    /// Changes what exists: the same twice is the same as once.
    pub(super) async fn patch<T: DeserializeOwned>(
        &self,
        what: &'static str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        self.parsed(what, Method::PATCH, path, Some(body), true).await
    }

    /// [`Client::patch`] of what adds something each time it is done. As [`Client::post`] it is repeated only where GitHub
    /// said that it did nothing.
    pub(super) async fn patch_once<T: DeserializeOwned>(
        &self,
        what: &'static str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        self.parsed(what, Method::PATCH, path, Some(body), false).await
    }

    /// Makes something new. Repeated only where GitHub said that it did nothing; where nobody knows, the
    /// error is [`Error::is_unclear`] and the caller has to look.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        what: &'static str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        self.parsed(what, Method::POST, path, Some(body), false).await
    }

    /// Does what may be done twice, though it is a POST.
    pub(super) async fn post_again<T: DeserializeOwned>(
        &self,
        what: &'static str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        self.parsed(what, Method::POST, path, Some(body), true).await
    }

    /// Has something done again that may be done twice. Nothing is sent, and what is answered does not matter.
    pub(super) async fn nudge(&self, what: &'static str, path: &str) -> Result<()> {
        let sent = self.sent(&self.rest, what, Method::POST, path, None::<&()>, true).await;
        sent.map(|_| ())
    }

    /// Reads a page of a list that is paged by cursors: its items, and the cursor of the next page.
    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        what: &'static str,
        path: &str,
    ) -> Result<(T, Option<String>)> {
        let answer = self.sent(&self.rest, what, Method::GET, path, None::<&()>, true).await?;
        Ok((parse(what, &answer)?, next_cursor(&answer.headers)))
    }

    /// Asks through GraphQL, which is always a POST; this one only reads.
    pub(super) async fn query<T: DeserializeOwned>(
        &self,
        what: &'static str,
        query: &str,
    ) -> Result<T> {
        let body = serde_json::json!({ "query": query });
        let ask = || self.sent(&self.graphql, what, Method::POST, "", Some(&body), true);
        match parse(what, &ask().await?) {
            // An answer cut short, or a page that a proxy made up.
            Err(_) => {
                tokio::time::sleep(self.pause).await;
                parse(what, &ask().await?)
            }
            parsed => parsed,
        }
    }

    /// Removes. What is gone already is removed.
    pub(super) async fn delete(&self, what: &'static str, path: &str) -> Result<()> {
        match self.sent(&self.rest, what, Method::DELETE, path, None::<&()>, true).await {
            Ok(_) | Err(Error::Refused { status: 404 | 410, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn parsed<T: DeserializeOwned>(
        &self,
        what: &'static str,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        repeatable: bool,
    ) -> Result<T> {
        let answer = self.sent(&self.rest, what, method.clone(), path, body, repeatable).await?;
        match parse(what, &answer) {
            // An answer cut short, or a page that a proxy made up.
            Err(_) if repeatable => {
                tokio::time::sleep(self.pause).await;
                parse(what, &self.sent(&self.rest, what, method, path, body, repeatable).await?)
            }
            parsed => parsed,
        }
    }

    async fn sent(
        &self,
        host: &Host,
        what: &'static str,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        repeatable: bool,
    ) -> Result<Answer> {
        let mut attempt = 1;
        loop {
            let tried = self.once(host, what, &method, path, body).await;
            let (again, wait) = match &tried {
                Ok(answer) if answer.status.is_success() => return tried,
                Ok(answer) => match asked_to_wait(answer, Utc::now(), self.pause * 60) {
                    // Where a limit was met, nothing was done.
                    Some(wait) => {
                        (repeatable || answer.status != StatusCode::SERVICE_UNAVAILABLE, wait)
                    }
                    None => (repeatable && answer.status.is_server_error(), Duration::ZERO),
                },
                Err(_) => (repeatable, Duration::ZERO),
            };
            if !again || attempt == ATTEMPTS || wait > LONGEST_WAIT {
                return tried.and_then(|answer| Err(refused(what, &answer)));
            }
            let doubled = self.pause.saturating_mul(1 << (attempt - 1));
            tokio::time::sleep(wait.max(doubled + jitter(doubled))).await;
            attempt += 1;
        }
    }

    async fn once(
        &self,
        host: &Host,
        what: &'static str,
        method: &Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Answer> {
        let unclear = |reason: String| Error::Unclear { what, reason };
        let builder = Request::builder().method(method).uri(format!("{}{path}", host.prefix));
        let request =
            host.octocrab.build_request(builder, body).map_err(|error| unclear(chain(&error)))?;
        self.calls.fetch_add(1, Ordering::Relaxed);
        let response =
            host.octocrab.execute(request).await.map_err(|error| unclear(chain(&error)))?;
        let (parts, body) = response.into_parts();
        self.note(&parts.headers);
        let body = Limited::new(body, LARGEST_ANSWER);
        let body = body
            .collect()
            .await
            .map_err(|error| unclear(format!("the answer broke off: {error}")))?;
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    }

    /// What an answer says beside its body.
    fn note(&self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let date = text(DATE.as_str()).and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        if let Some(date) = date {
            let ahead = date.timestamp() - Utc::now().timestamp();
            self.ahead.store(ahead, Ordering::Relaxed);
        }
        let number = |name: &str| text(name).and_then(|text| text.trim().parse::<i64>().ok());
        // GraphQL and searches have budgets of their own.
        let core = text("x-ratelimit-resource").is_none_or(|resource| resource == "core");
        let [remaining, limit, reset] =
            ["remaining", "limit", "reset"].map(|name| number(&format!("x-ratelimit-{name}")));
        if let (true, Some(remaining), Some(limit), Some(reset)) = (core, remaining, limit, reset) {
            let now = date.map_or_else(|| Utc::now().timestamp(), |date| date.timestamp());
            let renewed = Duration::from_secs((reset - now).clamp(0, 3600).unsigned_abs());
            let budget = Some(Budget { remaining, limit, renewed });
            *self.budget.lock().unwrap_or_else(PoisonError::into_inner) = budget;
        }
    }
}

/// The cursor of the link to the next page. The rest of the link is not used, as it may lead elsewhere.
fn next_cursor(headers: &HeaderMap) -> Option<String> {
    let links = headers.get(LINK)?.to_str().ok()?;
    let next = links.split(',').find(|link| link.contains("rel=\"next\""))?;
    let (_, query) = next.split_once('?')?;
    let query = query.split('>').next()?;
    let cursor = query.split('&').find_map(|pair| pair.strip_prefix("cursor="))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '%' | '=' | '.');
    cursor.chars().all(plain).then(|| cursor.to_string())
}

fn parse<T: DeserializeOwned>(what: &'static str, answer: &Answer) -> Result<T> {
    // 204 has no body, and whoever asks for `()` takes none.
    let bytes: &[u8] = if answer.body.is_empty() { b"null" } else { &answer.body };
    serde_json::from_slice(bytes).map_err(|error| Error::Unclear {
        what,
        reason: format!("the answer ({}) is not what GitHub documents: {error}", answer.status),
    })
}

fn refused(what: &'static str, answer: &Answer) -> Error {
    #[derive(serde::Deserialize)]
    struct Message {
        message: String,
    }
    let message = match serde_json::from_slice::<Message>(&answer.body) {
        Ok(parsed) => parsed.message.chars().take(300).collect(),
        Err(_) => "an answer that is no JSON".to_string(),
    };
    let wait = asked_to_wait(answer, Utc::now(), Duration::from_secs(60));
    Error::Refused { what, status: answer.status.as_u16(), message, wait }
}

/// How long GitHub wants us to wait before the same call may be made again; `None` where waiting does not
/// help. A limit is 403 or 429 with `retry-after`, or with nothing remaining until a point in time, or with
/// words about a secondary limit (`minute`, where no header says how long).
fn asked_to_wait(answer: &Answer, now: DateTime<Utc>, minute: Duration) -> Option<Duration> {
    let header = |name: &str| -> Option<i64> {
        answer.headers.get(name)?.to_str().ok()?.trim().parse().ok()
    };
    let seconds = |count: i64| Duration::from_secs(count.max(0).unsigned_abs());
    if !matches!(answer.status.as_u16(), 403 | 429 | 503) {
        return None;
    }
    if let Some(after) = header(RETRY_AFTER.as_str()) {
        return Some(seconds(after));
    }
    if answer.status == StatusCode::SERVICE_UNAVAILABLE {
        return None;
    }
    if header("x-ratelimit-remaining") == Some(0) {
        let reset = header("x-ratelimit-reset").unwrap_or_default();
        return Some(seconds(reset - now.timestamp()) + Duration::from_secs(1));
    }
    let body = String::from_utf8_lossy(&answer.body).to_ascii_lowercase();
    let limited = answer.status == StatusCode::TOO_MANY_REQUESTS || body.contains("rate limit");
    limited.then_some(minute)
}

/// Up to half of a pause, so that clients that met one limit do not meet it again together.
fn jitter(pause: Duration) -> Duration {
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    pause.mul_f64(f64::from(nanos % 1_000) / 2_000.0)
}

/// An error with what caused it: octocrab's own words alone say little ("service error").
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(&format!(": {cause_text}"));
        }
        source = cause.source();
    }
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, http::HeaderValue::from_static(value));
        }
        let status = StatusCode::from_u16(status).expect("a status");
        Answer { status, headers: map, body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn waits() {
        let now = DateTime::from_timestamp(1_000, 0).expect("a time");
        let secondary = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        for (status, headers, body, expected) in [
            (403, &[("retry-after", "7")][..], "{}", Some(7)),
            (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1030")], "{}", Some(31)),
            (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "900")], "{}", Some(1)),
            (403, &[], secondary, Some(60)),
            (429, &[], "{}", Some(60)),
            (403, &[], r#"{"message":"Resource not accessible by integration"}"#, None),
            (503, &[("retry-after", "2")], "{}", Some(2)),
            (503, &[], "{}", None),
            (200, &[("retry-after", "2")], "{}", None),
        ] {
            let wait = asked_to_wait(&answer(status, headers, body), now, Duration::from_secs(60));
            assert_eq!(wait, expected.map(Duration::from_secs), "{status} {headers:?} {body}");
        }
    }

    #[test]
    fn a_page_instead_of_json_keeps_its_status() {
        let error = refused("read it", &answer(502, &[], "<html>Bad gateway</html>"));
        assert_eq!(
            error.to_string(),
            "could not read it: GitHub answered 502: an answer that is no JSON"
        );
        assert!(error.is_unclear());
    }
}
