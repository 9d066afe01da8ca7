//! What was fetched is kept, and what is too large is said.

use crate::house::{House, REPOSITORY, commit};
use crate::world::WEB;
use netpol_review::server::Server;
use netpol_review::source::git::Bounds;
use std::fs;
use std::path::PathBuf;

/// How often contents or commits were fetched so far.
fn fetches(house: &House) -> usize {
    let requests = house.github.requests().into_iter();
    requests.filter(|one| one.method == "POST" && one.path.contains("git-upload-pack")).count()
}

/// Another head for the pull request, told by a webhook.
fn push(house: &House, peers: &str) {
    let before = house.head();
    commit(&house.world, "feature", peers);
    house.github.refresh_pull(REPOSITORY, 1);
    house.github.send(&house.github.synchronize_event(REPOSITORY, 1, &before));
}

fn packs(house: &House) -> Vec<PathBuf> {
    let mirrors = house.folder.path().join("mirrors");
    let folders = fs::read_dir(mirrors).expect("a folder").flatten();
    let folders = folders.filter(|entry| entry.path().extension().is_some_and(|end| end == "git"));
    let packs = folders.flat_map(|entry| fs::read_dir(entry.path().join("objects/pack")));
    let packs = packs.flatten().flatten().map(|entry| entry.path());
    packs.filter(|path| path.extension().is_some_and(|end| end == "pack")).collect()
}

#[test]
fn what_is_there_is_not_fetched_again_and_outlives_the_process() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    let first = fetches(&house);
    assert!(first > 0 && !packs(&house).is_empty());
    running.end();
    let running = house.start();
    house.until_idle();
    let run = house.concluded(&house.head())[0].id;
    house.github.send(&house.github.check_run_event(REPOSITORY, run, "somebody"));
    house.until("it is reviewed again", || house.concluded(&house.head()).len() == 2);
    assert_eq!(fetches(&house), first, "the same commits are here");
    push(&house, WEB);
    house.expect_one_review("success");
    assert!(fetches(&house) > first);
    running.end();
}

#[test]
fn a_damaged_mirror_is_made_anew() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    for pack in packs(&house) {
        // git writes them read-only.
        fs::remove_file(&pack).expect("a pack");
        fs::write(&pack, "nothing of git's").expect("a file");
    }
    push(&house, WEB);
    house.expect_one_review("success");
    running.end();
}

#[test]
fn a_repository_that_is_too_large_has_a_check_that_says_so() {
    let house = House::new();
    let bounds = Bounds { manifests: 2, ..Bounds::default() };
    let running = house.start_with(netpol_review::server::Options { bounds, ..house.options() });
    let head = house.head();
    house.until("the check is concluded", || !house.concluded(&head).is_empty());
    house.until_idle();
    let checks = house.concluded(&head);
    assert_eq!(checks.len(), 1);
    assert_eq!(checks[0].conclusion.as_deref(), Some("failure"));
    let summary = checks[0].summary.as_deref().unwrap_or_default();
    assert!(summary.contains("too large to review"), "{summary}");
    assert!(summary.contains("3 manifests, more than the 2"), "{summary}");
    assert!(summary.contains("`paths`"), "what to do about it: {summary}");
    // The same commits stay too large, so nobody tries them again.
    let queue = running.server.as_ref().expect("it runs").queue().clone();
    let depth = running.block_on(queue.depth()).expect("a depth");
    assert_eq!((depth.waiting, depth.later, depth.dead), (0, 0, 0));
    running.end();
}

#[test]
fn two_servers_do_not_share_a_folder() {
    let house = House::new();
    let running = house.start();
    let database = format!("sqlite:{}", house.folder.path().join("other.db").display());
    let options = netpol_review::server::Options { database, ..house.options() };
    let Err(error) = running.block_on(Server::start(options)) else { panic!("two have it") };
    let text = error.to_string();
    assert!(text.contains("is in use by another process"), "{text}");
    assert!(text.contains("try: another folder for each process"), "{text}");
    running.end();
}
