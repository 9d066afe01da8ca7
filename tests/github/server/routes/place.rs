//! Where a review comment may stand: on lines that the pull request's diff shows, by git itself.

use crate::server::git;
use crate::server::state::{Pull, Repository, ReviewComment};
use serde_json::{Value, json};

/// Lines of one hunk, or a whole file.
#[derive(Debug)]
pub struct Place {
    pub path: String,
    pub line: Option<u64>,
    pub side: Option<String>,
    pub start_line: Option<u64>,
    pub start_side: Option<String>,
    pub diff_hunk: String,
}

/// Why a comment can't stand somewhere: the field, and the rest of GitHub's sentence about it.
#[derive(Debug)]
pub struct Wrong(pub Vec<(&'static str, &'static str)>);

impl Wrong {
    /// The sentence for a whole review, which names no comment.
    pub fn sentence(&self) -> String {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|(field, rest)| {
                let field = field.replace('_', " ");
                format!("Pull request review thread {field} {rest}")
            })
            .collect();
        match parts.as_slice() {
            [one] => one.clone(),
            [one, two] => format!("{one} and {two}"),
            [first @ .., last] => format!("{}, and {last}", first.join(", ")),
            [] => String::new(),
        }
    }

    /// The errors for a single comment.
    pub fn errors(&self) -> Value {
        let of = |(field, rest): &(&str, &str)| {
            let name = format!("pull_request_review_thread.{field}");
            if *field == "diff_hunk" {
                return json!({"resource": "PullRequestReviewComment", "code": "missing_field",
                              "field": name});
            }
            json!({"resource": "PullRequestReviewComment", "code": "custom",
                   "message": format!("{name} {rest}"), "field": name})
        };
        self.0.iter().map(of).collect()
    }
}

const NO_HUNK: (&str, &str) = ("diff_hunk", "can't be blank");

/// Whether a commit is one of the pull request's own.
pub fn own_commit(repository: &Repository, pull: &Pull, commit: &str) -> bool {
    let range = format!("{}..{}", pull.base_sha, pull.head_sha);
    let own = git::output(&repository.path, &["rev-list", &range]).unwrap_or_default();
    own.lines().any(|own| own == commit)
}

/// The hunks of a file of the pull request as it stands at `commit`.
fn hunks(repository: &Repository, pull: &Pull, commit: &str, path: &str) -> Option<Vec<git::Hunk>> {
    let base = git::merge_base(&repository.path, &pull.base_sha, commit)?;
    git::hunks(&repository.path, &base, commit, path)
}

/// Finds the place that a comment names, at `commit`.
pub fn find(
    repository: &Repository,
    pull: &Pull,
    commit: &str,
    comment: &Value,
) -> Result<Place, Wrong> {
    let path = comment["path"].as_str().unwrap_or_default().to_string();
    let Some(hunks) = hunks(repository, pull, commit, &path) else {
        return Err(Wrong(vec![("path", "is invalid"), NO_HUNK]));
    };
    if comment["subject_type"] == "file" {
        let (line, side, start_line, start_side) = (None, None, None, None);
        let diff_hunk = String::new();
        return Ok(Place { path, line, side, start_line, start_side, diff_hunk });
    }
    let side = comment["side"].as_str().unwrap_or("RIGHT").to_string();
    let line = comment["line"].as_u64().unwrap_or(0);
    let first = comment["start_line"].as_u64();
    let first_side = comment["start_side"].as_str().unwrap_or(&side).to_string();
    let mut wrong = Vec::new();
    let hunk = hunks.iter().find(|hunk| hunk.shows(&side, line));
    if hunk.is_none() {
        wrong.push(("line", "must be part of the diff"));
    }
    if let Some(first) = first {
        if first >= line && first_side == side {
            wrong.push(("start_line", "must precede the end line."));
        } else if !hunk.is_some_and(|hunk| hunk.shows(&first_side, first)) {
            wrong.push(("start_line", "must be part of the same hunk as the line."));
        }
    }
    match hunk {
        Some(hunk) if wrong.is_empty() => Ok(Place {
            diff_hunk: hunk.text_until(&side, line),
            path,
            line: Some(line),
            side: Some(side),
            start_line: first,
            start_side: first.map(|_| first_side),
        }),
        Some(_) => Err(Wrong(wrong)),
        None => {
            wrong.push(NO_HUNK);
            Err(Wrong(wrong))
        }
    }
}

/// Whether the pull request's present diff still shows a comment's line with the same text.
pub fn shown(repository: &Repository, pull: &Pull, comment: &ReviewComment) -> bool {
    let (Some(line), Some(side)) = (comment.line, &comment.side) else { return true };
    let text = |hunk: &str| hunk.lines().next_back().map(str::to_string);
    hunks(repository, pull, &pull.head_sha, &comment.path).is_some_and(|hunks| {
        hunks.iter().any(|hunk| {
            hunk.shows(side, line) && text(&hunk.text_until(side, line)) == text(&comment.diff_hunk)
        })
    })
}
