//! Events that the test GitHub sends to an App, and what it tells about them afterwards.

use crate::app::{APP, INSTALLATION, OTHER, WEBHOOK_SECRET, call, jwt, next, open, token};
use crate::server::{Pull, hooks};
use crate::shop::{SHOP, Shop};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Something that an App would be: takes events and answers them as it is told.
struct Ear {
    url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    /// What is answered next, the last one for ever. 0 is silence.
    answers: Arc<Mutex<Vec<u16>>>,
}

#[derive(Clone, Debug)]
struct Heard {
    headers: Vec<(String, String)>,
    body: String,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }
}

impl Ear {
    fn open(answers: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let answers = Arc::new(Mutex::new(answers.to_vec()));
        let (ears, mouth) = (Arc::clone(&heard), Arc::clone(&answers));
        // Ends with the test's process.
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                ears.lock().unwrap().push(hear(&mut stream));
                let status = {
                    let mut answers = mouth.lock().unwrap();
                    if answers.len() > 1 { answers.remove(0) } else { answers[0] }
                };
                if status == 0 {
                    silent.push(stream);
                    continue;
                }
                let answer =
                    format!("HTTP/1.1 {status} Said\r\ncontent-length: 2\r\nx-said: yes\r\n\r\nok");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Ear { url, heard, answers }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

fn hear(stream: &mut impl Read) -> Heard {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let length = stream.read(&mut piece).unwrap();
        bytes.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let heard = Heard { headers, body: body.to_string() };
        if heard.header("content-length").parse() == Ok(body.len()) {
            return heard;
        }
    }
}

fn listening(answers: &[u16]) -> (Shop, Ear) {
    let (shop, ear) = (open(), Ear::open(answers));
    shop.github.edit_app(APP, |app| app.webhook_url.clone_from(&ear.url));
    (shop, ear)
}

fn deliveries(shop: &Shop, query: &str) -> Vec<Value> {
    let path = format!("/app/hook/deliveries{query}");
    call(shop, &jwt(), "GET", &path, None).is(200).json().as_array().unwrap().clone()
}

#[test]
fn the_signature_is_githubs() {
    let documented = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let made = hooks::signature("It's a Secret to Everybody", b"Hello, World!");
    assert_eq!(made, format!("sha256={documented}"));
    assert_ne!(hooks::signature("It's a secret to everybody", b"Hello, World!"), made);
}

#[test]
fn an_event_arrives_with_its_headers() {
    let (shop, ear) = listening(&[202]);
    let sent = shop.github.send(&shop.github.pull_event(SHOP, 1, "opened"));
    assert_eq!((sent.status_code, sent.status.as_str(), sent.redelivery), (202, "OK", false));
    let heard = ear.heard().remove(0);
    for (name, value) in [
        ("X-GitHub-Event", "pull_request"),
        ("X-GitHub-Delivery", sent.guid.as_str()),
        ("X-GitHub-Hook-Installation-Target-ID", "4711"),
        ("X-GitHub-Hook-Installation-Target-Type", "integration"),
        ("Content-Type", "application/json"),
        ("X-Hub-Signature-256", &hooks::signature(WEBHOOK_SECRET, heard.body.as_bytes())),
    ] {
        assert_eq!(heard.header(name), value, "{name}");
    }
    assert!(heard.header("User-Agent").starts_with("GitHub-Hookshot/"));
    assert!(heard.header("X-GitHub-Hook-ID").parse::<u64>().is_ok());
    assert_eq!(sent.guid.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    let payload: Value = serde_json::from_str(&heard.body).unwrap();
    assert_eq!(payload["pull_request"]["head"]["sha"], shop.pull.head_sha);
    assert_eq!(
        (&payload["action"], &payload["installation"]["id"]),
        (&json!("opened"), &json!(INSTALLATION))
    );

    let listed = deliveries(&shop, "").remove(0);
    assert_eq!((&listed["guid"], &listed["event"]), (&json!(sent.guid), &json!("pull_request")));
    assert_eq!(
        (&listed["action"], &listed["installation_id"]),
        (&json!("opened"), &json!(INSTALLATION))
    );
    assert_eq!(listed["repository_id"], payload["repository"]["id"]);
    let path = format!("/app/hook/deliveries/{}", listed["id"]);
    let whole = call(&shop, &jwt(), "GET", &path, None).is(200).json();
    assert_eq!(whole["request"]["payload"], payload);
    assert_eq!(whole["response"]["headers"]["x-said"], "yes");
    call(&shop, &token(&shop, json!({})), "GET", &path, None).is(401);
    call(&shop, &jwt(), "GET", "/app/hook/deliveries/1", None).is(404);
    shop.github.finish();
}

#[test]
fn a_failed_delivery_is_asked_for_again_and_keeps_its_guid() {
    let (shop, ear) = listening(&[500, 202]);
    let event = shop.github.pull_event(SHOP, 1, "reopened");
    let failed = shop.github.send(&event);
    assert_eq!((failed.status_code, failed.status.as_str()), (500, "Invalid HTTP Response: 500"));
    shop.github.lose_events(1);
    let lost = shop.github.send(&event);
    assert_eq!((lost.status_code, ear.heard().len()), (502, 1));
    let good = shop.github.send(&event);
    let ids = |query: &str| -> Vec<u64> {
        deliveries(&shop, query).iter().map(|known| known["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids(""), [good.id, lost.id, failed.id]);
    assert_eq!(ids("?status=failure"), [lost.id, failed.id]);
    assert_eq!(ids("?status=success"), [good.id]);

    let path = format!("/app/hook/deliveries/{}/attempts", lost.id);
    call(&shop, &jwt(), "POST", &path, None).is(202);
    shop.github.wait_until_sent();
    let again = shop.github.deliveries().pop().unwrap();
    assert_eq!((&again.guid, again.redelivery, again.status_code), (&lost.guid, true, 202));
    assert!(again.id > good.id);
    let heard = ear.heard().pop().unwrap();
    assert_eq!(heard.header("X-GitHub-Delivery"), lost.guid);
    assert_eq!(serde_json::from_str::<Value>(&heard.body).unwrap(), event.payload);
    assert_eq!(shop.github.redeliver(&failed).guid, failed.guid);
    call(&shop, &jwt(), "POST", "/app/hook/deliveries/1/attempts", None).is(404);
    // Nobody listens.
    shop.github.edit_app(APP, |app| app.webhook_url = "http://127.0.0.1:9/hooks".into());
    assert_eq!(shop.github.send(&event).status_code, 502);
    shop.github.finish();
}

#[test]
fn deliveries_are_paged_by_a_cursor() {
    let (shop, _ear) = listening(&[200]);
    let event = shop.github.ping_event();
    let mut sent: Vec<u64> = (0..5).map(|_| shop.github.send(&event).id).collect();
    sent.reverse();
    let mut path = Some("/app/hook/deliveries?per_page=2".to_string());
    let (mut seen, mut pages) = (Vec::new(), 0);
    while let Some(page) = path {
        let answer = call(&shop, &jwt(), "GET", &page, None).is(200);
        path = next(&answer, shop.github.url());
        pages += 1;
        let page = answer.json();
        seen.extend(page.as_array().unwrap().iter().map(|known| known["id"].as_u64().unwrap()));
        // What comes meanwhile does not move the pages.
        shop.github.send(&event);
    }
    assert_eq!((seen, pages), (sent, 3));
    call(&shop, &jwt(), "GET", "/app/hook/deliveries?cursor=7", None).is(422);
    shop.github.finish();
}

#[test]
fn events_are_doubled_and_late_answers_are_failures() {
    let (shop, ear) = listening(&[202, 202, 0]);
    shop.github.double_events(1);
    shop.github.send(&shop.github.push_event(SHOP, "main", &shop.pull.base_sha));
    let heard = ear.heard();
    assert_eq!(heard.len(), 2);
    assert_eq!(heard[0].header("X-GitHub-Delivery"), heard[1].header("X-GitHub-Delivery"));
    let begun = Instant::now();
    let late = shop.github.send(&shop.github.ping_event());
    assert_eq!((late.status_code, late.status.as_str()), (504, "timed out"));
    assert!((9.5..15.0).contains(&begun.elapsed().as_secs_f64()), "{:?}", begun.elapsed());
    ear.answers.lock().unwrap().insert(0, 200);
    shop.github.finish();
}

#[test]
fn what_is_done_sends_events_if_wished() {
    let (shop, ear) = listening(&[202]);
    shop.github.add_comment(SHOP, 1, "chief", "quiet");
    shop.github.send_automatically(true);
    shop.push("a.txt", "all new\n");
    // Nothing was pushed in between.
    shop.github.refresh_pull(SHOP, 1);
    shop.github.open_pull(SHOP, Pull { number: 2, ..Pull::default() });
    let comment = shop.github.add_comment(SHOP, 1, "chief", "loud");
    shop.github.edit_comment(SHOP, comment, "chief", "louder");
    let end = Instant::now() + Duration::from_secs(10);
    while ear.heard().len() < 4 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    shop.github.wait_until_sent();
    let mut said: Vec<String> = Vec::new();
    for heard in ear.heard() {
        let payload: Value = serde_json::from_str(&heard.body).unwrap();
        said.push(format!(
            "{} {}",
            heard.header("X-GitHub-Event"),
            payload["action"].as_str().unwrap()
        ));
        if payload["action"] == "synchronize" {
            assert_eq!(payload["before"], shop.pull.head_sha);
            assert_eq!(payload["after"], payload["pull_request"]["head"]["sha"]);
        }
    }
    // An installation that is suspended hears nothing, nor does one of another repository.
    shop.github.suspend_installation(INSTALLATION);
    shop.github.add_comment(SHOP, 1, "chief", "into the void");
    shop.github.unsuspend_installation(INSTALLATION);
    shop.github.open_pull("octo/hidden", Pull::default());
    shop.github.wait_until_sent();
    assert_eq!(ear.heard().len(), said.len());
    // Each has a thread of its own.
    said.sort();
    assert_eq!(
        said,
        [
            "issue_comment created",
            "issue_comment edited",
            "pull_request opened",
            "pull_request synchronize"
        ]
    );
    shop.github.finish();
}

/// All payloads are held to GitHub's description when they are sent; `finish` would say so.
#[test]
fn every_event_is_as_github_has_it() {
    let (shop, ear) = listening(&[202]);
    let github = &shop.github;
    let secret = token(&shop, json!({}));
    let body = json!({"name": "netpol-review", "head_sha": shop.pull.head_sha});
    let path = format!("/repos/{SHOP}/check-runs");
    let run = call(&shop, &secret, "POST", &path, Some(body)).is(201).json();
    let comment = github.add_comment(SHOP, 1, "chief", "/netpol-review recheck");
    let review = github.add_review(SHOP, 1, "chief", "APPROVED");
    let merge = shop.pull.merge_commit_sha.clone().unwrap();
    let (head, base) = (&shop.pull.head_sha, &shop.pull.base_sha);
    let mut events: Vec<_> = ["opened", "reopened", "ready_for_review", "closed"]
        .map(|action| github.pull_event(SHOP, 1, action))
        .into();
    events.extend([
        github.synchronize_event(SHOP, 1, base),
        github.rebased_event(SHOP, 1, "release"),
        github.retitled_event(SHOP, 1, "Another title"),
        github.check_run_event(SHOP, run["id"].as_u64().unwrap(), "chief"),
        github.check_suite_event(SHOP, head, "chief"),
        github.merge_group_event(SHOP, ["main", base], ["gh-readonly-queue/main/pr-1", &merge]),
        github.comment_event(SHOP, comment),
        github.edit_comment(SHOP, comment, "chief", "/netpol-review help"),
        github.review_event(SHOP, review),
        github.push_event(SHOP, "main", base),
        github.push_event(SHOP, "gone", base),
        github.repositories_event(INSTALLATION, "added", &[OTHER]),
        github.repositories_event(INSTALLATION, "removed", &[OTHER]),
        github.ping_event(),
    ]);
    let actions = ["created", "suspend", "unsuspend", "deleted"];
    events.extend(actions.map(|action| github.installation_event(INSTALLATION, action)));
    for event in &events {
        assert_eq!(github.send(event).status_code, 202);
    }
    assert_eq!(ear.heard().len(), events.len());
    assert_eq!(github.take_violations(), Vec::<String>::new());
    // What is wrong is found.
    let mut wrong = github.ping_event();
    wrong.payload["hook_id"] = json!("seven");
    github.send(&wrong);
    let complaints = github.take_violations();
    assert_eq!(complaints.len(), usize::from(crate::server::judged()), "{complaints:?}");
    github.send_anything("star", json!({"action": "created"}));
    shop.github.finish();
}
