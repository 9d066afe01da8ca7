//! What an App asks for with its JSON Web Token, and what installations ask about themselves.

use super::{Call, not_found};
use crate::server::answers;
use crate::server::exchange::Reply;
use crate::server::hooks::Delivery;
use crate::server::installations::{Installation, SUSPENDED};
use crate::server::rights::{Bearer, Kind};
use crate::server::state::State;
use serde_json::{Value, json};

/// The App that asks.
fn app(call: &Call<'_>) -> Result<u64, Reply> {
    match call.bearer {
        Bearer::App(id) => Ok(*id),
        Bearer::Refused(status, message) => Err(Reply::error(*status, message)),
        _ => Err(Reply::error(401, "A JSON web token could not be decoded")),
    }
}

/// An installation of the App that asks.
fn own(state: &State, app: u64, id: &str) -> Result<Installation, Reply> {
    let id: u64 = id.parse().map_err(|_| not_found())?;
    let known = state.installations.get(&id).filter(|installation| installation.app == app);
    known.cloned().ok_or_else(not_found)
}

/// A delivery to the App that asks.
fn delivery<'a>(state: &'a State, app: u64, id: &str) -> Result<&'a Delivery, Reply> {
    let id: u64 = id.parse().map_err(|_| not_found())?;
    let known = state.deliveries.iter().find(|delivery| delivery.id == id && delivery.app == app);
    known.ok_or_else(not_found)
}

/// All routes below `/app`.
pub fn route(state: &mut State, call: &Call<'_>, rest: &[&str]) -> Result<Reply, Reply> {
    let app = app(call)?;
    match (call.method, rest) {
        ("GET", []) => Ok(Reply::json(200, answers::own_app(state, app))),
        ("GET", ["installations"]) => {
            let all = state.installations.values().filter(|installation| installation.app == app);
            Ok(call.list(all.map(|known| answers::installation(state, known)).collect()))
        }
        ("GET", ["installations", id]) => {
            let known = own(state, app, id)?;
            Ok(Reply::json(200, answers::installation(state, &known)))
        }
        ("POST", ["installations", id, "access_tokens"]) => {
            let known = own(state, app, id)?;
            access_token(state, call, &known)
        }
        ("GET", ["hook", "deliveries"]) => deliveries(state, call, app),
        ("GET", ["hook", "deliveries", id]) => {
            let known = delivery(state, app, id)?;
            Ok(Reply::json(200, answers::delivery(&state.url, known, true)))
        }
        ("POST", ["hook", "deliveries", id, "attempts"]) => {
            let outgoing = delivery(state, app, id)?.again();
            state.outbox.push(outgoing);
            Ok(Reply::json(202, json!({})))
        }
        _ => Err(not_found()),
    }
}

/// The repositories that a request for a token names; none where it names none.
fn wished(call: &Call<'_>, known: &Installation) -> Result<Option<Vec<String>>, Reply> {
    let none = Vec::new();
    let list = |field: &str| call.body[field].as_array();
    let (names, ids) = (list("repositories"), list("repository_ids"));
    if names.is_none() && ids.is_none() {
        return Ok(None);
    }
    let short = |full: &str| full.split('/').next_back().map(str::to_string);
    let by_name = names.unwrap_or(&none).iter().map(|name| {
        let name = name.as_str().map(str::to_string);
        known.repositories.iter().find(|full| short(full) == name)
    });
    let by_id = ids
        .unwrap_or(&none)
        .iter()
        .map(|id| known.repositories.iter().find(|full| Some(answers::id_of(full)) == id.as_u64()));
    let found: Option<Vec<&String>> = by_name.chain(by_id).collect();
    let mut found: Vec<String> = found
        .filter(|found| !found.is_empty())
        .ok_or_else(|| {
            Reply::error(
                422,
                "There is at least one repository that does not exist or is not accessible to the \
                 parent installation.",
            )
        })?
        .into_iter()
        .cloned()
        .collect();
    found.sort();
    found.dedup();
    Ok(Some(found))
}

fn access_token(state: &mut State, call: &Call<'_>, known: &Installation) -> Result<Reply, Reply> {
    if known.suspended_at.is_some() {
        return Err(Reply::error(403, SUSPENDED));
    }
    let repositories = wished(call, known)?;
    let permissions = match call.body["permissions"].as_object() {
        None => known.permissions,
        Some(wishes) => known.permissions.narrowed(wishes).ok_or_else(|| {
            Reply::error(422, "The permissions requested are not granted to this installation.")
        })?,
    };
    let mint = state.mint(known, repositories, permissions);
    Ok(Reply::json(201, answers::mint(&state.url, &mint)))
}

/// Newest first; where the next page begins is a secret of the server.
fn deliveries(state: &State, call: &Call<'_>, app: u64) -> Result<Reply, Reply> {
    let size = call.parameter("per_page").and_then(|value| value.parse::<usize>().ok());
    let size = size.filter(|&size| size > 0).unwrap_or(30).min(100);
    let cursor = match call.parameter("cursor") {
        None => u64::MAX,
        Some(text) => {
            let id = text.strip_prefix("v1_").and_then(|id| u64::from_str_radix(id, 36).ok());
            id.ok_or_else(|| Reply::error(422, "Invalid cursor"))?
        }
    };
    let status = call.parameter("status");
    let wanted = |known: &&Delivery| match status.as_deref() {
        Some("success") => known.succeeded(),
        Some("failure") => !known.succeeded(),
        _ => true,
    };
    let all = state.deliveries.iter();
    let mut all: Vec<&Delivery> =
        all.filter(|known| known.app == app && known.id < cursor).filter(wanted).collect();
    all.sort_by_key(|known| std::cmp::Reverse(known.id));
    let shown = &all[..all.len().min(size)];
    let value = shown.iter().map(|known| answers::delivery(&state.url, known, false));
    let reply = Reply::json(200, Value::Array(value.collect()));
    match shown.last().filter(|_| all.len() > size) {
        None => Ok(reply),
        Some(last) => {
            let rest = super::parameters(call.query);
            let rest = rest.iter().filter(|(name, _)| name != "cursor");
            let rest: String = rest.map(|(name, value)| format!("&{name}={value}")).collect();
            let base = format!("http://{}{}{}", call.host, call.prefix, call.path);
            let next = format!("<{base}?cursor=v1_{}{rest}>; rel=\"next\"", base36(last.id));
            Ok(reply.with("link", next))
        }
    }
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    while number > 0 {
        digits.push(char::from_digit(u32::try_from(number % 36).unwrap_or(0), 36).unwrap_or('0'));
        number /= 36;
    }
    digits.iter().rev().collect()
}

/// The repositories that an installation's token shows.
pub fn repositories(state: &mut State, call: &Call<'_>) -> Result<Reply, Reply> {
    let token = match call.bearer {
        Bearer::App(_) => None,
        _ => Some(call.token()?),
    };
    let token = token.filter(|token| token.kind != Kind::Personal).ok_or_else(|| {
        let message = "You must authenticate with an installation access token in order to list \
                       repositories for an installation.";
        Reply::error(403, message)
    })?;
    let all = state.repositories.keys().filter(|name| token.sees(name));
    let all: Vec<Value> = all.map(|name| answers::installed_repository(&state.url, name)).collect();
    let total = all.len();
    let (shown, link) = call.page(all);
    let value =
        json!({"total_count": total, "repository_selection": "selected", "repositories": shown});
    let reply = Reply::json(200, value);
    Ok(match link {
        Some(link) => reply.with("link", link),
        None => reply,
    })
}
