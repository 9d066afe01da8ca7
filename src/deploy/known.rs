//! What all objects of a repository tell about each other, so that each is found without a look at the others.

use super::Object;
use super::argo_cluster::cluster;
use super::object;
use crate::parse::digest;
use crate::tree::Files;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Objects by what others look them up by.
pub(super) struct Known<'a> {
    /// By kind and name, in the order in which they were read.
    named: BTreeMap<&'a str, BTreeMap<&'a str, Vec<&'a Object>>>,
    /// Servers of the clusters of Argo CD, by name, and names by server: of several the first.
    servers: BTreeMap<String, String>,
    names: BTreeMap<String, String>,
    /// Digests of paths, as far as somebody asked.
    digests: RefCell<BTreeMap<String, Option<u128>>>,
}

impl<'a> Known<'a> {
    pub(super) fn of(objects: &'a [Object]) -> Self {
        let mut known = Self {
            named: BTreeMap::new(),
            servers: BTreeMap::new(),
            names: BTreeMap::new(),
            digests: RefCell::default(),
        };
        for object in objects {
            let of_kind = known.named.entry(object::kind(&object.node)).or_default();
            of_kind.entry(object::name(&object.node)).or_default().push(object);
            if let Some((name, server)) = cluster(&object.node) {
                known.servers.entry(name.clone()).or_insert_with(|| server.clone());
                known.names.entry(server).or_insert(name);
            }
        }
        known
    }

    /// The objects of a kind and a name.
    pub(super) fn named(&self, kind: &str, name: &str) -> &[&'a Object] {
        let of_kind = self.named.get(kind);
        of_kind.and_then(|names| names.get(name)).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn server_of(&self, name: &str) -> Option<&str> {
        self.servers.get(name).map(String::as_str)
    }

    pub(super) fn name_of(&self, server: &str) -> Option<&str> {
        self.names.get(server).map(String::as_str)
    }

    /// A digest of a file, or of all files below a directory but documents; `None`: nothing is there.
    pub(super) fn digest(&self, path: &str, files: &dyn Files) -> Option<u128> {
        if let Some(known) = self.digests.borrow().get(path) {
            return *known;
        }
        let paths = match files.is_file(path) {
            true => vec![path.into()],
            false => files.below(path),
        };
        let mut all = String::new();
        for path in paths.iter().filter(|path| !path.ends_with(".md")) {
            let content = files.read(path).map_or(0, |content| digest(content.bytes()));
            all.push_str(&format!("{path}\0{content:x}\0"));
        }
        let found = (!all.is_empty()).then(|| digest(all.as_bytes()));
        self.digests.borrow_mut().insert(path.to_string(), found);
        found
    }
}
