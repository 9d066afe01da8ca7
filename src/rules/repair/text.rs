//! Edits of a manifest's lines that keep everything else: comments, order, indentation.
//!
//! They know block style, and lists in brackets that stand in one line behind their key. What else stands in one
//! line with something is left to people: each function gives nothing then.

use super::Mend;
use super::page::{Page, indent, is_filler};
use crate::model::Origin;
use crate::rules::words::quoted;

/// Lines that stand in the place of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The first line that is replaced, from 1.
    pub first: u32,
    /// The last one.
    pub last: u32,
    /// What stands there instead, each line with its end; empty: nothing.
    pub text: String,
}

impl Replacement {
    /// Of lines counted from 0, the last one excluded.
    pub(super) fn of(first: usize, end: usize, text: String) -> Option<Self> {
        let (first, last) = (u32::try_from(first).ok()?.checked_add(1)?, u32::try_from(end).ok()?);
        Some(Self { first, last, text })
    }

    /// The text with the lines replaced.
    pub fn apply(&self, text: &str) -> String {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let first = (self.first as usize).saturating_sub(1).min(lines.len());
        let last = (self.last as usize).clamp(first, lines.len());
        let before: String = lines.get(..first).unwrap_or_default().concat();
        let after: String = lines.get(last..).unwrap_or_default().concat();
        format!("{before}{}{after}", self.text)
    }
}

/// What to write for a mend, in a text whose lines end with `\n`; nothing where the text is not such that it can be
/// told.
pub fn replacement(text: &str, mend: &Mend) -> Option<Replacement> {
    let lines: Vec<&str> = text.lines().collect();
    let page = Page { lines: &lines };
    match mend {
        Mend::JoinPeers { second } => page.join(second),
        Mend::Remove { what } => page.remove(what),
        Mend::DropPorts { rule, dropped } => page.drop_ports(rule, dropped),
        Mend::Split { rule, groups } => page.split(rule, groups),
        Mend::Except { peer, block, except } => page.except(peer, block, except),
        Mend::Ports { rule, ports } => {
            let port = |(protocol, port): &(String, u16)| {
                format!("- {{port: {port}, protocol: {protocol}}}")
            };
            let lines: Vec<String> =
                std::iter::once("ports:".into()).chain(ports.iter().map(port)).collect();
            page.append(rule, &lines)
        }
        Mend::To { rule, namespace, labels } => {
            let namespace =
                format!("{}: {}", crate::model::NAMESPACE_NAME_LABEL, quoted(namespace));
            let lines = [
                "to:".into(),
                format!("- namespaceSelector: {{matchLabels: {{{namespace}}}}}"),
                format!("  podSelector: {{matchLabels: {{{}}}}}", pairs(labels)),
            ];
            page.append(rule, &lines)
        }
        Mend::Pods { peer, labels } => {
            page.append(peer, &[format!("podSelector: {{matchLabels: {{{}}}}}", pairs(labels))])
        }
        Mend::Pin { peer, namespace } => page.pin(peer, namespace),
        Mend::Select { subject, labels } => page.select(subject, labels),
        Mend::Types { subject, types } => page.types(subject, types),
        Mend::Extract { policy, rule, subject, name, namespace } => {
            page.extract(policy, rule, subject, (name, namespace))
        }
    }
}

fn pairs(labels: &[(String, String)]) -> String {
    let labels: Vec<String> =
        labels.iter().map(|(key, value)| format!("{key}: {}", quoted(value))).collect();
    labels.join(", ")
}

impl<'t> Page<'t> {
    /// Gives an empty namespaceSelector of a peer a name.
    fn pin(&self, peer: &Origin, namespace: &str) -> Option<Replacement> {
        let label = format!("{}: {}", crate::model::NAMESPACE_NAME_LABEL, quoted(namespace));
        self.fill(
            peer,
            "namespaceSelector: {}",
            &format!("namespaceSelector: {{matchLabels: {{{label}}}}}"),
        )
    }

    fn select(&self, subject: &Origin, labels: &[(String, String)]) -> Option<Replacement> {
        let (first, _) = Self::span(subject);
        // A policy without a selector has peers with one.
        let before = self.line(first)?.split_once("podSelector: {}")?.0;
        let own = before.trim().is_empty() || before.trim_start() == "spec: {";
        let full = format!("podSelector: {{matchLabels: {{{}}}}}", pairs(labels));
        own.then(|| self.fill(subject, "podSelector: {}", &full)).flatten()
    }

    /// Puts one text in the place of another that stands once in these lines.
    fn fill(&self, within: &Origin, empty: &str, full: &str) -> Option<Replacement> {
        let (first, end) = Self::span(within);
        let mut found =
            (first..end).filter(|index| self.line(*index).is_some_and(|line| line.contains(empty)));
        let (index, None) = (found.next()?, found.next()) else { return None };
        let line = self.line(index)?;
        let code = line.split(" #").next()?;
        (code.matches(empty).count() == 1).then(|| {
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            Replacement {
                first: number,
                last: number,
                text: format!("{}\n", line.replacen(empty, full, 1)),
            }
        })
    }

    /// Says the directions behind the selector.
    fn types(&self, subject: &Origin, types: &[&str]) -> Option<Replacement> {
        let (first, end) = Self::span(subject);
        let line = self.line(first)?;
        line.trim_start().strip_prefix("podSelector:")?;
        let text = format!(
            "{}\n{}policyTypes: [{}]\n",
            self.line(end - 1)?,
            " ".repeat(indent(line)),
            types.join(", ")
        );
        let last = u32::try_from(end).ok()?;
        Some(Replacement { first: last, last, text })
    }

    /// Moves a rule into a policy of its own, behind the one that it stands in.
    fn extract(
        &self,
        policy: &Origin,
        rule: &Origin,
        subject: &Origin,
        (name, namespace): (&str, &str),
    ) -> Option<Replacement> {
        let gone = self.remove(rule).filter(|gone| gone.text.is_empty())?;
        let namespace = quoted(namespace);
        let (_, end) = Self::span(policy);
        let selector = self.section(subject, "podSelector:")?;
        let item = self.item(rule)?;
        let mut text = String::new();
        let kept = self.lines.get(gone.last as usize..end)?;
        for line in kept {
            text.push_str(&format!("{line}\n"));
        }
        let metadata = self.metadata(policy, name, &namespace)?;
        text.push_str(&format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n{metadata}spec:\n"
        ));
        for line in selector {
            text.push_str(&format!("  {line}\n"));
        }
        text.push_str("  policyTypes: [Egress]\n  egress:\n");
        for line in self.lines.get(gone.first as usize - 1..item.end)? {
            text.push_str(&format!("  {}\n", line.get(item.dash.min(indent(line))..)?));
        }
        Some(Replacement { first: gone.first, last: u32::try_from(end).ok()?, text })
    }

    /// The metadata of a policy for another one of that name: labels and annotations may decide what is applied.
    fn metadata(&self, policy: &Origin, name: &str, namespace: &str) -> Option<String> {
        let (start, end) = Self::span(policy);
        let own = format!("metadata:\n  name: {name}\n  namespace: {namespace}\n");
        let mut lines =
            self.lines.get(start..end)?.iter().skip_while(|line| !line.starts_with("metadata:"));
        let Some(first) = lines.next() else {
            return Some(own);
        };
        let rest = first.strip_prefix("metadata:")?;
        if !is_filler(rest) {
            let more = ["labels", "annotations"].iter().any(|key| first.contains(key));
            let whole = rest.trim_start().starts_with('{') && rest.contains('}');
            return (whole && !more).then_some(own);
        }
        let block: Vec<&&str> =
            lines.take_while(|line| is_filler(line) || line.starts_with(' ')).collect();
        let margin = block.iter().find(|line| !is_filler(line)).map(|line| indent(line))?;
        let mut text = format!("{first}\n");
        let mut named = false;
        for line in block.iter().filter(|line| !is_filler(line)) {
            let is_name = indent(line) == margin && line.trim_start().starts_with("name:");
            named |= is_name;
            match is_name {
                true => text.push_str(&format!("{}name: {name}\n", " ".repeat(margin))),
                false => text.push_str(&format!("{line}\n")),
            }
        }
        named.then_some(text)
    }

    /// The lines of a section, moved to the left margin.
    fn section(&self, origin: &Origin, key: &str) -> Option<Vec<&'t str>> {
        let (first, end) = Self::span(origin);
        let margin = indent(self.line(first)?);
        self.line(first)?.trim_start().strip_prefix(key)?;
        let lines = self.lines.get(first..end)?.iter().filter(|line| !line.trim().is_empty());
        lines.map(|line| line.get(margin.min(indent(line))..)).collect()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
