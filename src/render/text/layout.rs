//! Lines of a terminal: wrapping on words with a hanging indent, and colours.

use anstyle::{AnsiColor, Color, Style as Ansi};
use unicode_width::UnicodeWidthStr;

use crate::render::untrusted;
use crate::render::words::{self, Phrase, Piece};
use crate::report::{Severity, Side};

/// How text for a terminal looks.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// With ANSI colours?
    pub colour: bool,
    /// Columns to wrap at. A single word that is longer keeps its line and is not cut.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { colour: false, width: 80 }
    }
}

/// What a piece of text is, for its colour.
#[derive(Clone, Copy, Debug)]
pub enum Role {
    /// Text among text.
    Plain,
    /// A heading.
    Heading,
    /// The name of a detail.
    Label,
    /// Something that must not be missed.
    Loud,
    /// Something good.
    Calm,
    /// A row of this severity.
    Severity(Severity),
}

impl Role {
    fn ansi(self) -> Ansi {
        let colour = |colour| Ansi::new().fg_color(Some(Color::Ansi(colour)));
        match self {
            Role::Heading => Ansi::new().bold(),
            Role::Label => Ansi::new().dimmed(),
            Role::Loud | Role::Severity(Severity::High) => colour(AnsiColor::Red).bold(),
            Role::Calm => colour(AnsiColor::Green).bold(),
            Role::Severity(Severity::Critical) => colour(AnsiColor::Magenta).bold(),
            Role::Severity(Severity::Medium) => colour(AnsiColor::Yellow).bold(),
            Role::Severity(Severity::Low) => colour(AnsiColor::Cyan),
            Role::Plain | Role::Severity(Severity::Info) => Ansi::new(),
        }
    }
}

/// Text under construction. What is put in is either ours or has been through
/// [`untrusted::plain`].
#[derive(Debug)]
pub struct Lines {
    out: String,
    style: Style,
}

impl Lines {
    /// Nothing yet.
    pub fn new(style: &Style) -> Self {
        Self { out: String::new(), style: *style }
    }

    /// The finished text.
    pub fn finish(self) -> String {
        self.out
    }

    /// An empty line, unless nothing or an empty line stands before it.
    pub fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// A paragraph from the left margin in one colour.
    pub fn say(&mut self, role: Role, text: &str) {
        for line in wrap(text, self.style.width) {
            let line = self.paint(role, &line);
            self.out.push_str(&line);
            self.out.push('\n');
        }
    }

    /// `text`, wrapped, `indent` columns from the margin.
    pub fn line(&mut self, indent: usize, text: &str) {
        self.item(indent, Role::Plain, "", 0, text);
    }

    /// `text` as it is, `indent` columns from the margin.
    pub fn verbatim(&mut self, indent: usize, text: &str) {
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// `text`, wrapped beside a column of `column` columns that holds `label` in the first line,
    /// all of it `indent` columns from the margin.
    pub fn item(&mut self, indent: usize, role: Role, label: &str, column: usize, text: &str) {
        let hang = indent + column;
        let wrapped = wrap(text, self.style.width.saturating_sub(hang));
        for (number, line) in wrapped.iter().enumerate() {
            if number == 0 {
                self.out.push_str(&" ".repeat(indent));
                let label_width = label.width();
                let label = self.paint(role, label);
                self.out.push_str(&label);
                self.out.push_str(
                    &" ".repeat(column.saturating_sub(label_width).max(usize::from(column > 0))),
                );
            } else {
                self.out.push_str(&" ".repeat(hang));
            }
            self.out.push_str(line);
            self.out.push('\n');
        }
    }

    fn paint(&self, role: Role, text: &str) -> String {
        if self.style.colour && !text.is_empty() {
            let ansi = role.ansi();
            format!("{ansi}{text}{ansi:#}")
        } else {
            text.into()
        }
    }
}

/// Breaks on spaces into lines of at most `width` columns where words allow; at least one line.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let columns = word.width();
        if used > 0 && used + 1 + columns > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += columns;
    }
    lines.push(line);
    lines
}

/// A phrase as plain text.
pub fn phrase(phrase: &Phrase) -> String {
    let mut out = String::new();
    for piece in phrase {
        match piece {
            Piece::Words(words) => out.push_str(words),
            Piece::Text(text) => out.push_str(text),
            Piece::Count(count) => out.push_str(&count.to_string()),
            Piece::Name(name) => out.push_str(&untrusted::plain(name)),
            Piece::Place(location) => out.push_str(&place(location)),
        }
    }
    out
}

/// Lines of a file, and that they are gone where they are.
pub fn place(location: &crate::report::Location) -> String {
    let place = untrusted::plain(&words::place(location));
    match location.side {
        Side::Before => format!("{place} (before the change)"),
        Side::After | Side::Both => place,
    }
}

/// The first names, and how many more there are: `a, b and 3 more`.
pub fn names(all: &[String], shown: usize, total: usize) -> String {
    let shown = shown.min(all.len());
    let list: Vec<String> = all[..shown].iter().map(|name| untrusted::plain(name)).collect();
    let list = list.join(", ");
    match total.saturating_sub(shown) {
        0 => list,
        more if shown == 0 => format!("{more}"),
        more => format!("{list} and {more} more"),
    }
}
