//! Every test that crosses modules, in one binary.

mod cases;
mod engine;
mod laws;
mod worlds;
mod yaml;
