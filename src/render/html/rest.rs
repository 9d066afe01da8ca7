//! What a reviewer asks for last: edits without effect, reach, connections, where objects came from, how to run it.

use super::fit::{fit, share};
use super::write::{self, Writer};
use super::{fold, more};
use crate::render::words;
use crate::report::ports;
use crate::report::{Change, Environment, Inventory, PortRange, Report};
use maud::{Markup, html};

fn list<T>(id: &str, summary: &str, items: &[T], item: impl Fn(&T) -> Markup) -> Markup {
    if items.is_empty() {
        return html! {};
    }
    let item = |each: &T| html! { li { (item(each)) } };
    let (shown, rest) = fit(share::OTHER, items, item, item);
    fold(id, summary, &html! { ul.plain { (shown) } (more(rest)) })
}

/// Edits that change no path.
pub fn without_effect(report: &Report) -> Markup {
    let edits = report.environments.iter().flat_map(|each| &each.summary.without_effect);
    let edits: Vec<&String> = edits.collect();
    let summary = "Without effect: edits that change no path";
    list("without-effect", summary, &edits, |edit| write::raw(edit))
}

/// From how many declared workloads each can be reached.
pub fn reach(report: &Report, writer: Writer<'_>) -> Markup {
    let several = words::several(report);
    let all = report.environments.iter();
    let all: Vec<(&Environment, &str, String)> = all
        .flat_map(|each| {
            let reach = words::reach(&each.summary).into_iter();
            reach.map(move |(workload, figures)| (each, workload, figures))
        })
        .collect();
    let summary = "Reach: from how many declared workloads, on any port";
    list("reach", summary, &all, |(environment, workload, figures)| {
        html! {
            (write::name(workload))
            @if several { " in " (writer.phrase(&words::environment(environment))) }
            ": " (figures)
        }
    })
}

/// The concrete table, where it was asked for.
pub fn connections(report: &Report) -> Markup {
    let tables = report.environments.iter().filter_map(|each| each.connections.as_ref());
    let all: Vec<&Change> = tables.flatten().collect();
    let summary = format!("Connections of declared workloads: {} differ", all.len());
    let ports = |ports: &[PortRange]| match ports {
        [] => html! { "nothing" },
        ports => write::name(&ports::words(ports)),
    };
    list("connections", &summary, &all, |change| {
        html! {
            (write::name(&words::endpoint(&change.source)))
            " → "
            (write::name(&words::endpoint(&change.destination)))
            ": " (ports(&change.after)) ", before: " (ports(&change.before))
        }
    })
}

/// What is declared in an inventory.
pub fn inventory(report: &Report) -> Markup {
    list("inventory", "Declared elsewhere", &report.inventory, |source: &Inventory| {
        let [before, behind] = words::inventory(source);
        html! { (words::capital(&before)) (write::name(&source.file)) (behind) }
    })
}

/// One command.
pub fn yourself(report: &Report) -> Markup {
    let mut command = words::command(report);
    let sentence = match words::commits(report) {
        Some([before, after]) => {
            command.insert_str(0, &format!("git fetch origin {before} {after} && "));
            "In a clone of the repository:"
        }
        None => "With both sides as directories:",
    };
    super::section(
        "yourself",
        "Run it yourself",
        &html! {
            p { (sentence) }
            pre.command tabindex="0" { code { (command) } }
        },
    )
}

/// What was read, and by what.
pub fn foot(report: &Report, writer: Writer<'_>) -> Markup {
    html! {
        footer {
            p {
                (report.tool.name) " " (report.tool.version) ", read on both sides together: "
                (words::read(&report.read))
                @if let Some(isolation) = words::isolation(report.isolation) { "; " (isolation) }
            }
            @if let Some(link) = writer.at("") {
                p { a href=(link) { (write::raw(&writer.about.repository)) } }
            }
        }
    }
}
