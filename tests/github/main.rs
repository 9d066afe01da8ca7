//! A test GitHub (`server`), and reviews of pull requests on it.

#![allow(clippy::unwrap_used, reason = "a test that can't set its parts up has failed")]

mod faults;
mod scenarios;
mod scene;
mod server;
mod world;
