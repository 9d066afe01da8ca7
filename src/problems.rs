//! What was not understood, and what came from elsewhere, as reports say it.

use crate::parse::{InventoryRead, Problem};
use crate::report::{Hides, Inventory, NotEvaluated, Side};

/// A problem of the reader as an entry of a report. On which side it stands and what it could hide
/// depends on the question that was asked, so the caller says it. Files that the source did not read are
/// problems of the reader as well.
pub fn not_evaluated(problem: &Problem, side: Side, hides: Hides) -> NotEvaluated {
    NotEvaluated {
        side,
        file: problem.file.to_string(),
        line: problem.line,
        kind: problem.kind.clone(),
        name: problem.name.clone(),
        reason: problem.reason.clone(),
        hides,
        environments: Vec::new(),
    }
}

/// What was used of an inventory on one side, and on the other one: what one of them alone has of it counts.
pub fn inventory(one: &[InventoryRead], other: &[InventoryRead]) -> Vec<Inventory> {
    let both = one.iter().zip(other);
    both.map(|(one, other)| Inventory {
        file: one.file.to_string(),
        taken: one.taken,
        workloads: one.workloads.max(other.workloads),
        namespaces: one.namespaces.max(other.namespaces),
        policies: one.policies.max(other.policies),
        age: None,
    })
    .collect()
}
