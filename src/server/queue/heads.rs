//! What was reviewed last, and what one server does for all.

use super::{Claimed, Queue, Result, could_not, millis, now};
use sqlx::Row;
use std::time::Duration;

/// How long heads are remembered. One that was forgotten counts as never seen.
const REMEMBERED: Duration = Duration::from_secs(90 * 24 * 3600);

impl Queue {
    /// Notes the head that a job is about now, before anything of it is begun on GitHub. The answer: the one that was noted
    /// before; and whether checks of this head from earlier count no more, as there was another one since. That stays so
    /// until the job is [`done`](Queue::done).
    pub async fn head(&self, claimed: &Claimed, head: &str) -> Result<(Option<String>, bool)> {
        let failed = could_not("note what is reviewed");
        let row = sqlx::query("SELECT head FROM heads WHERE key = $1")
            .bind(&claimed.key)
            .fetch_optional(&self.pool)
            .await
            .map_err(&failed)?;
        let earlier: Option<String> = row.map(|row| row.try_get(0)).transpose().map_err(&failed)?;
        let row = sqlx::query(
            "INSERT INTO heads (key, head, moved, noted) VALUES ($1, $2, 0, $3)
             ON CONFLICT (key) DO UPDATE SET
                moved = CASE WHEN heads.head = excluded.head THEN heads.moved ELSE 1 END,
                head = excluded.head,
                noted = excluded.noted
             RETURNING moved",
        )
        .bind(&claimed.key)
        .bind(head)
        .bind(now())
        .fetch_one(&self.pool)
        .await
        .map_err(&failed)?;
        let moved: i64 = row.try_get(0).map_err(failed)?;
        Ok((earlier, moved != 0))
    }

    /// What was noted of a job's head is done with.
    pub(super) async fn settle(&self, key: &str) -> Result<()> {
        sqlx::query("UPDATE heads SET moved = 0 WHERE key = $1 AND moved <> 0")
            .bind(key)
            .execute(&self.pool)
            .await
            .map_err(could_not("note that a head was reviewed"))?;
        Ok(())
    }

    /// Forgets heads that nobody asked for in a long time.
    pub(super) async fn prune_heads(&self) -> Result<()> {
        sqlx::query("DELETE FROM heads WHERE noted < $1")
            .bind(now().saturating_sub(millis(REMEMBERED)))
            .execute(&self.pool)
            .await
            .map_err(could_not("forget old heads"))?;
        Ok(())
    }

    /// Is it for this server to begin something that one does for all, every so often? A clock that was wrong does not put
    /// it off for longer.
    pub async fn begins(&self, name: &str, every: Duration) -> Result<bool> {
        let now = now();
        let begun = sqlx::query(
            "INSERT INTO rounds (name, begun) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET begun = excluded.begun
             WHERE rounds.begun <= $3 OR rounds.begun > $2",
        )
        .bind(name)
        .bind(now)
        .bind(now - millis(every))
        .execute(&self.pool)
        .await
        .map_err(could_not("ask whose turn it is"))?;
        Ok(begun.rows_affected() > 0)
    }
}
