//! Two sides -> the rows that opened and closed, each with causes, exceptions and a witness.

pub mod connections;
mod describe;
mod edits;
mod exceptions;
pub mod facts;
mod figures;
pub mod port_list;
mod rows;
mod severity;
pub mod witness;
mod words;

use crate::config::{Config, IpBlocksMatchPods};
use crate::model::{Direction, Origin};
use crate::reach::{Encoder, Reading, Side, World};
use crate::report::{
    Assumption, Cause, CauseKind, Change, Hides, NotEvaluated, Peers, Row, Severity,
    Side as ReportSide, Summary,
};
use crate::set::fields::End;
use crate::set::{OverBudget, Set};
use edits::{About, Edit};
pub use facts::not_public;
use rows::Draft;
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::Range;

/// What differs between two sides.
#[derive(Clone, Debug, Default)]
pub struct Diff {
    /// Flows that the after side allows and the before side does not.
    pub opened: Vec<Row>,
    /// Flows that the before side allows and the after side does not.
    pub closed: Vec<Row>,
    /// Figures and remarks.
    pub summary: Summary,
    /// What took more room than the budget allows, or failed its own check.
    pub not_evaluated: Vec<NotEvaluated>,
    /// The concrete table, when the configuration asks for it.
    pub connections: Option<Vec<Change>>,
    /// The namespaces whose pods the change touches; `None` in it stands for all others.
    pub touched: Touched,
}

/// The namespaces whose pods are at an end of some flow that an edit could change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// By name.
    pub namespaces: BTreeSet<String>,
    /// Every namespace.
    pub all: bool,
}

type Result<T> = std::result::Result<T, OverBudget>;

/// How many steps may be taken for each node of the budget, by all tries of a side together.
const STEPS_PER_NODE: usize = 200;

/// Says more of a row that opened, from its exact flows.
pub type Annotate<'n> = &'n dyn Fn(&mut Encoder<'_, '_>, Set, &mut Row);

/// Compares two sides exactly. `annotate` may say more of each row that opened.
pub fn diff(world: &World<'_>, config: &Config, annotate: Annotate<'_>) -> Diff {
    let mut diff = Diff::default();
    let mut targets = BTreeSet::new();
    let mut too_much = Vec::new();
    let sides: [(Side, &mut Vec<Row>, Annotate<'_>); 2] = [
        (Side::After, &mut diff.opened, annotate),
        (Side::Before, &mut diff.closed, &|_, _, _| {}),
    ];
    for (new, rows, annotate) in sides {
        // A store for each try, so that what one of them made takes no room from the next.
        let steps = Cell::new(config.node_budget.saturating_mul(STEPS_PER_NODE));
        let mut gain = |only: Option<&Range<usize>>| {
            let mut encoder = Encoder::new(world, Reading::KnownAddresses, config.node_budget);
            encoder.d.limit_steps(steps.get());
            let (touched, targets) = (&mut diff.touched, &mut targets);
            let found = gained_rows(&mut encoder, config, new, only, touched, targets);
            steps.set(steps.get().saturating_sub(encoder.d.steps()));
            let (found, mut failed) = found?;
            diff.not_evaluated.append(&mut failed);
            rows.extend(found.into_iter().map(|(mut row, flows)| {
                annotate(&mut encoder, flows, &mut row);
                row
            }));
            Ok(())
        };
        // Where edits need too much room together, each half of them is tried alone.
        if gain(None) == Err(OverBudget) {
            let places = edit_places(world, config, new);
            let mut open = halves(&(0..places.len()));
            if open.is_empty() {
                too_much.push(too_large(places.first(), new));
            }
            while let Some(edits) = open.pop() {
                match gain(Some(&edits)) {
                    Ok(()) => {}
                    Err(OverBudget) if steps.get() == 0 => {
                        let rest = places.get(edits.start..).unwrap_or_default();
                        too_much.extend(not_reached(rest, new));
                        break;
                    }
                    Err(OverBudget) => match halves(&edits) {
                        none if none.is_empty() => {
                            too_much.push(too_large(places.get(edits.start), new));
                        }
                        halves => open.extend(halves),
                    },
                }
            }
        }
        sort(rows);
    }
    diff.not_evaluated.append(&mut too_much);
    let mut encoder = Encoder::new(world, Reading::KnownAddresses, config.node_budget);
    diff.summary = Summary {
        opened_rows: diff.opened.len(),
        closed_rows: diff.closed.len(),
        without_effect: without_effect(world, &diff),
        reach: figures::reach(&mut encoder, &targets).unwrap_or_default(),
    };
    if config.connections {
        match connections::changes(world, config) {
            Ok(changes) => diff.connections = Some(changes),
            Err(OverBudget) => diff.not_evaluated.push(too_large(None, Side::After)),
        }
    }
    diff
}

/// The file and line of an edit, and what it is about.
type EditPlace = (String, u32, String);

/// Where each edit stands, for messages when the analysis itself is out of room.
fn edit_places(world: &World<'_>, config: &Config, new: Side) -> Vec<EditPlace> {
    let mut encoder = Encoder::new(world, Reading::KnownAddresses, config.node_budget);
    let edits = edits::edits(&mut encoder, new).unwrap_or_default();
    edits
        .iter()
        .map(|edit| {
            let place = edit.places.first();
            let name = match edit.about {
                About::Rule(_, policy, _) | About::Isolation(_, policy) => policy.id.to_string(),
                _ => place.and_then(|place| place.object.clone()).unwrap_or_default(),
            };
            match place {
                Some(place) => (place.origin.file.to_string(), place.origin.start_line, name),
                None => (String::new(), 1, name),
            }
        })
        .collect()
}

/// The halves of a range, the second one first; none of what has none.
fn halves(range: &Range<usize>) -> Vec<Range<usize>> {
    let middle = range.start + range.len() / 2;
    match range.len() {
        0 | 1 => Vec::new(),
        _ => vec![middle..range.end, range.start..middle],
    }
}

/// One entry for each file: there may be many edits.
fn not_reached(places: &[EditPlace], new: Side) -> Vec<NotEvaluated> {
    let mut files: BTreeMap<&str, (u32, usize)> = BTreeMap::new();
    for (file, line, _) in places {
        let (first, count) = files.entry(file).or_insert((*line, 0));
        (*first, *count) = ((*first).min(*line), *count + 1);
    }
    let entry = |(file, (line, count)): (&str, (u32, usize))| NotEvaluated {
        name: None,
        reason: format!(
            "what the edits of this file can change (there are {count}) was not computed: all edits together take more \
             work than the limits allow; split the change, or raise the node budget"
        ),
        ..too_large(Some(&(file.to_string(), line, String::new())), new)
    };
    files.into_iter().map(entry).collect()
}

fn too_large(place: Option<&EditPlace>, new: Side) -> NotEvaluated {
    let (file, line, name) = match place {
        Some((file, line, name)) => (file.clone(), Some(*line), Some(name.clone())),
        None => (String::new(), None, None),
    };
    NotEvaluated {
        side: ReportSide::Both,
        file,
        line,
        kind: Some("analysis".into()),
        name,
        reason: "what this edit can change is too large to compute within the limits; \
                 split the change, or raise the node budget"
            .into(),
        hides: if new == Side::After { Hides::Widening } else { Hides::Flow },
        environments: Vec::new(),
    }
}

/// A row and exactly its flows.
pub type RowWithFlows = (Row, Set);

/// The rows of one side, each with exactly its flows: what tests hold a report to.
pub fn rows_with_flows(
    encoder: &mut Encoder<'_, '_>,
    config: &Config,
    new: Side,
) -> Result<Vec<RowWithFlows>> {
    let (touched, targets) = (&mut Touched::default(), &mut BTreeSet::new());
    Ok(gained_rows(encoder, config, new, None, touched, targets)?.0)
}

/// The rows of all edits, or of some of them, gained on a side; and what failed its check.
fn gained_rows(
    encoder: &mut Encoder<'_, '_>,
    config: &Config,
    new: Side,
    only: Option<&Range<usize>>,
    touched: &mut Touched,
    targets: &mut BTreeSet<u32>,
) -> Result<(Vec<RowWithFlows>, Vec<NotEvaluated>)> {
    let edits = edits::edits(encoder, new)?;
    for edit in &edits {
        touch(encoder, edit.end, edit.subject, touched)?;
    }
    let chosen: Vec<(usize, &Edit)> = edits
        .iter()
        .enumerate()
        .filter(|(index, _)| only.is_none_or(|only| only.contains(index)))
        .collect();
    let always = config.ip_blocks_match_pods == IpBlocksMatchPods::Always;
    let mut drafts: Vec<(Draft, bool)> = Vec::new();
    let mut known = Vec::new();
    encoder.set_reading(if always { Reading::AnyAddress } else { Reading::KnownAddresses });
    let mut met_blocks = Vec::new();
    for (index, edit) in &chosen {
        encoder.forget_blocks();
        let gain = rows::gained(encoder, new, edit)?;
        if encoder.met_blocks() {
            met_blocks.push((*index, *edit));
        }
        known.push(gain.flows);
        for end in [End::Source, End::Destination] {
            touch(encoder, end, gain.within_reach, touched)?;
        }
        let rows = rows::draft(encoder, new, *index, edit, &gain)?;
        drafts.extend(rows.into_iter().map(|draft| (draft, false)));
    }
    merge(encoder, &mut drafts)?;
    if config.ip_blocks_match_pods == IpBlocksMatchPods::Unknown && !met_blocks.is_empty() {
        encoder.set_reading(Reading::AnyAddress);
        let everything_known = encoder.d.union(known)?;
        let mut more = Vec::new();
        for (index, edit) in &met_blocks {
            let mut gain = rows::gained(encoder, new, edit)?;
            gain.flows = encoder.between_pods(gain.flows)?;
            gain.flows = encoder.d.minus(gain.flows, everything_known)?;
            let rows = rows::draft(encoder, new, *index, edit, &gain)?;
            more.extend(rows.into_iter().map(|draft| (draft, true)));
        }
        merge(encoder, &mut more)?;
        drafts.append(&mut more);
    }
    let mut rows = Vec::with_capacity(drafts.len());
    let mut failed = Vec::new();
    for (draft, assumed) in drafts {
        if !assumed {
            targets.extend(figures::few_destinations(encoder, draft.flows)?);
        }
        let flows = draft.flows;
        rows.push((finish(encoder, config, new, &edits, draft, assumed, &mut failed)?, flows));
    }
    Ok((rows, failed))
}

/// Joins drafts with the same flows, and those whose flows another one contains: one row then, with
/// every cause. Of equal flows the shortest words stay, whatever the order of the edits.
fn merge(encoder: &mut Encoder<'_, '_>, drafts: &mut Vec<(Draft, bool)>) -> Result<()> {
    drafts.sort_by_cached_key(|(draft, _)| {
        let (from, to) = (draft.from.text.clone(), draft.to.text.clone());
        (from.len() + to.len(), from, to)
    });
    let mut kept: Vec<(Draft, bool)> = Vec::with_capacity(drafts.len());
    'next: for (draft, assumed) in drafts.drain(..) {
        for (other, _) in &mut kept {
            if lies_within(encoder, draft.flows, other.flows)? {
                other.edits.extend(&draft.edits);
                continue 'next;
            }
        }
        let mut swallowed = Vec::new();
        let mut index = 0;
        while let Some((other, _)) = kept.get(index) {
            if lies_within(encoder, other.flows, draft.flows)? {
                swallowed.extend(kept.remove(index).0.edits);
            } else {
                index += 1;
            }
        }
        let mut draft = draft;
        draft.edits.extend(swallowed);
        kept.push((draft, assumed));
    }
    *drafts = kept;
    Ok(())
}

/// Does the second set hold all of the first?
fn lies_within(encoder: &mut Encoder<'_, '_>, inner: Set, outer: Set) -> Result<bool> {
    encoder.d.step(1)?;
    Ok(encoder.d.may_lie_within(inner, outer) && encoder.d.minus(inner, outer)?.is_empty())
}

/// Everything that some row of a side says was gained, in the encoder's present reading.
pub fn gained_flows(encoder: &mut Encoder<'_, '_>, new: Side) -> Result<Set> {
    let mut flows = Vec::new();
    for (index, edit) in edits::edits(encoder, new)?.iter().enumerate() {
        let gain = rows::gained(encoder, new, edit)?;
        let drafts = rows::draft(encoder, new, index, edit, &gain)?;
        flows.extend(drafts.into_iter().map(|draft| draft.flows));
    }
    encoder.d.union(flows)
}

/// Notes the namespaces of one end of a set.
fn touch(encoder: &mut Encoder<'_, '_>, end: End, flows: Set, touched: &mut Touched) -> Result<()> {
    if touched.all {
        return Ok(());
    }
    let slots = encoder.slots(flows, end)?;
    let elsewhere = encoder.world.elsewhere();
    touched.all = slots.iter().any(|(first, last)| (first..=last).contains(&&elsewhere));
    if !touched.all {
        let names = encoder.namespaces_of(&slots).into_iter();
        let names = names.filter_map(|index| encoder.world.namespaces.get(index));
        touched.namespaces.extend(names.map(|namespace| namespace.name.to_string()));
    }
    Ok(())
}

fn finish(
    encoder: &mut Encoder<'_, '_>,
    config: &Config,
    new: Side,
    edits: &[Edit<'_>],
    draft: Draft,
    assumed: bool,
    failed: &mut Vec<NotEvaluated>,
) -> Result<Row> {
    let always = config.ip_blocks_match_pods == IpBlocksMatchPods::Always;
    let mut causes: Vec<Cause> = Vec::new();
    for (nth, edit) in draft.edits.iter().filter_map(|index| edits.get(*index)).enumerate() {
        let lines = if nth == 0 { draft.lines.as_ref() } else { None };
        causes.extend(causes_of(edit, new, lines));
    }
    causes.sort();
    causes.dedup();
    let kinds: Vec<CauseKind> =
        draft.edits.iter().filter_map(|index| edits.get(*index)).map(|edit| edit.kind).collect();
    let severity = severity::severity(encoder, config, draft.flows, &kinds)?;
    let ports = port_list::of(encoder, draft.flows)?;
    let undeclared = rows::undeclared(encoder, draft.flows)?;
    // A stranger from outside tells more than a neighbour where that is what the level is for.
    let outside = encoder.outside(End::Source)?;
    let known = rows::known(encoder)?;
    let apart = encoder.apart(draft.flows)?;
    let prefer = match severity {
        Severity::Critical => vec![outside, encoder.d.and(known, apart)?, known],
        _ => vec![encoder.d.and(known, apart)?, known],
    };
    let replayed = match witness::point(encoder, draft.flows, &prefer)? {
        Some(point) => witness::replay(encoder, &point, new, assumed || always),
        None => return Err(OverBudget),
    };
    if !replayed.agrees {
        let cause = causes.first();
        failed.push(NotEvaluated {
            side: ReportSide::Both,
            file: cause.map(|c| c.location.file.clone()).unwrap_or_default(),
            line: cause.map(|c| c.location.start_line),
            kind: Some("internal-error".into()),
            name: cause.and_then(|c| c.policy.clone().or_else(|| c.object.clone())),
            reason: format!(
                "the two evaluators disagree on {} -> {} {}/{}; please report this",
                replayed.witness.from,
                replayed.witness.to,
                replayed.witness.protocol,
                replayed.witness.port
            ),
            hides: Hides::Widening,
            environments: Vec::new(),
        });
    }
    let mut row = Row {
        fingerprint: String::new(),
        from: draft.from,
        to: draft.to,
        ports,
        severity,
        causes,
        admitted_by: replayed.admitted_by,
        already_allowed: draft.exceptions.already_allowed,
        still_denied: draft.exceptions.still_denied,
        exceptions: draft.exceptions.all,
        undeclared,
        assumes: assumed.then_some(Assumption::IpBlocksMatchPods),
        witness: replayed.witness,
        rules: Vec::new(),
    };
    row.fingerprint = fingerprint(&row);
    Ok(row)
}

/// The causes of an edit, in the words of the direction of the comparison.
fn causes_of(edit: &Edit<'_>, new: Side, lines: Option<&Origin>) -> Vec<Cause> {
    let kind = if new == Side::After { edit.kind } else { mirrored(edit.kind) };
    let (direction, policy) = match edit.about {
        About::Rule(direction, policy, _) | About::Isolation(direction, policy) => {
            (Some(direction.as_str()), Some(policy.id.to_string()))
        }
        _ => (None, None),
    };
    let place = |place: &edits::Place<'_>| {
        let location = witness::location(place.side, lines.unwrap_or(place.origin));
        let (object, rule) = (place.object.clone(), place.rule);
        Cause {
            kind,
            direction,
            policy: policy.clone(),
            object,
            rule,
            whole: place.whole,
            files: place.stands.iter().flatten().map(|origin| origin.file.to_string()).collect(),
            location,
        }
    };
    edit.places.iter().map(place).collect()
}

/// What an edit is called when the comparison is read backwards.
fn mirrored(kind: CauseKind) -> CauseKind {
    match kind {
        CauseKind::RuleAdded => CauseKind::RuleRemoved,
        CauseKind::RuleWidened => CauseKind::RuleNarrowed,
        CauseKind::SelectorWidened => CauseKind::SelectorNarrowed,
        CauseKind::DirectionAdded => CauseKind::DirectionRemoved,
        CauseKind::IsolationLost => CauseKind::IsolationAdded,
        CauseKind::WorkloadAdded => CauseKind::WorkloadRemoved,
        other => other,
    }
}

/// 128 bits of SHA-256 over what the row opens and what kind of edit does it; no line, file or index.
fn fingerprint(row: &Row) -> String {
    let kinds: BTreeSet<String> = row
        .causes
        .iter()
        .map(|c| format!("{:?} {:?} {:?} {:?}", c.kind, c.direction, c.policy, c.object))
        .collect();
    let canonical = format!(
        "{}\n{}\n{:?}\n{:?}\n{:?}",
        canonical_peers(&row.from),
        canonical_peers(&row.to),
        row.ports,
        kinds,
        row.assumes
    );
    Sha256::digest(canonical.as_bytes()).iter().take(16).fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// All that the words of one end stand for, where the text leaves some out; which workloads happen to be
/// declared plays no part.
fn canonical_peers(peers: &Peers) -> String {
    let any_of: Vec<String> = peers.any_of.iter().map(canonical_peers).collect();
    format!("{} {:?} {:?} {any_of:?}", peers.text, peers.pods, peers.external)
}

/// Most severe first, then by how many declared workloads take part.
fn sort(rows: &mut [Row]) {
    let count = |peers: &Peers| peers.declared.as_ref().map_or(1, |d| d.count);
    rows.sort_by_cached_key(|row| {
        (
            std::cmp::Reverse(row.severity),
            row.assumes,
            std::cmp::Reverse(count(&row.from) * count(&row.to)),
            row.from.text.clone(),
            row.to.text.clone(),
            row.fingerprint.clone(),
        )
    });
}

/// Edits of policies that mean something else as written and change no flow (R3). Of those that were not
/// evaluated, nothing is said.
fn without_effect(world: &World<'_>, diff: &Diff) -> Vec<String> {
    let named: BTreeSet<&str> = diff
        .opened
        .iter()
        .chain(&diff.closed)
        .flat_map(|row| &row.causes)
        .filter_map(|cause| cause.policy.as_deref())
        .chain(diff.not_evaluated.iter().filter_map(|entry| entry.name.as_deref()))
        .collect();
    if diff.not_evaluated.iter().any(|entry| entry.name.is_none()) {
        return Vec::new();
    }
    let mut remarks = Vec::new();
    for pair in &world.changed_policies {
        let (policy, what) = match *pair {
            (Some(before), Some(after)) if !before.same_meaning(after) => (after, "changed"),
            (Some(before), None) => (before, "removed"),
            (None, Some(after)) => (after, "added"),
            _ => continue,
        };
        let id = policy.id.to_string();
        if !named.contains(id.as_str()) {
            remarks.push(format!("policy {id} was {what}, and no flow changes by it"));
        }
    }
    remarks
}

/// The declared workloads of one side that nothing isolates in a direction.
pub fn unisolated(
    world: &World<'_>,
    side: Side,
    direction: Direction,
    budget: usize,
) -> Result<Vec<String>> {
    let mut encoder = Encoder::new(world, Reading::KnownAddresses, budget);
    let end = Encoder::subject_end(direction);
    let isolated = encoder.isolated(side, direction, Set::FULL)?;
    let open = encoder.d.minus(Set::FULL, isolated)?;
    let all = encoder.d.project(open, |level| level == end.slot())?;
    let mut ids = Vec::new();
    let mut first = 0;
    for edge in encoder.d.edges_at(all, end.slot()) {
        if !edge.child.is_empty() {
            for workload in
                world.workloads.iter().skip(first as usize).take((edge.last - first) as usize + 1)
            {
                if workload.on.on(side).is_some() {
                    ids.push(workload.id.to_string());
                }
            }
        }
        first = edge.last.saturating_add(1);
    }
    ids.sort();
    Ok(ids)
}
