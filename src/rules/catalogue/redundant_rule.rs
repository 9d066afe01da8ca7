//! Rules that admit nothing that others do not.

use super::super::grants::{self, Grant, canonical, container, redundant};
use crate::model::{Direction, Origin};
use crate::report::{FixKind, Message, Persona, Severity};
use crate::rules::granted::Granted;
use crate::rules::repair::{Mend, Repair};
use crate::rules::snapshot::is_dns_only;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};
use memchr::memmem;
use std::collections::BTreeMap;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "redundant-rule",
    severity: Severity::Info,
    persona: Persona::Pedantic,
    lesson: false,
    catches: "A rule that can be taken away, and no flow changes, whatever pods there are.",
    why: "Policies add up, so a rule that others contain only costs its readers. Worse is a precise rule beside one \
          without peers: it looks like a limit and is none, and then the wide rule is what everybody is told of, once, \
          where it stands. What is compared is what the rules of all policies of the same pods admit, for pods that are \
          declared and for any other. Policies without rules are never meant: isolation is their effect. A rule \
          whose comment, in its lines or right above them, has the word `documentation` is left alone.",
    fix: "Delete the rule; where a wide rule makes precise ones useless, delete the wide one instead, once the precise \
          ones are complete.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: collector, namespace: shop}
spec:
  podSelector: {matchLabels: {app: collector}}
  policyTypes: [Egress]
  egress:
  - to: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 8443}]
  - {}
",
    ),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny-all, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: collector, namespace: shop}
spec:
  podSelector: {matchLabels: {app: collector}}
  policyTypes: [Egress]
  egress:
  - to: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 8443}]
  - to: [{podSelector: {matchLabels: {app: api, tier: front}}}]
    ports: [{port: 9090}]
",
    ),
    check: Check::Side(check),
};

/// How many policies a message names.
const NAMED: usize = 3;

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for namespace in grants::namespaces(snapshot) {
        for direction in Direction::BOTH {
            of_namespace(snapshot, namespace, direction, &mut drafts)?;
        }
    }
    Ok(drafts)
}

fn of_namespace(
    snapshot: &Snapshot<'_, '_, '_>,
    namespace: &str,
    direction: Direction,
    drafts: &mut Vec<Draft>,
) -> Result<(), crate::set::OverBudget> {
    let grants = snapshot.grants(namespace, direction)?;
    // What is said to everybody is said of wide rules.
    let everybody = snapshot.config.rules.persona < RULE.persona;
    if everybody && !grants.iter().any(is_wide) {
        return Ok(());
    }
    let mut encoder = snapshot.encoder();
    let found = redundant(&mut encoder, &grants)?;
    // By the wide rule that makes them useless, in the order of the grants.
    let mut beside: BTreeMap<usize, Vec<&Grant<'_>>> = BTreeMap::new();
    for index in &found {
        let Some(grant) = grants.get(*index) else { continue };
        if is_documentation(snapshot, &grant.rule.origin) {
            continue;
        }
        let kept = || grants.iter().enumerate().filter(|(other, _)| !found.contains(other));
        let others = || kept().map(|(_, other)| other);
        let wide = others().filter(|other| is_wide(other) && is_narrower(grant, other));
        if let Some(wide) = container(&mut encoder, wide, grant.flows)? {
            let place = kept().find(|(_, other)| std::ptr::eq(other.rule, wide.rule));
            beside.entry(place.map_or(0, |(place, _)| place)).or_default().push(grant);
            continue;
        }
        let one = container(&mut encoder, others(), grant.flows)?;
        let draft = narrow(direction, grant, one);
        drafts.push(draft.granted(granted(snapshot, grant)));
    }
    for (place, dead) in beside {
        let Some(wide) = grants.get(place) else { continue };
        drafts.push(dead_beside(direction, wide, &dead).granted(granted(snapshot, wide)));
    }
    Ok(())
}

/// Does a comment in the lines of a rule, or in those right above it, call it documentation?
fn is_documentation(snapshot: &Snapshot<'_, '_, '_>, origin: &Origin) -> bool {
    let Some(content) = snapshot.read.tree.files.get(&origin.file) else { return false };
    if memmem::find(content.bytes(), WORD.as_bytes()).is_none() {
        return false;
    }
    let text = String::from_utf8_lossy(content.bytes());
    let lines: Vec<&str> = text.lines().collect();
    let (first, end) = ((origin.start_line as usize).saturating_sub(1), origin.end_line as usize);
    let own = lines.get(first..end.min(lines.len())).unwrap_or_default();
    let above = lines.get(..first).unwrap_or_default().iter().rev();
    let above = above.take_while(|line| line.trim_start().starts_with('#'));
    own.iter().chain(above).any(|line| comment(line).is_some_and(|text| text.contains(WORD)))
}

/// What a comment has in it that is to leave its rule alone.
const WORD: &str = "documentation";

/// The comment of a line: behind a `#` that stands at its start or after a space, as YAML has it.
fn comment(line: &str) -> Option<&str> {
    let starts = line.match_indices('#').map(|(at, _)| line.split_at(at));
    starts.into_iter().find_map(|(before, comment)| {
        let starts = before.chars().next_back().is_none_or(char::is_whitespace);
        starts.then_some(comment)
    })
}

/// A rule for everybody, and not only for DNS.
fn is_wide(grant: &Grant<'_>) -> bool {
    grant.rule.peers.is_none() && !is_dns_only(grant.rule)
}

/// Does the rule look like a limit beside that one?
fn is_narrower(grant: &Grant<'_>, wide: &Grant<'_>) -> bool {
    grant.rule.peers.is_some() || (wide.rule.ports.is_none() && grant.rule.ports.is_some())
}

fn granted(snapshot: &Snapshot<'_, '_, '_>, grant: &Grant<'_>) -> Granted {
    Granted::by_rule(snapshot, grant.policy, grant.direction, grant.rule)
}

fn narrow(direction: Direction, grant: &Grant<'_>, by: Option<&Grant<'_>>) -> Draft {
    let message = Message::new("Adds nothing: ");
    let message = match by {
        Some(by) if by.policy.id == grant.policy.id => message
            .words("another rule of this policy, ")
            .then(place(by))
            .words(", admits all of it"),
        Some(by) => {
            let message = message.words("policy ").name(&by.policy.id).words(", ");
            message.then(place(by)).words(", admits all of it for these pods")
        }
        None => message.words("the other rules for these pods together admit all of it"),
    };
    let subject = format!("{direction} {}", canonical(grant.rule));
    Draft::policy(grant.policy, &grant.rule.origin, subject, message).repair(Repair {
        kind: FixKind::Equivalent,
        description: Message::new("delete the rule"),
        mend: Mend::Remove { what: grant.rule.origin.clone() },
    })
}

/// Which rule it is: by its peers and its ports, which stay when lines move.
fn place(grant: &Grant<'_>) -> Message {
    let (peers, ports) = (words::peers(grant.rule), words::ports(grant.rule));
    let message = Message::new(match grant.direction {
        Direction::Ingress => "from ",
        Direction::Egress => "to ",
    });
    message.then(peers).words(" on ").then(ports)
}

fn dead_beside(direction: Direction, wide: &Grant<'_>, dead: &[&Grant<'_>]) -> Draft {
    let mut names: Vec<String> = dead.iter().map(|grant| grant.policy.id.to_string()).collect();
    names.sort();
    names.dedup();
    let peers = match direction {
        Direction::Ingress => "This rule without `from` admits everybody on ",
        Direction::Egress => "This rule without `to` admits everything on ",
    };
    let message = Message::new(peers)
        .then(words::ports(wide.rule))
        .words(", so ")
        .count(dead.len(), "narrower rule has", "narrower rules have")
        .words(" no effect for these pods");
    let message = match names.as_slice() {
        [only] if *only == wide.policy.id.to_string() => message,
        _ => message.words(": in ").names(names, NAMED),
    };
    let subject = format!("wide {direction} {}", canonical(wide.rule));
    Draft::policy(wide.policy, &wide.rule.origin, subject, message)
        .severity(Severity::Medium)
        .persona(Persona::Regular)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::report::Persona;
    use crate::rules::catalogue::testing::findings;

    fn personas(specs: &[&str]) -> Vec<Persona> {
        let policies: Vec<String> = specs
            .iter()
            .enumerate()
            .map(|(nth, spec)| {
                format!(
                    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p{nth}, namespace: \
                     shop}}\nspec: {spec}\n"
                )
            })
            .collect();
        findings(RULE.id, &policies.join("---\n"), "").iter().map(|f| f.persona).collect()
    }

    const WEB: &str = "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: \
                       {matchLabels: {app: api}}}], ports: [{port: 80}]}]}";

    #[test]
    fn a_wide_rule_names_only_the_other_policies_that_it_makes_idle() {
        let pods = "podSelector: {matchLabels: {app: web}}, policyTypes: [Egress]";
        let to = "{to: [{podSelector: {matchLabels: {app: api}}}]}";
        let told = |specs: &[String]| {
            let policies = specs.iter().enumerate().map(|(nth, spec)| {
                format!(
                    "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p{nth}, namespace: \
                     shop}}, spec: {spec}}}\n"
                )
            });
            let found = findings(RULE.id, &policies.collect::<Vec<_>>().join("---\n"), "");
            found.iter().map(|finding| finding.message.to_string()).collect::<Vec<_>>()
        };
        let start = "This rule without `to` admits everything on all ports, so 1 narrower rule has no effect for \
                     these pods";
        assert_eq!(told(&[format!("{{{pods}, egress: [{{}}, {to}]}}")]), [start]);
        let apart = [format!("{{{pods}, egress: [{{}}]}}"), format!("{{{pods}, egress: [{to}]}}")];
        assert_eq!(told(&apart), [format!("{start}: in `shop/p1`")]);
    }

    fn lines(rules: &str) -> Vec<String> {
        let text = format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p, namespace: shop}}\nspec:\n  \
             podSelector: {{matchLabels: {{app: web}}}}\n  policyTypes: [Egress]\n  egress:\n{rules}"
        );
        findings(RULE.id, &text, "").iter().map(|finding| finding.message.to_string()).collect()
    }

    #[test]
    fn it_says_which_rule_contains_it() {
        let api = "{podSelector: {matchLabels: {app: api}}}";
        let both = format!("  - {{to: [{api}], ports: [{{port: 80}}]}}\n  - {{to: [{api}]}}\n");
        assert_eq!(
            lines(&both),
            [
                "Adds nothing: another rule of this policy, to pods `app=api` of `shop` on all ports, admits all of it"
            ]
        );
    }

    #[test]
    fn rules_for_documentation_are_left_alone() {
        let rule = "  - to: [{podSelector: {matchLabels: {app: api}}}]\n    ports: [{port: 80}]\n";
        let wide = "  - {}\n";
        for (rules, count) in [
            (format!("{rule}{wide}"), 1),
            (format!("  # for documentation only\n{rule}{wide}"), 0),
            (format!("  # for documentation,\n  # nothing else\n{rule}{wide}"), 0),
            (format!("{}{wide}", rule.replace("80}]", "80}] # documentation")), 0),
            // Not its own comment, and no comment.
            (format!("{rule}{wide}  # documentation\n"), 1),
            (format!("  # documentation\n\n{rule}{wide}"), 1),
            (format!("{}{wide}", rule.replace("app: api", "app: documentation")), 1),
            (format!("  # the documentation is elsewhere\n{wide}{rule}"), 1),
        ] {
            assert_eq!(lines(&rules).len(), count, "{rules}");
        }
        // One of several that are told together.
        let other = rule.replace("80", "81");
        let told = lines(&format!("  # documentation\n{rule}{other}{wide}"));
        assert!(told.len() == 1 && told.concat().contains("1 narrower rule has"), "{told:?}");
    }

    #[test]
    fn the_same_twice_is_told_once() {
        assert_eq!(personas(&[WEB, WEB]), [Persona::Pedantic]);
        let other_port = WEB.replace("80", "81");
        assert!(personas(&[WEB, &other_port]).is_empty());
    }

    #[test]
    fn of_other_pods_or_fewer() {
        let all = WEB.replace("{matchLabels: {app: web}}", "{}");
        assert_eq!(personas(&[WEB, &all]), [Persona::Pedantic]);
        let other = WEB.replace("app: web", "app: shop");
        assert!(personas(&[WEB, &other]).is_empty());
    }

    #[test]
    fn a_deny_and_dns_beside_narrow_rules() {
        let deny = "{podSelector: {}, policyTypes: [Ingress, Egress]}";
        let dns = "{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 53, protocol: UDP}]}]}";
        assert!(personas(&[deny, deny, WEB, dns]).is_empty());
        let precise = WEB.replace("port: 80", "port: 53, protocol: UDP");
        assert_eq!(personas(&[&precise, dns]), [Persona::Pedantic]);
    }

    #[test]
    fn many_beside_one_wide_rule_are_one_finding() {
        let all = "{podSelector: {}, policyTypes: [Egress], egress: [{}]}";
        let other = WEB.replace("80", "81");
        assert_eq!(personas(&[WEB, &other, all]), [Persona::Regular]);
    }

    #[test]
    fn ports_alone_are_a_limit_too() {
        let both = "{podSelector: {}, policyTypes: [Egress], egress: [{}, {ports: [{port: 443}]}]}";
        assert_eq!(personas(&[both]), [Persona::Regular]);
    }

    #[test]
    fn together_they_contain_it() {
        let range = |ports| WEB.replace("port: 80", ports);
        let (low, high) = (range("port: 70, endPort: 80"), range("port: 81, endPort: 90"));
        assert_eq!(personas(&[&low, &high, &range("port: 75, endPort: 85")]), [Persona::Pedantic]);
    }
}
