//! The routes in use, one function each, with the few fields that are needed of their answers.

use super::client::{Client, Error, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The most of one list that is read, in pages of a hundred. A pull request with more comments than that is
/// not one that people read.
const PAGES: u32 = 50;

/// A list that is as long as this may not be whole.
pub const MOST: usize = PAGES as usize * 100;

/// `OWNER/NAME`, with nothing in it that would lead to another route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryName(String);

impl RepositoryName {
    /// `None` if it is not two names of letters, digits, `.`, `_` and `-`.
    pub fn new(text: &str) -> Option<Self> {
        let (owner, name) = text.split_once('/')?;
        let good = |part: &str| {
            !part.is_empty()
                && part.chars().any(|c| c != '.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        };
        (good(owner) && good(name)).then(|| Self(text.to_string()))
    }

    /// As GitHub writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A pull request.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct Pull {
    pub number: u64,
    pub title: Option<String>,
    pub state: String,
    pub head: Branch,
    pub base: Branch,
    /// Its author; nobody where the account is gone.
    pub user: Option<User>,
    /// The commit that merging would make, where GitHub has built one; it may be of an older head.
    pub merge_commit_sha: Option<String>,
    /// None while GitHub is still finding out.
    pub mergeable: Option<bool>,
}

/// One end of a pull request.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct Branch {
    pub sha: String,
    #[serde(rename = "ref")]
    pub name: String,
}

/// Where a branch and a commit parted.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct Comparison {
    /// The tip of the branch.
    pub base_commit: Commit,
    pub merge_base_commit: Commit,
}

/// A commit.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct Commit {
    pub sha: String,
}

/// A comment on a pull request as a whole.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct IssueComment {
    pub id: u64,
    pub body: Option<String>,
    pub user: Option<User>,
    pub html_url: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// An account.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct User {
    pub login: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// A review of a pull request.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct PullReview {
    pub user: Option<User>,
    pub state: String,
    pub commit_id: Option<String>,
    pub html_url: String,
}

/// A comment on a line of a pull request.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct ReviewComment {
    pub id: u64,
    pub path: String,
    pub body: String,
    pub user: Option<User>,
    pub in_reply_to_id: Option<u64>,
}

/// A comment on a line that is to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct NewReviewComment {
    pub path: String,
    pub body: String,
    pub line: u32,
    pub side: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_side: Option<&'static str>,
}

/// A check run.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct CheckRun {
    pub id: u64,
    pub external_id: Option<String>,
    pub status: Option<String>,
    pub conclusion: Option<String>,
    pub app: Option<CheckApp>,
    pub output: Option<CheckTitle>,
}

/// What a check run says, in a line.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct CheckTitle {
    pub title: Option<String>,
    #[serde(default)]
    pub annotations_count: usize,
}

/// Whose a check run is.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct CheckApp {
    pub id: i64,
}

impl CheckRun {
    /// Has it a conclusion?
    pub fn is_concluded(&self) -> bool {
        self.status.as_deref() == Some("completed")
    }

    /// How many annotations it has.
    pub fn annotations(&self) -> usize {
        self.output.as_ref().map_or(0, |output| output.annotations_count)
    }

    /// Does it say what was found? One that was cancelled says nothing.
    pub fn counts(&self) -> bool {
        self.is_concluded() && self.conclusion.as_deref() != Some("cancelled")
    }

    /// What it is about, where it is an App's: what an App's run has before the `#` of its id.
    pub fn subject(&self, app: i64) -> Option<&str> {
        let own = self.app.as_ref().is_some_and(|own| own.id == app);
        self.external_id.as_deref().filter(|_| own)?.split_once('#').map(|(subject, _)| subject)
    }
}

/// An annotation of a check run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct Annotation {
    pub path: String,
    pub start_line: u32,
    pub end_line: u32,
    pub annotation_level: &'static str,
    pub title: String,
    pub message: String,
}

/// What a check run says.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "GitHub's own names")]
pub struct CheckOutput<'a> {
    pub title: &'a str,
    pub summary: &'a str,
    pub annotations: &'a [Annotation],
}

/// One repository, through one client.
pub struct Api<'a> {
    client: &'a Client,
    repository: &'a RepositoryName,
}

impl<'a> Api<'a> {
    /// Everything of one repository.
    pub fn new(client: &'a Client, repository: &'a RepositoryName) -> Self {
        Self { client, repository }
    }

    fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{rest}", self.repository.as_str())
    }

    /// Who the token is, if GitHub says. Apps and Actions answer as `NAME[bot]`.
    pub async fn viewer(&self) -> Result<Option<String>> {
        #[derive(Deserialize)]
        struct Answer {
            data: Option<Data>,
            #[serde(default)]
            errors: Vec<Wrong>,
        }
        #[derive(Deserialize)]
        struct Data {
            viewer: Option<User>,
        }
        #[derive(Deserialize)]
        struct Wrong {
            #[serde(rename = "type")]
            kind: Option<String>,
            #[serde(default)]
            message: String,
        }
        let what = "ask who the token is";
        let answer: Answer = self.client.query(what, "query { viewer { login } }").await?;
        let login = answer.data.and_then(|data| data.viewer).map(|viewer| viewer.login);
        // GraphQL's status is 200, whatever went wrong.
        let passing = |wrong: &&Wrong| wrong.kind.as_deref() != Some("FORBIDDEN");
        match answer.errors.iter().find(passing) {
            Some(wrong) if login.is_none() => {
                let reason: String = wrong.message.chars().take(300).collect();
                Err(super::client::Error::Unclear { what, reason })
            }
            _ => Ok(login),
        }
    }

    /// A pull request.
    pub async fn pull(&self, number: u64) -> Result<Pull> {
        self.client.get("read the pull request", &self.path(&format!("pulls/{number}"))).await
    }

    /// The open pull requests, or those to one branch.
    pub async fn open_pulls(&self, base: Option<&str>) -> Result<Vec<Pull>> {
        let base = base.map(|base| {
            percent_encoding::utf8_percent_encode(base, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        });
        let base = base.map(|base| format!("&base={base}")).unwrap_or_default();
        self.list("list the pull requests", &format!("pulls?state=open{base}")).await
    }

    /// The commit at the tip of a branch.
    pub async fn tip(&self, branch: &str) -> Result<String> {
        #[derive(Deserialize)]
        struct Answer {
            object: Object,
        }
        #[derive(Deserialize)]
        struct Object {
            sha: String,
        }
        let reference = format!("heads/{branch}");
        let reference =
            percent_encoding::utf8_percent_encode(&reference, percent_encoding::NON_ALPHANUMERIC);
        let path = self.path(&format!("git/ref/{reference}"));
        let answer: Answer = self.client.get("read the base branch", &path).await?;
        Ok(answer.object.sha)
    }

    /// Compares a branch with a commit.
    pub async fn compare(&self, branch: &str, head: &str) -> Result<Comparison> {
        let branch =
            percent_encoding::utf8_percent_encode(branch, percent_encoding::NON_ALPHANUMERIC);
        let path = self.path(&format!("compare/{branch}...{head}?per_page=1"));
        self.client.get("find the merge base", &path).await
    }

    /// All comments on a pull request as a whole, oldest first.
    pub async fn comments(&self, number: u64) -> Result<Vec<IssueComment>> {
        self.list("read the comments", &format!("issues/{number}/comments")).await
    }

    /// All reviews of a pull request, oldest first.
    pub async fn reviews(&self, number: u64) -> Result<Vec<PullReview>> {
        self.list("read the reviews", &format!("pulls/{number}/reviews")).await
    }

    /// Is somebody an active member of a team?
    pub async fn is_member(&self, organisation: &str, team: &str, login: &str) -> Result<bool> {
        #[derive(Deserialize)]
        struct Answer {
            state: String,
        }
        let [organisation, team, login] = [organisation, team, login].map(encoded);
        let path = format!("/orgs/{organisation}/teams/{team}/memberships/{login}");
        match self.client.get::<Answer>("ask who is in a team", &path).await {
            Ok(answer) => Ok(answer.state == "active"),
            Err(Error::Refused { status: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// May somebody write to the repository?
    pub async fn may_write(&self, login: &str) -> Result<bool> {
        #[derive(Deserialize)]
        struct Answer {
            permission: String,
        }
        let path = self.path(&format!("collaborators/{}/permission", encoded(login)));
        let answer: Answer = self.client.get("ask who may write", &path).await?;
        Ok(matches!(answer.permission.as_str(), "admin" | "write"))
    }

    /// Makes a comment.
    pub async fn comment(&self, number: u64, body: &str) -> Result<IssueComment> {
        let path = self.path(&format!("issues/{number}/comments"));
        self.client.post("write the comment", &path, &serde_json::json!({ "body": body })).await
    }

    /// Rewrites a comment.
    pub async fn edit_comment(&self, id: u64, body: &str) -> Result<IssueComment> {
        let path = self.path(&format!("issues/comments/{id}"));
        self.client.patch("edit the comment", &path, &serde_json::json!({ "body": body })).await
    }

    /// Removes a comment.
    pub async fn delete_comment(&self, id: u64) -> Result<()> {
        let path = self.path(&format!("issues/comments/{id}"));
        self.client.delete("delete a comment that there is twice", &path).await
    }

    /// All comments on lines of a pull request, oldest first.
    pub async fn review_comments(&self, number: u64) -> Result<Vec<ReviewComment>> {
        self.list("read the comments on lines", &format!("pulls/{number}/comments")).await
    }

    /// Makes comments on lines, all or none.
    pub async fn review(
        &self,
        number: u64,
        commit: &str,
        comments: &[NewReviewComment],
    ) -> Result<()> {
        let body = serde_json::json!({
            "commit_id": commit, "event": "COMMENT", "comments": comments
        });
        let path = self.path(&format!("pulls/{number}/reviews"));
        let _: serde_json::Value = self.client.post("comment on lines", &path, &body).await?;
        Ok(())
    }

    /// Makes a comment on a file.
    pub async fn file_comment(
        &self,
        number: u64,
        commit: &str,
        file: &str,
        body: &str,
    ) -> Result<()> {
        let body = serde_json::json!({
            "commit_id": commit, "path": file, "subject_type": "file", "body": body
        });
        let path = self.path(&format!("pulls/{number}/comments"));
        let _: serde_json::Value = self.client.post("comment on a file", &path, &body).await?;
        Ok(())
    }

    /// Removes a comment on a line.
    pub async fn delete_review_comment(&self, id: u64) -> Result<()> {
        let path = self.path(&format!("pulls/comments/{id}"));
        self.client.delete("delete a comment on a line", &path).await
    }

    /// The check runs of a name on a commit, newest first.
    pub async fn check_runs(&self, commit: &str, name: &str) -> Result<Vec<CheckRun>> {
        #[derive(Deserialize)]
        struct Answer {
            check_runs: Vec<CheckRun>,
        }
        let path = format!("commits/{commit}/check-runs?check_name={name}&filter=all&per_page=100");
        let answer: Answer = self.client.get("read the checks", &self.path(&path)).await?;
        Ok(answer.check_runs)
    }

    /// Does the newest check run of an App about something on a commit say what was found?
    pub async fn is_concluded(&self, commit: &str, app: i64, subject: &str) -> Result<bool> {
        let mut runs = self.check_runs(commit, super::check::NAME).await?;
        runs.retain(|run| run.subject(app) == Some(subject));
        Ok(runs.iter().max_by_key(|run| run.id).is_some_and(CheckRun::counts))
    }

    /// Begins a check run.
    pub async fn begin_check(
        &self,
        commit: &str,
        name: &str,
        external_id: &str,
    ) -> Result<CheckRun> {
        let body = serde_json::json!({
            "name": name, "head_sha": commit, "status": "in_progress", "external_id": external_id
        });
        self.client.post("begin the check", &self.path("check-runs"), &body).await
    }

    /// Gives a check run to another run of ours.
    pub async fn rename_check(&self, id: u64, external_id: &str) -> Result<()> {
        let path = self.path(&format!("check-runs/{id}"));
        let body = serde_json::json!({ "external_id": external_id, "status": "in_progress" });
        let _: serde_json::Value = self.client.patch("take over the check", &path, &body).await?;
        Ok(())
    }

    /// One check run.
    pub async fn check_run(&self, id: u64) -> Result<CheckRun> {
        self.client.get("read the check", &self.path(&format!("check-runs/{id}"))).await
    }

    /// Adds annotations to a check run, at most 50.
    pub async fn annotate(&self, id: u64, output: &CheckOutput<'_>) -> Result<()> {
        let path = self.path(&format!("check-runs/{id}"));
        let body = serde_json::json!({ "output": output });
        let _: serde_json::Value =
            self.client.patch_once("annotate the check", &path, &body).await?;
        Ok(())
    }

    /// Ends a check run; `details` is the address that GitHub links from it. Annotations are added to those that it has.
    pub async fn conclude_check(
        &self,
        id: u64,
        conclusion: &str,
        output: &CheckOutput<'_>,
        details: Option<&str>,
    ) -> Result<()> {
        let path = self.path(&format!("check-runs/{id}"));
        let mut body = serde_json::json!({
            "status": "completed", "conclusion": conclusion, "output": output
        });
        if let Some(details) = details {
            body["details_url"] = details.into();
        }
        let what = "conclude the check";
        let _: serde_json::Value = match output.annotations {
            [] => self.client.patch(what, &path, &body).await?,
            _ => self.client.patch_once(what, &path, &body).await?,
        };
        Ok(())
    }

    /// Sets the commit status of a context.
    pub async fn status(
        &self,
        commit: &str,
        context: &str,
        state: &str,
        description: &str,
    ) -> Result<()> {
        let path = self.path(&format!("statuses/{commit}"));
        let body = serde_json::json!({
            "state": state, "context": context, "description": description
        });
        let _: serde_json::Value = self.client.post("set the commit status", &path, &body).await?;
        Ok(())
    }

    /// All pages of a list. Pages are asked for by number: links to the next one may lead elsewhere.
    async fn list<T: serde::de::DeserializeOwned>(
        &self,
        what: &'static str,
        rest: &str,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let sign = if rest.contains('?') { '&' } else { '?' };
            let path = self.path(&format!("{rest}{sign}per_page=100&page={page}"));
            let mut items: Vec<T> = self.client.get(what, &path).await?;
            let last = items.len() < 100;
            all.append(&mut items);
            if last {
                break;
            }
        }
        Ok(all)
    }
}

/// A name as one part of a path.
fn encoded(name: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_');
    percent_encoding::utf8_percent_encode(name, KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_repositories() {
        for good in ["a/b", "octo-org/hello_world.yaml", "o/.github"] {
            assert!(RepositoryName::new(good).is_some(), "{good}");
        }
        for bad in ["", "a", "a/", "/b", "a/b/c", "a/..", "../b", "a/b?x", "a/b c", "a/b#"] {
            assert!(RepositoryName::new(bad).is_none(), "{bad}");
        }
    }
}
