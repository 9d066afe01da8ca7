//! `git fetch`: the one call that talks to a server. The token goes with it through its environment, and the process
//! ends within bounds, with all that it started.

use super::program::{Git, complaint, could_not_run};
use crate::source::Error;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Where commits are fetched from.
#[derive(Clone, Debug)]
pub struct Remote {
    /// `https://github.com/OWNER/NAME.git`.
    pub url: String,
    /// Sent to that server only, as the password of `x-access-token`.
    pub token: Option<SecretString>,
}

/// How much one fetch may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) time: Duration,
    /// What it may write, in bytes.
    pub(super) bytes: u64,
}

/// How often a running fetch is looked at.
const TICK: Duration = Duration::from_millis(100);

/// How long git may take to end once it has nothing more to say.
const GRACE: Duration = Duration::from_secs(5);

/// How much is kept of what git complains about, in bytes.
const COMPLAINTS: u64 = 64 << 10;

/// A fetch that is not yet made, by the options that each has. `settings` are added to its configuration.
pub(super) fn command(git: &Git, remote: &Remote, settings: &[(&str, &str)]) -> Command {
    let mut command = git.command("fetch");
    command
        .args(["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"])
        .env("GIT_ALLOW_PROTOCOL", "https:http:file")
        // Where somebody has git trace what it does, it leaves the token out.
        .env("GIT_TRACE_REDACT", "1");
    let mut all: Vec<(&str, String)> = vec![
        // The token goes to the server that was named, and to no other.
        ("http.followRedirects", "false".into()),
        ("credential.helper", String::new()),
        ("http.lowSpeedLimit", "1000".into()),
        ("http.lowSpeedTime", "60".into()),
    ];
    all.extend(settings.iter().map(|(key, value)| (*key, value.to_string())));
    // The authorities that everything else here believes.
    if let (Ok(file), None) = (std::env::var("SSL_CERT_FILE"), std::env::var_os("GIT_SSL_CAINFO")) {
        all.push(("http.sslCAInfo", file));
    }
    if let Some(token) = &remote.token {
        let pair = format!("x-access-token:{}", token.expose_secret());
        all.push(("http.extraHeader", format!("Authorization: Basic {}", STANDARD.encode(pair))));
    }
    // Through the environment: other processes' listings show arguments.
    command.env("GIT_CONFIG_COUNT", all.len().to_string());
    for (index, (key, value)) in all.iter().enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{index}"), key);
        command.env(format!("GIT_CONFIG_VALUE_{index}"), value);
    }
    command
}

/// Why a fetch came to nothing.
#[derive(Debug)]
pub(super) enum Failed {
    /// git ended by itself, and said why.
    Said(String),
    /// It was ended, and may have left anything behind.
    Ended(Error),
}

/// Runs a fetch, or another call that writes, with this as its input. `packs`: the directory that it writes into.
pub(super) fn run(
    mut command: Command,
    input: Vec<u8>,
    url: &str,
    packs: &Path,
    limits: Limits,
) -> Result<(), Failed> {
    let started = Instant::now();
    system::in_own_group(&mut command);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| Failed::Ended(could_not_run(error)))?;
    let mut group = Group(child);
    if let Some(mut pipe) = group.0.stdin.take() {
        // It ends with the input, or with the process.
        thread::spawn(move || pipe.write_all(&input));
    }
    let (done, ended) = channel();
    if let Some(mut pipe) = group.0.stderr.take() {
        thread::spawn(move || {
            let mut said = Vec::new();
            let _ = (&mut pipe).take(COMPLAINTS).read_to_end(&mut said);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
            let _ = done.send(said);
        });
    }
    let said = loop {
        match ended.recv_timeout(TICK) {
            Ok(said) => break said,
            Err(RecvTimeoutError::Disconnected) => break Vec::new(),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let url = url.to_string();
        if started.elapsed() > limits.time {
            let seconds = limits.time.as_secs();
            return Err(Failed::Ended(Error::FetchTooLong { url, seconds }));
        }
        if being_written(packs) > limits.bytes {
            let limit = limits.bytes;
            return Err(Failed::Ended(Error::FetchTooLarge { url, limit }));
        }
    };
    // It has closed its output, so it ends now.
    let status = loop {
        match group.0.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if started.elapsed() > limits.time + GRACE => {
                let (url, seconds) = (url.to_string(), limits.time.as_secs());
                return Err(Failed::Ended(Error::FetchTooLong { url, seconds }));
            }
            Ok(None) => thread::sleep(TICK / 100),
            Err(error) => break Err(error),
        }
    };
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) if status.code().is_some() => Err(Failed::Said(complaint(&said))),
        other => {
            let reason = match other {
                Ok(status) => format!("git was ended: {status}"),
                Err(error) => error.to_string(),
            };
            let url = url.to_string();
            Err(Failed::Ended(Error::Fetch { url, reason, missing: false }))
        }
    }
}

/// The bytes of packs that are not yet whole.
fn being_written(packs: &Path) -> u64 {
    let entries = fs::read_dir(packs).into_iter().flatten().flatten();
    let new = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("tmp_"));
    new.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}

/// A process and the group that it leads, ended when nobody waits for it any more.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            system::kill(&self.0);
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

#[cfg(unix)]
mod system {
    use rustix::process::{Pid, Signal, kill_process_group};
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command};

    pub(super) fn in_own_group(command: &mut Command) {
        command.process_group(0);
    }

    /// Ends every process of the group, whose leader was not waited for.
    pub(super) fn kill(child: &Child) {
        let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    }
}

#[cfg(not(unix))]
mod system {
    use std::process::{Child, Command};

    pub(super) fn in_own_group(_: &mut Command) {}

    pub(super) fn kill(_: &Child) {}
}
