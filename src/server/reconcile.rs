//! What no webhook told: deliveries that failed, and pull requests without a concluded check. So a lost event heals by
//! itself, whatever lost it.

use super::identity::{Error, Identity};
use super::job::{Job, Place, Task};
use super::queue::Queue;
use chrono::{TimeDelta, Utc};
use std::time::Duration;

/// How far back deliveries are asked for. GitHub keeps them for three days.
const BACK: TimeDelta = TimeDelta::hours(71);

/// How many deliveries are asked for in one round; what is left is asked for in the next.
const AT_ONCE: usize = 500;

/// The wait between two of them: GitHub limits how much is made in a minute.
const PACE: Duration = Duration::from_millis(50);

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Deliveries that were asked for once more.
    pub redelivered: usize,
    /// Installations that are looked at.
    pub installations: usize,
}

/// Has every installation looked at, and asks for what failed. Whatever goes wrong with the latter does not keep the
/// former from healing all.
pub async fn round(identity: &Identity, queue: &Queue) -> Result<Round, Error> {
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
    let mut round = Round { redelivered: 0, installations: jobs.len() };
    let since = Utc::now() - BACK;
    let mut failed = match identity.as_app(async |app| app.undelivered(since).await).await {
        Ok(failed) => failed,
        Err(error) => {
            tracing::warn!(%error, "could not list the deliveries that failed");
            return Ok(round);
        }
    };
    // GitHub forgets the oldest first.
    failed.sort_by(|one, other| {
        (one.delivered_at, &one.guid).cmp(&(other.delivered_at, &other.guid))
    });
    for delivery in failed.iter().take(AT_ONCE) {
        match identity.as_app(async |app| app.redeliver(delivery).await).await {
            Ok(()) => round.redelivered += 1,
            Err(error) => {
                tracing::warn!(delivery = delivery.guid, %error, "could not ask for a delivery again");
                if error.is_limit() {
                    break;
                }
            }
        }
        tokio::time::sleep(PACE).await;
    }
    Ok(round)
}
