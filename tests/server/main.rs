//! The GitHub App's server, on a test GitHub and databases of its own.
//!
//! `postgres` starts a PostgreSQL where one is installed; NETPOL_REVIEW_TOOLS=required makes it an error where none is.

#![allow(clippy::unwrap_used, reason = "a test that can't set its parts up has failed")]

#[path = "../github/server/mod.rs"]
mod server;
#[allow(dead_code, reason = "each program that includes it uses its own part of it")]
#[path = "../github/world.rs"]
mod world;

mod audit;
mod heads;
mod house;
mod identity;
mod pages;
mod mirrors;
mod payloads;
mod postgres;
mod queue;
mod replicas;
mod reviews;
mod tls;
mod traces;
mod webhooks;
