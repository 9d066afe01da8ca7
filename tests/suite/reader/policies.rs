//! NetworkPolicies: defaults (N2-N8), origins, and what the API server refuses (V1-V10).

use super::{namespace, policy, problem, read_text};
use netpol_review::model::{Direction, NamespaceMatch, PeerKind, Policy, Ports, Protocol, Section};
use std::sync::Arc;

fn only(spec: &str) -> Arc<Policy> {
    let parsed = read_text(&policy(spec));
    assert_eq!(parsed.problems, [], "{spec}");
    parsed.cluster.policies[0].clone()
}

#[test]
fn policy_types_default_by_the_rules_that_are_there() {
    // N3, N4, N5: spec, ingress on, egress on, dead sections.
    let table = [
        ("{}", true, false, ""),
        ("{policyTypes: null}", true, false, ""),
        ("{policyTypes: [], egress: [{}]}", true, true, ""),
        ("{egress: []}", true, false, "egress"),
        ("{egress: null}", true, false, ""),
        ("{egress: [null]}", true, true, ""),
        ("{policyTypes: [Egress]}", false, true, ""),
        ("{policyTypes: [Egress], ingress: [{}]}", false, true, "ingress"),
        ("{policyTypes: [Ingress, Ingress]}", true, false, ""),
        ("{policyTypes: [Ingress, Egress]}", true, true, ""),
    ];
    for (spec, ingress, egress, dead) in table {
        let policy = only(spec);
        assert_eq!(
            (policy.ingress.is_some(), policy.egress.is_some()),
            (ingress, egress),
            "{spec}"
        );
        let found: Vec<_> = policy.dead.iter().map(|(direction, _)| direction.as_str()).collect();
        assert_eq!(found.join(" "), dead, "{spec}");
    }
}

#[test]
fn a_policy_without_spec_selects_all_pods_of_its_namespace() {
    let text = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n";
    let policy = &read_text(text).cluster.policies[0];
    assert_eq!(policy.id.to_string(), "default/p");
    assert_eq!(policy.subject.namespaces, NamespaceMatch::Name("default".into()));
    assert!(policy.subject.pods.is_everything());
    assert!(policy.ingress.as_ref().is_some_and(|section| section.rules.is_empty()));
}

#[test]
fn missing_null_and_empty_lists_allow_everything() {
    // N6, N7: each of these rules has neither peers nor ports.
    for rule in ["{}", "null", "{from: null, ports: null}", "{from: [], ports: []}"] {
        let policy = only(&format!("{{ingress: [{rule}]}}"));
        let rule = &policy.ingress.as_ref().unwrap().rules[0];
        assert_eq!((&rule.peers, &rule.ports), (&None, &None));
    }
}

#[test]
fn ports_are_lowered() {
    let ports = "[{}, null, {port: 80}, {port: 8e1, protocol: UDP}, {port: http, protocol: SCTP}, \
                 {port: 0x50, endPort: 0o777}, {port: 1, endPort: 65535}]";
    let policy = only(&format!("{{ingress: [{{ports: {ports}}}]}}"));
    let rule = &policy.ingress.as_ref().unwrap().rules[0];
    let found: Vec<_> =
        rule.ports.iter().flatten().map(|port| (port.protocol, port.ports.clone())).collect();
    let expected = [
        (Protocol::Tcp, Ports::All),
        (Protocol::Tcp, Ports::All),
        (Protocol::Tcp, Ports::Range(80, 80)),
        (Protocol::Udp, Ports::Range(80, 80)),
        (Protocol::Sctp, Ports::Named("http".into())),
        (Protocol::Tcp, Ports::Range(80, 511)),
        (Protocol::Tcp, Ports::Range(1, 65535)),
    ];
    assert_eq!(found, expected);
}

#[test]
fn peers_are_lowered() {
    let peers = "[{podSelector: {matchLabels: {a: b}}}, {namespaceSelector: {}}, \
                 {namespaceSelector: {matchLabels: {c: d}}, podSelector: null}, \
                 {ipBlock: {cidr: 10.0.0.0/8, except: [10.2.0.0/16, 10.1.0.0/16, 10.2.0.0/16]}}]";
    let policy = only(&format!("{{egress: [{{to: {peers}}}]}}"));
    let rule = &policy.egress.as_ref().unwrap().rules[0];
    let found: Vec<_> = rule
        .peers
        .iter()
        .flatten()
        .map(|peer| match &peer.kind {
            PeerKind::Pods { namespaces: NamespaceMatch::Name(name), pods } => {
                format!("{name}: {pods}")
            }
            PeerKind::Pods { namespaces: NamespaceMatch::Labels(labels), pods } => {
                format!("[{labels}]: {pods}")
            }
            PeerKind::Block(block) => format!("{} {:?}", block.cidr, block.except),
        })
        .collect();
    let expected = ["ns: a=b", "[]: ", "[c=d]: ", "10.0.0.0/8 [10.1.0.0/16, 10.2.0.0/16]"];
    assert_eq!(found, expected);
}

#[test]
fn everything_knows_its_lines() {
    let text = "\
# A comment.
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: p
spec:
  podSelector: {}
  ingress:
    - from:
        - podSelector:
            matchLabels:
              a: b

        # A comment between.
        - ipBlock:
            cidr: 10.0.0.0/8
      ports:
        - port: 80
          protocol: TCP
    - {}
  egress: []

---
kind: Service
";
    let parsed = read_text(text);
    let policy = &parsed.cluster.policies[0];
    let lines = |origin: &netpol_review::model::Origin| (origin.start_line, origin.end_line);
    assert_eq!(lines(&policy.origin), (3, 22));
    let ingress = policy.ingress.as_ref().unwrap();
    assert_eq!(lines(&ingress.origin), (9, 21));
    let [first, second] = ingress.rules.as_slice() else { panic!("two rules") };
    assert_eq!(lines(&first.origin), (10, 20));
    assert_eq!(lines(&second.origin), (21, 21));
    let peers = first.peers.as_ref().unwrap();
    assert_eq!(lines(&peers[0].origin), (11, 13));
    assert_eq!(lines(&peers[1].origin), (16, 17));
    assert_eq!(lines(&first.ports.as_ref().unwrap()[0].origin), (19, 20));
    let (direction, Section { origin, .. }) = &policy.dead[0];
    assert_eq!((*direction, lines(origin)), (Direction::Egress, (22, 22)));
}

#[test]
fn what_the_api_server_refuses_is_left_out_and_said() {
    let long = "x".repeat(64);
    let table = [
        // V1
        (
            "ingress: [{ports: [{port: 80, protocol: tcp}]}]",
            "spec.ingress[0].ports[0].protocol",
            "`tcp` is no protocol",
        ),
        ("ingress: [{ports: [{protocol: ICMP}]}]", "spec.ingress[0].ports[0].protocol", "`ICMP`"),
        // V2
        ("ingress: [{ports: [{port: 0}]}]", "spec.ingress[0].ports[0].port", "1 to 65535"),
        ("ingress: [{}, {ports: [{}, {port: 65536}]}]", "spec.ingress[1].ports[1].port", "`65536`"),
        ("ingress: [{ports: [{port: 99999999999}]}]", "spec.ingress[0].ports[0].port", "32-bit"),
        // V3
        ("ingress: [{ports: [{port: '80'}]}]", "spec.ingress[0].ports[0].port", "without quotes"),
        (
            "ingress: [{ports: [{port: a-very-long-port-name}]}]",
            "spec.ingress[0].ports[0].port",
            "no port name",
        ),
        ("ingress: [{ports: [{port: Http}]}]", "spec.ingress[0].ports[0].port", "no port name"),
        ("ingress: [{ports: [{port: yes}]}]", "spec.ingress[0].ports[0].port", "boolean"),
        // V4
        (
            "ingress: [{ports: [{endPort: 90}]}]",
            "spec.ingress[0].ports[0].endPort",
            "needs a `port`",
        ),
        (
            "ingress: [{ports: [{port: http, endPort: 90}]}]",
            "spec.ingress[0].ports[0].endPort",
            "name",
        ),
        (
            "ingress: [{ports: [{port: 91, endPort: 90}]}]",
            "spec.ingress[0].ports[0].endPort",
            "below",
        ),
        (
            "ingress: [{ports: [{port: 91, endPort: 70000}]}]",
            "spec.ingress[0].ports[0].endPort",
            "65535",
        ),
        // V5, V6
        (
            "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]",
            "spec.ingress[0].from[0]",
            "two peers",
        ),
        ("egress: [{to: [{}]}]", "spec.egress[0].to[0]", "leave the whole list out"),
        ("ingress: [{from: [{podSelector: null}]}]", "spec.ingress[0].from[0]", "a peer needs"),
        ("ingress: [{from: [null]}]", "spec.ingress[0].from[0]", "a peer needs"),
        // V7
        (
            "ingress: [{from: [{ipBlock: {except: [10.0.0.0/8]}}]}]",
            "spec.ingress[0].from[0].ipBlock.cidr",
            "needs a `cidr`",
        ),
        (
            "ingress: [{from: [{ipBlock: {cidr: 10.0.0.1}}]}]",
            "spec.ingress[0].from[0].ipBlock.cidr",
            "`10.0.0.1/32`",
        ),
        (
            "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}]",
            "spec.ingress[0].from[0].ipBlock.except[0]",
            "inside",
        ),
        (
            "ingress: [{from: [{ipBlock: {cidr: 10.1.0.0/16, except: [10.0.0.0/8]}}]}]",
            "spec.ingress[0].from[0].ipBlock.except[0]",
            "inside",
        ),
        (
            "egress: [{to: [{ipBlock: {cidr: '::/0', except: ['::ffff:0:0/96']}}]}]",
            "spec.egress[0].to[0].ipBlock.except[0]",
            "is IPv4",
        ),
        // V8
        (
            "podSelector: {matchExpressions: [{key: a, operator: In}]}",
            "spec.podSelector.matchExpressions[0].values",
            "at least one",
        ),
        (
            "podSelector: {matchExpressions: [{key: a, operator: Exists, values: [x]}]}",
            "spec.podSelector.matchExpressions[0].values",
            "no values",
        ),
        (
            "podSelector: {matchExpressions: [{key: a, operator: Equals, values: [x]}]}",
            "spec.podSelector.matchExpressions[0].operator",
            "`Equals`",
        ),
        (
            "podSelector: {matchExpressions: [{key: '', operator: Exists}]}",
            "spec.podSelector.matchExpressions[0].key",
            "label key",
        ),
        ("podSelector: {matchLabels: {-bad: x}}", "spec.podSelector.matchLabels.-bad", "label key"),
        (
            "podSelector: {matchLabels: {a/b/c: x}}",
            "spec.podSelector.matchLabels.a/b/c",
            "label key",
        ),
        (
            &*format!("podSelector: {{matchLabels: {{a: {long}}}}}"),
            "spec.podSelector.matchLabels.a",
            "label value",
        ),
        ("podSelector: {matchLabels: {a: 1}}", "spec.podSelector.matchLabels.a", "write `\"1\"`"),
        ("podSelector: {matchLabels: {a: yes}}", "spec.podSelector.matchLabels.a", "boolean"),
        // V9
        ("policyTypes: [ingress]", "spec.policyTypes[0]", "`ingress`"),
        ("policyTypes: [Ingress, Egress, Ingress]", "spec.policyTypes", "more than two"),
        // V10: wrong types
        ("policyTypes: Ingress", "spec.policyTypes", "expected a list"),
        ("ingress: {from: []}", "spec.ingress", "expected a list"),
        ("podSelector: []", "spec.podSelector", "expected a map"),
        (
            "ingress: [{ports: [{port: 1, endPort: '2'}]}]",
            "spec.ingress[0].ports[0].endPort",
            "expected a number",
        ),
        ("ingress: [{ports: [{port: 1.5}]}]", "spec.ingress[0].ports[0].port", ""),
    ];
    for (spec, field, words) in table {
        // The offending part stands on line 5, behind an empty line.
        let parsed = read_text(&policy(&format!("\n  {spec}")));
        assert_eq!(parsed.cluster.policies.len(), 0, "{spec}");
        let problem = problem(&parsed);
        let reason = &problem.reason;
        assert!(
            reason.contains(&format!(" {field}: ")) && reason.contains(words),
            "{spec}: {reason}"
        );
        assert_eq!(problem.line, Some(5), "{spec}: {reason}");
        assert_eq!(problem.name.as_deref(), Some("ns/p"));
        assert_eq!(problem.kind.as_deref(), Some("NetworkPolicy"));
        assert_eq!(problem.affects, namespace("ns"), "{spec}");
    }
}

#[test]
fn names_are_checked() {
    for (metadata, field) in [
        ("{}", "metadata.name"),
        ("{name: A}", "metadata.name"),
        ("{name: [a]}", "metadata.name"),
        ("{name: a, namespace: a.b}", "metadata.namespace"),
    ] {
        let text = format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {metadata}\n"
        );
        let parsed = read_text(&text);
        assert!(problem(&parsed).reason.contains(field), "{metadata}: {:?}", parsed.problems);
    }
}

#[test]
fn doubtful_cidrs_are_read_masked_and_said() {
    let parsed = read_text(&policy(
        "{ingress: [{from: [{ipBlock: {cidr: 10.1.2.3/16}}]}], podSelector: {}}",
    ));
    assert_eq!(parsed.cluster.policies.len(), 1);
    let problem = problem(&parsed);
    assert_eq!(problem.affects, netpol_review::parse::Affects::Nothing);
    assert!(problem.reason.contains("`10.1.0.0/16`"), "{}", problem.reason);
}
