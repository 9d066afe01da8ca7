//! Two snapshots and a configuration -> one report: the function behind every command.

use crate::config::Config;
use crate::diff::{self, Diff, Touched};
use crate::model::Direction;
use crate::parse::{Affects, InventoryRead, Parsed, Problem, parse_both};
use crate::problems::{inventory, not_evaluated};
use crate::reach::{Side as WorldSide, World};
use crate::report::{
    Environment, Hides, Lint, Listed, Listing, NotEvaluated, ReadCounts, Report, SCHEMA_VERSION,
    Side, Snapshot, Tool, Unisolated, Verdict,
};
use crate::rules::guardrail::Unmodelled;
use crate::rules::{self, Found};
use crate::tree::Tree;
use std::collections::BTreeMap;

/// Compares two snapshots: everything that `after` allows and `before` does not, and the reverse.
pub fn review(before: &Tree, after: &Tree, config: &Config) -> Report {
    review_in_steps(before, after, config, |_| {})
}

/// [`review`], telling `done` the name of each step when it has ended: `parsing`, `joining` (both sides
/// into one world), `analysis`. The core has no clock; who wants to measure holds one.
pub fn review_in_steps(
    before: &Tree,
    after: &Tree,
    config: &Config,
    mut done: impl FnMut(&'static str),
) -> Report {
    let (parsed_before, parsed_after) = parse_both(before, after, config);
    done("parsing");
    let world = World::of(&parsed_before.cluster, &parsed_after.cluster, config);
    done("joining");
    let diff = diff::diff(&world, config, &|encoder, flows, row| {
        rules::annotate(encoder, config, flows, row);
    });
    done("analysis");
    let mut found = rules::of_change(
        &world,
        config,
        [
            read(before, &parsed_before, Some(&parsed_after)),
            read(after, &parsed_after, Some(&parsed_before)),
        ],
        &unmodelled(&parsed_after.problems),
    );
    rules::under_rows(&mut found.findings, &diff.opened, diff.not_evaluated.is_empty(), config);
    let report = assemble([(before, &parsed_before), (after, &parsed_after)], diff, found);
    done("rules");
    report
}

/// Turns what was found into the report.
fn assemble(sides: [(&Tree, &Parsed); 2], diff: Diff, found: Found) -> Report {
    let [(before, parsed_before), (after, parsed_after)] = sides;
    let mut diff = diff;
    mark_listed(&mut diff, [parsed_before, parsed_after]);
    let mut entries = problems(&parsed_before.problems, &parsed_after.problems, &diff.touched);
    entries.extend(diff.not_evaluated);
    entries.extend(found.not_evaluated);
    sort(&mut entries);
    let hidden = |hides| entries.iter().any(|entry| entry.hides == hides);
    let result =
        Verdict::of(!diff.opened.is_empty(), !diff.closed.is_empty(), hidden(Hides::Widening));
    let snapshot = |tree: &Tree| Snapshot { name: tree.name.clone(), ..Snapshot::default() };
    Report {
        schema_version: SCHEMA_VERSION,
        tool: Tool::this(),
        before: snapshot(before),
        after: snapshot(after),
        result,
        exact: !hidden(Hides::Widening) && !hidden(Hides::Flow),
        environments: vec![Environment {
            name: "default".into(),
            opened: diff.opened,
            closed: diff.closed,
            findings: found.findings,
            ignored: found.ignored,
            connections: diff.connections,
            summary: diff.summary,
            ..Environment::default()
        }],
        not_evaluated: entries,
        read: counts(&[(before, parsed_before), (after, parsed_after)]),
        inventory: inventory(&parsed_before.inventory, &parsed_after.inventory),
        isolation: None,
    }
}

/// Says of the ends of witnesses which are workloads that only an inventory has: nobody finds them in the repository.
fn mark_listed(diff: &mut diff::Diff, sides: [&Parsed; 2]) {
    let mut listed: BTreeMap<String, Listed> = BTreeMap::new();
    for parsed in sides {
        for file in &parsed.inventory {
            let of_it = parsed.cluster.workloads.iter().filter(|w| *w.origin.file == *file.file);
            let here = Listed { file: file.file.to_string(), taken: file.taken };
            listed.extend(of_it.map(|workload| (workload.id.to_string(), here.clone())));
        }
    }
    if listed.is_empty() {
        return;
    }
    // An assumed address may stand behind the name.
    let of = |end: &str| listed.get(end.split_once(",ip:").map_or(end, |(name, _)| name)).cloned();
    for row in diff.opened.iter_mut().chain(&mut diff.closed) {
        let witness = &mut row.witness;
        (witness.from_inventory, witness.to_inventory) = (of(&witness.from), of(&witness.to));
    }
}

/// The effective reachability of one snapshot.
pub fn list(tree: &Tree, config: &Config) -> Listing {
    let (_, parsed) = parse_both(&Tree::default(), tree, config);
    let world = World::of(&parsed.cluster, &parsed.cluster, config);
    let mut entries = of_one(&parsed.problems);
    let budget = config.node_budget;
    let open = |direction| diff::unisolated(&world, WorldSide::After, direction, budget);
    let found = diff::connections::list(&world, config).and_then(|connections| {
        let unisolated =
            Unisolated { ingress: open(Direction::Ingress)?, egress: open(Direction::Egress)? };
        Ok((connections, unisolated))
    });
    let (connections, unisolated) = found.unwrap_or_else(|_| {
        entries.push(NotEvaluated {
            side: Side::After,
            file: tree.name.clone(),
            line: None,
            kind: Some("analysis".into()),
            name: None,
            reason: "the reachability is too large to compute within the limits; list a part of \
                     the manifests, or raise the node budget"
                .into(),
            hides: Hides::Flow,
            environments: Vec::new(),
        });
        Default::default()
    });
    sort(&mut entries);
    Listing {
        schema_version: SCHEMA_VERSION,
        tool: Tool::this(),
        exact: entries.iter().all(|entry| entry.hides == Hides::Nothing),
        connections,
        unisolated,
        not_evaluated: entries,
        read: counts(&[(tree, &parsed)]),
        inventory: inventory(&parsed.inventory, &parsed.inventory),
    }
}

/// The least-privilege findings of one snapshot.
pub fn lint(tree: &Tree, config: &Config) -> Lint {
    let (_, parsed) = parse_both(&Tree::default(), tree, config);
    let world = World::of(&parsed.cluster, &parsed.cluster, config);
    let found = rules::of_snapshot(
        &world,
        config,
        read(tree, &parsed, None),
        &unmodelled(&parsed.problems),
    );
    let mut entries = of_one(&parsed.problems);
    entries.extend(found.not_evaluated);
    sort(&mut entries);
    Lint {
        schema_version: SCHEMA_VERSION,
        tool: Tool::this(),
        findings: found.findings,
        fixed: Vec::new(),
        ignored: found.ignored,
        not_evaluated: entries,
        read: counts(&[(tree, &parsed)]),
        inventory: inventory(&parsed.inventory, &parsed.inventory),
    }
}

/// What was read of a side, for rules.
fn read<'p>(tree: &'p Tree, parsed: &'p Parsed, other: Option<&'p Parsed>) -> rules::Read<'p> {
    let others = other.map_or(&[][..], |other| &other.problems);
    rules::Read { tree, problems: &parsed.problems, others }
}

/// The policies that are there and not evaluated.
fn unmodelled(problems: &[Problem]) -> Vec<Unmodelled> {
    let policies = problems.iter().filter_map(|problem| {
        let namespace = match &problem.affects {
            Affects::Namespace(name) => Some(name.clone()),
            Affects::Anything => None,
            Affects::Nothing | Affects::Perhaps => return None,
        };
        let kind = problem.kind.clone().filter(|kind| {
            kind.contains("Policy") || matches!(&**kind, "EgressFirewall" | "NetNamespace")
        })?;
        let (name, file) = (problem.name.clone(), problem.file.to_string());
        Some(Unmodelled { namespace, kind, name, file, line: problem.line })
    });
    policies.collect()
}

/// What was not understood of a snapshot that stands alone.
fn of_one(problems: &[Problem]) -> Vec<NotEvaluated> {
    let hides = |problem: &Problem| match problem.affects {
        Affects::Nothing => Hides::Nothing,
        _ => Hides::Flow,
    };
    problems.iter().map(|problem| not_evaluated(problem, Side::After, hides(problem))).collect()
}

/// What was told of both sides of something that the change does not touch.
pub fn told(before: &[Problem], after: &[Problem]) -> Vec<NotEvaluated> {
    let mut entries = problems(before, after, &Touched::default());
    sort(&mut entries);
    entries
}

/// What was not understood on either side, with what it could hide.
///
/// What the change does not touch, and whose pods it does not touch, hides at most a flow that is
/// there on both sides. Of what may play no part at all nothing is said then.
fn problems(before: &[Problem], after: &[Problem], touched: &Touched) -> Vec<NotEvaluated> {
    let key = |problem: &Problem| {
        (problem.identity, problem.kind.clone(), problem.name.clone(), problem.affects.clone())
    };
    let mut remaining: BTreeMap<_, usize> = BTreeMap::new();
    for problem in before {
        *remaining.entry(key(problem)).or_default() += 1;
    }
    let mut entries = Vec::new();
    for problem in after {
        match remaining.get_mut(&key(problem)).filter(|count| **count > 0) {
            Some(count) => {
                *count -= 1;
                if problem.affects == Affects::Perhaps {
                    continue;
                }
                let hides = hides(&problem.affects, Some(touched));
                entries.push(not_evaluated(problem, Side::Both, hides));
            }
            None => {
                entries.push(not_evaluated(problem, Side::After, hides(&problem.affects, None)));
            }
        }
    }
    for problem in before {
        if let Some(count) = remaining.get_mut(&key(problem)).filter(|count| **count > 0) {
            *count -= 1;
            entries.push(not_evaluated(problem, Side::Before, hides(&problem.affects, None)));
        }
    }
    entries
}

/// `touched` is what the rest of the change touches, for a problem that is the same on both sides;
/// `None` for one that the change itself brings or takes away.
fn hides(affects: &Affects, touched: Option<&Touched>) -> Hides {
    let Some(touched) = touched else {
        return match affects {
            Affects::Nothing => Hides::Nothing,
            _ => Hides::Widening,
        };
    };
    let met = match affects {
        Affects::Nothing | Affects::Perhaps => return Hides::Nothing,
        Affects::Namespace(name) => touched.all || touched.namespaces.contains(&**name),
        Affects::Anything => touched.all || !touched.namespaces.is_empty(),
    };
    if met { Hides::Widening } else { Hides::Flow }
}

fn sort(entries: &mut [NotEvaluated]) {
    entries.sort_by(|a, b| {
        let key = |e: &NotEvaluated| (e.file.clone(), e.line, e.side, e.reason.clone());
        key(a).cmp(&key(b))
    });
}

fn counts(sides: &[(&Tree, &Parsed)]) -> ReadCounts {
    let mut counts = ReadCounts::default();
    for (tree, parsed) in sides {
        counts.files += tree.files.len();
        counts.documents += parsed.documents;
        let elsewhere =
            |count: fn(&InventoryRead) -> usize| parsed.inventory.iter().map(count).sum();
        let policies: usize = elsewhere(|file| file.policies);
        let workloads: usize = elsewhere(|file| file.workloads);
        counts.policies += parsed.cluster.policies.len().saturating_sub(policies);
        counts.workloads += parsed.cluster.workloads.len().saturating_sub(workloads);
    }
    counts
}
