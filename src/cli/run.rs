//! One function a command: read, compute, write.

use super::args::{
    AnswerFormat, Arguments, Command, Diff, Environments, Explain, Inputs, List, ListFormat, Query,
    ReportFormat,
};
use super::config::Configuration;
use super::exit::Outcome;
use super::failure::{Failure, say};
use super::inventory;
use super::output;
use super::progress::Progress;
use super::rendering::RenderOptions;
use super::timings::Timings;
use crate::environments::{self, NoChoice};
use crate::gate::{Gate, judge};
use crate::nearest::nearest;
use crate::render::text::Style;
use crate::render::{self, Found};
use crate::report::{Report, date};
use crate::rules::catalogue::RULES;
use crate::settings::Mode;
use crate::source::git::{self, Range};
use crate::source::{Loaded, Meter, Pair, directory};
use crate::tree::Tree;
use chrono::Utc;
use clap::CommandFactory;
use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

type Result<T> = std::result::Result<T, Failure>;

/// How many fingerprints an error names.
const SUGGESTIONS: usize = 3;

/// Runs a command; the exit code.
pub(super) fn run(arguments: Arguments) -> Result<u8> {
    let style = Style { colour: output::coloured(arguments.color), width: output::width() };
    if !matches!(arguments.command, Command::Pr(_) | Command::Serve(_)) {
        // A pull request's review has something to conclude first.
        super::signals::watch();
    }
    match arguments.command {
        Command::Diff(diff) => run_diff(&diff, &style).map(Outcome::code),
        Command::List(list) => run_list(&list, &style).map(|()| Outcome::Done.code()),
        Command::Query(query) => run_query(&query, &style).map(|()| Outcome::Done.code()),
        Command::Lint(lint) => super::lint::run(&lint, &style).map(Outcome::code),
        Command::Rules { rule } => {
            run_rules(rule.as_deref(), &style).map(|()| Outcome::Done.code())
        }
        Command::Explain(explain) => run_explain(&explain, &style).map(|()| Outcome::Done.code()),
        Command::Environments(arguments) => {
            run_environments(&arguments, &style).map(|()| Outcome::Done.code())
        }
        Command::Pr(pr) => super::pr::run(&pr, &style),
        Command::Serve(serve) => super::serve::run(&serve),
        Command::Snapshot(snapshot) => {
            super::snapshot::run(&snapshot).map(|()| Outcome::Done.code())
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "netpol-review", &mut script);
            output::write(&String::from_utf8_lossy(&script))?;
            Ok(Outcome::Done.code())
        }
    }
}

fn run_diff(diff: &Diff, style: &Style) -> Result<Outcome> {
    let mut configuration = Configuration::of_pair(&diff.inputs, &diff.cluster)?;
    configuration.settings.config.connections = diff.connections;
    diff.rules.apply(&mut configuration.settings.config);
    let mut timings = Timings::start();
    let report = compare(&diff.inputs, &diff.render, &configuration, &mut timings)?;
    timings.done("freeing");
    output::write(&match diff.format {
        ReportFormat::Text => render::text::report(&report, style),
        ReportFormat::Json => render::json::report(&report),
        ReportFormat::Markdown => {
            render::markdown::report(&report, &render::markdown::Options::default())
        }
        ReportFormat::Sarif => render::sarif::report(&report, None),
        ReportFormat::Github => render::github::report(&report, None),
    })?;
    timings.done("writing");
    let settings = &mut configuration.settings;
    // Who asks for an exit code gets one.
    if diff.fail_on.is_some() {
        settings.mode = Mode::Enforce;
    }
    let fail_on = diff.fail_on.or(settings.fail_on).unwrap_or_default();
    let gate = judge(&report, settings, fail_on, Utc::now().date_naive());
    tell_waivers(&gate, configuration.name.as_deref().unwrap_or_default());
    Ok(gate.outcome().into())
}

/// A waiver leaves a trail, and one that has expired says so.
fn tell_waivers(gate: &Gate, file: &str) {
    for (waiver, fingerprint) in &gate.waived {
        let until = waiver.expires.map(|day| format!(" until {day}")).unwrap_or_default();
        let by = waiver.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let (line, reason) = (waiver.line, &waiver.reason);
        say(&format!("note: {fingerprint} is waived{by}{until}: {reason} ({file}:{line})"));
    }
    for (waiver, fingerprint) in &gate.expired {
        let day = waiver.expires.map(|day| day.to_string()).unwrap_or_default();
        say(&format!(
            "warning: the waiver of {fingerprint} expired on {day} ({file}:{})",
            waiver.line
        ));
    }
}

fn run_explain(explain: &Explain, style: &Style) -> Result<()> {
    let mut configuration = Configuration::of_pair(&explain.inputs, &explain.cluster)?;
    explain.rules.apply(&mut configuration.settings.config);
    let report = compare(&explain.inputs, &explain.render, &configuration, &mut Timings::start())?;
    let rows = chosen(&report, &explain.fingerprint)?;
    let texts: Vec<String> = rows.iter().map(|row| render::text::explain(row, style)).collect();
    Ok(output::write(&texts.join("\n"))?)
}

fn run_list(list: &List, style: &Style) -> Result<()> {
    let configuration = Configuration::of_snapshot(&list.directory, &list.cluster)?;
    let progress = Progress::start();
    let chosen = Chosen { environment: list.environment.as_deref(), render: &list.render };
    let (_, tree) = snapshot(&list.directory, chosen, &configuration, &progress)?;
    let mut listing = crate::list(&tree, &configuration.settings.config);
    date(&mut listing.inventory, Utc::now().date_naive());
    drop(progress);
    Ok(output::write(&match list.format {
        ListFormat::Text => render::text::listing(&listing, style),
        ListFormat::Json => render::json::listing(&listing),
        ListFormat::Csv => render::csv::listing(&listing),
        ListFormat::Mermaid => render::mermaid::listing(&listing),
        ListFormat::Dot => render::dot::listing(&listing),
    })?)
}

fn run_rules(rule: Option<&str>, style: &Style) -> Result<()> {
    let Some(wanted) = rule else { return Ok(output::write(&render::text::rules(style))?) };
    match RULES.iter().find(|rule| rule.id == wanted) {
        Some(rule) => Ok(output::write(&crate::rules::page::one(rule))?),
        None => {
            let near = nearest(wanted, RULES.iter().map(|rule| rule.id), SUGGESTIONS);
            let near: Vec<String> = near.into_iter().map(str::to_string).collect();
            Err(Failure::Usage(match near.is_empty() {
                true => {
                    format!("there is no rule `{wanted}`\n  try: `netpol-review rules` for all")
                }
                false => {
                    format!("there is no rule `{wanted}`\n  did you mean: {}?", quoted(&near))
                }
            }))
        }
    }
}

fn run_query(query: &Query, style: &Style) -> Result<()> {
    let configuration = Configuration::of_snapshot(&query.directory, &query.cluster)?;
    let progress = Progress::start();
    let chosen = Chosen { environment: query.environment.as_deref(), render: &query.render };
    let (_, tree) = snapshot(&query.directory, chosen, &configuration, &progress)?;
    let config = &configuration.settings.config;
    let mut answer = crate::query::query(&tree, config, &query.from, &query.to, &query.port)?;
    date(&mut answer.inventory, Utc::now().date_naive());
    drop(progress);
    Ok(output::write(&match query.format {
        AnswerFormat::Text => render::text::answer(&answer, style),
        AnswerFormat::Json => render::json::answer(&answer),
    })?)
}

/// What was read of one directory, or a file, and what is to be looked at of it.
pub(super) fn snapshot(
    path: &Path,
    chosen: Chosen<'_>,
    configuration: &Configuration,
    progress: &Progress,
) -> Result<(Loaded, Tree)> {
    let side = side(path, configuration, progress)?;
    let options = chosen.render.options()?;
    let settings = &configuration.settings;
    match environments::snapshot(&side, chosen.environment, settings, &options) {
        Ok(found) => {
            let names = std::iter::once(found.environment.as_str());
            inventory::known(&found.tree.inventory, names)?;
            Ok((side, found.tree))
        }
        Err(none) => Err(no_choice(none, chosen.environment)),
    }
}

/// What a directory, or a file, holds that is to be looked at.
pub(super) fn side(
    path: &Path,
    configuration: &Configuration,
    progress: &Progress,
) -> Result<Loaded> {
    let mut side = directory::load(path, &progress.meter)?;
    configuration.limit(&mut side, path);
    configuration.declare_alone(&mut side.tree);
    something(&[&side.tree])?;
    Ok(side)
}

pub(super) fn no_choice(none: NoChoice, wanted: Option<&str>) -> Failure {
    Failure::Usage(match none {
        NoChoice::Several(names) => {
            let names = quoted(&names);
            format!("there are several environments: {names}\n  try: `--environment NAME`")
        }
        NoChoice::Unknown(names) => {
            let wanted = wanted.unwrap_or_default();
            let near = nearest(wanted, names.iter().map(String::as_str), SUGGESTIONS);
            let near: Vec<String> = near.into_iter().map(str::to_string).collect();
            match near.is_empty() {
                true => format!("there is no environment `{wanted}`; there are {}", quoted(&names)),
                false => {
                    format!(
                        "there is no environment `{wanted}`\n  did you mean: {}?",
                        quoted(&near)
                    )
                }
            }
        }
    })
}

/// Which environment of a snapshot, built how.
pub(super) struct Chosen<'a> {
    pub(super) environment: Option<&'a str>,
    pub(super) render: &'a RenderOptions,
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn run_environments(arguments: &Environments, style: &Style) -> Result<()> {
    let progress = Progress::start();
    let (side, configuration, options) = match (&arguments.git, &arguments.directory) {
        (Some(revision), _) => {
            let range = Range::Between(revision.clone(), revision.clone());
            let repo = arguments.repo.as_deref();
            let inputs = Inputs {
                paths: Vec::new(),
                git: Some(range.to_string()),
                repo: arguments.repo.clone(),
            };
            let configuration = Configuration::of_pair(&inputs, &arguments.cluster)?;
            let paths = configuration.paths(&[]);
            let pair = git::load_pair(&range, repo, &paths, &progress.meter)?;
            let mut options = arguments.render.options()?;
            let about = git::about(repo, &range)?;
            (options.urls, options.branches) = (about.urls, about.branches);
            (pair.after, configuration, options)
        }
        (None, Some(directory)) => {
            let configuration = Configuration::of_snapshot(directory, &arguments.cluster)?;
            let mut side = directory::load(directory, &progress.meter)?;
            configuration.limit(&mut side, directory);
            (side, configuration, arguments.render.options()?)
        }
        (None, None) => return Err(Failure::Usage("name a directory, or `--git REVISION`".into())),
    };
    something(&[&side.tree])?;
    let plan = environments::describe(&side, &configuration.settings, &options);
    drop(progress);
    let described = environments::described(&plan, &configuration.settings);
    Ok(output::write(&match arguments.format {
        AnswerFormat::Text => render::text::environments(&described, style),
        AnswerFormat::Json => render::json::environments(&described),
    })?)
}

/// The rows that a fingerprint, or the beginning of one, means: the same row in one environment or
/// several.
fn chosen<'a>(report: &'a Report, wanted: &str) -> Result<Vec<Found<'a>>> {
    let rows = render::find(report, wanted);
    let different: BTreeSet<&str> =
        rows.iter().map(|found| found.row.fingerprint.as_str()).collect();
    if different.len() == 1 {
        return Ok(rows);
    }
    let list = |fingerprints: Vec<&str>| {
        let quoted: Vec<String> = fingerprints.iter().map(|name| format!("`{name}`")).collect();
        quoted.join(", ")
    };
    if different.len() > 1 {
        let some = list(different.into_iter().take(SUGGESTIONS).collect());
        return Err(Failure::Usage(format!("`{wanted}` begins several fingerprints: {some}")));
    }
    let environments = report.environments.iter();
    let rows =
        environments.flat_map(|environment| environment.opened.iter().chain(&environment.closed));
    let known: BTreeSet<&str> = rows.map(|row| row.fingerprint.as_str()).collect();
    // A beginning is compared with beginnings.
    let begun = |name: &&'a str| name.get(..wanted.len()).unwrap_or(name);
    let near = nearest(wanted, known.iter().map(begun), SUGGESTIONS);
    let near: Vec<&str> =
        known.iter().filter(|name| near.contains(&begun(name))).copied().collect();
    Err(Failure::Usage(if known.is_empty() {
        format!("no row has the fingerprint `{wanted}`: nothing opened and nothing closed")
    } else if near.is_empty() {
        let some = list(known.into_iter().take(SUGGESTIONS).collect());
        format!("no row has a fingerprint that begins with `{wanted}`; there are {some}")
    } else {
        format!(
            "no row has a fingerprint that begins with `{wanted}`\n  did you mean: {}?",
            list(near.into_iter().take(SUGGESTIONS).collect())
        )
    }))
}

/// Reads both sides and compares them.
fn compare(
    inputs: &Inputs,
    render: &RenderOptions,
    configuration: &Configuration,
    timings: &mut Timings,
) -> Result<Report> {
    let progress = Progress::start();
    let mut options = render.options()?;
    if let Some(range) = &inputs.git {
        let about = git::about(inputs.repo.as_deref(), &Range::from_str(range)?)?;
        (options.urls, options.branches) = (about.urls, about.branches);
    }
    let mut pair = load(inputs, configuration, &progress.meter)?;
    configuration.declare(&mut pair);
    something(&[&pair.before.tree, &pair.after.tree])?;
    timings.done("reading");
    let settings = &configuration.settings;
    let mut report = environments::review(&pair, settings, &options, |step| timings.done(step));
    let names = report.environments.iter().map(|each| each.name.as_str());
    inventory::known(&pair.after.tree.inventory, names)?;
    date(&mut report.inventory, Utc::now().date_naive());
    Ok(report)
}

fn load(inputs: &Inputs, configuration: &Configuration, meter: &Meter) -> Result<Pair> {
    if let Some(range) = &inputs.git {
        let range = Range::from_str(range)?;
        let paths = configuration.paths(&inputs.paths);
        return Ok(git::load_pair(&range, inputs.repo.as_deref(), &paths, meter)?);
    }
    match inputs.paths.as_slice() {
        [before, after] => {
            let mut pair = directory::load_pair(before, after, meter)?;
            configuration.limit(&mut pair.before, before);
            configuration.limit(&mut pair.after, after);
            Ok(pair)
        }
        paths => Err(Failure::Usage(match paths.len() {
            0 => "nothing to compare was named\n  try: two directories, or `--git BASE..HEAD`".into(),
            1 => "one directory is not enough to compare\n  try: a second one, or `--git BASE` to compare a \
                  revision with the working tree"
                .into(),
            more => format!("two directories can be compared, not {more}"),
        })),
    }
}

/// Refuses to call nothing at all unchanged.
fn something(trees: &[&Tree]) -> Result<()> {
    if trees.iter().any(|tree| !tree.files.is_empty() || !tree.skipped.is_empty()) {
        return Ok(());
    }
    let names: Vec<String> = trees.iter().map(|tree| format!("`{}`", tree.name)).collect();
    Err(Failure::Nothing(format!(
        "nothing to analyse: no manifest (.yaml, .yml or .json) in {}",
        names.join(" or ")
    )))
}
