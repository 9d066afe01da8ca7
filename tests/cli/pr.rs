//! `pr` without GitHub: what is said where it cannot begin.

use crate::sandbox::Sandbox;
use std::process::Command;

/// The program with nothing in its environment but these variables.
fn run(sandbox: &Sandbox, variables: &[(&str, &str)]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_netpol-review"))
        .arg("pr")
        .current_dir(sandbox.path("."))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(variables.iter().copied())
        .output()
        .expect("the program runs");
    let code = output.status.code().expect("an exit code");
    (code, String::from_utf8(output.stderr).expect("text is UTF-8"))
}

#[test]
fn what_is_missing_is_said() {
    let sandbox = Sandbox::new();
    let (code, said) = run(&sandbox, &[]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("no token"), "{said}");

    let token = ("GITHUB_TOKEN", "a-secret-of-ours");
    let (code, said) = run(&sandbox, &[token]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("--repo OWNER/NAME --number N"), "{said}");

    let (code, said) = run(&sandbox, &[token, ("INPUT_MODE", "strict")]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("`enforce`, `warn`"), "{said}");

    let missing = [token, ("GITHUB_REPOSITORY", "a/b"), ("GITHUB_EVENT_PATH", "nowhere.json")];
    let (code, said) = run(&sandbox, &missing);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("nowhere.json"), "{said}");
}

#[test]
fn a_github_that_does_not_answer_ends_with_4_or_only_warns() {
    let sandbox = Sandbox::new();
    sandbox.write("event.json", r#"{"pull_request":{"number":1}}"#);
    let variables = [
        ("GITHUB_TOKEN", "a-secret-of-ours"),
        ("GITHUB_REPOSITORY", "a/b"),
        ("GITHUB_EVENT_NAME", "pull_request"),
        ("GITHUB_EVENT_PATH", "event.json"),
        // A scheme that nothing here speaks, so that no time goes by.
        ("GITHUB_API_URL", "ftp:nowhere"),
    ];
    let (code, said) = run(&sandbox, &variables);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("GitHub's address") && !said.contains("a-secret-of-ours"), "{said}");
    let mut warn = variables.to_vec();
    warn.push(("INPUT_MODE", "warn"));
    let (code, said) = run(&sandbox, &warn);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("warning:"), "{said}");
}
