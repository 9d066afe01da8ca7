//! Check runs and commit statuses.

use super::{Call, not_found};
use crate::server::answers;
use crate::server::exchange::Reply;
use crate::server::git;
use crate::server::rights::{Access, Kind};
use crate::server::state::{CheckRun, State, Status};
use serde_json::{Value, json};

/// What one request may hold.
const MOST_ANNOTATIONS: usize = 50;
const LONGEST_TEXT: usize = 65_535;

fn refused(reason: &str) -> Reply {
    Reply::error(422, &format!("Invalid request.\n\n{reason}"))
}

fn no_commit(sha: &str) -> Reply {
    Reply::error(422, &format!("No commit found for SHA: {sha}"))
}

fn known_commit(state: &State, name: &str, sha: &str) -> bool {
    git::commit(&state.repositories[name].path, sha).is_some_and(|found| found == sha)
}

pub fn list(state: &mut State, call: &Call<'_>, name: &str, commit: &str) -> Result<Reply, Reply> {
    call.may(Access::Read, &[|p| p.checks])?;
    let repository = &state.repositories[name];
    let branch = commit.strip_prefix("heads/").unwrap_or(commit);
    let found = git::commit(&repository.path, &format!("refs/heads/{branch}"))
        .or_else(|| git::commit(&repository.path, commit));
    let sha = found.ok_or_else(|| no_commit(commit))?;
    let (check, status) = (call.parameter("check_name"), call.parameter("status"));
    let app = call.parameter("app_id");
    let mut runs: Vec<&CheckRun> = repository
        .check_runs
        .iter()
        .rev()
        .filter(|run| run.head_sha == sha)
        .filter(|run| app.as_ref().is_none_or(|app| run.app_id.to_string() == *app))
        .filter(|run| check.as_ref().is_none_or(|name| run.name == *name))
        .filter(|run| status.as_ref().is_none_or(|status| run.status == *status))
        .collect();
    if call.parameter("filter").is_none_or(|filter| filter == "latest") {
        // The newest of each app and name is first.
        let mut seen = Vec::new();
        runs.retain(|run| {
            let key = (run.login.clone(), run.name.clone());
            let new = !seen.contains(&key);
            seen.push(key);
            new
        });
    }
    let runs: Vec<Value> =
        runs.iter().map(|run| answers::check_run(&state.url, repository, run)).collect();
    let total = runs.len();
    let (shown, link) = call.page(runs);
    let reply = Reply::json(200, json!({"total_count": total, "check_runs": shown}));
    Ok(match link {
        Some(link) => reply.with("link", link),
        None => reply,
    })
}

/// Takes over what was sent; nothing is changed where it is refused.
fn apply(call: &Call<'_>, run: &mut CheckRun, now: &str) -> Result<(), Reply> {
    let output = &call.body["output"];
    let annotations = output["annotations"].as_array().cloned().unwrap_or_default();
    if annotations.len() > MOST_ANNOTATIONS {
        let sent = annotations.len();
        let limit =
            format!("No more than {MOST_ANNOTATIONS} items are allowed; {sent} were supplied.");
        return Err(refused(&limit));
    }
    for field in ["summary", "text"] {
        let length = output[field].as_str().map_or(0, |text| text.chars().count());
        if length > LONGEST_TEXT {
            let limit =
                format!("Only {LONGEST_TEXT} characters are allowed; {length} were supplied.");
            return Err(refused(&limit));
        }
    }
    if !output.is_null() && output["summary"].as_str().is_none() {
        return Err(refused("\"summary\" wasn't supplied."));
    }
    if call.body["status"] == "completed" && call.text("conclusion").is_none() {
        return Err(refused("\"conclusion\" wasn't supplied."));
    }
    let take = |field: &str, into: &mut Option<String>| {
        if let Some(text) = call.text(field) {
            *into = Some(text);
        }
    };
    take("conclusion", &mut run.conclusion);
    take("external_id", &mut run.external_id);
    take("details_url", &mut run.details_url);
    take("completed_at", &mut run.completed_at);
    run.name = call.text("name").unwrap_or_else(|| run.name.clone());
    run.started_at = call.text("started_at").unwrap_or_else(|| run.started_at.clone());
    run.status = call.text("status").unwrap_or_else(|| run.status.clone());
    if call.body["conclusion"].is_string() {
        run.status = "completed".into();
        run.completed_at.get_or_insert_with(|| now.to_string());
    } else if call.body["status"].is_string() {
        // Opened again: a run that is not completed has no conclusion.
        (run.conclusion, run.completed_at) = (None, None);
    }
    if !output.is_null() {
        let text = |field: &str| output[field].as_str().map(str::to_string);
        run.title = text("title").or(run.title.take());
        run.summary = text("summary");
        run.text = text("text").or(run.text.take());
        run.annotations.extend(annotations);
    }
    Ok(())
}

/// Check runs belong to apps; a workflow's token is one of an app.
fn writer(call: &Call<'_>) -> Result<String, Reply> {
    if call.token()?.kind == Kind::Personal {
        return Err(Reply::error(403, "You must authenticate via a GitHub App."));
    }
    call.may(Access::Write, &[|p| p.checks])
}

pub fn create(state: &mut State, call: &Call<'_>, name: &str) -> Result<Reply, Reply> {
    let login = writer(call)?;
    let head_sha = call.text("head_sha").ok_or_else(|| refused("\"head_sha\" wasn't supplied."))?;
    let check = call.text("name").ok_or_else(|| refused("\"name\" wasn't supplied."))?;
    if !known_commit(state, name, &head_sha) {
        return Err(no_commit(&head_sha));
    }
    let (id, now) = state.next();
    let mut run = CheckRun {
        id,
        login,
        app_id: state.app_id(call.token()?),
        name: check,
        head_sha,
        status: "queued".into(),
        conclusion: None,
        external_id: None,
        details_url: None,
        title: None,
        summary: None,
        text: None,
        annotations: Vec::new(),
        started_at: now.clone(),
        completed_at: None,
    };
    apply(call, &mut run, &now)?;
    state.repository(name).check_runs.push(run);
    answered(state, name, id, 201)
}

fn answered(state: &State, name: &str, id: u64, status: u16) -> Result<Reply, Reply> {
    let repository = &state.repositories[name];
    let run = repository.check_runs.iter().find(|run| run.id == id).ok_or_else(not_found)?;
    Ok(Reply::json(status, answers::check_run(&state.url, repository, run)))
}

pub fn get(state: &mut State, call: &Call<'_>, name: &str, id: u64) -> Result<Reply, Reply> {
    call.may(Access::Read, &[|p| p.checks])?;
    answered(state, name, id, 200)
}

pub fn update(state: &mut State, call: &Call<'_>, name: &str, id: u64) -> Result<Reply, Reply> {
    let login = writer(call)?;
    let (_, now) = state.next();
    let runs = &mut state.repository(name).check_runs;
    let run = runs.iter_mut().find(|run| run.id == id).ok_or_else(not_found)?;
    if run.login != login {
        let app = run.app_id;
        let reason = "check run can only be modified by the GitHub App that created it.";
        return Err(Reply::error(403, &format!("Invalid app_id `{app}` - {reason}")));
    }
    apply(call, run, &now)?;
    answered(state, name, id, 200)
}

pub fn annotations(
    state: &mut State,
    call: &Call<'_>,
    name: &str,
    id: u64,
) -> Result<Reply, Reply> {
    call.may(Access::Read, &[|p| p.checks])?;
    let runs = &state.repositories[name].check_runs;
    let run = runs.iter().find(|run| run.id == id).ok_or_else(not_found)?;
    let sent = run.annotations.iter();
    Ok(call.list(sent.map(|sent| answers::annotation(&state.url, name, run, sent)).collect()))
}

pub fn status(state: &mut State, call: &Call<'_>, name: &str, sha: &str) -> Result<Reply, Reply> {
    let login = call.may(Access::Write, &[|p| p.statuses])?;
    if !known_commit(state, name, sha) {
        return Err(no_commit(sha));
    }
    let description = call.text("description");
    // GitHub refuses what it could not show in a line.
    if description.as_ref().is_some_and(|text| text.chars().count() > 140) {
        let message = "description is too long (maximum is 140 characters)";
        let (resource, code, field) = ("Status", "custom", "description");
        let error = json!({"resource": resource, "code": code, "field": field, "message": message});
        return Err(super::invalid(json!([error])));
    }
    let (id, created_at) = state.next();
    let status = Status {
        id,
        login,
        sha: sha.into(),
        state: call.text("state").unwrap_or_default(),
        context: call.text("context").unwrap_or_else(|| "default".into()),
        description,
        target_url: call.text("target_url"),
        created_at,
    };
    let value = answers::status(&state.url, name, &status);
    state.repository(name).statuses.push(status);
    Ok(Reply::json(201, value))
}
