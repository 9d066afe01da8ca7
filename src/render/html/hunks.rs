//! Two texts to the lines that differ, with some around them; and edits that are written as a unified diff.

use super::write;
use maud::{Markup, html};
use similar::{Algorithm, DiffOp};
use std::collections::BTreeMap;

/// How many unchanged lines stand around an edit.
pub const CONTEXT: usize = 3;

/// Parts with more lines than this are not compared line by line: one is shown as gone, the other as new. That is
/// as right, and a file made to be slow to compare is not slow.
const COMPARED: usize = 3_000;

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is on both sides.
    Kept,
    /// It is on the side before only.
    Gone,
    /// It is on the side after only.
    New,
}

/// A line of one of the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'t> {
    /// What became of it.
    pub fate: Fate,
    /// Its number before, from 1.
    pub before: Option<u32>,
    /// Its number after, from 1.
    pub after: Option<u32>,
    /// Without its end.
    pub text: &'t str,
    /// The text ends with it, and without a line break.
    pub unended: bool,
}

/// The lines that differ, in groups with up to [`CONTEXT`] lines around each edit. No group where nothing differs.
pub fn hunks<'t>(before: &'t str, after: &'t str) -> Vec<Vec<Line<'t>>> {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let mut hunks = Vec::new();
    for group in similar::group_diff_ops(compare(&old, &new), CONTEXT) {
        let mut lines = Vec::new();
        for op in group {
            let equal = matches!(op, DiffOp::Equal { .. });
            let (gone, come) = (op.old_range(), op.new_range());
            if equal {
                for (at, to) in gone.zip(come) {
                    lines.extend(line(&old, Some(at), Some(to)));
                }
                continue;
            }
            for at in gone {
                lines.extend(line(&old, Some(at), None));
            }
            for to in come {
                lines.extend(line(&new, None, Some(to)));
            }
        }
        hunks.push(lines);
    }
    hunks
}

/// A line by its index before, after, or both.
fn line<'t>(texts: &[&'t str], before: Option<usize>, after: Option<usize>) -> Option<Line<'t>> {
    let whole = *texts.get(before.or(after)?)?;
    let number = |at: Option<usize>| at.and_then(|at| u32::try_from(at + 1).ok());
    let fate = match (before, after) {
        (Some(_), Some(_)) => Fate::Kept,
        (Some(_), None) => Fate::Gone,
        (None, _) => Fate::New,
    };
    let text = whole.strip_suffix('\n');
    Some(Line {
        fate,
        before: number(before),
        after: number(after),
        text: text.unwrap_or(whole),
        unended: text.is_none(),
    })
}

/// What became of the lines. Lines are compared as numbers, so that long ones cost no more.
fn compare<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<DiffOp> {
    let mut known: BTreeMap<&'t str, usize> = BTreeMap::new();
    let mut numbers = |lines: &[&'t str]| -> Vec<usize> {
        let number = |line: &&'t str| {
            let next = known.len();
            *known.entry(*line).or_insert(next)
        };
        lines.iter().map(number).collect()
    };
    let (old, new) = (numbers(old), numbers(new));
    let begin = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (rest_old, rest_new) = (old.iter().skip(begin), new.iter().skip(begin));
    let end = rest_old.rev().zip(rest_new.rev()).take_while(|(a, b)| a == b).count();
    let (old_len, new_len) = (old.len() - begin - end, new.len() - begin - end);
    if old_len.max(new_len) <= COMPARED {
        return similar::capture_diff_slices(Algorithm::Myers, &old, &new);
    }
    let (old_end, new_end) = (begin + old_len, begin + new_len);
    let ops = [
        DiffOp::Equal { old_index: 0, new_index: 0, len: begin },
        DiffOp::Replace { old_index: begin, old_len, new_index: begin, new_len },
        DiffOp::Equal { old_index: old_end, new_index: new_end, len: end },
    ];
    let some = |op: &DiffOp| !op.old_range().is_empty() || !op.new_range().is_empty();
    ops.into_iter().filter(some).collect()
}

/// A unified diff that is written already, at most `most` lines of it.
pub fn unified(text: &str, most: usize) -> Markup {
    block(text, most, |line| match line.as_bytes().first() {
        _ if line.starts_with("--- ") || line.starts_with("+++ ") => "at",
        Some(b'@') => "at",
        Some(b'-') => "gone",
        Some(b'+') => "new",
        _ => "kept",
    })
}

/// A text to write, at most `most` lines of it.
pub fn plain(text: &str, most: usize) -> Markup {
    block(text, most, |_| "kept")
}

fn block(text: &str, most: usize, class: impl Fn(&str) -> &'static str) -> Markup {
    let rest = text.lines().count().saturating_sub(most);
    html! {
        pre.block tabindex="0" {
            @for line in text.lines().take(most) { span class=(class(line)) { (write::raw(line)) "\n" } }
            @if rest > 0 { span.at { "and " (rest) " more lines\n" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(before: &str, after: &str) -> Vec<String> {
        let line = |line: &Line<'_>| {
            let number = |n: Option<u32>| n.map_or("-".into(), |n| n.to_string());
            let sign = match line.fate {
                Fate::Kept => ' ',
                Fate::Gone => '-',
                Fate::New => '+',
            };
            let end = if line.unended { "$" } else { "" };
            format!("{} {} {sign}{}{end}", number(line.before), number(line.after), line.text)
        };
        hunks(before, after)
            .iter()
            .map(|hunk| hunk.iter().map(line).collect::<Vec<_>>().join("|"))
            .collect()
    }

    #[test]
    fn lines_keep_their_numbers() {
        assert_eq!(shown("a\n", "a\n"), [""; 0]);
        assert_eq!(shown("", "a\nb"), ["- 1 +a|- 2 +b$"]);
        assert_eq!(shown("a\nb\n", ""), ["1 - -a|2 - -b"]);
        assert_eq!(shown("a\nb", "a\nb\n"), ["1 1  a|2 - -b$|- 2 +b"]);
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";
        let after = before.replace("1\n2\n", "1\nnew\n2\n").replace("12\n", "");
        assert_eq!(
            shown(before, &after.replace("11\n", "x\n")),
            [
                "1 1  1|- 2 +new|2 3  2|3 4  3|4 5  4",
                "8 9  8|9 10  9|10 11  10|11 - -11|12 - -12|- 12 +x"
            ]
        );
    }

    /// Puts a text together again out of one side's lines. The parts that no group shows are the same on both.
    fn side(all: &str, hunks: &[Vec<Line<'_>>], number: fn(&Line<'_>) -> Option<u32>) -> bool {
        let texts: Vec<&str> = all.split_inclusive('\n').collect();
        hunks.iter().flatten().all(|line| {
            number(line).is_none_or(|at| {
                texts
                    .get(at as usize - 1)
                    .is_some_and(|text| text.trim_end_matches('\n') == line.text)
            })
        })
    }

    #[test]
    fn what_is_slow_to_compare_is_shown_coarsely() {
        let text = |word: &str| -> String {
            let odd =
                (0..COMPARED * 2).map(|n| format!("{}\n", if n % 2 == 0 { word } else { "x" }));
            format!("same\n{}end\n", odd.collect::<String>())
        };
        let (before, after) = (text("a"), text("b"));
        let hunks = hunks(&before, &after);
        let count = |fate| hunks.iter().flatten().filter(|line| line.fate == fate).count();
        // The last `x` of both is part of the equal end.
        assert_eq!((count(Fate::Gone), count(Fate::New)), (COMPARED * 2 - 1, COMPARED * 2 - 1));
        assert_eq!(count(Fate::Kept), 1 + CONTEXT - 1);
        assert!(
            side(&before, &hunks, |line| line.before) && side(&after, &hunks, |line| line.after)
        );
    }

    proptest! {
        #[test]
        fn every_line_that_differs_is_shown(
            before in "([ab]\n){0,12}[ab]?", after in "([ab]\n){0,12}[ab]?",
        ) {
            let hunks = hunks(&before, &after);
            prop_assert_eq!(hunks.is_empty(), before == after);
            prop_assert!(side(&before, &hunks, |line| line.before));
            prop_assert!(side(&after, &hunks, |line| line.after));
            // What is left of each side without the lines that came and went is the same.
            let without = |text: &str, fate, number: fn(&Line<'_>) -> Option<u32>| -> Vec<String> {
                let gone: Vec<u32> =
                    hunks.iter().flatten().filter(|line| line.fate == fate).filter_map(number).collect();
                let lines = text.split_inclusive('\n').zip(1..);
                lines.filter(|(_, at)| !gone.contains(at)).map(|(line, _)| line.to_owned()).collect()
            };
            prop_assert_eq!(
                without(&before, Fate::Gone, |line| line.before),
                without(&after, Fate::New, |line| line.after)
            );
        }
    }
}
