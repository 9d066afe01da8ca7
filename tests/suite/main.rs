//! Every test that crosses modules, in one binary.

mod cases;
mod engine;
mod fixtures;
mod hidden;
mod laws;
mod query;
mod reading;
mod tiers;
mod reader;
mod report_laws;
mod reports;
mod rows;
mod worlds;
mod yaml;
