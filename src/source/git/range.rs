//! `BASE..HEAD`, `BASE...HEAD` or `BASE`, as typed.

use crate::source::Error;
use std::fmt;
use std::str::FromStr;

/// What to compare. The revisions are as the user wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// `BASE..HEAD`: two revisions.
    Between(String, String),
    /// `BASE...HEAD`: from the merge base of both to the second.
    FromMergeBase(String, String),
    /// `BASE`: from a revision to the files on disk.
    WorkingTree(String),
}

impl FromStr for Range {
    type Err = Error;

    /// A missing side behind `..` and `...` is `HEAD`, as git has it. One before them is refused: it is a
    /// variable that nobody set, and `HEAD` compared with itself would pass every gate.
    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = |why| Error::MalformedRange { range: text.to_string(), why };
        let side = |part: &str| {
            if part.is_empty() { "HEAD".to_string() } else { part.to_string() }
        };
        let Some((at, dots)) = separator(text) else {
            return match text {
                "" => Err(malformed("it is empty")),
                base => Ok(Range::WorkingTree(base.to_string())),
            };
        };
        let (before, after) = (&text[..at], &text[at + dots..]);
        if separator(after).is_some() || after.starts_with('.') {
            return Err(malformed("it has more than two sides"));
        }
        if before.is_empty() && after.is_empty() {
            return Err(malformed("it names no revision"));
        }
        if before.is_empty() {
            return Err(malformed("the side before the dots is empty (is a variable not set?)"));
        }
        Ok(match dots {
            2 => Range::Between(before.to_string(), side(after)),
            _ => Range::FromMergeBase(before.to_string(), side(after)),
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Range::Between(before, after) => write!(f, "{before}..{after}"),
            Range::FromMergeBase(before, after) => write!(f, "{before}...{after}"),
            Range::WorkingTree(before) => f.write_str(before),
        }
    }
}

/// The first `..` or `...` outside of braces (`HEAD^{/a..b}` is one revision): where, and how long.
fn separator(text: &str) -> Option<(usize, usize)> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b'.' if depth == 0 && text[at..].starts_with("...") => return Some((at, 3)),
            b'.' if depth == 0 && text[at..].starts_with("..") => return Some((at, 2)),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let between = |a: &str, b: &str| Some(Range::Between(a.into(), b.into()));
        let merge = |a: &str, b: &str| Some(Range::FromMergeBase(a.into(), b.into()));
        let disk = |a: &str| Some(Range::WorkingTree(a.into()));
        for (text, range) in [
            ("main..HEAD", between("main", "HEAD")),
            ("main..", between("main", "HEAD")),
            ("..topic", None),
            ("...HEAD", None),
            ("main...topic", merge("main", "topic")),
            ("main...", merge("main", "HEAD")),
            ("v1.2", disk("v1.2")),
            ("HEAD^{/a..b}", disk("HEAD^{/a..b}")),
            ("HEAD^{/a..b}..x", between("HEAD^{/a..b}", "x")),
            ("é..ü", between("é", "ü")),
            ("", None),
            ("..", None),
            ("...", None),
            ("a..b..c", None),
            ("a....b", None),
        ] {
            assert_eq!(Range::from_str(text).ok(), range, "{text}");
        }
    }
}
