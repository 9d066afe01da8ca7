//! Who sends a request, and what they may do.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What kind of account a token acts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A person's token. `GET /user` works, check runs can't be created.
    Personal,
    /// The `GITHUB_TOKEN` of a workflow run.
    Actions,
    /// The token of an installed app.
    Installation,
}

/// How far a permission goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Nothing.
    None,
    /// Reading.
    Read,
    /// Reading and writing.
    Write,
}

/// What a token or an installation may do, by GitHub's names. In JSON what is left out is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Permissions {
    /// Commits, and git over HTTP.
    pub contents: Access,
    /// Pull requests, reviews, and comments on pull requests.
    pub pull_requests: Access,
    /// Comments on issues, which those on pull requests are too.
    pub issues: Access,
    /// Check runs.
    pub checks: Access,
    /// Commit statuses.
    pub statuses: Access,
    /// The members of an organisation's teams.
    pub members: Access,
    /// The repository itself and who may do what in it.
    pub metadata: Access,
    /// Merge queues, whose events are sent to nobody else.
    pub merge_queues: Access,
}

impl TryFrom<Map<String, Value>> for Permissions {
    type Error = &'static str;

    fn try_from(named: Map<String, Value>) -> Result<Self, Self::Error> {
        Permissions::all(Access::Write).narrowed(&named).ok_or("no such permission")
    }
}

impl Permissions {
    /// The same access to everything; reading metadata is part of any.
    pub fn all(access: Access) -> Self {
        Permissions {
            contents: access,
            pull_requests: access,
            issues: access,
            checks: access,
            statuses: access,
            members: access,
            metadata: Access::Read,
            merge_queues: access,
        }
    }

    /// Each permission by GitHub's name.
    fn named(&mut self) -> [(&'static str, &mut Access); 8] {
        [
            ("checks", &mut self.checks),
            ("contents", &mut self.contents),
            ("issues", &mut self.issues),
            ("members", &mut self.members),
            ("merge_queues", &mut self.merge_queues),
            ("metadata", &mut self.metadata),
            ("pull_requests", &mut self.pull_requests),
            ("statuses", &mut self.statuses),
        ]
    }

    /// As GitHub writes them: those that are not none.
    pub fn json(mut self) -> Value {
        let given = self.named().into_iter().filter(|(_, access)| **access > Access::None);
        let given = given.map(|(name, access)| (name.to_string(), json!(access)));
        Value::Object(given.collect::<Map<_, _>>())
    }

    /// The part of these that is wished for, reading metadata besides. None where a wish goes further.
    pub fn narrowed(mut self, wishes: &Map<String, Value>) -> Option<Self> {
        let mut narrow = Permissions::all(Access::None);
        for (name, wish) in wishes {
            let wish: Access = serde_json::from_value(wish.clone()).ok()?;
            let had = self.named().into_iter().find(|(known, _)| known == name);
            if had.is_none_or(|(_, access)| *access < wish) {
                return None;
            }
            for (known, access) in narrow.named() {
                if known == name {
                    *access = wish;
                }
            }
        }
        narrow.metadata = self.metadata;
        Some(narrow)
    }

    /// What both give.
    pub fn common(mut self, mut other: Self) -> Self {
        for ((_, access), (_, limit)) in self.named().into_iter().zip(other.named()) {
            *access = (*access).min(*limit);
        }
        self
    }
}

/// An account's key.
#[derive(Clone, Debug, Serialize)]
pub struct Token {
    /// Who writes with it.
    pub login: String,
    /// What it is.
    pub kind: Kind,
    /// What it may do.
    pub permissions: Permissions,
    /// The installation that it was made for.
    pub installation: Option<u64>,
    /// The only repositories that it shows, as `OWNER/NAME`; all where none.
    pub repositories: Option<Vec<String>>,
    /// When it ends, in seconds since 1970 by the server's clock; never where none.
    pub expires_at: Option<i64>,
}

impl Token {
    fn new(login: String, kind: Kind, permissions: Permissions) -> Self {
        Token { login, kind, permissions, installation: None, repositories: None, expires_at: None }
    }

    /// The token of a workflow run that may do what the README asks for: read contents, write the rest.
    pub fn actions() -> Self {
        let permissions = Permissions {
            contents: Access::Read,
            members: Access::None,
            ..Permissions::all(Access::Write)
        };
        Token::new("github-actions[bot]".into(), Kind::Actions, permissions)
    }

    /// The token of a workflow run for a fork's pull request.
    pub fn fork() -> Self {
        Token { permissions: Permissions::all(Access::Read), ..Token::actions() }
    }

    /// A person's token that may do everything.
    pub fn personal(login: &str) -> Self {
        Token::new(login.into(), Kind::Personal, Permissions::all(Access::Write))
    }

    /// The token of an installation of the app `name`, which may do everything everywhere and never
    /// ends. Those of [`super::App`]s are made through the route instead.
    pub fn installation(name: &str) -> Self {
        Token::new(format!("{name}[bot]"), Kind::Installation, Permissions::all(Access::Write))
    }

    /// Whether it shows a repository.
    pub fn sees(&self, repository: &str) -> bool {
        self.repositories.as_ref().is_none_or(|shown| shown.iter().any(|name| name == repository))
    }
}

/// What the header `Authorization` of a request says.
#[derive(Clone, Debug)]
pub enum Bearer {
    /// Nothing, or a secret that nobody knows.
    Unknown,
    /// A token.
    Token(Token),
    /// An App by its id, through a JSON Web Token.
    App(u64),
    /// Something that is refused on every route, with this status and message.
    Refused(u16, &'static str),
}

impl Bearer {
    /// The login of a token.
    pub fn login(&self) -> Option<&str> {
        self.token().map(|token| token.login.as_str())
    }

    /// The token, if it is one.
    pub fn token(&self) -> Option<&Token> {
        match self {
            Bearer::Token(token) => Some(token),
            _ => None,
        }
    }
}
