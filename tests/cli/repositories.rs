//! Git revisions as snapshots.

use crate::sandbox::{DENY, OPEN, Sandbox};
use std::fs;
use std::process::Command;

/// A repository `r` with `v1` (denied) and `main` (open).
fn two_commits() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.init("r").write("r/deploy/p.yaml", DENY).write("r/README.md", "x");
    sandbox.commit("r", "deny");
    sandbox.git("r", "tag v1");
    sandbox.write("r/deploy/p.yaml", OPEN);
    sandbox.commit("r", "open");
    sandbox
}

#[test]
fn loose_objects_packed_objects_and_a_bare_repository() {
    let sandbox = two_commits();
    let check = |repo: &str| {
        let run =
            sandbox.run(&format!("diff --git v1..main --repo {repo} --format json --fail-on any"));
        let json = run.ends(10).json();
        assert_eq!(json["before"]["source"], "git");
        assert_eq!(json["before"]["name"], "v1");
        assert_eq!(json["before"]["commit"], sandbox.git("r", "rev-parse v1"));
        assert_eq!(json["after"]["commit"], sandbox.git("r", "rev-parse main"));
        assert_eq!(json["read"]["files"], 2);
    };
    check("r");
    check("r/deploy");
    sandbox.git("r", "gc -q --aggressive --prune=now");
    check("r");
    sandbox.git("", "clone -q --bare r bare.git");
    check("bare.git");
    sandbox.run("diff --git main..v1 --repo r --fail-on any").ends(0);
}

#[test]
fn the_current_directory_is_the_default() {
    let sandbox = two_commits();
    let mut command = sandbox.program();
    command
        .args(["diff", "--git", "v1..", "--fail-on", "any"])
        .current_dir(sandbox.path("r/deploy"));
    crate::sandbox::finish(&mut command).ends(10);
    sandbox.run("diff --git v1..").ends(4).says("`.` is not in a git repository").says("--repo");
}

#[test]
fn sha256_repositories() {
    let sandbox = Sandbox::new();
    sandbox.mkdir("r");
    sandbox.git("r", "init -q -b main --object-format=sha256");
    sandbox.write("r/p.yaml", DENY);
    sandbox.commit("r", "one");
    sandbox.write("r/p.yaml", OPEN);
    sandbox.commit("r", "two");
    sandbox.run("diff --git HEAD~1..HEAD --repo r --fail-on any").ends(10);
    sandbox.run("diff --git HEAD~1 --repo r --fail-on any").ends(10);
}

#[test]
fn the_checkout_is_neither_read_nor_touched() {
    let sandbox = two_commits();
    sandbox.write("r/deploy/p.yaml", "kind: NetworkPolicy\n  broken: [").write("r/new.yaml", OPEN);
    let before = sandbox.git("r", "status --porcelain");
    sandbox.run("diff --git main..main --repo r --fail-on any").ends(0);
    assert_eq!(sandbox.git("r", "status --porcelain"), before);
}

#[test]
fn three_dots_start_at_the_merge_base() {
    let sandbox = two_commits();
    // The branch leaves at v1 and changes nothing that matters; main opened meanwhile.
    sandbox.git("r", "checkout -q -b topic v1");
    sandbox.write("r/other.yaml", "# nothing\n");
    sandbox.commit("r", "topic");
    let json =
        sandbox.run("diff --git main...topic --repo r --format json --fail-on any").ends(0).json();
    assert_eq!(json["before"]["commit"], sandbox.git("r", "rev-parse v1"));
    assert_eq!(json["before"]["name"], "merge base of main and topic");
    assert_eq!(json["result"], "unchanged");
    let json = sandbox.run("diff --git main..topic --repo r --format json").ends(0).json();
    assert_eq!(json["result"], "narrowed");

    sandbox.git("r", "checkout -q --orphan alone");
    sandbox.commit("r", "alone");
    sandbox
        .run("diff --git main...alone --repo r")
        .ends(4)
        .says("no merge base")
        .says("main..alone");
}

#[test]
fn worktrees() {
    let sandbox = two_commits();
    sandbox.git("r", "worktree add -q ../tree v1");
    sandbox.run("diff --git v1..main --repo tree --fail-on any").ends(10);
    sandbox.run("diff --git main --repo tree --fail-on any").ends(0);
}

#[test]
fn a_deleted_policy_gives_up_its_isolation() {
    let sandbox = two_commits();
    fs::remove_file(sandbox.path("r/deploy/p.yaml")).unwrap();
    sandbox.commit("r", "delete");
    // Not one manifest is left, and that is the news.
    sandbox.run("diff --git v1..main --repo r --fail-on any").ends(10);
    sandbox.run("diff --git main..main --repo r").ends(3).says("nothing to analyse");
}

#[test]
fn the_empty_tree_is_a_side() {
    let sandbox = two_commits();
    let empty = sandbox.git("r", "hash-object -t tree -w /dev/null");
    let json =
        sandbox.run(&format!("diff --git {empty}..v1 --repo r --format json")).ends(0).json();
    assert_eq!(json["before"]["commit"], serde_json::Value::Null);
    assert_eq!(json["read"]["files"], 1);
}

#[test]
fn path_limits() {
    let sandbox = two_commits();
    // For both directions, or a rule would have something to say.
    let deny = DENY.replace("[Ingress]", "[Ingress, Egress]");
    sandbox
        .write("r/a/x.yaml", deny.replace("deny", "another"))
        .write("r/a[b]/y.yaml", deny.replace("deny", "other"));
    sandbox.commit("r", "more");
    let run = |limits: &str| {
        sandbox.run(&format!("diff --repo r --git v1..main --format json --fail-on any {limits}"))
    };
    run("deploy").ends(10);
    run("./deploy/p.yaml").ends(10);
    run("a").ends(0);
    assert_eq!(run("a[b]").ends(0).json()["read"]["files"], 1);
    run(".").ends(10);
    run("depoly").ends(4).says("`depoly` exists in neither `v1` nor `main`").says("`deploy`");
    run("p.yaml").ends(4).says("`deploy/p.yaml`");
    run("*").ends(4);
    run("/deploy").ends(2).says("without a leading `/`");
    run("../r/deploy").ends(2);
    run("README.md").ends(3);
}

#[test]
fn mistyped_revisions() {
    let sandbox = two_commits();
    sandbox.git("", "clone -q r clone");
    sandbox.git("r", "branch release-1.2");
    sandbox.git("clone", "fetch -q");
    let run = |repo: &str, range: &str| sandbox.run_words(["diff", "--repo", repo, "--git", range]);
    run("r", "v1..mian")
        .ends(4)
        .says("the revision `mian` of `v1..mian` does not exist")
        .says("`main`?");
    run("r", "v11...main").ends(4).says("`v11`").says("did you mean: `v1`?");
    run("clone", "release-1.2..main").ends(4).says("`origin/release-1.2`");
    run("r", "main~7..main").ends(4).says("there is `main`, but nothing at `~7` from it");
    let id = "0123456789012345678901234567890123456789";
    run("r", &format!("{id}..main"))
        .ends(4)
        .says("does not exist in the repository")
        .says(&format!("git fetch origin {id}"));
    run("r", "main:README.md..main").ends(4).says("main:README.md");
    run("r", "").ends(2).says("it is empty");
    run("r", "..").ends(2);
    // `$BASE..HEAD` where `BASE` is not set must not compare `HEAD` with itself.
    run("r", "..HEAD").ends(2).says("the side before the dots is empty");
    run("r", "...main").ends(2).says("the side before the dots is empty");
    run("r", "a..b..c").ends(2).says("more than two sides");
    run("nowhere", "v1..main").ends(4).says("`nowhere` does not exist");
    run("r/README.md", "v1..main").ends(4);
}

#[test]
fn ambiguous_abbreviations() {
    let sandbox = Sandbox::new();
    sandbox.init("r");
    // Of 1500 commits two begin with the same four digits; the dates make them the same every time.
    let commits: String = (0..1500)
        .map(|number| {
            format!(
                "commit refs/heads/main\ncommitter A <a@example.com> {number} +0000\ndata 0\n\n"
            )
        })
        .collect();
    sandbox.write("stream", commits);
    let import =
        format!("alias.import=!git fast-import --quiet < '{}'", sandbox.path("stream").display());
    sandbox.git_words("r", &["-c", &import, "import"]);
    let ids = sandbox.git("r", "rev-list --all");
    let mut starts: Vec<&str> = ids.lines().map(|id| &id[..4]).collect();
    starts.sort_unstable();
    let twice =
        starts.windows(2).find(|pair| pair[0] == pair[1]).expect("two commits begin alike")[0];
    sandbox
        .run(&format!("diff --git {twice}..main --repo r"))
        .ends(4)
        .says(&format!("the revision `{twice}` of `{twice}..main` is ambiguous"));
}

#[test]
fn shallow_clones() {
    let sandbox = two_commits();
    let url = format!("file://{}", sandbox.path("r").display());
    sandbox.git("", &format!("clone -q --depth 1 {url} shallow"));
    let run =
        |range: &str| sandbox.run(&format!("diff --repo shallow --git {range} --fail-on any"));
    run("HEAD~1..HEAD")
        .ends(4)
        .says("nothing at `~1`")
        .says("git fetch --unshallow")
        .says("fetch-depth: 0");
    run("HEAD..HEAD").ends(0);
    let first = sandbox.git("r", "rev-parse v1");
    run(&format!("{first}..HEAD")).ends(4).says(&format!("git fetch origin {first}"));
    // Two commits without the history between them.
    sandbox.git("shallow", &format!("fetch -q --depth 1 origin {first}"));
    run(&format!("{first}..HEAD")).ends(10);
    run(&format!("{first}...HEAD")).ends(4).says("no merge base").says("--unshallow");
}

#[test]
fn partial_clones_are_not_completed_behind_your_back() {
    let sandbox = two_commits();
    sandbox.git("r", "config uploadpack.allowFilter true");
    let url = format!("file://{}", sandbox.path("r").display());
    sandbox.git("", &format!("clone -q --no-checkout --filter=blob:none {url} partial"));
    let run = || sandbox.run("diff --repo partial --git HEAD~1..HEAD --fail-on any");
    run().ends(4).says("the contents of 2 files, `deploy/p.yaml` among them").says("--refetch");
    // What the message says to try helps.
    sandbox.git("partial", "fetch -q --refetch --no-filter");
    run().ends(10);
}

#[test]
fn damaged_repositories() {
    let sandbox = two_commits();
    let id = sandbox.git("r", "rev-parse main:deploy/p.yaml");
    let object = sandbox.path(&format!("r/.git/objects/{}/{}", &id[..2], &id[2..]));
    fs::remove_file(&object).unwrap();
    sandbox
        .run("diff --git v1..main --repo r --fail-on any")
        .ends(4)
        .says("`deploy/p.yaml`")
        .says("git fsck");
    fs::write(&object, "garbage").unwrap();
    sandbox.run("diff --git v1..main --repo r --fail-on any").ends(4);
}

#[test]
fn links_and_submodules_are_reported() {
    let sandbox = two_commits();
    let add = |mode: &str, target: &[u8], path: &str| {
        sandbox.write("target", target);
        let id = match mode {
            "160000" => sandbox.git("r", "rev-parse v1"),
            _ => sandbox.git("r", "hash-object -w ../target"),
        };
        sandbox.git_words(
            "r",
            &["update-index", "--add", "--cacheinfo", &format!("{mode},{id},{path}")],
        );
    };
    add("120000", b"../../etc/passwd", "deploy/link.yaml");
    add("120000", b"deploy", "current");
    add("120000", b"README.md", "LIESMICH");
    add("160000", b"", "charts");
    sandbox.git("r", "commit -q -m links");
    let run = sandbox.run("diff --git main~1..main --repo r --format json --fail-on critical");
    let said = run.ends(11).not_evaluated();
    for part in [
        "after charts (widening): it is a submodule, at commit",
        "after current (widening): it is a symbolic link to `deploy`",
        "after deploy/link.yaml (widening): it is a symbolic link to `../../etc/passwd`",
    ] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
    assert_eq!(said.lines().count(), 3, "{said}");
    let run = sandbox.run("diff --git main..main --repo r --format json --fail-on any");
    assert_eq!(run.ends(0).not_evaluated().matches("both").count(), 3);
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let sandbox = two_commits();
    fs::write(sandbox.path("r").join(OsStr::from_bytes(b"caf\xe9.yaml")), OPEN).unwrap();
    sandbox.write("r/with\nnewline\tand tab.yaml", DENY.replace("deny", "strange"));
    sandbox.commit("r", "names");
    let run = sandbox.run("diff --git main~1..main --repo r --format json --fail-on any");
    let said = run.ends(11).not_evaluated();
    assert!(said.contains("caf\\xE9.yaml (widening): its path is not UTF-8"), "{said}");
    assert_eq!(run.json()["read"]["files"], 3);
    // Unchanged, and on disk with the same bytes: nothing is hidden.
    sandbox.run("diff --git main..main --repo r --fail-on any").ends(0);
    sandbox.run("diff --git main --repo r --fail-on any").ends(0);
}

#[test]
fn enormous_blobs() {
    let sandbox = two_commits();
    sandbox.write("r/huge.yaml", "");
    fs::File::options()
        .write(true)
        .open(sandbox.path("r/huge.yaml"))
        .unwrap()
        .set_len((64 << 20) + 1)
        .unwrap();
    sandbox.commit("r", "huge");
    let run = sandbox.run("diff --git main~1..main --repo r --format json --fail-on any");
    let said = run.ends(11).not_evaluated();
    assert!(said.contains("huge.yaml (widening): it has 67108865 bytes"), "{said}");
    // Unchanged in the working tree: known by its object id.
    sandbox.run("diff --git main --repo r --fail-on any").ends(0);
}

#[test]
fn hundreds_of_files_fill_no_pipe() {
    let sandbox = Sandbox::new();
    sandbox.init("r");
    for number in 0..600 {
        // Together larger than any pipe, in both directions.
        let padding = format!("# {number} {}\n", "x".repeat(500));
        sandbox.write(&format!("r/d{}/{number}.yaml", number % 7), padding);
    }
    sandbox.commit("r", "many");
    let json = sandbox.run("diff --git HEAD..HEAD --repo r --format json").ends(0).json();
    assert_eq!(json["read"]["files"], 1200);
}

#[test]
fn without_git() {
    let sandbox = two_commits();
    let mut command: Command = sandbox.program();
    command.args(["diff", "--git", "v1..main", "--repo", "r"]).env("PATH", "/nowhere");
    crate::sandbox::finish(&mut command).ends(4).says("could not run `git`").says("install git");
}

#[test]
fn a_suggestion_is_made_once() {
    let sandbox = Sandbox::new();
    sandbox.init("r").write("r/x/ab.yaml", DENY);
    sandbox.commit("r", "one");
    // It ends with what was typed, and it is near.
    let run = sandbox.run("diff --git HEAD..HEAD --repo r -- ab.yaml");
    run.ends(4);
    assert_eq!(run.stderr.matches("x/ab.yaml").count(), 1, "{}", run.stderr);
}
