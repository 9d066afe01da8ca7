//! A server from its beginning to its end.

use super::identity::Identity;
use super::metrics::Metrics;
use super::options::Options;
use super::pages::{self, Pages};
use super::queue::{self, Claimed, Life, Queue};
use super::ready::Ready;
use super::web::Web;
use super::work::{Ended, Failure, Work};
use super::{identity, reconcile};
use crate::report::Verdict;
use crate::source::{self, git::Mirrors};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

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
            options: options.clone(),
            pages,
        };
        let worker = Worker { work: Arc::new(work), metrics, heard: heard.clone() };
        let worker = tokio::spawn(worker.run());
        let beats = tokio::spawn(beat(queue.clone(), options.clone(), say.clone()));
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
        let worker = tokio::time::timeout(self.options.grace, self.worker).await;
        self.say.send_replace(Say::BreakOff);
        if worker.is_err() {
            tracing::warn!("handing back what is not done");
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
async fn beat(queue: Arc<Queue>, options: Arc<Options>, say: watch::Sender<Say>) {
    let mut pruned = Instant::now();
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
    loop {
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

struct Worker {
    work: Arc<Work>,
    metrics: Arc<Metrics>,
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
                    let runtime = tokio::runtime::Handle::current();
                    // git and the comparison block, and must not keep webhooks waiting.
                    running.spawn_blocking(move || {
                        runtime.block_on(one(&work, &metrics, claimed, heard));
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

/// Does a job, and says what became of it.
async fn one(work: &Work, metrics: &Metrics, claimed: Claimed, mut heard: watch::Receiver<Say>) {
    let begun = Instant::now();
    let result = tokio::select! {
        result = work.job(&claimed) => result,
        _ = heard.wait_for(|say| *say == Say::BreakOff) => {
            tracing::warn!(job = claimed.key, "broken off");
            metrics.job("broken off");
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
            metrics.review(verdict, took, outcome.calls);
            metrics.job("done");
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
            queue.done(&claimed).await
        }
        Ok(Ended::Done) => {
            metrics.job("done");
            tracing::info!(job = key, repository, attempt, "done");
            queue.done(&claimed).await
        }
        Ok(Ended::Moot(why)) => {
            metrics.job("moot");
            tracing::info!(job = key, repository, attempt, why, "nothing to do");
            queue.done(&claimed).await
        }
        Err(Failure::Limited(error, wait)) => {
            metrics.job("limited");
            tracing::warn!(job = key, repository, attempt, error, "GitHub wants us to wait");
            queue.hand_back(&claimed, wait).await
        }
        Err(Failure::Passing(error, wait)) => match queue.failed(&claimed, &error, wait).await {
            Ok(again) => {
                metrics.job(if again { "failed" } else { "dead" });
                tracing::warn!(job = key, repository, attempt, again, error, "failed");
                Ok(())
            }
            Err(error) => Err(error),
        },
        Err(Failure::Lasting(error) | Failure::Stranger(error)) => {
            metrics.job("refused");
            tracing::warn!(job = key, repository, attempt, error, "can't be done");
            queue.done(&claimed).await
        }
    };
    if let Err(error) = noted {
        // It stays ours until this process ends, and is done once more then.
        tracing::error!(job = key, repository, %error, "could not note what became of a job");
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
