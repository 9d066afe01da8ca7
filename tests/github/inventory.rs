//! What lives elsewhere, in a pull request: the base branch says it.

use crate::scenarios::policy;
use crate::scene::{REPOSITORY, Scene};
use crate::world::{ANY, Files, WEB, World, shop};
use netpol_review::gate::GateVerdict;
use netpol_review::github::Inputs;
use netpol_review::report::Verdict;
use netpol_review::settings::CommentWhen;
use netpol_review::tree::{Content, InventoryFile};

const CONFIGURATION: &str = ".github/netpol-review.yml";

/// Metrics may reach what they like, but `wall` lets nothing out of their namespace.
const WALL: &str = "\
apiVersion: v1
kind: List
metadata:
  annotations: {netpol-review/taken: '2026-05-20T08:00:00Z'}
items:
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata: {name: wall, namespace: metrics}
  spec: {podSelector: {}, policyTypes: [Egress]}
- apiVersion: v1
  kind: Namespace
  metadata: {name: metrics}
";

/// Lets pods of the namespace `metrics` in.
const METRICS: &str = "        - namespaceSelector:\n            matchLabels:\n              kubernetes.io/metadata.name: metrics\n";

/// A base with these files more, and a change on top of it.
fn world(base: Files<'_>, change: Files<'_>) -> World {
    let world = World::new();
    let files = shop(WEB);
    let mut files: Vec<(&str, Option<&str>)> =
        files.iter().map(|(path, text)| (*path, Some(text.as_str()))).collect();
    files.extend(base);
    world.commit("main", &files);
    world.commit("feature", change);
    world
}

#[test]
fn the_inventory_of_the_base_counts_whatever_the_change_does_to_it() {
    let admitted = policy(&format!("{WEB}{METRICS}"));
    let shorter = WALL.replace("kind: NetworkPolicy", "kind: ConfigMap");
    let edits = [Some(WALL), Some(shorter.as_str()), None];
    // By its name the second one is no manifest.
    let names = ["cluster.yaml", "prod.inventory"];
    for (name, edited) in names.into_iter().flat_map(|name| edits.map(|edited| (name, edited))) {
        let configuration = format!("version: 1\ninventory: [{name}]\n");
        let base = [(CONFIGURATION, Some(configuration.as_str())), (name, Some(WALL))];
        let world = world(&base, &[("shop/policy.yaml", Some(&admitted)), (name, edited)]);
        let scene = Scene::new(&world);
        let outcome = scene.run_as("1", &scene.event(), &Inputs::default()).expect("a review");
        let report = &outcome.evaluated.report;
        assert_eq!(report.result, Verdict::Unchanged, "{report:#?}");
        let said = report.not_evaluated.iter().any(|entry| entry.file == name);
        assert_eq!(said, edited != Some(WALL), "{report:#?}");
        scene.github.finish();
    }
    // Without it the change opens something.
    let world = world(&[], &[("shop/policy.yaml", Some(&admitted))]);
    let scene = Scene::new(&world);
    assert_eq!(scene.run().expect("a review").evaluated.report.result, Verdict::Widened);
    scene.github.finish();
}

#[test]
fn the_comment_says_what_it_is_and_how_old() {
    let names = "version: 1\ninventory: [cluster.yaml]\n";
    let widened = policy(ANY);
    let world = world(
        &[(CONFIGURATION, Some(names)), ("cluster.yaml", Some(WALL))],
        &[("shop/policy.yaml", Some(&widened))],
    );
    let scene = Scene::new(&world);
    scene.run_as("2026-06-01", &scene.event_with_checkout(), &Inputs::default()).expect("a review");
    let said =
        "1 namespace and 1 policy come from the inventory `cluster.yaml`, taken on 2026-05-20 (";
    assert!(scene.comments()[0].contains(said), "{}", scene.comments()[0]);
    scene.github.finish();
}

#[test]
fn one_that_the_base_does_not_have_fails_and_is_named() {
    let admitted = policy(&format!("{WEB}{METRICS}"));
    let names = "version: 1\ninventory: [cluster.yaml]\n";
    // A change can't bring its own.
    let world = world(
        &[(CONFIGURATION, Some(names))],
        &[("shop/policy.yaml", Some(&admitted)), ("cluster.yaml", Some(WALL))],
    );
    let scene = Scene::new(&world);
    let outcome = scene.run().expect("a review");
    assert_eq!(outcome.evaluated.report.result, Verdict::Widened);
    assert_eq!(outcome.evaluated.gate.verdict, GateVerdict::Unknown);
    let check = scene.github.check_runs(REPOSITORY).remove(0);
    assert_eq!(check.conclusion.as_deref(), Some("failure"));
    let comment = &scene.comments()[0];
    assert!(comment.contains("does not have: `cluster.yaml`"), "{comment}");
    scene.github.finish();
}

#[test]
fn a_change_that_brings_one_is_previewed_with_it() {
    let admitted = policy(&format!("{WEB}{METRICS}"));
    let names = "version: 1\ninventory: [cluster.yaml]\n";
    let change = |with: Option<&'static str>| {
        let mut files =
            vec![(CONFIGURATION, Some(names)), ("shop/policy.yaml", Some(admitted.as_str()))];
        files.extend(with.map(|text| ("cluster.yaml", Some(text))));
        world(&[], &files)
    };
    let always = Inputs { comment: Some(CommentWhen::Always), ..Inputs::default() };
    for (with, said) in [(Some(WALL), "would pass"), (None, "names an inventory that is not there")]
    {
        let world = change(with);
        let scene = Scene::new(&world);
        scene.run_as("1", &scene.event_with_checkout(), &always).expect("a review");
        assert!(scene.comments()[0].contains(said), "{}", scene.comments()[0]);
        scene.github.finish();
    }
}

#[test]
fn one_that_was_named_by_hand_stands_in_for_that_of_the_configuration() {
    let admitted = policy(&format!("{WEB}{METRICS}"));
    let names = "version: 1\ninventory: [nowhere.yaml]\n";
    let world = world(&[(CONFIGURATION, Some(names))], &[("shop/policy.yaml", Some(&admitted))]);
    let scene = Scene::new(&world);
    let content = Content::new(WALL.as_bytes());
    let file = InventoryFile {
        name: "typed.yaml".into(),
        path: None,
        content,
        edited: false,
        environment: None,
    };
    let inputs = Inputs { inventory: vec![file], ..Inputs::default() };
    let outcome = scene.run_as("1", &scene.event_with_checkout(), &inputs).expect("a review");
    assert_eq!(outcome.evaluated.gate.verdict, GateVerdict::Pass);
    assert_eq!(outcome.evaluated.report.inventory[0].file, "typed.yaml");
    scene.github.finish();
}
