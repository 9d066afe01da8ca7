//! The environments of a repository, for a terminal.

use super::layout::{Lines, Role, Style};
use super::{isolation, not_evaluated};
use crate::render::unread::Scope;
use crate::render::{untrusted, words};
use crate::report::environments::{Environments, Part};

/// Which environments there are, what each is made of, and why.
pub fn environments(found: &Environments, style: &Style) -> String {
    let mut lines = Lines::new(style);
    lines
        .say(Role::Heading, &words::count(found.environments.len(), "environment", "environments"));
    for environment in &found.environments {
        lines.gap();
        let gate = environment.fail_on.map(|level| format!(" (fails on {level})"));
        let name = untrusted::plain(&environment.name);
        lines.say(Role::Heading, &format!("{name}{}", gate.unwrap_or_default()));
        for part in &environment.parts {
            lines.item(2, Role::Label, part.renderer, 11, &what(part));
            lines.item(2, Role::Label, "", 11, &why(part));
            for reason in &part.refused {
                lines.item(
                    2,
                    Role::Loud,
                    "",
                    11,
                    &format!("not built: {}", untrusted::plain(reason)),
                );
            }
        }
    }
    not_evaluated(&mut lines, &found.not_evaluated, Scope::Snapshot);
    if words::isolation(found.isolation).is_some() {
        lines.gap();
        isolation(&mut lines, found.isolation);
    }
    lines.finish()
}

fn what(part: &Part) -> String {
    let mut text = match part.path.as_str() {
        "" => ".".to_string(),
        path => untrusted::plain(path),
    };
    if let Some(release) = &part.release {
        text.push_str(&format!(" as release {}", untrusted::plain(release)));
    }
    if !part.values.is_empty() {
        text.push_str(&format!(" with {}", untrusted::plain(&part.values.join(", "))));
    }
    if let Some(namespace) = &part.namespace {
        text.push_str(&format!(", into namespace {}", untrusted::plain(namespace)));
    }
    text.push_str(&format!(" ({})", words::count(part.files, "file", "files")));
    text
}

fn why(part: &Part) -> String {
    let place = match part.file.as_str() {
        "" => String::new(),
        file => format!(", {}:{}", untrusted::plain(file), part.line),
    };
    let shared = if part.shared { "; in every environment" } else { "" };
    format!("{}{place}{shared}", untrusted::plain(&part.because))
}
