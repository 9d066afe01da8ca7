//! The manifests of a cluster as text.

use crate::yaml;
use netpol_review::model::{
    Cluster, Direction, IpBlock, Labels, NamespaceMatch, Operator, PeerKind, Policy, Ports, Rule,
    Section, Selector, Workload,
};
use serde_json::{Map, Value, json};

/// One YAML file for each object, by path.
pub fn manifests(cluster: &Cluster) -> Vec<(String, String)> {
    objects(cluster).into_iter().map(|(path, object)| (path, yaml::write(&object))).collect()
}

/// One object for each file, by path.
pub fn objects(cluster: &Cluster) -> Vec<(String, Value)> {
    let namespaces = cluster.namespaces.values().map(|namespace| {
        let labels = labels(&namespace.labels);
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": &*namespace.name, "labels": labels}
        });
        (&namespace.origin, object)
    });
    let workloads = cluster.workloads.iter().map(|w| (&w.origin, workload(w)));
    let policies = cluster.policies.iter().map(|p| (&p.origin, policy(p)));
    namespaces
        .chain(workloads)
        .chain(policies)
        .map(|(origin, object)| (origin.file.to_string(), object))
        .collect()
}

fn labels(labels: &Labels) -> Value {
    let pairs = labels.iter().map(|(key, value)| (key.to_string(), json!(&**value)));
    Value::Object(pairs.collect())
}

fn workload(workload: &Workload) -> Value {
    let ports: Vec<Value> = workload
        .ports
        .iter()
        .map(|port| {
            let mut entry =
                json!({"containerPort": port.number, "protocol": port.protocol.as_str()});
            if let Some(name) = &port.name {
                entry["name"] = json!(&**name);
            }
            entry
        })
        .collect();
    // A container may not use a name twice (with one protocol or several), but two containers may (U4).
    let containers: Vec<Value> = ports
        .into_iter()
        .enumerate()
        .map(|(index, port)| json!({"name": format!("c{index}"), "image": "i", "ports": [port]}))
        .collect();
    let mut spec = json!({"containers": containers});
    if workload.host_network {
        spec["hostNetwork"] = json!(true);
    }
    let id = &workload.id;
    let metadata = json!({"name": &*id.name, "namespace": &*id.namespace});
    if &*id.kind == "Pod" {
        let mut object =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
        object["metadata"]["labels"] = labels(&workload.labels);
        if !workload.addresses.is_empty() {
            let ips: Vec<Value> = workload
                .addresses
                .iter()
                .map(|address| json!({"ip": address.to_string()}))
                .collect();
            object["status"] = json!({"podIP": ips[0]["ip"], "podIPs": ips});
        }
        return object;
    }
    json!({
        "apiVersion": "apps/v1", "kind": &*id.kind, "metadata": metadata,
        "spec": {"template": {"metadata": {"labels": labels(&workload.labels)}, "spec": spec}}
    })
}

fn policy(policy: &Policy) -> Value {
    let mut spec = Map::new();
    spec.insert("podSelector".into(), selector(&policy.subject.pods));
    let mut types = vec![];
    for direction in Direction::BOTH {
        let name = match direction {
            Direction::Ingress => "Ingress",
            Direction::Egress => "Egress",
        };
        if let Some(section) = policy.section(direction) {
            types.push(name);
            spec.insert(direction.as_str().into(), rules(section, direction));
        }
    }
    for (direction, section) in &policy.dead {
        spec.insert(direction.as_str().into(), rules(section, *direction));
    }
    spec.insert("policyTypes".into(), json!(types));
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": &*policy.id.name, "namespace": policy.id.namespace.as_deref()},
        "spec": spec
    })
}

fn rules(section: &Section, direction: Direction) -> Value {
    section.rules.iter().map(|r| rule(r, direction)).collect()
}

fn rule(rule: &Rule, direction: Direction) -> Value {
    let mut fields = Map::new();
    if let Some(peers) = &rule.peers {
        let key = match direction {
            Direction::Ingress => "from",
            Direction::Egress => "to",
        };
        let peers = peers.iter().map(|p| peer(&p.kind)).collect();
        fields.insert(key.into(), peers);
    }
    if let Some(ports) = &rule.ports {
        let ports = ports.iter().map(|port| {
            let mut entry = json!({"protocol": port.protocol.as_str()});
            match &port.ports {
                Ports::All => {}
                Ports::Named(name) => entry["port"] = json!(&**name),
                Ports::Range(first, last) => {
                    entry["port"] = json!(first);
                    if first != last {
                        entry["endPort"] = json!(last);
                    }
                }
            }
            entry
        });
        fields.insert("ports".into(), ports.collect());
    }
    Value::Object(fields)
}

fn peer(kind: &PeerKind) -> Value {
    match kind {
        PeerKind::Pods { namespaces, pods } => match namespaces {
            NamespaceMatch::Name(_) => json!({"podSelector": selector(pods)}),
            NamespaceMatch::Labels(namespaces) if pods.is_everything() => {
                json!({"namespaceSelector": selector(namespaces)})
            }
            NamespaceMatch::Labels(namespaces) => {
                json!({"namespaceSelector": selector(namespaces), "podSelector": selector(pods)})
            }
        },
        PeerKind::Block(IpBlock { cidr, except }) => {
            let except: Vec<String> = except.iter().map(ToString::to_string).collect();
            let mut block = json!({"cidr": cidr.to_string()});
            if !except.is_empty() {
                block["except"] = json!(except);
            }
            json!({"ipBlock": block})
        }
    }
}

/// With `matchLabels` for the first value of each key that is required to be one of one.
fn selector(selector: &Selector) -> Value {
    let mut match_labels = Map::new();
    let mut expressions = vec![];
    for requirement in selector.requirements() {
        let key = &*requirement.key;
        let (operator, values) = match &requirement.operator {
            Operator::In(values) => ("In", Some(values)),
            Operator::NotIn(values) => ("NotIn", Some(values)),
            Operator::Exists => ("Exists", None),
            Operator::DoesNotExist => ("DoesNotExist", None),
        };
        let values: Option<Vec<&str>> = values.map(|v| v.iter().map(AsRef::as_ref).collect());
        match values.as_deref() {
            Some([value]) if operator == "In" && !match_labels.contains_key(key) => {
                match_labels.insert(key.into(), json!(value));
            }
            Some(values) => {
                expressions.push(json!({"key": key, "operator": operator, "values": values}));
            }
            None => expressions.push(json!({"key": key, "operator": operator})),
        }
    }
    let mut fields = Map::new();
    if !match_labels.is_empty() {
        fields.insert("matchLabels".into(), Value::Object(match_labels));
    }
    if !expressions.is_empty() {
        fields.insert("matchExpressions".into(), Value::Array(expressions));
    }
    Value::Object(fields)
}
