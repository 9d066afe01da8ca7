//! What was fetched is kept for the next review, which fetches only what changed.

mod bounds;
mod damage;
mod same;

use crate::scene::{REPOSITORY, Scene, TOKEN};
use crate::server::{Fault, Logged, Token, When};
use crate::world::{ANY, WEB, World, shop};
use base64::Engine;
use netpol_review::github::{Inputs, Mirror, Outcome};
use netpol_review::source::git::{Bounds, Mirrors, Remote, Repository};
use netpol_review::source::{Error, Meter};
use secrecy::SecretString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const ID: u64 = 1234;

/// A folder for mirrors that is taken.
struct Folder {
    directory: TempDir,
    mirrors: Arc<Mirrors>,
}

impl Folder {
    fn new() -> Self {
        Self::with(Bounds::default())
    }

    fn with(bounds: Bounds) -> Self {
        let directory = tempfile::tempdir().expect("a folder");
        let mirrors = Mirrors::open(directory.path(), bounds).expect("mirrors");
        Self { directory, mirrors }
    }

    /// As another process finds it: with nothing in memory.
    fn again(self) -> Self {
        let Self { directory, mirrors } = self;
        drop(mirrors);
        Self { mirrors: opened(directory.path(), Bounds::default()), directory }
    }

    fn inputs(&self) -> Inputs {
        let mirror = Some(Mirror { mirrors: self.mirrors.clone(), id: ID });
        Inputs { mirror, ..Inputs::default() }
    }

    /// The mirrors that there are.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).expect("a folder").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".git")).collect();
        names.sort();
        names
    }

    fn of(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// All files below, with what they hold.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        fn below(directory: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
            for entry in fs::read_dir(directory).expect("a folder").flatten() {
                match entry.path().is_dir() {
                    true => below(&entry.path(), found),
                    false => found.push((entry.path(), fs::read(entry.path()).expect("a file"))),
                }
            }
        }
        let mut found = Vec::new();
        below(self.directory.path(), &mut found);
        found
    }
}

/// Takes a folder that was just given back: a process that another test is starting may still hold a copy of its lock.
fn opened(folder: &Path, bounds: Bounds) -> Arc<Mirrors> {
    let started = Instant::now();
    loop {
        match Mirrors::open(folder, bounds) {
            Err(Error::InUse { .. }) if started.elapsed() < Duration::from_secs(10) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return other.expect("mirrors"),
        }
    }
}

fn shop_world() -> World {
    let world = World::new();
    let files = shop(WEB);
    let files: Vec<(&str, Option<&str>)> =
        files.iter().map(|(path, text)| (*path, Some(text.as_str()))).collect();
    world.commit("main", &files);
    world.commit("feature", &[("shop/policy.yaml", Some(&policy(ANY)))]);
    world
}

fn policy(peers: &str) -> String {
    shop(peers).pop().expect("a policy").1
}

/// The requests of git with an effect, since the one with this index.
fn fetches(scene: &Scene<'_>, since: usize) -> Vec<Logged> {
    let mut requests = scene.github.requests().split_off(since);
    requests.retain(|request| request.path.ends_with("/git-upload-pack"));
    requests
}

fn remote(scene: &Scene<'_>, token: &str) -> Remote {
    Remote { url: scene.github.git_url(REPOSITORY), token: Some(SecretString::from(token)) }
}

fn review(scene: &Scene<'_>, id: &str, inputs: &Inputs) -> Outcome {
    scene.run_as(id, &scene.event(), inputs).expect("a review")
}

/// Bytes of a file of a commit.
fn read(repository: &Repository, commit: &str, path: &str) -> Option<String> {
    let bytes = repository.file(commit, path).expect("a file or none")?;
    Some(String::from_utf8(bytes).expect("text"))
}

#[test]
fn the_next_review_fetches_only_what_changed() {
    let world = shop_world();
    let large = "# a comment that makes it large\n".repeat(4000);
    world.commit("main", &[("shop/large.yaml", Some(&large)), ("README.md", Some("hello"))]);
    let scene = Scene::new(&world);
    let folder = Folder::new();
    review(&scene, "1", &folder.inputs());
    let first = fetches(&scene, 0);
    let bytes = |requests: &[Logged]| requests.iter().map(|one| one.answered).sum::<usize>();
    assert!(!first.is_empty());
    assert_eq!(folder.names(), ["1234.git"]);
    assert_eq!(folder.mirrors.figures().fetches, 2, "commits, then contents");

    // The same again asks git for nothing.
    let seen = scene.github.requests().len();
    review(&scene, "2", &folder.inputs());
    assert_eq!(fetches(&scene, seen).len(), 0);

    // Another commit: its own objects, and not those of the first.
    world.commit("feature", &[("shop/policy.yaml", Some(&policy(&format!("{WEB}{ANY}"))))]);
    scene.github.refresh_pull(REPOSITORY, 1);
    let seen = scene.github.requests().len();
    let outcome = review(&scene, "3", &folder.inputs());
    assert_eq!(outcome.evaluated.report.environments[0].opened.len(), 1);
    let second = fetches(&scene, seen);
    assert_eq!(folder.mirrors.figures().fetches, 4);
    assert!(second.len() <= first.len(), "{second:#?}");
    assert!(bytes(&second) < 4_000, "{} of {}", bytes(&second), bytes(&first));

    // Another process finds it all on the disk.
    let folder = folder.again();
    let seen = scene.github.requests().len();
    let again = review(&scene, "4", &folder.inputs());
    assert_eq!(fetches(&scene, seen).len(), 0);
    assert_eq!(again.evaluated.report.environments[0].opened.len(), 1);
    // What no review reads was never fetched.
    let hello = world.git(&["rev-parse", "main:README.md"]);
    let here = Command::new("git")
        .arg("-C")
        .arg(folder.of("1234.git"))
        .args(["cat-file", "-e", &hello])
        .env("GIT_NO_LAZY_FETCH", "1")
        .output()
        .expect("git");
    assert!(!here.status.success());
    scene.github.finish();
}

#[test]
fn many_threads_share_one_repository_and_others() {
    let world = shop_world();
    let commits: Vec<String> = (0..8)
        .map(|number| {
            let text = format!("# {number}\n{}", policy(ANY));
            world.commit("feature", &[("shop/policy.yaml", Some(&text))])
        })
        .collect();
    let scene = Scene::new(&world);
    let folder = Folder::new();
    let remote = remote(&scene, TOKEN);
    std::thread::scope(|scope| {
        for (number, commit) in commits.iter().enumerate() {
            let (mirrors, remote) = (folder.mirrors.clone(), remote.clone());
            scope.spawn(move || {
                // Of one repository each commit, and of one for each thread the same.
                for id in [1, 1, 100 + number as u64, 1] {
                    let found = mirrors.fetch(id, &remote, &[commit], 1).expect("a commit");
                    let text = read(&found, commit, "shop/policy.yaml").expect("a policy");
                    assert!(text.starts_with(&format!("# {number}\n")), "{text}");
                    let pair = found.pair(commit, commit, &[], &Meter::default()).expect("a pair");
                    assert_eq!(pair.after.tree.files.len(), 3);
                }
            });
        }
    });
    assert_eq!(folder.names().len(), 9);
    // Everything is there, and whole.
    let seen = scene.github.requests().len();
    let all: Vec<&str> = commits.iter().map(String::as_str).collect();
    folder.mirrors.fetch(1, &remote, &all, 1).expect("all commits");
    assert_eq!(scene.github.requests().len(), seen);
    let checked = Command::new("git")
        .arg("-C")
        .arg(folder.of("1.git"))
        .args(["fsck", "--no-dangling"])
        .env("GIT_NO_LAZY_FETCH", "1")
        .output()
        .expect("git");
    assert!(checked.status.success(), "{checked:?}");
    scene.github.finish();
}

#[test]
fn readers_do_not_wait_for_a_fetch() {
    let world = shop_world();
    let old = world.git(&["rev-parse", "main"]);
    let scene = Scene::new(&world);
    let folder = Folder::new();
    let remote = remote(&scene, TOKEN);
    folder.mirrors.fetch(ID, &remote, &[&old], 1).expect("a commit");
    let new = world.git(&["rev-parse", "feature"]);
    let slow = Duration::from_secs(2);
    scene.github.fault(When::is("POST", "git-upload-pack"), Fault::Delay(slow));
    std::thread::scope(|scope| {
        let fetching = scope.spawn(|| folder.mirrors.fetch(ID, &remote, &[&new], 1).map(|_| ()));
        let seen = scene.github.requests().len();
        while scene.github.requests().len() < seen + 2 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let started = Instant::now();
        folder.mirrors.fetch(ID, &remote, &[&old], 1).expect("a commit that is here");
        assert!(started.elapsed() < slow / 2, "{:?}", started.elapsed());
        assert!(!fetching.is_finished());
        fetching.join().expect("a thread").expect("the other commit");
    });
    scene.github.finish();
}

#[test]
fn each_fetch_has_its_own_token_and_none_is_on_the_disk() {
    let world = shop_world();
    let scene = Scene::new(&world);
    let folder = Folder::new();
    scene.github.add_token("second-token", Token::actions());
    let [old, new] = ["main", "feature"].map(|branch| world.git(&["rev-parse", branch]));
    folder.mirrors.fetch(ID, &remote(&scene, TOKEN), &[&old], 1).expect("a commit");
    scene.github.state().tokens.remove(TOKEN);
    let refused = folder.mirrors.fetch(ID, &remote(&scene, TOKEN), &[&new], 1);
    let refused = refused.map(|_| ()).expect_err("the token is no more").to_string();
    let second = remote(&scene, "second-token");
    let found = folder.mirrors.fetch(ID, &second, &[&new], 1).expect("a commit");
    assert_eq!(read(&found, &new, "shop/policy.yaml"), Some(policy(ANY)));
    let pair = |token: &str| {
        base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"))
    };
    let secrets =
        [TOKEN.to_string(), pair(TOKEN), "second-token".to_string(), pair("second-token")];
    let files = folder.files();
    assert!(files.len() > 5);
    for secret in &secrets {
        assert!(!refused.contains(secret));
        for (path, bytes) in &files {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {}", path.display());
        }
    }
    // Nor is the server's address.
    let config = fs::read_to_string(folder.of("1234.git/config")).expect("a configuration");
    assert!(!config.contains("127.0.0.1"), "{config}");
    use std::os::unix::fs::PermissionsExt;
    let fresh = folder.of("inner");
    Mirrors::open(&fresh, Bounds::default()).expect("mirrors");
    let mode = fs::metadata(&fresh).expect("a folder").permissions().mode();
    assert_eq!(mode & 0o077, 0, "nobody else reads it");
    scene.github.finish();
}

#[test]
fn a_repository_that_moved_keeps_its_mirror() {
    let world = shop_world();
    let scene = Scene::new(&world);
    let folder = Folder::new();
    let [old, new] = ["main", "feature"].map(|branch| world.git(&["rev-parse", branch]));
    folder.mirrors.fetch(ID, &remote(&scene, TOKEN), &[&old], 1).expect("a commit");
    scene.github.add_repository("shop/renamed", &world.bare());
    scene.github.state().repositories.remove(REPOSITORY);
    folder.mirrors.fetch(ID, &remote(&scene, TOKEN), &[&new], 1).map(|_| ()).expect_err("it moved");
    let moved = Remote { url: scene.github.git_url("shop/renamed"), ..remote(&scene, TOKEN) };
    let seen = scene.github.requests().len();
    folder.mirrors.fetch(ID, &moved, &[&old], 1).expect("a commit that is here");
    assert_eq!(scene.github.requests().len(), seen);
    folder.mirrors.fetch(ID, &moved, &[&new], 1).expect("a commit");
    assert_eq!(folder.names(), ["1234.git"]);
    scene.github.finish();
}

#[test]
fn a_force_push_and_a_branch_that_is_gone() {
    let world = shop_world();
    let scene = Scene::new(&world);
    let folder = Folder::new();
    review(&scene, "1", &folder.inputs());
    let old = world.git(&["rev-parse", "feature"]);
    world.git(&["checkout", "--quiet", "-B", "feature", "main"]);
    world.commit("feature", &[("shop/web.yaml", None)]);
    scene.github.refresh_pull(REPOSITORY, 1);
    let outcome = review(&scene, "2", &folder.inputs());
    assert_eq!(outcome.evaluated.report.environments[0].opened.len(), 0);
    world.git(&["checkout", "--quiet", "main"]);
    world.git(&["branch", "--quiet", "-D", "feature"]);
    // What was fetched is here, whatever the server has by now.
    let seen = scene.github.requests().len();
    let found = folder.mirrors.fetch(ID, &remote(&scene, TOKEN), &[&old], 1).expect("a commit");
    assert_eq!(read(&found, &old, "shop/policy.yaml"), Some(policy(ANY)));
    assert_eq!(scene.github.requests().len(), seen);
    scene.github.finish();
}
