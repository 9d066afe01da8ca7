//! A report -> what a reviewer sees on GitHub: the comment, comments on lines, the check. Pure, but for
//! the versions of files that it asks for.

use super::check::{self, Check};
use super::inline::{self, LineComment};
use super::lines::Lines;
use super::pull::Commits;
use crate::gate::Gate;
use crate::render::markdown::{self, Options};
use crate::render::words::Phrase;
use crate::report::merged::merged;
use crate::report::{Location, Report, Side};
use crate::settings::CommentWhen;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

/// What begins the hidden line by which a comment is found again.
const MARKER: &str = "<!-- netpol-review:v1 ";

/// What a path may hold as it is in an address.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// Everything that a review is made of.
pub struct Facts<'a> {
    /// What was found.
    pub report: &'a Report,
    /// Whether it passes.
    pub gate: &'a Gate,
    /// What was compared.
    pub commits: &'a Commits,
    /// `https://github.com/OWNER/NAME`.
    pub home: &'a str,
    /// Sentences on how the report came about.
    pub notes: &'a [Phrase],
    /// When there is a comment.
    pub when: CommentWhen,
    /// Whether lines get comments.
    pub inline: bool,
    /// The fingerprints that somebody wants explained.
    pub explain: &'a [String],
    /// The versions of files.
    pub files: &'a Files<'a>,
}

/// What goes to GitHub.
#[derive(Clone, Debug)]
pub struct Review {
    /// The comment's text with its marker, while something opens or closes; and when it is "resolved".
    pub comment: CommentText,
    /// Comments on lines.
    pub lines: Vec<LineComment>,
    /// The fingerprints of all opened rows, whether or not a line stands for them.
    pub opened: Vec<String>,
    /// The check.
    pub check: Check,
    /// The Markdown that explains a fingerprint that somebody asked for, where there is something to explain.
    pub explained: BTreeMap<String, String>,
}

/// The comment on the pull request as a whole.
#[derive(Clone, Debug)]
pub struct CommentText {
    /// With its marker.
    pub body: String,
    /// The same for a pull request whose comment told of something that opens; `None` while it does.
    pub resolved: Option<String>,
    /// Is there anything to say to a pull request that has no comment yet?
    pub wanted: bool,
    /// May there be a comment at all?
    pub allowed: bool,
}

/// The versions of a file that a review needs: before, after, and in the head of the pull request.
pub struct Files<'a> {
    read: &'a dyn Fn(&str, &str) -> Option<Vec<u8>>,
    commits: &'a Commits,
    known: RefCell<BTreeMap<String, Rc<FileLines>>>,
}

/// How the lines of one file moved.
pub struct FileLines {
    /// From before to after.
    pub change: Lines,
    /// From after to the head.
    pub to_head: Lines,
}

impl<'a> Files<'a> {
    /// `read` gives the bytes of a path in a commit.
    pub fn new(commits: &'a Commits, read: &'a dyn Fn(&str, &str) -> Option<Vec<u8>>) -> Self {
        Self { read, commits, known: RefCell::default() }
    }

    /// The lines of one file.
    pub fn lines(&self, path: &str) -> Rc<FileLines> {
        if let Some(known) = self.known.borrow().get(path) {
            return known.clone();
        }
        let Commits { before, after, head, .. } = self.commits;
        let old = (self.read)(before, path);
        let new = (self.read)(after, path);
        let change = Lines::between(old.as_deref(), new.as_deref());
        let to_head = match after == head {
            true => Lines::between(new.as_deref(), new.as_deref()),
            false => Lines::between(new.as_deref(), (self.read)(head, path).as_deref()),
        };
        let lines = Rc::new(FileLines { change, to_head });
        self.known.borrow_mut().insert(path.to_string(), lines.clone());
        lines
    }

    /// Lines of a file of the head, each with its end.
    pub fn text_of_head(&self, path: &str, first: u32, last: u32) -> Option<String> {
        let bytes = (self.read)(&self.commits.head, path)?;
        let text = std::str::from_utf8(&bytes).ok()?;
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        // There may be none: before the first line, or behind the last one.
        let lines = lines.get((first as usize).checked_sub(1)?..last as usize)?;
        Some(lines.concat())
    }

    /// Lines of the after side as lines of the head; `None` where the head has them not.
    pub fn in_head(&self, path: &str, first: u32, last: u32) -> Option<(u32, u32)> {
        let lines = self.lines(path);
        Some((lines.to_head.new_of(first)?, lines.to_head.new_of(last)?))
    }
}

/// Makes the review of a report.
pub fn review(facts: &Facts<'_>) -> Review {
    // People see a row once, whatever number of environments it is in.
    let report = merged(facts.report);
    let facts = &Facts { report: &report, ..*facts };
    let link = |location: &Location| url(facts, location);
    let options =
        Options { link: Some(&link), gate: Some(facts.gate), notes: facts.notes, resolved: false };
    let opened: Vec<String> = facts
        .report
        .environments
        .iter()
        .flat_map(|environment| &environment.opened)
        .map(|row| row.fingerprint.clone())
        .collect();
    let body = markdown::report(facts.report, &options);
    let nothing_opens = opened.is_empty() && !hides(facts.report);
    let resolved = nothing_opens
        .then(|| markdown::report(facts.report, &Options { resolved: true, ..options }));
    Review {
        comment: CommentText {
            resolved: resolved.map(|body| marked(facts, &body, State::Resolved)),
            body: marked(facts, &body, if nothing_opens { State::Quiet } else { State::Open }),
            wanted: wanted(facts),
            allowed: facts.when != CommentWhen::Never,
        },
        lines: match facts.inline {
            true => inline::comments(facts, &options),
            false => Vec::new(),
        },
        opened,
        check: check::check(facts, &body),
        explained: facts
            .explain
            .iter()
            .filter_map(|print| {
                let text = markdown::explained(facts.report, print, &options)?;
                Some((print.clone(), text))
            })
            .collect(),
    }
}

/// What a comment tells, as its marker keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Something opens, or could.
    Open,
    /// Something did, and nothing does any more.
    Resolved,
    /// Nothing ever did.
    Quiet,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Open => "state=open",
            State::Resolved => "state=resolved",
            State::Quiet => "state=quiet",
        }
    }
}

/// The text with its hidden line, which names the commits, and the text by a digest.
fn marked(facts: &Facts<'_>, body: &str, state: State) -> String {
    let digest =
        Sha256::digest(body.as_bytes()).iter().take(16).fold(String::new(), |mut hex, b| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{b:02x}");
            hex
        });
    let Commits { before, head, .. } = facts.commits;
    format!("{body}\n{MARKER}{} base={before} head={head} digest={digest} -->\n", state.word())
}

impl CommentText {
    /// The text that follows an older one.
    pub fn instead_of(&self, older: &str) -> &str {
        let told = [State::Open, State::Resolved];
        let marker = marker(older).unwrap_or_default();
        match &self.resolved {
            Some(resolved) if told.iter().any(|state| marker.contains(state.word())) => resolved,
            _ => &self.body,
        }
    }
}

/// The hidden line of a comment.
pub fn marker(body: &str) -> Option<&str> {
    body.lines().rfind(|line| line.starts_with(MARKER))
}

/// Could something that was not evaluated hide a widening?
pub fn hides(report: &Report) -> bool {
    report.not_evaluated.iter().any(|entry| entry.hides == crate::report::Hides::Widening)
}

/// Is there anything to say where nothing has been said yet?
fn wanted(facts: &Facts<'_>) -> bool {
    let report = facts.report;
    match facts.when {
        CommentWhen::Always => true,
        CommentWhen::Never => false,
        CommentWhen::OnFailure => facts.gate.verdict != crate::gate::GateVerdict::Pass,
        CommentWhen::OnChange => {
            hides(report)
                || report.environments.iter().any(|each| {
                    !each.opened.is_empty()
                        || !each.closed.is_empty()
                        || each.findings.iter().any(|finding| finding.introduced)
                })
        }
    }
}

/// The page that shows these lines: of the head for what is there now, of the side before for what is gone.
pub fn url(facts: &Facts<'_>, location: &Location) -> Option<String> {
    let path = |path: &str| percent_encoding::utf8_percent_encode(path, PATH).to_string();
    let (commit, first, last) = match location.side {
        Side::Before => (&facts.commits.before, location.start_line, location.end_line),
        Side::After | Side::Both => {
            let (first, last) =
                facts.files.in_head(&location.file, location.start_line, location.end_line)?;
            (&facts.commits.head, first, last)
        }
    };
    let lines = if first == last { format!("L{first}") } else { format!("L{first}-L{last}") };
    Some(format!("{}/blob/{commit}/{}#{lines}", facts.home, path(&location.file)))
}
