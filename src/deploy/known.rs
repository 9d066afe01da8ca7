//! What all objects of a repository tell about each other, so that each is found without a look at the others.

use super::argo_cluster::cluster;
use super::object::{self, Subject, Trouble};
use super::{Object, Told};
use crate::parse::{Problem, digest};
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
    /// The first name and the first server that Applications go to of which the repository has not both.
    name: RefCell<Option<String>>,
    server: RefCell<Option<Told>>,
    /// Digests of paths, as far as somebody asked.
    digests: RefCell<BTreeMap<String, Option<u128>>>,
}

impl<'a> Known<'a> {
    pub(super) fn of(objects: &'a [Object]) -> Self {
        let mut known = Self {
            named: BTreeMap::new(),
            servers: BTreeMap::new(),
            names: BTreeMap::new(),
            name: RefCell::default(),
            server: RefCell::default(),
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

    /// An Application goes to a cluster of which only the name is known.
    pub(super) fn names_cluster(&self, name: &str) {
        self.name.borrow_mut().get_or_insert_with(|| name.to_string());
    }

    /// An Application goes to a cluster of which only the server is known.
    pub(super) fn names_server(&self, server: &str, subject: &Subject<'_>) {
        self.server.borrow_mut().get_or_insert_with(|| {
            let reason = format!(
                "it goes to the server `{server}`, and others go to clusters by name, which may be the same; use one \
                 of both in all, or keep the Secrets here that name the clusters"
            );
            let identity = digest(reason.as_bytes());
            let told = subject.problem_in(Trouble::from(reason), None, None);
            Told { problem: Problem { identity, ..told.problem }, ..told }
        });
    }

    /// What nobody tells of the clusters: which name is which server.
    pub(super) fn unclear(&self) -> Option<Told> {
        self.name.borrow().as_ref().and(self.server.borrow().clone())
    }

    /// A digest of a file, or of all files below a directory but documents; `None`: nothing is there.
    pub(super) fn digest(&self, path: &str, files: &dyn Files) -> Option<u128> {
        if let Some(known) = self.digests.borrow().get(path) {
            return *known;
        }
        let paths = match files.is_file(path) || files.unread(path).is_some() {
            true => vec![path.into()],
            false => [files.below(path), files.unread_below(path)].concat(),
        };
        let mut all = String::new();
        for path in paths.iter().filter(|path| !path.ends_with(".md")) {
            let content = match files.read(path) {
                Some(content) => digest(content.bytes()),
                None => files.unread(path).map_or(0, |unread| digest(unread.as_bytes())),
            };
            all.push_str(&format!("{path}\0{content:x}\0"));
        }
        let found = (!all.is_empty()).then(|| digest(all.as_bytes()));
        self.digests.borrow_mut().insert(path.to_string(), found);
        found
    }
}
