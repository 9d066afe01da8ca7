//! Files that count although their names are none of manifests: in directories, revisions and the working
//! tree alike.

use crate::sandbox::{DENY, Sandbox};

const CHART: &str = "chart/templates/np.yaml";
const NP: &str = "kind: NetworkPolicy\nspec: {{ include \"x\" . }}\n";

/// A side before, with files of every sort, and the paths of those that play a part.
const FILES: [(&str, bool); 7] = [
    ("Kustomization", true),
    ("chart/templates/_helpers.tpl", true),
    ("chart/charts/redis.tgz", true),
    ("chart/Chart.lock", true),
    ("chart/templates/NOTES.txt", false),
    ("chart/README.md", false),
    ("web/templates/index.html", false),
];

fn side(sandbox: &Sandbox, root: &str, changed: Option<&str>) {
    sandbox
        .write(&format!("{root}/p.yaml"), DENY)
        .write(&format!("{root}/chart/Chart.yaml"), "name: c\n")
        .write(&format!("{root}/{CHART}"), NP);
    for (path, _) in FILES {
        let value = if changed == Some(path) { "two" } else { "one" };
        sandbox.write(&format!("{root}/{path}"), format!("commonLabels: {{a: {value}}}\n"));
    }
}

#[test]
fn a_change_of_any_of_them_is_noticed() {
    let sandbox = Sandbox::new();
    side(&sandbox, "before", None);
    sandbox.init("r");
    side(&sandbox, "r", None);
    sandbox.commit("r", "one");
    sandbox.run("diff --render never --git HEAD --repo r --fail-on any").ends(0);
    for (path, counts) in FILES {
        let code = if counts { 11 } else { 0 };
        side(&sandbox, "after", Some(path));
        sandbox.run("diff --render never before after --fail-on any").ends(code);
        side(&sandbox, "r", Some(path));
        sandbox.run("diff --render never --git HEAD --repo r --fail-on any").ends(code);
        sandbox.commit("r", path);
        sandbox.run("diff --render never --git HEAD~1..HEAD --repo r --fail-on any").ends(code);
        side(&sandbox, "r", None);
        sandbox.commit("r", "back");
    }
}

#[test]
fn a_sparse_checkout_has_them_in_the_index() {
    let sandbox = Sandbox::new();
    sandbox.init("r");
    side(&sandbox, "r", None);
    sandbox.commit("r", "one");
    for kept in ["/chart/templates/", "/chart/Chart.yaml", "/p.yaml"] {
        sandbox.git("r", &format!("sparse-checkout set --no-cone {kept}"));
        sandbox.run("diff --render never --git HEAD --repo r --fail-on any").ends(0);
    }
}
