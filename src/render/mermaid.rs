//! Mermaid pictures: of a listing, and of what a change opened. Bounded, since neither people nor
//! GitHub draw large ones.

use std::collections::{BTreeMap, BTreeSet};

use super::{untrusted, words};
use crate::report::ports;
use crate::report::{Listing, Report};

/// Most edges in a picture of a listing. Mermaid itself gives up at 500 (`maxEdges`) and at
/// 50,000 characters (`maxTextSize`).
pub const LISTING_EDGES: usize = 150;

/// Most edges in a picture of a report.
pub const REPORT_EDGES: usize = 12;

/// Everybody who may talk, one edge for each pair.
pub fn listing(listing: &Listing) -> String {
    let mut picture = Picture::default();
    for connection in listing.connections.iter().take(LISTING_EDGES) {
        picture.edge(
            &words::endpoint(&connection.source),
            &words::endpoint(&connection.destination),
            &ports::words(&connection.ports),
            Arrow::Solid,
        );
    }
    picture.finish(listing.connections.len().saturating_sub(LISTING_EDGES))
}

/// What a change opened, the most severe rows first; nothing where nothing opened.
pub fn report(report: &Report) -> Option<String> {
    let several = words::several(report);
    let rows = report.environments.iter().flat_map(|e| e.opened.iter().map(move |row| (e, row)));
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.severity));
    if rows.is_empty() {
        return None;
    }
    let mut picture = Picture::default();
    for (environment, row) in rows.iter().take(REPORT_EDGES) {
        let mut label = ports::words(&row.ports);
        if several {
            // Two arrows are one way through only within one environment.
            label.push_str(&format!(" in {}", words::plain(&words::environment(environment))));
        }
        let mut arrow = Arrow::Solid;
        if row.assumes.is_some() {
            label.push_str(", if ipBlocks match pods");
            arrow = Arrow::Dotted;
        }
        picture.edge(&row.from.text, &row.to.text, &label, arrow);
    }
    Some(picture.finish(rows.len().saturating_sub(REPORT_EDGES)))
}

/// Dotted where a path needs an assumption.
#[derive(Clone, Copy)]
enum Arrow {
    Solid,
    Dotted,
}

/// A picture under construction. A node's id is made of its text, so that it stays the same when
/// other nodes come and go.
#[derive(Default)]
struct Picture {
    ids: BTreeMap<String, String>,
    taken: BTreeSet<String>,
    nodes: String,
    edges: String,
}

impl Picture {
    fn edge(&mut self, from: &str, to: &str, label: &str, arrow: Arrow) {
        let from = self.node(from);
        let to = self.node(to);
        let label = untrusted::mermaid(label);
        let arrow = match arrow {
            Arrow::Solid => "-->",
            Arrow::Dotted => "-.->",
        };
        self.edges.push_str(&format!("  {from} {arrow}|\"{label}\"| {to}\n"));
    }

    fn node(&mut self, text: &str) -> String {
        if let Some(id) = self.ids.get(text) {
            return id.clone();
        }
        // The prefix keeps clear of Mermaid's own words, such as `end`.
        let safe = text.chars().take(40).map(|c| match c {
            c if c.is_ascii_alphanumeric() => c,
            _ => '_',
        });
        let base: String = "n_".chars().chain(safe).collect();
        let mut id = base.clone();
        let mut number = 2;
        while !self.taken.insert(id.clone()) {
            id = format!("{base}_{number}");
            number += 1;
        }
        self.nodes.push_str(&format!("  {id}[\"{}\"]\n", untrusted::mermaid(text)));
        self.ids.insert(text.into(), id.clone());
        id
    }

    fn finish(self, left_out: usize) -> String {
        let mut out = format!("flowchart LR\n{}{}", self.nodes, self.edges);
        if left_out > 0 {
            out.push_str(&format!("  more[\"and {left_out} more, not drawn\"]\n"));
        }
        out
    }
}
