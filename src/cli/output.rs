//! Standard output: whether it takes colours, how wide it is, and a reader that went away.

use super::args::Color;
use std::io::{self, ErrorKind, IsTerminal, Write};

/// Lines of prose are hard to read beyond this many columns, however wide the terminal is.
const WIDEST: usize = 100;

/// Writes a result. A reader that has seen enough (`| head`) is no error.
pub(super) fn write(text: &str) -> io::Result<()> {
    super::signals::hold();
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Should a result have colours?
pub(super) fn coloured(choice: Color) -> bool {
    let set =
        |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    decide(
        choice,
        std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
        set("CLICOLOR_FORCE"),
        std::env::var_os("CLICOLOR").is_some_and(|value| value == "0"),
        std::env::var_os("TERM").is_some_and(|value| value == "dumb"),
        io::stdout().is_terminal(),
    )
}

/// The argument beats NO_COLOR (no-color.org), which beats CLICOLOR_FORCE and CLICOLOR (bixense.com).
fn decide(
    choice: Color,
    no_color: bool,
    force: bool,
    off: bool,
    dumb: bool,
    terminal: bool,
) -> bool {
    match choice {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => !no_color && (force || (terminal && !off && !dumb)),
    }
}

/// How many columns a result may fill: those of the terminal, 80 where there is none.
pub(super) fn width() -> usize {
    let columns = terminal_size::terminal_size_of(io::stdout())
        .map(|(columns, _)| usize::from(columns.0))
        .filter(|columns| *columns > 0);
    columns.unwrap_or(80).min(WIDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours() {
        use Color::*;
        for (choice, no_color, force, off, dumb, terminal, expected) in [
            (Auto, false, false, false, false, true, true),
            (Auto, false, false, false, false, false, false),
            (Auto, true, true, false, false, true, false),
            (Auto, false, true, false, false, false, true),
            (Auto, false, false, true, false, true, false),
            (Auto, false, false, false, true, true, false),
            (Always, true, false, true, true, false, true),
            (Never, false, true, false, false, true, false),
        ] {
            assert_eq!(
                decide(choice, no_color, force, off, dumb, terminal),
                expected,
                "{choice:?} NO_COLOR={no_color} force={force} off={off} dumb={dumb} terminal={terminal}"
            );
        }
    }
}
