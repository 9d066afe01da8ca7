//! A snapshot of manifest files: the only input of the core.
//!
//! Edges (directories, git revisions) build trees; nothing in here touches a disk.

use sha2::{Digest, Sha256};
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

/// Files of one side by their path: relative to the root of the snapshot, `/` between components.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// What the reader of this snapshot calls it: a directory, or a revision as the user wrote it.
    pub name: String,
    /// The manifest files (`.yaml`, `.yml`, `.json`, `Kustomization`), and what else is part of a Helm
    /// chart.
    pub files: BTreeMap<Arc<str>, Content>,
    /// What the source could not or would not read: symbolic links, submodules, enormous files ...
    pub skipped: Vec<SkippedFile>,
    /// Which of the files are no files of the repository but text that a tool built, and from what.
    pub rendered: BTreeMap<Arc<str>, Arc<Rendered>>,
    /// What whoever made the snapshot could not do: build something, say.
    pub problems: Vec<Problem>,
    /// Objects that live elsewhere and count as declared. Both sides of a comparison are given the same.
    pub inventory: Vec<InventoryFile>,
}

/// Objects of a cluster that the tree does not hold, as `kubectl get -o yaml` or `netpol-review snapshot`
/// writes them.
#[derive(Clone, Debug)]
pub struct InventoryFile {
    /// What reports call it.
    pub name: Arc<str>,
    /// Its path in the trees, if it lies in them: it is no manifest there.
    pub path: Option<Arc<str>>,
    /// What counts of it: what it holds before the change.
    pub content: Content,
    /// The change under review edits or removes it.
    pub edited: bool,
    /// The one environment that it is of; `None`: every one.
    pub environment: Option<Arc<str>>,
}

/// Where text that a tool built came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The file that stands for it where no line can be told: a kustomization, a chart.
    pub entry: Arc<str>,
    /// The namespace of objects that name none, where the one who deploys it says so.
    pub namespace: Option<String>,
    /// The files that lines came from.
    pub files: Vec<Arc<str>>,
    /// For each line of the text, what it may have come from, the likeliest first; none: nobody knows.
    pub lines: Vec<Vec<Source>>,
}

impl Rendered {
    /// A file as it stands, in which objects that name no namespace are in this one.
    pub fn plain(file: Arc<str>, content: &Content, namespace: String) -> Self {
        let count = memchr::memchr_iter(b'\n', content.bytes()).count() + 1;
        let lines = (1..=u32::try_from(count).unwrap_or(u32::MAX))
            .map(|line| vec![Source { file: 0, line, changed: false }])
            .collect();
        Self { entry: file.clone(), namespace: Some(namespace), files: vec![file], lines }
    }
}

/// A line that a line of built text came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Index in [`Rendered::files`].
    pub file: u32,
    /// From 1.
    pub line: u32,
    /// The change under review touches the line, or takes away what stood beside it.
    pub changed: bool,
}

/// Does the file's name say that it holds manifests? `.yaml`, `.yml` or `.json`, in any letter case:
/// `kubectl` reads them in lower case only, but a file left out unseen is worse than one too many. And
/// `Kustomization`, the one of kustomize's three names that has no extension.
pub fn is_manifest(name: &str) -> bool {
    if name.rsplit('/').next() == Some("Kustomization") {
        return true;
    }
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return false;
    };
    !stem.is_empty()
        && ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// True iff a file is a kustomization by its name.
pub fn is_kustomization(path: &str) -> bool {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    matches!(name, "kustomization.yaml" | "kustomization.yml" | "Kustomization")
}

/// Files that are read on demand, whatever their names: what tools build from.
pub trait Files {
    /// The bytes of a regular file, if there is one and it can be read.
    fn read(&self, path: &str) -> Option<Content>;
    /// Is there a regular file of this path?
    fn is_file(&self, path: &str) -> bool;
    /// The paths of all regular files below a directory, in order; "" is the root.
    fn below(&self, directory: &str) -> Vec<Arc<str>>;
    /// What identifies what stands at a path, or on the way to it, and is not read: a link with what it leads to,
    /// another repository. `None`: nothing does.
    fn unread(&self, _path: &str) -> Option<String> {
        None
    }
    /// The paths below a directory of what is not read, in order.
    fn unread_below(&self, _directory: &str) -> Vec<Arc<str>> {
        Vec::new()
    }
    /// Is there a regular file below a directory?
    fn is_directory(&self, directory: &str) -> bool {
        !self.below(directory).is_empty()
    }
}

impl Files for Tree {
    fn read(&self, path: &str) -> Option<Content> {
        self.files.get(path).cloned()
    }

    fn is_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    fn below(&self, directory: &str) -> Vec<Arc<str>> {
        below(&self.files, directory).cloned().collect()
    }

    fn is_directory(&self, directory: &str) -> bool {
        below(&self.files, directory).next().is_some()
    }
}

/// Those of the paths of a map that lie below a directory, in order; "" is the root. Takes no look at the others.
pub fn below<'a, V>(
    paths: &'a BTreeMap<Arc<str>, V>,
    directory: &str,
) -> impl Iterator<Item = &'a Arc<str>> + use<'a, V> {
    let start = match directory {
        "" => String::new(),
        directory => format!("{directory}/"),
    };
    paths
        .range::<str, _>((Bound::Included(start.as_str()), Bound::Unbounded))
        .map(|(path, _)| path)
        .take_while(move |path| path.starts_with(&start))
}

/// Something that was not understood, or not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path of the file.
    pub file: Arc<str>,
    /// Line, from 1; `None` for the whole file.
    pub line: Option<u32>,
    /// Kind of the object, where it is known.
    pub kind: Option<String>,
    /// Name of the object (`namespace/name` where it has a namespace), where it is known.
    pub name: Option<String>,
    /// Why, and what to do.
    pub reason: String,
    /// What the object could have changed, had it been read.
    pub affects: Affects,
    /// Identifies what was not read, apart from where it stands: equal before and after iff the change
    /// does not touch it. A digest of the document's bytes, for example.
    pub identity: u128,
    /// What sort of problem it is.
    pub sort: Sort,
}

/// What sort of problem something is. Rules ask for it; no output shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// The API server would refuse the object, which was left out.
    Refused,
    /// A field that the API does not have, which was dropped.
    UnknownField,
    /// Two objects of one identity that say different things, of which one was read.
    Twice,
    /// Anything else.
    #[default]
    Other,
}

/// What something that was not read could have changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Affects {
    /// Nothing that is evaluated.
    Nothing,
    /// Flows from or to pods of this namespace.
    Namespace(Arc<str>),
    /// Any flow, if it holds something that plays a part at all, which nothing tells: a packaged
    /// chart, say. It counts where the change touches it.
    Perhaps,
    /// Any flow.
    Anything,
}

/// The bytes of a file. Whoever loads two sides together shares one `Content` between files with
/// identical bytes, so that equal content is parsed once (see [`Content::same`]).
#[derive(Clone, Debug)]
pub struct Content {
    bytes: Arc<[u8]>,
    notes: Option<Arc<Notes>>,
}

/// How many things are noted of one content: it may be read under several paths.
const MOST_NOTES: usize = 8;

/// What was found out about bytes that outlive a review.
#[derive(Default)]
struct Notes(Mutex<Vec<Arc<dyn Any + Send + Sync>>>);

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notes")
    }
}

impl Content {
    /// Wraps the bytes of one file.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { bytes: bytes.into(), notes: None }
    }

    /// [`Content::new`], of bytes that somebody keeps for further reviews: what is found out about them is kept
    /// with them (see [`Content::note`]).
    pub fn lasting(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { bytes: bytes.into(), notes: Some(Arc::default()) }
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// An identity within this process: equal for clones of one content. Contents with different
    /// addresses may still have equal bytes.
    pub fn address(&self) -> usize {
        self.bytes.as_ptr() as usize
    }

    /// True iff the bytes are the same; a shared content is recognised without comparing bytes.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bytes, &other.bytes) || self.bytes == other.bytes
    }

    /// Something that follows from the bytes and from what `fits` compares, and from nothing else. What was made
    /// before is given again, if the content lasts.
    pub fn note<T: Any + Send + Sync>(
        &self,
        fits: impl Fn(&T) -> bool,
        make: impl FnOnce() -> T,
    ) -> Arc<T> {
        let Some(Notes(notes)) = self.notes.as_deref() else { return Arc::new(make()) };
        let known = {
            let notes = notes.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let mut all = notes.iter().filter_map(|note| note.clone().downcast::<T>().ok());
            all.find(|note| fits(note))
        };
        known.unwrap_or_else(|| {
            let made = Arc::new(make());
            let mut notes = notes.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if notes.len() >= MOST_NOTES {
                notes.remove(0);
            }
            notes.push(made.clone());
            made
        })
    }
}

/// An identity for bytes that are not understood.
pub fn digest(bytes: &[u8]) -> u128 {
    shorten(&Sha256::digest(bytes))
}

/// The first 128 bits of a hash.
pub(crate) fn shorten(hash: &[u8]) -> u128 {
    hash.iter().take(16).fold(0, |digest, byte| (digest << 8) | u128::from(*byte))
}

/// A file that is part of the snapshot but was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedFile {
    /// Path in the snapshot, as in [`Tree::files`].
    pub path: String,
    /// Why, in words that complete "was not read: ...", for example `it is a symbolic link to ...`.
    pub reason: String,
    /// What identifies the content that was not read (a link's target, an object id, a size), so
    /// that a change of it is noticed. Equal on both sides means unchanged.
    pub identity: String,
    /// The file of the tree that it leads to, or the directory, if it is a link to one: what that holds is no part of
    /// the identity as long as it is read under its own name.
    pub leads_to: Option<String>,
}

impl SkippedFile {
    /// Something that leads nowhere else.
    pub fn new(path: String, reason: String, identity: String) -> Self {
        Self { path, reason, identity, leads_to: None }
    }

    /// Makes what a link leads to part of its identity.
    pub fn holds(&mut self, content: &Content) {
        self.identity = format!("{} = {:032x}", self.identity, digest(content.bytes()));
        self.leads_to = None;
    }
}

/// Gives an inventory to both sides of a comparison. A file of it that lies in the trees is taken out of
/// them, and marked if it is not the same in both.
pub fn declare(before: &mut Tree, after: &mut Tree, mut inventory: Vec<InventoryFile>) {
    for file in &mut inventory {
        let Some(path) = &file.path else { continue };
        file.edited |= match (before.files.get(path), after.files.get(path)) {
            (Some(old), Some(new)) => !old.same(new),
            (old, new) => old.is_some() != new.is_some(),
        };
    }
    before.declare(inventory.clone());
    after.declare(inventory);
}

impl Tree {
    /// Gives an inventory to a tree that stands alone. See [`declare`] for the sides of a comparison.
    pub fn declare(&mut self, inventory: Vec<InventoryFile>) {
        for path in inventory.iter().filter_map(|file| file.path.as_ref()) {
            self.leave_out(path);
        }
        self.inventory.extend(inventory);
    }

    /// The manifests that a link leads to, by path.
    pub fn led_to(&self, link: &SkippedFile) -> BTreeMap<&Arc<str>, &Content> {
        let Some(target) = &link.leads_to else { return BTreeMap::new() };
        let file = self.files.get_key_value(target.as_str());
        let inside = below(&self.files, target).filter_map(|path| self.files.get_key_value(path));
        file.into_iter().chain(inside).collect()
    }

    /// Takes a file out that is no manifest, whatever its name.
    pub fn leave_out(&mut self, path: &str) {
        self.files.remove(path);
        self.skipped.retain(|skipped| skipped.path != path);
    }

    /// A tree from paths and texts, for tests and examples.
    pub fn from_texts<'a>(name: &str, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self {
            name: name.to_string(),
            files: files
                .into_iter()
                .map(|(path, text)| (Arc::from(path), Content::new(text.as_bytes())))
                .collect(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_by_name() {
        for name in [
            "a.yaml",
            "a/b.yml",
            "x.json",
            "X.YAML",
            "a.b.yaml",
            "Kustomization",
            "a/Kustomization",
        ] {
            assert!(is_manifest(name), "{name}");
        }
        for name in [
            "a.yaml.tpl",
            "yaml",
            ".yaml",
            "a.yam",
            "README.md",
            "a.yaml~",
            "",
            "kustomization",
            "a.Kustomization",
        ] {
            assert!(!is_manifest(name), "{name}");
        }
    }

    #[test]
    fn notes_are_kept_with_what_lasts() {
        for (content, made_again) in [(Content::new(*b"a"), 4), (Content::lasting(*b"a"), 2)] {
            let mut made = 0;
            for wanted in [1_u32, 1, 2, 2] {
                let note = content.clone().note(
                    |known: &(u32, String)| known.0 == wanted,
                    || {
                        made += 1;
                        (wanted, format!("note {wanted}"))
                    },
                );
                assert_eq!(note.1, format!("note {wanted}"));
                assert_eq!(
                    *content.note(|_: &u8| true, || 7_u8),
                    7,
                    "another type is another note"
                );
            }
            assert_eq!(made, made_again);
        }
        let content = Content::lasting(*b"a");
        for number in 0..100_u32 {
            content.note(|known: &u32| *known == number, || number);
        }
        let kept = content
            .notes
            .as_ref()
            .map(|notes| notes.0.lock().unwrap_or_else(|e| e.into_inner()).len());
        assert_eq!(kept, Some(MOST_NOTES));
    }
}
