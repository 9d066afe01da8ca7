//! Files in the directory of an Application's source that override its options.

use super::argo::Source;
use super::inputs::beside;
use super::object::{Context, Trouble, only};
use crate::parse::{Field, Node, Value, manifests};

/// The source with the options of `.argocd-source.yaml` and `.argocd-source-NAME.yaml` in its directory, which take
/// the place of its own. They stand where the source stands.
pub(super) fn overridden<'a>(
    mut source: Source<'a>,
    context: &Context<'_>,
) -> Result<Source<'a>, Trouble> {
    let at = source.node.clone();
    for name in [".argocd-source.yaml".to_string(), format!(".argocd-source-{}.yaml", source.name)]
    {
        let path = beside(&source.path, &name);
        let Some(content) = context.facts.files.read(&path) else { continue };
        let patch = match manifests(content.bytes()).into_iter().next() {
            None => continue,
            Some(Ok(patch)) => patch,
            Some(Err(error)) => {
                let reason =
                    format!("`{path}`, which changes it, could not be read: {}", error.message);
                return Err(Trouble::at(&at, reason));
            }
        };
        only(&patch, &["helm", "kustomize", "directory", "plugin"])
            .map_err(|trouble| Trouble::at(&at, format!("in `{path}`, {}", trouble.reason)))?;
        source.node = patched(&source.node, &patch, &at);
    }
    Ok(source)
}

/// A JSON merge patch. What comes from the patch gets the lines of `at`.
fn patched(own: &Node, patch: &Node, at: &Node) -> Node {
    let Value::Map(entries) = &patch.value else {
        let value = match &patch.value {
            Value::List(items) => Value::List(items.iter().map(|item| moved(item, at)).collect()),
            other => other.clone(),
        };
        return Node { start_line: at.start_line, end_line: at.end_line, value };
    };
    let mut fields = own.fields().to_vec();
    for entry in entries {
        let at_key = fields.iter().position(|field| field.key == entry.key);
        if entry.node.value == Value::Null {
            fields.retain(|field| field.key != entry.key);
            continue;
        }
        let empty = Node { value: Value::Null, ..at.clone() };
        let old = at_key.and_then(|index| fields.get(index)).map_or(&empty, |field| &field.node);
        let node = patched(old, &entry.node, at);
        match at_key.and_then(|index| fields.get_mut(index)) {
            Some(field) => field.node = node,
            None => fields.push(Field { key: entry.key.clone(), line: at.start_line, node }),
        }
    }
    Node { value: Value::Map(fields), ..own.clone() }
}

fn moved(node: &Node, at: &Node) -> Node {
    let value = match &node.value {
        Value::List(items) => Value::List(items.iter().map(|item| moved(item, at)).collect()),
        Value::Map(fields) => {
            let field = |field: &Field| Field {
                key: field.key.clone(),
                line: at.start_line,
                node: moved(&field.node, at),
            };
            Value::Map(fields.iter().map(field).collect())
        }
        other => other.clone(),
    };
    Node { start_line: at.start_line, end_line: at.end_line, value }
}

#[cfg(test)]
mod tests {
    use super::super::Build;
    use super::super::argo::tests::{DESTINATION, FILES, URL, application, one};
    use super::super::object::tests::{found, refused};
    use serde_json::json;

    #[test]
    fn files_in_the_directory_override_options() {
        let file = ("overlays/prod/.argocd-source-shop.yaml", "kustomize: {namePrefix: b-}");
        let files = [FILES, &[file, ("plain/.argocd-source.yaml", "path: x")]].concat();
        let with = |source: &str| {
            found(&application(&format!("{DESTINATION}\n  source: {{{URL}, {source}}}")), &files)
        };
        let found = with("path: overlays/prod, kustomize: {namePrefix: a-, nameSuffix: -c}");
        let Build::Kustomize { overlay, .. } = &one(&found).build else { panic!("{found:?}") };
        assert_eq!(
            overlay.fields.values().collect::<Vec<_>>(),
            [&json!("b-"), &json!("-c")],
            "the prefix of the file, the suffix of the Application"
        );
        refused(&with("path: plain"), "in `plain/.argocd-source.yaml`, the field `path`");
    }
}
