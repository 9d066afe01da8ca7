//! Report pages: kept with the queue, shown to whoever has the link.
//!
//! A link is `PUBLIC-URL/reports/ID/SIGNATURE`. The id is a digest, with a key that only the servers have, of what was
//! reviewed and its head: the same for each review of that head, and known to nobody otherwise. The signature is one of
//! the id with the same key, so that whoever makes ids up gets nowhere near the database.

use super::metrics::Metrics;
use super::queue::{self, Queue};
use crate::github;
use crate::render::html;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The route of a page.
pub const ROUTE: &str = "/reports/{*rest}";

/// What the key is called in the database.
const NAME: &str = "pages";

/// How long a review waits for its page to be kept.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where people's browsers reach the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl std::str::FromStr for PublicUrl {
    type Err = String;

    /// An address of `http` or `https`, with or without a path; nothing behind that, and nobody's name before the host.
    fn from_str(text: &str) -> Result<Self, String> {
        let odd = |c: char| !c.is_ascii_graphic() || "#?\"'<>`\\{}|^".contains(c);
        let uri = text.parse::<Uri>().ok().filter(|_| !text.contains(odd));
        let good = uri.is_some_and(|uri| {
            let host = uri.authority().is_some_and(|host| !host.as_str().contains('@'));
            host && matches!(uri.scheme_str(), Some("http" | "https"))
        });
        match good {
            true => Ok(Self(text.trim_end_matches('/').to_string())),
            false => Err("not an address such as `https://reviews.example.com`".to_string()),
        }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Pages could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Queue(#[from] queue::Error),
    /// The system.
    #[error(
        "could not make a key for links to report pages: the system gives no random bytes: {0}"
    )]
    Random(String),
    /// What is in the database.
    #[error(
        "could not use the key for links to report pages that is in the database\n  try: delete it (docs/server.md)"
    )]
    Key,
}

/// Keeps pages and shows them.
pub struct Pages {
    queue: Arc<Queue>,
    metrics: Arc<Metrics>,
    public: PublicUrl,
    /// A digest with the key, of nothing yet.
    keyed: Hmac<Sha256>,
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("public", &self.public).finish_non_exhaustive()
    }
}

impl Pages {
    /// For these, with the key that is in the database; it is made where there is none.
    pub async fn open(
        queue: Arc<Queue>,
        metrics: Arc<Metrics>,
        public: PublicUrl,
    ) -> Result<Self, Error> {
        let mut new = [0; 32];
        getrandom::fill(&mut new).map_err(|error| Error::Random(error.to_string()))?;
        let kept = queue.secret(NAME, &URL_SAFE_NO_PAD.encode(new)).await?;
        let key = URL_SAFE_NO_PAD.decode(kept).map_err(|_| Error::Key)?;
        if key.len() < new.len() {
            return Err(Error::Key);
        }
        let keyed = Hmac::new_from_slice(&key).map_err(|_| Error::Key)?;
        Ok(Self { queue, metrics, public, keyed })
    }

    /// What keeps the pages of one subject, which its job's key names.
    pub fn of(self: &Arc<Self>, subject: &str) -> Arc<dyn github::Pages> {
        Arc::new(Keeper { pages: self.clone(), subject: subject.to_string() })
    }

    /// A digest of something with the key; `what` keeps those of different uses apart.
    fn digest(&self, what: &str, text: &str) -> Hmac<Sha256> {
        self.keyed.clone().chain_update(what).chain_update(b"\0").chain_update(text)
    }

    fn id(&self, subject: &str, head: &str) -> String {
        let digest = self.digest("id", &format!("{subject}\0{head}")).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode(digest)
    }

    fn link(&self, id: &str) -> String {
        let signature = self.digest("link", id).finalize().into_bytes();
        format!("{}/reports/{id}/{}", self.public, URL_SAFE_NO_PAD.encode(signature))
    }

    /// The id of what lies behind `/reports/`, if it is signed. The comparison takes as long for any signature of the
    /// right form.
    fn signed<'a>(&self, rest: &'a str) -> Option<&'a str> {
        let (id, signature) = rest.split_once('/')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.digest("link", id).verify_slice(&signature).is_ok().then_some(id)
    }

    async fn kept(&self, subject: &str, head: &str, page: &str) -> Option<String> {
        let id = self.id(subject, head);
        let kept = tokio::time::timeout(PATIENCE, self.queue.keep_page(&id, page)).await;
        let error = match kept {
            Ok(Ok(())) => {
                self.metrics.page("kept");
                return Some(self.link(&id));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("not done within {} seconds", PATIENCE.as_secs()),
        };
        self.metrics.page("not kept");
        tracing::warn!(job = subject, head, error, "a report page could not be kept");
        None
    }

    async fn found(&self, uri: &Uri) -> Result<Option<String>, queue::Error> {
        let rest = uri.path().strip_prefix("/reports/").unwrap_or_default();
        match self.signed(rest) {
            Some(id) => self.queue.page(id).await,
            None => Ok(None),
        }
    }
}

#[derive(Debug)]
struct Keeper {
    pages: Arc<Pages>,
    subject: String,
}

impl github::Pages for Keeper {
    fn keep<'a>(&'a self, head: &'a str, page: String) -> github::Kept<'a> {
        Box::pin(async move { self.pages.kept(&self.subject, head, &page).await })
    }
}

/// Shows a page; whatever is wrong with the link has one answer.
pub async fn show(State(pages): State<Arc<Pages>>, uri: Uri) -> Response {
    let (status, page) = match pages.found(&uri).await {
        Ok(Some(page)) => {
            pages.metrics.page("shown");
            (StatusCode::OK, page)
        }
        Ok(None) => (StatusCode::NOT_FOUND, html::notice("There is no such report", ABSENT)),
        Err(error) => {
            tracing::error!(%error, "a report page could not be shown");
            (StatusCode::SERVICE_UNAVAILABLE, html::notice("Not now", LATER))
        }
    };
    (status, headers(), page).into_response()
}

const ABSENT: &str = "The link is not whole, or the report is no longer kept. A pull request's check on GitHub links to its \
                      newest report; running that check again makes a new one.";

const LATER: &str = "The report can't be read at the moment. Try again in a minute.";

/// Pages load nothing, are kept by nobody else, and tell nobody their address.
fn headers() -> HeaderMap {
    let all = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, html::csp()),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "private, no-store"),
        (header::HeaderName::from_static("x-robots-tag"), "noindex"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    all.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_browsers_can_follow() {
        for (text, kept) in [
            ("https://reviews.example.com", "https://reviews.example.com"),
            ("https://reviews.example.com/", "https://reviews.example.com"),
            ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
            ("https://[2001:db8::1]/netpol/", "https://[2001:db8::1]/netpol"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().map(|url| url.to_string()), Ok(kept.to_string()));
        }
        for text in [
            "",
            "reviews.example.com",
            "/reports",
            "ftp://reviews.example.com",
            "https://",
            "https:///reports",
            "https://somebody@reviews.example.com",
            "https://reviews.example.com/?a",
            "https://reviews.example.com/#a",
            "https://reviews.example.com/a b",
            "https://reviews.example.com/\u{202e}",
            "https://reviews.example.com/\"><script>",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }
}
