//! Reading never fails, whatever the bytes.

use super::{policy, problem, read, read_bytes, read_text};
use proptest::prelude::*;

#[test]
fn bombs_are_refused_in_words() {
    let head = policy("");
    let deep = |open: &str, close: &str| {
        format!("{head}  x: {}{}\n", open.repeat(20_000), close.repeat(20_000))
    };
    for text in
        [deep("[", "]"), deep("{a: ", "}"), format!("{head}  x:\n   {}a\n", "- ".repeat(20_000))]
    {
        assert!(problem(&read_text(&text)).reason.contains("levels deep"));
    }
    let json = format!("{{\"kind\": \"NetworkPolicy\", \"x\": {}", "[".repeat(20_000));
    assert!(problem(&read([("a.json", &*json)])).reason.contains("levels deep"));

    // A billion laughs: policies in lists in lists.
    let mut text = String::from("kind: List\nx0: &x0 {kind: NetworkPolicy, metadata: {name: p}}\n");
    for i in 1..40 {
        text += &format!("x{i}: &x{i} {{kind: List, items: [*x{0}, *x{0}, *x{0}]}}\n", i - 1);
    }
    text += "items: [*x39]\n";
    let parsed = read_text(&text);
    assert!(parsed.problems.iter().any(|p| p.reason.contains("repeat too much")));
}

#[test]
fn broken_encodings_are_said() {
    let mut bytes = policy("{}").into_bytes();
    bytes.extend(b"# \xff\n");
    let parsed = read_bytes("a.yaml", &bytes);
    assert_eq!(problem(&parsed).line, Some(5));
    assert!(problem(&parsed).reason.contains("UTF-8"));
}

/// Words of manifests, so that random texts reach far into the reader.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "apiVersion: networking.k8s.io/v1\n",
        "kind: NetworkPolicy\n",
        "kind: List\n",
        "items:\n",
        "---\n",
        "...\n",
        "metadata: {name: p}\n",
        "spec:\n",
        "  ingress:\n",
        "  - from:\n",
        "    - podSelector: {}\n",
        "    ports:\n",
        "    - port: ",
        "80\n",
        "http\n",
        "\"",
        "'",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a ",
        "<<: ",
        "null\n",
        "- ",
        "  ",
        "\t",
        "\n",
        "# x\n",
        "|\n",
        ">-\n",
        "!!str ",
        ": ",
        "é",
        "\u{feff}",
        "\r\n",
        "? ",
        "%",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_bytes("a.yaml", &bytes);
        read_bytes("a.json", &bytes);
        read_bytes("kustomization.yaml", &bytes);
    }

    #[test]
    fn any_manifest_like_text(text in words()) {
        read_bytes("a.yaml", text.as_bytes());
        read_bytes("kustomization.yaml", text.as_bytes());
    }

    #[test]
    fn any_damaged_manifest(at in 0..400usize, cut in 0..20usize, insert in words()) {
        let mut bytes = policy(
            "\n  podSelector: {matchExpressions: [{key: a, operator: In, values: [b]}]}\n  ingress:\n  - from:\n    \
             - ipBlock: {cidr: 10.0.0.0/8}\n    ports:\n    - port: 80\n      endPort: 90\n  egress:\n  - {}",
        ).into_bytes();
        let at = at.min(bytes.len());
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, insert.bytes());
        read_bytes("a.yaml", &bytes);
    }
}
