//! The `netpol-review` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    netpol_review::cli::main(std::env::args_os())
}
