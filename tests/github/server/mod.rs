//! A GitHub to test against: the REST routes, the GraphQL query and the git over HTTP that a review
//! needs, on a port of this machine. It keeps state, can misbehave on demand, and holds every request
//! and every answer of its own to GitHub's OpenAPI description.
//!
//! ```text
//! let github = TestGitHub::start();
//! github.add_token("secret", Token::actions());
//! github.add_repository("octo/shop", &bare);
//! github.open_pull("octo/shop", Pull { head: "feature".into(), ..Pull::default() });
//! github.fault(When::is("POST", "/reviews"), Fault::DropAfter);
//! ... // run something against github.url()
//! assert_eq!(github.comments("octo/shop", 1).len(), 1);
//! github.finish();
//! ```
//!
//! An App is registered with its public keys, installed, and told what happens:
//!
//! ```text
//! let key = AppKey::generate();
//! github.add_app(App { id: 1, slug: "reviewer".into(), public_keys: vec![key.public_pem], .. });
//! github.add_installation(7, "octo", &["octo/shop"], Permissions::all(Access::Write));
//! let delivery = github.send(&github.pull_event("octo/shop", 1, "opened"));
//! assert_eq!(delivery.status_code, 202);
//! ```

#![allow(
    dead_code,
    unused_imports,
    reason = "each program that includes the server uses its own part of it"
)]

mod answers;
pub mod app;
mod budgets;
mod exchange;
mod faults;
pub mod git;
pub mod hooks;
pub mod installations;
mod listener;
mod openapi;
pub mod payloads;
mod rights;
mod routes;
mod state;
mod turns;

pub use app::{App, AppKey};
pub use faults::{Fault, Seen, When};
pub use hooks::Delivery;
pub use installations::{Installation, Mint};
pub use openapi::present as judged;
pub use payloads::Event;
pub use rights::{Access, Kind, Permissions, Token};
pub use state::{
    CheckRun, Comment, Logged, Pull, Reaction, Repository, Review, ReviewComment, State, Status,
};
pub use turns::Turns;

use exchange::Shared;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A running server. It ends when it is dropped, and then panics if a request or an answer was not
/// what GitHub's description allows.
#[derive(Debug)]
pub struct TestGitHub {
    url: String,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TestGitHub {
    /// A server on a free port.
    pub fn start() -> Self {
        TestGitHub::start_on(0)
    }

    /// A server on this port of the loopback address; 0 takes a free one. It has a thread and a
    /// runtime of its own, so that tests may block.
    pub fn start_on(port: u16) -> Self {
        let socket = std::net::TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        socket.set_nonblocking(true).expect("a socket that does not block");
        let address: SocketAddr = socket.local_addr().expect("an address");
        let url = format!("http://{address}");
        let shared = Arc::new(Shared::new(&url));
        let (stop, stopped) = oneshot::channel();
        let service = exchange::service(Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime starts");
            runtime.block_on(async move {
                let listener = TcpListener::from_std(socket).expect("a listener");
                let listener = listener::Switched(listener);
                let server = axum::serve(listener, service);
                tokio::select! {
                    _ = std::future::IntoFuture::into_future(server) => {}
                    _ = stopped => {}
                }
            });
            // A hook may still be waiting for something that will never happen.
            runtime.shutdown_timeout(Duration::from_millis(100));
        });
        TestGitHub { url, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// Where the REST API is, without a slash at the end. GraphQL is at `/graphql` below.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What to give `git fetch`.
    pub fn git_url(&self, repository: &str) -> String {
        format!("{}/{repository}.git", self.url)
    }

    /// The state, locked: requests wait while this is held.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    /// Makes a secret known.
    pub fn add_token(&self, secret: &str, token: Token) {
        self.state().tokens.insert(secret.into(), token);
    }

    /// Shows a bare repository as `OWNER/NAME`.
    pub fn add_repository(&self, full_name: &str, bare: &Path) {
        let path = bare.canonicalize().expect("the bare repository exists");
        let repository = Repository { full_name: full_name.into(), path, ..Repository::default() };
        self.state().repositories.insert(full_name.into(), repository);
    }

    /// Registers an App and installs it, from JSON: the fields of [`App`] and `installations`, each with
    /// those of [`Installation`] that are not optional. Says what is wrong with it.
    pub fn add_app_json(&self, json: &[u8]) -> Result<(), String> {
        installations::registered(&mut self.state(), json)
    }

    /// Opens a pull request: looks up its branches, merges them, and sets `refs/pull/N/head` and
    /// `refs/pull/N/merge` as GitHub does. Gives the pull request with all commits.
    pub fn open_pull(&self, repository: &str, pull: Pull) -> Pull {
        let opened = self.state().open_pull(repository, pull);
        hooks::flush(&self.shared);
        opened.unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    /// Does the same from JSON: `repository` and the fields of [`Pull`]. Says what is wrong with it.
    pub fn open_pull_json(&self, json: &[u8]) -> Result<(), String> {
        let opened = routes::opened(&mut self.state(), json).map(|_| ());
        hooks::flush(&self.shared);
        opened
    }

    /// Does the same again after somebody pushed to one of its branches.
    pub fn refresh_pull(&self, repository: &str, number: u64) -> Pull {
        let pull = self.state().repository(repository).pulls[&number].clone();
        self.open_pull(repository, pull)
    }

    /// The number of a repository.
    pub fn repository_id(&self, full_name: &str) -> u64 {
        answers::id_of(full_name)
    }

    /// Changes what is said of a pull request, `mergeable` for example.
    pub fn edit_pull(&self, repository: &str, number: u64, edit: impl FnOnce(&mut Pull)) {
        let mut state = self.state();
        edit(state.repository(repository).pulls.get_mut(&number).expect("the pull request exists"));
    }

    /// Writes a comment as somebody.
    pub fn add_comment(&self, repository: &str, number: u64, login: &str, body: &str) -> u64 {
        let mut state = self.state();
        let (id, now) = state.next();
        let (login, body) = (login.to_string(), body.to_string());
        let (created_at, updated_at) = (now.clone(), now);
        let comment = Comment { id, number, login, body, created_at, updated_at };
        state.repository(repository).comments.push(comment);
        state.automatic(|state| state.comment_event(repository, id, "created"));
        drop(state);
        hooks::flush(&self.shared);
        id
    }

    /// Writes a review as somebody, of the present head: `APPROVED`, `CHANGES_REQUESTED` or `COMMENTED`.
    pub fn add_review(&self, repository: &str, number: u64, login: &str, verdict: &str) -> u64 {
        let mut state = self.state();
        let (id, submitted_at) = state.next();
        let commit_id = state.repository(repository).pulls[&number].head_sha.clone();
        let (login, body, verdict) = (login.to_string(), String::new(), verdict.to_string());
        let review = Review { id, number, login, body, state: verdict, commit_id, submitted_at };
        state.repository(repository).reviews.push(review);
        id
    }

    /// The comments in a conversation, oldest first.
    pub fn comments(&self, repository: &str, number: u64) -> Vec<Comment> {
        let mut comments = self.state().repository(repository).comments.clone();
        comments.retain(|comment| comment.number == number);
        comments
    }

    /// The reviews of a pull request, oldest first.
    pub fn reviews(&self, repository: &str, number: u64) -> Vec<Review> {
        let mut reviews = self.state().repository(repository).reviews.clone();
        reviews.retain(|review| review.number == number);
        reviews
    }

    /// The comments on a pull request's lines and files, oldest first.
    pub fn review_comments(&self, repository: &str, number: u64) -> Vec<ReviewComment> {
        let mut comments = self.state().repository(repository).review_comments.clone();
        comments.retain(|comment| comment.number == number);
        comments
    }

    /// All check runs, oldest first.
    pub fn check_runs(&self, repository: &str) -> Vec<CheckRun> {
        self.state().repository(repository).check_runs.clone()
    }

    /// All commit statuses, oldest first.
    pub fn statuses(&self, repository: &str) -> Vec<Status> {
        self.state().repository(repository).statuses.clone()
    }

    /// All requests so far, in the order of arrival. Those below `/_` are not counted.
    pub fn requests(&self) -> Vec<Logged> {
        self.state().requests.clone()
    }

    /// Plays a fault on the first request that this is true of.
    pub fn fault(&self, when: When, fault: Fault) {
        self.shared.add_fault(when, fault, true);
    }

    /// Plays a fault on every request that this is true of.
    pub fn fault_always(&self, when: When, fault: Fault) {
        self.shared.add_fault(when, fault, false);
    }

    /// Forgets all faults that were not played.
    pub fn clear_faults(&self) {
        self.shared.clear_faults();
    }

    /// Calls this once, before the first request that this is true of is answered. It may block, wait
    /// on a barrier, run another client to its end, or change the state: other requests are
    /// answered meanwhile.
    pub fn before(&self, when: When, hook: impl FnOnce(&Seen) + Send + 'static) {
        self.shared.add_hook(when, Box::new(hook));
    }

    /// Lets clients take turns: one secret for each request, in the order in which they are to be
    /// answered. Tell the schedule when a client has ended.
    pub fn take_turns(&self, order: &[&str]) -> Turns {
        let turns = Turns::new(order);
        self.shared.set_turns(turns.clone());
        turns
    }

    /// What was wrong so far with requests and answers, by GitHub's description; forgotten with this.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.state().violations)
    }

    /// Ends the server. Panics if a request or an answer was not what GitHub's description allows.
    pub fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            stop.send(()).ok();
        }
        let ended = self.thread.take().is_none_or(|thread| thread.join().is_ok());
        if !std::thread::panicking() {
            assert!(ended, "the test GitHub panicked");
            let violations = self.take_violations();
            assert!(violations.is_empty(), "not as GitHub has it:\n{}", violations.join("\n"));
        }
    }
}

impl Drop for TestGitHub {
    fn drop(&mut self) {
        self.end();
    }
}
