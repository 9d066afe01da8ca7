//! Answers to GitHub, so that each comment with commands has exactly one, whatever run or fault came in between.

use super::answer::Answer;
use crate::github::api::{Api, IssueComment};
use crate::github::client::Result;
use crate::github::publish::Conversation;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What begins the hidden line by which an answer is found again.
const MARKER: &str = "<!-- netpol-review:answer:v1 comment=";

/// How many answers one run writes. GitHub takes 80 writes a minute; the others are written by the next run.
const MOST: usize = 20;

/// Which comment a body answers.
pub fn command_of(body: &str) -> Option<u64> {
    let digits: String =
        marker(body)?.strip_prefix(MARKER)?.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn marker(body: &str) -> Option<&str> {
    body.lines().rfind(|line| line.starts_with(MARKER))
}

/// The text with its hidden line.
fn marked(answer: &Answer) -> String {
    let digest = Sha256::digest(answer.body.as_bytes()).iter().take(16).fold(
        String::new(),
        |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        },
    );
    let Answer { comment, body } = answer;
    format!("{}\n\n{MARKER}{comment} digest={digest} -->\n", body.trim_end())
}

/// Our answers by the comment that they answer, oldest first: by marker and author.
pub fn ours<'a>(comments: &'a [IssueComment], me: &str) -> BTreeMap<u64, Vec<&'a IssueComment>> {
    let mut ours: BTreeMap<u64, Vec<&IssueComment>> = BTreeMap::new();
    for comment in comments {
        let command = comment.body.as_deref().and_then(command_of);
        let own = comment.user.as_ref().is_some_and(|user| user.login == me);
        if let Some(command) = command.filter(|_| own) {
            ours.entry(command).or_default().push(comment);
        }
    }
    for answers in ours.values_mut() {
        answers.sort_by_key(|answer| answer.id);
    }
    ours
}

/// Leaves one answer for each comment with commands. Gives what could not be told: a fork's token only reads.
pub async fn reply(
    api: &Api<'_>,
    number: u64,
    talk: &Conversation,
    answers: &[Answer],
) -> Result<Option<String>> {
    let Ok(seen) = &talk.comments else { return Ok(None) };
    match write(api, number, &talk.me, seen, answers).await {
        Ok(0) => Ok(None),
        Ok(left) => Ok(Some(format!("{left} comments wait for an answer of the next run"))),
        Err(error) if error.is_forbidden() => Ok(Some(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Gives how many answers are left for another run.
async fn write(
    api: &Api<'_>,
    number: u64,
    me: &str,
    seen: &[IssueComment],
    answers: &[Answer],
) -> Result<usize> {
    let known = ours(seen, me);
    tidy(api, &known, answers).await?;
    let new: Vec<&Answer> =
        answers.iter().filter(|answer| !known.contains_key(&answer.comment)).collect();
    if new.is_empty() {
        return Ok(0);
    }
    for answer in new.iter().take(MOST) {
        let body = marked(answer);
        match api.comment(number, &body).await {
            Ok(_) => {}
            Err(error) if error.is_unclear() => {
                // It may be there. If it is not, this is the one repetition.
                let comments = api.comments(number).await?;
                if !ours(&comments, me).contains_key(&answer.comment) {
                    api.comment(number, &body).await?;
                }
            }
            Err(error) => return Err(error),
        }
    }
    // Another run may have written the same at the same time.
    let comments = api.comments(number).await?;
    tidy(api, &ours(&comments, me), answers).await?;
    Ok(new.len().saturating_sub(MOST))
}

/// Brings answers up to date, and deletes those that are there twice.
async fn tidy(
    api: &Api<'_>,
    known: &BTreeMap<u64, Vec<&IssueComment>>,
    answers: &[Answer],
) -> Result<()> {
    let mut done = BTreeSet::new();
    for answer in answers.iter().filter(|answer| done.insert(answer.comment)) {
        let mut ours = known.get(&answer.comment).into_iter().flatten();
        let Some(kept) = ours.next() else { continue };
        for spare in ours {
            api.delete_comment(spare.id).await?;
        }
        let body = marked(answer);
        if marker(kept.body.as_deref().unwrap_or_default()) != marker(&body) {
            api.edit_comment(kept.id, &body).await?;
        }
    }
    Ok(())
}
