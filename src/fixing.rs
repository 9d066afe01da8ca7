//! Fixes of findings written into the texts of a snapshot, until no more applies.
//!
//! Each fix was tried alone before it was offered; those that are applied together are compared together. Nothing here
//! touches a disk: whoever read the snapshot writes it back.

use crate::config::Config;
use crate::report::{Finding, Fix, FixKind, Fixed, Hides, Lint, Location, Report, Side};
use crate::review::{lint, review};
use crate::tree::{Content, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How often a snapshot is read again. Each time something is mended.
const ROUNDS: usize = 200;

/// All fixes are tried, not only those that a report shows.
const TRIED: usize = 10_000;

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The files that are different now, by path.
    pub files: BTreeMap<Arc<str>, Content>,
    /// What is left to find, with what was fixed in [`Lint::fixed`] and with why the rest was not.
    pub lint: Lint,
}

/// Applies all fixes up to a kind. `writable` answers with why a file can't be written, if it can't.
pub fn fix(
    tree: &Tree,
    config: &Config,
    most: FixKind,
    writable: &dyn Fn(&str) -> Result<(), String>,
) -> Outcome {
    let mut config = config.clone();
    config.rules.tried = TRIED;
    let mut tree = tree.clone();
    let mut files: BTreeMap<Arc<str>, Content> = BTreeMap::new();
    let mut fixed: Vec<Fixed> = Vec::new();
    // What comes back after it was mended would be mended for ever.
    let mut done: BTreeSet<(String, String)> = BTreeSet::new();
    let mut reasons: BTreeMap<String, String> = BTreeMap::new();
    let mut rounds = 0;
    loop {
        let mut found = lint(&tree, &config);
        let mut chosen = chosen(&found, most, &done, &reasons);
        let refused = unwritable(&chosen, writable);
        if !refused.is_empty() {
            // Each file is refused once, so this ends.
            reasons.extend(refused);
            continue;
        }
        rounds += 1;
        if chosen.is_empty() || rounds > ROUNDS {
            for finding in &mut found.findings {
                finding.unfixed = Some(left(finding, most, &reasons, rounds > ROUNDS));
            }
            found.fixed = fixed;
            return Outcome { files, lint: found };
        }
        let mut written = apply(&tree, &chosen);
        if chosen.len() > 1 && !keeps(&review(&tree, &written.0, &config), kind(&chosen)) {
            chosen.truncate(1);
            written = apply(&tree, &chosen);
        }
        for (finding, fix, location) in &chosen {
            done.insert((finding.fingerprint.clone(), fix.replacement.clone().unwrap_or_default()));
            fixed.push(Fixed {
                rule: finding.rule,
                kind: fix.kind,
                policy: finding.policy.clone(),
                location: (*location).clone(),
                description: fix.description.clone(),
                removes: fix.removes.clone(),
            });
        }
        let (after, paths) = written;
        for path in paths {
            if let Some(content) = after.files.get(&path) {
                files.insert(path, content.clone());
            }
        }
        tree = after;
    }
}

/// Does a comparison show what fixes of this kind promise: nothing opened, and of equivalent ones nothing closed?
pub fn keeps(report: &Report, kind: FixKind) -> bool {
    let closed = report.environments.iter().any(|each| !each.closed.is_empty());
    report.environments.iter().all(|each| each.opened.is_empty())
        && (kind != FixKind::Equivalent || !closed)
        && report
            .not_evaluated
            .iter()
            // What is the same on both sides no edit here has brought.
            .all(|entry| entry.hides != Hides::Widening || entry.side == Side::Both)
}

/// The widest kind among what was fixed.
pub fn widest(fixed: &[Fixed]) -> FixKind {
    fixed.iter().map(|each| each.kind).max().unwrap_or(FixKind::Equivalent)
}

type Chosen<'f> = (&'f Finding, &'f Fix, &'f Location);

/// The fixes of one round: of those that take flows away one, as the next one may take other flows then than it told;
/// else all that change none, no two of them in the same lines. What takes flows away comes first: it decides which rules
/// are superfluous.
fn chosen<'f>(
    found: &'f Lint,
    most: FixKind,
    done: &BTreeSet<(String, String)>,
    unwritable: &BTreeMap<String, String>,
) -> Vec<Chosen<'f>> {
    let mut chosen: Vec<Chosen<'f>> = Vec::new();
    let mut narrowing: Vec<Chosen<'f>> = Vec::new();
    for finding in &found.findings {
        let Some(fix) = finding.fix.as_ref().filter(|fix| fix.kind <= most) else { continue };
        let (Some(location), Some(text)) = (&fix.location, &fix.replacement) else { continue };
        let again = done.contains(&(finding.fingerprint.clone(), text.clone()));
        let meets = chosen.iter().any(|(_, _, other)| {
            other.file == location.file
                && other.start_line <= location.end_line
                && location.start_line <= other.end_line
        });
        if again || unwritable.contains_key(&location.file) {
            continue;
        }
        match fix.kind {
            FixKind::Equivalent if !meets => chosen.push((finding, fix, location)),
            FixKind::Narrowing => narrowing.push((finding, fix, location)),
            _ => {}
        }
    }
    narrowing.truncate(1);
    if narrowing.is_empty() { chosen } else { narrowing }
}

fn unwritable(
    chosen: &[Chosen<'_>],
    writable: &dyn Fn(&str) -> Result<(), String>,
) -> BTreeMap<String, String> {
    let files: BTreeSet<&String> = chosen.iter().map(|(_, _, location)| &location.file).collect();
    let refused = files.into_iter().filter_map(|file| Some((file.clone(), writable(file).err()?)));
    refused.collect()
}

fn kind(chosen: &[Chosen<'_>]) -> FixKind {
    chosen.iter().map(|(_, fix, _)| fix.kind).max().unwrap_or(FixKind::Equivalent)
}

/// The snapshot with the lines replaced, the last ones of a file first, and the files that this touches.
fn apply(tree: &Tree, chosen: &[Chosen<'_>]) -> (Tree, BTreeSet<Arc<str>>) {
    let mut tree = tree.clone();
    let mut paths = BTreeSet::new();
    let mut order: Vec<&Chosen<'_>> = chosen.iter().collect();
    order.sort_by_key(|(_, _, location)| std::cmp::Reverse(location.start_line));
    for (_, fix, location) in order {
        let Some((path, content)) = tree.files.get_key_value(location.file.as_str()) else {
            continue;
        };
        let (path, Ok(text)) = (path.clone(), std::str::from_utf8(content.bytes())) else {
            continue;
        };
        let replacement = crate::rules::repair::Replacement {
            first: location.start_line,
            last: location.end_line,
            text: fix.replacement.clone().unwrap_or_default(),
        };
        let content = Content::new(replacement.apply(text).into_bytes());
        tree.files.insert(path.clone(), content);
        paths.insert(path);
    }
    (tree, paths)
}

/// Why a finding was not mended.
fn left(
    finding: &Finding,
    most: FixKind,
    unwritable: &BTreeMap<String, String>,
    too_many: bool,
) -> String {
    if let Some(why) = &finding.unfixed {
        return why.clone();
    }
    let Some(fix) = &finding.fix else { return "no edit is known that surely mends it".into() };
    let Some(location) = &fix.location else {
        return "what to write depends on what is meant".into();
    };
    match unwritable.get(&location.file) {
        Some(why) => why.clone(),
        None if fix.kind == FixKind::Behavioural => {
            "the edit may open something, or cut off what is needed".into()
        }
        None if fix.kind > most => "it takes flows away: `--fix=narrowing` writes it".into(),
        None if too_many => "too many fixes for one run: run it again".into(),
        None => "it came back after it was mended".into(),
    }
}
