//! A temporary directory, the program, and git without the configuration of whoever runs the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A policy that lets nothing in.
pub const DENY: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress]}
";

/// The same policy, open to everybody.
pub const OPEN: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{}]}
";

/// Longer than any run here takes, even on a busy machine: what is not done then hangs.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Sandbox {
    directory: TempDir,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// Writes a file, and the directories on the way.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub fn mkdir(&self, path: &str) -> &Self {
        fs::create_dir_all(self.path(path)).unwrap();
        self
    }

    /// Runs the program in the sandbox. Words are separated by blanks.
    pub fn run(&self, arguments: &str) -> Run {
        self.run_words(arguments.split_whitespace())
    }

    pub fn run_words<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        finish(self.program().args(arguments))
    }

    /// The program, not yet started.
    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-review"));
        isolate(&mut command, self.directory.path());
        command
    }

    /// Runs git in a directory of the sandbox, which has to work; what it printed.
    pub fn git(&self, directory: &str, arguments: &str) -> String {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        self.git_words(directory, &words)
    }

    pub fn git_words(&self, directory: &str, arguments: &[&str]) -> String {
        let output = self.try_git(directory, arguments);
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_string()
    }

    /// Runs git, which may fail.
    pub fn try_git(&self, directory: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new("git");
        isolate(&mut command, &self.path(directory));
        command.args(arguments).output().expect("git runs")
    }

    /// Makes a repository with a branch `main`.
    pub fn init(&self, directory: &str) -> &Self {
        self.mkdir(directory);
        self.git(directory, "init -q -b main");
        self
    }

    /// Commits everything as it is; the commit's id.
    pub fn commit(&self, directory: &str, message: &str) -> String {
        self.git(directory, "add -A");
        self.git_words(directory, &["commit", "-q", "--allow-empty", "-m", message]);
        self.git(directory, "rev-parse HEAD")
    }
}

fn isolate(command: &mut Command, directory: &Path) {
    let kept: Vec<_> = std::env::vars_os()
        .filter(|(name, _)| name.to_str().is_some_and(|name| !name.starts_with("GIT_")))
        .collect();
    command
        .env_clear()
        .envs(kept)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_AUTHOR_NAME", "Ada")
        .env("GIT_AUTHOR_EMAIL", "ada@example.com")
        .env("GIT_COMMITTER_NAME", "Ada")
        .env("GIT_COMMITTER_EMAIL", "ada@example.com")
        // A repository around the temporary directory is none of ours.
        .env("GIT_CEILING_DIRECTORIES", std::env::temp_dir())
        .current_dir(directory)
        .stdin(Stdio::null());
}

/// Runs a command to its end; fails the test if it hangs.
pub fn finish(command: &mut Command) -> Run {
    let child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let started = Instant::now();
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || send.send(child.wait_with_output()));
    let output: Output = receive
        .recv_timeout(PATIENCE)
        .unwrap_or_else(|_| panic!("{command:?} hangs since {:?}", started.elapsed()))
        .unwrap();
    Run {
        code: output.status.code().expect("the program ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

impl Run {
    /// Checks the exit code.
    #[track_caller]
    pub fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Checks that a part of standard error is there.
    #[track_caller]
    pub fn says(&self, part: &str) -> &Self {
        assert!(self.stderr.contains(part), "`{part}` is not said: {self:#?}");
        self
    }

    /// Checks that nothing was printed as a result.
    #[track_caller]
    pub fn prints_nothing(&self) -> &Self {
        assert_eq!(self.stdout, "", "{self:#?}");
        self
    }

    /// The result, as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// `SIDE FILE (HIDES): REASON` for each entry that was not evaluated, a line each.
    #[track_caller]
    pub fn not_evaluated(&self) -> String {
        let report = self.json();
        let entries = report["notEvaluated"].as_array().expect("notEvaluated is an array");
        entries
            .iter()
            .map(|entry| {
                let part = |name: &str| entry[name].as_str().unwrap_or_default().to_string();
                let reason = part("reason");
                let reason = reason.trim_start_matches("the file was not read: ");
                format!("{} {} ({}): {reason}\n", part("side"), part("file"), part("hides"))
            })
            .collect()
    }
}
