//! Names that say nothing.

use crate::report::{Message, Persona, Severity};
use crate::rules::{Check, Draft, Drafts, Example, Rule, Snapshot};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "vague-name",
    severity: Severity::Info,
    persona: Persona::Pedantic,
    lesson: true,
    catches: "A policy whose name does not say whom it lets through.",
    why: "Policies add up, so a reviewer reads many of them to know what one pod may do. A name like \
          `my-network-policy` or `np1` makes each of them a file to open. `default` and names that begin with \
          `default-deny` are left alone.",
    fix: "Name the pods, the direction and the peer: `db-allow-ingress-from-api`. A rename is a deletion and a \
          creation: apply the new policy before the old one goes.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: my-network-policy, namespace: shop}
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

/// What a name of nothing begins with, may hold, and ends with.
const FILLERS: [&str; 9] = ["my", "test", "new", "example", "sample", "foo", "bar", "tmp", "temp"];
const NOUNS: [&str; 8] =
    ["network-policy", "networkpolicy", "netpol", "np", "policy", "rule", "allow", "deny"];

fn check(snapshot: &Snapshot<'_, '_, '_>) -> Drafts {
    let vague = snapshot.policies().filter(|policy| is_vague(&policy.id.name));
    Ok(vague
        .map(|policy| {
            let message = Message::default().name(&policy.id.name).words(
                " does not say whom it lets through; name the pods, the direction and the peer",
            );
            Draft::policy(policy, &policy.origin, &*policy.id.name, message)
        })
        .collect())
}

/// A filler, or nothing; then a noun; then a number, or nothing.
fn is_vague(name: &str) -> bool {
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
    let without =
        |prefix: &&str| name.strip_prefix(*prefix).map(|rest| rest.trim_start_matches('-'));
    let rest = FILLERS.iter().find_map(without).unwrap_or(name);
    NOUNS.contains(&rest) || (FILLERS.contains(&name) && rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::is_vague;

    #[test]
    fn names() {
        for vague in
            ["my-network-policy", "np1", "netpol", "test-policy-2", "allow", "example", "foo"]
        {
            assert!(is_vague(vague), "{vague}");
        }
        for telling in [
            "default",
            "default-deny-all",
            "db-allow-ingress-from-shop-web",
            "news",
            "allow-dns",
            "deny-all",
        ] {
            assert!(!is_vague(telling), "{telling}");
        }
    }
}
