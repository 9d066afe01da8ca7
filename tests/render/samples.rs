//! Reports as a comparison could give them, one idea each.

use netpol_review::gate::{Gate, GateVerdict};
use netpol_review::report::*;
use netpol_review::settings::{FailOn, Mode, Waiver};

pub fn report(result: Verdict) -> Report {
    Report {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: "netpol-review", version: "0.0.0" },
        before: Snapshot {
            source: "git",
            name: "main".into(),
            commit: Some("1111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".into()),
        },
        after: Snapshot {
            source: "git",
            name: "feature/open-db".into(),
            commit: Some("2222222bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb".into()),
        },
        result,
        exact: true,
        environments: vec![environment("default", vec![], vec![])],
        not_evaluated: vec![],
        read: ReadCounts { files: 24, documents: 60, policies: 8, workloads: 12 },
        inventory: vec![],
        isolation: None,
    }
}

/// Files of an inventory: one of known age, one of unknown.
pub fn inventory() -> Vec<Inventory> {
    let file = |file: &str, numbers: [usize; 3]| {
        let [workloads, namespaces, policies] = numbers;
        Inventory { file: file.into(), taken: None, workloads, namespaces, policies, age: None }
    };
    let mut known = file("cluster/prod.yaml", [3, 2, 1]);
    known.taken = "2026-11-20".parse().ok();
    known.age = Some(5);
    vec![known, file("elsewhere.json", [0, 1, 0])]
}

/// A finding that the change introduces, with a fix that replaces lines, and an older one.
pub fn findings() -> Vec<Finding> {
    let location = |start_line, end_line| Location {
        side: Side::After,
        file: "payments/db.yaml".into(),
        start_line,
        end_line,
    };
    let introduced = Finding {
        rule: "any-namespace-peer",
        severity: Severity::High,
        persona: Persona::Regular,
        introduced: true,
        message: Message::new("Lets every pod in every namespace in to ").name("app=db"),
        policy: Some("payments/db".into()),
        object: None,
        location: location(12, 14),
        fix: Some(Fix {
            kind: FixKind::Narrowing,
            description: Message::new("pin the namespace ").name("shop"),
            replacement: Some("  - namespaceSelector: {}\n".into()),
            location: Some(location(12, 12)),
            diff: Some(
                "--- a/payments/db.yaml\n+++ b/payments/db.yaml\n@@ -12,1 +12,1 @@\n-  - \
                 namespaceSelector: {}\n+  - namespaceSelector: *shop\n"
                    .into(),
            ),
            removes: vec!["any pod -> payments/db on TCP 5432".into()],
        }),
        unfixed: None,
        row: None,
        environments: Vec::new(),
        fingerprint: "5".repeat(32),
        witness: None,
        accepted_by_change: Some(location(11, 11)),
    };
    let older = Finding {
        rule: "missing-default-deny",
        introduced: false,
        policy: None,
        object: Some("payments".into()),
        fix: None,
        fingerprint: "6".repeat(32),
        accepted_by_change: None,
        ..introduced.clone()
    };
    vec![introduced, older]
}

pub fn environment(name: &str, opened: Vec<Row>, closed: Vec<Row>) -> Environment {
    Environment {
        name: name.into(),
        summary: Summary {
            opened_rows: opened.len(),
            closed_rows: closed.len(),
            ..Summary::default()
        },
        opened,
        closed,
        findings: vec![],
        connections: None,
        ..Environment::default()
    }
}

pub fn with_rows(result: Verdict, opened: Vec<Row>, closed: Vec<Row>) -> Report {
    let mut report = report(result);
    report.environments = vec![environment("default", opened, closed)];
    report
}

pub fn peers(text: &str, count: usize, sample: &[&str]) -> Peers {
    Peers {
        text: text.into(),
        declared: Some(DeclaredPeers {
            count,
            sample: sample.iter().map(|s| (*s).to_owned()).collect(),
        }),
        ..Peers::default()
    }
}

pub fn outside(text: &str, cidrs: &[&str]) -> Peers {
    Peers {
        text: text.into(),
        external: Some(ExternalPeers { cidrs: cidrs.iter().map(|s| (*s).to_owned()).collect() }),
        ..Peers::default()
    }
}

pub fn numbers(protocol: &'static str, first: u16, last: u16) -> PortRange {
    PortRange::Numbers { protocol, first, last }
}

pub fn all_ports() -> Vec<PortRange> {
    ["TCP", "UDP", "SCTP"].map(|p| numbers(p, 1, 65535)).into()
}

pub fn location(side: Side, file: &str, start_line: u32, end_line: u32) -> Location {
    Location { side, file: file.into(), start_line, end_line }
}

pub fn cause(kind: CauseKind, direction: &'static str, location: Location) -> Cause {
    Cause {
        whole: location.side == Side::Before,
        kind,
        direction: Some(direction),
        policy: Some("payments/db".into()),
        object: None,
        rule: Some(0),
        location,
        files: Default::default(),
    }
}

pub fn rule(policy: &str, rule: usize, location: Location) -> Admission {
    Admission::Rule(RuleRef { policy: policy.into(), rule, location })
}

/// `payments/db` now takes any pod of any namespace.
pub fn any_pod() -> Row {
    let place = location(Side::After, "k8s/payments/db.yaml", 12, 18);
    Row {
        fingerprint: "3f2a9c01d4e5b6a7980011223344ccdd".into(),
        from: peers(
            "any pod in any namespace",
            47,
            &[
                "shop/cart[Deployment]",
                "shop/checkout[Deployment]",
                "shop/web[Deployment]",
                "team-a/batch[CronJob]",
                "team-a/worker[Deployment]",
            ],
        ),
        to: peers("pods app=db in namespace payments", 1, &["payments/db[StatefulSet]"]),
        ports: vec![numbers("TCP", 5432, 5432)],
        severity: Severity::High,
        causes: vec![cause(CauseKind::RuleWidened, "ingress", place.clone())],
        admitted_by: AdmittedBy {
            egress: Admission::Open("not isolated"),
            ingress: rule("payments/db", 0, place),
        },
        already_allowed: Some("pods app=api in namespace payments".into()),
        still_denied: None,
        exceptions: vec![Exception {
            kind: ExceptionKind::AlreadyAllowed,
            text: "pods app=api in namespace payments".into(),
        }],
        undeclared: Undeclared::Also,
        assumes: None,
        witness: Witness {
            from: "shop/cart".into(),
            to: "payments/db".into(),
            protocol: "TCP",
            port: 5432,
            ..Witness::default()
        },
        rules: vec![],
    }
}

/// A default-deny was deleted.
pub fn default_deny_deleted() -> Row {
    Row {
        fingerprint: "a1b2c3d4e5f60718293a4b5c6d7e8f90".into(),
        from: Peers { text: "anything".into(), anything: true, ..Peers::default() },
        to: peers(
            "every pod in namespace payments",
            3,
            &[
                "payments/api[Deployment]",
                "payments/db[StatefulSet]",
                "payments/worker[Deployment]",
            ],
        ),
        ports: all_ports(),
        severity: Severity::Critical,
        causes: vec![Cause {
            whole: true,
            policy: Some("payments/default-deny".into()),
            rule: None,
            ..cause(
                CauseKind::IsolationLost,
                "ingress",
                location(Side::Before, "k8s/payments/default-deny.yaml", 1, 9),
            )
        }],
        admitted_by: AdmittedBy {
            egress: Admission::Open("outside the cluster"),
            ingress: Admission::Open("not isolated"),
        },
        already_allowed: None,
        still_denied: Some("many".into()),
        exceptions: (1..=6)
            .map(|n| Exception {
                kind: ExceptionKind::StillDenied,
                text: format!("from pods app=legacy-{n} in namespace team-{n}"),
            })
            .collect(),
        witness: Witness {
            from: "203.0.113.7".into(),
            to: "payments/db".into(),
            protocol: "TCP",
            port: 1,
            ..Witness::default()
        },
        rules: vec![],
        undeclared: Undeclared::Also,
        assumes: None,
    }
}

/// Egress to external ranges of both families, with two causes.
pub fn external_ranges() -> Row {
    let place = location(Side::After, "k8s/shop/egress.yaml", 22, 22);
    Row {
        fingerprint: "0c0d0e0f10111213141516171819aabb".into(),
        from: peers("pods app=web in namespace shop", 1, &["shop/web[Deployment]"]),
        to: outside(
            "0.0.0.0/0 except 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16; and 2000::/3 outside the \
             cluster",
            &["0.0.0.0/5", "8.0.0.0/7", "11.0.0.0/8", "2000::/3"],
        ),
        ports: vec![numbers("TCP", 443, 443), numbers("TCP", 8000, 8999), numbers("UDP", 443, 443)],
        severity: Severity::Medium,
        causes: vec![
            Cause {
                policy: Some("shop/web-egress".into()),
                rule: Some(1),
                ..cause(CauseKind::RuleAdded, "egress", place.clone())
            },
            Cause {
                policy: None,
                object: Some("shop/web[Deployment]".into()),
                rule: None,
                direction: None,
                ..cause(
                    CauseKind::WorkloadChanged,
                    "egress",
                    location(Side::After, "k8s/shop/web.yaml", 3, 40),
                )
            },
        ],
        admitted_by: AdmittedBy {
            egress: rule("shop/web-egress", 1, place),
            ingress: Admission::Open("outside the cluster"),
        },
        already_allowed: None,
        still_denied: None,
        exceptions: vec![],
        undeclared: Undeclared::None,
        assumes: None,
        witness: Witness {
            from: "shop/web".into(),
            to: "1.1.1.1".into(),
            protocol: "TCP",
            port: 443,
            ..Witness::default()
        },
        rules: vec![],
    }
}

/// Only pods that are not declared, a named port, and only if ipBlocks match pods.
pub fn undeclared_with_assumption() -> Row {
    let place = location(Side::After, "k8s/team-b/policy.yaml", 30, 34);
    Row {
        fingerprint: "77778888999900001111222233334444".into(),
        from: peers("any pod in namespace team-a", 0, &[]),
        to: peers("pods tier in (cache, queue) in namespace team-b", 0, &[]),
        ports: vec![PortRange::Named { protocol: "TCP", name: "http".into() }],
        severity: Severity::Low,
        causes: vec![Cause {
            policy: Some("team-b/policy".into()),
            rule: Some(3),
            ..cause(CauseKind::SelectorWidened, "ingress", place.clone())
        }],
        admitted_by: AdmittedBy {
            egress: Admission::Open("not isolated"),
            ingress: rule("team-b/policy", 3, place),
        },
        already_allowed: None,
        still_denied: None,
        exceptions: vec![],
        undeclared: Undeclared::Only,
        assumes: Some(Assumption::IpBlocksMatchPods),
        witness: Witness {
            from: "namespace:team-a".into(),
            to: "namespace:team-b,pod:tier=cache".into(),
            protocol: "TCP",
            port: 8080,
            ..Witness::default()
        },
        rules: vec![],
    }
}

/// A path that closed.
pub fn closed() -> Row {
    Row {
        fingerprint: "cccccccccccccccccccccccccccccccc".into(),
        causes: vec![Cause {
            policy: Some("shop/web".into()),
            rule: Some(1),
            ..cause(
                CauseKind::RuleRemoved,
                "ingress",
                location(Side::Before, "k8s/shop/web.yaml", 60, 66),
            )
        }],
        from: peers("any pod in namespace team-a", 2, &["team-a/batch[CronJob]"]),
        to: peers("pods app=web in namespace shop", 1, &["shop/web[Deployment]"]),
        ports: vec![numbers("TCP", 8080, 8080)],
        severity: Severity::Low,
        ..any_pod()
    }
}

pub fn unread(
    side: Side,
    file: &str,
    line: Option<u32>,
    reason: &str,
    hides: Hides,
) -> NotEvaluated {
    NotEvaluated {
        side,
        file: file.into(),
        line,
        kind: Some("NetworkPolicy".into()),
        name: Some("payments/db".into()),
        reason: reason.into(),
        hides,
        environments: vec![],
    }
}

/// Entries of every kind, one reason shared by many.
pub fn entries() -> Vec<NotEvaluated> {
    let mut all = vec![unread(
        Side::Both,
        "charts/api/templates/policy.yaml",
        Some(4),
        "unknown field `podSelecter`: did you mean `podSelector`?",
        Hides::Nothing,
    )];
    all.extend((1..=13).map(|n| NotEvaluated {
        kind: Some("CiliumNetworkPolicy".into()),
        name: Some(format!("team-{n}/allow-dns")),
        ..unread(
            Side::Both,
            &format!("cilium/team-{n}/allow-dns.yaml"),
            Some(1),
            "kind `CiliumNetworkPolicy` is not modelled yet; what it allows or denies is unknown",
            Hides::Flow,
        )
    }));
    all.push(NotEvaluated {
        kind: None,
        name: None,
        ..unread(
            Side::After,
            "k8s/payments/broken.yaml",
            Some(7),
            "not valid YAML: expected a mapping value; fix the file, nothing in this document was \
             read",
            Hides::Widening,
        )
    });
    all
}

/// Everything that one report can hold.
pub fn everything() -> Report {
    let mut report = with_rows(
        Verdict::Widened,
        vec![default_deny_deleted(), any_pod(), external_ranges(), undeclared_with_assumption()],
        vec![closed()],
    );
    report.not_evaluated = entries();
    report.exact = false;
    let summary = &mut report.environments[0].summary;
    summary.without_effect = vec![
        "ingress rule 2 of policy shop/web was added (k8s/shop/web.yaml:70-75): rule 1 allows all \
         of it already"
            .into(),
    ];
    summary.reach = vec![
        ReachCount {
            workload: "payments/api[Deployment]".into(),
            before: Some(2),
            after: Some(49),
        },
        ReachCount {
            workload: "payments/db[StatefulSet]".into(),
            before: Some(3),
            after: Some(50),
        },
        ReachCount { workload: "shop/web[Deployment]".into(), before: Some(5), after: Some(3) },
    ];
    report
}

fn workload(namespace: &str, name: &str) -> Endpoint {
    Endpoint::Workload { namespace: namespace.into(), name: name.into(), kind: "Deployment".into() }
}

fn external(cidrs: &[&str]) -> Endpoint {
    Endpoint::External { cidrs: cidrs.iter().map(|s| (*s).to_owned()).collect() }
}

pub fn changes() -> Vec<Change> {
    vec![
        Change {
            source: workload("shop", "web"),
            destination: workload("payments", "db"),
            before: vec![],
            after: vec![numbers("TCP", 5432, 5432)],
        },
        Change {
            source: external(&["0.0.0.0/0", "::/0"]),
            destination: workload("shop", "web"),
            before: all_ports(),
            after: vec![numbers("TCP", 443, 443)],
        },
    ]
}

pub fn listing() -> Listing {
    let pair = |source, destination, ports| Connection { source, destination, ports };
    Listing {
        schema_version: SCHEMA_VERSION,
        tool: report(Verdict::Unchanged).tool,
        exact: false,
        connections: vec![
            pair(
                workload("shop", "cart"),
                workload("payments", "db"),
                vec![numbers("TCP", 5432, 5432)],
            ),
            pair(
                workload("shop", "cart"),
                workload("a-namespace-with-a-long-name", "a-workload-with-a-name-that-is-long"),
                vec![numbers("TCP", 80, 80), numbers("UDP", 53, 53)],
            ),
            pair(
                workload("shop", "cart"),
                external(&["10.0.0.0/8", "2001:db8::/32"]),
                vec![numbers("TCP", 443, 443)],
            ),
            pair(external(&["0.0.0.0/0", "::/0"]), workload("shop", "web"), all_ports()),
        ],
        unisolated: Unisolated {
            ingress: vec!["shop/web[Deployment]".into()],
            egress: vec!["payments/db[Deployment]".into(), "shop/web[Deployment]".into()],
        },
        not_evaluated: entries().into_iter().take(1).collect(),
        read: report(Verdict::Unchanged).read,
        inventory: vec![],
    }
}

pub fn answer(allowed: bool) -> Answer {
    let place = location(Side::Both, "k8s/payments/db.yaml", 12, 18);
    let isolated_by = vec![PolicyRef {
        policy: "payments/default-deny".into(),
        location: location(Side::Both, "k8s/payments/default-deny.yaml", 1, 9),
    }];
    Answer {
        schema_version: SCHEMA_VERSION,
        tool: report(Verdict::Unchanged).tool,
        allowed,
        egress: EndAnswer { isolated: false, allowed: true, by: vec![], isolated_by: vec![] },
        ingress: EndAnswer {
            isolated: true,
            allowed,
            by: if allowed {
                vec![RuleRef { policy: "payments/db".into(), rule: 0, location: place }]
            } else {
                vec![]
            },
            isolated_by: if allowed { vec![] } else { isolated_by },
        },
        exact: true,
        not_evaluated: vec![],
        inventory: vec![],
    }
}

pub fn waiver() -> Waiver {
    Waiver {
        fingerprint: "a1b2c3d4e5f60718293a4b5c6d7e8f90".into(),
        reason: "the namespace is going away".into(),
        expires: chrono::NaiveDate::from_ymd_opt(2026, 12, 31),
        by: Some("sam".into()),
        line: 3,
        given: None,
    }
}

/// A gate that nothing blocks.
pub fn gate() -> Gate {
    Gate {
        fail_on: FailOn::High,
        mode: Mode::Enforce,
        verdict: GateVerdict::Pass,
        blocking: vec![],
        blocking_findings: vec![],
        waived: vec![],
        expired: vec![],
        by_comment: false,
    }
}
