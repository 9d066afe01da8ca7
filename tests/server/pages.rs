//! Report pages: from a review to what a browser is shown.

use crate::house::{House, REPOSITORY, Running, commit};
use crate::queue::{databases, on_each};
use crate::server::{Fault, When};
use crate::world::{ANY, WEB};
use netpol_review::server::Options;
use netpol_review::server::queue::Queue;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Where browsers are told to go: a proxy that takes off its path.
const PUBLIC: &str = "https://reviews.example.com/netpol";

/// What a browser gets.
struct Shown {
    status: u16,
    /// In small letters.
    headers: String,
    body: String,
}

fn ask(running: &Running, method: &str, path: &str) -> Shown {
    let address = running.address();
    let mut stream = TcpStream::connect(&address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Shown { status: status.expect("a status"), headers: head.to_lowercase(), body: body.into() }
}

fn options(house: &House) -> Options {
    Options { public_url: Some(PUBLIC.parse().expect("an address")), ..house.options() }
}

/// The path, on the server, of the page to which the last concluded check of a head links.
fn path_of(house: &House, head: &str) -> String {
    let link = house.concluded(head).pop().expect("a check").details_url.expect("a link");
    let path = link.strip_prefix(PUBLIC).unwrap_or_else(|| panic!("{link}"));
    assert!(path.starts_with("/reports/"), "{link}");
    path.to_string()
}

/// The path of the pull request's page, once it is reviewed.
fn reviewed(house: &House) -> String {
    house.expect_one_review("failure");
    path_of(house, &house.head())
}

#[test]
fn the_check_links_to_a_page_that_shows_what_opens() {
    for database in databases() {
        let house = House::new();
        let running =
            house.start_with(Options { database: database.url.clone(), ..options(&house) });
        let path = reviewed(&house);
        let shown = ask(&running, "GET", &path);
        assert_eq!(shown.status, 200, "{}", shown.body);
        // The row of the comment, at its anchor, and the lines that opened it.
        let comment = house.github.comments(REPOSITORY, 1).remove(0).body;
        let anchor = shown.body.split_once("id=\"f-").expect("a row").1;
        let (print, _) = anchor.split_once('"').expect("a fingerprint");
        assert!(print.len() == 32 && comment.contains(print), "{print}\n{comment}");
        assert!(shown.body.contains("namespaceSelector: {}"), "{}", shown.body);
        assert!(shown.body.contains("shop/manifests #1"), "{}", shown.body);
        // Places lead where the comment's lead.
        let link = comment.split(['(', ')', '<', '>']);
        let mut link =
            link.filter(|link| link.contains("/blob/") && link.contains("policy.yaml#L"));
        let link = link.next().expect("a link to a line");
        assert!(shown.body.contains(&format!("href=\"{link}\"")), "{link}\n{}", shown.body);
        for header in [
            "content-type: text/html; charset=utf-8",
            "content-security-policy: default-src 'none'; style-src 'sha256-",
            "frame-ancestors 'none'",
            "referrer-policy: no-referrer",
            "x-content-type-options: nosniff",
            "cache-control: private, no-store",
            "x-robots-tag: noindex",
            "x-frame-options: deny",
        ] {
            assert!(shown.headers.contains(header), "{header}\n{}", shown.headers);
        }
        let head = ask(&running, "HEAD", &path);
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        assert_eq!(ask(&running, "POST", &path).status, 405);
        assert_eq!(ask(&running, "DELETE", &path).status, 405);
        let metrics = ask(&running, "GET", "/metrics").body;
        for count in ["{result=\"kept\"} 1", "{result=\"shown\"} 2"] {
            assert!(metrics.contains(&format!("netpol_review_pages_total{count}")), "{metrics}");
        }
        running.end();
    }
}

#[test]
fn a_link_that_the_server_did_not_make_leads_nowhere() {
    let house = House::new();
    let running = house.start_with(options(&house));
    let path = reviewed(&house);
    assert_eq!(ask(&running, "GET", &path).status, 200);
    // A second page, whose signature is another.
    let base = house.world.git(&["rev-parse", "refs/heads/main"]);
    let merge = house.world.git(&["rev-parse", "refs/pull/1/merge"]);
    let event = house.github.merge_group_event(REPOSITORY, ["main", &base], ["queue", &merge]);
    house.github.send(&event);
    house.until("its check is concluded", || !house.concluded(&merge).is_empty());
    let other = path_of(&house, &merge);
    assert_eq!(ask(&running, "GET", &other).status, 200, "a group of a merge queue has one too");
    let parts = |path: &str| -> [String; 2] {
        let (id, signature) = path.strip_prefix("/reports/").unwrap().split_once('/').unwrap();
        [id.to_string(), signature.to_string()]
    };
    let ([id, signature], [other_id, other_signature]) = (parts(&path), parts(&other));
    assert_ne!(id, other_id);
    let changed = |text: &str, at: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let last = signature.len() - 1;
    let wrong = [
        format!("{id}/{other_signature}"),
        format!("{other_id}/{signature}"),
        format!("{id}/{}", changed(&signature, 0)),
        format!("{id}/{}", changed(&signature, last)),
        format!("{id}/{}", &signature[..last]),
        format!("{id}/{signature}A"),
        format!("{id}/{signature}="),
        format!("{id}/{signature}/"),
        format!("{id}/{id}"),
        format!("{}/{signature}", changed(&id, 0)),
        format!("{id}/"),
        id.clone(),
        format!("/{signature}"),
        "%ff/%00".to_string(),
        "..%2f..%2fmetrics/x".to_string(),
    ];
    let answers: Vec<Shown> =
        wrong.iter().map(|rest| ask(&running, "GET", &format!("/reports/{rest}"))).collect();
    for (rest, shown) in wrong.iter().zip(&answers) {
        assert_eq!(shown.status, 404, "{rest}");
        assert_eq!(shown.body, answers[0].body, "{rest}");
        assert!(shown.headers.contains("content-security-policy: default-src 'none'"), "{rest}");
    }
    // One that was made, of a page that is gone, has the same answer.
    let queue = running.server.as_ref().expect("it runs").queue().clone();
    running.block_on(queue.prune_pages(Duration::from_secs(3600), 0)).expect("pruned");
    let gone = ask(&running, "GET", &path);
    assert_eq!((gone.status, &gone.body), (404, &answers[0].body));
    running.end();
}

#[test]
fn without_an_address_for_browsers_there_is_no_page() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    let check = house.concluded(&house.head()).remove(0);
    assert_eq!(check.details_url, None);
    assert_eq!(ask(&running, "GET", "/reports/a/b").status, 404);
    assert!(!ask(&running, "GET", "/metrics").body.contains("netpol_review_pages_total{"));
    running.end();
}

#[test]
fn links_outlive_the_server() {
    let house = House::new();
    let running = house.start_with(options(&house));
    let path = reviewed(&house);
    let before = ask(&running, "GET", &path);
    running.end();
    let running = house.start_with(options(&house));
    let after = ask(&running, "GET", &path);
    assert_eq!((after.status, after.body), (200, before.body));
    running.end();
}

/// Another database has another key, also for the same pull request.
#[test]
fn a_link_is_of_one_database() {
    let house = House::new();
    let running = house.start_with(options(&house));
    let path = reviewed(&house);
    running.end();
    let database = format!("sqlite:{}", house.folder.path().join("other.db").display());
    let running = house.start_with(Options { database, ..options(&house) });
    assert_eq!(ask(&running, "GET", &path).status, 404);
    let run = house.concluded(&house.head())[0].id;
    house.github.send(&house.github.check_run_event(REPOSITORY, run, "somebody"));
    house.until("a second check", || house.concluded(&house.head()).len() == 2);
    assert_ne!(path_of(&house, &house.head()), path);
    running.end();
}

#[test]
fn a_later_review_of_a_head_takes_the_place_of_its_page_and_a_newer_head_has_its_own() {
    let house = House::new();
    house.github.edit_pull(REPOSITORY, 1, |pull| pull.title = "Let them in".into());
    let running = house.start_with(options(&house));
    let path = reviewed(&house);
    assert!(ask(&running, "GET", &path).body.contains("Let them in"));
    house.github.edit_pull(REPOSITORY, 1, |pull| pull.title = "Let everybody in".into());
    let first = house.head();
    let run = house.concluded(&first)[0].id;
    house.github.send(&house.github.check_run_event(REPOSITORY, run, "somebody"));
    house.until("a second check", || house.concluded(&first).len() == 2);
    assert_eq!(path_of(&house, &first), path);
    assert!(ask(&running, "GET", &path).body.contains("Let everybody in"));
    commit(&house.world, "feature", WEB);
    house.github.refresh_pull(REPOSITORY, 1);
    house.github.send(&house.github.synchronize_event(REPOSITORY, 1, &first));
    house.until("the newer head's check", || !house.concluded(&house.head()).is_empty());
    let newer = path_of(&house, &house.head());
    assert_ne!(newer, path);
    assert!(!ask(&running, "GET", &newer).body.contains("id=\"f-"), "nothing opens there");
    assert!(ask(&running, "GET", &path).body.contains("id=\"f-"), "the older one stays");
    running.end();
}

#[test]
fn what_the_author_wrote_is_only_shown() {
    let house = House::new();
    let title = "</title><script>alert(1)</script>\u{202e}<img src=x onerror=y>";
    house.github.edit_pull(REPOSITORY, 1, |pull| pull.title = title.into());
    let policy = crate::world::shop(ANY).remove(2).1.replace("name: db\n", "name: db2\n");
    let hostile = "shop/\"><script>alert(2)<.yaml";
    let text = format!("# <script>alert(3)</script>\n{policy}");
    house.world.commit("feature", &[(hostile, Some(text.as_str()))]);
    house.github.refresh_pull(REPOSITORY, 1);
    let running = house.start_with(options(&house));
    let path = reviewed(&house);
    let shown = ask(&running, "GET", &path);
    assert_eq!(shown.status, 200);
    assert!(!shown.body.contains("<script") && !shown.body.contains("<img"), "{}", shown.body);
    assert!(!shown.body.contains('\u{202e}'), "{}", shown.body);
    for kept in ["&lt;script&gt;alert(1)", "&lt;script&gt;alert(2)", "&lt;script&gt;alert(3)"] {
        assert!(shown.body.contains(kept), "{kept}\n{}", shown.body);
    }
    assert!(path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_".contains(&b)), "{path}");
    running.end();
}

#[test]
fn a_page_that_cannot_be_kept_takes_nothing_from_the_review() {
    let house = House::new();
    house.github.edit_pull(REPOSITORY, 1, |pull| pull.closed = true);
    let running = house.start_with(options(&house));
    running.block_on(async {
        sqlx::any::install_default_drivers();
        let pool = sqlx::AnyPool::connect(&options(&house).database).await.expect("a database");
        sqlx::query("DROP TABLE pages").execute(&pool).await.expect("dropped");
        pool.close().await;
    });
    house.github.edit_pull(REPOSITORY, 1, |pull| pull.closed = false);
    house.github.send(&house.github.pull_event(REPOSITORY, 1, "reopened"));
    house.expect_one_review("failure");
    let check = house.concluded(&house.head()).remove(0);
    assert_eq!(check.details_url, None);
    let metrics = ask(&running, "GET", "/metrics").body;
    assert!(metrics.contains("netpol_review_pages_total{result=\"not kept\"} 1"), "{metrics}");
    running.end();
}

#[test]
fn an_address_that_github_does_not_take_does_not_hold_the_check() {
    let house = House::new();
    house.github.fault(When::is("PATCH", "/check-runs/"), Fault::Status(422));
    let running = house.start_with(options(&house));
    house.expect_one_review("failure");
    let check = house.concluded(&house.head()).remove(0);
    assert_eq!(check.details_url, None);
    running.end();
}

#[test]
fn old_pages_go_and_the_oldest_where_they_take_too_much_room() {
    on_each(|url| async move {
        let queue = Queue::open(&url, "a").await.expect("a queue");
        let (day, much) = (Duration::from_secs(86_400), i64::MAX);
        for id in ["first", "second", "third"] {
            queue.keep_page(id, &id.repeat(10)).await.expect("kept");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let there = async || {
            let mut there = Vec::new();
            for id in ["first", "second", "third"] {
                let page = queue.page(id).await.expect("asked");
                assert!(page.as_ref().is_none_or(|page| page.starts_with(id)), "{page:?}");
                there.push(page.is_some());
            }
            there
        };
        queue.prune_pages(day, much).await.expect("pruned");
        assert_eq!(there().await, [true, true, true]);
        // Whoever is kept anew is young again.
        queue.keep_page("first", "first, and longer than before").await.expect("kept");
        queue.prune_pages(day, 29 + 50).await.expect("pruned");
        assert_eq!(there().await, [true, false, true]);
        queue.prune_pages(day, 29 + 49).await.expect("pruned");
        assert_eq!(there().await, [true, false, false]);
        tokio::time::sleep(Duration::from_millis(5)).await;
        queue.prune_pages(Duration::from_millis(2), much).await.expect("pruned");
        assert_eq!(there().await, [false, false, false]);
        assert_eq!(queue.page("never").await.expect("asked"), None);
    });
}

#[test]
fn servers_of_one_database_have_one_key() {
    on_each(|url| async move {
        let queue = Queue::open(&url, "a").await.expect("a queue");
        let asked = (0..8).map(|n| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.secret("pages", &format!("key {n}")).await })
        });
        let mut keys = std::collections::BTreeSet::new();
        for one in asked.collect::<Vec<_>>() {
            keys.insert(one.await.expect("it ran").expect("a key"));
        }
        assert_eq!(keys.len(), 1, "{keys:?}");
        assert_eq!(queue.secret("other", "another").await.expect("a key"), "another");
    });
}
