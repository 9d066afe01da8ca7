//! Each fault does what it says, on the request that it was meant for, and nothing else.

use crate::client::send;
use crate::server::{Fault, When};
use crate::shop::{SHOP, Shop, TOKEN, git};
use serde_json::{Value, json};
use std::io;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

const COMMENTS: &str = "/issues/1/comments";

#[test]
fn faults_before_and_after_the_write() {
    for fault in Fault::each() {
        let shop = Shop::open();
        shop.github.fault(When::is("POST", "/comments"), fault);
        shop.get("/pulls/1").is(200);
        let started = Instant::now();
        let answer = shop.try_send("POST", COMMENTS, Some(json!({"body": "once"})));
        let written = shop.github.comments(SHOP, 1).len();
        // Said here once more, not taken from the server.
        let expected = match fault {
            Fault::StatusAfter(_) | Fault::DropAfter | Fault::Truncated => 1,
            Fault::HalfJson | Fault::Delay(_) => 1,
            _ => 0,
        };
        assert_eq!(written, expected, "{fault:?}");
        let status = answer.as_ref().ok().map(|answer| answer.status);
        let logged = shop.github.requests()[1].status;
        match fault {
            Fault::Status(code) | Fault::StatusAfter(code) => {
                assert_eq!(status, Some(code), "{fault:?}");
                assert_eq!(answer.unwrap().json()["status"], code.to_string());
            }
            Fault::RetryAfter(seconds) => {
                let answer = answer.unwrap().is(403);
                assert_eq!(answer.header("retry-after"), Some(seconds.to_string().as_str()));
            }
            Fault::SecondaryLimit(code) => {
                let answer = answer.unwrap().is(code);
                assert_eq!(answer.header("retry-after"), None);
                let message = answer.json()["message"].to_string();
                assert!(message.contains("exceeded a secondary rate limit"), "{message}");
            }
            Fault::HourlyLimit(_) => {
                let answer = answer.unwrap().is(403);
                assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"));
            }
            Fault::DropBefore | Fault::DropAfter | Fault::Truncated => {
                let error = answer.expect_err("no whole answer").kind();
                assert_eq!(error, io::ErrorKind::UnexpectedEof, "{fault:?}");
                assert_eq!(logged.is_some(), fault == Fault::Truncated, "{fault:?}");
            }
            Fault::Html(code) => {
                let answer = answer.unwrap().is(code);
                assert!(answer.body.starts_with("<!DOCTYPE html>"), "{}", answer.body);
                assert_eq!(answer.json(), Value::Null);
            }
            Fault::GraphErrors => unreachable!("no answer of the REST API"),
            Fault::Delay(time) => {
                answer.unwrap().is(201);
                assert!(started.elapsed() >= time, "{:?}", started.elapsed());
            }
            Fault::HalfJson => {
                let answer = answer.unwrap().is(201);
                assert_eq!(answer.json(), Value::Null);
                assert!(answer.body.starts_with('{'), "{}", answer.body);
            }
        }
        // Played once.
        shop.send("POST", COMMENTS, json!({"body": "twice"})).is(201);
        let played: Vec<bool> =
            shop.github.requests().iter().map(|request| request.fault.is_some()).collect();
        assert_eq!(played, [false, true, false], "{fault:?}");
        shop.github.finish();
    }
}

#[test]
fn a_fault_by_index_by_turn_and_always() {
    let shop = Shop::open();
    shop.github.fault(When::index(1), Fault::Status(500));
    shop.github.fault(When::is("GET", "/pulls/1").after(2), Fault::Status(503));
    let statuses =
        |count: usize| -> Vec<u16> { (0..count).map(|_| shop.get("/pulls/1").status).collect() };
    // The request that got the first fault was not offered to the second.
    assert_eq!(statuses(5), [200, 500, 200, 503, 200]);
    shop.github.fault_always(When::is("*", "/pulls"), Fault::Status(502));
    assert_eq!(statuses(2), [502, 502]);
    shop.github.clear_faults();
    assert_eq!(statuses(1), [200]);
    shop.github.finish();
}

#[test]
fn a_hook_lets_another_client_in_between() {
    let shop = Shop::open();
    let url = shop.github.url().to_string();
    let path = format!("/repos/{SHOP}{COMMENTS}");
    shop.github.before(When::is("POST", "/comments"), move |seen| {
        assert_eq!(seen.index, 1);
        send(&url, TOKEN, "POST", &path, Some(&json!({"body": "the other"}))).unwrap().is(201);
    });
    shop.get(COMMENTS).is(200);
    shop.send("POST", COMMENTS, json!({"body": "the one"})).is(201);
    let bodies: Vec<String> =
        shop.github.comments(SHOP, 1).into_iter().map(|comment| comment.body).collect();
    assert_eq!(bodies, ["the other", "the one"]);

    shop.github.finish();
}

#[test]
fn clients_take_turns() {
    let shop = Shop::open();
    for secret in ["a", "b"] {
        shop.github.add_token(secret, crate::server::Token::actions());
    }
    // Both read; `a` writes twice, and `b` once or twice: the turns that it has left are skipped.
    for (order, writes_of_b, expected) in [
        (["a", "b", "b", "b", "a", "a"], 2, "bbaa"),
        (["b", "a", "a", "a", "b", "b"], 2, "aabb"),
        (["a", "b", "a", "b", "a", "b"], 2, "abab"),
        (["a", "b", "b", "b", "a", "a"], 1, "baa"),
    ] {
        let before = shop.github.comments(SHOP, 1).len();
        let turns = shop.github.take_turns(&order);
        std::thread::scope(|scope| {
            for (secret, writes) in [("a", 2), ("b", writes_of_b)] {
                let (turns, url) = (turns.clone(), shop.github.url());
                scope.spawn(move || {
                    let path = format!("/repos/{SHOP}{COMMENTS}");
                    send(url, secret, "GET", &path, None).unwrap().is(200);
                    for _ in 0..writes {
                        let body = json!({"body": secret});
                        send(url, secret, "POST", &path, Some(&body)).unwrap().is(201);
                    }
                    turns.finished(secret);
                });
            }
        });
        let written = &shop.github.comments(SHOP, 1)[before..];
        let written: String = written.iter().map(|comment| comment.body.as_str()).collect();
        assert_eq!(written, expected, "{order:?}");
    }
    shop.github.finish();
}

/// Fetches into a fresh repository with this secret as password, none where it is empty.
fn fetch(shop: &Shop, secret: &str, arguments: &[&str]) -> Result<String, String> {
    let into = shop.directory.path().join("fetched");
    std::fs::remove_dir_all(&into).ok();
    git(shop.directory.path(), &["init", "-q", "fetched"]).unwrap();
    let url = shop.github.git_url(SHOP);
    let url = match secret {
        "" => url,
        _ => url.replace("http://", &format!("http://x-access-token:{secret}@")),
    };
    let (options, wanted) = arguments.split_at(1);
    let whole = [&["fetch", "-q"], options, &[url.as_str()], wanted].concat();
    git(&into, &whole)
}

#[test]
fn git_fetches_with_a_token_only() {
    let shop = Shop::open();
    let into = shop.directory.path().join("fetched");
    let (merge, base) = (shop.pull.merge_commit_sha.clone().unwrap(), &shop.pull.base_sha);
    let wanted = ["--depth=2", "refs/pull/1/merge"];
    let refused = fetch(&shop, "", &wanted).unwrap_err();
    assert!(refused.contains("could not read Username"), "{refused}");
    fetch(&shop, "unknown", &wanted).unwrap_err();

    fetch(&shop, TOKEN, &wanted).unwrap();
    // The merge and its parents, nothing older.
    assert_eq!(git(&into, &["rev-list", "--count", &merge]).unwrap(), "3");
    assert_eq!(git(&into, &["show", &format!("{merge}:same.txt")]).unwrap(), "same, later");

    // A commit by its name that no branch points to, and one without its blobs.
    fetch(&shop, TOKEN, &["--depth=1", &merge, base]).unwrap();
    fetch(&shop, TOKEN, &["--filter=blob:none", &merge]).unwrap();
    let missing = git(&into, &["rev-list", "--objects", "--missing=print", &merge]).unwrap();
    assert!(missing.lines().any(|line| line.starts_with('?')), "{missing}");
    let git_requests = shop.github.requests();
    assert!(git_requests.iter().any(|request| request.path.ends_with("/git-upload-pack")));
    shop.github.finish();
}

#[test]
fn a_waiting_hook_does_not_keep_the_server_alive() {
    let shop = Shop::open();
    let barrier = Arc::new(Barrier::new(2));
    let inside = Arc::clone(&barrier);
    shop.github.before(When::index(0), move |_| {
        inside.wait();
    });
    let started = Instant::now();
    let url = shop.github.url().to_string();
    let client = std::thread::spawn(move || send(&url, TOKEN, "GET", "/rate_limit", None));
    while shop.github.requests().is_empty() {
        std::thread::yield_now();
    }
    shop.github.finish();
    assert!(client.join().unwrap().is_err());
    assert!(started.elapsed() < Duration::from_secs(5));
    barrier.wait();
}
