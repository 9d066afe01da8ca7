//! What the test GitHub refuses and remembers, as GitHub does.

use crate::client::send;
use crate::server::{Access, Permissions, Token};
use crate::shop::{SHOP, Shop, TOKEN, lines};
use serde_json::{Value, json};

#[test]
fn a_pull_request_and_where_it_parted() {
    let shop = Shop::open();
    let pull = shop.get("/pulls/1").is(200).json();
    assert_eq!(pull["head"]["sha"], shop.pull.head_sha);
    assert_eq!(pull["mergeable"], true);
    let merge = pull["merge_commit_sha"].as_str().unwrap();
    let bare = shop.directory.path().join("shop.git");
    let parents = crate::shop::git(&bare, &["show", "-s", "--format=%P", merge]).unwrap();
    assert_eq!(parents, format!("{} {}", shop.pull.base_sha, shop.pull.head_sha));
    let merged = crate::shop::git(&bare, &["rev-parse", "refs/pull/1/merge"]).unwrap();
    assert_eq!(merged, merge);

    let compared = shop.get("/compare/main...feature").is(200).json();
    assert_eq!(compared["status"], "diverged");
    let first = crate::shop::git(&bare, &["rev-parse", "main~1"]).unwrap();
    assert_eq!(compared["merge_base_commit"]["sha"], first);
    let range = format!("/compare/{}...{}", shop.pull.base_sha, shop.pull.head_sha);
    assert_eq!(shop.get(&range).is(200).json()["ahead_by"], 1);

    assert_eq!(shop.get("/pulls?state=open").is(200).json().as_array().unwrap().len(), 1);
    assert_eq!(shop.get("/pulls?state=closed").is(200).json(), json!([]));
    shop.get("").is(200);
    shop.get("/pulls/2").is(404);
    // GitHub Enterprise has a prefix, which is kept in links.
    let path = format!("/api/v3/repos/{SHOP}/pulls/1");
    let same = send(shop.github.url(), TOKEN, "GET", &path, None).unwrap().is(200);
    assert_eq!(same.json()["number"], 1);
    assert!(same.header("x-ratelimit-remaining").is_some());
    shop.github.finish();
}

#[test]
fn conflicts_do_not_merge() {
    let shop = Shop::open();
    // `main` has another `same.txt` by now.
    let pull = shop.push("same.txt", "same, otherwise\n");
    assert_eq!((pull.mergeable, pull.merge_commit_sha), (Some(false), None));
    assert_eq!(shop.get("/pulls/1").is(200).json()["mergeable"], false);
    shop.github.finish();
}

#[test]
fn comments_have_pages_and_a_longest_body() {
    let shop = Shop::open();
    let (list, most) = ("/issues/1/comments", 65_536);
    for n in 0..5 {
        shop.send("POST", list, json!({"body": format!("comment {n}")})).is(201);
    }
    let page = shop.get(&format!("{list}?per_page=2&page=2")).is(200);
    let bodies: Vec<Value> =
        page.json().as_array().unwrap().iter().map(|c| c["body"].clone()).collect();
    assert_eq!(bodies, ["comment 2", "comment 3"]);
    let url = format!("{}/repos/{SHOP}{list}?per_page=2", shop.github.url());
    let link = page.header("link").unwrap();
    assert!(link.contains(&format!("<{url}&page=3>; rel=\"next\"")), "{link}");
    assert!(
        shop.get(&format!("{list}?per_page=2&page=3")).header("link").unwrap().contains("prev")
    );

    // Characters are counted, not bytes.
    let exact = "é".repeat(most);
    let id = shop.send("POST", list, json!({"body": exact})).is(201).json()["id"].clone();
    let one = format!("/issues/comments/{id}");
    let refused = shop.send("PATCH", &one, json!({"body": exact + "é"})).is(422).json();
    assert_eq!(refused["errors"][0]["message"], "Body is too long (maximum is 65536 characters)");
    shop.send("PATCH", &one, json!({"body": "shorter"})).is(200);
    assert_eq!(shop.github.comments(SHOP, 1)[5].body, "shorter");
    shop.try_send("DELETE", &one, None).unwrap().is(204);
    shop.try_send("DELETE", &one, None).unwrap().is(404);
    assert_eq!(shop.github.comments(SHOP, 1).len(), 5);
    assert_eq!(shop.github.comments(SHOP, 1)[0].login, "github-actions[bot]");
    shop.github.finish();
}

/// A review with these comments: each is refused or taken with all others.
fn review(shop: &Shop, comments: Value) -> crate::client::Answer {
    let review = json!({"commit_id": shop.pull.head_sha, "event": "COMMENT", "body": "seen",
                        "comments": comments});
    shop.send("POST", "/pulls/1/reviews", review)
}

#[test]
fn one_comment_outside_the_diff_refuses_the_whole_review() {
    let shop = Shop::open();
    let right = json!({"path": "a.txt", "line": 10, "side": "RIGHT", "body": "here"});
    let at = |path: &str, line: u64, side: &str| json!({"path": path, "line": line, "side": side, "body": "there"});
    // Three lines of context belong to a hunk, the fourth does not; `same.txt` is changed by `main`.
    for (wrong, what) in [
        (at("a.txt", 6, "RIGHT"), "line must be part of the diff"),
        (at("a.txt", 14, "LEFT"), "line must be part of the diff"),
        (at("gone.txt", 1, "RIGHT"), "line must be part of the diff"),
        (at("same.txt", 1, "RIGHT"), "path is invalid"),
        (at("never.txt", 1, "RIGHT"), "path is invalid"),
        (json!({"path": "a.txt", "start_line": 10, "line": 30, "body": "x"}), "same hunk"),
        (json!({"path": "a.txt", "start_line": 11, "line": 10, "body": "x"}), "must precede"),
    ] {
        let refused = review(&shop, json!([right, wrong])).is(422).json();
        assert_eq!(refused["message"], "Unprocessable Entity");
        let sentence = refused["errors"][0].as_str().unwrap();
        assert!(sentence.contains(what), "{wrong}: {sentence}");
    }
    assert!(shop.github.reviews(SHOP, 1).is_empty());
    assert!(shop.github.review_comments(SHOP, 1).is_empty());

    let good = json!([right, at("a.txt", 7, "RIGHT"), at("a.txt", 13, "LEFT"),
        at("gone.txt", 1, "LEFT"),
        {"path": "a.txt", "start_line": 28, "start_side": "RIGHT", "line": 31, "body": "x"}]);
    review(&shop, good).is(200);
    assert_eq!(shop.github.review_comments(SHOP, 1).len(), 5);
    assert_eq!(shop.get("/pulls/1/reviews").is(200).json()[0]["state"], "COMMENTED");
    let first = &shop.get("/pulls/1/comments").is(200).json()[0];
    assert!(first["diff_hunk"].as_str().unwrap().ends_with("\n-10\n+10 changed"), "{first}");
    shop.github.finish();
}

#[test]
fn single_comments_replies_and_outdated_lines() {
    let shop = Shop::open();
    let comment = |rest: Value| {
        let mut body = json!({"body": "x", "commit_id": shop.pull.head_sha, "path": "a.txt"});
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        shop.send("POST", "/pulls/1/comments", body)
    };
    let refused = comment(json!({"line": 20, "side": "RIGHT"})).is(422).json();
    assert_eq!(refused["message"], "Validation Failed");
    assert_eq!(refused["errors"][0]["field"], "pull_request_review_thread.line");
    comment(json!({"line": 10, "commit_id": shop.pull.base_sha})).is(422);
    let on_line = comment(json!({"line": 10, "side": "RIGHT"})).is(201).json();
    assert_eq!(comment(json!({"subject_type": "file"})).is(201).json()["subject_type"], "file");
    let replies = format!("/pulls/1/comments/{}/replies", on_line["id"]);
    assert_eq!(
        shop.send("POST", &replies, json!({"body": "y"})).is(201).json()["in_reply_to_id"],
        on_line["id"]
    );

    // The second push takes the change of line 10 back: the comment stays, its line goes.
    shop.push("a.txt", &lines(40, &[30]));
    let one = format!("/pulls/comments/{}", on_line["id"]);
    let outdated = shop.get(&one).is(200).json();
    assert_eq!((&outdated["line"], &outdated["original_line"]), (&Value::Null, &json!(10)));
    shop.send("PATCH", &one, json!({"body": "z"})).is(200);
    shop.try_send("DELETE", &one, None).unwrap().is(204);
    shop.get(&one).is(404);
    assert_eq!(shop.github.review_comments(SHOP, 1).len(), 2);
    shop.github.finish();
}

#[test]
fn annotations_come_in_batches_of_50_and_add_up() {
    let shop = Shop::open();
    let annotations = |from: u64, count: u64| {
        let of = |n: u64| {
            json!({"path": "a.txt", "start_line": n, "end_line": n, "message": "m",
                   "annotation_level": "warning"})
        };
        let all: Vec<Value> = (from..from + count).map(of).collect();
        json!({"title": "t", "summary": "s", "annotations": all})
    };
    let sha = &shop.pull.head_sha;
    let begin = json!({"name": "reach", "head_sha": sha, "status": "in_progress"});
    let run = shop.send("POST", "/check-runs", begin).is(201).json();
    let one = format!("/check-runs/{}", run["id"]);
    shop.send("PATCH", &one, json!({"output": annotations(1, 50)})).is(200);
    shop.send("PATCH", &one, json!({"output": annotations(51, 51)})).is(422);
    let violations = shop.github.take_violations();
    assert!(violations.is_empty() != crate::server::judged(), "51 annotations: {violations:?}");
    let end = json!({"status": "completed", "conclusion": "neutral", "output": annotations(51, 7)});
    assert_eq!(shop.send("PATCH", &one, end).is(200).json()["output"]["annotations_count"], 57);
    let run = &shop.github.check_runs(SHOP)[0];
    assert_eq!((run.annotations.len(), run.conclusion.as_deref()), (57, Some("neutral")));
    assert_eq!(run.annotations[56]["start_line"], 57);
    assert_eq!(
        shop.get(&format!("{one}/annotations?per_page=100")).is(200).json()[50]["start_line"],
        51
    );

    let again = json!({"name": "reach", "head_sha": sha, "conclusion": "success"});
    shop.send("POST", "/check-runs", again).is(201);
    let listed = format!("/commits/{sha}/check-runs?check_name=reach&filter=");
    assert_eq!(shop.get(&(listed.clone() + "latest")).is(200).json()["total_count"], 1);
    assert_eq!(shop.get(&(listed + "all")).is(200).json()["total_count"], 2);
    let status = json!({"state": "failure", "context": "reach", "description": "opened"});
    shop.send("POST", &format!("/statuses/{sha}"), status).is(201);
    assert_eq!(shop.github.statuses(SHOP)[0].state, "failure");
    shop.github.finish();
}

#[test]
fn tokens_say_who_and_what_may_be_done() {
    let shop = Shop::open();
    let github = &shop.github;
    github.add_token("reads", Token::fork());
    github.add_token("person", Token::personal("maintainer"));
    github.add_token("app", Token::installation("reach"));
    let blind = Permissions { checks: Access::None, ..Permissions::all(Access::Write) };
    github.add_token("blind", Token { permissions: blind, ..Token::actions() });
    let send = |token: &str, method: &str, path: &str, body: Option<Value>| {
        send(github.url(), token, method, path, body.as_ref()).unwrap()
    };
    let comments = format!("/repos/{SHOP}/issues/1/comments");
    let hello = || Some(json!({"body": "hello"}));
    send("", "GET", &comments, None).is(401);
    send("unknown", "GET", &comments, None).is(401);
    send("reads", "GET", &comments, None).is(200);
    let refused = send("reads", "POST", &comments, hello()).is(403).json();
    assert_eq!(refused["message"], "Resource not accessible by integration");
    send("app", "POST", &comments, hello()).is(201);
    let checks = format!("/repos/{SHOP}/check-runs");
    let check = || Some(json!({"name": "reach", "head_sha": shop.pull.head_sha}));
    send("blind", "POST", &checks, check()).is(403);
    send("person", "POST", &checks, check()).is(403);
    send("app", "POST", &checks, check()).is(201);

    assert_eq!(send("person", "GET", "/user", None).is(200).json()["login"], "maintainer");
    send("app", "GET", "/user", None).is(403);
    let query = json!({"query": "query { viewer { login } }"});
    for (token, login) in [(TOKEN, "github-actions[bot]"), ("app", "reach[bot]")] {
        let viewer = send(token, "POST", "/graphql", Some(query.clone())).is(200).json();
        assert_eq!(viewer["data"]["viewer"]["login"], login);
    }
    send(TOKEN, "GET", "/rate_limit", None).is(200);
    let who: Vec<_> = github.requests().into_iter().map(|request| request.login).collect();
    assert_eq!(who[0..3], [None, None, Some("github-actions[bot]".to_string())]);
    shop.github.finish();
}

/// The judge itself: what is not GitHub's way is found.
#[test]
fn requests_that_github_does_not_know_are_violations() {
    let shop = Shop::open();
    if !crate::server::judged() {
        return shop.github.finish();
    }
    let complaint = |method: &str, path: &str, body: Option<Value>, what: &str| {
        shop.try_send(method, path, body.clone()).unwrap();
        let violations = shop.github.take_violations();
        assert!(violations.iter().any(|v| v.contains(what)), "{method} {path}: {violations:?}");
    };
    complaint("GET", "/pulls/1/everything", None, "no such route");
    complaint("GET", "/pulls?sate=open", None, "`sate` is a parameter");
    complaint("GET", "/pulls?state=ajar", None, "can't be `ajar`");
    complaint("GET", "/issues/1/comments?per_page=many", None, "can't be `many`");
    complaint("POST", "/issues/1/comments", Some(json!({"text": "x"})), "\"body\" is a required");
    complaint(
        "POST",
        "/issues/1/comments",
        Some(json!({"body": "x", "bdy": 1})),
        "`/bdy` is a field",
    );
    complaint("POST", "/issues/1/comments", None, "no JSON was sent");
    complaint("GET", "/pulls/1", Some(json!({})), "GitHub takes nothing");
    let check = json!({"name": "n", "head_sha": shop.pull.head_sha, "conclusion": "fine"});
    complaint("POST", "/check-runs", Some(check), "sent /conclusion");
    shop.github.finish();
}
