//! Flows that show what a rule says. Each is replayed on the specification before anybody sees it.

use crate::diff::witness;
use crate::model::Direction;
use crate::reach::{Encoder, Side};
use crate::report::Witness;
use crate::set::fields::End;
use crate::set::{OverBudget, Set};

/// What a flow is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// Both ends let it through.
    Allowed,
    /// The policies of the end that this direction is about refuse it.
    RefusedAt(Direction),
    /// Some end refuses it.
    Refused,
}

/// An example, and what the specification says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// There is no example.
    #[default]
    Nothing,
    /// The specification agrees.
    Confirmed(Witness),
    /// It does not: one of the two evaluators is wrong, so nothing is said.
    Contradicted(Witness),
}

/// An example out of these flows, rather between declared pods than others: of those of them that the engine says
/// are allowed, or refused.
pub fn example(
    encoder: &mut Encoder<'_, '_>,
    side: Side,
    flows: Set,
    shows: Shows,
) -> Result<Shown, OverBudget> {
    let flows = encoder.possible(side, flows)?;
    let flows = match shows {
        Shows::Allowed => encoder.allowed(side, flows)?,
        Shows::RefusedAt(direction) => {
            let allowed = encoder.allowed_at(side, direction, flows)?;
            encoder.d.minus(flows, allowed)?
        }
        Shows::Refused => {
            let allowed = encoder.allowed(side, flows)?;
            encoder.d.minus(flows, allowed)?
        }
    };
    let preferred = declared(encoder)?;
    let Some(point) = witness::point(encoder, flows, &preferred)? else {
        return Ok(Shown::Nothing);
    };
    let replayed = witness::replay(encoder, &point, side, false);
    let decision = witness::decision(encoder, &point, side, false).map(|(decision, _)| decision);
    let confirmed = decision.is_some_and(|decision| match shows {
        Shows::Allowed => decision.allowed,
        Shows::Refused => !decision.allowed,
        Shows::RefusedAt(Direction::Ingress) => !decision.ingress.allowed,
        Shows::RefusedAt(Direction::Egress) => !decision.egress.allowed,
    });
    Ok(match confirmed {
        true => Shown::Confirmed(replayed.witness),
        false => Shown::Contradicted(replayed.witness),
    })
}

/// The flows between declared workloads, from them, and to them.
fn declared(encoder: &mut Encoder<'_, '_>) -> Result<[Set; 3], OverBudget> {
    let Some(last) = (encoder.world.workloads.len() as u32).checked_sub(1) else {
        return Ok([Set::EMPTY; 3]);
    };
    let from = encoder.in_slots(End::Source, &[(0, last)])?;
    let to = encoder.in_slots(End::Destination, &[(0, last)])?;
    Ok([encoder.d.and(from, to)?, from, to])
}
