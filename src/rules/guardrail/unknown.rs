//! What policies that are not evaluated leave open of a guardrail.

use super::{Asked, Result};
use crate::model::Direction;
use crate::reach::{Encoder, Reading, Side};
use crate::set::Set;
use crate::set::fields::End;
use std::sync::Arc;

/// A policy that is there and not evaluated: of a kind that is not modelled, or one that could not be read.
#[derive(Clone, Debug)]
pub struct Unmodelled {
    /// The namespace whose pods it can be about; `None`: any pods.
    pub namespace: Option<Arc<str>>,
    /// Its kind.
    pub kind: String,
    /// Its name, as reports have it.
    pub name: Option<String>,
    /// Where it stands.
    pub file: String,
    /// The line.
    pub line: Option<u32>,
}

impl Asked<'_, '_, '_> {
    /// Notes where a policy that is not evaluated could let flows of a region through which are not allowed as far
    /// as is known.
    pub fn note_what_could_be_allowed(&mut self, region: Set, allowed: Set) -> Result<()> {
        if self.unmodelled.is_empty() {
            return Ok(());
        }
        let always = self.always();
        self.encoder.set_reading(match always {
            true => Reading::AnyAddress,
            false => Reading::KnownAddresses,
        });
        let mut maybe = region;
        for direction in Direction::BOTH {
            let unknown = self.unknown(Encoder::subject_end(direction))?;
            let unknown = self.encoder.d.and(maybe, unknown)?;
            let admitted = self.encoder.allowed_at(Side::After, direction, maybe)?;
            maybe = self.encoder.d.or(admitted, unknown)?;
        }
        let open = self.encoder.d.minus(maybe, allowed)?;
        self.note(open)
    }

    /// Notes where such a policy could refuse flows of a region.
    pub fn note_what_could_be_refused(&mut self, region: Set) -> Result<()> {
        let (to, from) = (self.unknown(End::Destination)?, self.unknown(End::Source)?);
        let either = self.encoder.d.or(to, from)?;
        let open = self.encoder.d.and(region, either)?;
        self.note(open)
    }

    fn note(&mut self, open: Set) -> Result<()> {
        if open.is_empty() {
            return Ok(());
        }
        // The first one that is about an end of these flows; there is one.
        let mut found = None;
        for policy in self.unmodelled {
            let mut meets = false;
            for end in [End::Destination, End::Source] {
                let its = self.about(policy, end)?;
                meets |= !self.encoder.d.and(open, its)?.is_empty();
            }
            if meets {
                found = Some(policy);
                break;
            }
        }
        let Some(policy) = found.or(self.unmodelled.first()) else { return Ok(()) };
        let name = policy.name.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default();
        let reason = format!(
            "nobody can say whether guardrail `{}` holds: the {}{name} is not evaluated, and it may decide about the \
             guardrail's flows; check it by hand",
            self.guardrail.id, policy.kind
        );
        self.undecided(policy.file.clone(), policy.line, reason);
        Ok(())
    }

    /// The flows with a pod at this end about which such a policy may decide.
    fn unknown(&mut self, end: End) -> Result<Set> {
        let mut sets = Vec::with_capacity(self.unmodelled.len());
        for policy in self.unmodelled {
            sets.push(self.about(policy, end)?);
        }
        self.encoder.d.union(sets)
    }

    fn about(&mut self, policy: &Unmodelled, end: End) -> Result<Set> {
        let world = self.encoder.world;
        let Some(namespace) = &policy.namespace else {
            return self.encoder.in_slots(end, &[(0, world.elsewhere())]);
        };
        let Some(index) = world.namespace(namespace) else {
            let slot = world.elsewhere();
            return self.encoder.in_slots(end, &[(slot, slot)]);
        };
        let mut slots = Vec::new();
        if let Some((first, end)) = world.namespaces.get(index).map(|slot| slot.workloads)
            && first < end
        {
            slots.push((first, end - 1));
        }
        let slot = world.undeclared(index);
        slots.push((slot, slot));
        self.encoder.in_slots(end, &slots)
    }
}
