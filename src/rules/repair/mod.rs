//! Fixes: lines to write instead, each tried on a copy before it is offered.
//!
//! A check says what would mend it ([`Mend`]); `text` turns that into lines, if they can be told; and [`try_on`]
//! compares the copy with what it was made from. What changes more than it promises is not offered.

mod text;

pub use text::Replacement;

use crate::config::Config;
use crate::diff;
use crate::model::{Cluster, Origin, Policy};
use crate::parse::parse_both;
use crate::reach::World;
use crate::report::{Fix, FixKind, Location, Message, Row, Side, ports};
use crate::tree::{Content, Tree};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What would mend a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// What it promises to do.
    pub kind: FixKind,
    /// What to do, in words.
    pub description: Message,
    /// How.
    pub mend: Mend,
}

/// An edit by meaning. Its lines are those of the objects as they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mend {
    /// The peer becomes part of the one before it.
    JoinPeers {
        /// The second of the two.
        second: Origin,
    },
    /// A rule, a peer or a port goes.
    Remove {
        /// Its lines.
        what: Origin,
    },
    /// A rule without ports gets these.
    Ports {
        /// The rule.
        rule: Origin,
        /// Protocols and numbers.
        ports: Vec<(String, u16)>,
    },
    /// An empty `namespaceSelector` becomes the one of a name.
    Pin {
        /// The peer.
        peer: Origin,
        /// The name.
        namespace: String,
    },
    /// An empty `podSelector` becomes one of these labels.
    Select {
        /// The policy's selector.
        subject: Origin,
        /// The labels.
        labels: Vec<(String, String)>,
    },
    /// `policyTypes` is written.
    Types {
        /// The policy's selector, behind which it comes.
        subject: Origin,
        /// `Ingress`, `Egress`.
        types: Vec<&'static str>,
    },
    /// An egress rule becomes a policy of its own, for the same pods.
    Extract {
        /// The policy.
        policy: Origin,
        /// The rule.
        rule: Origin,
        /// The policy's selector.
        subject: Origin,
        /// The new policy's name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
}

impl Mend {
    fn file(&self) -> &str {
        match self {
            Mend::JoinPeers { second: origin }
            | Mend::Remove { what: origin }
            | Mend::Ports { rule: origin, .. }
            | Mend::Pin { peer: origin, .. }
            | Mend::Select { subject: origin, .. }
            | Mend::Types { subject: origin, .. }
            | Mend::Extract { policy: origin, .. } => &origin.file,
        }
    }
}

/// How many flows that a fix takes away are told.
const TOLD: usize = 8;

/// The fix, if its lines can be told and a copy of the side with them keeps the promise: an equivalent one changes no
/// flow, a narrowing one opens none and closes some.
///
/// Only the edited file is read again: its policies take the place of those that the side has from it.
pub fn try_on(tree: &Tree, cluster: &Cluster, config: &Config, repair: &Repair) -> Option<Fix> {
    let file = repair.mend.file();
    let content = tree.files.get(file)?;
    let text = std::str::from_utf8(content.bytes()).ok()?;
    if text.contains(['\r', '\t']) {
        return None;
    }
    let replacement = text::replacement(text, &repair.mend)?;
    let new = Content::new(replacement.apply(text).into_bytes());
    let alone = |content: &Content| Tree {
        files: BTreeMap::from([(file.into(), content.clone())]),
        ..Tree::default()
    };
    let (old, new) = parse_both(&alone(content), &alone(&new), config);
    let of_file = |policy: &&Arc<Policy>| *policy.origin.file == *file;
    let known: Vec<&Arc<Policy>> = cluster.policies.iter().filter(of_file).collect();
    // Built text may come from the same file, and then it is not for an edit of lines alone.
    let same = known.len() == old.cluster.policies.len()
        && known.iter().zip(&old.cluster.policies).all(|(a, b)| a.id == b.id && a.same_meaning(b));
    if !same || new.problems.len() > old.problems.len() {
        return None;
    }
    let mut mended = cluster.clone();
    mended.policies.retain(|policy| !of_file(&policy));
    let taken =
        new.cluster.policies.iter().any(|new| mended.policies.iter().any(|p| p.id == new.id));
    if taken {
        return None;
    }
    mended.policies.extend(new.cluster.policies);
    mended.policies.sort_by(|a, b| a.id.cmp(&b.id));
    Some(Fix {
        kind: repair.kind,
        description: repair.description.clone(),
        replacement: Some(replacement.text),
        location: Some(Location {
            side: Side::After,
            file: file.into(),
            start_line: replacement.first,
            end_line: replacement.last,
        }),
        removes: promised(cluster, &mended, config, repair.kind)?,
    })
}

/// The flows that a copy does not have any more, in words; nothing where it breaks the promise.
pub fn promised(
    cluster: &Cluster,
    mended: &Cluster,
    config: &Config,
    kind: FixKind,
) -> Option<Vec<String>> {
    let world = World::of(cluster, mended, config);
    let diff = diff::diff(&world, config, &|_, _, _| {});
    let opens = !diff.opened.is_empty() || !diff.not_evaluated.is_empty();
    match (kind, opens, diff.closed.is_empty()) {
        (FixKind::Equivalent, false, true) => Some(Vec::new()),
        (FixKind::Narrowing, false, false) => {
            let rows = diff.closed.iter().take(TOLD);
            let words = |row: &Row| {
                format!("{} -> {} on {}", row.from.text, row.to.text, ports::words(&row.ports))
            };
            let mut told: Vec<String> = rows.map(words).collect();
            if diff.closed.len() > TOLD {
                told.push(format!("and {} more", diff.closed.len() - TOLD));
            }
            Some(told)
        }
        _ => None,
    }
}
