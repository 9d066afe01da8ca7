//! What a server has to know, and what it may be told.

use super::pages::PublicUrl;
use super::signature::Secrets;
use crate::environments;
use crate::github::Addresses;
use crate::source::git::Bounds;
use secrecy::SecretString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where the App's private key is.
#[derive(Clone, Debug)]
pub enum Key {
    /// In a file, which is read again when GitHub does not know the key any more.
    File(PathBuf),
    /// Given as it is.
    Text(SecretString),
}

/// Everything that is set for a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where webhooks come in.
    pub listen: SocketAddr,
    /// Where people's browsers reach that; without it there are no report pages.
    pub public_url: Option<PublicUrl>,
    /// The App's number.
    pub app: i64,
    /// What it proves that with.
    pub key: Key,
    /// What GitHub proves itself with.
    pub secrets: Secrets,
    /// Where GitHub is.
    pub addresses: Addresses,
    /// `sqlite:PATH` or `postgres://...`.
    pub database: String,
    /// Where what was fetched of repositories is kept, for this process alone.
    pub mirrors: PathBuf,
    /// How much that may be, and how large a repository.
    pub bounds: Bounds,
    /// How many reviews are made at a time.
    pub workers: usize,
    /// How many of these for one installation.
    pub per_installation: i64,
    /// How kustomizations and charts are built.
    pub rendering: environments::Options,
    /// How often what no webhook told is looked for.
    pub reconcile: Duration,
    /// How long a review that is being made may take once the server is to end.
    pub grace: Duration,
    /// How often a process shows that it lives.
    pub beat: Duration,
    /// After how long without a sign of life a process is given up.
    pub silent: Duration,
    /// The first wait before GitHub is asked the same again: a second, save in tests.
    pub pause: Duration,
}
