//! Manifests as text -> the model of one side, with what was not understood.
//!
//! Reading never fails: a document that can't be read loses only itself and is said so.

mod assemble;
mod block;
mod built;
mod cidr;
mod de;
mod doc;
mod evidence;
mod file;
mod helm;
mod inventory;
mod json;
mod kinds;
mod kustomize;
mod limits;
mod manifest;
mod meant;
mod names;
mod object;
mod patch;
mod place;
mod policy;
mod relocate;
mod scalar;
mod selector;
mod skip;
mod sniff;
mod split;
mod twice;
mod workload;
mod yaml;

pub use crate::tree::{Affects, Problem, Sort, digest};
pub use inventory::{InventoryRead, TAKEN, UNREAD};
pub use kinds::worth_parsing;
pub use kustomize::{directory, resolve};
pub use manifest::{Field, Node, Unreadable, Value, manifests};
pub use relocate::source_of;
pub use sniff::relevant;

use crate::config::Config;
use crate::model::Cluster;
use crate::tree::{Content, Tree};
use built::Built;
use file::{Assumed, FileRead, Surroundings};
use rayon::prelude::*;
use std::sync::Arc;

/// One side, read.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// What was understood.
    pub cluster: Cluster,
    /// What was not, in the order of files and lines.
    pub problems: Vec<Problem>,
    /// How many documents there were, whatever became of them.
    pub documents: usize,
    /// How many of them are of a kind that plays a part (workloads, namespaces, policies of any kind).
    pub relevant: usize,
    /// What of the cluster comes from an inventory, file by file. The numbers above leave it out.
    pub inventory: Vec<InventoryRead>,
}

/// Reads both sides. A content that both share is parsed once, and the objects in it are the same
/// `Arc`s on both sides.
pub fn parse_both(before: &Tree, after: &Tree, config: &Config) -> (Parsed, Parsed) {
    // The files of `after`, then those of `before` that differ from the one of the same path.
    let mut tasks: Vec<Task<'_>> = after.files.iter().map(|file| task(after, file)).collect();
    let mut before_tasks = Vec::with_capacity(before.files.len());
    let mut common = after.files.iter().enumerate().peekable();
    for file in &before.files {
        while common.peek().is_some_and(|(_, (path, _))| *path < file.0) {
            common.next();
        }
        let task = task(before, file);
        let shared = common
            .peek()
            .map(|(index, _)| *index)
            .filter(|index| tasks.get(*index).is_some_and(|other| other.same(&task)));
        before_tasks.push(shared.unwrap_or(tasks.len()));
        if shared.is_none() {
            tasks.push(task);
        }
    }
    let inventory = inventory::files(before, after);
    let repository = tasks.len();
    tasks.extend(inventory.iter().map(|file| Task {
        path: &file.name,
        content: &file.content,
        surroundings: Surroundings { inventory: true, ..Surroundings::default() },
    }));
    let assumed = Assumed::of(config);
    let read: Vec<Arc<FileRead>> = tasks
        .par_iter()
        .map(|task| file::read_once(task.path, task.content, task.surroundings, &assumed))
        .collect();
    let after_files = read.get(..after.files.len()).unwrap_or_default();
    let before_files: Vec<_> =
        before_tasks.iter().filter_map(|index| read.get(*index).cloned()).collect();
    let built = [Built::of(before, &before_files), Built::of(after, after_files)];
    let [built_before, built_after] = &built;
    let mut parsed_before = assemble::assemble(before, &before_files, built_before);
    let mut parsed_after = assemble::assemble(after, after_files, built_after);
    let [mut gone, mut here] = built::regrouped(built_before, built_after);
    here.extend(built::moved_out(built_before, built_after));
    gone.extend(twice::lost(built_before, built_after));
    if !inventory.is_empty() {
        let files = read.get(repository..).unwrap_or_default().iter().cloned();
        let files: Vec<_> = inventory.into_iter().zip(files).collect();
        let sides = [(&mut parsed_before, built_before), (&mut parsed_after, built_after)];
        inventory::add(sides, &files);
    }
    for (parsed, problems) in [(&mut parsed_before, gone), (&mut parsed_after, here)] {
        parsed.problems.extend(problems);
        parsed.problems.sort();
    }
    (parsed_before, parsed_after)
}

/// A file that is to be parsed.
struct Task<'a> {
    path: &'a Arc<str>,
    content: &'a Content,
    surroundings: Surroundings<'a>,
}

fn task<'a>(tree: &'a Tree, (path, content): (&'a Arc<str>, &'a Content)) -> Task<'a> {
    let rendered = tree.rendered.get(path);
    let surroundings = match rendered {
        // Built text is what it says, whatever it is called.
        Some(_) => Surroundings { rendered, ..Surroundings::default() },
        None => Surroundings {
            in_chart: helm::chart(tree, path).is_some(),
            chart_part: helm::is_part(tree, path),
            inventory: false,
            rendered,
        },
    };
    Task { path, content, surroundings }
}

impl Task<'_> {
    /// True iff parsing the other would give the same.
    fn same(&self, other: &Self) -> bool {
        self.path == other.path
            && self.surroundings == other.surroundings
            && self.content.same(other.content)
    }
}
