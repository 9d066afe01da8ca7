//! A job to what becomes of it.

use super::identity::{self, Identity};
use super::job::{Job, Place, Task};
use super::options::Options;
use super::pages::Pages;
use super::queue::{ATTEMPTS, Claimed, Queue};
use crate::github::{
    self, Api, AppRun, Client, Clock, Event, Inputs, Mirror, Outcome, RepositoryName, RunError,
    Subject,
};
use crate::source::git::Mirrors;
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
    /// The same may succeed later, but not before so long.
    #[error("{0}")]
    Passing(String, Duration),
    /// GitHub wants us to wait; that is nobody's fault.
    #[error("{0}")]
    Limited(String, Duration),
    /// GitHub does not take our token: it was taken back, or it is too old by GitHub's clock.
    #[error("{0}")]
    Stranger(String),
    /// It will not get better.
    #[error("{0}")]
    Lasting(String),
}

/// What jobs are done with.
pub struct Work {
    /// Where further jobs go.
    pub queue: Arc<Queue>,
    /// Who we are.
    pub identity: Arc<Identity>,
    /// What was fetched of repositories before.
    pub mirrors: Arc<Mirrors>,
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

    async fn tried(&self, claimed: &Claimed) -> Result<Ended, Failure> {
        let Job { place, task, .. } = &claimed.job;
        match task {
            Task::Installation => self.installation(place).await,
            Task::Repository => self.repository(place).await,
            Task::Base(branch) => self.base(place, branch).await,
            Task::Head(head) => self.head(place, head).await,
            Task::Pull(number) => self.review(claimed, Subject::Pull(*number)).await,
            Task::Group { base, head } => {
                let subject = Subject::Group { base: base.clone(), head: head.clone() };
                self.review(claimed, subject).await
            }
        }
    }

    async fn client(&self, place: &Place) -> Result<Client, Failure> {
        let token = self.identity.token(place.installation, place.repository).await;
        let token = token.map_err(by_identity)?;
        Client::new(&self.options.addresses, &token, self.options.pause).map_err(by_github)
    }

    /// All its repositories are looked at.
    async fn installation(&self, place: &Place) -> Result<Ended, Failure> {
        let client = self.client(place).await?;
        let repositories = github::AppApi::new(&client).repositories().await.map_err(by_github)?;
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
    async fn repository(&self, place: &Place) -> Result<Ended, Failure> {
        let (client, name) = (self.client(place).await?, name(place)?);
        let api = Api::new(&client, &name);
        let mut jobs = Vec::new();
        for pull in api.open_pulls(None).await.map_err(by_github)? {
            let job = Job::new(place.clone(), Task::Pull(pull.number));
            let (head, app) = (&pull.head.sha, self.identity.app());
            if !api.is_concluded(head, app, &job.key()).await.map_err(by_github)? {
                jobs.push(job);
            }
        }
        self.queue.ensure(&jobs).await.map_err(by_queue)?;
        Ok(Ended::Done)
    }

    /// What pull requests to a branch mean changed with it.
    async fn base(&self, place: &Place, branch: &str) -> Result<Ended, Failure> {
        let (client, name) = (self.client(place).await?, name(place)?);
        let pulls = Api::new(&client, &name).open_pulls(Some(branch)).await.map_err(by_github)?;
        self.again(place, pulls).await
    }

    async fn head(&self, place: &Place, head: &str) -> Result<Ended, Failure> {
        let (client, name) = (self.client(place).await?, name(place)?);
        let mut pulls = Api::new(&client, &name).open_pulls(None).await.map_err(by_github)?;
        // Asked for by commit, GitHub leaves out those of forks.
        pulls.retain(|pull| pull.head.sha == head);
        self.again(place, pulls).await
    }

    async fn again(&self, place: &Place, pulls: Vec<github::Pull>) -> Result<Ended, Failure> {
        let job = |pull: github::Pull| Job::new(place.clone(), Task::Pull(pull.number)).again();
        let jobs: Vec<Job> = pulls.into_iter().map(job).collect();
        self.queue.ask(&jobs).await.map_err(by_queue)?;
        Ok(Ended::Done)
    }

    async fn review(&self, claimed: &Claimed, subject: Subject) -> Result<Ended, Failure> {
        let place = &claimed.job.place;
        let token = self.identity.token(place.installation, place.repository).await;
        let token = token.map_err(by_identity)?;
        let Options { addresses, pause, rendering, .. } = &*self.options;
        let client = Client::new(addresses, &token, *pause).map_err(by_github)?;
        let event = Event {
            repository: name(place)?,
            subject,
            addresses: addresses.clone(),
            workspace: None,
            commit: None,
            trusted_context: true,
        };
        let inputs = Inputs {
            rendering: rendering.clone(),
            // A review that is tried again is the same one.
            run_id: claimed.run_id(),
            app: Some(AppRun {
                id: self.identity.app(),
                again: claimed.job.again,
                last: claimed.attempt >= ATTEMPTS,
            }),
            pages: self.pages.as_ref().map(|pages| pages.of(&claimed.key)),
            mirror: u64::try_from(place.repository)
                .ok()
                .map(|id| Mirror { mirrors: self.mirrors.clone(), id }),
            ..Inputs::default()
        };
        let clock = Clock { now: chrono::Utc::now(), pause: *pause };
        let never = std::future::pending();
        let run = github::run(&event, &inputs, &client, Some(&token), clock, never, |_, _| {});
        match run.await {
            Ok(outcome) => {
                let job = |number: &u64| Job::new(place.clone(), Task::Pull(*number)).again();
                let milder: Vec<Job> = outcome.milder.iter().map(job).collect();
                self.queue.ask(&milder).await.map_err(by_queue)?;
                Ok(Ended::Reviewed(Box::new(outcome)))
            }
            Err(RunError::Moot(why)) => Ok(Ended::Moot(why.into())),
            Err(RunError::GitHub(error)) => Err(by_github(error)),
            Err(error) if error.is_passing() => {
                Err(Failure::Passing(error.to_string(), Duration::ZERO))
            }
            Err(error) => Err(Failure::Lasting(error.to_string())),
        }
    }
}

fn name(place: &Place) -> Result<RepositoryName, Failure> {
    let name = RepositoryName::new(&place.name);
    name.ok_or_else(|| Failure::Lasting(format!("`{}` is no repository's name", place.name)))
}

fn by_github(error: github::Error) -> Failure {
    match &error {
        github::Error::Refused { wait: Some(wait), .. } => {
            Failure::Limited(error.to_string(), *wait)
        }
        _ if error.is_unauthorized() => Failure::Stranger(error.to_string()),
        github::Error::Address { .. } => Failure::Lasting(error.to_string()),
        _ if error.is_forbidden() || error.is_unprocessable() => {
            Failure::Lasting(error.to_string())
        }
        _ => Failure::Passing(error.to_string(), Duration::ZERO),
    }
}

fn by_identity(error: identity::Error) -> Failure {
    match error {
        identity::Error::GitHub(error) => by_github(error),
        error => Failure::Passing(error.to_string(), Duration::ZERO),
    }
}

fn by_queue(error: super::queue::Error) -> Failure {
    Failure::Passing(error.to_string(), Duration::ZERO)
}
