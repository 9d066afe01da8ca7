//! Text out of manifests does nothing but be shown.

use comrak::{Options, markdown_to_html};
use netpol_review::gate::Gate;
use netpol_review::render::html::{self as page, About, FileChange};
use netpol_review::render::{
    csv, dot, find, github, json, markdown, mermaid, sarif, text, untrusted, words::Piece,
};
use netpol_review::report::*;
use netpol_review::settings::Waiver;
use proptest::prelude::*;

use crate::samples;

pub const NAMES: [&str; 16] = [
    "](http://evil.example)",
    "[click](http://evil.example)",
    "`` ` ``` ````",
    "`",
    " ",
    "",
    "line\nbreak\r\n\r\n# heading",
    "@everyone and @octocat, see #1",
    "<img src=x onerror=alert(1)>",
    "</summary></details><script>alert(1)</script>",
    "&lt;script&gt;",
    "a|b|c",
    "\u{202e}gnp.exe\u{2066}\u{200b}\u{feff}",
    "\u{1b}[2J\u{1b}]8;;http://evil.example\u{7}\u{9b}31m",
    "https://evil.example www.evil.example",
    "x\"]; click n_x href \"javascript:alert(1)\"\n```\n<!-- -->",
];

/// A report with `name` wherever a report can hold text out of manifests.
pub fn hostile(name: &str) -> Report {
    let mut report = samples::everything();
    report.before.name = name.into();
    report.after.name = name.into();
    report.environments.push(report.environments[0].clone());
    for environment in &mut report.environments {
        environment.name = name.into();
        environment.connections = Some(
            listing(name)
                .connections
                .into_iter()
                .map(|c| Change {
                    source: c.source,
                    destination: c.destination,
                    before: vec![],
                    after: c.ports,
                })
                .collect(),
        );
        for row in environment.opened.iter_mut().chain(&mut environment.closed) {
            spoil(row, name);
        }
        environment.summary.without_effect = vec![name.into()];
        for reach in &mut environment.summary.reach {
            reach.workload = name.into();
        }
    }
    report.inventory = samples::inventory();
    for source in &mut report.inventory {
        source.file = name.into();
    }
    for entry in &mut report.not_evaluated {
        entry.file = name.into();
        entry.kind = Some(name.into());
        entry.name = Some(name.into());
        entry.reason = name.into();
    }
    report
}

fn spoil(row: &mut Row, name: &str) {
    for peers in [&mut row.from, &mut row.to] {
        peers.text = name.into();
        peers.declared = Some(DeclaredPeers { count: 2, sample: vec![name.into()] });
    }
    row.ports = vec![PortRange::Named { protocol: "TCP", name: name.into() }];
    for cause in &mut row.causes {
        cause.policy = Some(name.into());
        cause.object = Some(name.into());
        cause.location.file = name.into();
    }
    for end in [&mut row.admitted_by.egress, &mut row.admitted_by.ingress] {
        if let Admission::Rule(rule) = end {
            rule.policy = name.into();
            rule.location.file = name.into();
        }
    }
    row.already_allowed = Some(name.into());
    row.still_denied = Some(name.into());
    for exception in &mut row.exceptions {
        exception.text = name.into();
    }
    row.witness.from = name.into();
    row.witness.to = name.into();
}

fn listing(name: &str) -> Listing {
    let end =
        || Endpoint::Workload { namespace: name.into(), name: name.into(), kind: name.into() };
    let mut listing = samples::listing();
    listing.connections = vec![Connection {
        source: end(),
        destination: end(),
        ports: vec![PortRange::Named { protocol: "TCP", name: name.into() }],
    }];
    listing.unisolated.ingress = vec![name.into()];
    listing.inventory = samples::inventory();
    listing.inventory[0].file = name.into();
    listing
}

/// As GitHub reads a comment, but with raw HTML let through, so that nothing hides behind its
/// sanitizer.
fn html(markdown: &str) -> String {
    let mut options = Options::default();
    let extension = &mut options.extension;
    extension.strikethrough = true;
    extension.table = true;
    extension.autolink = true;
    extension.tasklist = true;
    extension.footnotes = true;
    extension.alerts = true;
    options.render.r#unsafe = true;
    markdown_to_html(markdown, &options)
}

/// The HTML without code, where text cannot act (mentions are looked for separately).
fn outside_code(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some(start) = rest.find("<code") {
        out.push_str(&rest[..start]);
        let end = rest[start..].find("</code>").expect("a code element ends");
        rest = &rest[start + end + "</code>".len()..];
    }
    out.push_str(rest);
    out
}

const TAGS: [&str; 22] = [
    "p", "/p", "ul", "/ul", "li", "/li", "h3", "/h3", "h4", "/h4", "strong", "/strong", "em",
    "/em", "sub", "/sub", "details", "/details", "summary", "/summary", "pre", "/pre",
];

fn check_markdown(body: &str) {
    for c in body.chars().filter(|c| *c != '\n') {
        assert!(!c.is_control() && !bidi(c), "{c:?} in the body");
    }
    let html = html(body);
    let outside = outside_code(&html);
    for tag in outside.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap_or("");
        let known = TAGS.contains(&tag)
            || matches!(tag, "br" | "br /" | "/div" | "pre lang=\"mermaid\"" | "pre lang=\"sh\"")
            || tag.starts_with("div class=\"markdown-alert markdown-alert-warning\"")
            || tag.starts_with("div class=\"markdown-alert markdown-alert-note\"")
            || tag.starts_with("p class=\"markdown-alert-title\"");
        assert!(known, "<{tag}> arises from:\n{body}");
    }
    for mark in ['@', '#'] {
        // Entity codes of the picture are `#` and digits; headings have a space.
        for (at, _) in body.match_indices(mark) {
            let next = body[at + 1..].chars().next();
            let harmless = match mark {
                '@' => next == Some('\u{200b}'),
                _ => matches!(next, Some('\u{200b}' | '#' | ' ' | '0'..='9')),
            };
            assert!(harmless, "{mark} acts in:\n{body}");
        }
    }
    let open = html.matches("<details>").count();
    assert_eq!(open, html.matches("</details>").count(), "folds of:\n{body}");
}

pub fn bidi(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn check_terminal(text: &str) {
    for c in text.chars().filter(|c| *c != '\n') {
        assert!(!c.is_control() && !bidi(c), "{c:?} in:\n{text}");
    }
}

/// A gate in which somebody called `name` accepted the first row, for that reason.
fn gate(report: &Report, name: &str) -> Gate {
    let waiver = Waiver { reason: name.into(), by: Some(name.into()), ..samples::waiver() };
    let mut gate = samples::gate();
    gate.waived = vec![(waiver, report.environments[0].opened[0].fingerprint.clone())];
    gate
}

/// Reads a workflow command as GitHub's runner does: name, properties, text.
fn command(line: &str) -> (&str, Vec<(&str, String)>, String) {
    let (head, text) = line[2..].split_once("::").expect("a command has a text");
    let (name, properties) = head.split_once(' ').expect("a command has properties");
    let unescape = |text: &str| {
        text.replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%3A", ":")
            .replace("%2C", ",")
            .replace("%25", "%")
    };
    let properties = properties.split(',').map(|property| {
        let (key, value) = property.split_once('=').expect("a property has a value");
        (key, unescape(value))
    });
    (name, properties.collect(), unescape(text))
}

fn check_commands(report: &Report, name: &str) {
    let commands = github::report(report, Some(&gate(report, name)));
    check_terminal(&commands);
    let mut shown = false;
    for line in commands.lines() {
        if let Some(plain) = line.strip_prefix("netpol-review: ") {
            assert!(!plain.contains("::"), "{plain}");
            continue;
        }
        assert!(line.starts_with("::"), "{line}");
        let (level, properties, text) = command(line);
        assert!(["error", "warning", "notice"].contains(&level), "{line}");
        let keys: Vec<&str> = properties.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["file", "line", "endLine", "title"], "{line}");
        assert!(properties[3].1.starts_with("netpol-review - "), "{line}");
        // Names without escapes come through whole.
        let plain = name.chars().all(|c| c.is_ascii_graphic());
        shown |= plain && text.contains(name) && properties[0].1 == name;
    }
    assert!(shown || !name.chars().all(|c| c.is_ascii_graphic()), "{name} in {commands}");
}

fn check_sarif(report: &Report, name: &str) {
    let log = sarif::report(report, Some(&gate(report, name)));
    check_terminal(&log);
    let log: serde_json::Value = serde_json::from_str(&log).expect("JSON");
    let mut texts = Vec::new();
    strings(&log, &mut texts);
    for (key, text) in texts {
        match key {
            "text" | "justification" => {
                assert!(!text.contains("]("), "a link in {text}");
                let digit = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
                assert!(!text.split('{').skip(1).any(digit), "a placeholder in {text}");
                check_terminal(text);
                assert!(!text.contains('\n'), "{text}");
            }
            "uri" => {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b);
                assert!(text.bytes().all(plain) && !text.starts_with('/'), "{text}");
                assert!(!text.contains("//"), "{text}");
            }
            _ => {}
        }
    }
}

/// The page with `name` also in the pull request's title, its files and their paths.
fn check_page(report: &Report, name: &str) {
    let mut report = report.clone();
    let mut finding = samples::findings()[0].clone();
    finding.message = Message::new("about ").name(name);
    finding.policy = Some(name.into());
    finding.location.file = name.into();
    if let Some(fix) = &mut finding.fix {
        fix.description = Message::new("write ").name(name);
        fix.diff = Some(name.into());
        fix.removes = vec![name.into()];
    }
    let row = report.environments[0].opened[0].fingerprint.clone();
    let under = Finding { row: Some(row), ..finding.clone() };
    let older = Finding { introduced: false, ..finding.clone() };
    let mut example = finding.clone();
    if let Some(fix) = &mut example.fix {
        (fix.location, fix.diff, fix.replacement) = (None, None, Some(name.into()));
    }
    report.environments[0].findings = vec![finding, example, under, older];
    let about = About {
        title: Some(name.into()),
        made: name.into(),
        notes: vec![vec![Piece::Words("A mistake: "), Piece::Name(name.into())]],
        changes: vec![FileChange {
            path: name.into(),
            before: Some("a".into()),
            after: Some(name.into()),
        }],
        ..crate::html::about()
    };
    crate::html::check(&page::page(&report, Some(&gate(&report, name)), &about));
}

/// All strings of a document with the names of their fields.
fn strings<'a>(value: &'a serde_json::Value, into: &mut Vec<(&'a str, &'a str)>) {
    match value {
        serde_json::Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
        serde_json::Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    serde_json::Value::String(text) => into.push((key, text)),
                    value => strings(value, into),
                }
            }
        }
        _ => {}
    }
}

fn check_all(name: &str) {
    let report = hostile(name);
    let style = text::Style::default();
    check_markdown(&markdown::report(&report, &markdown::Options::default()));
    let gate = gate(&report, name);
    let notes = [vec![Piece::Words("A mistake: "), Piece::Name(name.to_string())]];
    let told = markdown::Options {
        gate: Some(&gate),
        notes: &notes,
        resolved: true,
        ..markdown::Options::default()
    };
    check_markdown(&markdown::report(&report, &told));
    let rows = report.environments.iter().flat_map(|each| &each.opened);
    let on: Vec<markdown::Note<'_>> =
        rows.map(|row| markdown::Note::Opened { row, cause: &row.causes[0] }).collect();
    check_markdown(&markdown::on_lines(&on, None, &told));
    check_terminal(&text::report(&report, &style));
    for found in find(&report, "a") {
        check_terminal(&text::explain(&found, &style));
    }
    check_terminal(&text::listing(&listing(name), &style));
    check_terminal(&json::report(&report));
    let value: serde_json::Value = serde_json::from_str(&json::report(&report)).expect("JSON");
    assert_eq!(value["before"]["name"], name);
    check_commands(&report, name);
    check_sarif(&report, name);
    check_page(&report, name);
    let picture = mermaid::listing(&listing(name));
    check_terminal(&picture);
    for line in picture.lines().filter(|line| line.contains('"')) {
        assert_eq!(line.matches('"').count(), 2, "{line}");
        assert!(!line.contains(['`', '<', ';']) || line.contains('#'), "{line}");
    }
    check_terminal(&dot::listing(&listing(name)));
    let _ = csv::listing(&listing(name));
}

#[test]
fn hostile_names_act_nowhere() {
    for name in NAMES {
        check_all(name);
    }
}

#[test]
fn hostile_names_are_still_shown() {
    let report = samples::with_rows(
        Verdict::Widened,
        NAMES
            .iter()
            .map(|name| {
                let mut row = samples::closed();
                spoil(&mut row, name);
                row
            })
            .collect(),
        vec![],
    );
    insta::assert_snapshot!("hostile_text", text::report(&report, &text::Style::default()));
    insta::assert_snapshot!(
        "hostile_markdown",
        markdown::report(&report, &markdown::Options::default())
    );
    let shown = page::page(&report, None, &crate::html::about());
    insta::assert_snapshot!("hostile_html", crate::html::lines(&shown));
    let commands = NAMES.map(|name| github::report(&hostile(name), None));
    let first = commands.iter().filter_map(|text| text.lines().next());
    insta::assert_snapshot!("hostile_github", first.collect::<Vec<_>>().join("\n"));
    let listings = NAMES.map(|name| {
        let listing = listing(name);
        format!(
            "{}{}{}",
            mermaid::listing(&listing),
            dot::listing(&listing),
            csv::listing(&listing)
        )
    });
    insta::assert_snapshot!("hostile_listings", listings.concat());
}

#[test]
fn code_spans_hold_what_they_are_given() {
    let cases = [
        ("payments/db", "`payments/db`"),
        ("", "(empty)"),
        (" ", "`   `"),
        ("`", "`` ` ``"),
        ("a`b``c", "```a`b``c```"),
        ("a|b<c&d", "`a¦b‹c&\u{200b}d`"),
        ("@a#b", "`@\u{200b}a#\u{200b}b`"),
        ("a\nb\u{1b}\u{202e}", "`a\\nb\\u{1b}\\u{202e}`"),
    ];
    for (text, expected) in cases {
        assert_eq!(untrusted::markdown(text), expected, "{text:?}");
    }
    let long = untrusted::markdown(&"x".repeat(1000));
    assert_eq!(long, format!("`{}…`", "x".repeat(untrusted::MARKDOWN_CAP)));
}

#[test]
fn html_holds_what_it_is_given() {
    let cases = [
        ("payments/db", "payments/db"),
        ("<script>alert('1')</script>", "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"),
        ("\"&amp;", "&quot;&amp;amp;"),
        ("a\nb\u{1b}\u{202e}\t", "a\\nb\\u{1b}\\u{202e}\\t"),
    ];
    for (text, expected) in cases {
        assert_eq!(untrusted::html(text), expected, "{text:?}");
    }
    let long = untrusted::html(&"<".repeat(1000));
    assert_eq!(long, format!("{}…", "&lt;".repeat(untrusted::HTML_CAP)));
}

#[test]
fn commands_and_uris_hold_what_they_are_given() {
    assert_eq!(untrusted::command_text("100%\r\n::stop::"), "100%25\\r\\n::stop::");
    assert_eq!(untrusted::command_property("a,b:c%"), "a%2Cb%3Ac%25");
    assert_eq!(untrusted::sarif("[a](http://x) {0} {a}"), "[a] (http://x) { 0} {a}");
    assert_eq!(untrusted::uri_path("k8s/a b#c?.yaml"), "k8s/a%20b%23c%3F.yaml");
    assert_eq!(untrusted::uri_path("//host/x:y"), "%2F/host/x%3Ay");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_string_acts_anywhere(name in prop_oneof![
        any::<String>(),
        "[`~<>&|@#\\\\\\[\\]()!*_ \n\r\t\"';:/=a-c\u{1b}\u{9b}\u{202e}\u{200b}-]{0,60}",
        proptest::sample::subsequence(NAMES.to_vec(), 1..4).prop_map(|parts| parts.concat()),
    ]) {
        check_all(&name);
    }
}
