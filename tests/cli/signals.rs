//! A program that is asked to end, or killed, while a tool runs: the tool ends as well, and leaves nothing.

use crate::builds::{false_kubectl, overlays, policy};
use crate::sandbox::Sandbox;
use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Much more than ending takes, and much less than the tool would run on.
const PATIENCE: Duration = Duration::from_secs(20);

/// A run whose tools hang.
struct Hanging {
    sandbox: Sandbox,
    child: Child,
    /// What the tools wrote, once none of them, nor anything that they started, is left.
    gone: Receiver<String>,
}

/// Starts a diff whose tools hang, behind these words of a shell, and waits until one does. `None`: no tool is here.
fn hanging(before: &str) -> Option<Hanging> {
    let sandbox = Sandbox::new();
    let fifo = sandbox.path("fifo");
    let commands = format!("exec 3>'{}'; echo x >&3; sleep 300 & wait", fifo.display());
    let program = false_kubectl(&sandbox, &commands)?;
    overlays(&sandbox);
    sandbox.write("r/base/policy.yaml", policy("all", true));
    sandbox.commit("r", "two");
    sandbox.mkdir("tmp");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let (begin, begun) = channel();
    let (end, gone) = channel();
    std::thread::spawn(move || {
        let mut fifo = fs::File::open(fifo).unwrap();
        let mut first = [0];
        fifo.read_exact(&mut first).unwrap();
        begin.send(()).unwrap();
        let mut text = String::new();
        fifo.read_to_string(&mut text).unwrap();
        end.send(text)
    });
    let mut command = sandbox.program();
    let real = command.get_program().to_os_string();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("{before} exec \"$@\""), "sh"]).arg(real);
    shell.args(["diff", "--git", "HEAD~1..HEAD", "--repo", "r", "--kustomize", &program]);
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    shell.current_dir(sandbox.path(".")).env("TMPDIR", sandbox.path("tmp"));
    command = shell;
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().unwrap();
    begun.recv_timeout(PATIENCE).expect("a tool begins");
    Some(Hanging { sandbox, child, gone })
}

impl Hanging {
    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// How it ends; that it says nothing, and that no tool is left.
    fn ends(&mut self) -> ExitStatus {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        };
        self.gone.recv_timeout(PATIENCE).expect("no process is left");
        let mut said = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "", "what was cut short is no result");
        status
    }

    fn directories(&self) -> Vec<String> {
        let all = fs::read_dir(self.sandbox.path("tmp")).unwrap();
        all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

#[test]
fn a_signal_ends_the_tools_and_removes_their_directories() {
    for (name, number) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
        let Some(mut run) = hanging("") else { return };
        assert!(!run.directories().is_empty(), "tools work in directories");
        run.signal(name);
        assert_eq!(run.ends().code(), Some(128 + number), "{name}");
        assert_eq!(run.directories(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn who_is_killed_leaves_no_tool_behind() {
    let Some(mut run) = hanging("") else { return };
    run.signal("KILL");
    assert_eq!(run.ends().signal(), Some(9));
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let Some(mut run) = hanging("trap '' HUP;") else { return };
    run.signal("HUP");
    std::thread::sleep(Duration::from_millis(300));
    assert!(run.child.try_wait().unwrap().is_none(), "`nohup` is asked for to outlive that");
    run.signal("TERM");
    assert_eq!(run.ends().code(), Some(143));
}
