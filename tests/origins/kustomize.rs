//! Built by kubectl.

use super::renderers::tool;
use super::{assert_places, at, built, causes, cluster, rules, run, shown, with, write};
use netpol_review::deploy::Overlay;
use netpol_review::deploy::inputs::kustomization;
use netpol_review::deploy::origin::{Wrapped, of_kustomize};
use netpol_review::deploy::overlay::{applied, made};
use netpol_review::model::Origin;
use netpol_review::parse::{Node, manifests};
use netpol_review::tree::{Files, Tree};

fn node(bytes: &[u8]) -> Node {
    manifests(bytes).remove(0).unwrap()
}

/// Builds a directory of a tree as the orchestrator does, with fields that `app.yaml` lays over it.
pub fn build_with(tree: &Tree, other: &Tree, directory: &str, fields: &str) -> Option<Tree> {
    let kubectl = tool(&["kubectl"])?;
    let place = tempfile::tempdir().unwrap();
    write(&place.path().join("src"), tree);
    let wrapper = format!(
        "buildMetadata: [originAnnotations, transformerAnnotations]\nresources: [../src/{directory}]\n"
    );
    let mut overlay = Overlay::default();
    for document in manifests(fields.as_bytes()) {
        for field in document.unwrap().fields() {
            overlay.fields.insert(field.key.clone(), field.node.to_json());
        }
    }
    let own = kustomization(directory, tree);
    let path = own.clone().unwrap_or_else(|| format!("{directory}/kustomization.yaml"));
    let own = match own {
        Some(path) => node(tree.read(&path).unwrap().bytes()),
        None => made(directory, tree),
    };
    let edited = applied(&own, &overlay.written(directory)).to_json().to_string();
    std::fs::write(place.path().join("src").join(path), edited).unwrap();
    std::fs::create_dir(place.path().join("build")).unwrap();
    std::fs::write(place.path().join("build/kustomization.yaml"), &wrapper).unwrap();
    let text = run(&kubectl, &["kustomize", "build"], place.path());
    let origin = Origin { file: "app.yaml".into(), start_line: 5, end_line: 9 };
    let wrapped = Wrapped {
        root: "../src",
        kustomization: wrapper.as_bytes(),
        directory,
        overlay: &overlay,
        origin: &origin,
    };
    let result = of_kustomize(&text, &wrapped, tree, other);
    let text = String::from_utf8(result.text.clone()).unwrap();
    assert!(!text.contains("config.kubernetes.io"), "{text}");
    let entry = format!("{directory}/kustomization.yaml");
    Some(built(&result.text, result.origins, &entry))
}

pub fn build(tree: &Tree, other: &Tree, directory: &str) -> Option<Tree> {
    build_with(tree, other, directory, "")
}

pub const BASE: &str = "\
# What the shop's pods talk to.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: web
spec:
  podSelector:
    matchLabels: {app: web}
  policyTypes: [Ingress]
  ingress:
  # the front
  - from:
    - podSelector:
        matchLabels:
          app: front
    ports:
    - port: 80
  - ports:
    - port: 9090
    from:
    - namespaceSelector: {}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: db
spec:
  podSelector:
    matchLabels: {app: db}
  ingress:
  - from:
    - podSelector: {matchLabels: {app: web}}
";

fn base() -> [(&'static str, &'static str); 2] {
    [("base/kustomization.yaml", "resources: [np.yaml]\n"), ("base/np.yaml", BASE)]
}

pub fn tree(files: &[(&str, &str)]) -> Tree {
    Tree::from_texts("t", base().into_iter().chain(files.iter().copied()))
}

pub fn base_rule(tree: &Tree, needle: &str) -> String {
    at(tree, "base/np.yaml", needle)
}

#[test]
fn two_policies_in_one_file_of_a_base() {
    let tree = tree(&[("o/kustomization.yaml", "resources: [../base]\nnamespace: prod\n")]);
    let Some(built) = build(&tree, &tree, "o") else { return };
    assert_places(
        &rules(&built),
        &[
            ("web ingress 0", base_rule(&tree, "- from:")),
            ("web ingress 0.0", base_rule(&tree, "- podSelector:")),
            ("web ingress 1", base_rule(&tree, "- ports:")),
            ("web ingress 1.0", base_rule(&tree, "- namespaceSelector")),
            ("db ingress 0", base_rule(&tree, "- from:#2")),
            ("db ingress 0.0", base_rule(&tree, "- podSelector: {matchLabels")),
        ],
    );
    let policies = cluster(&built).policies;
    let web = policies.iter().find(|policy| &*policy.id.name == "web").unwrap();
    assert_eq!((web.origin.start_line, web.origin.end_line), (2, 21));
    assert_eq!(shown(&web.subject_origin), base_rule(&tree, "podSelector:"));
    assert_eq!(shown(&web.directions_origin), base_rule(&tree, "policyTypes"));
    assert_eq!(web.id.namespace.as_deref(), Some("prod"));
}

const MERGE: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: web
spec:
  ingress:
  - from:
    - podSelector:
        matchLabels:
          app: front
    - podSelector:
        matchLabels:
          app: admin
    ports:
    - port: 80
";

#[test]
fn a_strategic_merge_in_a_file_adds_a_peer() {
    let overlay = "resources: [../base]\npatches:\n- path: patch.yaml\n";
    let tree = tree(&[("o/kustomization.yaml", overlay), ("o/patch.yaml", MERGE)]);
    let before = with(
        &tree,
        "o/patch.yaml",
        "    - podSelector:\n        matchLabels:\n          app: admin\n",
        "",
    );
    let Some(after) = build(&tree, &before, "o") else { return };
    let patch = |needle| at(&tree, "o/patch.yaml", needle);
    let expected = [
        ("web ingress 0", patch("- from:")),
        ("web ingress 0.0", patch("- podSelector:")),
        ("web ingress 0.1", patch("- podSelector:#2")),
        ("db ingress 0", base_rule(&tree, "- from:#2")),
        ("db ingress 0.0", base_rule(&tree, "- podSelector: {matchLabels")),
    ];
    assert_places(&rules(&after), &expected);
    let before = build(&before, &tree, "o").unwrap();
    assert_eq!(causes(&before, &after), [patch("- podSelector:#2")]);
}

#[test]
fn the_old_names_of_patches_work_as_well() {
    let overlay = "resources: [../base]\npatchesStrategicMerge:\n- patch.yaml\npatchesJson6902:\n- target: {group: networking.k8s.io, version: v1, kind: NetworkPolicy, name: db}\n  path: patch.json\n";
    let json = "[\n  {\"op\": \"add\", \"path\": \"/spec/ingress/-\",\n   \"value\": {\n     \"from\": [{\"podSelector\": {}}]}}\n]\n";
    let files =
        [("o/kustomization.yaml", overlay), ("o/patch.yaml", MERGE), ("o/patch.json", json)];
    let tree = tree(&files);
    let Some(built) = build(&tree, &tree, "o") else { return };
    let rules = rules(&built);
    assert_eq!(rules["web ingress 0"], at(&tree, "o/patch.yaml", "- from:"));
    assert_eq!(rules["db ingress 1"], at(&tree, "o/patch.json", "value"));
    assert_eq!(rules["db ingress 1.0"], at(&tree, "o/patch.json", "from"));
}

const INLINE: &str = "\
resources:
- ../base
patches:
- target:
    kind: NetworkPolicy
    name: db
  patch: |-
    - op: add
      path: /spec/ingress/0/from/-
      value:
        podSelector:
          matchLabels:
            app: backup
    - op: add
      path: /spec/ingress/-
      value:
        from:
        - ipBlock:
            cidr: 10.0.0.0/8
- target: {kind: NetworkPolicy, name: w.*}
  patch: '[{\"op\": \"replace\", \"path\": \"/spec/ingress/0/ports/0/port\", \"value\": 81}]'
";

#[test]
fn json_patches_inside_of_a_kustomization() {
    let path = "o/kustomization.yaml";
    let tree = tree(&[(path, INLINE)]);
    let peer = "    - op: add\n      path: /spec/ingress/0/from/-\n      value:\n        podSelector:\n          matchLabels:\n            app: backup\n";
    let before = with(&tree, path, peer, "");
    let Some(after) = build(&tree, &before, "o") else { return };
    let inline = |needle| at(&tree, path, needle);
    assert_places(
        &rules(&after),
        &[
            ("web ingress 0", base_rule(&tree, "- from:")),
            ("web ingress 0.0", base_rule(&tree, "- podSelector:")),
            ("web ingress 1", base_rule(&tree, "- ports:")),
            ("web ingress 1.0", base_rule(&tree, "- namespaceSelector")),
            // The change touches the peer that is added.
            ("db ingress 0", inline("podSelector:")),
            ("db ingress 0.0", base_rule(&tree, "- podSelector: {matchLabels")),
            ("db ingress 0.1", inline("podSelector:")),
            ("db ingress 1", inline("from:")),
            ("db ingress 1.0", inline("- ipBlock:")),
        ],
    );
    let before = build(&before, &tree, "o").unwrap();
    assert_eq!(causes(&before, &after), [inline("podSelector:")]);
    let policies = cluster(&after).policies;
    let web = policies.iter().find(|policy| &*policy.id.name == "web").unwrap();
    let port = &web.ingress.as_ref().unwrap().rules[0].ports.as_ref().unwrap()[0];
    // The item is the base's, and what it says is the patch's.
    assert_eq!(shown(&port.origin), base_rule(&tree, "- port: 80"));
}

#[test]
fn what_a_patch_takes_away_stands_in_the_patch() {
    let overlay = "resources: [../base]\npatches:\n- target: {kind: NetworkPolicy, name: web}\n  patch: |\n    - op: remove\n      path: /spec/ingress/0/ports\n- target: {kind: NetworkPolicy, name: db}\n  patch: |\n    kind: NetworkPolicy\n    metadata: {name: any}\n    spec:\n      podSelector: {matchLabels: {app: null, tier: db}}\n";
    let path = "o/kustomization.yaml";
    let tree = tree(&[(path, overlay)]);
    let before = with(
        &tree,
        path,
        "op: remove\n      path: /spec/ingress/0/ports",
        "op: add\n      path: /metadata/labels\n      value: {}",
    );
    let Some(after) = build(&tree, &before, "o") else { return };
    let removed = at(&tree, path, "path: /spec/ingress/0/ports");
    assert_eq!(rules(&after)["web ingress 0"], removed);
    assert_eq!(
        rules(&build(&tree, &tree, "o").unwrap())["web ingress 0"],
        base_rule(&tree, "- from:")
    );
    let before = build(&before, &tree, "o").unwrap();
    assert_eq!(causes(&before, &after), [removed]);
}

#[test]
fn a_component_prefix_and_namespace() {
    let component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n- path: peer.yaml\n  target:\n    kind: NetworkPolicy\n    name: db\n";
    let peer = "- op: add\n  path: /spec/ingress/0/from/-\n  value:\n    ipBlock:\n      cidr: 10.1.0.0/16\n";
    let inner = "resources: [../base]\nnamePrefix: shop-\nlabels:\n- pairs: {team: shop}\n";
    let overlay = "resources: [../inner]\ncomponents: [../component]\nnamePrefix: eu-\nnameSuffix: -prod\nnamespace: prod\n";
    let tree = tree(&[
        ("component/kustomization.yaml", component),
        ("component/peer.yaml", peer),
        ("inner/kustomization.yaml", inner),
        ("o/kustomization.yaml", overlay),
    ]);
    let before = with(&tree, "o/kustomization.yaml", "components: [../component]\n", "");
    let Some(after) = build(&tree, &before, "o") else { return };
    let component = at(&tree, "o/kustomization.yaml", "components");
    let peer = at(&tree, "component/peer.yaml", "ipBlock");
    assert_places(
        &rules(&after),
        &[
            ("eu-shop-web-prod ingress 0", base_rule(&tree, "- from:")),
            ("eu-shop-web-prod ingress 0.0", base_rule(&tree, "- podSelector:")),
            ("eu-shop-web-prod ingress 1", base_rule(&tree, "- ports:")),
            ("eu-shop-web-prod ingress 1.0", base_rule(&tree, "- namespaceSelector")),
            // Nobody touched the component; the change is the line that names it.
            ("eu-shop-db-prod ingress 0", component.clone()),
            ("eu-shop-db-prod ingress 0.0", base_rule(&tree, "- podSelector: {matchLabels")),
            ("eu-shop-db-prod ingress 0.1", component),
        ],
    );
    let unchanged = build(&tree, &tree, "o").unwrap();
    assert_eq!(rules(&unchanged)["eu-shop-db-prod ingress 0.1"], peer);
    let lines: Vec<_> = unchanged.rendered["built.yaml"].lines.clone();
    let text = String::from_utf8(unchanged.files["built.yaml"].bytes().to_vec()).unwrap();
    let files = &unchanged.rendered["built.yaml"].files;
    let of = |needle: &str| {
        let line = text.lines().position(|line| line.contains(needle)).unwrap();
        let places = lines[line].iter();
        places.map(|s| format!("{}:{}", files[s.file as usize], s.line)).collect::<Vec<_>>()
    };
    let overlay = |needle| at(&tree, "o/kustomization.yaml", needle);
    assert_eq!(of("namespace: prod"), [overlay("namespace: prod")]);
    assert_eq!(of("team: shop"), [at(&tree, "inner/kustomization.yaml", "pairs")]);
    assert_eq!(
        of("name: eu-shop-db-prod"),
        [
            base_rule(&tree, "name: db"),
            overlay("namePrefix"),
            overlay("nameSuffix"),
            at(&tree, "inner/kustomization.yaml", "namePrefix")
        ]
    );
}

#[test]
fn a_replacement_copies_from_another_object() {
    let overlay = "\
resources: [../base, office.yaml, np.yaml]
configMapGenerator:
- name: partner
  literals:
  - other=x
  - cidr=192.0.2.0/24
replacements:
- source: {kind: ConfigMap, name: office, fieldPath: data.cidr}
  targets:
  - select: {kind: NetworkPolicy, name: out}
    fieldPaths:
    - spec.egress.0.to.0.ipBlock.cidr
- source: {kind: ConfigMap, name: partner, fieldPath: data.cidr}
  targets:
  - select: {kind: NetworkPolicy, name: out}
    fieldPaths:
    - spec.egress.1.to.0.ipBlock.cidr
";
    let office = "kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: office\n  annotations: {config.kubernetes.io/local-config: \"true\"}\ndata:\n  cidr: 198.51.100.0/24\n";
    let policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: out}\nspec:\n  podSelector: {}\n  policyTypes: [Egress]\n  egress:\n  - to:\n    - ipBlock:\n        cidr: OFFICE\n  - to:\n    - ipBlock:\n        cidr: PARTNER\n";
    let path = "o/kustomization.yaml";
    let tree = tree(&[(path, overlay), ("o/office.yaml", office), ("o/np.yaml", policy)]);
    let before = with(&tree, "o/office.yaml", "198.51.100.0/24", "198.51.100.0/25");
    let before = with(&before, path, "192.0.2.0/24", "192.0.2.0/25");
    let Some(after) = build(&tree, &before, "o") else { return };
    let mut found = rules(&after);
    found.retain(|name, _| name.starts_with("out"));
    let copied = at(&tree, "o/office.yaml", "cidr");
    let literal = at(&tree, path, "cidr=");
    assert_places(
        &found,
        &[
            ("out egress 0", copied.clone()),
            ("out egress 0.0", copied.clone()),
            ("out egress 1", literal.clone()),
            ("out egress 1.0", literal.clone()),
        ],
    );
    let before = build(&before, &tree, "o").unwrap();
    assert_eq!(causes(&before, &after), [literal, copied]);
}

#[test]
fn anchors_and_flow_style_in_a_base() {
    let policy = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec:
  podSelector: {}
  ingress:
  - from: &peers
    - podSelector: {matchLabels: {app: a}}
    - {namespaceSelector: {matchLabels: {team: a}},
       podSelector: {}}
    ports: [{port: 80}]
  - {from: [{ipBlock: {cidr: 10.0.0.0/8}}],
     ports: [{port: 81}]}
  egress:
  - to: *peers
";
    let mut tree = Tree::from_texts("t", [("b/np.yaml", policy)]);
    let kustomization = "resources: [np.yaml]\nnamePrefix: p-\n";
    let other = Tree::from_texts("t", [("b/kustomization.yaml", kustomization)]);
    tree.files.extend(other.files);
    let Some(built) = build(&tree, &tree, "b") else { return };
    let line = |needle| at(&tree, "b/np.yaml", needle);
    assert_places(
        &rules(&built),
        &[
            ("p-web ingress 0", line("&peers")),
            ("p-web ingress 0.0", line("app: a")),
            ("p-web ingress 0.1", line("team: a")),
            ("p-web ingress 1", line("10.0.0.0/8")),
            ("p-web ingress 1.0", line("10.0.0.0/8")),
            ("p-web egress 0", line("*peers")),
            ("p-web egress 0.0", line("app: a")),
            ("p-web egress 0.1", line("team: a")),
        ],
    );
}

#[test]
fn two_bases_with_namesakes_and_lists() {
    let list = |label: &str| {
        format!(
            "kind: List\napiVersion: v1\nitems:\n- apiVersion: networking.k8s.io/v1\n  kind: NetworkPolicy\n  metadata: {{name: first}}\n  spec: {{podSelector: {{}}}}\n- apiVersion: networking.k8s.io/v1\n  kind: NetworkPolicy\n  metadata: {{name: second}}\n  spec:\n    podSelector: {{}}\n    ingress:\n    - from: [{{podSelector: {{matchLabels: {{app: {label}}}}}}}]\n"
        )
    };
    let (one, two) = (list("one"), list("two"));
    let tree = Tree::from_texts(
        "t",
        [
            ("o/kustomization.yaml", "resources: [../a, ../b]\n"),
            ("a/kustomization.yaml", "resources: [np.yaml]\nnameSuffix: -second\n"),
            ("a/np.yaml", &one),
            ("b/kustomization.yaml", "resources: [np.yaml]\nnamespace: b\n"),
            ("b/np.yaml", &two),
        ],
    );
    let Some(built) = build(&tree, &tree, "o") else { return };
    let mut found = rules(&built);
    found.retain(|name, _| !name.contains('.'));
    assert_places(
        &found,
        &[
            ("second-second ingress 0", at(&tree, "a/np.yaml", "app: one")),
            ("second ingress 0", at(&tree, "b/np.yaml", "app: two")),
        ],
    );
}

#[test]
fn generators_and_transformers_beside_policies() {
    let overlay = "\
resources: [../base, web.yaml]
configMapGenerator:
- name: web
  literals:
  - a=b
transformers: [add.yaml]
images:
- name: shop/web
  newTag: v2
replicas:
- name: web
  count: 3
";
    let add = "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: add}\ntarget: {kind: NetworkPolicy, name: db}\npatch: |\n  - op: add\n    path: /spec/egress\n    value:\n    - to: [{podSelector: {}}]\n";
    let web = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata:\n      labels: {app: web}\n    spec:\n      containers:\n      - name: web\n        image: shop/web:v1\n";
    let path = "o/kustomization.yaml";
    let tree = tree(&[(path, overlay), ("o/add.yaml", add), ("o/web.yaml", web)]);
    let Some(built) = build(&tree, &tree, "o") else { return };
    assert_eq!(rules(&built)["db egress 0"], at(&tree, "o/add.yaml", "- to:"));
    let workload = cluster(&built).workloads[0].clone();
    assert_eq!(shown(&workload.origin), "o/web.yaml:1");
    assert_eq!(shown(&workload.labels_origin), "o/web.yaml:9");
    let rendered = &built.rendered["built.yaml"];
    let text = String::from_utf8(built.files["built.yaml"].bytes().to_vec()).unwrap();
    let nth = |needle: &str, nth: usize| {
        let line = text.lines().position(|line| line.contains(needle)).unwrap();
        let source = rendered.lines[line][nth];
        format!("{}:{}", rendered.files[source.file as usize], source.line)
    };
    let first = |needle: &str| nth(needle, 0);
    assert_eq!(first("a: b"), at(&tree, path, "a=b"));
    assert_eq!(first("kind: ConfigMap"), at(&tree, path, "- name: web"));
    // The line begins an item of the base.
    assert_eq!(first("image: shop/web:v2"), at(&tree, "o/web.yaml", "- name: web"));
    assert_eq!(nth("image: shop/web:v2", 1), at(&tree, path, "- name: shop/web"));
    assert_eq!(first("replicas: 3"), at(&tree, path, "count: 3"));
}

#[test]
fn what_an_application_lays_over_stands_in_the_application() {
    let app = "\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  source:
    path: o
    kustomize:
      patches:
      - target: {kind: NetworkPolicy, name: db}
        patch: |-
          - op: add
            path: /spec/ingress/-
            value:
              from: [{podSelector: {}}]
";
    let tree = tree(&[("o/kustomization.yaml", "resources: [../base]\n"), ("app.yaml", app)]);
    let fields = "patches:\n- target: {kind: NetworkPolicy, name: db}\n  patch: \"- op: add\\n  path: /spec/ingress/-\\n  value:\\n    from: [{podSelector: {}}]\"\n";
    let Some(built) = build_with(&tree, &tree, "o", fields) else { return };
    assert_eq!(rules(&built)["db ingress 1"], at(&tree, "app.yaml", "from:"));
}

#[test]
fn a_resource_that_is_named_newly() {
    let path = "base/kustomization.yaml";
    let after = tree(&[("o/kustomization.yaml", "resources: [../base]\n")]);
    let before = with(&after, path, "resources: [np.yaml]", "resources: []");
    let Some(built) = build(&after, &before, "o") else { return };
    let named = at(&after, path, "np.yaml");
    assert_eq!(rules(&built)["web ingress 0"], named);
    let new = with(&after, "base/np.yaml", "- port: 80\n", "- port: 80\n    - port: 81\n");
    let built = build(&new, &before, "o").unwrap();
    // What is new itself stands for itself.
    assert_eq!(rules(&built)["web ingress 0"], base_rule(&after, "- from:"));
}
