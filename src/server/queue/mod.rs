//! What there is to do, kept in a database: SQLite for one process, PostgreSQL for several.
//!
//! Nothing that was acknowledged is lost, whenever a process ends: an event is answered once it is committed
//! ([`intake`](Queue::accept)), a job stays until its work is done, and a job held by a process that shows no sign of
//! life is handed to another (`replicas`).
//!
//! No decision hangs on the clocks of two machines: whether a process lives is told by a counter that it raises, and
//! by the monotonic clock of whoever looks. Wall clocks only say when something is tried once more, and a clock that
//! jumps makes that at most [`LONGEST_WAIT`] late.

mod claim;
mod heads;
mod held;
mod intake;
mod pages;
mod pause;
mod replicas;
mod schema;

pub use claim::Claimed;
pub use intake::Accepted;
pub use pause::Pause;
pub use replicas::Life;

use super::job::{Job, Place, Task};
use crate::source::alone;
use sqlx::AnyPool;
use sqlx::any::{AnyPoolOptions, AnyRow, install_default_drivers};
use sqlx::{Executor, Row};
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, mpsc};

/// How often a job is tried before it waits for somebody to look at it.
pub const ATTEMPTS: i64 = 8;

/// The longest wait between two tries.
pub const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// The longest that an installation has to wait: GitHub's limits are those of an hour.
const LONGEST_PAUSE: Duration = Duration::from_secs(65 * 60);

/// How long deliveries are remembered. GitHub sends one again for three days at most.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);

/// The database could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("could not {what}: {source}")]
pub struct Error {
    what: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

pub(super) type Result<T> = std::result::Result<T, Error>;

/// Says what was attempted.
fn could_not<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    what: &'static str,
) -> impl Fn(E) -> Error {
    move |source| Error { what, source: source.into() }
}

/// The queue, as one process sees it.
pub struct Queue {
    pool: AnyPool,
    /// The name of this process among all that share the database.
    me: String,
    to_intake: mpsc::Sender<intake::Event>,
    /// Something new is there.
    pub news: Notify,
    /// The order in which installations were served here.
    served: Mutex<HashMap<i64, u64>>,
    turn: AtomicU64,
    /// Installations of which nothing, or not everything, is taken for a while.
    pauses: Mutex<pause::Pauses>,
    /// How many bytes of report pages were kept since the oldest were looked at.
    kept: AtomicU64,
    others: Mutex<replicas::Others>,
    depth: tokio::sync::Mutex<Option<(Depth, Instant)>>,
    /// Held as long as the database is ours alone.
    lock: Mutex<Option<File>>,
}

/// A job that is tried no more, for somebody to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// What names it for [`Queue::retry`].
    pub key: String,
    /// What it was.
    pub job: Job,
    /// What went wrong the last time.
    pub error: String,
}

/// How the queue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Jobs that could be worked on now.
    pub waiting: i64,
    /// Jobs that are worked on.
    pub running: i64,
    /// Jobs that are tried later.
    pub later: i64,
    /// Jobs that are tried no more.
    pub dead: i64,
    /// How long the oldest of those that wait was asked for; zero where none waits.
    pub age: Duration,
}

/// The file of a database that is one, which only one process may use.
fn path(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?.split('?').next()?;
    Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
}

/// Keeps every other server away from a file. The lock ends with the process, however that ends.
async fn locked(path: &Path) -> Result<File> {
    let what = "take the queue's database for this server alone";
    let name = path.with_extension("lock");
    let shown = name.display().to_string();
    let taken = tokio::task::spawn_blocking(move || alone(&name)).await;
    let taken = taken.map_err(could_not(what))?;
    let taken = taken.map_err(|error| could_not(what)(format!("`{shown}`: {error}")))?;
    taken.ok_or_else(|| {
        could_not(what)(format!(
            "another server uses `{}`\n  try: another file, or PostgreSQL for several servers",
            path.display()
        ))
    })
}

async fn connect(url: &str, make: bool) -> Result<AnyPool> {
    install_default_drivers();
    let file = path(url).is_some();
    let options = AnyPoolOptions::new()
        // SQLite writes one at a time anyway, and so never finds itself locked out.
        .max_connections(if file { 1 } else { 8 })
        .acquire_timeout(Duration::from_secs(10))
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if file {
                    // A commit is on the disk before it is answered.
                    connection.execute("PRAGMA journal_mode = WAL").await?;
                    connection.execute("PRAGMA synchronous = FULL").await?;
                    connection.execute("PRAGMA busy_timeout = 5000").await?;
                }
                Ok(())
            })
        });
    let url = match file && !url.contains('?') {
        true => format!("{url}?mode={}", if make { "rwc" } else { "rw" }),
        false => url.to_string(),
    };
    options.connect(&url).await.map_err(could_not("open the queue's database"))
}

impl Queue {
    /// Opens a database (`sqlite:PATH` or `postgres://...`), brings its tables up to date, and makes this process
    /// known as `me`. What an earlier process of a file held is free again. To be called within a runtime.
    pub async fn open(url: &str, me: &str) -> Result<std::sync::Arc<Self>> {
        let lock = match path(url) {
            Some(path) => Some(locked(&path).await?),
            None => None,
        };
        let file = lock.is_some();
        let pool = connect(url, true).await?;
        schema::migrator()
            .run(&pool)
            .await
            .map_err(could_not("bring the tables of the queue up to date"))?;
        let (queue, events) = Self::new(pool, me, lock);
        let queue = std::sync::Arc::new(queue);
        if file {
            queue.free_all().await?;
        }
        queue.arrive().await?;
        tokio::spawn(intake::write(std::sync::Arc::downgrade(&queue), events));
        Ok(queue)
    }

    /// Opens a database to look at what is in it, also while a server uses it.
    pub async fn look(url: &str) -> Result<Self> {
        Ok(Self::new(connect(url, false).await?, "", None).0)
    }

    /// Can a database be used, by a server that is to start?
    pub async fn try_out(url: &str) -> Result<()> {
        let _lock = match path(url) {
            Some(path) => Some(locked(&path).await?),
            None => None,
        };
        let pool = connect(url, true).await?;
        let ready = schema::migrator().run(&pool).await;
        ready.map_err(could_not("bring the tables of the queue up to date"))
    }

    fn new(pool: AnyPool, me: &str, lock: Option<File>) -> (Self, mpsc::Receiver<intake::Event>) {
        let (to_intake, events) = mpsc::channel(intake::WAITING);
        let queue = Self {
            pool,
            me: me.to_string(),
            to_intake,
            news: Notify::new(),
            served: Mutex::default(),
            turn: AtomicU64::new(0),
            pauses: Mutex::default(),
            kept: AtomicU64::new(0),
            others: Mutex::default(),
            depth: tokio::sync::Mutex::default(),
            lock: Mutex::new(lock),
        };
        (queue, events)
    }

    /// Can the database be asked?
    pub async fn ping(&self) -> Result<()> {
        let asked = sqlx::query("SELECT 1").fetch_one(&self.pool).await;
        asked.map(|_| ()).map_err(could_not("ask the queue's database"))
    }

    /// How much there is to do, as of a second ago at most: whoever asks often does not keep webhooks waiting.
    pub async fn depth(&self) -> Result<Depth> {
        let mut known = self.depth.lock().await;
        if let Some((depth, when)) = *known
            && when.elapsed() < Duration::from_secs(1)
        {
            return Ok(depth);
        }
        let depth = self.count().await?;
        *known = Some((depth, Instant::now()));
        Ok(depth)
    }

    /// How much there is to do.
    pub async fn count(&self) -> Result<Depth> {
        let now = now();
        let row = sqlx::query(
            "SELECT
                CAST(COALESCE(SUM(CASE WHEN dead = 0 AND owner IS NULL AND due <= $1 THEN 1 ELSE 0 END), 0) AS BIGINT),
                CAST(COALESCE(SUM(CASE WHEN owner IS NOT NULL THEN 1 ELSE 0 END), 0) AS BIGINT),
                CAST(COALESCE(SUM(CASE WHEN dead = 0 AND owner IS NULL AND due > $1 THEN 1 ELSE 0 END), 0) AS BIGINT),
                CAST(COALESCE(SUM(CASE WHEN dead = 1 THEN 1 ELSE 0 END), 0) AS BIGINT),
                MIN(CASE WHEN dead = 0 AND owner IS NULL AND due <= $1 THEN asked END)
            FROM jobs",
        )
        .bind(now)
        .fetch_one(&self.pool)
        .await
        .map_err(could_not("count what waits"))?;
        let number = |index| row.try_get::<i64, usize>(index).unwrap_or_default();
        let oldest = row.try_get::<Option<i64>, usize>(4).ok().flatten();
        let age = oldest.map_or(0, |oldest| (now - oldest).max(0).unsigned_abs());
        Ok(Depth {
            waiting: number(0),
            running: number(1),
            later: number(2),
            dead: number(3),
            age: Duration::from_millis(age),
        })
    }

    /// The jobs that are tried no more, by their keys.
    pub async fn dead(&self) -> Result<Vec<Dead>> {
        let rows = sqlx::query(
            "SELECT key, installation, repository, name, task, again, priority, error FROM jobs WHERE dead = 1 ORDER BY key",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(could_not("list what is tried no more"))?;
        let read = |row: &AnyRow| -> Option<Dead> {
            Some(Dead {
                key: row.try_get(0).ok()?,
                job: job(row, 1)?,
                error: row.try_get::<Option<String>, usize>(7).ok()?.unwrap_or_default(),
            })
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// Tries a job once more that was tried too often. False: there is none of this key.
    pub async fn retry(&self, key: &str) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE jobs SET dead = 0, attempts = 0, due = $1, asked = $1 WHERE key = $2 AND dead = 1",
        )
        .bind(now())
        .bind(key)
        .execute(&self.pool)
        .await
        .map_err(could_not("try a job once more"))?;
        self.news.notify_one();
        Ok(done.rows_affected() > 0)
    }

    /// Forgets deliveries that GitHub can't send again, and old report pages.
    pub async fn prune(&self) -> Result<()> {
        let oldest = now() - millis(REMEMBERED);
        sqlx::query("DELETE FROM deliveries WHERE received < $1")
            .bind(oldest)
            .execute(&self.pool)
            .await
            .map_err(could_not("forget old deliveries"))?;
        self.prune_heads().await?;
        self.prune_pages(pages::KEPT, pages::ROOM).await
    }

    /// Ends all that uses the database.
    pub async fn close(&self) {
        self.pool.close().await;
        // Whoever still has the queue in hand can do nothing with it any more.
        lock(&self.lock).take();
    }
}

/// The job whose columns begin at an index: installation, repository, name, task, again, priority.
fn job(row: &AnyRow, at: usize) -> Option<Job> {
    let place = Place {
        installation: row.try_get(at).ok()?,
        repository: row.try_get(at + 1).ok()?,
        name: row.try_get(at + 2).ok()?,
    };
    let task: Task = serde_json::from_str(&row.try_get::<String, usize>(at + 3).ok()?).ok()?;
    let again: i64 = row.try_get(at + 4).ok()?;
    Some(Job { place, task, again: again != 0, urgency: row.try_get(at + 5).ok()? })
}

/// The time, in milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    millis(since)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// What panicked while it held a lock left at worst an older order of service.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
