//! Every test that crosses modules, in one binary.

mod cases;
mod engine;
mod laws;
mod query;
mod reader;
mod reading;
mod tiers;
mod worlds;
mod yaml;
