//! Sizes of files, and what no file may hold.

use crate::{files_below, none, read, root, sources_below};

const LONGEST: usize = 600;

#[test]
fn no_source_is_longer_than_600_lines() {
    let mut complaints = Vec::new();
    for path in sources_below("") {
        let lines = read(&path).lines().count();
        if lines > LONGEST {
            complaints.push(format!("{}: {lines} lines; split it along an idea", path.display()));
        }
    }
    none(complaints);
}

/// The words are put together here so that this file does not hold them.
#[test]
fn no_unfinished_marks_and_no_paths_of_one_machine() {
    let unfinished = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["XX", "X:"],
        ["todo", "!("],
        ["unimplemented", "!("],
        ["dbg", "!("],
        ["#[ign", "ore"],
    ];
    let machine = [
        ["/wo", "rk/"],
        ["/tmp/", "h-"],
        ["/ro", "ot/"],
        ["/ho", "me/"],
        ["\u{5c}Use", "rs\u{5c}"],
    ];
    let mut complaints = Vec::new();
    for path in files_below("") {
        // What is no text (fixtures of unreadable files, say) holds no marks.
        let Ok(text) = std::fs::read_to_string(root().join(&path)) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            let at = format!("{}:{}", path.display(), number + 1);
            if unfinished.iter().any(|mark| line.contains(&mark.concat())) {
                complaints.push(format!("{at}: an unfinished mark"));
            }
            if machine.iter().any(|part| line.contains(&part.concat())) {
                complaints.push(format!("{at}: a path of one machine"));
            }
        }
    }
    none(complaints);
}
