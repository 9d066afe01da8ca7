//! What admits a flow, or refuses it: policies and rules of both ends, by name and line.

use super::{Asked, Result};
use crate::config::Demand;
use crate::diff::witness::{self, Point, Replayed};
use crate::eval;
use crate::model::{Cluster, Direction, Origin, Policy, Rule};
use crate::reach::{Side, Slot, World};
use crate::report::{Message, Witness};
use crate::rules::{Draft, words};
use crate::set::Set;
use crate::set::fields::End;
use std::sync::Arc;

/// So many findings a guardrail has at most for what is new, and as many for what is older.
const MOST: usize = 5;

/// What is said of flows that break a guardrail.
#[derive(Clone, Copy)]
pub struct Telling {
    /// After the guardrail's name.
    pub start: &'static str,
    /// Between the ends: `A` may connect to `B`.
    pub verb: &'static str,
    /// They count against the change.
    pub counts: bool,
    /// They were there before it.
    pub older: bool,
    /// They need that blocks of addresses match pods.
    pub assumed: bool,
}

/// What one end says of a flow that is allowed.
enum Admits<'p> {
    /// This rule lets it through.
    Rule(&'p Arc<Policy>, &'p Rule, usize),
    /// No policy isolates the pod.
    Open,
    /// No policy binds what is outside.
    Outside,
}

impl Asked<'_, '_, '_> {
    /// Tells of flows that should not be allowed: one finding for each pair of rules that lets some through.
    pub fn tell_allowed(&mut self, mut flows: Set, telling: Telling) -> Result<()> {
        let addressed = telling.assumed || self.always();
        for _ in 0..MOST {
            let preferred = self.preferred()?;
            let Some(point) = witness::point(&mut self.encoder, flows, &preferred)? else { break };
            let (replayed, decision) = self.replay(&point, addressed);
            let Some((decision, policies)) = decision.filter(|(decision, _)| decision.allowed)
            else {
                self.disagree(&replayed.witness);
                break;
            };
            let egress = admits(&decision.egress, Direction::Egress, &policies);
            let ingress = admits(&decision.ingress, Direction::Ingress, &policies);
            let covered = self.admitted(flows, Direction::Egress, &egress)?;
            let covered = self.admitted(covered, Direction::Ingress, &ingress)?;
            let rest = self.encoder.d.minus(flows, covered)?;
            if rest == flows {
                self.disagree(&replayed.witness);
                break;
            }
            flows = rest;
            let flow = flow(&replayed.witness, telling.verb);
            let mut message = self.message(telling.start).then(flow).then(by(&egress, &ingress));
            if telling.assumed {
                message = message.words(
                    ", if the network plugin lets blocks of addresses match pods (`cluster.ipBlocksMatchPods`)",
                );
            }
            message = message.then(self.last_words(telling));
            let subject = format!(
                "{}\n{}\n{}\n{}",
                canonical(&egress, Direction::Egress),
                canonical(&ingress, Direction::Ingress),
                key(&replayed.witness),
                telling.assumed
            );
            let origin = self.origin(&point, &egress, &ingress);
            let draft = Draft::object(&*self.guardrail.id, &origin, subject, message);
            self.push(draft, telling.counts, replayed.witness);
        }
        Ok(())
    }

    /// Tells of flows that should be allowed: one finding for each workload that refuses some.
    pub fn tell_refused(&mut self, mut flows: Set, maybe: Set, older: bool) -> Result<()> {
        let addressed = self.always();
        for _ in 0..MOST {
            let Some(point) = witness::point(&mut self.encoder, flows, &[])? else { break };
            let (replayed, decision) = self.replay(&point, addressed);
            let Some((decision, policies)) = decision.filter(|(decision, _)| !decision.allowed)
            else {
                self.disagree(&replayed.witness);
                break;
            };
            let (direction, end) = match decision.egress.allowed {
                true => (Direction::Ingress, End::Destination),
                false => (Direction::Egress, End::Source),
            };
            let slot = point.value(end.slot());
            let of_end = self.encoder.in_slots(end, &[(slot, slot)])?;
            let covered = self.encoder.d.and(flows, of_end)?;
            let rest = self.encoder.d.minus(flows, covered)?;
            if rest == flows {
                self.disagree(&replayed.witness);
                break;
            }
            flows = rest;
            let mut message =
                self.message(" is broken: ").then(flow(&replayed.witness, " must reach "));
            for (side, direction) in
                [(&decision.egress, Direction::Egress), (&decision.ingress, Direction::Ingress)]
            {
                if !side.allowed {
                    message = message.then(refused(side, direction, &policies));
                }
            }
            let others: u64 = self
                .encoder
                .slots(covered, end.other())?
                .iter()
                .map(|(first, last)| u64::from(last - first) + 1)
                .sum::<u64>()
                .saturating_sub(1);
            if let Ok(others @ 1..) = usize::try_from(others) {
                message = message
                    .words(", and ")
                    .count(others, "other workload", "other workloads")
                    .words(if end == End::Source {
                        " it must reach"
                    } else {
                        " that must reach it"
                    });
            }
            let perhaps = self.encoder.d.and(covered, maybe)?;
            if !perhaps.is_empty() {
                message = message.words(
                    "; a block of addresses lets it through only where the network plugin lets blocks match pods \
                     (`cluster.ipBlocksMatchPods`)",
                );
            }
            if older {
                message = message.words("; it was so before this change");
            }
            let refuse = match direction {
                Direction::Egress => &decision.egress,
                Direction::Ingress => &decision.ingress,
            };
            let isolating = policies_of(refuse, &policies);
            let world = self.encoder.world;
            let policy = isolating.iter().find(|policy| is_changed(world, policy));
            let origin = match policy.or(isolating.first()) {
                Some(policy) => policy
                    .section(direction)
                    .map_or(&policy.origin, |section| &section.origin)
                    .clone(),
                None => self.lines(),
            };
            let names: Vec<String> = isolating.iter().map(|policy| policy.id.to_string()).collect();
            let subject = format!("{direction} {}\n{}", names.join(","), key(&replayed.witness));
            let draft = Draft::object(&*self.guardrail.id, &origin, subject, message);
            self.push(draft, !older, replayed.witness);
        }
        Ok(())
    }

    /// Why an older flow is told, and whose word a new one needs.
    fn last_words(&self, telling: Telling) -> Message {
        match &self.guardrail.demand {
            Demand::Frozen { approvers } if approvers.is_empty() => {
                Message::new("; it needs a word of those who may accept what opens")
            }
            Demand::Frozen { approvers } => {
                Message::new("; it needs a word of ").names(approvers, usize::MAX)
            }
            Demand::Deny { always: true } if telling.older => {
                Message::new("; it was so before this change, and `enforce: always` counts it")
            }
            _ if telling.older => Message::new("; it was so before this change"),
            _ => Message::default(),
        }
    }

    fn replay(
        &self,
        point: &Point,
        addressed: bool,
    ) -> (Replayed, Option<(eval::Decision, Cluster)>) {
        let replayed = witness::replay(&self.encoder, point, Side::After, addressed);
        (replayed, witness::decision(&self.encoder, point, Side::After, addressed))
    }

    fn push(&mut self, draft: Draft, counts: bool, witness: Witness) {
        let draft = draft.severity(self.guardrail.severity).witness(witness);
        let side = if draft.origin == self.lines() { self.side_of_lines() } else { draft.side };
        self.drafts.push(Draft { introduced: Some(counts), side, ..draft });
    }

    /// The flows that one end lets through in the same way.
    fn admitted(&mut self, flows: Set, direction: Direction, by: &Admits<'_>) -> Result<Set> {
        match by {
            Admits::Rule(policy, rule, _) => {
                let subject = self.encoder.subject(Side::After, direction, policy)?;
                let selected = self.encoder.d.and(flows, subject)?;
                self.encoder.matched_by(Side::After, direction, rule, selected)
            }
            Admits::Open | Admits::Outside => {
                let isolated = self.encoder.isolated(Side::After, direction, flows)?;
                self.encoder.d.minus(flows, isolated)
            }
        }
    }

    /// The lines to look at: of the rule that the change brings, if one, else of one of the rules, else of a
    /// workload or a namespace that nothing isolates.
    fn origin(&self, point: &Point, egress: &Admits<'_>, ingress: &Admits<'_>) -> Origin {
        let world = self.encoder.world;
        let rules = [ingress, egress].into_iter().filter_map(|admits| match admits {
            Admits::Rule(policy, rule, _) => Some((policy, &rule.origin)),
            Admits::Open | Admits::Outside => None,
        });
        let rules: Vec<_> = rules.collect();
        let changed = rules.iter().find(|(policy, _)| is_changed(world, policy));
        if let Some((_, origin)) = changed.or(rules.first()) {
            return (*origin).clone();
        }
        for end in [End::Destination, End::Source] {
            let workload = match world.slot(point.value(end.slot())) {
                Slot::Workload(index) => world.workloads.get(index),
                _ => None,
            };
            if let Some(workload) = workload.and_then(|slot| *slot.on.on(Side::After)) {
                return workload.origin.clone();
            }
            let namespace = match world.slot(point.value(end.slot())) {
                Slot::Undeclared(index) => world.namespaces.get(index),
                _ => None,
            };
            let manifests = &world.cluster(Side::After).namespaces;
            if let Some(manifest) = namespace.and_then(|slot| manifests.get(&slot.name)) {
                return manifest.origin.clone();
            }
        }
        self.lines()
    }
}

/// Is it another object on the other side?
fn is_changed(world: &World<'_>, policy: &Arc<Policy>) -> bool {
    world
        .changed_policies
        .iter()
        .any(|(_, after)| after.is_some_and(|after| Arc::ptr_eq(after, policy)))
}

fn admits<'p>(side: &eval::Side, direction: Direction, policies: &'p Cluster) -> Admits<'p> {
    let rule = side.by.first().and_then(|(policy, position)| {
        let policy = policies.policies.get(*policy)?;
        Some(Admits::Rule(policy, policy.section(direction)?.rules.get(*position)?, *position))
    });
    match rule {
        Some(rule) => rule,
        None if side.applies => Admits::Open,
        None => Admits::Outside,
    }
}

fn policies_of<'p>(side: &eval::Side, policies: &'p Cluster) -> Vec<&'p Arc<Policy>> {
    side.isolated_by.iter().filter_map(|index| policies.policies.get(*index)).collect()
}

fn flow(witness: &Witness, verb: &'static str) -> Message {
    Message::default()
        .name(&witness.from)
        .words(verb)
        .name(&witness.to)
        .words(" on ")
        .words(witness.protocol)
        .words(" ")
        .number(usize::from(witness.port))
}

/// The pair of rules that lets a flow through.
fn by(egress: &Admits<'_>, ingress: &Admits<'_>) -> Message {
    let one = |admits: &Admits<'_>, by: &'static str, open: &'static str| match admits {
        Admits::Rule(policy, rule, position) => {
            let Origin { file, start_line, .. } = &rule.origin;
            let rule = Message::new(by).words(" rule ").number(position + 1).words(" of ");
            Some(rule.name(&policy.id).words(" (").name(format!("{file}:{start_line}")).words(")"))
        }
        Admits::Open => Some(Message::new(open)),
        Admits::Outside => None,
    };
    let out = one(egress, "let out by", "no policy isolates the source");
    let into = one(ingress, "let in by", "no policy isolates the destination");
    match (out, into) {
        (Some(out), Some(into)) => Message::new(": ").then(out).words(", ").then(into),
        (Some(one), None) | (None, Some(one)) => Message::new(": ").then(one),
        (None, None) => Message::default(),
    }
}

/// Who refuses a flow at one end.
fn refused(side: &eval::Side, direction: Direction, policies: &Cluster) -> Message {
    let mut message = Message::new(match direction {
        Direction::Egress => ", but the source may not send it: ",
        Direction::Ingress => ", but the destination does not take it: ",
    });
    let isolating = policies_of(side, policies);
    for (nth, policy) in isolating.iter().take(MOST).enumerate() {
        let section = policy.section(direction);
        let Origin { file, start_line, .. } =
            section.map_or(&policy.origin, |section| &section.origin);
        let start = if nth > 0 { message.words(", ") } else { message };
        message =
            start.name(&policy.id).words(" (").name(format!("{file}:{start_line}")).words(")");
    }
    if let rest @ 1.. = isolating.len().saturating_sub(MOST) {
        message = message.words(" and ").number(rest).words(" more");
    }
    let one = isolating.len() == 1;
    message.words(if one {
        " isolates it and has no rule for it"
    } else {
        " isolate it and have no rule for it"
    })
}

/// An end in a spelling without lines and indexes.
fn canonical(admits: &Admits<'_>, direction: Direction) -> String {
    match admits {
        Admits::Rule(policy, rule, _) => format!(
            "{direction} {} {} {} {}",
            policy.id,
            words::pods(&policy.subject),
            words::canonical_peers(rule),
            words::canonical_ports(rule)
        ),
        Admits::Open => format!("{direction} open"),
        Admits::Outside => format!("{direction} outside"),
    }
}

fn key(witness: &Witness) -> String {
    let Witness { from, to, protocol, port, .. } = witness;
    format!("{from} -> {to} {protocol}/{port}")
}
