//! Mirrors: for each repository that was reviewed a bare one of our own, which is kept for the next review.
//!
//! Commits are fetched with the names of their files alone, and contents when a review needs them, many at a time. One
//! process has the folder; its threads share it. Commits that are here are read by everybody at once, and one at a
//! time fetches for a repository. A mirror that is of no use is thrown away and made anew, once.
//!
//! Reading order: `mod` (the folder), `copy` (one mirror, and how it is written), `lease` (one as a review reads it),
//! `reader` (objects to bytes), `trees` (bytes to names), `id`.

mod copy;
mod id;
mod lease;
mod reader;
mod trees;

pub(super) use id::Id;
pub(in crate::source) use lease::Lease;
pub(super) use trees::Mode;

use super::fetching::Remote;
use super::repository::Repository;
use crate::source::{Error, alone};
use crate::tree::Content;
use copy::Mirror;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{UnitWeighter, Weighter};
use rustc_hash::{FxBuildHasher, FxHashSet};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

/// How much mirrors may use.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of the disk, by all mirrors, in bytes. Those that were used last stay; one in use is never taken away.
    pub folder: u64,
    /// Of the disk, by one fetch, in bytes.
    pub fetch_bytes: u64,
    /// By one fetch.
    pub fetch_time: Duration,
    /// Files and directories of one commit, whatever their names.
    pub files: usize,
    /// Manifests of one side.
    pub manifests: usize,
    /// Bytes of the manifests of one side.
    pub manifest_bytes: u64,
    /// Of the memory, by contents and what was read of them, in bytes.
    pub memory: u64,
    /// Blobs that one review may fetch one by one, because nobody knew before that it would read them.
    pub alone: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            folder: 10 << 30,
            fetch_bytes: 2 << 30,
            fetch_time: Duration::from_secs(300),
            files: 500_000,
            manifests: 100_000,
            manifest_bytes: 512 << 20,
            memory: 512 << 20,
            alone: 32,
        }
    }
}

/// What mirrors use and did, for whoever watches them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many there are.
    pub mirrors: usize,
    /// What they take of the disk, in bytes.
    pub bytes: u64,
    /// How many fetches there were so far.
    pub fetches: u64,
    /// What contents, and what was read of them, take of the memory, in bytes: an estimate.
    pub memory: u64,
}

/// A folder of mirrors, for one process.
pub struct Mirrors {
    folder: PathBuf,
    bounds: Bounds,
    all: Mutex<BTreeMap<u64, Arc<Mirror>>>,
    /// A number that only grows.
    clock: AtomicU64,
    fetches: AtomicU64,
    /// By the names of their blobs, which name what is in them: whose they are makes no difference.
    contents: Cache<Id, Content, Weight, FxBuildHasher>,
    /// By mirror and name.
    trees: Cache<(u64, Id), trees::Tree, Weight, FxBuildHasher>,
    /// For the mirrors that were used last, by their number: the blobs that were seen to be in them.
    seen: Cache<u64, Seen, UnitWeighter, FxBuildHasher>,
    /// Held as long as this lives; the system gives it back where the process is killed.
    _lock: File,
}

impl fmt::Debug for Mirrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mirrors").field(&self.folder).finish()
    }
}

/// Names of blobs that a mirror was seen to have.
type Seen = Arc<Mutex<FxHashSet<Id>>>;

/// Of how many mirrors it is remembered what they were seen to have.
const MOST_SEEN: usize = 64;

/// The file that says whose the folder is.
const LOCK: &str = "lock";

/// What follows a repository's number in a mirror's name.
const SUFFIX: &str = ".git";

impl Mirrors {
    /// Takes a folder, which is made where there is none, with the mirrors that an earlier process left in it. Nothing
    /// else may be there.
    ///
    /// # Errors
    ///
    /// Another process has it, or it can't be written.
    pub fn open(folder: &Path, bounds: Bounds) -> Result<Arc<Self>, Error> {
        let unusable = |source| Error::Unreadable { path: folder.to_path_buf(), source };
        private(folder).map_err(unusable)?;
        let Some(lock) = alone(&folder.join(LOCK)).map_err(unusable)? else {
            return Err(Error::InUse { path: folder.to_path_buf() });
        };
        let mirrors = Self {
            folder: folder.to_path_buf(),
            bounds,
            all: Mutex::default(),
            clock: AtomicU64::new(1),
            fetches: AtomicU64::new(0),
            contents: cache(bounds.memory),
            trees: cache(bounds.memory / 8),
            seen: Cache::with(
                MOST_SEEN,
                MOST_SEEN as u64,
                UnitWeighter,
                FxBuildHasher,
                Default::default(),
            ),
            _lock: lock,
        };
        mirrors.adopt().map_err(unusable)?;
        mirrors.make_room();
        Ok(Arc::new(mirrors))
    }

    /// Takes the mirrors that are there, the one that was written last as the one that was used last.
    fn adopt(&self) -> std::io::Result<()> {
        let mut found: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)) else {
                continue;
            };
            let Ok(id) = name.split('-').next().unwrap_or_default().parse() else { continue };
            let written = fs::metadata(entry.path().join("objects/pack"));
            let written =
                written.and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            found.push((written, id, entry.path()));
        }
        found.sort();
        let mut all = lock(&self.all);
        for (_, id, path) in found {
            match Mirror::adopt(path.clone(), self.tick()) {
                // Of two of one repository the newer stays.
                Some(mirror) => {
                    all.insert(id, Arc::new(mirror)).iter().for_each(|old| old.condemn())
                }
                None => drop(fs::remove_dir_all(path)),
            }
        }
        Ok(())
    }

    /// Commits of a repository, with the names of their files and `depth - 1` generations before them. `id` is the
    /// repository's own number, which stays when its name changes. Only what is not here is fetched, with this remote's
    /// token and no other; contents are fetched once they are read.
    ///
    /// # Errors
    ///
    /// The server does not have or give them, a bound is met, or what came is of no use, twice.
    pub fn fetch(
        self: &Arc<Self>,
        id: u64,
        remote: &Remote,
        commits: &[&str],
        depth: u32,
    ) -> Result<Repository, Error> {
        let ids: Result<Vec<Id>, &str> =
            commits.iter().map(|commit| Id::of_hex(commit).ok_or(*commit)).collect();
        let ids = ids.map_err(|wrong| Error::Fetch {
            url: remote.url.clone(),
            reason: format!("`{wrong}` is no commit id"),
            missing: true,
        })?;
        let mut anew = false;
        loop {
            let lease = Arc::new(Lease::new(self.clone(), self.mirror(id)?, remote.clone()));
            let brought = lease.bring(&ids, depth);
            self.make_room();
            match brought {
                Ok(()) => {
                    let commits = commits.iter().map(|commit| commit.to_string()).collect();
                    return Ok(Repository::mirrored(lease, id, commits, depth));
                }
                Err(error) if error.is_damage() && !anew => {
                    anew = true;
                    self.throw_away(id, &lease);
                }
                Err(error) => {
                    if error.is_damage() || lease.mirror.is_condemned() {
                        self.throw_away(id, &lease);
                    }
                    return Err(error);
                }
            }
        }
    }

    /// What there is, and what was done.
    pub fn figures(&self) -> Figures {
        let all = lock(&self.all);
        Figures {
            mirrors: all.len(),
            bytes: all.values().map(|mirror| mirror.size.load(Ordering::Relaxed)).sum(),
            fetches: self.fetches.load(Ordering::Relaxed),
            memory: self.contents.weight() + self.trees.weight(),
        }
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn count_fetch(&self) {
        self.fetches.fetch_add(1, Ordering::Relaxed);
    }

    /// The mirror of a repository, made where there is none.
    fn mirror(&self, id: u64) -> Result<Arc<Mirror>, Error> {
        let mut all = lock(&self.all);
        if let Some(known) = all.get(&id).filter(|known| !known.is_condemned()) {
            known.used.store(self.tick(), Ordering::Relaxed);
            return Ok(known.clone());
        }
        // One that was thrown away may still be read.
        let names = (1..).map(|nth: u64| match nth {
            1 => format!("{id}{SUFFIX}"),
            nth => format!("{id}-{nth}{SUFFIX}"),
        });
        let mut places = names.map(|name| self.folder.join(name));
        let place =
            places.find(|place| !place.exists()).unwrap_or_else(|| self.folder.join("none"));
        let made = Mirror::create(place.clone(), self.tick());
        let made = Arc::new(made.map_err(|source| Error::Unreadable { path: place, source })?);
        all.insert(id, made.clone());
        Ok(made)
    }

    /// What a mirror was seen to have.
    fn seen(&self, mirror: &Mirror) -> Seen {
        let known = self.seen.get(&mirror.number);
        known.unwrap_or_else(|| {
            let seen = Seen::default();
            self.seen.insert(mirror.number, seen.clone());
            seen
        })
    }

    /// Takes a mirror away that is of no use. Its directory goes once nobody reads it.
    pub(super) fn throw_away(&self, id: u64, lease: &Lease) {
        lease.mirror.condemn();
        let mut all = lock(&self.all);
        if all.get(&id).is_some_and(|known| Arc::ptr_eq(known, &lease.mirror)) {
            all.remove(&id);
        }
    }

    /// Takes mirrors away that were not used for longest, as long as there is too much of them.
    fn make_room(&self) {
        let mut gone = Vec::new();
        {
            let mut all = lock(&self.all);
            let size = |mirror: &Arc<Mirror>| mirror.size.load(Ordering::Relaxed);
            let mut total: u64 = all.values().map(size).sum();
            while total > self.bounds.folder {
                // Who uses one took it while this lock was held.
                let unused = all.iter().filter(|(_, mirror)| Arc::strong_count(mirror) == 1);
                let oldest = unused.min_by_key(|(_, mirror)| mirror.used.load(Ordering::Relaxed));
                let Some(mirror) = oldest.map(|(id, _)| *id).and_then(|id| all.remove(&id)) else {
                    break;
                };
                total -= size(&mirror);
                mirror.condemn();
                gone.push(mirror);
            }
        }
        // Deleting takes its time.
        drop(gone);
    }
}

fn cache<K: Hash + Eq, V: Clone>(bytes: u64) -> Cache<K, V, Weight, FxBuildHasher>
where
    Weight: Weighter<K, V>,
{
    Cache::with(10_000, bytes, Weight, FxBuildHasher, DefaultLifecycle::default())
}

/// Makes a directory that nobody else reads.
fn private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What something takes of the memory, about.
#[derive(Clone, Debug)]
struct Weight;

/// What is read of a content takes so many times its bytes, itself included: an estimate, which benches/mirror.rs prints
/// beside what the process takes.
const READ: u64 = 4;

/// A map's own part of an entry.
const ENTRY: u64 = 200;

impl Weighter<Id, Content> for Weight {
    fn weight(&self, _: &Id, content: &Content) -> u64 {
        ENTRY + READ * content.bytes().len() as u64
    }
}

impl Weighter<(u64, Id), trees::Tree> for Weight {
    fn weight(&self, _: &(u64, Id), tree: &trees::Tree) -> u64 {
        let entries = tree.iter().map(|entry| entry.name.len() + 16);
        ENTRY + (entries.sum::<usize>() + size_of_val(&**tree)) as u64
    }
}
