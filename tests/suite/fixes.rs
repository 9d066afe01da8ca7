//! Fixes: what they write, and that they keep what they promise.

use crate::worlds::{Options, Universe, manifests, world};
use netpol_review::config::Config;
use netpol_review::fixing::{Outcome, fix};
use netpol_review::model::Cluster;
use netpol_review::parse::parse_both;
use netpol_review::report::{FixKind, Persona};
use netpol_review::rules::repair::Replacement;
use netpol_review::settings;
use netpol_review::tree::{Content, Tree};
use netpol_review::{lint, rules};
use proptest::prelude::*;

fn config(configuration: &str) -> Config {
    let text = format!("version: 1\n{configuration}");
    let mut config = settings::parse(&text).expect("a configuration").config;
    config.rules.persona = Persona::Auditor;
    config
}

fn tree(text: &str) -> Tree {
    Tree::from_texts("t", [("m.yaml", text)])
}

fn only(rule: &str, mut config: Config) -> Config {
    for other in rules::catalogue::RULES.iter().filter(|other| other.id != rule) {
        config.rules.settings.entry(other.id.into()).or_default().disable = true;
    }
    config
}

fn text_of(outcome: &Outcome, old: &str) -> String {
    match outcome.files.get("m.yaml") {
        Some(content) => String::from_utf8(content.bytes().to_vec()).expect("UTF-8"),
        None => old.into(),
    }
}

/// Fixes what one rule finds, holds the text against what is expected, and looks whether the rule is content.
fn mends(rule: &str, configuration: &str, kind: FixKind, text: &str, expected: &str) {
    let config = only(rule, config(configuration));
    let before = lint(&tree(text), &config).findings;
    assert_eq!(before.len(), 1, "{rule}: {before:#?}");
    if kind == FixKind::Narrowing {
        let timid = fix(&tree(text), &config, FixKind::Equivalent, &|_| Ok(()));
        assert!(timid.files.is_empty(), "{rule} takes flows away");
        let why = timid.lint.findings[0].unfixed.as_deref();
        assert_eq!(why, Some("it takes flows away: `--fix=narrowing` writes it"), "{rule}");
    }
    let outcome = fix(&tree(text), &config, kind, &|_| Ok(()));
    assert_eq!(text_of(&outcome, text), expected, "{rule}: {:#?}", outcome.lint.findings);
    assert_eq!(outcome.lint.fixed.len(), 1);
    let fixed = &outcome.lint.fixed[0];
    assert_eq!((fixed.rule, fixed.kind), (rule, kind));
    assert_eq!(fixed.removes.is_empty(), kind == FixKind::Equivalent, "{rule}: {fixed:?}");
    assert!(outcome.lint.findings.is_empty(), "{rule}: {:#?}", outcome.lint.findings);
    assert!(lint(&tree(expected), &config).findings.is_empty(), "{rule}");
}

/// A policy of `shop`, with a line for each line of its spec.
fn policy(name: &str, spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n{spec}"
    )
}

fn pod(name: &str, namespace: &str, labels: &str, ports: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{{labels}}}}}\nspec: {{containers: [{{name: \
         c, ports: [{ports}]}}]}}\n"
    )
}

const CLOSED: &str = "cluster: {closedNamespaces: [shop]}\n";

#[test]
fn cross_product_rule() {
    let bad = rules::catalogue::RULES.iter().find(|rule| rule.id == "cross-product-rule");
    let bad = bad.expect("the rule").bad.after;
    let good = bad.replace(
        "    - ipBlock: {cidr: 93.184.216.34/32}
    ports: [{port: 53, protocol: UDP}, {port: 80, protocol: TCP}]
",
        "    ports: [{port: 53, protocol: UDP}]
  - to:
    - ipBlock: {cidr: 93.184.216.34/32}
    ports: [{port: 80, protocol: TCP}]
",
    );
    mends("cross-product-rule", "", FixKind::Narrowing, bad, &good);
}

#[test]
fn unbounded_ports() {
    let spec = "podSelector: {matchLabels: {app: db}}\npolicyTypes: [Ingress]\ningress:\n# the shop\n- from:\n  - namespaceSelector: {matchLabels: \
                {kubernetes.io/metadata.name: web}}\n";
    let db = pod("db", "shop", "app: db", "{containerPort: 5432}");
    let bad = format!("{}{db}", policy("db", spec));
    let good = bad.replace(
        "metadata.name: web}}\n",
        "metadata.name: web}}\n    ports:\n    - {port: 5432, protocol: TCP}\n",
    );
    mends("unbounded-ports", CLOSED, FixKind::Narrowing, &bad, &good);
}

#[test]
fn empty_pod_selector_allow() {
    let spec = "podSelector: {} # all\npolicyTypes: [Ingress]\ningress:\n- from:\n  - namespaceSelector: {matchLabels: \
                {kubernetes.io/metadata.name: web}}\n  ports: [{port: 8080}]\n";
    let others = format!(
        "---\n{}{}{}",
        policy("default-deny", "podSelector: {}\npolicyTypes: [Ingress]\n"),
        pod("web", "shop", "app: web, tier: front", "{containerPort: 8080}"),
        pod("db", "shop", "app: db, tier: front", "{containerPort: 5432}"),
    );
    let bad = format!("{}{others}", policy("nginx", spec));
    let good = bad.replace("podSelector: {} # all", "podSelector: {matchLabels: {app: web}} # all");
    mends("empty-pod-selector-allow", CLOSED, FixKind::Narrowing, &bad, &good);
}

#[test]
fn any_namespace_peer() {
    let spec = "podSelector: {matchLabels: {app: db}}\npolicyTypes: [Ingress]\ningress:\n- from:\n  - namespaceSelector: {}\n    \
                podSelector: {matchLabels: {app: prometheus}}\n  ports: [{port: 9187}]\n";
    let prometheus = pod("prometheus", "monitoring", "app: prometheus", "");
    let bad = format!("{}{prometheus}", policy("db", spec));
    let good = bad.replace(
        "namespaceSelector: {}",
        "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}",
    );
    mends("any-namespace-peer", "", FixKind::Narrowing, &bad, &good);
}

#[test]
fn mixed_concern_policy() {
    let bad = policy(
        "api",
        "podSelector: {matchLabels: {app: api}}\npolicyTypes: [Egress]\negress:\n# names\n- ports: [{port: 53, protocol: UDP}]\n- to:\n  - \
         podSelector: {matchLabels: {app: db}}\n",
    );
    let good = format!(
        "{}---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: api-dns\n  namespace: shop\nspec:\n  podSelector: \
         {{matchLabels: {{app: api}}}}\n  policyTypes: [Egress]\n  egress:\n  # names\n  - ports: [{{port: 53, protocol: UDP}}]\n",
        bad.replace("  # names\n  - ports: [{port: 53, protocol: UDP}]\n", ""),
    );
    mends("mixed-concern-policy", "", FixKind::Equivalent, &bad, &good);
}

#[test]
fn dns_egress_unscoped() {
    let spec = "podSelector: {}\npolicyTypes: [Egress]\negress:\n- ports:\n  - {port: 53, protocol: UDP}\n";
    let dns = pod("dns", "kube-system", "k8s-app: kube-dns", "{containerPort: 53, protocol: UDP}");
    let bad = format!("{}{dns}", policy("allow-egress-dns", spec));
    let good = bad.replace(
        "  - {port: 53, protocol: UDP}\n",
        "  - {port: 53, protocol: UDP}\n    to:\n    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}\n      \
         podSelector: {matchLabels: {k8s-app: kube-dns}}\n",
    );
    mends("dns-egress-unscoped", "", FixKind::Narrowing, &bad, &good);
}

#[test]
fn unused_grant() {
    let bad = rules::catalogue::RULES.iter().find(|rule| rule.id == "unused-grant");
    let bad = bad.expect("the rule").bad.after;
    let good = bad.replace("[{port: 5432}, {port: 8080}]", "[{port: 5432}]");
    mends("unused-grant", "", FixKind::Narrowing, bad, &good);
}

#[test]
fn ineffective_except() {
    let bad = policy(
        "web",
        "podSelector: {matchLabels: {app: web}}\npolicyTypes: [Egress]\negress:\n- to:\n  - ipBlock:\n      cidr: 0.0.0.0/0\n      except: \
         [10.0.0.0/8]\n- to:\n  - ipBlock:\n      cidr: 8.0.0.0/6 # wide\n  ports:\n  - port: 443\n- to:\n  - ipBlock: {cidr: \
         8.0.0.0/5}\n",
    );
    let good = bad.replace("{cidr: 8.0.0.0/5}", "{cidr: 8.0.0.0/5, except: [10.0.0.0/8]}");
    mends("ineffective-except", "", FixKind::Narrowing, &bad, &good);
}

#[test]
fn accidental_or() {
    let bad = rules::catalogue::RULES.iter().find(|rule| rule.id == "accidental-or");
    let bad = bad.expect("the rule").bad.after;
    let good = bad.replace(
        "    - podSelector: {matchLabels: {app: proxy}}",
        "      podSelector: {matchLabels: {app: proxy}}",
    );
    mends("accidental-or", "", FixKind::Narrowing, bad, &good);
}

#[test]
fn policy_types_mismatch() {
    let bad = policy(
        "web",
        "podSelector:\n  matchLabels: {app: web} # the site\negress:\n- ports: [{port: 443}]\n",
    );
    let good = bad.replace(
        "{app: web} # the site\n",
        "{app: web} # the site\n  policyTypes: [Ingress, Egress]\n",
    );
    mends("policy-types-mismatch", "", FixKind::Equivalent, &bad, &good);
    let bad = policy("web", "podSelector: {}\ningress: []\n");
    let good = bad.replace("podSelector: {}\n", "podSelector: {}\n  policyTypes: [Ingress]\n");
    mends("policy-types-mismatch", "", FixKind::Equivalent, &bad, &good);
}

#[test]
fn redundant_rule() {
    let rules = "podSelector: {matchLabels: {app: web}}\npolicyTypes: [Egress]\negress:\n- to:\n  - podSelector: {}\n  ports: [{port: 80}]\n# once \
                 more\n- to:\n  - podSelector: {matchLabels: {app: api}}\n  ports: [{port: 80}]\n";
    let bad = policy("web", rules);
    let (good, _) = bad.split_once("  # once").expect("a comment");
    mends("redundant-rule", "", FixKind::Equivalent, &bad, good);
    // The only rule of a policy goes, and what the policy isolates stays isolated.
    let wide = policy(
        "all",
        "podSelector: {}\npolicyTypes: [Egress]\negress:\n- to:\n  - podSelector: {}\n",
    );
    let alone = policy(
        "web",
        "podSelector: {matchLabels: {app: web}}\npolicyTypes: [Egress]\negress:\n- to:\n  - podSelector: {}\n  ports: [{port: 80}]\n",
    );
    let good = policy(
        "web",
        "podSelector: {matchLabels: {app: web}}\npolicyTypes: [Egress]\negress: []\n",
    );
    mends(
        "redundant-rule",
        "",
        FixKind::Equivalent,
        &format!("{wide}---\n{alone}"),
        &format!("{wide}---\n{good}"),
    );
}

/// Line ends, and a last line that nothing ends, stay as they are.
#[test]
fn ends_of_lines_stay() {
    let bad = policy("web", "podSelector: {}\ningress: []\negress: []\npolicyTypes: []\n");
    assert!(
        lint(&tree(&bad), &config("")).findings.len() > 1,
        "near miss: there is nothing to write twice"
    );
    let bad = policy("web", "ingress: []\npodSelector: {}\n").replace('\n', "\r\n");
    let good =
        bad.replace("podSelector: {}\r\n", "podSelector: {}\r\n  policyTypes: [Ingress]\r\n");
    mends("policy-types-mismatch", "", FixKind::Equivalent, &bad, &good);
    mends("policy-types-mismatch", "", FixKind::Equivalent, bad.trim_end(), good.trim_end());
}

/// What can't be edited is left as it is, with the reason.
#[test]
fn what_is_left_says_why() {
    let plain = policy("web", "podSelector: {}\ningress: []\n");
    let flow = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web, namespace: shop}, spec: {podSelector: {}, ingress: \
                []}}\n";
    let config = only("policy-types-mismatch", config(""));
    for (text, why) in [
        (flow.to_string(), "its lines are written in a way that is not edited here"),
        (plain.replace("ingress: []", "ingress: []\t# none"), "its file has tabs"),
        (plain.replacen('\n', "\r\n", 1), "its file ends lines in several ways"),
        (
            plain.replace("\n  ingress", "\n  policyTypes: []\n  ingress"),
            "its lines are written in a way that the edit would break",
        ),
    ] {
        let outcome = fix(&tree(&text), &config, FixKind::Narrowing, &|_| Ok(()));
        assert!(outcome.files.is_empty(), "{text}");
        let left = outcome.lint.findings[0].unfixed.clone().unwrap_or_default();
        assert!(left.starts_with(why), "{text}: {left}");
    }
    let refused = fix(&tree(&plain), &config, FixKind::Narrowing, &|file| Err(format!("{file}!")));
    assert!(refused.files.is_empty());
    assert_eq!(refused.lint.findings[0].unfixed.as_deref(), Some("m.yaml!"));
}

/// A rule that is superfluous beside a wide one is not when the wide one becomes narrow.
#[test]
fn what_takes_flows_away_comes_first() {
    let spec = "podSelector: {matchLabels: {app: orders}}\npolicyTypes: [Ingress]\ningress:\n- from:\n  - namespaceSelector: {matchLabels: \
                {kubernetes.io/metadata.name: ui}}\n  - podSelector: {matchLabels: {app: proxy}}\n- from:\n  - podSelector: {matchLabels: {app: proxy}}\n";
    let text = format!("{}{}", policy("orders", spec), pod("proxy", "ui", "app: proxy", ""));
    let outcome = fix(&tree(&text), &config(""), FixKind::Narrowing, &|_| Ok(()));
    let rules: Vec<&str> = outcome.lint.fixed.iter().map(|fixed| fixed.rule).collect();
    assert_eq!(rules, ["accidental-or"], "{}", text_of(&outcome, &text));
    let outcome = fix(&tree(&text), &config(""), FixKind::Equivalent, &|_| Ok(()));
    let rules: Vec<&str> = outcome.lint.fixed.iter().map(|fixed| fixed.rule).collect();
    assert_eq!(rules, ["redundant-rule"]);
}

/// Several fixes of one file, and of several files, at once.
#[test]
fn fixes_of_one_file_leave_each_other_alone() {
    let one = |name: &str| {
        policy(
            name,
            "podSelector:\n  matchLabels: {app: a} # it\ningress:\n- from:\n  - podSelector: {matchLabels: {a: b}}\n  ports: [{port: 80}]\n",
        )
    };
    let all = policy(
        "all",
        "podSelector: {}\npolicyTypes: [Ingress]\ningress:\n- from:\n  - podSelector: {}\n",
    );
    let text = format!("# first\n{}---\n{}---\n{all}", one("p"), one("q"));
    let config = config("");
    let files = [("m.yaml", text.as_str()), ("n.yaml", &one("r"))];
    let outcome = fix(&Tree::from_texts("t", files), &config, FixKind::Equivalent, &|_| Ok(()));
    let done = |name: &str| {
        policy(
            name,
            "podSelector:\n  matchLabels: {app: a} # it\npolicyTypes: [Ingress]\ningress: []\n",
        )
    };
    assert_eq!(
        text_of(&outcome, ""),
        format!("# first\n{}---\n{}---\n{all}", done("p"), done("q"))
    );
    let other = outcome.files.get("n.yaml").expect("the other file");
    assert_eq!(String::from_utf8_lossy(other.bytes()), done("r"));
    assert_eq!(outcome.lint.fixed.len(), 6);
}

/// The keys as people write them.
fn plainly(text: &str) -> String {
    let line = |line: &str| -> String {
        let start = line.len() - line.trim_start_matches([' ', '-']).len();
        let (margin, rest) = line.split_at(start);
        match rest.strip_prefix('"').and_then(|rest| rest.split_once("\":")) {
            Some((key, value)) if key.chars().all(char::is_alphabetic) => {
                format!("{margin}{key}:{value}\n")
            }
            _ => format!("{line}\n"),
        }
    };
    text.lines().map(line).collect()
}

/// Without `policyTypes`: what a policy is about is guessed then.
fn untyped(text: &str) -> String {
    let mut inside = false;
    let kept = text.lines().filter(|line| {
        let code = line.trim_start();
        inside = code.starts_with("policyTypes:")
            || (inside && ["- \"Ingress\"", "- \"Egress\""].contains(&code));
        !inside
    });
    kept.map(|line| format!("{line}\n")).collect()
}

fn parsed(tree: &Tree) -> Cluster {
    parse_both(&Tree::default(), tree, &Config::default()).1.cluster
}

/// Holds two texts against each other on all flows that can tell them apart.
fn holds(before: &Tree, after: &Tree, kind: FixKind) -> Result<(), TestCaseError> {
    let (before, after) = (parsed(before), parsed(after));
    let options = Options { budget: 3_000, ..Options::default() };
    let universe = Universe::of(&before, &after, &options);
    for flow in universe.flows() {
        let (was, is) = universe.decide(&flow);
        match kind {
            FixKind::Equivalent => prop_assert_eq!(was, is, "{:?}", flow),
            _ => prop_assert!(was || !is, "{:?}", flow),
        }
    }
    Ok(())
}

fn worlds(cluster: &Cluster, joined: bool) -> Tree {
    let files: Vec<(String, String)> =
        manifests(cluster).into_iter().map(|(path, text)| (path, plainly(&text))).collect();
    if joined {
        let all: Vec<String> = files.iter().map(|(_, text)| untyped(text)).collect();
        return Tree::from_texts("t", [("all.yaml", all.join("---\n").as_str())]);
    }
    Tree::from_texts("t", files.iter().map(|(path, text)| (path.as_str(), text.as_str())))
}

proptest! {
    #![proptest_config(crate::worlds::config(24))]

    #[test]
    fn fixes_keep_what_they_promise(cluster in world(), joined in any::<bool>(), narrowing in any::<bool>()) {
        let tree = worlds(&cluster, joined);
        let mut config = config("");
        config.rules.closed_namespaces = cluster.namespaces.keys().map(ToString::to_string).collect();
        for finding in lint(&tree, &config).findings {
            let Some(fix) = finding.fix.filter(|fix| fix.kind != FixKind::Behavioural) else { continue };
            let (Some(location), Some(text)) = (fix.location, fix.replacement) else { continue };
            let mut after = tree.clone();
            let old = tree.files.get(location.file.as_str()).expect("a file").bytes();
            let (first, last) = (location.start_line, location.end_line);
            let new = Replacement { first, last, text }.apply(std::str::from_utf8(old).expect("UTF-8"));
            after.files.insert(location.file.into(), Content::new(new.into_bytes()));
            holds(&tree, &after, fix.kind)?;
        }
        let kind = if narrowing { FixKind::Narrowing } else { FixKind::Equivalent };
        let outcome = fix(&tree, &config, kind, &|_| Ok(()));
        let mut after = tree.clone();
        after.files.extend(outcome.files.iter().map(|(path, new)| (path.clone(), new.clone())));
        holds(&tree, &after, kind)?;
        prop_assert_eq!(lint(&after, &config).findings.len(), outcome.lint.findings.len());
    }
}

/// The property meets fixes of both kinds: many worlds have some.
#[test]
fn worlds_have_something_to_fix() {
    use proptest::strategy::{Strategy, ValueTree};
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut equivalent, mut narrowing) = (0, 0);
    for round in 0..40 {
        let cluster = world().new_tree(&mut runner).expect("a world").current();
        let mut config = config("");
        config.rules.closed_namespaces =
            cluster.namespaces.keys().map(ToString::to_string).collect();
        for finding in lint(&worlds(&cluster, round % 2 == 0), &config).findings {
            match finding.fix.filter(|fix| fix.location.is_some()).map(|fix| fix.kind) {
                Some(FixKind::Equivalent) => equivalent += 1,
                Some(FixKind::Narrowing) => narrowing += 1,
                _ => {}
            }
        }
    }
    assert!(equivalent > 10 && narrowing > 3, "{equivalent} and {narrowing}");
}
