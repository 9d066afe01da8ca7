//! Where causes in built text stand: the real tools build small trees, and every rule has to be found on the
//! line that people would edit.

#![allow(clippy::unwrap_used, reason = "a test that can't set its files up has failed")]

mod helm;
mod kustomize;
#[path = "../renderers/mod.rs"]
mod renderers;
mod overlays;

use netpol_review::config::Config;
use netpol_review::deploy::origin::Origins;
use netpol_review::model::{Cluster, Direction, Origin};
use netpol_review::review;
use netpol_review::tree::{Content, Rendered, Tree};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// Runs a program on files and gives what it prints.
fn run(program: &Path, arguments: &[&str], directory: &Path) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .env("HELM_CACHE_HOME", directory.join("cache"))
        .output()
        .expect("the program runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", program.display());
    output.stdout
}

fn write(directory: &Path, files: &Tree) {
    for (path, content) in &files.files {
        let path = directory.join(&**path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content.bytes()).unwrap();
    }
}

/// A tree without the part of a text; for the other side of a change.
fn with(tree: &Tree, path: &str, from: &str, to: &str) -> Tree {
    let mut tree = tree.clone();
    let text = String::from_utf8(tree.files[path].bytes().to_vec()).unwrap();
    assert!(text.contains(from), "{path} has no {from:?}");
    tree.files.insert(path.into(), Content::new(text.replacen(from, to, 1).into_bytes()));
    tree
}

/// The line of a file that holds a text, as `path:line`. With `#2` behind it the second such line.
fn at(tree: &Tree, path: &str, needle: &str) -> String {
    let (needle, nth) = match needle.split_once('#') {
        Some((needle, nth)) => (needle, nth.parse::<usize>().unwrap()),
        None => (needle, 1),
    };
    let text = std::str::from_utf8(tree.files[path].bytes()).unwrap();
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| line.contains(needle));
    let (line, _) = lines.nth(nth - 1).unwrap_or_else(|| panic!("{path} has no {needle:?}"));
    format!("{path}:{line}")
}

/// A tree that holds nothing but built text.
fn built(text: &[u8], origins: Origins, entry: &str) -> Tree {
    let mut tree = Tree::default();
    let Origins { files, lines } = origins;
    assert_eq!(lines.len(), text.split(|byte| *byte == b'\n').count(), "a line without an entry");
    let rendered = Rendered { entry: entry.into(), namespace: None, files, lines };
    tree.files.insert("built.yaml".into(), Content::new(text.to_vec()));
    tree.rendered.insert("built.yaml".into(), Arc::new(rendered));
    tree
}

fn shown(origin: &Origin) -> String {
    format!("{}:{}", origin.file, origin.start_line)
}

fn cluster(tree: &Tree) -> Cluster {
    let config = Config::default();
    netpol_review::parse::parse_both(&Tree::default(), tree, &config).1.cluster
}

/// Where each rule and each peer begins: `web ingress 0` and `web ingress 0.1`.
fn rules(tree: &Tree) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for policy in cluster(tree).policies {
        for direction in Direction::BOTH {
            let rules = policy.section(direction).into_iter().flat_map(|section| &section.rules);
            for (index, rule) in rules.enumerate() {
                let name = format!("{} {direction} {index}", policy.id.name);
                for (nth, peer) in rule.peers.iter().flatten().enumerate() {
                    found.insert(format!("{name}.{nth}"), shown(&peer.origin));
                }
                found.insert(name, shown(&rule.origin));
            }
        }
    }
    found
}

/// The places of the causes of everything that a change opens.
fn causes(before: &Tree, after: &Tree) -> Vec<String> {
    let report = review(before, after, &Config::default());
    let rows = report.environments.iter().flat_map(|environment| &environment.opened);
    let mut found: Vec<String> = rows
        .flat_map(|row| &row.causes)
        .map(|cause| format!("{}:{}", cause.location.file, cause.location.start_line))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Every expected place, and no other rule.
fn assert_places(found: &BTreeMap<String, String>, expected: &[(&str, String)]) {
    let expected: BTreeMap<String, String> =
        expected.iter().map(|(name, place)| (name.to_string(), place.clone())).collect();
    assert_eq!(found, &expected);
}
