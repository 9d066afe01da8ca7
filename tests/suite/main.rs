//! Every test that crosses modules, in one binary.

mod cases;
mod engine;
mod hidden;
mod laws;
mod query;
mod reading;
mod tiers;
mod reader;
mod reports;
mod worlds;
mod yaml;
