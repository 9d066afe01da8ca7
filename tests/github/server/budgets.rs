//! The hourly limit: how many requests an installation has left, by the server's clock.

use super::TestGitHub;
use super::exchange::Reply;
use super::rights::Bearer;
use super::state::State;
use serde::Serialize;

/// What an hour allows.
const LIMIT: u64 = 5000;
const HOUR: i64 = 3600;

/// Where an account stands in its present hour.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Budget {
    /// Requests that were answered.
    pub used: u64,
    /// When the hour ends, in seconds since 1970.
    pub reset: i64,
    /// The installation; none for all others, who have one budget together.
    pub installation: Option<u64>,
}

impl Budget {
    /// The headers that tell of it.
    pub fn headers(self) -> [(&'static str, String); 5] {
        [
            ("x-ratelimit-limit", LIMIT.to_string()),
            ("x-ratelimit-remaining", LIMIT.saturating_sub(self.used).to_string()),
            ("x-ratelimit-used", self.used.to_string()),
            ("x-ratelimit-reset", self.reset.to_string()),
            ("x-ratelimit-resource", "core".into()),
        ]
    }

    /// The refusal of a request that is one too many.
    pub fn refusal(self) -> Option<Reply> {
        let id = self.installation.filter(|_| self.used > LIMIT)?;
        Some(Reply::error(403, &format!("API rate limit exceeded for installation ID {id}.")))
    }
}

impl State {
    /// Takes a request from the budget of whoever sends it.
    pub fn spend(&mut self, bearer: &Bearer) -> Budget {
        let now = self.clock().timestamp();
        let installation = bearer.token().and_then(|token| token.installation);
        let fresh = Budget { used: 0, reset: now + HOUR, installation };
        let budget = self.budgets.entry(installation.unwrap_or(0)).or_insert(fresh);
        if budget.reset <= now {
            *budget = fresh;
        }
        budget.used += 1;
        *budget
    }
}

impl TestGitHub {
    /// Leaves an installation so many requests until its hour ends, an hour from now.
    pub fn set_budget(&self, installation: u64, remaining: u64) {
        let mut state = self.state();
        let reset = state.clock().timestamp() + HOUR;
        let used = LIMIT.saturating_sub(remaining);
        let budget = Budget { used, reset, installation: Some(installation) };
        state.budgets.insert(installation, budget);
    }
}
