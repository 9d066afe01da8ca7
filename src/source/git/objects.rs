//! Object ids to bytes: each object once, whatever number of paths on both sides it stands for. They come from one
//! `git cat-file --batch` of a repository that is only read, or from a mirror, which fetches what it lacks.

use super::listing::{self, Entry, Listing};
use super::mirror::{Id, Lease};
use super::program::{Git, complaint, could_not_run};
use super::revision::Revision;
use crate::source::read::too_large;
use crate::source::walk::escaped_bytes;
use crate::source::{Error, MAX_TREE_BYTES, Meter, Others, links};
use crate::tree::{Content, SkippedFile, Tree, is_manifest};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::Arc;
use std::thread;

/// A link's target is a path; what is longer is none.
const LONGEST_TARGET: u64 = 4096;

/// Where objects are.
#[derive(Clone, Debug)]
pub(in crate::source) enum Objects {
    /// A repository that is only read.
    Git(Git),
    /// A mirror.
    Mirror(Arc<Lease>),
}

impl Objects {
    /// The files of a revision.
    pub(super) fn list(&self, revision: &Revision, limits: &[String]) -> Result<Listing, Error> {
        match self {
            Objects::Git(git) => listing::of_revision(git, revision, limits),
            Objects::Mirror(mirror) => listing::of_mirror(mirror, revision, limits),
        }
    }

    /// The repository through the program.
    pub(in crate::source) fn git(&self) -> &Git {
        match self {
            Objects::Git(git) => git,
            Objects::Mirror(mirror) => mirror.git(),
        }
    }

    /// The size of every object that is here; a mirror fetches the others first.
    fn sizes<'i>(&self, ids: &[&'i str]) -> Result<FxHashMap<&'i str, u64>, Error> {
        match self {
            Objects::Git(git) => sizes(git, ids),
            Objects::Mirror(mirror) => {
                let (texts, ids) = bytes_of(ids);
                let sizes = texts.into_iter().zip(mirror.sizes(&ids)?);
                Ok(sizes.filter_map(|(text, size)| Some((text, size?))).collect())
            }
        }
    }

    fn contents<'i>(
        &self,
        ids: &[&'i str],
        meter: &Meter,
    ) -> Result<FxHashMap<&'i str, Content>, Error> {
        match self {
            Objects::Git(git) => contents(git, ids, meter),
            Objects::Mirror(mirror) => {
                let (texts, ids) = bytes_of(ids);
                Ok(texts.into_iter().zip(mirror.contents(&ids)?).collect())
            }
        }
    }

    /// How many bytes of manifests one side may have.
    fn most_bytes(&self) -> Option<u64> {
        match self {
            Objects::Git(_) => None,
            Objects::Mirror(mirror) => Some(mirror.bounds().manifest_bytes),
        }
    }
}

/// Names of objects, and the same as bytes.
fn bytes_of<'i>(ids: &[&'i str]) -> (Vec<&'i str>, Vec<Id>) {
    ids.iter().filter_map(|text| Some((*text, Id::of_hex(text)?))).unzip()
}

/// The objects of entries, each once.
fn distinct<'e>(entries: impl Iterator<Item = &'e Entry>) -> Vec<&'e str> {
    let mut seen = FxHashSet::default();
    entries.map(|entry| entry.id.as_str()).filter(|id| seen.insert(*id)).collect()
}

/// Reads all sides together.
pub(super) fn read(
    from: &Objects,
    sides: Vec<Listing>,
    meter: &Meter,
) -> Result<Vec<(Tree, Others)>, Error> {
    let entries = || sides.iter().flat_map(|side| side.blobs.iter().chain(side.all_links()));
    let all = distinct(entries());
    let sizes = from.sizes(&all)?;
    if let Some(entry) = entries().find(|entry| !sizes.contains_key(entry.id.as_str())) {
        let (path, repo) = (entry.path.clone(), from.git().name());
        let count = all.iter().filter(|id| !sizes.contains_key(*id)).count();
        return Err(Error::MissingObjects { path, count, repo });
    }
    let size = |entry: &Entry| sizes.get(entry.id.as_str()).copied().unwrap_or_default();
    // Why a file of a side is not read, if it is not, by the side's order.
    let mut reasons = Vec::with_capacity(sides.len());
    for side in &sides {
        let total: u64 = side.blobs.iter().map(size).sum();
        if let Some(most) = from.most_bytes().filter(|most| total > *most) {
            let what = format!("manifests of {total} bytes, more than the {most} that are read");
            return Err(Error::TooMuch { revision: side.revision.clone(), what });
        }
        let mut budget = MAX_TREE_BYTES;
        let reason = |entry| too_large(size(entry), &mut budget);
        reasons.push(side.blobs.iter().map(reason).collect::<Vec<_>>());
    }
    let short = |entry: &&Entry| size(entry) <= LONGEST_TARGET;
    let wanted = sides.iter().zip(&reasons).flat_map(|(side, reasons)| {
        let blobs = side.blobs.iter().zip(reasons).filter(|(_, reason)| reason.is_none());
        blobs.map(|(entry, _)| entry).chain(side.all_links().filter(short))
    });
    let contents = from.contents(&distinct(wanted), meter)?;
    let read = sides.iter().zip(reasons);
    Ok(read.map(|(side, reasons)| assemble(from, side, reasons, &contents)).collect())
}

fn assemble(
    from: &Objects,
    side: &Listing,
    reasons: Vec<Option<String>>,
    contents: &FxHashMap<&str, Content>,
) -> (Tree, Others) {
    let (mut skipped, mut unread) = (side.skipped.clone(), side.unread.clone());
    let target = |link: &Entry| Some(escaped_bytes(contents.get(link.id.as_str())?.bytes()));
    let targets = side.all_links().filter_map(|link| Some((link.path.as_str(), target(link)?)));
    let targets: BTreeMap<&str, String> = targets.collect();
    let read = |link: &Entry| {
        let target = targets.get(link.path.as_str()).map(String::as_str);
        let target = target.unwrap_or("something too long for a path");
        SkippedFile {
            path: link.path.clone(),
            reason: format!("it is a symbolic link to `{target}`; links are not followed"),
            identity: target.into(),
            leads_to: links::resolve(&link.path, &targets),
        }
    };
    for link in side.links.iter().map(read) {
        // A file that is no manifest, or that is read under its own name: the link plays no part. A directory, and
        // what is outside of the repository, might.
        let to_file = |path: &String| side.others.contains_key(path) || is_manifest(path);
        let plays_no_part = !is_manifest(&link.path) && link.leads_to.as_ref().is_some_and(to_file);
        if plays_no_part { &mut unread } else { &mut skipped }.push(link);
    }
    unread.extend(side.links_beyond.iter().map(read));
    let mut files = Vec::with_capacity(side.blobs.len());
    for (entry, reason) in side.blobs.iter().zip(reasons) {
        match (reason, contents.get(entry.id.as_str())) {
            (Some(reason), _) => {
                skipped.push(SkippedFile::new(entry.path.clone(), reason, entry.id.clone()));
            }
            (None, Some(content)) => files.push((entry.path.as_str().into(), content.clone())),
            (None, None) => {}
        }
    }
    skipped.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let mut others = Others::default();
    let blobs = side.others.iter().map(|(path, id)| (path.as_str().into(), id.clone()));
    others.blobs(from, blobs);
    others.not_read(unread);
    (Tree { files: files.into_iter().collect(), skipped, ..Tree::default() }, others)
}

/// The size of every object that is here.
fn sizes<'i>(git: &Git, ids: &[&'i str]) -> Result<FxHashMap<&'i str, u64>, Error> {
    let mut batch =
        Batch::start(git, "--batch-check", ids.iter().map(|id| id.to_string()).collect())?;
    let mut sizes = FxHashMap::default();
    for id in ids {
        if let Some(size) = batch.header(git, id)? {
            sizes.insert(*id, size);
        }
    }
    batch.finish();
    Ok(sizes)
}

fn contents<'i>(
    git: &Git,
    ids: &[&'i str],
    meter: &Meter,
) -> Result<FxHashMap<&'i str, Content>, Error> {
    meter.found(ids.len());
    let mut batch = Batch::start(git, "--batch", ids.iter().map(|id| id.to_string()).collect())?;
    let mut contents = FxHashMap::default();
    for id in ids {
        let size =
            batch.header(git, id)?.ok_or_else(|| git.failed("cat-file", b"an object vanished"))?;
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        let mut newline = [0];
        let read = batch
            .output
            .read_exact(&mut bytes)
            .and_then(|()| batch.output.read_exact(&mut newline));
        read.map_err(|_| batch.broken(git))?;
        contents.insert(*id, Content::new(bytes));
        meter.read();
    }
    batch.finish();
    Ok(contents)
}

/// A `git cat-file` that answers one line of input after the other.
struct Batch {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Batch {
    fn start(git: &Git, mode: &str, ids: Vec<String>) -> Result<Self, Error> {
        let mut command = git.command("cat-file");
        let mut child = command
            .args([mode, "--buffer"])
            .stdin(Stdio::piped())
            .spawn()
            .map_err(could_not_run)?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(git.failed("cat-file", b"it has no input or no output"));
        };
        // Both pipes fill up when nobody reads, so writing has a thread of its own. It ends with the
        // list, or with the process.
        thread::spawn(move || {
            let mut lines = ids.join("\n");
            lines.push('\n');
            if !ids.is_empty() {
                let _ = input.write_all(lines.as_bytes());
            }
        });
        Ok(Self { child, output: BufReader::with_capacity(1 << 16, output) })
    }

    /// `ID TYPE SIZE`, or `ID missing`: the size of the next object, `None` where it is not here.
    fn header(&mut self, git: &Git, id: &str) -> Result<Option<u64>, Error> {
        let mut line = Vec::new();
        let read = (&mut self.output).take(1024).read_until(b'\n', &mut line);
        let line = String::from_utf8_lossy(&line);
        let mut fields = line.trim_end().split(' ');
        match (read, fields.next(), fields.next(), fields.next()) {
            (Ok(_), Some(answered), Some("missing"), None) if answered == id => Ok(None),
            (Ok(_), Some(answered), Some(_), Some(size)) if answered == id => {
                size.parse().map(Some).map_err(|_| self.broken(git))
            }
            _ => Err(self.broken(git)),
        }
    }

    /// The error for an answer that can't be understood, or that stopped: what git complained about.
    fn broken(&mut self, git: &Git) -> Error {
        let _ = self.child.kill();
        let mut said = Vec::new();
        if let Some(stderr) = &mut self.child.stderr {
            let _ = stderr.take(1 << 16).read_to_end(&mut said);
        }
        Error::Git {
            subcommand: "cat-file".to_string(),
            repo: git.name(),
            reason: format!("{}\n  try: `git fsck` tells what is damaged", complaint(&said)),
        }
    }

    fn finish(mut self) {
        let _ = self.child.wait();
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // After `finish` there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
