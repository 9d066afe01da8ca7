//! Comments in conversations.

use super::{Call, comment_body, not_found, nothing};
use crate::server::answers;
use crate::server::exchange::Reply;
use crate::server::rights::Access;
use crate::server::state::{Comment, State};
use serde_json::Value;

pub fn list(state: &mut State, call: &Call<'_>, name: &str, number: u64) -> Result<Reply, Reply> {
    call.may(Access::Read, &[|p| p.issues, |p| p.pull_requests])?;
    let repository = &state.repositories[name];
    repository.pulls.get(&number).ok_or_else(not_found)?;
    let since = call.parameter("since").unwrap_or_default();
    let comments = repository.comments.iter();
    let comments =
        comments.filter(|comment| comment.number == number && comment.updated_at >= since);
    let comments: Vec<Value> =
        comments.map(|comment| answers::comment(&state.url, name, comment)).collect();
    Ok(call.list(comments))
}

pub fn create(state: &mut State, call: &Call<'_>, name: &str, number: u64) -> Result<Reply, Reply> {
    let login = call.may(Access::Write, &[|p| p.issues, |p| p.pull_requests])?;
    state.repositories[name].pulls.get(&number).ok_or_else(not_found)?;
    let body = comment_body(call)?;
    let (id, now) = state.next();
    let comment = Comment { id, number, login, body, created_at: now.clone(), updated_at: now };
    let value = answers::comment(&state.url, name, &comment);
    state.repository(name).comments.push(comment);
    Ok(Reply::json(201, value))
}

/// `GET`, `PATCH` and `DELETE` of one comment.
pub fn one(state: &mut State, call: &Call<'_>, name: &str, id: u64) -> Result<Reply, Reply> {
    let access = if call.method == "GET" { Access::Read } else { Access::Write };
    call.may(access, &[|p| p.issues, |p| p.pull_requests])?;
    let comments = &state.repositories[name].comments;
    let at = comments.iter().position(|comment| comment.id == id).ok_or_else(not_found)?;
    match call.method {
        "GET" => {}
        "PATCH" => {
            let body = comment_body(call)?;
            let (_, now) = state.next();
            let comment = &mut state.repository(name).comments[at];
            (comment.body, comment.updated_at) = (body, now);
        }
        "DELETE" => {
            state.repository(name).comments.remove(at);
            return Ok(nothing());
        }
        _ => return Err(not_found()),
    }
    let comment = &state.repositories[name].comments[at];
    Ok(Reply::json(200, answers::comment(&state.url, name, comment)))
}
