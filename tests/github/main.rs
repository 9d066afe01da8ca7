//! A test GitHub (`server`), tests that it does what it says, and reviews of pull requests on it.

#![allow(clippy::unwrap_used, reason = "a test that can't set its parts up has failed")]

mod server;
mod client;
mod approvers;
mod commands;
mod replies;
mod app;
mod hooks;
mod misbehaviour;
mod rules;
mod shop;
mod world;
mod scene;
mod scenarios;
mod environments;
#[path = "../renderers/mod.rs"]
mod renderers;
mod faults;
mod fixes;
mod inventory;
mod mirrors;
mod rights;
mod sample;
