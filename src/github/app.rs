//! GitHub as an App sees it: who it is, where it is installed, what did not reach it.

use super::api::RepositoryName;
use super::client::{Client, Result};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The most pages of a list that are read. An installation has fewer than so many hundreds of repositories.
const PAGES: u32 = 200;

/// The routes of an App. The client's token is a JWT, save where it says otherwise.
pub struct AppApi<'a> {
    client: &'a Client,
}

/// Who an App is.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct Identity {
    pub id: i64,
    pub slug: Option<String>,
    #[serde(default)]
    pub permissions: BTreeMap<String, String>,
    #[serde(default)]
    pub events: Vec<String>,
}

/// Where it is installed.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct Installation {
    pub id: i64,
    pub suspended_at: Option<String>,
}

/// A token of an installation.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct Minted {
    pub token: SecretString,
    pub expires_at: DateTime<Utc>,
    #[serde(default)]
    pub repositories: Vec<Installed>,
}

/// A repository of an installation.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct Installed {
    pub id: i64,
    pub full_name: String,
    #[serde(default)]
    pub archived: bool,
}

/// One attempt to deliver a webhook.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct Delivery {
    pub id: i64,
    pub guid: String,
    pub delivered_at: DateTime<Utc>,
    pub status_code: i64,
}

/// What a review may do, and no more. `members` tells who belongs to a team; where the installation does not grant
/// it, teams have nobody in them.
fn permissions(with_members: bool) -> BTreeMap<&'static str, &'static str> {
    let mut permissions = BTreeMap::from([
        ("checks", "write"),
        ("contents", "read"),
        ("metadata", "read"),
        ("pull_requests", "write"),
    ]);
    if with_members {
        permissions.insert("members", "read");
    }
    permissions
}

impl<'a> AppApi<'a> {
    /// The App whose JWT the client has.
    pub fn new(client: &'a Client) -> Self {
        Self { client }
    }

    /// Who it is.
    pub async fn identity(&self) -> Result<Identity> {
        self.client.get("ask which App this is", "/app").await
    }

    /// Where it is installed and not suspended.
    pub async fn installations(&self) -> Result<Vec<Installation>> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let path = format!("/app/installations?per_page=100&page={page}");
            let some: Vec<Installation> = self.client.get("list the installations", &path).await?;
            let last = some.len() < 100;
            all.extend(some.into_iter().filter(|one| one.suspended_at.is_none()));
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// A token of an installation for what a review does, in one repository or, without one, in all.
    pub async fn token(&self, installation: i64, repository: Option<i64>) -> Result<Minted> {
        match self.mint(installation, repository, true).await {
            Err(error) if error.is_unprocessable() => {
                self.mint(installation, repository, false).await
            }
            minted => minted,
        }
    }

    async fn mint(
        &self,
        installation: i64,
        repository: Option<i64>,
        with_members: bool,
    ) -> Result<Minted> {
        let mut body = serde_json::json!({ "permissions": permissions(with_members) });
        if let Some(repository) = repository {
            body["repository_ids"] = serde_json::json!([repository]);
        }
        let path = format!("/app/installations/{installation}/access_tokens");
        self.client.post_again("get a token of the installation", &path, &body).await
    }

    /// The repositories of an installation, whose token the client has.
    pub async fn repositories(&self) -> Result<Vec<Installed>> {
        #[derive(Deserialize)]
        struct Page {
            repositories: Vec<Installed>,
        }
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let path = format!("/installation/repositories?per_page=100&page={page}");
            let page: Page = self.client.get("list the repositories", &path).await?;
            let last = page.repositories.len() < 100;
            all.extend(
                page.repositories
                    .into_iter()
                    .filter(|one| !one.archived && RepositoryName::new(&one.full_name).is_some()),
            );
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// Deliveries since a point in time of which no attempt reached us: the newest attempt of each.
    pub async fn undelivered(&self, since: DateTime<Utc>) -> Result<Vec<Delivery>> {
        let mut newest: BTreeMap<String, Delivery> = BTreeMap::new();
        let mut arrived = BTreeSet::new();
        let mut cursor = None;
        for _ in 1..=PAGES {
            let mut path = "/app/hook/deliveries?per_page=100".to_string();
            if let Some(cursor) = &cursor {
                path.push_str(&format!("&cursor={cursor}"));
            }
            let page: (Vec<Delivery>, _) = self.client.page("list the deliveries", &path).await?;
            let (attempts, next) = page;
            let old = attempts.last().is_none_or(|attempt| attempt.delivered_at < since);
            for attempt in attempts.into_iter().filter(|one| one.delivered_at >= since) {
                if (200..300).contains(&attempt.status_code) {
                    arrived.insert(attempt.guid);
                } else {
                    // Newest first.
                    newest.entry(attempt.guid.clone()).or_insert(attempt);
                }
            }
            cursor = next;
            if old || cursor.is_none() {
                break;
            }
        }
        newest.retain(|guid, _| !arrived.contains(guid));
        Ok(newest.into_values().collect())
    }

    /// Asks for a delivery once more.
    pub async fn redeliver(&self, delivery: &Delivery) -> Result<()> {
        let path = format!("/app/hook/deliveries/{}/attempts", delivery.id);
        self.client.nudge("ask for a delivery again", &path).await
    }
}
