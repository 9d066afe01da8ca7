//! Which job is next, and what becomes of it.

use super::{ATTEMPTS, LONGEST_WAIT, Pause, Queue, Result, could_not, job, lock, millis, now};
use crate::server::job::{BACKGROUND, Job};
use sqlx::Row;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The wait before a second try; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(10);

/// How often a job is looked for that somebody else took at the same moment.
const TRIES: usize = 8;

/// A job that this process holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// What names it in the queue.
    pub key: String,
    /// What there is to do.
    pub job: Job,
    /// How often it was asked for when it was taken.
    pub generation: i64,
    /// Which try this is, from 1.
    pub attempt: i64,
    /// When it was asked for, in milliseconds since 1970.
    pub asked: i64,
    /// The delivery that asked for it last, if one did.
    pub delivery: Option<String>,
}

impl Claimed {
    /// What names this job among all of its key that there ever were, and stays the same for each further try.
    pub fn run_id(&self) -> String {
        format!("{}#{}.{}", self.key, self.asked, self.generation)
    }
}

/// An installation that has something to do.
struct Waiting {
    installation: i64,
    priority: i64,
    running: i64,
    /// When it was served last here.
    served: u64,
}

impl Queue {
    /// Takes a job, of the installation that has the fewest running, among these the one that was served longest
    /// ago; never more than `most` of one installation. What nobody waits for comes last. Nothing: nothing is due.
    pub async fn claim(&self, most: i64) -> Result<Option<Claimed>> {
        for _ in 0..TRIES {
            let Some(next) = self.next(most).await? else { return Ok(None) };
            if let Some(claimed) = self.take(next).await? {
                let turn = self.turn.fetch_add(1, Ordering::Relaxed) + 1;
                lock(&self.served).insert(next, turn);
                return Ok(Some(claimed));
            }
        }
        Ok(None)
    }

    /// Whose turn it is.
    async fn next(&self, most: i64) -> Result<Option<i64>> {
        let failed = could_not("look for something to do");
        let now = now();
        let waiting = sqlx::query(
            "SELECT installation, MIN(priority) FROM jobs
             WHERE dead = 0 AND owner IS NULL AND (due <= $1 OR due > $2) GROUP BY installation",
        )
        .bind(now)
        .bind(far(now))
        .fetch_all(&self.pool)
        .await
        .map_err(&failed)?;
        if waiting.is_empty() {
            return Ok(None);
        }
        let running = sqlx::query(
            "SELECT installation, COUNT(*) FROM jobs WHERE owner IS NOT NULL GROUP BY installation",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(&failed)?;
        let number = |row: &_, index| Row::try_get::<i64, usize>(row, index).unwrap_or_default();
        let running: HashMap<i64, i64> =
            running.iter().map(|row| (number(row, 0), number(row, 1))).collect();
        let served = lock(&self.served);
        let waiting = waiting.iter().map(|row| {
            let installation = number(row, 0);
            Waiting {
                installation,
                priority: number(row, 1),
                running: running.get(&installation).copied().unwrap_or_default(),
                served: served.get(&installation).copied().unwrap_or_default(),
            }
        });
        let free = waiting.filter(|one| match self.waits(one.installation) {
            _ if one.running >= most => false,
            Some(Pause::All) => false,
            Some(Pause::Background) => one.priority < BACKGROUND,
            None => true,
        });
        let next = free.min_by_key(|one| {
            (one.priority >= BACKGROUND, one.running, one.served, one.installation)
        });
        Ok(next.map(|one| one.installation))
    }

    /// Takes the first job of an installation, unless somebody else does.
    async fn take(&self, installation: i64) -> Result<Option<Claimed>> {
        let failed = could_not("take something to do");
        let now = now();
        let first = sqlx::query(
            "SELECT key, generation FROM jobs
             WHERE dead = 0 AND owner IS NULL AND installation = $1 AND (due <= $2 OR due > $3)
             ORDER BY priority, due, key LIMIT 1",
        )
        .bind(installation)
        .bind(now)
        .bind(far(now))
        .fetch_optional(&self.pool)
        .await
        .map_err(&failed)?;
        let Some(first) = first else { return Ok(None) };
        let key: String = first.try_get(0).map_err(&failed)?;
        let taken = sqlx::query(
            "UPDATE jobs SET owner = $1, attempts = attempts + 1
             WHERE key = $2 AND owner IS NULL AND dead = 0
             RETURNING installation, repository, name, task, again, priority, generation, attempts, asked, delivery",
        )
        .bind(&self.me)
        .bind(&key)
        .fetch_optional(&self.pool)
        .await
        .map_err(&failed)?;
        let Some(row) = taken else { return Ok(None) };
        let (generation, attempt) =
            (row.try_get(6).map_err(&failed)?, row.try_get(7).map_err(&failed)?);
        let Some(job) = job(&row, 0) else {
            // A newer version wrote it. It is kept for somebody to look at.
            self.bury(&key, "this version does not know what is to be done").await?;
            return Ok(None);
        };
        let asked = row.try_get(8).map_err(&failed)?;
        let delivery = row.try_get(9).map_err(&failed)?;
        Ok(Some(Claimed { key, job, generation, attempt, asked, delivery }))
    }

    /// The work is done. If somebody asked again meanwhile it is done once more.
    pub async fn done(&self, claimed: &Claimed) -> Result<()> {
        let failed = could_not("note that something is done");
        // First, while the job is still ours.
        self.settle(&claimed.key).await?;
        let gone =
            sqlx::query("DELETE FROM jobs WHERE key = $1 AND owner = $2 AND generation = $3")
                .bind(&claimed.key)
                .bind(&self.me)
                .bind(claimed.generation)
                .execute(&self.pool)
                .await
                .map_err(&failed)?;
        if gone.rows_affected() == 0 {
            let now = now();
            sqlx::query("UPDATE jobs SET owner = NULL, attempts = 0, due = $1 WHERE key = $2 AND owner = $3")
                .bind(now)
                .bind(&claimed.key)
                .bind(&self.me)
                .execute(&self.pool)
                .await
                .map_err(&failed)?;
            self.news.notify_one();
        }
        Ok(())
    }

    /// The work failed: it is tried again after a while, or no more after [`ATTEMPTS`]. The answer: will it be
    /// tried again?
    pub async fn failed(&self, claimed: &Claimed, error: &str) -> Result<bool> {
        let again = claimed.attempt < ATTEMPTS;
        if !again {
            self.bury(&claimed.key, error).await?;
            return Ok(false);
        }
        let doubled =
            FIRST_WAIT.saturating_mul(1 << claimed.attempt.clamp(1, 16).saturating_sub(1));
        let wait = doubled.min(LONGEST_WAIT / 2);
        let wait = wait + jitter(wait);
        sqlx::query(
            "UPDATE jobs SET owner = NULL, due = $1, error = $2 WHERE key = $3 AND owner = $4",
        )
        .bind(now() + millis(wait))
        .bind(shortened(error))
        .bind(&claimed.key)
        .bind(&self.me)
        .execute(&self.pool)
        .await
        .map_err(could_not("put something off"))?;
        Ok(true)
    }

    /// The work is not begun, or was broken off: it waits as if it had not been taken, at most [`LONGEST_WAIT`].
    pub async fn hand_back(&self, claimed: &Claimed, after: Duration) -> Result<()> {
        sqlx::query(
            "UPDATE jobs SET owner = NULL, due = $1, attempts = attempts - 1
             WHERE key = $2 AND owner = $3 AND attempts > 0",
        )
        .bind(now() + millis(after.min(LONGEST_WAIT)))
        .bind(&claimed.key)
        .bind(&self.me)
        .execute(&self.pool)
        .await
        .map_err(could_not("hand something back"))?;
        self.news.notify_one();
        Ok(())
    }

    /// The work is not tried any more.
    async fn bury(&self, key: &str, error: &str) -> Result<()> {
        sqlx::query(
            "UPDATE jobs SET owner = NULL, dead = 1, error = $1 WHERE key = $2 AND owner = $3",
        )
        .bind(shortened(error))
        .bind(key)
        .bind(&self.me)
        .execute(&self.pool)
        .await
        .map_err(could_not("put something aside"))?;
        Ok(())
    }
}

/// What is due later than this was put off by a clock that was wrong.
fn far(now: i64) -> i64 {
    now + 2 * millis(LONGEST_WAIT)
}

/// Up to half as long again, so that what failed together is not tried together.
fn jitter(wait: Duration) -> Duration {
    let share = now().unsigned_abs() % 1000;
    wait.mul_f64(share as f64 / 2000.0)
}

/// As much of an error as somebody reads.
fn shortened(error: &str) -> String {
    error.chars().take(1000).collect()
}
