//! Writes a repository of manifests of any size, before and after a change, from a seed.
//!
//! ```text
//! cargo run --release --example generate -- --workloads 5000 --policies 2500 target/performance/5000
//! cargo run --release --example generate -- --read target/performance/5000
//! ```
//!
//! Namespaces have 25 workloads each. A namespace looks the same whatever the size of the repository
//! (its neighbours are its peers), and the change touches the first few only: so the same change
//! can be measured in a small repository and in a large one.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own")]

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const WORKLOADS_IN_A_NAMESPACE: usize = 25;
const USAGE: &str = "usage: generate [--workloads N] [--policies M] [--seed S] \
                     [--change bounded|block|open-to-all|drop-deny] DIR\n       generate --read DIR";

/// What `after` has that `before` has not.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    /// Three policies gain a peer that stays small.
    Bounded,
    /// One policy gains a range of addresses.
    Block,
    /// One peer becomes `namespaceSelector: {}`.
    OpenToAll,
    /// The default-deny of one namespace is deleted.
    DropDeny,
}

struct Settings {
    workloads: usize,
    policies: usize,
    seed: u64,
    change: Change,
    directory: PathBuf,
}

fn main() -> ExitCode {
    let result = match arguments() {
        Some((settings, true)) => read(&settings.directory).map(|bytes| println!("{bytes} bytes")),
        Some((settings, false)) => generate(&settings),
        None => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The settings, and whether to read instead of writing; `None` where they make no sense.
fn arguments() -> Option<(Settings, bool)> {
    let mut settings = Settings {
        workloads: 500,
        policies: 250,
        seed: 1,
        change: Change::Bounded,
        directory: PathBuf::new(),
    };
    let mut only_read = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--workloads" => settings.workloads = arguments.next()?.parse().ok()?,
            "--policies" => settings.policies = arguments.next()?.parse().ok()?,
            "--seed" => settings.seed = arguments.next()?.parse().ok()?,
            "--read" => only_read = true,
            "--change" => {
                settings.change = match arguments.next()?.as_str() {
                    "bounded" => Change::Bounded,
                    "block" => Change::Block,
                    "open-to-all" => Change::OpenToAll,
                    "drop-deny" => Change::DropDeny,
                    _ => return None,
                }
            }
            option if option.starts_with("--") => return None,
            directory => settings.directory = directory.into(),
        }
    }
    (!settings.directory.as_os_str().is_empty()).then_some((settings, only_read))
}

/// Reads every file below a directory and nothing else: the least that any program has to do.
fn read(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => read(&entry.path())?,
            false => fs::read(entry.path())?.len() as u64,
        };
    }
    Ok(bytes)
}

fn generate(settings: &Settings) -> io::Result<()> {
    let namespaces = settings.workloads.div_ceil(WORKLOADS_IN_A_NAMESPACE);
    for (side, change) in [("before", None), ("after", Some(settings.change))] {
        let root = settings.directory.join(side);
        match fs::remove_dir_all(&root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for index in 0..namespaces {
            let share =
                |total: usize| total * (index + 1) / namespaces - total * index / namespaces;
            let namespace = Namespace {
                index,
                namespaces,
                workloads: share(settings.workloads),
                policies: share(settings.policies),
                change,
            };
            namespace.write(&root, &mut Random(settings.seed << 32 | index as u64))?;
        }
    }
    Ok(())
}

/// SplitMix64: deterministic, and good enough to vary manifests.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// One namespace and what stands in its folder.
struct Namespace {
    index: usize,
    namespaces: usize,
    workloads: usize,
    policies: usize,
    change: Option<Change>,
}

const APPS: [&str; 10] = [
    "frontend", "api", "worker", "cache", "gateway", "catalog", "orders", "database", "search",
    "reports",
];
const TIERS: [&str; 4] = ["web", "backend", "data", "batch"];

fn namespace_name(index: usize) -> String {
    format!("team-{}-{}", index / 5, ["core", "shop", "data", "edge", "jobs"][index % 5])
}

fn app_name(index: usize) -> String {
    match index / APPS.len() {
        0 => APPS[index].to_string(),
        generation => format!("{}-{}", APPS[index % APPS.len()], generation + 1),
    }
}

impl Namespace {
    /// One file for each application and one for its policy, as repositories often have it.
    fn write(&self, root: &Path, random: &mut Random) -> io::Result<()> {
        let folder = root.join(namespace_name(self.index));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("namespace.yaml"), self.namespace())?;
        for app in 0..self.workloads {
            fs::write(folder.join(format!("{}.yaml", app_name(app))), self.workload(app, random))?;
        }
        let denies = self.policies.min(1);
        if denies == 1 && !(self.index == 0 && self.change == Some(Change::DropDeny)) {
            fs::write(folder.join("default-deny.yaml"), self.default_deny())?;
        }
        for policy in 0..self.policies - denies {
            let text = self.policy(policy, random);
            fs::write(folder.join(format!("{}-netpol.yaml", self.policy_name(policy))), text)?;
        }
        Ok(())
    }

    fn namespace(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {}\n  labels:\n    team: team-{}\n    \
             environment: {}\n    pod-security.kubernetes.io/enforce: restricted\n",
            namespace_name(self.index),
            self.index / 5,
            ["production", "staging", "development"][self.index % 3],
        )
    }

    fn default_deny(&self) -> String {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: default-deny\n  \
             namespace: {}\nspec:\n  podSelector: {{}}\n  policyTypes:\n    - Ingress\n",
            namespace_name(self.index)
        )
    }

    /// A workload as people write them, with its Service and now and then a ConfigMap.
    fn workload(&self, app: usize, random: &mut Random) -> String {
        let (name, namespace) = (app_name(app), namespace_name(self.index));
        let (api, kind) = match app % 10 {
            7 => ("apps/v1", "StatefulSet"),
            9 => ("batch/v1", "CronJob"),
            _ => ("apps/v1", "Deployment"),
        };
        let mut out = format!("# {name} of {namespace}\napiVersion: {api}\nkind: {kind}\n");
        let metadata = format!(
            "name: {name}\nnamespace: {namespace}\nlabels:\n  app.kubernetes.io/name: {name}\n  \
             app.kubernetes.io/part-of: {namespace}\n  app.kubernetes.io/managed-by: gitops\n"
        );
        push(&mut out, 0, "metadata:\n");
        push(&mut out, 2, &metadata);
        let template = self.template(app, &name, random);
        let selector = format!("selector:\n  matchLabels:\n    app.kubernetes.io/name: {name}\n");
        push(&mut out, 0, "spec:\n");
        if kind == "CronJob" {
            let _ = writeln!(
                out,
                "  schedule: \"{} * * * *\"\n  concurrencyPolicy: Forbid",
                random.below(60)
            );
            push(&mut out, 2, "jobTemplate:\n  spec:\n    backoffLimit: 2\n    template:\n");
            push(&mut out, 8, &template);
        } else {
            let _ = writeln!(out, "  replicas: {}", 1 + random.below(4));
            push(&mut out, 2, &selector);
            if kind == "StatefulSet" {
                let _ = writeln!(out, "  serviceName: {name}");
            }
            push(&mut out, 2, "template:\n");
            push(&mut out, 4, &template);
            let _ = write!(
                out,
                "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  \
                 type: ClusterIP\n  selector:\n    app.kubernetes.io/name: {name}\n  ports:\n    - name: http\n      \
                 port: 80\n      targetPort: http\n      protocol: TCP\n"
            );
        }
        if app.is_multiple_of(4) {
            let _ = write!(
                out,
                "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: {namespace}\ndata:\n  \
                 application.properties: |\n"
            );
            for line in 0..12 {
                let _ = writeln!(out, "    service.option-{line}.limit = {}", random.below(10_000));
            }
        }
        out
    }

    fn template(&self, app: usize, name: &str, random: &mut Random) -> String {
        let mut out = format!(
            "metadata:\n  labels:\n    app.kubernetes.io/name: {name}\n    app.kubernetes.io/part-of: {}\n    \
             tier: {}\n    team: team-{}\n    version: v{}\n  annotations:\n    prometheus.io/scrape: \"true\"\n    \
             prometheus.io/port: \"9090\"\nspec:\n  serviceAccountName: {name}\n",
            namespace_name(self.index),
            TIERS[app % 4],
            self.index / 5,
            random.below(9),
        );
        if app % 10 == 9 {
            out.push_str("  restartPolicy: OnFailure\n");
        }
        let _ = write!(
            out,
            "  securityContext:\n    runAsNonRoot: true\n    seccompProfile:\n      type: RuntimeDefault\n  containers:\n    \
             - name: {name}\n      image: registry.example/{name}:1.{}.{}\n      imagePullPolicy: IfNotPresent\n      \
             args: [\"--listen=:{}\", \"--log-format=json\"]\n      ports:\n        - name: http\n          \
             containerPort: {}\n          protocol: TCP\n        - name: metrics\n          containerPort: 9090\n",
            random.below(30),
            random.below(10),
            port(app),
            port(app),
        );
        out.push_str("      env:\n");
        for (variable, value) in
            [("LOG_LEVEL", "info"), ("REGION", "eu-central-1"), ("CACHE_TTL", "300s")]
        {
            let _ = writeln!(out, "        - name: {variable}\n          value: \"{value}\"");
        }
        let _ = write!(
            out,
            "        - name: DATABASE_PASSWORD\n          valueFrom:\n            secretKeyRef:\n              \
             name: {name}-credentials\n              key: password\n      resources:\n        requests:\n          \
             cpu: {}m\n          memory: {}Mi\n        limits:\n          memory: {}Mi\n",
            50 + 10 * random.below(20),
            64 << random.below(3),
            512 << random.below(2),
        );
        if app % 10 != 9 {
            out.push_str(
                "      readinessProbe:\n        httpGet:\n          path: /ready\n          port: http\n        \
                 periodSeconds: 10\n      livenessProbe:\n        httpGet:\n          path: /live\n          \
                 port: http\n        initialDelaySeconds: 15\n",
            );
        }
        out
    }

    fn policy_name(&self, policy: usize) -> String {
        app_name(policy % self.workloads) + &"-more".repeat(policy / self.workloads)
    }

    /// A policy for one application. The change is in the policies of the first three namespaces.
    fn policy(&self, policy: usize, random: &mut Random) -> String {
        let namespace = namespace_name(self.index);
        let app = policy % self.workloads;
        let mut out = format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: {}\n  namespace: {namespace}\n  \
             labels:\n    app.kubernetes.io/managed-by: gitops\nspec:\n  podSelector:\n    matchLabels:\n      \
             app.kubernetes.io/name: {}\n",
            self.policy_name(policy),
            app_name(app),
        );
        let egress = random.below(10) < 3;
        out.push_str("  policyTypes:\n    - Ingress\n");
        if egress {
            out.push_str("    - Egress\n");
        }
        out.push_str("  ingress:\n    - from:\n");
        let opens = self.index == 0 && policy == 0 && self.change == Some(Change::OpenToAll);
        if opens {
            out.push_str("        - namespaceSelector: {}\n");
        }
        for _ in 0..1 + random.below(3) {
            self.peer(&mut out, random);
        }
        if policy == 0 && self.change == Some(Change::Bounded) {
            out.push_str(match self.index {
                0 => "        - podSelector:\n            matchLabels:\n              app.kubernetes.io/name: reports\n",
                1 => "        - namespaceSelector:\n            matchLabels:\n              \
                      kubernetes.io/metadata.name: monitoring\n          podSelector:\n            matchLabels:\n              \
                      app.kubernetes.io/name: prometheus\n",
                2 => "        - namespaceSelector:\n            matchLabels:\n              \
                      kubernetes.io/metadata.name: monitoring\n          podSelector:\n            matchLabels:\n              \
                      app.kubernetes.io/name: reports\n",
                _ => "",
            });
        }
        if policy == 0 && self.index == 2 && self.change == Some(Change::Block) {
            out.push_str("        - ipBlock:\n            cidr: 198.51.100.0/24\n");
        }
        out.push_str("      ports:\n");
        match random.below(4) {
            0 => out.push_str("        - port: http\n          protocol: TCP\n"),
            1 => out.push_str(
                "        - port: 8000\n          endPort: 8099\n          protocol: TCP\n",
            ),
            _ => {
                let _ = writeln!(out, "        - port: {}\n          protocol: TCP", port(app));
            }
        }
        if random.below(2) == 0 {
            out.push_str(
                "    - from:\n        - namespaceSelector:\n            matchLabels:\n              \
                 kubernetes.io/metadata.name: monitoring\n      ports:\n        - port: metrics\n",
            );
        }
        if egress {
            out.push_str(
                "  egress:\n    - to:\n        - namespaceSelector:\n            matchLabels:\n              \
                 kubernetes.io/metadata.name: kube-system\n          podSelector:\n            matchLabels:\n              \
                 k8s-app: kube-dns\n      ports:\n        - port: 53\n          protocol: UDP\n        - port: 53\n          \
                 protocol: TCP\n    - to:\n",
            );
            for _ in 0..1 + random.below(2) {
                self.peer(&mut out, random);
            }
        }
        out
    }

    fn peer(&self, out: &mut String, random: &mut Random) {
        let app = app_name(random.below(WORKLOADS_IN_A_NAMESPACE));
        // Neighbours in a ring that is as large in a small repository as in a large one.
        let ring = self.namespaces.min(20);
        let neighbour = self.index / ring * ring + random.below(ring);
        match random.below(8) {
            0..3 => {
                let _ = writeln!(out, "        - podSelector:\n            matchLabels:\n              app.kubernetes.io/name: {app}");
            }
            3 | 4 => {
                let _ = write!(
                    out,
                    "        - namespaceSelector:\n            matchLabels:\n              \
                     kubernetes.io/metadata.name: {}\n          podSelector:\n            matchLabels:\n              \
                     app.kubernetes.io/name: {app}\n",
                    namespace_name(neighbour)
                );
            }
            5 => {
                let _ = write!(
                    out,
                    "        - namespaceSelector:\n            matchLabels:\n              team: team-{}\n              \
                     environment: production\n",
                    self.index / 5
                );
            }
            6 => out.push_str(
                "        - podSelector:\n            matchExpressions:\n              - key: tier\n                \
                 operator: In\n                values: [web, backend]\n              - key: version\n                \
                 operator: NotIn\n                values: [v0]\n",
            ),
            _ => {
                let (a, b) = (random.below(200), random.below(256));
                let _ = writeln!(
                    out,
                    "        - ipBlock:\n            cidr: 10.{a}.0.0/16\n            except:\n              - 10.{a}.{b}.0/24"
                );
            }
        }
    }
}

fn port(app: usize) -> usize {
    match app % 10 {
        7 => 5432,
        3 => 6379,
        _ => 8080 + app % 4,
    }
}

/// Appends lines, indented.
fn push(out: &mut String, indent: usize, lines: &str) {
    for line in lines.lines() {
        let _ = writeln!(out, "{:indent$}{line}", "");
    }
}
