//! What the words of a row cover and its flows do not, and why.

use super::edits::Edit;
use super::{port_list, words};
use crate::model::Direction;
use crate::reach::{Encoder, Side};
use crate::report::{Exception, ExceptionKind, PortRange, ports};
use crate::set::{OverBudget, Set};

/// How many exceptions a text names.
const NAMED: usize = 4;

/// The exceptions of a row, in the words of the policies that make them.
#[derive(Clone, Debug, Default)]
pub struct Exceptions {
    /// What was allowed before as well.
    pub already_allowed: Option<String>,
    /// What stays denied.
    pub still_denied: Option<String>,
    /// All of them.
    pub all: Vec<Exception>,
}

type Result<T> = std::result::Result<T, OverBudget>;

/// What the exceptions are exceptions from.
pub struct Of<'a> {
    /// The flows of the row.
    pub flows: Set,
    /// Its ports.
    pub ports: &'a [PortRange],
    /// The words for its sources.
    pub from: &'a str,
    /// The words for its destinations.
    pub to: &'a str,
}

/// Explains `rest`: flows of the region, of which `now` are allowed on the new side, and `then` on
/// the old side too.
pub fn explain(
    encoder: &mut Encoder<'_, '_>,
    new: Side,
    edit: &Edit<'_>,
    rest: Set,
    now: Set,
    then: Set,
    of: &Of<'_>,
) -> Result<Exceptions> {
    if rest.is_empty() {
        return Ok(Exceptions::default());
    }
    let allowed = encoder.d.and(rest, then)?;
    let denied = encoder.d.minus(rest, now)?;
    let allowed = already(encoder, new.other(), allowed, of)?;
    let denied = still(encoder, new, edit, denied, of)?;
    let all = allowed
        .iter()
        .map(|text| (ExceptionKind::AlreadyAllowed, text))
        .chain(denied.iter().map(|text| (ExceptionKind::StillDenied, text)))
        .map(|(kind, text)| Exception { kind, text: text.clone() })
        .collect();
    Ok(Exceptions { already_allowed: text(&allowed), still_denied: text(&denied), all })
}

/// The rules of the old side that allowed these flows, at either end.
fn already(
    encoder: &mut Encoder<'_, '_>,
    old: Side,
    flows: Set,
    of: &Of<'_>,
) -> Result<Vec<String>> {
    if flows.is_empty() {
        return Ok(Vec::new());
    }
    let mut texts = Vec::new();
    let mut explained = Vec::new();
    for direction in Direction::BOTH {
        for policy in encoder.policies_at(old, direction, flows)? {
            let Some(section) = policy.section(direction) else { continue };
            let subject = encoder.subject(old, direction, policy)?;
            let cut = encoder.cut(flows, subject)?;
            if cut.is_empty() {
                continue;
            }
            for (index, rule) in section.rules.iter().enumerate() {
                let matched = encoder.matched_by(old, direction, rule, cut)?;
                if matched.is_empty() {
                    continue;
                }
                explained.push(matched);
                let ports = port_list::of(encoder, matched)?;
                let (word, own_word, own_end) = match direction {
                    Direction::Ingress => ("from", "to", of.to),
                    Direction::Egress => ("to", "from", of.from),
                };
                // The rule's own pods, where they are not all that the row speaks of.
                let own = words::subject(&policy.subject).text;
                let own = match own == own_end {
                    true => String::new(),
                    false => format!(" {own_word} {own}"),
                };
                let peers = match &rule.peers {
                    None => "anything".to_string(),
                    Some(peers) => {
                        words::any_of(peers.iter().map(|p| words::peer(&p.kind)).collect()).text
                    }
                };
                texts.push(format!(
                    "{word} {peers}{own}{} ({direction} rule {} of {})",
                    on(&ports, of.ports),
                    index + 1,
                    policy.id
                ));
            }
        }
    }
    let explained = encoder.d.union(explained)?;
    if !encoder.d.minus(flows, explained)?.is_empty() {
        texts.push("flows between pods that were not isolated".into());
    }
    Ok(texts)
}

/// Flows that stay denied for the pods of one subject.
struct Denied {
    flows: Set,
    subject: Set,
    /// The subject is at the end of the edit.
    own: bool,
    direction: Direction,
    who: String,
    policies: Vec<String>,
}

/// The policies of the new side that deny these flows, at either end.
fn still(
    encoder: &mut Encoder<'_, '_>,
    new: Side,
    edit: &Edit<'_>,
    flows: Set,
    of: &Of<'_>,
) -> Result<Vec<String>> {
    let mut texts: Vec<Denied> = Vec::new();
    for direction in Direction::BOTH {
        let passed = encoder.allowed_at(new, direction, flows)?;
        let denied = encoder.d.minus(flows, passed)?;
        if denied.is_empty() {
            continue;
        }
        for policy in encoder.policies_at(new, direction, denied)? {
            let subject = encoder.subject(new, direction, policy)?;
            let cut = encoder.cut(denied, subject)?;
            if cut.is_empty() {
                continue;
            }
            let word = match Encoder::subject_end(direction) {
                crate::set::fields::End::Source => "from",
                crate::set::fields::End::Destination => "to",
            };
            let who = format!("{word} {}", words::subject(&policy.subject).text);
            let own = Encoder::subject_end(direction) == edit.end;
            let id = policy.id.to_string();
            match texts.iter_mut().find(|t| t.flows == cut && t.own == own) {
                Some(text) => text.policies.push(id),
                None => {
                    let policies = vec![id];
                    texts.push(Denied { flows: cut, subject, own, direction, who, policies });
                }
            }
        }
    }
    let mut lines = Vec::with_capacity(texts.len());
    for denied in texts {
        let projected = port_list::projection(encoder, denied.flows)?;
        let ports = port_list::list(encoder, projected);
        // Where the row has flows of these very pods on these ports, the words must not deny them.
        let same = encoder.d.and(of.flows, denied.subject)?;
        let beyond = match encoder.d.and(same, projected)?.is_empty() {
            true => String::new(),
            false => format!(" beyond what their {} rules allow", denied.direction),
        };
        let (who, policies) = (denied.who, denied.policies.join(", "));
        lines.push(format!("{who}{beyond}{} (isolated by {policies})", on(&ports, of.ports)));
    }
    Ok(lines)
}

/// ` on PORTS`, where they are not those of the whole row.
fn on(ports: &[PortRange], row_ports: &[PortRange]) -> String {
    if ports == row_ports { String::new() } else { format!(" on {}", ports::words(ports)) }
}

fn text(all: &[String]) -> Option<String> {
    if all.is_empty() {
        return None;
    }
    let mut text = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    if all.len() > NAMED {
        text.push_str(&format!("; and {} more", all.len() - NAMED));
    }
    Some(text)
}
