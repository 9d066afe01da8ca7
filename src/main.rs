//! The `netpol-review` command.

fn main() {}
