//! Every path that opened, by its class.

use crate::diff::facts;
use crate::report::{CauseKind, Message, Persona, Severity, Undeclared};
use crate::rules::{Check, Example, Opened, Rule};
use crate::set::OverBudget;
use crate::set::fields::End;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "new-path-opened",
    severity: Severity::Low,
    persona: Persona::Auditor,
    lesson: false,
    catches: "Every path that opened, by its class: of a new workload, inside a namespace, between namespaces, outside.",
    why: "It names what each row is. The row's ends, ports and level say the same to a reviewer, so only auditors are told; \
          with `--persona auditor` programs find the class in JSON.",
    fix: "Nothing, where the path is meant.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {}}]
    ports: [{port: 5432}]
",
    )
    .after(BEFORE),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-shop-web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 5432}]
",
    )
    .after(BEFORE),
    check: Check::Row(check),
};

const BEFORE: &str = "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress-from-web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 5432}]
";

fn check(opened: &mut Opened<'_, '_, '_>) -> Result<Option<Message>, OverBudget> {
    let encoder = &mut *opened.encoder;
    let (from, to) = (encoder.outside(End::Source)?, encoder.outside(End::Destination)?);
    let outer = encoder.d.or(from, to)?;
    let outside = !encoder.d.and(opened.flows, outer)?.is_empty();
    let inner = encoder.d.minus(opened.flows, outer)?;
    let class = if opened.row.causes.iter().all(|cause| cause.kind == CauseKind::WorkloadAdded) {
        "A path of a new workload"
    } else if outside {
        "A path that crosses the border of the cluster"
    } else if facts::crosses_namespaces(encoder, inner)? {
        "A path between namespaces"
    } else {
        "A path inside one namespace"
    };
    let message = Message::new(class);
    Ok(Some(match opened.row.undeclared {
        Undeclared::Only => message.words(", so far of no declared workload"),
        Undeclared::None | Undeclared::Also => message,
    }))
}

#[cfg(test)]
mod tests {
    use super::{BEFORE, RULE};
    use crate::rules::catalogue::testing::words_on_rows;

    fn class(from: &str) -> String {
        let after = BEFORE.replace("{podSelector: {matchLabels: {app: web}}}", from);
        words_on_rows(RULE.id, BEFORE, &after, "").join("; ")
    }

    #[test]
    fn classes() {
        assert!(class("{podSelector: {}}").starts_with("A path inside one namespace"));
        assert!(class("{namespaceSelector: {}}").starts_with("A path between namespaces"));
        assert!(class("{ipBlock: {cidr: 10.0.0.0/8}}").contains("border"));
        assert_eq!(class("{podSelector: {matchLabels: {app: web, tier: front}}}"), "");
    }

    #[test]
    fn a_rule_in_two_is_no_path() {
        let twice = BEFORE
            .replace("ports: [{port: 5432}]", "ports: [{port: 5432}, {port: 5432, protocol: TCP}]");
        assert!(words_on_rows(RULE.id, BEFORE, &twice, "").is_empty());
    }
}
