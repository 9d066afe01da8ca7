//! What is too large, and what was made to be.

use super::{Folder, ID, REPOSITORY, opened, policy, read, remote, shop_world};
use crate::scene::{Scene, TOKEN};
use crate::server::{Fault, When};
use crate::world::{WEB, World};
use netpol_review::source::git::Bounds;
use netpol_review::source::{Error, Meter};
use std::fs;
use std::time::{Duration, Instant};

#[test]
fn the_oldest_mirrors_make_room_and_none_in_use() {
    let world = World::new();
    // Nothing that packs well.
    let noise: String = (0..40_000_u64)
        .map(|number| format!("# {:x}\n", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    let commit = world.commit("main", &[("p.yaml", Some(&noise))]);
    world.commit("feature", &[]);
    let scene = Scene::new(&world);
    let folder = Folder::with(Bounds { folder: 1_100_000, ..Bounds::default() });
    let remote = remote(&scene, TOKEN);
    let fetch = |id: u64| {
        let found = folder.mirrors.fetch(id, &remote, &[&commit], 1).expect("a commit");
        assert!(read(&found, &commit, "p.yaml").is_some());
        found
    };
    let one = fetch(1);
    let size = folder.mirrors.figures().bytes;
    assert!((300_000..500_000).contains(&size), "{size}");
    drop(fetch(2));
    drop(fetch(1));
    drop(fetch(3));
    // Two have room; the first is in use, and of the others the second was used last before the third.
    assert_eq!(folder.names(), ["1.git", "3.git"]);
    drop(one);
    drop(fetch(4));
    assert_eq!(folder.names(), ["3.git", "4.git"]);
    drop(fetch(2));
    let folder = folder.again();
    assert_eq!(folder.names().len(), 2);
    let Folder { directory, mirrors } = folder;
    drop(mirrors);
    let small = Bounds { folder: 500_000, ..Bounds::default() };
    let folder = Folder { mirrors: opened(directory.path(), small), directory };
    assert_eq!(folder.names(), ["2.git"], "the one that was written last");
    scene.github.finish();
}

/// The error of reviewing a world within bounds, as its check says it.
fn refused(world: &World, bounds: Bounds) -> String {
    let scene = Scene::new(world);
    let folder = Folder::with(bounds);
    let started = Instant::now();
    let error =
        scene.run_as("1", &scene.event(), &folder.inputs()).map(|_| ()).expect_err("a bound");
    assert!(started.elapsed() < Duration::from_secs(20));
    let check = scene.github.check_runs(REPOSITORY).pop().expect("a check");
    assert_eq!(check.conclusion.as_deref(), Some("failure"));
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default().to_string();
    assert!(check.summary.as_deref().is_some_and(|said| said.contains("could not")), "{check:#?}");
    scene.github.finish();
    first
}

#[test]
fn each_bound_has_words_of_its_own() {
    let world = shop_world();
    let bounds = Bounds::default();
    let text = refused(&world, Bounds { manifests: 2, ..bounds });
    assert!(text.contains("it has 3 manifests, more than the 2 that are read"), "{text}");
    let text = refused(&world, Bounds { manifest_bytes: 100, ..bounds });
    assert!(text.contains("more than the 100 that are read"), "{text}");
    let text = refused(&world, Bounds { files: 3, ..bounds });
    assert!(text.contains("more than 3 files and directories"), "{text}");
    let text = refused(&world, Bounds { fetch_bytes: 100, ..bounds });
    assert!(text.contains("brings more than 100 bytes"), "{text}");

    let scene = Scene::new(&world);
    let folder = Folder::with(Bounds { fetch_time: Duration::from_millis(300), ..bounds });
    scene
        .github
        .fault_always(When::is("POST", "git-upload-pack"), Fault::Delay(Duration::from_secs(3)));
    let commit = world.git(&["rev-parse", "main"]);
    let started = Instant::now();
    let error = folder.mirrors.fetch(ID, &remote(&scene, TOKEN), &[&commit], 1);
    let error = error.map(|_| ()).expect_err("too long");
    assert!(matches!(error, Error::FetchTooLong { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(folder.names(), Vec::<String>::new(), "what was ended is not believed");
    scene.github.clear_faults();
    folder.mirrors.fetch(ID, &remote(&scene, TOKEN), &[&commit], 1).expect("a commit");
    scene.github.finish();
}

/// A commit of a tree that is made of these lines of `git mktree`, one level above another.
fn commit_of(world: &World, tree: &str) -> String {
    world.git(&["commit-tree", "-m", "hostile", tree])
}

/// Makes a tree object of any bytes.
fn raw_tree(world: &World, entries: &[(&str, &str, &str)]) -> String {
    let mut bytes = Vec::new();
    for (mode, name, id) in entries {
        bytes.extend(format!("{mode} {name}\0").bytes());
        let digit = |at: usize| u8::from_str_radix(&id[at..at + 2], 16).expect("hexadecimal");
        bytes.extend((0..40).step_by(2).map(digit));
    }
    let file = world.bare().join("raw-tree");
    fs::write(&file, bytes).expect("a file");
    let path = file.to_str().expect("a path");
    world.git(&["hash-object", "-t", "tree", "--literally", "-w", path])
}

#[test]
fn hostile_trees_end_in_words() {
    let world = shop_world();
    let blob = world.git(&["rev-parse", "main:shop/policy.yaml"]);
    let scene = Scene::new(&world);
    let folder = Folder::with(Bounds { files: 100_000, ..Bounds::default() });
    let remote = remote(&scene, TOKEN);
    let paired = |tree: &str| -> Result<usize, Error> {
        let commit = commit_of(&world, tree);
        let found = folder.mirrors.fetch(ID, &remote, &[&commit], 1)?;
        let pair = found.pair(&commit, &commit, &[], &Meter::default())?;
        Ok(pair.after.tree.files.len())
    };
    for name in ["..", ".", "a/../../b.yaml", "/etc/x.yaml"] {
        let tree = raw_tree(&world, &[("100644", name, &blob)]);
        let error = paired(&tree).expect_err("a name that no file has");
        assert!(matches!(error, Error::NoFileName { .. }), "{name}: {error}");
    }
    // Ten trees in one, ten times over: ten thousand million files in a few objects.
    let mut tree = raw_tree(&world, &[("100644", "p.yaml", &blob)]);
    for _ in 0..10 {
        let names: Vec<String> = (0..10).map(|number| format!("d{number}")).collect();
        let entries: Vec<(&str, &str, &str)> =
            names.iter().map(|name| ("40000", name.as_str(), tree.as_str())).collect();
        tree = raw_tree(&world, &entries);
    }
    let started = Instant::now();
    let error = paired(&tree).expect_err("too many files").to_string();
    assert!(error.contains("more than 100000 files and directories"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    // Directories in directories, without end.
    let mut tree = raw_tree(&world, &[("100644", "p.yaml", &blob)]);
    for _ in 0..1500 {
        tree = raw_tree(&world, &[("40000", "abc", &tree)]);
    }
    let error = paired(&tree).expect_err("too long a path").to_string();
    assert!(error.contains("a path of more than 4096 bytes"), "{error}");
    // Names that are none of these are names like others.
    let tree = raw_tree(&world, &[("100644", "...yaml", &blob), ("100664", "a\\x.yaml", &blob)]);
    assert_eq!(paired(&tree).expect("a pair"), 2);
    assert_eq!(folder.names(), ["1234.git"], "none of it is damage");
    scene.github.finish();
}

#[test]
fn many_fetches_leave_few_packs() {
    let world = shop_world();
    let scene = Scene::new(&world);
    let folder = Folder::new();
    let remote = remote(&scene, TOKEN);
    let mut last = String::new();
    for number in 0..50 {
        let text = format!("# {number}\n{}", policy(WEB));
        last = world.commit("feature", &[("shop/policy.yaml", Some(&text))]);
        let found = folder.mirrors.fetch(ID, &remote, &[&last], 1).expect("a commit");
        assert_eq!(read(&found, &last, "shop/policy.yaml"), Some(text));
    }
    let packs = fs::read_dir(folder.of("1234.git/objects/pack")).expect("packs").flatten();
    let packs = packs.filter(|entry| entry.path().extension().is_some_and(|end| end == "pack"));
    assert!(packs.count() <= 42);
    let references = fs::read_dir(folder.of("1234.git/refs/kept")).expect("references");
    assert_eq!(references.count(), 16);
    let folder = folder.again();
    let seen = scene.github.requests().len();
    let found = folder.mirrors.fetch(ID, &remote, &[&last], 1).expect("a commit");
    assert!(read(&found, &last, "shop/policy.yaml").is_some());
    assert_eq!(scene.github.requests().len(), seen);
    scene.github.finish();
}
