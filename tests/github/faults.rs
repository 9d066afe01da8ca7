//! Any single fault at any request, and two runs interleaved at any request: what the next run leaves is one
//! comment, the right one, and no check that is still going on.

use crate::scene::{REPOSITORY, Scene, event, run_as};
use crate::server::{Fault, TestGitHub, When};
use crate::world::{ANY, WEB, World, shop};
use netpol_review::github::{Inputs, RunError};
use std::sync::{Arc, Mutex};

fn widened() -> World {
    let world = World::new();
    let texts = shop(WEB);
    let files: Vec<(&str, Option<&str>)> =
        texts.iter().map(|(path, text)| (*path, Some(text.as_str()))).collect();
    world.commit("main", &files);
    let policy = shop(ANY).pop().expect("a policy").1;
    world.commit("feature", &[("shop/policy.yaml", Some(&policy))]);
    world
}

/// What must hold once a run has ended well.
fn settled(github: &TestGitHub, told: &str) {
    let comments = github.comments(REPOSITORY, 1);
    assert_eq!(comments.len(), 1, "{told}: one comment, not {comments:#?}");
    let body = &comments[0].body;
    assert!(body.contains("any pod in any namespace"), "{told}: {body}");
    let head = github.refresh_pull(REPOSITORY, 1).head_sha;
    assert!(body.contains(&format!("head={head}")), "{told}: {body}");
    let lines = github.review_comments(REPOSITORY, 1);
    assert_eq!(lines.len(), 1, "{told}: one comment on the line, not {lines:#?}");
    ended(github, told);
}

/// No check is left going on, and none says something twice.
fn ended(github: &TestGitHub, told: &str) {
    for check in github.check_runs(REPOSITORY) {
        assert_eq!(check.status, "completed", "{told}: {check:#?}");
        for (at, annotation) in check.annotations.iter().enumerate() {
            assert!(!check.annotations[..at].contains(annotation), "{told}: {annotation:#}");
        }
    }
}

/// The number of requests of a run where nothing goes wrong.
fn requests(world: &World) -> usize {
    let scene = Scene::new(world);
    scene.run().expect("a review");
    let count = scene.github.requests().len();
    scene.github.finish();
    count
}

#[test]
fn a_run_needs_few_calls() {
    let world = widened();
    let scene = Scene::new(&world);
    scene.run().expect("a review");
    let calls: Vec<String> =
        scene.github.requests().iter().map(|r| format!("{} {}", r.method, r.path)).collect();
    assert!(calls.len() <= 12, "{calls:#?}");
    // Nothing grows with the repository.
    for number in 0..300 {
        let path = format!("shop/more-{number}.yaml");
        let text = shop(WEB)[0].1.replace("web", &format!("worker-{number}"));
        world.commit("main", &[(path.as_str(), Some(text.as_str()))]);
        if number == 3 {
            break;
        }
    }
    scene.github.refresh_pull(REPOSITORY, 1);
    let before = scene.github.requests().len();
    scene.run().expect("a review");
    assert!(scene.github.requests().len() - before <= calls.len());
    scene.github.finish();
}

#[test]
fn any_fault_at_any_request_heals_with_the_next_run() {
    let world = widened();
    let count = requests(&world);
    let cases: Vec<(usize, Fault)> = (0..count)
        .flat_map(|index| Fault::each().into_iter().map(move |fault| (index, fault)))
        .collect();
    // Most cases wait, for an answer or because GitHub says so.
    let next = Mutex::new(cases.into_iter());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let Some((index, fault)) = next.lock().expect("a lock").next() else { break };
                    let case = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        one_fault(&world, index, fault);
                    }));
                    if case.is_err() {
                        failed
                            .lock()
                            .expect("a lock")
                            .push(format!("{fault:?} at request {index}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("a lock");
    assert!(failed.is_empty(), "{failed:#?}");
}

fn one_fault(world: &World, index: usize, fault: Fault) {
    let told = format!("{fault:?} at request {index}");
    let scene = Scene::new(world);
    scene.github.fault(When::index(index), fault);
    let first = scene.run();
    ended(&scene.github, &told);
    if first.is_ok() {
        settled(&scene.github, &told);
    }
    scene.github.clear_faults();
    scene
        .run_as("2", &scene.event_with_checkout(), &Inputs::default())
        .unwrap_or_else(|error| panic!("{told}: {error}"));
    settled(&scene.github, &told);
    scene.github.finish();
}

#[test]
fn a_fault_that_stays_ends_the_run_and_names_what_failed() {
    let world = widened();
    let scene = Scene::new(&world);
    scene.github.fault_always(When::is("*", "/issues/"), Fault::Status(502));
    let error = scene.run().expect_err("it can not write");
    assert!(matches!(error, RunError::GitHub(_)), "{error}");
    assert!(error.to_string().contains("read the comments"), "{error}");
    ended(&scene.github, "comments always fail");
    scene.github.finish();
}

#[test]
fn two_runs_interleaved_leave_one_comment() {
    let world = widened();
    let count = requests(&world);
    for index in 0..count {
        let told = format!("another run before request {index}");
        let scene = Scene::new(&world);
        let (url, workspace) = (scene.github.url().to_string(), world.bare());
        let other = Arc::new(Mutex::new(None));
        let result = Arc::clone(&other);
        scene.github.before(When::index(index), move |_| {
            let outcome = run_as("2", &event(&url, Some(workspace)), &Inputs::default());
            *result.lock().expect("a lock") = Some(outcome.map(|_| ()).map_err(|e| e.to_string()));
        });
        scene.run().unwrap_or_else(|error| panic!("{told}: {error}"));
        assert_eq!(*other.lock().expect("a lock"), Some(Ok(())), "{told}");
        settled(&scene.github, &told);
        scene.github.finish();
    }
}

#[test]
fn a_run_gives_way_to_that_of_a_newer_head() {
    let count = requests(&widened());
    for index in 0..count {
        let told = format!("a push before request {index}");
        let world = widened();
        let scene = Scene::new(&world);
        let (url, workspace) = (scene.github.url().to_string(), world.bare());
        let pushed = Arc::new(Mutex::new(false));
        let done = Arc::clone(&pushed);
        scene.github.before(When::index(index), move |_| *done.lock().expect("a lock") = true);
        scene.run().unwrap_or_else(|error| panic!("{told}: {error}"));
        assert!(*pushed.lock().expect("a lock"));
        world.commit("feature", &[("README.md", Some("a push"))]);
        scene.github.refresh_pull(REPOSITORY, 1);
        run_as("2", &event(&url, Some(workspace)), &Inputs::default())
            .unwrap_or_else(|error| panic!("{told}: {error}"));
        settled(&scene.github, &told);
        scene.github.finish();
        // The head changes at one point only: right after it was read.
        if index > 2 {
            break;
        }
    }
    let world = widened();
    let scene = Scene::new(&world);
    let mut reads = 0;
    let newer = world.commit("next", &[("README.md", Some("a push"))]);
    world.git(&["update-ref", "refs/heads/newer", &newer]);
    let bare = world.bare();
    let then = When::such(move |seen| {
        reads += usize::from(seen.method == "GET" && seen.path.ends_with("/pulls/1"));
        reads == 2
    });
    scene.github.before(then, move |_| {
        let moved = std::process::Command::new("git")
            .arg("-C")
            .arg(bare)
            .args(["update-ref", "refs/heads/feature", &newer])
            .status()
            .expect("git");
        assert!(moved.success());
    });
    let outcome = scene.run();
    // Whether the server looks its branches up anew is its own affair; either it saw the push, or not.
    let outcome = outcome.expect("a run");
    ended(&scene.github, "a push before the second look");
    if outcome.gave_way {
        assert!(scene.comments().is_empty());
    }
    scene.github.finish();
}
