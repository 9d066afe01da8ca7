//! `serve`: what it is told, and the policies that come with it.

use crate::sandbox::Sandbox;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn what_is_missing_is_said_before_anything_is_served() {
    let sandbox = Sandbox::new();
    sandbox.write("key.pem", "no key").write("secret", "s\n").write("empty", "\n");
    for (arguments, code, said) in [
        ("serve", 2, "--app-id N"),
        ("serve --app-id x", 2, "'x'"),
        ("serve --app-id 1", 2, "--private-key-file FILE"),
        ("serve --app-id 1 --private-key-file nowhere", 4, "`nowhere`"),
        ("serve --app-id 1 --private-key-file key.pem", 2, "--webhook-secret-file FILE"),
        (
            "serve --app-id 1 --private-key-file key.pem --webhook-secret-file empty",
            2,
            "webhook secret",
        ),
        (
            "serve --app-id 1 --private-key-file key.pem --webhook-secret-file secret --workers 0",
            2,
            "1..=512",
        ),
        ("serve --public-url reviews.example.com", 2, "https://reviews.example.com"),
        ("serve --list-dead --database sqlite:nowhere.db", 4, "open the queue's database"),
        ("serve --list-dead --check-config", 2, "cannot be used with"),
    ] {
        sandbox.run(arguments).ends(code).says(said).prints_nothing();
    }
}

#[test]
fn a_configuration_is_tried_out() {
    let sandbox = Sandbox::new();
    sandbox.write("key.pem", "no key").write("secret", "s\n");
    let tried = sandbox.run(
        "serve --check-config --app-id 1 --private-key-file key.pem --webhook-secret-file secret --listen 127.0.0.1:0 \
         --github-url http://127.0.0.1:9 --public-url https://reviews.example.com/netpol/",
    );
    let out = &tried.ends(2).stdout;
    assert!(out.contains("ok      the queue's database can be used"), "{out}");
    assert!(out.contains("wrong   could not use the App's private key at `key.pem`"), "{out}");
    let pages =
        "ok      checks link to report pages at `https://reviews.example.com/netpol/reports/`";
    assert!(out.contains(pages), "{out}");
}

#[test]
fn the_policies_of_the_server_pass_its_own_review() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("before")).expect("a folder");
    sandbox.write(
        "before/namespace.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n",
    );
    let directory = format!("{REPOSITORY}/deploy/kubernetes");
    let lint = sandbox.run(&format!("lint {directory} --persona auditor"));
    assert!(lint.ends(0).stdout.contains("no findings"), "{}", lint.stdout);
    let diff = sandbox.run(&format!("diff before {directory} --fail-on high"));
    diff.ends(0);
}
