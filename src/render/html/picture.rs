//! A drawing of what opened: sources at the left, destinations at the right, an arrow for each row.
//!
//! Every arrow leaves on a lane of its own, so that no two labels meet. All measures are whole units of the
//! drawing, so the same rows give the same bytes.

use super::row::Card;
use super::section;
use super::write;
use crate::render::mermaid::REPORT_EDGES;
use crate::render::{untrusted, words};
use crate::report::ports;
use maud::{Markup, html};
use std::cmp::Reverse;
use unicode_width::UnicodeWidthChar;

/// The width of a box, and where the right ones begin.
const BOX: usize = 300;
const RIGHT: usize = 600;
/// Between the end of a lane and the box that it leads to.
const BEND: usize = 90;
/// The height of a line of text, and of a lane.
const LINE: usize = 16;
const LANE: usize = 40;
/// Between boxes, and around a box's text.
const GAP: usize = 14;
const PAD: usize = 9;
/// How many columns, and lines, a box holds, and how many columns a label.
const COLUMNS: usize = 38;
const LINES: usize = 4;
const LABEL: usize = 27;

/// One end with everything that leads to it or away from it.
struct Node<'r> {
    text: &'r str,
    lines: Vec<String>,
    /// Indices of arrows.
    arrows: Vec<usize>,
    top: usize,
    height: usize,
}

/// A row as an arrow.
struct Arrow<'c, 'r> {
    card: &'c Card<'r>,
    from: usize,
    to: usize,
    leaves: usize,
    enters: usize,
}

/// The drawing, the most severe rows first; nothing where nothing opened.
pub fn picture(cards: &[Card<'_>]) -> Markup {
    let mut drawn: Vec<&Card<'_>> = cards.iter().collect();
    drawn.sort_by_key(|card| Reverse(card.row.severity));
    let rest = drawn.len().saturating_sub(REPORT_EDGES);
    drawn.truncate(REPORT_EDGES);
    if drawn.is_empty() {
        return html! {};
    }
    let (arrows, left, right) = arrange(&drawn);
    let bottom = |nodes: &[Node<'_>]| nodes.last().map_or(0, |node| node.top + node.height);
    let height = bottom(&left).max(bottom(&right)) + 2;
    let width = RIGHT + BOX + 1;
    let content = html! {
        div.scroll.picture tabindex="0" role="region" aria-labelledby="picture-heading" {
            svg role="img" aria-labelledby="picture-title picture-text"
                viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height) {
                title id="picture-title" { "Sources and destinations of what opened" }
                desc id="picture-text" { (described(&drawn)) }
                @for arrow in &arrows { (draw(arrow)) }
                @for node in &left { (end(node, 1)) }
                @for node in &right { (end(node, RIGHT)) }
            }
        }
        @if rest > 0 { p.more { "and " (rest) " more, not drawn" } }
    };
    section("picture", "Picture of what opened", &content)
}

/// Everything that is drawn, in words.
fn described(cards: &[&Card<'_>]) -> Markup {
    html! {
        @for card in cards {
            (card.number) ", " (card.row.severity.as_str()) ": "
            (write::raw(&card.row.from.text)) " to " (write::raw(&card.row.to.text))
            " on " (write::raw(&ports::words(&card.row.ports))) ". "
        }
    }
}

fn arrange<'c, 'r>(cards: &[&'c Card<'r>]) -> (Vec<Arrow<'c, 'r>>, Vec<Node<'r>>, Vec<Node<'r>>) {
    let mut arrows: Vec<Arrow<'c, 'r>> = Vec::new();
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for (index, card) in cards.iter().enumerate() {
        let row = card.row;
        let from = node(&mut left, &row.from.text, index);
        let to = node(&mut right, &row.to.text, index);
        arrows.push(Arrow { card, from, to, leaves: 0, enters: 0 });
    }
    place(&mut left, LANE);
    for node in &left {
        for (slot, index) in node.arrows.iter().enumerate() {
            if let Some(arrow) = arrows.get_mut(*index) {
                arrow.leaves = slot_of(node, slot);
            }
        }
    }
    // Destinations stand in the order of what leads to them.
    let lanes: Vec<usize> = arrows.iter().map(|arrow| arrow.leaves).collect();
    let lane = |index: &usize| lanes.get(*index).copied().unwrap_or(0);
    let mut order: Vec<usize> = (0..right.len()).collect();
    let middle = |at: &usize| {
        right.get(*at).map_or(0, |node: &Node<'_>| {
            node.arrows.iter().map(lane).sum::<usize>() / node.arrows.len().max(1)
        })
    };
    order.sort_by_key(|at| (middle(at), *at));
    let position = |old: usize| order.iter().position(|at| *at == old).unwrap_or(old);
    for arrow in &mut arrows {
        arrow.to = position(arrow.to);
    }
    let mut sorted: Vec<(usize, Node<'r>)> =
        right.into_iter().enumerate().map(|(old, node)| (position(old), node)).collect();
    sorted.sort_by_key(|(at, _)| *at);
    let mut right: Vec<Node<'r>> = sorted.into_iter().map(|(_, node)| node).collect();
    for node in &mut right {
        node.arrows.sort_by_key(lane);
    }
    place(&mut right, LANE / 2);
    centre(&mut left, &mut right);
    for index in 0..arrows.len() {
        let Some(arrow) = arrows.get_mut(index) else { continue };
        let slot = |nodes: &[Node<'_>], at: usize| {
            let node = nodes.get(at)?;
            let slot = node.arrows.iter().position(|other| *other == index)?;
            Some(slot_of(node, slot))
        };
        arrow.leaves = slot(&left, arrow.from).unwrap_or(0);
        arrow.enters = slot(&right, arrow.to).unwrap_or(0);
    }
    (arrows, left, right)
}

/// The node of this text, with one more arrow.
fn node<'r>(nodes: &mut Vec<Node<'r>>, text: &'r str, arrow: usize) -> usize {
    if let Some(at) = nodes.iter().position(|node| node.text == text) {
        if let Some(node) = nodes.get_mut(at) {
            node.arrows.push(arrow);
        }
        return at;
    }
    let lines = wrap(&untrusted::plain(text), COLUMNS, LINES);
    nodes.push(Node { text, lines, arrows: vec![arrow], top: 0, height: 0 });
    nodes.len() - 1
}

/// One below the other, each high enough for its text and its arrows.
fn place(nodes: &mut [Node<'_>], slot: usize) {
    let mut top = 1;
    for node in nodes {
        node.top = top;
        node.height = (node.lines.len() * LINE + 2 * PAD).max(node.arrows.len() * slot);
        top += node.height + GAP;
    }
}

/// The shorter column in the middle of the longer one.
fn centre<'r>(left: &mut [Node<'r>], right: &mut [Node<'r>]) {
    let bottom = |nodes: &[Node<'_>]| nodes.last().map_or(0, |node| node.top + node.height);
    let (ends_left, ends_right) = (bottom(left), bottom(right));
    let down = ends_left.abs_diff(ends_right) / 2;
    let shorter = if ends_left < ends_right { left } else { right };
    shorter.iter_mut().for_each(|node| node.top += down);
}

fn slot_of(node: &Node<'_>, slot: usize) -> usize {
    node.top + node.height * (2 * slot + 1) / (2 * node.arrows.len().max(1))
}

fn end(node: &Node<'_>, x: usize) -> Markup {
    let text = node.top + (node.height - node.lines.len() * LINE) / 2 + LINE - 4;
    html! {
        g.end {
            title { (write::raw(node.text)) }
            rect x=(x) y=(node.top) width=(BOX - 1) height=(node.height) rx="6" {}
            @for (index, line) in node.lines.iter().enumerate() {
                text x=(x + PAD) y=(text + index * LINE) { (write::raw(line)) }
            }
        }
    }
}

fn draw(arrow: &Arrow<'_, '_>) -> Markup {
    let Arrow { card, leaves, enters, .. } = arrow;
    let row = card.row;
    let words = ports::words(&row.ports);
    let label = wrap(&untrusted::plain(&words), LABEL, 1).concat();
    let below = match (&card.environment, row.assumes) {
        (_, Some(_)) => Some("if ipBlocks match pods".to_string()),
        (Some(environment), None) => Some(words::plain(environment)),
        (None, None) => None,
    };
    let below = below.map(|text| wrap(&untrusted::plain(&text), LABEL, 1).concat());
    let (bend, tip) = (RIGHT - BEND, RIGHT - 2);
    let (first, second) = (bend + BEND / 2, tip - BEND / 2);
    let path =
        format!("M{BOX} {leaves}H{bend}C{first} {leaves} {second} {enters} {} {enters}", tip - 7);
    let head = format!("M{tip} {enters}l-9 -5v10z");
    html! {
        g.arrow.(row.severity.as_str()).conditional[row.assumes.is_some()] {
            title { (card.number) ": " (write::raw(&words)) }
            path.line d=(path) {}
            path.head d=(head) {}
            text x=(BOX + 8) y=(leaves - 5) { tspan.number { (card.number) } " " (write::raw(&label)) }
            @if let Some(below) = below {
                text.below x=(BOX + 8) y=(leaves + 14) { (write::raw(&below)) }
            }
        }
    }
}

/// Breaks a text on spaces and where labels have parts, and within words where it has to, into at most `most` lines of `columns`; an ellipsis
/// stands for the rest.
fn wrap(text: &str, columns: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_inclusive([' ', '/', ',', '=']) {
        if used > 0 && used + width(word.trim_end()) > columns {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        for c in word.chars() {
            let wide = c.width().unwrap_or(1);
            if used + wide > columns && c != ' ' {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            // So long a text shows no more than its beginning.
            if lines.len() > most {
                break;
            }
            line.push(c);
            used += wide;
        }
    }
    lines.push(line);
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            while width(last) + 1 > columns {
                last.pop();
            }
            last.push('…');
        }
    }
    lines.iter().map(|line| line.trim_end().to_string()).collect()
}

fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_broken_and_cut() {
        assert_eq!(wrap("", 5, 2), [""]);
        assert_eq!(wrap("any pod in any namespace", 12, 3), ["any pod in", "any", "namespace"]);
        assert_eq!(wrap("abcdefghij k", 4, 3), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("abcdefghij", 4, 2), ["abcd", "efg…"]);
        assert_eq!(wrap("語語語語", 4, 1), ["語…"]);
        assert_eq!(wrap(&"x".repeat(100_000), 10, 2).concat().chars().count(), 20);
    }
}
