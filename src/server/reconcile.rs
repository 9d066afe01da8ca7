//! What no webhook told: deliveries that failed, and pull requests without a concluded check. So a lost event heals by
//! itself, whatever lost it.

use super::identity::{Error, Identity};
use super::job::{Job, Place, Task};
use super::queue::Queue;
use chrono::{TimeDelta, Utc};

/// How far back deliveries are asked for. GitHub keeps them for three days.
const BACK: TimeDelta = TimeDelta::hours(71);

/// How many deliveries are asked for in one round; what is left is asked for in the next.
const AT_ONCE: usize = 500;

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Deliveries that were asked for once more.
    pub redelivered: usize,
    /// Installations that are looked at.
    pub installations: usize,
}

/// Asks for what failed, and has every installation looked at.
pub async fn round(identity: &Identity, queue: &Queue) -> Result<Round, Error> {
    let since = Utc::now() - BACK;
    let failed = identity.as_app(async |app| app.undelivered(since).await).await?;
    let mut redelivered = 0;
    for delivery in failed.iter().take(AT_ONCE) {
        identity.as_app(async |app| app.redeliver(delivery).await).await?;
        redelivered += 1;
    }
    let installations = identity.as_app(async |app| app.installations().await).await?;
    let jobs: Vec<Job> = installations
        .iter()
        .map(|one| {
            let place = Place { installation: one.id, repository: 0, name: String::new() };
            Job::new(place, Task::Installation)
        })
        .collect();
    if let Err(error) = queue.ensure(&jobs).await {
        tracing::warn!(%error, "could not have the installations looked at");
    }
    Ok(Round { redelivered, installations: jobs.len() })
}
