//! The GitHub App: webhooks into a queue, and out of it reviews.
//!
//! Reading order: `signature` and `intake` (a webhook to what it asks for), `job` (what there is to do), `queue`
//! (where that waits), `identity` (who we are to GitHub), `work` (a job to a review), `reconcile` (what no webhook
//! told), `run` (all of it at once, until the end), `web` (what is answered) with `pages`, `ready` and `metrics`, `options`, `check` (are they right?).

mod check;
mod identity;
pub mod intake;
pub mod job;
mod metrics;
mod options;
mod pages;
pub mod queue;
mod ready;
mod reconcile;
mod run;
pub mod signature;
mod web;
mod work;

pub use check::check;
pub use identity::Identity;
pub use options::{Key, Options};
pub use pages::PublicUrl;
pub use run::{Error, Server};
