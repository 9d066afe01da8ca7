//! ApplicationSets of Argo CD: templates of Applications, and generators of their parameters.

use super::generate::generated;
use super::object::{self, Context, Subject, Trouble, filled, flag, texts};
use super::template::{Parameters, Templates};
use super::{Found, argo};
use crate::parse::{Field, Node, Value};
use std::collections::BTreeSet;

/// Applications of one ApplicationSet.
pub(super) const APPLICATIONS: usize = 1_000;

/// Reads an ApplicationSet: each Application that it generates.
pub(super) fn applications(subject: &Subject<'_>, context: &Context<'_>, found: &mut Found) {
    let applications = match templated(&subject.object.node, context) {
        Ok(applications) => applications,
        Err(trouble) => {
            found.problems.push(subject.problem(trouble));
            return;
        }
    };
    let mut ours = Found::default();
    for application in &applications {
        let subject = subject.generates("Application", &object::full_name(application));
        argo::application(application, &subject, context, &mut ours);
    }
    found.units.append(&mut ours.units);
    // What is wrong with the template is wrong with each Application.
    let problems: BTreeSet<_> = ours.problems.into_iter().collect();
    found.problems.extend(problems);
}

fn templated(set: &Node, context: &Context<'_>) -> Result<Vec<Node>, Trouble> {
    let spec = set.get("spec").ok_or_else(|| "it has no `spec`; correct it".to_string())?;
    if let Some(patch) = filled(spec, "templatePatch") {
        let reason =
            "its `templatePatch` is not evaluated; review the Applications that it generates";
        return Err(Trouble::at(&patch.node, reason));
    }
    let strict =
        texts(spec, "goTemplateOptions")?.iter().any(|(option, _)| *option == "missingkey=error");
    let templates = Templates::new(flag(spec, &["goTemplate"]), strict, context.bounds);
    let template =
        filled(spec, "template").ok_or_else(|| "it has no `template`; correct it".to_string())?;
    let generators =
        filled(spec, "generators").ok_or_else(|| "it has no generators; correct it".to_string())?;
    let mut applications = Vec::new();
    let mut names = BTreeSet::new();
    for generator in generators.node.items() {
        for parameters in generated(generator, &templates, context)? {
            if applications.len() >= APPLICATIONS {
                let reason =
                    format!("it generates more than {APPLICATIONS} Applications; split it");
                return Err(Trouble::at(&generators.node, reason));
            }
            let application = filled_in(&template.node, set, &templates, &parameters)
                .map_err(|reason| Trouble::at(&template.node, reason))?;
            if !names.insert(object::full_name(&application)) {
                let reason = format!(
                    "it generates two Applications `{}`, which Argo CD refuses; give them different names",
                    object::full_name(&application)
                );
                return Err(Trouble::at(&template.node, reason));
            }
            applications.push(application);
        }
    }
    Ok(applications)
}

/// The parts of an Application that count, filled in. It is in the namespace of the set unless it names its own.
fn filled_in(
    template: &Node,
    set: &Node,
    templates: &Templates<'_>,
    parameters: &Parameters,
) -> Result<Node, String> {
    let fill = |parent: &str, key: &'static str| match template.at(&[parent, key]) {
        None => Ok(None),
        Some(node) => templates.node(node, parameters).map(|node| Some((key, node))),
    };
    let map = |parts: Vec<Option<(&str, Node)>>| {
        let field =
            |(key, node): (&str, Node)| Field { key: key.to_string(), line: node.start_line, node };
        let fields = parts.into_iter().flatten().map(field).collect();
        Node { value: Value::Map(fields), ..template.clone() }
    };
    let own = set.at(&["metadata", "namespace"]).map(|node| ("namespace", node.clone()));
    let metadata = map(vec![fill("metadata", "name")?, fill("metadata", "namespace")?.or(own)]);
    let labels = template.at(&["spec", "syncPolicy", "managedNamespaceMetadata"]);
    let spec = ["project", "source", "sources", "sourceHydrator", "destination"]
        .iter()
        .chain(labels.map(|_| &"syncPolicy"))
        .map(|key| fill("spec", key))
        .collect::<Result<_, _>>()?;
    Ok(map(vec![Some(("metadata", metadata)), Some(("spec", map(spec)))]))
}

#[cfg(test)]
mod tests {
    use super::super::object::tests::{found, reasons, refused};
    use super::super::{Build, Found};

    const FILES: &[(&str, &str)] = &[
        ("apps/shop/a.yaml", ""),
        ("apps/Blog_1/a.yaml", ""),
        ("apps/.hidden/a.yaml", ""),
        ("apps/old/a.yaml", ""),
        ("apps/shop/overlays/eu/a.yaml", ""),
        ("clusters/eu/config.json", r#"{"cluster": {"name": "eu"}, "apps": ["shop"], "n": 2}"#),
        ("clusters/us/config.json", r#"[{"cluster": {"name": "us"}, "apps": ["blog"], "n": 3}]"#),
        ("clusters/us/more/config.json", "{}"),
        ("broken/config.yaml", "- a\n"),
        ("one.yaml", "name: root\n"),
    ];
    const GIT: &str = "repoURL: https://example.com/a/b";

    fn text(generators: &str, template: &str, more: &str) -> String {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {{name: all, namespace: argocd}}\n\
             spec:\n  {more}\n  generators: {generators}\n  template: {template}\n"
        )
    }

    fn set(generators: &str, template: &str, more: &str) -> Found {
        found(&text(generators, template, more), FILES)
    }

    /// `name path cluster` of each Application.
    fn told(found: &Found) -> Vec<String> {
        let told = found.units.iter().map(|unit| {
            let Build::Plain(plain) = &unit.build else { panic!("{unit:?}") };
            let name = unit.decided.because.split('`').nth(1).unwrap();
            format!("{name} {} {}", plain.paths[0], unit.environment.as_deref().unwrap())
        });
        told.collect()
    }

    fn template(name: &str, path: &str, cluster: &str) -> String {
        format!(
            "{{metadata: {{name: '{name}', labels: {{x: '{{{{ not evaluated }}}}'}}}}, spec: {{source: {{{GIT}, \
             path: '{path}'}}, destination: {{name: '{cluster}'}}}}}}"
        )
    }

    #[test]
    fn generators() {
        let plain = template("{{path.basenameNormalized}}", "{{path}}", "{{path[0]}}");
        let go = template(
            "{{ .path.basename | normalize }}",
            "{{ .path.path }}",
            "{{index .path.segments 0}}-{{.values.x}}",
        );
        for (generators, template, more, expected) in [
            (
                "[{list: {elements: [{cluster: eu, values: {path: shop}}, {cluster: us, values: {path: old}}]}}]"
                    .to_string(),
                template("{{cluster}}-{{ values.path }}", "apps/{{values.path}}", "{{cluster}}"),
                "",
                vec!["argocd/eu-shop apps/shop eu", "argocd/us-old apps/old us"],
            ),
            (
                format!("[{{git: {{{GIT}, directories: [{{path: apps/*}}, {{path: apps/old, exclude: true}}]}}}}]"),
                plain.clone(),
                "",
                vec!["argocd/blog-1 apps/Blog_1 apps", "argocd/shop apps/shop apps"],
            ),
            (
                format!(
                    "[{{git: {{{GIT}, directories: [{{path: apps/*/overlays/*}}], values: {{x: '{{{{ .path.basename \
                     }}}}'}}}}}}]"
                ),
                go,
                "goTemplate: true",
                vec!["argocd/eu apps/shop/overlays/eu apps-eu"],
            ),
            (
                format!("[{{git: {{{GIT}, files: [{{path: clusters/eu/config.json}}]}}}}]"),
                template("{{path.basename}}-{{n}}", "apps/{{apps.0}}", "{{cluster.name}}-{{path.filename}}"),
                "",
                vec!["argocd/eu-2 apps/shop eu-config.json"],
            ),
            (
                format!("[{{git: {{{GIT}, files: [{{path: one.yaml}}], pathParamPrefix: at}}}}]"),
                template("{{.name}}", "apps/shop", "x{{.at.path.path}}{{.at.path.filenameNormalized}}"),
                "goTemplate: true",
                vec!["argocd/root apps/shop x.one.yaml"],
            ),
            (
                format!(
                    "[{{matrix: {{generators: [{{git: {{{GIT}, directories: [{{path: apps/shop}}]}}}}, {{list: \
                     {{elements: [{{cluster: eu}}, {{cluster: us}}]}}}}]}}}}]"
                ),
                template("{{path.basename}}-{{cluster}}", "{{path}}", "{{cluster}}"),
                "",
                vec!["argocd/shop-eu apps/shop eu", "argocd/shop-us apps/shop us"],
            ),
            (
                format!(
                    "[{{matrix: {{generators: [{{list: {{elements: [{{cluster: eu}}]}}}}, {{git: {{{GIT}, files: \
                     [{{path: 'clusters/{{{{cluster}}}}/config.json'}}], values: {{b: '{{{{path.basename}}}}'}}}}}}]}}}}]"
                ),
                template("{{cluster}}-{{n}}", "apps/{{apps.0}}", "{{values.b}}"),
                "",
                vec!["argocd/eu-2 apps/shop eu"],
            ),
            (
                "[{merge: {mergeKeys: [cluster], generators: [{list: {elements: [{cluster: eu, app: shop}, {cluster: \
                 us, app: shop}]}}, {list: {elements: [{cluster: us, app: old}, {cluster: ap, app: none}]}}]}}]"
                    .to_string(),
                template("{{cluster}}", "apps/{{app}}", "{{cluster}}"),
                "",
                vec!["argocd/eu apps/shop eu", "argocd/us apps/old us"],
            ),
        ] {
            let found = set(&generators, &template, more);
            assert_eq!(reasons(&found), [""; 0], "{generators}");
            assert_eq!(told(&found), expected, "{generators}");
        }
        let found =
            set("[{list: {elements: [{path: shop}]}}]", &template("a", "apps/{{path}}", "x"), "");
        let because = "Application `argocd/a` of ApplicationSet `argocd/all`";
        assert_eq!(found.units[0].decided.because, because);
    }

    #[test]
    fn what_is_not_evaluated() {
        let fine = template("{{path.basename}}", "{{path}}", "x");
        let shop = format!("[{{git: {{{GIT}, directories: [{{path: apps/shop}}]}}}}]");
        let many = format!(
            "[{{matrix: {{generators: [{{list: {{elements: [{0}]}}}}, {{list: {{elements: [{1}]}}}}]}}}}]",
            (0..50).map(|n| format!("{{a: '{n}'}}")).collect::<Vec<_>>().join(", "),
            (0..50).map(|n| format!("{{b: '{n}'}}")).collect::<Vec<_>>().join(", "),
        );
        let element = |element: &str| format!("[{{list: {{elements: [{element}]}}}}]");
        for (generators, template, more, words) in [
            ("[{clusters: {}}]", &fine, "", "its generator `clusters` asks something outside"),
            ("[{plugin: {}}]", &fine, "", "`plugin`"),
            ("[{pullRequest: {}}]", &fine, "", "`pullRequest`"),
            ("[]", &fine, "", "no generators"),
            (shop.as_str(), &fine, "templatePatch: 'x'", "`templatePatch`"),
            (&shop.replace("git", "selector: {a: b}, git"), &fine, "", "the selector"),
            (
                &shop.replace("directories", "template: {a: b}, directories"),
                &fine,
                "",
                "the template",
            ),
            (&shop.replace("apps/shop", "none/*"), &fine, "", "another repository"),
            (&shop.replace("{git: {", "{git: {revision: v1.0, "), &fine, "", "pinned to `v1.0`"),
            (
                &shop.replace("directories: [{path: apps/shop}]", "a: b"),
                &fine,
                "",
                "no directories",
            ),
            (&shop, &template("{{none}}", "x", "y"), "", "`{{none}}` can't be filled in"),
            (&shop, &template("{{.path}}", "x", "y"), "", "`{{.path}}`"),
            (
                &shop,
                &template("{{if .path}}a{{end}}", "x", "y"),
                "goTemplate: true",
                "`{{if .path}}` can't be filled in",
            ),
            (
                &shop,
                &template("{{.none | default \"a\"}}", "x", "y"),
                "goTemplate: true\n  goTemplateOptions: [missingkey=error]",
                "no field `none`",
            ),
            (&element("{a: 1}"), &template("{{a}}", "apps/shop", "x"), "", "no text"),
            (&element("{a: b}, {a: c}"), &template("x", "apps/shop", "x"), "", "two Applications"),
            (&element("a"), &template("x", "apps/shop", "x"), "", "no map"),
            (&many, &template("{{a}}-{{b}}", "apps/shop", "x"), "", "more than 1000"),
            (
                &format!("[{{git: {{{GIT}, files: [{{path: 'clusters/*/config.json'}}]}}}}]"),
                &fine,
                "",
                "chooses other files",
            ),
            (
                &format!("[{{git: {{{GIT}, files: [{{path: broken/config.yaml}}]}}}}]"),
                &fine,
                "",
                "`broken/config.yaml` of its generator is no map",
            ),
            (
                "[{matrix: {generators: [{list: {elements: [{a: b}]}}, {list: {elements: [{a: c}]}}]}}]",
                &fine,
                "",
                "different values",
            ),
            (
                "[{merge: {mergeKeys: [a], generators: [{list: {elements: [{a: b}, {a: b}]}}, {list: {}}]}}]",
                &fine,
                "",
                "the same keys twice",
            ),
            (
                &element("{a: b}"),
                &template("{{a}}", "../x", "y"),
                "",
                "leads out of the repository",
            ),
            (
                &element("{a: b}, {a: c}"),
                &template("{{a}}", "none", "y"),
                "",
                "another repository, `https://example.com/a/b`",
            ),
        ] {
            let found = set(generators, template, more);
            refused(&found, words);
            assert_eq!(found.problems[0].problem.name.as_deref(), Some("argocd/all"));
        }
    }

    #[test]
    fn nesting_ends() {
        let mut generator = "{list: {elements: [{a: b}]}}".to_string();
        for _ in 0..10 {
            generator = format!("{{matrix: {{generators: [{generator}]}}}}");
        }
        refused(&set(&format!("[{generator}]"), &template("{{a}}", "x", "y"), ""), "too deeply");
    }

    #[test]
    fn hostile_sets_end() {
        let names: Vec<String> =
            (0..2_000).map(|n| format!("{}/{n}/a.yaml", "a".repeat(200))).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        let pattern = "*a".repeat(4_000);
        let generators = format!("[{{git: {{{GIT}, directories: [{{path: '{pattern}'}}]}}}}]");
        let found = found(&text(&generators, &template("{{path}}", "x", "y"), ""), &files);
        refused(&found, "it generates too much");

        let elements: Vec<String> = (0..900).map(|n| format!("{{a: '{n}'}}")).collect();
        let list = format!("[{{list: {{elements: [{}]}}}}]", elements.join(", "));
        let big = format!("{{{{a}}}}{}", "x".repeat(200_000));
        refused(&set(&list, &template("{{a}}", &big, "y"), ""), "it generates too much");
    }
}
