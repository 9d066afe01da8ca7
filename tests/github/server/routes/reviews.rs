//! Reviews and the comments on lines and files.

use super::place::{self, Place};
use super::{Call, LONGEST_BODY, invalid, not_found, nothing};
use crate::server::answers;
use crate::server::exchange::{Content, Reply};
use crate::server::rights::Access;
use crate::server::state::{Pull, Review, ReviewComment, State};
use serde_json::{Value, json};

/// 422 with errors as sentences.
fn unprocessable(sentence: &str) -> Reply {
    let mut reply = Reply::error(422, "Unprocessable Entity");
    if let Content::Json(value) = &mut reply.content {
        value["errors"] = json!([sentence]);
    }
    reply
}

fn wrong_comment(field: &str, message: &str) -> Reply {
    let (resource, code) = ("PullRequestReviewComment", "custom");
    let error = json!({"resource": resource, "code": code, "field": field, "message": message});
    invalid(json!([error]))
}

/// The sender's login and the pull request.
fn begin(
    state: &State,
    call: &Call<'_>,
    name: &str,
    number: u64,
    access: Access,
) -> Result<(String, Pull), Reply> {
    let login = call.may(access, &[|p| p.pull_requests])?;
    let pull = state.repositories[name].pulls.get(&number).ok_or_else(not_found)?;
    Ok((login, pull.clone()))
}

pub fn list(state: &mut State, call: &Call<'_>, name: &str, number: u64) -> Result<Reply, Reply> {
    let (login, _) = begin(state, call, name, number, Access::Read)?;
    let reviews = state.repositories[name].reviews.iter();
    // Nobody but its author sees a review that was not sent off.
    let reviews = reviews.filter(|review| {
        review.number == number && (review.state != "PENDING" || review.login == login)
    });
    Ok(call.list(reviews.map(|review| answers::review(&state.url, name, review)).collect()))
}

/// All comments of a review, or none of it.
pub fn create(state: &mut State, call: &Call<'_>, name: &str, number: u64) -> Result<Reply, Reply> {
    let (login, pull) = begin(state, call, name, number, Access::Write)?;
    let repository = &state.repositories[name];
    let body = call.text("body").unwrap_or_default();
    let comments = call.body["comments"].as_array().cloned().unwrap_or_default();
    let event = call.text("event");
    let verdict = match event.as_deref() {
        Some("APPROVE") => "APPROVED",
        Some("REQUEST_CHANGES") => "CHANGES_REQUESTED",
        Some(_) => "COMMENTED",
        None => "PENDING",
    };
    let pending = |review: &Review| {
        review.number == number && review.login == login && review.state == "PENDING"
    };
    if repository.reviews.iter().any(pending) {
        return Err(unprocessable("User can only have one pending review per pull request"));
    }
    if verdict == "COMMENTED" && body.trim().is_empty() && comments.is_empty() {
        return Err(unprocessable("Review Could not be submitted without a body or comments"));
    }
    let bodies = comments.iter().map(|comment| comment["body"].as_str().unwrap_or_default());
    if std::iter::once(body.as_str()).chain(bodies).any(|body| body.chars().count() > LONGEST_BODY)
    {
        let sentence = format!("Body is too long (maximum is {LONGEST_BODY} characters)");
        return Err(unprocessable(&sentence));
    }
    let commit_id = call.text("commit_id").unwrap_or_else(|| pull.head_sha.clone());
    if !place::own_commit(repository, &pull, &commit_id) {
        return Err(unprocessable("The commit_id is not part of the pull request"));
    }
    let mut places = Vec::new();
    for comment in &comments {
        let found = place::find(repository, &pull, &commit_id, comment);
        let place = found.map_err(|wrong| unprocessable(&wrong.sentence()))?;
        places.push((place, comment["body"].as_str().unwrap_or_default().to_string()));
    }
    let review = push_review(state, name, &pull, &login, &body, verdict, &commit_id);
    for (place, body) in places {
        push_comment(state, name, &review, place, body, None);
    }
    Ok(Reply::json(200, answers::review(&state.url, name, &review)))
}

fn push_review(
    state: &mut State,
    name: &str,
    pull: &Pull,
    login: &str,
    body: &str,
    verdict: &str,
    commit_id: &str,
) -> Review {
    let (id, submitted_at) = state.next();
    let review = Review {
        id,
        number: pull.number,
        login: login.into(),
        body: body.into(),
        state: verdict.into(),
        commit_id: commit_id.into(),
        submitted_at,
    };
    state.repository(name).reviews.push(review.clone());
    review
}

fn push_comment(
    state: &mut State,
    name: &str,
    review: &Review,
    place: Place,
    body: String,
    in_reply_to: Option<u64>,
) -> ReviewComment {
    let (id, now) = state.next();
    let Place { path, line, side, start_line, start_side, diff_hunk } = place;
    let comment = ReviewComment {
        id,
        number: review.number,
        review: review.id,
        login: review.login.clone(),
        path,
        line,
        side,
        start_line,
        start_side,
        body,
        commit_id: review.commit_id.clone(),
        diff_hunk,
        in_reply_to,
        created_at: now.clone(),
        updated_at: now,
    };
    state.repository(name).review_comments.push(comment.clone());
    comment
}

fn shown(state: &State, name: &str, comment: &ReviewComment) -> Value {
    let repository = &state.repositories[name];
    let pull = &repository.pulls[&comment.number];
    let shown = place::shown(repository, pull, comment);
    answers::review_comment(&state.url, name, comment, shown)
}

pub fn comments(
    state: &mut State,
    call: &Call<'_>,
    name: &str,
    number: u64,
) -> Result<Reply, Reply> {
    begin(state, call, name, number, Access::Read)?;
    let repository = &state.repositories[name];
    let pending = |id: u64| {
        repository.reviews.iter().any(|review| review.id == id && review.state == "PENDING")
    };
    let comments = repository.review_comments.iter();
    let comments = comments.filter(|comment| comment.number == number && !pending(comment.review));
    let comments = comments.map(|comment| shown(state, name, comment)).collect();
    Ok(call.list(comments))
}

fn new_body(call: &Call<'_>) -> Result<String, Reply> {
    let body = call.text("body").unwrap_or_default();
    if body.trim().is_empty() {
        return Err(wrong_comment("body", "body cannot be blank"));
    }
    if body.chars().count() > LONGEST_BODY {
        let message = format!("body is too long (maximum is {LONGEST_BODY} characters)");
        return Err(wrong_comment("body", &message));
    }
    Ok(body)
}

/// One comment on lines or a file, which becomes a review of its own.
pub fn comment(
    state: &mut State,
    call: &Call<'_>,
    name: &str,
    number: u64,
) -> Result<Reply, Reply> {
    let (login, pull) = begin(state, call, name, number, Access::Write)?;
    let body = new_body(call)?;
    let commit_id = call.text("commit_id").unwrap_or_default();
    let repository = &state.repositories[name];
    if !place::own_commit(repository, &pull, &commit_id) {
        let message = "commit_id is not part of the pull request";
        return Err(wrong_comment("commit_id", message));
    }
    let place = place::find(repository, &pull, &commit_id, call.body)
        .map_err(|wrong| invalid(wrong.errors()))?;
    let review = push_review(state, name, &pull, &login, "", "COMMENTED", &commit_id);
    let comment = push_comment(state, name, &review, place, body, None);
    Ok(Reply::json(201, shown(state, name, &comment)))
}

/// A reply to a comment, in its place.
pub fn reply(
    state: &mut State,
    call: &Call<'_>,
    name: &str,
    number: u64,
    id: u64,
) -> Result<Reply, Reply> {
    let (login, pull) = begin(state, call, name, number, Access::Write)?;
    let body = new_body(call)?;
    let comments = &state.repositories[name].review_comments;
    let first = comments.iter().find(|comment| comment.id == id && comment.number == number);
    let first = first.ok_or_else(not_found)?.clone();
    let review = push_review(state, name, &pull, &login, "", "COMMENTED", &first.commit_id);
    let place = Place {
        path: first.path,
        line: first.line,
        side: first.side,
        start_line: first.start_line,
        start_side: first.start_side,
        diff_hunk: first.diff_hunk,
    };
    let top = first.in_reply_to.unwrap_or(first.id);
    let comment = push_comment(state, name, &review, place, body, Some(top));
    Ok(Reply::json(201, shown(state, name, &comment)))
}

pub fn get(state: &mut State, call: &Call<'_>, name: &str, id: u64) -> Result<Reply, Reply> {
    call.may(Access::Read, &[|p| p.pull_requests])?;
    let comments = &state.repositories[name].review_comments;
    let comment = comments.iter().find(|comment| comment.id == id).ok_or_else(not_found)?;
    Ok(Reply::json(200, shown(state, name, comment)))
}

/// `PATCH` and `DELETE` of one comment.
pub fn edit(state: &mut State, call: &Call<'_>, name: &str, id: u64) -> Result<Reply, Reply> {
    call.may(Access::Write, &[|p| p.pull_requests])?;
    let comments = &state.repositories[name].review_comments;
    let at = comments.iter().position(|comment| comment.id == id).ok_or_else(not_found)?;
    match call.method {
        "PATCH" => {
            let body = new_body(call)?;
            let (_, now) = state.next();
            let comment = &mut state.repository(name).review_comments[at];
            (comment.body, comment.updated_at) = (body, now);
            let comment = state.repositories[name].review_comments[at].clone();
            Ok(Reply::json(200, shown(state, name, &comment)))
        }
        "DELETE" => {
            state.repository(name).review_comments.remove(at);
            Ok(nothing())
        }
        _ => Err(not_found()),
    }
}
