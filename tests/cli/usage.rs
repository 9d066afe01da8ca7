//! Arguments: help, mistakes, completions.

use crate::sandbox::{DENY, OPEN, Sandbox};

#[test]
fn help_and_version_are_results() {
    let sandbox = Sandbox::new();
    let help = sandbox.run("--help");
    help.ends(0);
    assert_eq!(help.stderr, "");
    for command in
        ["diff", "list", "query", "lint", "rules", "explain", "pr", "serve", "completions"]
    {
        assert!(help.stdout.contains(command), "{command}");
    }
    let version = sandbox.run("--version");
    assert_eq!(version.ends(0).stdout, format!("netpol-review {}\n", env!("CARGO_PKG_VERSION")));
    for command in ["diff", "list", "query", "explain", "pr", "serve", "completions"] {
        let help = sandbox.run(&format!("{command} --help"));
        assert!(help.ends(0).stdout.contains("Usage: netpol-review"), "{command}");
    }
}

#[test]
fn mistakes_end_with_2_and_a_suggestion() {
    let sandbox = Sandbox::new();
    sandbox.write("a/p.yaml", DENY).write("b/p.yaml", OPEN);
    for (arguments, said) in [
        ("", "Usage"),
        ("dif a b", "'diff'"),
        ("diff a b --fail-onn any", "'--fail-on'"),
        ("diff a b --fail-on medum", "'medium'"),
        ("diff a b --format yaml", "json"),
        ("diff a b --default-namespace Shop", "1 to 63"),
        ("diff a b --ip-blocks-match-pods maybe", "never"),
        ("diff a b --repo .", "--git"),
        ("diff", "two directories"),
        ("diff a", "`--git BASE`"),
        ("diff a b c", "not 3"),
        ("list", "DIR"),
        ("query a --from shop/x --to shop/y", "--port"),
        ("query a --from nobody/here --to 10.0.0.1 --port TCP/80", "nobody/here"),
        ("query a --from 10.0.0.1 --to 10.0.0.2 --port http", "TCP/5432"),
        ("completions tcsh", "fish"),
    ] {
        sandbox.run(arguments).ends(2).says(said).prints_nothing();
    }
}

#[test]
fn completions_for_every_shell() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = sandbox.run(&format!("completions {shell}"));
        assert!(script.ends(0).stdout.contains("fail-on"), "{shell}");
    }
}

#[test]
fn exit_codes_of_a_threshold() {
    let sandbox = Sandbox::new();
    sandbox.write("deny/p.yaml", DENY).write("open/p.yaml", OPEN).write("none/q.yaml", "# empty\n");
    for (arguments, code) in [
        ("diff deny open", 0),
        ("diff deny open --fail-on never", 0),
        ("diff deny open --fail-on any", 10),
        ("diff deny open --fail-on critical", 10),
        ("diff open deny --fail-on any", 0),
        ("diff deny deny --fail-on any", 0),
        // Deleting the policy gives up the isolation.
        ("diff deny none --fail-on any", 10),
    ] {
        for format in ["text", "json", "markdown", "sarif", "github"] {
            sandbox.run(&format!("{arguments} --format {format}")).ends(code);
        }
    }
}

#[test]
fn what_could_hide_a_widening_beats_the_threshold() {
    let sandbox = Sandbox::new();
    sandbox
        .write("a/p.yaml", DENY)
        .write("b/p.yaml", OPEN)
        .write("b/q.yaml", "kind: NetworkPolicy\n  bad: [");
    sandbox.run("diff a b").ends(0);
    sandbox.run("diff a b --fail-on critical").ends(11);
}
