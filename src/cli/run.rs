//! One function a command: read, compute, write.

use super::args::{
    AnswerFormat, Arguments, Command, Diff, Explain, Inputs, List, ListFormat, Query, ReportFormat,
};
use super::exit::{Outcome, outcome};
use super::failure::Failure;
use super::output;
use super::progress::Progress;
use crate::config::Config;
use crate::report::Report;
use crate::source::git::{self, Range};
use crate::source::{Loaded, Meter, Pair, directory};
use crate::tree::Tree;
use clap::CommandFactory;
use std::str::FromStr;

type Result<T> = std::result::Result<T, Failure>;

pub(super) fn run(arguments: Arguments) -> Result<Outcome> {
    match arguments.command {
        Command::Diff(diff) => run_diff(&diff),
        Command::List(list) => run_list(&list).map(|()| Outcome::Done),
        Command::Query(query) => run_query(&query).map(|()| Outcome::Done),
        Command::Explain(explain) => run_explain(&explain).map(|()| Outcome::Done),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "netpol-review", &mut script);
            output::write(&String::from_utf8_lossy(&script))?;
            Ok(Outcome::Done)
        }
    }
}

fn run_diff(diff: &Diff) -> Result<Outcome> {
    let config = Config { connections: diff.connections, ..diff.cluster.config() };
    let report = compare(&diff.inputs, &config)?;
    let text = match diff.format {
        ReportFormat::Text | ReportFormat::Json | ReportFormat::Markdown => {
            serde_json::to_string_pretty(&report).map_err(std::io::Error::other)? + "\n"
        }
    };
    output::write(&text)?;
    Ok(outcome(&report, diff.fail_on))
}

fn run_explain(explain: &Explain) -> Result<()> {
    let _report = compare(&explain.inputs, &explain.cluster.config())?;
    Err(Failure::Usage(format!("no row has the fingerprint `{}`", explain.fingerprint)))
}

fn run_list(list: &List) -> Result<()> {
    let progress = Progress::start();
    let Loaded { tree, .. } = directory::load(&list.directory, &progress.meter)?;
    something(&[&tree])?;
    let listing = crate::list(&tree, &list.cluster.config());
    drop(progress);
    let text = match list.format {
        ListFormat::Text
        | ListFormat::Json
        | ListFormat::Csv
        | ListFormat::Mermaid
        | ListFormat::Dot => {
            serde_json::to_string_pretty(&listing).map_err(std::io::Error::other)? + "\n"
        }
    };
    Ok(output::write(&text)?)
}

fn run_query(query: &Query) -> Result<()> {
    let progress = Progress::start();
    let Loaded { tree, .. } = directory::load(&query.directory, &progress.meter)?;
    something(&[&tree])?;
    let config = query.cluster.config();
    let answer = crate::query::query(&tree, &config, &query.from, &query.to, &query.port)?;
    drop(progress);
    let text = match query.format {
        AnswerFormat::Text | AnswerFormat::Json => {
            serde_json::to_string_pretty(&answer).map_err(std::io::Error::other)? + "\n"
        }
    };
    Ok(output::write(&text)?)
}

/// Reads both sides and compares them.
fn compare(inputs: &Inputs, config: &Config) -> Result<Report> {
    let progress = Progress::start();
    let Pair { before, after } = load(inputs, &progress.meter)?;
    something(&[&before.tree, &after.tree])?;
    let mut report = crate::review(&before.tree, &after.tree, config);
    report.before = before.snapshot;
    report.after = after.snapshot;
    Ok(report)
}

fn load(inputs: &Inputs, meter: &Meter) -> Result<Pair> {
    if let Some(range) = &inputs.git {
        let range = Range::from_str(range)?;
        return Ok(git::load_pair(&range, inputs.repo.as_deref(), &inputs.paths, meter)?);
    }
    match inputs.paths.as_slice() {
        [before, after] => Ok(directory::load_pair(before, after, meter)?),
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
