//! What only one side deploys of what both have. On the other it counts all the same, as what nothing claims counts in
//! every environment; so the worlds are equal although something may have come to the cluster, or gone from it.

use super::plan::{Part, Plan};
use crate::deploy::inputs::{beside, kustomization};
use crate::deploy::{Build, Told};
use crate::parse::{Affects, Problem, Sort, digest, relevant};
use crate::source::Loaded;
use crate::tree::{Files, is_manifest};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which side a plan is of.
#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

/// Entries for each side of what it has by itself, and the other side deploys or includes.
pub(super) fn moved(plans: [&Plan; 2], sides: [&Loaded; 2]) -> [Vec<Told>; 2] {
    let [before, after] = plans;
    [of_one(before, sides[0], after, Side::Before), of_one(after, sides[1], before, Side::After)]
}

fn of_one(plan: &Plan, side: &Loaded, other: &Plan, which: Side) -> Vec<Told> {
    let files = side.files();
    let users = users(other);
    let alone: BTreeSet<String> = other.parts.iter().filter_map(by_itself).collect();
    let mut told = BTreeSet::new();
    let counts = |path: &Arc<str>| {
        let content = files.read(path);
        !is_manifest(path) || content.is_none_or(|content| relevant(content.bytes()))
    };
    for part in plan.parts.iter().filter(|part| part.by_itself) {
        let inputs = &part.inputs.files;
        let own: Vec<Arc<str>> = match &part.unit.build {
            Build::Plain(_) => {
                inputs.iter().filter(|path| users.contains_key(path)).cloned().collect()
            }
            _ if by_itself(part).is_some_and(|own| alone.contains(&own)) => continue,
            Build::Kustomize { directory, .. } => {
                kustomization(directory, &files).map(Arc::from).into_iter().collect()
            }
            Build::Helm(release) => vec![beside(&release.chart, "Chart.yaml").into()],
        };
        for path in own {
            let Some(users) = users.get(&path) else { continue };
            let plays_a_part = match &part.unit.build {
                Build::Plain(_) => counts(&path),
                _ => inputs.iter().any(counts),
            };
            for user in users.iter().filter(|_| plays_a_part) {
                let environment = user.unit.environment.clone();
                told.insert(Told { environment, ..problem(&path, user, which).into() });
            }
        }
    }
    told.into_iter().collect()
}

/// The parts that deploy or include each file.
fn users(plan: &Plan) -> BTreeMap<&Arc<str>, Vec<&Part>> {
    let mut users: BTreeMap<&Arc<str>, Vec<&Part>> = BTreeMap::new();
    let rest = |part: &Part| part.by_itself && matches!(part.unit.build, Build::Plain(_));
    for part in plan.parts.iter().filter(|part| !rest(part)) {
        for path in &part.inputs.files {
            users.entry(path).or_default().push(part);
        }
    }
    users
}

/// What a part is that nothing deploys or includes.
fn by_itself(part: &Part) -> Option<String> {
    match &part.unit.build {
        _ if !part.by_itself => None,
        Build::Plain(_) => None,
        Build::Kustomize { directory, .. } => Some(format!("kustomization {directory}")),
        Build::Helm(release) => Some(format!("chart {}", release.chart)),
    }
}

fn problem(path: &Arc<str>, user: &Part, which: Side) -> Problem {
    let who = match &user.unit.build {
        Build::Kustomize { directory, .. } => directory.clone(),
        Build::Helm(release) => release.chart.clone(),
        Build::Plain(_) => user.unit.decided.origin.file.to_string(),
    };
    let reason = match which {
        Side::Before => format!(
            "nothing here deployed it, and now `{who}` does: it may be new to the cluster. It is compared as if it \
             had been there; look at all that it lets through"
        ),
        Side::After => format!(
            "`{who}` deployed it, and nothing here does any more: it may be gone from the cluster. It is compared as \
             if it were still there; delete it, or have something deploy it"
        ),
    };
    Problem {
        file: path.clone(),
        line: None,
        kind: None,
        name: None,
        affects: Affects::Anything,
        identity: digest(format!("{path}\0{reason}").as_bytes()),
        reason,
        sort: Sort::Other,
    }
}
