//! Who we are to GitHub: the App by its key, an installation by a token that lasts an hour.
//!
//! The clock that counts is GitHub's: how far ours is off is learned from its answers, so that a JWT is neither of the
//! future nor too long. How long a token is good for is measured with the monotonic clock.

use super::options::{Key, Options};
use crate::github::{Addresses, AppApi, Client, Error as GitHubError};
use chrono::Utc;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// GitHub takes ten minutes at most; clocks may differ a little.
const LIFE: i64 = 9 * 60;

/// How far the beginning of a JWT lies in the past.
const BACK: i64 = 60;

/// How long one JWT is used.
const USED: Duration = Duration::from_secs(7 * 60);

/// How long before its end a token is not used for anything new: a review takes less.
const BEFORE_END: Duration = Duration::from_secs(10 * 60);

/// We could not show who we are.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key.
    #[error("could not use the App's private key{}: {reason}\n  try: the PEM file that GitHub gave for the App", place(.file.as_deref()))]
    Key {
        /// Its file, if it is in one.
        file: Option<String>,
        /// What is wrong.
        reason: String,
    },
    /// GitHub.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
}

impl Error {
    /// Does GitHub want us to wait?
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::GitHub(GitHubError::Refused { wait: Some(_), .. }))
    }
}

fn place(file: Option<&str>) -> String {
    file.map(|file| format!(" at `{file}`")).unwrap_or_default()
}

type Result<T> = std::result::Result<T, Error>;

/// A token of an installation.
#[derive(Clone)]
pub struct Token {
    /// The token.
    pub secret: SecretString,
    /// The name of the one repository that it is good for, `OWNER/NAME`, when it was made.
    pub name: Option<String>,
    /// Until when it is used.
    until: Instant,
}

/// A token's place: one at a time asks for it.
type Slot = Arc<tokio::sync::Mutex<Option<Token>>>;

/// The App.
pub struct Identity {
    app: i64,
    key: Key,
    addresses: Addresses,
    pause: Duration,
    /// By how many seconds GitHub's clock is ahead of ours.
    ahead: AtomicI64,
    /// The client of the present JWT, and until when that is used.
    client: tokio::sync::Mutex<Option<(Arc<Client>, Instant)>>,
    /// By installation and repository; 0 is all its repositories.
    tokens: Mutex<HashMap<(i64, i64), Slot>>,
    minted: AtomicUsize,
}

#[derive(Serialize)]
struct Claims {
    iat: i64,
    exp: i64,
    iss: String,
}

impl Identity {
    /// Of these options. The key is read when it is used.
    pub fn new(options: &Options) -> Self {
        Self {
            app: options.app,
            key: options.key.clone(),
            addresses: options.addresses.clone(),
            pause: options.pause,
            ahead: AtomicI64::new(0),
            client: tokio::sync::Mutex::default(),
            tokens: Mutex::default(),
            minted: AtomicUsize::new(0),
        }
    }

    /// The App's number.
    pub fn app(&self) -> i64 {
        self.app
    }

    /// How many tokens were asked for.
    pub fn minted(&self) -> usize {
        self.minted.load(Ordering::Relaxed)
    }

    /// Asks GitHub something as the App. Where it does not know us, our clock or our key may be old: once more with
    /// what its answer says of the time, and the key as its file has it now.
    pub async fn as_app<T>(
        &self,
        ask: impl AsyncFn(AppApi<'_>) -> std::result::Result<T, GitHubError>,
    ) -> Result<T> {
        let client = self.client(false).await?;
        let answer = ask(AppApi::new(&client)).await;
        self.ahead.store(client.ahead(), Ordering::Relaxed);
        match answer {
            Err(error) if error.is_unauthorized() => {
                let client = self.client(true).await?;
                Ok(ask(AppApi::new(&client)).await?)
            }
            answer => Ok(answer?),
        }
    }

    async fn client(&self, anew: bool) -> Result<Arc<Client>> {
        let mut slot = self.client.lock().await;
        if let Some((client, until)) = slot.as_ref()
            && !anew
            && Instant::now() < *until
        {
            return Ok(client.clone());
        }
        let token = self.jwt(Utc::now().timestamp() + self.ahead.load(Ordering::Relaxed))?;
        let client = Arc::new(Client::new(&self.addresses, &token, self.pause)?);
        *slot = Some((client.clone(), Instant::now() + USED));
        Ok(client)
    }

    /// A JWT, at a time of GitHub's clock in seconds since 1970.
    fn jwt(&self, now: i64) -> Result<SecretString> {
        let (file, pem) = match &self.key {
            Key::Text(pem) => (None, pem.clone()),
            Key::File(path) => {
                let file = Some(path.display().to_string());
                match std::fs::read_to_string(path) {
                    Ok(pem) => (file, SecretString::from(pem)),
                    Err(error) => return Err(Error::Key { file, reason: error.to_string() }),
                }
            }
        };
        let wrong = |error: jsonwebtoken::errors::Error| Error::Key {
            file: file.clone(),
            reason: error.to_string(),
        };
        let key = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes()).map_err(wrong)?;
        let claims = Claims { iat: now - BACK, exp: now + LIFE, iss: self.app.to_string() };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key);
        token.map(SecretString::from).map_err(wrong)
    }

    /// A token of an installation for one repository (0: for all), asked for once by however many need it.
    pub async fn token(&self, installation: i64, repository: i64) -> Result<Token> {
        let slot = {
            let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            // What nobody holds and nobody will use takes room for nothing.
            tokens.retain(|_, slot| Arc::strong_count(slot) > 1 || in_use(slot));
            tokens.entry((installation, repository)).or_default().clone()
        };
        let mut slot = slot.lock().await;
        if let Some(token) = slot.as_ref()
            && Instant::now() < token.until
        {
            return Ok(token.clone());
        }
        let narrowed = (repository != 0).then_some(repository);
        self.minted.fetch_add(1, Ordering::Relaxed);
        let minted = self.as_app(async |app| app.token(installation, narrowed).await).await?;
        let now = Utc::now().timestamp() + self.ahead.load(Ordering::Relaxed);
        let life = minted.expires_at.timestamp().saturating_sub(now).clamp(0, 3600);
        let life = Duration::from_secs(life.unsigned_abs()).saturating_sub(BEFORE_END);
        let name = minted.repositories.into_iter().find(|one| one.id == repository);
        let name = name.map(|one| one.full_name);
        let token = Token { secret: minted.token, name, until: Instant::now() + life };
        *slot = Some(token.clone());
        Ok(token)
    }

    /// Forgets the tokens of an installation: GitHub does not take them any more.
    pub fn forget(&self, installation: i64) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|(of, _), _| *of != installation);
    }
}

fn in_use(slot: &Slot) -> bool {
    slot.try_lock()
        .is_ok_and(|slot| slot.as_ref().is_some_and(|token| Instant::now() < token.until))
}
