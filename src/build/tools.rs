//! Which programs there are.

use super::sandbox::{Limits, Sandbox};
use super::stopped::Stopped;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

/// What a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `kustomize`, with its own `build`.
    Kustomize,
    /// `kubectl`, with its own `kustomize`.
    Kubectl,
    /// `helm`, with its `template`.
    Helm,
}

impl Kind {
    /// What it does for us, as people call it.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Kustomize => "kustomize build",
            Kind::Kubectl => "kubectl kustomize",
            Kind::Helm => "helm template",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Kustomize => "kustomize",
            Kind::Kubectl => "kubectl",
            Kind::Helm => "helm",
        }
    }

    fn version_arguments(self) -> &'static [&'static str] {
        match self {
            Kind::Kustomize => &["version"],
            Kind::Kubectl => &["version", "--client", "--output=json"],
            Kind::Helm => &["version", "--short"],
        }
    }

    /// What is told of a version, from what the program says; nothing if that is no such program, or one that knows
    /// too little: kustomize before 4 has other names for its options, and helm before 3 another `template`.
    fn version(self, said: &str) -> Option<String> {
        let number = |text: &str, oldest: u32| {
            let at = text.match_indices('v').find_map(|(at, _)| {
                let rest = text.get(at + 1..)?;
                let (major, _) = rest.split_once('.')?;
                (major.parse::<u32>().ok()? >= oldest).then_some(at)
            })?;
            let is_part = |c: &char| c.is_ascii_alphanumeric() || ".+-".contains(*c);
            Some(text.get(at..)?.chars().take_while(is_part).take(80).collect::<String>())
        };
        match self {
            Kind::Kustomize => Some(format!("kustomize {}", number(said, 4)?)),
            Kind::Helm => Some(format!("helm {}", number(said, 3)?)),
            Kind::Kubectl => {
                let said: serde_json::Value = serde_json::from_str(said).ok()?;
                let kubectl = number(said.pointer("/clientVersion/gitVersion")?.as_str()?, 1)?;
                let kustomize = number(said.pointer("/kustomizeVersion")?.as_str()?, 4)?;
                Some(format!("kubectl {kubectl} with kustomize {kustomize}"))
            }
        }
    }
}

/// A program that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Where it is; an absolute path.
    pub program: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// What it is exactly, for people and for keys of caches: `helm v4.3.1+gc0d08d0`.
    pub version: String,
}

/// Programs that were named, in place of those on PATH.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `kustomize` or `kubectl`.
    pub kustomize: Option<PathBuf>,
    /// `helm`.
    pub helm: Option<PathBuf>,
}

/// There is no program that could be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// None was found.
    #[error("there is no {names} on PATH\n  try: install one, or give its path")]
    Missing {
        /// What was looked for, in backticks.
        names: String,
    },
    /// One was found, or named, and does not run on its own.
    #[error(
        "`{}` can't be used: {reason}\n  try: the path of the program itself; it runs with an empty home and without the environment, which \
         scripts that look for it may need", program.display()
    )]
    Broken {
        /// Where it is.
        program: PathBuf,
        /// What happened when it was asked for its version.
        reason: String,
    },
}

/// The programs of this machine. Each is looked for, and asked for its version, once, and only if it is needed.
#[derive(Debug)]
pub struct Tools {
    given: Given,
    path: OsString,
    kustomize: OnceLock<Result<Tool, Unusable>>,
    helm: OnceLock<Result<Tool, Unusable>>,
}

impl Tools {
    /// Those that were given, and those on PATH.
    pub fn new(given: Given) -> Self {
        Self::on(given, std::env::var_os("PATH").unwrap_or_default())
    }

    /// [`Tools::new`] with another PATH.
    pub fn on(given: Given, path: OsString) -> Self {
        Self { given, path, kustomize: OnceLock::new(), helm: OnceLock::new() }
    }

    /// What builds kustomizations: what was given, else `kustomize`, else `kubectl`.
    ///
    /// # Errors
    ///
    /// There is none, or it does not run.
    pub fn kustomize(&self) -> Result<&Tool, Unusable> {
        let kinds = match self.given.kustomize.as_deref().map(named_kubectl) {
            Some(true) => [Kind::Kubectl, Kind::Kustomize],
            _ => [Kind::Kustomize, Kind::Kubectl],
        };
        let find = || self.find(self.given.kustomize.as_deref(), &kinds);
        self.kustomize.get_or_init(find).as_ref().map_err(Clone::clone)
    }

    /// What renders charts: what was given, else `helm`.
    ///
    /// # Errors
    ///
    /// There is none, or it does not run.
    pub fn helm(&self) -> Result<&Tool, Unusable> {
        let find = || self.find(self.given.helm.as_deref(), &[Kind::Helm]);
        self.helm.get_or_init(find).as_ref().map_err(Clone::clone)
    }

    /// The first that runs. Where none does, the first that is there says why.
    fn find(&self, given: Option<&Path>, kinds: &[Kind]) -> Result<Tool, Unusable> {
        let mut broken = None;
        for kind in kinds {
            let program = match given {
                // A name alone is one on PATH, as in a shell.
                Some(given) if given.components().count() > 1 => std::path::absolute(given).ok(),
                Some(given) => {
                    on_path(given, &self.path).or_else(|| std::path::absolute(given).ok())
                }
                None => on_path(kind.name(), &self.path),
            };
            let Some(program) = program else { continue };
            match ask(&program, *kind) {
                Ok(version) => return Ok(Tool { program, kind: *kind, version }),
                Err(reason) => {
                    broken.get_or_insert(Unusable::Broken { program, reason });
                }
            }
        }
        let names: Vec<String> = kinds.iter().map(|kind| format!("`{}`", kind.name())).collect();
        Err(broken.unwrap_or_else(|| Unusable::Missing { names: names.join(" and no ") }))
    }
}

fn named_kubectl(program: &Path) -> bool {
    program.file_stem().is_some_and(|name| name.to_string_lossy().contains("kubectl"))
}

/// The version of a program, or why there is none.
fn ask(program: &Path, kind: Kind) -> Result<String, String> {
    let limits = Limits { time: Duration::from_secs(30), output: 1 << 20, ..Limits::default() };
    let arguments: Vec<OsString> = kind.version_arguments().iter().map(OsString::from).collect();
    let words = format!("{} version", kind.name());
    let said = Sandbox::new(limits, false)
        .run_program(program, &words, &arguments, Path::new("/"), &[])
        .map_err(|stopped: Stopped| stopped.to_string())?;
    let said = String::from_utf8_lossy(&said);
    kind.version(&said).ok_or_else(|| {
        let said = super::stopped::said(&said, &Vec::new()).unwrap_or_default();
        format!("`{words}` said `{said}`, which is no version that is known here")
    })
}

/// The first executable file of a name in the absolute directories of a PATH.
pub(super) fn on_path(name: impl AsRef<Path>, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(&name))
        .find(|file| is_executable(file))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}
