//! The report page of a review: what it is made of, and who keeps it.

use super::review::{Facts, url};
use crate::render::html::{self, About, FileChange};
use crate::render::words::{Phrase, Piece};
use crate::report::{Location, Report};
use crate::source::Pair;
use crate::tree::{Content, Files};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

/// The most files whose differences are given to a page, and the most bytes of these, both sides together. Manifests that
/// people read are far smaller.
const MOST: (usize, usize) = (200, 8 << 20);

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
    let (changes, left_out) = changes(facts.report, pair, MOST);
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
fn changes(
    report: &Report,
    pair: &Pair,
    (most, bytes): (usize, usize),
) -> (Vec<FileChange>, usize) {
    let environments = &report.environments;
    let opened = environments.iter().flat_map(|each| &each.opened);
    let closed = environments.iter().flat_map(|each| &each.closed);
    let mut seen = BTreeSet::new();
    let (before, after) = (pair.before.files(), pair.after.files());
    let (mut changes, mut left, mut left_out) = (Vec::new(), bytes, 0);
    for rows in [opened.collect::<Vec<_>>(), closed.collect()] {
        let causes = rows.iter().flat_map(|row| &row.causes);
        let files: BTreeSet<&str> = causes.map(|cause| cause.location.file.as_str()).collect();
        for file in files.into_iter().filter(|file| seen.insert(file.to_string())) {
            let (old, new) = (before.read(file), after.read(file));
            let bytes =
                |content: &Option<Content>| content.as_ref().map_or(0, |one| one.bytes().len());
            let size = bytes(&old) + bytes(&new);
            if changes.len() >= most || size > left {
                left_out += 1;
                continue;
            }
            left -= size;
            let text = |content: Content| String::from_utf8_lossy(content.bytes()).into_owned();
            let (before, after) = (old.map(text), new.map(text));
            changes.push(FileChange { path: file.to_string(), before, after });
        }
    }
    (changes, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// Two namespaces that were closed, and one of them is opened; in the other what was open is closed.
    fn pair() -> Pair {
        let policy = |namespace: &str, open: bool| {
            let rule = if open { "[{}]" } else { "[]" };
            let text = format!(
                "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: all, namespace: {namespace}}}\n\
                 spec: {{podSelector: {{}}, policyTypes: [Ingress], ingress: {rule}}}\n"
            );
            (format!("{namespace}.yaml").into(), Content::new(text.into_bytes()))
        };
        let mut pair = Pair::default();
        pair.before.tree.files = [policy("a", true), policy("b", false), policy("c", true)].into();
        pair.after.tree.files = [policy("a", false), policy("b", true), policy("c", true)].into();
        pair
    }

    #[test]
    fn files_of_what_opens_come_first_and_both_sides_are_there() {
        let pair = pair();
        let report = crate::review(&pair.before.tree, &pair.after.tree, &Config::default());
        let paths = |most| {
            let (changes, left_out) = changes(&report, &pair, most);
            let paths = changes.into_iter().map(|change| {
                assert!(change.before.is_some() && change.after.is_some(), "{change:?}");
                change.path
            });
            (paths.collect::<Vec<_>>(), left_out)
        };
        let all = vec!["b.yaml".to_string(), "a.yaml".to_string()];
        assert_eq!(paths(MOST), (all.clone(), 0));
        assert_eq!(paths((1, usize::MAX)), (all[..1].to_vec(), 1));
        assert_eq!(paths((9, 400)), (all[..1].to_vec(), 1));
        assert_eq!(paths((9, 10)), (vec![], 2));
    }
}
