//! Edits and the flows they gain -> rows that people can read.

use super::edits::{About, Edit};
use super::{describe, exceptions, port_list, words};
use crate::model::Origin;
use crate::reach::{Encoder, Side, Slot};
use crate::report::{CauseKind, DeclaredPeers, Peers, Undeclared};
use crate::set::fields::End;
use crate::set::{OverBudget, Set};

/// How many workloads a row names.
pub const SAMPLE: usize = 5;

/// A row before it has a severity, a witness and a name.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Exactly the flows of the row.
    pub flows: Set,
    /// The indexes of the edits that cause it.
    pub edits: Vec<usize>,
    /// The lines of the peers that opened it, where they are fewer than the rule's.
    pub lines: Option<Origin>,
    /// The sources.
    pub from: Peers,
    /// The destinations.
    pub to: Peers,
    /// What the row's words cover and its flows do not.
    pub exceptions: exceptions::Exceptions,
}

type Result<T> = std::result::Result<T, OverBudget>;

/// A peer of an edit: its words, its flows, its lines.
struct Piece {
    words: Peers,
    set: Set,
    lines: Option<Origin>,
    /// It is every pod and everything outside, rather than one entry of a rule.
    anything: bool,
}

/// The flows that an edit gains: allowed in its region on `new`, and not on the other side.
pub fn gained(encoder: &mut Encoder<'_, '_>, new: Side, edit: &Edit<'_>) -> Result<Gain> {
    let peers = pieces(encoder, new, edit)?;
    let mut region = encoder.d.union(peers.iter().map(|piece| piece.set).collect())?;
    region = encoder.d.and(region, edit.subject)?;
    if let About::Rule(_, _, rule) = edit.about
        && let Some(ports) = &rule.ports
    {
        let ports = encoder.ports(new, ports, region)?;
        region = encoder.d.and(region, ports)?;
    }
    let now = encoder.allowed(new, region)?;
    let then = encoder.allowed(new.other(), now)?;
    let mut flows = encoder.d.minus(now, then)?;
    // A policy opens only what its own end forbade: what this end allowed before as well, an edit at the
    // other end has opened.
    if let About::Rule(direction, ..) | About::Isolation(direction, _) = edit.about {
        let existed = encoder.possible(new.other(), flows)?;
        let allowed_here = encoder.allowed_at(new.other(), direction, existed)?;
        flows = encoder.d.minus(flows, allowed_here)?;
    }
    let within_reach = within_reach(encoder, new, edit, region)?;
    Ok(Gain { flows, within_reach, region, now, then, pieces: peers })
}

/// The flows that an edit could gain, whatever the policies of the other end say: those that its own
/// end newly allows. An edit of labels, ports or addresses can count at either end.
fn within_reach(
    encoder: &mut Encoder<'_, '_>,
    new: Side,
    edit: &Edit<'_>,
    region: Set,
) -> Result<Set> {
    let (About::Rule(direction, ..) | About::Isolation(direction, _)) = edit.about else {
        return Ok(region);
    };
    let region = encoder.possible(new, region)?;
    let now = encoder.allowed_at(new, direction, region)?;
    let existed = encoder.possible(new.other(), now)?;
    let then = encoder.allowed_at(new.other(), direction, existed)?;
    encoder.d.minus(now, then)
}

/// What an edit gains.
pub struct Gain {
    /// The flows.
    pub flows: Set,
    /// Those, and the flows that the policies of the other end, as far as known, keep it from gaining.
    pub within_reach: Set,
    /// Its region, ports resolved on each destination.
    region: Set,
    /// The flows of its region that are allowed on the new side.
    now: Set,
    /// Those of them that are allowed on the old side too.
    then: Set,
    pieces: Vec<Piece>,
}

fn pieces(encoder: &mut Encoder<'_, '_>, new: Side, edit: &Edit<'_>) -> Result<Vec<Piece>> {
    let anything = Piece { words: words::anything(), set: Set::FULL, lines: None, anything: true };
    let About::Rule(_, _, rule) = edit.about else { return Ok(vec![anything]) };
    let Some(peers) = &rule.peers else { return Ok(vec![anything]) };
    let mut pieces = Vec::with_capacity(peers.len());
    for peer in peers {
        pieces.push(Piece {
            words: words::peer(&peer.kind),
            set: encoder.peer(new, edit.end.other(), &peer.kind)?,
            lines: Some(peer.origin.clone()),
            anything: false,
        });
    }
    Ok(pieces)
}

/// The rows of one edit: its peers grouped by the ports that they gain, pods and addresses outside
/// apart unless both are complete.
pub fn draft(
    encoder: &mut Encoder<'_, '_>,
    new: Side,
    index: usize,
    edit: &Edit<'_>,
    gain: &Gain,
) -> Result<Vec<Draft>> {
    let outside = encoder.outside(edit.end.other())?;
    let mut groups: Vec<(Set, Set, bool, Vec<&Piece>)> = Vec::new();
    for piece in &gain.pieces {
        let flows = encoder.d.and(gain.flows, piece.set)?;
        let outer = encoder.d.and(flows, outside)?;
        let inner = encoder.d.minus(flows, outside)?;
        if piece.anything && !outer.is_empty() && !inner.is_empty() {
            let (a, b) =
                (port_list::projection(encoder, outer)?, port_list::projection(encoder, inner)?);
            let addresses = {
                let level = edit.end.other().address();
                encoder.d.project(outer, |l| l == level || l == edit.end.other().slot())?
            };
            if a == b && addresses == outside {
                groups.push((flows, a, false, vec![piece]));
                continue;
            }
        }
        for (part, is_outer) in [(inner, false), (outer, true)] {
            if part.is_empty() {
                continue;
            }
            let ports = port_list::projection(encoder, part)?;
            match groups.iter_mut().find(|g| g.1 == ports && g.2 == is_outer) {
                Some(group) => {
                    group.0 = encoder.d.or(group.0, part)?;
                    group.3.push(piece);
                }
                None => groups.push((part, ports, is_outer, vec![piece])),
            }
        }
    }
    let mut drafts = Vec::with_capacity(groups.len());
    for (flows, ports, outer, pieces) in groups {
        drafts.push(row(encoder, new, index, edit, gain, flows, ports, outer, &pieces)?);
    }
    Ok(drafts)
}

#[allow(clippy::too_many_arguments)] // One call, and a struct would only rename them.
fn row(
    encoder: &mut Encoder<'_, '_>,
    new: Side,
    index: usize,
    edit: &Edit<'_>,
    gain: &Gain,
    flows: Set,
    ports: Set,
    outer: bool,
    pieces: &[&Piece],
) -> Result<Draft> {
    let (own, other) = (edit.end, edit.end.other());
    let outside = encoder.outside(other)?;
    // The other end in words: the rule's own, or those of the addresses that are left.
    let whole = pieces.iter().any(|piece| piece.anything);
    let everything = whole && !outer && !encoder.d.and(flows, outside)?.is_empty();
    let mut peers = encoder.d.union(pieces.iter().map(|piece| piece.set).collect())?;
    let peer_words = if outer {
        let addresses = encoder.d.project(flows, |l| l == other.slot() || l == other.address())?;
        peers = addresses;
        let (first, _) = encoder.world.external();
        let child = encoder
            .d
            .edges_at(addresses, other.slot())
            .into_iter()
            .find(|edge| edge.last >= first)
            .map_or(Set::EMPTY, |edge| edge.child);
        words::external(&describe::addresses(encoder, other, child))
    } else if everything {
        words::anything()
    } else {
        peers = encoder.d.minus(peers, outside)?;
        match whole {
            true => words::any_pod(),
            false => words::any_of(needed(encoder, pieces)?),
        }
    };
    let own_words = own_words(encoder, edit);
    let possible = {
        // Judge ends only against flows that exist at all.
        let besides = besides(encoder, new, edit, peers)?;
        let shape = encoder.d.or(gain.region, besides)?;
        let shape = encoder.d.and(shape, peers)?;
        let shape = encoder.d.and(shape, ports)?;
        encoder.possible(new, shape)?
    };
    let (own_set, mut own_words) = narrowed(encoder, own, flows, possible, own_words)?;
    let (peer_set, mut peer_words) = match outer {
        true => (Set::FULL, peer_words),
        false => narrowed(encoder, other, flows, possible, peer_words)?,
    };
    own_words.declared = declared(encoder, own, flows)?;
    peer_words.declared = declared(encoder, other, flows)?;
    let shape = encoder.d.and(possible, own_set)?;
    let shape = encoder.d.and(shape, peer_set)?;
    let rest = encoder.d.minus(shape, flows)?;
    let (from, to) = match own {
        End::Source => (own_words, peer_words),
        End::Destination => (peer_words, own_words),
    };
    let exceptions = {
        let ports = port_list::of(encoder, flows)?;
        let of = exceptions::Of { flows, ports: &ports, from: &from.text, to: &to.text };
        // What the words name and the edit does not concern can be allowed as well.
        let besides = encoder.d.minus(rest, edit.subject)?;
        let besides = encoder.allowed(new, besides)?;
        let now = encoder.d.or(gain.now, besides)?;
        let besides = encoder.allowed(new.other(), besides)?;
        let then = encoder.d.or(gain.then, besides)?;
        exceptions::explain(encoder, new, edit, rest, now, then, &of)?
    };
    let lines = match edit.about {
        About::Rule(_, _, rule)
            if matches!(edit.kind, CauseKind::RuleAdded | CauseKind::RuleWidened)
                && rule.peers.as_ref().is_some_and(|p| p.len() > pieces.len()) =>
        {
            // Built text can have peers out of several files.
            let lines = || pieces.iter().filter_map(|piece| piece.lines.as_ref());
            lines().next().map(|one| {
                let lines = || lines().filter(|lines| lines.file == one.file);
                Origin {
                    file: one.file.clone(),
                    start_line: lines().map(|l| l.start_line).min().unwrap_or(one.start_line),
                    end_line: lines().map(|l| l.end_line).max().unwrap_or(one.end_line),
                }
            })
        }
        _ => None,
    };
    Ok(Draft { flows, edits: vec![index], lines, from, to, exceptions })
}

/// How many peers of a rule are looked at for one that another contains.
const COMPARED: usize = 50;

/// The words of the peers, without those that others contain, in an order of their own: how the rule
/// orders its peers plays no part.
fn needed(encoder: &mut Encoder<'_, '_>, pieces: &[&Piece]) -> Result<Vec<Peers>> {
    let mut pieces = pieces.to_vec();
    pieces.sort_by(|a, b| a.words.text.cmp(&b.words.text));
    pieces.dedup_by(|a, b| a.words.text == b.words.text);
    let mut needed: Vec<&Piece> = Vec::new();
    for piece in &pieces {
        let mut contained = false;
        for other in pieces.iter().filter(|_| pieces.len() <= COMPARED) {
            let within = encoder.d.minus(piece.set, other.set)?.is_empty();
            let first = piece.set != other.set || other.words.text < piece.words.text;
            contained |= within && first;
        }
        if !contained {
            needed.push(piece);
        }
    }
    Ok(needed.into_iter().map(|piece| piece.words.clone()).collect())
}

/// Flows that the words for an edit take in and its region does not: a policy's own words name all its
/// pods, not only those that are newly selected, or no longer isolated.
fn besides(encoder: &mut Encoder<'_, '_>, new: Side, edit: &Edit<'_>, peers: Set) -> Result<Set> {
    let (named, rule) = match edit.about {
        About::Rule(direction, policy, rule) => {
            (encoder.subject(new, direction, policy)?, Some(rule))
        }
        About::Isolation(direction, policy) => {
            (encoder.subject(new.other(), direction, policy)?, None)
        }
        About::Workloads | About::Namespace(_) => return Ok(Set::EMPTY),
    };
    let besides = encoder.d.minus(named, edit.subject)?;
    let besides = encoder.d.and(besides, peers)?;
    match rule.and_then(|rule| rule.ports.as_ref()) {
        Some(ports) => {
            let ports = encoder.ports(new, ports, besides)?;
            encoder.d.and(besides, ports)
        }
        None => Ok(besides),
    }
}

fn own_words(encoder: &Encoder<'_, '_>, edit: &Edit<'_>) -> Peers {
    match edit.about {
        About::Rule(_, policy, _) | About::Isolation(_, policy) => words::subject(&policy.subject),
        About::Namespace(index) => {
            let name = encoder.world.namespaces.get(index).map(|n| n.name.to_string());
            words::pods(&words::Place::Names(name.into_iter().collect()), "any")
        }
        About::Workloads => {
            let mut indexes = Vec::new();
            let mut first = 0;
            for slot in encoder.d.edges_at(edit.subject, edit.end.slot()) {
                if !slot.child.is_empty() {
                    indexes.extend((first..=slot.last).map(|slot| slot as usize));
                }
                first = slot.last.saturating_add(1);
            }
            describe::workloads_words(encoder, &indexes)
        }
    }
}

/// If the flows take only a part of one end of the shape: the words for that part where they are
/// the shorter story, else the shape's own words with the rest left to the exceptions. Gives the set
/// that the words stand for.
fn narrowed(
    encoder: &mut Encoder<'_, '_>,
    end: End,
    flows: Set,
    shape: Set,
    words: Peers,
) -> Result<(Set, Peers)> {
    let project = |encoder: &mut Encoder<'_, '_>, set| {
        let Encoder { d, fields, .. } = encoder;
        d.project(set, |level| fields.belongs_to(level, end))
    };
    let (taken, whole) = (project(encoder, flows)?, project(encoder, shape)?);
    if taken == whole {
        return Ok((Set::FULL, words));
    }
    let left = encoder.d.minus(whole, taken)?;
    let taken_words = describe::describe(encoder, end, taken);
    let left_words = describe::describe(encoder, end, left);
    match (taken_words, left_words) {
        (Some(taken_words), Some(left_words)) if taken_words.len() <= left_words.len() => {
            Ok((taken, words::any_of(taken_words)))
        }
        (Some(taken_words), None) => Ok((taken, words::any_of(taken_words))),
        _ => Ok((Set::FULL, words)),
    }
}

/// The declared workloads at one end of the flows.
fn declared(encoder: &mut Encoder<'_, '_>, end: End, flows: Set) -> Result<Option<DeclaredPeers>> {
    let mut count = 0;
    let mut sample = Vec::new();
    let world = encoder.world;
    for (first, last) in encoder.slots(flows, end)? {
        for slot in first..=last {
            if let Slot::Workload(index) = world.slot(slot) {
                count += 1;
                sample.extend(world.workloads.get(index).map(|w| w.id));
            } else {
                break;
            }
        }
    }
    sample.sort();
    let sample: Vec<String> = sample.iter().take(SAMPLE).map(ToString::to_string).collect();
    Ok((count > 0).then_some(DeclaredPeers { count, sample }))
}

/// Do undeclared pods take part in the flows?
pub fn undeclared(encoder: &mut Encoder<'_, '_>, flows: Set) -> Result<Undeclared> {
    let known = known(encoder)?;
    let declared = encoder.d.and(flows, known)?;
    Ok(match (declared.is_empty(), declared == flows) {
        (true, _) => Undeclared::Only,
        (false, true) => Undeclared::None,
        (false, false) => Undeclared::Also,
    })
}

/// The flows whose ends are declared workloads or outside the cluster.
pub fn known(encoder: &mut Encoder<'_, '_>) -> Result<Set> {
    let workloads = encoder.world.workloads.len() as u32;
    let mut slots = vec![encoder.world.external()];
    if workloads > 0 {
        slots.insert(0, (0, workloads - 1));
    }
    let to = encoder.in_slots(End::Destination, &slots)?;
    let from = encoder.in_slots(End::Source, &slots)?;
    encoder.d.and(to, from)
}
