//! Commands in comments: what each does.

use crate::scenarios::{changed, policy};
use crate::scene::{REPOSITORY, Scene, run_at};
use crate::server::{Pull, Token};
use crate::world::{ANY, World};
use netpol_review::gate::GateVerdict;
use netpol_review::github::{Inputs, Outcome};

/// An answer's hidden line, as it begins.
pub const ANSWER: &str = "<!-- netpol-review:answer:v1 comment=";
pub const ME: &str = "github-actions[bot]";

/// The App's token, which may ask who is in a team.
pub fn app() -> Token {
    Token { login: ME.into(), ..Token::installation("reviewer") }
}

/// A pull request that opens the database, under this configuration.
pub fn world(configuration: &str) -> World {
    world_with(&[(".github/netpol-review.yml", configuration)])
}

pub fn world_with(files: &[(&str, &str)]) -> World {
    let widened = policy(ANY);
    let world = changed(&[("shop/policy.yaml", Some(&widened))]);
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, Some(*text))).collect();
    world.commit("main", &files);
    world
}

pub fn scene(world: &World) -> Scene<'_> {
    let scene = Scene::with(world, app(), Pull::default());
    for login in ["octocat", "OCTOCAT", "contributor", "erin"] {
        scene.github.set_role(REPOSITORY, login, "write");
    }
    scene
}

pub const USERS: &str = "version: 1\napprovers:\n  users: [Octocat, contributor]\n";

impl Scene<'_> {
    pub fn says(&self, login: &str, body: &str) -> u64 {
        self.github.add_comment(REPOSITORY, 1, login, body)
    }

    /// The fingerprint of the one row that opens.
    pub fn print(&self) -> String {
        let outcome = self.run().expect("a review");
        let [row] = outcome.evaluated.report.environments[0].opened.as_slice() else {
            panic!("one row");
        };
        row.fingerprint.clone()
    }

    pub fn passes(&self) -> bool {
        passed(&self.run().expect("a review"))
    }

    /// The bodies of the answers to a comment, by our own hand.
    pub fn answers(&self, comment: u64) -> Vec<String> {
        let marker = format!("{ANSWER}{comment} ");
        let comments = self.github.comments(REPOSITORY, 1).into_iter();
        comments
            .filter(|one| one.login == ME && one.body.contains(&marker))
            .map(|c| c.body)
            .collect()
    }

    pub fn answer(&self, comment: u64) -> String {
        let mut answers = self.answers(comment);
        assert_eq!(answers.len(), 1, "{answers:#?}");
        answers.remove(0)
    }

    pub fn check(&self) -> String {
        let check = self.github.check_runs(REPOSITORY).pop().expect("a check");
        check.summary.unwrap_or_default()
    }

    /// The requests of the last run that ask about people.
    pub fn questions(&self, from: usize) -> Vec<String> {
        let requests = self.github.requests().into_iter().skip(from);
        let about = ["/memberships/", "/collaborators/", "/reviews"];
        requests
            .filter(|r| r.method == "GET" && about.iter().any(|part| r.path.contains(part)))
            .map(|r| r.path)
            .collect()
    }
}

pub fn passed(outcome: &Outcome) -> bool {
    outcome.evaluated.gate.verdict == GateVerdict::Pass
}

pub fn waive(print: &str) -> String {
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
    let yes = scene.says("octocat", &format!("I looked.\n{}\n", waive(&print)));
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
    let other =
        scene.says("octocat", "/netpol-review waive 0123456789abcdef0123456789abcdef --reason x");
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
