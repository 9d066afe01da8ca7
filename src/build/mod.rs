//! Provisional.
use crate::deploy::Release;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub struct Tools {
    pub kustomize: Option<Tool>,
    pub helm: Option<Tool>,
}
#[derive(Clone, Debug)]
pub struct Tool {
    pub program: PathBuf,
}
#[derive(Clone, Debug)]
pub struct Limits {
    pub time: Duration,
    pub memory: u64,
    pub output: u64,
}
impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(60), memory: 4 << 30, output: 64 << 20 }
    }
}

pub fn find() -> Tools {
    let on_path = |name: &str| {
        let paths = std::env::var_os("PATH")?;
        std::env::split_paths(&paths)
            .map(|p| p.join(name))
            .find(|p| p.is_file())
            .map(|program| Tool { program })
    };
    Tools { kustomize: on_path("kubectl"), helm: on_path("helm") }
}
fn run(command: &mut Command) -> Result<Vec<u8>, String> {
    let out = command.output().map_err(|e| e.to_string())?;
    if out.status.success() {
        Ok(out.stdout)
    } else {
        Err(String::from_utf8_lossy(&out.stderr).into_owned())
    }
}
pub fn kustomize(
    tool: &Tool,
    root: &Path,
    directory: &str,
    _: &Limits,
    _network: bool,
) -> Result<Vec<u8>, String> {
    run(Command::new(&tool.program).current_dir(root).args([
        "kustomize",
        directory,
        "--load-restrictor",
        "LoadRestrictionsNone",
    ]))
}
pub fn helm(
    tool: &Tool,
    root: &Path,
    release: &Release,
    values: &[[String; 2]],
    _: &Limits,
    _network: bool,
) -> Result<Vec<u8>, String> {
    let mut c = Command::new(&tool.program);
    c.current_dir(root).arg("template").arg(&release.name).arg(format!("src/{}", release.chart));
    if !release.namespace.is_empty() {
        c.args(["--namespace", &release.namespace]);
    }
    for v in values {
        c.args(v);
    }
    run(&mut c)
}
