//! Texts that were built before, on disk, by what they were built from.
//!
//! Nothing in here can fail a run: what can't be read, or is not whole, is built again; what can't be written is not
//! kept. Who may write to the directory decides what is built, so it must not be a stranger's.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What a file of the cache begins with. Another layout gets another number.
const MAGIC: &[u8; 16] = b"netpol-review 1\n";

/// What the names of its files end in.
const EXTENSION: &str = "built";

/// How old a file must be that somebody began to write and never finished.
const ABANDONED: Duration = Duration::from_secs(3600);

/// What a text was built from: everything that could make another text of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// The key of some parts: the tool's version, the arguments, the path and content of each file. Where one part
    /// ends and the next begins is part of the key.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        }))
    }
}

/// A directory of texts.
#[derive(Clone, Debug)]
pub struct Cache {
    directory: PathBuf,
    limit: u64,
}

impl Cache {
    /// The cache in a directory, which is made where it is missing, of up to `limit` bytes.
    pub fn new(directory: &Path, limit: u64) -> Self {
        Self { directory: directory.to_path_buf(), limit }
    }

    /// The text of a key.
    pub fn get(&self, key: &Key) -> Option<Vec<u8>> {
        let path = self.path(key);
        match self.read(&path) {
            Ok(text) => {
                // What was used last is removed last.
                let now = SystemTime::now();
                let _ = File::options()
                    .append(true)
                    .open(&path)
                    .and_then(|file| file.set_modified(now));
                Some(text)
            }
            Err(error) => {
                if error.kind() == io::ErrorKind::InvalidData {
                    let _ = fs::remove_file(&path);
                }
                None
            }
        }
    }

    /// Keeps the text of a key, and removes what was not used for longest where that is too much.
    pub fn put(&self, key: &Key, text: &[u8]) {
        // What would not be kept need not be written.
        if (text.len() + MAGIC.len() + 32) as u64 <= self.limit && self.write(key, text).is_ok() {
            let _ = self.shrink();
        }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.directory.join(format!("{}.{EXTENSION}", key.0))
    }

    /// A file is the magic number, the hash of the text, and the text.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        // Opening a named pipe would wait for somebody to write to it.
        if !fs::symlink_metadata(path)?.is_file() {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(self.limit.saturating_add(1)).read_to_end(&mut bytes)?;
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(broken)?;
        let (hash, text) = rest.split_at_checked(32).ok_or_else(broken)?;
        if Sha256::digest(text).as_slice() != hash {
            return Err(broken());
        }
        Ok(text.to_vec())
    }

    /// Readers see the whole file or none.
    fn write(&self, key: &Key, text: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        let mut file =
            tempfile::Builder::new().prefix(".").suffix(".new").tempfile_in(&self.directory)?;
        file.write_all(MAGIC)?;
        file.write_all(&Sha256::digest(text))?;
        file.write_all(text)?;
        file.persist(self.path(key))?;
        Ok(())
    }

    fn shrink(&self) -> io::Result<()> {
        let now = SystemTime::now();
        let mut kept: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let Ok(entry) = entry else { continue };
            let path = entry.path();
            let Ok(metadata) = entry.metadata() else { continue };
            // What is not ours is not touched.
            if !metadata.is_file() {
                continue;
            }
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let extension = path.extension().and_then(|extension| extension.to_str());
            match extension {
                Some(EXTENSION) => kept.push((used, path, metadata.len())),
                Some("new") if now.duration_since(used).is_ok_and(|age| age > ABANDONED) => {
                    let _ = fs::remove_file(path);
                }
                _ => {}
            }
        }
        kept.sort_unstable();
        let mut size: u64 = kept.iter().map(|(_, _, size)| size).sum();
        for (_, path, bytes) in kept {
            if size <= self.limit {
                break;
            }
            if fs::remove_file(path).is_ok() {
                size = size.saturating_sub(bytes);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::of([text.as_bytes()])
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn keys_tell_parts_apart() {
        let keys = [
            Key::of([b"ab".as_slice(), b"c"]),
            Key::of([b"a".as_slice(), b"bc"]),
            Key::of([b"abc".as_slice()]),
            Key::of([b"abc".as_slice(), b""]),
            Key::of([]),
        ];
        let different: std::collections::BTreeSet<&Key> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        assert_eq!(keys.first(), Some(&Key::of([b"ab".as_slice(), b"c"])));
    }

    #[test]
    fn what_was_put_is_there_until_it_is_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("a/b");
        let cache = Cache::new(&place, 1 << 20);
        assert_eq!(cache.get(&key("a")), None);
        for text in [b"".as_slice(), b"text", &[0xff, 0, 10]] {
            cache.put(&key("a"), text);
            assert_eq!(cache.get(&key("a")).as_deref(), Some(text));
        }
        assert_eq!(cache.get(&key("b")), None);
        let path = cache.path(&key("a"));
        let whole = fs::read(&path).unwrap();
        let damaged = |at: usize| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            bytes
        };
        for bytes in
            [Vec::new(), whole[..20].to_vec(), damaged(0), damaged(20), damaged(whole.len() - 1)]
        {
            fs::write(&path, &bytes).unwrap();
            assert_eq!(cache.get(&key("a")), None);
            assert!(!path.exists(), "what is damaged is removed");
        }
        cache.put(&key("a"), b"again");
        assert_eq!(cache.get(&key("a")).as_deref(), Some(b"again".as_slice()));
        assert_eq!(names(&place).len(), 1, "nothing is left beside it");
    }

    #[test]
    fn nothing_that_stands_in_the_way_fails() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let cache = Cache::new(&file, 1 << 20);
        cache.put(&key("a"), b"text");
        assert_eq!(cache.get(&key("a")), None);
        // A directory, a link to a file and a named pipe in the place of an entry.
        let cache = Cache::new(directory.path(), 1 << 20);
        let path = cache.path(&key("a"));
        fs::create_dir(&path).unwrap();
        cache.put(&key("a"), b"text");
        assert_eq!(cache.get(&key("a")), None);
        fs::remove_dir(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert_eq!(cache.get(&key("a")), None);
        fs::remove_file(&path).unwrap();
        cache.put(&key("b"), b"text");
        #[cfg(unix)]
        std::os::unix::fs::symlink(cache.path(&key("b")), &path).unwrap();
        assert_eq!(cache.get(&key("a")), None);
    }

    #[test]
    fn what_was_used_last_stays() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path(), 3500);
        let text = [b'x'; 1000];
        fs::write(directory.path().join("foreign"), [0; 5000]).unwrap();
        fs::write(directory.path().join(".old.new"), "").unwrap();
        fs::write(directory.path().join(".young.new"), "").unwrap();
        let ago = |path: &Path, seconds| {
            let time = SystemTime::now() - Duration::from_secs(seconds);
            File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
        };
        ago(&directory.path().join(".old.new"), 7200);
        for (name, age) in [("a", 30), ("b", 20), ("c", 10)] {
            cache.put(&key(name), &text);
            ago(&cache.path(&key(name)), age);
        }
        assert!(cache.get(&key("a")).is_some(), "all three fit, and this one was used now");
        cache.put(&key("d"), &text);
        let there: Vec<bool> =
            ["a", "b", "c", "d"].iter().map(|name| cache.get(&key(name)).is_some()).collect();
        assert_eq!(there, [true, false, true, true]);
        let names = names(directory.path());
        assert!(
            names.contains(&"foreign".to_string()) && names.contains(&".young.new".to_string())
        );
        assert!(!names.contains(&".old.new".to_string()));
        cache.put(&key("e"), &[0; 4000]);
        assert_eq!(cache.get(&key("e")), None, "larger than everything together may be");
        assert!(cache.get(&key("a")).is_some());
    }

    #[test]
    fn readers_see_whole_texts_only() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path(), 1 << 20);
        let texts = [vec![b'a'; 100_000], vec![b'b'; 50_000]];
        cache.put(&key("x"), &texts[0]);
        std::thread::scope(|scope| {
            for text in &texts {
                scope.spawn(|| (0..50).for_each(|_| cache.put(&key("x"), text)));
            }
            for _ in 0..200 {
                let seen = cache.get(&key("x")).expect("it was put before");
                assert!(texts.contains(&seen));
            }
        });
    }
}
