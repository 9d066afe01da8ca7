//! Each command has one answer and a record, whatever goes wrong, and nothing that people write does harm there.

use crate::commands::{ANSWER, USERS, passed, scene, waive, world};
use crate::scene::{REPOSITORY, Scene, event, run_as};
use crate::server::{Fault, TestGitHub, When};
use netpol_review::github::Inputs;
use std::sync::{Arc, Mutex};

/// A run with two commands: one that counts, and one that does not.
fn settled(github: &TestGitHub, [yes, no]: [u64; 2], told: &str) {
    let comments = github.comments(REPOSITORY, 1);
    for (comment, words) in [(yes, "**Accepted**"), (no, "**Refused**")] {
        let marker = format!("{ANSWER}{comment} ");
        let own: Vec<_> = comments.iter().filter(|one| one.body.contains(&marker)).collect();
        assert_eq!(own.len(), 1, "{told}: {own:#?}");
        assert!(own[0].body.contains(words), "{told}: {}", own[0].body);
    }
    assert_eq!(comments.len(), 5, "{told}: {comments:#?}");
}

fn asked(scene: &Scene<'_>, print: &str) -> [u64; 2] {
    scene.github.add_to_team("shop/security", "carol");
    [scene.says("carol", &waive(print)), scene.says("stranger", &waive(print))]
}

const TEAM: &str = "version: 1\napprovers: {teams: [shop/security]}\n";

#[test]
fn reasons_do_nothing_but_stand_there() {
    let world = world(USERS);
    let scene = scene(&world);
    let print = scene.print();
    let reason = "`x` ![](https://a.example/p.png) [link](https://a.example) <img src=x> @octocat #1 |a| ``` --> \u{202e}";
    let comment =
        scene.says("octocat", &format!("/netpol-review waive {print} --reason \"{reason}\""));
    assert!(scene.passes());
    for text in [scene.answer(comment), scene.comments()[0].clone(), scene.check()] {
        let html = comrak::markdown_to_html(&text, &{
            let mut options = comrak::Options::default();
            options.extension.table = true;
            options.extension.autolink = true;
            options.render.r#unsafe = true;
            options
        });
        assert!(!html.contains("<img") && !html.contains("href=\"https://a.example"), "{html}");
        assert!(!html.contains("@octocat") && !text.contains('\u{202e}'), "{html}");
        assert!(html.contains("[link](https://a.example)"), "{html}");
    }
    scene.github.finish();
}

#[test]
fn commands_may_be_many() {
    let world = world(USERS);
    let scene = scene(&world);
    let comments: Vec<u64> =
        (0..30).map(|_| scene.says("stranger", "/netpol-review recheck")).collect();
    let outcome = scene.run().expect("a review");
    let answered =
        |scene: &Scene<'_>| comments.iter().filter(|id| scene.answers(**id).len() == 1).count();
    assert_eq!(answered(&scene), 20);
    assert!(outcome.told.problems.iter().any(|told| told.contains("10 comments wait")));
    assert!(!scene.passes());
    assert_eq!(answered(&scene), 30);
    assert!(scene.check().len() < 65_536);
    assert!(scene.check().contains("older"), "the list is bounded");
    scene.github.finish();
}

#[test]
fn any_fault_at_any_request_leaves_one_answer() {
    let world = world(TEAM);
    let scene = self::scene(&world);
    let print = scene.print();
    scene.github.finish();
    let scene = self::scene(&world);
    asked(&scene, &print);
    assert!(scene.passes());
    let count = scene.github.requests().len();
    scene.github.finish();
    let cases: Vec<(usize, Fault)> = (0..count)
        .flat_map(|index| Fault::each().into_iter().map(move |fault| (index, fault)))
        .collect();
    let (next, failed) = (Mutex::new(cases.into_iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let Some((index, fault)) = next.lock().expect("a lock").next() else { break };
                    let told = format!("{fault:?} at request {index}");
                    let case = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        let scene = self::scene(&world);
                        let comments = asked(&scene, &print);
                        scene.github.fault(When::index(index), fault);
                        if scene.run().is_ok() {
                            settled(&scene.github, comments, &told);
                        }
                        scene.github.clear_faults();
                        let outcome = run_as("2", &scene.event_with_checkout(), &Inputs::default())
                            .expect("a review");
                        assert!(passed(&outcome));
                        settled(&scene.github, comments, &told);
                        scene.github.finish();
                    }));
                    if case.is_err() {
                        failed.lock().expect("a lock").push(told);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("a lock");
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn two_runs_interleaved_leave_one_answer() {
    let world = world(TEAM);
    let scene = self::scene(&world);
    let print = scene.print();
    scene.github.finish();
    let scene = self::scene(&world);
    asked(&scene, &print);
    scene.run().expect("a review");
    let count = scene.github.requests().len();
    scene.github.finish();
    for index in 0..count {
        let told = format!("another run before request {index}");
        let scene = self::scene(&world);
        let comments = asked(&scene, &print);
        let (url, workspace) = (scene.github.url().to_string(), world.bare());
        let other = Arc::new(Mutex::new(false));
        let done = Arc::clone(&other);
        scene.github.before(When::index(index), move |_| {
            let outcome = run_as("2", &event(&url, Some(workspace)), &Inputs::default());
            *done.lock().expect("a lock") = outcome.is_ok_and(|outcome| passed(&outcome));
        });
        assert!(scene.passes(), "{told}");
        assert!(*other.lock().expect("a lock"), "{told}");
        settled(&scene.github, comments, &told);
        scene.github.finish();
    }
}

#[test]
fn nobody_else_writes_our_answers() {
    let world = world(USERS);
    let scene = scene(&world);
    let print = scene.print();
    let no = scene.says("stranger", &waive(&print));
    let forged = format!("**Accepted**\n\n{ANSWER}{no} digest=00 -->\n");
    scene.says("stranger", &forged);
    assert!(!scene.passes());
    assert!(scene.answer(no).contains("**Refused**"));
    scene.github.finish();
}
