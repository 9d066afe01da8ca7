//! Fixes: lines to write instead, each tried on a copy before it is offered.
//!
//! A check says what would mend it ([`Mend`]); `text` turns that into lines, if they can be told; and [`try_on`]
//! compares the copy with what it was made from. What changes more than it promises is not offered.

mod lists;
mod page;
mod text;
mod unified;

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
    /// A rule or a peer goes.
    Remove {
        /// Its lines.
        what: Origin,
    },
    /// Ports of a rule go.
    DropPorts {
        /// The rule.
        rule: Origin,
        /// Their indexes.
        dropped: Vec<usize>,
    },
    /// A rule becomes several.
    Split {
        /// The rule.
        rule: Origin,
        /// What each of them holds.
        groups: Vec<Group>,
    },
    /// A block that leaves nothing out leaves these out.
    Except {
        /// The peer.
        peer: Origin,
        /// Its block, as it is written.
        block: String,
        /// What it is to leave out.
        except: Vec<String>,
    },
    /// An egress rule without peers gets one.
    To {
        /// The rule.
        rule: Origin,
        /// The namespace of the peer's pods.
        namespace: String,
        /// Their labels.
        labels: Vec<(String, String)>,
    },
    /// A peer of whole namespaces becomes one of pods in them.
    Pods {
        /// The peer.
        peer: Origin,
        /// Their labels.
        labels: Vec<(String, String)>,
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
            | Mend::DropPorts { rule: origin, .. }
            | Mend::Split { rule: origin, .. }
            | Mend::Except { peer: origin, .. }
            | Mend::To { rule: origin, .. }
            | Mend::Pods { peer: origin, .. }
            | Mend::Ports { rule: origin, .. }
            | Mend::Pin { peer: origin, .. }
            | Mend::Select { subject: origin, .. }
            | Mend::Types { subject: origin, .. }
            | Mend::Extract { policy: origin, .. } => &origin.file,
        }
    }
}

/// Peers and ports of a rule that belong together, by their indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Indexes of peers.
    pub peers: Vec<usize>,
    /// Indexes of ports.
    pub ports: Vec<usize>,
}

/// How many flows that a fix takes away are told.
const TOLD: usize = 8;

/// The file is not one of the repository, as far as policies in it are concerned.
const BUILT: &str = "its lines are not those of a manifest that stands here alone: they were built, or live elsewhere";

/// The fix, if its lines can be told and a copy of the side with them keeps the promise: an equivalent one changes no
/// flow, a narrowing one opens none and closes some.
///
/// Only the edited file is read again: its policies take the place of those that the side has from it.
///
/// # Errors
///
/// Why it can't be offered, in words that follow a colon.
pub fn try_on(
    tree: &Tree,
    cluster: &Cluster,
    config: &Config,
    repair: &Repair,
) -> Result<Fix, &'static str> {
    let file = repair.mend.file();
    let content = tree.files.get(file).ok_or(BUILT)?;
    let text = std::str::from_utf8(content.bytes()).map_err(|_| "its file is not UTF-8")?;
    let plain = Plain::of(text)?;
    let mut replacement = text::replacement(&plain.text, &repair.mend).ok_or(
        "its lines are written in a way that is not edited here, as several things in one line",
    )?;
    plain.restore(&mut replacement);
    let mended_text = replacement.apply(text);
    let new = Content::new(mended_text.into_bytes());
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
    if !same {
        return Err(BUILT);
    }
    if new.problems.len() > old.problems.len() {
        return Err("its lines are written in a way that the edit would break");
    }
    let mut mended = cluster.clone();
    mended.policies.retain(|policy| !of_file(&policy));
    let taken =
        new.cluster.policies.iter().any(|new| mended.policies.iter().any(|p| p.id == new.id));
    if taken {
        return Err("there is a policy of the new one's name");
    }
    mended.policies.extend(new.cluster.policies);
    mended.policies.sort_by(|a, b| a.id.cmp(&b.id));
    let removes = promised(cluster, &mended, config, repair.kind).ok_or(match repair.kind {
        FixKind::Equivalent => "a copy with it changes what can talk",
        _ => "a copy with it closes nothing, or opens something",
    })?;
    Ok(Fix {
        kind: repair.kind,
        description: repair.description.clone(),
        diff: Some(unified::diff(file, text, &replacement)),
        replacement: Some(replacement.text),
        location: Some(Location {
            side: Side::After,
            file: file.into(),
            start_line: replacement.first,
            end_line: replacement.last,
        }),
        removes,
    })
}

/// A text with `\n` at the end of each line, and what it had in their place.
struct Plain {
    text: String,
    crlf: bool,
    /// Nothing ends its last line.
    open: bool,
    lines: usize,
}

impl Plain {
    fn of(text: &str) -> Result<Self, &'static str> {
        if text.contains('\t') {
            return Err("its file has tabs, among which columns can't be told");
        }
        let (breaks, crlf) = (text.matches('\n').count(), text.matches("\r\n").count());
        if (crlf > 0 && crlf != breaks) || text.matches('\r').count() != crlf {
            return Err("its file ends lines in several ways");
        }
        Ok(Self {
            text: text.replace("\r\n", "\n"),
            crlf: crlf > 0,
            open: !text.ends_with('\n'),
            lines: text.lines().count(),
        })
    }

    /// Ends the lines of an edit as those of the text end.
    fn restore(&self, replacement: &mut Replacement) {
        if self.open && replacement.last as usize == self.lines && replacement.text.ends_with('\n')
        {
            replacement.text.pop();
        }
        if self.crlf {
            replacement.text = replacement.text.replace('\n', "\r\n");
        }
    }
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
                let (from, to) = (&row.from.text, &row.to.text);
                let mut words = format!("{from} -> {to} on {}", ports::words(&row.ports));
                // The words may be wider than the row.
                if let Some(stays) = &row.already_allowed {
                    words.push_str(&format!("; still allowed: {stays}"));
                }
                if let Some(never) = &row.still_denied {
                    words.push_str(&format!("; denied before as well: {never}"));
                }
                words
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
