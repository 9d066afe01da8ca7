//! The GitHub App's server, on a test GitHub and databases of its own.
//!
//! `postgres` starts a PostgreSQL where one is installed; NETPOL_REVIEW_TOOLS=required makes it an error where none is.

#[path = "../github/server/mod.rs"]
mod server;
#[path = "../github/world.rs"]
mod world;

mod house;
mod identity;
mod payloads;
mod postgres;
mod queue;
mod replicas;
mod reviews;
mod webhooks;
