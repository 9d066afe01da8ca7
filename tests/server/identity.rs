//! Clocks that are wrong, keys that change, tokens that are taken back, installations that end.

use crate::house::{APP, House, INSTALLATION, REPOSITORY, keys};
use crate::server::{Fault, When};
use netpol_review::server::Key;

fn expect_reviewed_again(house: &House) {
    let head = house.head();
    let before = house.concluded(&head).len();
    house.github.send(&house.github.pull_event(REPOSITORY, 1, "reopened"));
    house.until("one check more", || house.concluded(&head).len() > before);
}

#[test]
fn a_clock_that_is_wrong_does_not_matter() {
    for seconds in [-86_400, -700, 700, 86_400] {
        let house = House::new();
        house.github.shift_clock(seconds);
        let running = house.start();
        house.expect_one_review("failure");
        running.end();
    }
}

#[test]
fn a_clock_that_jumps_does_not_matter() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    for seconds in [7_200, -7_200, 90_000] {
        // Tokens that were good are not any more, or seem to be for ever.
        house.github.shift_clock(seconds);
        expect_reviewed_again(&house);
    }
    running.end();
}

#[test]
fn a_key_is_changed_without_a_stop() {
    let house = House::new();
    let file = house.folder.path().join("key.pem");
    std::fs::write(&file, &keys()[0].private_pem).expect("a file");
    let mut options = house.options();
    options.key = Key::File(file.clone());
    let running = house.start_with(options);
    house.expect_one_review("failure");
    house.github.edit_app(APP, |app| app.public_keys = vec![keys()[1].public_pem.clone()]);
    std::fs::write(&file, &keys()[1].private_pem).expect("a file");
    // The token is too old as well, so that another has to be asked for.
    house.github.shift_clock(7_200);
    expect_reviewed_again(&house);
    running.end();
}

#[test]
fn a_token_is_asked_for_once_and_for_one_repository_only() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    let mints = house.github.mints().len();
    for _ in 0..3 {
        expect_reviewed_again(&house);
    }
    assert_eq!(house.github.mints().len(), mints);
    running.end();
}

#[test]
fn an_installation_that_ends_leaves_nothing_to_do() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    house.github.suspend_installation(INSTALLATION);
    house.github.shift_clock(7_200);
    house.github.send(&house.github.pull_event(REPOSITORY, 1, "reopened"));
    house.until_idle();
    let queue = running.server.as_ref().expect("it runs").queue().clone();
    let depth = running.block_on(queue.count()).expect("counted");
    assert_eq!((depth.waiting, depth.running, depth.later, depth.dead), (0, 0, 0, 0));
    assert_eq!(house.concluded(&house.head()).len(), 1);
    house.github.unsuspend_installation(INSTALLATION);
    expect_reviewed_again(&house);
    running.end();
}

/// Every request of a review fails in every way once, and the review comes out the same.
#[test]
fn every_fault_at_every_request_is_survived() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    running.end();
    let mut routes: Vec<(String, String)> = Vec::new();
    for request in house.github.requests() {
        let route = (request.method, request.path);
        if !routes.contains(&route) {
            routes.push(route);
        }
    }
    assert!(routes.len() > 12, "{routes:?}");
    for (method, path) in routes {
        // What has the names of commits and numbers in it is known by its end.
        let end = path.rsplit('/').next().unwrap_or_default().to_string();
        for fault in [Fault::Status(500), Fault::DropAfter, Fault::HalfJson, Fault::Html(502)] {
            let house = House::new();
            house.github.fault(When::is(&method, &end), fault);
            let running = house.start();
            house.github.send(&house.github.pull_event(REPOSITORY, 1, "opened"));
            house.expect_one_review("failure");
            running.end();
        }
    }
}
