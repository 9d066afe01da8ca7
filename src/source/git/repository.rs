//! A repository by commit ids: what is here, single files, and commits fetched from a server.
//!
//! The repository that was checked out is only read. What it lacks is fetched into a bare one of our own,
//! so that nothing of the checkout's configuration sees the token, and the token reaches no file.

use super::program::{Git, complaint, could_not_run};
use super::revision::is_object_id;
use crate::source::Error;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use std::path::{Path, PathBuf};

/// A repository that answers for commit ids.
pub struct Repository {
    git: Git,
    directory: PathBuf,
    /// Removed with the repository that lies in it.
    _temporary: Option<tempfile::TempDir>,
}

/// Where commits are fetched from.
#[derive(Clone, Debug)]
pub struct Remote {
    /// `https://github.com/OWNER/NAME.git`.
    pub url: String,
    /// Sent to that server only, as the password of `x-access-token`.
    pub token: Option<SecretString>,
}

impl Repository {
    /// The repository at or around a directory.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let git = Git::open(Some(directory))?;
        Ok(Self { git, directory: directory.to_path_buf(), _temporary: None })
    }

    /// Where it is, for [`super::load_pair`].
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Is this commit here, with the names of its files?
    pub fn has(&self, commit: &str) -> bool {
        is_object_id(commit)
            && self
                .git
                .ask("rev-parse", ["--verify", "--quiet", &format!("{commit}^{{tree}}")])
                .is_ok_and(|output| {
                    output.status.success()
                        && self
                            .git
                            .ask("ls-tree", ["-r", "--name-only", commit])
                            .is_ok_and(|listed| listed.status.success())
                })
    }

    /// The parents of a commit, as its object names them, whether they are here or not.
    pub fn parents(&self, commit: &str) -> Result<Vec<String>, Error> {
        let bytes = self.git.run("cat-file", ["commit", commit])?;
        let text = String::from_utf8_lossy(&bytes);
        let header = text.lines().take_while(|line| !line.is_empty());
        Ok(header.filter_map(|line| line.strip_prefix("parent ")).map(str::to_string).collect())
    }

    /// The commit that a name means; a branch also by its name on `origin`.
    pub fn commit(&self, name: &str) -> Option<String> {
        [name.to_string(), format!("origin/{name}")].iter().find_map(|name| self.verified(name))
    }

    fn verified(&self, name: &str) -> Option<String> {
        let wanted = format!("{name}^{{commit}}");
        let arguments = ["--verify", "--quiet", "--end-of-options", &wanted];
        let output = self.git.ask("rev-parse", arguments).ok()?;
        let id = String::from_utf8_lossy(&output.stdout).trim().to_string();
        (output.status.success() && is_object_id(&id)).then_some(id)
    }

    /// The bytes of a regular file of a commit; `None` where there is none.
    pub fn file(&self, commit: &str, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let listed = self.git.run("ls-tree", ["-z", "--full-tree", commit, "--", path])?;
        let listed = String::from_utf8_lossy(&listed);
        // `100644 blob ID<tab>PATH`, and nothing for a path that does not exist.
        let mut fields = listed.split(['\t', '\0']).next().unwrap_or_default().split(' ');
        match (fields.next(), fields.next(), fields.next()) {
            (Some("100644" | "100755"), Some("blob"), Some(id)) => {
                Ok(Some(self.git.run("cat-file", ["blob", id])?))
            }
            _ => Ok(None),
        }
    }

    /// Fetches commits with their files, and `depth - 1` generations before them, into a repository of
    /// our own that lasts as long as the value.
    pub fn fetch(remote: &Remote, commits: &[&str], depth: u32) -> Result<Self, Error> {
        if let Some(wrong) = commits.iter().find(|commit| !is_object_id(commit)) {
            return Err(Error::Fetch {
                url: remote.url.clone(),
                reason: format!("`{wrong}` is no commit id"),
                missing: true,
            });
        }
        let temporary = tempfile::tempdir()
            .map_err(|source| Error::Unreadable { path: std::env::temp_dir(), source })?;
        let directory = temporary.path().to_path_buf();
        let git = Git::bare(&directory)?;
        let mut command = git.command("fetch");
        command
            .args(["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"])
            .arg(format!("--depth={depth}"))
            .arg("--")
            .arg(&remote.url)
            .args(commits)
            .env("GIT_ALLOW_PROTOCOL", "https:http:file");
        let mut settings: Vec<(&str, String)> = vec![
            // The token goes to the server that was named, and to no other.
            ("http.followRedirects", "false".into()),
            ("credential.helper", String::new()),
            ("http.lowSpeedLimit", "1000".into()),
            ("http.lowSpeedTime", "60".into()),
        ];
        if let Some(token) = &remote.token {
            let pair = format!("x-access-token:{}", token.expose_secret());
            settings.push((
                "http.extraHeader",
                format!("Authorization: Basic {}", STANDARD.encode(pair)),
            ));
        }
        // Through the environment: other processes' listings show arguments.
        command.env("GIT_CONFIG_COUNT", settings.len().to_string());
        for (index, (key, value)) in settings.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{index}"), key);
            command.env(format!("GIT_CONFIG_VALUE_{index}"), value);
        }
        let output = command.output().map_err(could_not_run)?;
        if !output.status.success() {
            let reason = complaint(&output.stderr);
            let missing = reason.contains("not our ref");
            return Err(Error::Fetch { url: remote.url.clone(), reason, missing });
        }
        Ok(Self { git, directory, _temporary: Some(temporary) })
    }
}
