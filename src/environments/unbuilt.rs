//! Where nothing is built: what kustomizations and charts are made of beside manifests. Manifests are read as they
//! stand and these are not, but a change of one counts.

use crate::deploy::inputs::{inputs, kustomizations};
use crate::deploy::layout::{chart, kustomize};
use crate::parse::{Affects, Problem, Sort, digest};
use crate::source::Loaded;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An entry for each such file of a side, and for each input that is no file here. Nothing is said of those that are
/// the same on both sides.
pub(super) fn told(side: &Loaded) -> Vec<Problem> {
    let files = side.files();
    let charts = side.tree.files.keys().filter_map(|path| path.strip_suffix("Chart.yaml"));
    let charts =
        charts.map(|at| at.strip_suffix('/').unwrap_or(at)).flat_map(|at| chart(at, &files));
    let kustomizations = kustomizations(&side.tree).into_iter().map(|(at, _)| kustomize(&at, ""));
    let mut told: BTreeMap<Arc<str>, Problem> = BTreeMap::new();
    let mut refusals = Vec::new();
    for unit in charts.chain(kustomizations) {
        let mut found = inputs(&unit, &files, false);
        found.tell_apart(&unit, &files);
        let unread =
            found.shaping(&unit).iter().filter(|path| !side.tree.files.contains_key(*path));
        let unread: Vec<&Arc<str>> = unread.filter(|path| !path.ends_with(".md")).collect();
        files.expect(unread.iter().map(|path| &***path));
        for path in unread {
            let identity = match files.open(path) {
                Some(Ok(content)) => digest(content.bytes()),
                Some(Err(unread)) => digest(unread.identity.as_bytes()),
                None => 0,
            };
            let reason = "something that was not built is made of it; let it be built, or review what it builds";
            let problem = told.entry(path.clone()).or_insert_with(|| problem(path, reason));
            problem.identity = identity;
        }
        refusals.extend(
            found
                .refusals
                .into_iter()
                .map(|refusal| Problem { affects: Affects::Perhaps, ..refusal }),
        );
    }
    told.into_values().chain(refusals).collect()
}

fn problem(path: &Arc<str>, reason: &str) -> Problem {
    Problem {
        file: path.clone(),
        line: None,
        kind: None,
        name: None,
        reason: reason.to_string(),
        affects: Affects::Perhaps,
        identity: 0,
        sort: Sort::Other,
    }
}
