//! `snapshot`: what a cluster holds, as an inventory. kubectl asks the cluster; what is kept is what policies
//! look at.
//!
//! Reading order: `resources` (what is asked for), `kubectl` (one call), `kept` (what is kept of an answer).

mod kept;
mod kubectl;
mod resources;

use super::failure::{Failure, say};
use super::output;
use crate::parse::{TAKEN, UNREAD};
use crate::render::words::count;
use crate::settings::check_namespace;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use kept::{Id, Kept};
use kubectl::{CallError, call};
use resources::{RESOURCES, Resource, Shape};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

const ABOUT: &str = "\
Asks the cluster with kubectl, which has to be in PATH and may list what it is asked for. Kept are names,
labels, owners, ports, replicas, addresses of pods, and what network policies say; nothing else is written.
What can't be listed is said, here and in the file.";

#[derive(Debug, Args)]
#[command(after_help = ABOUT)]
pub(super) struct Snapshot {
    /// The context of kubectl's configuration [default: the current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// One namespace only. Repeatable [default: all]
    #[arg(long, value_name = "NAME", value_parser = check_namespace)]
    namespace: Vec<String>,
    /// Where to write it, in one piece and readable for you alone [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How long kubectl may take for one kind of object
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// What was read, and what was not.
#[derive(Default)]
struct Taken {
    /// By identity and group: several groups have kinds of one name.
    objects: BTreeMap<(Id, &'static str), Kept>,
    /// Why, and for which resources.
    unread: Vec<(String, Vec<&'static str>)>,
}

pub(super) fn run(snapshot: &Snapshot) -> Result<(), Failure> {
    let mut taken = take(snapshot)?;
    for (reason, resources) in &taken.unread {
        say(&format!("warning: could not read {}: {reason}", resources.join(", ")));
    }
    taken.leave_out_history();
    let text = taken.write(Utc::now());
    match &snapshot.output {
        None => output::write(&text)?,
        Some(path) => write(path, &text)?,
    }
    say(&format!("note: {}", taken.summary()));
    Ok(())
}

/// Asks for everything.
fn take(snapshot: &Snapshot) -> Result<Taken, Failure> {
    let known = known(snapshot)?;
    let mut taken = Taken::default();
    let mut answered = false;
    for resource in &RESOURCES {
        if known
            .as_ref()
            .is_some_and(|known| !resource.everywhere && !known.contains(resource.name))
        {
            continue;
        }
        for (single, arguments) in questions(snapshot, resource) {
            let limit = Duration::from_secs(snapshot.timeout);
            let asked = *resource;
            let result = call(&arguments, limit, move |input: &mut dyn Read| {
                kept::read(&asked, single, input)
            });
            let reason = match result {
                Ok(Ok(objects)) => {
                    answered = true;
                    let key = |found: &Kept| (found.id.clone(), resource.group);
                    taken.objects.extend(objects.into_iter().map(|found| (key(&found), found)));
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(CallError::Refused(reason))
                    if !resource.everywhere && reason.contains("doesn't have a resource type") =>
                {
                    continue;
                }
                Err(error @ (CallError::NoKubectl | CallError::Start(_))) => {
                    return Err(no_answer(&error.to_string()));
                }
                // Where nothing was heard at all, every other question would have to wait as long.
                Err(error @ CallError::Time(_)) if !answered => {
                    return Err(no_answer(&error.to_string()));
                }
                Err(error) => error.to_string(),
            };
            taken.not_read(reason, resource.name);
            // A refusal names what it refuses; the same words twice are about something else.
            if !answered && taken.unread.iter().any(|(_, resources)| resources.len() > 1) {
                return Err(taken.nothing());
            }
        }
    }
    match answered {
        true => Ok(taken),
        false => Err(taken.nothing()),
    }
}

fn no_answer(why: &str) -> Failure {
    Failure::Unreadable(format!(
        "could not read anything of the cluster: {why}\n  try: `kubectl get namespaces`; `--context NAME` \
         for another cluster; `--timeout SECONDS` for a slow one"
    ))
}

/// The resources that the cluster has; `None` where it does not say so, or not all of it.
fn known(snapshot: &Snapshot) -> Result<Option<BTreeSet<String>>, Failure> {
    let arguments = with_context(snapshot, ["api-resources", "--output=name"]);
    let read = |input: &mut dyn Read| {
        let mut text = String::new();
        input.take(1 << 20).read_to_string(&mut text).map(|_| text)
    };
    match call(&arguments, Duration::from_secs(snapshot.timeout), read) {
        Ok(Ok(text)) => Ok(Some(text.lines().map(|line| line.trim().to_string()).collect())),
        Ok(Err(_)) | Err(CallError::Refused(_) | CallError::Size) => Ok(None),
        Err(error) => Err(no_answer(&error.to_string())),
    }
}

/// The arguments of the calls for a resource, and whether the answer is one object and no list.
fn questions(snapshot: &Snapshot, resource: &Resource) -> Vec<(bool, Vec<String>)> {
    let name = resource.name;
    let json = "--output=json";
    let all = || vec![(false, with_context(snapshot, ["get", name, "--all-namespaces", json]))];
    let one = |namespace: &String| {
        let within = format!("--namespace={namespace}");
        match resource.shape {
            // Who may see one namespace need not be allowed to list all.
            Shape::Namespace => (true, with_context(snapshot, ["get", name, namespace, json])),
            _ => (false, with_context(snapshot, ["get", name, &within, json])),
        }
    };
    match (snapshot.namespace.as_slice(), resource.namespaced, resource.shape) {
        ([], true, _) => all(),
        ([], false, _) => vec![(false, with_context(snapshot, ["get", name, json]))],
        (namespaces, true, _) | (namespaces, false, Shape::Namespace) => {
            namespaces.iter().map(one).collect()
        }
        (_, false, _) => vec![(false, with_context(snapshot, ["get", name, json]))],
    }
}

fn with_context<'a>(snapshot: &Snapshot, words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let context = snapshot.context.iter().map(|context| format!("--context={context}"));
    context.chain(words.into_iter().map(str::to_string)).collect()
}

/// The file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    items: Vec<&'a Value>,
}

#[derive(Serialize)]
struct Metadata {
    annotations: BTreeMap<&'static str, String>,
}

impl Taken {
    fn not_read(&mut self, reason: String, resource: &'static str) {
        match self.unread.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, resources)) if resources.contains(&resource) => {}
            Some((_, resources)) => resources.push(resource),
            None => self.unread.push((reason, vec![resource])),
        }
    }

    /// The error where nothing was read.
    fn nothing(&self) -> Failure {
        match self.unread.as_slice() {
            [(reason, _)] => no_answer(reason),
            reasons => no_answer(
                &reasons
                    .iter()
                    .map(|(reason, resources)| format!("\n  {}: {reason}", resources.join(", ")))
                    .collect::<String>(),
            ),
        }
    }

    /// Of each Deployment's ten old ReplicaSets none is of use, unless a pod of it is still there.
    fn leave_out_history(&mut self) {
        let owners: BTreeSet<Id> =
            self.objects.values().filter_map(|object| object.owner.clone()).collect();
        self.objects.retain(|(id, _), object| !object.idle || owners.contains(id));
    }

    /// The text of the file.
    fn write(&self, now: DateTime<Utc>) -> String {
        let mut annotations =
            BTreeMap::from([(TAKEN, now.to_rfc3339_opts(SecondsFormat::Secs, true))]);
        let unread: BTreeSet<&str> =
            self.unread.iter().flat_map(|(_, resources)| resources.iter().copied()).collect();
        if !unread.is_empty() {
            annotations.insert(UNREAD, Vec::from_iter(unread).join(","));
        }
        let items = self.objects.values().map(|object| &object.value).collect();
        let metadata = Metadata { annotations };
        let list = List { api_version: "v1", kind: "List", metadata, items };
        let mut text = serde_json::to_string_pretty(&list).unwrap_or_default();
        text.push('\n');
        text
    }

    fn summary(&self) -> String {
        let mut numbers = [0usize; 3];
        for ((kind, _, _), group) in self.objects.keys() {
            let same = |resource: &&Resource| resource.kind == kind && resource.group == *group;
            let resource = RESOURCES.iter().find(same);
            let at = match resource.map(|resource| resource.shape) {
                Some(Shape::Namespace) => 0,
                Some(Shape::Policy | Shape::Name) => 2,
                _ => 1,
            };
            if let Some(number) = numbers.get_mut(at) {
                *number += 1;
            }
        }
        let [namespaces, workloads, policies] = numbers;
        format!(
            "{}, {} and {} written",
            count(namespaces, "namespace", "namespaces"),
            count(workloads, "workload or pod", "workloads and pods"),
            count(policies, "policy", "policies")
        )
    }
}

/// Writes a file in one piece: a reader sees the old one or the new one. Nobody else may read it.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let unwritable = |error: &std::io::Error| {
        let reason = crate::source::io_reason(error);
        Failure::Unreadable(format!("could not write `{}`: {reason}", path.display()))
    };
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(Failure::Unreadable(format!(
            "could not write `{}`: it is there and is no file\n  try: without `--output`, it goes to \
             standard output",
            path.display()
        )));
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file =
        tempfile::NamedTempFile::new_in(directory).map_err(|error| unwritable(&error))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| unwritable(&error))?;
    file.persist(path).map_err(|error| unwritable(&error.error))?;
    Ok(())
}
