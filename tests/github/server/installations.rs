//! Installations of Apps and the tokens that are made for them.

use super::TestGitHub;
use super::app::App;
use super::rights::{Kind, Permissions, Token};
use super::state::{State, written};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why an installation's tokens don't work and none are made.
pub const SUSPENDED: &str = "This installation has been suspended";

/// How long a token lives.
const LIFE: TimeDelta = TimeDelta::hours(1);

/// An App in an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installation {
    /// Its id.
    pub id: u64,
    /// The App's id.
    #[serde(default)]
    pub app: u64,
    /// The login of the account, an organisation.
    pub account: String,
    /// The repositories that it was given, as `OWNER/NAME`.
    pub repositories: Vec<String>,
    /// What it was given.
    pub permissions: Permissions,
    /// When it was suspended, if it is.
    #[serde(default)]
    pub suspended_at: Option<String>,
    /// When it was installed.
    #[serde(default)]
    pub created_at: String,
}

/// A token that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Mint {
    /// The installation.
    pub installation: u64,
    /// The repositories that it was narrowed to, as `OWNER/NAME`; none where it was not.
    pub repositories: Option<Vec<String>>,
    /// What it may do.
    pub permissions: Permissions,
    /// When it was made, by the server's clock.
    pub created_at: String,
    /// When it ends.
    pub expires_at: String,
    /// The token itself.
    #[serde(skip)]
    pub secret: String,
}

/// So many random bytes, as hexadecimal digits.
pub fn random(bytes: usize) -> String {
    let mut drawn = vec![0; bytes];
    aws_lc_rs::rand::fill(&mut drawn).expect("random bytes");
    drawn.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Registers an App and its installations from JSON.
pub fn registered(state: &mut State, json: &[u8]) -> Result<(), String> {
    let mut value: Value = serde_json::from_slice(json).map_err(|e| e.to_string())?;
    let fields = value.as_object_mut().ok_or("an App is an object")?;
    let installations = fields.remove("installations").unwrap_or_else(|| Value::Array(Vec::new()));
    let app: App = serde_json::from_value(value).map_err(|e| e.to_string())?;
    let installations: Vec<Installation> =
        serde_json::from_value(installations).map_err(|e| e.to_string())?;
    for mut installation in installations {
        (installation.app, installation.created_at) = (app.id, state.now());
        state.installations.insert(installation.id, installation);
    }
    state.apps.push(app);
    Ok(())
}

impl State {
    /// An installation that has to be there.
    pub fn installation(&mut self, id: u64) -> &mut Installation {
        self.installations.get_mut(&id).unwrap_or_else(|| panic!("no installation `{id}`"))
    }

    /// Makes a token; the wishes were found to be allowed.
    pub fn mint(
        &mut self,
        installation: &Installation,
        repositories: Option<Vec<String>>,
        permissions: Permissions,
    ) -> Mint {
        let now = self.clock();
        let mint = Mint {
            installation: installation.id,
            repositories,
            permissions,
            created_at: written(now),
            expires_at: written(now + LIFE),
            secret: format!("ghs_{}", random(18)),
        };
        let token = Token {
            login: format!("{}[bot]", self.app(installation.app).slug),
            kind: Kind::Installation,
            permissions,
            installation: Some(installation.id),
            repositories: mint.repositories.clone(),
            expires_at: Some((now + LIFE).timestamp()),
        };
        self.tokens.insert(mint.secret.clone(), token);
        self.mints.push(mint.clone());
        mint
    }

    /// The id of the app that a token writes for.
    pub fn app_id(&self, token: &Token) -> u64 {
        let installation = token.installation.and_then(|id| self.installations.get(&id));
        let slug = token.login.trim_end_matches("[bot]");
        installation.map_or_else(|| super::answers::id_of(slug), |installation| installation.app)
    }

    /// The installation that shows a repository.
    pub fn installation_of(&self, repository: &str) -> Option<&Installation> {
        let shows = |known: &&Installation| known.repositories.iter().any(|r| r == repository);
        self.installations.values().find(shows)
    }
}

impl TestGitHub {
    /// Registers an App.
    pub fn add_app(&self, app: App) {
        self.state().apps.push(app);
    }

    /// Changes an App: its keys, its secret, where its events go.
    pub fn edit_app(&self, id: u64, edit: impl FnOnce(&mut App)) {
        let mut state = self.state();
        let app = state.apps.iter_mut().find(|app| app.id == id);
        edit(app.unwrap_or_else(|| panic!("no App `{id}`")));
    }

    /// Installs the App that was registered last. `repositories` are `OWNER/NAME`; those that the
    /// server does not have are not shown.
    pub fn add_installation(
        &self,
        id: u64,
        account: &str,
        repositories: &[&str],
        permissions: Permissions,
    ) {
        let mut state = self.state();
        let installation = Installation {
            id,
            app: state.apps.last().expect("an App is registered first").id,
            account: account.into(),
            repositories: repositories.iter().map(|name| (*name).to_string()).collect(),
            permissions,
            suspended_at: None,
            created_at: state.now(),
        };
        state.installations.insert(id, installation);
    }

    /// Suspends an installation: its tokens are refused and no new ones are made.
    pub fn suspend_installation(&self, id: u64) {
        let mut state = self.state();
        let now = state.now();
        state.installation(id).suspended_at = Some(now);
    }

    /// Takes that back.
    pub fn unsuspend_installation(&self, id: u64) {
        self.state().installation(id).suspended_at = None;
    }

    /// Removes an installation; its tokens are worth nothing any more.
    pub fn delete_installation(&self, id: u64) {
        self.state().installations.remove(&id).unwrap_or_else(|| panic!("no installation `{id}`"));
    }

    /// Gives an installation one more repository.
    pub fn add_to_installation(&self, id: u64, repository: &str) {
        self.state().installation(id).repositories.push(repository.into());
    }

    /// Takes a repository from an installation; tokens that are already made lose it too.
    pub fn remove_from_installation(&self, id: u64, repository: &str) {
        self.state().installation(id).repositories.retain(|name| name != repository);
    }

    /// Changes what an installation may do; so does what its tokens may do.
    pub fn set_permissions(&self, id: u64, permissions: Permissions) {
        self.state().installation(id).permissions = permissions;
    }

    /// All tokens that were made for installations, oldest first.
    pub fn mints(&self) -> Vec<Mint> {
        self.state().mints.clone()
    }

    /// Moves the server's clock so many seconds further, or back. It begins as this machine's, and is
    /// what tokens, JSON Web Tokens, deliveries and the header `Date` go by.
    pub fn shift_clock(&self, seconds: i64) {
        self.state().clock_shift += seconds;
    }

    /// Lets comments, check runs and all else that is written have times by the server's clock too;
    /// else they count events from the beginning of 2026 on.
    pub fn use_real_times(&self) {
        self.state().real_times = true;
    }

    /// Gives somebody a role in a repository: `admin`, `maintain`, `write`, `triage` or `read`.
    pub fn set_role(&self, repository: &str, login: &str, role: &str) {
        self.state().repository(repository).roles.insert(login.into(), role.into());
    }

    /// Puts somebody into a team, `ORGANISATION/SLUG`.
    pub fn add_to_team(&self, team: &str, login: &str) {
        self.state().teams.entry(team.into()).or_default().insert(login.into(), false);
    }

    /// Takes somebody out of a team again.
    pub fn remove_from_team(&self, team: &str, login: &str) {
        self.state().teams.entry(team.into()).or_default().remove(login);
    }
}
