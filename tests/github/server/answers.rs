//! State as GitHub's JSON. Every field that the description requires is there; the many links are
//! of the right shape and lead nowhere.

mod apps;

pub use apps::{
    EVENTS, app, collaborator, delivery, installation, installed_repository, issue, mint,
    no_reactions, own_app, reaction, suite, suite_details,
};

use super::rights::{Kind, Token};
use super::state::{CheckRun, Comment, Pull, Repository, Review, ReviewComment, Status};
use serde_json::{Map, Value, json};

const LONG_AGO: &str = "2025-01-01T00:00:00Z";

/// A number that belongs to a name.
pub fn id_of(name: &str) -> u64 {
    let mix = |sum: u64, byte: u8| (sum * 31 + u64::from(byte)) % 99_999_989;
    name.bytes().fold(7, mix)
}

/// Adds links: for each name `NAME_url` with the base and what follows.
fn links(value: &mut Value, base: &str, names: &[(&str, &str)]) {
    let fields = value.as_object_mut().expect("an object");
    for (name, rest) in names {
        fields.insert(format!("{name}_url"), json!(format!("{base}{rest}")));
    }
}

/// Adds all fields of another object.
pub fn extend(value: &mut Value, rest: Value) {
    if let (Value::Object(fields), Value::Object(rest)) = (value, rest) {
        fields.extend(rest);
    }
}

/// An account.
pub fn user(url: &str, login: &str) -> Value {
    let bot = login.ends_with("[bot]");
    // Square brackets may not stand in a link as they are.
    let safe = login.replace('[', "%5B").replace(']', "%5D");
    let base = format!("{url}/users/{safe}");
    let mut user = json!({
        "login": login, "id": id_of(login), "node_id": format!("U_{}", id_of(login)),
        "gravatar_id": "", "url": base, "type": if bot { "Bot" } else { "User" },
        "site_admin": false, "html_url": format!("{url}/{safe}"),
        "avatar_url": format!("{url}/avatars/{safe}"), "user_view_type": "public",
    });
    let names = [
        ("followers", "/followers"),
        ("following", "/following{/other_user}"),
        ("gists", "/gists{/gist_id}"),
        ("starred", "/starred{/owner}{/repo}"),
        ("subscriptions", "/subscriptions"),
        ("organizations", "/orgs"),
        ("repos", "/repos"),
        ("events", "/events{/privacy}"),
        ("received_events", "/received_events"),
    ];
    links(&mut user, &base, &names);
    user
}

/// The account of a person's token, as its owner sees it.
pub fn myself(url: &str, login: &str) -> Value {
    let mut user = user(url, login);
    let own = json!({
        "name": null, "company": null, "blog": null, "location": null, "email": null,
        "hireable": null, "bio": null, "public_repos": 0, "public_gists": 0, "followers": 0,
        "following": 0, "created_at": LONG_AGO, "updated_at": LONG_AGO, "private_gists": 0,
        "total_private_repos": 0, "owned_private_repos": 0, "disk_usage": 0, "collaborators": 0,
        "two_factor_authentication": true, "user_view_type": "private",
    });
    extend(&mut user, own);
    user
}

/// A repository by its name.
pub fn repository(url: &str, full_name: &str, fork: bool) -> Value {
    let (owner, name) = full_name.split_once('/').expect("OWNER/NAME");
    let base = format!("{url}/repos/{full_name}");
    let mut value = json!({
        "id": id_of(full_name), "node_id": format!("R_{}", id_of(full_name)), "name": name,
        "full_name": full_name, "license": null, "forks": 0, "owner": user(url, owner),
        "private": false, "html_url": format!("{url}/{full_name}"), "description": null,
        "fork": fork, "url": base, "mirror_url": null, "homepage": null, "language": null,
    });
    let rest = json!({
        "forks_count": 0, "stargazers_count": 0, "watchers_count": 0, "size": 1,
        "default_branch": "main", "open_issues_count": 0, "has_issues": true,
        "has_projects": false, "has_wiki": false, "has_pages": false, "has_downloads": false,
        "archived": false, "disabled": false, "pushed_at": LONG_AGO, "created_at": LONG_AGO,
        "updated_at": LONG_AGO, "open_issues": 0, "watchers": 0, "visibility": "public",
        "allow_forking": true, "is_template": false, "topics": [],
        "web_commit_signoff_required": false, "has_discussions": false,
        "git_url": format!("git://github.test/{full_name}.git"),
        "ssh_url": format!("git@github.test:{full_name}.git"),
        "clone_url": format!("{url}/{full_name}.git"), "svn_url": format!("{url}/{full_name}"),
    });
    extend(&mut value, rest);
    let names = [
        ("archive", "/{archive_format}{/ref}"),
        ("assignees", "/assignees{/user}"),
        ("blobs", "/git/blobs{/sha}"),
        ("branches", "/branches{/branch}"),
        ("collaborators", "/collaborators{/collaborator}"),
        ("comments", "/comments{/number}"),
        ("commits", "/commits{/sha}"),
        ("compare", "/compare/{base}...{head}"),
        ("contents", "/contents/{+path}"),
        ("contributors", "/contributors"),
        ("deployments", "/deployments"),
        ("downloads", "/downloads"),
        ("events", "/events"),
        ("forks", "/forks"),
        ("git_commits", "/git/commits{/sha}"),
        ("git_refs", "/git/refs{/sha}"),
        ("git_tags", "/git/tags{/sha}"),
        ("issue_comment", "/issues/comments{/number}"),
        ("issue_events", "/issues/events{/number}"),
        ("issues", "/issues{/number}"),
        ("keys", "/keys{/key_id}"),
        ("labels", "/labels{/name}"),
        ("languages", "/languages"),
        ("merges", "/merges"),
        ("milestones", "/milestones{/number}"),
        ("notifications", "/notifications{?since,all,participating}"),
        ("pulls", "/pulls{/number}"),
        ("releases", "/releases{/id}"),
        ("stargazers", "/stargazers"),
        ("statuses", "/statuses/{sha}"),
        ("subscribers", "/subscribers"),
        ("subscription", "/subscription"),
        ("tags", "/tags"),
        ("teams", "/teams"),
        ("trees", "/git/trees{/sha}"),
        ("hooks", "/hooks"),
    ];
    links(&mut value, &base, &names);
    value
}

/// A repository as its own route shows it.
pub fn whole_repository(url: &str, full_name: &str) -> Value {
    let mut value = repository(url, full_name, false);
    extend(&mut value, json!({"network_count": 0, "subscribers_count": 0}));
    value
}

fn end(url: &str, full_name: &str, fork: bool, branch: &str, sha: &str) -> Value {
    let owner = full_name.split('/').next().unwrap_or_default();
    json!({
        "label": format!("{owner}:{branch}"), "ref": branch, "sha": sha,
        "repo": repository(url, full_name, fork), "user": user(url, owner),
    })
}

/// A pull request; `whole` adds what lists leave out.
pub fn pull(url: &str, repository: &Repository, pull: &Pull, whole: bool) -> Value {
    let Repository { full_name, .. } = repository;
    let number = pull.number;
    let base = format!("{url}/repos/{full_name}/pulls/{number}");
    let issue = format!("{url}/repos/{full_name}/issues/{number}");
    let html = format!("{url}/{full_name}/pull/{number}");
    let statuses = format!("{url}/repos/{full_name}/statuses/{}", pull.head_sha);
    let review_comment = format!("{url}/repos/{full_name}/pulls/comments{{/number}}");
    let link = |to: String| json!({ "href": to });
    let head = pull.fork.as_deref().unwrap_or(full_name);
    let mut value = json!({
        "url": base, "id": id_of(&base), "node_id": format!("PR_{number}"), "html_url": html,
        "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"),
        "issue_url": issue, "commits_url": format!("{base}/commits"),
        "review_comments_url": format!("{base}/comments"), "review_comment_url": review_comment,
        "comments_url": format!("{issue}/comments"), "statuses_url": statuses,
        "number": number, "state": if pull.closed { "closed" } else { "open" }, "locked": false,
        "title": pull.title, "user": user(url, &pull.user), "body": null, "labels": [],
        "milestone": null, "created_at": LONG_AGO, "updated_at": LONG_AGO, "closed_at": null,
    });
    let rest = json!({
        "merged_at": null, "merge_commit_sha": pull.merge_commit_sha, "assignee": null,
        "assignees": [], "requested_reviewers": [], "requested_teams": [], "draft": pull.draft,
        "head": end(url, head, pull.fork.is_some(), &pull.head, &pull.head_sha),
        "base": end(url, full_name, false, &pull.base, &pull.base_sha),
        "_links": {
            "self": link(base.clone()), "html": link(html.clone()), "issue": link(issue.clone()),
            "comments": link(format!("{issue}/comments")), "statuses": link(statuses.clone()),
            "review_comments": link(format!("{base}/comments")),
            "review_comment": link(review_comment.clone()),
            "commits": link(format!("{base}/commits")),
        },
        "author_association": "CONTRIBUTOR", "auto_merge": null, "active_lock_reason": null,
    });
    extend(&mut value, rest);
    if whole {
        let comments = repository.comments.iter().filter(|c| c.number == number).count();
        let inline = repository.review_comments.iter().filter(|c| c.number == number).count();
        let state = match pull.mergeable {
            Some(true) => "clean",
            Some(false) => "dirty",
            None => "unknown",
        };
        let rest = json!({
            "merged": false, "mergeable": pull.mergeable, "mergeable_state": state,
            "rebaseable": pull.mergeable, "merged_by": null, "comments": comments,
            "review_comments": inline, "maintainer_can_modify": false, "commits": 1,
            "additions": 1, "deletions": 1, "changed_files": 1,
        });
        extend(&mut value, rest);
    }
    value
}

/// A comment in a conversation.
pub fn comment(url: &str, full_name: &str, comment: &Comment) -> Value {
    let Comment { id, number, .. } = comment;
    json!({
        "id": id, "node_id": format!("IC_{id}"), "body": comment.body,
        "url": format!("{url}/repos/{full_name}/issues/comments/{id}"),
        "html_url": format!("{url}/{full_name}/pull/{number}#issuecomment-{id}"),
        "user": user(url, &comment.login), "created_at": comment.created_at,
        "updated_at": comment.updated_at, "author_association": "NONE",
        "issue_url": format!("{url}/repos/{full_name}/issues/{number}"),
        "performed_via_github_app": null,
    })
}

/// A review.
pub fn review(url: &str, full_name: &str, review: &Review) -> Value {
    let Review { id, number, .. } = review;
    let html = format!("{url}/{full_name}/pull/{number}#pullrequestreview-{id}");
    let pull = format!("{url}/repos/{full_name}/pulls/{number}");
    json!({
        "id": id, "node_id": format!("PRR_{id}"), "user": user(url, &review.login),
        "body": review.body, "state": review.state, "html_url": html, "pull_request_url": pull,
        "_links": {"html": {"href": html}, "pull_request": {"href": pull}},
        "submitted_at": review.submitted_at, "commit_id": review.commit_id,
        "author_association": "NONE",
    })
}

/// A comment on lines or a file. `shown` says whether the current diff still shows its lines;
/// where it does not, GitHub takes `line` away.
pub fn review_comment(url: &str, full_name: &str, comment: &ReviewComment, shown: bool) -> Value {
    let ReviewComment { id, number, .. } = comment;
    let own = format!("{url}/repos/{full_name}/pulls/comments/{id}");
    let html = format!("{url}/{full_name}/pull/{number}#discussion_r{id}");
    let pull = format!("{url}/repos/{full_name}/pulls/{number}");
    let mut value = json!({
        "url": own, "pull_request_review_id": comment.review, "id": id,
        "node_id": format!("PRRC_{id}"), "diff_hunk": comment.diff_hunk, "path": comment.path,
        "commit_id": comment.commit_id, "original_commit_id": comment.commit_id,
        "user": user(url, &comment.login), "body": comment.body,
        "created_at": comment.created_at, "updated_at": comment.updated_at, "html_url": html,
        "pull_request_url": pull, "author_association": "NONE",
        "_links": {"self": {"href": own}, "html": {"href": html}, "pull_request": {"href": pull}},
        "start_line": comment.start_line.filter(|_| shown),
        "original_start_line": comment.start_line, "start_side": comment.start_side,
        "subject_type": if comment.line.is_some() { "line" } else { "file" },
    });
    let mut rest = Map::new();
    // The description does not let these be null, but GitHub sends them so for outdated comments.
    if let Some(line) = comment.line {
        rest.insert("original_line".into(), json!(line));
        rest.insert("original_position".into(), json!(1));
        rest.insert("side".into(), json!(comment.side));
        if shown {
            rest.insert("line".into(), json!(line));
            rest.insert("position".into(), json!(1));
        }
    }
    if let Some(other) = comment.in_reply_to {
        rest.insert("in_reply_to_id".into(), json!(other));
    }
    extend(&mut value, Value::Object(rest));
    value
}

/// A pull request as checks name it; those of forks are left out.
fn short_pull(url: &str, full_name: &str, pull: &Pull) -> Option<Value> {
    let end = |branch: &str, sha: &str| {
        let short = full_name.split('/').next_back();
        let repository = format!("{url}/repos/{full_name}");
        json!({"ref": branch, "sha": sha,
               "repo": {"id": id_of(full_name), "url": repository, "name": short}})
    };
    let number = pull.number;
    pull.fork.is_none().then(|| {
        json!({
            "id": number, "number": number, "url": format!("{url}/repos/{full_name}/pulls/{number}"),
            "head": end(&pull.head, &pull.head_sha), "base": end(&pull.base, &pull.base_sha),
        })
    })
}

/// A check run.
pub fn check_run(url: &str, repository: &Repository, run: &CheckRun) -> Value {
    let Repository { full_name, pulls, .. } = repository;
    let own = format!("{url}/repos/{full_name}/check-runs/{}", run.id);
    let html = format!("{url}/{full_name}/runs/{}", run.id);
    let here = pulls.values().filter(|pull| pull.head_sha == run.head_sha);
    let pulls: Vec<Value> = here.filter_map(|pull| short_pull(url, full_name, pull)).collect();
    json!({
        "id": run.id, "head_sha": run.head_sha, "node_id": format!("CR_{}", run.id),
        "external_id": run.external_id.clone().unwrap_or_default(), "url": own,
        "html_url": html, "details_url": run.details_url.clone().unwrap_or(html.clone()),
        "status": run.status, "conclusion": run.conclusion, "started_at": run.started_at,
        "completed_at": run.completed_at, "name": run.name,
        "output": {
            "title": run.title, "summary": run.summary, "text": run.text,
            "annotations_count": run.annotations.len(),
            "annotations_url": format!("{own}/annotations"),
        },
        "check_suite": {"id": id_of(&run.head_sha)},
        "app": app(url, run.app_id, run.login.trim_end_matches("[bot]")),
        "pull_requests": pulls,
    })
}

/// An annotation as it is read back.
pub fn annotation(url: &str, full_name: &str, run: &CheckRun, sent: &Value) -> Value {
    let path = sent["path"].as_str().unwrap_or_default();
    json!({
        "path": path, "start_line": sent["start_line"], "end_line": sent["end_line"],
        "start_column": sent["start_column"], "end_column": sent["end_column"],
        "annotation_level": sent["annotation_level"], "title": sent["title"],
        "message": sent["message"], "raw_details": sent["raw_details"],
        "blob_href": format!("{url}/{full_name}/blob/{}/{path}", run.head_sha),
    })
}

/// A commit status.
pub fn status(url: &str, full_name: &str, status: &Status) -> Value {
    json!({
        "url": format!("{url}/repos/{full_name}/statuses/{}", status.sha), "avatar_url": null,
        "id": status.id, "node_id": format!("S_{}", status.id), "state": status.state,
        "description": status.description, "target_url": status.target_url,
        "context": status.context, "created_at": status.created_at,
        "updated_at": status.created_at, "creator": user(url, &status.login),
    })
}

/// A commit: its sha, its parents, its tree and its message.
pub fn commit(url: &str, full_name: &str, [sha, parents, tree, message]: [&str; 4]) -> Value {
    let base = format!("{url}/repos/{full_name}");
    let person = json!({"name": "Somebody", "email": "somebody@example.com", "date": LONG_AGO});
    let parents: Vec<Value> = parents
        .split_whitespace()
        .map(|parent| {
            let html = format!("{url}/{full_name}/commit/{parent}");
            json!({"sha": parent, "url": format!("{base}/commits/{parent}"), "html_url": html})
        })
        .collect();
    json!({
        "url": format!("{base}/commits/{sha}"), "sha": sha, "node_id": format!("C_{sha}"),
        "html_url": format!("{url}/{full_name}/commit/{sha}"),
        "comments_url": format!("{base}/commits/{sha}/comments"),
        "commit": {
            "url": format!("{base}/git/commits/{sha}"), "author": person, "committer": person,
            "message": message, "comment_count": 0,
            "tree": {"sha": tree, "url": format!("{base}/git/trees/{tree}")},
        },
        "author": null, "committer": null, "parents": parents,
    })
}

/// What `GET /rate_limit` says.
pub fn rate_limit() -> Value {
    let limit = json!({"limit": 5000, "remaining": 4999, "reset": 1_800_000_000, "used": 1});
    json!({"resources": {"core": limit, "search": limit}, "rate": limit})
}

/// What GraphQL's `viewer` says.
pub fn viewer(token: &Token) -> Value {
    let id = match token.kind {
        Kind::Personal => "U",
        Kind::Actions | Kind::Installation => "BOT",
    };
    json!({"data": {"viewer": {"login": token.login, "id": format!("{id}_{}", id_of(&token.login))}}})
}
