//! Builds that fail, hang, or want what they may not have: each ends within its bounds and fails closed.

use crate::renderers::{kustomize, tool};
use crate::sandbox::{Run, Sandbox, finish};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

const DIFF: &str = "diff --git HEAD~1..HEAD --repo r --format json --fail-on any";

/// A policy `all` of one namespace that lets everybody in where `open`.
pub fn policy(name: &str, open: bool) -> String {
    let ingress = if open { ", ingress: [{}]" } else { "" };
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: shop}}\n\
         spec: {{podSelector: {{}}, policyTypes: [Ingress]{ingress}}}\n"
    )
}

/// A chart with one policy, in a repository with one commit.
fn chart(sandbox: &Sandbox) {
    sandbox.init("r");
    sandbox.write("r/shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");
    sandbox.write("r/shop/templates/policy.yaml", policy("all", false));
    sandbox.commit("r", "one");
}

/// Two overlays on a base with one policy, in a repository with one commit.
pub fn overlays(sandbox: &Sandbox) {
    sandbox.init("r");
    sandbox.write("r/base/kustomization.yaml", "resources: [policy.yaml]\n");
    sandbox.write("r/base/policy.yaml", policy("all", false));
    for name in ["prod", "staging"] {
        let path = format!("r/overlays/{name}/kustomization.yaml");
        sandbox.write(&path, "resources: [../../base]\n");
    }
    sandbox.commit("r", "one");
}

/// Reasons of what was not evaluated, with their files.
fn reasons(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let entries = report["notEvaluated"].as_array().expect("notEvaluated is an array");
    entries.iter().map(|entry| (text(&entry["file"]), text(&entry["reason"]))).collect()
}

/// Checks that a run failed closed with this reason, and names nothing of this machine.
#[track_caller]
fn fails_closed(run: &Run, why: &str) {
    let report = run.ends(11).json();
    let told = reasons(&report);
    assert!(told.iter().any(|(_, reason)| reason.contains(why)), "{why}: {told:#?}");
    for (_, reason) in &told {
        assert!(!reason.contains("/tmp") && !reason.contains("netpol-review-"), "{reason}");
    }
}

/// A program named kubectl that answers for its version as the real one does, and else runs these commands.
pub fn false_kubectl(sandbox: &Sandbox, commands: &str) -> Option<String> {
    let real = tool(&["kubectl"])?;
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *version*) exec '{}' \"$@\";; esac\n{commands}\n",
        real.display()
    );
    sandbox.write("bin/kubectl", script);
    let path = sandbox.path("bin/kubectl");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    Some(path.display().to_string())
}

/// The most memory that a process had, in KiB, by what the kernel says of it while it runs.
fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[test]
fn a_template_that_never_ends_is_ended() {
    let Some(_) = tool(&["helm"]) else { return };
    let sandbox = Sandbox::new();
    chart(&sandbox);
    let forever = "{{- range until 100000000 }}{{ range until 100000000 }}{{ end }}{{ end }}\n";
    sandbox.write("r/shop/templates/more.yaml", forever);
    sandbox.commit("r", "two");
    let started = Instant::now();
    let run = sandbox.run(&format!("{DIFF} --render-timeout 2"));
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    let report = run.ends(11).json();
    let told = reasons(&report);
    // Whichever bound it meets first.
    let bound = |reason: &str| reason.contains("`helm template`") && reason.contains("was ended");
    assert!(told.iter().any(|(_, reason)| bound(reason)), "{told:#?}");
}

#[test]
fn a_gigabyte_of_output_is_not_taken() {
    let Some(_) = tool(&["helm"]) else { return };
    let sandbox = Sandbox::new();
    chart(&sandbox);
    let much = "{{- range until 1000 }}\n# {{ repeat 1000000 \"x\" }}\n{{- end }}\n";
    sandbox.write("r/shop/templates/more.yaml", much);
    sandbox.commit("r", "two");
    let mut program = sandbox.program();
    let output = sandbox.path("out.json");
    program.args(DIFF.split_whitespace()).stdout(fs::File::create(&output).unwrap());
    let mut child = program.spawn().unwrap();
    let (mut most, started) = (0, Instant::now());
    let status = loop {
        most = most.max(peak(child.id()).unwrap_or_default());
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(started.elapsed() < Duration::from_secs(120), "it hangs");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.code(), Some(11));
    let report: Value = serde_json::from_slice(&fs::read(&output).unwrap()).unwrap();
    let told = reasons(&report);
    assert!(told.iter().any(|(_, reason)| reason.contains("was ended")), "{told:#?}");
    assert!((1..300_000).contains(&most), "{most} KiB");
}

#[test]
fn a_tool_that_hangs_fails_or_says_nothing_fails_closed() {
    for (commands, why) in [
        ("sleep 300", "took longer than 1 s and was ended"),
        ("sleep 300 & exit 0", "it was built to nothing"),
        ("exit 0", "it was built to nothing"),
        ("echo oh no >&2; exit 3", "`kubectl kustomize` failed: oh no"),
        ("yes '# more'", "was ended"),
    ] {
        let sandbox = Sandbox::new();
        let Some(program) = false_kubectl(&sandbox, commands) else { return };
        overlays(&sandbox);
        sandbox.write("r/base/policy.yaml", policy("all", true));
        sandbox.commit("r", "two");
        let started = Instant::now();
        let run = sandbox.run(&format!("{DIFF} --kustomize {program} --render-timeout 1"));
        assert!(started.elapsed() < Duration::from_secs(30), "{commands}");
        fails_closed(&run, why);
    }
}

#[test]
fn a_broken_template_is_named_as_the_repository_names_it() {
    let Some(_) = tool(&["helm"]) else { return };
    for (file, text, names) in [
        ("templates/more.yaml", "{{ fail \"no good\" }}\n", "shop/templates/more.yaml:1"),
        ("templates/more.yaml", "{{ .Values.a.b.c }}\n", "shop/templates/more.yaml:1"),
        ("templates/more.yaml", "\n{{ end }}\n", "shop/templates/more.yaml:2"),
        ("values.yaml", "a: [\n", "values.yaml"),
        ("templates/more.yaml", "{{ include \"missing\" . }}\n", "shop/templates/more.yaml:1"),
    ] {
        let sandbox = Sandbox::new();
        chart(&sandbox);
        sandbox.write(&format!("r/shop/{file}"), text);
        sandbox.commit("r", "two");
        let run = sandbox.run(DIFF);
        fails_closed(&run, names);
    }
}

#[test]
fn a_link_out_of_the_tree_is_said() {
    let Some(_) = kustomize() else { return };
    for target in ["../../../outside.yaml", "/etc/hostname"] {
        let sandbox = Sandbox::new();
        overlays(&sandbox);
        sandbox.write("outside.yaml", policy("all", true));
        sandbox.git(".", "clone -q r before");
        fs::remove_dir_all(sandbox.path("before/.git")).unwrap();
        std::os::unix::fs::symlink(target, sandbox.path("r/overlays/prod/more.yaml")).unwrap();
        let both = "resources: [../../base, more.yaml]\n";
        sandbox.write("r/overlays/prod/kustomization.yaml", both);
        sandbox.commit("r", "two");
        for command in [DIFF, "diff before r --format json --fail-on any"] {
            let run = sandbox.run(command);
            let report = run.ends(11).json();
            let told = reasons(&report);
            let link = |(file, reason): &(String, String)| {
                file.starts_with("overlays/prod/") && reason.contains("symbolic link")
            };
            assert!(told.iter().any(link), "{command}: {told:#?}");
            assert_eq!(report["environments"][0]["opened"], Value::Array(vec![]), "{report:#}");
        }
    }
}

#[test]
fn without_a_change_nothing_is_built_and_nothing_can_fail() {
    let sandbox = Sandbox::new();
    let Some(program) = false_kubectl(&sandbox, "sleep 300") else { return };
    overlays(&sandbox);
    sandbox.write("r/README.md", "words\n");
    sandbox.commit("r", "two");
    let mut command = sandbox.program();
    command.args(DIFF.split_whitespace()).args(["--kustomize", &program]);
    let run = finish(&mut command);
    assert_eq!(run.ends(0).json()["result"], "unchanged");
}

/// The verdict, exit code and entries of a change of files, as they stand or as a tool prints them.
fn verdict(before: &str, after: &str, built: bool) -> Option<(String, i32, Vec<String>)> {
    let sandbox = Sandbox::new();
    let program = false_kubectl(&sandbox, "cat src/base/policy.yaml")?;
    overlays(&sandbox);
    let base = ["r/base/kustomization.yaml", "r/base/policy.yaml"];
    sandbox.write(base[1], before);
    if !built {
        fs::remove_dir_all(sandbox.path("r/overlays")).unwrap();
        fs::remove_file(sandbox.path(base[0])).unwrap();
    }
    sandbox.commit("r", "two");
    sandbox.write(base[1], after);
    // Something of what it is built from changes in any case.
    match built {
        true => sandbox.write(base[0], "resources: [policy.yaml]\nnamePrefix: x-\n"),
        false => sandbox
            .write("r/base/other.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
    };
    sandbox.commit("r", "three");
    let run = sandbox.run(&format!("{DIFF} --kustomize {program}"));
    let report = run.json();
    let entries = report["notEvaluated"].as_array().unwrap();
    let mut hides: Vec<String> =
        entries.iter().map(|entry| entry["hides"].as_str().unwrap().to_string()).collect();
    hides.dedup();
    Some((report["result"].as_str().unwrap().to_string(), run.code, hides))
}

/// What is equal before and after is no change, whether a file holds it or a tool prints it.
#[test]
fn what_can_not_be_read_counts_alike_in_files_and_in_what_is_built() {
    let broken = "kind: NetworkPolicy\nmetadata: {name: a\n";
    let unknown = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec: {podSelector: 1}\n";
    let other = |text: &str| format!("{text}# more\n");
    // Near miss: a change of pods that it could be about.
    let [closed, open] = [false, true].map(|open| format!("{broken}---\n{}", policy("all", open)));
    for (before, after, result, code, hides) in [
        (broken, broken, "unchanged", 0, "flow"),
        (broken, &other(broken), "unknown", 11, "widening"),
        (&closed, &open, "widened", 11, "widening"),
        (unknown, unknown, "unchanged", 0, "flow"),
        (unknown, &unknown.replace('1', "2"), "unknown", 11, "widening"),
        ("kind: NetworkPolicy\n\u{1}", "kind: NetworkPolicy\n\u{1}", "unchanged", 0, "flow"),
    ] {
        for built in [false, true] {
            let Some(seen) = verdict(before, after, built) else { return };
            let expected = (result.to_string(), code, vec![hides.to_string()]);
            assert_eq!(seen, expected, "{before:?} -> {after:?}, built: {built}");
        }
    }
}

/// A file may be anything; what is built of a kustomization is objects.
#[test]
fn a_tool_that_prints_no_object_fails_closed() {
    let good = policy("all", false);
    for (before, after, result) in [
        ("oh no\n", "oh no\n", "unknown"),
        ("oh no\n", "oh: [\n", "unknown"),
        // The files as they stand say that the policy is gone.
        (good.as_str(), "oh no\n", "widened"),
    ] {
        let Some(seen) = verdict(before, after, true) else { return };
        let (found, code, hides) = seen;
        assert_eq!((found.as_str(), code), (result, 11), "{before:?} -> {after:?}");
        assert!(hides.contains(&"widening".to_string()), "{before:?} -> {after:?}: {hides:?}");
    }
}

/// A program on a system without namespaces; `None` where not even this one, which is to be without, has any.
fn without_namespaces(sandbox: &Sandbox, arguments: &str) -> Option<Run> {
    let program = sandbox.program();
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "/bin/sh", "-c"]);
    command.args(["echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"", "sh"]);
    let possible = Command::new("unshare").args(["--user", "--map-root-user", "true"]).status();
    if !possible.is_ok_and(|status| status.success()) {
        return None;
    }
    command.arg(program.get_program()).args(arguments.split_whitespace());
    let variables = program.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.env_clear().envs(variables).current_dir(sandbox.path("."));
    Some(finish(&mut command))
}

#[test]
fn what_keeps_builds_from_the_network_is_said_where_it_is_little() {
    let Some(_) = kustomize() else { return };
    let sandbox = Sandbox::new();
    overlays(&sandbox);
    sandbox.write("r/base/policy.yaml", policy("all", true));
    sandbox.commit("r", "two");
    sandbox.write("r/README.md", "words\n");
    sandbox.commit("r", "three");
    let note = "only proxies that point nowhere keep builds from the network";
    let of = |run: &Run| run.json()["isolation"].as_str().map(str::to_string);
    let text = "diff --git HEAD~2..HEAD~1 --repo r";
    let json = format!("{text} --format json");
    let Some(run) = without_namespaces(&sandbox, text) else {
        // Then it is said here.
        let run = sandbox.run(text);
        assert!(run.stdout.contains(note), "{run:#?}");
        return;
    };
    assert_eq!(run.stdout.matches(note).count(), 1, "{run:#?}");
    let run = without_namespaces(&sandbox, &json).unwrap();
    assert_eq!(of(&run).as_deref(), Some("proxies"));
    let run = without_namespaces(&sandbox, "environments r").unwrap();
    assert_eq!(run.stdout.matches(note).count(), 1, "{run:#?}");

    let run = sandbox.run(text);
    assert!(!run.stdout.contains(note), "{run:#?}");
    assert_eq!(of(&sandbox.run(&json)).as_deref(), Some("namespace"));
    let run = sandbox.run("environments r --format json");
    assert_eq!(of(&run).as_deref(), Some("namespace"));
    let trusted = sandbox.run(&format!("{json} --render trusted"));
    assert_eq!(of(&trusted).as_deref(), Some("none"));
    // Nothing is built.
    for arguments in ["diff --git HEAD~1..HEAD --repo r", &format!("{text} --render never")] {
        let run = without_namespaces(&sandbox, arguments).unwrap();
        assert!(!run.stdout.contains(note), "{run:#?}");
        assert_eq!(of(&sandbox.run(&format!("{arguments} --format json"))), None);
    }
}
