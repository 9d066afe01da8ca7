//! Which configuration counts, and where it is.

use super::args::{ClusterOptions, Inputs};
use super::failure::Failure;
use super::inventory;
use crate::settings::{PATH, Settings, parse_bytes};
use crate::source::git::{self, Range};
use crate::source::{Loaded, MAX_SINGLE_BYTES, Pair, directory, limit};
use crate::tree::{Files, InventoryFile, Tree, declare};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A configuration that was read.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    /// What it says, with the options of the command line on top.
    pub(super) settings: Settings,
    /// Its name for messages; `None` where there is no file.
    pub(super) name: Option<String>,
    /// What is declared elsewhere.
    inventory: Vec<InventoryFile>,
}

impl Configuration {
    /// That of a comparison: the file that was named, or that of the side before.
    pub(super) fn of_pair(inputs: &Inputs, options: &ClusterOptions) -> Result<Self, Failure> {
        let mut found = match (&options.config, &inputs.git, inputs.paths.as_slice()) {
            (None, Some(range), _) => {
                let range = Range::from_str(range)?;
                let repo = inputs.repo.as_deref();
                let found = git::file_before(&range, repo, PATH, MAX_SINGLE_BYTES)?;
                Self::read(found.map(|found| (found.name, found.bytes)), options)?
            }
            (None, None, [before, ..]) => Self::of_directory(before, options)?,
            (_, _, _) => Self::named(options)?,
        };
        found.inventory = inventory::of_pair(inputs, options, &found)?;
        Ok(found)
    }

    /// That of one snapshot: the file that was named, or that of the directory.
    pub(super) fn of_snapshot(path: &Path, options: &ClusterOptions) -> Result<Self, Failure> {
        let mut found = match &options.config {
            None => Self::of_directory(path, options)?,
            Some(_) => Self::named(options)?,
        };
        found.inventory = inventory::of_snapshot(path, options, &found)?;
        Ok(found)
    }

    fn of_directory(path: &Path, options: &ClusterOptions) -> Result<Self, Failure> {
        let bytes = directory::file(path, PATH, MAX_SINGLE_BYTES)?;
        let name = path.join(PATH).display().to_string();
        Self::read(bytes.map(|bytes| (name, bytes)), options)
    }

    fn named(options: &ClusterOptions) -> Result<Self, Failure> {
        let Some(path) = &options.config else { return Self::read(None, options) };
        let name = path.display().to_string();
        Self::read(Some((name, directory::named_file(path, MAX_SINGLE_BYTES)?)), options)
    }

    fn read(file: Option<(String, Vec<u8>)>, options: &ClusterOptions) -> Result<Self, Failure> {
        let mut configuration = Self::default();
        if let Some((name, bytes)) = file {
            configuration.settings = parse_bytes(&bytes)
                .map_err(|errors| Failure::Settings { file: name.clone(), errors })?;
            configuration.name = Some(name);
        }
        options.apply(&mut configuration.settings.config);
        Ok(configuration)
    }

    /// The paths to look at in a repository: those of the command line, else those of the file.
    pub(super) fn paths(&self, typed: &[PathBuf]) -> Vec<PathBuf> {
        match typed {
            [] => self.settings.paths.iter().map(PathBuf::from).collect(),
            typed => typed.to_vec(),
        }
    }

    /// Leaves of a directory what the configuration says is looked at. A single file stays.
    pub(super) fn limit(&self, side: &mut Loaded, path: &Path) {
        if path.is_dir() {
            limit(side, &self.settings.paths);
        }
    }

    /// Gives both sides of a comparison what is declared elsewhere.
    pub(super) fn declare(&self, pair: &mut Pair) {
        let mut inventory = self.inventory.clone();
        for file in &mut inventory {
            // Its name may be none of a manifest.
            let Some(path) = &file.path else { continue };
            let [old, new] = [&pair.before, &pair.after].map(|side| side.files().read(path));
            file.edited |= match (&old, &new) {
                (Some(old), Some(new)) => !old.same(new),
                (old, new) => old.is_some() != new.is_some(),
            };
        }
        let (before, after) = (&mut pair.before.tree, &mut pair.after.tree);
        declare(before, after, inventory);
        self.leave_out(before);
        self.leave_out(after);
    }

    /// Gives a snapshot that stands alone what is declared elsewhere.
    pub(super) fn declare_alone(&self, tree: &mut Tree) {
        tree.declare(self.inventory.clone());
        self.leave_out(tree);
    }

    /// An inventory is no manifest, also where another one was typed.
    fn leave_out(&self, tree: &mut Tree) {
        for path in &self.settings.inventory {
            tree.leave_out(path);
        }
    }
}
