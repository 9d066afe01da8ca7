//! Names of revisions to commits, and what to say where a name means nothing.

use super::program::{Git, complaint};
use super::range::Range;
use crate::nearest::nearest;
use crate::report::Snapshot;
use crate::source::{Error, Loaded, NoSuchRevision, Others};
use crate::tree::Tree;

/// A revision that exists.
#[derive(Debug)]
pub(super) struct Revision {
    /// As the user wrote it.
    pub(super) name: String,
    /// The object id of the commit, or of the tree where a bare tree was named.
    pub(super) id: String,
    is_commit: bool,
}

impl Revision {
    /// A commit by its id.
    pub(super) fn of_commit(id: &str) -> Self {
        Self { name: id.to_string(), id: id.to_string(), is_commit: true }
    }

    /// The side that this revision makes.
    pub(super) fn loaded(self, (tree, others): (Tree, Others)) -> Loaded {
        let snapshot = Snapshot {
            source: "git",
            name: self.name.clone(),
            commit: self.is_commit.then_some(self.id),
        };
        Loaded { tree: Tree { name: self.name, ..tree }, snapshot, others }
    }
}

impl Git {
    /// The commit (or tree) that a name means.
    pub(super) fn resolve(&self, name: &str, range: &Range) -> Result<Revision, Error> {
        let mut reason = String::new();
        for (kind, is_commit) in [("commit", true), ("tree", false)] {
            let wanted = format!("{name}^{{{kind}}}");
            let output = self.ask("rev-parse", ["--verify", "--end-of-options", &wanted])?;
            let id = String::from_utf8_lossy(&output.stdout).trim().to_string();
            if output.status.success() && is_object_id(&id) {
                return Ok(Revision { name: name.to_string(), id, is_commit });
            }
            if is_commit {
                reason = complaint(&output.stderr);
            }
        }
        Err(self.no_such_revision(name, range, &reason))
    }

    /// The commit where two histories parted.
    pub(super) fn merge_base(&self, base: &Revision, head: &Revision) -> Result<Revision, Error> {
        let output = self.ask("merge-base", [&base.id, &head.id])?;
        let id = String::from_utf8_lossy(&output.stdout).trim().to_string();
        if output.status.success() && is_object_id(&id) {
            return Ok(Revision {
                name: format!("merge base of {} and {}", base.name, head.name),
                id,
                is_commit: true,
            });
        }
        if output.status.code() != Some(1) {
            return Err(self.failed("merge-base", &output.stderr));
        }
        let tries = match self.is_shallow() {
            true => vec![SHALLOW.to_string()],
            false => {
                vec![format!("`--git {}..{}` to compare them as they are", base.name, head.name)]
            }
        };
        Err(Error::NoMergeBase { base: base.name.clone(), head: head.name.clone(), tries })
    }

    fn no_such_revision(&self, name: &str, range: &Range, said: &str) -> Error {
        let mut nearest = Vec::new();
        let mut tries = Vec::new();
        let why = if said.contains("ambiguous") {
            format!("is ambiguous ({said})")
        } else if let Some(known) = self.longest_known(name) {
            let rest = &name[known.len()..];
            format!("does not exist: there is `{known}`, but nothing at `{rest}` from it,")
        } else if is_object_id(name) {
            tries.push(format!("`git fetch origin {name}`"));
            "does not exist".to_string()
        } else {
            nearest = self.similar(name);
            "does not exist".to_string()
        };
        if self.is_shallow() {
            tries.push(SHALLOW.to_string());
        } else if nearest.is_empty() && tries.is_empty() {
            tries.push(
                "`git fetch`, if it is newer than this clone; `git branch --all` lists what is here".to_string(),
            );
        }
        Error::NoSuchRevision(Box::new(NoSuchRevision {
            revision: name.to_string(),
            range: range.to_string(),
            repo: self.name(),
            why,
            nearest,
            tries,
        }))
    }

    /// `HEAD~1` of `HEAD~1~50`: the longest beginning, cut before an operator, that exists.
    fn longest_known<'a>(&self, name: &'a str) -> Option<&'a str> {
        let cuts = name.char_indices().rev().filter(|(at, character)| {
            *at > 0 && (matches!(character, '~' | '^' | ':') || name[*at..].starts_with("@{"))
        });
        cuts.map(|(at, _)| &name[..at]).find(|stem| {
            let wanted = format!("{stem}^{{commit}}");
            self.ask("rev-parse", ["--verify", "--quiet", "--end-of-options", &wanted])
                .is_ok_and(|output| output.status.success())
        })
    }

    /// Branches and tags with almost this name, those of a remote (`origin/main` for `main`) first.
    fn similar(&self, name: &str) -> Vec<String> {
        let listed = self
            .run(
                "for-each-ref",
                ["--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes"],
            )
            .unwrap_or_default();
        let listed = String::from_utf8_lossy(&listed);
        let names: Vec<&str> = listed.lines().chain(["HEAD"]).collect();
        let of_remote =
            |known: &&&str| known.strip_suffix(name).is_some_and(|remote| remote.ends_with('/'));
        let mut found: Vec<String> =
            names.iter().filter(of_remote).take(2).map(|s| s.to_string()).collect();
        for close in nearest(name, names.iter().copied(), 3) {
            if found.len() < 3 && !found.iter().any(|known| known == close) {
                found.push(close.to_string());
            }
        }
        found
    }
}

/// What helps where history is missing.
const SHALLOW: &str = "`git fetch --unshallow` (this clone is shallow, older commits are not in it; \
     for actions/checkout, `fetch-depth: 0`)";

/// Hexadecimal digits and nothing else: safe as an argument, and what git prints for an object.
pub(super) fn is_object_id(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
