//! What a deployer writes into a kustomization, and what kustomizations copy and configure in other files.

use super::kustomize::{BASE, base_rule, build, build_with, tree};
use super::{at, causes, rules, with};
use netpol_review::tree::Tree;

/// An Application whose fields meet those of the kustomization that it deploys.
const MERGED: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop, namespace: argocd}
spec:
  destination:
    namespace: prod
  source:
    path: o
    kustomize:
      namePrefix: eu-
      namespace: prod
      commonLabels:
        team: shop
      patches:
      - target: {kind: NetworkPolicy, name: db}
        patch: |-
          - op: add
            path: /spec/ingress/-
            value:
              from: [{podSelector: {}}]
";

#[test]
fn what_an_application_sets_is_merged_into_the_kustomization() {
    let own = "\
resources: [../base]
namePrefix: own-
commonLabels:
  tier: a
patches:
- target: {kind: NetworkPolicy, name: web}
  patch: |-
    - op: add
      path: /spec/ingress/-
      value:
        from: [{podSelector: {}}]
";
    let path = "o/kustomization.yaml";
    let tree = tree(&[(path, own), ("app.yaml", MERGED)]);
    let fields = "namePrefix: eu-\nnamespace: prod\ncommonLabels: {team: shop}\npatches:\n- target: {kind: NetworkPolicy, name: db}\n  patch: \"- op: add\\n  path: /spec/ingress/-\\n  value:\\n    from: [{podSelector: {}}]\"\n";
    let Some(built) = build_with(&tree, &tree, "o", fields) else { return };
    // One prefix, and the patch of the Application knows the policy by the name without any.
    let rules = rules(&built);
    assert_eq!(rules["eu-web ingress 2"], at(&tree, path, "from:"));
    assert_eq!(rules["eu-db ingress 1"], at(&tree, "app.yaml", "from:"));
    assert_eq!(rules["eu-db ingress 0"], base_rule(&tree, "- from:#2"));
    let app = |needle| at(&tree, "app.yaml", needle);
    assert_eq!(places(&built, "namespace: prod"), [app("namespace: prod#2")]);
    assert_eq!(places(&built, "team: shop"), [app("team: shop")]);
    assert_eq!(places(&built, "tier: a"), [at(&tree, path, "tier: a")]);
    assert_eq!(places(&built, "name: eu-db"), [base_rule(&tree, "name: db"), app("namePrefix")]);
}

#[test]
fn what_is_laid_over_files_without_a_kustomization() {
    let app = "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: shop, namespace: prod}
spec:
  path: plain
  targetNamespace: prod
  namePrefix: eu-
";
    let mut tree = Tree::from_texts("t", [("plain/sub/np.yaml", BASE), ("app.yaml", app)]);
    let Some(built) = build_with(&tree, &tree, "plain", "namespace: prod\nnamePrefix: eu-\n")
    else {
        return;
    };
    let place = |needle| at(&tree, "plain/sub/np.yaml", needle);
    let rules = rules(&built);
    assert_eq!(rules["eu-web ingress 0"], place("- from:"));
    assert_eq!(rules["eu-db ingress 0.0"], place("- podSelector: {matchLabels"));
    assert_eq!(places(&built, "namespace: prod"), [at(&tree, "app.yaml", "targetNamespace")]);
    assert_eq!(
        places(&built, "name: eu-web"),
        [place("name: web"), at(&tree, "app.yaml", "Prefix")]
    );
    // Nobody named the files before there was an object that deploys them.
    let new = tree.clone();
    tree.files.remove("app.yaml");
    let built = build_with(&new, &tree, "plain", "namespace: prod\nnamePrefix: eu-\n").unwrap();
    let first = at(&new, "app.yaml", "path: plain");
    assert!(places(&built, "name: eu-db").contains(&first), "{:?}", places(&built, "name: eu-db"));
}

const OUT: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: out}\nspec:\n  podSelector: {}\n  policyTypes: [Egress]\n  egress:\n  - to:\n    - ipBlock:\n        cidr: $(OFFICE)\n";

const OFFICE: &str =
    "kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: office\ndata:\n  cidr: 198.51.100.0/24\n";

#[test]
fn replacements_in_a_file_of_their_own() {
    let overlay = "resources: [office.yaml, np.yaml]\nreplacements:\n- path: more/replace.yaml\n";
    let replace = "\
- source: {kind: ConfigMap, name: office, fieldPath: data.cidr}
  targets:
  - select: {kind: NetworkPolicy, name: out}
    fieldPaths:
    - spec.egress.0.to.0.ipBlock.cidr
";
    let tree = tree(&[
        ("o/kustomization.yaml", overlay),
        ("o/more/replace.yaml", replace),
        ("o/office.yaml", OFFICE),
        ("o/np.yaml", OUT),
    ]);
    let before = with(&tree, "o/office.yaml", "198.51.100.0/24", "198.51.100.0/25");
    let Some(after) = build(&tree, &before, "o") else { return };
    let copied = at(&tree, "o/office.yaml", "cidr");
    assert_eq!(rules(&after)["out egress 0"], copied);
    assert_eq!(causes(&build(&before, &tree, "o").unwrap(), &after), [copied]);
    // The target is what changes.
    let before = with(&tree, "o/more/replace.yaml", "ipBlock.cidr", "ipBlock.none");
    let before = with(&before, "o/np.yaml", "$(OFFICE)", "10.0.0.0/8");
    let after = build(&tree, &before, "o").unwrap();
    let found = places(&after, "    cidr: 198.51.100.0/24");
    assert!(found.contains(&at(&tree, "o/more/replace.yaml", "- spec")), "{found:?}");
}

/// What a variable is replaced with is not followed: the line that people wrote it on stands for it.
#[test]
fn variables_of_kustomize_stand_where_they_are_used() {
    let overlay = "\
resources: [office.yaml, np.yaml]
configurations: [vars.yaml]
vars:
- name: OFFICE
  objref: {apiVersion: v1, kind: ConfigMap, name: office}
  fieldref: {fieldpath: data.cidr}
";
    let configuration =
        "varReference:\n- path: spec/egress/to/ipBlock/cidr\n  kind: NetworkPolicy\n";
    let tree = tree(&[
        ("o/kustomization.yaml", overlay),
        ("o/vars.yaml", configuration),
        ("o/office.yaml", OFFICE),
        ("o/np.yaml", OUT),
    ]);
    let before = with(&tree, "o/office.yaml", "198.51.100.0/24", "198.51.100.0/25");
    let Some(after) = build(&tree, &before, "o") else { return };
    let used = at(&tree, "o/np.yaml", "- ipBlock");
    assert_eq!(rules(&after)["out egress 0.0"], used);
    assert_eq!(places(&after, "    cidr: 198.51.100.0/24")[0], at(&tree, "o/np.yaml", "$(OFFICE)"));
    let causes = causes(&build(&before, &tree, "o").unwrap(), &after);
    assert_eq!(causes, [at(&tree, "o/np.yaml", "- to")]);
}

/// A configuration says where else a field of the kustomization goes: the line of that field, not one of the base.
#[test]
fn fields_that_a_configuration_puts_elsewhere() {
    let overlay =
        "resources: [np.yaml]\nconfigurations: [labels.yaml]\ncommonLabels:\n  zone: inner\n";
    let configuration = "commonLabels:\n- path: spec/egress/to/namespaceSelector/matchLabels\n  create: true\n  kind: NetworkPolicy\n";
    let policy = OUT.replace("- ipBlock:\n        cidr: $(OFFICE)", "- namespaceSelector: {}");
    let tree = tree(&[
        ("o/kustomization.yaml", overlay),
        ("o/labels.yaml", configuration),
        ("o/np.yaml", &policy),
    ]);
    let before = with(&tree, "o/kustomization.yaml", "commonLabels:\n  zone: inner\n", "");
    let Some(after) = build(&tree, &before, "o") else { return };
    let zone = at(&tree, "o/kustomization.yaml", "zone: inner");
    let text = String::from_utf8(after.files["built.yaml"].bytes().to_vec()).unwrap();
    let rendered = &after.rendered["built.yaml"];
    for (line, text) in text.lines().enumerate().filter(|(_, line)| line.contains("zone: inner")) {
        let source = rendered.lines[line][0];
        let place = format!("{}:{}", rendered.files[source.file as usize], source.line);
        assert_eq!(place, zone, "line {line}: {text}");
    }
}

/// Where the first line of a built text that holds something may have come from.
fn places(built: &Tree, needle: &str) -> Vec<String> {
    let text = String::from_utf8(built.files["built.yaml"].bytes().to_vec()).unwrap();
    let rendered = &built.rendered["built.yaml"];
    let line = text.lines().position(|line| line.contains(needle)).unwrap();
    let places = rendered.lines[line].iter();
    places.map(|s| format!("{}:{}", rendered.files[s.file as usize], s.line)).collect()
}
