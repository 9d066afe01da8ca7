//! Opened rows and introduced findings -> comments on the lines that did it.

use super::api::NewReviewComment;
use super::review::{Facts, Files};
use crate::render::markdown::{Note, Options, on_lines};
use crate::render::untrusted;
use crate::report::{Finding, FixKind, Location, Side};
use std::collections::BTreeMap;

/// The most comments on lines of one review.
pub const MOST: usize = 30;

/// What begins the hidden line that says which rows a comment is about.
pub const MARKER: &str = "<!-- netpol-review:rows ";

/// What begins the place in that line: two edits in one file can open the same row.
const AT: &str = "at=";

/// A comment on lines, and the rows and findings that it tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineComment {
    /// The fingerprints.
    pub rows: Vec<String>,
    /// The comment.
    pub comment: NewReviewComment,
    /// Where all its lines are ones that the change adds and that open something: the same lines in the side
    /// after.
    pub added: Option<(u32, u32)>,
}

impl LineComment {
    /// Offers to take the lines back with one click. Whoever calls this has tried what that gives.
    pub fn suggest_removal(&mut self) {
        let text = "Taking these lines back opens nothing and closes nothing else:\n\n```suggestion\n```\n";
        let body = &mut self.comment.body;
        let end = body.find(MARKER).unwrap_or(body.len());
        body.insert_str(end, &format!("{text}\n"));
    }
}

/// A place in the diff that GitHub shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    path: String,
    side: &'static str,
    first: u32,
    last: u32,
    added: Option<(u32, u32)>,
}

impl Place {
    fn meets(&self, other: &Self) -> bool {
        self.path == other.path
            && self.side == other.side
            && self.first <= other.last
            && other.first <= self.last
    }
}

/// The comments of a review, at most [`MOST`], those of the most severe rows, then those of findings. One place
/// has one comment, whatever it opens and breaks.
pub fn comments(facts: &Facts<'_>, options: &Options<'_>) -> Vec<LineComment> {
    let mut order: Vec<Place> = Vec::new();
    let mut notes: BTreeMap<Place, Vec<Note<'_>>> = BTreeMap::new();
    let mut suggested: BTreeMap<Place, Suggestion> = BTreeMap::new();
    let mut add = |location: &Location, note| {
        let note: Note<'_> = note;
        let mut offer = match note {
            Note::Finding(finding) => fixed(facts.files, finding),
            Note::Opened { .. } => None,
        };
        let own = match &offer {
            Some((place, _)) => Some(place.clone()),
            None => place(facts.files, location),
        };
        let Some(own) = own else { return };
        // What is wrong with how lines are written stands with what they open.
        let known = match note {
            Note::Finding(_) => order.iter().find(|known| known.meets(&own)).cloned(),
            Note::Opened { .. } => None,
        };
        let place = match (known, offer.take()) {
            (Some(known), Some((at, suggestion))) => {
                match widened(facts.files, &known, &at, &suggestion) {
                    Some(wider) => {
                        suggested.entry(known.clone()).or_insert(wider);
                        known
                    }
                    // A suggestion stands on just the lines that it replaces.
                    None if !order.contains(&at) => {
                        suggested.insert(at.clone(), suggestion);
                        at
                    }
                    None => known,
                }
            }
            (None, Some((at, suggestion))) => {
                suggested.insert(at.clone(), suggestion);
                at
            }
            (Some(known), None) => known,
            (None, None) => own,
        };
        let here = notes.entry(place.clone()).or_default();
        if here.is_empty() {
            order.push(place);
        }
        if here.iter().all(|known| known.fingerprint() != note.fingerprint()) {
            here.push(note);
        }
    };
    let environments = &facts.report.environments;
    for row in environments.iter().flat_map(|environment| &environment.opened) {
        for cause in &row.causes {
            add(&cause.location, Note::Opened { row, cause });
        }
    }
    for finding in environments.iter().flat_map(|environment| &environment.findings) {
        if finding.introduced {
            add(&finding.location, Note::Finding(finding));
        }
    }
    let written = order.into_iter().take(MOST).filter_map(|place| {
        let here = notes.get(&place)?;
        let rows: Vec<String> = here.iter().map(|note| note.fingerprint().to_string()).collect();
        let at = format!("{AT}{}{}-{}", place.side, place.first, place.last);
        let offer = suggested.get(&place);
        let told = offer.map(|offer| offer.finding.as_str());
        let mut text = on_lines(here, told, options);
        if let Some(block) = offer.and_then(|offer| untrusted::suggestion(&offer.text)) {
            let rule = offer.map(|offer| offer.rule).unwrap_or_default();
            text.push_str(&format!("\nThe edit for **{rule}**:\n\n{block}"));
        }
        let body = format!("{text}\n{MARKER}{} {at} -->\n", rows.join(" "));
        let several = place.first < place.last;
        let comment = NewReviewComment {
            path: place.path,
            body,
            line: place.last,
            side: place.side,
            start_line: several.then_some(place.first),
            start_side: several.then_some(place.side),
        };
        // Taking a line back mends what it opens; what is only written badly is to be written better.
        let opens = here.iter().any(|note| matches!(note, Note::Opened { .. }));
        let added = place.added.filter(|_| opens && offer.is_none());
        Some(LineComment { rows, comment, added })
    });
    written.collect()
}

/// What a comment offers to write in place of its lines.
struct Suggestion {
    /// The rule of the finding that it mends.
    rule: &'static str,
    /// Its fingerprint.
    finding: String,
    /// The lines.
    text: String,
}

/// The edit that mends a finding and the lines that it replaces, where GitHub can apply it: all of them are shown
/// in one piece and are the same in the head.
fn fixed(files: &Files<'_>, finding: &Finding) -> Option<(Place, Suggestion)> {
    let fix = finding.fix.as_ref().filter(|fix| fix.kind != FixKind::Behavioural)?;
    let (location, text) = (fix.location.as_ref()?, fix.replacement.as_ref()?);
    let lines = files.lines(&location.file);
    let (first, last) = (location.start_line, location.end_line);
    let head = lines.to_head.new_of(first)?;
    let whole =
        (first..=last).zip(head..).all(|(after, at)| lines.to_head.new_of(after) == Some(at));
    if !whole || !lines.change.shows_new(first, last) {
        return None;
    }
    untrusted::suggestion(text)?;
    let place = Place {
        path: location.file.clone(),
        side: "RIGHT",
        first: head,
        last: head + (last - first),
        added: None,
    };
    let (rule, text) = (finding.rule, text.clone());
    Some((place, Suggestion { rule, finding: finding.fingerprint.clone(), text }))
}

/// The same edit as one of all lines under a comment that stands around it.
fn widened(
    files: &Files<'_>,
    around: &Place,
    at: &Place,
    suggestion: &Suggestion,
) -> Option<Suggestion> {
    if around.side != at.side || around.first > at.first || at.last > around.last {
        return None;
    }
    let before = files.text_of_head(&at.path, around.first, at.first - 1)?;
    let after = files.text_of_head(&at.path, at.last + 1, around.last)?;
    let text = format!("{before}{}{after}", suggestion.text);
    untrusted::suggestion(&text)?;
    Some(Suggestion { rule: suggestion.rule, finding: suggestion.finding.clone(), text })
}

/// Where a comment on an edit can stand. On what is there now: the lines of the edit that the change adds,
/// or else those that the diff shows. On what is gone: the removed lines, on the left.
fn place(files: &Files<'_>, location: &Location) -> Option<Place> {
    let lines = files.lines(&location.file);
    let range = location.start_line..=location.end_line;
    let path = location.file.clone();
    if location.side == Side::Before {
        let (first, last) = run(range, |line| lines.change.shows_old(line, line))?;
        if !lines.change.shows_old(first, last) {
            return None;
        }
        // The left side has the lines of the merge base: those before, less what the base branch has added
        // since, which shows between the merge result and the head.
        let kept = (1..first).rev().find_map(|line| lines.change.new_of(line));
        let moved = match kept {
            Some(kept) => i64::from(kept) - i64::from(lines.to_head.new_of(kept)?),
            None => 0,
        };
        let shifted = |line: u32| u32::try_from(i64::from(line) - moved).ok();
        return Some(Place {
            path,
            side: "LEFT",
            first: shifted(first)?,
            last: shifted(last)?,
            added: None,
        });
    }
    let added = run(range.clone(), |line| lines.change.is_added(line));
    let (first, last) = added.or_else(|| run(range, |line| lines.change.shows_new(line, line)))?;
    if !lines.change.shows_new(first, last) {
        return None;
    }
    let (first, last) = (lines.to_head.new_of(first)?, lines.to_head.new_of(last)?);
    (first <= last).then_some(Place { path, side: "RIGHT", first, last, added })
}

/// The first run of lines that are as wanted.
fn run(lines: std::ops::RangeInclusive<u32>, wanted: impl Fn(u32) -> bool) -> Option<(u32, u32)> {
    let end = *lines.end();
    let first = lines.clone().find(|line| wanted(*line))?;
    let last = (first..=end).take_while(|line| wanted(*line)).last()?;
    Some((first, last))
}

/// The hidden line of a comment on lines; `None` if it is not one of ours.
pub fn marker(body: &str) -> Option<&str> {
    body.lines().rfind(|line| line.starts_with(MARKER))
}

/// The fingerprints that a comment on lines is about; `None` if it is not one of ours.
pub fn rows_of(body: &str) -> Option<Vec<&str>> {
    let words = marker(body)?.strip_prefix(MARKER)?.split_whitespace();
    Some(words.filter(|word| *word != "-->" && !word.starts_with(AT)).collect())
}
