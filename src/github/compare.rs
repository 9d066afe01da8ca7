//! Commits to a report, judged by the configuration of the base, and to the objects of a review.

use super::action::{Error, Inputs};
use super::commands::CODEOWNERS;
use super::page::{self, Cover};
use super::pull::Commits;
use super::review::{Facts, Files, Review, review};
use crate::environments;
use crate::gate::{Gate, GateVerdict, Thresholds, judge};
use crate::render::words::{self, Phrase, Piece};
use crate::report::{Environment, Hides, Report, Row, date};
use crate::settings::{self, FailOn, Mode, Settings, SettingsError, Waiver};
use crate::source::git::Repository;
use crate::source::{Meter, Pair};
use crate::tree::{Content, InventoryFile, declare};
use chrono::NaiveDate;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// What a pull request's review fails on where neither the configuration nor an input says: every widening
/// by an edit of policies or labels, but not what only came with a new workload.
const FAIL_ON: FailOn = FailOn::Low;

/// The least finding that fails where nobody said: what is surely wrong blocks, advice does not.
const FINDINGS_FAIL_ON: FailOn = FailOn::High;

fn thresholds(settings: &Settings) -> Thresholds {
    settings.fail_on.map_or(Thresholds { rows: FAIL_ON, findings: FINDINGS_FAIL_ON }, Into::into)
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// The report.
    pub report: Report,
    /// Whether it passes.
    pub gate: Gate,
    /// What is made of it for GitHub.
    pub review: Review,
    /// Sentences on how it came about, for the log.
    pub notes: Vec<Phrase>,
    /// Its report page as HTML, where one was asked for and could be made.
    pub page: Option<String>,
}

/// Two commits that were compared, and not yet judged.
pub struct Compared {
    repository: Repository,
    commits: Commits,
    home: String,
    inputs: Inputs,
    today: NaiveDate,
    found: Found,
}

/// What comparing two commits found.
pub struct Found {
    /// The settings of the base branch.
    pub settings: Settings,
    /// They, or what they name, could not be read.
    pub broken: bool,
    /// What was found.
    pub report: Report,
    notes: Vec<Phrase>,
    pair: Pair,
}

/// What is made of a comparison.
struct Made {
    review: Review,
    notes: Vec<Phrase>,
    page: Option<String>,
}

/// What people said on a pull request.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// What they accept.
    pub waivers: Vec<Waiver>,
    /// The fingerprints that they want explained.
    pub explain: Vec<String>,
    /// What became of their commands, as Markdown for the check.
    pub list: String,
}

/// Compares two commits of a repository that has them.
pub fn compare(
    repository: Repository,
    commits: Commits,
    home: String,
    inputs: Inputs,
    unsafe_checkout: bool,
    today: NaiveDate,
) -> Result<Compared, Error> {
    let find =
        |repository: &Repository| find(repository, &commits, &inputs, unsafe_checkout, today);
    let (found, anew) = whole(&repository, find)?;
    let repository = anew.unwrap_or(repository);
    Ok(Compared { repository, commits, home, inputs, today, found })
}

/// What is made of a repository that could be read; where a mirror turns out to be damaged, that is done once more with
/// one that is made anew, which comes back too.
fn whole<T>(
    repository: &Repository,
    work: impl Fn(&Repository) -> Result<T, Error>,
) -> Result<(T, Option<Repository>), Error> {
    let tried = |repository: &Repository| {
        let made = work(repository);
        // What could not be read on demand was taken for something that is not there.
        repository.failure().map_or(made, |error| Err(error.into()))
    };
    match tried(repository) {
        Err(Error::Source(error)) => match repository.anew(&error)? {
            Some(anew) => Ok((tried(&anew)?, Some(anew))),
            None => Err(error.into()),
        },
        made => Ok((made?, None)),
    }
}

fn find(
    repository: &Repository,
    commits: &Commits,
    inputs: &Inputs,
    unsafe_checkout: bool,
    today: NaiveDate,
) -> Result<Found, Error> {
    // The configuration decides what else is read.
    let sides = [&commits.base, &commits.before, &commits.after];
    repository.expect(&sides.map(|commit| (commit.as_str(), settings::PATH)))?;
    let mut notes = Vec::new();
    if unsafe_checkout {
        notes.push(vec![Piece::Words(
            "**This workflow checks out the head of the pull request in `pull_request_target`**, where its \
             code can use this repository's secrets; netpol-review needs no checkout, so leave that step out.",
        )]);
    }
    if !commits.merged {
        notes.push(vec![Piece::Words(
            "GitHub has built no merge of this head, so the head is compared with its merge base: what the \
             base branch changed meanwhile is not seen.",
        )]);
    }
    let (base, mut broken) = of_base(repository, commits, inputs, &mut notes)?;
    let settings = base.tightened_by(&workflow(inputs));
    let mut inventory = inputs.inventory.clone();
    if inventory.is_empty() {
        let (found, missing) = inventory_of(repository, commits, &commits.base, &settings)?;
        if let Some(path) = missing {
            notes.push(vec![
                Piece::Words(
                    "The configuration names an inventory that the base branch does not have: ",
                ),
                Piece::Name(path),
            ]);
            broken = true;
        }
        inventory = found;
    }
    let pair = load(repository, commits, &settings, inventory)?;
    let mut report = environments::review(&pair, &settings, &inputs.rendering, |_| {});
    date(&mut report.inventory, today);
    Ok(Found { settings, broken, report, notes, pair })
}

impl Compared {
    /// What comparing found.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// The text of CODEOWNERS of the base branch: the first that is there.
    pub fn codeowners(&self) -> Result<Option<String>, Error> {
        let (text, _) = whole(&self.repository, |repository| {
            for path in CODEOWNERS {
                if let Some(bytes) = repository.file(&self.commits.base, path)? {
                    return Ok(Some(String::from_utf8_lossy(&bytes).into_owned()));
                }
            }
            Ok(None)
        })?;
        Ok(text)
    }

    /// Does it pass, with what people accept?
    pub fn gate(&self, waivers: &[Waiver]) -> Gate {
        let Found { settings, broken, report, .. } = &self.found;
        let mut settings = settings.clone();
        settings.waivers.extend_from_slice(waivers);
        let mut gate = judge(report, &settings, thresholds(&settings), self.today);
        if *broken {
            // Nobody knows what the team wanted.
            gate.verdict = GateVerdict::Unknown;
        }
        gate
    }

    /// Judges, and makes a review of it; and a report page, under a cover.
    pub fn evaluate(self, said: &Said, cover: Option<&Cover>) -> Result<Evaluated, Error> {
        let gate = self.gate(&said.waivers);
        let (Made { review, notes, page }, _) =
            whole(&self.repository, |repository| self.review(repository, &gate, said, cover))?;
        Ok(Evaluated { report: self.found.report, gate, review, notes, page })
    }

    fn review(
        &self,
        repository: &Repository,
        gate: &Gate,
        said: &Said,
        cover: Option<&Cover>,
    ) -> Result<Made, Error> {
        let Self { commits, home, inputs, today, found, .. } = self;
        let Found { settings, report, notes, pair, .. } = found;
        let mut notes = notes.clone();
        preview(repository, commits, inputs, gate, (*today, said), &mut notes)?;
        expect(repository, commits, report)?;
        let read = |commit: &str, path: &str| repository.file(commit, path).ok().flatten();
        let files = Files::new(commits, &read);
        let facts = Facts {
            report,
            gate,
            commits,
            home,
            notes: &notes,
            when: inputs.comment.unwrap_or(settings.comment.when),
            inline: inputs.inline.unwrap_or(settings.comment.inline),
            explain: &said.explain,
            files: &files,
        };
        let mut review = review(&facts);
        review.check.summary.push_str(&said.list);
        suggest(&mut review, pair.clone(), settings, &inputs.rendering, report);
        let page = cover.and_then(|cover| page::page(&facts, pair, cover.clone()));
        Ok(Made { review, notes, page })
    }
}

/// Lets the files that a report speaks of be here, as they are in the head.
fn expect(repository: &Repository, commits: &Commits, report: &Report) -> Result<(), Error> {
    let mut files = BTreeSet::new();
    for each in &report.environments {
        let causes = each.opened.iter().chain(&each.closed).flat_map(|row| &row.causes);
        files.extend(causes.map(|cause| &cause.location.file));
        files.extend(each.findings.iter().map(|finding| &finding.location.file));
    }
    files.extend(report.not_evaluated.iter().map(|entry| &entry.file));
    let wanted: Vec<(&str, &str)> =
        files.into_iter().map(|file| (commits.head.as_str(), file.as_str())).collect();
    Ok(repository.expect(&wanted)?)
}

/// How many comments on lines may offer to take them back: each is tried first, which costs a comparison.
const SUGGESTIONS: usize = 3;

/// Offers to take back added lines, where trying it shows that this closes what they opened and nothing else.
/// (Without its only peer a rule would let everybody in.)
fn suggest(
    review: &mut Review,
    mut pair: Pair,
    settings: &Settings,
    rendering: &environments::Options,
    report: &Report,
) {
    let after = pair.after.tree.clone();
    for line in review.lines.iter_mut().filter(|line| line.added.is_some()).take(SUGGESTIONS) {
        let file = line.comment.path.as_str();
        let (Some(added), Some(content)) = (line.added, after.files.get(file)) else { continue };
        let mut tried = after.clone();
        let kept = content.bytes().split_inclusive(|byte| *byte == b'\n').zip(1u32..);
        let kept = kept.filter(|(_, number)| !(added.0..=added.1).contains(number));
        let kept: Vec<u8> = kept.flat_map(|(text, _)| text.iter().copied()).collect();
        tried.files.insert(file.into(), Content::new(kept));
        pair.after.tree = tried;
        let without = environments::review(&pair, settings, rendering, |_| {});
        let mended = |rows: fn(&Environment) -> &Vec<Row>, gone: &[String]| {
            let prints = |report: &Report| -> BTreeSet<String> {
                let rows = report.environments.iter().flat_map(rows);
                rows.map(|row| row.fingerprint.clone()).collect()
            };
            let left: BTreeSet<String> =
                prints(report).into_iter().filter(|print| !gone.contains(print)).collect();
            prints(&without).is_subset(&left)
        };
        let hidden = |report: &Report| words::hiding(&report.not_evaluated, Hides::Widening);
        if mended(|each| &each.opened, &line.rows)
            && mended(|each| &each.closed, &[])
            && hidden(&without) <= hidden(report)
        {
            line.suggest_removal();
        }
    }
}

fn workflow(inputs: &Inputs) -> settings::Inputs {
    settings::Inputs { mode: inputs.mode, fail_on: inputs.fail_on, paths: inputs.paths.clone() }
}

/// The settings of the base commit, and whether they could not be read. Another file counts only where the
/// usual place is empty: a workflow is part of the change, and must not choose a looser one.
fn of_base(
    repository: &Repository,
    commits: &Commits,
    inputs: &Inputs,
    notes: &mut Vec<Phrase>,
) -> Result<(Settings, bool), Error> {
    let mut path = settings::PATH;
    let mut bytes = repository.file(&commits.base, path)?;
    if bytes.is_none() && repository.is_no_file(&commits.base, path)? {
        notes.push(vec![
            Piece::Words(
                "The configuration on the base branch is a link or a directory, and not read: ",
            ),
            Piece::Name(path.to_string()),
        ]);
        return Ok((Settings::default(), true));
    }
    if let (None, Some(other)) = (&bytes, &inputs.config_file) {
        path = other;
        bytes = repository.file(&commits.base, path)?;
    }
    let Some(bytes) = bytes else { return Ok((Settings::default(), false)) };
    match parse(&bytes) {
        Ok(settings) => Ok((settings, false)),
        Err(errors) => {
            notes.push(wrong("The configuration on the base branch is not valid: ", path, &errors));
            Ok((Settings::default(), true))
        }
    }
}

/// What a change of the configuration would mean, said and not done.
fn preview(
    repository: &Repository,
    commits: &Commits,
    inputs: &Inputs,
    gate: &Gate,
    (today, said): (NaiveDate, &Said),
    notes: &mut Vec<Phrase>,
) -> Result<(), Error> {
    let path = settings::PATH;
    let [old, new] = [&commits.before, &commits.after].map(|id| repository.file(id, path));
    let (old, new) = (old?, new?);
    if old == new {
        return Ok(());
    }
    let settings = match new.as_deref().map(parse) {
        None => Settings::default(),
        Some(Ok(settings)) => settings,
        Some(Err(errors)) => {
            notes.push(wrong(
                "The configuration in this pull request is not valid: ",
                path,
                &errors,
            ));
            return Ok(());
        }
    };
    let mut settings = settings.tightened_by(&workflow(inputs));
    settings.waivers.extend_from_slice(&said.waivers);
    let mut inventory = inputs.inventory.clone();
    if inventory.is_empty() {
        // What counts once it is merged.
        let (found, missing) = inventory_of(repository, commits, &commits.after, &settings)?;
        if let Some(path) = missing {
            notes.push(vec![
                Piece::Words(
                    "The configuration in this pull request names an inventory that is not there: ",
                ),
                Piece::Name(path),
            ]);
            return Ok(());
        }
        inventory = found;
    }
    let pair = load(repository, commits, &settings, inventory)?;
    let report = environments::review(&pair, &settings, &inputs.rendering, |_| {});
    let would = judge(&report, &settings, thresholds(&settings), today);
    notes.push(vec![
        Piece::Words("This pull request changes the configuration, which counts once it is merged; with it, the check "),
        Piece::Words(would_be(&would)),
        Piece::Words(if would.outcome() == gate.outcome() { ", as it does now." } else { "." }),
    ]);
    Ok(())
}

fn would_be(gate: &Gate) -> &'static str {
    match (gate.verdict, gate.mode) {
        (GateVerdict::Pass, _) => "would pass",
        (GateVerdict::Fail, Mode::Enforce) => "would fail",
        (GateVerdict::Unknown, Mode::Enforce) => "would fail, as not everything can be evaluated",
        (_, Mode::Warn) => "would only warn",
    }
}

fn parse(bytes: &[u8]) -> Result<Settings, Vec<SettingsError>> {
    settings::parse(&String::from_utf8_lossy(bytes))
}

/// The first error of a configuration, and how many there are more.
fn wrong(what: &'static str, path: &str, errors: &[SettingsError]) -> Phrase {
    let mut phrase = vec![Piece::Words(what)];
    if let Some(first) = errors.first() {
        phrase.push(Piece::Name(format!("{path}:{}: {}", first.line, first.message)));
    }
    if errors.len() > 1 {
        phrase.extend([
            Piece::Words(" and "),
            Piece::Count(errors.len() - 1),
            Piece::Words(" more"),
        ]);
    }
    phrase
}

/// The files that the configuration names as inventory, as a commit has them, and the first of them that it
/// has not.
fn inventory_of(
    repository: &Repository,
    commits: &Commits,
    commit: &str,
    settings: &Settings,
) -> Result<(Vec<InventoryFile>, Option<String>), Error> {
    let mut found = Vec::new();
    let mut missing = None;
    let sides = [commit, &commits.before, &commits.after];
    let all = settings.inventory.iter().flat_map(|path| sides.map(|side| (side, path.as_str())));
    repository.expect(&all.collect::<Vec<_>>())?;
    for path in &settings.inventory {
        match repository.file(commit, path)? {
            Some(bytes) => {
                let name: Arc<str> = path.as_str().into();
                let content = Content::new(bytes);
                // It need not have a manifest's name, and so may be in neither tree.
                let [old, new] =
                    [&commits.before, &commits.after].map(|id| repository.file(id, path));
                let edited = old? != new?;
                let path = Some(name.clone());
                found.push(InventoryFile { path, name, content, edited, environment: None });
            }
            None => missing = missing.or_else(|| Some(path.clone())),
        }
    }
    Ok((found, missing))
}

/// Reads both sides.
fn load(
    repository: &Repository,
    commits: &Commits,
    settings: &Settings,
    inventory: Vec<InventoryFile>,
) -> Result<Pair, Error> {
    let paths: Vec<PathBuf> = settings.paths.iter().map(PathBuf::from).collect();
    let mut pair = repository.pair(&commits.before, &commits.after, &paths, &Meter::default())?;
    let (before, after) = (&mut pair.before.tree, &mut pair.after.tree);
    declare(before, after, inventory);
    for path in &settings.inventory {
        before.leave_out(path);
        after.leave_out(path);
    }
    Ok(pair)
}
