//! Bounds: how much each part of the page may hold, and what is left out then.

use maud::{Markup, PreEscaped};

/// How many bytes each part may use. Together with what is bounded by itself they stay under [`super::LIMIT`].
pub mod share {
    /// Opened rows.
    pub const OPENED: usize = 500_000;
    /// Findings that the change introduces.
    pub const FINDINGS: usize = 250_000;
    /// What was not evaluated.
    pub const NOT_EVALUATED: usize = 150_000;
    /// Waivers.
    pub const WAIVERS: usize = 60_000;
    /// Closed rows.
    pub const CLOSED: usize = 120_000;
    /// Findings that are older than the change.
    pub const OLDER: usize = 80_000;
    /// What the change does to the files.
    pub const CHANGES: usize = 400_000;
    /// Anything else, each.
    pub const OTHER: usize = 50_000;
}

/// As many of the items as fit into `share` bytes, and how many are left out.
///
/// The first are written in full, until three quarters are full; those that follow are written short. So a reader
/// sees as many as possible, and everything of the first ones.
pub fn fit<T>(
    share: usize,
    items: &[T],
    full: impl Fn(&T) -> Markup,
    short: impl Fn(&T) -> Markup,
) -> (Markup, usize) {
    let mut out = String::new();
    let mut whole = true;
    for (index, item) in items.iter().enumerate() {
        if whole {
            let text = full(item).into_string();
            if out.len() + text.len() <= share / 4 * 3 {
                out.push_str(&text);
                continue;
            }
            whole = false;
        }
        let text = short(item).into_string();
        if out.len() + text.len() > share {
            return (PreEscaped(out), items.len() - index);
        }
        out.push_str(&text);
    }
    (PreEscaped(out), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_in_full_then_short_then_counted() {
        let full = |n: &usize| PreEscaped(format!("[{n:08}]"));
        let short = |n: &usize| PreEscaped(format!("{n}"));
        let items: Vec<usize> = (0..9).collect();
        let shown = |share| {
            let (text, rest) = fit(share, &items, full, short);
            (text.into_string(), rest)
        };
        assert_eq!(shown(1000).1, 0);
        assert_eq!(shown(40), ("[00000000][00000001][00000002]345678".into(), 0));
        assert_eq!(shown(16), ("[00000000]123456".into(), 2));
        assert_eq!(shown(0), (String::new(), 9));
    }
}
