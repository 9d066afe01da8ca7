//! Where nothing is built: what kustomizations and charts are made of beside manifests. Manifests are read as they
//! stand and these are not, but a change of one counts.

use super::builder::mentions;
use crate::deploy::inputs::{inputs, kustomizations};
use crate::deploy::is_deploying;
use crate::deploy::layout::{chart, kustomize};
use crate::parse::{Affects, Problem, Sort, digest, manifests};
use crate::source::Loaded;
use crate::tree::is_manifest;
use std::collections::{BTreeMap, BTreeSet};
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
        // Limits leave out manifests that are built from within them.
        let shaping = found.shaping(&unit).iter().filter(|path| !path.ends_with(".md"));
        let manifests = found.files.iter().filter(|path| is_manifest(path));
        let unread: BTreeSet<&Arc<str>> =
            shaping.chain(manifests).filter(|path| !side.tree.files.contains_key(*path)).collect();
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

/// An entry for each object of a side that deploys something, where nobody asks what.
pub(super) fn deploying(side: &Loaded) -> Vec<Problem> {
    let mut told = Vec::new();
    for (path, content) in side.tree.files.iter().filter(|(_, content)| mentions(content)) {
        let nodes = manifests(content.bytes()).into_iter().flatten();
        for node in nodes.filter(is_deploying) {
            let reason =
                "what it deploys was not looked at; let it be built, or review what it deploys";
            let identity = digest(node.to_json().to_string().as_bytes());
            let line = Some(node.start_line);
            told.push(Problem { identity, line, ..problem(path, reason) });
        }
    }
    told
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
