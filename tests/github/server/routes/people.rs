//! Who may do what in a repository, who is in a team, and reactions to comments.

use super::{Call, not_found};
use crate::server::answers;
use crate::server::exchange::Reply;
use crate::server::rights::Access;
use crate::server::state::{Reaction, State};
use serde_json::json;

/// The role of somebody in a repository. Whoever was given none may read, as in a public repository.
pub fn permission(
    state: &mut State,
    call: &Call<'_>,
    name: &str,
    login: &str,
) -> Result<Reply, Reply> {
    call.may(Access::Read, &[|p| p.metadata])?;
    let role = state.repositories[name].roles.get(login).map_or("read", String::as_str);
    Ok(Reply::json(200, answers::collaborator(&state.url, login, role)))
}

/// Whether somebody is in a team of an organisation.
pub fn membership(
    state: &mut State,
    call: &Call<'_>,
    organisation: &str,
    team: &str,
    login: &str,
) -> Result<Reply, Reply> {
    call.may(Access::Read, &[|p| p.members])?;
    // An installation sees the organisation that it is in.
    let installation = call.token()?.installation.and_then(|id| state.installations.get(&id));
    if installation.is_some_and(|installation| installation.account != organisation) {
        return Err(not_found());
    }
    let team = format!("{organisation}/{team}");
    let members = state.teams.get(&team);
    let maintains = members.and_then(|members| members.get(login)).ok_or_else(not_found)?;
    let role = if *maintains { "maintainer" } else { "member" };
    let value = json!({
        "url": format!("{}{}", state.url, call.path), "role": role, "state": "active",
    });
    Ok(Reply::json(200, value))
}

/// Reacts to a comment; the same reaction again changes nothing.
pub fn react(state: &mut State, call: &Call<'_>, name: &str, id: u64) -> Result<Reply, Reply> {
    let login = call.may(Access::Write, &[|p| p.issues, |p| p.pull_requests])?;
    let repository = &state.repositories[name];
    repository.comments.iter().find(|comment| comment.id == id).ok_or_else(not_found)?;
    let content = call.text("content").unwrap_or_default();
    let same =
        |known: &&Reaction| known.comment == id && known.login == login && known.content == content;
    if let Some(known) = repository.reactions.iter().find(same) {
        return Ok(Reply::json(200, answers::reaction(&state.url, known)));
    }
    let (own, created_at) = state.next();
    let reaction = Reaction { id: own, comment: id, login, content, created_at };
    let value = answers::reaction(&state.url, &reaction);
    state.repository(name).reactions.push(reaction);
    Ok(Reply::json(201, value))
}
