//! Apps, installations, deliveries, and what their events show besides.

use super::{LONG_AGO, extend, id_of, pull, user};
use crate::server::hooks::Delivery;
use crate::server::installations::{Installation, Mint};
use crate::server::rights::Permissions;
use crate::server::state::{Pull, Reaction, Repository, State};
use serde_json::{Value, json};

/// What an App hears of.
pub const EVENTS: [&str; 7] = [
    "check_run",
    "check_suite",
    "issue_comment",
    "merge_group",
    "pull_request",
    "pull_request_review",
    "push",
];

/// The app behind a bot's login.
pub fn app(url: &str, id: u64, slug: &str) -> Value {
    json!({
        "id": id, "slug": slug, "node_id": format!("A_{slug}"), "owner": user(url, "github"),
        "name": slug, "description": "", "events": [], "external_url": format!("{url}/apps/{slug}"),
        "html_url": format!("{url}/apps/{slug}"), "created_at": LONG_AGO, "updated_at": LONG_AGO,
        "permissions": {},
    })
}

/// An App as it sees itself.
pub fn own_app(state: &State, id: u64) -> Value {
    let known = state.app(id);
    let mut value = app(&state.url, id, &known.slug);
    let installed = state.installations.values().filter(|installation| installation.app == id);
    let (mut count, mut permissions) = (0, Permissions::all(crate::server::Access::None));
    for installation in installed {
        (count, permissions) = (count + 1, installation.permissions);
    }
    let rest = json!({
        "client_id": known.client_id(), "events": EVENTS, "installations_count": count,
        "permissions": permissions.json(),
    });
    extend(&mut value, rest);
    value
}

/// An organisation's account.
fn organisation(url: &str, login: &str) -> Value {
    let mut value = user(url, login);
    value["type"] = json!("Organization");
    value
}

/// An installation.
pub fn installation(state: &State, known: &Installation) -> Value {
    let (url, id, app) = (&state.url, known.id, state.app(known.app));
    let suspended_by = known.suspended_at.as_ref().map(|_| user(url, "owner"));
    json!({
        "id": id, "client_id": app.client_id(), "app_id": app.id, "app_slug": app.slug,
        "account": organisation(url, &known.account), "target_id": id_of(&known.account),
        "target_type": "Organization", "repository_selection": "selected",
        "access_tokens_url": format!("{url}/app/installations/{id}/access_tokens"),
        "repositories_url": format!("{url}/installation/repositories"),
        "html_url": format!("{url}/organizations/{}/settings/installations/{id}", known.account),
        "permissions": known.permissions.json(), "events": EVENTS, "created_at": known.created_at,
        "updated_at": known.suspended_at.as_ref().unwrap_or(&known.created_at),
        "single_file_name": null, "has_multiple_single_files": false, "single_file_paths": [],
        "suspended_by": suspended_by, "suspended_at": known.suspended_at,
    })
}

/// A repository as an installation sees it.
pub fn installed_repository(url: &str, full_name: &str) -> Value {
    let mut value = super::repository(url, full_name, false);
    let permissions = json!({"admin": false, "maintain": false, "push": false, "triage": false,
                             "pull": false});
    extend(&mut value, json!({ "permissions": permissions }));
    value
}

/// A token that was made.
pub fn mint(url: &str, mint: &Mint) -> Value {
    let mut value = json!({
        "token": mint.secret, "expires_at": mint.expires_at,
        "permissions": mint.permissions.json(), "repository_selection": "selected",
    });
    if let Some(names) = &mint.repositories {
        let shown: Vec<Value> = names.iter().map(|name| installed_repository(url, name)).collect();
        value["repositories"] = json!(shown);
    }
    value
}

/// A delivery; `whole` adds what lists leave out.
pub fn delivery(url: &str, known: &Delivery, whole: bool) -> Value {
    let mut value = json!({
        "id": known.id, "guid": known.guid, "delivered_at": known.delivered_at,
        "redelivery": known.redelivery, "duration": known.duration, "status": known.status,
        "status_code": known.status_code, "event": known.event, "action": known.action,
        "installation_id": known.installation, "repository_id": known.repository,
        "throttled_at": null,
    });
    if whole {
        let rest = json!({
            "url": format!("{url}/app/hook"),
            "request": {"headers": known.request_headers, "payload": known.payload},
            "response": {"headers": known.response_headers, "payload": known.response_body},
        });
        extend(&mut value, rest);
    }
    value
}

/// A reaction.
pub fn reaction(url: &str, known: &Reaction) -> Value {
    json!({
        "id": known.id, "node_id": format!("REA_{}", known.id), "user": user(url, &known.login),
        "content": known.content, "created_at": known.created_at,
    })
}

/// What a role in a repository gives.
pub fn collaborator(url: &str, login: &str, role: &str) -> Value {
    let ladder = ["read", "triage", "write", "maintain", "admin"];
    let at = ladder.iter().position(|known| *known == role).expect("a role of GitHub");
    let mut account = user(url, login);
    let permissions = json!({
        "pull": true, "triage": at >= 1, "push": at >= 2, "maintain": at >= 3, "admin": at >= 4,
    });
    extend(&mut account, json!({"role_name": role, "permissions": permissions}));
    // The older word has no name for the roles between.
    let permission = match role {
        "maintain" => "write",
        "triage" => "read",
        other => other,
    };
    json!({"permission": permission, "role_name": role, "user": account})
}

/// What the events of comments and issues say of reactions.
pub fn no_reactions(base: &str) -> Value {
    json!({
        "url": format!("{base}/reactions"), "total_count": 0, "+1": 0, "-1": 0, "laugh": 0,
        "hooray": 0, "confused": 0, "heart": 0, "rocket": 0, "eyes": 0,
    })
}

/// The issue that a pull request is too, as events show it.
pub fn issue(url: &str, repository: &Repository, known: &Pull) -> Value {
    let name = &repository.full_name;
    let whole = pull(url, repository, known, true);
    let base = format!("{url}/repos/{name}/issues/{}", known.number);
    let html = &whole["html_url"];
    let taken = [
        "id",
        "node_id",
        "html_url",
        "number",
        "state",
        "title",
        "user",
        "body",
        "labels",
        "milestone",
        "created_at",
        "updated_at",
        "closed_at",
        "assignee",
        "assignees",
        "locked",
        "draft",
        "comments",
        "author_association",
        "active_lock_reason",
    ];
    let kept = taken.map(|field| (field.to_string(), whole[field].clone()));
    let mut value = Value::Object(kept.into_iter().collect());
    let rest = json!({
        "url": base, "repository_url": format!("{url}/repos/{name}"),
        "labels_url": format!("{base}/labels{{/name}}"), "comments_url": format!("{base}/comments"),
        "events_url": format!("{base}/events"), "timeline_url": format!("{base}/timeline"),
        "performed_via_github_app": null, "state_reason": null, "reactions": no_reactions(&base),
        "pull_request": {
            "url": whole["url"], "html_url": html, "diff_url": whole["diff_url"],
            "patch_url": whole["patch_url"], "merged_at": null,
        },
    });
    extend(&mut value, rest);
    value
}

/// The check suite of a commit and an app.
pub fn suite(url: &str, repository: &Repository, sha: &str, app: &Value) -> Value {
    let name = &repository.full_name;
    let id = id_of(sha);
    let here = repository.pulls.values().filter(|pull| pull.head_sha == sha);
    let branch = here.clone().next().map(|pull| pull.head.clone());
    let pulls: Vec<Value> = here.filter_map(|pull| super::short_pull(url, name, pull)).collect();
    json!({
        "id": id, "node_id": format!("CS_{id}"), "head_branch": branch, "head_sha": sha,
        "status": "completed", "conclusion": "failure", "before": null, "after": null,
        "url": format!("{url}/repos/{name}/check-suites/{id}"), "app": app,
        "pull_requests": pulls, "created_at": LONG_AGO, "updated_at": LONG_AGO,
    })
}

/// What the events of check suites add to them.
pub fn suite_details(url: &str, name: &str, sha: &str) -> Value {
    let person = json!({"name": "Somebody", "email": "somebody@example.com"});
    let runs = format!("{url}/repos/{name}/check-suites/{}/check-runs", id_of(sha));
    json!({
        "latest_check_runs_count": 1, "check_runs_url": runs,
        "head_commit": {
            "id": sha, "tree_id": sha, "message": "Change", "timestamp": LONG_AGO,
            "author": person, "committer": person,
        },
    })
}
