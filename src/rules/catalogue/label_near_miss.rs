//! Labels that nobody has, beside ones that somebody has.

use crate::model::{
    Direction, Labels, NamespaceMatch, Operator, PeerKind, PolicyId, Requirement, Selector,
    Workload,
};
use crate::report::{Fix, FixKind, Message, Persona, Severity};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot, words};
use std::collections::BTreeSet;
use std::sync::Arc;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "label-near-miss",
    severity: Severity::High,
    persona: Persona::Regular,
    lesson: false,
    catches: "A selector with a label that no pod has, where a pod has nearly the same.",
    why: "A slip in a label is no error anywhere: the policy selects nothing and protects nothing, or the peer is let in \
          never. In `NotIn` it is worse, for nobody is left out. Near is a letter or two, upper case, `-` and `_`, a plural, or \
          `app` for `app.kubernetes.io/name`. Labels that differ in digits or in one letter at the end (`v1`, `v2`) \
          are meant to differ, and one that some pod has is no slip.",
    fix: "Write the label that the pods have. That opens or closes what the policy says, so look at it once more.",
    bad: Example::new(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: carts, namespace: shop}
spec:
  selector: {matchLabels: {name: carts}}
  template:
    metadata: {labels: {name: carts}}
    spec: {containers: [{name: carts}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: carts-deny-all, namespace: shop}
spec:
  podSelector: {matchLabels: {name: cart}}
  policyTypes: [Ingress]
",
    ),
    good: Example::new(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: carts, namespace: shop}
spec:
  selector: {matchLabels: {name: carts}}
  template:
    metadata: {labels: {name: carts}}
    spec: {containers: [{name: carts}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cards, namespace: shop}
spec:
  selector: {matchLabels: {name: cards}}
  template:
    metadata: {labels: {name: cards}}
    spec: {containers: [{name: cards}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: cards-deny-all, namespace: shop}
spec:
  podSelector: {matchLabels: {name: cards}}
  policyTypes: [Ingress]
",
    ),
    check: Check::Side(check),
};

/// Keys under which the same thing is called by its name.
const ALIASES: [&str; 4] = ["app", "app.kubernetes.io/name", "k8s-app", "name"];

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let mut drafts = Vec::new();
    for policy in snapshot.policies() {
        let subject = &policy.subject;
        if let Some(near) = near(snapshot, &subject.namespaces, &subject.pods) {
            let origin = &policy.subject_origin;
            let message =
                near.message(", so the policy protects nothing", ", so nobody is left out");
            let subject = format!("subject {}", near.subject());
            let mut draft = Draft::policy(policy, origin, subject, message).fix(near.fix());
            if !near.closed {
                let persona = match near.open || selected_by_others(snapshot, &near, &policy.id) {
                    true => Persona::Auditor,
                    false => Persona::Regular,
                };
                draft = draft.severity(Severity::Medium).persona(persona);
            }
            drafts.push(draft);
        }
        for (direction, _, rule) in Snapshot::rules(policy) {
            for peer in rule.peers.iter().flatten() {
                let PeerKind::Pods { namespaces, pods } = &peer.kind else { continue };
                let Some(near) = near(snapshot, namespaces, pods) else { continue };
                let others = rule.peers.iter().flatten().map(|peer| &peer.kind);
                let message = match direction {
                    Direction::Ingress => {
                        near.message(", so this peer lets nobody in", ", so nobody is left out")
                    }
                    Direction::Egress => near.message(
                        ", so this peer lets nobody be reached",
                        ", so nobody is left out",
                    ),
                };
                let subject = format!("{direction} {}", near.subject());
                let mut draft =
                    Draft::policy(policy, &peer.origin, subject, message).fix(near.fix());
                if !near.closed {
                    let persona = match near.open || matched_by_others(snapshot, &near, others) {
                        true => Persona::Auditor,
                        false => Persona::Regular,
                    };
                    draft = draft.severity(Severity::Medium).persona(persona);
                }
                drafts.push(draft);
            }
        }
    }
    Ok(drafts)
}

/// Does another policy of the namespace select the pod by its own label? Then this one may mean another pod.
fn selected_by_others(snapshot: &Snapshot<'_, '_, '_>, near: &Near<'_>, policy: &PolicyId) -> bool {
    let others = snapshot.policies_in(&near.workload.id.namespace).iter();
    let mut selecting = others.filter(|other| other.id != *policy).map(|other| &other.subject.pods);
    selecting.any(|pods| !pods.is_everything() && pods.matches(&near.workload.labels))
}

/// Does another peer of the rule match the pod by its own label?
fn matched_by_others<'p>(
    snapshot: &Snapshot<'_, '_, '_>,
    near: &Near<'_>,
    mut peers: impl Iterator<Item = &'p PeerKind>,
) -> bool {
    peers.any(|peer| {
        let found = snapshot.matched(peer).workloads;
        found.iter().any(|workload| workload.id == near.workload.id)
    })
}

/// A key and a value.
type Label = (Box<str>, Box<str>);

/// A term that no pod satisfies, and a pod that nearly does.
pub(super) struct Near<'a> {
    /// The term: key, value.
    term: Label,
    /// What the pod has in its place.
    found: Label,
    /// The pod.
    workload: &'a Arc<Workload>,
    /// The term is one of `NotIn`.
    excludes: bool,
    /// Every pod that the selector can match is known.
    closed: bool,
    /// Something that is not in the manifests makes pods that the selector can match.
    open: bool,
}

impl Near<'_> {
    fn message(&self, nothing: &'static str, everybody: &'static str) -> Message {
        let pair = |(key, value): &Label| format!("{key}={value}");
        let message = Message::new("No declared pod has ")
            .name(pair(&self.term))
            .words(if self.excludes { everybody } else { nothing })
            .words("; ")
            .name(&self.workload.id.name);
        message.words(" has ").name(pair(&self.found)).words(". Was that meant?")
    }

    fn subject(&self) -> String {
        let ((key, value), (other, found)) = (&self.term, &self.found);
        format!("{key}={value} for {other}={found}")
    }

    fn fix(&self) -> Fix {
        let (key, value) = &self.found;
        Fix {
            kind: FixKind::Behavioural,
            description: Message::new("the label that the pods have"),
            replacement: Some(format!("{key}: {}\n", words::quoted(value))),
            location: None,
            diff: None,
            removes: Vec::new(),
        }
    }
}

/// The first term of a selector of pods that nobody satisfies, although somebody nearly does.
pub(super) fn near<'a>(
    snapshot: &Snapshot<'_, '_, 'a>,
    namespaces: &NamespaceMatch,
    pods: &Selector,
) -> Option<Near<'a>> {
    // A pod that nearly matches is in one of these namespaces.
    if !snapshot.inhabited(namespaces) {
        return None;
    }
    let unknown = |requirement: &Requirement| {
        let (values, excludes) = match &requirement.operator {
            Operator::In(values) => (values, false),
            Operator::NotIn(values) => (values, true),
            Operator::Exists | Operator::DoesNotExist => return Vec::new(),
        };
        let nobody = values
            .iter()
            .filter(|value| !snapshot.is_labelled(namespaces, &requirement.key, value));
        nobody.map(|value| (value.clone(), excludes)).collect()
    };
    let unknown: Vec<_> =
        pods.requirements().iter().map(|requirement| (requirement, unknown(requirement))).collect();
    if unknown.iter().all(|(_, values)| values.is_empty()) {
        return None;
    }
    let everybody = PeerKind::Pods { namespaces: namespaces.clone(), pods: Selector::default() };
    let target = snapshot.matched(&everybody);
    let closed = target.namespaces.iter().all(|namespace| snapshot.closed(namespace));
    let open = target.namespaces.iter().any(|namespace| snapshot.deployed_elsewhere(namespace));
    let terms = unknown.iter().flat_map(|(requirement, values)| {
        values.iter().map(move |(value, excludes)| (*requirement, value, *excludes))
    });
    for (requirement, value, excludes) in terms {
        let meant = target.workloads.iter().filter_map(|workload| {
            let rest = pods.requirements().iter().filter(|other| *other != requirement);
            let fits = |other: &Requirement| {
                other.operator.admits(workload.labels.get(&other.key).map(AsRef::as_ref))
            };
            let (found, distance) = nearest(&requirement.key, value, &workload.labels)?;
            rest.into_iter().all(fits).then_some((distance, *workload, found))
        });
        let best = meant.min_by_key(|(distance, workload, _)| (*distance, &workload.id));
        if let Some((_, workload, found)) = best {
            let term = (requirement.key.clone(), value.clone());
            return Some(Near { term, found, workload, excludes, closed, open });
        }
    }
    None
}

/// The label that is nearest to a term, and how far it is.
fn nearest(key: &str, value: &str, labels: &Labels) -> Option<(Label, usize)> {
    let of_key = labels.get(key).and_then(|found| Some((key, &**found, slip(value, found)?)));
    let of_value = labels
        .iter()
        .filter(|(other, found)| &***found == value && ***other != *key)
        .filter_map(|(other, found)| {
            let alias = ALIASES.contains(&&**other) && ALIASES.contains(&key);
            let distance = if alias { 1 } else { slip(key, other)? };
            Some((&**other, &**found, distance))
        });
    let best = of_key.into_iter().chain(of_value).min_by_key(|(_, _, distance)| *distance)?;
    let (other, found, distance) = best;
    Some(((other.into(), found.into()), distance))
}

/// How far two words are apart, if one can be the other by a slip of the finger. `None` too if they differ in
/// what tells the members of a family apart: digits, or a part of one or two letters.
fn slip(wanted: &str, found: &str) -> Option<usize> {
    let folded = |word: &str| -> String {
        let letters = word.chars().filter(|c| !matches!(c, '-' | '_' | '.'));
        letters.flat_map(char::to_lowercase).collect()
    };
    let (one, other) = (folded(wanted), folded(found));
    let singular = |word: &str| word.strip_suffix('s').unwrap_or(word).to_string();
    if one == other || (one.len() > 2 && singular(&one) == singular(&other)) {
        return Some(0);
    }
    let (short, long) = (
        wanted.chars().count().min(found.chars().count()),
        wanted.chars().count().max(found.chars().count()),
    );
    // Cheap, before what is not.
    if short < 4 || long - short > 2 || of_one_family(wanted, found) {
        return None;
    }
    let distance = strsim::damerau_levenshtein(wanted, found);
    (distance <= 2 && distance * 100 <= short * 34).then_some(distance)
}

/// Do the words differ in digits only, or in one part that is too short for a slip?
fn of_one_family(one: &str, other: &str) -> bool {
    let letters = |word: &str| -> String { word.chars().filter(|c| !c.is_ascii_digit()).collect() };
    if letters(one) == letters(other) {
        return true;
    }
    let parts = |word: &str| -> Vec<String> {
        word.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_string).collect()
    };
    let (one, other) = (parts(one), parts(other));
    let different: BTreeSet<&String> =
        one.iter().zip(&other).filter(|(a, b)| a != b).flat_map(|(a, b)| [a, b]).collect();
    match one.len() == other.len() {
        true => one.len() > 1 && different.iter().all(|part| part.len() <= 3),
        // One has a part more.
        false => {
            one.len().abs_diff(other.len()) == 1
                && (one.starts_with(&other) || other.starts_with(&one))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{told, told_with};
    use super::{RULE, slip};
    use crate::report::Persona;

    #[test]
    fn slips() {
        for (one, other) in [
            ("cart", "carts"),
            ("frontend", "front-end"),
            ("Frontend", "frontend"),
            ("payment_service", "payment-service"),
            ("postgers", "postgres"),
            ("fronted", "frontend"),
            ("api", "API"),
            ("job", "jobs"),
        ] {
            assert!(slip(one, other).is_some(), "{one} {other}");
        }
        for (one, other) in [
            ("v1", "v2"),
            ("redis-1", "redis-2"),
            ("shard-a", "shard-b"),
            ("web-dev", "web-tst"),
            ("carts", "carts-db"),
            ("worker", "worker-1"),
            ("frontend", "backend"),
            ("api", "app"),
            ("web", "db"),
            ("blue", "green"),
        ] {
            assert_eq!(slip(one, other), None, "{one} {other}");
        }
    }

    fn pod(name: &str, namespace: &str, labels: &str) -> String {
        format!(
            "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: {namespace}, labels: {labels}}}}}\n"
        )
    }

    fn policy(name: &str, spec: &str) -> String {
        format!(
            "---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}, namespace: shop}}, \
             spec: {{{spec}}}}}\n"
        )
    }

    fn told_of(texts: &[&str]) -> Vec<Persona> {
        told(RULE.id, &texts.concat()).iter().map(|finding| finding.persona).collect()
    }

    #[test]
    fn subjects() {
        let carts = pod("carts", "shop", "{name: carts}");
        let wrong = policy("p", "podSelector: {matchLabels: {name: cart}}");
        assert_eq!(told_of(&[&carts, &wrong]), [Persona::Regular]);
        // Another policy knows the pod by its name, so this one may mean another pod.
        let right = policy("q", "podSelector: {matchLabels: {name: carts}}");
        assert_eq!(told_of(&[&carts, &wrong, &right]), [Persona::Auditor]);
        let closed = "cluster: {closedNamespaces: [shop]}\n";
        let found = told_with(closed, RULE.id, &[carts.clone(), wrong.clone(), right].concat());
        assert_eq!(found[0].persona, Persona::Regular);
        // Some pod has the label.
        assert_eq!(told_of(&[&carts, &wrong, &pod("cart", "other", "{name: cart}")]), []);
        // The pod is in another namespace.
        assert_eq!(told_of(&[&pod("carts", "other", "{name: carts}"), &wrong]), []);
    }

    #[test]
    fn peers_keys_and_exclusions() {
        let web = pod("web", "shop", "{app.kubernetes.io/name: frontend, tier: web}");
        for (selector, count) in [
            ("{matchLabels: {app: frontend}}", 1),
            ("{matchLabels: {app.kubernetes.io/name: fronted}}", 1),
            ("{matchLabels: {app.kubernetes.io/name: fronted, tier: web}}", 1),
            ("{matchLabels: {app.kubernetes.io/name: fronted, tier: db}}", 0),
            (
                "{matchExpressions: [{key: app.kubernetes.io/name, operator: NotIn, values: [fronted]}]}",
                1,
            ),
            (
                "{matchExpressions: [{key: app.kubernetes.io/name, operator: NotIn, values: [frontend]}]}",
                0,
            ),
            ("{matchLabels: {app: backend}}", 0),
        ] {
            let spec =
                format!("podSelector: {{}}, ingress: [{{from: [{{podSelector: {selector}}}]}}]");
            assert_eq!(told_of(&[&web, &policy("p", &spec)]).len(), count, "{selector}");
        }
    }
}
