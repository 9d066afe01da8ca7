//! Who may accept what: asked of GitHub, by what the configuration of the base branch says.
//!
//! Each question is asked once a run. An error, and a token that may not ask, is a no.

use super::owners::{Owner, Owners};
use crate::github::api::{Api, User};
use crate::render::words::{Phrase, Piece};
use crate::settings::Approvers;
use std::collections::{BTreeMap, BTreeSet};

/// How many questions a run asks at most. On a public repository anybody can write a command.
const QUESTIONS: usize = 100;

/// What somebody wants to accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// An opened row, or a finding, that an edit of these files brings about.
    General(BTreeSet<String>),
    /// A finding of a guardrail that names those whose word it needs.
    Named(Vec<String>),
}

/// An answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reply {
    Yes,
    No,
    /// GitHub did not say.
    Unknown,
}

/// Those who may accept, as far as it is known.
pub struct People<'a> {
    api: &'a Api<'a>,
    approvers: &'a Approvers,
    /// The author of the pull request, in lower case.
    author: Option<String>,
    /// The text of CODEOWNERS was read where it counts.
    owners: Option<Owners>,
    /// The configuration of the base branch could not be read.
    broken: bool,
    known: BTreeMap<(String, String), Reply>,
    asked: usize,
}

impl<'a> People<'a> {
    /// Nobody was asked for yet.
    pub fn new(
        api: &'a Api<'a>,
        approvers: &'a Approvers,
        author: Option<&User>,
        owners: Option<&str>,
        broken: bool,
    ) -> Self {
        let author = author.map(|author| author.login.to_ascii_lowercase());
        let owners = owners.filter(|_| approvers.codeowners).map(Owners::read);
        Self { api, approvers, author, owners, broken, known: BTreeMap::new(), asked: 0 }
    }

    /// May somebody accept all of this? If not, why not, as a sentence without an end. `needs` is empty where nothing
    /// is there that it could be about.
    pub async fn may(&mut self, user: &User, needs: &[Need]) -> Result<(), Phrase> {
        let login = user.login.as_str();
        if is_bot(user) {
            return Err(said("programs may not accept anything"));
        }
        let named = needs.iter().any(|need| matches!(need, Need::Named(_)));
        if !self.approvers.is_anybody() && !named {
            return Err(said(match self.broken {
                true => "the configuration on the base branch is not valid, so nobody may",
                false => {
                    "nobody may: `approvers` of the configuration on the base branch names nobody"
                }
            }));
        }
        if self.author.as_deref() == Some(&login.to_ascii_lowercase()) && !self.approvers.author {
            return Err(said("the author of a pull request may not accept what it opens"));
        }
        let nothing = [Need::General(BTreeSet::new())];
        for need in if needs.is_empty() { &nothing } else { needs } {
            match need {
                Need::General(files) => self.general(login, files).await?,
                Need::Named(names) => self.named(login, names).await?,
            }
        }
        Ok(())
    }

    async fn named(&mut self, login: &str, names: &[String]) -> Result<(), Phrase> {
        let (teams, users): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.contains('/'));
        let mut reply = self.is_one_of(login, users).await;
        if reply != Reply::Yes {
            let member = self.in_one_of(login, &teams).await;
            reply = if member == Reply::No { reply } else { member };
        }
        match reply {
            Reply::Yes => Ok(()),
            reply => {
                let mut phrase = said("the guardrail needs a word of ");
                for (number, name) in names.iter().enumerate() {
                    phrase.extend((number > 0).then_some(Piece::Words(", ")));
                    phrase.push(Piece::Name(name.clone()));
                }
                Err(unknown(reply, phrase))
            }
        }
    }

    async fn general(&mut self, login: &str, files: &BTreeSet<String>) -> Result<(), Phrase> {
        let approvers = self.approvers;
        let named = self.is_one_of(login, &approvers.users).await;
        if named == Reply::Yes {
            return Ok(());
        }
        let teams: Vec<&String> = approvers.teams.iter().collect();
        let mut reply = self.in_one_of(login, &teams).await;
        if reply == Reply::Yes {
            return Ok(());
        }
        if reply == Reply::No {
            reply = named;
        }
        if self.owners.is_some() {
            for file in files {
                match self.owns(login, file).await {
                    Reply::Yes => {}
                    no => {
                        if no == Reply::Unknown {
                            reply = no;
                        }
                        let phrase = vec![
                            Piece::Words(
                                "only approvers and owners may, and CODEOWNERS of the base branch makes somebody else the owner of ",
                            ),
                            Piece::Name(file.clone()),
                        ];
                        return Err(unknown(reply, phrase));
                    }
                }
            }
            if !files.is_empty() {
                return Ok(());
            }
        }
        let is_named = approvers.users.iter().any(|name| name.eq_ignore_ascii_case(login));
        let phrase = said(match approvers.codeowners {
            _ if is_named => {
                "`approvers` names them, but they may not write to this repository, so that the name may be somebody else's by now"
            }
            true => {
                "`approvers` of the configuration on the base branch does not name them, nor does CODEOWNERS"
            }
            false => "`approvers` of the configuration on the base branch does not name them",
        });
        Err(unknown(reply, phrase))
    }

    /// Is somebody named, and may write to the repository? A login that is free again may be somebody else's by now.
    async fn is_one_of(&mut self, login: &str, names: impl IntoIterator<Item = &String>) -> Reply {
        match names.into_iter().any(|name| name.eq_ignore_ascii_case(login)) {
            true => self.may_write(login).await,
            false => Reply::No,
        }
    }

    /// Does somebody own a file, and may write to the repository? GitHub takes nobody else for an owner.
    async fn owns(&mut self, login: &str, file: &str) -> Reply {
        let owners = self.owners.as_ref().map(|owners| owners.of(file).to_vec());
        let owners = owners.unwrap_or_default();
        let own =
            |owner: &Owner| matches!(owner, Owner::User(name) if name.eq_ignore_ascii_case(login));
        let teams: Vec<&String> = owners
            .iter()
            .filter_map(|owner| match owner {
                Owner::Team(team) => Some(team),
                Owner::User(_) => None,
            })
            .collect();
        let owns = match owners.iter().any(own) {
            true => Reply::Yes,
            false => self.in_one_of(login, &teams).await,
        };
        match owns {
            Reply::Yes => self.may_write(login).await,
            no => no,
        }
    }

    async fn in_one_of(&mut self, login: &str, teams: &[&String]) -> Reply {
        let mut reply = Reply::No;
        for team in teams {
            let Some((organisation, slug)) = team.split_once('/') else { continue };
            let key = (login.to_ascii_lowercase(), team.to_ascii_lowercase());
            let known = match self.known.get(&key).copied() {
                Some(known) => known,
                None if self.is_enough() => Reply::Unknown,
                None => answered(self.api.is_member(organisation, slug, login).await),
            };
            self.known.insert(key, known);
            match known {
                Reply::Yes => return Reply::Yes,
                Reply::Unknown => reply = Reply::Unknown,
                Reply::No => {}
            }
        }
        reply
    }

    async fn may_write(&mut self, login: &str) -> Reply {
        let key = (login.to_ascii_lowercase(), String::new());
        let known = match self.known.get(&key).copied() {
            Some(known) => known,
            None if self.is_enough() => Reply::Unknown,
            None => answered(self.api.may_write(login).await),
        };
        self.known.insert(key, known);
        known
    }

    /// Counts a question, unless there were enough of them.
    fn is_enough(&mut self) -> bool {
        self.asked += 1;
        self.asked > QUESTIONS
    }
}

/// Is it anything but the account of a person? GitHub has several kinds of others.
pub fn is_bot(user: &User) -> bool {
    user.kind.as_deref() != Some("User") || user.login.ends_with("[bot]")
}

fn answered<E>(reply: Result<bool, E>) -> Reply {
    match reply {
        Ok(true) => Reply::Yes,
        Ok(false) => Reply::No,
        Err(_) => Reply::Unknown,
    }
}

fn said(words: &'static str) -> Phrase {
    vec![Piece::Words(words)]
}

fn unknown(reply: Reply, mut phrase: Phrase) -> Phrase {
    if reply == Reply::Unknown {
        phrase.push(Piece::Words(
            "; GitHub did not say who is in which team or may write, for which the App needs `members: read`, and a \
             workflow's own token has no right",
        ));
    }
    phrase
}
