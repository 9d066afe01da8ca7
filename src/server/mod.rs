//! The GitHub App: webhooks into a queue, and out of it reviews.
//!
//! Reading order: `signature` and `intake` (a webhook to what it asks for), `job` (what there is to do), `queue`
//! (where that waits), `app` (who we are to GitHub), `work` (a job to a review), `reconcile` (what no webhook told),
//! `web` (what is answered), `options`.

pub mod intake;
pub mod job;
pub mod queue;
pub mod signature;
