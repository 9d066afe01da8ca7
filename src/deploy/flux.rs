//! Kustomizations of Flux, and what the Flux Operator has besides.
//!
//! One that is suspended counts as the others do: what it deployed stays, and it goes on when it is resumed.

use super::argo_kustomize::components;
use super::inputs::{self, beside};
use super::object::{self, Context, Subject, Trouble, filled, only, text};
use super::place::{is_directory, join};
use super::{Build, Found, Overlay, Unit, flux_source};
use crate::parse::Node;
use serde_json::{Value, json};

const KNOWN: &[&str] = &[
    "buildMetadata",
    "commonMetadata",
    "components",
    "decryption",
    "deletionPolicy",
    "dependsOn",
    "force",
    "healthCheckExprs",
    "healthChecks",
    "ignoreMissingComponents",
    "images",
    "interval",
    "kubeConfig",
    "namePrefix",
    "nameSuffix",
    "patches",
    "patchesJson6902",
    "patchesStrategicMerge",
    "path",
    "postBuild",
    "prune",
    "retryInterval",
    "serviceAccountName",
    "sourceRef",
    "suspend",
    "targetNamespace",
    "timeout",
    "validation",
    "wait",
];

/// Reads a Kustomization.
pub(super) fn kustomization(subject: &Subject<'_>, context: &Context<'_>, found: &mut Found) {
    take(try_kustomization(subject, context), subject, found);
}

fn take(unit: Result<Unit, Trouble>, subject: &Subject<'_>, found: &mut Found) {
    match unit {
        Ok(unit) => found.units.push(unit),
        Err(trouble) => found.problems.push(subject.problem(trouble)),
    }
}

pub(super) fn spec<'a>(subject: &Subject<'a>) -> Result<&'a Node, Trouble> {
    let node = &subject.object.node;
    if object::name(node).is_empty() {
        return Err("it has no name; correct it".to_string().into());
    }
    node.get("spec").ok_or_else(|| "it has no `spec`; correct it".to_string().into())
}

/// A path in a source, which Flux reads from its root whether it starts with `/` or not.
pub(super) fn path(node: &Node, key: &str) -> Result<String, Trouble> {
    let written = text(node, &[key]).unwrap_or_default();
    join("", written.trim_start_matches('/')).ok_or_else(|| {
        let reason = format!("its path `{written}` leads out of the repository; correct it");
        Trouble::at(node.get(key).unwrap_or(node), reason)
    })
}

fn try_kustomization(subject: &Subject<'_>, context: &Context<'_>) -> Result<Unit, Trouble> {
    let spec = spec(subject)?;
    only(spec, KNOWN)?;
    let files = context.facts.files;
    let directory = path(spec, "path")?;
    let reference = spec
        .get("sourceRef")
        .ok_or_else(|| Trouble::at(spec, "it has no `sourceRef`; correct it"))?;
    let there = is_directory(files, &directory);
    flux_source::source(reference, subject, context, there)?;
    if !there {
        let reason =
            format!("there is no directory `{directory}`; correct the path, or add the directory");
        return Err(Trouble::at(spec.get("path").unwrap_or(spec), reason));
    }
    is_all_taken(reference, &directory, subject, context)?;
    let mut overlay = overlay(spec, &directory, context)?;
    if let Some(post_build) = filled(spec, "postBuild") {
        overlay.substitute = flux_source::variables(&post_build.node, subject, context)?;
    }
    Ok(Unit {
        build: Build::Kustomize { directory, overlay },
        environment: flux_source::environment(spec, subject)?,
        namespace: text(spec, &["targetNamespace"]).map(str::to_string),
        decided: subject.decision(),
    })
}

/// Flux makes a kustomization of all manifests of a directory that has none, but for files that are to be ignored.
/// Where there is one, what it builds on has to be there, or Flux refuses it.
fn is_all_taken(
    reference: &Node,
    directory: &str,
    subject: &Subject<'_>,
    context: &Context<'_>,
) -> Result<(), Trouble> {
    let files = context.facts.files;
    if inputs::kustomization(directory, files).is_some() {
        return Ok(());
    }
    let name = text(reference, &["name"]).unwrap_or_default();
    let sources = flux_source::named(context, subject, ("GitRepository", name), None);
    let ignores = sources
        .iter()
        .any(|source| source.node.get("spec").is_some_and(|spec| filled(spec, "ignore").is_some()));
    let inside_of = files.below(directory).into_iter().any(|path| path.ends_with("/.sourceignore"));
    let mut above = Some(directory);
    let mut marked = inside_of;
    while let Some(path) = above {
        marked |= files.is_file(&beside(path, ".sourceignore"));
        above = match path.rsplit_once('/') {
            Some((parent, _)) => Some(parent),
            None => (!path.is_empty()).then_some(""),
        };
    }
    if ignores || marked {
        let reason = format!(
            "`{directory}` has no kustomization, and files of its source are ignored (`ignore` or `.sourceignore`); \
             add a kustomization that names what is deployed"
        );
        return Err(Trouble::at(reference, reason));
    }
    Ok(())
}

fn overlay(spec: &Node, directory: &str, context: &Context<'_>) -> Result<Overlay, Trouble> {
    let mut overlay = Overlay::default();
    let mut set = |key: &str, value: Value| {
        overlay.fields.insert(key.to_string(), value);
    };
    let texts = [
        ("targetNamespace", "namespace"),
        ("namePrefix", "namePrefix"),
        ("nameSuffix", "nameSuffix"),
    ];
    for (key, field) in texts {
        if let Some(value) = text(spec, &[key]) {
            set(field, value.into());
        }
    }
    for key in ["patches", "images"] {
        if let Some(list) = filled(spec, key) {
            set(key, list.node.to_json());
        }
    }
    // Kustomize takes these as texts.
    if let Some(patches) = filled(spec, "patchesStrategicMerge") {
        let patches = patches.node.items().iter().map(|patch| patch.to_json().to_string());
        set("patchesStrategicMerge", patches.collect());
    }
    if let Some(patches) = filled(spec, "patchesJson6902") {
        let patch = |item: &Node| {
            let operations = item.get("patch").map(Node::to_json).unwrap_or_default();
            let target = item.get("target").map(Node::to_json).unwrap_or_default();
            json!({"target": target, "patch": operations.to_string()})
        };
        set("patchesJson6902", patches.node.items().iter().map(patch).collect());
    }
    let components = components(spec, directory, context.facts.files)?;
    if !components.is_empty() {
        set("components", components.into());
    }
    // Annotations play no part. Labels are set on objects, not on what they select or make.
    if let Some(metadata) = filled(spec, "commonMetadata") {
        let labels = object::text_map(&metadata.node, "labels")?;
        overlay.labels =
            labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    }
    Ok(overlay)
}

/// Reads the FluxInstance of the Flux Operator: its `sync` is a Kustomization and its source.
pub(super) fn instance(subject: &Subject<'_>, context: &Context<'_>, found: &mut Found) {
    let Some(sync) = subject.object.node.at(&["spec"]).and_then(|spec| filled(spec, "sync")) else {
        return;
    };
    take(synced(&sync.node, subject, context), subject, found);
}

fn synced(sync: &Node, subject: &Subject<'_>, context: &Context<'_>) -> Result<Unit, Trouble> {
    let facts = context.facts;
    let elsewhere = |what: String| {
        Trouble::at(sync, format!("its source is {what}; review what it renders to"))
    };
    let kind = text(sync, &["kind"]).unwrap_or("GitRepository");
    if kind != "GitRepository" {
        return Err(elsewhere(format!("an {kind}, not a git repository")));
    }
    let directory = path(sync, "path")?;
    let there = is_directory(facts.files, &directory);
    let url = text(sync, &["url"]).unwrap_or_default();
    if !facts.is_this(url, || there) {
        return Err(elsewhere(format!("another repository, `{url}`")));
    }
    let revision = text(sync, &["ref"]).unwrap_or_default();
    if facts.is_pinned(revision) {
        return Err(elsewhere(format!(
            "pinned to `{revision}`, which is not the branch under review"
        )));
    }
    if !there {
        let reason =
            format!("there is no directory `{directory}`; correct the path, or add the directory");
        return Err(Trouble::at(sync, reason));
    }
    Ok(Unit {
        build: Build::Kustomize { directory, overlay: Overlay::default() },
        environment: subject.object.environment.clone(),
        namespace: None,
        decided: subject.decision(),
    })
}

/// A ResourceSet of the Flux Operator makes objects by templates of its own.
pub(super) fn resource_set(subject: &Subject<'_>, found: &mut Found) {
    let reason = "the templates of a ResourceSet are not evaluated; review what it generates";
    found.problems.push(subject.problem(reason.to_string().into()));
}

#[cfg(test)]
mod tests {
    use super::super::object::tests::{found, objects, reasons, refused};
    use super::super::{Facts, Substitution, units};
    use super::*;
    use crate::tree::Tree;

    const FILES: &[(&str, &str)] = &[
        ("apps/prod/kustomization.yaml", "resources: [../base]"),
        ("apps/tls/kustomization.yaml", "kind: Component"),
        ("plain/a.yaml", ""),
        ("marked/sub/a.yaml", ""),
        ("marked/.sourceignore", "x"),
    ];

    fn object(group: &str, kind: &str, name: &str, rest: &str) -> String {
        let version = if group.is_empty() { "v1".to_string() } else { format!("{group}/v1") };
        format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: flux-system}}\n{rest}\n---\n"
        )
    }

    fn kustomization(spec: &str) -> String {
        let source = "sourceRef: {kind: GitRepository, name: flux-system}";
        let spec = format!("spec:\n  {source}\n  {spec}");
        object("kustomize.toolkit.fluxcd.io", "Kustomization", "apps", &spec)
    }

    fn repository(spec: &str) -> String {
        object(
            "source.toolkit.fluxcd.io",
            "GitRepository",
            "flux-system",
            &format!("spec: {{{spec}}}"),
        )
    }

    #[track_caller]
    fn one(text: &str) -> (String, Overlay, Unit) {
        let found = found(text, FILES);
        assert_eq!(reasons(&found), [""; 0], "{text}");
        let [unit] = found.units.as_slice() else { panic!("{:?}", found.units) };
        let Build::Kustomize { directory, overlay } = &unit.build else { panic!("{unit:?}") };
        (directory.clone(), overlay.clone(), unit.clone())
    }

    #[test]
    fn paths() {
        for (spec, expected) in [
            ("path: ./apps/prod", "apps/prod"),
            ("path: /apps/prod/", "apps/prod"),
            ("path: plain", "plain"),
            ("path: apps/prod\n  suspend: true", "apps/prod"),
            ("path: apps/../plain", "plain"),
        ] {
            let (directory, overlay, unit) = one(&kustomization(spec));
            assert_eq!((directory.as_str(), overlay.is_empty()), (expected, true));
            assert_eq!(overlay.substitute, None);
            assert_eq!((unit.environment, unit.namespace), (None, None));
            assert_eq!(unit.decided.because, "Kustomization `flux-system/apps`");
        }
        for (spec, words) in [
            ("path: ../other", "leads out of the repository"),
            ("path: none", "GitRepository `flux-system`, which is not in the repository"),
            ("path: marked", "add a kustomization"),
            ("path: marked/sub", "add a kustomization"),
            ("path: plain\n  fancy: 1", "the field `fancy`"),
            ("path: plain\n  ignore: a", "the field `ignore`"),
            ("path: plain\n  components: [../none]", "no component"),
            ("path: plain\n  kubeConfig: {secretRef: {name: kubeconfig}}", "does not name"),
        ] {
            refused(&found(&kustomization(spec), FILES), words);
        }
        let marked_in_part = found(&kustomization("path: ./"), FILES);
        refused(&marked_in_part, "add a kustomization");
    }

    #[test]
    fn sources() {
        let tree = Tree::from_texts("t", FILES.iter().copied());
        let (urls, branches) = (["https://example.com/a/b".to_string()], ["main".to_string()]);
        let known = Facts { urls: &urls, branches: &branches, files: &tree };
        let unknown = Facts { urls: &[], branches: &[], files: &tree };
        let own = "url: 'ssh://git@example.com/a/b'";
        for (facts, spec, words) in [
            (known, format!("{own}, ref: {{branch: main}}"), None),
            (known, format!("{own}, ref: {{name: refs/heads/main}}"), None),
            (known, own.to_string(), Some("pinned to `master`")),
            (unknown, own.to_string(), None),
            (known, format!("{own}, ref: {{branch: prod}}"), Some("pinned to `prod`")),
            (unknown, format!("{own}, ref: {{branch: v1.0}}"), None),
            (unknown, format!("{own}, ref: {{tag: v1.0}}"), Some("pinned to `v1.0`")),
            (
                unknown,
                format!("{own}, ref: {{semver: '>=1', branch: main}}"),
                Some("pinned to `>=1`"),
            ),
            (unknown, format!("{own}, ref: {{commit: abc}}"), Some("pinned to `abc`")),
            (
                unknown,
                format!("{own}, ref: {{name: refs/tags/a}}"),
                Some("pinned to `refs/tags/a`"),
            ),
            (known, "url: 'https://example.com/a/c'".to_string(), Some("another repository")),
            (unknown, format!("{own}, include: [{{repository: {{name: x}}}}]"), Some("includes")),
            (unknown, format!("{own}, ignore: 'x'"), Some("add a kustomization")),
        ] {
            let text = kustomization("path: plain") + &repository(&spec);
            let found = units(&objects("a.yaml", &text, None), &facts);
            match words {
                None => assert_eq!((found.units.len(), reasons(&found)), (1, vec![]), "{spec}"),
                Some(words) => refused(&found, words),
            }
        }
        let bucket = kustomization("path: plain").replace("GitRepository", "Bucket");
        refused(&found(&bucket, FILES), "Bucket `flux-system`, not a git repository");
        let two = repository("url: u.com/a/b") + &repository("url: 'oci://u.com/a/b'");
        refused(&found(&(kustomization("path: plain") + &two), FILES), "do not agree");
    }

    #[test]
    fn the_source_of_the_own_environment_comes_first() {
        let tree = Tree::from_texts("t", FILES.iter().copied());
        let facts = Facts { urls: &[], branches: &[], files: &tree };
        let prod = kustomization("path: plain") + &repository("url: u.com/a/b, ref: {branch: a}");
        let dev = repository("url: u.com/a/b, ref: {tag: a}");
        let mut all = objects("a.yaml", &prod, Some("prod"));
        all.extend(objects("b.yaml", &dev, Some("dev")));
        let found = units(&all, &facts);
        assert_eq!(reasons(&found), [""; 0]);
        assert_eq!(found.units[0].environment.as_deref(), Some("prod"));
    }

    #[test]
    fn what_is_laid_over() {
        let (_, overlay, unit) = one(&kustomization(
            "path: apps/prod\n  targetNamespace: shop\n  namePrefix: a-\n  nameSuffix: -b\n  components: [../tls]\n  \
             patches: [{patch: x, target: {kind: Pod}}]\n  images: [{name: x, newTag: v2}]\n  patchesStrategicMerge: \
             [{kind: Pod}]\n  patchesJson6902: [{target: {kind: Pod}, patch: [{op: remove, path: /a}]}]\n  \
             commonMetadata: {labels: {team: a}, annotations: {b: c}}\n  kubeConfig: {secretRef: {name: eu-kubeconfig}}",
        ));
        let fields = json!({
            "namespace": "shop",
            "namePrefix": "a-",
            "nameSuffix": "-b",
            "components": ["apps/tls"],
            "patches": [{"patch": "x", "target": {"kind": "Pod"}}],
            "images": [{"name": "x", "newTag": "v2"}],
            "patchesStrategicMerge": ["{\"kind\":\"Pod\"}"],
            "patchesJson6902": [
                {"target": {"kind": "Pod"}, "patch": "[{\"op\":\"remove\",\"path\":\"/a\"}]"},
            ],
        });
        assert_eq!(overlay.labels, [("team".to_string(), "a".to_string())].into());
        assert_eq!(Value::Object(overlay.fields.into_iter().collect()), fields);
        assert_eq!(unit.namespace.as_deref(), Some("shop"));
        assert_eq!(unit.environment.as_deref(), Some("eu"));
    }

    #[test]
    fn variables() {
        let maps = object("", "ConfigMap", "one", "data: {a: one, b: \"x\\ny\"}")
            + &object("", "ConfigMap", "two", "data: {a: two}")
            + &object("", "ConfigMap", "locked", "data: {a: ENC}\nsops: {}")
            + &object("", "Secret", "keys", "stringData: {s: x}\ndata: {b: eA==}");
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
        };
        let set = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let from = |names: &str| {
            let items = names.split(' ').map(|item| match item.split_once('/') {
                Some((kind, name)) => format!("{{kind: {kind}, name: {name}}}"),
                None => format!("{{kind: ConfigMap, name: {item}, optional: true}}"),
            });
            format!("substituteFrom: [{}]", items.collect::<Vec<_>>().join(", "))
        };
        for (post_build, expected) in [
            ("{}".to_string(), None),
            ("{substitute: {}}".into(), None),
            (format!("{{{}}}", from("none")), None),
            ("{substituteStrategy: Always}".into(), Some(Substitution::default())),
            (
                format!("{{substitute: {{a: own}}, {}}}", from("ConfigMap/one")),
                Some(Substitution {
                    variables: map(&[("a", "own"), ("b", "xy")]),
                    ..Substitution::default()
                }),
            ),
            (
                format!("{{{}}}", from("ConfigMap/one ConfigMap/two none")),
                Some(Substitution {
                    variables: map(&[("a", "two"), ("b", "xy")]),
                    ..Substitution::default()
                }),
            ),
            (
                format!("{{substitute: {{s: own}}, {}}}", from("ConfigMap/one Secret/keys")),
                Some(Substitution {
                    variables: map(&[("a", "one"), ("s", "own")]),
                    hidden: set(&["b"]),
                    elsewhere: None,
                }),
            ),
            (
                format!("{{{}}}", from("ConfigMap/locked")),
                Some(Substitution { hidden: set(&["a"]), ..Substitution::default() }),
            ),
            (
                format!(
                    "{{substitute: {{c: own}}, {}}}",
                    from("ConfigMap/one Secret/none ConfigMap/two")
                ),
                Some(Substitution {
                    variables: map(&[("a", "two"), ("c", "own")]),
                    elsewhere: Some("Secret `none`".into()),
                    ..Substitution::default()
                }),
            ),
        ] {
            let text = kustomization(&format!("path: plain\n  postBuild: {post_build}")) + &maps;
            assert_eq!(one(&text).1.substitute, expected, "{post_build}");
        }
        for (post_build, words) in [
            ("{substitute: {a-b: c}}", "`a-b` is no name"),
            ("{substitute: {1a: c}}", "`1a` is no name"),
            ("{substitute: {a: 1}}", "no text"),
        ] {
            let text = kustomization(&format!("path: plain\n  postBuild: {post_build}"));
            refused(&found(&text, FILES), words);
        }
    }

    #[test]
    fn objects_of_the_operator() {
        let sync = "spec: {sync: {kind: GitRepository, url: 'https://u.com/a/b', ref: refs/heads/main, path: plain}}";
        let instance = object("fluxcd.controlplane.io", "FluxInstance", "flux", sync);
        assert_eq!(one(&instance).0, "plain");
        for (spec, words) in [
            (
                "spec: {sync: {kind: OCIRepository, url: 'oci://x', path: plain}}",
                "an OCIRepository",
            ),
            ("spec: {sync: {url: 'https://u.com/a/b', path: none}}", "another repository"),
            ("spec: {sync: {url: 'https://u.com/a/b', ref: refs/tags/1, path: plain}}", "pinned"),
        ] {
            let instance = object("fluxcd.controlplane.io", "FluxInstance", "flux", spec);
            refused(&found(&instance, FILES), words);
        }
        assert_eq!(
            found(&object("fluxcd.controlplane.io", "FluxInstance", "flux", "spec: {}"), FILES),
            Found::default()
        );
        refused(
            &found(&object("fluxcd.controlplane.io", "ResourceSet", "x", ""), FILES),
            "ResourceSet",
        );
    }
}
