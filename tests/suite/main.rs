//! Every test that crosses modules, in one binary.

mod bounds;
mod cases;
mod engine;
mod facts;
mod fixtures;
mod gate;
mod grants;
mod guardrail_worlds;
mod guardrails;
mod hidden;
mod inventory;
mod laws;
mod query;
mod reading;
mod tiers;
mod reader;
mod report_laws;
mod reports;
mod respelt;
mod rows;
mod rules;
mod schema;
mod settings;
mod witnesses;
mod worlds;
mod yaml;
