//! A command that could not do its work: what it says, and its exit code.

use super::exit;
use crate::github;
use crate::query::QueryError;
use crate::settings::SettingsError;
use crate::source;
use std::io::{self, Write};

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The arguments make no sense.
    #[error("{0}")]
    Usage(String),
    /// A question can't be understood, or names what is not declared.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The configuration says what it can't say.
    #[error("the configuration can't be read{}", lines(.file, .errors))]
    Settings {
        /// Its name.
        file: String,
        /// Everything that is wrong.
        errors: Vec<SettingsError>,
    },
    /// No manifest was found.
    #[error("{0}")]
    Nothing(String),
    /// A snapshot could not be read.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// A file could not be read or written; the text says which.
    #[error("{0}")]
    Unreadable(String),
    /// GitHub did not answer as needed.
    #[error(transparent)]
    GitHub(#[from] github::Error),
    /// A review came to nothing.
    #[error(transparent)]
    Review(#[from] github::RunError),
    /// The result could not be written.
    #[error("could not write to standard output: {}", source::io_reason(.0))]
    Output(#[from] io::Error),
}

impl Failure {
    pub(super) fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) | Failure::Query(_) | Failure::Settings { .. } => exit::WRONG_USAGE,
            Failure::Nothing(_) => exit::NOTHING_TO_ANALYSE,
            Failure::Source(error) if error.is_usage() => exit::WRONG_USAGE,
            Failure::Review(github::RunError::Internal) => exit::INTERNAL_ERROR,
            Failure::Review(github::RunError::Stopped(number)) => exit::signal(*number),
            Failure::Source(_)
            | Failure::Output(_)
            | Failure::Unreadable(_)
            | Failure::GitHub(_)
            | Failure::Review(_) => exit::UNREADABLE,
        }
    }

    /// Writes the message to standard error.
    pub(super) fn tell(&self) {
        say(&format!("error: {self}"));
    }
}

/// A line for each error, with its place as editors know it.
fn lines(file: &str, errors: &[SettingsError]) -> String {
    errors.iter().map(|error| format!("\n  {file}:{error}")).collect()
}

/// Writes a line to standard error, where that is possible. File names and revisions come from
/// outside, so nothing that steers a terminal gets through.
pub(super) fn say(message: &str) {
    let mut line = String::with_capacity(message.len() + 1);
    for character in message.chars() {
        if character.is_control() && !matches!(character, '\n' | '\t') {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line.push('\n');
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Makes a panic in any thread end the process with the code for a bug here, at once: no half-written
/// result looks like a whole one, and no thread waits for one that is gone.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        tell_of(panic);
        std::process::exit(exit::INTERNAL_ERROR.into());
    }));
}

/// Tells of a panic and lets it go on, for whoever catches it and has something to conclude first.
pub(super) fn install_gentle_panic_hook() {
    std::panic::set_hook(Box::new(tell_of));
}

fn tell_of(panic: &std::panic::PanicHookInfo<'_>) {
    let text = panic
        .payload()
        .downcast_ref::<&str>()
        .map(|text| text.to_string())
        .or_else(|| panic.payload().downcast_ref::<String>().cloned())
        .unwrap_or_default();
    let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
    say(&format!(
        "error: internal error{place}: {text}\n  this is a bug in {name} {version}; no result can be \
         trusted\n  try: report it at {repository}/issues, with the command and the manifests that \
         led here",
        name = env!("CARGO_PKG_NAME"),
        version = env!("CARGO_PKG_VERSION"),
        repository = env!("CARGO_PKG_REPOSITORY"),
    ));
}
