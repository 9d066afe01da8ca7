//! Findings of rules in words.

use super::{Phrase, Piece, count};
use crate::report::{Finding, Fix, FixKind, Fixed, Message, Part, Report};

/// A message of a rule.
pub fn message(message: &Message) -> Phrase {
    let parts = message.parts().iter();
    let pieces = parts.map(|part| match part {
        Part::Words(words) => Piece::Text(words.clone()),
        Part::Name(name) => Piece::Name(name.clone()),
    });
    pieces.collect()
}

/// What a finding says, with its flow where the message does not name it already.
pub fn told(finding: &Finding) -> Phrase {
    let mut phrase = message(&finding.message);
    let Some(witness) = &finding.witness else { return phrase };
    let names = |text: &str| {
        let mut parts = finding.message.parts().iter();
        parts.any(|part| matches!(part, Part::Name(name) if name == text))
    };
    if !(names(&witness.from) && names(&witness.to)) {
        phrase.extend([
            Piece::Words("; for example "),
            Piece::Name(witness.from.clone()),
            Piece::Words(" to "),
            Piece::Name(witness.to.clone()),
            Piece::Words(" on "),
            Piece::Words(witness.protocol),
            Piece::Text(format!(" {}", witness.port)),
        ]);
    }
    phrase
}

/// What a finding is about and where: `policy shop/db, k8s/db.yaml:12-18`.
pub fn about(finding: &Finding) -> Phrase {
    let mut phrase = Vec::new();
    if let Some(policy) = &finding.policy {
        phrase.extend([Piece::Words("policy "), Piece::Name(policy.clone()), Piece::Words(", ")]);
    } else if let Some(object) = &finding.object {
        phrase.extend([Piece::Name(object.clone()), Piece::Words(", ")]);
    }
    phrase.push(Piece::Place(finding.location.clone()));
    phrase
}

/// What to do, and what that changes.
pub fn fix(fix: &Fix) -> Phrase {
    let mut phrase = message(&fix.description);
    phrase.push(Piece::Words(changes(fix.kind)));
    phrase
}

/// The findings, each with whether an earlier one of its rule shows the same example of what to write.
pub fn once<'f>(
    findings: impl IntoIterator<Item = &'f Finding>,
) -> impl Iterator<Item = (&'f Finding, bool)> {
    let mut shown: Vec<(&str, &Fix)> = Vec::new();
    findings.into_iter().map(move |finding| {
        let Some(fix) = finding.fix.as_ref().filter(|fix| fix.location.is_none()) else {
            return (finding, false);
        };
        let known = shown.contains(&(finding.rule, fix));
        if !known {
            shown.push((finding.rule, fix));
        }
        (finding, known)
    })
}

/// What was mended, where, and what that changed.
pub fn fixed(fixed: &Fixed) -> Phrase {
    let mut phrase = message(&fixed.description);
    phrase.push(Piece::Words(changes(fixed.kind)));
    phrase.push(Piece::Words(", "));
    phrase.push(Piece::Place(fixed.location.clone()));
    phrase
}

fn changes(kind: FixKind) -> &'static str {
    match kind {
        FixKind::Equivalent => " (changes no path)",
        FixKind::Narrowing => " (only closes paths)",
        FixKind::Behavioural => "",
    }
}

/// How many findings are older than the change, by rule: `3 findings are older than this change: ...`.
pub fn older(report: &Report) -> Option<String> {
    let all = report.environments.iter().flat_map(|environment| &environment.findings);
    let mut rules: Vec<(&str, usize)> = Vec::new();
    for finding in all.filter(|finding| !finding.introduced) {
        match rules.iter_mut().find(|(rule, _)| *rule == finding.rule) {
            Some((_, count)) => *count += 1,
            None => rules.push((finding.rule, 1)),
        }
    }
    rules.sort();
    let total: usize = rules.iter().map(|(_, count)| count).sum();
    let each: Vec<String> = rules.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
    let verb = if total == 1 { "is" } else { "are" };
    let findings = count(total, "finding", "findings");
    let place = "what this change touches";
    (total > 0)
        .then(|| format!("{findings} in {place} {verb} older than the change: {}", each.join(", ")))
}
