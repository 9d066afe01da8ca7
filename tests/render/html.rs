//! The page: what it shows, that it is whole, that it loads nothing.
//!
//! `PAGES=DIRECTORY cargo test --release --test render html` writes the pages of the samples there, for a browser.

use netpol_review::gate::{Gate, judge};
use netpol_review::render::html::{self, About, FileChange};
use netpol_review::render::words::Piece;
use netpol_review::report::*;
use netpol_review::settings::{FailOn, Mode, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::samples;
use crate::tags::{self, Tag};

pub const HOME: &str = "https://github.example/shop/deploy";
const RULES: &str = "https://github.com/netpol-review/netpol-review/blob/main/docs/rules.md#";
const BEFORE: &str =
    "https://github.example/shop/deploy/blob/1111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const AFTER: &str =
    "https://github.example/shop/deploy/blob/2222222bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn link(location: &Location) -> Option<String> {
    html::link_to(BEFORE, AFTER)(location)
}

/// A pull request without files.
pub fn about() -> About<'static> {
    About {
        repository: "shop/deploy".into(),
        home: HOME.into(),
        number: Some(42),
        title: Some("Let the shop's workers read payments".into()),
        base: "1111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".into(),
        head: "2222222bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb".into(),
        made: "2026-11-26 02:10 UTC".into(),
        link: Some(&link),
        ..About::default()
    }
}

/// The files of `samples::everything`.
fn changes() -> Vec<FileChange> {
    let policy = |peers: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: db\n  namespace: payments\nspec:\n  \
             podSelector:\n    matchLabels:\n      app: db\n  policyTypes: [Ingress]\n  ingress:\n{peers}      ports:\n        - \
             protocol: TCP\n          port: 5432\n"
        )
    };
    let deny = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: default-deny\n  namespace: \
                payments\nspec:\n  podSelector: {}\n  policyTypes:\n    - Ingress\n";
    vec![
        FileChange {
            path: "k8s/payments/db.yaml".into(),
            before: Some(policy(
                "    - from:\n        - podSelector:\n            matchLabels:\n              app: api\n",
            )),
            after: Some(policy("    - from:\n        - namespaceSelector: {}\n")),
        },
        FileChange {
            path: "k8s/payments/default-deny.yaml".into(),
            before: Some(deny.into()),
            after: None,
        },
        FileChange { path: "same.yaml".into(), before: Some("a".into()), after: Some("a".into()) },
    ]
}

/// What the gate says where the default deny's deletion is accepted.
fn gate(report: &Report) -> Gate {
    let settings = Settings { waivers: vec![samples::waiver()], ..Settings::default() };
    judge(report, &settings, FailOn::High, "2026-11-26".parse().expect("a day"))
}

/// Every page by the name of its idea.
fn pages() -> Vec<(&'static str, String)> {
    let mut pages: Vec<(&str, String)> = crate::formats::reports()
        .into_iter()
        .map(|(name, report)| {
            let mut about = about();
            if name == "everything" {
                about.changes = changes();
                about.notes = vec![vec![
                    Piece::Words(
                        "The head is compared with the merge base: GitHub built no merge of ",
                    ),
                    Piece::Name("feature/open-db".into()),
                    Piece::Words("."),
                ]];
            }
            (name, html::page(&report, Some(&gate(&report)), &about))
        })
        .collect();
    let mut report = samples::report(Verdict::Unchanged);
    report.inventory = samples::inventory();
    report.isolation = Some(Isolation::Proxies);
    pages.push(("bare", html::page(&report, None, &About::default())));
    pages
}

/// The page a line for each block, without its style and the digest of it, which are the same everywhere.
pub fn lines(page: &str) -> String {
    let (head, rest) = page.split_once("<style>").expect("a style");
    let (_, rest) = rest.split_once("</style>").expect("a style that ends");
    let (begin, digest) = head.split_once("'sha256-").expect("a digest");
    let (_, head) = digest.split_once("'").expect("a digest that ends");
    let mut out = format!("{begin}'DIGEST'{head}{rest}");
    for tag in [
        "body", "header", "main", "section", "article", "h1", "h2", "h3", "p", "div", "dl", "ul",
        "li", "nav", "details", "table", "tr", "svg", "g", "path", "rect", "text", "title", "desc",
        "meta", "footer", "pre",
    ] {
        out = out.replace(&format!("<{tag}>"), &format!("\n<{tag}>"));
        out = out.replace(&format!("<{tag} "), &format!("\n<{tag} "));
    }
    out
}

#[test]
fn reports_as_pages() {
    let pages = pages();
    if let Some(directory) = std::env::var_os("PAGES") {
        let (report, gate, about) = huge(3000, "pods app=db in namespace payments");
        let huge = html::page(&report, Some(&gate), &about);
        let rude = crate::hostile::NAMES.map(crate::hostile::hostile);
        let rude = rude.map(|report| html::page(&report, None, &about));
        let rude = rude.iter().enumerate().map(|(n, page)| (format!("hostile_{n}"), page));
        let shown = pages.iter().map(|(name, page)| (name.to_string(), page));
        for (name, page) in shown.chain([("huge".to_owned(), &huge)]).chain(rude) {
            let path = std::path::Path::new(&directory).join(format!("{name}.html"));
            std::fs::write(path, page).expect("a page is written");
        }
    }
    for (name, page) in pages {
        insta::assert_snapshot!(format!("html_{name}"), lines(&page));
    }
}

/// Tags that a page may have, and their attributes.
const ALLOWED: [(&str, &[&str]); 41] = [
    ("html", &["lang"]),
    ("head", &[]),
    ("meta", &["charset", "name", "content", "http-equiv"]),
    ("title", &["id"]),
    ("style", &[]),
    ("body", &[]),
    ("header", &[]),
    ("main", &[]),
    ("footer", &[]),
    ("nav", &["aria-label"]),
    ("section", &["id", "aria-labelledby"]),
    ("article", &["class", "id", "aria-labelledby"]),
    ("details", &["class", "id"]),
    ("summary", &[]),
    ("h1", &[]),
    ("h2", &["id"]),
    ("h3", &["id", "class"]),
    ("p", &["class"]),
    ("div", &["class", "tabindex", "role", "aria-labelledby"]),
    ("span", &["class"]),
    ("strong", &[]),
    ("code", &[]),
    ("pre", &["class", "tabindex"]),
    ("a", &["class", "href"]),
    ("br", &[]),
    ("ul", &["class"]),
    ("li", &["class"]),
    ("dl", &[]),
    ("dt", &[]),
    ("dd", &[]),
    ("table", &["class"]),
    ("tr", &["class"]),
    ("td", &["class", "colspan"]),
    ("svg", &["role", "aria-labelledby", "viewBox", "width", "height"]),
    ("g", &["class"]),
    ("desc", &["id"]),
    ("path", &["class", "d"]),
    ("rect", &["x", "y", "width", "height", "rx"]),
    ("text", &["class", "x", "y"]),
    ("tspan", &["class"]),
    ("!DOCTYPE", &["html"]),
];

/// The page is whole, and nothing in it acts or loads anything.
pub fn check(page: &str) -> Vec<Tag> {
    assert!(page.len() <= html::LIMIT, "{} bytes", page.len());
    let tags = tags::read(page);
    let mut ids = BTreeSet::new();
    let mut wanted = Vec::new();
    for tag in &tags {
        let allowed = ALLOWED.iter().find(|(name, _)| *name == tag.name);
        let (_, attributes) = allowed.unwrap_or_else(|| panic!("<{}>", tag.name));
        for (name, value) in &tag.attributes {
            assert!(attributes.contains(&name.as_str()), "<{} {name}=\"{value}\">", tag.name);
            match name.as_str() {
                "id" => assert!(ids.insert(value.clone()), "two times id {value}"),
                "aria-labelledby" => wanted.extend(value.split(' ').map(str::to_owned)),
                "href" => match value.strip_prefix('#') {
                    Some(id) => wanted.push(id.to_owned()),
                    None => {
                        let own = value.strip_prefix(HOME).is_some_and(|rest| {
                            rest.is_empty() || rest.starts_with('/') && !rest.contains("/../")
                        });
                        assert!(own || value.starts_with(RULES), "a link to {value}");
                    }
                },
                "class" => {
                    let plain = |c: char| c.is_ascii_lowercase() || "- ".contains(c);
                    assert!(value.chars().all(plain), "class {value}");
                }
                _ => assert!(!value.contains("http"), "<{} {name}=\"{value}\">", tag.name),
            }
        }
    }
    for id in wanted {
        assert!(ids.contains(&id), "nothing has the id {id}");
    }
    for c in page.chars().filter(|c| *c != '\n') {
        assert!(!c.is_control() && !crate::hostile::bidi(c), "{c:?} in the page");
    }
    tags
}

#[test]
fn pages_are_whole_and_load_nothing() {
    for (_, page) in pages() {
        let tags = check(&page);
        let headings = tags.iter().filter(|tag| tag.name == "h1").count();
        assert_eq!(headings, 1);
        // No more than one level deeper at a time.
        let mut last = '1';
        for level in tags.iter().filter_map(|tag| tag.name.strip_prefix('h')?.chars().next()) {
            if level.is_ascii_digit() {
                assert!(level <= last || level as u32 == last as u32 + 1, "h{level} after h{last}");
                last = level;
            }
        }
    }
}

#[test]
fn the_policy_allows_the_style_and_nothing_else() {
    let page = html::page(&samples::everything(), None, &about());
    assert_eq!(page.matches("<style").count(), 1);
    let style = page.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next());
    let style = style.expect("a style");
    assert!(!style.contains("url(") && !style.contains("@import") && !style.contains('<'));
    // As a browser computes it.
    use base64::Engine;
    use sha2::Digest;
    let digest = sha2::Sha256::digest(style.as_bytes());
    let digest = base64::engine::general_purpose::STANDARD.encode(digest);
    assert!(html::csp().contains(&format!("style-src 'sha256-{digest}';")), "{}", html::csp());
    assert!(html::csp().starts_with("default-src 'none'; "));
    assert!(!html::csp().contains("unsafe"));
}

#[test]
fn a_notice_is_our_own_words_in_the_same_style() {
    let style = |page: &str| {
        let style = page.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next());
        style.expect("a style").to_string()
    };
    let notice = html::notice("Not <here>", "Look & see");
    assert_eq!(style(&notice), style(&html::page(&samples::everything(), None, &about())));
    assert!(notice.contains("<h1>Not &lt;here&gt;</h1><p>Look &amp; see</p>"), "{notice}");
    assert!(notice.contains("content=\"noindex\""), "{notice}");
}

/// As in Markdown, where they are code.
#[test]
fn what_our_own_words_have_between_backticks_is_set_apart() {
    let note = vec![Piece::Words("leave it out with `except` or "), Piece::Name("a`b`".into())];
    let page = html::page(&samples::everything(), None, &About { notes: vec![note], ..about() });
    let written = "leave it out with <code>except</code> or <code>a`b`</code>";
    assert!(page.contains(written), "{page}");
}

#[test]
fn what_was_not_evaluated_is_linked_and_says_what_to_write() {
    let page = html::page(&samples::everything(), None, &about());
    let link = format!("<a href=\"{AFTER}/k8s/payments/broken.yaml#L7\">");
    assert!(page.contains(&link), "{page}");
    let reason = "unknown field <code>podSelecter</code>: did you mean <code>podSelector</code>?";
    assert!(page.contains(reason), "{page}");
    // Somebody's name may hold one of its own.
    let mut report = samples::everything();
    report.not_evaluated[0].reason = "unknown field `pod`<b>`".into();
    let page = html::page(&report, None, &about());
    assert!(page.contains("unknown field `pod`&lt;b&gt;`"), "{page}");
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    let page = || {
        let mut about = about();
        about.changes = changes();
        html::page(&samples::everything(), Some(&gate(&samples::everything())), &about)
    };
    assert_eq!(page(), page());
}

#[test]
fn links_lead_nowhere_but_into_the_repository() {
    let report = samples::with_rows(Verdict::Widened, vec![samples::any_pod()], vec![]);
    let page = html::page(&report, None, &about());
    assert!(page.contains(&format!("<a href=\"{AFTER}/k8s/payments/db.yaml#L12-L18\">")));
    assert!(page.contains(&format!("<a href=\"{HOME}/pull/42\">")));
    assert!(
        page.contains(&format!(
            "<a href=\"{HOME}/commit/2222222bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\">"
        ))
    );
    for wrong in [
        "javascript:alert(1)",
        "https://evil.example/",
        "https://github.example/shop/deploy.evil/x",
        "https://github.example/shop/deploy/../../evil",
        "//evil.example",
    ] {
        let link = |_: &Location| Some(wrong.to_owned());
        let page = html::page(&report, None, &About { link: Some(&link), ..about() });
        assert!(!page.contains("evil") && !page.contains("javascript"), "{wrong}");
        check(&page);
    }
    // Paths hold anything.
    let mut row = samples::any_pod();
    row.causes[0].location.file = "a b/\"><x#?%2e/../c".into();
    let report = samples::with_rows(Verdict::Widened, vec![row], vec![]);
    let page = html::page(&report, None, &about());
    check(&page);
    for home in ["", "http://github.example/x", "javascript:alert(1)"] {
        let page = html::page(&report, None, &About { home: home.into(), ..about() });
        assert!(!page.contains("href=\"http://") && !page.contains("href=\"javascript"), "{home}");
    }
}

#[test]
fn lines_name_the_row_that_they_open() {
    let report = samples::everything();
    let page = html::page(&report, None, &About { changes: changes(), ..about() });
    let row = |text: &str| {
        let at = page.find(text).unwrap_or_else(|| panic!("{text} is not shown"));
        let start = page[..at].rfind("<tr").expect("a row of the table");
        page[start..at].to_owned()
    };
    let deleted = format!(" href=\"#f-{}\">1</a>", samples::default_deny_deleted().fingerprint);
    let widened = format!(" href=\"#f-{}\">2</a>", samples::any_pod().fingerprint);
    let first = row("name: default-deny");
    assert!(
        first.starts_with("<tr class=\"gone\"") && first.contains("class=\"mark on"),
        "{first}"
    );
    assert!(page.contains(&deleted));
    let selector = row("- namespaceSelector: {}");
    assert!(
        selector.starts_with("<tr class=\"new\"") && selector.contains("class=\"mark on"),
        "{selector}"
    );
    assert!(page.contains(&widened));
    // What was taken out of the rule that is a cause belongs to it; what stands around it does not.
    assert!(row("app: api").contains("class=\"mark on"));
    assert!(!row("policyTypes: [Ingress]").contains("class=\"mark on"));
    // Unchanged files are not shown.
    assert!(!page.contains("same.yaml"));
}

/// A report with `rows` of everything, and files of as many lines.
fn huge(rows: usize, name: &str) -> (Report, Gate, About<'static>) {
    let mut report = crate::bounds::huge(rows, name);
    let mut finding = samples::findings()[0].clone();
    let fix = finding.fix.as_mut().expect("a fix");
    fix.diff = Some(format!("+{name}\n").repeat(rows.min(100)));
    fix.removes = vec![name.into(); rows.min(20)];
    finding.message = Message::new("about ").name(name);
    let mut under = finding.clone();
    under.row = Some(report.environments[0].opened[0].fingerprint.clone());
    let older = Finding { introduced: false, ..finding.clone() };
    report.environments[0].findings =
        [finding, under, older].into_iter().flat_map(|finding| vec![finding; rows]).collect();
    report.inventory = samples::inventory().into_iter().cycle().take(rows).collect();
    let mut gate = samples::gate();
    gate.waived = vec![(samples::waiver(), "a".repeat(32)); rows];
    let file = |n: usize| FileChange {
        path: format!("{n}/{name}"),
        before: Some(String::new()),
        after: Some(format!("{name}\n").repeat(if n == 0 { rows } else { 40 })),
    };
    let changes = (0..rows.min(100)).map(file).collect();
    (report, gate, About { changes, title: Some(name.into()), ..about() })
}

#[test]
fn a_huge_page_is_cut_by_whole_items() {
    let long = ["\u{202e}<&\"'".repeat(300), "語".repeat(700), "x".into()];
    for name in &long {
        for rows in [30, 3000] {
            let (report, gate, about) = huge(rows, name);
            let page = html::page(&report, Some(&gate), &about);
            let tags = check(&page);
            assert!(page.len() < html::LIMIT, "{} bytes of {rows} rows", page.len());
            assert!(tags.len() > 1000);
            for id in [
                "opened",
                "findings",
                "not-evaluated",
                "waivers",
                "picture",
                "closed",
                "older",
                "files",
                "yourself",
            ] {
                assert!(page.contains(&format!("id=\"{id}\"")), "{id} is gone with {rows} rows");
            }
            let shown = page.matches("<span class=\"severity critical\">").count();
            if rows == 3000 {
                let rest = format!("and {} more: see the JSON report", rows - shown);
                assert!(page.contains(&rest), "{rest} of {rows} rows");
                assert!(page.contains("more lines"));
            }
            assert!(page.contains("not drawn"));
        }
    }
}

#[test]
fn the_line_that_opens_something_is_shown_however_long_the_file() {
    let mut row = samples::any_pod();
    let text = |n: usize| format!("line: {n}\n");
    row.causes[0].location = samples::location(Side::After, "long.yaml", 5000, 5001);
    let report = samples::with_rows(Verdict::Widened, vec![row], vec![]);
    let after: String = (1..=9000).map(text).collect();
    let changes = vec![FileChange { path: "long.yaml".into(), before: None, after: Some(after) }];
    let page = html::page(&report, None, &About { changes, ..about() });
    for shown in [1, 100, 4992, 5000, 5001, 5009] {
        assert!(page.contains(&format!(">line: {shown}<")), "line {shown}");
    }
    for hidden in [400, 4991, 5010, 9000] {
        assert!(!page.contains(&format!(">line: {hidden}<")), "line {hidden}");
    }
    assert!(page.contains("and 8700 more lines"));
}

#[test]
fn what_the_gate_says_stands_at_the_rows() {
    let rows =
        vec![samples::default_deny_deleted(), samples::any_pod(), samples::external_ranges()];
    let report = samples::with_rows(Verdict::Widened, rows, vec![]);
    let mut gate = gate(&report);
    let page = html::page(&report, Some(&gate), &about());
    assert_eq!(page.matches(">fails the check<").count(), 1);
    assert_eq!(
        page.matches("Accepted by <code>sam</code> until <code>2026-12-31</code>").count(),
        1
    );
    assert!(page.contains(
        "<strong>The check fails</strong>: 1 opened path is at or above high; 1 waived."
    ));
    gate.mode = Mode::Warn;
    let page = html::page(&report, Some(&gate), &about());
    assert_eq!(page.matches(">would fail the check<").count(), 1);
    assert!(page.contains("<strong>The check only warns</strong>"));
}

#[test]
fn what_the_gate_says_stands_at_findings_too() {
    let mut report = samples::with_rows(Verdict::Unchanged, vec![], vec![]);
    report.environments[0].findings = samples::findings();
    for finding in &mut report.environments[0].findings {
        finding.row = None;
    }
    let gate = gate(&report);
    let blocking = gate.blocking_findings.len();
    assert!(blocking > 0, "{gate:?}");
    let page = html::page(&report, Some(&gate), &about());
    assert_eq!(page.matches(">fails the check<").count(), blocking);
    assert_eq!(html::page(&report, None, &about()).matches(">fails the check<").count(), 0);
}

/// The relative luminance of `#rrggbb`, as WCAG has it.
fn luminance(colour: &str) -> f64 {
    let part = |at: usize| {
        let value = u8::from_str_radix(&colour[at..at + 2], 16).expect("hexadecimal digits");
        let value = f64::from(value) / 255.0;
        if value <= 0.03928 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn every_text_can_be_read_in_both_schemes() {
    let style = include_str!("../../src/render/html/page.css");
    let (light, rest) = style.split_once("prefers-color-scheme: dark").expect("a dark scheme");
    let dark = rest.split_once("* {").expect("rules behind the colours").0;
    let colours = |text: &str| -> BTreeMap<String, String> {
        text.split(['{', ';', '}'])
            .filter_map(|rule| rule.trim().strip_prefix("--")?.split_once(": "))
            .filter(|(_, value)| value.len() == 7 && value.starts_with('#'))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    let light = colours(light);
    let mut both = light.clone();
    both.extend(colours(dark));
    let mut weak = String::new();
    let mut pairs: Vec<(String, &str)> = Vec::new();
    for back in ["back", "card"] {
        for ink in ["text", "soft", "link", "ink-new", "ink-gone", "ink-unknown", "ink-high"] {
            pairs.push((ink.to_owned(), back));
        }
    }
    for back in ["critical", "high", "medium", "low", "info", "calm", "unknown"] {
        pairs.push(("on".into(), back));
    }
    pairs.extend([("text".into(), "new"), ("text".into(), "gone")]);
    for (scheme, colours) in [("light", &light), ("dark", &both)] {
        for (ink, back) in &pairs {
            let ratio = contrast(&colours[ink], &colours[*back]);
            if ratio < 4.5 {
                writeln!(weak, "{scheme}: {ink} on {back} has {ratio:.2}").expect("a string");
            }
        }
    }
    assert!(weak.is_empty(), "{weak}");
}
