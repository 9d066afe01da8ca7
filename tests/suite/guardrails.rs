//! Guardrails: what counts, what is older, what matches nothing, what nobody can say.

use netpol_review::report::{Finding, Hides, Lint, Report, Severity, Side};
use netpol_review::settings;
use netpol_review::tree::Tree;
use netpol_review::{lint, review};

fn tree(texts: &[&str]) -> Tree {
    let files: Vec<(String, &str)> =
        texts.iter().enumerate().map(|(index, text)| (format!("{index}.yaml"), *text)).collect();
    Tree::from_texts("t", files.iter().map(|(path, text)| (path.as_str(), *text)))
}

fn config(text: &str) -> netpol_review::config::Config {
    settings::parse(&format!("version: 1\n{text}")).expect("a configuration").config
}

fn compare(before: &[&str], after: &[&str], configuration: &str) -> Report {
    review(&tree(before), &tree(after), &config(configuration))
}

fn alone(after: &[&str], configuration: &str) -> Lint {
    lint(&tree(after), &config(configuration))
}

/// What guardrails say of a comparison.
fn found(report: &Report) -> Vec<&Finding> {
    guardrails(&report.environments[0].findings)
}

fn guardrails(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.rule.starts_with("guardrail")).collect()
}

fn said(findings: &[&Finding]) -> Vec<(bool, String)> {
    findings.iter().map(|finding| (finding.introduced, finding.message.to_string())).collect()
}

const WEB: &str = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web}]}}}}";
const API: &str = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: api, namespace: shop}, spec: {template: {metadata: {labels: {app: api}}, spec: {containers: [{name: api}]}}}}";
const DB: &str = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: db, namespace: payments}, spec: {template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db}]}}}}";
const DENY: &str = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, namespace: payments}, spec: {podSelector: {}, policyTypes: [Ingress]}}";
const EGRESS: &str = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, namespace: shop}, spec: {podSelector: {}, policyTypes: [Egress]}}";

/// Lets somebody into the data base.
fn into_db(name: &str, from: &str) -> String {
    format!(
        "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}, namespace: payments}}, spec: {{podSelector: {{matchLabels: {{app: db}}}}, ingress: [{{from: [{from}], ports: [{{port: 5432}}]}}]}}}}"
    )
}

const FROM_SHOP: &str = "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}";
const FROM_API: &str = "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}, podSelector: {matchLabels: {app: api}}}";
const FROM_OUTSIDE: &str = "{ipBlock: {cidr: 0.0.0.0/0}}";

const ONLY_API: &str = "guardrails: [{id: only-api, deny: {from: {any: true, except: [{namespace: shop, labels: {app: api}}]}, to: {namespace: payments, labels: {app: db}}, ports: [TCP/5432]}}]";
const NO_INTERNET: &str =
    "guardrails: [{id: no-internet, deny: {from: {internet: true}, to: {namespace: payments}}}]";
const REACH: &str = "guardrails: [{id: reach, must-reach: {from: {namespace: shop}, to: {namespace: payments, labels: {app: db}}, ports: [TCP/5432]}}]";

#[test]
fn the_message_names_witness_and_both_rules() {
    let out = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: out, namespace: shop}, spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}]}]}}";
    let shop = into_db("from-shop", FROM_SHOP);
    let before = [WEB, API, DB, DENY, EGRESS, out];
    let after = [WEB, API, DB, DENY, EGRESS, out, &shop];
    let report = compare(&before, &after, ONLY_API);
    let [finding] = found(&report)[..] else { panic!("{:#?}", found(&report)) };
    assert_eq!(
        finding.message.to_string(),
        "Guardrail `only-api` is broken: `shop/web[Deployment]` may connect to `payments/db[Deployment]` on TCP 5432: \
         let out by rule 1 of `shop/out` (`5.yaml:1`), let in by rule 1 of `payments/from-shop` (`6.yaml:1`)"
    );
    assert!(finding.introduced);
    assert_eq!((finding.severity, finding.rule), (Severity::High, "guardrail-deny"));
    assert_eq!(finding.object.as_deref(), Some("only-api"));
    assert_eq!(finding.location.file, "6.yaml");
    let witness = finding.witness.as_ref().expect("a witness");
    assert_eq!((witness.port, witness.from.as_str()), (5432, "shop/web[Deployment]"));
}

/// Undeclared pods count like declared ones: no workload of shop but the API is declared here.
#[test]
fn pods_that_are_not_declared_break_it_too() {
    let shop = into_db("from-shop", FROM_SHOP);
    let report = compare(&[API, DB, DENY], &[API, DB, DENY, &shop], ONLY_API);
    let [finding] = found(&report)[..] else { panic!("{:#?}", found(&report)) };
    assert!(finding.message.to_string().contains("`namespace:shop`"), "{}", finding.message);
    let api = into_db("from-api", FROM_API);
    assert!(found(&compare(&[API, DB, DENY], &[API, DB, DENY, &api], ONLY_API)).is_empty());
}

#[test]
fn what_one_end_alone_lets_through_breaks_nothing() {
    let shop = into_db("from-shop", FROM_SHOP);
    let closed =
        "guardrails: [{id: g, deny: {from: {namespace: shop}, to: {namespace: payments}}}]";
    let before = [WEB, DB, DENY, EGRESS];
    assert!(found(&compare(&before, &[WEB, DB, DENY, EGRESS, &shop], closed)).is_empty());
    assert_eq!(found(&compare(&[WEB, DB, DENY], &[WEB, DB, DENY, &shop], closed)).len(), 1);
}

#[test]
fn older_flows_are_listed_and_count_where_it_is_asked_for() {
    let outside = into_db("from-outside", FROM_OUTSIDE);
    let other = "{apiVersion: v1, kind: Namespace, metadata: {name: blog}}";
    let sides: [&[&str]; 2] = [&[DB, DENY, &outside], &[DB, DENY, &outside, other]];
    let report = compare(sides[0], sides[1], NO_INTERNET);
    let [(false, message)] = &said(&found(&report))[..] else { panic!("{:?}", found(&report)) };
    assert!(message.contains("; it was so before this change"), "{message}");
    let always = NO_INTERNET.replace("{from", "{enforce: always, from");
    // Even where nothing changes at all.
    for after in [sides[0], sides[1]] {
        let report = compare(sides[0], after, &always);
        let [(true, message)] = &said(&found(&report))[..] else { panic!("{:?}", found(&report)) };
        assert!(message.contains("`enforce: always`"), "{message}");
    }
    assert!(found(&compare(sides[0], sides[0], NO_INTERNET)).is_empty());
    // A new flow beside an older one counts, by a fingerprint of its own.
    let api = into_db("from-all", "{ipBlock: {cidr: '::/0'}}");
    let report = compare(sides[0], &[DB, DENY, &outside, &api], NO_INTERNET);
    let both = found(&report);
    assert_eq!(both.iter().map(|f| f.introduced).collect::<Vec<_>>(), [true, false]);
    assert_ne!(both[0].fingerprint, both[1].fingerprint);
    assert!(both[0].message.to_string().contains("payments/from-all"), "{}", both[0].message);
}

/// A workload that comes to be guarded while it is open breaks the guardrail now.
#[test]
fn what_a_change_brings_into_the_scope_counts() {
    let labels = |value: &str| {
        format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: payments, labels: {{pci: '{value}'}}}}}}"
        )
    };
    let guardrail = "guardrails: [{id: g, deny: {from: {internet: true}, to: {namespace-labels: {pci: 'true'}}}}]";
    let (no, yes, web) =
        (labels("false"), labels("true"), labels("true").replace("payments", "shop"));
    let report = compare(
        &[DB, &no, &web, &EGRESS.replace("Egress", "Ingress")],
        &[DB, &yes, &web, &EGRESS.replace("Egress", "Ingress")],
        guardrail,
    );
    let [(true, message)] = &said(&found(&report))[..] else { panic!("{:?}", found(&report)) };
    assert!(message.contains("payments/db"), "{message}");
}

/// What the Internet is: neither private addresses nor what the cluster uses itself.
#[test]
fn the_internet_is_public() {
    for (block, broken) in [
        ("10.0.0.0/8", false),
        ("198.18.0.0/15", true),
        ("203.0.113.0/24", true),
        ("fd00::/8", false),
        ("2000::/3", true),
        ("100.64.0.0/10", false),
    ] {
        let policy = into_db("in", &format!("{{ipBlock: {{cidr: '{block}'}}}}"));
        let report = compare(&[DB, DENY], &[DB, DENY, &policy], NO_INTERNET);
        assert_eq!(!found(&report).is_empty(), broken, "{block}");
    }
    let policy = into_db("in", "{ipBlock: {cidr: 198.18.0.0/16}}");
    let own = format!("{NO_INTERNET}\ncluster: {{podCIDRs: [198.18.0.0/15]}}");
    assert!(found(&compare(&[DB, DENY], &[DB, DENY, &policy], &own)).is_empty());
}

#[test]
fn pods_on_the_host_network_are_guarded_and_reach() {
    let host = DB.replace("spec: {containers", "spec: {hostNetwork: true, containers");
    let report = compare(&[DB, DENY], &[&host, DENY], NO_INTERNET);
    let [(true, message)] = &said(&found(&report))[..] else { panic!("{:?}", found(&report)) };
    assert!(message.contains("no policy isolates the destination"), "{message}");
}

/// Both readings of blocks (U1): a block that only matches pods where the plugin says so.
#[test]
fn blocks_that_may_match_pods_are_told_as_such() {
    let guardrail =
        "guardrails: [{id: g, deny: {from: {namespace: shop}, to: {namespace: payments}}}]";
    let policy = into_db("in", "{ipBlock: {cidr: 10.0.0.0/8}}");
    let sides: [&[&str]; 2] = [&[WEB, DB, DENY], &[WEB, DB, DENY, &policy]];
    let report = compare(sides[0], sides[1], guardrail);
    let [(true, message)] = &said(&found(&report))[..] else { panic!("{:?}", found(&report)) };
    assert!(message.contains("`cluster.ipBlocksMatchPods`"), "{message}");
    let never = format!("{guardrail}\ncluster: {{ipBlocksMatchPods: never}}");
    assert!(found(&compare(sides[0], sides[1], &never)).is_empty());
    let always = format!("{guardrail}\ncluster: {{ipBlocksMatchPods: always}}");
    let report = compare(sides[0], sides[1], &always);
    let [(true, message)] = &said(&found(&report))[..] else { panic!("{:?}", found(&report)) };
    assert!(!message.contains("ipBlocksMatchPods"), "{message}");
    // A path that hangs on it is none to rely on.
    let reach = compare(sides[1], &[WEB, DB, &policy], REACH);
    let [(false, message)] = &said(&found(&reach))[..] else { panic!("{:?}", found(&reach)) };
    assert!(message.contains("only where the network plugin"), "{message}");
}

#[test]
fn must_reach_names_the_end_that_refuses_and_its_policies() {
    let api = into_db("from-api", FROM_API);
    let before = [WEB, API, DB];
    let report = compare(&before, &[WEB, API, DB, DENY, &api], REACH);
    let [finding] = found(&report)[..] else { panic!("{:#?}", found(&report)) };
    assert_eq!(
        finding.message.to_string(),
        "Guardrail `reach` is broken: `shop/web[Deployment]` must reach `payments/db[Deployment]` on TCP 5432, but the \
         destination does not take it: `payments/deny` (`3.yaml:1`), `payments/from-api` (`4.yaml:1`) isolate it and \
         have no rule for it"
    );
    assert!(finding.introduced);
    let report = compare(&before, &[WEB, API, DB, DENY], REACH);
    let [(true, message)] = &said(&found(&report))[..] else { panic!("{:?}", found(&report)) };
    assert!(message.contains("and 1 other workload that must reach it"), "{message}");
    // Another policy lets it through.
    let shop = into_db("from-shop", FROM_SHOP);
    assert!(found(&compare(&before, &[WEB, API, DB, DENY, &shop], REACH)).is_empty());
    // Both ends refuse it.
    let report = compare(&before, &[WEB, API, DB, DENY, EGRESS, &api], REACH);
    assert_eq!(found(&report).len(), 2);
    assert!(found(&report)[0].message.to_string().contains("the source may not send it"));
    // It was refused before: it is listed, and a workload that comes counts.
    let report = compare(&[WEB, DB, DENY], &[WEB, API, DB, DENY], REACH);
    let introduced: Vec<bool> = found(&report).iter().map(|finding| finding.introduced).collect();
    assert_eq!(introduced, [true, false]);
    // On its own as well.
    assert_eq!(guardrails(&alone(&[WEB, API, DB, DENY], REACH).findings).len(), 1);
}

#[test]
fn must_reach_takes_addresses() {
    let guardrail = "guardrails: [{id: g, must-reach: {from: {namespace: shop}, to: {addresses: [203.0.113.0/24]}, ports: [TCP/443]}}]";
    let out = |block: &str| {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: out, namespace: shop}}, spec: {{podSelector: {{}}, policyTypes: [Egress], egress: [{{to: [{{ipBlock: {{cidr: {block}}}}}]}}]}}}}"
        )
    };
    assert!(found(&compare(&[WEB], &[WEB, &out("203.0.113.0/24")], guardrail)).is_empty());
    // Half of the addresses is not all of them.
    assert_eq!(found(&compare(&[WEB], &[WEB, &out("203.0.113.0/25")], guardrail)).len(), 1);
}

#[test]
fn frozen_names_its_approvers() {
    let frozen = |more: &str| {
        format!(
            "guardrails: [{{id: pci, severity: critical, frozen: {{to: {{namespace: payments}}{more}}}}}]"
        )
    };
    let (api, shop) = (into_db("from-api", FROM_API), into_db("from-shop", FROM_SHOP));
    let before = [WEB, API, DB, DENY, &api];
    let after = [WEB, API, DB, DENY, &shop];
    let report = compare(&before, &after, &frozen(", approvers: [ada, example/security]"));
    let [finding] = found(&report)[..] else { panic!("{:#?}", found(&report)) };
    let message = finding.message.to_string();
    assert!(message.ends_with("; it needs a word of `ada`, `example/security`"), "{message}");
    assert!(message.contains("`shop/web[Deployment]` may now connect to"), "{message}");
    assert_eq!((finding.introduced, finding.severity), (true, Severity::Critical));
    // Narrower, and the same in another spelling.
    assert!(found(&compare(&after, &before, &frozen(""))).is_empty());
    let other = into_db("renamed", FROM_API);
    assert!(found(&compare(&before, &[WEB, API, DB, DENY, &other], &frozen(""))).is_empty());
    // Out of the scope is no way around it.
    let place = |value: &str| {
        format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: payments, labels: {{pci: '{value}'}}}}}}"
        )
    };
    let (old, new) = (place("true"), place("false"));
    let vault = place("true").replace("payments", "vault");
    let labels = "guardrails: [{id: pci, frozen: {to: {namespace-labels: {pci: 'true'}}}}]";
    let report =
        compare(&[WEB, DB, DENY, &old, &vault], &[WEB, DB, DENY, &new, &vault, &shop], labels);
    assert!(
        found(&report)
            .iter()
            .any(|f| f.introduced && f.message.to_string().contains("payments/db")),
        "{:#?}",
        found(&report)
    );
}

/// A guardrail about nobody holds nothing back, so it is no pass.
#[test]
fn matching_nothing_is_an_error() {
    let deny = |to: &str| {
        format!("guardrails: [{{id: g, deny: {{from: {{internet: true}}, to: {{{to}}}}}}}]")
    };
    let place =
        "{apiVersion: v1, kind: Namespace, metadata: {name: payments, labels: {pci: 'true'}}}";
    let closed = "cluster: {closedNamespaces: [payments]}";
    let nothing = "matches nothing";
    let doubt = "finds no declared workload";
    for (configuration, told) in [
        (deny("namespace: payment"), Some((true, nothing))),
        (deny("namespace: payments"), None),
        // An undeclared pod could have the label: it is guarded, and the reader is asked.
        (deny("namespace: payments, labels: {app: dbb}"), Some((false, doubt))),
        (
            format!("{}\n{closed}", deny("namespace: payments, labels: {app: dbb}")),
            Some((true, nothing)),
        ),
        (deny("namespace-labels: {pci: 'true'}"), None),
        // A namespace that nobody knows could have it; no known one has.
        (deny("namespace-labels: {pci: 'yes'}"), Some((true, nothing))),
        (deny("namespace-labels: {pci: 'true'}, labels: {app: db}"), None),
        (deny("labels: {app: db}"), None),
        (deny("labels: {app: dbb}"), Some((false, doubt))),
        (deny("namespace: payments, except: [{namespace: payments}]"), Some((true, nothing))),
        (REACH.replace("app: db", "app: dbb"), Some((true, nothing))),
        (REACH.replace("namespace: shop", "any: true"), None),
    ] {
        let sides =
            ([WEB, DB, DENY, place], [WEB, API, DB, place, DENY, &into_db("in", FROM_SHOP)]);
        let report = compare(&sides.0, &sides.1, &configuration);
        let about: Vec<_> =
            found(&report).into_iter().filter(|finding| finding.witness.is_none()).collect();
        match (told, &said(&about)[..]) {
            (None, []) => {}
            (Some((counts, words)), [(introduced, message)]) => {
                assert!(message.contains(words), "{configuration}: {message}");
                assert_eq!(*introduced, counts, "{configuration}");
                assert_eq!(about[0].location.file, ".github/netpol-review.yml");
                assert_eq!(about[0].location.side, Side::Before);
            }
            (_, said) => panic!("{configuration}: {said:?}"),
        }
        // On its own as well.
        let lint = alone(&sides.1, &configuration);
        let about = guardrails(&lint.findings).into_iter().filter(|f| f.witness.is_none());
        assert_eq!(about.count(), usize::from(told.is_some()), "{configuration}");
    }
}

/// Taking the label away is no way around a guardrail.
#[test]
fn losing_what_it_guarded_counts() {
    let guardrail = "guardrails: [{id: g, deny: {from: {internet: true}, to: {namespace: payments, labels: {app: db}}}}]";
    let other = DB.replace("labels: {app: db}", "labels: {app: database}");
    let report = compare(&[DB, DENY], &[&other, DENY], guardrail);
    let [(true, message)] = &said(&found(&report))[..] else { panic!("{:?}", found(&report)) };
    assert!(message.contains("finds none after it"), "{message}");
    // The namespace went.
    let report = compare(&[WEB, DB, DENY], &[WEB], NO_INTERNET);
    let [(true, message)] = &said(&found(&report))[..] else { panic!("{:?}", found(&report)) };
    assert!(message.contains("matches nothing"), "{message}");
}

/// Where a policy of a kind that is not modelled decides, nobody can say.
#[test]
fn policies_that_are_not_modelled_leave_it_open() {
    let cilium = |namespace: &str| {
        format!(
            "{{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {{name: c, namespace: {namespace}}}, spec: {{endpointSelector: {{}}}}}}"
        )
    };
    let admin = "{apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy, metadata: {name: a}, spec: {priority: 1}}";
    let (payments, shop, blog) = (cilium("payments"), cilium("shop"), cilium("blog"));
    let deny = "guardrails: [{id: g, deny: {from: {namespace: shop}, to: {namespace: payments}}}]";
    let frozen = "guardrails: [{id: g, frozen: {to: {namespace: payments}}}]";
    let unrelated = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: w, namespace: other}, spec: {template: {metadata: {labels: {app: w}}, spec: {containers: [{name: w}]}}}}";
    for (configuration, policy, open) in [
        (deny, payments.as_str(), true),
        // The destination takes nothing from there, whatever the source may send.
        (deny, &shop, false),
        (deny, &blog, false),
        (deny, admin, true),
        (frozen, &payments, true),
        (frozen, &blog, false),
        (REACH, &payments, true),
        (REACH, &shop, true),
        (REACH, &blog, false),
        (REACH, admin, true),
    ] {
        let before = [WEB, DB, DENY, policy];
        let after = [WEB, DB, DENY, policy, unrelated];
        let report = compare(&before, &after, configuration);
        let said: Vec<_> = report
            .not_evaluated
            .iter()
            .filter(|entry| entry.kind.as_deref() == Some("guardrail"))
            .map(|entry| (entry.hides, entry.name.as_deref(), entry.file.as_str()))
            .collect();
        let expected =
            [(Hides::Widening, Some("g"), "3.yaml"), (Hides::Widening, Some("reach"), "3.yaml")];
        let expected = expected
            .into_iter()
            .filter(|(_, id, _)| open && (*id == Some("reach")) == (configuration == REACH));
        assert_eq!(said, expected.collect::<Vec<_>>(), "{configuration} {policy}");
    }
}

/// More than the budget is no pass either.
#[test]
fn too_large_is_no_pass() {
    let mut config = config(ONLY_API);
    config.node_budget = 3;
    let report = review(&tree(&[DB]), &tree(&[DB, DENY]), &config);
    assert!(report.not_evaluated.iter().any(|entry| {
        entry.kind.as_deref() == Some("guardrail") && entry.hides == Hides::Widening
    }));
}
