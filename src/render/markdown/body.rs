//! A Markdown text that never grows past what GitHub takes, cut by whole items.

/// The longest body of a comment, review or check-run text that GitHub takes: "body is too long
/// (maximum is 65536 characters)". Counted in bytes here, which are never fewer than characters
/// in any of the ways to count them.
pub const LIMIT: usize = 65_536;

/// What stays free for whoever posts the text: the hidden marker, a line on waivers.
pub const RESERVED: usize = 2_048;

/// An item in two lengths.
pub struct Item {
    /// With everything.
    pub full: String,
    /// The least that names it.
    pub short: String,
}

impl Item {
    /// An item of one length.
    pub fn new(text: String) -> Self {
        Self { short: text.clone(), full: text }
    }
}

/// A text under construction.
#[derive(Default)]
pub struct Body {
    out: String,
}

impl Body {
    /// The text, at most `LIMIT - RESERVED` bytes.
    pub fn finish(self) -> String {
        self.out
    }

    /// How much may still be written.
    fn left(&self) -> usize {
        (LIMIT - RESERVED).saturating_sub(self.out.len())
    }

    /// Writes `text` if it fits, or nothing.
    pub fn put(&mut self, text: &str) {
        if text.len() <= self.left() {
            self.out.push_str(text);
        }
    }

    /// Writes `before`, as many of `items` as fit into `share` bytes, then `after`.
    ///
    /// Where not all fit, later ones are written short, and where those do not fit either, the
    /// line that `more` makes of their number stands for them. Returns whether anything was left
    /// out. Shares of all sections together are less than the limit, so that no section starves
    /// another.
    pub fn section(
        &mut self,
        share: usize,
        before: &str,
        items: &[Item],
        more: impl Fn(usize) -> String,
        after: &str,
    ) {
        let frame = before.len() + after.len() + more(items.len()).len();
        let mut left = share.min(self.left()).saturating_sub(frame);
        if share.min(self.left()) < frame {
            return;
        }
        // Room for the short forms of what follows comes first: a reader misses a row that is not
        // there more than the details of one that is.
        let mut short: usize = items.iter().map(|item| item.short.len()).sum();
        let mut written = String::new();
        let mut rest = items.len();
        for item in items {
            short -= item.short.len();
            let text = if item.full.len().saturating_add(short) <= left {
                &item.full
            } else {
                &item.short
            };
            if text.len() > left {
                break;
            }
            left -= text.len();
            written.push_str(text);
            rest -= 1;
        }
        self.out.push_str(before);
        self.out.push_str(&written);
        if rest > 0 {
            self.out.push_str(&more(rest));
        }
        self.out.push_str(after);
    }
}
