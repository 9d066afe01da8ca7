//! Apps: their keys, their JSON Web Tokens, and what each is refused for.

use super::rights::{Bearer, Token};
use super::state::State;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What GitHub lets a JSON Web Token live, in seconds.
const LONGEST_LIFE: i64 = 600;

/// An App as its owner registered it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct App {
    /// Its id, which its JSON Web Tokens name as `iss`.
    pub id: u64,
    /// Its name in links; it writes as `SLUG[bot]`.
    pub slug: String,
    /// The public halves of its keys as PEM; several while a key is rotated.
    #[serde(skip_serializing)]
    pub public_keys: Vec<String>,
    /// What its events are signed with; not at all where it is empty.
    #[serde(skip_serializing)]
    pub webhook_secret: String,
    /// Where its events go: `http://`, an address and a path.
    pub webhook_url: String,
}

/// A key pair of an App.
#[derive(Clone, Debug)]
pub struct AppKey {
    /// PKCS#1, the form in which GitHub hands it out.
    pub private_pem: String,
    /// What [`App::public_keys`] takes.
    pub public_pem: String,
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

impl AppKey {
    /// A new pair, of 2048 bits as GitHub makes them.
    pub fn generate() -> Self {
        /// What PKCS#8 puts around a PKCS#1 key of this size.
        const WRAPPING: usize = 26;
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key pair");
        let private: Pkcs8V1Der<'_> = pair.as_der().expect("the private key can be written");
        let public: PublicKeyX509Der<'_> =
            pair.public_key().as_der().expect("the public key can be written");
        AppKey {
            private_pem: pem("RSA PRIVATE KEY", &private.as_ref()[WRAPPING..]),
            public_pem: pem("PUBLIC KEY", public.as_ref()),
        }
    }
}

const UNREADABLE: &str = "A JSON web token could not be decoded";
const WRONG_ISSUER: &str = "'Issuer' claim ('iss') must be an Integer";
const WRONG_ISSUED: &str = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";
const WRONG_END: &str = "'Expiration time' claim ('exp') must be a numeric value representing the \
                         future time at which the assertion expires";
const LATE_END: &str = "'Expiration time' claim ('exp') is too far in the future";
const UNKNOWN_APP: &str = "Integration not found";
const NO_KEY: &str = "Integration must generate a public key";

/// The header and the claims of a JSON Web Token, not yet believed.
fn read(jwt: &str) -> Option<(Value, Value)> {
    let mut parts = jwt.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<Value>(&bytes).ok()
    });
    Some((parts.next()??, parts.next()??))
}

fn signed_by(jwt: &str, key: &str) -> bool {
    let Some((message, signature)) = jwt.rsplit_once('.') else { return false };
    let key = DecodingKey::from_rsa_pem(key.as_bytes()).expect("a public key of an App is PEM");
    crypto::verify(signature, message.as_bytes(), &key, Algorithm::RS256).unwrap_or(false)
}

impl State {
    /// An App that has to be there.
    pub fn app(&self, id: u64) -> &App {
        self.apps.iter().find(|app| app.id == id).unwrap_or_else(|| panic!("no App `{id}`"))
    }

    /// Reads a JSON Web Token by the server's clock.
    fn app_of(&self, jwt: &str) -> Result<u64, &'static str> {
        let (header, claims) = read(jwt).ok_or(UNREADABLE)?;
        // The id is written as a number, as a number's text, or as the client id.
        let issuer = match &claims["iss"] {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.clone(),
            _ => return Err(WRONG_ISSUER),
        };
        if header["alg"] != "RS256" {
            return Err(UNREADABLE);
        }
        let known = |app: &&App| issuer == app.id.to_string() || issuer == app.client_id();
        let app = self.apps.iter().find(known).ok_or(UNKNOWN_APP)?;
        if app.public_keys.is_empty() {
            return Err(NO_KEY);
        }
        if !app.public_keys.iter().any(|key| signed_by(jwt, key)) {
            return Err(UNREADABLE);
        }
        let now = self.clock().timestamp();
        let issued = claims["iat"].as_i64().ok_or(WRONG_ISSUED)?;
        let end = claims["exp"].as_i64().ok_or(WRONG_END)?;
        match () {
            () if issued > now => Err(WRONG_ISSUED),
            () if end <= now => Err(WRONG_END),
            () if end > now + LONGEST_LIFE => Err(LATE_END),
            () => Ok(app.id),
        }
    }

    /// Who comes with this secret.
    pub fn bearer(&self, secret: Option<&str>) -> Bearer {
        let Some(secret) = secret else { return Bearer::Unknown };
        if let Some(token) = self.tokens.get(secret) {
            return self.present(token.clone());
        }
        if secret.split('.').count() == 3 {
            return match self.app_of(secret) {
                Ok(id) => Bearer::App(id),
                Err(message) => Bearer::Refused(401, message),
            };
        }
        Bearer::Unknown
    }

    /// What a token is worth by now: it may have ended, and its installation may have changed.
    fn present(&self, mut token: Token) -> Bearer {
        let now = self.clock().timestamp();
        if token.expires_at.is_some_and(|end| end <= now) {
            return Bearer::Unknown;
        }
        if let Some(id) = token.installation {
            let Some(installation) = self.installations.get(&id) else { return Bearer::Unknown };
            if installation.suspended_at.is_some() {
                return Bearer::Refused(403, super::installations::SUSPENDED);
            }
            token.permissions = token.permissions.common(installation.permissions);
            let narrowed = token.repositories.take();
            let mut shown = installation.repositories.clone();
            shown.retain(|name| narrowed.as_ref().is_none_or(|only| only.contains(name)));
            token.repositories = Some(shown);
        }
        Bearer::Token(token)
    }
}

impl App {
    /// The other name that `iss` may have.
    pub fn client_id(&self) -> String {
        format!("Iv1.{:016x}", self.id)
    }
}
