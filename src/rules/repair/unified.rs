//! An edit as `diff -u` tells it.

use super::text::Replacement;
use similar::{Algorithm, DiffOp};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// How many unchanged lines stand around an edit.
const CONTEXT: usize = 3;

/// The edit of a file as a unified diff.
pub(super) fn diff(file: &str, text: &str, replacement: &Replacement) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let first = (replacement.first as usize).saturating_sub(1).min(lines.len());
    let last = (replacement.last as usize).clamp(first, lines.len());
    let start = first.saturating_sub(CONTEXT);
    let end = (last + CONTEXT).min(lines.len());
    let part = |from: usize, to: usize| lines.get(from..to).unwrap_or_default();
    let old = part(start, end);
    let mut new = part(start, first).to_vec();
    new.extend(replacement.text.split_inclusive('\n'));
    new.extend(part(last, end));
    // Only what surrounds one edit is compared; a right answer, if a coarse one, after that.
    let deadline = Instant::now() + Duration::from_secs(1);
    let ops = similar::capture_diff_slices_deadline(Algorithm::Myers, old, &new, Some(deadline));
    let mut out = format!("--- a/{file}\n+++ b/{file}\n");
    for group in similar::group_diff_ops(ops, CONTEXT) {
        let (Some(head), Some(tail)) = (group.first(), group.last()) else { continue };
        let range = |from: usize, to: usize| {
            let begin = if to == from { start + from } else { start + from + 1 };
            format!("{begin},{}", to - from)
        };
        let before = range(head.old_range().start, tail.old_range().end);
        let after = range(head.new_range().start, tail.new_range().end);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "@@ -{before} +{after} @@");
        for op in group {
            let equal = matches!(op, DiffOp::Equal { .. });
            let gone = old.get(op.old_range()).unwrap_or_default();
            let come = new.get(op.new_range()).unwrap_or_default();
            if equal {
                gone.iter().for_each(|line| put(&mut out, ' ', line));
                continue;
            }
            gone.iter().for_each(|line| put(&mut out, '-', line));
            come.iter().for_each(|line| put(&mut out, '+', line));
        }
    }
    out
}

fn put(out: &mut String, sign: char, line: &str) {
    out.push(sign);
    out.push_str(line);
    if !line.ends_with('\n') {
        out.push_str("\n\\ No newline at end of file\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_patch_reads_it() {
        let text = "1\n2\n3\n4\n5\n6\n7\n8";
        let one = Replacement { first: 5, last: 6, text: "5\nnew\n".into() };
        assert_eq!(
            diff("a/f.yaml", text, &one),
            "--- a/a/f.yaml\n+++ b/a/f.yaml\n@@ -3,6 +3,6 @@\n 3\n 4\n 5\n-6\n+new\n 7\n 8\n\\ No newline at end of file\n"
        );
        let gone = Replacement { first: 1, last: 1, text: String::new() };
        assert_eq!(diff("f", "1\n2\n", &gone), "--- a/f\n+++ b/f\n@@ -1,2 +1,1 @@\n-1\n 2\n");
    }
}
