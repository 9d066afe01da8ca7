//! Which head is reviewed, against which base, and which of its checks counts.

use crate::house::{self, House, REPOSITORY, commit};
use crate::server::{CheckRun, Fault, Pull, When};
use crate::world::{ANY, WEB};
use netpol_review::server::Options;
use netpol_review::server::job::{Job, Place, Task};
use netpol_review::server::queue::Queue;
use std::time::Duration;

/// What the newest check of a commit about a pull request says, and its title.
fn newest(house: &House, head: &str, number: u64) -> Option<(String, String)> {
    let about = |run: &CheckRun| {
        let subject = run.external_id.as_deref().and_then(|id| id.split('#').next());
        subject.is_some_and(|subject| subject.ends_with(&format!("/{number}")))
    };
    let runs = house.concluded(head).into_iter().filter(about);
    let run = runs.max_by_key(|run| run.id)?;
    Some((run.conclusion?, run.title.unwrap_or_default()))
}

fn until_concluded(house: &House, head: &str, number: u64, conclusion: &str) {
    house.until(&format!("pull request {number} is a {conclusion}"), || {
        newest(house, head, number).is_some_and(|(found, _)| found == conclusion)
    });
}

fn settings(house: &House, branch: &str, text: &str) {
    house.world.commit(branch, &[(".github/netpol-review.yml", Some(text))]);
}

/// GitHub goes on telling of the merge with the old base for a while. Its configuration must not judge.
#[test]
fn a_merge_with_an_older_base_is_not_believed() {
    let house = House::new();
    house.world.git(&["branch", "lenient", "main"]);
    settings(&house, "lenient", "version: 1\nmode: warn\n");
    let head = commit(&house.world, "second", &format!("{ANY}        # 2\n"));
    let pull = Pull { number: 2, head: "second".into(), base: "lenient".into(), ..Pull::default() };
    house.github.open_pull(REPOSITORY, pull);
    let running = house.start();
    until_concluded(&house, &head, 2, "neutral");
    house.github.edit_pull(REPOSITORY, 2, |pull| pull.base = "main".into());
    house.github.send(&house.github.rebased_event(REPOSITORY, 2, "lenient"));
    until_concluded(&house, &head, 2, "failure");
    running.end();
}

#[test]
fn a_head_that_comes_back_is_reviewed_anew() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    let first = house.head();
    let second = commit(&house.world, "feature", WEB);
    house.github.refresh_pull(REPOSITORY, 1);
    house.github.send(&house.github.synchronize_event(REPOSITORY, 1, &first));
    until_concluded(&house, &second, 1, "success");
    // Nobody tells that the base moved, so that the old check of the first head is wrong by now.
    commit(&house.world, "main", ANY);
    house.world.git(&["branch", "--force", "feature", &first]);
    house.github.refresh_pull(REPOSITORY, 1);
    house.github.send(&house.github.synchronize_event(REPOSITORY, 1, &second));
    until_concluded(&house, &first, 1, "success");
    running.end();
}

/// A server that is ended while it reviews, so that a check is begun and not concluded.
fn left_in_the_middle(house: &House) -> String {
    house
        .github
        .fault(When::is("GET", "/git/ref/heads/main"), Fault::Delay(Duration::from_secs(5)));
    let options = Options { grace: Duration::ZERO, ..house.options() };
    let running = house.start_with(options);
    let head = house.head();
    let begun =
        |house: &House| house.github.check_runs(REPOSITORY).iter().any(|run| run.head_sha == head);
    house.until("a check is begun", || begun(house));
    running.end();
    assert!(house.concluded(&head).is_empty());
    head
}

#[test]
fn what_was_begun_of_an_older_head_is_concluded() {
    let house = House::new();
    let older = left_in_the_middle(&house);
    let head = commit(&house.world, "feature", WEB);
    house.github.refresh_pull(REPOSITORY, 1);
    let running = house.start();
    house.github.send(&house.github.synchronize_event(REPOSITORY, 1, &older));
    until_concluded(&house, &head, 1, "success");
    until_concluded(&house, &older, 1, "cancelled");
    running.end();
}

#[test]
fn what_was_begun_of_a_pull_request_that_closed_is_concluded() {
    let house = House::new();
    let head = left_in_the_middle(&house);
    house.github.edit_pull(REPOSITORY, 1, |pull| pull.closed = true);
    let running = house.start();
    until_concluded(&house, &head, 1, "cancelled");
    // It says nothing about the change, so that there is a review once it is open again.
    house.github.edit_pull(REPOSITORY, 1, |pull| pull.closed = false);
    house.github.send(&house.github.pull_event(REPOSITORY, 1, "ready_for_review"));
    until_concluded(&house, &head, 1, "failure");
    running.end();
}

/// Two pull requests with one head: the mild one fails as long as the other does, and no longer.
#[test]
fn a_failure_for_the_sake_of_another_ends_with_it() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    let head = house.head();
    house.open_mild_twin();
    house.github.send(&house.github.pull_event(REPOSITORY, 2, "opened"));
    until_concluded(&house, &head, 2, "failure");
    let title = newest(&house, &head, 2).map(|(_, title)| title).unwrap_or_default();
    assert!(title.starts_with("pull request #1 has the same head, and fails"), "{title}");
    // Reviewed again, neither takes the other's failure for its own.
    let before = house.world.git(&["rev-parse", "refs/heads/main"]);
    commit(&house.world, "main", ANY);
    for number in [1, 2] {
        house.github.refresh_pull(REPOSITORY, number);
    }
    house.github.send(&house.github.push_event(REPOSITORY, "main", &before));
    until_concluded(&house, &head, 1, "success");
    until_concluded(&house, &head, 2, "success");
    running.end();
}

#[test]
fn the_check_of_a_merge_group_is_run_again_on_request() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    let base = house.world.git(&["rev-parse", "refs/heads/main"]);
    let head = house.world.git(&["rev-parse", "refs/pull/1/merge"]);
    let event = house.github.merge_group_event(REPOSITORY, ["main", &base], ["queue", &head]);
    house.github.send(&event);
    house.until("its check is concluded", || house.concluded(&head).len() == 1);
    let run = house.concluded(&head)[0].id;
    house.github.send(&house.github.check_run_event(REPOSITORY, run, "somebody"));
    house.until("and once more", || house.concluded(&head).len() == 2);
    running.end();
}

/// A pull request that ends the process each time it is reviewed must not do so for ever.
#[test]
fn what_ends_every_process_is_given_up() {
    let house = House::new();
    let repository = house.github.repository_id(REPOSITORY);
    let place = Place {
        installation: house::INSTALLATION as i64,
        repository: repository as i64,
        name: REPOSITORY.into(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        for death in 0..17 {
            let queue = Queue::open(&house.options().database, &format!("dead-{death}")).await;
            let queue = queue.expect("a queue");
            if death == 0 {
                queue.ask(&[Job::new(place.clone(), Task::Pull(1))]).await.expect("asked");
            }
            queue.claim(1).await.expect("asked").expect("the job");
            queue.close().await;
        }
    });
    let running = house.start();
    let head = house.head();
    until_concluded(&house, &head, 1, "failure");
    let check = house.concluded(&head).pop().expect("a check");
    let summary = check.summary.unwrap_or_default();
    assert!(summary.contains("the server ended each time"), "{summary}");
    assert_eq!(house.github.comments(REPOSITORY, 1).len(), 0, "nobody knows what to say");
    running.end();
}
