//! A review to GitHub, so that the next run that ends finds or leaves exactly one comment, whatever run or
//! fault came in between.
//!
//! GitHub has no compare-and-swap. So each run that sees more than one comment of ours keeps the oldest and
//! deletes the rest, and after it made one it looks again. A POST whose effect is unknown is never repeated
//! before a look at what is there.

use super::action::AppRun;
use super::api::{Api, CheckOutput, CheckRun, IssueComment, ReviewComment};
use super::check::{self, Check, NAME, SUMMARY};
use super::client::{Error, Result};
use super::inline::{self, LineComment};
use super::review::{CommentText, Review, marker};
use std::collections::{BTreeMap, BTreeSet};

/// How often the answer to annotations may be lost.
const LOST: usize = 4;

/// GitHub takes so many annotations in one request.
const BATCH: usize = 50;

/// Who `GITHUB_TOKEN` is, where GitHub does not say.
const ACTIONS: &str = "github-actions[bot]";

/// What became of a review.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The page of the comment.
    pub comment_url: Option<String>,
    /// What could not be told, in sentences without an end.
    pub problems: Vec<String>,
}

/// The comments of a pull request, read once.
#[derive(Debug)]
pub struct Conversation {
    /// Who we are.
    pub me: String,
    /// All of them, oldest first; or why the token can't read them.
    pub comments: std::result::Result<Vec<IssueComment>, String>,
}

/// Reads the comments. That a token may not is no failure.
pub async fn conversation(api: &Api<'_>, number: u64, app: bool) -> Result<Conversation> {
    let comments = match api.comments(number).await {
        Ok(mut comments) => {
            comments.sort_by_key(|comment| comment.id);
            Ok(comments)
        }
        Err(error) if error.is_forbidden() => Err(error.to_string()),
        Err(error) => return Err(error),
    };
    Ok(Conversation { me: viewer(api, app).await?, comments })
}

/// Who the token is, for finding our own comments again: under another name we would write them again. An App is told
/// by GitHub, or it has to ask later.
pub async fn viewer(api: &Api<'_>, app: bool) -> Result<String> {
    match api.viewer().await {
        Ok(Some(login)) => Ok(login),
        Ok(None) | Err(Error::Refused { status: 400..=499, wait: None, .. }) if !app => {
            Ok(ACTIONS.into())
        }
        Ok(None) => {
            let (what, reason) = ("ask who the token is", "GitHub named nobody".to_string());
            Err(Error::Unclear { what, reason })
        }
        Err(error) => Err(error),
    }
}

/// Writes the comment and the comments on lines. What a token may not do is a problem, not a failure: a
/// fork's can only read.
pub async fn tell(
    api: &Api<'_>,
    number: u64,
    head: &str,
    review: &Review,
    talk: &Conversation,
) -> Result<Told> {
    let mut told = Told::default();
    let me = talk.me.as_str();
    match &talk.comments {
        Ok(seen) => match comment(api, number, me, &review.comment, seen).await {
            Ok(url) => told.comment_url = url,
            Err(error) if error.is_forbidden() => told.problems.push(error.to_string()),
            Err(error) => return Err(error),
        },
        Err(unread) => told.problems.push(unread.clone()),
    }
    match lines(api, number, head, me, review).await {
        Ok(()) => {}
        // The comment says all of it, so the review does not depend on these.
        Err(error) => told.problems.push(error.to_string()),
    }
    Ok(told)
}

/// Leaves one comment of ours, the oldest, with the present text; or none where there is nothing to say.
async fn comment(
    api: &Api<'_>,
    number: u64,
    me: &str,
    text: &CommentText,
    seen: &[IssueComment],
) -> Result<Option<String>> {
    if !text.allowed {
        return Ok(None);
    }
    let mut mine = own(seen.to_vec(), me);
    if mine.is_empty() {
        if !text.wanted {
            return Ok(None);
        }
        match api.comment(number, &text.body).await {
            Ok(_) => {}
            Err(error) if error.is_unclear() => {
                // It may be there. If it is not, this is the one repetition.
                if ours(api, number, me).await?.is_empty() {
                    api.comment(number, &text.body).await?;
                }
            }
            Err(error) => return Err(error),
        }
        // Another run may have made one at the same time.
        mine = ours(api, number, me).await?;
    }
    let mut mine = mine.into_iter();
    let Some(kept) = mine.next() else { return Ok(None) };
    for spare in mine {
        api.delete_comment(spare.id).await?;
    }
    let body = text.instead_of(kept.body.as_deref().unwrap_or_default());
    if marker(kept.body.as_deref().unwrap_or_default()) != marker(body) {
        api.edit_comment(kept.id, body).await?;
    }
    Ok(Some(kept.html_url))
}

/// Our comments, oldest first: by marker and author, since anybody can write a marker.
async fn ours(api: &Api<'_>, number: u64, me: &str) -> Result<Vec<IssueComment>> {
    Ok(own(api.comments(number).await?, me))
}

fn own(mut mine: Vec<IssueComment>, me: &str) -> Vec<IssueComment> {
    mine.retain(|comment| {
        comment.user.as_ref().is_some_and(|user| user.login == me)
            && comment.body.as_deref().is_some_and(|body| marker(body).is_some())
    });
    mine.sort_by_key(|comment| comment.id);
    mine
}

/// Adds comments on lines for rows that have none yet, and deletes those whose rows are gone and that
/// nobody answered.
async fn lines(api: &Api<'_>, number: u64, head: &str, me: &str, review: &Review) -> Result<()> {
    let all = api.review_comments(number).await?;
    tidy(api, &all, me, review).await?;
    let told = told(&all, me);
    let new = |line: &&LineComment| line.rows.iter().any(|row| !told.contains(row.as_str()));
    let wanted: Vec<&LineComment> = review.lines.iter().filter(new).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let comments: Vec<_> = wanted.iter().map(|line| line.comment.clone()).collect();
    match api.review(number, head, &comments).await {
        Ok(()) => {}
        // GitHub's hunks are not ours: on the files then.
        Err(error) if error.is_unprocessable() => on_files(api, number, head, &wanted).await?,
        Err(error) if error.is_unclear() => {
            let there = api.review_comments(number).await?;
            let there = self::told(&there, me);
            if wanted.iter().flat_map(|line| &line.rows).any(|row| !there.contains(row.as_str())) {
                api.review(number, head, &comments).await?;
            }
        }
        Err(error) => return Err(error),
    }
    // Another run may have made the same at the same time.
    tidy(api, &api.review_comments(number).await?, me, review).await
}

/// Our comments on lines, oldest first, with the rows that they are about.
fn ours_on_lines<'a>(all: &'a [ReviewComment], me: &str) -> Vec<(&'a ReviewComment, Vec<&'a str>)> {
    let mut mine: Vec<(&ReviewComment, Vec<&str>)> = all
        .iter()
        .filter(|comment| comment.user.as_ref().is_some_and(|user| user.login == me))
        .filter_map(|comment| Some((comment, inline::rows_of(&comment.body)?)))
        .collect();
    mine.sort_by_key(|(comment, _)| comment.id);
    mine
}

/// The rows that our comments on lines are about.
fn told<'a>(all: &'a [ReviewComment], me: &str) -> BTreeSet<&'a str> {
    ours_on_lines(all, me).into_iter().flat_map(|(_, rows)| rows).collect()
}

/// Deletes our comments whose rows are gone, and those that are there twice, unless somebody answered.
async fn tidy(api: &Api<'_>, all: &[ReviewComment], me: &str, review: &Review) -> Result<()> {
    let answered: BTreeSet<u64> = all.iter().filter_map(|comment| comment.in_reply_to_id).collect();
    let mut seen = BTreeSet::new();
    for (comment, rows) in ours_on_lines(all, me) {
        let stale = rows.iter().all(|row| review.opened.iter().all(|opened| opened != row));
        let twice = !seen.insert((inline::marker(&comment.body), comment.path.as_str()));
        if (stale || twice) && !answered.contains(&comment.id) {
            api.delete_review_comment(comment.id).await?;
        }
    }
    Ok(())
}

/// One comment a file. Where GitHub does not take that either, the comment on the whole has it all.
async fn on_files(api: &Api<'_>, number: u64, head: &str, wanted: &[&LineComment]) -> Result<()> {
    let files: BTreeSet<&str> = wanted.iter().map(|line| line.comment.path.as_str()).collect();
    for file in files {
        let here = wanted.iter().filter(|line| line.comment.path == file);
        let bodies: Vec<&str> = here
            .clone()
            .filter_map(|line| line.comment.body.split(inline::MARKER).next())
            .collect();
        let rows: Vec<&str> = here.flat_map(|line| &line.rows).map(String::as_str).collect();
        let body = format!("{}\n{}{} -->\n", bodies.join("\n"), inline::MARKER, rows.join(" "));
        match api.file_comment(number, head, file, &body).await {
            Err(error) if !error.is_unprocessable() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// A check run that was begun, or what stands in for one.
#[derive(Debug)]
pub enum Begun {
    /// A check run, and how many of its annotations are there.
    Run { id: u64, annotations: usize },
    /// The token can't write checks: a commit status in the end.
    Status,
}

impl Begun {
    fn of(run: &CheckRun) -> Self {
        Self::Run { id: run.id, annotations: run.annotations() }
    }
}

/// Begins the check run of a commit. `external_id` names this run, so that it is found again where the
/// answer was lost. `app`: nothing stands in for a check; an App may write checks, or has to be told so.
pub async fn begin(api: &Api<'_>, commit: &str, external_id: &str, app: bool) -> Result<Begun> {
    for last in [false, true] {
        match api.begin_check(commit, NAME, external_id).await {
            Ok(run) => return Ok(Begun::of(&run)),
            Err(error) if error.is_forbidden() && !app => return Ok(Begun::Status),
            Err(error) if error.is_unclear() => {
                let runs = api.check_runs(commit, NAME).await?;
                let same = |id: &Option<String>| id.as_deref() == Some(external_id);
                if let Some(run) = runs.iter().find(|run| same(&run.external_id)) {
                    return Ok(Begun::of(run));
                }
                if last {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Begun::Status)
}

/// Begins the check run of a commit, or goes on with what an earlier try of the same App began. Nothing: all is done,
/// as this very run was concluded, or the newest about the same is good enough.
pub async fn resume(
    api: &Api<'_>,
    commit: &str,
    external_id: &str,
    app: &AppRun,
) -> Result<Option<Begun>> {
    let subject = external_id.split('#').next().unwrap_or_default();
    let runs = about(api, commit, subject, app.id).await?;
    let own = |run: &CheckRun| run.external_id.as_deref() == Some(external_id);
    if runs.iter().any(|run| own(run) && run.counts()) {
        return Ok(None);
    }
    let newest = runs.last();
    if !app.again && newest.is_some_and(CheckRun::counts) {
        return Ok(None);
    }
    let adopted = newest.filter(|run| !run.is_concluded());
    for other in runs.iter().filter(|run| !run.is_concluded()) {
        if adopted.is_none_or(|adopted| adopted.id != other.id) {
            conclude(api, &Begun::of(other), commit, &check::cancelled()).await?;
        }
    }
    let Some(adopted) = adopted else {
        return begin(api, commit, external_id, true).await.map(Some);
    };
    if !own(adopted) {
        api.rename_check(adopted.id, external_id).await?;
    }
    Ok(Some(Begun::of(adopted)))
}

/// Concludes what was begun of a commit that is not to be reviewed any more.
pub async fn abandon(api: &Api<'_>, commit: &str, subject: &str, app: i64) -> Result<()> {
    let runs = match about(api, commit, subject, app).await {
        Ok(runs) => runs,
        // A commit that is gone has no checks.
        Err(error) if error.is_forbidden() || error.is_unprocessable() => return Ok(()),
        Err(error) => return Err(error),
    };
    for run in runs.iter().filter(|run| !run.is_concluded()) {
        conclude(api, &Begun::of(run), commit, &check::cancelled()).await?;
    }
    Ok(())
}

/// The check runs of an App about one subject on a commit, oldest first: the newest counts. Another pull request may have
/// the same head, and its check is its own.
async fn about(api: &Api<'_>, commit: &str, subject: &str, app: i64) -> Result<Vec<CheckRun>> {
    let mut runs = api.check_runs(commit, NAME).await?;
    runs.retain(|run| run.subject(app) == Some(subject));
    runs.sort_by_key(|run| run.id);
    Ok(runs)
}

/// Other open pull requests with the same head, by number. GitHub knows checks by commit, so that the newest counts for all
/// of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SameHead {
    /// Their own reviews fail.
    pub failing: Vec<u64>,
    /// They fail for another one's sake.
    pub derived: Vec<u64>,
    /// They do not fail.
    pub passing: Vec<u64>,
}

/// Looks for other pull requests with the head of one.
pub async fn same_head(api: &Api<'_>, commit: &str, own: &str, app: i64) -> Result<SameHead> {
    let mut newest: BTreeMap<u64, &CheckRun> = BTreeMap::new();
    let runs = api.check_runs(commit, NAME).await?;
    for run in &runs {
        let subject = run.subject(app).filter(|subject| *subject != own);
        let Some(number) = subject.and_then(|subject| {
            subject.strip_prefix("pull/")?.rsplit_once('/')?.1.parse::<u64>().ok()
        }) else {
            continue;
        };
        let known = newest.entry(number).or_insert(run);
        if known.id < run.id {
            *known = run;
        }
    }
    let mut found = SameHead::default();
    for (number, run) in newest {
        let pull = match api.pull(number).await {
            Ok(pull) => pull,
            Err(error) if error.is_forbidden() => continue,
            Err(error) => return Err(error),
        };
        if pull.state != "open" || pull.head.sha != commit {
            continue;
        }
        let title = run.output.as_ref().and_then(|output| output.title.as_deref());
        let list = match run.conclusion.as_deref() {
            Some("failure") if title.is_some_and(check::is_shared) => &mut found.derived,
            Some("failure") => &mut found.failing,
            _ => &mut found.passing,
        };
        list.push(number);
    }
    Ok(found)
}

/// Ends a check: with its annotations, in batches. What an earlier try sent is not sent again.
pub async fn conclude(api: &Api<'_>, begun: &Begun, commit: &str, check: &Check) -> Result<()> {
    let Begun::Run { id, annotations: mut there } = *begun else {
        return status(api, commit, check).await;
    };
    let summary = cut(&check.summary, SUMMARY);
    let output = |annotations| CheckOutput { title: &check.title, summary, annotations };
    let details = check.details.as_deref();
    let mut lost = 0;
    loop {
        let rest = check.annotations.get(there..).unwrap_or_default();
        let (batch, last) = match rest.split_at_checked(BATCH) {
            Some((batch, more)) if !more.is_empty() => (batch, false),
            _ => (rest, true),
        };
        let sent = match last {
            false => api.annotate(id, &output(batch)).await,
            true => api.conclude_check(id, check.conclusion, &output(batch), details).await,
        };
        match sent {
            Ok(()) if last => return Ok(()),
            Ok(()) => there += batch.len(),
            // GitHub adds annotations to those that are there, so it is looked whether they arrived.
            Err(error) if error.is_unclear() && !batch.is_empty() && lost < LOST => {
                lost += 1;
                let run = api.check_run(id).await?;
                if last && run.is_concluded() {
                    return Ok(());
                }
                there = run.annotations();
            }
            // Whatever is wrong with an annotation or with the address of the report page, the check ends.
            Err(Error::Refused { status: 422, .. })
                if last && (!batch.is_empty() || details.is_some()) =>
            {
                return api.conclude_check(id, check.conclusion, &output(&[]), None).await;
            }
            Err(error) if last || error.is_forbidden() => return Err(error),
            // Without some annotations the check still has to end.
            Err(_) => there += batch.len(),
        }
    }
}

async fn status(api: &Api<'_>, commit: &str, check: &Check) -> Result<()> {
    let state = match check.conclusion {
        "failure" => "failure",
        "cancelled" => return Ok(()),
        _ => "success",
    };
    // GitHub takes 140 characters.
    let description: String = check.title.chars().take(140).collect();
    api.status(commit, NAME, state, &description).await
}

fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
