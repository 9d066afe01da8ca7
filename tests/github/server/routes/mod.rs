//! From a request to a route, and what all routes need: rights, pages, refusals.

mod apps;
mod checks;
mod comments;
mod people;
mod place;
mod pulls;
mod reviews;

use super::answers;
use super::exchange::{Content, Reply, Shared};
use super::git;
use super::rights::{Access, Bearer, Kind, Permissions, Token};
use super::state::{Pull, State};
use axum::body::Bytes;
use serde_json::{Value, json};

/// GitHub's limit for the body of any comment or review, in characters.
const LONGEST_BODY: usize = 65_536;

/// A request on its way to its route.
#[derive(Debug)]
pub struct Call<'a> {
    pub method: &'a str,
    /// Without the prefix.
    pub path: &'a str,
    /// `/api/v3` or nothing.
    pub prefix: &'a str,
    pub query: &'a str,
    pub host: &'a str,
    /// The JSON that was sent; null where there is none.
    pub body: &'a Value,
    pub bearer: &'a Bearer,
}

impl Call<'_> {
    fn token(&self) -> Result<&Token, Reply> {
        match self.bearer {
            Bearer::Token(token) => Ok(token),
            Bearer::Refused(status, message) => Err(Reply::error(*status, message)),
            Bearer::Unknown | Bearer::App(_) => Err(Reply::error(401, "Bad credentials")),
        }
    }

    /// The sender's login, if one of these permissions goes far enough.
    fn may(&self, access: Access, which: &[fn(&Permissions) -> Access]) -> Result<String, Reply> {
        let token = self.token()?;
        if which.iter().any(|permission| permission(&token.permissions) >= access) {
            return Ok(token.login.clone());
        }
        Err(Reply::error(403, "Resource not accessible by integration"))
    }

    fn text(&self, field: &str) -> Option<String> {
        self.body[field].as_str().map(str::to_string)
    }

    fn parameter(&self, name: &str) -> Option<String> {
        parameters(self.query).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The part of a list that was asked for, and its `Link` to the rest.
    fn page(&self, all: Vec<Value>) -> (Vec<Value>, Option<String>) {
        let number = |name| self.parameter(name).and_then(|value| value.parse::<usize>().ok());
        let size = number("per_page").filter(|&size| size > 0).unwrap_or(30).min(100);
        let page = number("page").unwrap_or(1).max(1);
        let last = all.len().div_ceil(size).max(1);
        let rest = parameters(self.query);
        let rest = rest.iter().filter(|(name, _)| name != "page");
        let rest: String = rest.map(|(name, value)| format!("{name}={value}&")).collect();
        let base = format!("http://{}{}{}", self.host, self.prefix, self.path);
        let link = |page: usize, name: &str| format!("<{base}?{rest}page={page}>; rel=\"{name}\"");
        let mut links = Vec::new();
        if page > 1 {
            links.extend([link(page - 1, "prev"), link(1, "first")]);
        }
        if page < last {
            links.extend([link(page + 1, "next"), link(last, "last")]);
        }
        let shown = all.into_iter().skip((page - 1) * size).take(size).collect();
        (shown, (!links.is_empty()).then(|| links.join(", ")))
    }

    fn list(&self, all: Vec<Value>) -> Reply {
        let (shown, link) = self.page(all);
        let reply = Reply::json(200, shown.into());
        match link {
            Some(link) => reply.with("link", link),
            None => reply,
        }
    }
}

/// The parameters of a query, decoded.
pub fn parameters(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
        })
        .collect()
}

/// Percent-encoding undone.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn not_found() -> Reply {
    Reply::error(404, "Not Found")
}

fn nothing() -> Reply {
    Reply { status: 204, headers: Vec::new(), content: Content::Nothing }
}

/// 422 with errors as objects (`resource`, `code`, `field`, `message`).
fn invalid(errors: Value) -> Reply {
    let mut reply = Reply::error(422, "Validation Failed");
    if let Content::Json(value) = &mut reply.content {
        value["errors"] = errors;
    }
    reply
}

/// The body of a comment, which has to be there and not too long.
fn comment_body(call: &Call<'_>) -> Result<String, Reply> {
    let body = call.text("body").unwrap_or_default();
    let wrong = |message: &str| {
        let (resource, code) = ("IssueComment", "unprocessable");
        let error =
            json!({"resource": resource, "code": code, "field": "data", "message": message});
        Err(invalid(json!([error])))
    };
    if body.trim().is_empty() {
        return wrong("Body cannot be blank");
    }
    if body.chars().count() > LONGEST_BODY {
        return wrong(&format!("Body is too long (maximum is {LONGEST_BODY} characters)"));
    }
    Ok(body)
}

/// Answers a request to the API.
pub fn answer(state: &mut State, call: &Call<'_>) -> Reply {
    route(state, call).unwrap_or_else(|refused| refused)
}

fn route(state: &mut State, call: &Call<'_>) -> Result<Reply, Reply> {
    let segments: Vec<String> = call.path.split('/').skip(1).map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (call.method, segments.as_slice()) {
        (_, ["app", rest @ ..]) => return apps::route(state, call, rest),
        ("GET", ["installation", "repositories"]) => return apps::repositories(state, call),
        _ => {}
    }
    let token = call.token()?;
    let (name, rest) = match (call.method, segments.as_slice()) {
        ("GET", ["rate_limit"]) => return Ok(Reply::json(200, answers::rate_limit())),
        ("GET", ["user"]) if token.kind == Kind::Personal => {
            return Ok(Reply::json(200, answers::myself(&state.url, &token.login)));
        }
        ("GET", ["user"]) => {
            return Err(Reply::error(403, "Resource not accessible by integration"));
        }
        ("POST", ["graphql"]) => return Ok(graphql(state, call, token)),
        ("GET", ["orgs", organisation, "teams", team, "memberships", login]) => {
            return people::membership(state, call, organisation, team, login);
        }
        (_, ["repos", owner, name, rest @ ..]) => (format!("{owner}/{name}"), rest),
        _ => return Err(not_found()),
    };
    if !state.repositories.contains_key(&name) || !token.sees(&name) {
        return Err(not_found());
    }
    let id = |text: &str| text.parse::<u64>().map_err(|_| not_found());
    match (call.method, rest) {
        ("GET", []) => {
            call.may(Access::Read, &[|p| p.metadata])?;
            Ok(Reply::json(200, answers::whole_repository(&state.url, &name)))
        }
        ("GET", ["collaborators", login, "permission"]) => {
            people::permission(state, call, &name, login)
        }
        ("GET", ["pulls"]) => pulls::list(state, call, &name),
        ("GET", ["pulls", number]) => pulls::get(state, call, &name, id(number)?),
        ("GET", ["pulls", number, "files"]) => pulls::files(state, call, &name, id(number)?),
        ("GET", ["commits", sha, "pulls"]) => pulls::of_commit(state, call, &name, sha),
        ("GET", ["compare", range @ ..]) => pulls::compare(state, call, &name, &range.join("/")),
        ("GET", ["git", "ref", reference]) => pulls::reference(state, call, &name, reference),
        ("GET", ["commits", commit @ .., "check-runs"]) => {
            checks::list(state, call, &name, &commit.join("/"))
        }
        ("POST", ["check-runs"]) => checks::create(state, call, &name),
        ("GET", ["check-runs", run]) => checks::get(state, call, &name, id(run)?),
        ("PATCH", ["check-runs", run]) => checks::update(state, call, &name, id(run)?),
        ("GET", ["check-runs", run, "annotations"]) => {
            checks::annotations(state, call, &name, id(run)?)
        }
        ("POST", ["statuses", sha]) => checks::status(state, call, &name, sha),
        ("GET", ["issues", number, "comments"]) => comments::list(state, call, &name, id(number)?),
        ("POST", ["issues", number, "comments"]) => {
            comments::create(state, call, &name, id(number)?)
        }
        ("POST", ["issues", "comments", comment, "reactions"]) => {
            people::react(state, call, &name, id(comment)?)
        }
        (_, ["issues", "comments", comment]) => comments::one(state, call, &name, id(comment)?),
        ("GET", ["pulls", number, "reviews"]) => reviews::list(state, call, &name, id(number)?),
        ("POST", ["pulls", number, "reviews"]) => reviews::create(state, call, &name, id(number)?),
        ("GET", ["pulls", "comments", comment]) => reviews::get(state, call, &name, id(comment)?),
        (_, ["pulls", "comments", comment]) => reviews::edit(state, call, &name, id(comment)?),
        ("GET", ["pulls", number, "comments"]) => {
            reviews::comments(state, call, &name, id(number)?)
        }
        ("POST", ["pulls", number, "comments"]) => {
            reviews::comment(state, call, &name, id(number)?)
        }
        ("POST", ["pulls", number, "comments", comment, "replies"]) => {
            reviews::reply(state, call, &name, id(number)?, id(comment)?)
        }
        _ => Err(not_found()),
    }
}

/// The one query that is needed: who am I.
fn graphql(state: &mut State, call: &Call<'_>, token: &Token) -> Reply {
    let query: String = call.text("query").unwrap_or_default().split_whitespace().collect();
    if query.contains("viewer{") && query.contains("login") {
        return Reply::json(200, answers::viewer(token));
    }
    state.violations.push(format!("the test GitHub has no GraphQL but `viewer`: {query}"));
    Reply::json(200, json!({"errors": [{"message": "the test GitHub has only `viewer`"}]}))
}

/// `OWNER/NAME` and the rest of a path that git asks for.
pub fn git_path(path: &str) -> Option<(String, String)> {
    let (repository, rest) = path.strip_prefix('/')?.split_once(".git/")?;
    (repository.split('/').count() == 2).then(|| (repository.to_string(), format!("/{rest}")))
}

/// Answers git.
pub fn git(
    shared: &Shared,
    call: &Call<'_>,
    repository: &str,
    rest: &str,
    headers: [&str; 3],
    body: Vec<u8>,
) -> Reply {
    let text = |status, text: &str| {
        let content = Content::Bytes(text.as_bytes().to_vec());
        Reply { status, headers: Vec::new(), content }.with("content-type", "text/plain")
    };
    let token = match call.bearer {
        Bearer::Token(token) => token,
        Bearer::Refused(403, message) => return text(403, message),
        _ => {
            return text(401, "Authentication required")
                .with("www-authenticate", "Basic realm=\"GitHub\"");
        }
    };
    let path = shared.state().repositories.get(repository).map(|known| known.path.clone());
    let path = path.filter(|_| token.sees(repository));
    let Some(path) = path else { return text(404, "Repository not found.") };
    let write = rest == "/git-receive-pack" || call.query.contains("git-receive-pack");
    if write || token.permissions.contents < Access::Read {
        return text(403, "Permission denied");
    }
    let (method, query, login) = (call.method, call.query, token.login.as_str());
    let cgi = git::Cgi { repository: &path, method, path: rest, query, headers, login, body };
    let (status, headers, bytes) = git::serve(cgi);
    Reply { status, headers, content: Content::Bytes(bytes) }
}

/// The server's own routes, for scripts: `GET /_state` gives everything; `POST /_pulls` with
/// `repository` and the fields of [`Pull`] opens a pull request or looks at its branches again.
pub fn own(state: &mut State, method: &str, path: &str, body: &Bytes) -> Reply {
    match (method, path) {
        ("GET", "/_state") => {
            Reply::json(200, serde_json::to_value(&*state).expect("the state is plain data"))
        }
        ("POST", "/_pulls") => match opened(state, body) {
            Ok(pull) => Reply::json(200, pull),
            Err(wrong) => Reply::error(400, &wrong),
        },
        _ => not_found(),
    }
}

/// Opens a pull request from JSON.
pub fn opened(state: &mut State, json: &[u8]) -> Result<Value, String> {
    let mut value: Value = serde_json::from_slice(json).map_err(|e| e.to_string())?;
    let fields = value.as_object_mut().ok_or("a pull request is an object")?;
    let name = fields.remove("repository").ok_or("`repository` is missing")?;
    let name = name.as_str().ok_or("`repository` is a string")?;
    let pull: Pull = serde_json::from_value(value).map_err(|e| e.to_string())?;
    serde_json::to_value(state.open_pull(name, pull)?).map_err(|e| e.to_string())
}
