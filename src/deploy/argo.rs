//! Applications of Argo CD.

use super::argo_cluster::environment;
use super::argo_override::overridden;
use super::inputs::kustomization;
use super::object::{self, Context, Elsewhere, Subject, Trouble, field, filled, flag, only, text};
use super::place::{has_chart, is_directory, join};
use super::{Build, Found, Plain, Release, Told, Unit, argo_helm, argo_kustomize};
use crate::parse::{Affects, Field, Node, Problem, Value, digest};
use std::collections::BTreeMap;

/// A source of an Application whose directory is in this repository.
pub(super) struct Source<'a> {
    /// With the options of the files that override it.
    pub(super) node: Node,
    /// The directory.
    pub(super) path: String,
    /// Sources that others refer to by `$name`: trouble where they are not this repository.
    pub(super) named: &'a BTreeMap<String, Option<Trouble>>,
    /// The addresses of the repository are known.
    pub(super) known_address: bool,
    /// Variables of the build environment.
    pub(super) variables: BTreeMap<&'static str, String>,
    /// The name of the Application.
    pub(super) name: String,
    /// The namespace of objects that name none.
    pub(super) namespace: Option<String>,
}

/// Reads an Application: one of a repository, or one that an ApplicationSet generated.
pub(super) fn application(
    node: &Node,
    subject: &Subject<'_>,
    context: &Context<'_>,
    found: &mut Found,
) {
    if let Err(trouble) = try_application(node, subject, context, found) {
        found.problems.push(subject.problem(trouble));
    }
}

fn try_application(
    node: &Node,
    subject: &Subject<'_>,
    context: &Context<'_>,
    found: &mut Found,
) -> Result<(), Trouble> {
    let spec = node.get("spec").ok_or_else(|| "it has no `spec`; correct it".to_string())?;
    if object::name(node).is_empty() {
        return Err("it has no name; correct it".to_string().into());
    }
    if let Some(hydrator) = filled(spec, "sourceHydrator") {
        let reason =
            "it deploys what a source hydrator writes to another branch; review that branch";
        return Err(Trouble::at(&hydrator.node, reason));
    }
    let environment = environment(spec, subject, context)?;
    let sources: Vec<&Node> = match filled(spec, "sources") {
        Some(sources) => sources.node.items().iter().collect(),
        None => spec.get("source").into_iter().collect(),
    };
    if sources.is_empty() {
        return Err("it has no source; correct it".to_string().into());
    }
    found.problems.extend(managed_namespace(spec, &environment, subject));
    let named = named(&sources, context);
    for source in sources {
        if text(source, &["ref"]).is_some()
            && text(source, &["path"]).is_none()
            && text(source, &["chart"]).is_none()
        {
            continue;
        }
        let build = read_source(node, source, &named, context)
            .and_then(|source| overridden(source, context))
            .and_then(|source| build(&source, subject, context, found));
        match build {
            Ok(build) => found.units.push(Unit {
                build,
                environment: Some(environment.clone()),
                namespace: text(spec, &["destination", "namespace"]).map(str::to_string),
                decided: subject.decision(),
            }),
            Err(trouble) => {
                let line = trouble.line.or(Some(source.start_line));
                let namespace = text(spec, &["destination", "namespace"]);
                let trouble = Trouble { line, ..trouble };
                let environment = Some(environment.clone());
                found.problems.push(subject.problem_in(trouble, environment, namespace));
            }
        }
    }
    Ok(())
}

/// The labels that Argo CD gives the namespace of an Application: selectors may look at them. They count where they
/// change; otherwise they are not known, as those of any namespace that is not declared.
fn managed_namespace(spec: &Node, environment: &str, subject: &Subject<'_>) -> Option<Told> {
    let metadata = spec.at(&["syncPolicy", "managedNamespaceMetadata"])?;
    let labels = filled(metadata, "labels")?;
    let namespace = text(spec, &["destination", "namespace"]);
    let reason = "the labels that `managedNamespaceMetadata` gives its namespace are not evaluated; declare the \
                  Namespace in a manifest";
    let trouble = Trouble::at(&labels.node, reason);
    let told = subject.problem_in(trouble, Some(environment.to_string()), namespace);
    let identity = format!("{namespace:?}\0{}", labels.node.to_json());
    let (affects, identity) = (Affects::Perhaps, digest(identity.as_bytes()));
    Some(Told { problem: Problem { affects, identity, ..told.problem }, ..told })
}

/// Sources with a `ref`.
fn named(sources: &[&Node], context: &Context<'_>) -> BTreeMap<String, Option<Trouble>> {
    let entry = |source: &&Node| {
        let name = text(source, &["ref"])?;
        Some((name.to_string(), ours(source, context, || true).err()))
    };
    sources.iter().filter_map(entry).collect()
}

/// Is the source this repository, at the branch under review?
fn ours(source: &Node, context: &Context<'_>, there: impl FnOnce() -> bool) -> Result<(), Trouble> {
    let url = text(source, &["repoURL"]).unwrap_or_default();
    if !context.facts.is_this(url, there) {
        let reason =
            format!("its source is another repository, `{url}`; review what it renders to");
        return Err(Trouble::at(source, reason).because_of(Elsewhere::Repository));
    }
    let revision = text(source, &["targetRevision"]).unwrap_or_default();
    if context.facts.is_pinned(revision) {
        let reason = format!(
            "it is pinned to `{revision}`, which is not the branch under review; review it where it moves there"
        );
        return Err(Trouble::at(source.get("targetRevision").unwrap_or(source), reason)
            .because_of(Elsewhere::Repository));
    }
    Ok(())
}

fn read_source<'a>(
    node: &Node,
    source: &Node,
    named: &'a BTreeMap<String, Option<Trouble>>,
    context: &Context<'_>,
) -> Result<Source<'a>, Trouble> {
    if let Some(chart) = text(source, &["chart"]) {
        let url = text(source, &["repoURL"]).unwrap_or_default();
        return Err(Trouble::at(
            source,
            format!(
                "its source is another repository: the chart `{chart}` of `{url}`; review what it renders to"
            ),
        )
        .because_of(Elsewhere::Charts));
    }
    let written = text(source, &["path"])
        .ok_or_else(|| Trouble::at(source, "its source has no `path`; correct it"))?;
    let at = source.get("path").unwrap_or(source);
    let path = join("", written).ok_or_else(|| {
        Trouble::at(at, format!("its path `{written}` leads out of the repository; correct it"))
    })?;
    let files = context.facts.files;
    ours(source, context, || is_directory(files, &path))?;
    if !is_directory(files, &path) {
        let reason =
            format!("there is no directory `{written}`; correct the path, or add the directory");
        return Err(Trouble::at(at, reason));
    }
    let name = object::name(node).to_string();
    let namespace = text(node, &["spec", "destination", "namespace"]).map(str::to_string);
    let value = |key: &[&str]| node.text_at(key).unwrap_or_default().to_string();
    let of_source = |key: &str| source.text_at(&[key]).unwrap_or_default().to_string();
    let variables = BTreeMap::from([
        ("ARGOCD_APP_NAME", name.clone()),
        ("ARGOCD_APP_NAMESPACE", namespace.clone().unwrap_or_default()),
        ("ARGOCD_APP_PROJECT_NAME", value(&["spec", "project"])),
        ("ARGOCD_APP_SOURCE_PATH", of_source("path")),
        ("ARGOCD_APP_SOURCE_REPO_URL", of_source("repoURL")),
        ("ARGOCD_APP_SOURCE_TARGET_REVISION", of_source("targetRevision")),
    ]);
    let known_address = !context.facts.urls.is_empty();
    Ok(Source { node: source.clone(), path, named, known_address, variables, name, namespace })
}

fn build(
    source: &Source<'_>,
    subject: &Subject<'_>,
    context: &Context<'_>,
    found: &mut Found,
) -> Result<Build, Trouble> {
    let files = context.facts.files;
    let explicit: Vec<&Field> = ["directory", "helm", "kustomize", "plugin"]
        .iter()
        .filter_map(|key| field(&source.node, key))
        .collect();
    let kind = match explicit.as_slice() {
        [] if kustomization(&source.path, files).is_some() => "kustomize",
        [] if has_chart(files, &source.path) => "helm",
        [] => "directory",
        [one] => one.key.as_str(),
        [_, second, ..] => {
            let reason = format!("its source has options for `{}`, too; keep one kind", second.key);
            return Err(Trouble::at(&second.node, reason));
        }
    };
    let nothing = Node { value: Value::Null, ..source.node.clone() };
    let options = explicit.first().map_or(&nothing, |field| &field.node);
    let path = &source.path;
    match kind {
        "kustomize" if kustomization(path, files).is_none() => Err(Trouble::at(
            options,
            format!("there is no kustomization in `{path}`; correct the path"),
        )),
        "kustomize" => {
            let overlay = argo_kustomize::overlay(options, source, files)?;
            Ok(Build::Kustomize { directory: path.clone(), overlay })
        }
        "helm" if !has_chart(files, path) => {
            Err(Trouble::at(options, format!("there is no chart in `{path}`; correct the path")))
        }
        "helm" => {
            let release: Release = argo_helm::release(options, source, subject, files)?;
            Ok(Build::Helm(release))
        }
        "directory" => directory(options, path, subject, context, found).map(Build::Plain),
        _ => Err(Trouble::at(options, "a plugin makes its manifests; review what it renders to")),
    }
}

fn directory(
    options: &Node,
    path: &str,
    subject: &Subject<'_>,
    context: &Context<'_>,
    found: &mut Found,
) -> Result<Plain, Trouble> {
    only(options, &["recurse", "include", "exclude", "jsonnet"])?;
    let globs = |key: &str| text(options, &[key]).map(str::to_string).into_iter().collect();
    let plain = Plain {
        paths: vec![path.to_string()],
        recurse: flag(options, &["recurse"]),
        include: globs("include"),
        exclude: globs("exclude"),
        skip_marked: true,
    };
    // The other files of the directory are what they are.
    if let Some(program) = plain.programs(context.facts.files).first() {
        let reason = format!(
            "`{program}` is a program in jsonnet, which is not run; review what it renders to"
        );
        found.problems.push(subject.problem(Trouble::at(options, reason)));
    }
    Ok(plain)
}

impl Source<'_> {
    /// A text with the variables of Argo CD's build environment. What else stands after a `$` is trouble.
    pub(super) fn expanded(&self, text: &str, at: &Node) -> Result<String, Trouble> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                out.push('$');
                rest = after;
                continue;
            }
            let end = |text: &str| {
                text.find(|char: char| !char.is_ascii_alphanumeric() && char != '_')
                    .unwrap_or(text.len())
            };
            let (name, left) = match after.strip_prefix('{').map(|after| after.split_at(end(after)))
            {
                Some((name, left)) => (name, left.strip_prefix('}')),
                None => {
                    let (name, left) = after.split_at(end(after));
                    (name, Some(left))
                }
            };
            match (self.variables.get(name), left) {
                (Some(value), Some(left)) => {
                    out.push_str(value);
                    rest = left;
                }
                _ => {
                    let reason = format!(
                        "`{text}` uses a variable of the build environment that is not known here; review what \
                         it renders to"
                    );
                    return Err(Trouble::at(at, reason));
                }
            }
        }
        out.push_str(rest);
        Ok(out)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::object::tests::{found, objects, reasons, refused};
    use super::super::{Facts, Overlay, Values, units};
    use super::*;
    use crate::tree::Tree;
    use serde_json::json;

    pub(in super::super) const FILES: &[(&str, &str)] = &[
        ("plain/a.yaml", ""),
        ("plain/more/b.yaml", ""),
        ("program/a.jsonnet", ""),
        ("overlays/prod/kustomization.yaml", "resources: [../../base]"),
        (
            "overlays/labels/kustomization.yaml",
            "commonLabels: {a: b}\ncommonAnnotations: {note: b}\nlabels:\n- {pairs: {s: b}, includeSelectors: true}\n- {pairs: {c: d}}",
        ),
        ("components/tls/kustomization.yaml", "kind: Component"),
        ("chart/Chart.yaml", "name: chart"),
        ("chart/prod.yaml", ""),
        ("values/shop.yaml", ""),
        ("both/Chart.yaml", ""),
        ("both/kustomization.yml", ""),
    ];
    pub(in super::super) const URL: &str = "repoURL: https://example.com/a/b";
    pub(in super::super) const DESTINATION: &str = "destination: {name: eu, namespace: shop}";

    pub(in super::super) fn application(spec: &str) -> String {
        let head = "apiVersion: argoproj.io/v1alpha1\nkind: Application\n";
        format!("{head}metadata: {{name: shop, namespace: argocd}}\nspec:\n  {spec}\n")
    }

    fn source(source: &str) -> Found {
        found(&application(&format!("{DESTINATION}\n  source: {{{URL}, {source}}}")), FILES)
    }

    #[track_caller]
    pub(in super::super) fn one(found: &Found) -> &Unit {
        assert_eq!(reasons(found), [""; 0]);
        let [unit] = found.units.as_slice() else { panic!("{:?}", found.units) };
        unit
    }

    #[test]
    fn the_kind_of_a_source() {
        for (text, expected) in [
            ("path: plain", "plain"),
            ("path: ./plain/more/", "plain"),
            ("path: overlays/prod", "kustomize"),
            ("path: both", "kustomize"),
            ("path: both, helm: {}", "helm"),
            ("path: chart", "helm"),
            ("path: chart, directory: {recurse: true}", "plain"),
            ("path: chart, directory: null", "helm"),
            ("path: .", "plain"),
        ] {
            let found = source(text);
            let unit = one(&found);
            let kind = match &unit.build {
                Build::Plain(_) => "plain",
                Build::Kustomize { .. } => "kustomize",
                Build::Helm(_) => "helm",
            };
            assert_eq!(kind, expected, "{text}");
            assert_eq!(unit.environment.as_deref(), Some("eu"));
            assert_eq!(unit.namespace.as_deref(), Some("shop"));
            assert_eq!(unit.decided.because, "Application `argocd/shop`");
            assert_eq!((unit.decided.origin.start_line, unit.decided.origin.end_line), (1, 6));
        }
    }

    #[test]
    fn sources_that_are_not_evaluated() {
        for (text, words) in [
            ("chart: redis, targetRevision: 1.2.3", "another repository: the chart `redis`"),
            ("path: elsewhere", "another repository, `https://example.com/a/b`"),
            ("path: ../other", "leads out of the repository"),
            ("path: /etc", "leads out of the repository"),
            ("targetRevision: main", "no `path`"),
            ("path: plain, targetRevision: v1.2.3", "pinned to `v1.2.3`"),
            ("path: plain, plugin: {name: x}", "a plugin"),
            ("path: plain, helm: {}, kustomize: {}", "options for `kustomize`, too"),
            ("path: plain, helm: {}", "no chart in `plain`"),
            ("path: chart, kustomize: {}", "no kustomization in `chart`"),
            ("path: chart, helm: {fileParameters: [{name: a, path: b}]}", "fileParameters"),
            ("path: chart, helm: {valueFiles: [../../x]}", "leads out"),
            ("path: chart, helm: {valueFiles: ['https://example.com/x']}", "is elsewhere"),
            ("path: chart, helm: {valueFiles: ['*.yaml']}", "several values files"),
            ("path: chart, helm: {valueFiles: ['$ARGOCD_APP_REVISION.yaml']}", "build environment"),
            ("path: chart, helm: {valueFiles: ['$values/x.yaml']}", "build environment"),
            ("path: chart, helm: {values: '- a'}", "no YAML map"),
            ("path: chart, helm: {parameters: [{name: a, value: 1}]}", "no text"),
            ("path: chart, helm: {fancy: true}", "the field `fancy`"),
            ("path: overlays/prod, kustomize: {components: [../none]}", "no component"),
            ("path: overlays/prod, kustomize: {components: [../../../x]}", "leads out"),
            (
                "path: overlays/prod, kustomize: {components: ['https://example.com//x?ref=1']}",
                "another repository",
            ),
        ] {
            refused(&source(text), words);
        }
        for (spec, words) in [
            ("destination: {name: a, server: b}", "a name and a server"),
            ("destination: {namespace: a}", "names no cluster"),
            ("project: a", "names no cluster"),
            (DESTINATION, "no source"),
            ("sourceHydrator: {drySource: {}}", "source hydrator"),
        ] {
            refused(&found(&application(spec), FILES), words);
        }
    }

    #[test]
    fn programs_are_told_and_the_rest_counts() {
        let found = source("path: program");
        assert_eq!(found.units.len(), 1);
        assert!(reasons(&found)[0].contains("jsonnet"), "{:?}", reasons(&found));
    }

    #[test]
    fn addresses_and_branches_that_are_known() {
        let tree = Tree::from_texts("t", FILES.iter().copied());
        let urls = ["git@example.com:a/b.git".to_string()];
        let branches = ["main".to_string()];
        let facts = Facts { urls: &urls, branches: &branches, files: &tree };
        for (text, words) in [
            ("repoURL: https://example.com/a/b, path: plain, targetRevision: HEAD", None),
            ("repoURL: https://example.com/a/b.git, path: plain, targetRevision: main", None),
            (
                "repoURL: https://example.com/a/b, path: plain, targetRevision: prod",
                Some("pinned to `prod`"),
            ),
            ("repoURL: https://example.com/a/c, path: plain", Some("another repository")),
            ("repoURL: https://example.com/a/b, path: none", Some("no directory `none`")),
        ] {
            let text = application(&format!("{DESTINATION}\n  source: {{{text}}}"));
            let found = units(&objects("a.yaml", &text, None), &facts);
            match words {
                None => assert_eq!(one(&found).environment.as_deref(), Some("eu")),
                Some(words) => refused(&found, words),
            }
        }
    }

    #[test]
    fn kustomize_options() {
        let found = source(
            "path: overlays/prod, kustomize: {namePrefix: a-, namespace: other, images: ['x:1'], \
             commonLabels: {team: $ARGOCD_APP_NAME}, components: [../../components/tls, ../none], \
             ignoreMissingComponents: true, replicas: [{name: web, count: '3'}], \
             patches: [{patch: '[]', target: {kind: Pod}}], version: v5}",
        );
        let fields = json!({
            "namePrefix": "a-",
            "namespace": "other",
            "images": [{"name": "x", "newTag": "1"}],
            "commonLabels": {"team": "shop"},
            "components": ["components/tls"],
            "replicas": [{"name": "web", "count": 3}],
            "patches": [{"patch": "[]", "target": {"kind": "Pod"}}],
        });
        let Some(fields) = fields.as_object().cloned() else { panic!("a map") };
        let overlay = Overlay { fields: fields.into_iter().collect(), ..Overlay::default() };
        let directory = "overlays/prod".to_string();
        assert_eq!(one(&found).build, Build::Kustomize { directory, overlay });
        let found = source(
            "path: overlays/prod, kustomize: {commonLabels: {a: b}, labelWithoutSelector: true}",
        );
        let Build::Kustomize { overlay, .. } = &one(&found).build else { panic!("{found:?}") };
        let labels =
            json!([{"pairs": {"a": "b"}, "includeSelectors": false, "includeTemplates": false}]);
        assert_eq!(overlay.fields.get("labels"), Some(&labels));
    }

    #[test]
    fn labels_that_are_there_already() {
        for (options, twice) in [
            ("commonLabels: {a: x}", Some("`a`")),
            ("commonLabels: {a: x}, forceCommonLabels: true", None),
            ("commonLabels: {c: x, s: x}", None),
            ("commonLabels: {c: x}, labelWithoutSelector: true", Some("`c`")),
            ("commonLabels: {a: x, s: x}, labelWithoutSelector: true", None),
            ("commonLabels: {c: x}, labelWithoutSelector: true, labelIncludeTemplates: true", None),
            ("commonAnnotations: {note: x}", Some("`note`")),
            ("commonAnnotations: {note: x}, forceCommonAnnotations: true", None),
        ] {
            let found = source(&format!("path: overlays/labels, kustomize: {{{options}}}"));
            match twice {
                None => drop(one(&found)),
                Some(twice) => refused(&found, &format!("have {twice}, which its kustomization")),
            }
        }
    }

    #[test]
    fn a_release() {
        let found = found(
            &application(&format!(
                "{DESTINATION}\n  sources:\n  - {{{URL}, ref: values}}\n  - {URL}\n    path: chart\n    helm:\n      \
                 releaseName: web\n      valueFiles: [prod.yaml, /values/shop.yaml, $values/values/shop.yaml]\n      \
                 ignoreMissingValueFiles: true\n      values: |\n        a: 1\n      parameters:\n      - {{name: t, \
                 value: 'a,b', forceString: true}}\n      - {{name: s, value: '{{a,b}}'}}\n      - {{name: ns, value: \
                 $ARGOCD_APP_NAMESPACE}}\n      skipCrds: true\n      kubeVersion: '1.30'\n      apiVersions: [a/v1]"
            )),
            FILES,
        );
        let Build::Helm(release) = &one(&found).build else { panic!("{found:?}") };
        assert_eq!((release.chart.as_str(), release.name.as_str()), ("chart", "web"));
        assert_eq!(release.namespace, "shop");
        assert!(release.skip_crds && !release.replace_values);
        assert_eq!(release.kube_version.as_deref(), Some("1.30"));
        assert_eq!(release.api_versions, ["a/v1"]);
        let told: Vec<String> = release
            .values
            .iter()
            .map(|value| match value {
                Values::File { path, optional } => format!("{path} {optional}"),
                Values::Inline { values, origin } => {
                    format!("{values} {}-{}", origin.start_line, origin.end_line)
                }
                Values::Set { name, value, text, origin } => {
                    format!("{name}={value} {text} {}", origin.start_line)
                }
            })
            .collect();
        let expected = [
            "chart/prod.yaml true",
            "values/shop.yaml true",
            "values/shop.yaml true",
            "{\"a\":1} 14-15",
            "s={a,b} false 18",
            "ns=shop false 19",
            "t=a\\,b true 17",
        ];
        assert_eq!(told, expected);
        let found = source("path: chart, helm: {values: 'a: 1', valuesObject: {b: 2}}");
        let Build::Helm(release) = &one(&found).build else { panic!("{found:?}") };
        let [Values::Inline { values, .. }] = release.values.as_slice() else {
            panic!("{release:?}")
        };
        assert_eq!((values, release.name.as_str()), (&json!({"b": 2}), "shop"));
    }

    #[test]
    fn sources_are_separate() {
        let found = found(
            &application(&format!(
                "{DESTINATION}\n  sources:\n  - {{{URL}, path: plain}}\n  - {{repoURL: r, chart: redis}}\n  - {{{URL}, \
                 path: chart, helm: {{valueFiles: [$other/values/none.yaml]}}}}\n  - {{{URL}, ref: other}}"
            )),
            FILES,
        );
        assert_eq!(found.units.len(), 1);
        let lines: Vec<_> = found.problems.iter().map(|told| told.problem.line).collect();
        assert_eq!(lines, [Some(8), Some(9)]);
        assert!(reasons(&found)[1].contains("no values file `$other/values/none.yaml`"));
    }
}
