//! A test GitHub (`server`), and tests that it does what it says.

#![allow(clippy::unwrap_used, reason = "a test that can't set its parts up has failed")]

mod server;
mod client;
mod misbehaviour;
mod rules;
mod shop;
