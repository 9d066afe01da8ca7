//! Edits of a manifest's lines that keep everything else: comments, order, indentation.
//!
//! They know block style. What stands in one line with something else is left to people: each function
//! gives nothing then.

use super::Mend;
use crate::model::Origin;

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

/// What to write for a mend; nothing where the text is not such that it can be told.
pub fn replacement(text: &str, mend: &Mend) -> Option<Replacement> {
    let lines: Vec<&str> = text.lines().collect();
    let page = Page { lines: &lines };
    match mend {
        Mend::JoinPeers { second } => page.join(second),
        Mend::Remove { what } => page.remove(what),
        Mend::Ports { rule, ports } => page.ports(rule, ports),
        Mend::Pin { peer, namespace } => page.pin(peer, namespace),
        Mend::Select { subject, labels } => page.select(subject, labels),
        Mend::Types { subject, types } => page.types(subject, types),
        Mend::Extract { policy, rule, subject, name, namespace } => {
            page.extract(policy, rule, subject, (name, namespace))
        }
    }
}

struct Page<'t> {
    lines: &'t [&'t str],
}

/// An item of a list in block style.
#[derive(Clone, Copy)]
struct Item {
    first: usize,
    /// One behind its last line, comments and blank lines at its end left out.
    end: usize,
    /// The column of its dash.
    dash: usize,
    /// The column of its first key.
    key: usize,
}

impl<'t> Page<'t> {
    fn line(&self, index: usize) -> Option<&'t str> {
        self.lines.get(index).copied()
    }

    fn span(origin: &Origin) -> (usize, usize) {
        (origin.start_line.saturating_sub(1) as usize, origin.end_line as usize)
    }

    /// The item that these lines are, if they are one and nothing else.
    fn item(&self, origin: &Origin) -> Option<Item> {
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

    /// Takes the dash of the second peer away.
    fn join(&self, second: &Origin) -> Option<Replacement> {
        let item = self.item(second)?;
        let line = self.line(item.first)?;
        let (margin, rest) = line.split_at_checked(item.dash)?;
        let text = format!("{margin} {}\n", rest.strip_prefix('-')?);
        let number = u32::try_from(item.first).ok()? + 1;
        Some(Replacement { first: number, last: number, text })
    }

    fn remove(&self, what: &Origin) -> Option<Replacement> {
        let item = self.item(what)?;
        // The comments right above speak of it. The only item of a list must not go alone.
        let mut first = item.first;
        while first > 0
            && self
                .line(first - 1)
                .is_some_and(|line| line.trim_start().starts_with('#') && indent(line) == item.dash)
        {
            first -= 1;
        }
        let sibling =
            |line: &&&str| indent(line) == item.dash && line.trim_start().starts_with("- ");
        let near = |line: &&&str| is_filler(line) || indent(line) >= item.dash;
        let after = self.lines.iter().skip(item.end).take_while(near).any(|line| sibling(&line));
        let before =
            self.lines.get(..first)?.iter().rev().take_while(near).any(|line| sibling(&line));
        (before || after).then(|| Replacement {
            first: u32::try_from(first + 1).unwrap_or(u32::MAX),
            last: u32::try_from(item.end).unwrap_or(u32::MAX),
            text: String::new(),
        })
    }

    /// Adds ports behind the last line of a rule.
    fn ports(&self, rule: &Origin, ports: &[(String, u16)]) -> Option<Replacement> {
        let item = self.item(rule)?;
        let margin = " ".repeat(item.key);
        let mut text = format!("{}\n{margin}ports:\n", self.line(item.end - 1)?);
        for (protocol, port) in ports {
            text.push_str(&format!("{margin}- {{port: {port}, protocol: {protocol}}}\n"));
        }
        let last = u32::try_from(item.end).ok()?;
        Some(Replacement { first: last, last, text })
    }

    /// Gives an empty namespaceSelector of a peer a name.
    fn pin(&self, peer: &Origin, namespace: &str) -> Option<Replacement> {
        let label = format!("{}: {namespace}", crate::model::NAMESPACE_NAME_LABEL);
        self.fill(
            peer,
            "namespaceSelector: {}",
            &format!("namespaceSelector: {{matchLabels: {{{label}}}}}"),
        )
    }

    fn select(&self, subject: &Origin, labels: &[(String, String)]) -> Option<Replacement> {
        let labels: Vec<String> =
            labels.iter().map(|(key, value)| format!("{key}: {}", quoted(value))).collect();
        let full = format!("podSelector: {{matchLabels: {{{}}}}}", labels.join(", "));
        self.fill(subject, "podSelector: {}", &full)
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
        let gone = self.remove(rule)?;
        let (_, end) = Self::span(policy);
        let selector = self.section(subject, "podSelector:")?;
        let item = self.item(rule)?;
        let mut text = String::new();
        let kept = self.lines.get(gone.last as usize..end)?;
        for line in kept {
            text.push_str(&format!("{line}\n"));
        }
        text.push_str(&format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n"
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

    /// The lines of a section, moved to the left margin.
    fn section(&self, origin: &Origin, key: &str) -> Option<Vec<&'t str>> {
        let (first, end) = Self::span(origin);
        let margin = indent(self.line(first)?);
        self.line(first)?.trim_start().strip_prefix(key)?;
        let lines = self.lines.get(first..end)?.iter().filter(|line| !line.trim().is_empty());
        lines.map(|line| line.get(margin.min(indent(line))..)).collect()
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// A blank line or a comment.
fn is_filler(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// A label's value as YAML reads it as a string.
fn quoted(value: &str) -> String {
    let plain = value.starts_with(|c: char| c.is_ascii_alphabetic())
        && !matches!(value, "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n");
    if plain { value.into() } else { format!("\"{value}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(start_line: u32, end_line: u32) -> Origin {
        Origin { file: "f".into(), start_line, end_line }
    }

    fn mended(text: &str, mend: &Mend) -> Option<String> {
        replacement(text, mend).map(|replacement| replacement.apply(text))
    }

    #[test]
    fn two_peers_become_one() {
        let text = "from:\n- namespaceSelector:\n    matchLabels: {a: b}\n- podSelector: # who\n    matchLabels: {c: d}\nports: []\n";
        let mend = Mend::JoinPeers { second: origin(4, 5) };
        assert_eq!(
            mended(text, &mend).as_deref(),
            Some(
                "from:\n- namespaceSelector:\n    matchLabels: {a: b}\n  podSelector: # who\n    matchLabels: {c: d}\nports: []\n"
            )
        );
    }

    #[test]
    fn an_item_goes_with_its_comment_unless_it_is_the_only_one() {
        let text =
            "egress:\n# to all\n- {}\n# to one\n- to: [{podSelector: {}}]\n\n  ports: []\nx: 1\n";
        // A flow map behind the dash is no item that is known.
        assert_eq!(mended(text, &Mend::Remove { what: origin(3, 3) }), None);
        assert_eq!(
            mended(text, &Mend::Remove { what: origin(5, 7) }).as_deref(),
            Some("egress:\n# to all\n- {}\nx: 1\n")
        );
        let only = "egress:\n- to: []\nx: 1\n";
        assert_eq!(mended(only, &Mend::Remove { what: origin(2, 2) }), None);
    }

    #[test]
    fn ports_and_selectors_are_filled_in() {
        let text = "ingress:\n  - from:\n      - namespaceSelector: {}\n";
        let ports = vec![("TCP".to_string(), 5432)];
        assert_eq!(
            mended(text, &Mend::Ports { rule: origin(2, 3), ports }).as_deref(),
            Some(
                "ingress:\n  - from:\n      - namespaceSelector: {}\n    ports:\n    - {port: 5432, protocol: TCP}\n"
            )
        );
        assert_eq!(
            mended(text, &Mend::Pin { peer: origin(3, 3), namespace: "shop".into() }).as_deref(),
            Some(
                "ingress:\n  - from:\n      - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}\n"
            )
        );
        let labels = vec![("app".to_string(), "1".to_string())];
        assert_eq!(
            mended("podSelector: {}\n", &Mend::Select { subject: origin(1, 1), labels }).as_deref(),
            Some("podSelector: {matchLabels: {app: \"1\"}}\n")
        );
    }

    #[test]
    fn directions_are_said() {
        let text = "spec:\n  podSelector:\n    matchLabels: {a: b}\n  egress: []\n";
        let mend = Mend::Types { subject: origin(2, 3), types: vec!["Ingress"] };
        assert_eq!(
            mended(text, &mend).as_deref(),
            Some(
                "spec:\n  podSelector:\n    matchLabels: {a: b}\n  policyTypes: [Ingress]\n  egress: []\n"
            )
        );
    }

    #[test]
    fn a_rule_moves_into_a_policy_of_its_own() {
        let text = "kind: NetworkPolicy\nspec:\n  podSelector:\n    matchLabels: {a: b}\n  egress:\n  # names\n  - ports: [{port: 53}]\n  - to: []\n    ports: []\n";
        let mend = Mend::Extract {
            policy: origin(1, 9),
            rule: origin(7, 7),
            subject: origin(3, 4),
            name: "allow-egress-dns".into(),
            namespace: "shop".into(),
        };
        assert_eq!(
            mended(text, &mend).as_deref(),
            Some(
                "kind: NetworkPolicy\nspec:\n  podSelector:\n    matchLabels: {a: b}\n  egress:\n  - to: []\n    ports: []\n---\n\
                 apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: allow-egress-dns\n  namespace: shop\nspec:\n  \
                 podSelector:\n    matchLabels: {a: b}\n  policyTypes: [Egress]\n  egress:\n  # names\n  - ports: [{port: 53}]\n"
            )
        );
    }
}
