//! Lines of one version of a file in terms of another, and which lines a pull request's diff shows.

use similar::{Algorithm, DiffOp};
use std::ops::Range;
use std::time::{Duration, Instant};

/// How many unchanged lines GitHub shows around a change, and takes comments on.
const CONTEXT: u32 = 3;

/// Two versions of a file, line by line.
#[derive(Clone, Debug)]
pub struct Lines {
    ops: Vec<DiffOp>,
    old: u32,
    new: u32,
}

impl Lines {
    /// Compares two versions. One that does not exist has no lines.
    pub fn between(old: Option<&[u8]>, new: Option<&[u8]>) -> Self {
        let split = |bytes: Option<&[u8]>| -> Vec<Vec<u8>> {
            let lines = bytes.unwrap_or_default().split_inclusive(|byte| *byte == b'\n');
            lines.map(<[u8]>::to_vec).collect()
        };
        let (old, new) = (split(old), split(new));
        // A file made to be slow to compare gets a coarse answer, which is still a right one.
        let deadline = Instant::now() + Duration::from_secs(2);
        let ops =
            similar::capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(deadline));
        let count = |lines: &[Vec<u8>]| u32::try_from(lines.len()).unwrap_or(u32::MAX);
        Self { ops, old: count(&old), new: count(&new) }
    }

    /// The line of the new version that an unchanged line of the old one became.
    pub fn new_of(&self, old: u32) -> Option<u32> {
        self.moved(old, |op| (op.old_range(), op.new_range()))
    }

    /// The line of the old version that became an unchanged line of the new one.
    pub fn old_of(&self, new: u32) -> Option<u32> {
        self.moved(new, |op| (op.new_range(), op.old_range()))
    }

    fn moved(
        &self,
        line: u32,
        ranges: impl Fn(&DiffOp) -> (Range<usize>, Range<usize>),
    ) -> Option<u32> {
        let index = usize::try_from(line).ok()?.checked_sub(1)?;
        let op = self.ops.iter().find(|op| ranges(op).0.contains(&index))?;
        let (from, to) = ranges(op);
        let equal = matches!(op, DiffOp::Equal { .. });
        equal.then(|| u32::try_from(to.start + (index - from.start) + 1).ok()).flatten()
    }

    /// Is this line of the new version one that the diff adds?
    pub fn is_added(&self, new: u32) -> bool {
        new >= 1 && new <= self.new && self.old_of(new).is_none()
    }

    /// May comments stand on these lines of the new version? They may on lines of one hunk.
    pub fn shows_new(&self, first: u32, last: u32) -> bool {
        self.hunks().iter().any(|(_, new)| new.contains(&first) && new.contains(&last))
    }

    /// May comments stand on these lines of the old version, on the left side?
    pub fn shows_old(&self, first: u32, last: u32) -> bool {
        let gone = |line| self.new_of(line).is_none();
        self.hunks().iter().any(|(old, _)| old.contains(&first) && old.contains(&last))
            && gone(first)
            && gone(last)
    }

    /// The lines of each hunk in the old and in the new version, counted from 1.
    fn hunks(&self) -> Vec<(Range<u32>, Range<u32>)> {
        let mut hunks: Vec<(Range<u32>, Range<u32>)> = Vec::new();
        let ranges = |op: &DiffOp| {
            let numbered = |range: Range<usize>| {
                let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1);
                number(range.start)..number(range.end)
            };
            (numbered(op.old_range()), numbered(op.new_range()))
        };
        let widened = |range: Range<u32>, lines: u32| {
            let start = range.start.saturating_sub(CONTEXT).max(1);
            start..range.end.saturating_add(CONTEXT).min(lines.saturating_add(1))
        };
        for op in self.ops.iter().filter(|op| !matches!(op, DiffOp::Equal { .. })) {
            let (old, new) = ranges(op);
            let (old, new) = (widened(old, self.old), widened(new, self.new));
            match hunks.last_mut() {
                Some((last_old, last_new))
                    if old.start <= last_old.end && new.start <= last_new.end =>
                {
                    last_old.end = last_old.end.max(old.end);
                    last_new.end = last_new.end.max(new.end);
                }
                _ => hunks.push((old, new)),
            }
        }
        hunks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[&str]) -> Vec<u8> {
        lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect()
    }

    #[test]
    fn lines_are_found_again() {
        let old = text(&["a", "b", "c", "d"]);
        let new = text(&["x", "a", "c", "d", "e"]);
        let lines = Lines::between(Some(&old), Some(&new));
        assert_eq!(
            [1, 2, 3, 4, 5].map(|line| lines.new_of(line)),
            [Some(2), None, Some(3), Some(4), None]
        );
        assert_eq!([0, 1, 2, 3].map(|line| lines.old_of(line)), [None, None, Some(1), Some(3)]);
        assert_eq!([1, 2, 5, 6].map(|line| lines.is_added(line)), [true, false, true, false]);
    }

    #[test]
    fn hunks_hold_three_lines_of_context() {
        let old: Vec<String> = (1..=30).map(|n| n.to_string()).collect();
        let mut new = old.clone();
        new[9] = "changed".into();
        new.remove(24);
        let old: Vec<&str> = old.iter().map(String::as_str).collect();
        let new: Vec<&str> = new.iter().map(String::as_str).collect();
        let lines = Lines::between(Some(&text(&old)), Some(&text(&new)));
        assert!(lines.shows_new(7, 13) && lines.shows_new(10, 10));
        assert!(!lines.shows_new(6, 10) && !lines.shows_new(14, 14));
        assert!(!lines.shows_new(10, 24), "two hunks are not one");
        assert!(lines.shows_old(25, 25) && lines.shows_old(10, 10));
        assert!(!lines.shows_old(24, 24), "a line that is still there is on the right side");
    }

    #[test]
    fn new_and_deleted_files() {
        let file = text(&["a", "b"]);
        let lines = Lines::between(None, Some(&file));
        assert!(lines.shows_new(1, 2) && !lines.shows_new(1, 3) && lines.is_added(2));
        let lines = Lines::between(Some(&file), None);
        assert!(lines.shows_old(1, 2) && !lines.shows_new(1, 1));
        let lines = Lines::between(Some(&file), Some(&file));
        assert!(!lines.shows_new(1, 1));
    }
}
