//! Two versions of a file -> the lines of one of them that the change touches.

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// How much is compared line by line: the product of what differs of both versions. Beyond that, all of it
/// counts as touched.
const COMPARED: usize = 4_000_000;

/// The lines of a file that a change touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// None.
    Nothing,
    /// All: the file is there on one side only.
    Everything,
    /// By line, the first at 0.
    Lines(Vec<bool>),
}

impl Touched {
    /// The lines of `here` that are not in `there` (`None`: there is no such file), and those beside which
    /// `there` has more.
    pub(super) fn of(here: &[u8], there: Option<&[u8]>) -> Self {
        let Some(there) = there else { return Self::Everything };
        if here == there {
            return Self::Nothing;
        }
        let lines = |bytes| -> Vec<&[u8]> { <[u8]>::split(bytes, |byte| *byte == b'\n').collect() };
        let (here, there): (Vec<&[u8]>, Vec<&[u8]>) = (lines(here), lines(there));
        let first = here.iter().zip(&there).take_while(|(a, b)| a == b).count();
        let rest = [&here, &there].map(|lines| lines.get(first..).unwrap_or_default());
        let [mine, others] = rest;
        let last = mine.iter().rev().zip(others.iter().rev()).take_while(|(a, b)| a == b).count();
        let [mine, others] = rest.map(|lines| lines.get(..lines.len() - last).unwrap_or_default());
        let mut touched = vec![false; here.len()];
        let mut mark = |from: usize, to: usize| {
            touched.iter_mut().take(to).skip(from).for_each(|line| *line = true);
        };
        if mine.len().saturating_mul(others.len()) > COMPARED {
            mark(first, first + mine.len());
            return Self::Lines(touched);
        }
        for op in capture_diff_slices(Algorithm::Myers, others, mine) {
            match op {
                DiffOp::Equal { .. } => {}
                DiffOp::Delete { new_index, .. } => {
                    let at = first + new_index;
                    mark(at.saturating_sub(1), at + 1);
                }
                DiffOp::Insert { new_index, new_len, .. }
                | DiffOp::Replace { new_index, new_len, .. } => {
                    mark(first + new_index, first + new_index + new_len);
                }
            }
        }
        Self::Lines(touched)
    }

    /// Is a line touched? It counts from 1.
    pub(super) fn line(&self, line: u32) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Lines(lines) => {
                lines.get((line as usize).wrapping_sub(1)).copied().unwrap_or(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(here: &str, there: &str) -> Vec<u32> {
        let touched = Touched::of(here.as_bytes(), Some(there.as_bytes()));
        (1..20).filter(|line| touched.line(*line)).collect()
    }

    #[test]
    fn touched_lines_are_new_ones_and_those_beside_a_gap() {
        assert_eq!(lines("a\nb\nc\n", "a\nc\n"), [2]);
        assert_eq!(lines("a\nx\nc\n", "a\nb\nc\n"), [2]);
        assert_eq!(lines("a\nc\n", "a\nb\nc\n"), [1, 2]);
        assert_eq!(lines("a\nb\nc\n", "a\nb\nc\n"), [0; 0]);
        assert_eq!(lines("x\nb\nc\ny\n", "b\nc\n"), [1, 4]);
        assert_eq!(Touched::of(b"a", None), Touched::Everything);
    }

    #[test]
    fn what_is_too_long_to_compare_counts_as_touched() {
        let text = |word: &str| (0..30_000).map(|i| format!("{word}{i}\n")).collect::<String>();
        let touched =
            Touched::of((text("a") + "end").as_bytes(), Some((text("b") + "end").as_bytes()));
        assert!(touched.line(1) && touched.line(30_000) && !touched.line(30_001));
    }
}
