//! Every test that crosses modules, in one binary.

mod cases;
mod laws;
mod worlds;
mod yaml;
