//! A pull request on a test GitHub, and runs of the review on it.

use crate::server::{Pull, TestGitHub, Token};
use crate::world::World;
use netpol_review::github::{
    Addresses, Client, Clock, Event, Inputs, Outcome, RepositoryName, RunError, Subject, find, run,
};
use secrecy::SecretString;
use std::path::PathBuf;
use std::time::Duration;

pub const REPOSITORY: &str = "shop/manifests";
pub const TOKEN: &str = "token-of-a-workflow-run";

/// Real waits are too long for tests.
const PAUSE: Duration = Duration::from_millis(5);

pub struct Scene<'a> {
    pub world: &'a World,
    pub github: TestGitHub,
}

impl<'a> Scene<'a> {
    /// A pull request of `feature` into `main`.
    pub fn new(world: &'a World) -> Self {
        Self::with(world, Token::actions(), Pull::default())
    }

    pub fn with(world: &'a World, token: Token, pull: Pull) -> Self {
        let github = TestGitHub::start();
        github.add_repository(REPOSITORY, &world.bare());
        github.add_token(TOKEN, token);
        github.open_pull(REPOSITORY, pull);
        Self { world, github }
    }

    /// An event as a workflow without a checkout has it.
    pub fn event(&self) -> Event {
        event(self.github.url(), None)
    }

    /// The same with a checkout that has everything.
    pub fn event_with_checkout(&self) -> Event {
        event(self.github.url(), Some(self.world.bare()))
    }

    /// A run that needs nothing but its checkout and GitHub's interface.
    pub fn run(&self) -> Result<Outcome, RunError> {
        self.run_as("1", &self.event_with_checkout(), &Inputs::default())
    }

    pub fn run_as(&self, id: &str, event: &Event, inputs: &Inputs) -> Result<Outcome, RunError> {
        run_as(id, event, inputs)
    }

    /// The bodies of all comments.
    pub fn comments(&self) -> Vec<String> {
        self.github.comments(REPOSITORY, 1).into_iter().map(|comment| comment.body).collect()
    }
}

pub fn event(url: &str, workspace: Option<PathBuf>) -> Event {
    Event {
        repository: RepositoryName::new(REPOSITORY).expect("a name"),
        subject: Subject::Pull(1),
        addresses: Addresses {
            api: url.to_string(),
            graphql: format!("{url}/graphql"),
            server: "https://github.example".to_string(),
            git: url.to_string(),
        },
        workspace,
        commit: None,
        trusted_context: false,
    }
}

pub fn run_as(id: &str, event: &Event, inputs: &Inputs) -> Result<Outcome, RunError> {
    run_at("2026-06-01T00:00:00Z", id, event, inputs)
}

/// A run at a point in time.
pub fn run_at(now: &str, id: &str, event: &Event, inputs: &Inputs) -> Result<Outcome, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let token = SecretString::from(TOKEN);
    let clock = Clock { now: now.parse().expect("a time"), pause: PAUSE };
    let inputs = Inputs { run_id: id.to_string(), ..inputs.clone() };
    runtime.expect("a runtime").block_on(async {
        let client = Client::new(&event.addresses, &token, PAUSE)?;
        let found = find(event, &client).await?;
        run(event, &found, &inputs, &client, Some(&token), clock, std::future::pending(), |_, _| {})
            .await
    })
}
