//! Object ids to bytes, through one `git cat-file --batch`: each object once, whatever number of
//! paths on both sides it stands for.

use super::listing::{Entry, Listing};
use super::program::{Git, complaint, could_not_run};
use crate::source::read::too_large;
use crate::source::walk::{escaped_bytes, is_manifest};
use crate::source::{Error, MAX_TREE_BYTES, Meter, Others, links};
use crate::tree::{Content, SkippedFile, Tree};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::thread;

/// A link's target is a path; what is longer is none.
const LONGEST_TARGET: u64 = 4096;

/// Reads all sides together.
pub(super) fn read(
    git: &Git,
    sides: Vec<Listing>,
    meter: &Meter,
) -> Result<Vec<(Tree, Others)>, Error> {
    let entries = || sides.iter().flat_map(|side| side.blobs.iter().chain(&side.links));
    let all: Vec<&str> =
        entries().map(|entry| entry.id.as_str()).collect::<BTreeSet<_>>().into_iter().collect();
    let sizes = sizes(git, &all)?;
    if let Some(entry) = entries().find(|entry| !sizes.contains_key(entry.id.as_str())) {
        let missing: BTreeSet<&str> = entries()
            .filter(|entry| !sizes.contains_key(entry.id.as_str()))
            .map(|entry| entry.id.as_str())
            .collect();
        return Err(Error::MissingObjects {
            path: entry.path.clone(),
            count: missing.len(),
            repo: git.name(),
        });
    }
    let mut wanted = BTreeSet::new();
    let mut plans = Vec::new();
    for mut side in sides {
        let mut budget = MAX_TREE_BYTES;
        let mut kept = Vec::with_capacity(side.blobs.len());
        for entry in std::mem::take(&mut side.blobs) {
            let size = sizes.get(entry.id.as_str()).copied().unwrap_or_default();
            match too_large(size, &mut budget) {
                None => {
                    wanted.insert(entry.id.clone());
                    kept.push(entry);
                }
                Some(reason) => {
                    side.skipped.push(SkippedFile::new(entry.path, reason, entry.id));
                }
            }
        }
        let short = |entry: &&Entry| {
            sizes.get(entry.id.as_str()).is_some_and(|size| *size <= LONGEST_TARGET)
        };
        wanted.extend(side.links.iter().filter(short).map(|entry| entry.id.clone()));
        side.blobs = kept;
        plans.push(side);
    }
    let contents = contents(git, &wanted.into_iter().collect::<Vec<_>>(), meter)?;
    Ok(plans.into_iter().map(|side| assemble(git, side, &contents)).collect())
}

fn assemble(git: &Git, side: Listing, contents: &HashMap<String, Content>) -> (Tree, Others) {
    let mut skipped = side.skipped;
    let target = |link: &Entry| Some(escaped_bytes(contents.get(&link.id)?.bytes()));
    let targets = side.links.iter().filter_map(|link| Some((link.path.as_str(), target(link)?)));
    let targets: BTreeMap<&str, String> = targets.collect();
    for link in &side.links {
        let leads_to = links::resolve(&link.path, &targets);
        // A file that is no manifest, or that is read under its own name: the link plays no part. A directory, and
        // a place that is not in sight, might.
        let to_file = |path: &String| side.others.contains_key(path) || is_manifest(path);
        if !is_manifest(&link.path) && leads_to.as_ref().is_some_and(to_file) {
            continue;
        }
        let target = targets.get(link.path.as_str()).map(String::as_str);
        let target = target.unwrap_or("something too long for a path");
        let reason = format!("it is a symbolic link to `{target}`; links are not followed");
        skipped.push(SkippedFile {
            path: link.path.clone(),
            reason,
            identity: target.into(),
            leads_to,
        });
    }
    skipped.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let read = |entry: Entry| Some((entry.path.into(), contents.get(&entry.id)?.clone()));
    let files = side.blobs.into_iter().filter_map(read).collect();
    let mut others = Others::default();
    others.blobs(git, side.others);
    (Tree { files, skipped, ..Tree::default() }, others)
}

/// The size of every object that is here.
fn sizes(git: &Git, ids: &[&str]) -> Result<HashMap<String, u64>, Error> {
    let mut batch =
        Batch::start(git, "--batch-check", ids.iter().map(|id| id.to_string()).collect())?;
    let mut sizes = HashMap::with_capacity(ids.len());
    for id in ids {
        if let Some(size) = batch.header(git, id)? {
            sizes.insert(id.to_string(), size);
        }
    }
    batch.finish();
    Ok(sizes)
}

fn contents(git: &Git, ids: &[String], meter: &Meter) -> Result<HashMap<String, Content>, Error> {
    meter.found(ids.len());
    let mut batch = Batch::start(git, "--batch", ids.to_vec())?;
    let mut contents = HashMap::with_capacity(ids.len());
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
        contents.insert(id.clone(), Content::new(bytes));
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
