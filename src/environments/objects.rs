//! The objects of a side that say what is deployed, and those that they refer to.

use crate::deploy::{self, Object};
use crate::parse::manifests;
use crate::tree::Rendered;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects that deploy, and what they refer to.
#[derive(Default)]
pub(super) struct Objects {
    known: BTreeMap<[String; 4], Alike>,
    /// There are objects of Flux, which refer to ConfigMaps and Secrets.
    pub(super) flux: bool,
}

/// Objects of one name in one environment. There are several where several clusters, which nothing tells apart, have
/// an object of that name each.
#[derive(Default)]
struct Alike {
    written: Vec<Object>,
    built: Vec<Object>,
}

impl Objects {
    /// Reads what a text holds. True: it holds objects of Argo CD and Flux, and nothing else,
    /// so nothing of it is compared itself.
    pub(super) fn read(
        &mut self,
        file: &Arc<str>,
        bytes: &[u8],
        environment: Option<String>,
        rendered: Option<Arc<Rendered>>,
    ) -> bool {
        let built = rendered.is_some();
        let object = |node| Object {
            node,
            file: file.clone(),
            environment: environment.clone(),
            built: rendered.clone(),
        };
        let documents = manifests(bytes);
        let mut deploys = !documents.is_empty() && documents.iter().all(Result::is_ok);
        let nodes = documents.into_iter().flatten();
        for object in nodes.flat_map(|node| deploy::items(&object(node))) {
            let node = &object.node;
            let kind = node.text_at(&["kind"]).unwrap_or_default();
            let deploying = deploy::is_deploying(node);
            let api = node.text_at(&["apiVersion"]).unwrap_or_default();
            let of_flux = api.contains("toolkit.fluxcd.io");
            deploys &= deploying || of_flux || kind == "AppProject";
            if !deploying && !deploy::is_consulted(node) {
                continue;
            }
            self.flux |= of_flux;
            let text = |path: &[&str]| node.text_at(path).unwrap_or_default().to_string();
            let key = [
                kind.to_string(),
                text(&["metadata", "namespace"]),
                text(&["metadata", "name"]),
                environment.clone().unwrap_or_default(),
            ];
            let known = self.known.entry(key).or_default();
            if built { known.built.push(object) } else { known.written.push(object) }
        }
        deploys
    }

    /// What was built takes the place of what was written.
    pub(super) fn all(&self) -> Vec<Object> {
        let of = |alike: &Alike| match alike.built.is_empty() {
            true => alike.written.clone(),
            false => alike.built.clone(),
        };
        self.known.values().flat_map(of).collect()
    }
}
