//! Names, phrases, places and links. Whatever comes out of manifests becomes HTML here.

use super::About;
use crate::render::untrusted;
use crate::render::words::{self, Phrase, Piece};
use crate::report::{Location, Side};
use crate::rules::page::PAGES;
use maud::{Markup, PreEscaped, html};

/// How many digits of a commit are shown.
const COMMIT: usize = 7;

/// Text out of manifests, without anything around it.
pub fn raw(text: &str) -> Markup {
    PreEscaped(untrusted::html(text))
}

/// Text out of manifests, set apart from our own words.
pub fn name(text: &str) -> Markup {
    html! {
        @if text.is_empty() { "(empty)" } @else { code { (raw(text)) } }
    }
}

/// What stands between backticks is set apart, where each has its other one.
fn quoted(text: &str, write: impl Fn(&str) -> Markup) -> Markup {
    let paired = text.matches('`').count().is_multiple_of(2);
    html! {
        @if paired {
            @for (index, part) in text.split('`').enumerate() {
                @if index % 2 == 1 { code { (write(part)) } } @else { (write(part)) }
            }
        } @else { (write(text)) }
    }
}

/// Our own words.
fn ours(words: &str) -> Markup {
    quoted(words, |part| html! { (part) })
}

/// Our own words with text out of manifests among them.
pub fn mixed(text: &str) -> Markup {
    quoted(&untrusted::html(text), |part| PreEscaped(part.to_string()))
}

/// What a side is called, to stand before its commit; nothing where the commit says it already.
pub fn name_of_side(side: &str) -> Markup {
    let commit = side.len() >= COMMIT && side.bytes().all(|byte| byte.is_ascii_hexdigit());
    html! { @if !side.is_empty() && !commit { (name(side)) " " } }
}

/// The first names, and how many more there are.
pub fn names(all: &[String], shown: usize, total: usize) -> Markup {
    let shown = shown.min(all.len());
    html! {
        @for (index, each) in all.iter().take(shown).enumerate() {
            @if index > 0 { ", " }
            (name(each))
        }
        @if total > shown { " and " (total - shown) " more" }
    }
}

/// The page of a rule.
pub fn rule(id: &str) -> Markup {
    html! { a href={ (PAGES) "#" (id) } { (id) } }
}

/// Writes what needs to know the pull request.
#[derive(Clone, Copy)]
pub struct Writer<'a> {
    /// The pull request.
    pub about: &'a About<'a>,
}

impl Writer<'_> {
    /// A phrase.
    pub fn phrase(self, phrase: &Phrase) -> Markup {
        html! {
            @for piece in phrase {
                @match piece {
                    Piece::Words(words) => (ours(words)),
                    Piece::Text(text) => (ours(text)),
                    Piece::Count(count) => (count),
                    Piece::Name(text) => (name(text)),
                    Piece::Place(location) => (self.place(location)),
                }
            }
        }
    }

    /// Lines of a file, linked to them.
    pub fn place(self, location: &Location) -> Markup {
        html! {
            (self.linked(location))
            @if location.side == Side::Before { " (before the change)" }
        }
    }

    /// The same, for whoever says the side in other words.
    pub fn linked(self, location: &Location) -> Markup {
        let code = name(&words::place(location));
        let link = self.about.link.and_then(|link| link(location));
        html! {
            @match link.and_then(|link| self.inside(&link)) {
                Some(link) => a href=(link) { (code) },
                None => (code),
            }
        }
    }

    /// A commit of the repository.
    pub fn commit(self, id: &str) -> Markup {
        let short: String = id.chars().take(COMMIT).collect();
        let hex = id.len() > COMMIT && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let link = self.at(&format!("/commit/{id}")).filter(|_| hex);
        html! {
            @match link {
                Some(link) => a href=(link) { (name(&short)) },
                None => (name(&short)),
            }
        }
    }

    /// The address of something of the repository.
    pub fn at(self, path: &str) -> Option<String> {
        self.inside(&format!("{}{path}", self.about.home))
    }

    /// The address, if it lies inside of the repository.
    fn inside(self, address: &str) -> Option<String> {
        let home = &self.about.home;
        let rest = address.strip_prefix(home.as_str()).filter(|_| !home.is_empty())?;
        let inside = rest.is_empty() || (rest.starts_with('/') && !rest.contains("/../"));
        untrusted::link_target(address).filter(|_| inside)
    }
}
