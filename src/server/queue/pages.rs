//! Report pages, and the key of their addresses: in the database, so that every server has the same.

use super::{Queue, Result, could_not, millis, now};
use sqlx::Row;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a page is kept.
pub const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// The most bytes that pages take together; beyond it the oldest go.
pub const ROOM: i64 = 1 << 30;

/// After so many bytes of new pages the oldest are looked at, without waiting for the hour.
const NEWS: u64 = 16 << 20;

impl Queue {
    /// Keeps a page, in place of an older one of the same id.
    pub async fn keep_page(&self, id: &str, html: &str) -> Result<()> {
        let bytes = html.len();
        sqlx::query(
            "INSERT INTO pages (id, made, bytes, html) VALUES ($1, $2, $3, $4)
             ON CONFLICT (id) DO UPDATE SET made = excluded.made, bytes = excluded.bytes, html = excluded.html",
        )
        .bind(id)
        .bind(now())
        .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
        .bind(html)
        .execute(&self.pool)
        .await
        .map_err(could_not("keep a report page"))?;
        let bytes = bytes as u64;
        if self.kept.fetch_add(bytes, Ordering::Relaxed) + bytes > NEWS {
            self.kept.store(0, Ordering::Relaxed);
            self.prune_pages(KEPT, ROOM).await?;
        }
        Ok(())
    }

    /// The page of an id, if it is there.
    pub async fn page(&self, id: &str) -> Result<Option<String>> {
        let failed = could_not("read a report page");
        let row = sqlx::query("SELECT html FROM pages WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(&failed)?;
        row.map(|row| row.try_get(0)).transpose().map_err(failed)
    }

    /// Forgets pages that are older than `age`, and the oldest where all together take more than `room` bytes.
    pub async fn prune_pages(&self, age: Duration, room: i64) -> Result<()> {
        let failed = could_not("forget old report pages");
        sqlx::query("DELETE FROM pages WHERE made < $1")
            .bind(now().saturating_sub(millis(age)))
            .execute(&self.pool)
            .await
            .map_err(&failed)?;
        sqlx::query(
            "DELETE FROM pages WHERE id IN (
                SELECT id FROM (
                    SELECT id, SUM(bytes) OVER (ORDER BY made DESC, id) AS newer FROM pages
                ) AS summed WHERE newer > $1
            )",
        )
        .bind(room)
        .execute(&self.pool)
        .await
        .map_err(&failed)?;
        Ok(())
    }

    /// The secret of a name: `new` where there was none. All servers of a database get the same.
    pub async fn secret(&self, name: &str, new: &str) -> Result<String> {
        let failed = could_not("read a key of the server's own");
        sqlx::query(
            "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        )
        .bind(name)
        .bind(new)
        .execute(&self.pool)
        .await
        .map_err(&failed)?;
        let row = sqlx::query("SELECT value FROM secrets WHERE name = $1")
            .bind(name)
            .fetch_one(&self.pool)
            .await
            .map_err(&failed)?;
        row.try_get(0).map_err(failed)
    }
}
