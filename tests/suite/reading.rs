//! Laws of reading: what the manifests of a world say is the world, however they are written.

use crate::worlds::{layout, manifests, pair, text, world};
use crate::yaml;
use netpol_review::config::Config;
use netpol_review::model::{Cluster, Policy, Section, Written};
use netpol_review::parse::{Parsed, parse_both};
use netpol_review::tree::Tree;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

fn read(files: &[(String, String)]) -> Parsed {
    let files = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    let tree = Tree::from_texts("world", files);
    parse_both(&tree, &tree, &Config::default()).0
}

/// The cluster with every object where the generator would put it, so that two readings of the same
/// objects from different files are equal. Rules and their entries are put in an order of their own.
fn without_lines(cluster: &Cluster) -> Cluster {
    let section = |section: &Option<Section>| {
        section.clone().map(|mut section| {
            for rule in &mut section.rules {
                rule.peers.iter_mut().for_each(|peers| peers.sort_by(|a, b| a.kind.cmp(&b.kind)));
                rule.ports.iter_mut().for_each(|ports| {
                    ports.sort_by(|a, b| (a.protocol, &a.ports).cmp(&(b.protocol, &b.ports)));
                });
            }
            let line = layout::origin("", 1, 1);
            section.rules.sort_by_cached_key(|rule| {
                let mut rule = rule.clone();
                rule.origin = line.clone();
                rule.peers.iter_mut().flatten().for_each(|peer| peer.origin = line.clone());
                rule.ports.iter_mut().flatten().for_each(|port| port.origin = line.clone());
                format!("{rule:?}")
            });
            section
        })
    };
    let policy = |policy: &Arc<Policy>| {
        let mut policy = Policy::clone(policy);
        policy.ingress = section(&policy.ingress);
        policy.egress = section(&policy.egress);
        for (_, dead) in &mut policy.dead {
            *dead = section(&Some(dead.clone())).expect("there is one");
        }
        // A world does not say what of it would be written.
        policy.written = Written::default();
        layout::policy(policy)
    };
    layout::cluster(
        cluster.namespaces.values().map(|n| layout::namespace(&n.name, n.labels.clone())),
        cluster.workloads.iter().map(|w| layout::workload(w.as_ref().clone())),
        cluster.policies.iter().map(policy),
    )
}

/// The same lists in an order that depends on the seed; the order of no list in a manifest matters here.
fn reorder_lists(value: &mut Value, seed: u64) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|value| reorder_lists(value, seed)),
        Value::Array(items) => {
            items.iter_mut().for_each(|item| reorder_lists(item, seed));
            items.sort_by_cached_key(|item| yaml::mix(seed, &item.to_string()));
        }
        _ => {}
    }
}

/// The same objects in other files and another order, with everything in them in another order.
pub fn reordered(cluster: &Cluster, seed: u64) -> Vec<(String, String)> {
    let mut objects = text::objects(cluster);
    objects.sort_by_cached_key(|(path, _)| yaml::mix(seed, path));
    let mut files = BTreeMap::<String, Vec<String>>::new();
    for (path, mut object) in objects {
        reorder_lists(&mut object, seed);
        let file = format!("f{}.yml", yaml::mix(seed, &path) % 3);
        files.entry(file).or_default().push(yaml::write_in_order(&object, seed));
    }
    let text = |documents: Vec<String>| documents.join("---\n");
    files.into_iter().map(|(path, documents)| (path, text(documents))).collect()
}

fn assert_reads_as(files: &[(String, String)], cluster: &Cluster) -> Result<(), TestCaseError> {
    let parsed = read(files);
    prop_assert_eq!(&parsed.problems, &vec![]);
    let (is, should) = (without_lines(&parsed.cluster), without_lines(cluster));
    prop_assert_eq!(is.namespaces, should.namespaces);
    prop_assert_eq!(is.workloads, should.workloads);
    prop_assert_eq!(is.policies, should.policies);
    Ok(())
}

proptest! {
    #![proptest_config(crate::worlds::config(128))]

    /// What was written is read again: the same cluster, and nothing that is not understood.
    #[test]
    fn a_world_is_read_as_it_was_written(cluster in world()) {
        assert_reads_as(&manifests(&cluster), &cluster)?;
    }

    /// The order of files, documents, rules, peers, ports, expressions and labels never matters.
    #[test]
    fn order_never_matters(cluster in world(), seed in any::<u64>()) {
        assert_reads_as(&reordered(&cluster, seed), &cluster)?;
    }

    /// Documents that both sides share are the same objects on both sides, others are not.
    #[test]
    fn what_is_shared_is_read_once(pair in pair()) {
        let trees = [&pair.before, &pair.after].map(|cluster| {
            let files = manifests(cluster);
            Tree::from_texts("world", files.iter().map(|(path, text)| (path.as_str(), text.as_str())))
        });
        let [before, mut after] = trees;
        for (path, content) in &mut after.files {
            if let Some(same) = before.files.get(path).filter(|other| other.same(content)) {
                *content = same.clone();
            }
        }
        let (before, after) = parse_both(&before, &after, &Config::default());
        let (before, after) = (before.cluster, after.cluster);
        for policy in &before.policies {
            for other in after.policies.iter().filter(|other| other.id == policy.id) {
                prop_assert_eq!(Arc::ptr_eq(policy, other), policy == other);
            }
        }
        for workload in &before.workloads {
            for other in after.workloads.iter().filter(|other| other.id == workload.id) {
                prop_assert_eq!(Arc::ptr_eq(workload, other), workload == other);
            }
        }
        for (name, namespace) in &before.namespaces {
            if let Some(other) = after.namespaces.get(name) {
                prop_assert_eq!(Arc::ptr_eq(namespace, other), namespace == other);
            }
        }
    }
}
