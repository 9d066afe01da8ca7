//! Tokens, modes and events of each kind, and what GitHub may refuse.

use crate::scenarios::{changed, policy};
use crate::scene::{REPOSITORY, Scene};
use crate::server::{Access, Fault, Permissions, Pull, Token, When};
use crate::world::{ANY, WEB, World, shop};
use netpol_review::gate::GateVerdict;
use netpol_review::github::{Inputs, Subject};
use netpol_review::report::Verdict;
use netpol_review::settings::{FailOn, Mode};

fn widened() -> World {
    let text = policy(ANY);
    changed(&[("shop/policy.yaml", Some(&text))])
}

#[test]
fn a_token_without_checks_sets_a_commit_status() {
    let world = widened();
    let actions = Token::actions();
    let permissions = Permissions { checks: Access::Read, ..actions.permissions };
    let scene = Scene::with(&world, Token { permissions, ..actions }, Pull::default());
    let outcome = scene.run().expect("a review");
    assert_eq!(outcome.told.problems, Vec::<String>::new());
    assert!(scene.github.check_runs(REPOSITORY).is_empty());
    let statuses = scene.github.statuses(REPOSITORY);
    assert_eq!(statuses.len(), 1);
    assert_eq!(
        (statuses[0].state.as_str(), statuses[0].context.as_str()),
        ("failure", "netpol-review")
    );
    assert_eq!(scene.comments().len(), 1);
    scene.github.finish();
}

#[test]
fn warn_tells_and_lets_pass_and_inputs_tighten_only() {
    let world = widened();
    let scene = Scene::new(&world);
    let inputs = Inputs { mode: Some(Mode::Warn), ..Inputs::default() };
    let outcome = scene.run_as("1", &scene.event_with_checkout(), &inputs).expect("a review");
    assert_eq!(outcome.evaluated.gate.verdict, GateVerdict::Fail);
    assert_eq!(outcome.evaluated.gate.outcome(), GateVerdict::Pass);
    assert_eq!(scene.github.check_runs(REPOSITORY)[0].conclusion.as_deref(), Some("neutral"));
    // The base says what fails; a workflow can not take it back.
    world.commit("main", &[(".github/netpol-review.yml", Some("version: 1\nfailOn: low\n"))]);
    scene.github.refresh_pull(REPOSITORY, 1);
    let inputs = Inputs { fail_on: Some(FailOn::Never), ..Inputs::default() };
    let outcome = scene.run_as("2", &scene.event_with_checkout(), &inputs).expect("a review");
    assert_eq!(outcome.evaluated.gate.outcome(), GateVerdict::Fail);
    scene.github.finish();
}

#[test]
fn a_broken_configuration_of_the_base_fails_and_is_named() {
    let world = widened();
    world.commit("main", &[(".github/netpol-review.yml", Some("version: 1\nfail_on: high\n"))]);
    let scene = Scene::new(&world);
    let outcome = scene.run().expect("a review");
    assert_eq!(outcome.evaluated.gate.verdict, GateVerdict::Unknown);
    let check = scene.github.check_runs(REPOSITORY).remove(0);
    assert_eq!(check.conclusion.as_deref(), Some("failure"));
    assert!(check.title.unwrap_or_default().contains("the configuration"));
    assert!(scene.comments()[0].contains("netpol-review.yml:2"), "{}", scene.comments()[0]);
    scene.github.finish();
}

/// A link is not followed, and what decides is not taken for missing.
#[test]
fn a_linked_configuration_of_the_base_fails_and_is_named() {
    const PATH: &str = ".github/netpol-review.yml";
    let world = widened();
    let lax = "version: 1\nfailOn: never\n";
    world.commit("main", &[("lax.yml", Some(lax)), ("target", Some("../lax.yml"))]);
    let target = world.git(&["rev-parse", "HEAD:target"]);
    world.git(&["update-index", "--add", "--cacheinfo", &format!("120000,{target},{PATH}")]);
    world.git(&["commit", "--quiet", "--message", "a link"]);
    let scene = Scene::new(&world);
    let outcome = scene.run().expect("a review");
    assert_eq!(outcome.evaluated.gate.verdict, GateVerdict::Unknown);
    let check = scene.github.check_runs(REPOSITORY).remove(0);
    assert_eq!(check.conclusion.as_deref(), Some("failure"));
    assert!(scene.comments()[0].contains("is a link or a directory"), "{}", scene.comments()[0]);
    scene.github.finish();
}

#[test]
fn another_configuration_counts_only_where_the_usual_one_is_not() {
    let world = widened();
    world.commit("main", &[("lax.yml", Some("version: 1\nfailOn: never\n"))]);
    let scene = Scene::new(&world);
    let inputs = Inputs { config_file: Some("lax.yml".into()), ..Inputs::default() };
    let outcome = scene.run_as("1", &scene.event_with_checkout(), &inputs).expect("a review");
    assert_eq!(outcome.evaluated.gate.verdict, GateVerdict::Pass);
    world.commit("main", &[(".github/netpol-review.yml", Some("version: 1\nfailOn: low\n"))]);
    scene.github.refresh_pull(REPOSITORY, 1);
    let outcome = scene.run_as("2", &scene.event_with_checkout(), &inputs).expect("a review");
    assert_eq!(outcome.evaluated.gate.verdict, GateVerdict::Fail);
    scene.github.finish();
}

#[test]
fn a_merge_queue_gets_a_check_and_no_comment() {
    let world = widened();
    let scene = Scene::new(&world);
    let pull = scene.github.refresh_pull(REPOSITORY, 1);
    let mut event = scene.event();
    let head = pull.merge_commit_sha.expect("a merge");
    event.subject = Subject::Group { base: pull.base_sha, head: head.clone() };
    let outcome = scene.run_as("1", &event, &Inputs::default()).expect("a review");
    assert_eq!(outcome.evaluated.report.result, Verdict::Widened);
    assert!(scene.comments().is_empty());
    let checks = scene.github.check_runs(REPOSITORY);
    assert_eq!(
        (checks[0].head_sha.as_str(), checks[0].conclusion.as_deref()),
        (head.as_str(), Some("failure"))
    );
    scene.github.finish();
}

#[test]
fn a_head_that_is_checked_out_beside_secrets_is_warned_of() {
    let world = widened();
    let scene = Scene::new(&world);
    world.git(&["checkout", "--quiet", "feature"]);
    let mut event = scene.event_with_checkout();
    event.trusted_context = true;
    scene.run_as("1", &event, &Inputs::default()).expect("a review");
    assert!(scene.comments()[0].contains("`pull_request_target`"), "{}", scene.comments()[0]);
    // Near miss: the base is checked out, as `pull_request_target` has it by itself.
    world.git(&["checkout", "--quiet", "main"]);
    scene.run_as("2", &event, &Inputs::default()).expect("a review");
    assert!(!scene.comments()[0].contains("`pull_request_target`"), "{}", scene.comments()[0]);
    scene.github.finish();
}

#[test]
fn lines_that_github_refuses_are_told_on_the_file() {
    let world = widened();
    let scene = Scene::new(&world);
    scene.github.fault(When::is("POST", "/reviews"), Fault::Status(422));
    scene.run().expect("a review");
    let lines = scene.github.review_comments(REPOSITORY, 1);
    assert_eq!(lines.len(), 1);
    assert_eq!((lines[0].path.as_str(), lines[0].line), ("shop/policy.yaml", None));
    // The next run knows them again.
    scene.run_as("2", &scene.event_with_checkout(), &Inputs::default()).expect("a review");
    assert_eq!(scene.github.review_comments(REPOSITORY, 1).len(), 1);
    scene.github.finish();
}

#[test]
fn a_comment_on_a_line_that_somebody_answered_stays() {
    let world = widened();
    let scene = Scene::new(&world);
    scene.run().expect("a review");
    {
        let mut state = scene.github.state();
        let (id, created_at) = state.next();
        let comments = &mut state.repository(REPOSITORY).review_comments;
        let mut answer = comments[0].clone();
        answer.in_reply_to = Some(answer.id);
        (answer.id, answer.created_at) = (id, created_at);
        (answer.login, answer.body) = ("reviewer".into(), "Why?".into());
        comments.push(answer);
    }
    world.commit("feature", &[("shop/policy.yaml", Some(&policy(WEB)))]);
    scene.github.refresh_pull(REPOSITORY, 1);
    scene.run_as("2", &scene.event_with_checkout(), &Inputs::default()).expect("a review");
    assert_eq!(scene.github.review_comments(REPOSITORY, 1).len(), 2);
    scene.github.finish();
}

#[test]
fn many_rows_are_bounded_everywhere() {
    let world = World::new();
    let named = |number: usize, peers: &str| {
        policy(peers)
            .replace("name: db", &format!("name: db-{number}"))
            .replace("app: db", &format!("app: db-{number}"))
    };
    let texts = |peers: &str| -> Vec<(String, String)> {
        (0..130).map(|number| (format!("shop/p{number}.yaml"), named(number, peers))).collect()
    };
    let base = shop(WEB);
    for (branch, peers) in [("main", WEB), ("feature", ANY)] {
        let texts = texts(peers);
        let mut files: Vec<(&str, Option<&str>)> =
            texts.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
        files.push(("shop/web.yaml", Some(base[0].1.as_str())));
        world.commit(branch, &files);
    }
    let scene = Scene::new(&world);
    let outcome = scene.run().expect("a review");
    assert_eq!(outcome.evaluated.report.environments[0].opened.len(), 130);
    // The server refuses more than fifty in one request.
    assert_eq!(scene.github.check_runs(REPOSITORY)[0].annotations.len(), 100);
    assert_eq!(scene.github.review_comments(REPOSITORY, 1).len(), 30);
    assert!(scene.comments()[0].len() <= 65_536);
    assert!(scene.comments()[0].contains("more: see the JSON report"), "{}", scene.comments()[0]);
    assert_eq!(outcome.told.problems, Vec::<String>::new());
    scene.github.finish();
}
