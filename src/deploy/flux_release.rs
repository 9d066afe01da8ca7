//! HelmReleases of Flux.

use super::argo_helm::inline;
use super::flux::{path, spec};
use super::flux_source::{self, Data, data};
use super::inputs::beside;
use super::object::{
    self, Context, Elsewhere, Subject, Trouble, field, filled, flag, only, text, texts,
};
use super::place::{has_chart, join};
use super::{Build, Found, Release, Unit, Values};
use crate::model::Origin;
use crate::parse::Node;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write;

const KNOWN: &[&str] = &[
    "chart",
    "chartRef",
    "commonMetadata",
    "dependsOn",
    "driftDetection",
    "healthCheckExprs",
    "install",
    "interval",
    "kubeConfig",
    "maxHistory",
    "persistentClient",
    "postRenderStrategy",
    "postRenderers",
    "releaseName",
    "rollback",
    "serviceAccountName",
    "storageNamespace",
    "suspend",
    "targetNamespace",
    "test",
    "timeout",
    "uninstall",
    "upgrade",
    "values",
    "valuesFrom",
    "waitStrategy",
];

/// Reads a HelmRelease. One that is suspended counts, and so does a chart whose version stayed the same: what the
/// repository says is what is meant.
pub(super) fn release(subject: &Subject<'_>, context: &Context<'_>, found: &mut Found) {
    match try_release(subject, context) {
        Ok(unit) => found.units.push(unit),
        Err(trouble) => found.problems.push(subject.problem(trouble)),
    }
}

fn try_release(subject: &Subject<'_>, context: &Context<'_>) -> Result<Unit, Trouble> {
    let spec = spec(subject)?;
    only(spec, KNOWN)?;
    if let Some(chart) = filled(spec, "chartRef") {
        let of = |key: &str| text(&chart.node, &[key]).unwrap_or_default();
        let reason =
            format!("its chart is {} `{}`; review what it renders to", of("kind"), of("name"));
        return Err(Trouble::at(&chart.node, reason).because_of(Elsewhere::Charts));
    }
    let chart = spec
        .at(&["chart", "spec"])
        .ok_or_else(|| Trouble::at(spec, "it has no chart; correct it"))?;
    let reference = chart
        .get("sourceRef")
        .ok_or_else(|| Trouble::at(chart, "its chart has no `sourceRef`; correct it"))?;
    let files = context.facts.files;
    let directory = path(chart, "chart")?;
    let there = has_chart(files, &directory);
    flux_source::source(reference, subject, context, there)?;
    if !there {
        let reason = format!("there is no chart in `{directory}`; correct the path");
        return Err(Trouble::at(chart, reason));
    }
    is_as_rendered(spec)?;
    let node = &subject.object.node;
    let namespace = text(spec, &["targetNamespace"]).or(object::namespace(node));
    let mut release = Release {
        name: release_name(spec, object::name(node)),
        namespace: namespace.unwrap_or("default").to_string(),
        skip_crds: text(spec, &["install", "crds"]) == Some("Skip")
            || flag(spec, &["install", "skipCRDs"]),
        ..Release::default()
    };
    files_of_chart(chart, &directory, &mut release)?;
    release.chart = directory;
    let sources = spec.get("valuesFrom").map(Node::items).unwrap_or_default();
    for reference in sources {
        release.values.extend(values_from(reference, subject, context)?);
    }
    if let Some(values) = filled(spec, "values") {
        release.values.push(Values::Inline {
            values: values.node.to_json(),
            origin: subject.field_origin(values),
        });
    }
    Ok(Unit {
        environment: flux_source::environment(spec, subject)?,
        namespace: Some(release.namespace.clone()),
        build: Build::Helm(release),
        decided: subject.decision(),
    })
}

/// Nothing changes what the chart renders to, but images and annotations, which play no part.
fn is_as_rendered(spec: &Node) -> Result<(), Trouble> {
    let renderers = spec.get("postRenderers").map(Node::items).unwrap_or_default();
    let changes = |renderer: &&Node| {
        let kustomize = renderer.get("kustomize").map(Node::fields).unwrap_or_default();
        renderer.fields().iter().any(|field| field.key != "kustomize")
            || kustomize.iter().any(|field| field.key != "images")
    };
    if let Some(renderer) = renderers.iter().find(changes) {
        let reason = "its `postRenderers` are not evaluated; review what it renders to";
        return Err(Trouble::at(renderer, reason));
    }
    let metadata = filled(spec, "commonMetadata");
    if let Some(labels) = metadata.and_then(|metadata| filled(&metadata.node, "labels")) {
        let reason =
            "the labels of its `commonMetadata` are not evaluated; review what it renders to";
        return Err(Trouble::at(&labels.node, reason));
    }
    Ok(())
}

/// What is written, or the namespace that it goes to and its own name; a long one is shortened, with a digest.
fn release_name(spec: &Node, own: &str) -> String {
    let name = match (text(spec, &["releaseName"]), text(spec, &["targetNamespace"])) {
        (Some(name), _) => name.to_string(),
        (None, Some(namespace)) => format!("{namespace}-{own}"),
        (None, None) => own.to_string(),
    };
    if name.len() <= 53 {
        return name;
    }
    let mut short: String = name.chars().take(40).collect();
    short.push('-');
    for byte in Sha256::digest(&name).iter().take(6) {
        // Writing to a string can't fail.
        let _ = write!(short, "{byte:02x}");
    }
    short
}

/// Values files of the chart take the place of its own `values.yaml`; they count from the root of the source.
fn files_of_chart(chart: &Node, directory: &str, release: &mut Release) -> Result<(), Trouble> {
    let mut list = Vec::new();
    if let Some(field) = filled(chart, "valuesFile") {
        list.extend(field.node.text().map(|text| (text, &field.node)));
    }
    list.extend(texts(chart, "valuesFiles")?);
    let optional = flag(chart, &["ignoreMissingValuesFiles"]);
    for (written, node) in list {
        let path = join("", written.trim_start_matches('/')).ok_or_else(|| {
            let reason =
                format!("the values file `{written}` leads out of the repository; correct it");
            Trouble::at(node, reason)
        })?;
        release.values.push(Values::File { path, optional });
    }
    // Where it is among them, wherever, it makes no difference that it comes before all as well.
    let own = beside(directory, "values.yaml");
    let is_own = |values: &Values| matches!(values, Values::File { path, .. } if *path == own);
    release.replace_values = !release.values.is_empty() && !release.values.iter().any(is_own);
    Ok(())
}

fn values_from(
    reference: &Node,
    subject: &Subject<'_>,
    context: &Context<'_>,
) -> Result<Option<Values>, Trouble> {
    let unknown = |what: &str| {
        let reason =
            format!("it has values of {what}, which nobody knows here; review what it renders to");
        Trouble::at(reference, reason)
    };
    let name = text(reference, &["name"]).unwrap_or_default();
    if text(reference, &["kind"]) != Some("ConfigMap") {
        return Err(unknown(&format!("Secret `{name}`")));
    }
    let object = match data(reference, subject, context) {
        Data::Of(object) if flux_source::is_secret(object) => {
            return Err(unknown(&format!("ConfigMap `{name}`, which is encrypted")));
        }
        Data::Of(object) => object,
        Data::Absent => return Ok(None),
        Data::Unknown(what) => return Err(unknown(&what)),
    };
    let key = text(reference, &["valuesKey"]).unwrap_or("values.yaml");
    let optional = flag(reference, &["optional"]);
    let entry = object.node.get("data").and_then(|data| field(data, key));
    let Some((entry, value)) = entry.and_then(|entry| Some((entry, entry.node.text()?))) else {
        if optional {
            return Ok(None);
        }
        return Err(unknown(&format!("the key `{key}` of ConfigMap `{name}`, which is missing")));
    };
    let origin = Origin {
        file: object.file.clone(),
        start_line: entry.line,
        end_line: entry.node.end_line.max(entry.line),
    };
    let wrong = |why: &str| {
        let reason = format!(
            "its values of the key `{key}` of ConfigMap `{name}` could not be read: {why}; correct them"
        );
        Trouble::at(reference, reason)
    };
    let values = match text(reference, &["targetPath"]) {
        None => inline(value).map_err(|why| wrong(&why))?,
        Some(target) => at_path(target, value)
            .ok_or_else(|| wrong("only a plain `targetPath` and a plain value are supported"))?,
    };
    Ok(Some(Values::Inline { values, origin }))
}

/// The value at a path of names, as `--set` reads it; `None`: it is more than a plain one.
fn at_path(target: &str, value: &str) -> Option<Value> {
    let quoted =
        |quote: char| value.len() >= 2 && value.starts_with(quote) && value.ends_with(quote);
    let is_text = quoted('\'') || quoted('"');
    let value = if is_text { value.trim_matches(['\'', '"']) } else { value };
    let is_plain = !value.contains([',', '{', '}', '[', ']', '\\', '\n', '=']);
    let names: Vec<&str> = target.split('.').collect();
    let are_names = names.iter().all(|name| !name.is_empty())
        && !target.contains(['[', ']', '\\', ',', '=', '{', '}', '\n']);
    if !is_plain || !are_names || names.len() > 50 {
        return None;
    }
    let value = match value {
        _ if is_text => json!(value),
        "true" => json!(true),
        "false" => json!(false),
        "null" => Value::Null,
        "0" => json!(0),
        number if !number.starts_with(['0', '+']) => {
            number.parse::<i64>().map_or_else(|_| json!(number), |number| json!(number))
        }
        text => json!(text),
    };
    let nest = |value, name: &&str| Value::Object(Map::from_iter([(name.to_string(), value)]));
    Some(names.iter().rev().fold(value, nest))
}

#[cfg(test)]
mod tests {
    use super::super::object::tests::{found, reasons, refused};
    use super::*;

    const FILES: &[(&str, &str)] = &[("charts/web/Chart.yaml", ""), ("charts/web/values.yaml", "")];
    const CHART: &str = "chart: ./charts/web, sourceRef: {kind: GitRepository, name: flux-system}";

    fn text(chart: &str, spec: &str) -> String {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: web, namespace: shop}}\n\
             spec:\n  chart: {{spec: {{{chart}}}}}\n  {spec}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: \
             values, namespace: shop}}\ndata:\n  values.yaml: |\n    a: 1\n  port: '8080'\n  list: a,b\n  bad: '- a'\n"
        )
    }

    #[track_caller]
    fn one(chart: &str, spec: &str) -> Release {
        let found = found(&text(chart, spec), FILES);
        assert_eq!(reasons(&found), [""; 0], "{spec}");
        let [unit] = found.units.as_slice() else { panic!("{:?}", found.units) };
        let Build::Helm(release) = &unit.build else { panic!("{unit:?}") };
        assert_eq!(unit.namespace.as_deref(), Some(release.namespace.as_str()));
        assert_eq!(unit.decided.because, "HelmRelease `shop/web`");
        release.clone()
    }

    #[test]
    fn names_and_namespaces() {
        let long = "a".repeat(60);
        let short = format!("{}-{}", "a".repeat(40), "11ee391211c6");
        for (spec, name, namespace) in [
            ("interval: 1m".to_string(), "web", "shop"),
            ("targetNamespace: other".into(), "other-web", "other"),
            ("targetNamespace: other\n  releaseName: w".into(), "w", "other"),
            ("storageNamespace: s\n  suspend: true".into(), "web", "shop"),
            (format!("releaseName: {long}"), short.as_str(), "shop"),
        ] {
            let release = one(CHART, &spec);
            assert_eq!((release.name.as_str(), release.namespace.as_str()), (name, namespace));
            assert_eq!((release.chart.as_str(), release.skip_crds), ("charts/web", false));
        }
        assert!(one(CHART, "install: {crds: Skip}").skip_crds);
        assert!(!one(CHART, "install: {crds: CreateReplace}\n  upgrade: {crds: Skip}").skip_crds);
        assert!(
            one(CHART, "postRenderers: [{kustomize: {images: [{name: a}]}}]").values.is_empty()
        );
    }

    #[test]
    fn values() {
        let release = one(
            CHART,
            "valuesFrom: [{kind: ConfigMap, name: values}, {kind: ConfigMap, name: values, valuesKey: port, targetPath: \
             a.b}, {kind: ConfigMap, name: none, optional: true}]\n  values: {c: 3}",
        );
        let told: Vec<String> = release
            .values
            .iter()
            .map(|value| match value {
                Values::Inline { values, origin } => {
                    format!("{values} {}-{}", origin.start_line, origin.end_line)
                }
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(told, ["{\"a\":1} 13-14", "{\"a\":{\"b\":8080}} 15-15", "{\"c\":3} 7-7"]);
        for (more, expected, replaced) in [
            ("", vec![], false),
            (
                ", valuesFiles: [charts/web/values.yaml, ./prod.yaml]",
                vec!["charts/web/values.yaml", "prod.yaml"],
                false,
            ),
            (
                ", valuesFiles: [prod.yaml, /charts/web/values.yaml]",
                vec!["prod.yaml", "charts/web/values.yaml"],
                false,
            ),
            (", valuesFiles: [prod.yaml], valuesFile: a.yaml", vec!["a.yaml", "prod.yaml"], true),
        ] {
            let release = one(&format!("{CHART}{more}"), "interval: 1m");
            let paths: Vec<_> = release
                .values
                .iter()
                .map(|value| match value {
                    Values::File { path, optional: false } => path.as_str(),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!((paths, release.replace_values), (expected, replaced));
        }
    }

    #[test]
    fn what_is_not_evaluated() {
        let map = |rest: &str| format!("valuesFrom: [{{kind: ConfigMap, name: values, {rest}}}]");
        for (chart, spec, words) in [
            (
                CHART,
                "chartRef: {kind: OCIRepository, name: x}".to_string(),
                "its chart is OCIRepository `x`",
            ),
            (
                "chart: web, sourceRef: {kind: HelmRepository, name: x}",
                String::new(),
                "HelmRepository `x`, not a git repository",
            ),
            (
                "chart: none, sourceRef: {kind: GitRepository, name: x}",
                String::new(),
                "not in the repository",
            ),
            ("chart: ../x, sourceRef: {kind: GitRepository, name: x}", String::new(), "leads out"),
            (CHART, "postRenderers: [{kustomize: {patches: []}}]".into(), "postRenderers"),
            (CHART, "commonMetadata: {labels: {a: b}}".into(), "commonMetadata"),
            (CHART, "fancy: 1".into(), "the field `fancy`"),
            (CHART, "valuesFrom: [{kind: Secret, name: s, optional: true}]".into(), "Secret `s`"),
            (CHART, "valuesFrom: [{kind: ConfigMap, name: none}]".into(), "ConfigMap `none`"),
            (CHART, map("valuesKey: none"), "the key `none`"),
            (CHART, map("valuesKey: bad"), "it is no map"),
            (CHART, map("valuesKey: list, targetPath: a"), "only a plain"),
            (CHART, map("valuesKey: port, targetPath: 'a[0]'"), "only a plain"),
        ] {
            refused(&found(&text(chart, &spec), FILES), words);
        }
    }

    #[test]
    fn values_at_a_path() {
        for (target, value, expected) in [
            ("a", "true", Some(json!({"a": true}))),
            ("a.b", "12", Some(json!({"a": {"b": 12}}))),
            ("a", "012", Some(json!({"a": "012"}))),
            ("a", "1.5", Some(json!({"a": "1.5"}))),
            ("a", "'12'", Some(json!({"a": "12"}))),
            ("a", "\"true\"", Some(json!({"a": "true"}))),
            ("a", "null", Some(json!({"a": null}))),
            ("a", "text", Some(json!({"a": "text"}))),
            ("a", "a,b", None),
            ("a", "{a}", None),
            ("a..b", "x", None),
            ("a[0]", "x", None),
            ("a\\.b", "x", None),
        ] {
            assert_eq!(at_path(target, value), expected, "{target} {value}");
        }
    }
}
