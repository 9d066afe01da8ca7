//! Rendered by helm.

use super::renderers::tool;
use super::{assert_places, at, built, causes, rules, run, with, write};
use netpol_review::deploy::origin::of_helm;
use netpol_review::deploy::{Release, Values};
use netpol_review::model::Origin;
use netpol_review::tree::{Content, Tree};

/// Renders the chart `shop` of a tree.
fn render(tree: &Tree, other: &Tree, values: &[Values]) -> Option<Tree> {
    let helm = tool(&["helm"])?;
    let place = tempfile::tempdir().unwrap();
    write(place.path(), tree);
    let mut arguments = vec!["template".to_string(), "rel".into(), "shop".into()];
    for (index, values) in values.iter().enumerate() {
        match values {
            Values::File { path, .. } => arguments.extend(["--values".into(), path.clone()]),
            Values::Set { name, value, .. } => {
                arguments.extend(["--set".into(), format!("{name}={value}")]);
            }
            Values::Inline { values, .. } => {
                let path = place.path().join(format!("inline-{index}.yaml"));
                std::fs::write(&path, values.to_string()).unwrap();
                arguments.extend(["--values".into(), path.display().to_string()]);
            }
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let text = run(&helm, &arguments, place.path());
    let release = Release {
        chart: "shop".into(),
        name: "rel".into(),
        values: values.to_vec(),
        ..Release::default()
    };
    let origins = of_helm(&text, &release, tree, other);
    Some(built(&text, origins, "shop/Chart.yaml"))
}

fn file(path: &str) -> Values {
    Values::File { path: path.into(), optional: false }
}

fn chart(files: &[(&str, &str)]) -> Tree {
    let own = ("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");
    Tree::from_texts("t", [own].into_iter().chain(files.iter().copied()))
}

const POLICY: &str = "\
{{- $peers := .Values.peers }}
{{- if .Values.enabled }}
# who may talk to the shop
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .Release.Name }}-web
  labels: {{- include \"shop.labels\" . | nindent 4 }}
spec:
  podSelector: {}
  ingress:
    - from:
        - podSelector: {matchLabels: {app: front}}
      ports:
        - port: {{ .Values.port }}
    {{- if .Values.monitoring }}
    - from:
        - namespaceSelector: {matchLabels: {team: monitoring}}
    {{- end }}
    {{- range $peers }}
    - from:
        - ipBlock:
            cidr: {{ .cidr | quote }}
      ports:
        {{- range .ports }}
        - port: {{ . }}
        {{- end }}
    {{- end }}
    - from:
        {{- include \"shop.friends\" . | nindent 8 }}
{{- end }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .Release.Name }}-db
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
    {{- toYaml .Values.db.ingress | nindent 4 }}
";

const HELPERS: &str = "\
{{/* labels
of everything */}}
{{- define \"shop.labels\" -}}
app: shop
version: {{ .Chart.Version }}
{{- end }}
{{- define \"shop.friends\" -}}
- podSelector:
    matchLabels:
      app: {{ .Values.friend }}
- podSelector: {matchLabels: {app: office}}
{{- end }}
";

const DEFAULTS: &str = "\
enabled: true
monitoring: false
port: 80
friend: nobody
peers: []
db:
  ingress: []
";

const PROD: &str = "\
image: v1
monitoring: true
friend: jane
peers:
  - cidr: 192.0.2.0/24
    ports: [443]
  - cidr: 198.51.100.0/24
    ports:
      - 443
      - 8443
db:
  ingress:
    - ports:
        - port: 5432
      from:
        - podSelector: {}
    - from:
        - podSelector:
            matchLabels:
              app: backup
";

const TEMPLATE: &str = "shop/templates/np.yaml";

fn shop() -> Tree {
    chart(&[
        (TEMPLATE, POLICY),
        ("shop/templates/_helpers.tpl", HELPERS),
        ("shop/values.yaml", DEFAULTS),
        ("values-prod.yaml", PROD),
    ])
}

#[test]
fn each_rule_has_the_line_of_its_template_or_of_its_value() {
    let tree = shop();
    let Some(built) = render(&tree, &tree, &[file("values-prod.yaml")]) else { return };
    let template = |needle| at(&tree, TEMPLATE, needle);
    let prod = |needle| at(&tree, "values-prod.yaml", needle);
    assert_places(
        &rules(&built),
        &[
            ("rel-web ingress 0", template("- from:")),
            ("rel-web ingress 0.0", template("app: front")),
            ("rel-web ingress 1", template("- from:#2")),
            ("rel-web ingress 1.0", template("team: monitoring")),
            ("rel-web ingress 2", template("- from:#3")),
            ("rel-web ingress 2.0", template("ipBlock")),
            ("rel-web ingress 3", template("- from:#3")),
            ("rel-web ingress 3.0", template("ipBlock")),
            ("rel-web ingress 4", template("- from:#4")),
            ("rel-web ingress 4.0", template("shop.friends")),
            ("rel-web ingress 4.1", template("shop.friends")),
            ("rel-db ingress 0", prod("- ports:")),
            ("rel-db ingress 0.0", prod("- podSelector: {}")),
            ("rel-db ingress 1", prod("- from:")),
            ("rel-db ingress 1.0", prod("- podSelector:#2")),
        ],
    );
}

/// The places of the causes when the value files or the chart were not yet like this.
fn opened(path: &str, from: &str, to: &str) -> Option<Vec<String>> {
    let after = shop();
    let before = with(&after, path, from, to);
    let values = [file("values-prod.yaml")];
    let built_before = render(&before, &after, &values)?;
    let built_after = render(&after, &before, &values)?;
    Some(causes(&built_before, &built_after))
}

#[test]
fn a_cause_stands_where_the_change_is() {
    let prod = |needle| at(&shop(), "values-prod.yaml", needle);
    let template = |needle| at(&shop(), TEMPLATE, needle);
    let path = "values-prod.yaml";
    let Some(found) = opened(path, "198.51.100.0/24", "198.51.100.0/25") else { return };
    assert_eq!(found, [prod("198.51.100.0/24")]);
    assert_eq!(
        opened(path, "    ports: [443]\n", "    ports: [80]\n").unwrap(),
        [prod("ports: [443]")]
    );
    assert_eq!(opened(path, "      - 8443\n", "").unwrap(), [prod("- 8443")]);
    assert_eq!(
        opened(path, "monitoring: true", "monitoring: false").unwrap(),
        [prod("monitoring")]
    );
    assert_eq!(opened(path, "monitoring: true\n", "").unwrap(), [prod("monitoring")]);
    assert_eq!(opened(path, "friend: jane", "friend: joe").unwrap(), [prod("friend")]);
    let backup = "    - from:\n        - podSelector:\n            matchLabels:\n              app: backup\n";
    assert_eq!(opened(path, backup, "").unwrap(), [prod("- from:")]);
    // A port of the chart's own values.
    let port = at(&shop(), "shop/values.yaml", "port: 80");
    assert_eq!(opened("shop/values.yaml", "port: 80", "port: 81").unwrap(), [port]);
    let literal = template("- from:");
    assert_eq!(opened(TEMPLATE, "app: front", "app: back").unwrap(), [literal]);
    let helper = at(&shop(), "shop/templates/_helpers.tpl", "app: office");
    let found = opened("shop/templates/_helpers.tpl", "app: office", "app: other").unwrap();
    assert_eq!(found, [helper]);
    // A condition that is gone.
    let found =
        opened(TEMPLATE, "{{- if .Values.monitoring }}", "{{- if .Values.never }}").unwrap();
    assert_eq!(found, [template("{{- if .Values.monitoring }}")]);
}

#[test]
fn values_in_an_application_and_on_the_command_line() {
    let app = "kind: Application\nspec:\n  source:\n    helm:\n      valuesObject:\n        db:\n          ingress:\n            - from:\n                - podSelector: {}\n";
    let mut tree = shop();
    tree.files.extend(Tree::from_texts("", [("app.yaml", app)]).files);
    let text =
        "kind: Release\nspec:\n  values: |\n    peers:\n    - cidr: 10.0.0.0/8\n      ports: [1]\n";
    tree.files.extend(Tree::from_texts("", [("text.yaml", text)]).files);
    let origin =
        |file: &str, start_line, end_line| Origin { file: file.into(), start_line, end_line };
    let object = serde_json::json!({"db": {"ingress": [{"from": [{"podSelector": {}}]}]}});
    let peers = serde_json::json!({"peers": [{"cidr": "10.0.0.0/8", "ports": [1]}]});
    let values = [
        Values::Inline { values: object, origin: origin("app.yaml", 5, 9) },
        Values::Inline { values: peers, origin: origin("text.yaml", 3, 6) },
        Values::Set {
            name: "peers[0].cidr".into(),
            value: "10.0.0.0/16".into(),
            text: false,
            origin: origin("set.yaml", 7, 7),
        },
    ];
    tree.files.extend(Tree::from_texts("", [("set.yaml", "\n\n\n\n\n\n- peers[0].cidr\n")]).files);
    let before = with(&tree, "set.yaml", "- peers[0].cidr", "- older");
    let Some(built) = render(&tree, &before, &values) else { return };
    let rules = rules(&built);
    assert_eq!(rules["rel-db ingress 0"], at(&tree, "app.yaml", "- from:"));
    assert_eq!(rules["rel-db ingress 0.0"], at(&tree, "app.yaml", "- podSelector"));
    // What the change sets.
    assert_eq!(rules["rel-web ingress 1"], "set.yaml:7");
    let before = with(&tree, "text.yaml", "ports: [1]", "ports: [2]");
    let built = render(&tree, &before, &values).unwrap();
    assert_eq!(super::rules(&built)["rel-web ingress 1"], at(&tree, "text.yaml", "ports: [1]"));
}

#[test]
fn charts_inside_of_charts() {
    let sub = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: sub}
spec:
  podSelector: {}
  ingress:
    - from:
        - ipBlock: {cidr: {{ .Values.cidr }}}
    - from:
        - ipBlock: {cidr: {{ .Values.global.office }}}
{{ toYaml .Values.more | indent 4 }}
";
    let mut tree = chart(&[
        ("shop/charts/sub-1.0/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
        (
            "shop/charts/sub-1.0/values.yaml",
            "cidr: 10.1.0.0/16\nmore:\n- from: [{podSelector: {}}]\n",
        ),
        ("shop/charts/sub-1.0/templates/np.yaml", sub),
        (
            "shop/values.yaml",
            "kid:\n  enabled: true\n  cidr: 10.2.0.0/16\nglobal:\n  office: 10.3.0.0/16\n",
        ),
        ("prod.yaml", "kid:\n  cidr: 10.4.0.0/16\n"),
    ]);
    let own = "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n- {name: sub, alias: kid, version: 1.0.0, condition: kid.enabled}\n";
    tree.files.extend(Tree::from_texts("", [("shop/Chart.yaml", own)]).files);
    let values = [file("prod.yaml")];
    let Some(built) = render(&tree, &tree, &values) else { return };
    let template = "shop/charts/sub-1.0/templates/np.yaml";
    let more = at(&tree, "shop/charts/sub-1.0/values.yaml", "- from");
    assert_places(
        &rules(&built),
        &[
            ("sub ingress 0", at(&tree, template, "- from:")),
            ("sub ingress 0.0", at(&tree, template, "ipBlock")),
            ("sub ingress 1", at(&tree, template, "- from:#2")),
            ("sub ingress 1.0", at(&tree, template, "ipBlock#2")),
            ("sub ingress 2", more.clone()),
            ("sub ingress 2.0", more),
        ],
    );
    let first = |path: &str, from: &str, to: &str, rule: &str| {
        let before = with(&tree, path, from, to);
        rules(&render(&tree, &before, &values).unwrap())[rule].clone()
    };
    let cidr = at(&tree, "prod.yaml", "cidr");
    assert_eq!(first("prod.yaml", "10.4", "10.5", "sub ingress 0"), cidr);
    let office = at(&tree, "shop/values.yaml", "office");
    assert_eq!(first("shop/values.yaml", "10.3", "10.5", "sub ingress 1"), office);
    let enabled = at(&tree, "shop/values.yaml", "enabled");
    assert_eq!(
        first("shop/values.yaml", "enabled: true", "enabled: false", "sub ingress 0"),
        enabled
    );
}

/// Packs the chart `db` with a template.
fn packed(template: &str) -> Option<Content> {
    let helm = tool(&["helm"])?;
    let place = tempfile::tempdir().unwrap();
    let files = [
        ("db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n"),
        ("db/templates/np.yaml", template),
    ];
    write(place.path(), &Tree::from_texts("t", files));
    run(&helm, &["package", "db"], place.path());
    Some(Content::new(std::fs::read(place.path().join("db-1.0.0.tgz")).unwrap()))
}

/// Nobody edits a line of it: the archive as a whole stands for what is in it.
#[test]
fn a_packed_chart_is_one_file() {
    let policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: db}\nspec:\n  podSelector: {}\n  ingress:\n  - from:\n    - podSelector: {matchLabels: {app: web}}\n";
    let Some(old) = packed(policy) else { return };
    let new = packed(&policy.replace("app: web", "tier: web")).unwrap();
    let path = "shop/charts/db-1.0.0.tgz";
    let with = |archive: Content| {
        let mut tree = chart(&[("shop/values.yaml", "db: {}\n")]);
        tree.files.insert(path.into(), archive);
        tree
    };
    let (before, after) = (with(old), with(new));
    let built = render(&after, &before, &[]).unwrap();
    let archive = format!("{path}:1");
    assert_places(
        &rules(&built),
        &[("db ingress 0", archive.clone()), ("db ingress 0.0", archive.clone())],
    );
    let rendered = &built.rendered["built.yaml"];
    assert!(rendered.lines.iter().flatten().all(|source| source.changed), "{rendered:?}");
    assert_eq!(causes(&render(&before, &after, &[]).unwrap(), &built), [archive]);
}

#[test]
fn other_ways_to_print_values() {
    let template = "\
{{- $root := . -}}
{{- range $name, $policy := .Values.policies }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ $name }}
spec:
  podSelector: {{- toYaml $policy.selector | nindent 4 }}
  {{- with $policy.ingress }}
  ingress:
    {{- tpl (toYaml .) $root | nindent 4 }}
  {{- end }}
  egress: {{ toJson $policy.egress }}
{{- end }}
{{- range .Values.extra }}
---
{{ toYaml . }}
{{- end }}
";
    let values = "\
policies:
  web:
    selector: {}
    egress: []
    ingress:
      - from:
          - podSelector: {matchLabels: {app: front}}
      - ports:
          - port: 80
  db:
    selector: {matchLabels: {app: db}}
    egress:
      - to: [{podSelector: {}}]
extra:
  - apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: extra}
    spec:
      podSelector: {}
      egress:
        - ports: [{port: 53}]
";
    let tree = chart(&[("shop/templates/all.yaml", template), ("shop/values.yaml", values)]);
    let Some(built) = render(&tree, &tree, &[]) else { return };
    let value = |needle| at(&tree, "shop/values.yaml", needle);
    let printed = at(&tree, "shop/templates/all.yaml", "toJson");
    assert_places(
        &rules(&built),
        &[
            ("web ingress 0", value("- from:")),
            ("web ingress 0.0", value("- podSelector:")),
            ("web ingress 1", value("- ports:")),
            ("db egress 0", value("- to:")),
            ("db egress 0.0", value("- to:")),
            ("extra egress 0", value("- ports: [")),
        ]
        .map(|(name, place)| match name.starts_with("db") {
            // One line of the text is all of it; the template's is the likeliest.
            true => (name, printed.clone()),
            false => (name, place),
        }),
    );
    let before = with(&tree, "shop/values.yaml", "- to: [{podSelector: {}}]", "- to: []");
    let built = render(&tree, &before, &[]).unwrap();
    assert_eq!(rules(&built)["db egress 0"], value("- to:"));
}

/// As charts that are published are written: everything through helpers, with dictionaries.
const PUBLISHED: &str = "\
{{- if .Values.networkPolicy.enabled }}
apiVersion: {{ include \"lib.version\" . }}
kind: NetworkPolicy
metadata:
  name: {{ template \"lib.name\" . }}
  labels: {{- include \"lib.labels\" ( dict \"custom\" .Values.commonLabels \"context\" $ ) | nindent 4 }}
  {{- if .Values.commonAnnotations }}
  annotations: {{- include \"lib.render\" ( dict \"value\" .Values.commonAnnotations \"context\" $ ) | nindent 4 }}
  {{- end }}
spec:
  {{- $podLabels := merge .Values.podLabels .Values.commonLabels }}
  podSelector:
    matchLabels: {{- include \"lib.labels\" ( dict \"custom\" $podLabels \"context\" $ ) | nindent 6 }}
  policyTypes:
    - Ingress
    - Egress
  {{- if .Values.networkPolicy.allowExternalEgress }}
  egress:
    - {}
  {{- else }}
  egress:
    # names
    - ports:
        - port: 53
          protocol: UDP
    {{- if .Values.networkPolicy.extraEgress }}
    {{- include \"lib.render\" ( dict \"value\" .Values.networkPolicy.extraEgress \"context\" $ ) | nindent 4 }}
    {{- end }}
  {{- end }}
  ingress:
    - ports:
        - port: {{ .Values.containerPorts.http }}
        {{- if .Values.tls.enabled }}
        - port: {{ .Values.containerPorts.https }}
        {{- end }}
      {{- if not .Values.networkPolicy.allowExternal }}
      from:
        - podSelector:
            matchLabels:
              {{ template \"lib.name\" . }}-client: \"true\"
        {{- if .Values.networkPolicy.namespaces }}
        - namespaceSelector:
            matchLabels:
              {{- range $key, $value := .Values.networkPolicy.namespaces }}
              {{ $key | quote }}: {{ $value | quote }}
              {{- end }}
        {{- end }}
      {{- end }}
{{- end }}
";

const LIBRARY: &str = "\
{{- define \"lib.version\" -}}networking.k8s.io/v1{{- end }}
{{- define \"lib.name\" -}}
{{- printf \"%s-%s\" .Release.Name .Chart.Name | trunc 63 | trimSuffix \"-\" -}}
{{- end }}
{{- define \"lib.labels\" -}}
app: {{ include \"lib.name\" .context }}
{{- with .custom }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- define \"lib.render\" -}}
{{- $value := typeIs \"string\" .value | ternary .value (.value | toYaml) }}
{{- if contains \"{{\" (toJson .value) }}
  {{- tpl $value .context }}
{{- else }}
  {{- $value }}
{{- end }}
{{- end }}
";

#[test]
fn a_chart_as_they_are_published() {
    let defaults = "commonLabels: {}\ncommonAnnotations: {}\npodLabels: {}\ncontainerPorts:\n  http: 8080\n  https: 8443\ntls:\n  enabled: false\nnetworkPolicy:\n  enabled: true\n  allowExternal: true\n  allowExternalEgress: true\n  extraEgress: []\n  namespaces: {}\n";
    let prod = "commonLabels:\n  team: shop\ncommonAnnotations:\n  a: b\ntls:\n  enabled: true\nnetworkPolicy:\n  allowExternal: false\n  allowExternalEgress: false\n  namespaces:\n    team: shop\n    tier: web\n  extraEgress:\n    - to:\n        - ipBlock:\n            cidr: 10.0.0.0/8\n    - to:\n        - podSelector: {}\n      ports:\n        - port: 5432\n";
    let tree = chart(&[
        (TEMPLATE, PUBLISHED),
        ("shop/templates/_lib.tpl", LIBRARY),
        ("shop/values.yaml", defaults),
        ("prod.yaml", prod),
    ]);
    let values = [file("prod.yaml")];
    let Some(built) = render(&tree, &tree, &values) else { return };
    let template = |needle| at(&tree, TEMPLATE, needle);
    let prod = |needle| at(&tree, "prod.yaml", needle);
    assert_places(
        &rules(&built),
        &[
            ("rel-shop egress 0", template("- ports:")),
            ("rel-shop egress 1", prod("- to:")),
            ("rel-shop egress 1.0", prod("- ipBlock")),
            ("rel-shop egress 2", prod("- to:#2")),
            ("rel-shop egress 2.0", prod("- podSelector: {}")),
            ("rel-shop ingress 0", template("- ports:#2")),
            ("rel-shop ingress 0.0", template("- podSelector:")),
            ("rel-shop ingress 0.1", template("- namespaceSelector:")),
        ],
    );
    let touched = |from: &str, to: &str, rule: &str| {
        let before = with(&tree, "prod.yaml", from, to);
        rules(&render(&tree, &before, &values).unwrap())[rule].clone()
    };
    let first = "    - to:\n        - ipBlock:\n            cidr: 10.0.0.0/8\n";
    assert_eq!(touched(first, "", "rel-shop egress 1"), prod("- to:"));
    assert_eq!(touched("5432", "5433", "rel-shop egress 2"), prod("- to:#2"));
    let external = prod("allowExternalEgress");
    assert_eq!(touched("allowExternalEgress: false", "", "rel-shop egress 0"), external);
    assert_eq!(touched("tier: web", "tier: db", "rel-shop ingress 0.1"), prod("tier: web"));
    let tls = at(&tree, "prod.yaml", "enabled: true");
    assert_eq!(touched("enabled: true", "enabled: false", "rel-shop ingress 0"), tls);
}
