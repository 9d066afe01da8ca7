//! What an Application of Argo CD lays over a kustomization.

use super::Overlay;
use super::argo::Source;
use super::inputs::kustomization;
use super::object::{Trouble, field, filled, flag, only, text, text_map, texts};
use super::place::join;
use crate::parse::{Field, Node, Value, manifests};
use crate::tree::Files;
use serde_json::{Map, Value as Json, json};

const KNOWN: &[&str] = &[
    "apiVersions",
    "commonAnnotations",
    "commonAnnotationsEnvsubst",
    "commonLabels",
    "components",
    "forceCommonAnnotations",
    "forceCommonLabels",
    "ignoreMissingComponents",
    "images",
    "kubeVersion",
    "labelIncludeTemplates",
    "labelWithoutSelector",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "patches",
    "replicas",
    "version",
];

pub(super) fn overlay(
    options: &Node,
    source: &Source<'_>,
    files: &dyn Files,
) -> Result<Overlay, Trouble> {
    only(options, KNOWN)?;
    let mut overlay = Overlay::default();
    let mut set = |key: &str, value: Json| {
        overlay.fields.insert(key.to_string(), value);
    };
    for key in ["namePrefix", "nameSuffix", "namespace"] {
        if let Some(value) = text(options, &[key]) {
            set(key, value.into());
        }
    }
    if let Some(patches) = filled(options, "patches") {
        set("patches", patches.node.to_json());
    }
    let images = texts(options, "images")?;
    if !images.is_empty() {
        set("images", images.iter().map(|(image, _)| self::image(image)).collect());
    }
    if let Some(replicas) = filled(options, "replicas") {
        set("replicas", self::replicas(replicas)?);
    }
    let at = |key: &str| field(options, key).map_or(options, |field| &field.node);
    let own = kustomization(&source.path, files).and_then(|path| files.read(&path));
    let own = own.and_then(|own| manifests(own.bytes()).into_iter().next()?.ok());
    let without_selector = flag(options, &["labelWithoutSelector"]);
    let templates = flag(options, &["labelIncludeTemplates"]);
    let like = |item: &&Node| {
        !flag(item, &["includeSelectors"]) && flag(item, &["includeTemplates"]) == templates
    };
    let there = own.as_ref().and_then(|own| match without_selector {
        true => own.get("labels")?.items().iter().find(like)?.get("pairs"),
        false => own.get("commonLabels"),
    });
    if !flag(options, &["forceCommonLabels"]) {
        are_new(options, "commonLabels", there)?;
    }
    if !flag(options, &["forceCommonAnnotations"]) {
        let there = own.as_ref().and_then(|own| own.get("commonAnnotations"));
        are_new(options, "commonAnnotations", there)?;
    }
    let mut labels = Map::new();
    for (key, value) in text_map(options, "commonLabels")? {
        labels.insert(key.to_string(), source.expanded(value, at("commonLabels"))?.into());
    }
    if !labels.is_empty() && without_selector {
        set(
            "labels",
            json!([{"pairs": labels, "includeSelectors": false, "includeTemplates": templates}]),
        );
    } else if !labels.is_empty() {
        set("commonLabels", labels.into());
    }
    let mut annotations = Map::new();
    for (key, value) in text_map(options, "commonAnnotations")? {
        let value = if flag(options, &["commonAnnotationsEnvsubst"]) {
            source.expanded(value, at("commonAnnotations"))?
        } else {
            value.to_string()
        };
        annotations.insert(key.to_string(), value.into());
    }
    if !annotations.is_empty() {
        set("commonAnnotations", annotations.into());
    }
    let components = components(options, &source.path, files)?;
    if !components.is_empty() {
        set("components", components.into());
    }
    Ok(overlay)
}

/// Labels or annotations that the kustomization has already stop Argo CD, whatever their values.
fn are_new(options: &Node, field: &str, there: Option<&Node>) -> Result<(), Trouble> {
    let (Some(own), Some(there)) = (filled(options, field), there) else { return Ok(()) };
    match own.node.fields().iter().find(|field| there.get(&field.key).is_some()) {
        None => Ok(()),
        Some(twice) => {
            let reason = format!(
                "its `{field}` have `{}`, which its kustomization has, too, so Argo CD deploys nothing of it; keep it \
                 in one of them, or force it",
                twice.key
            );
            Err(Trouble::at(&twice.node, reason))
        }
    }
}

/// The `components` of an Application or a Flux Kustomization, from the root of the tree.
pub(super) fn components(
    options: &Node,
    directory: &str,
    files: &dyn Files,
) -> Result<Vec<String>, Trouble> {
    let mut components = Vec::new();
    for (written, node) in texts(options, "components")? {
        if written.contains("//") || written.contains("?ref=") || written.starts_with("git@") {
            let reason = format!(
                "the component `{written}` is in another repository; review what it renders to"
            );
            return Err(Trouble::at(node, reason));
        }
        let Some(path) = join(directory, written) else {
            let reason =
                format!("the component `{written}` leads out of the repository; correct it");
            return Err(Trouble::at(node, reason));
        };
        if kustomization(&path, files).is_some() {
            components.push(path);
        } else if !flag(options, &["ignoreMissingComponents"]) {
            return Err(Trouble::at(
                node,
                format!("there is no component `{written}`; correct its path"),
            ));
        }
    }
    Ok(components)
}

fn replicas(field: &Field) -> Result<Json, Trouble> {
    let one = |item: &Node| {
        let count = match item.get("count").map(|node| &node.value) {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::Text(text)) => text.parse().ok(),
            _ => None,
        };
        match (text(item, &["name"]), count) {
            (Some(name), Some(count)) => Ok(json!({"name": name, "count": count})),
            _ => Err(Trouble::at(item, "its `replicas` have no name, or no count; correct them")),
        }
    };
    field.node.items().iter().map(one).collect()
}

/// `name`, `name:tag`, `name@digest`, or `name=new` with either.
fn image(written: &str) -> Json {
    let (name, new) = match written.split_once('=') {
        Some((name, new)) => (Some(name), new),
        None => (None, written),
    };
    let (new, digest) = match new.split_once('@') {
        Some((new, digest)) => (new, Some(digest)),
        None => (new, None),
    };
    let (new, tag) = match new.rsplit_once(':') {
        Some((new, tag)) if !tag.contains('/') => (new, Some(tag)),
        _ => (new, None),
    };
    let mut image = Map::from_iter([("name".to_string(), name.unwrap_or(new).into())]);
    let set = [("newName", name.map(|_| new)), ("newTag", tag), ("digest", digest)];
    for (key, value) in set {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            image.insert(key.to_string(), value.into());
        }
    }
    image.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images() {
        for (written, expected) in [
            ("nginx", json!({"name": "nginx"})),
            ("nginx:1.2", json!({"name": "nginx", "newTag": "1.2"})),
            ("r.io:5000/nginx", json!({"name": "r.io:5000/nginx"})),
            ("a=r.io:5000/b:2", json!({"name": "a", "newName": "r.io:5000/b", "newTag": "2"})),
            ("a@sha256:1", json!({"name": "a", "digest": "sha256:1"})),
            ("a=b@sha256:1", json!({"name": "a", "newName": "b", "digest": "sha256:1"})),
        ] {
            assert_eq!(image(written), expected, "{written}");
        }
    }
}
