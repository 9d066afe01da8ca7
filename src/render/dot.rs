//! Graphviz: a listing as a directed graph, complete.

use std::collections::BTreeSet;

use super::{untrusted, words};
use crate::report::ports;
use crate::report::{Endpoint, Listing};

/// One edge for each pair that may talk, labelled with its ports.
pub fn listing(listing: &Listing) -> String {
    let mut out = String::from("digraph reachability {\n  rankdir=LR;\n  node [shape=box];\n");
    let ends = listing.connections.iter().flat_map(|c| [&c.source, &c.destination]);
    let outside: BTreeSet<&Endpoint> =
        ends.filter(|end| matches!(end, Endpoint::External { .. })).collect();
    for end in outside {
        out.push_str(&format!("  {} [shape=ellipse];\n", node(end)));
    }
    for connection in &listing.connections {
        out.push_str(&format!(
            "  {} -> {} [label={}];\n",
            node(&connection.source),
            node(&connection.destination),
            untrusted::dot(&ports::words(&connection.ports)),
        ));
    }
    out.push_str("}\n");
    out
}

fn node(endpoint: &Endpoint) -> String {
    untrusted::dot(&words::endpoint(endpoint))
}
