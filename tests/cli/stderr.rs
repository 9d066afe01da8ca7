//! Streams: readers that go away, output that can't be written, panics.

use crate::sandbox::{DENY, OPEN, Sandbox, finish};
use std::process::{Command, Stdio};

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = Sandbox::new();
    sandbox.write("a/p.yaml", DENY).write("b/p.yaml", OPEN);
    for arguments in
        [vec!["diff", "a", "b", "--format", "json"], vec!["completions", "zsh"], vec!["--help"]]
    {
        let mut child = sandbox
            .program()
            .args(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.write("a/p.yaml", DENY);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output =
        sandbox.program().args(["list", "a"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("could not write to standard output"));
}

#[test]
fn colours_only_on_demand_when_nobody_watches() {
    let sandbox = Sandbox::new();
    sandbox.write("a/p.yaml", DENY).write("b/p.yaml", OPEN);
    let escapes = |arguments: &str| sandbox.run(arguments).ends(0).stdout.contains('\u{1b}');
    assert!(!escapes("diff a b"));
    assert!(!escapes("diff a b --color never"));
    assert!(escapes("diff a b --color always"));
    assert!(!escapes("diff a b --color always --format json"));
}

#[test]
fn control_characters_in_arguments_do_not_reach_the_terminal() {
    let sandbox = Sandbox::new();
    let run = sandbox.run_words(["list", "no\u{1b}[31mred"]);
    run.ends(4);
    assert!(!run.stderr.contains('\u{1b}'), "{}", run.stderr);
}

/// Set in the process that is to panic.
const PANIC: &str = "NETPOL_REVIEW_TEST_PANICS";

/// Runs itself again, in a process that panics in another thread while the first one waits.
#[test]
fn a_panic_ends_with_1_and_asks_for_a_report() {
    if std::env::var_os(PANIC).is_some() {
        netpol_review::cli::install_panic_hook();
        let _ = std::thread::spawn(|| panic!("on purpose")).join();
        // Not reached: the hook ended the process.
        std::process::exit(0);
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "stderr::a_panic_ends_with_1_and_asks_for_a_report", "--nocapture"])
        .env(PANIC, "1");
    finish(&mut command)
        .ends(1)
        .says("internal error")
        .says("on purpose")
        .says("no result can be trusted")
        .says("/issues");
}
