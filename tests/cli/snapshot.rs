//! `snapshot` with a kubectl that does what a test wants.

#![cfg(unix)]

use crate::sandbox::{DENY, Run, Sandbox, finish};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

/// The kinds that this cluster has, by the names that kubectl takes.
const KNOWN: [&str; 12] = [
    "namespaces",
    "networkpolicies.networking.k8s.io",
    "ciliumnetworkpolicies.cilium.io",
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "replicationcontrollers",
    "cronjobs.batch",
    "rollouts.argoproj.io",
    "jobs.batch",
    "replicasets.apps",
    "pods",
];

/// A sandbox whose kubectl prints, for `get RESOURCE`, what the file of that name holds, and an empty list where
/// there is none. `more` are lines of its script that come first; `$2` is the resource.
fn cluster(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("answers/known", KNOWN.join("\n"));
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> calls\n{more}\ncase $1 in\n  api-resources) cat answers/known ;;\n  \
         get) cat \"answers/$2\" 2>/dev/null || echo '{{\"kind\": \"List\", \"items\": []}}' ;;\nesac\n"
    );
    sandbox.write("bin/kubectl", script);
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(sandbox.path("bin/kubectl"), executable).unwrap();
    sandbox
}

/// Makes kubectl print objects of a kind.
fn holds(sandbox: &Sandbox, resource: &str, version: &str, kind: &str, objects: &[Value]) {
    let items = objects.iter().map(|object| {
        let mut object = object.clone();
        object["apiVersion"] = json!(version);
        object["kind"] = json!(kind);
        object
    });
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items.collect::<Vec<_>>()});
    sandbox.write(&format!("answers/{resource}"), list.to_string());
}

fn snapshot(sandbox: &Sandbox, arguments: &str) -> Run {
    let mut path = sandbox.path("bin").into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    finish(sandbox.program().env("PATH", path).arg("snapshot").args(arguments.split_whitespace()))
}

/// A small shop: a Deployment with its ReplicaSets and pods, and who may reach it.
fn shop() -> Sandbox {
    let sandbox = cluster("");
    holds(
        &sandbox,
        "namespaces",
        "v1",
        "Namespace",
        &[
            json!({"metadata": {"name": "web", "labels": {"team": "b"}}}),
            json!({"metadata": {"name": "shop", "labels": {"team": "a"}}}),
        ],
    );
    let template = json!({
        "metadata": {"labels": {"app": "api"}, "creationTimestamp": null},
        "spec": {"containers": [
            {"name": "c", "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]},
            {"name": "quiet", "ports": null}
        ]}
    });
    let owned = |kind: &str, name: &str, owner: &str| {
        let (owner_kind, owner) = owner.split_once('/').expect("an owner");
        json!({"kind": kind, "metadata": {
            "name": name, "namespace": "shop", "labels": {"app": "api"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": owner_kind, "name": owner, "controller": true, "uid": "1"}]
        }})
    };
    let with = |mut object: Value, key: &str, value: Value| {
        object[key] = value;
        object
    };
    holds(
        &sandbox,
        "deployments.apps",
        "apps/v1",
        "Deployment",
        &[json!({
            "metadata": {"name": "api", "namespace": "shop"}, "spec": {"replicas": 2, "template": template}
        })],
    );
    let set = |name: &str, replicas: u32| {
        let spec = json!({"replicas": replicas, "template": template});
        with(owned("ReplicaSet", name, "Deployment/api"), "spec", spec)
    };
    holds(
        &sandbox,
        "replicasets.apps",
        "apps/v1",
        "ReplicaSet",
        &[set("api-2", 2), set("api-1", 0), set("api-0", 0)],
    );
    let pod = |name: &str, set: &str, status: Value| {
        with(owned("Pod", name, &format!("ReplicaSet/{set}")), "status", status)
    };
    let running = json!({
        "phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
        "hostIP": "192.168.0.1"
    });
    holds(
        &sandbox,
        "pods",
        "v1",
        "Pod",
        &[
            pod("api-2-x", "api-2", running.clone()),
            // Its ReplicaSet is on its way out, and it is not gone yet.
            pod("api-1-x", "api-1", running),
            pod("api-2-evicted", "api-2", json!({"phase": "Failed"})),
        ],
    );
    let mut job = owned("Job", "done", "CronJob/nightly");
    job["status"] = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    holds(&sandbox, "jobs.batch", "batch/v1", "Job", &[job]);
    holds(
        &sandbox,
        "cronjobs.batch",
        "batch/v1",
        "CronJob",
        &[json!({
            "metadata": {"name": "nightly", "namespace": "shop"},
            "spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": template}}}
        })],
    );
    holds(
        &sandbox,
        "networkpolicies.networking.k8s.io",
        "networking.k8s.io/v1",
        "NetworkPolicy",
        &[json!({
            "metadata": {"name": "wall", "namespace": "shop"},
            "spec": {
                "podSelector": {}, "policyTypes": ["Ingress"],
                "ingress": [{
                    "from": [
                        {"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["b"]}]}},
                        {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}
                    ],
                    "ports": [{"port": "http"}, {"protocol": "UDP", "port": 1, "endPort": 5}]
                }]
            }
        })],
    );
    holds(
        &sandbox,
        "ciliumnetworkpolicies.cilium.io",
        "cilium.io/v2",
        "CiliumNetworkPolicy",
        &[
            json!({"metadata": {"name": "l7", "namespace": "shop"}, "spec": {"endpointSelector": {}}}),
        ],
    );
    sandbox
}

fn ids(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().expect("items");
    items
        .iter()
        .map(|item| {
            let part = |value: &Value| value.as_str().unwrap_or_default().to_string();
            let metadata = &item["metadata"];
            format!(
                "{} {}/{}",
                part(&item["kind"]),
                part(&metadata["namespace"]),
                part(&metadata["name"])
            )
        })
        .collect()
}

#[test]
fn a_snapshot_is_an_inventory() {
    let sandbox = shop();
    let run = snapshot(&sandbox, "--output cluster.json");
    run.ends(0)
        .says("note: 2 namespaces, 6 workloads and pods and 2 policies written")
        .prints_nothing();
    let path = sandbox.path("cluster.json");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    let list: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        ids(&list),
        [
            "CiliumNetworkPolicy shop/l7",
            "CronJob shop/nightly",
            "Deployment shop/api",
            "Namespace /shop",
            "Namespace /web",
            "NetworkPolicy shop/wall",
            "Pod shop/api-1-x",
            "Pod shop/api-2-x",
            "ReplicaSet shop/api-1",
            "ReplicaSet shop/api-2"
        ]
    );
    // The same cluster gives the same file, but for the time.
    let again = snapshot(&sandbox, "").ends(0).json();
    assert_eq!(list["items"], again["items"]);
    assert_eq!(list["metadata"]["annotations"].as_object().map(|all| all.len()), Some(1), "{text}");
    // It says the same as kubectl's own output.
    sandbox.write("a/p.yaml", DENY).write("b/q.yaml", "kind: ConfigMap\napiVersion: v1\n");
    let whole: Vec<String> = KNOWN
        .iter()
        .filter_map(|name| fs::read_to_string(sandbox.path(&format!("answers/{name}"))).ok())
        .collect();
    sandbox.write("whole.yaml", whole.join("\n---\n"));
    for command in ["list a", "diff a b", "diff b a"] {
        let reports = ["cluster.json", "whole.yaml"].map(|file| {
            let run = sandbox.run(&format!("{command} --format json --inventory {file}"));
            let mut report = run.ends(0).json();
            let mut inventory = report["inventory"][0].take();
            let taken = inventory["taken"].take();
            assert_eq!(taken.is_string(), file == "cluster.json", "{taken}");
            let entries = report["notEvaluated"].as_array().map(Vec::len);
            // Lines differ.
            let rows = report["environments"][0]["opened"].as_array().into_iter().flatten();
            let rows: Vec<Value> = rows.map(|row| row["fingerprint"].clone()).collect();
            inventory["file"] = Value::Null;
            (inventory, entries, rows, report["connections"].take(), report["result"].take())
        });
        assert_eq!(reports[0], reports[1], "{command}");
        assert_eq!(reports[0].0["workloads"], 2, "a Deployment and a CronJob");
    }
}

/// Puts a secret below every map of a value, under keys that nobody has asked for.
fn plant(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(plant);
            let open = ["matchLabels", "labels"].iter().any(|key| map.contains_key(*key));
            let leaf = map.values().all(|value| value.is_string());
            // Every pair of a map of labels counts; nothing else may have a key that is not known.
            if open
                || !leaf
                || map.contains_key("kind")
                || map.contains_key("key")
                || map.contains_key("ip")
            {
                for key in [
                    "annotations",
                    "managedFields",
                    "env",
                    "args",
                    "command",
                    "image",
                    "volumes",
                    "data",
                    "stringData",
                    "envFrom",
                    "volumeMounts",
                    "message",
                    "finalizers",
                    "nodeName",
                    "zz",
                ] {
                    map.insert(
                        key.into(),
                        json!([{"name": "s3cret", "value": {"s3cret": "s3cret"}}]),
                    );
                }
                map.insert("generateName".into(), json!("s3cret"));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plant),
        _ => {}
    }
}

#[test]
fn nothing_but_what_policies_look_at_is_written() {
    let sandbox = shop();
    let clean = snapshot(&sandbox, "").ends(0).json();
    let mut planted = 0;
    for name in KNOWN {
        let path = sandbox.path(&format!("answers/{name}"));
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let mut list: Value = serde_json::from_str(&text).expect("JSON");
        plant(&mut list);
        for item in list["items"].as_array_mut().expect("items") {
            // Fields that are kept elsewhere, and values that are kept only if they are what they should be.
            if let Some(owner) = item["metadata"].get_mut("ownerReferences") {
                owner[0]["uid"] = json!("s3cret");
            }
            item["status"]["phase"] = match &item["status"]["phase"] {
                Value::Null => json!("s3cret"),
                known => known.clone(),
            };
            item["status"]["podIP"] = json!("s3cret");
            item["status"]["hostIP"] = json!("s3cret");
        }
        let text = list.to_string();
        planted += text.matches("s3cret").count();
        fs::write(path, text).unwrap();
    }
    assert!(planted > 1_000, "{planted}");
    let run = snapshot(&sandbox, "");
    run.ends(0);
    assert!(!run.stdout.contains("s3cret") && !run.stderr.contains("s3cret"), "{run:#?}");
    let mut expected = clean["items"].clone();
    for item in expected.as_array_mut().expect("items") {
        if let Some(status) = item.get_mut("status").and_then(Value::as_object_mut) {
            status.remove("podIP");
            status.remove("hostIP");
        }
    }
    assert_eq!(run.json()["items"], expected);
}

#[test]
fn nothing_of_an_answer_that_is_not_understood_is_said() {
    let bad = [
        ("garbage", "s3cret is no JSON"),
        ("cut off", r#"{"kind": "List", "items": [{"kind": "Pod", "metadata": {"name": "s3cret""#),
        (
            "another type",
            r#"{"items": [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": ["s3cret"]}}]}"#,
        ),
        (
            "another kind",
            r#"{"items": [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3cret"}}]}"#,
        ),
        (
            "another group",
            r#"{"items": [{"apiVersion": "s3cret/v1", "kind": "Pod", "metadata": {"name": "x"}}]}"#,
        ),
        (
            "no version",
            r#"{"items": [{"apiVersion": "vs3cret", "kind": "Pod", "metadata": {"name": "x"}}]}"#,
        ),
        ("no list", r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "s3cret"}}"#),
        ("nothing", ""),
    ];
    for (what, text) in bad {
        let sandbox = shop();
        sandbox.write("answers/pods", text);
        let run = snapshot(&sandbox, "");
        run.ends(0).says("warning: could not read pods: the answer ");
        assert!(!format!("{}{}", run.stdout, run.stderr).contains("s3cret"), "{what}: {run:#?}");
        let list = run.json();
        assert_eq!(list["metadata"]["annotations"]["netpol-review/unread"], "pods", "{what}");
        assert!(ids(&list).contains(&"Deployment shop/api".to_string()), "{what}");
    }
}

#[test]
fn what_the_user_may_not_list_is_said_and_the_rest_goes_on() {
    let sandbox = shop();
    let forbid = "case $2 in networkpolicies.n*|pods) echo 'noise' >&2\n\
                  echo \"Error from server (Forbidden): $2 is forbidden\" >&2; exit 1;; esac";
    let script = fs::read_to_string(sandbox.path("bin/kubectl")).unwrap();
    fs::write(
        sandbox.path("bin/kubectl"),
        script.replace(">> calls\n", &format!(">> calls\n{forbid}\n")),
    )
    .unwrap();
    let run = snapshot(&sandbox, "--output cluster.json");
    run.ends(0)
        .says("warning: could not read pods: Error from server (Forbidden): pods is forbidden\n")
        .says("warning: could not read networkpolicies.networking.k8s.io: Error from");
    // Whoever uses it hears of that, too.
    sandbox.write("a/p.yaml", DENY).write("b/q.yaml", "kind: ConfigMap\napiVersion: v1\n");
    let run = sandbox.run("diff b a --format json --fail-on any --inventory cluster.json");
    let said = run.ends(11).not_evaluated();
    assert!(
        said.contains("(widening): `networkpolicies.networking.k8s.io` could not be read"),
        "{said}"
    );
    assert!(said.contains("(nothing): `pods` could not be read"), "{said}");
}

#[test]
fn nothing_at_all_ends_with_4_and_writes_nothing() {
    let refused = "echo 'The connection to the server localhost:8080 was refused' >&2; exit 1";
    let sandbox = cluster(refused);
    sandbox.write("cluster.json", "before");
    let run = snapshot(&sandbox, "--output cluster.json");
    run.ends(4)
        .says("could not read anything of the cluster: The connection")
        .says("--context")
        .prints_nothing();
    assert_eq!(fs::read_to_string(sandbox.path("cluster.json")).unwrap(), "before");
    let calls = fs::read_to_string(sandbox.path("calls")).unwrap();
    assert!(
        calls.lines().count() < 5,
        "nobody asks everything of a server that is not there: {calls}"
    );

    let sandbox = cluster("test $1 = get && echo \"$2 is forbidden\" >&2 && exit 1");
    snapshot(&sandbox, "")
        .ends(4)
        .says("\n  namespaces: namespaces is forbidden")
        .says("\n  pods: pods is forb");

    let sandbox = Sandbox::new();
    let run = finish(sandbox.program().env("PATH", sandbox.path("bin")).arg("snapshot"));
    run.ends(4).says("there is no such program in PATH").prints_nothing();
}

#[test]
fn a_cluster_that_hangs_has_an_end() {
    // The pipe stays open in a process of its own, as with a plugin for credentials.
    for hangs in ["sleep 100", "test $1 = get && { sleep 100 & wait; }", "exec sleep 100"] {
        let sandbox = cluster(hangs);
        let started = Instant::now();
        let run = snapshot(&sandbox, "--timeout 1");
        run.ends(4).says("kubectl did not answer within 1 seconds").prints_nothing();
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    }
    // Once something has answered, one that hangs is one that could not be read.
    let sandbox = shop();
    let script = fs::read_to_string(sandbox.path("bin/kubectl")).unwrap();
    let hang = ">> calls\ntest $2 = jobs.batch && exec sleep 100\n";
    fs::write(sandbox.path("bin/kubectl"), script.replace(">> calls\n", hang)).unwrap();
    let run = snapshot(&sandbox, "--timeout 2");
    run.ends(0).says("warning: could not read jobs.batch: kubectl did not answer within 2 seconds");
}

#[test]
fn an_answer_without_end_has_a_bound() {
    let long = "test $1 = get && test $2 = pods && {\n\
                printf '{\"items\": [{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"x\": \"'\n\
                head -c 1000000000 /dev/zero | tr '\\0' a; exit 0; }";
    let sandbox = cluster(long);
    let run = snapshot(&sandbox, "");
    run.ends(0).says("could not read pods: kubectl printed more than the 512 MiB that are read");
    let sandbox = cluster("test $1 = get && test $2 = pods && exec yes");
    snapshot(&sandbox, "").ends(0).says("kubectl printed more than the 512 MiB that are read");
}

#[test]
fn contexts_and_namespaces_reach_kubectl() {
    let sandbox = shop();
    let one = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    sandbox.write("answers/namespaces", one.to_string());
    // The context stands first: the script finds the subcommand behind it.
    let script = fs::read_to_string(sandbox.path("bin/kubectl")).unwrap();
    fs::write(sandbox.path("bin/kubectl"), script.replace(">> calls\n", ">> calls\nshift\n"))
        .unwrap();
    let run = snapshot(&sandbox, "--context staging --namespace shop --namespace web");
    let list = run.ends(0).json();
    assert!(ids(&list).contains(&"Namespace /shop".to_string()), "{list:#}");
    let calls = fs::read_to_string(sandbox.path("calls")).unwrap();
    for call in [
        "--context=staging api-resources --output=name",
        "--context=staging get namespaces shop --output=json",
        "--context=staging get namespaces web --output=json",
        "--context=staging get pods --namespace=shop --output=json",
        "--context=staging get pods --namespace=web --output=json",
    ] {
        assert!(calls.lines().any(|line| line == call), "{call}: {calls}");
    }
    assert!(!calls.contains("adminnetworkpolicies"), "it has none: {calls}");
    snapshot(&sandbox, "--namespace -A").ends(2);
    snapshot(&sandbox, "--timeout 0").ends(2);
}

/// Kinds that kubectl does not know are no news, unless every cluster has them.
#[test]
fn a_cluster_that_does_not_list_its_kinds_is_asked_for_all() {
    let sandbox = shop();
    let script = fs::read_to_string(sandbox.path("bin/kubectl")).unwrap();
    let unknown = ">> calls\ntest $1 = api-resources && exit 1\n\
                   case $2 in admin*|rollouts*|daemonsets*)\n\
                   echo \"error: the server doesn't have a resource type \\\"$2\\\"\" >&2; exit 1;; esac\n";
    fs::write(sandbox.path("bin/kubectl"), script.replace(">> calls\n", unknown)).unwrap();
    let run = snapshot(&sandbox, "");
    run.ends(0).says("could not read daemonsets.apps: the server doesn't have");
    assert!(!run.stderr.contains("rollouts") && !run.stderr.contains("admin"), "{run:#?}");
}

#[test]
fn a_file_that_can_not_be_written_is_said() {
    let sandbox = shop();
    sandbox.mkdir("there");
    snapshot(&sandbox, "--output there").ends(4).says("it is there and is no file");
    snapshot(&sandbox, "--output nowhere/x.json").ends(4).says("could not write `nowhere/x.json`");
    let left: Vec<_> = fs::read_dir(sandbox.path("there")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
