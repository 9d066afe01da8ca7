//! What a path says of an environment.
/// Placeholder until merged.
pub fn path_environment(path: &str) -> Option<String> {
    const FOLDERS: [&str; 8] =
        ["overlays", "overlay", "environments", "environment", "envs", "env", "clusters", "stages"];
    let parts: Vec<&str> = path.split('/').collect();
    let after =
        parts.iter().position(|part| FOLDERS.contains(part)).and_then(|at| parts.get(at + 1));
    after.map(|name| name.to_string())
}
