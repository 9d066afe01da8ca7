//! Which objects count, and in which wrappings they are found.

use super::{namespace, policy, problem, read, read_text};
use netpol_review::config::Config;
use netpol_review::parse::{Affects, parse_both};
use netpol_review::tree::Tree;

#[test]
fn group_and_kind_decide_together() {
    let table = [
        ("crd.projectcalico.org/v1", "NetworkPolicy", Some(namespace("ns"))),
        ("projectcalico.org/v3", "GlobalNetworkPolicy", Some(Affects::Anything)),
        ("cilium.io/v2", "CiliumNetworkPolicy", Some(namespace("ns"))),
        ("cilium.io/v2", "CiliumClusterwideNetworkPolicy", Some(Affects::Anything)),
        ("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", Some(Affects::Anything)),
        ("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", Some(Affects::Anything)),
        ("extensions/v1beta1", "NetworkPolicy", Some(namespace("ns"))),
        ("networking.k8s.io/v2", "NetworkPolicy", Some(namespace("ns"))),
        ("k8s.ovn.org/v1", "EgressFirewall", Some(namespace("ns"))),
        ("vpcresources.k8s.aws/v1beta1", "SecurityGroupPolicy", Some(namespace("ns"))),
        ("networking.k8s.aws/v1alpha1", "ClusterNetworkPolicy", Some(Affects::Anything)),
        ("projectcalico.org/v3", "Tier", Some(Affects::Perhaps)),
        ("cilium.io/v2", "CiliumCIDRGroup", Some(Affects::Perhaps)),
        ("crd.antrea.io/v1beta1", "ClusterGroup", Some(Affects::Perhaps)),
        ("security.istio.io/v1", "AuthorizationPolicy", None),
        ("example.com/v1", "Tier", None),
        ("example.com/v1", "NetworkPolicy", None),
        ("example.com/v1", "Deployment", None),
        ("example.com/v1", "Namespace", None),
    ];
    for (version, kind, affects) in table {
        let text =
            format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x, namespace: ns}}\n");
        let parsed = read_text(&text);
        assert_eq!(parsed.cluster.policies.len(), 0);
        assert_eq!(parsed.cluster.workloads.len(), 0);
        assert_eq!(parsed.cluster.namespaces.len(), 0);
        match affects {
            Some(affects) => assert_eq!(problem(&parsed).affects, affects, "{version} {kind}"),
            None => assert_eq!(parsed.problems, [], "{version} {kind}"),
        }
    }
}

#[test]
fn a_version_that_never_was_is_not_called_removed() {
    let reason = |version: &str| {
        let text = format!("apiVersion: {version}\nkind: NetworkPolicy\nmetadata: {{name: x}}\n");
        problem(&read_text(&text)).reason.clone()
    };
    assert!(reason("extensions/v1beta1").contains("was removed"));
    assert!(reason("networking.k8s.io/v2").starts_with("Kubernetes has no `networking.k8s.io/v2`"));
}

#[test]
fn lists_and_templates_are_opened() {
    let item = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}}";
    let bare = "{metadata: {name: p}}";
    let nested = format!("{{apiVersion: v1, kind: List, items: [{item}]}}");
    for text in [
        format!("apiVersion: v1\nkind: List\nitems: [{item}]\n"),
        format!("apiVersion: v1\nkind: List\nitems: [{nested}, null]\n"),
        format!("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicyList\nitems:\n- {bare}\n"),
        format!("apiVersion: template.openshift.io/v1\nkind: Template\nobjects:\n- {item}\n"),
        format!("apiVersion: v1\nkind: Template\nobjects:\n- {item}\n"),
        item.to_string(),
    ] {
        let parsed = read_text(&text);
        assert_eq!(parsed.problems, [], "{text}");
        assert_eq!(parsed.cluster.policies.len(), 1, "{text}");
    }
}

#[test]
fn json_is_read_in_any_shape() {
    let item = "{\n\t\"apiVersion\": \"networking.k8s.io/v1\",\n\t\"kind\": \"NetworkPolicy\",\n\t\
                \"metadata\": {\"name\": \"NAME\"},\n\t\"spec\": {\"podSelector\": {}, \
                \"ingress\": [{\"ports\": [{\"port\": 80.0}]}]}\n}";
    let one = item.replace("NAME", "a");
    let two = format!("{one}\n{}", item.replace("NAME", "b"));
    let list = format!("{{\"kind\": \"List\", \"apiVersion\": \"v1\", \"items\": [{one}]}}");
    let bare = "{\"kind\": \"NetworkPolicyList\", \"apiVersion\": \"networking.k8s.io/v1\", \"items\": \
         [{\"metadata\": {\"name\": \"\\u0061\"}}]}";
    for (path, text, count) in [
        ("a.json", &*one, 1),
        ("a.yaml", &one, 1),
        ("a.json", &two, 2),
        ("a.json", &list, 1),
        ("a.json", bare, 1),
        ("package.json", "{\"name\": \"x\", \"kind\": 1}", 0),
        ("tsconfig.json", "{ // a comment\n}", 0),
    ] {
        let parsed = read([(path, text)]);
        assert_eq!(parsed.problems, [], "{text}");
        assert_eq!(parsed.cluster.policies.len(), count, "{text}");
    }
    let broken = read([("a.json", "{\"kind\": \"NetworkPolicy\",\n")]);
    assert_eq!((problem(&broken).line, &problem(&broken).affects), (Some(2), &Affects::Anything));
}

#[test]
fn a_namespace_is_read_with_its_labels() {
    let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {x: 'y'}}\n---\n\
                apiVersion: project.openshift.io/v1\nkind: Project\nmetadata: {name: b}\n";
    let cluster = read_text(text).cluster;
    assert_eq!(cluster.namespaces.keys().map(|name| &**name).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(cluster.namespaces["a"].labels.get("x").map(|value| &**value), Some("y"));
}

#[test]
fn the_default_namespace_is_the_configured_one() {
    let config = Config { default_namespace: "prod".into(), ..Config::default() };
    let text = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n";
    let tree = Tree::from_texts("after", [("a.yaml", text)]);
    let (_, after) = parse_both(&Tree::default(), &tree, &config);
    assert_eq!(after.cluster.policies[0].id.to_string(), "prod/p");
}

#[test]
fn documents_of_other_kinds_are_counted_and_passed_over() {
    let text = format!("kind: Service\nspec: {{ broken\n---\n{}---\n# nothing\n", policy("{}"));
    let parsed = read_text(&text);
    assert_eq!((parsed.documents, parsed.relevant, parsed.problems.len()), (2, 1, 0));
}

#[test]
fn equal_files_give_the_same_objects_on_both_sides() {
    let (one, two) = (policy("{}"), policy("{egress: [{}]}").replace("name: p", "name: q"));
    let before = Tree::from_texts("before", [("a.yaml", &*one), ("b.yaml", &*two), ("c.yaml", "")]);
    let moved = Tree::from_texts("after", [("0.yaml", ""), ("a.yaml", &*one), ("z.yaml", &*two)]);
    let (before, after) = parse_both(&before, &moved, &Config::default());
    let same =
        |i: usize| std::sync::Arc::ptr_eq(&before.cluster.policies[i], &after.cluster.policies[i]);
    assert!(same(0));
    assert!(!same(1), "it stands in another file");
    assert_eq!(&*after.cluster.policies[1].origin.file, "z.yaml");
}
