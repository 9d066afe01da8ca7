//! What the test GitHub says to Apps: their JSON Web Tokens, their installations, tokens and rights.

use crate::client::{self, Answer};
use crate::server::{Access, App, AppKey, Permissions};
use crate::shop::{SHOP, Shop, git};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::sync::OnceLock;

pub const APP: u64 = 4711;
pub const INSTALLATION: u64 = 77;
pub const OTHER: &str = "octo/other";
pub const WEBHOOK_SECRET: &str = "a secret of the App";

/// Two pairs, made once.
fn keys() -> &'static [AppKey; 2] {
    static KEYS: OnceLock<[AppKey; 2]> = OnceLock::new();
    KEYS.get_or_init(|| [AppKey::generate(), AppKey::generate()])
}

/// What the README of the App asks for.
fn permissions() -> Permissions {
    Permissions {
        contents: Access::Read,
        members: Access::Read,
        merge_queues: Access::Read,
        ..Permissions::all(Access::Write)
    }
}

/// The shop, in an installation of an App together with another repository.
pub fn open() -> Shop {
    let shop = Shop::open();
    let bare = shop.directory.path().join("shop.git");
    shop.github.add_repository(OTHER, &bare);
    shop.github.add_repository("octo/hidden", &bare);
    shop.github.add_app(App {
        id: APP,
        slug: "reviewer".into(),
        public_keys: vec![keys()[0].public_pem.clone()],
        webhook_secret: WEBHOOK_SECRET.into(),
        webhook_url: String::new(),
    });
    shop.github.add_installation(INSTALLATION, "octo", &[SHOP, OTHER], permissions());
    shop
}

fn signed(claims: &Value, key: &AppKey) -> String {
    let header = Header::new(Algorithm::RS256);
    let key = EncodingKey::from_rsa_pem(key.private_pem.as_bytes()).unwrap();
    jsonwebtoken::encode(&header, claims, &key).unwrap()
}

/// Claims that are issued and end so many seconds from now.
fn claims(issued: i64, end: i64) -> Value {
    let now = Utc::now().timestamp();
    json!({"iss": APP, "iat": now + issued, "exp": now + end})
}

/// A good JSON Web Token.
pub fn jwt() -> String {
    signed(&claims(-60, 540), &keys()[0])
}

pub fn call(shop: &Shop, secret: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
    client::send(shop.github.url(), secret, method, path, body.as_ref()).unwrap()
}

fn get(shop: &Shop, secret: &str, path: &str) -> Answer {
    call(shop, secret, "GET", path, None)
}

fn mint(shop: &Shop, wishes: Option<Value>) -> Answer {
    let path = format!("/app/installations/{INSTALLATION}/access_tokens");
    call(shop, &jwt(), "POST", &path, wishes)
}

pub fn token(shop: &Shop, wishes: Value) -> String {
    mint(shop, Some(wishes)).is(201).json()["token"].as_str().unwrap().to_string()
}

fn message(answer: &Answer) -> String {
    answer.json()["message"].as_str().unwrap_or_default().to_string()
}

#[test]
fn a_json_web_token_is_refused_for_each_of_its_faults() {
    let shop = open();
    let [known, unknown] = keys();
    let good = get(&shop, &jwt(), "/app").is(200).json();
    assert_eq!((&good["id"], &good["slug"]), (&json!(APP), &json!("reviewer")));
    assert_eq!(good["permissions"]["contents"], "read");
    // An id as text and one as client id are good too, and so is the last second.
    for issuer in [json!(APP.to_string()), good["client_id"].clone()] {
        let mut claims = claims(-60, 590);
        claims["iss"] = issuer;
        get(&shop, &signed(&claims, known), "/app").is(200);
    }
    let with = |field: &str, value: Value| {
        let mut claims = claims(-60, 540);
        claims[field] = value;
        signed(&claims, known)
    };
    let half = jwt();
    let half = half.rsplit_once('.').unwrap().0;
    for (secret, said) in [
        (signed(&claims(-60, 540), unknown), "could not be decoded"),
        (format!("{half}.AAAA"), "could not be decoded"),
        (format!("e30.e30.{}", "AAAA"), "'iss'"),
        ("a.b.c".to_string(), "could not be decoded"),
        (with("iss", json!(4712)), "Integration not found"),
        (with("iss", Value::Null), "'iss'"),
        (signed(&claims(-60, 640), known), "too far in the future"),
        (signed(&claims(-700, -5), known), "'exp') must be"),
        (signed(&claims(30, 540), known), "'iat') must be"),
        (with("exp", json!("soon")), "'exp') must be"),
        (String::new(), "could not be decoded"),
        ("ghs_nobody".to_string(), "could not be decoded"),
        (token(&shop, json!({})), "could not be decoded"),
    ] {
        let answer = get(&shop, &secret, "/app").is(401);
        assert!(message(&answer).contains(said), "{} has no {said}", answer.body);
    }
    // GitHub Enterprise has a prefix.
    get(&shop, &jwt(), "/api/v3/app").is(200);
    // Not everything is for an App itself.
    get(&shop, &jwt(), &format!("/repos/{SHOP}")).is(401);
    get(&shop, &jwt(), "/installation/repositories").is(403);
    shop.github.finish();
}

#[test]
fn keys_are_rotated() {
    let shop = open();
    let [old, new] = keys();
    let ask = |key: &AppKey| get(&shop, &signed(&claims(-60, 540), key), "/app").status;
    assert_eq!((ask(old), ask(new)), (200, 401));
    shop.github.edit_app(APP, |app| app.public_keys.push(new.public_pem.clone()));
    assert_eq!((ask(old), ask(new)), (200, 200));
    shop.github.edit_app(APP, |app| app.public_keys.retain(|key| *key == new.public_pem));
    assert_eq!((ask(old), ask(new)), (401, 200));
    shop.github.finish();
}

#[test]
fn the_clock_is_the_servers() {
    let shop = open();
    let token = token(&shop, json!({}));
    let date = |answer: &Answer| {
        let date = DateTime::parse_from_rfc2822(answer.header("date").unwrap()).unwrap();
        date.timestamp() - Utc::now().timestamp()
    };
    let answer = get(&shop, &token, &format!("/repos/{SHOP}")).is(200);
    assert!(date(&answer).abs() <= 2, "{}", date(&answer));
    // Half an hour later the token is good, and a token issued by this machine's clock too old.
    shop.github.shift_clock(1800);
    get(&shop, &token, &format!("/repos/{SHOP}")).is(200);
    let answer = get(&shop, &jwt(), "/app").is(401);
    assert!(message(&answer).contains("'exp') must be"), "{}", answer.body);
    assert!((date(&answer) - 1800).abs() <= 2, "{}", date(&answer));
    // By the time of the header it is good.
    get(&shop, &signed(&claims(1800 - 60, 1800 + 540), &keys()[0]), "/app").is(200);
    // What is written counts events, unless it is to have the time.
    let written = |id: u64| {
        let comments = shop.github.comments(SHOP, 1);
        let comment = comments.iter().find(|comment| comment.id == id).unwrap();
        DateTime::parse_from_rfc3339(&comment.created_at).unwrap().timestamp()
    };
    let ahead = Utc::now().timestamp() + 1800;
    assert!(written(shop.github.add_comment(SHOP, 1, "chief", "once")) < 1_767_225_600 + 1000);
    shop.github.use_real_times();
    assert!((written(shop.github.add_comment(SHOP, 1, "chief", "now")) - ahead).abs() <= 2);
    // An hour and more later the token has ended, for git as well.
    shop.github.shift_clock(1801);
    let answer = get(&shop, &token, &format!("/repos/{SHOP}")).is(401);
    assert_eq!(message(&answer), "Bad credentials");
    assert!(fetch(&shop, &token, SHOP).is_err());
    // Behind: everything from here was issued in the future.
    shop.github.shift_clock(-7200);
    let answer = get(&shop, &jwt(), "/app").is(401);
    assert!(message(&answer).contains("'iat') must be"), "{}", answer.body);
    shop.github.finish();
}

#[test]
fn a_token_is_narrowed_and_says_to_what() {
    let shop = open();
    let before = Utc::now().timestamp();
    let answer = mint(&shop, None).is(201).json();
    let end = DateTime::parse_from_rfc3339(answer["expires_at"].as_str().unwrap()).unwrap();
    assert!((3600..=3602).contains(&(end.timestamp() - before)), "{end}");
    assert_eq!(answer["permissions"]["checks"], "write");
    let wishes =
        json!({"repositories": ["shop"], "permissions": {"contents": "read", "checks": "read"}});
    let answer = mint(&shop, Some(wishes)).is(201).json();
    // Reading metadata is part of any token.
    let given = json!({"contents": "read", "checks": "read", "metadata": "read"});
    assert_eq!(answer["permissions"], given);
    assert_eq!(answer["repositories"][0]["full_name"], SHOP);
    let id = &answer["repositories"][0]["id"];
    mint(&shop, Some(json!({"repository_ids": [id]}))).is(201);
    for (wishes, said) in [
        (json!({"repositories": ["hidden"]}), "at least one repository"),
        (json!({"repositories": ["shop", "nothing"]}), "at least one repository"),
        (json!({"repositories": [SHOP]}), "at least one repository"),
        (json!({"repository_ids": [1]}), "at least one repository"),
        (json!({"permissions": {"contents": "write"}}), "permissions requested"),
        (json!({"permissions": {"pages": "read"}}), "permissions requested"),
    ] {
        let answer = mint(&shop, Some(wishes)).is(422);
        assert!(message(&answer).contains(said), "{}", answer.body);
    }
    let mints = shop.github.mints();
    let narrowed: Vec<Option<Vec<String>>> =
        mints.iter().map(|mint| mint.repositories.clone()).collect();
    let one = Some(vec![SHOP.to_string()]);
    assert_eq!(narrowed, [None, one.clone(), one]);
    assert_eq!(mints[1].permissions.checks, Access::Read);
    assert!(mints.iter().all(|mint| mint.installation == INSTALLATION));
    shop.github.finish();
}

/// Fetches the head of the pull request into a fresh repository.
fn fetch(shop: &Shop, secret: &str, repository: &str) -> Result<String, String> {
    let into = shop.directory.path().join("fetched");
    std::fs::remove_dir_all(&into).ok();
    git(shop.directory.path(), &["init", "-q", "fetched"]).unwrap();
    let url = shop.github.git_url(repository);
    let url = url.replace("http://", &format!("http://x-access-token:{secret}@"));
    git(&into, &["fetch", "-q", "--depth=1", &url, "refs/heads/feature"])
}

#[test]
fn a_token_shows_and_does_what_it_was_narrowed_to() {
    let shop = open();
    let narrow =
        token(&shop, json!({"repositories": ["shop"], "permissions": {"checks": "write"}}));
    let shown = get(&shop, &narrow, "/installation/repositories").is(200).json();
    assert_eq!(
        (&shown["total_count"], &shown["repositories"][0]["full_name"]),
        (&json!(1), &json!(SHOP))
    );
    get(&shop, &narrow, &format!("/repos/{SHOP}")).is(200);
    get(&shop, &narrow, &format!("/repos/{OTHER}")).is(404);
    let answer = get(&shop, &narrow, &format!("/repos/{SHOP}/pulls/1")).is(403);
    assert_eq!(message(&answer), "Resource not accessible by integration");
    assert!(fetch(&shop, &narrow, SHOP).is_err(), "it may not read contents");
    let whole = token(&shop, json!({}));
    get(&shop, &whole, &format!("/repos/{OTHER}/pulls")).is(200);
    get(&shop, &whole, "/repos/octo/hidden").is(404);
    fetch(&shop, &whole, SHOP).unwrap();
    fetch(&shop, &whole, OTHER).unwrap();
    assert!(fetch(&shop, &whole, "octo/hidden").is_err());
    // Who it is.
    let answer = get(&shop, &whole, "/user").is(403);
    assert_eq!(message(&answer), "Resource not accessible by integration");
    let query = json!({"query": "query { viewer { login } }"});
    let viewer = call(&shop, &whole, "POST", "/graphql", Some(query)).is(200).json();
    assert_eq!(viewer["data"]["viewer"]["login"], "reviewer[bot]");
    // What it lost since.
    shop.github.remove_from_installation(INSTALLATION, OTHER);
    get(&shop, &whole, &format!("/repos/{OTHER}")).is(404);
    shop.github.add_to_installation(INSTALLATION, OTHER);
    get(&shop, &whole, &format!("/repos/{OTHER}")).is(200);
    shop.github.set_permissions(INSTALLATION, Permissions::all(Access::None));
    get(&shop, &whole, &format!("/repos/{SHOP}/pulls/1")).is(403);
    shop.github.finish();
}

#[test]
fn installations_are_suspended_and_deleted() {
    let shop = open();
    let token = token(&shop, json!({}));
    shop.github.suspend_installation(INSTALLATION);
    let answer = mint(&shop, None).is(403);
    assert_eq!(message(&answer), "This installation has been suspended");
    get(&shop, &token, &format!("/repos/{SHOP}")).is(403);
    assert!(fetch(&shop, &token, SHOP).is_err());
    let path = format!("/app/installations/{INSTALLATION}");
    assert_ne!(get(&shop, &jwt(), &path).is(200).json()["suspended_at"], Value::Null);
    shop.github.unsuspend_installation(INSTALLATION);
    get(&shop, &token, &format!("/repos/{SHOP}")).is(200);
    let shown = get(&shop, &jwt(), &path).is(200).json();
    assert_eq!(
        (&shown["suspended_at"], &shown["account"]["login"]),
        (&Value::Null, &json!("octo"))
    );
    shop.github.delete_installation(INSTALLATION);
    mint(&shop, None).is(404);
    get(&shop, &jwt(), &path).is(404);
    get(&shop, &token, &format!("/repos/{SHOP}")).is(401);
    assert_eq!(get(&shop, &jwt(), "/app/installations").is(200).json(), json!([]));
    shop.github.finish();
}

/// The address of the next page.
pub fn next(answer: &Answer, url: &str) -> Option<String> {
    let link = answer.header("link")?.split(", ").find(|link| link.ends_with("rel=\"next\""))?;
    let address = link.trim_start_matches('<').split('>').next()?;
    Some(address.strip_prefix(url).unwrap().to_string())
}

#[test]
fn lists_come_in_pages() {
    let shop = open();
    for id in 0..5 {
        shop.github.add_installation(100 + id, "someone", &[], permissions());
    }
    let mut path = Some("/app/installations?per_page=2".to_string());
    let mut seen = Vec::new();
    while let Some(page) = path {
        let answer = get(&shop, &jwt(), &page).is(200);
        path = next(&answer, shop.github.url());
        let page = answer.json();
        seen.extend(page.as_array().unwrap().iter().map(|known| known["id"].as_u64().unwrap()));
    }
    assert_eq!(seen, [INSTALLATION, 100, 101, 102, 103, 104]);
    let secret = token(&shop, json!({}));
    let first = get(&shop, &secret, "/installation/repositories?per_page=1").is(200);
    assert_eq!(first.json()["repositories"].as_array().unwrap().len(), 1);
    let second = next(&first, shop.github.url()).unwrap();
    let second = get(&shop, &secret, &second).is(200);
    assert_eq!(second.json()["repositories"][0]["full_name"], SHOP);
    assert_eq!(next(&second, shop.github.url()), None);
    shop.github.finish();
}

#[test]
fn check_runs_name_their_app() {
    let shop = open();
    let secret = token(&shop, json!({"repositories": ["shop"]}));
    let sha = &shop.pull.head_sha;
    let body = json!({"name": "netpol-review", "head_sha": sha, "status": "in_progress"});
    let path = format!("/repos/{SHOP}/check-runs");
    let mine = call(&shop, &secret, "POST", &path, Some(body.clone())).is(201).json();
    assert_eq!((&mine["app"]["id"], &mine["app"]["slug"]), (&json!(APP), &json!("reviewer")));
    // The workflow's check of the same name is another app's.
    let other = shop.send("POST", "/check-runs", body).is(201).json();
    assert_ne!(other["app"]["id"], json!(APP));
    let path = format!("/repos/{SHOP}/commits/{sha}/check-runs?check_name=netpol-review");
    let all = get(&shop, &secret, &path).is(200).json();
    assert_eq!(all["total_count"], 2);
    let own = get(&shop, &secret, &format!("{path}&app_id={APP}")).is(200).json();
    assert_eq!((&own["total_count"], &own["check_runs"][0]["id"]), (&json!(1), &mine["id"]));
    let theirs = format!("/repos/{SHOP}/check-runs/{}", other["id"]);
    assert_eq!(get(&shop, &secret, &theirs).is(200).json()["app"]["slug"], "github-actions");
    let end = json!({"status": "completed", "conclusion": "success"});
    let answer = call(&shop, &secret, "PATCH", &theirs, Some(end)).is(403);
    assert!(message(&answer).contains("Invalid app_id"), "{}", answer.body);
    shop.github.finish();
}

#[test]
fn people_and_their_rights() {
    let shop = open();
    let secret = token(&shop, json!({}));
    shop.github.set_role(SHOP, "chief", "maintain");
    for (login, permission, role) in [("chief", "write", "maintain"), ("guest", "read", "read")] {
        let path = format!("/repos/{SHOP}/collaborators/{login}/permission");
        let answer = get(&shop, &secret, &path).is(200).json();
        assert_eq!(
            (&answer["permission"], &answer["role_name"]),
            (&json!(permission), &json!(role))
        );
    }
    shop.github.add_to_team("octo/network", "chief");
    let path = |team: &str, login: &str| format!("/orgs/{team}/memberships/{login}");
    let member = get(&shop, &secret, &path("octo/teams/network", "chief")).is(200).json();
    assert_eq!((&member["state"], &member["role"]), (&json!("active"), &json!("member")));
    get(&shop, &secret, &path("octo/teams/network", "guest")).is(404);
    get(&shop, &secret, &path("octo/teams/nothing", "chief")).is(404);
    get(&shop, &secret, &path("others/teams/network", "chief")).is(404);
    let blind = token(&shop, json!({"permissions": {"contents": "read"}}));
    get(&shop, &blind, &path("octo/teams/network", "chief")).is(403);
    shop.github.remove_from_team("octo/network", "chief");
    get(&shop, &secret, &path("octo/teams/network", "chief")).is(404);
    shop.github.finish();
}

#[test]
fn comments_reviews_files_and_pull_requests() {
    let shop = open();
    let secret = token(&shop, json!({}));
    let below = |path: &str| format!("/repos/{SHOP}{path}");
    let comment = shop.github.add_comment(SHOP, 1, "chief", "/netpol-review help");
    let shown = get(&shop, &secret, &below(&format!("/issues/comments/{comment}"))).is(200).json();
    assert_eq!(shown["user"]["login"], "chief");
    let react = |body: Value| {
        let path = below(&format!("/issues/comments/{comment}/reactions"));
        call(&shop, &secret, "POST", &path, Some(body))
    };
    let first = react(json!({"content": "eyes"})).is(201).json();
    assert_eq!(react(json!({"content": "eyes"})).is(200).json()["id"], first["id"]);
    assert_eq!(shop.github.state().repositories[SHOP].reactions.len(), 1);

    shop.github.add_review(SHOP, 1, "chief", "APPROVED");
    let reviews = get(&shop, &secret, &below("/pulls/1/reviews")).is(200).json();
    assert_eq!(
        (&reviews[0]["state"], &reviews[0]["commit_id"]),
        (&json!("APPROVED"), &json!(shop.pull.head_sha))
    );

    let files = get(&shop, &secret, &below("/pulls/1/files")).is(200).json();
    let few: Vec<[&Value; 4]> = files
        .as_array()
        .unwrap()
        .iter()
        .map(|file| ["filename", "status", "additions", "deletions"].map(|field| &file[field]))
        .collect();
    let [two, zero, one] = [json!(2), json!(0), json!(1)];
    let (a, gone) = (json!("a.txt"), json!("gone.txt"));
    let (modified, removed) = (json!("modified"), json!("removed"));
    assert_eq!(few, [[&a, &modified, &two, &two], [&gone, &removed, &zero, &one]]);
    assert!(files[0]["patch"].as_str().unwrap().starts_with("@@ -7,7 +7,7 @@"), "{files}");

    let (head, base) = (&shop.pull.head_sha, &shop.pull.base_sha);
    let of =
        |sha: &str| get(&shop, &secret, &below(&format!("/commits/{sha}/pulls"))).is(200).json();
    assert_eq!(of(head)[0]["number"], 1);
    assert_eq!(of(base), json!([]));
    let count = |query: &str| {
        let list = get(&shop, &secret, &below(&format!("/pulls?{query}"))).is(200).json();
        list.as_array().unwrap().len()
    };
    assert_eq!((count("base=main"), count("base=other"), count("head=octo:feature")), (1, 0, 1));
    assert_eq!(
        (count("head=fork:feature"), count("state=closed"), count("state=all&page=2")),
        (0, 0, 0)
    );
    shop.github.finish();
}

#[test]
fn each_installation_has_a_budget_of_its_own() {
    let shop = open();
    shop.github.add_repository("octo/third", &shop.directory.path().join("shop.git"));
    shop.github.add_installation(INSTALLATION + 1, "octo", &["octo/third"], permissions());
    let secret = token(&shop, json!({}));
    let path = format!("/app/installations/{}/access_tokens", INSTALLATION + 1);
    let other = call(&shop, &jwt(), "POST", &path, None).is(201).json();
    let other = other["token"].as_str().unwrap().to_string();
    let ask = |secret: &str| {
        let answer = get(&shop, secret, "/installation/repositories");
        let header = |name| answer.header(name).unwrap().parse::<i64>().unwrap();
        let left = header("x-ratelimit-reset") - Utc::now().timestamp();
        (answer.status, header("x-ratelimit-remaining"), left, message(&answer))
    };
    assert_eq!(ask(&secret).1, 4999);
    shop.github.set_budget(INSTALLATION, 1);
    assert_eq!(ask(&secret).1, 0);
    let (status, remaining, left, said) = ask(&secret);
    assert_eq!((status, remaining), (403, 0));
    assert!((3590..=3600).contains(&left), "{left}");
    assert_eq!(said, format!("API rate limit exceeded for installation ID {INSTALLATION}."));
    let (status, remaining, ..) = ask(&other);
    assert_eq!((status, remaining), (200, 4999));
    // The hour is over, and so is the token.
    shop.github.shift_clock(3601);
    assert_eq!(ask(&secret).0, 401);
    let now = signed(&claims(3601 - 60, 3601 + 540), &keys()[0]);
    let path = format!("/app/installations/{INSTALLATION}/access_tokens");
    let fresh = call(&shop, &now, "POST", &path, None).is(201).json();
    let (status, remaining, ..) = ask(fresh["token"].as_str().unwrap());
    assert_eq!((status, remaining), (200, 4999));
    shop.github.finish();
}
