//! A job to what becomes of it.

use super::identity::{self, Identity};
use super::job::{Job, Place, Task};
use super::metrics::Metrics;
use super::options::Options;
use super::pages::Pages;
use super::queue::{ATTEMPTS, Claimed, Pause, Queue};
use crate::github::{
    self, Api, AppRun, Budget, Client, Clock, Event, Inputs, Mirror, Outcome, RepositoryName,
    RunError, Subject,
};
use crate::source::git::Mirrors;
use crate::spans;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;

/// What a job's work came to.
#[derive(Debug)]
pub enum Ended {
    /// A review was made.
    Reviewed(Box<Outcome>),
    /// Something else was done.
    Done,
    /// There was nothing to do, and why.
    Moot(String),
}

/// Why it came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The same may succeed later. What was tried too often waits for somebody to look at it.
    #[error("{0}")]
    Passing(String),
    /// GitHub wants us to wait; that is nobody's fault.
    #[error("{0}")]
    Limited(String, Duration),
    /// GitHub does not take our token, or the name that the repository had when it was made: it was taken back, or it is
    /// too old.
    #[error("{0}")]
    Stranger(String),
    /// The installation is gone, or has this repository no more: nobody waits for it.
    #[error("{0}")]
    Gone(String),
    /// It will not get better, and the check says so.
    #[error("{0}")]
    Told(String),
}

/// After so many tries that were begun and never ended, the process is taken to die of it. That is more than of tries that
/// fail, as a process may end for other reasons.
const DEATHS: i64 = 2 * ATTEMPTS;

/// With fewer calls left in the hour, an installation waits for the next: a review that was begun is to end.
const RESERVE: i64 = 50;

/// With a smaller part left than one of so many, what nobody waits for waits.
const SHARE: i64 = 4;

/// What jobs are done with.
pub struct Work {
    /// Where further jobs go.
    pub queue: Arc<Queue>,
    /// Who we are.
    pub identity: Arc<Identity>,
    /// What was fetched of repositories before.
    pub mirrors: Arc<Mirrors>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is set.
    pub options: Arc<Options>,
    /// Where report pages are kept, if they are.
    pub pages: Option<Arc<Pages>>,
}

impl Work {
    /// Does a job; once more with a new token where GitHub does not take the one that we had.
    pub async fn job(&self, claimed: &Claimed) -> Result<Ended, Failure> {
        match self.tried(claimed).await {
            Err(Failure::Stranger(_)) => {
                self.identity.forget(claimed.job.place.installation);
                self.tried(claimed).await
            }
            result => result,
        }
    }

    /// Has an installation wait where little is left of its calls.
    fn plan(&self, place: &Place, client: &Client) {
        let Some(Budget { remaining, limit, renewed }) = client.budget() else { return };
        self.metrics.remaining(place.installation, remaining);
        let share = limit / SHARE;
        if remaining < share {
            let all = remaining < RESERVE.min(share);
            let pause = if all { Pause::All } else { Pause::Background };
            self.queue.pause(place.installation, pause, renewed);
        }
    }

    async fn tried(&self, claimed: &Claimed) -> Result<Ended, Failure> {
        let Job { place, task, .. } = &claimed.job;
        let token = self.identity.token(place.installation, place.repository);
        let token = spans::part("token", token).await.map_err(by_identity)?;
        let client = Client::new(&self.options.addresses, &token.secret, self.options.pause);
        let client = client.map_err(by_github)?;
        // A job is known by the repository's number, and may be older than its name.
        let name = token.name.unwrap_or_else(|| place.name.clone());
        let place = Place { name, ..place.clone() };
        let token = &token.secret;
        let ended = match task {
            Task::Installation => self.installation(&place, &client).await,
            Task::Repository => self.repository(&place, &client).await,
            Task::Base(branch) => self.base(&place, &client, branch).await,
            Task::Head(head) => self.head(&place, &client, head).await,
            Task::Pull(number) => {
                let subject = Subject::Pull(*number);
                self.review(claimed, &place, (&client, token), subject).await
            }
            Task::Group { base, head } => {
                let subject = Subject::Group { base: base.clone(), head: head.clone() };
                self.review(claimed, &place, (&client, token), subject).await
            }
        };
        self.plan(&place, &client);
        ended
    }

    /// All its repositories are looked at.
    async fn installation(&self, place: &Place, client: &Client) -> Result<Ended, Failure> {
        let repositories = github::AppApi::new(client).repositories().await.map_err(by_github)?;
        let jobs: Vec<Job> = repositories
            .into_iter()
            .map(|one| {
                let installation = place.installation;
                let place = Place { installation, repository: one.id, name: one.full_name };
                Job::new(place, Task::Repository)
            })
            .collect();
        self.queue.ensure(&jobs).await.map_err(by_queue)?;
        Ok(Ended::Done)
    }

    /// Its open pull requests whose head has no concluded check of ours are reviewed.
    async fn repository(&self, place: &Place, client: &Client) -> Result<Ended, Failure> {
        let name = name(place)?;
        let api = Api::new(client, &name);
        for pull in api.open_pulls(None).await.map_err(by_github)? {
            let job = Job::new(place.clone(), Task::Pull(pull.number)).one_of_many();
            let (head, app) = (&pull.head.sha, self.identity.app());
            if !api.is_concluded(head, app, &job.key()).await.map_err(by_github)? {
                // One by one: what was found counts, though a limit may end this any time.
                self.queue.ensure(&[job]).await.map_err(by_queue)?;
            }
        }
        Ok(Ended::Done)
    }

    /// What pull requests to a branch mean changed with it.
    async fn base(&self, place: &Place, client: &Client, branch: &str) -> Result<Ended, Failure> {
        let pulls =
            Api::new(client, &name(place)?).open_pulls(Some(branch)).await.map_err(by_github)?;
        let job = |pull: github::Pull| Job::new(place.clone(), Task::Pull(pull.number)).again();
        self.ask(pulls.into_iter().map(|pull| job(pull).one_of_many()).collect()).await
    }

    async fn head(&self, place: &Place, client: &Client, head: &str) -> Result<Ended, Failure> {
        let mut pulls =
            Api::new(client, &name(place)?).open_pulls(None).await.map_err(by_github)?;
        // Asked for by commit, GitHub leaves out those of forks.
        pulls.retain(|pull| pull.head.sha == head);
        let job = |pull: github::Pull| Job::new(place.clone(), Task::Pull(pull.number)).again();
        self.ask(pulls.into_iter().map(job).collect()).await
    }

    async fn ask(&self, jobs: Vec<Job>) -> Result<Ended, Failure> {
        self.queue.ask(&jobs).await.map_err(by_queue)?;
        Ok(Ended::Done)
    }

    async fn review(
        &self,
        claimed: &Claimed,
        place: &Place,
        (client, token): (&Client, &SecretString),
        subject: Subject,
    ) -> Result<Ended, Failure> {
        let Options { addresses, pause, rendering, .. } = &*self.options;
        let event = Event {
            repository: name(place)?,
            subject,
            addresses: addresses.clone(),
            workspace: None,
            commit: None,
            trusted_context: true,
        };
        let found = github::find(&event, client).await.map_err(by_run)?;
        let (earlier, moved) = self.queue.head(claimed, &found.head).await.map_err(by_queue)?;
        let inputs = Inputs {
            rendering: rendering.clone(),
            // A review that is tried again is the same one.
            run_id: claimed.run_id(),
            app: Some(AppRun {
                id: self.identity.app(),
                again: claimed.job.again || moved,
                earlier,
                last: claimed.attempt >= ATTEMPTS,
                died: claimed.attempt > DEATHS,
            }),
            pages: self.pages.as_ref().map(|pages| pages.of(&claimed.key)),
            mirror: u64::try_from(place.repository)
                .ok()
                .map(|id| Mirror { mirrors: self.mirrors.clone(), id }),
            ..Inputs::default()
        };
        let clock = Clock { now: chrono::Utc::now(), pause: *pause };
        let never = std::future::pending();
        let run =
            github::run(&event, &found, &inputs, client, Some(token), clock, never, |_, _| {});
        match run.await {
            Ok(outcome) => {
                let job = |number: &u64| Job::new(place.clone(), Task::Pull(*number)).again();
                let others: Vec<Job> = outcome.others.iter().map(job).collect();
                self.queue.ask(&others).await.map_err(by_queue)?;
                Ok(Ended::Reviewed(Box::new(outcome)))
            }
            Err(RunError::Moot(why)) => Ok(Ended::Moot(why.into())),
            Err(error) => Err(by_run(error)),
        }
    }
}

fn by_run(error: RunError) -> Failure {
    match error {
        RunError::GitHub(error) => by_github(error),
        error if error.is_passing() => Failure::Passing(error.to_string()),
        error => Failure::Told(error.to_string()),
    }
}

fn name(place: &Place) -> Result<RepositoryName, Failure> {
    let name = RepositoryName::new(&place.name);
    name.ok_or_else(|| Failure::Passing(format!("`{}` is no repository's name", place.name)))
}

/// GitHub's no may be that of a server that lags behind: of a token that is new, of a pull request that is.
fn by_github(error: github::Error) -> Failure {
    match &error {
        github::Error::Refused { wait: Some(wait), .. } => {
            Failure::Limited(error.to_string(), *wait)
        }
        _ if error.is_unauthorized() => Failure::Stranger(error.to_string()),
        // The repository has another name, which a new token tells.
        github::Error::Refused { status: 301 | 307 | 308, .. } => {
            Failure::Stranger(error.to_string())
        }
        _ => Failure::Passing(error.to_string()),
    }
}

/// Who asks for a token as the App learns whether there is still an installation that has this repository.
fn by_identity(error: identity::Error) -> Failure {
    match error {
        identity::Error::GitHub(error) => {
            let no = error.is_forbidden() || error.is_unprocessable();
            match by_github(error) {
                Failure::Passing(words) if no => Failure::Gone(words),
                failure => failure,
            }
        }
        error => Failure::Passing(error.to_string()),
    }
}

fn by_queue(error: super::queue::Error) -> Failure {
    Failure::Passing(error.to_string())
}
