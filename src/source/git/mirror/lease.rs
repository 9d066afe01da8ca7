//! A mirror as one review reads it: what is missing is fetched, many at a time.

use super::copy::Mirror;
use super::id::Id;
use super::reader::{Header, Kind, Reader};
use super::trees::{self, Commit, Mode, Tree};
use super::{Bounds, Mirrors, Seen, lock};
use crate::source::git::fetching::{Limits, Remote};
use crate::source::git::program::Git;
use crate::source::git::repository::Repository;
use crate::source::walk::escaped_bytes;
use crate::source::{Error, MAX_FILE_BYTES};
use crate::tree::Content;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The largest commit, and the largest tree, in bytes.
const LARGEST: u64 = 32 << 20;

/// The longest path, in bytes: no system opens a longer one.
const LONGEST_PATH: usize = 4096;

/// Of how many blobs it is remembered that they are here.
const MOST_BLOBS: usize = 200_000;

/// Of how many parents of one commit it is asked whether they are here.
const MOST_PARENTS: usize = 32;

/// A mirror in use, with what it takes to fetch.
pub(in crate::source) struct Lease {
    pub(super) mirrors: Arc<Mirrors>,
    pub(super) mirror: Arc<Mirror>,
    pub(super) remote: Remote,
    reader: Mutex<Option<Reader>>,
    /// Blobs that were seen to be here.
    seen: Seen,
    /// Fetches that were made for one blob each.
    alone: AtomicUsize,
    /// The first thing that went wrong where nobody could be told.
    failure: Mutex<Option<Error>>,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&self.mirror.directory()).finish()
    }
}

impl Lease {
    pub(super) fn new(mirrors: Arc<Mirrors>, mirror: Arc<Mirror>, remote: Remote) -> Self {
        let (reader, alone, failure) = Default::default();
        let seen = mirrors.seen(&mirror);
        Self { mirrors, mirror, remote, reader, seen, alone, failure }
    }

    /// How much is looked at.
    pub(in crate::source::git) fn bounds(&self) -> &Bounds {
        &self.mirrors.bounds
    }

    /// The mirror through the program.
    pub(in crate::source::git) fn git(&self) -> &Git {
        &self.mirror.git
    }

    fn limits(&self) -> Limits {
        let bounds = &self.mirrors.bounds;
        Limits { time: bounds.fetch_time, bytes: bounds.fetch_bytes }
    }

    /// Asks git. Where it stops answering, objects are damaged.
    fn asking<T>(&self, ask: impl FnOnce(&mut Reader) -> io::Result<T>) -> Result<T, Error> {
        let mut reader = lock(&self.reader);
        let mut running = match reader.take() {
            Some(running) => running,
            None => Reader::start(&self.mirror.git)?,
        };
        match ask(&mut running) {
            Ok(answer) => {
                *reader = Some(running);
                Ok(answer)
            }
            Err(error) => Err(self.mirror.damaged(format!("`git cat-file` failed: {error}"))),
        }
    }

    /// The commits in a mirror that takes the place of this one.
    pub(in crate::source::git) fn anew(
        &self,
        id: u64,
        commits: &[&str],
        depth: u32,
    ) -> Result<Repository, Error> {
        self.mirrors.throw_away(id, self);
        self.mirrors.fetch(id, &self.remote, commits, depth)
    }

    /// What went wrong where nobody could be told.
    pub(in crate::source::git) fn failure(&self) -> Option<Error> {
        lock(&self.failure).take()
    }

    fn failed(&self, error: Error) {
        lock(&self.failure).get_or_insert(error);
    }

    /// Makes sure that commits are here with the names of their files, and `depth - 1` generations before them.
    pub(super) fn bring(&self, commits: &[Id], depth: u32) -> Result<(), Error> {
        if self.lacking(commits, depth)?.is_empty() {
            return Ok(());
        }
        let one = lock(&self.mirror.fetching);
        // Somebody else may have fetched them meanwhile.
        let lacking = self.lacking(commits, depth)?;
        if lacking.is_empty() {
            return Ok(());
        }
        self.mirrors.count_fetch();
        self.mirror.fetch_commits(&self.remote, &lacking, depth, self.limits())?;
        drop(one);
        match self.lacking(commits, depth)?.first() {
            None => Ok(()),
            Some(id) => {
                Err(self.mirror.damaged(format!("commit {id} was fetched and is not here")))
            }
        }
    }

    fn lacking(&self, commits: &[Id], depth: u32) -> Result<Vec<Id>, Error> {
        let mut lacking = Vec::new();
        for commit in commits {
            if !self.is_here(*commit, depth)? {
                lacking.push(*commit);
            }
        }
        Ok(lacking)
    }

    fn is_here(&self, commit: Id, depth: u32) -> Result<bool, Error> {
        let mut generation = vec![commit];
        for _ in 0..depth {
            let Some(commits) = self.commits(&generation)?.into_iter().collect::<Option<Vec<_>>>()
            else {
                return Ok(false);
            };
            let trees: Vec<Id> = commits.iter().map(|commit| commit.tree).collect();
            if self.asking(|reader| reader.headers(&trees))?.iter().any(Option::is_none) {
                return Ok(false);
            }
            let parents: BTreeSet<Id> =
                commits.iter().flat_map(|commit| &commit.parents).copied().collect();
            generation = parents.into_iter().take(MOST_PARENTS).collect();
        }
        Ok(true)
    }

    fn commits(&self, ids: &[Id]) -> Result<Vec<Option<Commit>>, Error> {
        let mut commits = Vec::with_capacity(ids.len());
        self.asking(|reader| {
            reader.objects(ids, LARGEST, |_, object| {
                let commit = object.filter(|(kind, _)| *kind == Kind::Commit);
                commits.push(commit.and_then(|(_, bytes)| trees::parse_commit(&bytes)));
            })
        })?;
        Ok(commits)
    }

    /// A commit, if it is here.
    pub(in crate::source::git) fn commit(&self, id: &str) -> Result<Option<Commit>, Error> {
        let Some(id) = Id::of_hex(id) else { return Ok(None) };
        Ok(self.commits(&[id])?.pop().flatten())
    }

    fn tree_of(&self, commit: &str) -> Result<Id, Error> {
        let found = self.commit(commit)?;
        let found =
            found.ok_or_else(|| self.mirror.damaged(format!("there is no commit {commit}")));
        Ok(found?.tree)
    }

    /// Trees, of which most were read before.
    fn trees(&self, ids: &[Id]) -> Result<Vec<Tree>, Error> {
        let number = self.mirror.number;
        let kept = &self.mirrors.trees;
        let mut found: Vec<Option<Tree>> = ids.iter().map(|id| kept.get(&(number, *id))).collect();
        let unread: Vec<Id> =
            ids.iter().zip(&found).filter(|(_, tree)| tree.is_none()).map(|(id, _)| *id).collect();
        if !unread.is_empty() {
            let mut read = Vec::with_capacity(unread.len());
            self.asking(|reader| {
                reader.objects(&unread, LARGEST, |id, object| {
                    let tree = object.filter(|(kind, _)| *kind == Kind::Tree);
                    read.push((id, tree.and_then(|(_, bytes)| trees::parse(&bytes))));
                })
            })?;
            let mut read = read.into_iter();
            for slot in found.iter_mut().filter(|tree| tree.is_none()) {
                let Some((id, Some(tree))) = read.next() else { break };
                kept.insert((number, id), tree.clone());
                *slot = Some(tree);
            }
        }
        let all: Option<Vec<Tree>> = found.into_iter().collect();
        all.ok_or_else(|| {
            self.mirror.damaged("a directory of a commit is not here, or is no directory")
        })
    }

    /// Tells `each` of every file of a commit, in the order of `git ls-tree -r`.
    pub(in crate::source::git) fn files(
        &self,
        commit: &str,
        mut each: impl FnMut(Mode, Id, &[u8]),
    ) -> Result<(), Error> {
        let most = self.mirrors.bounds.files;
        let too_much = |what: String| Error::TooMuch { revision: commit.to_string(), what };
        let root = self.tree_of(commit)?;
        let mut known: FxHashMap<Id, Tree> = FxHashMap::default();
        let mut level = BTreeSet::from([root]);
        while !level.is_empty() {
            let ids: Vec<Id> = level.iter().copied().collect();
            if known.len() + ids.len() > most {
                return Err(too_much(format!("more than {most} directories")));
            }
            known.extend(ids.iter().copied().zip(self.trees(&ids)?));
            let below = ids.iter().filter_map(|id| known.get(id)).flat_map(|tree| tree.iter());
            let below = below.filter(|entry| entry.mode == Mode::Directory).map(|entry| entry.id);
            level = below.filter(|id| !known.contains_key(id)).collect();
        }
        let mut count = 0_usize;
        let mut path: Vec<u8> = Vec::new();
        let mut stack: Vec<(Tree, usize, usize)> = Vec::new();
        stack.extend(known.get(&root).map(|tree| (tree.clone(), 0, 0)));
        while let Some((tree, at, length)) = stack.last_mut() {
            path.truncate(*length);
            let Some(entry) = tree.get(*at) else {
                stack.pop();
                continue;
            };
            *at += 1;
            if trees::leads_elsewhere(&entry.name) {
                let (revision, name) = (commit.to_string(), escaped_bytes(&entry.name));
                return Err(Error::NoFileName { revision, name });
            }
            path.extend_from_slice(&entry.name);
            if path.len() > LONGEST_PATH {
                return Err(too_much(format!("a path of more than {LONGEST_PATH} bytes")));
            }
            // Directories count as well: of a tree that holds itself ten times over, and so on, nothing else may be
            // in sight.
            count += 1;
            if count > most {
                return Err(too_much(format!("more than {most} files and directories")));
            }
            if entry.mode != Mode::Directory {
                each(entry.mode, entry.id, &path);
                continue;
            }
            path.push(b'/');
            let (below, length) = (known.get(&entry.id).cloned(), path.len());
            stack.extend(below.map(|tree| (tree, 0, length)));
        }
        Ok(())
    }

    /// The blobs of regular files of commits; `None` where there is none.
    pub(in crate::source::git) fn blobs(
        &self,
        wanted: &[(&str, &str)],
    ) -> Result<Vec<Option<Id>>, Error> {
        wanted.iter().map(|(commit, path)| self.blob(commit, path)).collect()
    }

    fn blob(&self, commit: &str, path: &str) -> Result<Option<Id>, Error> {
        let found = self.entry(commit, path)?;
        Ok(found.filter(|(mode, _)| *mode == Mode::File).map(|(_, id)| id))
    }

    /// What a path leads to, or what stands in its way.
    pub(in crate::source::git) fn entry(
        &self,
        commit: &str,
        path: &str,
    ) -> Result<Option<(Mode, Id)>, Error> {
        let mut tree = self.tree_of(commit)?;
        let mut names = path.split('/').filter(|name| !name.is_empty()).peekable();
        while let Some(name) = names.next() {
            let here = self.trees(&[tree])?;
            let mut entries = here.iter().flat_map(|tree| tree.iter());
            let Some(entry) = entries.find(|entry| *entry.name == *name.as_bytes()) else { break };
            match (entry.mode, names.peek()) {
                (Mode::Directory, Some(_)) => tree = entry.id,
                // A file in place of a directory: there is nothing of this path.
                (Mode::File, Some(_)) => break,
                (mode, _) => return Ok(Some((mode, entry.id))),
            }
        }
        Ok(None)
    }

    /// The sizes of blobs, in their order. Those that are missing are fetched first, together; one that is not there
    /// even then has no size.
    pub(in crate::source::git) fn sizes(&self, ids: &[Id]) -> Result<Vec<Option<u64>>, Error> {
        let mut sizes: Vec<Option<u64>> = {
            // Whoever reads a blob must have it, wherever else its content was seen.
            let seen = lock(&self.seen);
            let kept = |id: &Id| {
                let here = seen.contains(id).then(|| self.mirrors.contents.get(id)).flatten();
                Some(here?.bytes().len() as u64)
            };
            ids.iter().map(kept).collect()
        };
        let rest = ids.iter().zip(&sizes).filter(|(_, size)| size.is_none());
        let rest: Vec<Id> = rest.map(|(id, _)| *id).collect();
        if rest.is_empty() {
            return Ok(sizes);
        }
        let mut headers = self.asking(|reader| reader.headers(&rest))?;
        if headers.iter().any(Option::is_none) {
            self.fetch(&rest)?;
            headers = self.asking(|reader| reader.headers(&rest))?;
        }
        let mut seen = lock(&self.seen);
        if seen.len() > MOST_BLOBS {
            seen.clear();
        }
        let unknown = ids.iter().zip(&mut sizes).filter(|(_, size)| size.is_none());
        for ((id, slot), header) in unknown.zip(headers) {
            if let Some(Header { kind: Kind::Blob, size }) = header {
                seen.insert(*id);
                *slot = Some(size);
            }
        }
        Ok(sizes)
    }

    /// Fetches those of these blobs that are not here.
    fn fetch(&self, ids: &[Id]) -> Result<(), Error> {
        let one = lock(&self.mirror.fetching);
        let headers = self.asking(|reader| reader.headers(ids))?;
        let missing = ids.iter().zip(headers).filter(|(_, header)| header.is_none());
        let missing: BTreeSet<Id> = missing.map(|(id, _)| *id).collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.mirrors.count_fetch();
        let missing: Vec<Id> = missing.into_iter().collect();
        let fetched = self.mirror.fetch_blobs(&self.remote, &missing, self.limits());
        drop(one);
        self.mirrors.make_room();
        fetched
    }

    /// The contents of blobs that have a size, in their order.
    ///
    /// # Errors
    ///
    /// One of them can't be had: it is never taken for something that is not there.
    pub(in crate::source::git) fn contents(&self, ids: &[Id]) -> Result<Vec<Content>, Error> {
        let kept = &self.mirrors.contents;
        let mut contents: Vec<Option<Content>> = ids.iter().map(|id| kept.get(id)).collect();
        let unread = ids.iter().zip(&mut contents).filter(|(_, content)| content.is_none());
        let (unread, mut slots): (Vec<Id>, Vec<_>) = unread.map(|(id, slot)| (*id, slot)).unzip();
        if !unread.is_empty() {
            let mut slots = slots.iter_mut();
            self.asking(|reader| {
                reader.objects(&unread, MAX_FILE_BYTES, |id, object| {
                    let (Some(slot), Some((Kind::Blob, bytes))) = (slots.next(), object) else {
                        return;
                    };
                    let content = Content::lasting(bytes);
                    kept.insert(id, content.clone());
                    **slot = Some(content);
                })
            })?;
        }
        let all: Option<Vec<Content>> = contents.into_iter().collect();
        all.ok_or_else(|| self.mirror.damaged("the content of a file is not here any more"))
    }

    /// Lets blobs be here before each of them is asked for. What goes wrong is told by whoever asks.
    pub(in crate::source) fn expect(&self, ids: impl Iterator<Item = impl AsRef<str>>) {
        let ids: BTreeSet<Id> = ids.filter_map(|id| Id::of_hex(id.as_ref())).collect();
        let ids: Vec<Id> = ids.into_iter().collect();
        let _ = self.sizes(&ids);
    }

    /// The content of one blob; `None` where it is too large, or can't be had.
    pub(in crate::source) fn content(&self, id: &str) -> Option<Content> {
        match self.try_content(id) {
            Ok(content) => content,
            Err(error) => {
                self.failed(error);
                None
            }
        }
    }

    fn try_content(&self, id: &str) -> Result<Option<Content>, Error> {
        let Some(id) = Id::of_hex(id) else { return Ok(None) };
        if lock(&self.seen).contains(&id)
            && let Some(content) = self.mirrors.contents.get(&id)
        {
            return Ok(Some(content));
        }
        if self.asking(|reader| reader.headers(&[id]))?.iter().any(Option::is_none) {
            if lock(&self.failure).is_some() {
                // What is made of the files will not count, so nobody waits for more of them.
                return Ok(None);
            }
            // What a review reads is fetched before, together.
            let most = self.mirrors.bounds.alone;
            if self.alone.fetch_add(1, Ordering::Relaxed) >= most {
                let what = format!("more than {most} files that had to be fetched one by one");
                return Err(Error::TooMuch { revision: "the files to build from".into(), what });
            }
        }
        match self.sizes(&[id])?.pop().flatten() {
            None => Err(self.mirror.damaged(format!("blob {id} was fetched and is not here"))),
            Some(size) if size > MAX_FILE_BYTES => Ok(None),
            Some(_) => Ok(self.contents(&[id])?.pop()),
        }
    }
}
