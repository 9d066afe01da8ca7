//! The real tools where they are found; with NETPOL_REVIEW_TOOLS=required they have to be.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use super::*;
use crate::deploy::{Release, Values};
use crate::model::Origin;
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn found(tool: Result<&Tool, Unusable>) -> Option<&Tool> {
    if let Err(error) = &tool {
        let required = std::env::var("NETPOL_REVIEW_TOOLS").is_ok_and(|value| value == "required");
        assert!(!required, "{error}");
        println!("skipped: {error}");
    }
    tool.ok()
}

fn write(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

/// A program that nobody else has open for writing, whatever other tests start meanwhile.
fn script(directory: &Path, name: &str, text: &str) {
    let made = Command::new("/bin/sh")
        .args(["-c", "printf '#!/bin/sh\n%s\n' \"$2\" >\"$1\" && chmod +x \"$1\"", "sh"])
        .args([directory.join(name).as_os_str(), text.as_ref()])
        .status();
    assert!(made.unwrap().success());
}

fn place() -> Sandbox {
    Sandbox::new(Limits::default(), false)
}

const POLICY: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: db}\nspec: {podSelector: {}}\n";

#[test]
fn tools_are_found_in_their_order() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = std::env::join_paths([Path::new("relative"), first.path(), second.path()]).unwrap();
    let find = || Tools::on(Given::default(), path.clone());
    let missing = find().kustomize().unwrap_err().to_string();
    assert!(missing.starts_with("there is no `kustomize` and no `kubectl` on PATH\n"), "{missing}");
    assert!(matches!(find().helm(), Err(Unusable::Missing { .. })));

    let versions = r#"[ "$2" = --client ] && echo '{"clientVersion": {"gitVersion": "v1.37.1"}, "kustomizeVersion": "v5.8.1"}'"#;
    script(second.path(), "kubectl", versions);
    script(second.path(), "helm", "echo v3.16.2+g13654a5");
    let tools = find();
    let kubectl = tools.kustomize().unwrap();
    assert_eq!(
        (kubectl.kind, kubectl.version.as_str()),
        (Kind::Kubectl, "kubectl v1.37.1 with kustomize v5.8.1")
    );
    assert_eq!(tools.helm().unwrap().version, "helm v3.16.2+g13654a5");

    // One that does not run is passed over for one that does.
    script(first.path(), "kustomize", "echo who am I; exit 1");
    assert_eq!(find().kustomize().unwrap().kind, Kind::Kubectl);
    script(first.path(), "kustomize", "echo '{Version:kustomize/v4.5.7 GitCommit:x}'");
    assert_eq!(find().kustomize().unwrap().version, "kustomize v4.5.7");

    // What was found once is not asked again.
    script(second.path(), "helm", "exit 1");
    assert_eq!(tools.helm().unwrap().version, "helm v3.16.2+g13654a5");
}

#[test]
fn a_given_tool_is_the_only_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = std::env::join_paths([directory.path()]).unwrap();
    script(directory.path(), "kustomize", "echo v5.0.0");
    script(directory.path(), "helm", "echo v4.0.0");
    let given = |name: &str| {
        let given = Some(directory.path().join(name));
        Tools::on(Given { kustomize: given.clone(), helm: given }, path.clone())
    };
    for (name, text, said) in [
        ("broken", "echo 'Error: broken' >&2; exit 1", "failed: broken"),
        ("old", "echo v2.17.0", "said `v2.17.0`"),
        ("else", "echo Helm, a synthesizer v1", "said `Helm, a synthesizer v1`"),
        ("silent", "exit 0", "said ``"),
    ] {
        script(directory.path(), name, text);
        for error in [given(name).helm().unwrap_err(), given(name).kustomize().unwrap_err()] {
            let told = error.to_string();
            assert!(
                told.contains(&format!("/{name}` can't be used: `")) && told.contains(said),
                "{told}"
            );
        }
    }
    let told = given("nothing").helm().unwrap_err().to_string();
    assert!(told.contains("could not be started"), "{told}");
    // A name alone is looked for on PATH, and what is called otherwise tells itself what it is.
    let by_name = Given { kustomize: Some("kustomize".into()), helm: None };
    assert_eq!(Tools::on(by_name, path.clone()).kustomize().unwrap().version, "kustomize v5.0.0");
    let versions = r#"[ "$2" = --client ] && echo '{"clientVersion": {"gitVersion": "v1.30.0"}, "kustomizeVersion": "v5.0.4"}'"#;
    script(directory.path(), "k", versions);
    assert_eq!(given("k").kustomize().unwrap().kind, Kind::Kubectl);
}

#[test]
fn kustomizations_are_built() {
    let tools = Tools::new(Given::default());
    let Some(tool) = found(tools.kustomize()) else { return };
    let root = write(&[
        ("base/kustomization.yaml", "resources: [db.yaml]\n"),
        ("base/db.yaml", POLICY),
        ("prod/kustomization.yaml", "resources: [../base]\nnamespace: prod\n"),
        ("-o/kustomization.yaml", "resources: [../base]\nnamespace: option\n"),
        (
            "github.com/a/b?ref=c/kustomization.yaml",
            "resources: [../../../base]\nnamespace: address\n",
        ),
        ("lost/kustomization.yaml", "resources: [../nowhere]\n"),
        ("remote/kustomization.yaml", "resources: ['https://github.com/a/b//c?ref=d']\n"),
        (
            "outside/kustomization.yaml",
            "configMapGenerator: [{name: a, files: [../base/db.yaml]}]\n",
        ),
        ("cycle/kustomization.yaml", "resources: [../cycle]\n"),
        ("exec/kustomization.yaml", "generators: [exec.yaml]\n"),
        (
            "exec/exec.yaml",
            "apiVersion: v1\nkind: Exec\nmetadata: {name: x, annotations: {config.kubernetes.io/function: 'exec: {path: ./run}'}}\n",
        ),
        ("exec/run", "#!/bin/sh\ntouch ../ran\n"),
    ]);
    let build = |directory: &str, reach| {
        let built = kustomize(&place(), tool, root.path(), directory, reach, None, &[]);
        built.map(|text| String::from_utf8(text).unwrap())
    };
    for (directory, namespace) in
        [("prod", "prod"), ("-o", "option"), ("github.com/a/b?ref=c", "address")]
    {
        let text = build(directory, Reach::Root).unwrap();
        assert!(text.contains(&format!("namespace: {namespace}\n")), "{text}");
    }
    for directory in ["..", "prod/../..", "/etc", "a\0b"] {
        assert!(
            matches!(build(directory, Reach::Root), Err(Stopped::Refused { .. })),
            "{directory}"
        );
    }
    let temporary = root.path().to_string_lossy().into_owned();
    let started = Instant::now();
    for directory in ["lost", "remote", "outside", "cycle", "exec", "missing", ""] {
        let told = build(directory, Reach::Root).unwrap_err();
        assert!(matches!(told, Stopped::Failed { .. }), "{directory}: {told}");
        assert!(!told.to_string().contains(&temporary), "{directory}: {told}");
    }
    assert!(started.elapsed() < Duration::from_secs(30), "nothing waits for a network");
    assert!(!root.path().join("ran").exists(), "no program of a repository runs");
    assert!(build("lost", Reach::Root).unwrap_err().to_string().contains("'nowhere'"));
    let wrapped = write(&[
        ("src/lost/kustomization.yaml", "resources: [../nowhere]\n"),
        ("build/kustomization.yaml", "resources: [../src/lost]\n"),
    ]);
    let names = [wrapped.path().join("src"), "../src".into()].map(|path| (path, String::new()));
    let built = kustomize(&place(), tool, wrapped.path(), "build", Reach::Root, None, &names);
    let told = built.unwrap_err().to_string();
    assert!(told.contains("from 'lost'") && told.contains("'nowhere'"), "{told}");
    assert!(!told.contains("src"), "{told}");
    assert!(build("outside", Reach::Anywhere).unwrap().contains("kind: ConfigMap"));
}

#[test]
fn charts_in_kustomizations_are_rendered_where_helm_is_given() {
    let tools = Tools::new(Given::default());
    let (Some(tool), Some(helm)) = (found(tools.kustomize()), found(tools.helm())) else { return };
    let root = write(&[
        ("a/kustomization.yaml", "helmCharts: [{name: shop, releaseName: r}]\n"),
        ("a/charts/shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
        ("a/charts/shop/values.yaml", "{}\n"),
        ("a/charts/shop/templates/db.yaml", POLICY),
    ]);
    let build = |helm| kustomize(&place(), tool, root.path(), "a", Reach::Root, helm, &[]);
    let told = build(None).unwrap_err().to_string();
    assert!(told.contains("enable-helm"), "{told}");
    let text = String::from_utf8(build(Some(helm)).unwrap()).unwrap();
    assert!(text.contains("kind: NetworkPolicy"), "{text}");
}

fn origin(line: u32) -> Origin {
    Origin { file: "apps/shop.yaml".into(), start_line: line, end_line: line }
}

fn release(values: Vec<Values>) -> Release {
    Release {
        chart: "chart".into(),
        name: "shop".into(),
        namespace: "prod".into(),
        values,
        skip_crds: false,
        ..Release::default()
    }
}

fn file(path: &str) -> Values {
    Values::File { path: path.into(), optional: false }
}

fn set(name: &str, value: &str, text: bool) -> Values {
    Values::Set { name: name.into(), value: value.into(), text, origin: origin(9) }
}

fn chart() -> TempDir {
    write(&[
        ("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
        ("chart/values.yaml", "a: chart\nb: chart\nc: chart\nd: chart\ne: {f: chart}\n"),
        (
            "chart/crds/crd.yaml",
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\n",
        ),
        (
            "chart/templates/tests/test.yaml",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\n",
        ),
        (
            "chart/templates/all.yaml",
            "release: {{ .Release.Name }}/{{ .Release.Namespace }}\nvalues: {{ .Values | toJson }}\n",
        ),
        ("prod, \"the one\".yaml", "b: file\n"),
        ("-f.yaml", "b: option\n"),
        ("https:/x.y/z.yaml", "b: address\n"),
        ("broken.yaml", "a: [\n"),
    ])
}

#[test]
fn charts_are_rendered() {
    let tools = Tools::new(Given::default());
    let Some(tool) = found(tools.helm()) else { return };
    let root = chart();
    let render = |release: &Release| {
        let text = helm_template(&place(), tool, root.path(), release);
        text.map(|text| String::from_utf8(text).unwrap())
    };
    let values = |values: Vec<Values>| {
        let text = render(&release(values)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("values: ")).unwrap();
        serde_json::from_str::<serde_json::Value>(line).unwrap()
    };
    let text = render(&release(vec![])).unwrap();
    assert!(
        text.contains("release: shop/prod\n")
            && text.contains("# Source: shop/templates/all.yaml\n")
    );
    assert!(
        text.contains("kind: CustomResourceDefinition") && !text.contains("kind: Pod"),
        "{text}"
    );
    let text =
        render(&Release { skip_crds: true, namespace: String::new(), ..release(vec![]) }).unwrap();
    assert!(text.contains("release: shop/default\n") && !text.contains("CustomResourceDefinition"));

    for (path, b) in [
        ("prod, \"the one\".yaml", "file"),
        ("-f.yaml", "option"),
        ("https:/x.y/z.yaml", "address"),
    ] {
        assert_eq!(values(vec![file(path)])["b"], b, "{path}");
    }
    let inline =
        Values::Inline { values: json!({"b": "inline", "c": [1, "x"]}), origin: origin(3) };
    let all = values(vec![
        Values::File { path: "missing.yaml".into(), optional: true },
        file("-f.yaml"),
        inline.clone(),
        set("d", "007", true),
        set("e.f", "80", false),
    ]);
    assert_eq!(
        all,
        json!({"a": "chart", "b": "inline", "c": [1, "x"], "d": "007", "e": {"f": 80}})
    );
    // The later over the earlier, also where helm itself would have it the other way round.
    let all =
        values(vec![set("b", "x", true), set("e.f", "true", false), set("d", "01", false), inline]);
    assert_eq!(
        all,
        json!({"a": "chart", "b": "inline", "c": [1, "x"], "d": "01", "e": {"f": true}})
    );

    for broken in [
        release(vec![file("missing.yaml")]),
        release(vec![file("broken.yaml")]),
        Release { chart: "nowhere".into(), ..release(vec![]) },
        Release { chart: "oci://x.y/z".into(), ..release(vec![]) },
    ] {
        let told = render(&broken).unwrap_err();
        assert!(matches!(told, Stopped::Failed { .. }), "{told}");
        assert!(!told.to_string().contains(&*root.path().to_string_lossy()), "{told}");
    }
}

/// Such names never reach helm, so it need not be there.
#[test]
fn names_are_no_options() {
    let root = chart();
    let nobody = Tool { program: "/nowhere/helm".into(), kind: Kind::Helm, version: String::new() };
    let refused = |release: Release| match helm_template(&place(), &nobody, root.path(), &release) {
        Err(Stopped::Refused { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let long = "a".repeat(54);
    for name in ["", "-x", "--post-renderer=x", "a b", "A", "a..b", "a/b", "a.", long.as_str()] {
        refused(Release { name: name.into(), ..release(vec![]) });
    }
    for namespace in ["-x", "a.b", "a\n", &"a".repeat(64)] {
        refused(Release { namespace: namespace.into(), ..release(vec![]) });
    }
    for path in ["../x", "a/../../x", "/etc/passwd"] {
        refused(Release { chart: path.into(), ..release(vec![]) });
        refused(release(vec![file(path)]));
    }
    let told = refused(release(vec![set("a[0]", "x", false), file("-f.yaml")]));
    assert!(told.starts_with("`a[0]=x` of apps/shop.yaml:9 is set before"), "{told}");
    refused(release(vec![set("a", "{x,y}", false), file("-f.yaml")]));
    let started = helm_template(&place(), &nobody, root.path(), &release(vec![]));
    assert!(matches!(started, Err(Stopped::NotStarted { .. })), "{started:?}");
}

#[test]
fn charts_that_eat_everything_are_ended() {
    let tools = Tools::new(Given::default());
    let Some(tool) = found(tools.helm()) else { return };
    let root = write(&[
        ("hungry/Chart.yaml", "apiVersion: v2\nname: hungry\nversion: 0.1.0\n"),
        ("hungry/templates/a.yaml", "a: {{ len (until 1000000000) }}\n"),
        ("huge/Chart.yaml", "apiVersion: v2\nname: huge\nversion: 0.1.0\n"),
        (
            "huge/templates/a.yaml",
            "a:\n{{ range until 3000 }}  - {{ repeat 1000 \"x\" }}\n{{ end }}\n",
        ),
        ("slow/Chart.yaml", "apiVersion: v2\nname: slow\nversion: 0.1.0\n"),
        (
            "slow/templates/a.yaml",
            "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}\n",
        ),
        ("loop/Chart.yaml", "apiVersion: v2\nname: loop\nversion: 0.1.0\n"),
        (
            "loop/templates/a.yaml",
            "{{ define \"a\" }}{{ include \"a\" . }}{{ end }}a: {{ include \"a\" . }}\n",
        ),
    ]);
    let limits = Limits { time: Duration::from_secs(20), memory: 512 << 20, output: 2 << 20 };
    let render = |chart: &str, limits| {
        let release = Release { chart: chart.into(), ..release(vec![]) };
        let rendered = helm_template(&Sandbox::new(limits, false), tool, root.path(), &release);
        rendered.unwrap_err()
    };
    let hungry = render("hungry", limits);
    assert!(matches!(hungry, Stopped::Memory { mebibytes: 512, .. }), "{hungry}");
    let huge = render("huge", limits);
    assert!(matches!(huge, Stopped::TooMuch { mebibytes: 2, .. }), "{huge}");
    let slow = render("slow", Limits { time: Duration::from_secs(2), ..limits });
    assert!(matches!(slow, Stopped::TooLong { seconds: 2, .. }), "{slow}");
    let endless = render("loop", limits);
    assert!(endless.to_string().contains("nested"), "{endless}");
}
