//! Directories and files as snapshots.

use crate::sandbox::{DENY, OPEN, Sandbox};
use std::fs;

#[test]
fn directories_and_single_files() {
    let sandbox = Sandbox::new();
    sandbox.write("a/x/p.yaml", DENY).write("b/y/p.yml", OPEN).write("c.txt", OPEN);
    let report = sandbox.run("diff a b --format json --fail-on any");
    let json = report.ends(10).json();
    assert_eq!(json["before"]["source"], "directory");
    assert_eq!(json["before"]["name"], "a");
    assert_eq!(json["result"], "widened");
    sandbox.run("diff a/x/p.yaml b/y/p.yml --fail-on any").ends(10);
    // A file that is named is read, whatever its name.
    sandbox.run("diff a c.txt --fail-on any").ends(10);
    sandbox.run("diff a a --fail-on any").ends(0);
    sandbox.run("list a --format json").ends(0);
}

#[test]
fn nothing_to_analyse() {
    let sandbox = Sandbox::new();
    sandbox.mkdir("a").write("b/README.md", "# hello").write("full/p.yaml", DENY);
    sandbox.run("diff a b").ends(3).says("nothing to analyse").says("`b`").prints_nothing();
    sandbox.run("diff a b --fail-on any --format json").ends(3).prints_nothing();
    sandbox.run("list a").ends(3).says("`a`");
    sandbox.run("query a --from 10.0.0.1 --to shop/api --port TCP/80").ends(3);
    sandbox.run("explain abcd a b").ends(3);
    // One side is enough.
    sandbox.run("diff full a").ends(0);
}

#[test]
fn mistyped_paths() {
    let sandbox = Sandbox::new();
    sandbox.write("deploy/base/p.yaml", DENY);
    sandbox
        .run("list deploi")
        .ends(4)
        .says("`deploi` does not exist")
        .says("did you mean: `deploy`?");
    sandbox.run("list deploy/bsae/p.yaml").ends(4).says("did you mean: `deploy/base/p.yaml`?");
    sandbox.run("list deploy/bsae/other").ends(4).says("did you mean: `deploy/base`?");
    sandbox.run("diff deploy xyzzy").ends(4).says("`xyzzy` does not exist");
    sandbox.run("list deploy/base/p.yaml/more").ends(4).says("does not exist");
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;

    #[test]
    fn links_are_reported_and_not_followed() {
        let sandbox = Sandbox::new();
        sandbox.write("secret/p.yaml", OPEN).write("secret/note.md", "x");
        sandbox.write("a/p.yaml", DENY).write("a/sub/q.yaml", "# none\n").write("a/README.md", "x");
        for (target, link) in [
            ("../secret/p.yaml", "a/file.yaml"),
            ("../secret", "a/outside"),
            ("sub", "a/inside"),
            (".", "a/loop"),
            ("nowhere.yaml", "a/dangling.yaml"),
            ("self.yaml", "a/self.yaml"),
            // These play no part.
            ("README.md", "a/LIESMICH.md"),
            ("nowhere", "a/dangling"),
        ] {
            symlink(target, sandbox.path(link)).unwrap();
        }
        let run = sandbox.run("list a --format json");
        let said = run.ends(0).not_evaluated();
        for part in [
            "file.yaml (flow): it is a symbolic link to `../secret/p.yaml`, outside the directory",
            "outside (flow): it is a symbolic link to `../secret` (a directory), outside",
            "inside (flow): it is a symbolic link to `sub` (a directory); links",
            "loop (flow): it is a symbolic link to `.` (a directory)",
            "dangling.yaml (flow): it is a symbolic link to `nowhere.yaml`, which leads nowhere",
            "self.yaml (flow): it is a symbolic link to `self.yaml`",
        ] {
            assert!(said.contains(part), "{part} in\n{said}");
        }
        assert_eq!(said.lines().count(), 6, "{said}");
        assert_eq!(run.json()["read"]["files"], 2);
        // The same links on both sides hide no widening ...
        sandbox.run("diff a a --fail-on any").ends(0);
        // ... a link that is new, or leads elsewhere, could.
        sandbox.write("b/p.yaml", DENY);
        sandbox.run("diff b a --fail-on any").ends(11);
    }

    #[test]
    fn the_argument_itself_may_be_a_link() {
        let sandbox = Sandbox::new();
        sandbox.write("real/p.yaml", DENY);
        symlink("real", sandbox.path("link")).unwrap();
        symlink("real/p.yaml", sandbox.path("one")).unwrap();
        assert_eq!(sandbox.run("list link --format json").ends(0).json()["read"]["files"], 1);
        assert_eq!(sandbox.run("list one --format json").ends(0).json()["read"]["files"], 1);
    }

    #[test]
    fn pipes_and_sockets_do_not_hang() {
        let sandbox = Sandbox::new();
        sandbox.write("a/p.yaml", DENY);
        let made = Command::new("mkfifo").arg(sandbox.path("a/pipe.yaml")).status().unwrap();
        assert!(made.success());
        let _socket =
            std::os::unix::net::UnixListener::bind(sandbox.path("a/socket.json")).unwrap();
        let said = sandbox.run("list a --format json").ends(0).not_evaluated();
        assert!(said.contains("pipe.yaml (flow): it is a named pipe"), "{said}");
        assert!(said.contains("socket.json (flow): it is a socket"), "{said}");
        sandbox.run("list a/pipe.yaml").ends(4).says("a named pipe, not a directory or a file");
    }

    #[test]
    fn process_substitution() {
        let sandbox = Sandbox::new();
        sandbox.write("a.yaml", DENY).write("b.yaml", OPEN);
        let mut command = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_netpol-review");
        command
            .args(["-c", &format!("cat b.yaml | '{program}' diff a.yaml /dev/stdin --fail-on any")])
            .current_dir(sandbox.path(""));
        crate::sandbox::finish(&mut command).ends(10);
    }

    #[test]
    fn names_that_are_not_utf8() {
        let sandbox = Sandbox::new();
        sandbox.write("a/p.yaml", DENY).mkdir("a/sub");
        fs::write(sandbox.path("a").join(OsStr::from_bytes(b"caf\xe9.yaml")), OPEN).unwrap();
        fs::write(sandbox.path("a").join(OsStr::from_bytes(b"caf\xe9.md")), "x").unwrap();
        let directory = sandbox.path("a/sub").join(OsStr::from_bytes(b"\xff"));
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("q.yaml"), OPEN).unwrap();
        let said = sandbox.run("list a --format json").ends(0).not_evaluated();
        assert!(said.contains("caf\\xE9.yaml (flow): its path is not UTF-8"), "{said}");
        assert!(said.contains("sub/\\xFF/q.yaml (flow): its path is not UTF-8"), "{said}");
        assert_eq!(said.lines().count(), 2, "{said}");
    }

    #[test]
    #[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn files_and_directories_without_permission() {
        let sandbox = Sandbox::new();
        sandbox.write("a/p.yaml", DENY).write("a/locked.yaml", OPEN).write("a/shut/q.yaml", OPEN);
        let mode = |path: &str, mode| {
            fs::set_permissions(sandbox.path(path), fs::Permissions::from_mode(mode)).unwrap();
        };
        mode("a/locked.yaml", 0o000);
        mode("a/shut", 0o000);
        if fs::read(sandbox.path("a/locked.yaml")).is_ok() {
            eprintln!("skipped: this user may read everything");
        } else {
            let said = sandbox.run("list a --format json").ends(0).not_evaluated();
            assert!(
                said.contains("locked.yaml (flow): it could not be read: permission denied"),
                "{said}"
            );
            assert!(
                said.contains("shut (flow): the directory could not be read: permission denied"),
                "{said}"
            );
            sandbox.run("list a/locked.yaml").ends(4).says("permission denied");
        }
        mode("a/shut", 0o755);
    }
}

#[test]
fn enormous_files() {
    let sandbox = Sandbox::new();
    sandbox.write("a/p.yaml", DENY).write("a/huge.yaml", "").write("b/p.yaml", DENY);
    let file = fs::File::options().write(true).open(sandbox.path("a/huge.yaml")).unwrap();
    // Sparse: it takes no room on the disk.
    file.set_len(1 << 40).unwrap();
    let said = sandbox.run("list a --format json").ends(0).not_evaluated();
    assert!(said.contains("huge.yaml (flow): it has 1099511627776 bytes, more than"), "{said}");
    sandbox.run("diff b a --fail-on critical").ends(11);
    sandbox.run("list a/huge.yaml").ends(4).says("1099511627776 bytes");
}

#[test]
fn git_directories_are_passed_over_and_others_are_not() {
    let sandbox = Sandbox::new();
    sandbox.write("a/.git/x.yaml", OPEN).write("a/sub/.git/y.yaml", OPEN);
    sandbox.write("a/node_modules/p.yaml", DENY).write("a/.github/w.yaml", "# none\n");
    assert_eq!(sandbox.run("list a --format json").ends(0).json()["read"]["files"], 2);
}

#[test]
fn deep_directories() {
    let sandbox = Sandbox::new();
    let deep = format!("a/{}p.yaml", "d/".repeat(500));
    sandbox.write(&deep, DENY);
    assert_eq!(sandbox.run("list a --format json").ends(0).json()["read"]["files"], 1);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let sandbox = Sandbox::new();
    for number in 0..40 {
        sandbox
            .write(&format!("a/{number}/p.yaml"), DENY.replace("deny", &format!("deny-{number}")));
    }
    sandbox.mkdir("b");
    let first = sandbox.run("diff a b --format json").ends(0).stdout.clone();
    for _ in 0..3 {
        assert_eq!(sandbox.run("diff a b --format json").stdout, first);
    }
}

#[test]
fn one_snapshot_has_no_sides() {
    let sandbox = Sandbox::new();
    sandbox.write("a/p.yaml", DENY).write("a/q.yaml", "kind: NetworkPolicy\n  bad: [");
    let run = sandbox.run("list a");
    run.ends(0);
    assert!(run.stdout.contains("q.yaml:"), "{}", run.stdout);
    assert!(!run.stdout.contains("the change"), "{}", run.stdout);
}
