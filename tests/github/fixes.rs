//! Fixes as a pull request's review offers them.

use crate::scenarios::changed;
use crate::scene::{REPOSITORY, Scene};
use crate::world::{WEB, shop};

const PROXY: &str =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: proxy, namespace: ui, labels: {app: proxy}}\n";

/// A dash too many.
const OR: &str = "        - namespaceSelector:\n            matchLabels: {kubernetes.io/metadata.name: ui}\n        - podSelector: # who\n            matchLabels: {app: proxy}\n";

fn policy(peers: &str) -> String {
    shop(peers).pop().expect("a policy").1
}

/// The text of a comment's suggestion, and its fence.
fn suggestion(body: &str) -> Option<(&str, &str)> {
    let (before, rest) = body.split_once("suggestion\n")?;
    let fence = before.rsplit('\n').next()?;
    assert!(fence.len() >= 3 && fence.bytes().all(|byte| byte == b'`'), "{body}");
    if let Some(rest) = rest.strip_prefix(fence) {
        assert!(rest.starts_with('\n'), "{body}");
        return Some(("", fence));
    }
    let (text, _) = rest.split_once(&format!("\n{fence}\n"))?;
    Some((text, fence))
}

/// What a click makes of a file.
fn clicked(text: &str, lines: (usize, usize), suggestion: &str) -> String {
    let all: Vec<&str> = text.lines().collect();
    let mut new: Vec<&str> = all[..lines.0 - 1].to_vec();
    new.extend(suggestion.lines());
    new.extend(&all[lines.1..]);
    new.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn an_edit_of_lines_of_the_diff_is_a_suggestion() {
    for comment in ["who", "a ``` fence"] {
        let or = OR.replace("who", comment);
        let after = policy(&format!("{WEB}{or}"));
        let world = changed(&[("shop/policy.yaml", Some(&after)), ("ui/proxy.yaml", Some(PROXY))]);
        let scene = Scene::new(&world);
        let outcome = scene.run().expect("a review");
        assert_eq!(outcome.told.problems, Vec::<String>::new());
        let lines = scene.github.review_comments(REPOSITORY, 1);
        // Beside it, the workload can be taken back.
        let here = lines.iter().filter(|line| line.path == "shop/policy.yaml");
        let offers: Vec<_> = here.filter(|line| suggestion(&line.body).is_some()).collect();
        assert_eq!(offers.len(), 1, "{lines:#?}");
        let (text, fence) = suggestion(&offers[0].body).expect("a suggestion");
        assert_eq!(fence.len(), if comment == "who" { 3 } else { 4 });
        let last = offers[0].line.expect("a line") as usize;
        let first = offers[0].start_line.map_or(last, |line| line as usize);
        let expected = after.replace("        - podSelector: #", "          podSelector: #");
        assert_eq!(clicked(&after, (first, last), text), expected, "{}", offers[0].body);
        assert!(offers[0].body.contains("The edit for **accidental-or**"), "{}", offers[0].body);
        // Which flows go is said.
        assert!(offers[0].body.contains("it closes `"), "{}", offers[0].body);
        // The comment shows it to those who look there only.
        assert!(scene.comments()[0].contains("```diff\n"), "{}", scene.comments()[0]);
        // The same once more says nothing new.
        let before = scene.github.review_comments(REPOSITORY, 1).len();
        scene.run_as("2", &scene.event_with_checkout(), &Default::default()).expect("a review");
        assert_eq!(scene.github.review_comments(REPOSITORY, 1).len(), before);
        scene.github.finish();
    }
}

#[test]
fn an_edit_of_other_lines_is_shown_as_a_diff() {
    let wide = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: wide, namespace: shop}\nspec:\n  podSelector: {}\n  \
                policyTypes: [Ingress]\n  ingress:\n  - from:\n    - podSelector: {}\n";
    let world = changed(&[]);
    let pedantic = "version: 1\npersona: pedantic\n";
    world.commit("main", &[(".github/netpol-review.yml", Some(pedantic))]);
    world.commit("feature", &[("shop/wide.yaml", Some(wide))]);
    let scene = Scene::new(&world);
    let outcome = scene.run().expect("a review");
    let findings = &outcome.evaluated.report.environments[0].findings;
    let found = findings.iter().find(|finding| finding.rule == "redundant-rule");
    let found = found.expect("the rule of db adds nothing beside the new one");
    assert_eq!(found.location.file, "shop/policy.yaml");
    let lines = scene.github.review_comments(REPOSITORY, 1);
    assert!(lines.iter().all(|line| line.path == "shop/wide.yaml"), "{lines:#?}");
    let comment = &scene.comments()[0];
    assert!(comment.contains("```diff\n  --- a/shop/policy.yaml\n"), "{comment}");
    assert!(comment.contains("\n  +  ingress: []\n"), "{comment}");
    assert!(!comment.contains("```suggestion"), "{comment}");
    scene.github.finish();
}
