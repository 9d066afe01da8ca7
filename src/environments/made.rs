//! What a change makes of an environment other than by the lines of a manifest: who owns those files has a say.

use super::plan::{Part, Plan};
use crate::deploy::Build;
use crate::report::Made;
use crate::source::Pair;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the change touches of the parts of an environment, before and after.
pub(super) fn made(pair: &Pair, plans: [&Plan; 2], both: &[Vec<&Part>; 2]) -> Made {
    let mut made = Made::default();
    let mut otherwise = false;
    let keys = [0, 1].map(|side: usize| keys(&both[side]));
    let units = [0, 1].map(|side: usize| units(&both[side]));
    for (side, parts) in both.iter().enumerate() {
        for part in parts.iter().filter(|part| !keys[1 - side].contains(&part.key)) {
            // What no environment claims is deployed as it stands, whatever else there is.
            let own = &part.unit.decided.origin.file;
            let moved = !own.is_empty() && !units[1 - side].contains(&unit(part));
            if matches!(part.unit.build, Build::Plain(_)) && !moved {
                continue;
            }
            otherwise |= moved;
            let files = part.inputs.files.iter().chain((!own.is_empty()).then_some(own));
            for path in files {
                made.of.insert(path.to_string());
                if plans[0].known.get(path) != plans[1].known.get(path) {
                    made.by.insert(path.to_string());
                }
            }
        }
    }
    if otherwise {
        // Any object may have said so: one that deploys, or what that refers to.
        made.by.extend(edited(pair).map(|path| path.to_string()));
    }
    made
}

fn keys(parts: &[&Part]) -> BTreeSet<[u8; 32]> {
    parts.iter().map(|part| part.key).collect()
}

/// How parts are deployed, apart from what they are made of.
fn units(parts: &[&Part]) -> BTreeSet<String> {
    parts.iter().map(|part| unit(part)).collect()
}

fn unit(part: &Part) -> String {
    format!("{:?}{:?}", part.unit.build, part.unit.namespace)
}

/// The manifests that are not the same on both sides.
fn edited(pair: &Pair) -> impl Iterator<Item = &Arc<str>> {
    let [before, after] = [&pair.before.tree.files, &pair.after.tree.files];
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    let other = after
        .iter()
        .filter(|(path, content)| !before.get(*path).is_some_and(|before| before.same(content)));
    gone.chain(other.map(|(path, _)| path))
}
