//! docs/comment.md shows the comment that a review of the shop ends with.

use crate::scene::{REPOSITORY, Scene};
use crate::world::World;
use std::path::Path;

/// All files of a fixture, by their paths in it.
fn files(folder: &Path, below: &str, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        match entry.path() {
            path if path.is_dir() => files(&path, &format!("{name}/"), found),
            path => found.push((name, std::fs::read_to_string(path).expect("a text"))),
        }
    }
}

/// `UPDATE_COMMENT=1` writes it.
#[test]
fn the_documentation_shows_the_real_comment() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let world = World::new();
    for (branch, side) in [("main", "before"), ("feature", "after")] {
        let mut found = Vec::new();
        files(&root.join("fixtures/shop").join(side), "", &mut found);
        let texts: Vec<(&str, Option<&str>)> =
            found.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
        world.commit(branch, &texts);
    }
    let scene = Scene::new(&world);
    scene.run().expect("a review");
    let comment = scene.comments().remove(0);
    assert_eq!(scene.github.check_runs(REPOSITORY).len(), 1);
    scene.github.finish();

    let path = root.join("docs/comment.md");
    let (begin, end) = ("<!-- comment: begin -->\n\n", "<!-- comment: end -->\n");
    let text = std::fs::read_to_string(&path).expect("docs/comment.md");
    let (head, rest) = text.split_once(begin).expect("docs/comment.md marks its sample");
    let (written, tail) = rest.split_once(end).expect("docs/comment.md marks its sample's end");
    if std::env::var_os("UPDATE_COMMENT").is_some() {
        std::fs::write(&path, format!("{head}{begin}{comment}{end}{tail}")).expect("it is written");
        return;
    }
    assert_eq!(
        written, comment,
        "left: docs/comment.md, right: the program; UPDATE_COMMENT=1 writes it"
    );
}
