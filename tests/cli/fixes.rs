//! `lint --fix`: what is written, and what is not.

use crate::sandbox::Sandbox;
use serde_json::Value;
use std::fs;

/// Without `policyTypes`, with a rule that another contains, and a comment or two.
const POLICY: &str = "\
# The site.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
    name: web-allow   # odd
    namespace: shop
spec:
    podSelector:
        matchLabels: {app: web}
    ingress:
        - from:
            - podSelector: {}
        # once more
        - from:
            - podSelector: {matchLabels: {app: api}}
---
# nothing here
";

const MENDED: &str = "\
# The site.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
    name: web-allow   # odd
    namespace: shop
spec:
    podSelector:
        matchLabels: {app: web}
    policyTypes: [Ingress]
    ingress:
        - from:
            - podSelector: {}
---
# nothing here
";

const PROXY: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: proxy, namespace: ui, labels: {app: proxy}}
";

/// A dash too many.
const OR: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: orders-allow, namespace: shop}
spec:
  podSelector: {matchLabels: {app: orders}}
  policyTypes: [Ingress]
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ui}}
    - podSelector: {matchLabels: {app: proxy}}
";

fn text(sandbox: &Sandbox, path: &str) -> String {
    fs::read_to_string(sandbox.path(path)).unwrap()
}

fn left(json: &Value, rule: &str) -> String {
    let findings = json["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["rule"] == rule);
    found.map(|finding| finding["unfixed"].as_str().unwrap_or_default().to_string()).unwrap()
}

#[test]
fn what_would_be_written_is_shown() {
    let sandbox = Sandbox::new();
    sandbox.write("k8s/web.yaml", POLICY).write("k8s/or.yaml", OR).write("k8s/proxy.yaml", PROXY);
    let run = sandbox.run("lint k8s --persona pedantic");
    let shown: String =
        run.ends(0).stdout.lines().map(|line| format!("{}\n", line.trim_start())).collect();
    let diff = "--- a/web.yaml\n+++ b/web.yaml\n@@ -7,6 +7,7 @@\nspec:\npodSelector:\nmatchLabels: {app: web}\n+    policyTypes: [Ingress]\n";
    assert!(shown.contains(diff), "{shown}");
    let gone = "-        # once more\n-        - from:\n-            - podSelector: {matchLabels: {app: api}}\n";
    assert!(shown.contains(gone), "{shown}");
    let closes = "fix      write both selectors in one item (only closes paths)\ncloses ";
    assert!(shown.contains(closes), "{shown}");
    assert_eq!(text(&sandbox, "k8s/web.yaml"), POLICY, "nothing is written unasked");
    // The diff is one that git takes.
    let json = sandbox.run("lint k8s --persona pedantic --format json").ends(0).json();
    for finding in json["findings"].as_array().unwrap() {
        let Some(diff) = finding["fix"]["diff"].as_str() else { continue };
        sandbox.write("fix.diff", diff);
        sandbox.git("k8s", "apply --check ../fix.diff");
    }
}

#[test]
fn equivalent_fixes_are_written_and_others_when_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.write("k8s/web.yaml", POLICY).write("k8s/or.yaml", OR).write("k8s/proxy.yaml", PROXY);
    let run = sandbox.run("lint k8s --persona pedantic --fix --fail-on high");
    // What remains decides.
    run.ends(10);
    assert!(run.stdout.starts_with("2 fixes written into 1 file\n"), "{}", run.stdout);
    assert!(run.stdout.contains("fixed     policy-types-mismatch: "), "{}", run.stdout);
    assert!(run.stdout.contains("web.yaml:13-15"), "{}", run.stdout);
    assert!(run.stdout.contains("left     it takes flows away: `--fix=narrowing` writes it"));
    assert_eq!(text(&sandbox, "k8s/web.yaml"), MENDED);
    assert_eq!(text(&sandbox, "k8s/or.yaml"), OR);
    let again = sandbox.run("lint k8s --persona pedantic --fix=equivalent --format json");
    assert_eq!(again.ends(0).json()["fixed"], Value::Null, "nothing is left to write");
    let json = sandbox.run("lint k8s --fix=narrowing --fail-on high --format json").ends(0).json();
    assert_eq!(json["fixed"][0]["rule"], "accidental-or");
    assert_eq!(json["fixed"][0]["kind"], "narrowing");
    assert!(json["fixed"][0]["removes"][0].as_str().unwrap().contains("namespace ui"), "{json}");
    assert_eq!(text(&sandbox, "k8s/or.yaml"), OR.replace("    - podSelector", "      podSelector"));
    sandbox.run("lint k8s --fix=all").ends(2);
    // Nothing else is left behind.
    let mut names: Vec<_> =
        fs::read_dir(sandbox.path("k8s")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["or.yaml", "proxy.yaml", "web.yaml"]);
}

#[test]
fn a_file_alone_and_its_line_ends() {
    let sandbox = Sandbox::new();
    let windows = POLICY.replace('\n', "\r\n");
    sandbox.write("web.txt", &windows);
    sandbox.run("lint web.txt --persona pedantic --fix").ends(0);
    assert_eq!(text(&sandbox, "web.txt"), MENDED.replace('\n', "\r\n"));
}

#[cfg(unix)]
#[test]
fn links_and_protected_files_are_left_alone() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let sandbox = Sandbox::new();
    let other = POLICY.replace("web-allow", "other-allow");
    sandbox.write("k8s/web.yaml", POLICY).write("k8s/locked.yaml", &other);
    let mode = |path: &str| fs::metadata(sandbox.path(path)).unwrap().permissions().mode() & 0o777;
    let set = |path: &str, mode| {
        fs::set_permissions(sandbox.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("k8s/web.yaml", 0o640);
    set("k8s/locked.yaml", 0o444);
    let json = sandbox.run("lint k8s --persona pedantic --fix --format json").ends(0).json();
    assert_eq!(left(&json, "policy-types-mismatch"), "it is write-protected");
    assert_eq!(text(&sandbox, "k8s/locked.yaml"), other);
    assert_eq!(text(&sandbox, "k8s/web.yaml"), MENDED);
    assert_eq!((mode("k8s/web.yaml"), mode("k8s/locked.yaml")), (0o640, 0o444));
    // The file that is named may be a link, which is read and not written through.
    sandbox.write("real.yaml", POLICY);
    symlink("real.yaml", sandbox.path("link.yaml")).unwrap();
    let json = sandbox.run("lint link.yaml --persona pedantic --fix --format json").ends(0).json();
    assert_eq!(left(&json, "policy-types-mismatch"), "it is a symbolic link");
    assert_eq!(text(&sandbox, "real.yaml"), POLICY);
    // A directory that is named may be one.
    symlink("k8s", sandbox.path("linked")).unwrap();
    sandbox.write("k8s/web.yaml", POLICY);
    sandbox.run("lint linked --persona pedantic --fix").ends(0);
    assert_eq!(text(&sandbox, "k8s/web.yaml"), MENDED);
}

#[test]
fn what_was_built_is_not_written() {
    let sandbox = Sandbox::new();
    sandbox.write("base/kustomization.yaml", "resources: [web.yaml]\nnamePrefix: a-\n");
    sandbox.write("base/web.yaml", POLICY);
    let json = sandbox.run("lint base --persona pedantic --fix --format json").ends(0).json();
    assert!(left(&json, "policy-types-mismatch").contains("they were built"), "{json}");
    assert_eq!(text(&sandbox, "base/web.yaml"), POLICY);
}

/// A rule that is superfluous in one environment and not in another, in a file that is part of both.
#[test]
fn a_fix_has_to_hold_in_every_environment() {
    let policy = |name: &str, from: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  podSelector: {{}}\n  \
             policyTypes: [Ingress]\n  ingress:\n  - from:\n    - podSelector: {from}\n"
        )
    };
    let sandbox = Sandbox::new();
    let shared = policy("narrow", "{matchLabels: {app: api}}");
    sandbox.write("r/shared/narrow.yaml", &shared);
    for (name, from) in [("a", "{}"), ("b", "{matchLabels: {app: other}}")] {
        let folder = format!("r/overlays/{name}");
        sandbox.write(&format!("{folder}/kustomization.yaml"), "resources: [own.yaml]\n");
        sandbox.write(&format!("{folder}/own.yaml"), policy("own", from));
    }
    let json =
        sandbox.run("lint r --environment a --persona pedantic --format json").ends(0).json();
    let offered = json["findings"].as_array().unwrap().iter().any(|finding| {
        finding["rule"] == "redundant-rule"
            && finding["fix"]["location"]["file"] == "shared/narrow.yaml"
    });
    assert!(offered, "{json}");
    let run = sandbox.run("lint r --environment a --persona pedantic --fix");
    run.ends(0).says("nothing was written").says("(in `b`)");
    assert_eq!(text(&sandbox, "r/shared/narrow.yaml"), shared);
}
