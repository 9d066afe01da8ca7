//! Arguments that want to be options, and repositories whose configuration wants to run something.

use crate::sandbox::{DENY, OPEN, Sandbox};
use std::fs;

#[test]
fn revisions_never_become_options() {
    let sandbox = Sandbox::new();
    sandbox.init("r").write("r/p.yaml", DENY);
    sandbox.commit("r", "one");
    for revision in [
        "--upload-pack=touch pwned",
        "--output=pwned",
        "-o",
        "--all",
        "--help",
        "--git-dir=/",
        "--exec=touch pwned",
        "--end-of-options",
        "^HEAD",
        "$(touch pwned)",
        "`touch pwned`",
        "HEAD;touch pwned",
        "HEAD\nHEAD",
        "HEAD -- x",
        ":(top)",
        "",
    ] {
        for range in
            [format!("{revision}..HEAD"), format!("HEAD...{revision}"), format!("--git={revision}")]
        {
            let mut words = vec!["diff", "--repo", "r"];
            let argument = format!("--git={range}");
            words.push(if range.starts_with("--git=") { &range } else { &argument });
            let run = sandbox.run_words(words);
            // An empty side behind the dots is HEAD; everything else means nothing.
            if revision.is_empty() && range.starts_with("HEAD...") {
                run.ends(0);
            } else {
                assert!([2, 4].contains(&run.code), "{range}: {run:#?}");
                run.prints_nothing();
            }
        }
    }
    for path in ["--output=pwned", "-x", ":(exclude)p.yaml", ":!p.yaml"] {
        sandbox
            .run_words(["diff", "--repo", "r", "--git", "HEAD..HEAD", "--", path])
            .ends(4)
            .says("exists in neither");
    }
    for directory in ["r", ""] {
        assert!(!sandbox.path(directory).join("pwned").exists());
    }
}

/// Every setting here runs `touch pwned` in one git command or another.
#[cfg(unix)]
#[test]
fn the_repository_runs_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new();
    sandbox
        .init("r")
        .write("r/p.yaml", DENY)
        .write("r/.gitattributes", "* filter=evil diff=evil\n");
    sandbox.commit("r", "one");
    sandbox.write("r/p.yaml", OPEN);
    sandbox.commit("r", "two");
    sandbox.write("r/new.yaml", "# new\n");
    // Racy and touched entries are what makes git look at contents, and so run filters.
    sandbox.write("r/p.yaml", OPEN);
    let pwned = sandbox.path("pwned");
    let script = sandbox.path("evil.sh");
    fs::write(&script, format!("#!/bin/sh\ntouch '{}'\ncat\n", pwned.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let script = script.display().to_string();
    for name in [
        "core.fsmonitor",
        "core.pager",
        "core.editor",
        "core.sshCommand",
        "core.gitProxy",
        "core.askPass",
        "core.alternateRefsCommand",
        "pager.rev-parse",
        "pager.ls-tree",
        "pager.ls-files",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "diff.external",
        "diff.evil.textconv",
        "diff.evil.command",
        "credential.helper",
        "gpg.program",
        "uploadpack.packObjectsHook",
        "remote.origin.uploadpack",
    ] {
        sandbox.git_words("r", &["config", name, &script]);
    }
    for name in ["ls-tree", "rev-parse", "cat-file", "ls-files", "merge-base"] {
        sandbox.git_words("r", &["config", &format!("alias.{name}"), &format!("!{script}")]);
    }
    fs::create_dir_all(sandbox.path("r/.git/hooks")).unwrap();
    for hook in
        ["post-index-change", "reference-transaction", "fsmonitor-watchman", "post-checkout"]
    {
        fs::copy(&script, sandbox.path(&format!("r/.git/hooks/{hook}"))).unwrap();
    }
    sandbox.run("diff --git HEAD~1..HEAD --repo r --fail-on any").ends(10);
    sandbox.run("diff --git HEAD~1...HEAD --repo r --fail-on any").ends(10);
    sandbox.run("diff --git HEAD~1 --repo r --fail-on any").ends(10);
    assert!(!pwned.exists(), "something ran");
    // The trap is a real one: git itself steps into it.
    sandbox.try_git("r", &["status"]);
    assert!(pwned.exists(), "the trap does not work, so the test shows nothing");
}

/// A promisor remote makes git fetch a missing object by running the remote's program.
#[test]
fn missing_objects_are_not_fetched() {
    let sandbox = Sandbox::new();
    sandbox.init("r").write("r/p.yaml", DENY);
    sandbox.commit("r", "one");
    let id = sandbox.git("r", "rev-parse HEAD:p.yaml");
    fs::remove_file(sandbox.path(&format!("r/.git/objects/{}/{}", &id[..2], &id[2..]))).unwrap();
    let pwned = sandbox.path("pwned");
    for (name, value) in [
        ("core.repositoryFormatVersion", "1".to_string()),
        ("extensions.partialClone", "origin".to_string()),
        ("remote.origin.promisor", "true".to_string()),
        ("remote.origin.url", format!("ext::sh -c touch% {}", pwned.display())),
        ("protocol.ext.allow", "always".to_string()),
    ] {
        sandbox.git_words("r", &["config", name, &value]);
    }
    sandbox.run("diff --git HEAD..HEAD --repo r").ends(4).says("--refetch");
    assert!(!pwned.exists(), "the remote's program ran");
}

/// A hook's environment says where the repository is; a repository that is named is meant.
#[test]
fn the_environment_does_not_redirect() {
    let sandbox = Sandbox::new();
    for (repo, last) in [("r", OPEN), ("other", DENY)] {
        sandbox.init(repo).write(&format!("{repo}/p.yaml"), DENY);
        sandbox.commit(repo, "one");
        sandbox.write(&format!("{repo}/p.yaml"), last);
        sandbox.commit(repo, "two");
    }
    let run = |arguments: &[&str]| {
        let mut command = sandbox.program();
        command.args(arguments).env("GIT_DIR", sandbox.path("other/.git"));
        crate::sandbox::finish(&mut command)
    };
    run(&["diff", "--git", "HEAD~1..HEAD", "--fail-on", "any", "--repo", "r"]).ends(10);
    run(&["diff", "--git", "HEAD~1..HEAD", "--fail-on", "any"]).ends(0);
}

/// A replacement would show another content than the one that is merged.
#[test]
fn replacements_do_not_count() {
    let sandbox = Sandbox::new();
    sandbox.init("r").write("r/p.yaml", DENY);
    sandbox.commit("r", "one");
    sandbox.write("r/p.yaml", OPEN);
    sandbox.commit("r", "two");
    sandbox.git("r", "replace HEAD:p.yaml HEAD~1:p.yaml");
    sandbox.run("diff --git HEAD~1..HEAD --repo r --fail-on any").ends(10);
}

/// Whoever pushes may make trees that git itself would not make.
#[test]
fn trees_with_names_that_lead_elsewhere_are_refused() {
    let sandbox = Sandbox::new();
    sandbox
        .init("r")
        .write("r/p.yaml", DENY)
        .write("r/app/kustomization.yaml", "resources: [p.txt]\n");
    sandbox.write("r/app/p.txt", OPEN);
    sandbox.commit("r", "one");
    sandbox.git("r", "config user.email a@example.com");
    let blob = sandbox.git("r", "rev-parse HEAD:p.yaml").trim().to_string();
    let object = |id: &str| -> Vec<u8> {
        let digits = |at: usize| u8::from_str_radix(&id[at..at + 2], 16).unwrap();
        (0..id.len()).step_by(2).map(digits).collect()
    };
    let tree = |mode: &str, name: &str, id: &str| -> String {
        let bytes = [mode.as_bytes(), b" ", name.as_bytes(), b"\0", &object(id)].concat();
        sandbox.write("tree", bytes);
        let id = sandbox.git("r", "hash-object -t tree --literally -w ../tree");
        id.trim().to_string()
    };
    for name in
        ["..", ".", ".git", ".GIT", "/etc/x", "../pwned.yaml", "a/../../x.yaml", "..\\x.yaml"]
    {
        for (mode, id) in [("100644", blob.clone()), ("40000", tree("100644", "x.yaml", &blob))] {
            let hostile = tree(mode, name, &id);
            let below = tree("40000", "app", &hostile);
            for root in [hostile, below] {
                for range in [format!("HEAD..{root}"), format!("{root}..HEAD")] {
                    let run = sandbox.run(&format!("diff --git {range} --repo r"));
                    run.ends(4).says("could not list the files").says("no name for a file");
                    run.prints_nothing();
                }
            }
        }
    }
    let ordinary = tree("100644", "dev\\x2d1.yaml", &blob);
    sandbox.run(&format!("diff --git HEAD..{ordinary} --repo r")).ends(0);
}
