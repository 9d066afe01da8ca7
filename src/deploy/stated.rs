//! Environments that the configuration states.

use super::inputs::{beside, kustomization};
use super::{Build, Decision, Found, Overlay, Plain, Release, Unit, Values};
use crate::config::{Renderer, Stated};
use crate::model::Origin;
use crate::parse::{Affects, Problem, Sort, digest, manifests};
use crate::tree::Files;
use std::sync::Arc;

/// The units that are stated. One whose path is not here is a problem: nothing is left out in silence.
pub fn units(stated: &[Stated], files: &dyn Files) -> Found {
    let mut found = Found::default();
    for each in stated {
        let origin = Origin { file: each.file.clone(), start_line: each.line, end_line: each.line };
        let mut plain = Vec::new();
        for path in &each.paths {
            let kustomized = || kustomization(path, files).is_some();
            let chart = || files.is_file(&beside(path, "Chart.yaml"));
            let exists =
                || files.is_file(path) || files.is_directory(path) || files.unread(path).is_some();
            let build = match each.renderer {
                Some(Renderer::Kustomize) => Some(kustomize(path)),
                Some(Renderer::Helm) => Some(helm(each, path)),
                Some(Renderer::Plain) => None,
                None if kustomized() => Some(kustomize(path)),
                None if chart() => Some(helm(each, path)),
                None => None,
            };
            match build {
                Some(build) => found.units.push(unit(each, &origin, build)),
                None if exists() => plain.push(path.clone()),
                // An environment may come, or go, with the change.
                None => {}
            }
        }
        if !plain.is_empty() {
            let build = Build::Plain(Plain { paths: plain, recurse: true, ..Plain::default() });
            found.units.push(unit(each, &origin, build));
        }
    }
    found
}

fn unit(stated: &Stated, origin: &Origin, build: Build) -> Unit {
    Unit {
        build,
        environment: Some(stated.name.clone()),
        namespace: stated.namespace.clone(),
        decided: Decision {
            origin: origin.clone(),
            because: format!("environment `{}` of the configuration", stated.name),
        },
    }
}

fn kustomize(path: &str) -> Build {
    Build::Kustomize { directory: path.to_string(), overlay: Overlay::default() }
}

fn helm(stated: &Stated, path: &str) -> Build {
    let name = path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("release");
    Build::Helm(Release {
        chart: path.to_string(),
        name: stated.release.clone().unwrap_or_else(|| name.to_string()),
        namespace: stated.namespace.clone().unwrap_or_default(),
        values: stated
            .values
            .iter()
            .map(|path| Values::File { path: path.clone(), optional: false })
            .collect(),
        ..Release::default()
    })
}

/// A file that belongs to no stated environment, if it holds anything that could play a part.
pub fn unclaimed(path: &Arc<str>, bytes: &[u8]) -> Option<Problem> {
    let mut nodes = manifests(bytes).into_iter().flatten();
    let plays = nodes.any(|node| {
        let kind = node.text_at(&["kind"]).unwrap_or_default();
        kind.ends_with("NetworkPolicy") || kind == "Namespace" || super::is_deploying(&node)
    });
    plays.then(|| Problem {
        file: path.clone(),
        line: None,
        kind: None,
        name: None,
        reason: "no environment of the configuration has this file; add it to one, or leave it out with `paths`"
            .to_string(),
        affects: Affects::Perhaps,
        identity: digest(bytes),
        sort: Sort::Other,
    })
}
