//! Events into the database: all that wait at a time in one transaction, since it is the commit that takes long.

use super::{Queue, Result, could_not, now};
use crate::server::intake::Wish;
use crate::server::job::Job;
use sqlx::{Any, Row, Transaction};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Weak;
use tokio::sync::{mpsc, oneshot};

/// How many events may wait for being written. More are refused, and GitHub is told to come again.
pub const WAITING: usize = 4096;

/// How many events are written together: a row each has few columns, and a statement's parameters are bounded.
const TOGETHER: usize = 512;

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is written down.
    New,
    /// It was there already.
    Known,
}

/// An event that waits.
pub struct Event {
    guid: String,
    wishes: Vec<Wish>,
    answer: oneshot::Sender<std::result::Result<Accepted, String>>,
}

impl Queue {
    /// Writes a delivery down, and what it asks for. When this ends well a process may be killed at any time, and
    /// it will be done. The same delivery once more does nothing.
    pub async fn accept(&self, guid: &str, wishes: Vec<Wish>) -> Result<Accepted> {
        let failed = could_not::<String>("write the webhook down");
        let (answer, answered) = oneshot::channel();
        let event = Event { guid: guid.to_string(), wishes, answer };
        let sent = self.to_intake.try_send(event);
        sent.map_err(|_| failed("too many are waiting already".into()))?;
        let written = answered.await.map_err(|_| failed("the server is ending".into()))?;
        written.map_err(failed)
    }

    /// Adds jobs unless they are there. One that is tried no more gets another chance.
    pub async fn ensure(&self, jobs: &[Job]) -> Result<()> {
        self.add(jobs, REVIVED).await
    }

    /// Asks for jobs, as an event does.
    pub async fn ask(&self, jobs: &[Job]) -> Result<()> {
        self.add(jobs, ASKED_AGAIN).await
    }

    async fn add(&self, jobs: &[Job], conflict: &str) -> Result<()> {
        let what = "write down what is to be done";
        for some in jobs.chunks(TOGETHER) {
            let mut transaction = self.pool.begin().await.map_err(could_not(what))?;
            let mut jobs = BTreeMap::new();
            some.iter().for_each(|job| merge(&mut jobs, job, None));
            let inserted = insert(&mut transaction, &jobs, conflict).await;
            inserted.map_err(could_not(what))?;
            transaction.commit().await.map_err(could_not(what))?;
        }
        self.news.notify_one();
        Ok(())
    }

    async fn write_all(
        &self,
        events: &[Event],
    ) -> std::result::Result<BTreeSet<String>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let guids: BTreeSet<&str> = events.iter().map(|event| event.guid.as_str()).collect();
        let rows = rows(guids.len(), 2, "");
        let sql = format!(
            "INSERT INTO deliveries (guid, received) VALUES {rows} ON CONFLICT (guid) DO NOTHING RETURNING guid"
        );
        let now = now();
        let mut query = sqlx::query(&sql).persistent(false);
        for guid in guids {
            query = query.bind(guid).bind(now);
        }
        let rows = query.fetch_all(&mut *transaction).await?;
        let new: BTreeSet<String> =
            rows.iter().filter_map(|row| row.try_get::<String, usize>(0).ok()).collect();
        // In the order of arrival: what is asked for after an installation was forgotten counts.
        let mut jobs = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for event in events.iter().filter(|event| new.contains(&event.guid)) {
            if !seen.insert(event.guid.as_str()) {
                continue;
            }
            for wish in &event.wishes {
                match wish {
                    Wish::Do(job) => merge(&mut jobs, job, Some(&event.guid)),
                    Wish::Forget { installation } => {
                        jobs.retain(|_, (job, _)| job.place.installation != *installation);
                        sqlx::query("DELETE FROM jobs WHERE installation = $1")
                            .bind(installation)
                            .execute(&mut *transaction)
                            .await?;
                    }
                }
            }
        }
        insert(&mut transaction, &jobs, ASKED_AGAIN).await?;
        transaction.commit().await?;
        Ok(new)
    }
}

/// Jobs by their keys, each with the delivery that asked for it last, if one did.
type Wished<'a> = BTreeMap<String, (Job, Option<&'a str>)>;

/// One more wish of a job. What one of them means stays, whatever the others do not.
fn merge<'a>(jobs: &mut Wished<'a>, job: &Job, by: Option<&'a str>) {
    let (wished, delivery) = jobs.entry(job.key()).or_insert_with(|| (job.clone(), None));
    let (again, urgency) = (wished.again || job.again, wished.urgency.min(job.urgency));
    *wished = Job { again, urgency, ..job.clone() };
    *delivery = by.or(*delivery);
}

/// Asked for once more, a job begins anew, also while it is worked on or after it was tried too often. One that waits
/// keeps its place in time.
const ASKED_AGAIN: &str = " ON CONFLICT (key) DO UPDATE SET
    generation = jobs.generation + 1,
    attempts = 0,
    dead = 0,
    error = NULL,
    due = CASE WHEN jobs.owner IS NULL AND jobs.due < excluded.due THEN jobs.due ELSE excluded.due END,
    installation = excluded.installation,
    name = excluded.name,
    task = excluded.task,
    again = CASE WHEN excluded.again > jobs.again THEN excluded.again ELSE jobs.again END,
    priority = CASE WHEN excluded.priority < jobs.priority THEN excluded.priority ELSE jobs.priority END,
    asked = CASE WHEN jobs.dead = 1 OR jobs.owner IS NOT NULL THEN excluded.asked ELSE jobs.asked END,
    delivery = COALESCE(excluded.delivery, jobs.delivery)";

/// What is there stays as it is, but is tried again where it was tried too often, by the name that its repository has
/// now.
const REVIVED: &str = " ON CONFLICT (key) DO UPDATE SET
    attempts = 0,
    dead = 0,
    due = excluded.due,
    asked = excluded.asked,
    installation = excluded.installation,
    name = excluded.name,
    task = excluded.task
    WHERE jobs.dead = 1";

/// New jobs, and what to do about those that are there.
async fn insert(
    transaction: &mut Transaction<'_, Any>,
    jobs: &Wished<'_>,
    conflict: &str,
) -> std::result::Result<(), sqlx::Error> {
    let all: Vec<_> = jobs.iter().collect();
    for some in all.chunks(TOGETHER) {
        insert_some(transaction, some, conflict).await?;
    }
    Ok(())
}

async fn insert_some(
    transaction: &mut Transaction<'_, Any>,
    jobs: &[(&String, &(Job, Option<&str>))],
    conflict: &str,
) -> std::result::Result<(), sqlx::Error> {
    let rows = rows(jobs.len(), 10, ", 1, 0, 0");
    let sql = format!(
        "INSERT INTO jobs
         (key, installation, repository, name, task, again, priority, asked, due, delivery, generation, attempts, dead)
         VALUES {rows}{conflict}"
    );
    let now = now();
    let mut query = sqlx::query(&sql).persistent(false);
    for (key, (job, delivery)) in jobs {
        query = query
            .bind(*key)
            .bind(job.place.installation)
            .bind(job.place.repository)
            .bind(&job.place.name)
            .bind(serde_json::to_string(&job.task).unwrap_or_default())
            .bind(i64::from(job.again))
            .bind(job.urgency)
            .bind(now)
            .bind(now)
            .bind(*delivery);
    }
    query.execute(&mut **transaction).await.map(|_| ())
}

/// Rows of so many parameters each, with the same constants behind those of each: `($1, $2), ($3, $4)`.
pub(super) fn rows(rows: usize, columns: usize, constants: &str) -> String {
    let row = |row: usize| {
        let parameters = (1..=columns).map(|column| format!("${}", row * columns + column));
        format!("({}{constants})", parameters.collect::<Vec<_>>().join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// Writes events until nobody sends any more.
pub async fn write(queue: Weak<Queue>, mut events: mpsc::Receiver<Event>) {
    let mut together = Vec::with_capacity(TOGETHER);
    while events.recv_many(&mut together, TOGETHER).await > 0 {
        let Some(queue) = queue.upgrade() else { return };
        let written = queue.write_all(&together).await;
        if written.is_ok() {
            queue.news.notify_one();
        }
        for event in together.drain(..) {
            let answer = match &written {
                Ok(new) if new.contains(&event.guid) => Ok(Accepted::New),
                Ok(_) => Ok(Accepted::Known),
                Err(error) => Err(error.to_string()),
            };
            // Whoever asked may have hung up; the event is written all the same.
            let _ = event.answer.send(answer);
        }
    }
}
