//! Policies that are called a denial and are none.

use crate::model::{Direction, NamespaceMatch, PeerKind, Policy, Rule as PolicyRule};
use crate::report::{Fix, FixKind, Message, Persona, Severity};
use crate::rules::granted::Granted;
use crate::rules::grants;
use crate::rules::snapshot::is_dns_only;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "name-contradicts-effect",
    severity: Severity::High,
    persona: Persona::Regular,
    lesson: false,
    catches: "A policy that is called a default deny and lets traffic through.",
    why: "Everybody relies on the name. The usual cause is one character: `ingress: [{}]`, or `- {}`, is one rule that \
          allows everything, and `ingress: []` is no rule. Names that say what they let through (`deny-from-other-namespaces`, \
          `default-deny-except-dns`), rules for pods of the own namespace and rules for DNS are left alone.",
    fix: "Take the rules out of it, or give them to a policy whose name says whom it lets through.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny-ingress, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress:
  - {}
",
    ),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny-from-other-namespaces, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny-ingress, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress: []
",
    ),
    check: Check::Side(check),
};

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        let Some(promise) = promise(&policy.id.name) else { continue };
        for direction in Direction::BOTH {
            drafts.extend(broken(snapshot, policy, direction, promise));
        }
    }
    Ok(drafts)
}

/// What a name promises to deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promise {
    /// Everything in this direction.
    One(Direction),
    /// Everything in both directions.
    Both,
    /// Everything, in directions that the name does not say.
    Some,
}

/// Words that may follow, or stand between, without taking anything back.
const HARMLESS: [&str; 18] = [
    "all",
    "any",
    "traffic",
    "ingress",
    "egress",
    "inbound",
    "outbound",
    "incoming",
    "outgoing",
    "and",
    "policy",
    "policies",
    "network",
    "networkpolicy",
    "netpol",
    "np",
    "by",
    "default",
];

/// Words that turn what follows into something else.
const TURNING: [&str; 12] = [
    "allow", "no", "not", "non", "without", "disable", "undo", "except", "before", "after", "from",
    "bypass",
];

/// `None`: the name promises nothing, or takes something back.
fn promise(name: &str) -> Option<Promise> {
    let words: Vec<String> =
        name.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_lowercase).collect();
    let starts = |pair: &[String]| match pair {
        [one, other] => {
            matches!((one.as_str(), other.as_str()), ("deny", "all") | ("default", "deny"))
        }
        _ => false,
    };
    let at = words.windows(2).position(starts)?;
    let before = words.get(..at)?;
    let rest = words.get(at + 2..)?;
    let is_number = |word: &str| word.chars().all(|c| c.is_ascii_digit());
    let keeps = |word: &String| HARMLESS.contains(&word.as_str()) || is_number(word);
    if before.iter().any(|word| TURNING.contains(&word.as_str())) || !rest.iter().all(keeps) {
        return None;
    }
    let names = |words: [&str; 3]| rest.iter().any(|word| words.contains(&word.as_str()));
    let ingress = names(["ingress", "inbound", "incoming"]);
    let egress = names(["egress", "outbound", "outgoing"]);
    Some(match (ingress, egress) {
        (true, true) => Promise::Both,
        (true, false) => Promise::One(Direction::Ingress),
        (false, true) => Promise::One(Direction::Egress),
        (false, false) => Promise::Some,
    })
}

fn broken(
    snapshot: &Snapshot<'_, '_, '_>,
    policy: &Policy,
    direction: Direction,
    promise: Promise,
) -> Option<Draft> {
    let promised = match promise {
        Promise::One(one) => one == direction,
        Promise::Both | Promise::Some => true,
    };
    if !promised {
        return None;
    }
    let name = Message::default().name(&policy.id.name);
    let Some(section) = policy.section(direction) else {
        // A name that says no direction is kept in one.
        if promise == Promise::Some {
            return None;
        }
        let message = name
            .words(" denies no ")
            .words(direction.as_str())
            .words(": its policyTypes leave that direction out");
        let subject = format!("{direction} left out");
        let draft = Draft::policy(policy, &policy.directions_origin, subject, message);
        let types = match (direction, policy.section(other(direction)).is_some()) {
            (_, true) => "policyTypes: [Ingress, Egress]\n",
            (Direction::Ingress, false) => "policyTypes: [Ingress]\n",
            (Direction::Egress, false) => "policyTypes: [Egress]\n",
        };
        return Some(draft.fix(fix("name the direction", types)));
    };
    let lets_through = |rule: &&PolicyRule| reaches_outside(policy, rule) && !is_dns_only(rule);
    let worst =
        |rule: &&PolicyRule| (rule.peers.is_none(), rule.ports.is_none(), grants::canonical(rule));
    let broken = || section.rules.iter().filter(lets_through);
    let rule = broken().max_by_key(worst)?;
    let granted = broken().fold(Granted::default(), |all, rule| {
        all.and(&Granted::by_rule(snapshot, policy, direction, rule))
    });
    let message = name.words(" lets ").words(direction.as_str()).words(" through: ");
    let (message, severity) = match (&rule.peers, &rule.ports) {
        (None, None) => (
            message
                .words("a rule that is empty allows everything, and no rule at all (")
                .name("[]")
                .words(") nothing"),
            Severity::High,
        ),
        (None, Some(_)) => {
            (message.words("everybody on ").then(words::ports(rule)), Severity::High)
        }
        (Some(peers), _) => {
            let first = peers.iter().find(|peer| outside(policy, &peer.kind))?;
            let message = message.then(words::peer(&first.kind)).words(" on ");
            (message.then(words::ports(rule)), Severity::Medium)
        }
    };
    let subject =
        format!("{direction} {} {}", words::canonical_peers(rule), words::canonical_ports(rule));
    let text = match direction {
        Direction::Ingress => "ingress: []\n",
        Direction::Egress => "egress: []\n",
    };
    let draft = Draft::policy(policy, &rule.origin, subject, message).severity(severity);
    let draft = draft.granted(granted);
    Some(draft.fix(fix("deny it, and allow what is needed in policies of their own", text)))
}

fn other(direction: Direction) -> Direction {
    match direction {
        Direction::Ingress => Direction::Egress,
        Direction::Egress => Direction::Ingress,
    }
}

fn fix(description: &'static str, replacement: &str) -> Fix {
    Fix {
        kind: FixKind::Behavioural,
        description: Message::new(description),
        replacement: Some(replacement.into()),
        location: None,
        diff: None,
        removes: Vec::new(),
    }
}

fn reaches_outside(policy: &Policy, rule: &PolicyRule) -> bool {
    rule.peers.as_ref().is_none_or(|peers| peers.iter().any(|peer| outside(policy, &peer.kind)))
}

/// Does a peer match anything outside of the policy's own namespace?
fn outside(policy: &Policy, peer: &PeerKind) -> bool {
    match peer {
        PeerKind::Block(_) => true,
        PeerKind::Pods { namespaces: NamespaceMatch::Name(name), .. } => {
            Some(name) != policy.id.namespace.as_ref()
        }
        PeerKind::Pods { namespaces: NamespaceMatch::Labels(selector), .. } => {
            let own = policy.id.namespace.as_deref().unwrap_or_default();
            *selector != words::namespace_named(own)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::{Promise, RULE, promise};
    use crate::model::Direction;
    use crate::report::Severity;

    #[test]
    fn names() {
        for (name, found) in [
            ("default-deny", Some(Promise::Some)),
            ("deny-all", Some(Promise::Some)),
            ("shop-default-deny-all", Some(Promise::Some)),
            ("default-deny-ingress", Some(Promise::One(Direction::Ingress))),
            ("deny-all-egress-traffic", Some(Promise::One(Direction::Egress))),
            ("default-deny-ingress-and-egress", Some(Promise::Both)),
            ("default-deny-except-dns", None),
            ("deny-all-from-other-namespaces", None),
            ("deny-from-other-namespaces", None),
            ("default-deny-allow-dns", None),
            ("allow-before-default-deny", None),
            ("no-default-deny", None),
            ("default", None),
            ("db-allow-ingress", None),
        ] {
            assert_eq!(promise(name), found, "{name}");
        }
    }

    fn told_of(name: &str, spec: &str) -> Vec<Severity> {
        let policy = format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}, namespace: shop}}, \
             spec: {{podSelector: {{}}, {spec}}}}}"
        );
        told(RULE.id, &policy).iter().map(|finding| finding.severity).collect()
    }

    #[test]
    fn what_a_denial_may_not_do() {
        for (name, spec, severity) in [
            ("default-deny", "ingress: [{}]", Severity::High),
            (
                "default-deny",
                "policyTypes: [Ingress], ingress: [{ports: [{port: 80}]}]",
                Severity::High,
            ),
            ("default-deny-egress", "policyTypes: [Ingress]", Severity::High),
            ("deny-all", "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]", Severity::Medium),
            (
                "deny-all",
                "ingress: [{from: [{namespaceSelector: {matchLabels: {a: b}}}]}]",
                Severity::Medium,
            ),
        ] {
            assert_eq!(told_of(name, spec), [severity], "{name} {spec}");
        }
    }

    #[test]
    fn what_a_denial_may_do() {
        const OWN: &str = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}";
        let own = format!("ingress: [{{from: [{{{OWN}}}]}}]");
        for (name, spec) in [
            ("default-deny", "policyTypes: [Ingress]"),
            ("default-deny", "policyTypes: [Egress]"),
            ("deny-all", "policyTypes: [Ingress, Egress], ingress: [], egress: []"),
            ("default-deny", "ingress: [{from: [{podSelector: {}}]}]"),
            ("default-deny", &own),
            ("default-deny-ingress", "policyTypes: [Ingress, Egress], egress: [{}]"),
            (
                "default-deny",
                "policyTypes: [Egress], egress: [{ports: [{port: 53, protocol: UDP}]}]",
            ),
            ("deny-from-other-namespaces", "ingress: [{from: [{podSelector: {}}]}]"),
        ] {
            assert_eq!(told_of(name, spec), [], "{name} {spec}");
        }
    }
}
