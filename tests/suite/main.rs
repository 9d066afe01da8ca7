//! Every test that crosses modules, in one binary.

mod cases;
mod laws;
mod reader;
mod worlds;
mod yaml;
