//! What all formats say, once: phrases about verdicts, causes and admissions.
//!
//! A phrase keeps our own words, which are constants, apart from names out of manifests, so that
//! no format can confuse the two.

use crate::report::{
    Admission, Assumption, Cause, CauseKind, DeclaredPeers, Endpoint, Environment, ExceptionKind,
    Hides, Location, NotEvaluated, Peers, ReachCount, ReadCounts, Report, Row, Severity, Side,
    Summary, Undeclared, Verdict,
};

/// A part of a phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Our own words.
    Words(&'static str),
    /// A number.
    Count(usize),
    /// Text out of a manifest, to be shown through [`super::untrusted`] only.
    Name(String),
    /// Lines of a file; a format may make a link of it.
    Place(Location),
}

/// Words and names in order. Spaces between pieces are part of the words.
pub type Phrase = Vec<Piece>;

use Piece::{Count, Name, Place, Words};

/// `file:12-18`, or `file:12`.
pub fn place(location: &Location) -> String {
    let Location { file, start_line, end_line, .. } = location;
    if start_line == end_line {
        format!("{file}:{start_line}")
    } else {
        format!("{file}:{start_line}-{end_line}")
    }
}

/// Rows and entries counted over all environments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Opened rows.
    pub opened: usize,
    /// Opened rows by severity, most severe first.
    pub by_severity: [(usize, &'static str); 5],
    /// Closed rows.
    pub closed: usize,
    /// Edits of policies that change no flow.
    pub without_effect: usize,
    /// Entries that were not evaluated and could hide a widening.
    pub hides_widening: usize,
}

impl Totals {
    /// Counts a report.
    pub fn of(report: &Report) -> Self {
        let sum = |count: fn(&Environment) -> usize| report.environments.iter().map(count).sum();
        let opened = || report.environments.iter().flat_map(|e| &e.opened);
        let by_severity = SEVERITIES.map(|severity| {
            let count = opened().filter(|row| row.severity == severity).count();
            (count, severity.as_str())
        });
        Self {
            opened: sum(|e| e.opened.len()),
            by_severity,
            closed: sum(|e| e.closed.len()),
            without_effect: sum(|e| e.summary.without_effect.len()),
            hides_widening: hiding(&report.not_evaluated, Hides::Widening),
        }
    }
}

/// All severities, most severe first.
pub const SEVERITIES: [Severity; 5] =
    [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];

/// How many entries could hide just that.
pub fn hiding(entries: &[NotEvaluated], hides: Hides) -> usize {
    entries.iter().filter(|entry| entry.hides == hides).count()
}

/// The verdict and the figures behind it, in one line without an end: `widened: 2 paths opened (1
/// high, 1 low), 1 closed`. Holds no text out of manifests.
pub fn verdict(report: &Report) -> String {
    let totals = Totals::of(report);
    let mut line = match report.result {
        Verdict::Widened => {
            let severities: Vec<String> = totals
                .by_severity
                .iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, name)| format!("{count} {name}"))
                .collect();
            format!(
                "widened: {} opened ({})",
                count(totals.opened, "path", "paths"),
                severities.join(", ")
            )
        }
        Verdict::Narrowed => "narrowed: nothing opened".into(),
        Verdict::Unchanged => "unchanged: nothing opened, nothing closed".into(),
        Verdict::Unknown => format!(
            "unknown: {}; nothing else opened",
            unevaluated(totals.hides_widening, "a widening")
        ),
    };
    if totals.closed > 0 {
        let noun = match report.result {
            Verdict::Widened => totals.closed.to_string(),
            _ => count(totals.closed, "path", "paths"),
        };
        line.push_str(&format!(", {noun} closed"));
    }
    line
}

/// What stands under a verdict that says that something opened, where entries could hide more.
/// Without text out of manifests.
pub fn warning(report: &Report) -> Option<String> {
    let entries = Totals::of(report).hides_widening;
    let needed = entries > 0 && report.result != Verdict::Unknown;
    needed.then(|| format!("more may have opened: {}", unevaluated(entries, "it")))
}

fn unevaluated(entries: usize, what: &str) -> String {
    let verb = if entries == 1 { "was" } else { "were" };
    let things = count(entries, "thing", "things");
    format!("{things} that could hide {what} {verb} not evaluated")
}

/// `1 path`, `2 paths`.
pub fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// What an assumption conditions, to stand before or after a row.
pub fn assumption(assumes: Assumption) -> &'static str {
    match assumes {
        Assumption::IpBlocksMatchPods => "only if the network plugin lets ipBlocks match pods",
    }
}

/// What to do about an assumption.
pub fn settle(assumes: Assumption) -> &'static str {
    match assumes {
        Assumption::IpBlocksMatchPods => {
            "Network plugins differ on whether an ipBlock also matches pods whose address lies in \
             it. Set cluster.ipBlocksMatchPods (never or always) or cluster.podCIDRs in the \
             configuration to settle this."
        }
    }
}

/// Do pods that no manifest here declares take part? Nothing where they do not.
pub fn undeclared(row: &Row, opened: bool) -> Option<&'static str> {
    match (row.undeclared, opened) {
        (Undeclared::None, _) => None,
        (Undeclared::Also, true) => Some("pods not declared in these manifests gain it too"),
        (Undeclared::Also, false) => Some("pods not declared in these manifests lose it too"),
        (Undeclared::Only, true) => Some("only pods not declared in these manifests gain it"),
        (Undeclared::Only, false) => Some("only pods not declared in these manifests lose it"),
    }
}

/// The declared workloads at one end of a row, counted also where the end is several kinds of
/// peers at once. Nothing where there are none.
pub fn declared(peers: &Peers) -> Option<DeclaredPeers> {
    if let Some(declared) = &peers.declared {
        return (declared.count > 0).then(|| declared.clone());
    }
    // Parts of one end may overlap, so their counts do not add up: only a single one is exact.
    let mut parts = peers.any_of.iter().filter_map(declared);
    match (parts.next(), parts.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// `ingress rule 1 of policy payments/db was widened`.
pub fn cause(cause: &Cause) -> Phrase {
    let policy = || Name(cause.policy.clone().unwrap_or_else(|| "(unknown)".into()));
    let object = || Name(cause.object.clone().unwrap_or_else(|| "(unknown)".into()));
    let rule = |end: &'static str| {
        let mut phrase = vec![Words(match cause.direction {
            Some("ingress") => "ingress rule",
            Some("egress") => "egress rule",
            _ => "rule",
        })];
        match cause.rule {
            Some(index) => phrase.extend([Words(" "), Count(index + 1)]),
            None => phrase.insert(0, Words("a ")),
        }
        phrase.extend([Words(" of policy "), policy(), Words(end)]);
        phrase
    };
    let of_direction = |ingress, egress, both| match cause.direction {
        Some("ingress") => Words(ingress),
        Some("egress") => Words(egress),
        _ => Words(both),
    };
    match cause.kind {
        CauseKind::RuleAdded => rule(" was added"),
        CauseKind::RuleWidened => rule(" was widened"),
        CauseKind::RuleRemoved => rule(" was removed"),
        CauseKind::RuleNarrowed => rule(" was narrowed"),
        CauseKind::SelectorWidened => vec![
            Words("policy "),
            policy(),
            of_direction(
                " selects more pods now: they get its ingress rules",
                " selects more pods now: they get its egress rules",
                " selects more pods now: they get its rules",
            ),
        ],
        CauseKind::SelectorNarrowed => vec![
            Words("policy "),
            policy(),
            of_direction(
                " selects fewer pods now: they lose its ingress rules",
                " selects fewer pods now: they lose its egress rules",
                " selects fewer pods now: they lose its rules",
            ),
        ],
        CauseKind::DirectionAdded => vec![
            Words("policy "),
            policy(),
            of_direction(
                " covers ingress now: its ingress rules take effect",
                " covers egress now: its egress rules take effect",
                " covers another direction now: its rules there take effect",
            ),
        ],
        CauseKind::DirectionRemoved => vec![
            Words("policy "),
            policy(),
            of_direction(
                " does not cover ingress any more: its ingress rules are without effect",
                " does not cover egress any more: its egress rules are without effect",
                " covers one direction less: its rules there are without effect",
            ),
        ],
        // A policy that was deleted can only be shown where it stood.
        CauseKind::IsolationLost if cause.location.side == Side::Before => vec![
            Words("policy "),
            policy(),
            of_direction(
                " was deleted or cut back: these pods are no longer isolated for ingress",
                " was deleted or cut back: these pods are no longer isolated for egress",
                " was deleted or cut back: these pods are no longer isolated",
            ),
        ],
        CauseKind::IsolationLost => vec![
            Words("policy "),
            policy(),
            of_direction(
                " was cut back: these pods are no longer isolated for ingress",
                " was cut back: these pods are no longer isolated for egress",
                " was cut back: these pods are no longer isolated",
            ),
        ],
        CauseKind::IsolationAdded => vec![
            Words("policy "),
            policy(),
            of_direction(
                " isolates these pods for ingress now",
                " isolates these pods for egress now",
                " isolates these pods now",
            ),
        ],
        CauseKind::WorkloadAdded => vec![Words("workload "), object(), Words(" is new")],
        CauseKind::WorkloadRemoved => vec![Words("workload "), object(), Words(" was removed")],
        CauseKind::WorkloadChanged => {
            vec![Words("labels, ports or network of workload "), object(), Words(" changed")]
        }
        CauseKind::NamespaceChanged => {
            vec![Words("labels of namespace "), object(), Words(" changed")]
        }
        CauseKind::TierChanged => vec![
            Words("a deny rule, pass rule or priority of policy "),
            policy(),
            Words(" changed"),
        ],
    }
}

/// How one can close what such a cause opened, in general words.
pub fn remedy(cause: &Cause) -> &'static str {
    match cause.kind {
        CauseKind::RuleAdded => {
            "remove the rule, or narrow its peers to the clients that need it (namespaceSelector \
             and podSelector in one peer) and its ports to those they use"
        }
        CauseKind::RuleWidened => {
            "give the rule back the peers and ports that it had, and add only the clients and \
             ports that are needed"
        }
        CauseKind::SelectorWidened => {
            "narrow the policy's podSelector again, or give the pods that need these rules a \
             policy of their own"
        }
        CauseKind::DirectionAdded => {
            "take the direction out of policyTypes, or narrow the rules that it woke"
        }
        CauseKind::IsolationLost => {
            "keep a policy that selects these pods for this direction: one without any rule (a \
             default deny) is enough to isolate them"
        }
        CauseKind::WorkloadAdded => {
            "if the workload should not take part, give it labels that the policies which allow \
             this do not select, or a policy that isolates it"
        }
        CauseKind::WorkloadChanged => {
            "restore the labels, ports or network of the workload, or narrow the rules that match \
             it now"
        }
        CauseKind::NamespaceChanged => {
            "restore the namespace's labels, or select it by kubernetes.io/metadata.name, which \
             nobody can change"
        }
        CauseKind::TierChanged => "restore the deny rule, pass rule or priority",
        CauseKind::RuleRemoved
        | CauseKind::RuleNarrowed
        | CauseKind::SelectorNarrowed
        | CauseKind::DirectionRemoved
        | CauseKind::IsolationAdded
        | CauseKind::WorkloadRemoved => "nothing: this only closes",
    }
}

/// What admits a flow at one end: `ingress rule 1 of policy payments/db, k8s/db.yaml:12-18`.
pub fn admission(admission: &Admission, ingress: bool) -> Phrase {
    match admission {
        Admission::Open(why) => vec![Words(match (*why, ingress) {
            ("not isolated", true) => "nothing isolates the destination for ingress",
            ("not isolated", false) => "nothing isolates the source for egress",
            ("outside the cluster", true) => "the destination is outside the cluster",
            ("outside the cluster", false) => "the source is outside the cluster",
            (why, _) => why,
        })],
        Admission::Rule(rule) => {
            let direction = if ingress { "ingress rule " } else { "egress rule " };
            vec![
                Words(direction),
                Count(rule.rule + 1),
                Words(" of policy "),
                Name(rule.policy.clone()),
                Words(", "),
                Place(rule.location.clone()),
            ]
        }
    }
}

/// How many exceptions of one kind a row shows where there is no room for all.
pub const EXCEPTIONS: usize = 4;

/// What of the causes' region a row does not hold: for each kind the words that say which, at most
/// `shown` texts out of manifests, and how many more there are.
pub fn exceptions(
    row: &Row,
    opened: bool,
    shown: usize,
) -> Vec<(&'static str, Vec<String>, usize)> {
    let kinds = [
        (
            ExceptionKind::AlreadyAllowed,
            &row.already_allowed,
            if opened { "already allowed" } else { "still allowed" },
        ),
        (
            ExceptionKind::StillDenied,
            &row.still_denied,
            if opened { "still denied" } else { "denied before as well" },
        ),
    ];
    let mut all = Vec::new();
    for (kind, summary, words) in kinds {
        let texts = row.exceptions.iter().filter(|e| e.kind == kind);
        let texts: Vec<&String> = texts.map(|e| &e.text).collect();
        if texts.is_empty() {
            all.extend(summary.iter().map(|text| (words, vec![text.clone()], 0)));
        } else {
            let first = texts.iter().take(shown).map(|&text| text.clone()).collect();
            all.push((words, first, texts.len().saturating_sub(shown)));
        }
    }
    all
}

/// From how many declared workloads each workload can be reached, in words, where that changed;
/// what grew most first. The workload's name comes out of manifests.
pub fn reach(summary: &Summary) -> Vec<(&str, String)> {
    let mut changed: Vec<_> =
        summary.reach.iter().filter(|reach| reach.before != reach.after).collect();
    let growth = |reach: &ReachCount| {
        let before = reach.before.unwrap_or(0);
        std::cmp::Reverse(reach.after.unwrap_or(0).saturating_sub(before))
    };
    changed.sort_by_key(|reach| growth(reach));
    let figures = |reach: &ReachCount| match (reach.before, reach.after) {
        (Some(before), Some(after)) => format!("reachable from {before} before, from {after} now"),
        (None, Some(after)) => format!("new, reachable from {after}"),
        (Some(before), None) => format!("removed, was reachable from {before}"),
        (None, None) => "on neither side".into(),
    };
    changed.into_iter().map(|reach| (reach.workload.as_str(), figures(reach))).collect()
}

/// An end of a connection: `namespace/name[Kind]`, or `outside 10.0.0.0/8, 192.168.0.0/16`. Holds
/// text out of manifests.
pub fn endpoint(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Workload { namespace, name, kind } => format!("{namespace}/{name}[{kind}]"),
        Endpoint::External { cidrs } if *cidrs == ["0.0.0.0/0", "::/0"] => {
            "outside (any address)".into()
        }
        Endpoint::External { cidrs } => format!("outside {}", cidrs.join(", ")),
    }
}

/// How much was read: `24 files, 8 policies, 12 workloads`.
pub fn read(read: &ReadCounts) -> String {
    format!(
        "{}, {}, {}",
        count(read.files, "file", "files"),
        count(read.policies, "policy", "policies"),
        count(read.workloads, "workload", "workloads"),
    )
}
