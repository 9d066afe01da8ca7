//! What is built from links, submodules and what else is not read: no change hides behind one.

use crate::renderers::tool;
use crate::sandbox::{DENY, OPEN, Run, Sandbox};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// A repository of files and links, each with its path, and text or target.
struct Linked {
    files: &'static [(&'static str, &'static str)],
    links: &'static [(&'static str, &'static str)],
    /// The file whose change counts.
    counts: &'static str,
}

const APP: (&str, &str) = ("app/kustomization.yaml", "resources: [p.yaml, more.txt]\n");
const CHART: (&str, &str) = ("app/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
const TEMPLATE: (&str, &str) = ("app/templates/p.yaml", "{{ include \"policy\" . }}\n");
const HELPER: &str = "{{ define \"policy\" }}\n{{ end }}\n";

/// What a kustomization or a chart in `app` has as links.
const WAYS: [Linked; 7] = [
    // A resource, through one link and through two.
    Linked {
        files: &[APP, ("app/p.yaml", DENY), ("texts/more.txt", "# nothing\n")],
        links: &[("app/more.txt", "../texts/more.txt")],
        counts: "texts/more.txt",
    },
    Linked {
        files: &[APP, ("app/p.yaml", DENY), ("texts/more.txt", "# nothing\n")],
        links: &[("words", "texts"), ("app/more.txt", "../words/more.txt")],
        counts: "texts/more.txt",
    },
    // A directory on the way to a resource.
    Linked {
        files: &[
            ("app/kustomization.yaml", "resources: [p.yaml, texts/more.txt]\n"),
            ("app/p.yaml", DENY),
            ("texts/more.txt", "# nothing\n"),
        ],
        links: &[("app/texts", "../texts")],
        counts: "texts/more.txt",
    },
    // A base.
    Linked {
        files: &[
            ("app/kustomization.yaml", "resources: [base]\n"),
            ("bases/one/Kustomization", "resources: [more.txt]\n"),
            ("bases/one/more.txt", "# nothing\n"),
        ],
        links: &[("app/base", "../bases/one")],
        counts: "bases/one/more.txt",
    },
    // Something of a chart, a directory of a chart, its values.
    Linked {
        files: &[CHART, TEMPLATE, ("texts/help.txt", HELPER)],
        links: &[("app/templates/_help.tpl", "../../texts/help.txt")],
        counts: "texts/help.txt",
    },
    Linked {
        files: &[CHART, TEMPLATE, ("texts/_help.tpl", HELPER)],
        links: &[("app/templates/helpers", "../../texts")],
        counts: "texts/_help.tpl",
    },
    Linked {
        files: &[
            CHART,
            ("app/templates/p.yaml", "{{ .Files.Get \"data.txt\" }}\n"),
            ("texts/data.txt", "# nothing\n"),
        ],
        links: &[("app/data.txt", "../texts/data.txt")],
        counts: "texts/data.txt",
    },
];

fn write(sandbox: &Sandbox, root: &str, way: &Linked) {
    for (path, text) in way.files {
        sandbox.write(&format!("{root}/{path}"), text);
    }
    for (link, target) in way.links {
        let link = sandbox.path(&format!("{root}/{link}"));
        fs::create_dir_all(link.parent().unwrap_or(Path::new(""))).unwrap();
        symlink(target, link).unwrap();
    }
}

/// It is told, exactly or as not evaluated: a link of a chart is what it leads to.
#[track_caller]
fn counts(run: &Run) {
    assert!([10, 11].contains(&run.code), "{run:#?}");
}

fn each(test: impl Fn(&Sandbox, &Linked)) {
    for way in &WAYS {
        let helm = way.files.contains(&CHART);
        if helm && tool(&["helm"]).is_none() {
            continue;
        }
        test(&Sandbox::new(), way);
    }
}

#[test]
fn of_directories() {
    each(|sandbox, way| {
        write(sandbox, "before", way);
        write(sandbox, "after", way);
        sandbox.run("diff before after --fail-on any").ends(0);
        sandbox.write("after/notes.txt", "words\n");
        sandbox.run("diff before after --fail-on any").ends(0);
        sandbox.write(&format!("after/{}", way.counts), OPEN);
        counts(&sandbox.run("diff before after --fail-on any"));
    });
}

#[test]
fn of_commits_and_of_the_working_tree() {
    each(|sandbox, way| {
        sandbox.init("r");
        write(sandbox, "r", way);
        sandbox.commit("r", "one");
        sandbox.run("diff --git HEAD --repo r --fail-on any").ends(0);
        sandbox.write("r/notes.txt", "words\n");
        sandbox.run("diff --git HEAD --repo r --fail-on any").ends(0);
        sandbox.commit("r", "words");
        sandbox.run("diff --git HEAD~1..HEAD --repo r --fail-on any").ends(0);
        sandbox.write(&format!("r/{}", way.counts), OPEN);
        counts(&sandbox.run("diff --git HEAD --repo r --fail-on any"));
        counts(&sandbox.run("diff --git HEAD --repo r --fail-on any -- app"));
        sandbox.commit("r", "open");
        counts(&sandbox.run("diff --git HEAD~1..HEAD --repo r --fail-on any"));
        counts(&sandbox.run("diff --git HEAD~1..HEAD --repo r --fail-on any -- app"));
        sandbox.run("diff --git HEAD --repo r --fail-on any").ends(0);
    });
}

/// What was named is built from what was not.
#[test]
fn beyond_limits() {
    each(|sandbox, way| {
        sandbox.init("r").write("r/all/kustomization.yaml", "resources: [../app]\n");
        write(sandbox, "r", way);
        if way.files.contains(&CHART) {
            return;
        }
        sandbox.commit("r", "one");
        sandbox.run("diff --git HEAD --repo r --fail-on any -- all").ends(0);
        sandbox.write(&format!("r/{}", way.counts), OPEN);
        sandbox.run("diff --git HEAD --repo r --fail-on any -- all").ends(11);
        sandbox.commit("r", "open");
        sandbox.run("diff --git HEAD~1..HEAD --repo r --fail-on any -- all").ends(11);
    });
}

#[test]
fn a_submodule_beyond_limits() {
    let sandbox = Sandbox::new();
    sandbox.init("r").write("r/all/kustomization.yaml", "resources: [../lib/base]\n");
    sandbox.git(
        "r",
        "update-index --add --cacheinfo 160000,1111111111111111111111111111111111111111,lib",
    );
    sandbox.git("r", "add all");
    sandbox.git("r", "commit -q -m one");
    sandbox.git(
        "r",
        "update-index --add --cacheinfo 160000,2222222222222222222222222222222222222222,lib",
    );
    sandbox.git("r", "commit -q -m two");
    sandbox.run("diff --git HEAD~1..HEAD --repo r --fail-on any").ends(11);
    sandbox.run("diff --git HEAD~1..HEAD --repo r --fail-on any -- all").ends(11);
    sandbox.run("diff --git HEAD~1..HEAD~1 --repo r --fail-on any -- all").ends(0);
}

/// A stated environment that has a link is compared without the directory it leads to.
#[test]
fn with_stated_environments() {
    each(|sandbox, way| {
        sandbox.init("r").write(
            "r/.github/netpol-review.yml",
            "version: 1\nenvironments: [{name: prod, paths: [app]}, {name: dev, paths: [texts, bases]}]\n",
        );
        write(sandbox, "r", way);
        sandbox.commit("r", "one");
        sandbox.write(&format!("r/{}", way.counts), OPEN);
        let run = sandbox.run("diff --git HEAD --repo r --format json");
        let report = run.json();
        let entries = report["notEvaluated"].as_array().unwrap();
        let of_prod = |entry: &&serde_json::Value| {
            let environments = entry["environments"].as_array();
            entry["hides"] == "widening"
                && environments.is_some_and(|names| names.iter().any(|name| name == "prod"))
        };
        let environments = report["environments"].as_array().unwrap();
        let prod = environments.iter().find(|one| one["name"] == "prod").expect("prod");
        let exactly = prod["findings"] != serde_json::json!([]);
        assert!(exactly || entries.iter().any(|entry| of_prod(&entry)), "{report:#}");
    });
}

/// A kustomization of `more.txt`, which is still to be written, and of a patch that is called a text.
fn patched(sandbox: &Sandbox, side: &str) {
    sandbox
        .write(
            &format!("{side}/app/kustomization.yaml"),
            "resources: [p.yaml, more.txt]\npatches: [{path: patch.txt}]\n",
        )
        .write(&format!("{side}/app/p.yaml"), DENY)
        .write(&format!("{side}/app/patch.txt"), DENY);
}

/// What is not built for one of its inputs may change by every other.
#[test]
fn beside_an_input_that_is_not_read() {
    let sandbox = Sandbox::new();
    for side in ["before", "after"] {
        patched(&sandbox, side);
        let huge = fs::File::create(sandbox.path(&format!("{side}/app/more.txt"))).unwrap();
        huge.set_len((64 << 20) + 1).unwrap();
    }
    sandbox.run("diff before after --fail-on any").ends(0);
    sandbox.write("after/app/patch.txt", OPEN);
    sandbox.run("diff before after --fail-on any").ends(11);
}

/// A kustomization means something else in each directory.
#[test]
fn a_linked_kustomization() {
    let sandbox = Sandbox::new();
    let kustomization = "resources: [p.yaml]\n";
    for side in ["before", "after"] {
        sandbox
            .write(&format!("{side}/one/kustomization.yaml"), kustomization)
            .write(&format!("{side}/one/p.yaml"), "# nothing\n")
            .write(&format!("{side}/two/p.yaml"), DENY);
        let link = sandbox.path(&format!("{side}/two/kustomization.yaml"));
        symlink("../one/kustomization.yaml", link).unwrap();
    }
    sandbox.run("diff before after --fail-on any").ends(0);
    sandbox.write("after/one/kustomization.yaml", format!("{kustomization}namespace: other\n"));
    sandbox.run("diff before after --fail-on any").ends(11);
}

/// Argo CD goes through links; where nothing does that here, what they lead to counts.
#[test]
fn what_is_deployed_through_a_link() {
    let sandbox = Sandbox::new();
    sandbox.init("r").write("r/apps/web/p.txt", "# nothing\n").write(
        "r/argo/web.yaml",
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web}\n\
         spec: {source: {repoURL: 'https://git.example/r', path: apps/current}, \
         destination: {name: prod, namespace: shop}}\n",
    );
    symlink("web", sandbox.path("r/apps/current")).unwrap();
    sandbox.commit("r", "one");
    sandbox.run("diff --git HEAD --repo r --fail-on any").ends(0);
    sandbox.write("r/apps/web/p.txt", OPEN);
    sandbox.run("diff --git HEAD --repo r --fail-on any").ends(11);
}

#[test]
fn a_chart_is_built_of_what_its_links_lead_to() {
    if tool(&["helm"]).is_none() {
        return;
    }
    let sandbox = Sandbox::new();
    let helper = |policy: &str| format!("{{{{ define \"policy\" }}}}\n{policy}{{{{ end }}}}\n");
    for (side, policy) in [("before", DENY), ("after", OPEN)] {
        sandbox
            .write(&format!("{side}/{}", CHART.0), CHART.1)
            .write(&format!("{side}/{}", TEMPLATE.0), TEMPLATE.1)
            .write(&format!("{side}/texts/help.txt"), helper(policy));
        let link = sandbox.path(&format!("{side}/app/templates/_help.tpl"));
        symlink("../../texts/help.txt", link).unwrap();
        // Nothing reads it.
        symlink("../nowhere.md", sandbox.path(&format!("{side}/README.md"))).unwrap();
    }
    let run = sandbox.run("diff before after --format json --fail-on any");
    assert_eq!(run.ends(10).not_evaluated(), "");
}

/// Nothing is built, and manifests with other names are read by nobody.
#[test]
fn where_nothing_is_built() {
    const RUN: &str = "diff before after --render never --fail-on any";
    for changed in ["more.txt", "patch.txt"] {
        let sandbox = Sandbox::new();
        for side in ["before", "after"] {
            patched(&sandbox, side);
            sandbox.write(&format!("{side}/app/more.txt"), "# nothing\n");
        }
        sandbox.run(RUN).ends(0);
        sandbox.write("after/app/README.txt", "words\n");
        sandbox.run(RUN).ends(0);
        sandbox.write(&format!("after/app/{changed}"), OPEN);
        sandbox.run(RUN).ends(11);
    }
    each(|sandbox, way| {
        write(sandbox, "before", way);
        write(sandbox, "after", way);
        sandbox.run(RUN).ends(0);
        sandbox.write(&format!("after/{}", way.counts), OPEN);
        sandbox.run(RUN).ends(11);
    });
}
