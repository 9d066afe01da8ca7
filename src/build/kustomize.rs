//! `kustomize build`, by either program.

use super::sandbox::{Call, Sandbox};
use super::stopped::Stopped;
use super::tools::Tool;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What a kustomization may load that is no kustomization.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Files in or below its own directory: kustomize's default.
    #[default]
    Root,
    /// Any file, also of this machine: for trusted use only.
    Anywhere,
}

/// Builds the kustomization in a directory below `root`; "" is the root. With `helm`, `helmCharts` of kustomizations
/// are rendered by it. `names` are what paths that are not the repository's are called in messages (see [`Call::names`]).
///
/// # Errors
///
/// The directory leads out of the root, or the build gave no text.
pub fn kustomize(
    sandbox: &Sandbox,
    tool: &Tool,
    root: &Path,
    directory: &str,
    reach: Reach,
    helm: Option<&Tool>,
    names: &[(PathBuf, String)],
) -> Result<Vec<u8>, Stopped> {
    let words = tool.kind.words();
    let directory = inside(directory, words)?;
    let subcommand = words.split(' ').next_back().unwrap_or_default();
    let restrictor = match reach {
        Reach::Root => "LoadRestrictionsRootOnly",
        Reach::Anywhere => "LoadRestrictionsNone",
    };
    let mut arguments: Vec<OsString> =
        vec![subcommand.into(), directory.into(), format!("--load-restrictor={restrictor}").into()];
    if let Some(helm) = helm {
        arguments.push("--enable-helm".into());
        let mut command = OsString::from("--helm-command=");
        command.push(&helm.program);
        arguments.push(command);
    }
    sandbox.run(&Call { tool, arguments: &arguments, directory: root, names })
}

/// A path from the root as an argument that is neither an option nor an address, and leads nowhere else.
pub(super) fn inside(path: &str, words: &str) -> Result<String, Stopped> {
    let part = |part: &str| part != ".." && !part.contains('\0');
    if path.starts_with('/') || !path.split('/').all(part) {
        let reason = format!("`{}` leads out of the repository", path.escape_debug());
        return Err(Stopped::Refused { tool: words.to_string(), reason });
    }
    Ok(format!("./{path}"))
}
