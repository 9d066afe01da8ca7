//! What is said of everything that was not understood.

use super::{namespace, policy, problem, read, read_text};
use netpol_review::parse::Affects;

#[test]
fn a_bad_document_loses_only_itself() {
    let good = policy("{}");
    let text =
        format!("{good}---\nkind: NetworkPolicy\nspec: [\n---\n{}", good.replace("p,", "q,"));
    let parsed = read_text(&text);
    assert_eq!(parsed.cluster.policies.len(), 2);
    assert_eq!((problem(&parsed).line, &problem(&parsed).affects), (Some(7), &Affects::Anything));
}

#[test]
fn unknown_fields_are_dropped_and_said() {
    // M4; the real one of cf-for-k8s.
    let misplaced = "\n  podSelector: {}\n  ingress:\n  - from:\n    - podSelector: {}\n      ports: [{port: 80}]";
    let parsed = read_text(&policy(misplaced));
    assert_eq!(parsed.cluster.policies.len(), 1);
    let found = problem(&parsed);
    assert_eq!((found.line, &found.affects), (Some(9), &namespace("ns")));
    assert!(found.reason.contains("spec.ingress[0].from[0].ports"), "{}", found.reason);
    assert!(found.reason.contains("beside the list of peers"), "{}", found.reason);

    let text = policy("{}").replace("name: p", "name: p, nmae: q") + "status: {}\n";
    assert_eq!(problem(&read_text(&text)).affects, Affects::Nothing);
}

#[test]
fn of_equal_keys_the_last_counts_and_both_are_said() {
    let text = policy("\n  policyTypes: [Ingress]\n  policyTypes: [Egress]");
    let parsed = read_text(&text);
    assert!(parsed.cluster.policies[0].ingress.is_none());
    let found = problem(&parsed);
    assert_eq!((found.line, &found.affects), (Some(6), &namespace("ns")));
    assert!(found.reason.contains("more than once"), "{}", found.reason);
}

#[test]
fn templates_are_named_as_such() {
    let helm = "kind: NetworkPolicy\nspec:\n{{- if .Values.x }}\n  a: b\n{{- end }}\n";
    let found = read_text(helm).problems;
    assert!(found[0].reason.contains("`{{ ... }}`"), "{found:?}");
    assert_eq!(found[0].affects, Affects::Anything);

    let ytt = policy("#@ data.values.spec");
    assert!(problem(&read_text(&ytt)).reason.contains("ytt"));

    let variable = policy("{podSelector: {matchLabels: {a: '${NAME}'}}}");
    assert!(problem(&read_text(&variable)).reason.contains("placeholder"));

    let name = policy("{}").replace("namespace: ns", "namespace: '${NS}'");
    assert_eq!(problem(&read_text(&name)).affects, Affects::Anything);
}

#[test]
fn a_chart_is_one_problem() {
    let template = policy("{{ .Values.spec }}");
    let service = "{{- if x }}\nkind: Service\n{{- end }}\n";
    let parsed = read([
        ("chart/Chart.yaml", "name: x\n"),
        ("chart/templates/a.yaml", &*template),
        ("chart/templates/b.yaml", &*template),
        ("chart/templates/c.yaml", service),
        ("chart/templates/plain.yaml", &policy("{}")),
    ]);
    assert_eq!(parsed.cluster.policies.len(), 1);
    let found = problem(&parsed);
    assert_eq!((&*found.file, &found.affects), ("chart/Chart.yaml", &Affects::Anything));
    assert!(found.reason.contains("3 of its documents"), "{}", found.reason);
    assert!(found.reason.contains("2 of which"), "{}", found.reason);
}

#[test]
fn a_kustomization_is_one_problem_or_none() {
    let one = policy("{}");
    let found = |kustomization: &str, other: &str| {
        let files = [
            ("base/a.yaml", &*one),
            ("over/kustomization.yaml", kustomization),
            ("over/patch.yaml", other),
        ];
        let parsed = read(files);
        let reasons: Vec<_> = parsed.problems.iter().map(|p| p.reason.clone()).collect();
        (parsed.cluster.policies.len(), reasons.join("\n"))
    };
    let image = "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: x}\nspec: {template: {spec: {}}}\n";
    let label = image.replace("template: {", "template: {metadata: {labels: {a: b}}, ");
    let base = "resources: [../base]\n";
    assert_eq!(found(base, ""), (1, String::new()));
    assert_eq!(found(&format!("{base}namespace: ns\n"), ""), (1, String::new()));
    let patches = format!("{base}patches: [{{path: patch.yaml}}]\n");
    assert_eq!(found(&patches, image), (1, String::new()));
    assert!(found(&patches, &label).1.contains("patches objects"));
    assert!(found(&format!("{base}namespace: m\n"), "").1.contains("sets the namespace `m`"));
    assert!(found(&format!("{base}commonLabels: {{a: b}}\n"), "").1.contains("sets labels"));
    assert_eq!(found("namespace: m\n", "").1, "", "nothing stands below it");
    assert!(found("resources: ['https://x/y']\n", "").1.contains("remote"));
}

#[test]
fn two_objects_of_one_identity_are_said_if_they_differ() {
    let (one, other) = (policy("{}"), policy("{egress: [{}]}"));
    assert_eq!(read([("a.yaml", &*one), ("b.yaml", &*one)]).problems, []);
    let parsed = read([("a.yaml", &*one), ("b.yaml", &*other)]);
    assert_eq!(&*parsed.cluster.policies[0].origin.file, "b.yaml");
    let found = problem(&parsed);
    assert_eq!((&*found.file, &found.affects), ("b.yaml", &namespace("ns")));
    assert!(found.reason.contains("a.yaml:1"), "{}", found.reason);

    // Copies of an environment are one matter. An edit of the copy that is not read is one, too.
    let copies = |one: &str| {
        let both = |one: &str| format!("{one}---\n{}", one.replace("name: p", "name: q"));
        let parsed = read([("a.yaml", &*both(one)), ("b.yaml", &*both(&other))]);
        assert!(problem(&parsed).reason.contains("and 1 more objects"), "{:?}", parsed.problems);
        problem(&parsed).identity
    };
    assert_eq!(copies(&one), copies(&format!("# a comment\n{one}")));
    assert_ne!(copies(&one), copies(&policy("{policyTypes: [Egress]}")));
}

#[test]
fn identities_survive_line_moves_only() {
    let bad = policy("{policyTypes: [x]}");
    let identity = |text: &str| problem(&read_text(text)).identity;
    assert_eq!(identity(&bad), identity(&format!("# a comment\n\n{bad}\n---\nkind: Service\n")));
    assert_ne!(identity(&bad), identity(&bad.replace("[x]", "[y]")));
}

#[test]
fn what_is_no_manifest_is_silent() {
    for text in
        ["a: [b]", "{{ x }}", "{% x %}\na: {{ b }}: [", "\u{feff}", "%YAML 1.2\n---\na: b\n"]
    {
        assert_eq!(read_text(text).problems, [], "{text}");
    }
}
