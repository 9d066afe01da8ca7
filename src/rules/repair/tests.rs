//! Mends, and what they make of a text.

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
    let expected = "metadata: # whose\n    labels:\n        name: team\n    name: api-dns\nspec:\n";
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
    let group =
        |peers: &[usize], ports: &[usize]| Group { peers: peers.to_vec(), ports: ports.to_vec() };
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
        let (text, expected) = (format!("{text}{pad}"), expected.map(|it| format!("{it}{pad}")));
        assert_eq!(except(&text), expected, "{text}");
    }
}

#[test]
fn peers_are_added_and_narrowed() {
    let text = "egress:\n- ports: [{port: 53}]\n- to:\n  - namespaceSelector: {}\n";
    let labels = vec![("k8s-app".to_string(), "kube-dns".to_string())];
    let to =
        Mend::To { rule: origin(2, 2), namespace: "kube-system".into(), labels: labels.clone() };
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
