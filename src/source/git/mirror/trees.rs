//! Trees as objects, and the files of a commit, within bounds.
//!
//! `git ls-tree` would print the same; but most trees of a commit are those of one that was looked at before, and a
//! tree may be made to hold more files than anybody can list.

use super::id::Id;
use std::sync::Arc;

/// What an entry of a tree is, as git tells modes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source::git) enum Mode {
    File,
    Link,
    Directory,
    Submodule,
}

impl Mode {
    fn of(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o100_000 => Mode::File,
            0o120_000 => Mode::Link,
            0o040_000 => Mode::Directory,
            _ => Mode::Submodule,
        }
    }

    /// As `git ls-tree` writes it.
    pub(in crate::source::git) fn text(self) -> &'static [u8] {
        match self {
            Mode::File => b"100644",
            Mode::Link => b"120000",
            Mode::Directory => b"040000",
            Mode::Submodule => b"160000",
        }
    }
}

/// An entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) mode: Mode,
    pub(super) name: Box<[u8]>,
    pub(super) id: Id,
}

/// A tree.
pub(super) type Tree = Arc<[Entry]>;

/// Is this a name that no program gives a file, and that would lead elsewhere if it were believed?
pub(super) fn leads_elsewhere(name: &[u8]) -> bool {
    name.contains(&b'/') || crate::source::leads_elsewhere(name).is_some()
}

/// Reads a tree object; `None`: it is damaged.
pub(super) fn parse(mut bytes: &[u8]) -> Option<Tree> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let space = memchr::memchr(b' ', bytes)?;
        let mode = std::str::from_utf8(bytes.get(..space)?).ok()?;
        let mode = Mode::of(u32::from_str_radix(mode, 8).ok()?);
        bytes = bytes.get(space + 1..)?;
        let end = memchr::memchr(0, bytes)?;
        let name = bytes.get(..end)?;
        let id = Id::of_bytes(bytes.get(end + 1..end + 21)?)?;
        bytes = bytes.get(end + 21..)?;
        entries.push(Entry { mode, name: name.into(), id });
    }
    Some(entries.into())
}

/// A commit: its tree, and its parents as it names them, whether they are here or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source::git) struct Commit {
    pub(in crate::source::git) tree: Id,
    pub(in crate::source::git) parents: Vec<Id>,
}

/// Reads a commit object.
pub(super) fn parse_commit(bytes: &[u8]) -> Option<Commit> {
    let text = String::from_utf8_lossy(bytes);
    let header = || text.lines().take_while(|line| !line.is_empty());
    let tree = Id::of_hex(header().next()?.strip_prefix("tree ")?)?;
    let parents = header().filter_map(|line| line.strip_prefix("parent "));
    Some(Commit { tree, parents: parents.map(Id::of_hex).collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let entry =
            |(mode, name): &(&str, &[u8])| [mode.as_bytes(), b" ", name, &[0], &[7; 20]].concat();
        entries.iter().flat_map(entry).collect()
    }

    #[test]
    fn trees() {
        let bytes = object(&[
            ("100644", b"a.yaml"),
            ("100664", b"old way"),
            ("100755", b"run"),
            ("120000", b"link"),
            ("40000", b"dir"),
            ("160000", b"sub"),
            ("100644", b"\xff"),
        ]);
        let modes: Vec<Mode> =
            parse(&bytes).expect("a tree").iter().map(|entry| entry.mode).collect();
        use Mode::{Directory, File, Link, Submodule};
        assert_eq!(modes, [File, File, File, Link, Directory, Submodule, File]);
        assert_eq!(parse(b"").as_deref(), Some(&[][..]));
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        for name in [&b""[..], b".", b"..", b"a/b", b"/etc/passwd", b".Git"] {
            assert!(leads_elsewhere(name), "{name:?}");
        }
        assert!(!leads_elsewhere(b"..."));
        let whole = object(&[("100644", b"a")]);
        for end in 1..whole.len() {
            assert_eq!(parse(&whole[..end]), None, "{end}");
        }
        assert_eq!(parse(&object(&[("x", b"a")])), None);
    }

    #[test]
    fn commits() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let text = format!("tree {id}\nparent {id}\nparent {id}\nauthor a\n\nparent nobody\n");
        let commit = parse_commit(text.as_bytes()).expect("a commit");
        assert_eq!((commit.tree.to_string().as_str(), commit.parents.len()), (id, 2));
        assert_eq!(parse_commit(b"object x"), None);
        assert_eq!(parse_commit(b"tree 12\n"), None);
    }
}
