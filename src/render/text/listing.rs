//! The effective reachability of one snapshot, grouped by source.

use unicode_width::UnicodeWidthStr;

use super::layout::{Lines, Role, Style};
use super::{inventory, not_evaluated};
use crate::render::unread::Scope;
use crate::render::{untrusted, words};
use crate::report::ports;
use crate::report::{Endpoint, Listing};

/// Widest column of destinations; longer ones have their ports in the next line.
const COLUMN: usize = 48;

/// Who may talk to whom, as an aligned table.
pub fn listing(listing: &Listing, style: &Style) -> String {
    let mut lines = Lines::new(style);
    let pairs = listing.connections.len();
    lines.say(
        Role::Heading,
        &match pairs {
            0 => "no two declared ends may talk".to_owned(),
            pairs => words::count(pairs, "pair may talk", "pairs may talk"),
        },
    );
    if !listing.exact {
        lines.say(
            Role::Loud,
            "not exact: something that was not evaluated could add or remove pairs",
        );
    }
    let column = listing
        .connections
        .iter()
        .map(|c| endpoint(&c.destination).width())
        .filter(|&width| width <= COLUMN)
        .max()
        .unwrap_or(0)
        + 2;
    let mut source = None;
    for connection in &listing.connections {
        if source != Some(&connection.source) {
            source = Some(&connection.source);
            lines.gap();
            let text = format!("{} ->", endpoint(&connection.source));
            lines.say(Role::Heading, &text);
        }
        let ports = untrusted::plain(&ports::words(&connection.ports));
        let destination = endpoint(&connection.destination);
        if destination.width() > COLUMN {
            lines.line(2, &destination);
            lines.item(2, Role::Label, "", column, &ports);
        } else {
            lines.item(2, Role::Plain, &destination, column, &ports);
        }
    }
    let directions = [
        ("ingress: anything may connect to", &listing.unisolated.ingress),
        ("egress: they may connect to anything that accepts", &listing.unisolated.egress),
    ];
    for (words, workloads) in directions {
        if workloads.is_empty() {
            continue;
        }
        lines.gap();
        lines.say(Role::Heading, &format!("NOT ISOLATED for {words}"));
        for workload in workloads {
            lines.line(2, &untrusted::plain(workload));
        }
    }
    not_evaluated(&mut lines, &listing.not_evaluated, Scope::Snapshot);
    lines.gap();
    let text = format!("read: {}", words::read(&listing.read));
    lines.line(0, &text);
    inventory(&mut lines, &listing.inventory);
    lines.finish()
}

/// An end as one reads it.
pub fn endpoint(endpoint: &Endpoint) -> String {
    untrusted::plain(&words::endpoint(endpoint))
}
