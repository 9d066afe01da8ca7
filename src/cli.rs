//! The command line: arguments in, exit code out. Results go to standard output, everything else to
//! standard error.
//!
//! Reading order: `args` (what can be typed), `config` (which configuration counts), `inventory` (which objects
//! from elsewhere do), `rendering` (how charts and kustomizations are built), `exit` (what the codes mean), `run` (one function a
//! command), `output`, `progress`, `signals`, `failure`.

mod args;
mod config;
mod exit;
mod failure;
mod inventory;
mod lint;
mod output;
mod pr;
mod progress;
mod rendering;
mod run;
mod serve;
mod signals;
mod snapshot;
mod timings;
mod traces;
mod write;

pub use crate::settings::FailOn;
pub use exit::{Outcome, outcome};
pub use failure::install_panic_hook;

use args::Arguments;
use clap::Parser;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs one command. `arguments` begins with the program's name, as the system passes it.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    install_panic_hook();
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too. Nobody is left to tell where printing fails.
            let _ = error.print();
            return if error.use_stderr() { exit::WRONG_USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    let result = run::run(arguments);
    signals::hold();
    match result {
        Ok(code) => code.into(),
        Err(failure) => {
            failure.tell();
            failure.code().into()
        }
    }
}
