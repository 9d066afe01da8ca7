//! What Argo CD and Flux write into a directory's own kustomization before they build it.

use super::Overlay;
use super::inputs::{generated, inside};
use crate::parse::{Field, Node, Value};
use crate::tree::Files;
use serde_json::json;

/// Lists of which an item takes the place of the one with the same name.
const NAMED: &[&str] = &["images", "replicas"];

impl Overlay {
    /// Is there nothing to write, and nothing to set afterwards?
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.labels.is_empty()
    }

    /// The fields as the kustomization in a directory has to write them, all on line 0. Paths of components count
    /// from there.
    pub fn written(&self, directory: &str) -> Node {
        let mut fields = Vec::new();
        for (key, value) in &self.fields {
            let mut node = Node::on_line(value, 0);
            if let ("components", Value::List(items)) = (key.as_str(), &mut node.value) {
                for item in items {
                    if let Value::Text(path) = &mut item.value {
                        *path = from(directory, path);
                    }
                }
            }
            fields.push(field(key, node));
        }
        Node { start_line: 0, end_line: 0, value: Value::Map(fields) }
    }
}

/// A kustomization with the fields of [`Overlay::written`] in it. Texts take the place of what was there, maps are
/// merged, lists are appended; of images and replicas those of the same name are replaced, and a component that is
/// there already stays what it is. So both tools do it: a prefix takes the place of the kustomization's own, and
/// its patches see the names without any.
pub fn applied(kustomization: &Node, overlay: &Node) -> Node {
    let mut result = kustomization.clone();
    if result.value == Value::Null {
        result.value = Value::Map(Vec::new());
    }
    let Value::Map(own) = &mut result.value else { return result };
    for field in overlay.fields() {
        let Some(there) = own.iter_mut().find(|own| own.key == field.key) else {
            own.push(field.clone());
            continue;
        };
        match (&mut there.node.value, &field.node.value) {
            (Value::List(own), Value::List(items)) => append(own, &field.key, items),
            (Value::Map(own), Value::Map(fields)) => {
                own.retain(|own| fields.iter().all(|field| field.key != own.key));
                own.extend(fields.iter().cloned());
            }
            _ => *there = field.clone(),
        }
    }
    result
}

fn append(own: &mut Vec<Node>, key: &str, items: &[Node]) {
    for item in items {
        let name = item.text_at(&["name"]);
        if NAMED.contains(&key) {
            own.retain(|other| other.text_at(&["name"]) != name);
        }
        if key != "components" || own.iter().all(|other| other.text() != item.text()) {
            own.push(item.clone());
        }
    }
}

/// The kustomization that Flux makes for a directory without one, all on line 0.
pub fn made(directory: &str, files: &dyn Files) -> Node {
    let resources = generated(directory, files);
    let resources: Vec<&str> = resources.iter().map(|path| inside(directory, path)).collect();
    Node::on_line(&json!({ "resources": resources }), 0)
}

/// A path from the root of the tree as seen from a directory.
fn from(directory: &str, path: &str) -> String {
    let up = directory.split('/').filter(|part| !part.is_empty()).count();
    match "../".repeat(up) + path {
        path if path.is_empty() => ".".to_string(),
        path => path,
    }
}

fn field(key: &str, node: Node) -> Field {
    Field { key: key.to_string(), line: 0, node }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;
    use serde_json::Value as Json;

    fn overlay(fields: Json) -> Overlay {
        let Json::Object(fields) = fields else { panic!("a map") };
        Overlay { fields: fields.into_iter().collect(), ..Overlay::default() }
    }

    #[test]
    fn fields_are_put_where_the_tools_put_them() {
        let fields = overlay(json!({
            "namePrefix": "b-",
            "namespace": "shop",
            "patches": [{"patch": "2"}],
            "images": [{"name": "x", "newTag": "2"}, {"name": "z"}],
            "commonLabels": {"team": "b", "new": "1"},
            "components": ["components/tls", "components/new"],
        }));
        let own = Node::on_line(
            &json!({
                "resources": ["../base"],
                "namePrefix": "a-",
                "patches": [{"patch": "1"}],
                "images": [{"name": "x", "newTag": "1"}, {"name": "y"}],
                "commonLabels": {"team": "a", "old": "1"},
                "components": ["../../components/tls"],
            }),
            0,
        );
        let result = applied(&own, &fields.written("overlays/prod"));
        let expected = json!({
            "resources": ["../base"],
            "namePrefix": "b-",
            "namespace": "shop",
            "patches": [{"patch": "1"}, {"patch": "2"}],
            "images": [{"name": "y"}, {"name": "x", "newTag": "2"}, {"name": "z"}],
            "commonLabels": {"team": "b", "new": "1", "old": "1"},
            "components": ["../../components/tls", "../../components/new"],
        });
        assert_eq!(result.to_json(), expected);
        assert!(Overlay::default().is_empty());
    }

    #[test]
    fn a_kustomization_that_says_nothing_is_filled_and_one_that_is_none_is_left() {
        let fields = overlay(json!({"namePrefix": "b-"})).written("");
        assert_eq!(
            applied(&Node::on_line(&Json::Null, 0), &fields).to_json(),
            json!({"namePrefix": "b-"})
        );
        assert_eq!(applied(&Node::on_line(&json!([1]), 0), &fields).to_json(), json!([1]));
    }

    #[test]
    fn where_there_is_none_one_is_made() {
        let tree = Tree::from_texts(
            "t",
            [("a/b/x.yaml", ""), ("a/b/c/y.yml", ""), ("a/b/d/kustomization.yaml", "")],
        );
        assert_eq!(made("a/b", &tree).to_json(), json!({"resources": ["c/y.yml", "d", "x.yaml"]}));
        assert_eq!(from("", "a"), "a");
        assert_eq!(from("a/b", ""), "../../");
        assert_eq!(from("", ""), ".");
    }
}
