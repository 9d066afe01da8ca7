//! A repository with a pull request, the test GitHub that shows them, and a client.

use crate::client::{self, Answer};
use crate::server::{Pull, TestGitHub, Token};
use serde_json::Value;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// The repository's name.
pub const SHOP: &str = "octo/shop";

/// The secret of a workflow run's token.
pub const TOKEN: &str = "token-of-the-run";

/// The parts, alive as long as this is.
pub struct Shop {
    pub github: TestGitHub,
    pub pull: Pull,
    pub directory: TempDir,
}

/// Runs git in a directory and gives what it prints.
pub fn git(directory: &std::path::Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_AUTHOR_NAME", "Somebody")
        .env("GIT_AUTHOR_EMAIL", "somebody@example.com")
        .env("GIT_COMMITTER_NAME", "Somebody")
        .env("GIT_COMMITTER_EMAIL", "somebody@example.com")
        .output()
        .map_err(|e| e.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_string();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Lines `1` to `last`, some of them changed.
pub fn lines(last: u32, changed: &[u32]) -> String {
    let line = |n: u32| format!("{n}{}\n", if changed.contains(&n) { " changed" } else { "" });
    (1..=last).map(line).collect()
}

impl Shop {
    /// `main` has `a.txt` of 40 lines, `gone.txt` and `same.txt`. The branch `feature` of pull request 1
    /// changes lines 10 and 30 of `a.txt` and deletes `gone.txt`; meanwhile `main` got one commit more.
    pub fn open() -> Self {
        let directory = TempDir::new().unwrap();
        let work = directory.path().join("work");
        fs::create_dir(&work).unwrap();
        let run = |arguments: &[&str]| git(&work, arguments).unwrap();
        run(&["init", "-q", "-b", "main"]);
        fs::write(work.join("a.txt"), lines(40, &[])).unwrap();
        fs::write(work.join("gone.txt"), "gone\n").unwrap();
        fs::write(work.join("same.txt"), "same\n").unwrap();
        run(&["add", "-A"]);
        run(&["commit", "-q", "-m", "begin"]);
        run(&["checkout", "-q", "-b", "feature"]);
        fs::write(work.join("a.txt"), lines(40, &[10, 30])).unwrap();
        run(&["rm", "-q", "gone.txt"]);
        run(&["commit", "-q", "-a", "-m", "change"]);
        run(&["checkout", "-q", "main"]);
        fs::write(work.join("same.txt"), "same, later\n").unwrap();
        run(&["commit", "-q", "-a", "-m", "meanwhile"]);
        run(&["clone", "-q", "--bare", ".", "../shop.git"]);
        let github = TestGitHub::start();
        github.add_token(TOKEN, Token::actions());
        github.add_repository(SHOP, &directory.path().join("shop.git"));
        let pull = github.open_pull(SHOP, Pull::default());
        Shop { github, pull, directory }
    }

    pub fn work(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    /// Commits a file on `feature` and pushes it.
    pub fn push(&self, file: &str, content: &str) -> Pull {
        let work = self.work();
        git(&work, &["checkout", "-q", "feature"]).unwrap();
        fs::write(work.join(file), content).unwrap();
        git(&work, &["add", "-A"]).unwrap();
        git(&work, &["commit", "-q", "-m", "again"]).unwrap();
        git(&work, &["push", "-q", "../shop.git", "feature"]).unwrap();
        self.github.refresh_pull(SHOP, 1)
    }

    /// A request below the repository, as the run.
    pub fn try_send(&self, method: &str, path: &str, body: Option<Value>) -> io::Result<Answer> {
        let path = format!("/repos/{SHOP}{path}");
        client::send(self.github.url(), TOKEN, method, &path, body.as_ref())
    }

    pub fn get(&self, path: &str) -> Answer {
        self.try_send("GET", path, None).unwrap()
    }

    pub fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        self.try_send(method, path, Some(body)).unwrap()
    }
}
