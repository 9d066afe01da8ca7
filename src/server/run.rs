//! A server from its beginning to its end.

use super::identity::Identity;
use super::metrics::Metrics;
use super::options::Options;
use super::pages::{self, Pages};
use super::queue::{self, ATTEMPTS, Claimed, Life, Pause, Queue};
use super::ready::Ready;
use super::web::Web;
use super::work::{Ended, Failure, Work};
use super::{identity, reconcile};
use crate::report::Verdict;
use crate::source::{self, git::Mirrors};
use crate::spans::{self, TARGET};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tracing::{Instrument, Span, field::Empty, info_span};

/// How long what is broken off may take to end.
const BREAKING_OFF: Duration = Duration::from_secs(2);

/// How long to wait for news before the queue is asked all the same: another process may have written.
const LOOK: Duration = Duration::from_secs(1);

/// A server could not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The queue.
    #[error(transparent)]
    Queue(#[from] queue::Error),
    /// Who we are.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// Report pages.
    #[error(transparent)]
    Pages(#[from] pages::Error),
    /// The folder of mirrors.
    #[error("could not take the folder of mirrors: {0}")]
    Mirrors(#[from] source::Error),
    /// The address.
    #[error("could not listen on `{address}`: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        reason: String,
    },
}

/// What runs are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Say {
    GoOn,
    /// Take nothing new.
    Finish,
    /// Break off what is being done: it is not ours any more, or time is up.
    BreakOff,
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    options: Arc<Options>,
    queue: Arc<Queue>,
    web: Arc<Web>,
    say: watch::Sender<Say>,
    tasks: Vec<JoinHandle<()>>,
    worker: JoinHandle<()>,
}

impl Server {
    /// Opens the queue, shows GitHub who we are, and begins to answer and to work.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let options = Arc::new(options);
        let me = format!("{}-{}", std::process::id(), unique());
        let queue = Queue::open(&options.database, &me).await?;
        let identity = Arc::new(Identity::new(&options));
        let mirrors = Mirrors::open(&options.mirrors, options.bounds)?;
        let metrics = Arc::new(Metrics::default());
        let pages = match options.public_url.clone() {
            Some(url) => Some(Arc::new(Pages::open(queue.clone(), metrics.clone(), url).await?)),
            None => None,
        };
        let (say, heard) = watch::channel(Say::GoOn);
        let listen = |error: std::io::Error| Error::Listen {
            address: options.listen,
            reason: error.to_string(),
        };
        let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (secrets, ready) = (options.secrets.clone(), Ready::default());
        let web = Web::new(queue.clone(), secrets, metrics.clone(), mirrors.clone(), ready);
        let web = Arc::new(web);
        let mut ending = heard.clone();
        let serve = axum::serve(listener, web.clone().router(pages.clone()))
            .with_graceful_shutdown(async move {
                let _ = ending.wait_for(|say| *say != Say::GoOn).await;
            });
        let served = tokio::spawn(async move {
            if let Err(error) = serve.await {
                tracing::error!(%error, "the server stopped answering");
            }
        });
        let work = Work {
            queue: queue.clone(),
            identity: identity.clone(),
            mirrors,
            metrics: metrics.clone(),
            options: options.clone(),
            pages,
        };
        let in_hand = Arc::new(InHand::default());
        let worker = Worker {
            work: Arc::new(work),
            metrics,
            in_hand: in_hand.clone(),
            heard: heard.clone(),
        };
        let worker = tokio::spawn(worker.run());
        let beats = tokio::spawn(beat(queue.clone(), options.clone(), in_hand, say.clone()));
        let runtime = tokio::runtime::Handle::current();
        let parts = (identity, queue.clone(), web.clone(), options.clone());
        let rounds = tokio::task::spawn_blocking(move || {
            let (identity, queue, web, options) = parts;
            runtime.block_on(rounds(identity, queue, web, options, heard));
        });
        tracing::info!(%address, app = options.app, process = me, "listening");
        Ok(Self { address, options, queue, web, say, tasks: vec![served, beats, rounds], worker })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The queue.
    pub fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Ends it: nothing new is taken, what is being done has some time, and what is not done by then is handed back.
    pub async fn end(self) {
        self.web.ready.end();
        self.say.send_replace(Say::Finish);
        let mut worker = self.worker;
        let finished = tokio::time::timeout(self.options.grace, &mut worker).await;
        self.say.send_replace(Say::BreakOff);
        if finished.is_err() {
            tracing::warn!("handing back what is not done");
            // What it holds, mirrors say, is free for whoever comes next.
            let _ = tokio::time::timeout(BREAKING_OFF, worker).await;
        }
        for task in self.tasks {
            task.abort();
        }
        if let Err(error) = self.queue.leave().await {
            tracing::error!(%error, "could not hand back");
        }
        self.queue.close().await;
    }
}

/// Tells processes on one machine, and on several, from each other.
fn unique() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.as_nanos());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}-{nanos:x}", host.trim())
}

/// Shows that this process lives, and breaks its work off when the others do not believe it.
async fn beat(
    queue: Arc<Queue>,
    options: Arc<Options>,
    in_hand: Arc<InHand>,
    say: watch::Sender<Say>,
) {
    let mut pruned = Instant::now();
    let mut forgotten = BTreeSet::new();
    loop {
        tokio::time::sleep(options.beat).await;
        match queue.beat(options.silent).await {
            Ok(Life::Well(gone)) => {
                for process in gone {
                    tracing::warn!(process, "a process is gone; what it held is free");
                }
            }
            Ok(Life::GivenUp) => {
                tracing::error!("the others gave this process up; breaking off what it does");
                let before = say.send_replace(Say::BreakOff);
                // Whoever works sees it before it is taken back.
                tokio::time::sleep(Duration::from_millis(200)).await;
                say.send_replace(before);
            }
            Err(error) => tracing::error!(%error, "no sign of life"),
        }
        match in_hand.look(&queue, forgotten).await {
            Ok(now) => forgotten = now,
            Err(error) => {
                tracing::error!(%error, "could not look for what is held by nobody");
                forgotten = BTreeSet::new();
            }
        }
        if pruned.elapsed() > Duration::from_secs(3600) {
            pruned = Instant::now();
            if let Err(error) = queue.prune().await {
                tracing::warn!(%error, "old deliveries stay");
            }
        }
    }
}

/// Looks for what no webhook told, at once and then now and again.
async fn rounds(
    identity: Arc<Identity>,
    queue: Arc<Queue>,
    web: Arc<Web>,
    options: Arc<Options>,
    mut heard: watch::Receiver<Say>,
) {
    // Whoever begins may have been away for long; later one is enough for all.
    let mut first = true;
    loop {
        let every = options.reconcile.mul_f64(0.9);
        let ours = queue.begins("reconcile", if first { Duration::ZERO } else { every }).await;
        first = false;
        if matches!(ours, Ok(false)) {
            let ended = heard.wait_for(|say| *say != Say::GoOn);
            if tokio::time::timeout(options.reconcile / 4, ended).await.is_ok() {
                return;
            }
            continue;
        }
        let round = tokio::select! {
            round = reconcile::round(&identity, &queue) => round,
            _ = heard.wait_for(|say| *say != Say::GoOn) => return,
        };
        let wait = match round {
            Ok(round) => {
                tracing::info!(
                    redelivered = round.redelivered,
                    installations = round.installations,
                    "looked for what no webhook told"
                );
                web.ready.reached(None);
                options.reconcile
            }
            Err(error) => {
                tracing::error!(%error, "could not look for what no webhook told");
                web.ready.reached(Some(error.to_string()));
                options.reconcile.min(Duration::from_secs(60))
            }
        };
        let ended = heard.wait_for(|say| *say != Say::GoOn);
        if tokio::time::timeout(wait, ended).await.is_ok() {
            return;
        }
    }
}

/// The keys of the jobs that are worked on.
#[derive(Default)]
struct InHand(Mutex<BTreeSet<String>>);

/// A job that is worked on, until this goes.
struct Hand(Arc<InHand>, String);

impl InHand {
    fn keys(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: &Arc<Self>, key: &str) -> Hand {
        self.keys().insert(key.to_string());
        Hand(self.clone(), key.to_string())
    }

    /// Gives back what the database says is ours and nobody works on, now and when it was looked at before: the work
    /// panicked, or the answer to its taking was lost. The answer: what nobody works on.
    async fn look(
        &self,
        queue: &Queue,
        before: BTreeSet<String>,
    ) -> Result<BTreeSet<String>, queue::Error> {
        let held: BTreeSet<String> = queue.held().await?.into_iter().collect();
        let idle: BTreeSet<String> = held.difference(&self.keys()).cloned().collect();
        let lost: Vec<String> = idle.intersection(&before).cloned().collect();
        if !lost.is_empty() {
            tracing::warn!(jobs = ?lost, "nobody works on these; they are free again");
            queue.free(&lost).await?;
        }
        Ok(idle)
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.0.keys().remove(&self.1);
    }
}

struct Worker {
    work: Arc<Work>,
    metrics: Arc<Metrics>,
    in_hand: Arc<InHand>,
    heard: watch::Receiver<Say>,
}

impl Worker {
    /// Takes jobs and does them, a few at a time, until it is told to finish.
    async fn run(self) {
        let places = Arc::new(Semaphore::new(self.work.options.workers));
        let mut running = JoinSet::new();
        let mut heard = self.heard.clone();
        loop {
            while running.try_join_next().is_some() {}
            let place = tokio::select! {
                _ = heard.wait_for(|say| *say == Say::Finish) => break,
                place = places.clone().acquire_owned() => place,
            };
            let Ok(place) = place else { break };
            let most = self.work.options.per_installation;
            match self.work.queue.claim(most).await {
                Ok(Some(claimed)) => {
                    let (work, metrics) = (self.work.clone(), self.metrics.clone());
                    let heard = self.heard.clone();
                    let hand = self.in_hand.take(&claimed.key);
                    let runtime = tokio::runtime::Handle::current();
                    // git and the comparison block, and must not keep webhooks waiting.
                    running.spawn_blocking(move || {
                        let span = span(&claimed);
                        runtime.block_on(one(&work, &metrics, claimed, heard).instrument(span));
                        drop(hand);
                        drop(place);
                    });
                }
                Ok(None) => {
                    drop(place);
                    self.rest().await;
                }
                Err(error) => {
                    drop(place);
                    tracing::error!(%error, "could not take a job");
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Waits for news, or for somebody who brings none.
    async fn rest(&self) {
        let mut heard = self.heard.clone();
        tokio::select! {
            _ = tokio::time::timeout(LOOK, self.work.queue.news.notified()) => {}
            _ = heard.wait_for(|say| *say == Say::Finish) => {}
        }
    }
}

/// A job, to whoever traces it.
fn span(claimed: &Claimed) -> Span {
    let Claimed { job, attempt, delivery, .. } = claimed;
    let span = info_span!(
        target: TARGET, "job", otel.kind = "consumer", otel.status_code = Empty,
        job = Empty, repository = Empty, pull_request = Empty, attempt, delivery, result = Empty, verdict = Empty
    );
    job.name_in(&span);
    span
}

/// Does a job, and says what became of it.
async fn one(work: &Work, metrics: &Metrics, claimed: Claimed, mut heard: watch::Receiver<Say>) {
    let begun = Instant::now();
    let result = tokio::select! {
        result = work.job(&claimed) => result,
        _ = heard.wait_for(|say| *say == Say::BreakOff) => {
            tracing::warn!(job = claimed.key, "broken off");
            ended(metrics, "broken off");
            // Best effort: whoever ends hands all back, and what is forgotten is looked for.
            let _ = work.queue.hand_back(&claimed, Duration::ZERO).await;
            return;
        }
    };
    let took = begun.elapsed();
    let (key, attempt) = (claimed.key.as_str(), claimed.attempt);
    let repository = claimed.job.place.name.as_str();
    let queue = &work.queue;
    let noted = match result {
        Ok(Ended::Reviewed(outcome)) => {
            let verdict = word(outcome.evaluated.report.result);
            let gave_way = outcome.gave_way;
            Span::current().record("verdict", verdict);
            metrics.review(verdict, took, outcome.calls);
            ended(metrics, "done");
            tracing::info!(
                job = key, repository, attempt, verdict, gave_way,
                gate = ?outcome.evaluated.gate.outcome(),
                calls = outcome.calls,
                milliseconds = took.as_millis() as u64,
                "reviewed"
            );
            for problem in &outcome.told.problems {
                tracing::warn!(job = key, repository, problem, "not all could be told");
            }
            Note::Done
        }
        Ok(Ended::Done) => {
            ended(metrics, "done");
            tracing::info!(job = key, repository, attempt, "done");
            Note::Done
        }
        Ok(Ended::Moot(why)) => {
            ended(metrics, "moot");
            tracing::info!(job = key, repository, attempt, why, "nothing to do");
            Note::Done
        }
        Err(Failure::Limited(error, wait)) => {
            ended(metrics, "limited");
            tracing::warn!(job = key, repository, attempt, error, "GitHub wants us to wait");
            queue.pause(claimed.job.place.installation, Pause::All, wait);
            Note::HandBack(wait)
        }
        Err(Failure::Passing(error) | Failure::Stranger(error)) => {
            let again = attempt < ATTEMPTS;
            ended(metrics, if again { "failed" } else { "dead" });
            spans::failed();
            tracing::warn!(job = key, repository, attempt, again, error, "failed");
            Note::Failed(error)
        }
        Err(Failure::Told(error)) => {
            ended(metrics, "told");
            spans::failed();
            tracing::warn!(
                job = key,
                repository,
                attempt,
                error,
                "can't be done, as the check says"
            );
            Note::Done
        }
        Err(Failure::Gone(error)) => {
            ended(metrics, "gone");
            tracing::warn!(
                job = key,
                repository,
                attempt,
                error,
                "the installation has this no more"
            );
            Note::Done
        }
    };
    // It is ours until that is written down, and nobody else can do it.
    let mut pause = Duration::from_millis(100);
    while let Err(error) = noted.write(queue, &claimed).await {
        tracing::error!(job = key, repository, %error, "could not note what became of a job");
        tokio::select! {
            _ = heard.wait_for(|say| *say == Say::BreakOff) => return,
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(30)),
        }
    }
}

/// Counts a job, and says in its span what became of it.
fn ended(metrics: &Metrics, result: &'static str) {
    metrics.job(result);
    Span::current().record("result", result);
}

/// What the queue is told of a job.
enum Note {
    Done,
    Failed(String),
    HandBack(Duration),
}

impl Note {
    async fn write(&self, queue: &Queue, claimed: &Claimed) -> Result<(), queue::Error> {
        match self {
            Self::Done => queue.done(claimed).await,
            Self::Failed(error) => queue.failed(claimed, error).await.map(drop),
            Self::HandBack(wait) => queue.hand_back(claimed, *wait).await,
        }
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Unchanged => "unchanged",
        Verdict::Narrowed => "narrowed",
        Verdict::Widened => "widened",
        Verdict::Unknown => "unknown",
    }
}
