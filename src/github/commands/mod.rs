//! Commands in comments of a pull request: who accepted what, until when, and an answer to each.
//!
//! Nothing is kept anywhere: every run reads all comments, and finds out anew what they say and whether their authors may.
//! So a lost event heals with the next run, and whoever is no approver any more has accepted nothing.
//!
//! Reading order: `parse` (a comment to commands), `approve` (who may) with `owners` (CODEOWNERS), `waivers` (all commands
//! to what is in force), `frozen` (approving reviews), `answer` (what is told), `reply` (telling it).

mod answer;
mod approve;
mod frozen;
mod owners;
mod parse;
mod reply;
mod waivers;

pub use answer::{Answer, Entry};
pub use approve::People;
pub use frozen::approvals;
pub use owners::PLACES as CODEOWNERS;
pub use reply::reply;

use super::api::{self, IssueComment};
use super::compare::Said;
use super::review;
use crate::gate::named_approvers;
use crate::report::Report;
use crate::settings::{Settings, Waiver};
use answer::Part;
use approve::Need;
use chrono::{DateTime, Utc};
use parse::Command;
use std::collections::{BTreeMap, BTreeSet};
use waivers::{Fate, Order};

/// What the commands of a pull request are about.
pub struct Case<'a> {
    /// All comments, oldest first.
    pub comments: &'a [IssueComment],
    /// Who we are.
    pub me: &'a str,
    /// What was found.
    pub report: &'a Report,
    /// The settings of the base branch.
    pub settings: &'a Settings,
    /// The present.
    pub now: DateTime<Utc>,
}

/// To whom a comment is answered, by login and page, and what each of its commands is told.
type Told = (Option<(String, String)>, Vec<Part>);

/// What the commands of a pull request come to.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// What is accepted, each with the whole fingerprint of what it covers.
    pub waivers: Vec<Waiver>,
    /// The fingerprints that somebody wants explained.
    pub explain: Vec<String>,
    /// What is told of each command.
    pub entries: Vec<Entry>,
    parts: BTreeMap<u64, Told>,
}

impl Decided {
    /// Adds what approving reviews accept.
    pub fn add(&mut self, approvals: Vec<Waiver>) {
        self.entries.extend(approvals.iter().map(Entry::approval));
        self.waivers.extend(approvals);
    }

    /// What of it a review needs.
    pub fn said(&self) -> Said {
        let (waivers, explain) = (self.waivers.clone(), self.explain.clone());
        Said { waivers, explain, list: answer::list(&self.entries) }
    }

    /// Writes the record: one line for each command, at every run that is judged by it.
    pub fn audit(&self, repository: &str, pull: u64) {
        answer::audit(&self.entries, repository, pull);
    }

    /// The answers, oldest command first. `explained` has the Markdown that explains a fingerprint, where there is something
    /// to explain.
    pub fn answers(&self, explained: &BTreeMap<String, String>) -> Vec<Answer> {
        let answer = |(comment, (to, parts)): (&u64, &Told)| {
            let to = to.as_ref().map(|(login, url)| (login.as_str(), url.as_str()));
            Answer { comment: *comment, body: answer::body(to, parts, explained) }
        };
        self.parts.iter().map(answer).collect()
    }
}

/// A command of a comment that counts.
struct Given<'a> {
    comment: &'a IssueComment,
    command: Result<Command, String>,
    /// Whether its author may, and what it would cover.
    allowed: Result<(), crate::render::words::Phrase>,
    targets: Vec<(String, Need)>,
}

/// Finds out what the commands come to. Without commands nobody is asked anything.
pub async fn decide(case: &Case<'_>, people: &mut People<'_>) -> Decided {
    let mut decided = Decided::default();
    let mut given = Vec::new();
    let answered: BTreeSet<u64> = reply::ours(case.comments, case.me).into_keys().collect();
    for comment in case.comments {
        if is_ours(comment, case.me) {
            continue;
        }
        let commands = parse::parse(comment.body.as_deref().unwrap_or_default());
        let Some(user) = comment.user.as_ref() else {
            // Whoever it was is nobody any more.
            if answered.contains(&comment.id) {
                decided.parts.insert(comment.id, (None, vec![Part::gone()]));
            }
            continue;
        };
        if approve::is_bot(user) {
            // No answer: two programs could go on answering each other.
            for command in &commands {
                decided.note(comment, Part::of_program(command));
            }
            continue;
        }
        let edited = comment.updated_at != comment.created_at;
        if edited && (!commands.is_empty() || answered.contains(&comment.id)) {
            decided.tell(comment, Part::edited());
        }
        for command in commands {
            // To take something back is never the looser side, so an edit does not undo that.
            if edited && !matches!(command, Ok(Command::Unwaive { .. })) {
                continue;
            }
            let mut one = Given { comment, command, allowed: Ok(()), targets: Vec::new() };
            if let Ok(Command::Waive { fingerprint, .. } | Command::Unwaive { fingerprint }) =
                &one.command
            {
                one.targets = targets(case, fingerprint);
                let needs: Vec<Need> = one.targets.iter().map(|(_, need)| need.clone()).collect();
                // The list may not be whole, and what takes something back may be missing.
                one.allowed = match case.comments.len() < api::MOST {
                    true => people.may(user, &needs).await,
                    false => Err(Part::too_many_comments()),
                };
            }
            given.push(one);
        }
    }
    decided.settle(case, &given);
    for gone in answered {
        if !case.comments.iter().any(|comment| comment.id == gone) {
            decided.parts.insert(gone, (None, vec![Part::gone()]));
        }
    }
    decided
}

impl Decided {
    fn settle(&mut self, case: &Case<'_>, given: &[Given<'_>]) {
        let understood = given.iter().filter_map(|one| {
            let user = one.comment.user.as_ref()?;
            Some(Order {
                by: user.login.clone(),
                url: one.comment.html_url.clone(),
                at: one.comment.created_at,
                command: one.command.clone().ok()?,
                allowed: one.allowed.is_ok(),
            })
        });
        let orders: Vec<Order> = understood.collect();
        let mut fates = waivers::settle(&orders, case.now).into_iter();
        for one in given {
            let command = match &one.command {
                Ok(command) => command,
                Err(wrong) => {
                    self.tell(one.comment, Part::not_understood(wrong));
                    continue;
                }
            };
            let fate = fates.next().unwrap_or(Fate::Idle);
            if let Fate::InForce(waiver) | Fate::Ended(waiver) = &fate {
                let covered = one.targets.iter().map(|(fingerprint, _)| Waiver {
                    fingerprint: fingerprint.clone(),
                    ..waiver.clone()
                });
                self.waivers.extend(covered);
            }
            let part = match command {
                Command::Waive { fingerprint, .. } => {
                    Part::waive(fingerprint, &fate, &one.allowed, one.targets.is_empty())
                }
                Command::Unwaive { fingerprint } => {
                    let mut configured = case.settings.waivers.iter();
                    let stays =
                        configured.any(|waiver| waivers::same(&waiver.fingerprint, fingerprint));
                    Part::unwaive(fingerprint, &fate, &one.allowed, stays)
                }
                Command::Recheck => Part::recheck(),
                Command::Help => Part::help(),
                Command::Explain { fingerprint } => {
                    self.explain.push(fingerprint.clone());
                    Part::explain(fingerprint)
                }
            };
            self.tell(one.comment, part);
        }
    }

    fn note(&mut self, comment: &IssueComment, part: Part) -> Part {
        let by = comment.user.as_ref().map(|user| user.login.clone()).unwrap_or_default();
        self.entries.push(part.entry(by, comment.id, comment.html_url.clone()));
        part
    }

    fn tell(&mut self, comment: &IssueComment, part: Part) {
        let part = self.note(comment, part);
        let to = comment.user.as_ref().map(|user| user.login.clone()).unwrap_or_default();
        let to = Some((to, comment.html_url.clone()));
        self.parts.entry(comment.id).or_insert((to, Vec::new())).1.push(part);
    }
}

/// Did we write it ourselves? Whoever a token belongs to may write commands, too.
fn is_ours(comment: &IssueComment, me: &str) -> bool {
    let body = comment.body.as_deref().unwrap_or_default();
    comment.user.as_ref().is_some_and(|user| user.login == me)
        && (review::marker(body).is_some() || reply::command_of(body).is_some())
}

/// What a fingerprint, or the beginning of one, names in a report: opened rows and findings that count, each with what its
/// acceptance needs. What several environments have is there once.
fn targets(case: &Case<'_>, beginning: &str) -> Vec<(String, Need)> {
    let mut targets: BTreeMap<String, Need> = BTreeMap::new();
    let mut add = |fingerprint: &String, files: BTreeSet<String>| {
        let need = targets.entry(fingerprint.clone()).or_insert(Need::General(BTreeSet::new()));
        if let Need::General(all) = need {
            all.extend(files);
        }
    };
    for environment in &case.report.environments {
        for row in environment.opened.iter().filter(|row| row.fingerprint.starts_with(beginning)) {
            add(&row.fingerprint, environment.edited_for(row));
        }
        let findings = environment.findings.iter().filter(|finding| finding.introduced);
        for finding in findings.filter(|finding| finding.fingerprint.starts_with(beginning)) {
            add(&finding.fingerprint, environment.edited_for_finding(finding));
        }
    }
    for environment in &case.report.environments {
        for finding in &environment.findings {
            let named = named_approvers(case.settings, finding);
            if let Some(need) = targets.get_mut(&finding.fingerprint).filter(|_| !named.is_empty())
            {
                *need = Need::Named(named.to_vec());
            }
        }
    }
    targets.into_iter().collect()
}
