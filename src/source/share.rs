//! Equal bytes on both sides become one content, so that they are parsed once.

use crate::tree::{Content, Tree};
use std::collections::{HashMap, HashSet};

/// Lets every file of `after` whose bytes occur in `before` share the content of `before`. Bytes are
/// always compared in full; the usual case, the same path, is compared first and without hashing.
pub(super) fn share(before: &Tree, after: &mut Tree) {
    let mut left: Vec<&mut Content> = Vec::new();
    for (path, content) in &mut after.files {
        match before.files.get(path) {
            Some(same) if same.same(content) => *content = same.clone(),
            _ => left.push(content),
        }
    }
    let lengths: HashSet<usize> = left.iter().map(|content| content.bytes().len()).collect();
    let known: HashMap<&[u8], &Content> = before
        .files
        .values()
        .filter(|content| lengths.contains(&content.bytes().len()))
        .map(|content| (content.bytes(), content))
        .collect();
    for content in left {
        if let Some(same) = known.get(content.bytes()) {
            *content = (*same).clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_path_and_moved_files_share_changed_ones_do_not() {
        let before = Tree::from_texts("b", [("same", "1"), ("moved", "22"), ("changed", "x")]);
        let mut after =
            Tree::from_texts("a", [("same", "1"), ("new/place", "22"), ("changed", "y")]);
        share(&before, &mut after);
        let address = |tree: &Tree, path: &str| tree.files.get(path).map(Content::address);
        assert_eq!(address(&before, "same"), address(&after, "same"));
        assert_eq!(address(&before, "moved"), address(&after, "new/place"));
        assert_ne!(address(&before, "changed"), address(&after, "changed"));
    }
}
