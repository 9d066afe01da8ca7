//! The documentation of rules, made from their own files.

use super::{Check, Example, Rule, catalogue::RULES};
use std::fmt::Write;

/// Where docs/rules.md is for whoever has no checkout.
pub const PAGES: &str = "https://github.com/netpol-review/netpol-review/blob/main/docs/rules.md";

/// The first lines of docs/rules.md.
const INTRODUCTION: &str = "# Rules

<!-- Made from src/rules/catalogue by `UPDATE_RULES=1 cargo test --release --test tidy`. -->

What `netpol-review` says of how policies are written, beside what they open. In a review only what the change
introduces counts against it; `netpol-review lint` tells everything. `netpol-review rules RULE` shows one page.

Regular findings are shown to everybody, pedantic and auditor ones with `--persona`. Rules marked as a lesson are
shown to everybody where a change introduces them. How often each is right on real manifests is in
[rules-calibration.md](rules-calibration.md).
";

/// docs/rules.md.
pub fn all() -> String {
    let mut out = String::from(INTRODUCTION);
    out.push_str("\n| rule | severity | persona | |\n|---|---|---|---|\n");
    for rule in RULES {
        let (severity, persona) = (rule.severity.as_str(), rule.persona.as_str());
        let lesson = if rule.lesson { ", lesson" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| [`{0}`](#{0}) | {severity} | {persona}{lesson} | {1} |",
            rule.id, rule.catches
        );
    }
    for rule in RULES {
        let _ = write!(out, "\n## {}\n\n{}", rule.id, body(rule));
    }
    out
}

/// One rule's page.
pub fn one(rule: &Rule) -> String {
    format!("# {}\n\n{}", rule.id, body(rule))
}

fn body(rule: &Rule) -> String {
    let mut out = String::new();
    let lesson = if rule.lesson { "; shown to everybody where a change introduces it" } else { "" };
    let _ = writeln!(
        out,
        "{}\n\nSeverity {}, persona {}{lesson}.\n\n**Why.** {}\n\n**What to do.** {}\n",
        rule.catches,
        rule.severity.as_str(),
        rule.persona.as_str(),
        rule.why,
        rule.fix
    );
    match rule.check {
        Check::Side(_) | Check::Acceptances | Check::Guardrail(_) => {}
        Check::Change(_) => out.push_str("It compares two sides, so `lint` does not tell it.\n\n"),
        Check::Row(_) => out.push_str(
            "It says more of a path that opened, which is what counts; it is no finding of its own, and `lint` does \
             not tell it.\n\n",
        ),
    }
    example(&mut out, "It fires on this", &rule.bad);
    example(&mut out, "It is silent on this", &rule.good);
    let _ = writeln!(
        out,
        "**Configuration.** `rules: {{{}: {{severity: LEVEL}}}}` or `{{disable: true}}`; one finding is accepted with \
         `# netpol-review: ignore[{}] REASON` on its line or above it.",
        rule.id, rule.id
    );
    out
}

fn example(out: &mut String, title: &str, example: &Example) {
    let _ = write!(out, "**{title}**");
    if !example.configuration.is_empty() {
        let _ =
            write!(out, ", with this configuration:\n\n```yaml\n{}```\n\n", example.configuration);
    }
    match example.before.is_empty() {
        true => out.push_str(":\n\n"),
        false => {
            let _ = write!(out, ", before:\n\n```yaml\n{}```\n\nafter:\n\n", example.before);
        }
    }
    let _ = write!(out, "```yaml\n{}```\n\n", example.after);
}
