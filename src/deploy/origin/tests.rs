//! Built texts written by hand, for what no tool is needed, and such as nobody would write.

use super::*;
use crate::deploy::{Overlay, Release, Values};
use crate::model::Origin;
use crate::tree::Tree;

const ANNOTATIONS: &str = "  annotations:
    alpha.config.kubernetes.io/transformations: |
      - configuredIn: ../src/o/kustomization.yaml
        configuredBy:
          apiVersion: builtin
          kind: PatchTransformer
      - configuredIn: ../src/o/kustomization.yaml
        configuredBy:
          apiVersion: builtin
          kind: PrefixTransformer
    config.kubernetes.io/origin: |
      path: ../src/o/np.yaml
";

fn kustomized(text: &str, tree: &Tree) -> Built {
    let origin = Origin { file: "o/kustomization.yaml".into(), start_line: 1, end_line: 1 };
    let wrapped = Wrapped {
        root: "../src",
        kustomization: b"{resources: [../src/o]}",
        directory: "o",
        overlay: &Overlay::default(),
        origin: &origin,
    };
    of_kustomize(text.as_bytes(), &wrapped, tree, tree)
}

/// The first source of each line.
fn places(origins: &Origins) -> Vec<String> {
    let place = |sources: &Vec<Source>| match sources.first() {
        Some(source) => format!("{}:{}", origins.files[source.file as usize], source.line),
        None => String::new(),
    };
    origins.lines.iter().map(place).collect()
}

#[test]
fn a_built_object_has_the_lines_of_its_source() {
    let text = format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n{ANNOTATIONS}  name: p-web\nspec:\n  hostNetwork: true\n"
    );
    let pod = "kind: Pod\napiVersion: v1\nmetadata: {name: db}\n---\nkind: Pod\napiVersion: v1\nmetadata: {name: web}\nspec: {}\n";
    let own = "resources: [np.yaml]\nnamePrefix: p-\npatches:\n- target: {kind: Pod, name: web}\n  patch: |\n    - op: add\n      path: /spec/hostNetwork\n      value: true\n";
    let tree = Tree::from_texts("", [("o/np.yaml", pod), ("o/kustomization.yaml", own)]);
    let built = kustomized(&text, &tree);
    assert_eq!(
        String::from_utf8(built.text).unwrap(),
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p-web\nspec:\n  hostNetwork: true\n"
    );
    assert_eq!(
        places(&built.origins),
        [
            "o/np.yaml:6",
            "o/np.yaml:5",
            "o/np.yaml:7",
            "o/np.yaml:7",
            "o/np.yaml:8",
            "o/kustomization.yaml:8",
            ""
        ]
    );
}

#[test]
fn annotations_of_others_stay() {
    let text = format!("kind: A\nmetadata:\n{ANNOTATIONS}    other: x\n  name: a\n");
    let built = kustomized(&text, &Tree::default());
    let left = "kind: A\nmetadata:\n  annotations:\n    other: x\n  name: a\n";
    assert_eq!(String::from_utf8(built.text).unwrap(), left);
    assert_eq!(places(&built.origins), [""; 6]);
}

#[test]
fn what_is_no_manifest_has_no_sources() {
    let tree = Tree::from_texts("", [("o/kustomization.yaml", "resources: [../o, ../../x, .]\n")]);
    for text in ["", "{", "a: [", "- 1\n", "kind: A\nmetadata: 1\n", "---\n---\n"] {
        let built = kustomized(text, &tree);
        assert_eq!(built.text, text.as_bytes());
        assert_eq!(places(&built.origins), vec![""; text.split('\n').count()]);
        let origins = of_helm(text.as_bytes(), &Release::default(), &tree, &tree);
        assert_eq!(places(&origins), vec![""; text.split('\n').count()]);
    }
    let odd = ANNOTATIONS.replace("../src/o/np.yaml", "../../etc/passwd");
    let built = kustomized(&format!("kind: A\nmetadata:\n{odd}  name: a\n"), &tree);
    assert_eq!(places(&built.origins), [""; 4]);
    let binary = of_helm(b"---\n# Source: a/b\n\xff", &Release::default(), &tree, &tree);
    assert_eq!(binary.lines.len(), 3);
}

#[test]
fn twenty_thousand_objects_of_one_file_end() {
    let object = |i: usize| format!("kind: Pod\nmetadata: {{name: a{i}}}\nspec: {{x: {i}}}\n---\n");
    let source: String = (0..20_000).map(object).collect();
    let annotations = ANNOTATIONS.replace("np.yaml", "all.yaml");
    let text: String = (0..20_000)
        .map(|i| {
            format!("kind: Pod\nmetadata:\n{annotations}  name: p-a{i}\nspec:\n  x: {i}\n---\n")
        })
        .collect();
    let patch = |i: usize| {
        format!(
            "- patch: '[{{op: add, path: /y, value: {i}}}]'\n  target: {{kind: Pod, name: a.*{i}}}\n"
        )
    };
    let patches: String = (0..500).map(patch).collect();
    let own = format!("namePrefix: p-\npatches:\n{patches}");
    let tree = Tree::from_texts("", [("o/all.yaml", &*source), ("o/kustomization.yaml", &*own)]);
    let built = kustomized(&text, &tree);
    let found = places(&built.origins);
    assert_eq!(found[4], "o/all.yaml:3");
    assert_eq!(found[19_999 * 6 + 4], format!("o/all.yaml:{}", 19_999 * 4 + 3));
}

#[test]
fn a_hundred_thousand_rules_end() {
    let rules = |from: usize| -> String {
        (from..from + 100_000)
            .map(|i| format!("  - {{from: [{{a: {i}}}], ports: [{i}]}}\n"))
            .collect()
    };
    let source = format!("kind: Pod\nmetadata: {{name: web}}\nspec:\n  ingress:\n{}", rules(0));
    let text = format!(
        "kind: Pod\nmetadata:\n{ANNOTATIONS}  name: p-web\nspec:\n  ingress:\n{}",
        rules(7)
    );
    let add = "    - {op: add, path: /spec/ingress/0, value: {from: [1]}}\n".repeat(20_000);
    let own = format!("namePrefix: p-\npatches:\n- target: {{kind: Pod}}\n  patch: |\n{add}");
    let tree = Tree::from_texts("", [("o/np.yaml", &*source), ("o/kustomization.yaml", &*own)]);
    let built = kustomized(&text, &tree);
    assert_eq!(built.origins.lines.len(), 100_006);
}

fn release(values: &[&str]) -> Release {
    let file = |path: &&str| Values::File { path: path.to_string(), optional: false };
    Release {
        chart: "c".into(),
        name: "r".into(),
        values: values.iter().map(file).collect(),
        ..Release::default()
    }
}

fn rendered(template: &str, values: &str, text: &str) -> Vec<String> {
    let tree = Tree::from_texts(
        "",
        [("c/Chart.yaml", "name: c"), ("c/values.yaml", values), ("c/templates/a.yaml", template)],
    );
    let text = format!("---\n# Source: c/templates/a.yaml\n{text}");
    let origins = of_helm(text.as_bytes(), &release(&[]), &tree, &tree);
    places(&origins).into_iter().skip(2).collect()
}

#[test]
fn loops_that_leave_rounds_out_are_followed() {
    let template = "a:\n{{- range .Values.l }}\n{{- if .on }}\n- {{ toYaml .x | nindent 2 }}\n{{- end }}\n{{- end }}\n";
    let values = "l:\n- {on: false, x: {y: 1}}\n- on: true\n  x:\n    z: 2\n- {on: false, x: {y: 1}}\n- on: true\n  x: {z: 3}\n";
    let found = rendered(template, values, "a:\n-\n  z: 2\n-\n  z: 3\n");
    let places = [
        "templates/a.yaml:1",
        "templates/a.yaml:4",
        "values.yaml:5",
        "templates/a.yaml:4",
        "values.yaml:8",
        "templates/a.yaml:4",
    ];
    let whole = |place: &str| if place.is_empty() { String::new() } else { format!("c/{place}") };
    assert_eq!(found, places.map(whole));
}

#[test]
fn a_loop_over_documents_is_seen_one_round_at_a_time() {
    let template = "{{- range .Values.a }}\n---\nkind: A\nx: {{ .x }}\n{{- end }}\n{{- range .Values.b }}\n---\n{{ toYaml . }}\n{{- end }}\n";
    let values = "a:\n- x: 1\n- x: 2\nb:\n- kind: A\n  z: {u: 3}\n- kind: A\n  z: {u: 4}\n";
    let more = "---\n# Source: c/templates/a.yaml\n";
    let text = format!("kind: A\nx: 2\n{more}kind: A\nz:\n  u: 4\n{more}kind: A\nz:\n  u: 3\n");
    let found = rendered(template, values, &text);
    assert_eq!(&found[1], "c/templates/a.yaml:4", "{found:?}");
    assert_eq!(&found[4], "c/values.yaml:7", "{found:?}");
    assert_eq!(&found[9], "c/values.yaml:5", "{found:?}");
}

#[test]
fn a_release_of_a_hundred_thousand_lines_ends() {
    let lines = |word: &str| (0..100_000).map(|i| format!("{word}{i}: 1\n")).collect::<String>();
    let found = rendered(&lines("a"), "", &lines("a"));
    // Too much to compare; the template is known all the same.
    assert_eq!(found[5_000], "c/templates/a.yaml:1");
    let loops = "{{- range .Values.l }}\n- {{ toYaml . | nindent 2 }}\n  {{ .a }} {{ .b }} {{ include \"h\" . }}\n{{- end }}\n{{- define \"h\" }}{{ include \"h\" . }}{{ end }}\n";
    let values = format!("l:\n{}", "- {a: 1, b: 2}\n".repeat(100_000));
    assert_eq!(rendered(loops, &values, &"- a: 1\n  b: 2\n".repeat(50_000)).len(), 100_001);
    let fields =
        format!("l:\n{}", (0..50_000).map(|i| format!("  k{i}: {{a: 1}}\n")).collect::<String>());
    assert_eq!(rendered(loops, &fields, &"- a: 1\n".repeat(50_000)).len(), 50_001);
}

#[test]
fn templates_nested_without_end_end() {
    let text = "a: 1\n".repeat(1_000);
    for template in [
        "{{ if .Values.a }}".repeat(100_000) + "\na: 1\n" + &"{{ end }}".repeat(100_000),
        "{{ if .Values.a }}\n".to_string() + &"{{ else if .Values.b }}\n".repeat(100_000),
        "{{ range .Values.a }}\n".repeat(50_000),
        "{{ ".to_string() + &"(".repeat(100_000) + ".Values.a" + &")".repeat(100_000) + " }}",
        "{{ include \"h\" (dict ".to_string() + &"\"a\" (dict ".repeat(50_000),
        "{{ $a := $a }}{{ $b := $a }}{{ $a = $b }}a: {{ $a }}\n".repeat(1_000),
        "{{ end }}{{ else }}{{ define }}{{ range }}{{ include }}{{ $ }}{{ . }}{{".to_string(),
    ] {
        assert_eq!(rendered(&template, "a: [1]", &text).len(), 1_001);
    }
}
