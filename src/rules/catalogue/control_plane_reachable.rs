//! Paths to what runs the cluster.

use crate::diff::facts;
use crate::model::Protocol;
use crate::report::{Message, Persona, Severity};
use crate::rules::{Check, Example, Opened, Rule};
use crate::set::OverBudget;
use crate::set::fields::End;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "control-plane-reachable",
    severity: Severity::Medium,
    persona: Persona::Regular,
    lesson: false,
    catches: "A path to the pods of kube-system other than DNS, or to the kubelet or etcd of the nodes.",
    why: "Whoever takes over one of these owns the cluster. Most rules that name kube-system mean its DNS and forget to \
          say so. Nodes are only known where the configuration has `cluster.nodeCIDRs`. Rules for DNS alone are left \
          alone, and so is \"every namespace\", which the row says itself.",
    fix: "Add the `podSelector` and the port of what is needed: `k8s-app: kube-dns` and 53 for DNS.",
    bad: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-egress, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]
",
    )
    .after(BEFORE),
    good: Example::new(
        "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-egress, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
      podSelector: {matchLabels: {k8s-app: kube-dns}}
    ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
",
    )
    .after(BEFORE),
    check: Check::Row(check),
};

const BEFORE: &str = "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-allow-egress, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
";

/// What listens on nodes and obeys whoever it believes.
const NODE_PORTS: [(&str, u16); 4] =
    [("the kubelet", 10250), ("the kubelet", 10255), ("etcd", 2379), ("etcd", 2380)];

fn check(opened: &mut Opened<'_, '_, '_>) -> Result<Option<Message>, OverBudget> {
    if facts::to_system(opened.encoder, opened.flows)? {
        return Ok(Some(Message::new(
            "The pods there run the cluster, and this is more than their DNS; name the one pod and port that is needed",
        )));
    }
    if opened.config.node_ranges.is_empty() {
        return Ok(None);
    }
    for (what, number) in NODE_PORTS {
        let port = facts::port(opened.encoder, Protocol::Tcp, number)?;
        let flows = opened.encoder.d.and(opened.flows, port)?;
        let reached = facts::addresses(opened.encoder, flows, End::Destination)?;
        let nodes = opened.config.node_ranges.iter();
        let mut nodes = nodes
            .filter(|nodes| reached.iter().any(|net| net.contains(*nodes) || nodes.contains(net)));
        if let Some(range) = nodes.next() {
            return Ok(Some(
                Message::new("Nodes are at ")
                    .name(range)
                    .words(", and on TCP ")
                    .number(number.into())
                    .words(" listens ")
                    .words(what),
            ));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::{BEFORE, RULE};
    use crate::rules::catalogue::testing::words_on_rows;

    fn fires(egress: &str, configuration: &str) -> bool {
        let after = format!("{BEFORE}  egress: {egress}\n");
        !words_on_rows(RULE.id, BEFORE, &after, configuration).is_empty()
    }

    const NODES: &str = "cluster: {nodeCIDRs: [10.0.0.0/16]}\n";

    #[test]
    fn nodes_are_known_where_the_configuration_says_so() {
        let block = "[{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]";
        assert!(fires(block, NODES));
        assert!(!fires(block, ""));
        assert!(!fires("[{to: [{ipBlock: {cidr: 10.1.0.0/16}}]}]", NODES));
        assert!(!fires("[{to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 443}]}]", NODES));
    }

    #[test]
    fn every_namespace_is_said_by_the_row() {
        assert!(!fires("[{to: [{namespaceSelector: {}}]}]", ""));
    }

    #[test]
    fn dns_of_every_pod_of_the_namespace() {
        let dns = "[{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}], ports: \
                   [{port: 53, protocol: UDP}]}]";
        assert!(!fires(dns, ""));
        assert!(fires(&dns.replace("53", "443"), ""));
    }
}
