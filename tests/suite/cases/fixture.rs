//! A case as two trees of manifests.

use crate::yaml;
use netpol_review::tree::{Content, Tree};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How manifests are written.
#[derive(Clone, Copy, Debug)]
pub enum Spelling {
    /// YAML in block style, several documents in a file.
    Yaml,
    /// One JSON file that holds a `List`.
    JsonList,
}

/// One side of a case: objects by the file that they would stand in.
type Objects = BTreeMap<String, Vec<Value>>;

/// The two sides of a case. Files that are the same on both sides share their content.
pub fn trees(fixture: &Value, case: &Value, spelling: Spelling) -> (Tree, Tree) {
    let before = files(&objects(fixture, case, "before"), spelling);
    let after = files(&objects(fixture, case, "after"), spelling);
    let mut trees = (tree("before", &before), tree("after", &after));
    for (path, content) in &trees.0.files {
        if before.get(&**path) == after.get(&**path) {
            trees.1.files.insert(path.clone(), content.clone());
        }
    }
    trees
}

/// The workloads and bare pods of a case, on either side, as `namespace/name`.
pub fn workloads(fixture: &Value, case: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for side in ["before", "after"] {
        for section in ["workloads", "pods"] {
            names.extend(patched(fixture, case, side, section).keys().cloned());
        }
    }
    names
}

/// One manifest as a tree of one file.
pub fn single(object: &Value) -> Tree {
    let text = yaml::write(object);
    Tree::from_texts("single", [("object.yaml", text.as_str())])
}

fn tree(name: &str, files: &BTreeMap<String, String>) -> Tree {
    Tree {
        name: name.into(),
        files: files
            .iter()
            .map(|(path, text)| (path.as_str().into(), Content::new(text.as_bytes())))
            .collect(),
        ..Tree::default()
    }
}

fn files(objects: &Objects, spelling: Spelling) -> BTreeMap<String, String> {
    match spelling {
        Spelling::Yaml => {
            let file = |documents: &Vec<Value>| {
                let documents: Vec<String> = documents.iter().map(yaml::write).collect();
                documents.join("---\n")
            };
            let files = objects.iter();
            files.map(|(path, documents)| (format!("{path}.yaml"), file(documents))).collect()
        }
        Spelling::JsonList => {
            let items: Vec<&Value> = objects.values().flatten().collect();
            let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
            let text = serde_json::to_string_pretty(&list).expect("JSON");
            BTreeMap::from([("all.json".to_string(), text)])
        }
    }
}

/// A section of the fixture with the patches of the case: an entry of a patch replaces one of the fixture,
/// `null` takes it away.
fn patched(fixture: &Value, case: &Value, side: &str, section: &str) -> Map<String, Value> {
    let mut all = fixture[section].as_object().cloned().unwrap_or_default();
    let patches = match side {
        "before" => &["patch_both"][..],
        _ => &["patch_both", "patch_after"],
    };
    for patch in patches {
        for (name, value) in case[patch][section].as_object().into_iter().flatten() {
            match value {
                Value::Null => all.remove(name),
                value => all.insert(name.clone(), value.clone()),
            };
        }
    }
    all
}

fn objects(fixture: &Value, case: &Value, side: &str) -> Objects {
    let mut objects = Objects::new();
    let dropped: Vec<&str> = case["drop_namespaces"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut add = |path: String, object| objects.entry(path).or_default().push(object);
    for (name, labels) in patched(fixture, case, side, "namespaces") {
        if !dropped.contains(&name.as_str()) {
            let metadata = json!({"name": name, "labels": labels});
            let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
            add("namespaces".into(), object);
        }
    }
    for (name, workload) in patched(fixture, case, side, "workloads") {
        let (namespace, name) = name.split_once('/').expect("namespace/name");
        let metadata = json!({"namespace": namespace, "name": name});
        let template =
            json!({"metadata": {"labels": workload["labels"]}, "spec": pod_spec(&workload)});
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {"selector": {"matchLabels": workload["labels"]}, "template": template}
        });
        add(format!("{namespace}/workloads"), object);
    }
    for (name, pod) in patched(fixture, case, side, "pods") {
        let (namespace, name) = name.split_once('/').expect("namespace/name");
        let metadata = json!({"namespace": namespace, "name": name, "labels": pod["labels"]});
        let mut object = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(&pod)
        });
        if let Some(address) = pod.get("ip") {
            object["status"] = json!({"podIP": address, "podIPs": [{"ip": address}]});
        }
        add(format!("{namespace}/pods"), object);
    }
    for policy in case[side].as_array().into_iter().flatten() {
        let name = policy["name"].as_str().expect("a name");
        add(format!("policies/{name}"), network_policy(policy));
    }
    objects
}

fn pod_spec(workload: &Value) -> Value {
    let ports: Vec<Value> = workload["ports"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|port| json!({"name": port[0], "containerPort": port[1], "protocol": port[2]}))
        .collect();
    let mut spec = json!({"containers": [{"name": "main", "image": "example", "ports": ports}]});
    if let Some(host_network) = workload.get("hostNetwork") {
        spec["hostNetwork"] = host_network.clone();
    }
    spec
}

/// A policy entry of a case as a manifest: namespace `a` unless it says otherwise, none if it says null.
pub fn network_policy(policy: &Value) -> Value {
    let mut metadata = json!({"name": policy["name"]});
    match policy.get("ns") {
        None => metadata["namespace"] = json!("a"),
        Some(Value::Null) => {}
        Some(namespace) => metadata["namespace"] = namespace.clone(),
    }
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": metadata, "spec": policy["spec"]
    })
}
