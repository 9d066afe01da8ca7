//! A manifest's lines, and what stands where in them.

use crate::model::Origin;

/// The lines of a file.
pub(super) struct Page<'t> {
    pub(super) lines: &'t [&'t str],
}

/// An item of a list in block style. Lines count from 0 here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) first: usize,
    /// One behind its last line, comments and blank lines at its end left out.
    pub(super) end: usize,
    /// The column of its dash.
    pub(super) dash: usize,
    /// The column of its first key.
    pub(super) key: usize,
}

/// A list behind a key of an item.
#[derive(Clone, Debug)]
pub(super) struct List<'t> {
    /// The line of the key.
    pub(super) line: usize,
    /// One behind its last line.
    pub(super) end: usize,
    /// What it holds.
    pub(super) entries: Entries<'t>,
}

/// How a list is written.
#[derive(Clone, Debug)]
pub(super) enum Entries<'t> {
    /// With dashes: the lines of each entry, the comments right above it included.
    Block(Vec<(usize, usize)>),
    /// In brackets behind the key.
    Flow {
        /// Up to the bracket, which is included.
        before: &'t str,
        /// Each entry without blanks around it.
        entries: Vec<&'t str>,
        /// From the closing bracket on.
        after: &'t str,
    },
}

impl<'t> Page<'t> {
    pub(super) fn line(&self, index: usize) -> Option<&'t str> {
        self.lines.get(index).copied()
    }

    pub(super) fn span(origin: &Origin) -> (usize, usize) {
        (origin.start_line.saturating_sub(1) as usize, origin.end_line as usize)
    }

    /// The item that these lines are, if they are one and nothing else.
    pub(super) fn item(&self, origin: &Origin) -> Option<Item> {
        let (first, end) = Self::span(origin);
        let line = self.line(first)?;
        let dash = indent(line);
        let rest = line.get(dash..)?.strip_prefix("- ")?;
        let key = dash + 2 + indent(rest);
        let starts_map = rest.trim_start().starts_with(|c: char| c.is_ascii_alphabetic());
        let inside = self
            .lines
            .get(first + 1..end)?
            .iter()
            .all(|line| is_filler(line) || indent(line) > dash);
        let next = self.lines.iter().skip(end).find(|line| !is_filler(line));
        // What follows on a deeper level would still belong to the item.
        let ends = next.is_none_or(|line| indent(line) <= dash);
        (starts_map && inside && ends && end > first).then_some(Item { first, end, dash, key })
    }

    /// What stands at the column of an item's keys, where a key begins there.
    fn at_key(&self, item: &Item, index: usize) -> Option<&'t str> {
        let line = self.line(index)?;
        let is_key = index == item.first || (!is_filler(line) && indent(line) == item.key);
        is_key.then(|| line.get(item.key..)).flatten()
    }

    /// The lines at which keys of an item begin, with the keys.
    pub(super) fn keys(&self, item: &Item) -> Vec<(usize, &'t str)> {
        let lines = (item.first..item.end).filter_map(|index| {
            let text = self.at_key(item, index).filter(|text| !text.starts_with('-'))?;
            Some((index, text.split_once(':')?.0))
        });
        lines.collect()
    }

    /// The list behind a key of an item.
    pub(super) fn list(&self, item: &Item, key: &str) -> Option<List<'t>> {
        let (line, _) = self.keys(item).into_iter().find(|(_, found)| *found == key)?;
        let whole = self.line(line)?;
        let at = item.key + key.len() + 1;
        let rest = whole.get(at..)?;
        if is_filler(rest) {
            return self.block(item, line);
        }
        let open = at + indent(rest) + 1;
        let (before, inner) = whole.split_at_checked(open)?;
        let (entries, close) = entries(inner, before.ends_with('['))?;
        let after = inner.get(close..)?;
        let tail = after.get(1..)?;
        let next = self.keys(item).into_iter().find(|(index, _)| *index > line);
        let filler = self.lines.get(line + 1..next.map_or(item.end, |(index, _)| index))?.iter();
        (is_filler(tail) && filler.into_iter().all(|line| is_filler(line))).then_some(List {
            line,
            end: line + 1,
            entries: Entries::Flow { before, entries, after },
        })
    }

    fn block(&self, item: &Item, line: usize) -> Option<List<'t>> {
        let first =
            (line + 1..item.end).find(|index| self.line(*index).is_some_and(|l| !is_filler(l)))?;
        let dash = indent(self.line(first)?);
        if dash < item.key {
            return None;
        }
        let mut entries: Vec<(usize, usize)> = Vec::new();
        // Comments belong to what they stand above.
        let mut start = line + 1;
        let mut end = line + 1;
        for index in line + 1..item.end {
            let text = self.line(index)?;
            if is_filler(text) {
                continue;
            }
            let begins = indent(text) == dash && text.trim_start().starts_with("- ");
            if begins {
                if let Some(last) = entries.last_mut() {
                    last.1 = end;
                    start = end;
                }
                entries.push((start, index + 1));
            } else if indent(text) <= dash {
                break;
            }
            end = index + 1;
        }
        entries.last_mut()?.1 = end;
        Some(List { line, end, entries: Entries::Block(entries) })
    }

    /// Lines with their ends.
    pub(super) fn text(&self, first: usize, end: usize) -> Option<String> {
        Some(self.lines.get(first..end)?.iter().map(|line| format!("{line}\n")).collect())
    }

    /// The lines of a list with some of its entries only, by their indexes. A list that would be empty is none.
    pub(super) fn with(&self, list: &List<'t>, kept: &[usize]) -> Option<String> {
        let mut text = String::new();
        match &list.entries {
            Entries::Block(entries) => {
                text.push_str(&self.text(list.line, list.line + 1)?);
                for index in kept {
                    let (first, end) = *entries.get(*index)?;
                    text.push_str(&self.text(first, end)?);
                }
            }
            Entries::Flow { before, entries, after } => {
                let kept: Option<Vec<&str>> =
                    kept.iter().map(|index| entries.get(*index).copied()).collect();
                text.push_str(&format!("{before}{}{after}\n", kept?.join(", ")));
            }
        }
        (!kept.is_empty()).then_some(text)
    }
}

impl List<'_> {
    pub(super) fn len(&self) -> usize {
        match &self.entries {
            Entries::Block(entries) => entries.len(),
            Entries::Flow { entries, .. } => entries.len(),
        }
    }
}

/// The entries of a list in brackets, from behind the opening one, and where the closing one is.
fn entries(text: &str, opened: bool) -> Option<(Vec<&str>, usize)> {
    let (mut depth, mut quote, mut start) = (0usize, None, 0);
    let mut found = Vec::new();
    for (at, byte) in text.bytes().enumerate().filter(|_| opened) {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            // Escapes in quotes, and comments, are more than is read here.
            (_, b'\\' | b'#') => return None,
            (Some(_), _) => {}
            (None, b'[' | b'{') => depth += 1,
            (None, b']') if depth == 0 => {
                let last = text.get(start..at)?.trim();
                found.extend((!last.is_empty()).then_some(last));
                return Some((found, at));
            }
            (None, b']' | b'}') => depth = depth.checked_sub(1)?,
            (None, b',') if depth == 0 => {
                found.push(text.get(start..at)?.trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    None
}

/// How many blanks a line begins with.
pub(super) fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// A blank line or a comment.
pub(super) fn is_filler(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}
