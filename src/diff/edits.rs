//! What was edited, and the region of flows that each edit can open.
//!
//! Written for gaining: from the flows of the old side to those of the new one. Opened flows are
//! gained from before to after, closed ones from after to before.
//!
//! Claim: every gained flow lies in the region of some edit. Both ends of it look the same on both
//! sides (else a workload or namespace edit covers it) and exist; one end went from denying to
//! allowing. On the old side that end was isolated. On the new side either it is not, so some
//! policy stopped isolating it (`IsolationLost`), or a rule matches that did not match before: the
//! rule is new or different (`RuleAdded`, `RuleWidened`), or its policy did not select the pod
//! (`SelectorWidened`) or did not speak of the direction (`DirectionAdded`). A policy whose selector is as
//! it was selects the same of these pods on both sides, so an edit of its lines alone has no region.

use crate::model::{Direction, Origin, Policy, Rule, Section};
use crate::reach::{Encoder, Side};
use crate::report::CauseKind;
use crate::set::fields::End;
use crate::set::{OverBudget, Set};
use std::collections::BTreeMap;

/// One edit, as far as it can allow flows that were not allowed.
#[derive(Clone, Debug)]
pub struct Edit<'a> {
    /// Its kind, in the words of gaining.
    pub kind: CauseKind,
    /// Where it stands.
    pub places: Vec<Place<'a>>,
    /// Which end of its flows the subject is.
    pub end: End,
    /// The flows whose end is one of its pods.
    pub subject: Set,
    /// What it is about.
    pub about: About<'a>,
}

/// What an edit is about.
#[derive(Clone, Copy, Debug)]
pub enum About<'a> {
    /// A rule: its peers and ports bound the region.
    Rule(Direction, &'a Policy, &'a Rule),
    /// A policy that stopped isolating.
    Isolation(Direction, &'a Policy),
    /// Workloads of one namespace that policies treat alike.
    Workloads,
    /// A namespace, by its index in the world.
    Namespace(usize),
}

/// A place in the manifests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place<'a> {
    /// The side on which it stands.
    pub side: Side,
    /// Its lines.
    pub origin: &'a Origin,
    /// The index of the rule, for rules.
    pub rule: Option<usize>,
    /// The workload or namespace, for edits of those.
    pub object: Option<String>,
    /// The policy, workload or namespace is there on one side only.
    pub whole: bool,
    /// Where that stands on each side on which it is there, in no particular order.
    pub stands: [Option<&'a Origin>; 2],
}

type Result<T> = std::result::Result<T, OverBudget>;

/// Every edit that can allow on `new` what the other side does not, in a fixed order. Edits whose
/// region is empty are left out.
pub fn edits<'a>(encoder: &mut Encoder<'_, 'a>, new: Side) -> Result<Vec<Edit<'a>>> {
    let mut edits = Vec::new();
    for &(before, after) in &encoder.world.changed_policies {
        // Other lines or another order of rules.
        if before.zip(after).is_some_and(|(before, after)| before.same_meaning(after)) {
            continue;
        }
        let (old_policy, new_policy) = match new {
            Side::After => (before, after),
            Side::Before => (after, before),
        };
        for direction in Direction::BOTH {
            let old = old_policy.map(|policy| &**policy);
            let new_policy = new_policy.map(|policy| &**policy);
            if let Some(policy) = new_policy {
                rules(encoder, new, direction, old, policy, &mut edits)?;
            }
            if let Some(old) = old {
                lost_isolation(encoder, new, direction, old, new_policy, &mut edits)?;
            }
        }
    }
    workloads(encoder, new, &mut edits)?;
    namespaces(encoder, new, &mut edits)?;
    edits.retain(|edit| !edit.subject.is_empty());
    Ok(edits)
}

fn rules<'a>(
    encoder: &mut Encoder<'_, 'a>,
    new: Side,
    direction: Direction,
    old_policy: Option<&'a Policy>,
    policy: &'a Policy,
    edits: &mut Vec<Edit<'a>>,
) -> Result<()> {
    let Some(section) = policy.section(direction) else { return Ok(()) };
    let subject = encoder.subject(new, direction, policy)?;
    let old_section = old_policy.and_then(|old| old.section(direction));
    let old_subject = match (old_policy, old_section) {
        (Some(old), Some(_)) => encoder.subject(new.other(), direction, old)?,
        _ => Set::EMPTY,
    };
    // Where the selector is as it was, the pods are what was edited.
    let newly_selected = match old_policy.is_some_and(|old| old.subject == policy.subject) {
        true => Set::EMPTY,
        false => encoder.d.minus(subject, old_subject)?,
    };
    let slept = old_policy
        .is_some_and(|old| old_section.is_none() && old.dead.iter().any(|d| d.0 == direction));
    for (index, rule) in section.rules.iter().enumerate() {
        let known = |section: &Section| section.rules.iter().any(|old| old.same_meaning(rule));
        let woke = old_policy.is_some_and(|old| {
            old.dead.iter().any(|(d, section)| *d == direction && known(section))
        });
        let (kind, subject) = match old_section {
            Some(old) if known(old) => (CauseKind::SelectorWidened, newly_selected),
            Some(old) if widened(old, section, rule) => (CauseKind::RuleWidened, subject),
            None if slept && woke => (CauseKind::DirectionAdded, subject),
            _ => (CauseKind::RuleAdded, subject),
        };
        // A change of the whole policy shows on its lines after the change, whichever way it is read.
        let edited = match (new, old_policy) {
            (Side::Before, Some(old)) => old,
            _ => policy,
        };
        let (side, origin) = match kind {
            CauseKind::SelectorWidened => (Side::After, &edited.subject_origin),
            CauseKind::DirectionAdded => (Side::After, &edited.directions_origin),
            _ => (new, &rule.origin),
        };
        edits.push(Edit {
            kind,
            places: vec![Place {
                side,
                origin,
                rule: Some(index),
                object: None,
                whole: old_policy.is_none(),
                stands: [Some(&policy.origin), old_policy.map(|old| &old.origin)],
            }],
            end: Encoder::subject_end(direction),
            subject,
            about: About::Rule(direction, policy, rule),
        });
    }
    Ok(())
}

/// True iff the rule looks like an edit of a rule that is gone: it keeps its peers, or its ports, or
/// some of its peers.
fn widened(old: &Section, new: &Section, rule: &Rule) -> bool {
    let peers =
        |rule: &Rule| -> Vec<_> { rule.peers.iter().flatten().map(|p| p.kind.clone()).collect() };
    let ports = |rule: &Rule| -> Vec<_> {
        rule.ports.iter().flatten().map(|p| (p.protocol, p.ports.clone())).collect()
    };
    let gone = |old: &&Rule| !new.rules.iter().any(|rule| rule.same_meaning(old));
    old.rules.iter().filter(gone).any(|old| {
        let kept = peers(rule).iter().any(|peer| peers(old).contains(peer));
        kept || peers(old) == peers(rule) || ports(old) == ports(rule)
    })
}

fn lost_isolation<'a>(
    encoder: &mut Encoder<'_, 'a>,
    new: Side,
    direction: Direction,
    old: &'a Policy,
    policy: Option<&'a Policy>,
    edits: &mut Vec<Edit<'a>>,
) -> Result<()> {
    if old.section(direction).is_none() {
        return Ok(());
    }
    let mut subject = encoder.subject(new.other(), direction, old)?;
    if let Some(policy) = policy.filter(|policy| policy.section(direction).is_some()) {
        if policy.subject == old.subject {
            return Ok(());
        }
        let kept = encoder.subject(new, direction, policy)?;
        subject = encoder.d.minus(subject, kept)?;
    }
    // What another policy still isolates gains nothing by this edit.
    let isolated = encoder.isolated(new, direction, subject)?;
    let subject = encoder.d.minus(subject, isolated)?;
    // What was edited: the directions, or what chooses the pods.
    let kept = policy.is_some_and(|policy| policy.section(direction).is_some());
    let cut_back = |policy: &'a Policy| {
        if kept { &policy.subject_origin } else { &policy.directions_origin }
    };
    // The lines as they are after the change, unless it takes the policy away.
    let (side, origin) = match (new, policy) {
        (Side::Before, Some(_)) => (Side::After, cut_back(old)),
        (Side::Before, None) => (Side::After, &old.origin),
        (Side::After, Some(policy)) => (Side::After, cut_back(policy)),
        (Side::After, None) => (Side::Before, &old.origin),
    };
    edits.push(Edit {
        kind: CauseKind::IsolationLost,
        places: vec![Place {
            side,
            origin,
            rule: None,
            object: None,
            whole: policy.is_none(),
            stands: [Some(&old.origin), policy.map(|policy| &policy.origin)],
        }],
        end: Encoder::subject_end(direction),
        subject,
        about: About::Isolation(direction, old),
    });
    Ok(())
}

/// Workloads that are edited alike.
#[derive(Default)]
struct Group<'a> {
    slots: Vec<(u32, u32)>,
    places: Vec<Place<'a>>,
}

/// Workloads that appeared or look different, those of one namespace that the same policies select
/// together: each group once as destination and once as source.
fn workloads<'a>(
    encoder: &mut Encoder<'_, 'a>,
    new: Side,
    edits: &mut Vec<Edit<'a>>,
) -> Result<()> {
    let world = encoder.world;
    let mut groups: BTreeMap<_, Group<'a>> = BTreeMap::new();
    for &slot in &world.changed_workloads {
        let Some(workload) = world.workloads.get(slot as usize) else { continue };
        let Some(now) = *workload.on.on(new) else { continue };
        let old = *workload.on.on(new.other());
        let kind =
            if old.is_some() { CauseKind::WorkloadChanged } else { CauseKind::WorkloadAdded };
        let selected_by = |side| -> Vec<usize> {
            let policies = world.namespaces.get(workload.namespace).map(|n| n.policies.on(side));
            let point = *workload.on.on(side);
            policies
                .into_iter()
                .flatten()
                .enumerate()
                .filter(|(_, p)| point.is_some_and(|w| p.subject.pods.matches(&w.labels)))
                .map(|(index, _)| index)
                .collect()
        };
        let key = (workload.namespace, kind, selected_by(new), selected_by(new.other()));
        let group = groups.entry(key).or_default();
        group.slots.push((slot, slot));
        group.places.push(Place {
            side: new,
            origin: if old.is_some() { &now.labels_origin } else { &now.origin },
            rule: None,
            object: Some(workload.id.to_string()),
            whole: old.is_none(),
            stands: [Some(&now.origin), old.map(|old| &old.origin)],
        });
    }
    for ((_, kind, ..), Group { slots, places }) in groups {
        for end in [End::Destination, End::Source] {
            let subject = encoder.in_slots(end, &slots)?;
            let places = places.clone();
            edits.push(Edit { kind, places, end, subject, about: About::Workloads });
        }
    }
    Ok(())
}

/// Namespaces whose labels, as far as known, differ: all their pods, declared or not.
fn namespaces<'a>(
    encoder: &mut Encoder<'_, 'a>,
    new: Side,
    edits: &mut Vec<Edit<'a>>,
) -> Result<()> {
    let world = encoder.world;
    for &index in &world.changed_namespaces {
        let Some(namespace) = world.namespaces.get(index) else { continue };
        let declared = |side| world.cluster(side).namespaces.get(&namespace.name);
        let Some((side, manifest)) = declared(new)
            .map(|manifest| (new, manifest))
            .or_else(|| declared(new.other()).map(|manifest| (new.other(), manifest)))
        else {
            continue;
        };
        let (first, end) = namespace.workloads;
        let undeclared = world.undeclared(index);
        let mut slots = Vec::new();
        if first < end {
            slots.push((first, end - 1));
        }
        slots.push((undeclared, undeclared));
        for end in [End::Destination, End::Source] {
            let subject = encoder.in_slots(end, &slots)?;
            edits.push(Edit {
                kind: CauseKind::NamespaceChanged,
                places: vec![Place {
                    side,
                    origin: &manifest.origin,
                    rule: None,
                    object: Some(namespace.name.to_string()),
                    whole: declared(Side::Before).is_none() || declared(Side::After).is_none(),
                    stands: [Side::Before, Side::After]
                        .map(|side| declared(side).map(|manifest| &manifest.origin)),
                }],
                end,
                subject,
                about: About::Namespace(index),
            });
        }
    }
    Ok(())
}
