//! Documents agree with the code and with each other.

use crate::{files_below, none, read, root, sources_below, table, words};
use std::collections::BTreeSet;
use std::process::Command;

/// A letter of a section of docs/semantics.md and a number: `N6`, `V10`.
fn is_rule(word: &str) -> bool {
    let (letter, number) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
    "NSPXIBMVURAC".contains(letter)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
        && !number.starts_with('0')
}

/// The numbers that docs/semantics.md gives: `**N1. ...` and, in tables, `| V1 |`.
fn rules() -> BTreeSet<String> {
    let text = read("docs/semantics.md");
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let head = line.strip_prefix("**").or(line.strip_prefix("| "));
        found.extend(
            head.and_then(|head| words(head).next())
                .filter(|word| is_rule(word))
                .map(str::to_string),
        );
    }
    assert!(found.len() > 60, "only {} rules found", found.len());
    found
}

#[test]
fn every_cited_rule_exists() {
    let rules = rules();
    let mut complaints = Vec::new();
    let documents =
        files_below("").into_iter().filter(|p| p.extension().is_some_and(|e| e == "md"));
    for path in sources_below("src").into_iter().chain(sources_below("tests")).chain(documents) {
        if path.starts_with("tests/tidy") {
            continue;
        }
        let source = path.extension().is_some_and(|e| e == "rs");
        for (number, line) in read(&path).lines().enumerate() {
            // In sources only comments cite; a constant or type parameter may well be called N1.
            let text = if source {
                line.split_once("//").map_or("", |(_, comment)| comment)
            } else {
                line
            };
            for word in words(text).filter(|word| is_rule(word) && !rules.contains(*word)) {
                complaints.push(format!(
                    "{}:{}: docs/semantics.md has no rule {word}",
                    path.display(),
                    number + 1
                ));
            }
        }
    }
    none(complaints);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut complaints = Vec::new();
    for path in files_below("").into_iter().filter(|p| p.extension().is_some_and(|e| e == "md")) {
        let text = read(&path);
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', '#', ' ']).next().unwrap_or_default();
            let outside = target.is_empty() || target.contains("://");
            if !outside && !root().join(path.parent().unwrap()).join(target).exists() {
                complaints.push(format!("{}: `{target}` does not exist", path.display()));
            }
        }
        for word in text.split(|c: char| c.is_whitespace() || "`()|,;".contains(c)) {
            let word = word.trim_end_matches(['.', ':']);
            let ours = word.split_once('/').is_none_or(|(first, _)| root().join(first).is_dir());
            let document = word.ends_with(".md") && ours && !word.contains(['*', '<', '~']);
            let beside = path.parent().unwrap().join(word);
            if document && !root().join(word).exists() && !root().join(beside).exists() {
                complaints.push(format!("{}: `{word}` does not exist", path.display()));
            }
        }
    }
    none(complaints);
}

#[test]
fn readme_tests_as_the_pipeline_does() {
    let command = "cargo test --release";
    assert!(read("README.md").contains(command) && read(".ci/run").contains(command));
}

fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_netpol-review"))
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{arguments:?} failed");
    String::from_utf8(output.stdout).expect("help is UTF-8")
}

/// The commands that README.md's table lists, and those that the program knows.
#[test]
fn readme_lists_the_commands() {
    let written: BTreeSet<String> = table(&read("README.md"), "command")
        .iter()
        .filter_map(|row| row[0].split_whitespace().next().map(str::to_string))
        .collect();
    let help = help(&["--help"]);
    let known: BTreeSet<String> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.trim().is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_string))
        .filter(|command| command != "help")
        .collect();
    assert_eq!(written, known, "left: README.md, right: the program");
}

/// Every `--option` in README.md and docs is one that some command has.
#[test]
fn documents_name_options_that_exist() {
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut helps = vec![help(&["--help"])];
    for row in table(&read("README.md"), "command") {
        helps.push(help(&[row[0].split_whitespace().next().expect("a command"), "--help"]));
    }
    let options = |text: &str| -> Vec<String> {
        text.match_indices("--")
            .filter(|(at, _)| {
                text[..*at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '-')
            })
            .map(|(at, _)| {
                text[at + 2..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect()
            })
            .filter(|name: &String| name.len() > 1)
            .collect()
    };
    for help in &helps {
        known.extend(options(help));
    }
    let mut complaints = Vec::new();
    for path in ["README.md", "docs/json.md", "docs/configuration.md"] {
        for line in
            read(path).lines().filter(|line| !line.contains("cargo ") || line.contains(" -- "))
        {
            let line = line.split_once(" -- ").map_or(line, |(_, ours)| ours);
            for option in options(line).into_iter().filter(|option| !known.contains(option)) {
                complaints.push(format!("{path}: no command has --{option}"));
            }
        }
    }
    none(complaints);
}

/// The numbers that a text's lines begin with, after spaces and a `|`.
fn leading_numbers<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeSet<u8> {
    lines.filter_map(|line| words(line).next()?.parse().ok()).collect()
}

/// README.md, `--help` and the code agree on the exit codes.
#[test]
fn exit_codes_are_the_same_everywhere() {
    let rows = table(&read("README.md"), "code");
    let readme = leading_numbers(rows.iter().map(|row| row[0].as_str()));
    let help = help(&["--help"]);
    let help =
        leading_numbers(help.lines().skip_while(|line| !line.starts_with("Exit codes")).skip(1));
    let source = read("src/cli/exit.rs");
    let code = leading_numbers(source.lines().filter_map(|line| {
        let line = line.trim();
        let constant = line.split_once(": u8 = ").map(|(_, value)| value);
        constant
            .or_else(|| line.strip_prefix("Outcome::")?.split_once(" => ").map(|(_, value)| value))
    }));
    assert_eq!(readme, help, "left: README.md, right: --help");
    // Success needs no name, so 0 may be missing in the code.
    assert_eq!(readme, &code | &BTreeSet::from([0]), "left: README.md, right: src/cli/exit.rs");
}

/// The example in README.md is what the command above it prints. `UPDATE_README=1` writes it.
#[test]
fn readme_shows_the_real_output() {
    let (begin, end) = ("<!-- example: begin -->\n```text\n", "```\n<!-- example: end -->");
    let readme = read("README.md");
    let arguments = ["diff", "fixtures/shop/before", "fixtures/shop/after"];
    assert!(readme.contains(&format!("cargo run --release -- {}\n", arguments.join(" "))));
    let output = Command::new(env!("CARGO_BIN_EXE_netpol-review"))
        .args(arguments)
        .current_dir(root())
        .env("NO_COLOR", "1")
        .output()
        .expect("the program runs");
    let real = String::from_utf8(output.stdout).expect("text is UTF-8");
    let (head, rest) = readme.split_once(begin).expect("README.md marks its example");
    let (written, tail) = rest.split_once(end).expect("README.md marks its example's end");
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(root().join("README.md"), format!("{head}{begin}{real}{end}{tail}"))
            .expect("README.md can be written");
        return;
    }
    assert_eq!(written, real, "left: README.md, right: the program; UPDATE_README=1 writes it");
}
