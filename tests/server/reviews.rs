//! From a webhook to what stands on GitHub.

use crate::house::{APP, House, INSTALLATION, REPOSITORY, commit};
use crate::server::{Fault, When};
use crate::world::WEB;

#[test]
fn a_pull_request_is_reviewed() {
    let house = House::new();
    let running = house.start();
    let delivery = house.github.send(&house.github.pull_event(REPOSITORY, 1, "opened"));
    assert_eq!(delivery.status_code, 202);
    house.expect_one_review("failure");
    let comment = &house.github.comments(REPOSITORY, 1)[0];
    assert_eq!(comment.login, "reviewer[bot]");
    assert!(comment.body.contains("5432"), "{}", comment.body);
    running.end();
}

#[test]
fn a_redelivery_does_nothing_twice() {
    let house = House::new();
    let running = house.start();
    let delivery = house.github.send(&house.github.pull_event(REPOSITORY, 1, "opened"));
    house.expect_one_review("failure");
    let calls = house.github.requests().len();
    house.github.redeliver(&delivery);
    house.until_idle();
    assert_eq!(house.github.requests().len(), calls);
    running.end();
}

#[test]
fn a_newer_head_is_reviewed_and_the_comment_stays_one() {
    let house = House::new();
    let running = house.start();
    house.github.send(&house.github.pull_event(REPOSITORY, 1, "opened"));
    house.expect_one_review("failure");
    let before = house.head();
    commit(&house.world, "feature", WEB);
    house.github.refresh_pull(REPOSITORY, 1);
    house.github.send(&house.github.synchronize_event(REPOSITORY, 1, &before));
    house.expect_one_review("success");
    running.end();
}

#[test]
fn events_that_were_lost_are_asked_for_again() {
    let house = House::new();
    house.github.edit_app(APP, |app| app.webhook_url = "http://127.0.0.1:9/webhook".into());
    house.github.send(&house.github.pull_event(REPOSITORY, 1, "opened"));
    let running = house.start();
    house.expect_one_review("failure");
    assert!(house.github.deliveries().iter().any(|delivery| delivery.redelivery));
    running.end();
}

#[test]
fn a_pull_request_of_which_no_event_tells_is_found() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    running.end();
    // And what has its check is left alone.
    let running = house.start();
    house.until_idle();
    house.expect_one_review("failure");
    running.end();
}

#[test]
fn an_installation_has_all_its_pull_requests_reviewed() {
    let house = House::new();
    let options = house.options();
    let running = house.start_with(options);
    house.expect_one_review("failure");
    house.github.send(&house.github.installation_event(INSTALLATION, "created"));
    house.until_idle();
    house.expect_one_review("failure");
    running.end();
}

#[test]
fn a_push_to_the_base_has_its_pull_requests_reviewed_again() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    let before = house.world.git(&["rev-parse", "refs/heads/main"]);
    commit(&house.world, "main", crate::world::ANY);
    house.github.refresh_pull(REPOSITORY, 1);
    house.github.send(&house.github.push_event(REPOSITORY, "main", &before));
    let head = house.head();
    house.until("a second check", || house.concluded(&head).len() == 2);
    let last = house.concluded(&head).pop().and_then(|run| run.conclusion);
    assert_eq!(last.as_deref(), Some("success"), "nothing opens any more");
    running.end();
}

#[test]
fn a_check_is_run_again_on_request() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    let run = house.concluded(&house.head())[0].id;
    house.github.send(&house.github.check_run_event(REPOSITORY, run, "somebody"));
    let head = house.head();
    house.until("a second check", || house.concluded(&head).len() == 2);
    running.end();
}

#[test]
fn a_merge_group_is_reviewed() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    let base = house.world.git(&["rev-parse", "refs/heads/main"]);
    let head = house.world.git(&["rev-parse", "refs/pull/1/merge"]);
    let event = house.github.merge_group_event(REPOSITORY, ["main", &base], ["queue", &head]);
    house.github.send(&event);
    house.until("its check is concluded", || !house.concluded(&head).is_empty());
    running.end();
}

#[test]
fn what_fails_once_is_tried_again() {
    let house = House::new();
    house.github.fault_always(When::is("GET", "/compare/"), Fault::Status(502));
    house.github.fault(When::is("PATCH", "/check-runs/"), Fault::DropAfter);
    house.github.fault(When::is("POST", "/comments"), Fault::DropAfter);
    house.github.fault(When::is("POST", "/check-runs"), Fault::DropAfter);
    house.github.fault(When::is("POST", "/access_tokens"), Fault::Status(500));
    let running = house.start();
    house.expect_one_review("failure");
    running.end();
}

/// GraphQL's status is 200 whatever went wrong. Who does not know its own name would comment under its own comment.
#[test]
fn a_server_that_is_not_told_its_name_does_not_make_one_up() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    house.github.fault(When::is("POST", "/graphql"), Fault::GraphErrors);
    let head = house.head();
    house.github.send(&house.github.pull_event(REPOSITORY, 1, "reopened"));
    // It is tried again after ten seconds.
    house.until("a second check", || house.concluded(&head).len() == 2);
    house.until_idle();
    assert_eq!(house.github.comments(REPOSITORY, 1).len(), 1);
    running.end();
}

/// A pull request that GitHub does not know yet, and a token that it does not know yet.
#[test]
fn a_server_of_githubs_that_lags_behind_is_waited_for() {
    for (method, path, status) in [("GET", "/pulls/1", 404), ("POST", "/check-runs", 403)] {
        let house = House::new();
        house.github.fault(When::is(method, path), Fault::Status(status));
        let running = house.start();
        house.expect_one_review("failure");
        running.end();
    }
}

/// The limit of an hour: nothing more is asked for, and the job is not lost.
#[test]
fn a_limit_is_waited_for_without_asking() {
    let house = House::new();
    house.github.fault(When::is("GET", "/pulls/1"), Fault::HourlyLimit(3_000));
    let running = house.start();
    let queue = running.server.as_ref().expect("it runs").queue().clone();
    house.until("the installation is put off", || queue.paused() == 1);
    house.until_idle();
    house.github.send(&house.github.pull_event(REPOSITORY, 1, "reopened"));
    let calls = house.github.requests().len();
    house.until_idle();
    assert_eq!(house.github.requests().len(), calls);
    let depth = running.block_on(queue.count()).expect("counted");
    assert_eq!((depth.running, depth.dead, depth.waiting + depth.later), (0, 0, 1));
    running.end();
}

/// GitHub takes the newest check of a commit for every pull request with that head. One that opens nothing must not
/// undo the failure of another.
#[test]
fn a_second_pull_request_with_the_same_head_does_not_undo_a_failure() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    house.open_mild_twin();
    house.github.send(&house.github.pull_event(REPOSITORY, 2, "opened"));
    let head = house.head();
    house.until("both are concluded", || house.concluded(&head).len() == 2);
    house.until_idle();
    let last = house.concluded(&head).pop().expect("a check");
    assert_eq!(last.conclusion.as_deref(), Some("failure"));
    let title = last.title.clone().unwrap_or_default();
    assert!(title.starts_with("pull request #1 has the same head, and fails"), "{title}");
    // Once the other is closed nothing stands in its way.
    house.github.edit_pull(REPOSITORY, 1, |pull| pull.closed = true);
    house.github.send(&house.github.check_run_event(REPOSITORY, last.id, "somebody"));
    house.until("a third check", || house.concluded(&head).len() == 3);
    let last = house.concluded(&head).pop().and_then(|run| run.conclusion);
    assert_eq!(last.as_deref(), Some("success"));
    running.end();
}

/// The same where the milder one came first.
#[test]
fn a_failure_reaches_the_other_pull_requests_with_its_head() {
    let house = House::new();
    house.github.edit_pull(REPOSITORY, 1, |pull| pull.closed = true);
    house.open_mild_twin();
    let running = house.start();
    let head = house.head();
    house.until("the mild one is concluded", || house.concluded(&head).len() == 1);
    house.until_idle();
    house.github.edit_pull(REPOSITORY, 1, |pull| pull.closed = false);
    house.github.send(&house.github.pull_event(REPOSITORY, 1, "reopened"));
    house.until("the mild one is told", || house.concluded(&head).len() == 3);
    house.until_idle();
    let last = house.concluded(&head).pop().and_then(|run| run.conclusion);
    assert_eq!(last.as_deref(), Some("failure"));
    running.end();
}

/// The fingerprint of the one row of a review.
pub fn row_of(body: &str) -> &str {
    let mut prints = body.split("  - Fingerprint: `").skip(1);
    let print = prints.next().and_then(|rest| rest.get(..32)).expect("a fingerprint");
    assert_eq!(prints.next(), None, "one row");
    print
}

#[test]
fn a_command_in_a_comment_is_heard_and_answered_once() {
    let house = House::new();
    let settings = "version: 1\napprovers: {teams: [shop/security]}\n";
    house.world.commit("main", &[(".github/netpol-review.yml", Some(settings))]);
    house.github.refresh_pull(REPOSITORY, 1);
    house.github.add_to_team("shop/security", "carol");
    let running = house.start();
    house.expect_one_review("failure");
    let body = house.github.comments(REPOSITORY, 1).remove(0).body;
    // Of the path alone: the finding that stands under it is accepted with it.
    assert!(body.contains("This breaks [any-namespace-peer]"), "{body}");
    let command =
        format!("/netpol-review waive {} --reason \"the auditors read it\"\n", row_of(&body));
    let comment = house.github.add_comment(REPOSITORY, 1, "carol", &command);
    let event = house.github.comment_event(REPOSITORY, comment);
    let delivery = house.github.send(&event);
    let head = house.head();
    house.until("a second check", || house.concluded(&head).len() == 2);
    house.until_idle();
    let last = house.concluded(&head).pop().expect("a check");
    let comments = house.github.comments(REPOSITORY, 1);
    assert_eq!(last.conclusion.as_deref(), Some("success"), "{last:#?} {comments:#?}");
    house.github.redeliver(&delivery);
    house.until_idle();
    let comments = house.github.comments(REPOSITORY, 1);
    assert_eq!(comments.len(), 3, "{comments:#?}");
    assert!(comments[2].body.contains("**Accepted**"), "{}", comments[2].body);
    running.end();
}
