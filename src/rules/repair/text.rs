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
mod tests {
    use super::super::Group;
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
        let only = "egress:\n# the one\n- to: []\nx: 1\n";
        assert_eq!(
            mended(only, &Mend::Remove { what: origin(3, 3) }).as_deref(),
            Some("egress: []\nx: 1\n")
        );
        let commented = "egress: # all\n- to: []\nx: 1\n";
        assert_eq!(mended(commented, &Mend::Remove { what: origin(2, 2) }), None);
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

    #[test]
    fn the_new_policy_has_the_labels_of_the_old_one() {
        let text = "kind: NetworkPolicy\nmetadata: # whose\n    labels:\n        name: team\n    # its own\n    name: api\nspec:\n  podSelector: {}\n  egress:\n  - ports: [{port: 53}]\n  - to: []\n";
        let mend = |end| Mend::Extract {
            policy: origin(1, end),
            rule: origin(end - 1, end - 1),
            subject: origin(end - 3, end - 3),
            name: "api-dns".into(),
            namespace: "shop".into(),
        };
        let expected =
            "metadata: # whose\n    labels:\n        name: team\n    name: api-dns\nspec:\n";
        let new = mended(text, &mend(11)).expect("an edit");
        assert!(new.ends_with(&format!("{expected}  podSelector: {{}}\n  policyTypes: [Egress]\n  egress:\n  - ports: [{{port: 53}}]\n")), "{new}");
        let flow = "kind: NetworkPolicy\nmetadata: {name: api, labels: {a: b}}\nspec:\n  podSelector: {}\n  egress:\n  - ports: [{port: 53}]\n  - to: []\n";
        assert_eq!(mended(flow, &mend(7)), None);
        let plain = flow.replace(", labels: {a: b}", "");
        assert!(mended(&plain, &mend(7)).expect("an edit").contains("  namespace: shop\nspec:"));
    }

    #[test]
    fn ports_go_however_they_are_listed() {
        let drop = |text: &str, last| {
            mended(text, &Mend::DropPorts { rule: origin(2, last), dropped: vec![1] })
        };
        let block = "ingress:\n- ports:\n  # the one\n  - port: 80\n  # the other\n  - port: 81\n    protocol: TCP\n  from: []\n";
        assert_eq!(
            drop(block, 8).as_deref(),
            Some("ingress:\n- ports:\n  # the one\n  - port: 80\n  from: []\n")
        );
        let flow = "ingress:\n  - ports: [{port: 80}, {port: 81}, {port: \"a,b\"}] # three\n";
        assert_eq!(
            drop(flow, 2).as_deref(),
            Some("ingress:\n  - ports: [{port: 80}, {port: \"a,b\"}] # three\n")
        );
        for unknown in [
            "ingress:\n- ports: [{port: 80},\n    {port: 81}]\n",
            "ingress:\n- {ports: [{port: 80}, {port: 81}]}\n",
            "ingress:\n- ports: &all [{port: 80}, {port: 81}]\n",
            "ingress:\n- ports: [{port: \"8\\x30\"}, {port: 81}]\n",
        ] {
            let last = u32::try_from(unknown.lines().count()).expect("few");
            assert_eq!(drop(unknown, last), None, "{unknown}");
        }
    }

    #[test]
    fn a_rule_becomes_several() {
        let group = |peers: &[usize], ports: &[usize]| Group {
            peers: peers.to_vec(),
            ports: ports.to_vec(),
        };
        let groups = vec![group(&[0], &[1]), group(&[1], &[0, 2])];
        let text = "egress:\n# all\n- to:\n  - podSelector: {}\n    namespaceSelector: {}\n  # web\n  - ipBlock: {}\n  ports: [a, b, c]\n- {}\n";
        assert_eq!(
            mended(text, &Mend::Split { rule: origin(3, 8), groups: groups.clone() }).as_deref(),
            Some(
                "egress:\n# all\n- to:\n  - podSelector: {}\n    namespaceSelector: {}\n  ports: [b]\n- to:\n  # web\n  - ipBlock: {}\n  ports: [a, c]\n- {}\n"
            )
        );
        let said = text.replace("  ports: [a", "  # for these\n  ports: [a");
        let split = Mend::Split { rule: origin(3, 9), groups: groups.clone() };
        assert_eq!(mended(&said, &split), None, "a comment would be lost");
        let ports_first =
            "egress:\n-   ports:\n    - port: 1\n    - port: 2\n    - port: 3\n    to: [x, y]\n";
        assert_eq!(
            mended(ports_first, &Mend::Split { rule: origin(2, 6), groups }).as_deref(),
            Some(
                "egress:\n-   ports:\n    - port: 2\n    to: [x]\n-   ports:\n    - port: 1\n    - port: 3\n    to: [y]\n"
            )
        );
    }

    #[test]
    fn addresses_are_left_out_of_the_block_that_is_meant() {
        let except = |text: &str| {
            let (block, except) = ("0.0.0.0/0".to_string(), vec!["10.0.0.0/8".to_string()]);
            mended(text, &Mend::Except { peer: origin(1, 9), block, except })
        };
        let pad = "\n".repeat(9);
        for (text, expected) in [
            (
                "- ipBlock: {cidr: 0.0.0.0/0} # all",
                Some("- ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]} # all"),
            ),
            (
                "- ipBlock:\n    cidr: \"0.0.0.0/0\" # all",
                Some("- ipBlock:\n    cidr: \"0.0.0.0/0\" # all\n    except: [10.0.0.0/8]"),
            ),
            ("- ipBlock: {cidr: 0.0.0.0/0}\n- ipBlock: {cidr: 0.0.0.0/0}", None),
            ("- ipBlock: {cidr: 10.0.0.0/8}", None),
        ] {
            let (text, expected) =
                (format!("{text}{pad}"), expected.map(|it| format!("{it}{pad}")));
            assert_eq!(except(&text), expected, "{text}");
        }
    }

    #[test]
    fn peers_are_added_and_narrowed() {
        let text = "egress:\n- ports: [{port: 53}]\n- to:\n  - namespaceSelector: {}\n";
        let labels = vec![("k8s-app".to_string(), "kube-dns".to_string())];
        let to = Mend::To {
            rule: origin(2, 2),
            namespace: "kube-system".into(),
            labels: labels.clone(),
        };
        assert_eq!(
            mended(text, &to).as_deref(),
            Some(
                "egress:\n- ports: [{port: 53}]\n  to:\n  - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}\n    \
                 podSelector: {matchLabels: {k8s-app: kube-dns}}\n- to:\n  - namespaceSelector: {}\n"
            )
        );
        let pods = Mend::Pods { peer: origin(4, 4), labels };
        assert_eq!(
            mended(text, &pods).as_deref(),
            Some(
                "egress:\n- ports: [{port: 53}]\n- to:\n  - namespaceSelector: {}\n    podSelector: {matchLabels: {k8s-app: kube-dns}}\n"
            )
        );
    }

    #[test]
    fn the_selector_of_a_peer_is_not_the_policys() {
        let labels = vec![("app".to_string(), "web".to_string())];
        let text = "kind: NetworkPolicy\nspec:\n  ingress:\n  - from: [{podSelector: {}}]\n";
        assert_eq!(mended(text, &Mend::Select { subject: origin(1, 4), labels }), None);
    }
}
