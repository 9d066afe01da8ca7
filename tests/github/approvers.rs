//! Who may accept what with a command, or with a review.

use crate::commands::{ME, USERS, app, passed, scene, waive, world, world_with};
use crate::renderers::kustomize;
use crate::scenarios::policy;
use crate::scene::{REPOSITORY, Scene};
use crate::server::{Fault, Pull, Token, When};
use crate::world::{ANY, Files, WEB, World};

#[test]
fn without_approvers_nobody_may() {
    for (configuration, words) in [
        ("version: 1\n", "names nobody"),
        ("version: 1\napprovers: {author: true}\n", "names nobody"),
        ("version: 1\napprovers: {everybody: true}\n", "is not valid"),
    ] {
        let world = world(configuration);
        let scene = scene(&world);
        let print = scene.print();
        let no = scene.says("contributor", &waive(&print));
        assert!(!scene.passes(), "{configuration}");
        let answer = scene.answer(no);
        assert!(answer.contains("**Refused**") && answer.contains(words), "{answer}");
        scene.github.finish();
    }
}

#[test]
fn the_configuration_of_the_change_approves_nobody() {
    let world = world("version: 1\n");
    world.commit("feature", &[(".github/netpol-review.yml", Some(USERS))]);
    let scene = scene(&world);
    let print = scene.print();
    let no = scene.says("octocat", &waive(&print));
    assert!(!scene.passes());
    assert!(scene.answer(no).contains("names nobody"));
    scene.github.finish();
}

#[test]
fn who_may_and_who_may_not() {
    let team = "version: 1\napprovers: {teams: [shop/security]}\n";
    // Whoever has the name now.
    let renamed = "version: 1\napprovers: {users: [somebody]}\n";
    let author = "version: 1\napprovers: {users: [contributor], author: true}\n";
    let both = "version: 1\napprovers: {users: [octocat], teams: [shop/security]}\n";
    // Who says it, who is in the team, and what the answer says.
    for (configuration, login, member, words) in [
        (USERS, "OCTOCAT", None, "**Accepted**"),
        (USERS, "stranger", None, "does not name them"),
        (renamed, "somebody", None, "may not write"),
        (USERS, "contributor", None, "the author of a pull request may not"),
        (author, "contributor", None, "**Accepted**"),
        (author, "stranger", None, "does not name them"),
        (team, "carol", Some("carol"), "**Accepted**"),
        (team, "carol", None, "does not name them"),
        (team, "contributor", Some("contributor"), "the author of a pull request may not"),
        (both, "carol", Some("carol"), "**Accepted**"),
        (both, "octocat", None, "**Accepted**"),
    ] {
        let told = format!("{login} under {configuration}");
        let world = world(configuration);
        let scene = scene(&world);
        if let Some(member) = member {
            scene.github.add_to_team("shop/security", member);
        }
        let print = scene.print();
        let comment = scene.says(login, &waive(&print));
        assert_eq!(scene.passes(), words == "**Accepted**", "{told}");
        let answer = scene.answer(comment);
        assert!(answer.contains(words), "{told}: {answer}");
        scene.github.finish();
    }
}

#[test]
fn whoever_leaves_a_team_has_accepted_nothing() {
    let world = world("version: 1\napprovers: {teams: [shop/security]}\n");
    let scene = scene(&world);
    scene.github.add_to_team("shop/security", "carol");
    let print = scene.print();
    let comment = scene.says("carol", &format!("{0}\n{0}\n{0}", waive(&print)));
    let before = scene.github.requests().len();
    assert!(scene.passes());
    assert_eq!(scene.questions(before).len(), 1, "one question a run");
    scene.github.remove_from_team("shop/security", "carol");
    assert!(!scene.passes());
    assert!(scene.answer(comment).contains("**Refused**"));
    scene.github.finish();
}

#[test]
fn a_token_that_may_not_ask_is_a_no() {
    let world = world("version: 1\napprovers: {teams: [shop/security]}\n");
    let scene = Scene::new(&world);
    scene.github.add_to_team("shop/security", "carol");
    let print = scene.print();
    let comment = scene.says("carol", &waive(&print));
    assert!(!scene.passes());
    let answer = scene.answer(comment);
    assert!(
        answer.contains("GitHub did not say") && answer.contains("`members: read`"),
        "{answer}"
    );
    scene.github.finish();
    // So is an error that stays, and it heals with the next run.
    let scene = self::scene(&world);
    scene.github.add_to_team("shop/security", "carol");
    let comment = scene.says("carol", &waive(&print));
    scene.github.fault_always(When::is("GET", "/memberships/"), Fault::Status(502));
    assert!(!scene.passes());
    assert!(scene.answer(comment).contains("GitHub did not say"));
    scene.github.clear_faults();
    assert!(scene.passes());
    assert!(scene.answer(comment).contains("**Accepted**"));
    scene.github.finish();
}

#[test]
fn owners_of_the_touched_files_may() {
    let configuration =
        ("version: 1\napprovers: {codeowners: true}\n", ".github/netpol-review.yml");
    // CODEOWNERS of the base branch, who says it, their role, and what the answer says.
    for (owners, path, login, role, words) in [
        ("/shop/ @carol", ".github/CODEOWNERS", "carol", "write", "**Accepted**"),
        ("/shop/ @carol", "CODEOWNERS", "CAROL", "admin", "**Accepted**"),
        ("/shop/ @shop/dba", "docs/CODEOWNERS", "dave", "maintain", "**Accepted**"),
        ("/shop/ @carol", "CODEOWNERS", "carol", "read", "makes somebody else the owner of"),
        ("/shop/ @carol", "CODEOWNERS", "dave", "write", "makes somebody else the owner of"),
        ("* @carol\n/shop/ @dave", "CODEOWNERS", "carol", "write", "makes somebody else"),
        ("* @carol\n/shop/", "CODEOWNERS", "carol", "write", "makes somebody else"),
        ("/other/ @carol", "CODEOWNERS", "carol", "write", "makes somebody else"),
        (
            "/shop/ @contributor",
            "CODEOWNERS",
            "contributor",
            "write",
            "the author of a pull request",
        ),
        ("/shop/ @carol", "elsewhere/CODEOWNERS", "carol", "write", "does not name them"),
    ] {
        let told = format!("{login} ({role}) under {owners}");
        let world = world_with(&[(configuration.1, configuration.0), (path, owners)]);
        // What the change says of owners does not count.
        world.commit("feature", &[("CODEOWNERS", Some("* @carol @dave @contributor"))]);
        if path == "CODEOWNERS" {
            world.commit("feature", &[("CODEOWNERS", Some(owners))]);
        }
        let scene = scene(&world);
        scene.github.add_to_team("shop/dba", "dave");
        let print = scene.print();
        scene.github.set_role(REPOSITORY, &login.to_lowercase(), role);
        scene.github.set_role(REPOSITORY, login, role);
        let comment = scene.says(login, &waive(&print));
        assert_eq!(scene.passes(), words == "**Accepted**", "{told}: {}", scene.answer(comment));
        let answer = scene.answer(comment);
        assert!(answer.contains(words), "{told}: {answer}");
        scene.github.finish();
    }
}

#[test]
fn programs_are_neither_heard_nor_answered() {
    let world = world("version: 1\napprovers: {users: [\"renovate\"], codeowners: true}\n");
    let scene = scene(&world);
    let print = scene.print();
    for login in ["renovate[bot]", ME] {
        let comment = scene.says(login, &waive(&print));
        assert!(!scene.passes(), "{login}");
        scene.github.edit_comment(REPOSITORY, comment, login, &format!("{} ", waive(&print)));
        assert!(!scene.passes(), "{login}");
        assert_eq!(scene.answers(comment), Vec::<String>::new(), "{login}");
    }
    assert!(scene.check().contains("`renovate[bot]` waive"), "{}", scene.check());
    assert!(scene.check().contains(": ignored"));
    scene.github.finish();
}

#[test]
fn a_fork_is_told_in_its_own_place() {
    let world = world(USERS);
    let pull = Pull { fork: Some("somebody/manifests".into()), ..Pull::default() };
    // A workflow's token only reads there; the App's can write.
    for (token, answers) in [(Token::fork(), 0), (app(), 1)] {
        let scene = Scene::with(&world, token, pull.clone());
        scene.github.set_role(REPOSITORY, "octocat", "write");
        let print = scene.print();
        let no = scene.says("contributor", &waive(&print));
        assert!(!scene.passes());
        assert_eq!(scene.answers(no).len(), answers);
        scene.says("octocat", &waive(&print));
        assert!(scene.passes(), "read all the same");
        scene.github.finish();
    }
}

#[test]
fn a_person_whose_token_it_is_may_say_something_too() {
    let world = world(USERS);
    let token = Token::personal("octocat");
    let scene = Scene::with(&world, token, Pull::default());
    scene.github.set_role(REPOSITORY, "octocat", "write");
    let print = scene.print();
    scene.says("octocat", &waive(&print));
    assert!(scene.passes());
    let count = scene.github.comments(REPOSITORY, 1).len();
    assert!(scene.passes());
    assert_eq!(scene.github.comments(REPOSITORY, 1).len(), count);
    scene.github.finish();
}

#[test]
fn without_the_right_to_read_comments_nothing_is_accepted() {
    let world = world(USERS);
    let scene = scene(&world);
    let print = scene.print();
    scene.says("octocat", &waive(&print));
    assert!(scene.passes());
    scene.github.fault_always(When::is("GET", "/issues/1/comments"), Fault::Status(403));
    let outcome = scene.run().expect("a review");
    assert!(!passed(&outcome));
    assert!(!outcome.told.problems.is_empty());
    scene.github.finish();
}

const FROZEN: &str = "version: 1
approvers: {users: [octocat]}
guardrails:
- id: db-frozen
  frozen: {to: {namespace: shop, labels: {app: db}}, approvers: [shop/security, erin]}
";

fn frozen() -> World {
    world(FROZEN)
}

/// Accepts the row, and gives the fingerprint of the guardrail's finding.
fn row_accepted(scene: &Scene<'_>) -> String {
    let outcome = scene.run().expect("a review");
    let environment = &outcome.evaluated.report.environments[0];
    scene.says("octocat", &waive(&environment.opened[0].fingerprint));
    let mut findings = environment.findings.iter();
    let finding = findings.find(|finding| finding.rule == "guardrail-frozen").expect("a finding");
    let comment = scene.comments().remove(0);
    assert!(comment.contains(&finding.fingerprint), "it is named: {comment}");
    finding.fingerprint.clone()
}

#[test]
fn a_frozen_guardrail_needs_a_word_of_those_it_names() {
    let world = frozen();
    let scene = scene(&world);
    let print = row_accepted(&scene);
    assert!(!scene.passes(), "whoever accepts the row does not speak for the guardrail");
    let no = scene.says("octocat", &waive(&print));
    assert!(!scene.passes());
    let answer = scene.answer(no);
    assert!(answer.contains("needs a word of `shop/security`, `erin`"), "{answer}");
    let yes = scene.says("erin", &waive(&print));
    assert!(scene.passes());
    assert!(scene.answer(yes).contains("**Accepted**"));
    scene.says("erin", &format!("/netpol-review unwaive {print}"));
    assert!(!scene.passes());
    scene.github.add_to_team("shop/security", "carol");
    scene.says("carol", &waive(&print));
    assert!(scene.passes());
    scene.github.finish();
}

#[test]
fn an_approving_review_of_this_head_is_such_a_word() {
    let world = frozen();
    let scene = scene(&world);
    let print = row_accepted(&scene);
    scene.github.add_to_team("shop/security", "carol");
    let before = scene.github.requests().len();
    assert!(!scene.passes());
    let who = "/repos/shop/manifests/collaborators/octocat/permission";
    assert_eq!(scene.questions(before), [who, "/repos/shop/manifests/pulls/1/reviews"]);
    for (login, verdict, passes) in [
        ("octocat", "APPROVED", false),
        ("carol", "COMMENTED", false),
        ("carol", "APPROVED", true),
        ("carol", "COMMENTED", true),
        ("carol", "CHANGES_REQUESTED", false),
        ("contributor", "APPROVED", false),
        ("erin", "APPROVED", true),
    ] {
        scene.github.add_review(REPOSITORY, 1, login, verdict);
        assert_eq!(scene.passes(), passes, "{login} {verdict}");
    }
    let sticky = &scene.comments()[0];
    let short = &print[..12];
    assert!(sticky.contains(&format!("`{short}` by `erin` for this head alone")), "{sticky}");
    assert!(scene.check().contains("`erin` approve"), "{}", scene.check());
    // A push ends it.
    world.commit("feature", &[("README.md", Some("more"))]);
    scene.github.refresh_pull(REPOSITORY, 1);
    assert!(!scene.passes());
    scene.github.finish();
}

#[test]
fn reviews_are_asked_for_only_where_one_could_help() {
    let world = world(USERS);
    let scene = scene(&world);
    let before = scene.github.requests().len();
    assert!(!scene.passes());
    assert_eq!(scene.questions(before), Vec::<String>::new());
    scene.github.finish();
}

/// Accepts the one row as each of these, and gives those who may.
fn may_accept<'l>(scene: &Scene<'_>, logins: &[&'l str]) -> Vec<&'l str> {
    let print = scene.print();
    let may = |login: &&&str| {
        scene.github.set_role(REPOSITORY, login, "write");
        let comment = scene.says(login, &waive(&print));
        let passes = scene.passes();
        assert_eq!(passes, scene.answer(comment).contains("**Accepted**"), "{login}");
        scene.says(login, &format!("/netpol-review unwaive {print}"));
        assert!(!scene.passes());
        passes
    };
    logins.iter().filter(may).copied().collect()
}

const CODEOWNERS: [(&str, &str); 2] = [
    (".github/netpol-review.yml", "version: 1\napprovers: {codeowners: true}\n"),
    ("CODEOWNERS", "/platform/ @paula @olga\n/team-a/ @anna @olga\n/team-b/ @bert @olga\n"),
];

/// A repository with these files more than those that say who owns what, and a change of it.
fn owned(base: Files<'_>, change: Files<'_>) -> World {
    let world = World::new();
    let owners = CODEOWNERS.map(|(path, text)| (path, Some(text)));
    world.commit("main", &[&owners[..], base].concat());
    world.commit("feature", change);
    world
}

#[test]
fn a_policy_that_moved_needs_owners_of_both_places() {
    let narrow = policy(WEB);
    let world = owned(
        &[("platform/policy.yaml", Some(&narrow))],
        &[("platform/policy.yaml", None), ("team-a/policy.yaml", Some(&policy(ANY)))],
    );
    let scene = scene(&world);
    assert_eq!(may_accept(&scene, &["anna", "paula", "bert", "olga"]), ["olga"]);
    scene.github.finish();
    // One that stays where it is needs nobody else, whatever else is touched.
    let world = owned(
        &[("team-a/policy.yaml", Some(&narrow))],
        &[("team-a/policy.yaml", Some(&policy(ANY))), ("platform/words.md", Some("Words."))],
    );
    let scene = self::scene(&world);
    assert_eq!(may_accept(&scene, &["anna", "paula", "bert", "olga"]), ["anna", "olga"]);
    scene.github.finish();
}

const OVERLAY: &str = "resources: [../../../team-a]\npatches: [{path: patch.yaml}]\n";
const PATCH: &str = "platform/overlays/prod/patch.yaml";

/// A policy of one team that the overlay of an environment patches with a file of others.
fn patched(peers: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: db, namespace: shop}}\nspec:\n  \
         ingress:\n    - from:\n{peers}"
    )
}

#[test]
fn what_a_tool_built_needs_owners_of_all_that_changed_of_what_it_was_built_from() {
    let Some(_) = kustomize() else { return };
    let base = policy(WEB);
    let (narrow, wide) = (patched(WEB), patched(ANY));
    let bases: Vec<(&str, Option<&str>)> = vec![
        ("team-a/kustomization.yaml", Some("resources: [policy.yaml]\n")),
        ("team-a/policy.yaml", Some(&base)),
        (PATCH, Some(&narrow)),
        ("platform/overlays/prod/kustomization.yaml", Some(OVERLAY)),
    ];
    let words = format!("# Words.\n{base}");
    for (change, may) in [
        (&[(PATCH, Some(&*wide))][..], &["paula", "olga"][..]),
        // Which of the two does it nobody guesses.
        (&[(PATCH, Some(&*wide)), ("team-a/policy.yaml", Some(&*words))], &["olga"]),
        // What is not built into it plays no part.
        (&[(PATCH, Some(&*wide)), ("team-b/README.md", Some("Words."))], &["paula", "olga"]),
    ] {
        let world = owned(&bases, change);
        let scene = scene(&world);
        let outcome = scene.run().expect("a review");
        let report = &outcome.evaluated.report;
        assert_eq!(report.not_evaluated, vec![], "{change:?}");
        let places = report.environments[0].opened[0].causes.iter();
        let places: Vec<&str> = places.map(|cause| &*cause.location.file).collect();
        let allowed = may_accept(&scene, &["anna", "paula", "bert", "olga"]);
        assert_eq!(allowed, may, "{change:?} {places:?}");
        scene.github.finish();
    }
}

/// Who decides where something is deployed decides what it opens there.
#[test]
fn what_is_deployed_otherwise_needs_owners_of_what_says_so() {
    let application = |namespace: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: a, namespace: argocd}}\nspec:\n  \
             source: {{repoURL: 'https://github.example/shop/manifests', path: team-a, targetRevision: main}}\n  \
             destination: {{name: eu-1, namespace: {namespace}}}\n"
        )
    };
    let (old, new) = (application("shop"), application("other"));
    let policies = format!(
        "{}---\n{}",
        policy(ANY).replace("  namespace: shop\n", ""),
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny, namespace: other}\n\
         spec: {podSelector: {}, policyTypes: [Ingress]}\n"
    );
    let world = owned(
        &[("team-a/policy.yaml", Some(&policies)), ("platform/app.yaml", Some(&old))],
        &[("platform/app.yaml", Some(&new))],
    );
    let scene = scene(&world);
    let outcome = scene.run().expect("a review");
    let environment = &outcome.evaluated.report.environments[0];
    for row in &environment.opened {
        let files = environment.edited_for(row);
        assert!(files.contains("platform/app.yaml"), "{files:?} {row:#?}");
    }
    assert!(!environment.opened.is_empty(), "{environment:#?}");
    scene.github.finish();
}
