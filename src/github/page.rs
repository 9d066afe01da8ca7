//! The report page of a review: what it is made of, and who keeps it.

use super::review::{Facts, url};
use crate::render::html::{self, About, FileChange};
use crate::render::words::{Phrase, Piece};
use crate::report::Location;
use crate::source::Pair;
use crate::tree::Tree;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

/// The most files whose differences are given to a page.
const FILES: usize = 200;

/// The most bytes of these files, both sides together. Manifests that people read are far smaller.
const BYTES: usize = 8 << 20;

/// Keeps the pages of one subject: a pull request, or a group of a merge queue.
pub trait Pages: Debug + Send + Sync {
    /// Keeps the page of the review of a head, in place of an older one of the same head. Gives its address, or
    /// nothing where it could not be kept: of that the keeper tells, and the review does without.
    fn keep<'a>(&'a self, head: &'a str, page: String) -> Kept<'a>;
}

/// The address of a page, once it is kept.
pub type Kept<'a> = Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>>;

/// What a page tells that neither the report nor the commits do.
#[derive(Clone, Debug)]
pub struct Cover {
    /// `OWNER/NAME`.
    pub repository: String,
    /// The pull request's number; none for a group of a merge queue.
    pub number: Option<u64>,
    /// The pull request's title.
    pub title: Option<String>,
    /// When the page is made, as it is shown.
    pub made: String,
}

/// The page of a review as HTML. Nothing, should making it fail: the review is worth more than its page.
pub fn page(facts: &Facts<'_>, pair: &Pair, cover: Cover) -> Option<String> {
    let (changes, left_out) = changes(facts, pair);
    let mut notes = facts.notes.to_vec();
    if left_out > 0 {
        notes.push(not_shown(left_out));
    }
    let link = |location: &Location| url(facts, location);
    let about = About {
        repository: cover.repository,
        home: facts.home.to_string(),
        number: cover.number,
        title: cover.title,
        base: facts.commits.before.clone(),
        head: facts.commits.head.clone(),
        made: cover.made,
        link: Some(&link),
        notes,
        changes,
    };
    catch_unwind(AssertUnwindSafe(|| html::page(facts.report, Some(facts.gate), &about))).ok()
}

fn not_shown(files: usize) -> Phrase {
    vec![
        Piece::Words("Files whose differences are too long to be shown here: "),
        Piece::Count(files),
        Piece::Words("."),
    ]
}

/// The files in which causes lie, those of what opens first; and how many had no room.
fn changes(facts: &Facts<'_>, pair: &Pair) -> (Vec<FileChange>, usize) {
    let environments = &facts.report.environments;
    let opened = environments.iter().flat_map(|each| &each.opened);
    let closed = environments.iter().flat_map(|each| &each.closed);
    let mut seen = BTreeSet::new();
    let (mut changes, mut left, mut left_out) = (Vec::new(), BYTES, 0);
    for rows in [opened.collect::<Vec<_>>(), closed.collect()] {
        let causes = rows.iter().flat_map(|row| &row.causes);
        let files: BTreeSet<&str> = causes.map(|cause| cause.location.file.as_str()).collect();
        for file in files.into_iter().filter(|file| seen.insert(file.to_string())) {
            let [before, after] =
                [&pair.before.tree, &pair.after.tree].map(|tree| bytes(tree, file));
            if before == after {
                continue;
            }
            let size = before.map_or(0, <[u8]>::len) + after.map_or(0, <[u8]>::len);
            if changes.len() >= FILES || size > left {
                left_out += 1;
                continue;
            }
            left -= size;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let (before, after) = (before.map(text), after.map(text));
            changes.push(FileChange { path: file.to_string(), before, after });
        }
    }
    (changes, left_out)
}

fn bytes<'t>(tree: &'t Tree, file: &str) -> Option<&'t [u8]> {
    tree.files.get(file).map(|content| content.bytes())
}
