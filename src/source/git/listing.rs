//! What a commit holds: paths, modes and object ids.

use super::mirror::Lease;
use super::paths::within;
use super::program::Git;
use super::revision::Revision;
use crate::source::walk::{NOT_UTF8, escaped_bytes};
use crate::source::{Error, charts, leads_elsewhere};
use crate::tree::{SkippedFile, is_manifest};
use std::collections::{BTreeMap, BTreeSet};

/// The files of one side, as git lists them.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// What they are of.
    pub(super) revision: String,
    /// Manifests, and what else is part of a Helm chart.
    pub(super) blobs: Vec<Entry>,
    /// Files that are read if they are part of a chart; they are among the others as well.
    pub(super) parts: Vec<Entry>,
    /// Symbolic links; their targets are read before they are judged.
    pub(super) links: Vec<Entry>,
    /// What is not read, whatever it holds.
    pub(super) skipped: Vec<SkippedFile>,
    /// Files that are no manifests, by path; a link may lead to one.
    pub(super) others: BTreeMap<String, String>,
    /// Links outside of the limits.
    pub(super) links_beyond: Vec<Entry>,
    /// What else is not read, which counts where something is built from it.
    pub(super) unread: Vec<SkippedFile>,
}

/// A path and what git keeps for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) id: String,
}

impl Listing {
    /// Everything that is listed, in no particular order.
    pub(super) fn paths(&self) -> Vec<&str> {
        let entries = self.blobs.iter().chain(&self.links).map(|entry| entry.path.as_str());
        let skipped = self.skipped.iter().map(|file| file.path.as_str());
        entries.chain(skipped).chain(self.others.keys().map(String::as_str)).collect()
    }

    /// Symbolic links, wherever they are.
    pub(super) fn all_links(&self) -> impl Iterator<Item = &Entry> {
        self.links.iter().chain(&self.links_beyond)
    }

    /// [`Listing::add`] of what is within the limits; what is not is there to build from.
    fn add_within(&mut self, limits: &[String], mode: &[u8], id: &str, path: &[u8]) {
        match std::str::from_utf8(path) {
            Ok(path) if !within(path, limits) => {
                let (path, id) = (path.to_string(), id.to_string());
                match mode {
                    b"120000" => self.links_beyond.push(Entry { path, id }),
                    b"160000" => self.unread.push(submodule(path, id)),
                    _ => drop(self.others.insert(path, id)),
                }
            }
            _ => self.add(mode, id, path),
        }
    }

    pub(super) fn add(&mut self, mode: &[u8], id: &str, path: &[u8]) {
        let id = id.to_string();
        let Ok(path) = std::str::from_utf8(path) else {
            let path = escaped_bytes(path);
            let plays_a_part = mode != b"120000" && is_manifest(&path) || mode == b"160000";
            let side = if plays_a_part { &mut self.skipped } else { &mut self.unread };
            side.push(SkippedFile::new(path, NOT_UTF8.to_string(), id));
            return;
        };
        let path = path.to_string();
        match mode {
            b"120000" => self.links.push(Entry { path, id }),
            b"160000" => self.skipped.push(submodule(path, id)),
            _ if is_manifest(&path) => self.blobs.push(Entry { path, id }),
            _ => {
                if charts::could_belong(&path) {
                    self.parts.push(Entry { path: path.clone(), id: id.clone() });
                }
                self.others.insert(path, id);
            }
        }
    }

    /// Decides which files are part of a chart. `others`: manifests that are not in this listing.
    pub(super) fn add_parts(&mut self, others: &BTreeSet<String>) {
        let parts = std::mem::take(&mut self.parts);
        if parts.is_empty() {
            return;
        }
        let own = self.blobs.iter().map(|entry| entry.path.as_str());
        let charts: BTreeSet<&str> = own
            .chain(others.iter().map(String::as_str))
            .filter(|path| path.ends_with("Chart.yaml"))
            .collect();
        let keep: Vec<Entry> = parts
            .into_iter()
            .filter(|entry| charts::belongs(&entry.path, |path| charts.contains(path)))
            .collect();
        self.blobs.extend(keep);
    }
}

/// Another repository at a commit.
fn submodule(path: String, id: String) -> SkippedFile {
    let reason = format!("it is a submodule, at commit {id}; compare its repository on its own");
    SkippedFile::new(path, reason, id)
}

/// Lists a revision, at and below the limits. Regular files elsewhere are among the others: what is within the limits
/// may be built from them.
pub(super) fn of_revision(
    git: &Git,
    revision: &Revision,
    limits: &[String],
) -> Result<Listing, Error> {
    let options = ["-r", "-z", "--full-tree", &revision.id];
    let output = git.run("ls-tree", options).map_err(|error| match error {
        Error::Git { reason, .. } => {
            Error::IncompleteRevision { revision: revision.name.clone(), reason }
        }
        other => other,
    })?;
    let mut listing = Listing { revision: revision.name.clone(), ..Listing::default() };
    for record in output.split(|byte| *byte == 0).filter(|record| !record.is_empty()) {
        let (mode, id, path) = parse(record).ok_or_else(|| {
            git.failed("ls-tree", format!("unexpected line `{}`", escaped_bytes(record)).as_bytes())
        })?;
        named(&revision.name, path)?;
        listing.add_within(limits, mode, id, path);
    }
    listing.add_parts(&BTreeSet::new());
    Ok(listing)
}

/// Refuses a path that leads elsewhere; whoever writes a tree may put any name into it.
pub(super) fn named(revision: &str, path: &[u8]) -> Result<(), Error> {
    match leads_elsewhere(path) {
        None => Ok(()),
        Some(name) => {
            let (revision, name) = (revision.to_string(), escaped_bytes(name));
            Err(Error::NoFileName { revision, name })
        }
    }
}

/// [`of_revision`], of a mirror.
pub(super) fn of_mirror(
    mirror: &Lease,
    revision: &Revision,
    limits: &[String],
) -> Result<Listing, Error> {
    let mut listing = Listing { revision: revision.name.clone(), ..Listing::default() };
    mirror.files(&revision.id, |mode, id, path| {
        listing.add_within(limits, mode.text(), &id.to_string(), path);
    })?;
    listing.add_parts(&BTreeSet::new());
    let most = mirror.bounds().manifests;
    match listing.blobs.len() {
        count if count > most => {
            let what = format!("{count} manifests, more than the {most} that are read");
            Err(Error::TooMuch { revision: listing.revision, what })
        }
        _ => Ok(listing),
    }
}

/// `MODE TYPE ID\tPATH`.
fn parse(record: &[u8]) -> Option<(&[u8], &str, &[u8])> {
    let tab = record.iter().position(|byte| *byte == b'\t')?;
    let (fields, path) = (record.get(..tab)?, record.get(tab + 1..)?);
    let mut fields = fields.split(|byte| *byte == b' ');
    let mode = fields.next()?;
    let _kind = fields.next()?;
    Some((mode, std::str::from_utf8(fields.next()?).ok()?, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_what_becomes_of_them() {
        assert_eq!(
            parse(b"100644 blob 0123\ta\tb.yaml"),
            Some((b"100644".as_slice(), "0123", b"a\tb.yaml".as_slice()))
        );
        assert_eq!(parse(b"100644 blob"), None);
        let mut listing = Listing::default();
        for (mode, path) in [
            ("100644", b"a.yaml".as_slice()),
            ("100755", b"b.json"),
            ("100644", b"README.md"),
            ("100644", b"x/Chart.yaml"),
            ("100644", b"x/templates/_a.tpl"),
            ("100644", b"y/templates/_a.tpl"),
            ("120000", b"link"),
            ("160000", b"charts"),
            ("100644", b"\xff.yaml"),
            ("100644", b"\xff.md"),
        ] {
            listing.add(mode.as_bytes(), "id", path);
        }
        listing.add_parts(&BTreeSet::new());
        let read: Vec<&str> = listing.blobs.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(read, ["a.yaml", "b.json", "x/Chart.yaml", "x/templates/_a.tpl"]);
        assert_eq!(listing.links.len(), 1);
        let skipped: Vec<&str> = listing.skipped.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(skipped, ["charts", "\\xFF.yaml"]);
        let paths: BTreeSet<&str> = listing.paths().into_iter().collect();
        assert_eq!(paths.len(), 9);
    }
}
