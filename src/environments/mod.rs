//! The environments of a repository: what belongs to each, built before and after, compared, and made one
//! report.
//!
//! Reading order: `plan` (which units are in which environment), `claims` (what only one side deploys), `builder` (units to manifests, with the real
//! tools), `kept` (what it built before), `unbuilt` (where nothing is built), `world` (an environment's units to one tree), `made` (which files decide what becomes of one), `merge` (reports of environments to one).

mod bounds;
mod builder;
mod claims;
mod kept;
mod made;
mod merge;
mod objects;
mod plan;
mod unbuilt;
mod world;

pub use crate::build::{Signals, ending};
pub use bounds::Bounds;
pub use builder::{Options, Render};
pub use kept::Kept;
pub use plan::{Index, Part, Plan};

use crate::deploy::Told;
use crate::report::environments::{Described, Environments};
use crate::report::{Lint, Report, SCHEMA_VERSION, Tool};
use crate::settings::{FailOn, Settings};
use crate::source::{Loaded, Pair};
use crate::tree::{InventoryFile, Tree};
use builder::Builder;
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The environment of a repository in which nothing tells environments apart.
pub const DEFAULT: &str = "default";

/// Compares two sides, environment by environment. `done` is told the name of each step when it has ended.
pub fn review(
    pair: &Pair,
    settings: &Settings,
    options: &Options,
    mut done: impl FnMut(&'static str),
) -> Report {
    let trees = [&pair.before.tree, &pair.after.tree];
    let Some(builder) = Builder::new(&trees, settings, options) else {
        let [before, after] = [&pair.before, &pair.after].map(|side| {
            if options.render != Render::Never {
                // There is nothing to build.
                return Cow::Borrowed(&side.tree);
            }
            let mut tree = side.tree.clone();
            tree.problems.extend(unbuilt::told(side));
            tree.problems.extend(unbuilt::deploying(side));
            Cow::Owned(tree)
        });
        let mut report = crate::review_in_steps(&before, &after, &settings.config, &mut done);
        name_sides(&mut report, pair);
        return report;
    };
    let sides = [&pair.before, &pair.after];
    let both_sides = [sides, [sides[1], sides[0]]];
    let mut plans = bounds::both(both_sides.map(|sides| plan::plan(&builder, sides, settings)));
    let moved = claims::moved([&plans[0], &plans[1]], sides);
    let keys = [0, 1].map(|side: usize| plans[side].keys());
    let unbuilt = [0, 1].map(|side: usize| {
        let mut changed =
            plans[side].parts.iter().filter(|part| !keys[1 - side].contains(&part.key));
        changed.any(|part| part.is_built() && builder.lacks_tool(part))
    });
    let unbuilt = sides.map(|side| match unbuilt.contains(&true) {
        true => unbuilt::told(side),
        false => Vec::new(),
    });
    for ((plan, moved), unbuilt) in plans.iter_mut().zip(moved).zip(unbuilt) {
        plan.problems.extend(moved);
        plan.problems.extend(unbuilt.into_iter().map(Told::from));
    }
    let plans = bounds::compared(plans, options.bounds.compared);
    let indexes = [0, 1].map(|side: usize| plans[side].index());
    done("planning");
    let names: BTreeSet<&str> = plans.iter().flat_map(|plan| plan.names()).collect();
    let names = if names.is_empty() { BTreeSet::from([DEFAULT]) } else { names };
    // What an edit of the inventory would mean is said everywhere.
    let edited = sides.iter().any(|side| side.tree.inventory.iter().any(|file| file.edited));
    // What an environment is made of on both sides, and whether the change touches it.
    let parts: BTreeMap<&str, [Vec<&Part>; 2]> = names
        .into_iter()
        .map(|name| (name, [0, 1].map(|side: usize| indexes[side].of(name))))
        .collect();
    let touched: BTreeMap<&str, &[Vec<&Part>; 2]> = parts
        .iter()
        .filter(|(_, [before, after])| edited || !same(before, after))
        .map(|(name, sides)| (*name, sides))
        .collect();
    // Each thing is built once, whatever number of environments and sides it is in.
    let mut wanted: BTreeMap<[u8; 32], (usize, &Part)> = BTreeMap::new();
    for both in touched.values() {
        for (side, parts) in both.iter().enumerate() {
            for part in parts.iter().filter(|part| part.is_built()) {
                wanted.entry(part.key).or_insert((side, part));
            }
        }
    }
    wanted.par_iter().for_each(|(_, (side, part))| {
        builder.build(part, &sides[*side].files(), &sides[1 - *side].files());
    });
    done("building");
    let reports: Vec<merge::Reviewed> = parts
        .par_iter()
        .map(|(name, both)| {
            let touched = touched.contains_key(name);
            let told = merge::once([0, 1].map(|side| {
                indexes[side].told(name, &both[side], has_inventory(sides[side], name))
            }));
            let report = touched.then(|| {
                let [before, after] = [0, 1].map(|side| {
                    let mut tree = world::world(&builder, both_sides[side], &both[side], name);
                    tree.problems.extend(told[side].iter().cloned());
                    tree
                });
                let config = settings.config.in_environment(name);
                let mut report = crate::review(&before, &after, &config);
                let made = made::made(pair, [&plans[0], &plans[1]], both);
                report.environments.iter_mut().for_each(|each| each.made = made.clone());
                report
            });
            merge::Reviewed { name: name.to_string(), report, told }
        })
        .collect();
    done("comparing");
    let mut report = merge::merge(reports);
    report.isolation = builder.has_built().then(|| builder.isolation());
    name_sides(&mut report, pair);
    report
}

/// Does an inventory tell what else is in an environment?
fn has_inventory(side: &Loaded, name: &str) -> bool {
    let of = |file: &InventoryFile| file.environment.as_deref().is_none_or(|own| own == name);
    side.tree.inventory.iter().any(of)
}

fn name_sides(report: &mut Report, pair: &Pair) {
    report.before = pair.before.snapshot.clone();
    report.after = pair.after.snapshot.clone();
}

/// Are these the same units, built from the same bytes?
fn same(before: &[&Part], after: &[&Part]) -> bool {
    let keys = |parts: &[&Part]| -> Vec<[u8; 32]> {
        let mut keys: Vec<_> = parts.iter().map(|part| part.key).collect();
        keys.sort_unstable();
        keys
    };
    keys(before) == keys(after)
}

/// One snapshot of one environment.
pub struct Chosen {
    /// What it holds.
    pub tree: Tree,
    /// Its name.
    pub environment: String,
}

/// Why no environment could be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoChoice {
    /// There are several, and none was named.
    Several(Vec<String>),
    /// There is none of this name; those that are.
    Unknown(Vec<String>),
}

/// One side of one environment: the one that is named, or the only one.
///
/// # Errors
///
/// None was named and there are several, or there is none of the name.
pub fn snapshot(
    side: &Loaded,
    wanted: Option<&str>,
    settings: &Settings,
    options: &Options,
) -> Result<Chosen, NoChoice> {
    let all = |names: Vec<String>| match names.len() {
        1 => Ok(names),
        _ => Err(NoChoice::Several(names)),
    };
    let mut found = chosen(side, wanted, settings, options, all)?;
    found.pop().ok_or(NoChoice::Several(Vec::new()))
}

/// What rules say of one side: of the environment that is named, or of each. What several have stands once, with
/// their names. With it what was looked at.
///
/// # Errors
///
/// There is none of the name.
pub fn lint(
    side: &Loaded,
    wanted: Option<&str>,
    settings: &Settings,
    options: &Options,
) -> Result<(Lint, Vec<Chosen>), NoChoice> {
    let found = chosen(side, wanted, settings, options, Ok)?;
    let lints = found.par_iter().map(|Chosen { tree, environment }| {
        (environment.clone(), crate::lint(tree, &settings.config.in_environment(environment)))
    });
    Ok((merge::lints(lints.collect()), found))
}

/// One side of the environment that is named, or of those of all names that are picked where none is.
fn chosen(
    side: &Loaded,
    wanted: Option<&str>,
    settings: &Settings,
    options: &Options,
    pick: impl FnOnce(Vec<String>) -> Result<Vec<String>, NoChoice>,
) -> Result<Vec<Chosen>, NoChoice> {
    let Some(builder) = Builder::new(&[&side.tree], settings, options) else {
        let environment = DEFAULT.to_string();
        return match wanted {
            Some(name) if name != DEFAULT => Err(NoChoice::Unknown(vec![environment])),
            _ => Ok(vec![Chosen { tree: side.tree.clone(), environment }]),
        };
    };
    let plan = plan::plan(&builder, [side, side], settings);
    let names = plan.environments();
    let names = match wanted {
        Some(wanted) if names.iter().any(|name| name == wanted) => vec![wanted.to_string()],
        Some(_) => return Err(NoChoice::Unknown(names)),
        None => pick(names)?,
    };
    let index = plan.index();
    let trees = names.into_iter().map(|environment| {
        let parts = index.of(&environment);
        let mut tree = world::world(&builder, [side, side], &parts, &environment);
        let known = has_inventory(side, &environment);
        tree.problems.extend(index.told(&environment, &parts, known));
        Chosen { tree, environment }
    });
    Ok(trees.collect())
}

/// What one side deploys, and where.
pub fn describe(side: &Loaded, settings: &Settings, options: &Options) -> Plan {
    match Builder::new(&[&side.tree], settings, options) {
        Some(builder) => {
            let mut plan = plan::plan(&builder, [side, side], settings);
            let builds = plan.parts.iter().any(Part::is_built);
            plan.isolation = builds.then(|| builder.isolation());
            plan
        }
        None => Plan::default(),
    }
}

/// Describes a plan for people and programs.
pub fn described(plan: &Plan, settings: &Settings) -> Environments {
    let index = plan.index();
    let environments = plan.environments().into_iter().map(|name| {
        let parts = index.of(&name).into_iter().map(plan::Part::described).collect();
        let fail_on = settings.environment_fail_on.get(&name).copied();
        Described { fail_on: fail_on.map(FailOn::as_str), name, parts }
    });
    Environments {
        schema_version: SCHEMA_VERSION,
        tool: Tool::this(),
        environments: environments.collect(),
        not_evaluated: {
            let problems = plan.problems.iter().map(|told| told.problem.clone());
            crate::review::told(&[], &problems.collect::<Vec<_>>())
        },
        isolation: plan.isolation,
    }
}
