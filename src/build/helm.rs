//! `helm template`.

use super::ending::Temporary;
use super::kustomize::inside;
use super::sandbox::{Call, Sandbox};
use super::stopped::{Names, Stopped};
use super::tools::{Kind, Tool};
use crate::deploy::{Release, Values};
use crate::source::io_reason;
use serde_json::{Map, Value};
use std::ffi::OsString;
use std::path::Path;

/// Renders a release of a chart below `root`, with the chart's `crds` unless they are left out, and without its
/// tests. A release without a namespace goes to helm's own, `default`.
///
/// # Errors
///
/// A name is none, a path leads out of the root, the values can't be put in their order, or helm gave no text.
pub fn helm_template(
    sandbox: &Sandbox,
    tool: &Tool,
    root: &Path,
    release: &Release,
) -> Result<Vec<u8>, Stopped> {
    let texts = Temporary::new().map_err(|error| {
        let reason = io_reason(&error);
        Stopped::NotStarted { tool: Kind::Helm.words().to_string(), reason }
    })?;
    let (arguments, names) = arguments(release, root, &texts)?;
    sandbox.run(&Call { tool, arguments: &arguments, directory: root, names: &names })
}

fn refused(reason: String) -> Stopped {
    Stopped::Refused { tool: Kind::Helm.words().to_string(), reason }
}

fn arguments(
    release: &Release,
    root: &Path,
    texts: &Temporary,
) -> Result<(Vec<OsString>, Names), Stopped> {
    let Release { chart, name, namespace, values, skip_crds, kube_version, api_versions, .. } =
        release;
    if !name.split('.').all(is_label) || name.len() > 53 {
        let name = name.escape_debug();
        return Err(refused(format!(
            "`{name}` is no name of a release; those have up to 53 of a-z, 0-9, `-` and `.`"
        )));
    }
    let mut arguments: Vec<OsString> = vec!["template".into(), name.into()];
    arguments.push(inside(chart, Kind::Helm.words())?.into());
    if !namespace.is_empty() {
        if !is_label(namespace) || namespace.len() > 63 {
            let namespace = namespace.escape_debug();
            return Err(refused(format!(
                "`{namespace}` is no name of a namespace; those have up to 63 of a-z, 0-9 and `-`"
            )));
        }
        arguments.push(format!("--namespace={namespace}").into());
    }
    arguments.push(if *skip_crds { "--skip-crds" } else { "--include-crds" }.into());
    arguments.push("--skip-tests".into());
    arguments.extend(kube_version.iter().map(|version| format!("--kube-version={version}").into()));
    arguments.extend(api_versions.iter().map(|api| format!("--api-versions={api}").into()));

    let mut names = Names::new();
    // helm lays what is set over all files, wherever it stands, so what is set before a file becomes a file as well.
    let last_file = values.iter().rposition(|values| !matches!(values, Values::Set { .. }));
    for (at, values) in values.iter().enumerate() {
        let before_a_file = last_file.is_some_and(|last| at < last);
        match values {
            Values::File { path, optional } => {
                let path = inside(path, Kind::Helm.words())?;
                if !optional || root.join(&path).exists() {
                    arguments.push(values_file(&path));
                }
            }
            Values::Inline { values, origin } => {
                let called = format!("the values of {}:{}", origin.file, origin.start_line);
                arguments.push(written(values, at, called, texts, &mut names)?);
            }
            Values::Set { name, value, text, origin } if before_a_file => {
                let nested = nested(name, value, *text).ok_or_else(|| {
                    let (name, value) = (name.escape_debug(), value.escape_debug());
                    refused(format!(
                        "`{name}={value}` of {}:{} is set before a values file, which helm can't do; put it into a values file",
                        origin.file, origin.start_line
                    ))
                })?;
                let called = format!("the value set in {}:{}", origin.file, origin.start_line);
                arguments.push(written(&nested, at, called, texts, &mut names)?);
            }
            Values::Set { name, value, text, .. } => {
                let option = if *text { "--set-string" } else { "--set" };
                arguments.push(format!("{option}={name}={value}").into());
            }
        }
    }
    Ok((arguments, names))
}

/// A label of a domain name, as Kubernetes wants them.
fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// helm takes a list of files separated by commas, unless they are quoted.
fn values_file(path: &str) -> OsString {
    format!("--values=\"{}\"", path.replace('"', "\"\"")).into()
}

/// Writes values to a file for helm to read; JSON is YAML.
fn written(
    values: &Value,
    number: usize,
    called: String,
    texts: &Temporary,
    names: &mut Names,
) -> Result<OsString, Stopped> {
    let path = texts.path().join(format!("{number}.json"));
    let Some(shown) = path.to_str() else {
        return Err(refused("the path of the temporary directory is no UTF-8".to_string()));
    };
    let argument = values_file(shown);
    std::fs::write(&path, values.to_string()).map_err(|error| {
        refused(format!("{called} could not be written: {}", io_reason(&error)))
    })?;
    names.push((path, called));
    Ok(argument)
}

/// What `--set NAME=VALUE` sets, as a map, if its name is plain keys with dots between them and its value one scalar.
fn nested(name: &str, value: &str, text: bool) -> Option<Value> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_/".contains(c);
    if value.contains([',', '\\', '{', '}', '"', '\n']) {
        return None;
    }
    let scalar = match value {
        _ if text => Value::from(value),
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        "0" => Value::from(0),
        // A number that begins with 0 stays text, so that codes of places and people stay whole.
        _ if value.starts_with('0') => Value::from(value),
        _ => value.parse::<i64>().map_or_else(|_| Value::from(value), Value::from),
    };
    name.rsplit('.').try_fold(scalar, |inner, key| {
        let is_key = !key.is_empty() && key.chars().all(plain);
        is_key.then(|| Value::Object(Map::from_iter([(key.to_string(), inner)])))
    })
}
