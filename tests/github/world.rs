//! A repository with a base, a pull request's head and the merge that GitHub would build of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Files of a commit; `None` deletes.
pub type Files<'a> = &'a [(&'a str, Option<&'a str>)];

/// A bare repository under construction.
pub struct World {
    folder: TempDir,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let world = Self { folder };
        std::fs::create_dir(world.work()).expect("a folder");
        world.git(&["init", "--quiet", "--initial-branch=main", "."]);
        world.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        world.git(&["config", "uploadpack.allowFilter", "true"]);
        world
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// The repository that a server serves.
    pub fn bare(&self) -> PathBuf {
        self.work().join(".git")
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .arg("-C")
            .arg(self.work())
            .args(["-c", "user.name=test", "-c", "user.email=test@example.invalid"])
            .args(arguments)
            .env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z")
            .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .output()
            .expect("git");
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_string()
    }

    /// A commit on a branch, which is made of the present one where it does not exist.
    pub fn commit(&self, branch: &str, files: Files<'_>) -> String {
        let exists = Command::new("git")
            .arg("-C")
            .arg(self.work())
            .args(["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")])
            .output()
            .expect("git")
            .status
            .success();
        match exists {
            true => self.git(&["checkout", "--quiet", branch]),
            false => self.git(&["checkout", "--quiet", "-B", branch]),
        };
        for (path, text) in files {
            let path = self.work().join(path);
            match text {
                Some(text) => {
                    std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))
                        .expect("a folder");
                    std::fs::write(path, text).expect("a file");
                }
                None => std::fs::remove_file(path).expect("a file to delete"),
            }
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "change"]);
        self.git(&["rev-parse", "HEAD"])
    }
}

/// A workload and the policy of its database, whose one ingress rule has these peers.
pub fn shop(peers: &str) -> Vec<(&'static str, String)> {
    let workload = |name: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  \
             template:\n    metadata:\n      labels:\n        app: {name}\n    spec:\n      containers: []\n"
        )
    };
    vec![
        ("shop/web.yaml", workload("web")),
        ("shop/db.yaml", workload("db")),
        (
            "shop/policy.yaml",
            format!(
                "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: db\n  namespace: \
                 shop\nspec:\n  podSelector:\n    matchLabels:\n      app: db\n  policyTypes: [Ingress]\n  \
                 ingress:\n    - from:\n{peers}      ports:\n        - port: 5432\n"
            ),
        ),
    ]
}

/// The peer that there is before every change.
pub const WEB: &str = "        - podSelector:\n            matchLabels:\n              app: web\n";
/// Everybody in the cluster.
pub const ANY: &str = "        - namespaceSelector: {}\n";
