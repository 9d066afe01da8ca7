//! The payloads of events, of what the server knows.

use super::TestGitHub;
use super::answers;
use super::installations::Installation;
use super::state::{Pull, State};
use serde_json::{Value, json};

/// An event: its name and what is sent. Both may be changed before it is sent.
#[derive(Clone, Debug)]
pub struct Event {
    /// The value of `X-GitHub-Event`.
    pub name: String,
    /// The body.
    pub payload: Value,
}

/// The last commit of a branch that does not exist (any more).
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// The account that most events come from.
const SENDER: &str = "contributor";

impl State {
    /// What all events about a repository have.
    fn about(&self, name: &str, repository: &str, sender: &str, rest: Value) -> Event {
        let mut payload = json!({
            "repository": answers::repository(&self.url, repository, false),
            "sender": answers::user(&self.url, sender),
        });
        if let Some(Installation { id, .. }) = self.installation_of(repository) {
            payload["installation"] = json!({"id": id, "node_id": format!("I_{id}")});
        }
        answers::extend(&mut payload, rest);
        Event { name: name.into(), payload }
    }

    /// `pull_request` with this action.
    pub fn pull_event(&self, repository: &str, number: u64, action: &str) -> Event {
        let known = &self.repositories[repository];
        let pull = &known.pulls[&number];
        let mut shown = answers::pull(&self.url, known, pull, true);
        if pull.closed {
            shown["closed_at"] = json!(self.now());
        }
        let rest = json!({"action": action, "number": number, "pull_request": shown});
        self.about("pull_request", repository, &pull.user, rest)
    }

    /// `pull_request` with the action `synchronize`: its head was another commit.
    pub fn synchronize_event(&self, repository: &str, pull: &Pull, before: &str) -> Event {
        let mut event = self.pull_event(repository, pull.number, "synchronize");
        event.payload["before"] = json!(before);
        event.payload["after"] = json!(pull.head_sha);
        event
    }

    /// `issue_comment` with this action.
    pub fn comment_event(&self, repository: &str, id: u64, action: &str) -> Event {
        let known = &self.repositories[repository];
        let comment = known.comments.iter().find(|comment| comment.id == id);
        let comment = comment.unwrap_or_else(|| panic!("no comment `{id}`"));
        let issue = answers::issue(&self.url, known, &known.pulls[&comment.number]);
        let mut shown = answers::comment(&self.url, repository, comment);
        let own = shown["url"].as_str().unwrap_or_default().to_string();
        shown["reactions"] = answers::no_reactions(&own);
        let rest = json!({"action": action, "issue": issue, "comment": shown});
        self.about("issue_comment", repository, &comment.login, rest)
    }
}

impl TestGitHub {
    /// `pull_request`: `opened`, `reopened`, `ready_for_review` or `closed`.
    pub fn pull_event(&self, repository: &str, number: u64, action: &str) -> Event {
        self.state().pull_event(repository, number, action)
    }

    /// `pull_request` with the action `synchronize`; `before` is the last head.
    pub fn synchronize_event(&self, repository: &str, number: u64, before: &str) -> Event {
        let state = self.state();
        let pull = state.repositories[repository].pulls[&number].clone();
        state.synchronize_event(repository, &pull, before)
    }

    /// `pull_request` with the action `edited`: it was to be merged into the branch `from` before.
    pub fn rebased_event(&self, repository: &str, number: u64, from: &str) -> Event {
        let mut event = self.pull_event(repository, number, "edited");
        let before = json!({"ref": {"from": from}, "sha": {"from": NO_COMMIT}});
        event.payload["changes"] = json!({ "base": before });
        event
    }

    /// `pull_request` with the action `edited`: it had this title before.
    pub fn retitled_event(&self, repository: &str, number: u64, from: &str) -> Event {
        let mut event = self.pull_event(repository, number, "edited");
        event.payload["changes"] = json!({"title": {"from": from}});
        event
    }

    /// `check_run` with the action `rerequested`.
    pub fn check_run_event(&self, repository: &str, id: u64, sender: &str) -> Event {
        let state = self.state();
        let known = &state.repositories[repository];
        let run = known.check_runs.iter().find(|run| run.id == id);
        let run = run.unwrap_or_else(|| panic!("no check run `{id}`"));
        let mut shown = answers::check_run(&state.url, known, run);
        shown["check_suite"] = answers::suite(&state.url, known, &run.head_sha, &shown["app"]);
        let rest = json!({"action": "rerequested", "check_run": shown});
        state.about("check_run", repository, sender, rest)
    }

    /// `check_suite` with the action `rerequested`, for a commit.
    pub fn check_suite_event(&self, repository: &str, sha: &str, sender: &str) -> Event {
        let state = self.state();
        let known = &state.repositories[repository];
        let installation = state.installation_of(repository);
        let app = installation.map_or_else(
            || answers::app(&state.url, 1, "nobody"),
            |installation| {
                let app = state.app(installation.app);
                answers::app(&state.url, app.id, &app.slug)
            },
        );
        let mut suite = answers::suite(&state.url, known, sha, &app);
        answers::extend(&mut suite, answers::suite_details(&state.url, repository, sha));
        let rest = json!({"action": "rerequested", "check_suite": suite});
        state.about("check_suite", repository, sender, rest)
    }

    /// `merge_group` with the action `checks_requested`: a queue wants to merge `head` into `base`.
    pub fn merge_group_event(&self, repository: &str, base: [&str; 2], head: [&str; 2]) -> Event {
        let state = self.state();
        let [(base, base_sha), (head, head_sha)] = [base, head].map(|[name, sha]| (name, sha));
        let person = json!({"name": "Somebody", "email": "somebody@example.com"});
        let group = json!({
            "head_sha": head_sha, "head_ref": format!("refs/heads/{head}"),
            "base_sha": base_sha, "base_ref": format!("refs/heads/{base}"),
            "head_commit": {
                "id": head_sha, "tree_id": head_sha, "message": "Merge",
                "timestamp": state.now(), "author": person, "committer": person,
            },
        });
        let rest = json!({"action": "checks_requested", "merge_group": group});
        state.about("merge_group", repository, SENDER, rest)
    }

    /// `issue_comment` with the action `created` for a comment that was added.
    pub fn comment_event(&self, repository: &str, id: u64) -> Event {
        self.state().comment_event(repository, id, "created")
    }

    /// Edits a comment as `sender` and gives `issue_comment` with the action `edited`.
    pub fn edit_comment(&self, repository: &str, id: u64, sender: &str, body: &str) -> Event {
        let mut state = self.state();
        let (_, now) = state.next();
        let comments = &mut state.repository(repository).comments;
        let comment = comments.iter_mut().find(|comment| comment.id == id);
        let comment = comment.unwrap_or_else(|| panic!("no comment `{id}`"));
        let before = std::mem::replace(&mut comment.body, body.into());
        comment.updated_at = now;
        let mut event = state.comment_event(repository, id, "edited");
        event.payload["changes"] = json!({"body": {"from": before}});
        event.payload["sender"] = answers::user(&state.url, sender);
        state.automatic(|_| event.clone());
        drop(state);
        super::hooks::flush(&self.shared);
        event
    }

    /// `pull_request_review` with the action `submitted`, for a review that was written.
    pub fn review_event(&self, repository: &str, id: u64) -> Event {
        let state = self.state();
        let known = &state.repositories[repository];
        let review = known.reviews.iter().find(|review| review.id == id);
        let review = review.unwrap_or_else(|| panic!("no review `{id}`"));
        let pull = answers::pull(&state.url, known, &known.pulls[&review.number], false);
        let mut shown = answers::review(&state.url, repository, review);
        // Routes write it in capitals, events do not.
        shown["state"] = json!(review.state.to_lowercase());
        let rest = json!({"action": "submitted", "review": shown, "pull_request": pull});
        state.about("pull_request_review", repository, &review.login, rest)
    }

    /// `push` to a branch, which was at `before`.
    pub fn push_event(&self, repository: &str, branch: &str, before: &str) -> Event {
        let state = self.state();
        let path = &state.repositories[repository].path;
        let after = super::git::commit(path, &format!("refs/heads/{branch}"));
        let person = json!({"name": "Somebody", "email": "somebody@example.com"});
        let html = format!("{}/{repository}", state.url);
        let head = after.as_ref().map(|sha| {
            json!({
                "id": sha, "tree_id": sha, "distinct": true, "message": "Change",
                "timestamp": state.now(), "url": format!("{html}/commit/{sha}"),
                "author": person, "committer": person, "added": [], "removed": [], "modified": [],
            })
        });
        let commits: Vec<&Value> = head.iter().collect();
        let deleted = after.is_none();
        let after = after.clone().unwrap_or_else(|| NO_COMMIT.into());
        let rest = json!({
            "ref": format!("refs/heads/{branch}"), "before": before, "after": after,
            "created": before == NO_COMMIT, "deleted": deleted, "forced": false, "base_ref": null,
            "compare": format!("{html}/compare/{before}...{after}"), "commits": commits,
            "head_commit": head, "pusher": person,
        });
        state.about("push", repository, SENDER, rest)
    }

    /// `installation` with this action: `created`, `deleted`, `suspend`, `unsuspend`. For `deleted` it is
    /// to be made before the installation is deleted.
    pub fn installation_event(&self, id: u64, action: &str) -> Event {
        let mut state = self.state();
        let installation = state.installation(id).clone();
        let repositories = few(&state, &installation.repositories);
        let mut payload = json!({
            "action": action, "repositories": repositories,
            "installation": answers::installation(&state, &installation),
            "sender": answers::user(&state.url, SENDER),
        });
        if action == "created" {
            payload["requester"] = Value::Null;
        }
        Event { name: "installation".into(), payload }
    }

    /// `installation_repositories`: `added` or `removed`, after that was done.
    pub fn repositories_event(&self, id: u64, action: &str, repositories: &[&str]) -> Event {
        let mut state = self.state();
        let installation = state.installation(id).clone();
        let names: Vec<String> = repositories.iter().map(|name| (*name).to_string()).collect();
        let changed = few(&state, &names);
        let (added, removed) = match action {
            "added" => (changed, json!([])),
            _ => (json!([]), changed),
        };
        let payload = json!({
            "action": action, "repository_selection": "selected", "requester": null,
            "repositories_added": added, "repositories_removed": removed,
            "installation": answers::installation(&state, &installation),
            "sender": answers::user(&state.url, SENDER),
        });
        Event { name: "installation_repositories".into(), payload }
    }

    /// `ping`, which is sent when an App's address is set.
    pub fn ping_event(&self) -> Event {
        let state = self.state();
        let app = state.apps.last().expect("an App is registered first");
        let hook = json!({
            "type": "App", "id": 500_000_000 + app.id, "name": "web", "active": true,
            "events": answers::EVENTS, "app_id": app.id, "updated_at": state.now(),
            "created_at": state.now(), "deliveries_url": format!("{}/app/hook/deliveries", state.url),
            "config": {"content_type": "json", "insecure_ssl": "0", "url": app.webhook_url},
        });
        let payload = json!({
            "zen": "Keep it logically awesome.", "hook_id": 500_000_000 + app.id, "hook": hook,
        });
        Event { name: "ping".into(), payload }
    }
}

/// Repositories as the events of installations list them.
fn few(state: &State, names: &[String]) -> Value {
    let few = names.iter().map(|name| {
        let whole = answers::repository(&state.url, name, false);
        let fields = ["id", "node_id", "name", "full_name", "private"];
        let kept = fields.map(|field| (field.to_string(), whole[field].clone()));
        Value::Object(kept.into_iter().collect())
    });
    few.collect()
}
