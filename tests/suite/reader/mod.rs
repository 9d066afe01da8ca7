//! The reader: manifests as text -> the model, and what is said of the rest.

mod hiding;
mod kinds;
mod policies;
mod problems;
mod robust;
mod workloads;

use netpol_review::config::Config;
use netpol_review::parse::{Affects, Parsed, Problem, parse_both};
use netpol_review::tree::{Content, Tree};

/// Reads files as one side.
fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Parsed {
    parse_both(&Tree::default(), &Tree::from_texts("after", files), &Config::default()).1
}

/// Reads one file.
fn read_text(text: &str) -> Parsed {
    read([("a.yaml", text)])
}

/// Reads one file of any bytes.
fn read_bytes(path: &str, bytes: &[u8]) -> Parsed {
    let mut tree = Tree::default();
    tree.files.insert(path.into(), Content::new(bytes));
    parse_both(&Tree::default(), &tree, &Config::default()).1
}

/// A policy with this `spec`, in flow style from line 4 on.
fn policy(spec: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p, namespace: ns}}\n\
         spec: {spec}\n"
    )
}

/// The only problem.
fn problem(parsed: &Parsed) -> &Problem {
    match parsed.problems.as_slice() {
        [problem] => problem,
        others => panic!("not one problem: {others:#?}"),
    }
}

fn namespace(name: &str) -> Affects {
    Affects::Namespace(name.into())
}
