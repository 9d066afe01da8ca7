//! Texts that kubectl reads as something else than they seem to be. None goes by without a word.

use super::{namespace, policy, problem, read, read_bytes, read_text};
use netpol_review::parse::{Affects, Parsed};
use netpol_review::report::{Hides, Verdict};
use netpol_review::tree::{Content, Tree};

/// A policy that lets everything in.
fn open() -> String {
    policy("{podSelector: {}, policyTypes: [Ingress], ingress: [{}]}")
}

/// The one problem, which could hide anything.
fn hidden(parsed: &Parsed) -> (Option<u32>, &str) {
    let found = problem(parsed);
    assert_eq!(found.affects, Affects::Anything, "{found:#?}");
    (found.line, &found.reason)
}

/// The policy is read.
fn seen(text: &str) {
    let parsed = read_text(text);
    assert_eq!(parsed.cluster.policies.len(), 1, "{text:?}");
    assert_eq!(parsed.problems, [], "{text:?}");
}

#[test]
fn a_decoy_does_not_pass_for_the_kind() {
    let indented: String = open().lines().map(|line| format!(" {line}\n")).collect();
    seen(&format!(" status: \"\nkind: ConfigMap\n \"\n{indented}"));
    seen(&format!("{indented} y: \"a\nkind: ConfigMap\n\"\n").replace(" y:", " status:"));
    seen(&format!("kind: ConfigMap # c\r{}", open()).replace("kind: ConfigMap # c", "# c"));
    seen(&open().replace("kind", "\"\\x6bind\"").replace("apiVersion", "\"api\\u0056ersion\""));
    seen(
        &open()
            .replace("kind: NetworkPolicy", "? \"ki\\\n  nd\"\n: Network\\\n  Policy")
            .replace("Network\\\n  Policy", "\"Network\\\n  Policy\""),
    );
}

#[test]
fn of_two_kinds_none_is_believed() {
    let first = open().replace("kind: NetworkPolicy", "kind: NetworkPolicy\nkind: ConfigMap");
    assert!(hidden(&read_text(&first)).1.contains("more than once"));
    let last = open().replace("kind: NetworkPolicy", "kind: ConfigMap\nkind: NetworkPolicy");
    assert_eq!(problem(&read_text(&last)).affects, namespace("ns"));
    let behind_a_return = format!("kind: ConfigMap # c\r{}", open());
    assert_eq!(problem(&read_text(&behind_a_return)).affects, namespace("ns"));
    let neither = "apiVersion: v1\nkind: ConfigMap\nkind: Secret\n";
    assert_eq!(read_text(neither).problems, []);
}

#[test]
fn line_breaks_of_old_yaml_are_said() {
    for odd in ["\u{85}", "\u{2028}", "\u{2029}"] {
        let ends = policy("{podSelector: {}, policyTypes: [Ingress]}");
        for (text, line) in [
            // In a comment, in a text, in place of every line break, and between two documents.
            (format!("{ends}# nothing else {odd}status: {{}}\n"), 5),
            (ends.replace("name: p", &format!("name: p, labels: {{a: 'b{odd}c'}}")), 3),
            (open().replace('\n', odd), 1),
            (format!("# c{odd}{}", open()), 1),
            (format!("kind: ConfigMap # c{odd}kind: NetworkPolicy\n"), 1),
            (format!("apiVersion: v1\nkind: List\nitems:\n# {odd}- {{}}\n"), 4),
            (format!("{{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\"}}{odd}{}", open()), 1),
        ] {
            let parsed = read_text(&text);
            assert_eq!(parsed.cluster.policies.len(), 0, "{text:?}");
            let (found, reason) = hidden(&parsed);
            assert_eq!(found, Some(line), "{text:?}");
            assert!(reason.contains("U+"), "{reason}");
        }
        // Prose is left alone, and JSON has no such line breaks.
        let json = "{\"kind\": \"NetworkPolicy\", \"apiVersion\": \"networking.k8s.io/v1\", \
                    \"metadata\": {\"name\": \"a\", \"annotations\": {\"x\": \"a~b\"}}}";
        for text in [
            format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  a: b{odd}c\n"),
            format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    b{odd}    kind: Pod\n"),
            format!("replicas: 1 # {odd}# a kind: Pod\n"),
            format!("- kind: x{odd}\n"),
            json.replace('~', odd),
        ] {
            assert_eq!(read_text(&text).problems, [], "{text:?}");
        }
    }
}

#[test]
fn other_encodings_are_said() {
    let text = open();
    let wide = |big: bool| -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect()
    };
    let utf32: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    for (bytes, line) in [
        ([&b"\xff\xfe"[..], &wide(false)].concat(), 1),
        ([&b"\xfe\xff"[..], &wide(true)].concat(), 1),
        ([&b"a: 1\n---\n\xff\xfe"[..], &wide(false)].concat(), 3),
        (wide(false), 1),
        (wide(true), 1),
        ([&b"\xff\xfe\0\0"[..], &utf32].concat(), 1),
        (utf32.clone(), 1),
        (b"#\0 \0c\0\n".to_vec(), 1),
    ] {
        for path in ["a.yaml", "a.json"] {
            let parsed = read_bytes(path, &bytes);
            let (found, reason) = hidden(&parsed);
            assert!(reason.contains("UTF-8"), "{reason}");
            assert!(path == "a.json" || found == Some(line), "{found:?} {bytes:?}");
        }
    }
}

#[test]
fn a_document_on_its_marker_is_said() {
    let one = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: q}}";
    for text in [
        format!("--- {one}"),
        format!("--- {one}\n"),
        format!("a: 1\n--- {one}\n---\nb: 1\n"),
        format!("---{one}\n# c\n"),
        format!("a: 1\n--- {{}}\n{one}\n"),
        "---\u{2028}kind: NetworkPolicy".to_string(),
    ] {
        let parsed = read_text(&text);
        let (line, reason) = hidden(&parsed);
        assert_eq!(line, Some(1 + u32::from(text.starts_with('a'))), "{text:?}");
        assert!(reason.contains("`---` line"), "{reason}");
    }
}

#[test]
fn binary_values_are_said() {
    for text in [
        open().replace("kind: NetworkPolicy", "kind: !!binary TmV0d29ya1BvbGljeQ=="),
        open().replace("kind: NetworkPolicy", "!!binary a2luZA==: !!binary TmV0d29ya1BvbGljeQ=="),
        open().replace(
            "kind: NetworkPolicy",
            "!<tag:yaml.org,2002:bin%61ry> a2luZA==: NetworkPolicy",
        ),
        open().replace("podSelector: {}", "podSelector: {matchLabels: {a: !!binary d2Vi}}"),
    ] {
        let parsed = read_text(&text);
        assert_eq!(parsed.cluster.policies.len(), 0, "{text}");
        assert!(hidden(&parsed).1.contains("`!!binary`"));
    }
    assert_eq!(read_text("apiVersion: v1\nkind: Secret\ndata: {a: !!binary d2Vi}\n").problems, []);
}

#[test]
fn objects_in_unusual_places_are_said() {
    let item = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}}";
    let json = item.replace('{', "{\"").replace(": ", "\": \"").replace(", ", "\", \"");
    let json = json.replace("\"{", "{").replace("}}", "\"}}");
    for (path, text, part) in [
        ("a.yaml", format!("- {item}\n"), "no list"),
        ("a.yaml", format!("- a\n- b: c\n- {item}\n"), "no list"),
        ("a.json", format!("[{json}]"), "no list"),
        ("a.json", format!("// c\n{json}"), "not valid JSON"),
        ("a.yaml", format!("// c\n{json}"), "not valid YAML"),
        ("a.yaml", format!("|\n  {item}\n"), "one text"),
        ("a.yaml", format!("apiVersion: v1\nkind: ConfigMap\nitems:\n- {item}\n"), "`items`"),
        (
            "a.yaml",
            format!("apiVersion: v1\nkind: ConfigMap\n\"it\\x65ms\":\n- {item}\n"),
            "`items`",
        ),
        ("a.yaml", format!("{}items: []\n", open()), "`items`"),
    ] {
        let parsed = read([(path, &*text)]);
        assert_eq!(parsed.cluster.policies.len(), 0, "{text}");
        let (_, reason) = hidden(&parsed);
        assert!(reason.contains(part), "{text}: {reason}");
    }
    for text in [
        "- op: add\n  path: /spec/ingress\n  value: {kind: NetworkPolicy}\n",
        "- name: x\n  kind: Job\n",
        "apiVersion: v1\nkind: ConfigMap\nitems:\n- {key: a, path: b}\n",
        "items:\n- {kind: NetworkPolicy, apiVersion: networking.k8s.io/v1}\n",
        "some prose\nof a kind\n",
    ] {
        assert_eq!(read_text(text).problems, [], "{text}");
    }
}

#[test]
fn what_could_be_meant_as_a_policy_is_said() {
    for (written, instead, part, affects) in [
        ("apiVersion: networking.k8s.io/v1\n", "", "`apiVersion` is missing", namespace("ns")),
        ("kind: NetworkPolicy\n", "", "`kind` is missing", Affects::Anything),
        ("kind: NetworkPolicy\n", "kind:\n", "`kind` is missing", Affects::Anything),
        ("NetworkPolicy", "networkpolicy", "write `NetworkPolicy`", namespace("ns")),
        ("networking.k8s.io/v1", "v1", "of `v1`", namespace("ns")),
    ] {
        let parsed = read_text(&open().replacen(written, instead, 1));
        assert_eq!(parsed.cluster.policies.len(), 0);
        let found = problem(&parsed);
        assert!(found.reason.contains(part), "{}", found.reason);
        assert_eq!(found.affects, affects, "{part}");
    }
    for text in [
        "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
        "kind: pipeline\ntype: docker\nname: default\nsteps: []\n",
        "version: 2\njobs: {a: {kind: job}}\n",
        "networkPolicy: {enabled: true}\nspec: {podSelector: {}}\n",
        "kind: Job\nname: x\n",
    ] {
        assert_eq!(read_text(text).problems, [], "{text}");
    }
}

#[test]
fn a_kind_that_cannot_be_told_is_said() {
    let mut bomb = String::from("a0: &a0 {k: v}\n");
    for i in 1..60 {
        bomb += &format!("a{i}: &a{i} {{<<: [*a{0}, *a{0}], k{i}: v}}\n", i - 1);
    }
    bomb += "<<: *a59\nkind: NetworkPolicy\napiVersion: networking.k8s.io/v1\n";
    assert!(hidden(&read_text(&bomb)).1.contains("repeat too much"));
    let odd_key = format!("{}? []\n: x\n", open());
    assert!(hidden(&read_text(&odd_key)).1.contains("can't be a key"));
    assert_eq!(read_text("? []\n: x\nkind: ConfigMap\n").problems, []);
}

#[test]
fn broken_documents_hide_what_they_can() {
    let deep = |open: &str| open.repeat(20_000);
    let open = "apiVersion: networking.k8s.io/v1, kind: NetworkPolicy";
    for (path, text) in [
        ("a.json", deep("{\"\\u006b\":")),
        ("a.json", format!("{{\"apiVersion\": \"x\", \"kind\": \"Pod\", \"a\": {}", deep("["))),
        ("a.yaml", format!("{{{open}")),
        ("a.yaml", format!("x: {{{open}}}\n{}", deep("["))),
        ("a.yaml", "\"\\x6bind\": NetworkPolicy\nspec: [\n".to_string()),
        ("a.yaml", "!!binary a2luZA==: NetworkPolicy\nspec: [\n".to_string()),
    ] {
        let parsed = read([(path, &*text)]);
        let start: String = text.chars().take(60).collect();
        assert!(hidden(&parsed).0.is_some(), "{start}");
    }
    let other = "{apiVersion: v1, kind: ConfigMap";
    assert_eq!(problem(&read_text(other)).affects, Affects::Nothing);
    for (path, text) in [
        ("a.yaml", "foo: [\n".to_string()),
        ("a.yaml", "- {b: [}".to_string()),
        ("a.yaml", "--- !x\na: 1\n".to_string()),
        ("a.yaml", deep("[")),
        ("a.yaml", deep("- ")),
        ("a.json", deep("[")),
        ("a.json", deep("{\"a\":")),
    ] {
        let parsed = read([(path, &*text)]);
        let found = problem(&parsed);
        assert_eq!((found.line, &found.affects), (Some(1), &Affects::Nothing), "{}", found.reason);
        assert!(found.reason.contains("no `kind`"), "{}", found.reason);
    }
    let latin = read_bytes("values.yaml", b"apiVersion: v2\nname: caf\xe9\n");
    assert_eq!((problem(&latin).line, &problem(&latin).affects), (Some(2), &Affects::Nothing));
}

#[test]
fn aliases_of_long_texts_are_charged() {
    let long = "x".repeat(1_000_000);
    let many = |count: usize| {
        let labels: Vec<_> = (0..count).map(|i| format!("k{i}: *s")).collect();
        let labels = labels.join(", ");
        format!(
            "apiVersion: v1\nkind: Namespace\nx: &s \"{long}\"\nmetadata: {{name: a, annotations: {{{labels}}}, labels: {{{labels}}}}}\n"
        )
    };
    let values = vec!["*s"; 2_000].join(", ");
    let selector = format!(
        "\n  podSelector: {{matchExpressions: [{{key: a, operator: In, values: [&s \"{long}\", {values}]}}]}}"
    );
    for text in [many(2_000), policy(&selector)] {
        let found = read_text(&text).problems;
        assert!(found[0].reason.contains("repeat too much"), "{}", &found[0].reason[..80]);
    }
    // Short texts may be repeated as often as anybody wants.
    seen(&policy("\n  podSelector: {matchExpressions: [{key: a, operator: In, values: [&s b]}]}"));
}

/// What a change with one more file says, `p.yaml` being closed on both sides.
#[test]
fn a_review_is_not_passed_by_any_of_these() {
    let closed = policy("{podSelector: {}, policyTypes: [Ingress]}");
    let workload =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: w, namespace: ns}\nspec: {containers: []}\n";
    let utf16: Vec<u8> =
        "\u{feff}".encode_utf16().chain(open().encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for bytes in [
        utf16,
        open().replace('\n', "\u{85}").into_bytes(),
        format!("# c\u{2028}{}", open()).into_bytes(),
        b"--- {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy}".to_vec(),
        open().replace("kind: NetworkPolicy", "kind: !!binary TmV0d29ya1BvbGljeQ==").into_bytes(),
        open().replace("kind: NetworkPolicy", "kind: networkpolicy").into_bytes(),
        open().replace("kind: NetworkPolicy\n", "").into_bytes(),
    ] {
        let before = Tree::from_texts("before", [("p.yaml", &*closed), ("w.yaml", workload)]);
        let mut after = before.clone();
        after.files.insert("q.yaml".into(), Content::new(bytes.as_slice()));
        let report = crate::reports::report(&before, &after);
        assert_eq!(report.result, Verdict::Unknown, "{:?}", String::from_utf8_lossy(&bytes));
        assert!(report.not_evaluated.iter().any(|entry| entry.hides == Hides::Widening));
    }
}
