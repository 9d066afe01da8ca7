//! Mirrors that something happened to, and servers that fail.

use super::{Folder, ID, REPOSITORY, fetches, opened, policy, read, remote, review, shop_world};
use crate::renderers::kustomize;
use crate::scene::{Scene, TOKEN};
use crate::server::{Fault, When};
use crate::world::{ANY, WEB};
use netpol_review::github::RunError;
use netpol_review::source::Error;
use netpol_review::source::git::{Bounds, Mirrors, Remote, Repository};
use secrecy::SecretString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What the next test runs in a process of its own, to kill it.
#[test]
fn a_process_of_its_own() {
    let Ok(folder) = std::env::var("MIRRORS_OF_A_TEST") else { return };
    let variable = |name: &str| std::env::var(name).expect("a variable");
    let mirrors = Mirrors::open(Path::new(&folder), Bounds::default()).expect("mirrors");
    let remote = Remote { url: variable("URL"), token: Some(SecretString::from(TOKEN)) };
    let fetched = mirrors.fetch(ID, &remote, &[&variable("COMMIT")], 1);
    panic!("nobody killed it: {:?}", fetched.map(|_| ()));
}

#[test]
fn killed_in_the_middle_of_a_fetch() {
    let world = shop_world();
    let [old, new] = ["main", "feature"].map(|branch| world.git(&["rev-parse", branch]));
    let scene = Scene::new(&world);
    let folder = Folder::new();
    let remote = remote(&scene, TOKEN);
    folder.mirrors.fetch(ID, &remote, &[&old], 1).expect("a commit");
    let Folder { directory, mirrors } = folder;
    drop(mirrors);
    let endless = Duration::from_secs(600);
    scene.github.fault(When::is("POST", "git-upload-pack"), Fault::Delay(endless));
    let seen = scene.github.requests().len();
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "mirrors::damage::a_process_of_its_own", "--nocapture"])
        .env("MIRRORS_OF_A_TEST", directory.path())
        .env("URL", &remote.url)
        .env("COMMIT", &new)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("a process");
    while scene.github.requests().len() < seen + 2 {
        assert!(child.try_wait().expect("a process").is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(10));
    }
    // While it lives the folder is its own.
    let error = Mirrors::open(directory.path(), Bounds::default()).expect_err("it is taken");
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    assert!(error.to_string().contains("another process"), "{error}");
    child.kill().expect("it can be killed");
    child.wait().expect("it ended");
    assert!(directory.path().join("1234.git/writing").exists());
    let mirrors = opened(directory.path(), Bounds::default());
    let found = mirrors.fetch(ID, &remote, &[&old, &new], 1).expect("both commits");
    assert_eq!(read(&found, &new, "shop/policy.yaml"), Some(policy(ANY)));
    assert_eq!(read(&found, &old, "shop/policy.yaml"), Some(policy(WEB)));
    scene.github.clear_faults();
    // The server waits for the delay of the one that was killed, or for its end.
    drop(found);
}

#[test]
fn what_a_killed_process_leaves_behind_is_in_nobodys_way() {
    let world = shop_world();
    let commit = world.git(&["rev-parse", "feature"]);
    let scene = Scene::new(&world);
    let remote = remote(&scene, TOKEN);
    for left in [
        "writing",
        "shallow.lock",
        "config.lock",
        "objects/pack/tmp_pack_abc",
        "refs/kept/0.lock",
        "objects/maintenance.lock",
    ] {
        let folder = Folder::new();
        folder.mirrors.fetch(ID, &remote, &[&commit], 1).expect("a commit");
        fs::write(folder.of("1234.git").join(left), "").expect("a file");
        let folder = folder.again();
        assert_eq!(folder.names(), Vec::<String>::new(), "{left}");
        let found = folder.mirrors.fetch(ID, &remote, &[&commit], 1).expect("a commit");
        assert_eq!(read(&found, &commit, "shop/policy.yaml"), Some(policy(ANY)), "{left}");
        assert_eq!(folder.names(), ["1234.git"], "{left}");
    }
    // What only half exists, and what is none of ours.
    let folder = Folder::new();
    fs::create_dir_all(folder.of("1234.git/objects")).expect("a folder");
    fs::create_dir_all(folder.of("somebody's.git")).expect("a folder");
    let folder = folder.again();
    folder.mirrors.fetch(ID, &remote, &[&commit], 1).expect("a commit");
    // A configuration that would run something is not believed.
    let config = folder.of("1234.git/config");
    let ours = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, format!("{ours}[remote \"upstream\"]\n\tuploadpack = touch pwned\n[alias]\n\tcat-file = !touch pwned\n")).expect("a file");
    let folder = folder.again();
    folder.mirrors.fetch(ID, &remote, &[&commit], 1).expect("a commit");
    assert_eq!(fs::read_to_string(&config).expect("a configuration"), ours);
    scene.github.finish();
}

#[test]
fn damage_is_found_and_the_mirror_made_anew_once() {
    let world = shop_world();
    let scene = Scene::new(&world);
    let folder = Folder::new();
    let expected = format!("{:#?}", review(&scene, "1", &folder.inputs()).evaluated.report);
    let packs = |folder: &Folder| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder.of(&folder.names()[0]).join("objects/pack"));
        let paths = entries.expect("packs").flatten().map(|entry| entry.path());
        let mut packs: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|end| end == "pack")).collect();
        packs.sort();
        packs
    };
    let mut folder = folder;
    let count = packs(&folder).len();
    assert!(count >= 2);
    let mut round = 1;
    for pack in 0..count {
        for damage in ["flipped", "cut", "gone"] {
            folder = folder.again();
            let path = packs(&folder)[pack].clone();
            let mut bytes = fs::read(&path).expect("a pack");
            match damage {
                // Every byte of the objects, and not the name of the pack at its end.
                "flipped" => {
                    let end = bytes.len() - 20;
                    bytes[12..end].iter_mut().for_each(|byte| *byte ^= 0x55);
                }
                "cut" => bytes.truncate(bytes.len() / 2),
                _ => {}
            }
            fs::remove_file(&path).expect("a pack");
            if damage != "gone" {
                fs::write(&path, &bytes).expect("a pack");
            }
            round += 1;
            let report = review(&scene, &round.to_string(), &folder.inputs()).evaluated.report;
            assert_eq!(format!("{report:#?}"), expected, "{damage}, pack {pack}");
            // What is there now is whole.
            folder = folder.again();
            round += 1;
            let seen = scene.github.requests().len();
            review(&scene, &round.to_string(), &folder.inputs());
            assert_eq!(fetches(&scene, seen).len(), 0, "{damage}, pack {pack}");
            assert_eq!(folder.names().len(), 1);
        }
    }
    scene.github.finish();
}

#[test]
fn a_server_that_fails_costs_no_mirror() {
    let world = shop_world();
    let [old, new] = ["main", "feature"].map(|branch| world.git(&["rev-parse", branch]));
    let scene = Scene::new(&world);
    let folder = Folder::new();
    let known = remote(&scene, TOKEN);
    folder.mirrors.fetch(ID, &known, &[&old], 1).expect("a commit");
    let unknown = Remote { url: scene.github.git_url("shop/gone"), ..known.clone() };
    let refused = remote(&scene, "expired");
    let failed = |result: Result<Repository, Error>| -> (String, bool) {
        match result.map(|_| ()).expect_err("no commit") {
            Error::Fetch { reason, missing, .. } => (reason, missing),
            other => panic!("{other}"),
        }
    };
    for remote in [&unknown, &refused] {
        assert!(!failed(folder.mirrors.fetch(ID, remote, &[&new], 1)).1);
    }
    for fault in [
        Fault::Status(500),
        Fault::Html(502),
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Truncated,
    ] {
        scene.github.fault_always(When::is("POST", "git-upload-pack"), fault);
        let (reason, missing) = failed(folder.mirrors.fetch(ID, &known, &[&new], 1));
        assert!(!missing, "{fault:?}: {reason}");
        scene.github.clear_faults();
    }
    // A commit that nobody has, and what is no commit.
    assert!(failed(folder.mirrors.fetch(ID, &known, &[&"0123456789".repeat(4)], 1)).1);
    for wrong in ["main", "--upload-pack=touch", "", &"g".repeat(40)] {
        assert!(failed(folder.mirrors.fetch(ID, &known, &[wrong], 1)).1);
    }
    assert_eq!(folder.names(), ["1234.git"]);
    let seen = scene.github.requests().len();
    folder.mirrors.fetch(ID, &known, &[&old], 1).expect("it is still here");
    assert_eq!(scene.github.requests().len(), seen);
    folder.mirrors.fetch(ID, &known, &[&new], 1).expect("once the server is well");
    assert_eq!(folder.names(), ["1234.git"]);
    scene.github.finish();
}

#[test]
fn what_could_not_be_fetched_on_demand_fails_the_review() {
    let Some(_) = kustomize() else { return };
    let world = shop_world();
    let files = "resources: []\nconfigMapGenerator: [{name: c, files: [a.conf]}]\n";
    let files = [("base/kustomization.yaml", Some(files)), ("base/a.conf", Some("a"))];
    world.commit("feature", &files);
    let scene = Scene::new(&world);
    review(&scene, "1", &Folder::new().inputs());
    let last = fetches(&scene, 0).len() - 1;
    scene.github.finish();
    // The last of them brings what is built from: without it nobody knows what it is built to.
    let scene = Scene::new(&world);
    let folder = Folder::new();
    let late = When::is("POST", "git-upload-pack").after(last);
    scene.github.fault_always(late, Fault::Status(500));
    let failed = scene.run_as("1", &scene.event(), &folder.inputs());
    let error = failed.map(|_| ()).expect_err("a file is missing");
    assert!(matches!(error, RunError::Source(Error::Fetch { .. })), "{error}");
    assert!(fetches(&scene, 0).iter().take(last).all(|fetch| fetch.status == Some(200)));
    let check = scene.github.check_runs(REPOSITORY).pop().expect("a check");
    assert_eq!(check.conclusion.as_deref(), Some("failure"));
    scene.github.clear_faults();
    review(&scene, "2", &folder.inputs());
    assert_eq!(folder.names(), ["1234.git"]);
    scene.github.finish();
}
