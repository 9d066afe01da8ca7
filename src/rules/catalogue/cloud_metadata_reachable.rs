//! The address at which a cloud gives away the credentials of the node.

use crate::diff::facts;
use crate::report::{Message, Persona, Severity};
use crate::rules::{Check, Example, Opened, Rule};
use crate::set::OverBudget;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "cloud-metadata-reachable",
    severity: Severity::High,
    persona: Persona::Regular,
    lesson: false,
    catches: "A path to the cloud's metadata service, which gives the node's credentials to whatever asks.",
    why: "In most clouds `169.254.169.254` (in EC2 also `fd00:ec2::254`) answers on TCP 80 to every process of a node, pods \
          included. A rule for \"the Internet\" covers it, and so does one without peers. Rules for other ports than 80 \
          are left alone, and so are blocks that leave the address out.",
    fix: "Add `except: [169.254.169.254/32]` to the block, and `fd00:ec2::254/128` to one of IPv6; not the whole of \
          `169.254.0.0/16`, in which node-local DNS has its address. In place of a rule without peers, write such blocks \
          and a peer `namespaceSelector: {}` beside them.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-egress-internet, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: 0.0.0.0/0}}]
",
    )
    .after(BEFORE),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-egress-internet, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}}]
",
    )
    .after(BEFORE),
    check: Check::Row(check),
};

const BEFORE: &str = "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-egress-internet, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
";

fn check(opened: &mut Opened<'_, '_, '_>) -> Result<Option<Message>, OverBudget> {
    let reached = facts::metadata(opened.encoder, opened.flows)?;
    let addresses: Vec<String> = reached.iter().map(|net| net.addr().to_string()).collect();
    Ok((!addresses.is_empty()).then(|| {
        Message::new("This takes in ")
            .names(addresses, 2)
            .words(" on TCP 80, where most clouds give the node's credentials to every pod that asks; leave it out with `except`")
    }))
}

#[cfg(test)]
mod tests {
    use super::{BEFORE, RULE};
    use crate::rules::catalogue::testing::on_rows;

    fn opened(egress: &str) -> bool {
        on_rows(RULE.id, BEFORE, &format!("{BEFORE}  egress: {egress}\n"))
    }

    #[test]
    fn in_whatever_way_the_address_is_covered() {
        assert!(opened("[{}]"));
        assert!(opened("[{ports: [{port: 80}]}]"));
        assert!(opened("[{to: [{ipBlock: {cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}]}]"));
        assert!(opened("[{to: [{ipBlock: {cidr: 169.254.169.254/32}}]}]"));
        assert!(opened("[{to: [{ipBlock: {cidr: '::/0'}}]}]"));
    }

    #[test]
    fn other_ports_and_other_addresses() {
        assert!(!opened("[{to: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 443}]}]"));
        assert!(!opened("[{ports: [{port: 53, protocol: UDP}]}]"));
        assert!(!opened("[{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16]}}]}]"));
        assert!(!opened("[{to: [{ipBlock: {cidr: 169.254.20.10/32}}]}]"));
        assert!(!opened("[{to: [{namespaceSelector: {}}]}]"));
    }
}
