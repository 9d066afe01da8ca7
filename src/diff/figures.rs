//! From how many workloads others can be reached: figures beside the rows.

use super::{Result, rows};
use crate::reach::{Encoder, Side};
use crate::report::ReachCount;
use crate::set::Set;
use crate::set::fields::End;
use std::collections::BTreeSet;

/// How many destinations get figures.
const COUNTED: usize = 10;

/// The declared workloads that a set of flows leads to, if it leads to few.
pub(super) fn few_destinations(encoder: &mut Encoder<'_, '_>, flows: Set) -> Result<Vec<u32>> {
    let workloads = encoder.world.workloads.len() as u32;
    let mut found = Vec::new();
    for (first, last) in encoder.slots(flows, End::Destination)? {
        for slot in first..workloads.min(last.saturating_add(1)) {
            if found.len() == rows::SAMPLE {
                return Ok(Vec::new());
            }
            found.push(slot);
        }
    }
    Ok(found)
}

/// From how many declared workloads each of these can be reached, on both sides.
pub(super) fn reach(
    encoder: &mut Encoder<'_, '_>,
    targets: &BTreeSet<u32>,
) -> Result<Vec<ReachCount>> {
    let world = encoder.world;
    let declared = world.workloads.len() as u32;
    let mut counts = Vec::new();
    for &slot in targets.iter().take(COUNTED) {
        let Some(workload) = world.workloads.get(slot as usize) else { continue };
        let to = encoder.in_slots(End::Destination, &[(slot, slot)])?;
        let from = encoder.in_slots(End::Source, &[(0, declared - 1)])?;
        let own = encoder.in_slots(End::Source, &[(slot, slot)])?;
        let region = encoder.d.and(to, from)?;
        let region = encoder.d.minus(region, own)?;
        let mut on = |side| -> Result<Option<usize>> {
            let allowed = encoder.allowed(side, region)?;
            let slots = encoder.slots(allowed, End::Source)?;
            let count = slots.iter().map(|(a, b)| (b - a) as usize + 1).sum();
            Ok(workload.on.on(side).map(|_| count))
        };
        let (before, after) = (on(Side::Before)?, on(Side::After)?);
        if before != after {
            counts.push(ReachCount { workload: workload.id.to_string(), before, after });
        }
    }
    counts.sort_by(|a, b| a.workload.cmp(&b.workload));
    Ok(counts)
}
