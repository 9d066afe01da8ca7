//! The release of an Application of Argo CD.

use super::argo::Source;
use super::glob::is_glob;
use super::object::{Subject, Trouble, filled, flag, only, text, texts};
use super::place::join;
use super::{Release, Values};
use crate::parse::{Node, Value, manifests};
use crate::tree::Files;

const KNOWN: &[&str] = &[
    "apiVersions",
    "fileParameters",
    "ignoreMissingValueFiles",
    "kubeVersion",
    "namespace",
    "parameters",
    "passCredentials",
    "releaseName",
    "skipCrds",
    "skipSchemaValidation",
    "skipTests",
    "valueFiles",
    "values",
    "valuesObject",
    "version",
];

pub(super) fn release(
    options: &Node,
    source: &Source<'_>,
    subject: &Subject<'_>,
    files: &dyn Files,
) -> Result<Release, Trouble> {
    only(options, KNOWN)?;
    if let Some(parameters) = filled(options, "fileParameters") {
        let reason = "its `fileParameters` are not evaluated; use `valueFiles`, or review what it renders to";
        return Err(Trouble::at(&parameters.node, reason));
    }
    let namespace = text(options, &["namespace"]).or(source.namespace.as_deref());
    let mut release = Release {
        chart: source.path.clone(),
        name: text(options, &["releaseName"]).unwrap_or(&source.name).to_string(),
        namespace: namespace.unwrap_or("default").to_string(),
        skip_crds: flag(options, &["skipCrds"]),
        kube_version: text(options, &["kubeVersion"]).map(str::to_string),
        api_versions: texts(options, "apiVersions")?
            .iter()
            .map(|(api, _)| api.to_string())
            .collect(),
        ..Release::default()
    };
    let optional = flag(options, &["ignoreMissingValueFiles"]);
    for (written, node) in texts(options, "valueFiles")? {
        let path = value_file(written, node, source, files)?;
        release.values.push(Values::File { path, optional });
    }
    if let Some(object) = filled(options, "valuesObject") {
        release.values.push(Values::Inline {
            values: object.node.to_json(),
            origin: subject.field_origin(object),
        });
    } else if let Some(field) = filled(options, "values") {
        let values = field.node.text().map(inline).transpose();
        let Ok(Some(values)) = values else {
            return Err(Trouble::at(&field.node, "its `values` are no YAML map; correct them"));
        };
        release.values.push(Values::Inline { values, origin: subject.field_origin(field) });
    }
    release.values.extend(parameters(options, source, subject)?);
    Ok(release)
}

/// Values in a text: a map, or nothing.
pub(super) fn inline(text: &str) -> Result<serde_json::Value, String> {
    let mut documents = manifests(text.as_bytes()).into_iter();
    match (documents.next(), documents.next()) {
        (None, _) => Ok(serde_json::Value::Object(serde_json::Map::new())),
        (Some(Ok(node)), None) if matches!(node.value, Value::Map(_)) => Ok(node.to_json()),
        (Some(Err(error)), _) => Err(error.message),
        _ => Err("it is no map".into()),
    }
}

fn value_file(
    written: &str,
    node: &Node,
    source: &Source<'_>,
    files: &dyn Files,
) -> Result<String, Trouble> {
    let reference =
        written.strip_prefix('$').map(|rest| rest.split_once('/').unwrap_or((rest, "")));
    let referenced = reference.and_then(|(name, path)| Some((source.named.get(name)?, path)));
    let path = match referenced {
        Some((Some(trouble), _)) => {
            let reason = format!("the values file `{written}`: {}", trouble.reason);
            return Err(Trouble::at(node, reason));
        }
        Some((None, path)) => join("", source.expanded(path, node)?.trim_start_matches('/')),
        None => {
            let expanded = source.expanded(written, node)?;
            if expanded.contains("://") {
                let reason =
                    format!("the values file `{written}` is elsewhere; review what it renders to");
                return Err(Trouble::at(node, reason));
            }
            match expanded.strip_prefix('/') {
                Some(rooted) => join("", rooted),
                None => join(&source.path, &expanded),
            }
        }
    };
    let path = path.ok_or_else(|| {
        Trouble::at(
            node,
            format!("the values file `{written}` leads out of the repository; correct it"),
        )
    })?;
    if referenced.is_some() && !source.known_address && !files.is_file(&path) {
        let reason = format!(
            "there is no values file `{written}` here, so its source is another repository; review what it \
             renders to"
        );
        return Err(Trouble::at(node, reason));
    }
    if is_glob(&path) && !files.is_file(&path) {
        let reason = format!(
            "`{written}` names several values files, which versions of Argo CD do differently; name each of them"
        );
        return Err(Trouble::at(node, reason));
    }
    Ok(path)
}

/// Helm puts those that stay text after the others.
fn parameters(
    options: &Node,
    source: &Source<'_>,
    subject: &Subject<'_>,
) -> Result<Vec<Values>, Trouble> {
    let list = options.get("parameters").map(Node::items).unwrap_or_default();
    let mut parameters = Vec::new();
    for item in list {
        let (Some(name), Some(value)) = (text(item, &["name"]), item.text_at(&["value"])) else {
            let reason =
                "one of its `parameters` has no name, or a value that is no text; quote it";
            return Err(Trouble::at(item, reason));
        };
        let value = source.expanded(value, item)?;
        parameters.push(Values::Set {
            name: name.to_string(),
            value: escaped(&value),
            text: flag(item, &["forceString"]),
            origin: subject.origin(item),
        });
    }
    parameters.sort_by_key(|value| matches!(value, Values::Set { text: true, .. }));
    Ok(parameters)
}

/// As Argo CD hands it to `--set`: commas get a `\` unless they have one, or stand in a list.
fn escaped(value: &str) -> String {
    if value.starts_with('{') && value.ends_with('}') {
        return value.to_string();
    }
    let mut out = String::new();
    let mut previous = None;
    for char in value.chars() {
        if char == ',' && previous != Some('\\') {
            out.push('\\');
        }
        out.push(char);
        previous = Some(char);
    }
    out
}
