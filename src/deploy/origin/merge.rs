//! Patches laid over a node whose parts keep their lines: strategic merge and JSON 6902.

use super::align::same_scalar;
use crate::parse::{Field, Node, Value};
use rustc_hash::FxHashMap;

/// The longest path of a JSON patch. With the bound on how deep a document nests it keeps a patched node from
/// growing ever deeper.
const STEPS: usize = 100;

/// What may be done to find the sources of one text. Whatever would take more is left as it is.
pub(super) struct Work {
    /// Values that are looked at.
    pub(super) looks: usize,
    /// Values that patches copy, and places that others move to make room.
    pub(super) moves: usize,
}

impl Default for Work {
    fn default() -> Self {
        Self { looks: super::align::LOOKS, moves: 20_000_000 }
    }
}

impl Work {
    fn moves(&mut self, moves: usize) -> Option<()> {
        self.moves = self.moves.checked_sub(moves)?;
        Some(())
    }
}

/// What a patch took away: the line that stands for what it was taken from, and the line of the patch.
pub(super) type Removed = Vec<(u32, u32)>;

/// The kinds whose lists Kubernetes merges by the names of their items.
const MERGED: [&str; 10] = [
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "Job",
    "CronJob",
    "Pod",
    "Service",
    "ServiceAccount",
];

/// Lays a strategic merge patch over an object. What the patch says of who the object is names it only.
pub(super) fn strategic(object: &mut Node, patch: &Node, removed: &mut Removed, work: &mut Work) {
    let merged = object.text_at(&["kind"]).is_some_and(|kind| MERGED.contains(&kind));
    let line = object.start_line;
    let mut merge = Merge { merged, removed, work };
    let (Value::Map(fields), changes) = (&mut object.value, patch.fields()) else { return };
    merge.map(fields, line, changes, Names::OfObject);
}

/// Fields of a patch that name the object and change nothing.
#[derive(Clone, Copy, PartialEq)]
enum Names {
    /// Those of the object itself.
    OfObject,
    /// Those of its `metadata`.
    OfMetadata,
    /// There are none further inside.
    None,
}

impl Names {
    fn are(self, key: &str) -> bool {
        match self {
            Names::OfObject => matches!(key, "apiVersion" | "kind"),
            Names::OfMetadata => matches!(key, "name" | "namespace"),
            Names::None => false,
        }
    }
}

struct Merge<'r> {
    merged: bool,
    removed: &'r mut Removed,
    work: &'r mut Work,
}

impl Merge<'_> {
    /// `line`: what stands for the map in the text.
    fn map(&mut self, fields: &mut Vec<Field>, line: u32, changes: &[Field], names: Names) {
        if self.work.moves(fields.len() + changes.len()).is_none() {
            return;
        }
        let directive = changes.iter().find(|change| change.key == "$patch");
        match directive.and_then(|directive| directive.node.text().zip(Some(directive.line))) {
            Some(("replace", _)) => {
                let kept = changes.iter().filter(|change| !is_directive(change));
                *fields = kept.map(clean).collect();
                return;
            }
            Some(("delete", at)) => {
                fields.clear();
                return self.removed.push((line, at));
            }
            _ => {}
        }
        let places: FxHashMap<String, usize> =
            fields.iter().enumerate().map(|(at, field)| (field.key.clone(), at)).collect();
        let mut gone = vec![false; fields.len()];
        for change in changes.iter().filter(|change| !names.are(&change.key)) {
            if is_directive(change) {
                self.removed.push((line, change.line));
                continue;
            }
            let is_null = change.node.value == Value::Null;
            let place = places.get(&change.key).copied();
            match place.and_then(|at| Some((at, fields.get_mut(at)?))) {
                Some((at, _)) if is_null => {
                    gone.get_mut(at).into_iter().for_each(|gone| *gone = true);
                    self.removed.push((line, change.line));
                }
                Some((_, field)) if names == Names::OfObject && change.key == "metadata" => {
                    if let Value::Map(fields) = &mut field.node.value {
                        self.map(fields, field.line, change.node.fields(), Names::OfMetadata);
                    }
                }
                Some((_, field)) => self.field(field, change),
                None if is_null => {}
                None => fields.push(clean(change)),
            }
        }
        let mut gone = gone.into_iter();
        fields.retain(|_| !gone.next().unwrap_or(false));
    }

    fn field(&mut self, field: &mut Field, change: &Field) {
        if same_scalar(&field.node, &change.node) {
            return;
        }
        match (&mut field.node.value, &change.node.value) {
            (Value::Map(fields), Value::Map(changes)) => {
                self.map(fields, field.line, changes, Names::None);
            }
            (Value::List(items), Value::List(changes)) => {
                match merge_key(&change.key, changes).filter(|_| self.merged) {
                    Some(key) => self.list(items, field.line, changes, key),
                    None => *field = clean(change),
                }
            }
            _ => *field = clean(change),
        }
    }

    fn list(&mut self, items: &mut Vec<Node>, line: u32, changes: &[Node], key: &str) {
        if self.work.moves(items.len().saturating_mul(changes.len())).is_none() {
            return;
        }
        let directive = |change: &Node| change.text_at(&["$patch"]).map(str::to_string);
        if changes.iter().any(|change| directive(change).as_deref() == Some("replace")) {
            let kept = changes.iter().filter(|change| directive(change).is_none());
            *items = kept.map(clean_node).collect();
            return;
        }
        for change in changes {
            let called = |item: &&mut Node| match (item.get(key), change.get(key)) {
                (Some(one), Some(other)) => same_scalar(one, other),
                _ => false,
            };
            if directive(change).as_deref() == Some("delete") {
                items.retain_mut(|item| !called(&item));
                self.removed.push((line, change.start_line));
                continue;
            }
            match items.iter_mut().find(called) {
                Some(item) => {
                    let line = item.start_line;
                    if let Value::Map(fields) = &mut item.value {
                        self.map(fields, line, change.fields(), Names::None);
                    }
                }
                None => items.push(clean_node(change)),
            }
        }
    }
}

/// The field by which items of a list are merged. `None`: the whole list is replaced.
fn merge_key(list: &str, items: &[Node]) -> Option<&'static str> {
    let has = |key: &str| items.iter().any(|item| item.get(key).is_some());
    match list {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "secrets" => Some("name"),
        "ports" if has("containerPort") => Some("containerPort"),
        "ports" => Some("port"),
        "volumeMounts" => Some("mountPath"),
        "volumeDevices" => Some("devicePath"),
        "hostAliases" => Some("ip"),
        "topologySpreadConstraints" => Some("topologyKey"),
        _ => None,
    }
}

fn is_directive(field: &Field) -> bool {
    field.key.starts_with('$')
}

/// A field of a patch as a field of an object.
fn clean(field: &Field) -> Field {
    Field { key: field.key.clone(), line: field.line, node: clean_node(&field.node) }
}

fn clean_node(node: &Node) -> Node {
    let value = match &node.value {
        Value::Map(fields) => {
            let kept = |field: &&Field| !is_directive(field) && field.node.value != Value::Null;
            Value::Map(fields.iter().filter(kept).map(clean).collect())
        }
        Value::List(items) => Value::List(items.iter().map(clean_node).collect()),
        other => other.clone(),
    };
    Node { value, ..*node }
}

/// Applies a JSON patch. Operations that don't fit change nothing.
pub(super) fn json(object: &mut Node, operations: &Node, removed: &mut Removed, work: &mut Work) {
    for operation in operations.items() {
        let _ = apply(object, operation, removed, work);
    }
}

fn apply(
    object: &mut Node,
    operation: &Node,
    removed: &mut Removed,
    work: &mut Work,
) -> Option<()> {
    let path = tokens(operation.text_at(&["path"])?)?;
    let line = operation.fields().iter().find(|field| field.key == "path")?.line;
    match operation.text_at(&["op"])? {
        "add" | "replace" => {
            let node = operation.get("value")?;
            work.moves(size(node, 0)?)?;
            let add = operation.text_at(&["op"]) == Some("add");
            put(object, &path, line, node.clone(), add, work)
        }
        "remove" => {
            let (_, from) = take(object, &path, work)?;
            removed.push((from, line));
            Some(())
        }
        "move" => {
            let (node, from) = take(object, &tokens(operation.text_at(&["from"])?)?, work)?;
            removed.push((from, line));
            work.moves(size(&node, 0)?)?;
            put(object, &path, line, node, true, work)
        }
        "copy" => {
            let from = tokens(operation.text_at(&["from"])?)?;
            let (node, _) = find(object, &from)?;
            work.moves(size(node, 0)?)?;
            let node = node.clone();
            put(object, &path, line, node, true, work)
        }
        _ => None,
    }
}

/// The steps of a JSON pointer.
fn tokens(pointer: &str) -> Option<Vec<String>> {
    let steps = pointer.split('/').skip(1);
    let tokens: Vec<String> =
        steps.take(STEPS + 1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    (tokens.len() <= STEPS).then_some(tokens)
}

/// How many values a node has; `None`: it is nested too deeply to be moved.
fn size(node: &Node, depth: usize) -> Option<usize> {
    if depth > 2 * STEPS {
        return None;
    }
    let mut inside = match &node.value {
        Value::List(items) => items.iter().collect::<Vec<_>>(),
        Value::Map(fields) => fields.iter().map(|field| &field.node).collect(),
        _ => return Some(1),
    }
    .into_iter();
    inside.try_fold(1_usize, |all, node| Some(all + size(node, depth + 1)?))
}

/// The node at a path and the line that stands for it.
fn find<'n>(object: &'n Node, path: &[String]) -> Option<(&'n Node, u32)> {
    let start = (object, object.start_line);
    path.iter().try_fold(start, |(node, _), step| match &node.value {
        Value::Map(fields) => {
            let field = fields.iter().find(|field| field.key == *step)?;
            Some((&field.node, field.line))
        }
        Value::List(items) => {
            let item = items.get(step.parse::<usize>().ok()?)?;
            Some((item, item.start_line))
        }
        _ => None,
    })
}

fn find_mut<'n>(object: &'n mut Node, path: &[String]) -> Option<(&'n mut Node, u32)> {
    let line = object.start_line;
    path.iter().try_fold((object, line), |(node, _), step| match &mut node.value {
        Value::Map(fields) => {
            let field = fields.iter_mut().find(|field| field.key == *step)?;
            Some((&mut field.node, field.line))
        }
        Value::List(items) => {
            let item = items.get_mut(step.parse::<usize>().ok()?)?;
            let line = item.start_line;
            Some((item, line))
        }
        _ => None,
    })
}

/// Puts a node at a path. `line`: of the path in the patch. `add`: in a list, before what is there.
fn put(
    object: &mut Node,
    path: &[String],
    line: u32,
    node: Node,
    add: bool,
    work: &mut Work,
) -> Option<()> {
    let Some((last, parents)) = path.split_last() else {
        *object = node;
        return Some(());
    };
    let (parent, _) = find_mut(object, parents)?;
    match &mut parent.value {
        Value::Map(fields) => {
            work.moves(fields.len())?;
            // A scalar is what people edit; of a collection the path says what it is called.
            let line = match node.value {
                Value::Map(_) | Value::List(_) => line,
                _ => node.start_line,
            };
            let field = Field { key: last.clone(), line, node };
            match fields.iter_mut().find(|field| field.key == *last) {
                Some(old) => *old = field,
                None => fields.push(field),
            }
        }
        Value::List(items) if last == "-" => items.push(node),
        Value::List(items) => {
            let index = last.parse::<usize>().ok()?;
            match add {
                true if index <= items.len() => {
                    work.moves(items.len() - index)?;
                    items.insert(index, node);
                }
                true => return None,
                false => *items.get_mut(index)? = node,
            }
        }
        _ => return None,
    }
    Some(())
}

/// Takes a node away; also gives the line that stands for what it was taken from.
fn take(object: &mut Node, path: &[String], work: &mut Work) -> Option<(Node, u32)> {
    let (last, parents) = path.split_last()?;
    let (parent, line) = find_mut(object, parents)?;
    match &mut parent.value {
        Value::Map(fields) => {
            work.moves(fields.len())?;
            let at = fields.iter().position(|field| field.key == *last)?;
            Some((fields.remove(at).node, line))
        }
        Value::List(items) => {
            let at = last.parse::<usize>().ok().filter(|at| *at < items.len())?;
            work.moves(items.len() - at)?;
            Some((items.remove(at), line))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sources::renumber;
    use super::*;
    use crate::parse::manifests;

    fn read(text: &str) -> Node {
        manifests(text.as_bytes()).remove(0).unwrap()
    }

    /// A patch whose lines begin at 101.
    fn patch(text: &str) -> Node {
        let mut node = read(text);
        renumber(&mut node, &|line| line + 100);
        node
    }

    /// Each scalar and the line on which it stands.
    fn leaves(node: &Node, path: String, found: &mut Vec<String>) {
        match &node.value {
            Value::Map(fields) if !fields.is_empty() => fields
                .iter()
                .for_each(|field| leaves(&field.node, format!("{path}.{}", field.key), found)),
            Value::List(items) if !items.is_empty() => {
                for (at, item) in items.iter().enumerate() {
                    leaves(item, format!("{path}.{at}"), found);
                }
            }
            _ => found.push(format!("{} {path} {}", node.start_line, node.to_json())),
        }
    }

    fn merged(object: &str, change: &str) -> (Vec<String>, Removed) {
        let (mut object, mut removed) = (read(object), Removed::new());
        let mut work = Work { moves: 1_000_000, ..Work::default() };
        let change = patch(change);
        match change.value {
            Value::List(_) => json(&mut object, &change, &mut removed, &mut work),
            _ => strategic(&mut object, &change, &mut removed, &mut work),
        }
        let mut found = Vec::new();
        leaves(&object, String::new(), &mut found);
        (found, removed)
    }

    #[test]
    fn a_strategic_patch_replaces_lists_of_policies_and_merges_those_of_pods() {
        let (found, _) = merged(
            "kind: NetworkPolicy\nmetadata: {name: a}\nspec:\n  ingress:\n  - from: [1]\n  podSelector: {}\n",
            "kind: NetworkPolicy\nmetadata:\n  name: b\n  labels: {x: z}\nspec:\n  ingress:\n  - from: [1]\n  - to: [2]\n",
        );
        assert_eq!(
            found,
            [
                "1 .kind \"NetworkPolicy\"",
                "2 .metadata.name \"a\"",
                "104 .metadata.labels.x \"z\"",
                "107 .spec.ingress.0.from.0 1",
                "108 .spec.ingress.1.to.0 2",
                "6 .spec.podSelector {}"
            ]
        );
        let (found, removed) = merged(
            "kind: Pod\nspec:\n  containers:\n  - name: a\n    image: x\n    ports: [{containerPort: 1}]\n  - name: b\n",
            "kind: Pod\nspec:\n  containers:\n  - name: a\n    image: z\n    ports:\n    - containerPort: 2\n  - {name: b, $patch: delete}\n  - name: c\n",
        );
        assert_eq!(
            found,
            [
                "1 .kind \"Pod\"",
                "4 .spec.containers.0.name \"a\"",
                "105 .spec.containers.0.image \"z\"",
                "6 .spec.containers.0.ports.0.containerPort 1",
                "107 .spec.containers.0.ports.1.containerPort 2",
                "109 .spec.containers.1.name \"c\""
            ]
        );
        assert_eq!(removed, [(3, 108)]);
    }

    #[test]
    fn what_a_strategic_patch_takes_away_is_known() {
        let object = "kind: A\nspec:\n  x: 1\n  u:\n    z: 2\n";
        let (found, removed) = merged(object, "spec:\n  x: null\n  u: {$patch: replace, w: 3}\n");
        assert_eq!(found, ["1 .kind \"A\"", "103 .spec.u.w 3"]);
        assert_eq!(removed, [(2, 102)]);
        let (_, removed) = merged(object, "spec:\n  u:\n    $patch: delete\n");
        assert_eq!(removed, [(4, 103)]);
    }

    #[test]
    fn json_patches_keep_the_lines_of_their_values() {
        let object = "spec:\n  ingress:\n  - from: [1]\n  - from: [2]\n  a/b: 3\n";
        let (found, removed) = merged(
            object,
            "- op: add\n  path: /spec/ingress/-\n  value:\n    from: [4]\n- {op: replace, path: /spec/ingress/0/from/0, value: 5}\n- {op: remove, path: /spec/ingress/1}\n- {op: copy, from: /spec/ingress/0, path: /spec/ingress/0}\n- {op: replace, path: /spec/a~1b, value: 6}\n- {op: test, path: /spec, value: 1}\n- {op: add, path: /nothing/here, value: 1}\n",
        );
        assert_eq!(
            found,
            [
                "105 .spec.ingress.0.from.0 5",
                "105 .spec.ingress.1.from.0 5",
                "104 .spec.ingress.2.from.0 4",
                "108 .spec.a/b 6"
            ]
        );
        assert_eq!(removed, [(2, 106)]);
        assert_eq!(merged(object, "- {op: add, path: '', value: {a: 1}}").0, ["101 .a 1"]);
    }

    #[test]
    fn a_patch_that_copies_itself_ends() {
        let twice = "- {op: copy, from: /a, path: /a/-}\n".repeat(60);
        let (found, _) = merged("a: [1]", &twice);
        assert!(found.len() <= 1_000_000, "{}", found.len());
        let deeper = "- {op: add, path: /b, value: {}}\n- {op: move, from: /a, path: /b/b}\n- {op: move, from: /b, path: /a}\n";
        let _ = merged("a: {}\n", &deeper.repeat(20_000));
        let deep = format!("- {{op: add, path: {}, value: 1}}\n", "/a".repeat(STEPS + 1));
        assert_eq!(merged("a: 1", &deep).0, ["1 .a 1"]);
    }
}
