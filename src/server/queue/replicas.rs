//! Which processes share the database, and what one held that is gone.

use super::{Queue, Result, could_not, lock};
use sqlx::Row;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The counters of the other processes, and since when each stands where it is, by our monotonic clock.
pub type Others = HashMap<String, (i64, Instant)>;

/// What a beat told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// All is well; the processes that were given up, by name.
    Well(Vec<String>),
    /// The others gave this process up: what it held may be worked on elsewhere.
    GivenUp,
}

impl Queue {
    /// Makes this process known.
    pub(super) async fn arrive(&self) -> Result<()> {
        sqlx::query("INSERT INTO replicas (id, beat) VALUES ($1, 0) ON CONFLICT (id) DO NOTHING")
            .bind(&self.me)
            .execute(&self.pool)
            .await
            .map_err(could_not("make this process known"))?;
        Ok(())
    }

    /// Frees all that anybody held: the database is ours alone.
    pub(super) async fn free_all(&self) -> Result<()> {
        let failed = could_not("free what an earlier process held");
        let freed = sqlx::query("UPDATE jobs SET owner = NULL WHERE owner IS NOT NULL");
        freed.execute(&self.pool).await.map_err(&failed)?;
        sqlx::query("DELETE FROM replicas").execute(&self.pool).await.map_err(&failed)?;
        Ok(())
    }

    /// Shows that this process lives, and gives up those that have shown nothing for `silent`: what they held is
    /// free again.
    pub async fn beat(&self, silent: Duration) -> Result<Life> {
        let failed = could_not("show that this process lives");
        let beaten = sqlx::query("UPDATE replicas SET beat = beat + 1 WHERE id = $1")
            .bind(&self.me)
            .execute(&self.pool)
            .await
            .map_err(&failed)?;
        if beaten.rows_affected() == 0 {
            // What was taken meanwhile is broken off, and nobody else could free it once we are back.
            sqlx::query("UPDATE jobs SET owner = NULL WHERE owner = $1")
                .bind(&self.me)
                .execute(&self.pool)
                .await
                .map_err(&failed)?;
            self.arrive().await?;
            return Ok(Life::GivenUp);
        }
        let rows = sqlx::query("SELECT id, beat FROM replicas WHERE id <> $1")
            .bind(&self.me)
            .fetch_all(&self.pool)
            .await
            .map_err(&failed)?;
        let now = Instant::now();
        let seen: HashMap<String, i64> = rows
            .iter()
            .filter_map(|row| Some((row.try_get(0).ok()?, row.try_get(1).ok()?)))
            .collect();
        let mut quiet = Vec::new();
        {
            let mut others = lock(&self.others);
            others.retain(|id, _| seen.contains_key(id));
            for (id, beat) in seen {
                match others.get(&id) {
                    Some((known, since)) if *known == beat => {
                        if now.duration_since(*since) >= silent {
                            quiet.push((id, beat));
                        }
                    }
                    _ => {
                        others.insert(id, (beat, now));
                    }
                }
            }
        }
        let mut gone = Vec::new();
        for (id, beat) in quiet {
            let given_up = sqlx::query("DELETE FROM replicas WHERE id = $1 AND beat = $2")
                .bind(&id)
                .bind(beat)
                .execute(&self.pool)
                .await
                .map_err(&failed)?;
            if given_up.rows_affected() > 0 {
                gone.push(id);
            }
        }
        // Also what a process took in the moment when it was given up.
        let freed = sqlx::query(
            "UPDATE jobs SET owner = NULL WHERE owner IS NOT NULL AND owner NOT IN (SELECT id FROM replicas)",
        )
        .execute(&self.pool)
        .await
        .map_err(&failed)?;
        if freed.rows_affected() > 0 {
            self.news.notify_one();
        }
        gone.sort();
        Ok(Life::Well(gone))
    }

    /// Hands back all that this process holds, and takes its leave.
    pub async fn leave(&self) -> Result<()> {
        let failed = could_not("hand back what this process holds");
        sqlx::query(
            "UPDATE jobs SET owner = NULL, attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END WHERE owner = $1",
        )
        .bind(&self.me)
        .execute(&self.pool)
        .await
        .map_err(&failed)?;
        sqlx::query("DELETE FROM replicas WHERE id = $1")
            .bind(&self.me)
            .execute(&self.pool)
            .await
            .map_err(&failed)?;
        Ok(())
    }
}
