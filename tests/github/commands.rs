//! Commands in comments: what each does, who may, and that each has one answer.

use crate::scenarios::{changed, policy};
use crate::scene::{REPOSITORY, Scene, event, run_as, run_at};
use crate::server::{Fault, Pull, TestGitHub, Token, When};
use crate::world::{ANY, World};
use netpol_review::gate::GateVerdict;
use netpol_review::github::{Inputs, Outcome};
use std::sync::{Arc, Mutex};

/// An answer's hidden line, as it begins.
const ANSWER: &str = "<!-- netpol-review:answer:v1 comment=";
const ME: &str = "github-actions[bot]";

/// The App's token, which may ask who is in a team.
fn app() -> Token {
    Token { login: ME.into(), ..Token::installation("reviewer") }
}

/// A pull request that opens the database, under this configuration.
fn world(configuration: &str) -> World {
    world_with(&[(".github/netpol-review.yml", configuration)])
}

fn world_with(files: &[(&str, &str)]) -> World {
    let widened = policy(ANY);
    let world = changed(&[("shop/policy.yaml", Some(&widened))]);
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, Some(*text))).collect();
    world.commit("main", &files);
    world
}

fn scene(world: &World) -> Scene<'_> {
    Scene::with(world, app(), Pull::default())
}

const USERS: &str = "version: 1\napprovers:\n  users: [Octocat, contributor]\n";

impl Scene<'_> {
    fn says(&self, login: &str, body: &str) -> u64 {
        self.github.add_comment(REPOSITORY, 1, login, body)
    }

    /// The fingerprint of the one row that opens.
    fn print(&self) -> String {
        let outcome = self.run().expect("a review");
        let [row] = outcome.evaluated.report.environments[0].opened.as_slice() else {
            panic!("one row");
        };
        row.fingerprint.clone()
    }

    fn passes(&self) -> bool {
        passed(&self.run().expect("a review"))
    }

    /// The bodies of the answers to a comment, by our own hand.
    fn answers(&self, comment: u64) -> Vec<String> {
        let marker = format!("{ANSWER}{comment} ");
        let comments = self.github.comments(REPOSITORY, 1).into_iter();
        comments
            .filter(|one| one.login == ME && one.body.contains(&marker))
            .map(|c| c.body)
            .collect()
    }

    fn answer(&self, comment: u64) -> String {
        let mut answers = self.answers(comment);
        assert_eq!(answers.len(), 1, "{answers:#?}");
        answers.remove(0)
    }

    fn check(&self) -> String {
        let check = self.github.check_runs(REPOSITORY).pop().expect("a check");
        check.summary.unwrap_or_default()
    }

    /// The requests of the last run that ask about people.
    fn questions(&self, from: usize) -> Vec<String> {
        let requests = self.github.requests().into_iter().skip(from);
        let about = ["/memberships/", "/collaborators/", "/reviews"];
        requests
            .filter(|r| r.method == "GET" && about.iter().any(|part| r.path.contains(part)))
            .map(|r| r.path)
            .collect()
    }
}

fn passed(outcome: &Outcome) -> bool {
    outcome.evaluated.gate.verdict == GateVerdict::Pass
}

fn waive(print: &str) -> String {
    format!("/netpol-review waive {print} --reason \"the auditors read it\"")
}

#[test]
fn an_approver_accepts_a_row_and_takes_it_back() {
    let world = world(USERS);
    let scene = scene(&world);
    let print = scene.print();
    assert!(!scene.passes());
    let sticky = &scene.comments()[0];
    assert!(sticky.contains("an approver comments /netpol-review waive"), "{sticky}");
    let yes = scene.says("octocat", &format!("I looked.\n{}\n", waive(&print[..12])));
    let outcome = scene.run().expect("a review");
    assert!(passed(&outcome));
    assert_eq!(outcome.evaluated.gate.waived.len(), 1);
    let answer = scene.answer(yes);
    assert!(answer.contains("**Accepted**") && answer.contains("the auditors read it"), "{answer}");
    assert!(answer.contains("by `octocat`"), "{answer}");
    // Who and why stand in the comment, in the check and its list of commands.
    for text in [&scene.comments()[0], &scene.check()] {
        assert!(text.contains("#### Waivers"), "{text}");
        assert!(text.contains("by `octocat` without an end: `the auditors read it`"), "{text}");
    }
    assert!(scene.check().contains("#### Commands"), "{}", scene.check());
    assert!(scene.check().contains(&format!("`octocat` waive `{}`: accepted", &print[..12])));
    let check = scene.github.check_runs(REPOSITORY).pop().expect("a check");
    assert_eq!(check.conclusion.as_deref(), Some("success"));
    assert!(check.title.unwrap_or_default().contains("1 path waived"));

    // The same again asks and writes nothing new.
    let before = scene.github.requests().len();
    assert!(scene.passes());
    let writes = scene.github.requests().into_iter().skip(before);
    let writes: Vec<String> = writes
        .filter(|r| {
            r.method != "GET" && !r.path.contains("check-runs") && !r.path.contains("graphql")
        })
        .map(|r| format!("{} {}", r.method, r.path))
        .filter(|r| !r.contains("git-upload-pack"))
        .collect();
    assert_eq!(writes, Vec::<String>::new());

    let back = scene.says("Octocat", &format!("/netpol-review unwaive {print}"));
    assert!(!scene.passes());
    assert!(scene.answer(back).contains("**Taken back**"), "{}", scene.answer(back));
    assert!(scene.answer(yes).contains("took it back"), "{}", scene.answer(yes));
    scene.says("octocat", &waive(&print));
    assert!(scene.passes());
    scene.github.finish();
}

#[test]
fn help_recheck_and_what_is_not_understood() {
    let world = world(USERS);
    let scene = scene(&world);
    let help = scene.says("anybody", "/netpol-review help");
    let again = scene.says("anybody", "/netpol-review recheck");
    let wrong =
        scene.says("octocat", "/netpol-review waive 123 --reason x\n/netpol-review recheck");
    let quoted = scene.says("octocat", "> /netpol-review help\n```\n/netpol-review recheck\n```");
    let before = scene.github.requests().len();
    assert!(!scene.passes());
    assert!(scene.answer(help).contains("| `/netpol-review waive FINGERPRINT"));
    assert!(scene.answer(again).contains("Reviewed again"));
    let answer = scene.answer(wrong);
    assert!(answer.contains("**Not understood**: that is no fingerprint"), "{answer}");
    assert!(answer.contains("Reviewed again") && answer.contains("FINGERPRINT"), "{answer}");
    assert_eq!(scene.answers(quoted), Vec::<String>::new());
    // Nobody is asked about people for that.
    assert_eq!(scene.questions(before), Vec::<String>::new());
    // Our own answers hold no command.
    for comment in scene.github.comments(REPOSITORY, 1).iter().filter(|one| one.login == ME) {
        assert!(!comment.body.lines().any(|line| line.trim_start().starts_with("/netpol-review")));
    }
    let count = scene.github.comments(REPOSITORY, 1).len();
    assert!(!scene.passes());
    assert_eq!(scene.github.comments(REPOSITORY, 1).len(), count);
    scene.github.finish();
}

#[test]
fn explain_tells_all_about_a_row() {
    let world = world(USERS);
    let scene = scene(&world);
    let print = scene.print();
    let known = scene.says("anybody", &format!("/netpol-review explain {}", &print[..12]));
    let unknown = scene.says("anybody", "/netpol-review explain 000000000000");
    assert!(!scene.passes());
    let answer = scene.answer(known);
    for words in ["any pod in any namespace", "Why it may enter", "Example:", &print] {
        assert!(answer.contains(words), "{words}: {answer}");
    }
    let answer = scene.answer(unknown);
    assert!(answer.contains("nothing that this pull request opens"), "{answer}");
    scene.github.finish();
}

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
    let author = "version: 1\napprovers: {users: [contributor], author: true}\n";
    let both = "version: 1\napprovers: {users: [octocat], teams: [shop/security]}\n";
    // Who says it, who is in the team, and what the answer says.
    for (configuration, login, member, words) in [
        (USERS, "OCTOCAT", None, "**Accepted**"),
        (USERS, "stranger", None, "does not name them"),
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
fn an_edited_comment_does_not_count_and_a_deleted_one_neither() {
    let world = world(USERS);
    let scene = scene(&world);
    let print = scene.print();
    let first = scene.says("octocat", &waive(&print));
    assert!(scene.passes());
    scene.github.edit_comment(REPOSITORY, first, "octocat", &format!("{} ", waive(&print)));
    assert!(!scene.passes());
    assert!(scene.answer(first).contains("was edited"), "{}", scene.answer(first));
    // Also where no command is left in it.
    let second = scene.says("octocat", &waive(&print));
    assert!(scene.passes());
    scene.github.edit_comment(REPOSITORY, second, "octocat", "nothing");
    assert!(!scene.passes());
    assert!(scene.answer(second).contains("was edited"));
    // And where a command came in later.
    let third = scene.says("octocat", "fine");
    scene.github.edit_comment(REPOSITORY, third, "contributor", &waive(&print));
    assert!(!scene.passes());
    assert!(scene.answer(third).contains("was edited"));
    let fourth = scene.says("octocat", &waive(&print));
    assert!(scene.passes());
    scene.github.state().repository(REPOSITORY).comments.retain(|one| one.id != fourth);
    assert!(!scene.passes());
    assert!(scene.answer(fourth).contains("is gone, so"), "{}", scene.answer(fourth));
    // An edit does not undo what was taken back.
    scene.says("octocat", &waive(&print));
    let back = scene.says("octocat", &format!("/netpol-review unwaive {print}"));
    scene.github.edit_comment(
        REPOSITORY,
        back,
        "octocat",
        &format!("/netpol-review unwaive {print}\nsorry"),
    );
    assert!(!scene.passes());
    let answer = scene.answer(back);
    assert!(answer.contains("was edited") && answer.contains("**Taken back**"), "{answer}");
    scene.github.finish();
}

#[test]
fn a_waiver_ends_by_itself() {
    let world = world(USERS);
    let scene = scene(&world);
    let print = scene.print();
    // The server's clock begins with 2026.
    let hours = scene.says("octocat", &format!("{} --expires 12h", waive(&print)));
    let at = |now: &str, id: &str| {
        passed(
            &run_at(now, id, &scene.event_with_checkout(), &Inputs::default()).expect("a review"),
        )
    };
    assert!(at("2026-01-01T11:00:00Z", "2"));
    let answer = scene.answer(hours);
    assert!(answer.contains("until 2026-01-01 12:00 UTC"), "{answer}");
    assert!(!at("2026-01-01T13:00:00Z", "3"));
    let answer = scene.answer(hours);
    assert!(answer.contains("**Expired**") && answer.contains("2026-01-01 12:00 UTC"), "{answer}");
    let sticky = &scene.comments()[0];
    assert!(sticky.contains("**expired on 2026-01-01 12:00 UTC** and does not count"), "{sticky}");
    let day = scene.says("octocat", &format!("{} --expires 2026-03-31", waive(&print)));
    assert!(at("2026-03-31T23:59:59Z", "4"));
    assert!(scene.answer(day).contains("until 2026-03-31"));
    assert!(!at("2026-04-01T00:00:00Z", "5"));
    scene.github.finish();
}

#[test]
fn a_waiver_covers_what_it_names_and_stays_for_what_comes() {
    let world = world(USERS);
    let scene = scene(&world);
    let print = scene.print();
    let other = scene.says("octocat", "/netpol-review waive 0123456789ab --reason x");
    let almost = if print.starts_with('0') { "1" } else { "0" };
    scene.says("octocat", &waive(&format!("{almost}{}", &print[1..])));
    assert!(!scene.passes());
    let answer = scene.answer(other);
    assert!(
        answer.contains("**Accepted**") && answer.contains("Nothing that this pull request"),
        "{answer}"
    );
    // Before it is there.
    scene.github.finish();
    let narrow = policy(crate::world::WEB);
    world.commit("feature", &[("shop/policy.yaml", Some(&narrow))]);
    let scene = self::scene(&world);
    let comment = scene.says("octocat", &waive(&print));
    assert!(scene.passes(), "nothing opens");
    assert!(scene.answer(comment).contains("counts as soon as"));
    world.commit("feature", &[("shop/policy.yaml", Some(&policy(ANY)))]);
    scene.github.refresh_pull(REPOSITORY, 1);
    assert!(scene.passes(), "accepted before");
    assert!(!scene.answer(comment).contains("counts as soon as"));
    scene.github.finish();
}

#[test]
fn a_waiver_of_the_configuration_is_not_taken_back() {
    let world = world(USERS);
    let print = {
        let scene = scene(&world);
        let print = scene.print();
        scene.github.finish();
        print
    };
    let text = format!("{USERS}waivers:\n- {{fingerprint: {print}, reason: known}}\n");
    world.commit("main", &[(".github/netpol-review.yml", Some(&text))]);
    let scene = scene(&world);
    let comment = scene.says("octocat", &format!("/netpol-review unwaive {print}"));
    assert!(scene.passes());
    let answer = scene.answer(comment);
    assert!(answer.contains("Nothing to take back"), "{answer}");
    assert!(answer.contains("which no comment takes back"), "{answer}");
    scene.github.finish();
}

#[test]
fn a_fork_is_told_in_its_own_place() {
    let world = world(USERS);
    let pull = Pull { fork: Some("somebody/manifests".into()), ..Pull::default() };
    // A workflow's token only reads there; the App's can write.
    for (token, answers) in [(Token::fork(), 0), (app(), 1)] {
        let scene = Scene::with(&world, token, pull.clone());
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
    assert_eq!(scene.questions(before), ["/repos/shop/manifests/pulls/1/reviews"]);
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
fn a_person_whose_token_it_is_may_say_something_too() {
    let world = world(USERS);
    let token = Token::personal("octocat");
    let scene = Scene::with(&world, token, Pull::default());
    let print = scene.print();
    scene.says("octocat", &waive(&print));
    assert!(scene.passes());
    let count = scene.github.comments(REPOSITORY, 1).len();
    assert!(scene.passes());
    assert_eq!(scene.github.comments(REPOSITORY, 1).len(), count);
    scene.github.finish();
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
