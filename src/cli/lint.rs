//! `lint`: the findings of one snapshot, and their fixes written into its files.

use super::args::{AnswerFormat, FixUpTo, Lint};
use super::config::Configuration;
use super::exit::Outcome;
use super::failure::{Failure, say};
use super::inventory;
use super::output;
use super::progress::Progress;
use super::rendering::RenderOptions;
use super::run::{Chosen, no_choice, side, snapshot};
use super::write;
use crate::environments;
use crate::fixing;
use crate::gate::judge_lint;
use crate::render;
use crate::render::text::Style;
use crate::report::{FixKind, date};
use crate::source::{Loaded, Pair};
use crate::tree::Tree;
use chrono::Utc;
use std::path::Path;

type Result<T> = std::result::Result<T, Failure>;

/// Runs the command.
pub(super) fn run(lint: &Lint, style: &Style) -> Result<Outcome> {
    let mut configuration = Configuration::of_snapshot(&lint.directory, &lint.cluster)?;
    lint.rules.apply(&mut configuration.settings.config);
    let progress = Progress::start();
    let mut found = match lint.fix {
        None => all(lint, &configuration, &progress)?,
        Some(most) => {
            let most = match most {
                FixUpTo::Equivalent => FixKind::Equivalent,
                FixUpTo::Narrowing => FixKind::Narrowing,
            };
            let chosen = Chosen { environment: lint.environment.as_deref(), render: &lint.render };
            let (side, tree) = snapshot(&lint.directory, chosen, &configuration, &progress)?;
            fix(&lint.directory, &lint.render, &configuration, (side, &tree), most)?
        }
    };
    date(&mut found.inventory, Utc::now().date_naive());
    drop(progress);
    output::write(&match lint.format {
        AnswerFormat::Text => render::text::lint(&found, style),
        AnswerFormat::Json => render::json::lint(&found),
    })?;
    let fail_on = lint.fail_on.or(configuration.settings.fail_on).unwrap_or_default();
    Ok(judge_lint(&found, fail_on).into())
}

/// The findings of the environment that was asked for, or of all of them.
fn all(
    lint: &Lint,
    configuration: &Configuration,
    progress: &Progress,
) -> Result<crate::report::Lint> {
    let side = side(&lint.directory, configuration, progress)?;
    let (options, wanted) = (lint.render.options()?, lint.environment.as_deref());
    let (found, read) = environments::lint(&side, wanted, &configuration.settings, &options)
        .map_err(|none| no_choice(none, wanted))?;
    for one in &read {
        let names = read.iter().map(|one| one.environment.as_str());
        inventory::known(&one.tree.inventory, names)?;
    }
    Ok(found)
}

/// Fixes what can be fixed and writes it, if the whole repository shows that it keeps its promise; what is left.
fn fix(
    root: &Path,
    rendering: &RenderOptions,
    configuration: &Configuration,
    (side, tree): (Loaded, &Tree),
    most: FixKind,
) -> Result<crate::report::Lint> {
    let settings = &configuration.settings;
    let read = |file: &str| {
        let there = side.tree.files.get(file).zip(tree.files.get(file));
        there.filter(|(read, seen)| read.same(seen)).map(|(read, _)| read.bytes())
    };
    let writable = |file: &str| match read(file) {
        Some(bytes) => write::check(root, file, bytes).map(drop),
        None => Err("it is no file of what was linted".into()),
    };
    let outcome = fixing::fix(tree, &settings.config, most, &writable);
    if outcome.files.is_empty() {
        return Ok(outcome.lint);
    }
    // Other environments may be made of the same files, and none of them was asked yet.
    let mut after = side.clone();
    after.tree.files.extend(outcome.files.iter().map(|(path, new)| (path.clone(), new.clone())));
    let pair = Pair { before: side.clone(), after };
    let report = environments::review(&pair, settings, &rendering.options()?, |_| {});
    let promised = fixing::widest(&outcome.lint.fixed);
    if !fixing::keeps(&report, promised) {
        let broken: Vec<String> = report
            .environments
            .iter()
            .filter(|each| !each.opened.is_empty() || !each.closed.is_empty())
            .map(|each| format!("`{}`", each.name))
            .collect();
        say(&format!(
            "warning: nothing was written: in all environments together the fixes change more than they promise{}\n  try: \
             `netpol-review lint` without `--fix` shows each of them",
            match broken.is_empty() {
                true => String::new(),
                false => format!(" (in {})", broken.join(", ")),
            }
        ));
        return Ok(crate::lint(tree, &settings.config));
    }
    for (path, new) in &outcome.files {
        let old = read(path).unwrap_or_default();
        write::replace(root, path, old, new.bytes()).map_err(|why| {
            Failure::Unreadable(format!("could not write the fixes of `{path}`: {why}"))
        })?;
    }
    Ok(outcome.lint)
}
