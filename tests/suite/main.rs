//! Every test that crosses modules, in one binary.

mod laws;
mod worlds;
mod yaml;
