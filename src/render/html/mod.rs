//! A page for one review: everything that a report holds, in the order of what a reviewer needs.
//!
//! One file without scripts and without anything that a browser would have to load: it works under the strictest
//! [`csp`]. Reading order: `write` (names, places, links), `fit` (bounds), `head` (verdict and figures), `row`,
//! `finding`, `unread`, `gate`, `picture` (a drawing in SVG), `changes` over `hunks` (what the change does to the
//! files), `rest`.

mod changes;
mod finding;
mod fit;
mod gate;
mod head;
mod hunks;
mod picture;
mod rest;
mod row;
mod unread;
mod write;

use super::markdown::Link;
use super::untrusted;
use super::words::{self, Phrase};
use crate::gate::Gate;
use crate::report::merged::merged;
use crate::report::{Location, Report, Side};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;
use write::Writer;

/// A page is never longer, in bytes. What does not fit is counted.
pub const LIMIT: usize = 2_000_000;

/// How the page looks.
const STYLE: &str = include_str!("page.css");

/// What the page tells besides the report.
#[derive(Clone, Default)]
pub struct About<'a> {
    /// `OWNER/NAME`.
    pub repository: String,
    /// Its address, `https://github.com/OWNER/NAME`. The page links to nothing outside of it, but for the
    /// documentation of rules.
    pub home: String,
    /// The pull request's number; none for a group of a merge queue.
    pub number: Option<u64>,
    /// The pull request's title, as whoever opened it wrote it.
    pub title: Option<String>,
    /// The commit that the head is compared with, in full.
    pub base: String,
    /// The head of the pull request, in full.
    pub head: String,
    /// When the page was made, as it is to be shown.
    pub made: String,
    /// Makes the address of some lines, as in the comment; see [`link_to`]. One that lies outside of `home` is not
    /// used. Without it places are not linked.
    pub link: Option<Link<'a>>,
    /// What the reader has to know about how the report came about; each is a sentence.
    pub notes: Vec<Phrase>,
    /// The files in which causes lie.
    pub changes: Vec<FileChange>,
}

/// A file on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileChange {
    /// Its path, as in [`Location::file`].
    pub path: String,
    /// Its text before; none where it did not exist.
    pub before: Option<String>,
    /// Its text after, whose lines are those of [`Side::After`]; none where it does not exist any more.
    pub after: Option<String>,
}

/// The page as HTML, at most [`LIMIT`] bytes. The same report gives the same bytes.
///
/// Every opened row has an anchor that is `f-` and its fingerprint.
pub fn page(report: &Report, gate: Option<&Gate>, about: &About<'_>) -> String {
    let report = &merged(report);
    let writer = Writer { about };
    let cards = row::cards(report, gate);
    let (opened, shown) = row::opened(&cards, writer);
    // Nothing leads to what is not there.
    let shown = cards.get(..shown).unwrap_or_default();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // The address of the page is a secret of its own: nobody who is linked to gets it.
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { (head::title(report, writer)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (head::head(report, gate, writer))
                main {
                    (opened)
                    (finding::introduced(report, gate, writer))
                    (unread::not_evaluated(&report.not_evaluated, writer))
                    (gate::waivers(gate, shown))
                    (picture::picture(&cards))
                    (row::closed(report, writer))
                    (finding::older(report, writer))
                    (changes::changes(shown, writer))
                    (rest::without_effect(report))
                    (rest::reach(report, writer))
                    (rest::connections(report))
                    (rest::inventory(report))
                    (rest::yourself(report))
                }
                (rest::foot(report, writer))
            }
        }
    };
    page.into_string()
}

/// A page in the same style that says one thing in our own words; it works under the same [`csp`].
pub fn notice(heading: &str, text: &str) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (heading) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { h1 { (heading) } p { (text) } } }
        }
    };
    page.into_string()
}

/// The value of the header `Content-Security-Policy` under which the page works: nothing but its own style. The page
/// also says it itself, but for who may frame it, which only the header can.
pub fn csp() -> &'static str {
    static HEADER: LazyLock<String> =
        LazyLock::new(|| format!("{}; frame-ancestors 'none'", policy()));
    &HEADER
}

fn policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let digest = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
        format!(
            "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        )
    });
    &POLICY
}

/// A [`Link`] for whoever knows no more than a commit for each side: `before` and `after` are addresses such as
/// `https://github.com/OWNER/NAME/blob/SHA`, below which the files lie.
pub fn link_to<'a>(before: &'a str, after: &'a str) -> impl Fn(&Location) -> Option<String> + 'a {
    move |location| {
        let Location { side, file, start_line, end_line } = location;
        let base = if *side == Side::Before { before } else { after };
        let lines = match start_line == end_line {
            true => format!("L{start_line}"),
            false => format!("L{start_line}-L{end_line}"),
        };
        Some(format!("{base}/{}#{lines}", untrusted::uri_path(file)))
    }
}

/// A part of the page under a heading. Nothing of either comes out of manifests.
fn section(id: &str, heading: &str, content: &Markup) -> Markup {
    html! {
        section id=(id) aria-labelledby={ (id) "-heading" } {
            h2 id={ (id) "-heading" } { (heading) }
            (content)
        }
    }
}

/// A part of the page that is folded away. Nothing of the summary comes out of manifests.
fn fold(id: &str, summary: &str, content: &Markup) -> Markup {
    html! {
        details.fold id=(id) {
            summary { h2 { (summary) } }
            (content)
        }
    }
}

/// What stands for items that do not fit.
fn more(rest: usize) -> Markup {
    html! { @if rest > 0 { p.more { "and " (rest) " more: " (words::ELSEWHERE) } } }
}
