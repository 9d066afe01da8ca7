//! What this process holds, and what of that it has forgotten.

use super::{Queue, Result, could_not, intake};
use sqlx::Row;

impl Queue {
    /// The keys of all that the database says this process holds.
    pub async fn held(&self) -> Result<Vec<String>> {
        let rows = sqlx::query("SELECT key FROM jobs WHERE owner = $1 ORDER BY key")
            .bind(&self.me)
            .fetch_all(&self.pool)
            .await
            .map_err(could_not("look for what this process holds"))?;
        Ok(rows.iter().filter_map(|row| row.try_get(0).ok()).collect())
    }

    /// Gives some of it back, as it was.
    pub async fn free(&self, keys: &[String]) -> Result<()> {
        for some in keys.chunks(500) {
            let list = intake::rows(1, some.len() + 1, "").replacen("$1, ", "", 1);
            let sql = format!("UPDATE jobs SET owner = NULL WHERE owner = $1 AND key IN {list}");
            let mut query = sqlx::query(&sql).persistent(false).bind(&self.me);
            for key in some {
                query = query.bind(key);
            }
            query.execute(&self.pool).await.map_err(could_not("give something back"))?;
        }
        self.news.notify_one();
        Ok(())
    }
}
