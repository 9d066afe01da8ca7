//! Webhooks as GitHub sends them: all are understood, and the right ones mean something to do.
//!
//! WEBHOOK_EXAMPLES names the file that tests/server/payloads.py makes; without it there is nothing to read.

use netpol_review::server::intake::{Wish, read};
use netpol_review::server::job::Task;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a wish is, without its numbers.
fn word(wish: &Wish) -> &'static str {
    match wish {
        Wish::Forget { .. } => "forget",
        Wish::Do(job) => match (&job.task, job.again) {
            (Task::Pull(_), false) => "pull",
            (Task::Pull(_), true) => "pull again",
            (Task::Group { .. }, _) => "group",
            (Task::Head(_), _) => "head",
            (Task::Base(_), _) => "base",
            (Task::Repository, _) => "repository",
            (Task::Installation, _) => "installation",
        },
    }
}

/// Of which examples something is to be done, and what.
const MEANT: [&str; 15] = [
    "check_run rerequested: head",
    "check_suite rerequested: head",
    "installation created: installation",
    "installation deleted: forget",
    "installation new_permissions_accepted: installation",
    "installation suspend: forget",
    "installation unsuspend: installation",
    "installation_repositories added: repository",
    "merge_group checks_requested: group",
    "pull_request opened: pull",
    "pull_request ready_for_review: pull",
    "pull_request reopened: pull again",
    "pull_request synchronize: pull",
    "pull_request_review dismissed: pull again",
    "push : base",
];

#[test]
fn real_webhooks() {
    let Some(path) = std::env::var_os("WEBHOOK_EXAMPLES") else { return };
    let text = std::fs::read_to_string(path).expect("the examples");
    let events: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let mut meant: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut count = 0;
    for event in &events {
        let name = event["name"].as_str().expect("a name");
        for example in event["examples"].as_array().expect("examples") {
            let mut example = example.clone();
            // Most were sent to a repository; to an App they say for which installation they are.
            if example["installation"].is_null() {
                example["installation"] = json!({ "id": 1 });
            }
            let wishes = read(name, &serde_json::to_vec(&example).expect("bytes"));
            let wishes = wishes.unwrap_or_else(|error| panic!("{name}: {error}"));
            let action = example["action"].as_str().unwrap_or_default();
            let words = meant.entry(format!("{name} {action}")).or_default();
            words.extend(wishes.iter().map(word));
            count += 1;
        }
    }
    assert!(count > 100, "{count} examples");
    meant.retain(|_, words| !words.is_empty());
    let meant: Vec<String> = meant
        .into_iter()
        .map(|(event, words)| {
            format!("{event}: {}", words.into_iter().collect::<Vec<_>>().join(", "))
        })
        .collect();
    assert_eq!(meant, MEANT);
}
