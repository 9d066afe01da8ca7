//! What was not understood, as reports say it.

use crate::parse::Problem;
use crate::report::{Hides, NotEvaluated, Side};

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
