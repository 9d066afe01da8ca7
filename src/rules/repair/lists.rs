//! Edits of lists: entries that go, rules that are taken apart.

use super::Group;
use super::page::{Item, Page, indent, is_filler};
use super::text::Replacement;
use crate::model::Origin;

impl Page<'_> {
    /// Takes the dash of the second peer away.
    pub(super) fn join(&self, second: &Origin) -> Option<Replacement> {
        let item = self.item(second)?;
        let line = self.line(item.first)?;
        let (margin, rest) = line.split_at_checked(item.dash)?;
        let text = format!("{margin} {}\n", rest.strip_prefix('-')?);
        Replacement::of(item.first, item.first + 1, text)
    }

    /// Takes an item away, with the comments right above it. Of the only one the list stays, empty.
    pub(super) fn remove(&self, what: &Origin) -> Option<Replacement> {
        let item = self.item(what)?;
        let mut first = item.first;
        while first > 0
            && self
                .line(first - 1)
                .is_some_and(|line| line.trim_start().starts_with('#') && indent(line) == item.dash)
        {
            first -= 1;
        }
        if self.has_siblings(&item, first) {
            return Replacement::of(first, item.end, String::new());
        }
        let above = self.line(first.checked_sub(1)?)?;
        let key = above.trim_end().strip_suffix(':')?;
        let is_key = indent(above) <= item.dash
            && key.trim_start().bytes().all(|byte| byte.is_ascii_alphabetic());
        is_key.then(|| Replacement::of(first - 1, item.end, format!("{key}: []\n"))).flatten()
    }

    fn has_siblings(&self, item: &Item, first: usize) -> bool {
        let sibling =
            |line: &&&str| indent(line) == item.dash && line.trim_start().starts_with('-');
        // A list may stand at the column of its key, which ends it.
        let near = |line: &&&str| {
            is_filler(line)
                || indent(line) > item.dash
                || (indent(line) == item.dash && line.trim_start().starts_with('-'))
        };
        let before = self.lines.get(..first).unwrap_or_default();
        self.lines.iter().skip(item.end).take_while(near).any(|line| sibling(&line))
            || before.iter().rev().take_while(near).any(|line| sibling(&line))
    }

    /// Takes ports out of a rule, by their indexes.
    pub(super) fn drop_ports(&self, rule: &Origin, dropped: &[usize]) -> Option<Replacement> {
        let item = self.item(rule)?;
        let list = self.list(&item, "ports")?;
        let kept: Vec<usize> = (0..list.len()).filter(|index| !dropped.contains(index)).collect();
        Replacement::of(list.line, list.end, self.with(&list, &kept)?)
    }

    /// One rule for each group in place of one.
    pub(super) fn split(&self, rule: &Origin, groups: &[Group]) -> Option<Replacement> {
        let item = self.item(rule)?;
        let keys: Vec<&str> = self.keys(&item).into_iter().map(|(_, key)| key).collect();
        let [one, other] = keys.as_slice() else { return None };
        let (lists, peers_first) = match (*one, *other) {
            (peers @ ("from" | "to"), "ports") => ((peers, "ports"), true),
            ("ports", peers @ ("from" | "to")) => ((peers, "ports"), false),
            _ => return None,
        };
        let (peers, ports) = (self.list(&item, lists.0)?, self.list(&item, lists.1)?);
        // What stands between the two would be lost.
        let within = |index: usize| {
            [&peers, &ports].iter().any(|list| (list.line..list.end).contains(&index))
        };
        let between = (item.first..item.end).filter(|index| !within(*index));
        if between.into_iter().any(|index| self.line(index).is_none_or(|l| !l.trim().is_empty())) {
            return None;
        }
        let all = groups.iter().all(|group| {
            group.peers.iter().all(|peer| *peer < peers.len())
                && group.ports.iter().all(|port| *port < ports.len())
        });
        let mut text = String::new();
        for group in groups.iter().filter(|_| all) {
            let both = [self.with(&peers, &group.peers)?, self.with(&ports, &group.ports)?];
            let [first, second] = if peers_first {
                both
            } else {
                let [a, b] = both;
                [b, a]
            };
            // The dash stands before whichever key comes first.
            let body = first.get(item.key..)?;
            let dash = self.line(item.first)?.get(..item.key)?;
            text.push_str(&format!("{dash}{body}{second}"));
        }
        all.then(|| Replacement::of(item.first, item.end, text)).flatten()
    }

    /// Adds lines of a key behind the last line of an item.
    pub(super) fn append(&self, within: &Origin, lines: &[String]) -> Option<Replacement> {
        let item = self.item(within)?;
        let margin = " ".repeat(item.key);
        let mut text = format!("{}\n", self.line(item.end - 1)?);
        for line in lines {
            text.push_str(&format!("{margin}{line}\n"));
        }
        Replacement::of(item.end - 1, item.end, text)
    }

    /// Leaves addresses out of a block that leaves none out yet.
    pub(super) fn except(
        &self,
        peer: &Origin,
        block: &str,
        except: &[String],
    ) -> Option<Replacement> {
        let (first, end) = Self::span(peer);
        let list: Vec<String> = except
            .iter()
            .map(|net| if net.contains(':') { format!("\"{net}\"") } else { net.clone() })
            .collect();
        let list = format!("except: [{}]", list.join(", "));
        let written = [block.to_string(), format!("\"{block}\""), format!("'{block}'")];
        let wanted = written.map(|value| format!("cidr: {value}"));
        let mut found = None;
        for index in first..end {
            let line = self.line(index)?;
            for wanted in &wanted {
                for (at, _) in line.match_indices(wanted.as_str()) {
                    let behind = at + wanted.len();
                    let rest = line.get(behind..)?;
                    if !rest.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                        // Two of them: nobody can tell which one it is.
                        if found.replace((index, at, behind)).is_some() {
                            return None;
                        }
                    }
                }
            }
        }
        let (index, at, behind) = found?;
        let line = self.line(index)?;
        let (before, rest) = line.split_at_checked(behind)?;
        let text = match rest.trim_start().chars().next() {
            Some('}' | ',') => format!("{before}, {list}{rest}\n"),
            _ if is_filler(rest) && line.get(..at)?.trim().is_empty() => {
                format!("{line}\n{}{list}\n", " ".repeat(at))
            }
            _ => return None,
        };
        Replacement::of(index, index + 1, text)
    }
}
