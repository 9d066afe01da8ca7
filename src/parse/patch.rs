//! Patches of kustomizations: could one change what policies look at?
//!
//! A patch is passed over only where each field that it writes provably plays no part: a list of what
//! does play one would always lack something.

use super::doc::{Doc, NodeId, View};
use super::scalar::Scalar;
use super::{kinds, split, yaml};

/// What the `target` of a patch says.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    /// The kind, a regular expression; `None` is any kind.
    pub(super) kind: Option<String>,
}

/// Could a patch change a flow? `target`: as the kustomization has it; without one the patch itself
/// names its object.
pub(super) fn matters(target: Option<&Target>, text: &[u8]) -> bool {
    let kind = target.and_then(|target| target.kind.as_deref());
    if kind.is_some_and(plays_no_part) {
        return false;
    }
    split::documents(text).any(|document| {
        let Ok(text) = std::str::from_utf8(document.bytes) else { return true };
        match yaml::parse(text, document.first_line) {
            Ok(parsed) => {
                parsed.trailing.is_some()
                    || parsed.doc.is_some_and(|doc| document_matters(&doc, target.is_some(), kind))
            }
            Err(_) => true,
        }
    })
}

/// True iff no object of this kind plays a part. What may be a regular expression is no kind.
pub(super) fn plays_no_part(kind: &str) -> bool {
    !kind.is_empty()
        && kind.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !kinds::worth_parsing(kind)
}

fn document_matters(doc: &Doc<'_>, targeted: bool, kind: Option<&str>) -> bool {
    match doc.view(Doc::ROOT) {
        View::Scalar(Scalar::Null) => false,
        View::Scalar(_) => true,
        View::Seq(operations) => {
            operations.iter().any(|operation| operation_matters(doc, *operation, kind))
        }
        View::Map => {
            let own = doc.text(Doc::ROOT, "kind");
            if !targeted && own.is_some_and(plays_no_part) {
                return false;
            }
            let kind = if targeted { kind } else { own };
            field_matters(doc, Doc::ROOT, kind, &mut Vec::new())
        }
    }
}

/// An operation of a JSON patch.
fn operation_matters(doc: &Doc<'_>, operation: NodeId, kind: Option<&str>) -> bool {
    let unimportant = |key| {
        doc.text(operation, key).is_some_and(|pointer| {
            let parts: Vec<String> = pointer
                .split('/')
                .skip(1)
                .map(|part| part.replace("~1", "/").replace("~0", "~"))
                .collect();
            no_part(&parts.iter().map(String::as_str).collect::<Vec<_>>(), kind)
        })
    };
    match doc.text(operation, "op") {
        Some("test") => false,
        Some("add" | "replace" | "remove" | "copy") => !unimportant("path"),
        Some("move") => !unimportant("path") || !unimportant("from"),
        _ => true,
    }
}

/// A field of a strategic merge patch, and what is inside. `path`: where it is.
fn field_matters<'d>(
    doc: &'d Doc<'_>,
    node: NodeId,
    kind: Option<&str>,
    path: &mut Vec<&'d str>,
) -> bool {
    let mut inside = Vec::new();
    match doc.view(node) {
        View::Scalar(_) => {}
        // A merge with nothing; as an item of a list it is something, as in `ingress: [{}]`.
        View::Map
            if !path.contains(&"-")
                && doc.entries(node).is_ok_and(|map| map.entries.is_empty()) =>
        {
            return false;
        }
        View::Seq(items) => inside.extend(items.iter().map(|item| ("-", *item))),
        View::Map => {
            let Ok(map) = doc.entries(node) else { return true };
            for entry in map.entries {
                // A key that is no plain text is no field of a workload.
                let Some(key) = doc.written(entry.key_node) else { return true };
                inside.push((key, entry.value));
            }
        }
    }
    if doc.spend(node, inside.len()).is_err() {
        return true;
    }
    if inside.is_empty() {
        let names_its_object =
            matches!(path[..], ["apiVersion" | "kind"] | ["metadata", "name" | "namespace"]);
        return !names_its_object && !no_part(path, kind);
    }
    inside.into_iter().any(|(key, value)| {
        path.push(key);
        let matters = field_matters(doc, value, kind, path);
        path.pop();
        matters
    })
}

/// True iff a field plays no part, with all that is inside, whatever is done to it.
fn no_part(path: &[&str], kind: Option<&str>) -> bool {
    // `$patch`, `$retainKeys` and the like delete what stands beside them.
    if path.iter().any(|key| key.starts_with('$') && !key.starts_with("$setElementOrder/")) {
        return false;
    }
    match path {
        ["metadata", "annotations", ..]
        | ["spec", "template", "metadata", "annotations", ..]
        | ["spec", "jobTemplate", "spec", "template", "metadata", "annotations", ..] => true,
        ["spec", "template", "spec", rest @ ..]
        | ["spec", "jobTemplate", "spec", "template", "spec", rest @ ..] => no_part_of_pod(rest),
        ["spec", rest @ ..] if kind == Some("Pod") => no_part_of_pod(rest),
        ["spec", field, ..] => matches!(
            *field,
            "replicas"
                | "strategy"
                | "updateStrategy"
                | "minReadySeconds"
                | "revisionHistoryLimit"
                | "progressDeadlineSeconds"
                | "podManagementPolicy"
                | "serviceName"
                | "volumeClaimTemplates"
                | "schedule"
                | "suspend"
                | "concurrencyPolicy"
                | "successfulJobsHistoryLimit"
                | "failedJobsHistoryLimit"
                | "startingDeadlineSeconds"
        ),
        _ => false,
    }
}

/// The same of a field of a pod's `spec`. Of a container only the ports count, and whether it is there.
fn no_part_of_pod(path: &[&str]) -> bool {
    match path {
        [] | ["hostNetwork", ..] | ["containers"] | ["containers", _] => false,
        ["containers", _, field, ..] => *field != "ports",
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_provably_plays_no_part_is_passed_over() {
        for (text, expected) in [
            (
                "kind: Deployment\nspec: {template: {spec: {containers: [{name: a, image: x}]}}}",
                false,
            ),
            (
                "kind: Deployment\nmetadata: {name: a, annotations: {a: b}}\nspec: {replicas: 2}",
                false,
            ),
            ("kind: Ingress\nmetadata: {labels: {a: b}}", false),
            ("kind: Deployment\nmetadata: {labels: {a: b}}", true),
            ("kind: Deployment\nspec: {template: {spec: {hostNetwork: true}}}", true),
            (
                "kind: Deployment\nspec: {template: {spec: {containers: [{ports: [{name: a}]}]}}}",
                true,
            ),
            ("kind: Deployment\nspec: {template: {spec: {containers: [{$patch: delete}]}}}", true),
            ("kind: Deployment\nspec: {template: null}", true),
            ("kind: NetworkPolicy\nmetadata: {name: a, annotations: {a: b}}", false),
            ("kind: NetworkPolicy\nspec: {podSelector: {}}", false),
            ("kind: NetworkPolicy\nspec: {podSelector: {matchLabels: {a: b}}}", true),
            ("kind: NetworkPolicy\nspec: {ingress: [{}]}", true),
            ("kind: NetworkPolicy\nspec: {egress: null}", true),
            ("kind: Service\nspec: {}\n---\nkind: Namespace\nmetadata: {labels: {a: b}}", true),
            ("- {op: add, path: /spec/template/metadata/labels/a, value: b}", true),
            ("- {op: add, path: /metadata/annotations/a~1b, value: b}", false),
            ("- {op: replace, path: /spec/template/spec/containers/0/image, value: b}", false),
            ("- {op: replace, path: /spec/template/spec/containers/0, value: {}}", true),
            ("- {op: move, from: /spec/ingress, path: /metadata/annotations/a}", true),
            ("- {op: test, path: /spec/ingress, value: []}", false),
            ("- {op: add, path: /spec/ingress, value: [{}]}", true),
            ("- {op: add, path: '', value: {}}", true),
            ("a: [", true),
            ("", false),
        ] {
            assert_eq!(matters(None, text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_target_decides_which_kind_is_patched() {
        let target = |kind: Option<&str>| Target { kind: kind.map(str::to_string) };
        let remove = b"- {op: remove, path: /spec/ports/0}";
        assert!(!matters(Some(&target(Some("Service"))), remove));
        assert!(matters(Some(&target(Some("Service|Pod"))), remove));
        assert!(matters(Some(&target(None)), remove));
        // The kind that the patch itself names does not count beside a target.
        assert!(matters(Some(&target(None)), b"kind: Service\nspec: {ingress: [{}]}"));
        let pod = b"- {op: remove, path: /spec/nodeName}";
        assert!(!matters(Some(&target(Some("Pod"))), pod));
        assert!(matters(Some(&target(Some("NetworkPolicy"))), pod));
    }
}
