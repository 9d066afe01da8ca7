//! Pull requests on GitHub: an event to two trees and a report, the report to what a reviewer sees.
//!
//! Reading order: `action` (everything, from an event to an outcome), `event` (what happened), `pull`
//! (the commits that are compared), `compare` (commits to a report), `review` (a report to GitHub's
//! objects) with `lines`, `inline`, `check` and `page` beside it, `commands` (what people say in comments), `publish` (objects
//! to GitHub), `client`, `api` and `app` (calls).

mod action;
mod api;
mod app;
mod check;
mod client;
mod commands;
mod compare;
mod event;
mod inline;
mod lines;
mod page;
mod publish;
mod pull;
mod review;

pub use action::{AppRun, Clock, Error as RunError, Found, Inputs, Outcome, find, run};
pub use api::{Api, Pull, RepositoryName};
pub use app::{AppApi, Delivery, Identity, Installation, Installed, Minted};
pub(crate) use client::chain;
pub use client::{Addresses, Budget, Client, Error};
pub use compare::Evaluated;
pub use event::{Event, EventError, Named, Subject};
pub use page::{Kept, Pages};
pub use publish::Told;
pub use pull::Mirror;
pub use review::Review;
