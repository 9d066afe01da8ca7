//! Objects that live elsewhere: which files with them count, and what they hold.

use super::args::{ClusterOptions, Inputs};
use super::config::Configuration;
use super::failure::Failure;
use crate::source::git::{self, Range};
use crate::source::{MAX_FILE_BYTES, directory};
use crate::tree::{Content, InventoryFile};
use std::convert::Infallible;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

/// A file as it was typed: `FILE`, or `ENVIRONMENT=FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inventory {
    /// The environment that it belongs to; `None`: every one.
    pub(super) environment: Option<String>,
    /// The file.
    pub(super) path: PathBuf,
}

impl FromStr for Inventory {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        // A path with a `=` in it can begin with `./`.
        Ok(match text.split_once('=') {
            Some((environment, path)) if !environment.is_empty() && !environment.contains('/') => {
                Self { environment: Some(environment.to_string()), path: path.into() }
            }
            _ => Self { environment: None, path: text.into() },
        })
    }
}

/// The inventory of a comparison: what was typed, else what the configuration names, which is read from the
/// side before the change as the configuration itself is.
pub(super) fn of_pair(
    inputs: &Inputs,
    options: &ClusterOptions,
    configuration: &Configuration,
) -> Result<Vec<InventoryFile>, Failure> {
    let repo = inputs.repo.as_deref();
    let Some(range) = &inputs.git else {
        if !options.inventory.is_empty() {
            return typed(&options.inventory, &inputs.paths);
        }
        let Some(before) = inputs.paths.first() else { return Ok(Vec::new()) };
        return in_directory(before, configuration);
    };
    if !options.inventory.is_empty() {
        return typed(&options.inventory, &Vec::from_iter(git::top(repo)));
    }
    let range = Range::from_str(range)?;
    configured(configuration, &format!("the side before of `{range}`"), |path| {
        let found = git::file_before(&range, repo, path, MAX_FILE_BYTES)?;
        Ok(found.map(|found| found.bytes))
    })
}

/// The inventory of a snapshot that stands alone.
pub(super) fn of_snapshot(
    root: &Path,
    options: &ClusterOptions,
    configuration: &Configuration,
) -> Result<Vec<InventoryFile>, Failure> {
    match options.inventory.as_slice() {
        [] => in_directory(root, configuration),
        inventory => typed(inventory, &[root.to_path_buf()]),
    }
}

/// Reads files that were typed. Those below one of the roots are taken out of what is compared.
pub(super) fn typed(
    inventory: &[Inventory],
    roots: &[PathBuf],
) -> Result<Vec<InventoryFile>, Failure> {
    let read = |Inventory { environment, path }: &Inventory| {
        let shown = path.display().to_string();
        let content = Content::new(directory::named_file(path, MAX_FILE_BYTES)?);
        let inside = roots.iter().find_map(|root| inside(root, path));
        let name = inside.as_deref().unwrap_or(&shown).into();
        let path = inside.map(Into::into);
        let environment = environment.as_deref().map(Into::into);
        Ok(InventoryFile { name, path, content, edited: false, environment })
    };
    inventory.iter().map(read).collect()
}

/// Refuses an inventory of an environment that there is not.
pub(super) fn known<'n>(
    inventory: &[InventoryFile],
    environments: impl Iterator<Item = &'n str> + Clone,
) -> Result<(), Failure> {
    for file in inventory {
        let Some(wanted) = &file.environment else { continue };
        if environments.clone().all(|name| name != &**wanted) {
            let shown = &file.name;
            let names: Vec<String> = environments.map(|name| format!("`{name}`")).collect();
            return Err(Failure::Usage(format!(
                "could not use the inventory `{wanted}={shown}`: there is no environment `{wanted}`, there are \
                 {}\n  try: `{shown}` for all of them, `./{wanted}={shown}` if that is the file's name",
                names.join(", ")
            )));
        }
    }
    Ok(())
}

/// A path as the root's tree has it, if it lies below the root.
fn inside(root: &Path, path: &Path) -> Option<String> {
    let (root, path) = (root.canonicalize().ok()?, path.canonicalize().ok()?);
    let parts = path.strip_prefix(root).ok()?.components();
    let names = parts.map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    Some(names.collect::<Option<Vec<_>>>()?.join("/")).filter(|path| !path.is_empty())
}

fn in_directory(root: &Path, configuration: &Configuration) -> Result<Vec<InventoryFile>, Failure> {
    configured(configuration, &format!("`{}`", root.display()), |path| {
        Ok(directory::file(root, path, MAX_FILE_BYTES)?)
    })
}

/// Reads the files that the configuration names. `side`: where they are, in words.
fn configured(
    configuration: &Configuration,
    side: &str,
    read: impl Fn(&str) -> Result<Option<Vec<u8>>, Failure>,
) -> Result<Vec<InventoryFile>, Failure> {
    let file = |path: &String| {
        let Some(bytes) = read(path)? else {
            return Err(Failure::Usage(format!(
                "could not read the inventory `{path}` that `{}` names: {side} has no such file\n  try: add it first, or name one with `--inventory FILE`",
                configuration.name.as_deref().unwrap_or_default()
            )));
        };
        let name: std::sync::Arc<str> = path.as_str().into();
        let content = Content::new(bytes);
        let path = Some(name.clone());
        Ok(InventoryFile { name, path, content, edited: false, environment: None })
    };
    configuration.settings.inventory.iter().map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_before_the_file() {
        let read = |text: &str| {
            let Ok(Inventory { environment, path }) = text.parse();
            (environment.unwrap_or_default(), path.display().to_string())
        };
        for (text, environment, path) in [
            ("a.yaml", "", "a.yaml"),
            ("prod=a.yaml", "prod", "a.yaml"),
            ("prod=a=b.yaml", "prod", "a=b.yaml"),
            ("./a=b.yaml", "", "./a=b.yaml"),
            ("/x/a=b.yaml", "", "/x/a=b.yaml"),
            ("=a.yaml", "", "=a.yaml"),
        ] {
            assert_eq!(read(text), (environment.to_string(), path.to_string()), "{text}");
        }
    }
}
