//! The answer to a query: yes or no, and what decided at each end.

use super::layout::{self, Lines, Role, Style};
use super::{inventory, not_evaluated};
use crate::render::unread::Scope;
use crate::render::words::{Phrase, Piece};
use crate::report::{Answer, EndAnswer};

/// The answer to "may this flow happen, and why".
pub fn answer(answer: &Answer, style: &Style) -> String {
    let mut lines = Lines::new(style);
    let verdict = match (answer.allowed, answer.egress.allowed, answer.ingress.allowed) {
        (true, ..) => "allowed",
        (false, false, false) => "denied: neither end allows it",
        (false, false, true) => "denied: the source may not send it",
        (false, true, _) => "denied: the destination does not accept it",
    };
    let role = if answer.allowed { Role::Calm } else { Role::Loud };
    lines.say(role, verdict);
    if !answer.exact {
        lines.say(
            Role::Loud,
            "not certain: something that was not evaluated could change this answer",
        );
    }
    let ends = [("egress", &answer.egress), ("ingress", &answer.ingress)];
    for (direction, end) in ends {
        for (number, text) in decided(direction, end).iter().enumerate() {
            let label = if number == 0 { direction } else { "" };
            lines.item(2, Role::Label, label, 9, text);
        }
    }
    not_evaluated(&mut lines, &answer.not_evaluated, Scope::Snapshot);
    if !answer.inventory.is_empty() {
        lines.gap();
    }
    inventory(&mut lines, &answer.inventory);
    lines.finish()
}

/// What decided at one end, one line for each rule or policy.
fn decided(direction: &'static str, end: &EndAnswer) -> Vec<String> {
    if !end.isolated && end.allowed {
        return vec!["allowed: no policy isolates this end in this direction".into()];
    }
    if end.allowed {
        let rules = end.by.iter().map(|by| -> Phrase {
            vec![
                Piece::Words("allowed by "),
                Piece::Words(direction),
                Piece::Words(" rule "),
                Piece::Count(by.rule + 1),
                Piece::Words(" of policy "),
                Piece::Name(by.policy.clone()),
                Piece::Words(", "),
                Piece::Place(by.location.clone()),
            ]
        });
        return rules.map(|rule| layout::phrase(&rule)).collect();
    }
    let mut texts = vec!["denied: isolated, and no rule allows it".to_owned()];
    texts.extend(end.isolated_by.iter().map(|by| {
        layout::phrase(&vec![
            Piece::Words("isolated by policy "),
            Piece::Name(by.policy.clone()),
            Piece::Words(", "),
            Piece::Place(by.location.clone()),
        ])
    }));
    texts
}
