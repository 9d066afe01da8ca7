//! Namespaces in which a pod is open until a policy happens to select it.

use super::super::evidence::SYSTEM_NAMESPACES;
use crate::model::{Direction, Origin, Workload};
use crate::reach::NamespaceSlot;
use crate::report::{Fix, FixKind, Message, Persona, Severity};
use crate::rules::granted::Granted;
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "missing-default-deny",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: true,
    catches: "A namespace in which pods that no policy selects can talk, or be talked to, freely.",
    why: "A policy isolates the pods that it selects, and only in its directions. The next pod that somebody \
          deploys matches none of them and is open to everybody. A policy with an empty `podSelector` in that direction \
          is enough; one for each direction will do. Namespaces of the system (`kube-system` and its like) are left \
          alone. A change that denies one of two directions introduces nothing by what it leaves open.",
    fix: "Add a policy with an empty `podSelector`, both `policyTypes` and no rules, after those that allow what is \
          needed.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-api, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432}]
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
metadata: {name: db-allow-ingress-from-api, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432}]
",
    ),
    check: Check::Side(check),
};

/// How many workloads a message names.
const NAMED: usize = 3;

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let namespaces = snapshot
        .namespaces()
        .filter(|(_, namespace)| !SYSTEM_NAMESPACES.contains(&&*namespace.name));
    Ok(namespaces.filter_map(|(_, namespace)| draft(snapshot, namespace)).collect())
}

fn draft<'a>(snapshot: &Snapshot<'_, '_, 'a>, namespace: &NamespaceSlot<'a>) -> Option<Draft> {
    let policies = namespace.policies.on(snapshot.side);
    let manifest = snapshot.cluster().namespaces.get(&namespace.name);
    let workloads = snapshot.workloads_of(namespace);
    // What is only a peer of somebody is not looked after here.
    let origin: &Origin = match (policies.first(), manifest, workloads.first()) {
        (Some(policy), ..) => &policy.origin,
        (None, Some(manifest), Some(_)) => &manifest.origin,
        _ => return None,
    };
    let covered = |direction| {
        policies.iter().any(|policy| {
            policy.subject.pods.is_everything() && policy.section(direction).is_some()
        })
    };
    let open: Vec<Direction> = Direction::BOTH.into_iter().filter(|d| !covered(*d)).collect();
    let words = match open.as_slice() {
        [] => return None,
        [direction] => direction.as_str(),
        _ => "ingress and egress",
    };
    let bare = |direction| -> Vec<&str> {
        let open = |workload: &Workload| snapshot.isolating(direction, workload).next().is_none();
        workloads
            .iter()
            .filter(|workload| !workload.host_network && open(workload))
            .map(|workload| &*workload.id.name)
            .collect()
    };
    let mut message = Message::new("Nothing denies ")
        .words(words)
        .words(" by default in ")
        .name(&namespace.name)
        .words(match (policies.is_empty(), open.as_slice()) {
            (true, _) => ": there is no policy, so every pod is open",
            (false, [Direction::Ingress]) => ": a pod that no ingress policy selects is open",
            (false, [Direction::Egress]) => ": a pod that no egress policy selects is open",
            (false, _) => ": a pod that no policy selects is open",
        });
    // A workload may be isolated in one direction and open in the other.
    let bare: Vec<(Direction, Vec<&str>)> =
        open.iter().map(|direction| (*direction, bare(*direction))).collect();
    message = match bare.as_slice() {
        [(_, one)] if one.is_empty() => message,
        [(_, one), (_, other)] if one == other && one.is_empty() => message,
        [(_, one)] => message.words(", now ").names(one, NAMED),
        [(_, one), (_, other)] if one == other => message.words(", now ").names(one, NAMED),
        several => several.iter().filter(|(_, names)| !names.is_empty()).fold(
            message,
            |message, (direction, names)| {
                let message = message.words("; for ").words(direction.as_str());
                message.words(" now ").names(names, NAMED)
            },
        ),
    };
    let subject = if policies.is_empty() { "no policy".into() } else { format!("{open:?}") };
    let types = open.iter().map(|direction| match direction {
        Direction::Ingress => "Ingress",
        Direction::Egress => "Egress",
    });
    let types: Vec<&str> = types.collect();
    let name = if open.len() == 2 { "all".into() } else { words.to_string() };
    // The first policy of a namespace is the time to say it.
    let known = open.iter().filter(|_| !policies.is_empty());
    let granted = known.fold(Granted::default(), |granted, direction| {
        granted.and(&Granted::whole(direction.as_str()))
    });
    let draft = Draft::object(&*namespace.name, origin, subject, message);
    let draft = if policies.is_empty() { draft } else { draft.granted(granted) };
    Some(draft.fix(Fix {
        kind: FixKind::Behavioural,
        description: Message::new("deny what no policy allows; first allow what is needed"),
        replacement: Some(format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: default-deny-{name}, namespace: \
             {}}}\nspec: {{podSelector: {{}}, policyTypes: [{}]}}\n",
            namespace.name,
            types.join(", ")
        )),
        location: None,
        diff: None,
        removes: Vec::new(),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{findings, introduced};
    use super::RULE;

    const DB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: shop}
spec: {template: {metadata: {labels: {app: db}}}}
---
";

    fn policy(name: &str, pods: &str, types: &str) -> String {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}, namespace: shop}}, spec: \
             {{podSelector: {pods}, policyTypes: [{types}]}}}}\n---\n"
        )
    }

    fn told(policies: &str) -> String {
        let found = findings(RULE.id, &format!("{DB}{policies}"), "");
        found.iter().map(|finding| finding.message.to_string()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_workload_is_open_only_for_the_direction_that_no_policy_isolates() {
        let db = "{matchLabels: {app: db}}";
        let end = |text: String| text.split(" by default in `shop`: ").nth(1).map(str::to_string);
        for (policies, words) in [
            (
                policy("a", db, "Ingress"),
                "a pod that no policy selects is open; for egress now `db`",
            ),
            (policy("a", db, "Ingress, Egress"), "a pod that no policy selects is open"),
            (
                policy("a", "{matchLabels: {app: api}}", "Ingress"),
                "a pod that no policy selects is open, now `db`",
            ),
            (policy("a", "{}", "Ingress"), "a pod that no egress policy selects is open, now `db`"),
        ] {
            assert_eq!(end(told(&policies)).as_deref(), Some(words), "{policies}");
        }
        assert!(told(&policy("a", "{}", "Ingress, Egress")).is_empty());
    }

    #[test]
    fn half_a_default_deny_is_no_fault_of_who_adds_it() {
        let db = policy("db", "{matchLabels: {app: db}}", "Ingress");
        let half = format!("{db}{}", policy("deny", "{}", "Ingress"));
        let count = |before: &str, after: &str| introduced(RULE.id, before, after).len();
        assert_eq!(count(&db, &half), 0, "egress was as open before");
        assert_eq!(count(&half, &db), 1, "ingress was denied before");
        assert_eq!(count("", &half), 1, "the first policies");
    }
}
