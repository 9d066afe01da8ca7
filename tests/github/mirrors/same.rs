//! A review with a mirror comes to what one without comes to.

use super::{Folder, REPOSITORY, policy, review, shop_world};
use crate::renderers::kustomize;
use crate::scene::Scene;
use crate::world::{ANY, Files, WEB, World, shop};
use netpol_review::github::{Inputs, Outcome};

/// All that a review came to, but for what depends on the time.
fn told(outcome: &Outcome, scene: &Scene<'_>) -> String {
    let evaluated = &outcome.evaluated;
    format!(
        "{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}",
        evaluated.report,
        evaluated.gate,
        evaluated.notes,
        scene.comments(),
        scene.github.review_comments(REPOSITORY, 1),
    )
}

/// Repositories of every kind, and a change of each.
fn worlds() -> Vec<(&'static str, World)> {
    let simple = |name, base: Files<'_>, change: Files<'_>| {
        let world = World::new();
        let files = shop(WEB);
        let mut files: Vec<(&str, Option<&str>)> =
            files.iter().map(|(path, text)| (*path, Some(text.as_str()))).collect();
        files.extend(base);
        world.commit("main", &files);
        world.commit("feature", change);
        (name, world)
    };
    let any = policy(ANY);
    let other = |peers| policy(peers).replacen("name: db", "name: other", 1);
    let application = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop}\nspec:\n  source: \
         {repoURL: 'https://github.example/shop/manifests', path: chart, helm: {valueFiles: \
         [../values/prod.yaml]}}\n  destination: {name: prod, namespace: shop}\n";
    let template = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec:\n  podSelector: \
         {}\n  ingress: [{from: {{ toJson .Values.from }}}]\n{{ .Files.Get \"note.txt\" | indent 0 }}\n";
    let mut worlds = vec![
        simple("opened", &[], &[("shop/policy.yaml", Some(&any))]),
        simple("nothing", &[], &[("README.md", Some("x"))]),
        simple("deleted", &[], &[("shop/policy.yaml", None)]),
        simple("broken", &[], &[("shop/policy.yaml", Some("kind: NetworkPolicy\n  x"))]),
        simple(
            "configured",
            &[(".github/netpol-review.yml", Some("version: 1\npaths: [shop]\n"))],
            &[
                (".github/netpol-review.yml", Some("version: 1\nmode: warn\n")),
                ("shop/policy.yaml", Some(&any)),
                ("elsewhere/policy.yaml", Some(&any)),
            ],
        ),
        simple(
            "inventory",
            &[
                (".github/netpol-review.yml", Some("version: 1\ninventory: [cluster.txt]\n")),
                ("cluster.txt", Some("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")),
            ],
            &[("shop/policy.yaml", Some(&any))],
        ),
        simple("names", &[], &[("ä ö/\"p'\t.yaml", Some(&any)), ("-x.yaml", Some(&any))]),
        simple(
            "kustomized",
            &[
                (
                    "base/kustomization.yaml",
                    Some(
                        "resources: [p.yaml]\nconfigMapGenerator: [{name: c, files: [a.conf, b.conf]}]\n",
                    ),
                ),
                ("base/a.conf", Some("a")),
                ("base/b.conf", Some("b")),
                ("base/p.yaml", Some(&other(WEB))),
                ("over/prod/kustomization.yaml", Some("resources: [../../base]\n")),
            ],
            &[("base/p.yaml", Some(&other(ANY))), ("base/b.conf", Some("c"))],
        ),
        simple(
            "charts",
            &[
                ("apps/shop.yaml", Some(application)),
                ("chart/Chart.yaml", Some("apiVersion: v2\nname: c\nversion: 1.0.0\n")),
                ("chart/templates/p.yaml", Some(template)),
                ("chart/note.txt", Some("# note")),
                ("values/prod.yaml", Some("from: [{podSelector: {}}]\n")),
            ],
            &[("values/prod.yaml", Some("from: [{namespaceSelector: {}}]\n"))],
        ),
    ];
    // The base moved on, and both touched the same file.
    let (_, moved) = simple("", &[], &[("shop/policy.yaml", Some(&any))]);
    moved.commit("main", &[("shop/policy.yaml", Some(&format!("# moved\n{}", policy(WEB))))]);
    worlds.push(("moved", moved));
    // No merge is possible.
    let (_, conflict) = simple("", &[], &[("shop/policy.yaml", Some(&any))]);
    conflict.commit("main", &[("shop/policy.yaml", None)]);
    worlds.push(("conflict", conflict));
    // Links to manifests, to other files, out, and in circles; and a submodule.
    let (_, links) = simple("", &[("notes.txt", Some("n"))], &[("other.txt", Some("o"))]);
    for (path, target) in [
        ("a.yaml", "shop/policy.yaml"),
        ("b.yaml", "notes.txt"),
        ("c.yaml", "../../etc/passwd"),
        ("d.yaml", "/etc/passwd"),
        ("e.yaml", "e.yaml"),
        ("f.yaml", "a.yaml"),
        ("dir", "shop"),
    ] {
        std::os::unix::fs::symlink(target, links.bare().join("..").join(path)).expect("a link");
    }
    let head = links.git(&["rev-parse", "HEAD"]);
    links.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},sub")]);
    links.commit("feature", &[("notes.txt", Some("changed"))]);
    worlds.push(("links", links));
    worlds
}

#[test]
fn a_mirror_tells_what_a_fetch_of_everything_tells() {
    let built = kustomize().is_some();
    for (name, world) in worlds() {
        let scene = Scene::new(&world);
        let outcome = review(&scene, "1", &Inputs::default());
        let expected = told(&outcome, &scene);
        scene.github.finish();
        if name == "kustomized" && built {
            assert!(!outcome.evaluated.report.environments[0].opened.is_empty(), "{expected}");
        }
        let folder = Folder::new();
        for (round, most) in [("cold", 8), ("warm", 0)] {
            let scene = Scene::new(&world);
            let before = folder.mirrors.figures().fetches;
            let found = told(&review(&scene, "1", &folder.inputs()), &scene);
            assert_eq!(found, expected, "{name}, {round}");
            let fetches = folder.mirrors.figures().fetches - before;
            assert!(fetches <= most, "{name}, {round}: {fetches} fetches");
            scene.github.finish();
        }
        let folder = folder.again();
        let scene = Scene::new(&world);
        assert_eq!(told(&review(&scene, "1", &folder.inputs()), &scene), expected, "{name}, again");
        assert_eq!(folder.mirrors.figures().fetches, 0, "{name}");
        scene.github.finish();
    }
}

#[test]
fn what_builds_read_is_fetched_together() {
    let world = shop_world();
    let names: Vec<String> = (0..200).map(|number| format!("f{number}.conf")).collect();
    let list = format!(
        "resources: [p.yaml]\nconfigMapGenerator: [{{name: c, files: [{}]}}]\n",
        names.join(", ")
    );
    let paths: Vec<String> = names.iter().map(|name| format!("base/{name}")).collect();
    let mut files: Vec<(&str, Option<&str>)> =
        paths.iter().map(|path| (path.as_str(), Some(path.as_str()))).collect();
    let text = policy(WEB);
    files.extend([("base/kustomization.yaml", Some(&*list)), ("base/p.yaml", Some(&*text))]);
    world.commit("main", &files);
    world.git(&["checkout", "--quiet", "feature"]);
    world.git(&["rebase", "--quiet", "main"]);
    let scene = Scene::new(&world);
    let folder = Folder::new();
    let outcome = review(&scene, "1", &folder.inputs());
    assert_eq!(outcome.evaluated.report.result, netpol_review::report::Verdict::Widened);
    let fetches = folder.mirrors.figures().fetches;
    assert!(fetches <= 4, "{fetches} fetches");
    scene.github.finish();
}
