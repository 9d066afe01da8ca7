//! Pull requests and comparisons.

use super::{Call, not_found};
use crate::server::answers;
use crate::server::exchange::Reply;
use crate::server::git;
use crate::server::rights::Access;
use crate::server::state::{Pull, State};
use serde_json::{Value, json};
use std::path::Path;

/// GitHub's limit for the files of a pull request.
const MOST_FILES: usize = 3000;

pub fn list(state: &mut State, call: &Call<'_>, name: &str) -> Result<Reply, Reply> {
    call.may(Access::Read, &[|p| p.pull_requests])?;
    let repository = &state.repositories[name];
    let wanted = call.parameter("state").unwrap_or_else(|| "open".into());
    let (head, base) = (call.parameter("head"), call.parameter("base"));
    let owner = |full: &str| full.split('/').next().unwrap_or_default().to_string();
    let pulls = repository.pulls.values().rev().filter(|pull| {
        let state = if pull.closed { "closed" } else { "open" };
        let from = owner(pull.fork.as_deref().unwrap_or(name));
        (wanted == "all" || wanted == state)
            && head.as_ref().is_none_or(|head| *head == format!("{from}:{}", pull.head))
            && base.as_ref().is_none_or(|base| *base == pull.base)
    });
    let pulls = pulls.map(|pull| answers::pull(&state.url, repository, pull, false)).collect();
    Ok(call.list(pulls))
}

pub fn get(state: &mut State, call: &Call<'_>, name: &str, number: u64) -> Result<Reply, Reply> {
    call.may(Access::Read, &[|p| p.pull_requests])?;
    let repository = &state.repositories[name];
    let pull = repository.pulls.get(&number).ok_or_else(not_found)?;
    Ok(Reply::json(200, answers::pull(&state.url, repository, pull, true)))
}

fn commit(state: &State, name: &str, path: &Path, sha: &str) -> Option<Value> {
    let shown = git::output(path, &["show", "-s", "--format=%P%n%T%n%s", sha])?;
    let mut lines = shown.split('\n');
    let parts = [sha, lines.next()?, lines.next()?, lines.next()?];
    Some(answers::commit(&state.url, name, parts))
}

/// `BASE...HEAD`, each a branch or a commit, with or without `OWNER:`.
pub fn compare(
    state: &mut State,
    call: &Call<'_>,
    name: &str,
    range: &str,
) -> Result<Reply, Reply> {
    call.may(Access::Read, &[|p| p.contents])?;
    let path = &state.repositories[name].path;
    let resolve = |side: &str| {
        let side = side.split_once(':').map_or(side, |(_, branch)| branch);
        git::commit(path, &format!("refs/heads/{side}")).or_else(|| git::commit(path, side))
    };
    let compared = || {
        let (base, head) = range.split_once("...")?;
        let (base, head) = (resolve(base)?, resolve(head)?);
        let parted = git::merge_base(path, &base, &head)?;
        let between = |from: &str, to: &str| {
            let all = git::output(path, &["rev-list", "--reverse", &format!("{from}..{to}")])?;
            Some(all.lines().map(str::to_string).collect::<Vec<_>>())
        };
        let (ahead, behind) = (between(&base, &head)?, between(&head, &base)?.len());
        let status = match (ahead.is_empty(), behind == 0) {
            (true, true) => "identical",
            (false, true) => "ahead",
            (true, false) => "behind",
            (false, false) => "diverged",
        };
        let commits = ahead.iter().take(250).map(|sha| commit(state, name, path, sha));
        let api = format!("{}/repos/{name}/compare/{range}", state.url);
        let html = format!("{}/{name}/compare/{base}...{head}", state.url);
        Some(json!({
            "url": api, "html_url": html, "permalink_url": html,
            "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"),
            "base_commit": commit(state, name, path, &base)?,
            "merge_base_commit": commit(state, name, path, &parted)?,
            "status": status, "ahead_by": ahead.len(), "behind_by": behind,
            "total_commits": ahead.len(), "commits": commits.collect::<Option<Vec<_>>>()?,
        }))
    };
    compared().map(|value| Reply::json(200, value)).ok_or_else(not_found)
}

/// Where a branch is now.
pub fn reference(
    state: &mut State,
    call: &Call<'_>,
    name: &str,
    reference: &str,
) -> Result<Reply, Reply> {
    call.may(Access::Read, &[|p| p.contents])?;
    let path = &state.repositories[name].path;
    let sha = git::commit(path, &format!("refs/{reference}")).ok_or_else(not_found)?;
    let url = format!("{}/repos/{name}/git", state.url);
    Ok(Reply::json(
        200,
        json!({
            "ref": format!("refs/{reference}"), "node_id": "REF_kwDO",
            "url": format!("{url}/refs/{reference}"),
            "object": {"type": "commit", "sha": sha, "url": format!("{url}/commits/{sha}")},
        }),
    ))
}

/// Open pull requests that bring a commit along.
pub fn of_commit(
    state: &mut State,
    call: &Call<'_>,
    name: &str,
    sha: &str,
) -> Result<Reply, Reply> {
    call.may(Access::Read, &[|p| p.pull_requests])?;
    let repository = &state.repositories[name];
    let path = &repository.path;
    let sha = git::commit(path, sha)
        .ok_or_else(|| Reply::error(422, &format!("No commit found for SHA: {sha}")))?;
    let brings = |pull: &&Pull| {
        let range = format!("{}..{}", pull.base_sha, pull.head_sha);
        let own = git::output(path, &["rev-list", &range]).unwrap_or_default();
        !pull.closed && own.lines().any(|own| own == sha)
    };
    let pulls = repository.pulls.values().filter(brings);
    Ok(call.list(pulls.map(|pull| answers::pull(&state.url, repository, pull, false)).collect()))
}

/// The files that a pull request changes, at most as many as GitHub lists.
pub fn files(state: &mut State, call: &Call<'_>, name: &str, number: u64) -> Result<Reply, Reply> {
    call.may(Access::Read, &[|p| p.pull_requests])?;
    let repository = &state.repositories[name];
    let (path, pull) = (&repository.path, repository.pulls.get(&number).ok_or_else(not_found)?);
    let base = git::merge_base(path, &pull.base_sha, &pull.head_sha).ok_or_else(not_found)?;
    let (url, head) = (&state.url, &pull.head_sha);
    let shown = git::changes(path, &base, head).into_iter().take(MOST_FILES).map(|change| {
        let file = &change.path;
        let mut value = json!({
            "sha": change.blob, "filename": file, "status": change.status,
            "additions": change.added, "deletions": change.removed,
            "changes": change.added + change.removed,
            "blob_url": format!("{url}/{name}/blob/{head}/{file}"),
            "raw_url": format!("{url}/{name}/raw/{head}/{file}"),
            "contents_url": format!("{url}/repos/{name}/contents/{file}?ref={head}"),
        });
        if let Some(patch) = change.patch {
            value["patch"] = json!(patch);
        }
        if let Some(before) = change.before {
            value["previous_filename"] = json!(before);
        }
        value
    });
    Ok(call.list(shown.collect()))
}
