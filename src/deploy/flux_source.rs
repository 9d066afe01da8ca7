//! What objects of Flux refer to: sources, ConfigMaps and Secrets, other clusters.

use super::object::{self, Context, Elsewhere, Subject, Trouble, filled, text};
use super::{Object, Substitution};
use crate::parse::Node;
use std::collections::BTreeSet;

/// Objects of a name that one refers to: those of its own environment before all others.
pub(super) fn named<'a>(
    context: &Context<'a>,
    subject: &Subject<'_>,
    (kind, name): (&str, &str),
    namespace: Option<&str>,
) -> Vec<&'a Object> {
    let is_it = |object: &&Object| {
        // A namespace that is not written is set by who includes the object.
        match (object::namespace(&object.node), namespace) {
            (Some(own), Some(wanted)) => own == wanted,
            _ => true,
        }
    };
    let all: Vec<&Object> = context.known.named(kind, name).iter().copied().filter(is_it).collect();
    let near: Vec<&Object> = all
        .iter()
        .filter(|object| object.environment == subject.object.environment)
        .copied()
        .collect();
    if near.is_empty() { all } else { near }
}

/// Is a `sourceRef` this repository, at the branch under review? One that is not in the repository is it if what it
/// is asked for is there.
pub(super) fn source(
    reference: &Node,
    subject: &Subject<'_>,
    context: &Context<'_>,
    there: bool,
) -> Result<(), Trouble> {
    let kind = text(reference, &["kind"]).unwrap_or_default();
    let name = text(reference, &["name"]).unwrap_or_default();
    let elsewhere = |what: &str| {
        let reason = format!("its source is {what}; review what it renders to");
        Trouble::at(reference, reason).because_of(match kind {
            "HelmRepository" => Elsewhere::Charts,
            _ => Elsewhere::Repository,
        })
    };
    if kind != "GitRepository" {
        return Err(elsewhere(&format!("{kind} `{name}`, not a git repository")));
    }
    let namespace = text(reference, &["namespace"]).or(object::namespace(&subject.object.node));
    let candidates = named(context, subject, (kind, name), namespace);
    if candidates.is_empty() && !there {
        return Err(elsewhere(&format!("GitRepository `{name}`, which is not in the repository")));
    }
    let mut results =
        candidates.iter().map(|object| repository(&object.node, name, context, there));
    let Some(first) = results.next() else { return Ok(()) };
    if results.any(|other| other.is_ok() != first.is_ok()) {
        let reason = format!(
            "its source GitRepository `{name}` is several, which do not agree; review what it renders to"
        );
        return Err(Trouble::at(reference, reason));
    }
    first.map_err(|reason| Trouble::at(reference, reason).because_of(Elsewhere::Repository))
}

fn repository(node: &Node, name: &str, context: &Context<'_>, there: bool) -> Result<(), String> {
    let spec = |path: &[&str]| node.get("spec").and_then(|spec| text(spec, path));
    let url = spec(&["url"]).unwrap_or_default();
    if !context.facts.is_this(url, || there) {
        return Err(format!(
            "its source GitRepository `{name}` is another repository, `{url}`; review what it renders to"
        ));
    }
    if node.get("spec").and_then(|spec| filled(spec, "include")).is_some() {
        return Err(format!(
            "its source GitRepository `{name}` includes other repositories; review what it renders to"
        ));
    }
    revision(node.at(&["spec", "ref"]), context).map_err(|revision| {
        format!(
            "its source GitRepository `{name}` is pinned to `{revision}`, which is not the branch under review; \
             review it where it moves there"
        )
    })
}

/// The revision that a `ref` pins, as an error. Commits come before names, ranges, tags and branches; without any it
/// is the branch `master`.
fn revision(reference: Option<&Node>, context: &Context<'_>) -> Result<(), String> {
    let at = |key: &str| reference.and_then(|node| text(node, &[key]));
    if let Some(pinned) = at("commit") {
        return Err(pinned.to_string());
    }
    if let Some(name) = at("name") {
        let branch = name.strip_prefix("refs/heads/");
        return match branch {
            Some(branch) if !context.facts.is_other_branch(branch) => Ok(()),
            _ => Err(name.to_string()),
        };
    }
    if let Some(pinned) = at("semver").or(at("tag")) {
        return Err(pinned.to_string());
    }
    let branch = at("branch").unwrap_or("master");
    if context.facts.is_other_branch(branch) { Err(branch.to_string()) } else { Ok(()) }
}

/// The environment of an object of Flux: the one of its place, or the cluster that its `kubeConfig` leads to, which
/// is called as the Secret or ConfigMap of it, without `kubeconfig`.
pub(super) fn environment(spec: &Node, subject: &Subject<'_>) -> Result<Option<String>, Trouble> {
    let Some(config) = filled(spec, "kubeConfig") else {
        return Ok(subject.object.environment.clone());
    };
    let name = text(&config.node, &["secretRef", "name"])
        .or_else(|| text(&config.node, &["configMapRef", "name"]))
        .unwrap_or_default();
    let ends = ["-kubeconfig", ".kubeconfig"];
    let cluster = ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let cluster = cluster.strip_prefix("kubeconfig-").unwrap_or(cluster);
    if cluster.is_empty() || cluster == "kubeconfig" {
        let reason = format!(
            "it goes to another cluster, which its kubeConfig `{name}` does not name; name the Secret as the cluster"
        );
        return Err(Trouble::at(&config.node, reason));
    }
    Ok(Some(cluster.to_string()))
}

/// Are the values of an object nobody's business: is it a Secret, or encrypted by SOPS?
pub(super) fn is_secret(object: &Object) -> bool {
    object::kind(&object.node) == "Secret" || object.node.get("sops").is_some()
}

/// The ConfigMap or Secret that an object refers to, or what nobody knows.
pub(super) enum Data<'a> {
    Of(&'a Object),
    /// It need not be there, and is not.
    Absent,
    Unknown(String),
}

pub(super) fn data<'a>(reference: &Node, subject: &Subject<'_>, context: &Context<'a>) -> Data<'a> {
    let kind = text(reference, &["kind"]).unwrap_or_default();
    let name = text(reference, &["name"]).unwrap_or_default();
    let what = format!("{kind} `{name}`");
    let namespace = object::namespace(&subject.object.node);
    let candidates = named(context, subject, (kind, name), namespace);
    match candidates.as_slice() {
        [] if kind == "ConfigMap" && object::flag(reference, &["optional"]) => Data::Absent,
        [one, rest @ ..] if rest.iter().all(|other| same_data(one, other)) => Data::Of(one),
        _ => Data::Unknown(what),
    }
}

fn same_data(one: &Object, other: &Object) -> bool {
    let data = |object: &Object| object.node.get("data").map(Node::to_json);
    data(one) == data(other)
}

/// The variables of a Kustomization: those of ConfigMaps and Secrets, the later over the earlier, and its own over
/// all. Values of Secrets are nobody's business here, but the names of their keys are known.
pub(super) fn variables(
    post_build: &Node,
    subject: &Subject<'_>,
    context: &Context<'_>,
) -> Result<Option<Substitution>, Trouble> {
    let mut found = Substitution::default();
    let sources = post_build.get("substituteFrom").map(Node::items).unwrap_or_default();
    for reference in sources {
        let object = match data(reference, subject, context) {
            Data::Of(object) => object,
            Data::Absent => continue,
            Data::Unknown(what) => {
                // It may set what those before it set.
                found.variables.clear();
                found.hidden.clear();
                found.elsewhere = Some(what);
                continue;
            }
        };
        let hides = is_secret(object);
        let fields = ["data", "stringData"]
            .iter()
            .filter_map(|key| object.node.get(key))
            .flat_map(Node::fields);
        for field in fields {
            found.variables.remove(&field.key);
            found.hidden.remove(&field.key);
            match field.node.text() {
                Some(value) if !hides => {
                    found.variables.insert(field.key.clone(), value.replace('\n', ""))
                }
                _ => {
                    found.hidden.insert(field.key.clone());
                    None
                }
            };
        }
    }
    for (name, value) in object::text_map(post_build, "substitute")? {
        found.hidden.remove(name);
        found.variables.insert(name.to_string(), value.replace('\n', ""));
    }
    let names: BTreeSet<&String> = found.variables.keys().chain(&found.hidden).collect();
    if let Some(name) = names.iter().find(|name| !is_name(name)) {
        let reason = format!("`{name}` is no name of a variable, so Flux refuses it; correct it");
        return Err(Trouble::at(post_build, reason));
    }
    let always = post_build.text_at(&["substituteStrategy"]) == Some("Always");
    let any = !names.is_empty() || found.elsewhere.is_some() || always;
    Ok(any.then_some(found))
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
