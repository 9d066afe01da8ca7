//! What all formats say, once: phrases about verdicts, causes and admissions.
//!
//! A phrase keeps our own words, which are constants, apart from names out of manifests, so that
//! no format can confuse the two.

mod edit;
mod finding;
mod gate;
mod inventory;
mod isolation;

pub use edit::{cause, remedy};
pub use finding::{about, fix, fixed, message, older, once, told};
pub use gate::{Decided, decided};
pub use inventory::{inventory, listed};
pub use isolation::isolation;

use crate::report::{
    Admission, Assumption, DeclaredPeers, Endpoint, Environment, ExceptionKind, Hides, Location,
    NotEvaluated, Peers, ReachCount, ReadCounts, Report, Row, Severity, Summary, Undeclared,
    Verdict,
};

/// A part of a phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Our own words.
    Words(&'static str),
    /// A number.
    Count(usize),
    /// Our own words, put together.
    Text(String),
    /// Text out of a manifest, to be shown through [`super::untrusted`] only.
    Name(String),
    /// Lines of a file; a format may make a link of it.
    Place(Location),
}

/// Words and names in order. Spaces between pieces are part of the words.
pub type Phrase = Vec<Piece>;

use Piece::{Count, Name, Place, Text, Words};

/// The phrase as plain text, with names as they are: for formats that take no markup.
pub fn plain(phrase: &Phrase) -> String {
    let pieces = phrase.iter().map(|piece| match piece {
        Words(words) => (*words).to_string(),
        Count(count) => count.to_string(),
        Text(text) | Name(text) => text.clone(),
        Place(location) => place(location),
    });
    pieces.collect()
}

/// `file:12-18`, or `file:12`.
pub fn place(location: &Location) -> String {
    let Location { file, start_line, end_line, .. } = location;
    if start_line == end_line {
        format!("{file}:{start_line}")
    } else {
        format!("{file}:{start_line}-{end_line}")
    }
}

/// Does a report have to say which environment something is in?
pub fn several(report: &Report) -> bool {
    report.environments.len() > 1 || report.environments.iter().any(|each| !each.same_in.is_empty())
}

/// How many environments a heading names.
const NAMED: usize = 8;

/// `environment prod`, `environments dev and staging`, `every environment (dev, prod, staging)`.
pub fn environment(environment: &Environment) -> Phrase {
    let names = match environment.same_in.as_slice() {
        [] => std::slice::from_ref(&environment.name),
        names => names,
    };
    let mut phrase = vec![Piece::Words(match (environment.everywhere, names.len()) {
        (true, 2..) => "every environment (",
        (_, 1) => "environment ",
        _ => "environments ",
    })];
    for (index, name) in names.iter().take(NAMED).enumerate() {
        let last = index + 1 == names.len();
        match index {
            0 => {}
            _ if last && !environment.everywhere => phrase.push(Piece::Words(" and ")),
            _ => phrase.push(Piece::Words(", ")),
        }
        phrase.push(Piece::Name(name.clone()));
    }
    if names.len() > NAMED {
        phrase.extend([
            Piece::Words(" and "),
            Piece::Count(names.len() - NAMED),
            Piece::Words(" more"),
        ]);
    }
    if environment.everywhere && names.len() > 1 {
        phrase.push(Piece::Words(")"));
    }
    phrase
}

/// Rows and entries counted over all environments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Opened rows.
    pub opened: usize,
    /// Opened rows by severity, most severe first.
    pub by_severity: [(usize, &'static str); 5],
    /// Opened rows that need an assumption.
    pub conditional: usize,
    /// Closed rows.
    pub closed: usize,
    /// Findings that the change introduces.
    pub findings: usize,
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
            conditional: opened().filter(|row| row.assumes.is_some()).count(),
            closed: sum(|e| e.closed.len()),
            findings: sum(|e| e.findings.iter().filter(|finding| finding.introduced).count()),
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
            let condition = match totals.conditional {
                0 => String::new(),
                rows => format!("; {rows} conditional"),
            };
            let paths = count(totals.opened, "path", "paths");
            format!("widened: {paths} opened ({}{condition})", severities.join(", "))
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
    if totals.findings > 0 {
        line.push_str(&format!("; {}", count(totals.findings, "finding", "findings")));
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
        (Undeclared::Only, _) => Some("one end is always a pod not declared in these manifests"),
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

/// Who gains an opened row, in figures: `47 declared workloads → 1; pods not declared in these manifests gain it
/// too`. Holds no text out of manifests.
pub fn who(row: &Row) -> Option<String> {
    let figure = |peers| declared(peers).map_or(0, |declared| declared.count);
    let workloads = |n| count(n, "declared workload", "declared workloads");
    let declared = match (figure(&row.from), figure(&row.to)) {
        (0, 0) => None,
        (0, to) => Some(format!("to {}", workloads(to))),
        (from, 0) => Some(format!("from {}", workloads(from))),
        (from, to) => Some(format!("{} → {to}", workloads(from))),
    };
    let undeclared = undeclared(row, true).map(str::to_owned);
    let who: Vec<String> = declared.into_iter().chain(undeclared).collect();
    (!who.is_empty()).then(|| who.join("; "))
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

/// Where to find what does not fit.
pub const ELSEWHERE: &str = "see the JSON report, or run the command at the end";

/// The commits that were compared, where both sides are commits.
pub fn commits(report: &Report) -> Option<[&str; 2]> {
    let hex = |id: &&str| id.len() >= 7 && id.chars().all(|c| c.is_ascii_hexdigit());
    let before = report.before.commit.as_deref().filter(hex)?;
    Some([before, report.after.commit.as_deref().filter(hex)?])
}

/// The command that makes the report once more, in a clone that has both commits.
pub fn command(report: &Report) -> String {
    match commits(report) {
        Some([before, after]) => format!("netpol-review diff --git {before}..{after}"),
        None => "netpol-review diff BEFORE AFTER".into(),
    }
}

/// The text with a capital letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}", letters.as_str())
}
