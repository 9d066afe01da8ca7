//! What Argo CD and Flux write into a directory's own kustomization before they build it.

use super::{Map, Overlay, Value};

/// Lists of which an item takes the place of the one with the same name.
const NAMED: &[&str] = &["images", "replicas"];

impl Overlay {
    /// Is there anything to write?
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The kustomization with the overlay in it. Texts take the place of what was there, maps are merged, lists are
    /// appended; of images and replicas those of the same name are replaced. So both tools do it: a prefix takes the
    /// place of the kustomization's own, and its patches see the names without any.
    ///
    /// `component`: how the kustomization has to write the path of a component, which counts from the root of the
    /// tree.
    pub fn applied(
        &self,
        kustomization: &Map<String, Value>,
        component: impl Fn(&str) -> String,
    ) -> Map<String, Value> {
        let mut result = kustomization.clone();
        for (key, value) in &self.fields {
            let mut value = value.clone();
            if let ("components", Value::Array(items)) = (key.as_str(), &mut value) {
                for item in items {
                    if let Value::String(path) = item {
                        *path = component(path);
                    }
                }
            }
            match (result.get_mut(key), value) {
                (Some(Value::Array(own)), Value::Array(items)) => {
                    let name = |item: &Value| item.get("name").cloned();
                    for item in items {
                        if NAMED.contains(&key.as_str()) {
                            own.retain(|other| name(other) != name(&item));
                        }
                        own.push(item);
                    }
                }
                (Some(Value::Object(own)), Value::Object(entries)) => own.extend(entries),
                (_, value) => {
                    result.insert(key.clone(), value);
                }
            }
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_put_where_the_tools_put_them() {
        let fields = json!({
            "namePrefix": "b-",
            "namespace": "shop",
            "patches": [{"patch": "2"}],
            "images": [{"name": "x", "newTag": "2"}, {"name": "z"}],
            "commonLabels": {"team": "b", "new": "1"},
            "components": ["components/tls"],
        });
        let own = json!({
            "resources": ["../base"],
            "namePrefix": "a-",
            "patches": [{"patch": "1"}],
            "images": [{"name": "x", "newTag": "1"}, {"name": "y"}],
            "commonLabels": {"team": "a", "old": "1"},
        });
        let (Value::Object(fields), Value::Object(own)) = (fields, own) else { panic!("maps") };
        let overlay = Overlay { fields: fields.into_iter().collect(), substitute: None };
        let applied = overlay.applied(&own, |path| format!("../../{path}"));
        let expected = json!({
            "resources": ["../base"],
            "namePrefix": "b-",
            "namespace": "shop",
            "patches": [{"patch": "1"}, {"patch": "2"}],
            "images": [{"name": "y"}, {"name": "x", "newTag": "2"}, {"name": "z"}],
            "commonLabels": {"team": "b", "new": "1", "old": "1"},
            "components": ["../../components/tls"],
        });
        assert_eq!(Value::Object(applied), expected);
        assert!(Overlay::default().is_empty());
    }
}
