//! What a tool may use while it runs on files that strangers wrote.
//!
//! A cleared environment, a home of its own, no input, a bound for time, memory and output, and no network: proxies
//! and git's protocols point nowhere, and where the system allows it a network namespace has nothing but itself.
//! What it started ends with it: by its process group, and by a process namespace where there is one. It ends with us.

use super::ending::Temporary;
use super::process::{self, Outcome};
use super::stopped::{Names, Stopped, failed};
use super::tools::{Tool, on_path};
pub use crate::report::Isolation;
use crate::source::io_reason;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// How much a run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From its start to its end.
    pub time: Duration,
    /// Of each of its processes, in bytes. kubectl and helm need 100 MB for the smallest build (docs/PERFORMANCE.md).
    pub memory: u64,
    /// What it may write, in bytes.
    pub output: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(60), memory: 1 << 30, output: 64 << 20 }
    }
}

/// A place to run tools in.
#[derive(Clone, Debug)]
pub struct Sandbox {
    limits: Limits,
    isolation: Isolation,
    helpers: Helpers,
}

/// Programs between us and a tool, where they do here what they are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Helpers {
    /// `unshare`, which gives namespaces.
    unshare: Option<PathBuf>,
    /// `setpriv`, which lets a tool end when we do: also when we are killed and can end nothing ourselves.
    setpriv: Option<PathBuf>,
}

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The tool.
    pub tool: &'a Tool,
    /// Its arguments.
    pub arguments: &'a [OsString],
    /// Where it runs. In messages, paths count from here.
    pub directory: &'a Path,
    /// What other paths are called in messages: those of files by a name, those of directories by an empty one, so
    /// that what is in them is called by its path from there.
    pub names: &'a [(PathBuf, String)],
}

impl Sandbox {
    /// A place with limits, and with a network only if that is asked for. The first one finds out what the system
    /// allows, which takes a few milliseconds.
    pub fn new(limits: Limits, network: bool) -> Self {
        static HELPERS: OnceLock<Helpers> = OnceLock::new();
        let helpers = HELPERS.get_or_init(Helpers::usable).clone();
        let isolation = match (network, &helpers.unshare) {
            (true, _) => Isolation::None,
            (false, Some(_)) => Isolation::Namespace,
            (false, None) => Isolation::Proxies,
        };
        Self { limits, isolation, helpers }
    }

    /// What keeps its runs away from the network.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// The same place with other limits.
    pub fn with_limits(&self, limits: Limits) -> Self {
        Self { limits, ..self.clone() }
    }

    /// Runs a tool; what it wrote to its standard output.
    ///
    /// # Errors
    ///
    /// It could not be started, failed, or ran over a limit.
    pub fn run(&self, call: &Call) -> Result<Vec<u8>, Stopped> {
        let Call { tool, arguments, directory, names } = *call;
        self.run_program(&tool.program, tool.kind.words(), arguments, directory, names)
    }

    /// [`Sandbox::run`] of any program; `words` is what people call it.
    pub(super) fn run_program(
        &self,
        program: &Path,
        words: &str,
        arguments: &[OsString],
        directory: &Path,
        names: &[(PathBuf, String)],
    ) -> Result<Vec<u8>, Stopped> {
        let tool = words.to_string();
        let not_started = |error: io::Error| Stopped::NotStarted {
            tool: tool.clone(),
            reason: io_reason(&error),
        };
        let home = Temporary::new().map_err(not_started)?;
        let mut command = self.command(program);
        command.args(arguments).current_dir(directory).env_clear();
        for (name, value) in self.environment(home.path()) {
            command.env(name, value);
        }
        let Limits { time, memory, output } = self.limits;
        match process::run(&mut command, time, output).map_err(not_started)? {
            Outcome::Ended { status, out, .. } if status.success() => Ok(out),
            Outcome::Ended { status, err, .. } => {
                let names = all_names(names, directory, home.path());
                Err(failed(words, status, &err, memory, &names))
            }
            Outcome::TooLong => Err(Stopped::TooLong { tool, seconds: time.as_secs() }),
            Outcome::WithUs => Err(Stopped::Ended { tool }),
            Outcome::TooMuch => Err(Stopped::TooMuch { tool, mebibytes: output >> 20 }),
        }
    }

    /// The program behind a shell that limits the memory, because a limit that is set from outside would come after
    /// the program began, and behind the helpers.
    fn command(&self, program: &Path) -> Command {
        // A hard limit that is lower already can't be raised, and need not be.
        const SHELL: &str = "ulimit -c 0; ulimit -d \"$1\" 2>/dev/null || [ \"$(ulimit -d)\" != unlimited ] || exit 126; \
             shift; exec \"$@\"";
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SHELL, "sh", &(self.limits.memory >> 10).to_string()]);
        if let Some(setpriv) = &self.helpers.setpriv {
            command.arg(setpriv).args(["--pdeathsig", "KILL", "--"]);
        }
        if let Some(unshare) = &self.helpers.unshare {
            command.arg(unshare);
            command.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child"]);
            if self.isolation == Isolation::Namespace {
                command.arg("--net");
            }
            command.arg("--");
        }
        command.arg(program);
        command
    }

    /// All that a tool finds in its environment.
    fn environment(&self, home: &Path) -> Vec<(&'static str, OsString)> {
        let mut all: Vec<(&str, OsString)> = Vec::new();
        // What a tool keeps, or looks for, is in the temporary directory, and nothing is there.
        for name in ["HOME", "TMPDIR", "XDG_RUNTIME_DIR"] {
            all.push((name, home.into()));
        }
        for (name, place) in [
            ("HELM_CACHE_HOME", "helm/cache"),
            ("HELM_CONFIG_HOME", "helm/config"),
            ("HELM_DATA_HOME", "helm/data"),
            ("HELM_PLUGINS", "helm/plugins"),
            ("HELM_REGISTRY_CONFIG", "helm/registry.json"),
            ("HELM_REPOSITORY_CACHE", "helm/repository"),
            ("HELM_REPOSITORY_CONFIG", "helm/repositories.yaml"),
            ("KUBECONFIG", "kubeconfig"),
            ("KUSTOMIZE_PLUGIN_HOME", "kustomize"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_STATE_HOME", "state"),
        ] {
            all.push((name, home.join(place).into()));
        }
        let memory = (self.limits.memory / 4 * 3).to_string();
        for (name, value) in [
            // Collects garbage sooner rather than dying of it.
            ("GOMEMLIMIT", memory.as_str()),
            ("HELM_NO_PLUGINS", "1"),
            ("KUBERC", "off"),
            ("LC_ALL", "C.UTF-8"),
            ("TZ", "UTC"),
            ("GIT_ASKPASS", "/bin/false"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_SSH_COMMAND", "/bin/false"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("SSH_ASKPASS", "/bin/false"),
        ] {
            all.push((name, value.into()));
        }
        if self.isolation == Isolation::None {
            all.push(("GIT_ALLOW_PROTOCOL", "https".into()));
            let kept = ["PATH", "SSL_CERT_DIR", "SSL_CERT_FILE"]
                .iter()
                .chain(&PROXIES)
                .chain(&["NO_PROXY", "no_proxy"]);
            all.extend(kept.filter_map(|name| Some((*name, std::env::var_os(name)?))));
        } else {
            all.push(("PATH", "/usr/bin:/bin".into()));
            all.push(("GIT_ALLOW_PROTOCOL", "none".into()));
            // The port of the service that discards everything, which nobody runs.
            all.extend(PROXIES.iter().map(|name| (*name, "http://127.0.0.1:9".into())));
        }
        all
    }
}

/// The variables that name proxies.
const PROXIES: [&str; 6] =
    ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "http_proxy", "https_proxy"];

/// Names of the paths of one run: those that were given, then the directory, under both of its paths, and the home.
fn all_names(names: &[(PathBuf, String)], directory: &Path, home: &Path) -> Names {
    let mut all = names.to_vec();
    for (path, name) in [(directory, ""), (home, "$HOME")] {
        all.extend(path.canonicalize().ok().map(|real| (real, name.to_string())));
        all.push((path.to_path_buf(), name.to_string()));
    }
    // One path may lie in another.
    all.sort_by_key(|(path, _)| std::cmp::Reverse(path.as_os_str().len()));
    all
}

impl Helpers {
    /// Those that are here and may do what they are for.
    fn usable() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let find =
            |name| [OsStr::new("/usr/bin:/bin"), &path].iter().find_map(|path| on_path(name, path));
        let (unshare, setpriv) = (find("unshare"), find("setpriv"));
        [
            Self { unshare: unshare.clone(), setpriv: setpriv.clone() },
            Self { unshare, setpriv: None },
            Self { unshare: None, setpriv },
        ]
        .into_iter()
        .find(Self::work)
        .unwrap_or_default()
    }

    fn work(&self) -> bool {
        let sandbox = Sandbox {
            limits: Limits { time: Duration::from_secs(10), ..Limits::default() },
            isolation: Isolation::Namespace,
            helpers: self.clone(),
        };
        let arguments = ["-c".into(), ":".into()];
        let shell = Path::new("/bin/sh");
        sandbox.run_program(shell, "sh", &arguments, Path::new("/"), &[]).is_ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

    use super::*;
    use std::io::Read;
    use std::net::TcpListener;
    use std::time::Instant;

    const SHORT: Limits =
        Limits { time: Duration::from_secs(20), memory: 256 << 20, output: 1 << 20 };

    /// The place that this system gives, and the one without namespaces.
    fn places(limits: Limits) -> Vec<Sandbox> {
        let best = Sandbox::new(limits, false);
        let helpers = Helpers { unshare: None, ..best.helpers.clone() };
        let bare = Sandbox { helpers, isolation: Isolation::Proxies, ..best.clone() };
        if best.isolation == Isolation::Proxies {
            println!("skipped: this system allows no namespaces, so none is tested");
            return vec![bare];
        }
        vec![best, bare]
    }

    fn shell(place: &Sandbox, script: &str) -> Result<String, Stopped> {
        let directory = tempfile::tempdir().unwrap();
        shell_in(place, script, directory.path())
    }

    fn shell_in(place: &Sandbox, script: &str, directory: &Path) -> Result<String, Stopped> {
        let arguments = ["-c".into(), script.into()];
        let run = place.run_program(Path::new("/bin/sh"), "fake tool", &arguments, directory, &[]);
        run.map(|out| String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_a_tool_writes_comes_back_whole() {
        for place in places(SHORT) {
            assert_eq!(shell(&place, "echo one; echo noise >&2; echo two").unwrap(), "one\ntwo\n");
            let long = shell(&place, "head -c 1000000 /dev/zero | tr '\\0' x").unwrap();
            assert!(long.len() == 1_000_000 && long.bytes().all(|b| b == b'x'));
        }
    }

    #[test]
    fn nothing_of_the_environment_comes_in() {
        for place in places(SHORT) {
            let seen = shell(&place, "env; echo stdin: $(cat); ls -a \"$HOME\"").unwrap();
            assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some() && !seen.contains("CARGO"));
            for line in ["HTTPS_PROXY=http://127.0.0.1:9", "GIT_ALLOW_PROTOCOL=none", "stdin:"] {
                assert!(seen.lines().any(|seen| seen == line), "{line}: {seen}");
            }
            let home = seen.lines().find_map(|line| line.strip_prefix("HOME=")).unwrap();
            assert!(home.contains("netpol-review-") && !Path::new(home).exists(), "{home}");
        }
    }

    #[test]
    fn failures_are_told_with_the_paths_of_the_repository() {
        for place in places(SHORT) {
            let failed = shell(
                &place,
                "echo WARNING >&2; echo \"Error: no $PWD/base/a.yaml for $HOME\" >&2; exit 1",
            );
            let said = "no base/a.yaml for $HOME".to_string();
            assert_eq!(failed, Err(Stopped::Failed { tool: "fake tool".to_string(), said }));
            let silent = shell(&place, "exit 3").unwrap_err().to_string();
            assert_eq!(silent, "`fake tool` failed: it ended with exit code 3 and said nothing");
            // The system ends what has used up its processor time, in a namespace or not by different signals.
            let killed = shell(&place, "ulimit -t 1; while :; do :; done").unwrap_err().to_string();
            assert!(killed.starts_with("`fake tool` failed: it ended with signal "), "{killed}");
            let noise = "head -c 300000 /dev/zero | tr '\\0' x >&2; echo; ";
            let late = shell(&place, &format!("{{ {noise} }} >&2; echo 'Error: late' >&2; exit 1"));
            assert_eq!(late.unwrap_err().to_string(), "`fake tool` failed: late");
        }
    }

    #[test]
    fn what_can_not_be_started_is_told() {
        let directory = tempfile::tempdir().unwrap();
        for place in places(SHORT) {
            for program in [directory.path().join("nothing"), directory.path().to_path_buf()] {
                let run = place.run_program(&program, "fake tool", &[], directory.path(), &[]);
                assert!(matches!(run, Err(Stopped::NotStarted { .. })), "{run:?}");
            }
            let nowhere = directory.path().join("nowhere");
            let run = shell_in(&place, "echo", &nowhere).unwrap_err().to_string();
            assert_eq!(run, "`fake tool` could not be started: no such file or directory");
            let nul = place.run_program(
                Path::new("/bin/sh"),
                "fake tool",
                &["a\0".into()],
                directory.path(),
                &[],
            );
            assert!(matches!(nul, Err(Stopped::NotStarted { .. })), "{nul:?}");
        }
    }

    #[test]
    fn a_tool_that_hangs_is_ended() {
        for place in places(Limits { time: Duration::from_millis(500), ..SHORT }) {
            for script in [
                "sleep 300",
                "sleep 300 & wait",
                "exec >&- 2>&-; sleep 300",
                "trap '' TERM; sleep 300",
            ] {
                let started = Instant::now();
                let hung = shell(&place, script);
                assert!(matches!(hung, Err(Stopped::TooLong { .. })), "{script}: {hung:?}");
                assert!(started.elapsed() < Duration::from_secs(10), "{script}");
            }
        }
    }

    /// Each script starts a process that writes `x` to a pipe and keeps it open, until it is ended.
    #[test]
    fn what_a_tool_started_ends_with_it() {
        let child = "{ echo x >&3; sleep 300; }";
        let escaped = "setsid sh -c 'echo x >&3; sleep 300'";
        for place in places(Limits { time: Duration::from_secs(2), ..SHORT }) {
            for (script, result) in [
                (format!("{child} & sleep 0.2; echo done"), "done"),
                (format!("{child} & sleep 0.2; echo broken >&2; exit 1"), "failed"),
                (format!("{child} & wait"), "too long"),
                (format!("{child} & sleep 0.2; yes"), "too much"),
                (format!("{escaped} & sleep 0.2; echo done"), "done"),
            ] {
                if script.contains("setsid") && place.isolation != Isolation::Namespace {
                    // Without namespaces a process can leave the group.
                    continue;
                }
                let directory = tempfile::tempdir().unwrap();
                let fifo = directory.path().join("fifo");
                assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
                let reader = std::thread::spawn(move || {
                    let mut text = String::new();
                    std::fs::File::open(fifo).unwrap().read_to_string(&mut text).unwrap();
                    text
                });
                let run = shell_in(&place, &format!("exec 3>fifo; {script}"), directory.path());
                let ended = Instant::now();
                let seen = match &run {
                    Ok(text) => text.trim(),
                    Err(Stopped::Failed { .. }) => "failed",
                    Err(Stopped::TooLong { .. }) => "too long",
                    Err(Stopped::TooMuch { .. }) => "too much",
                    Err(_) => "something else",
                };
                assert_eq!(seen, result, "{script}: {run:?}");
                while !reader.is_finished() {
                    assert!(ended.elapsed() < Duration::from_secs(5), "{script}: somebody is left");
                    std::thread::sleep(Duration::from_millis(5));
                }
                assert_eq!(reader.join().unwrap(), "x\n", "{script}");
            }
        }
    }

    #[test]
    fn endless_output_is_cut_off() {
        for place in places(SHORT) {
            for script in ["yes", "yes >&2", "yes & yes >&2"] {
                let endless = shell(&place, script).unwrap_err().to_string();
                assert_eq!(endless, "`fake tool` wrote more than 1 MiB and was ended");
            }
        }
    }

    #[test]
    fn memory_is_limited() {
        // Doubles a text up to 256 MiB, which takes more than that.
        let hungry =
            "awk 'BEGIN {x = \"x\"; while (length(x) < 268435456) x = x x; print length(x)}'";
        for place in places(SHORT) {
            let failed = shell(&place, hungry);
            assert!(matches!(failed, Err(Stopped::Failed { .. })), "{failed:?}");
            let place = place.with_limits(Limits { memory: 4 << 30, ..SHORT });
            assert_eq!(shell(&place, hungry).unwrap(), "268435456\n");
            let go = "echo 'fatal error: runtime: out of memory' >&2; exit 2";
            let told = shell(&place, go).unwrap_err().to_string();
            assert_eq!(told, "`fake tool` used more memory than 4096 MiB and was ended");
        }
    }

    #[test]
    fn a_namespace_has_no_network() {
        if !Path::new("/bin/bash").exists() {
            println!("skipped: there is no bash, which opens connections");
            return;
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let reach = format!("/bin/bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port} && echo reached'");
        for place in places(SHORT).into_iter().chain([Sandbox::new(SHORT, true)]) {
            let reached = shell(&place, &reach).is_ok_and(|text| text == "reached\n");
            assert_eq!(reached, place.isolation != Isolation::Namespace, "{:?}", place.isolation);
        }
    }

    #[test]
    fn a_network_is_there_only_if_asked_for() {
        let place = Sandbox::new(SHORT, true);
        assert_eq!(place.isolation(), Isolation::None);
        let seen = shell(&place, "/usr/bin/env").unwrap();
        assert!(
            !seen.contains("127.0.0.1:9\n") && seen.contains("GIT_ALLOW_PROTOCOL=https\n"),
            "{seen}"
        );
        assert_ne!(Sandbox::new(SHORT, false).isolation(), Isolation::None);
    }
}
