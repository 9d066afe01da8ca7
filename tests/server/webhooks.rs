//! What comes in from outside: forged, broken, huge, strange. None of it stops the server.

use crate::house::{APP, House, REPOSITORY, SECRET};
use crate::server::hooks;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The headers of a webhook, signed with a secret.
pub fn headers(event: &str, guid: &str, secret: &str, body: &[u8]) -> Vec<(String, String)> {
    let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
    vec![
        pair("content-type", "application/json"),
        pair("x-github-event", event),
        pair("x-github-delivery", guid),
        pair("x-hub-signature-256", &hooks::signature(secret, body)),
    ]
}

/// Sends a body with these headers; the status.
pub fn send(address: &str, headers: &[(String, String)], body: &[u8]) -> u16 {
    let mut request = format!(
        "POST /webhook HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\nconnection: close\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    raw(address, &[request.as_bytes(), body].concat())
}

/// Sends bytes as they are; the status of what is answered, 0 if nothing is.
fn raw(address: &str, bytes: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
    // A server that has heard enough closes while we still talk.
    let _ = stream.write_all(bytes);
    let mut answer = [0; 64];
    let length = stream.read(&mut answer).unwrap_or(0);
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// A pull request was opened, as small as can be.
pub fn opened() -> Vec<u8> {
    format!(
        "{{\"action\":\"opened\",\"installation\":{{\"id\":77}},\"repository\":{{\"id\":1,\"full_name\":\"{REPOSITORY}\"}},\
         \"pull_request\":{{\"number\":1}}}}"
    )
    .into_bytes()
}

/// Does the server still do its work?
fn expect_alive(house: &House) {
    house.github.send(&house.github.pull_event(REPOSITORY, 1, "opened"));
    let head = house.head();
    house.until("the check is concluded", || !house.concluded(&head).is_empty());
}

#[test]
fn only_what_github_signed_counts() {
    let house = House::new();
    let mut options = house.options();
    // What is found without webhooks is not meant here.
    options.app = 1;
    let running = house.start_with(options);
    let (address, body) = (running.address(), opened());
    let good = headers("pull_request", "g-1", SECRET, &body);
    let without =
        |name: &str| -> Vec<_> { good.iter().filter(|(own, _)| own != name).cloned().collect() };
    assert_eq!(
        send(&address, &headers("pull_request", "g-1", "another secret", &body), &body),
        401
    );
    assert_eq!(send(&address, &headers("pull_request", "g-1", "", &body), &body), 401);
    assert_eq!(send(&address, &without("x-hub-signature-256"), &body), 401);
    assert_eq!(send(&address, &good, &[&body[..], b" "].concat()), 401);
    assert_eq!(send(&address, &good, b""), 401);
    assert_eq!(send(&address, &without("x-github-event"), &body), 400);
    assert_eq!(send(&address, &without("x-github-delivery"), &body), 400);
    let depth = running.block_on(queue(&running).count()).expect("counted");
    assert_eq!(
        (depth.waiting, depth.running, depth.later),
        (0, 0, 0),
        "nothing of it is written down"
    );
    assert_eq!(send(&address, &good, &body), 202);
    assert_eq!(send(&address, &good, &body), 202, "and once more it is known");
    running.end();
}

fn queue(running: &crate::house::Running) -> std::sync::Arc<netpol_review::server::queue::Queue> {
    running.server.as_ref().expect("it runs").queue().clone()
}

#[test]
fn signed_nonsense_is_refused_and_what_nobody_knows_is_ignored() {
    let house = House::new();
    let running = house.start();
    let address = running.address();
    for (number, (event, body, expected)) in [
        ("pull_request", "", 400),
        ("pull_request", "{", 400),
        ("pull_request", "[]", 400),
        ("pull_request", "null", 400),
        ("pull_request", "{\"installation\": \"x\"}", 400),
        ("pull_request", "{\"installation\": {\"id\": 1e400}}", 400),
        ("pull_request", "payload=%7B%7D", 400),
        ("pull_request", "{}", 202),
        ("pull_request", "{\"action\":\"invented\",\"installation\":{\"id\":77}}", 202),
        ("pull_request", "{\"action\":\"opened\",\"installation\":{\"id\":77},\"repository\":{\"id\":1,\"full_name\":\"../..\"},\"pull_request\":{\"number\":1}}", 202),
        ("merge_group", "{\"action\":\"checks_requested\",\"installation\":{\"id\":77},\"repository\":{\"id\":1,\"full_name\":\"a/b\"},\"merge_group\":{\"base_sha\":\"--upload-pack=x\",\"head_sha\":\"x\"}}", 202),
        ("invented", "whatever", 202),
        ("ping", "{\"zen\":\"\",\"hook_id\":1}", 202),
    ]
    .into_iter()
    .enumerate()
    {
        let body = body.as_bytes();
        let headers = headers(event, &format!("n-{number}"), SECRET, body);
        let status = send(&address, &headers, body);
        assert_eq!(status, expected, "{event} {}", String::from_utf8_lossy(body));
    }
    let deep = [vec![b'['; 1 << 20], vec![b']'; 1 << 20]].concat();
    assert_eq!(send(&address, &headers("push", "deep", SECRET, &deep), &deep), 400);
    expect_alive(&house);
    running.end();
}

#[test]
fn huge_bodies_are_taken_up_to_what_github_sends() {
    let house = House::new();
    let running = house.start();
    let address = running.address();
    let padded = |length: usize| {
        let mut body = opened();
        body.resize(length, b' ');
        body
    };
    let body = padded(25 << 20);
    assert_eq!(send(&address, &headers("pull_request", "big", SECRET, &body), &body), 202);
    let body = padded((25 << 20) + 1);
    assert_eq!(send(&address, &headers("pull_request", "bigger", SECRET, &body), &body), 413);
    // Without a length there is no end to be known.
    let head = format!(
        "POST /webhook HTTP/1.1\r\nhost: {address}\r\ntransfer-encoding: chunked\r\nx-github-event: push\r\n\
         x-github-delivery: c\r\nx-hub-signature-256: sha256={}\r\n\r\n",
        "0".repeat(64)
    );
    let chunk = [b"100000\r\n".to_vec(), vec![b' '; 1 << 20], b"\r\n".to_vec()].concat();
    let endless = [head.into_bytes(), chunk.repeat(27), b"0\r\n\r\n".to_vec()].concat();
    assert_eq!(raw(&address, &endless), 413);
    expect_alive(&house);
    running.end();
}

#[test]
fn who_sends_nothing_more_keeps_nobody_waiting() {
    let house = House::new();
    let running = house.start();
    let address = running.address();
    let head = format!(
        "POST /webhook HTTP/1.1\r\nhost: {address}\r\ncontent-length: 1000\r\nx-github-event: push\r\n\
         x-github-delivery: s\r\nx-hub-signature-256: sha256={}\r\n\r\n",
        "0".repeat(64)
    );
    let silent: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).expect("a connection");
            stream.write_all(head.as_bytes()).expect("sent");
            stream
        })
        .collect();
    expect_alive(&house);
    drop(silent);
    running.end();
}

#[test]
fn either_secret_counts_while_one_takes_the_place_of_the_other() {
    let house = House::new();
    let mut options = house.options();
    let secrets = ["the next secret", SECRET].map(secrecy::SecretString::from).to_vec();
    options.secrets = netpol_review::server::signature::Secrets::new(secrets).expect("secrets");
    let running = house.start_with(options);
    let sent = |house: &House| {
        house.github.send(&house.github.pull_event(REPOSITORY, 1, "opened")).status_code
    };
    assert_eq!(sent(&house), 202);
    house.github.edit_app(APP, |app| app.webhook_secret = "the next secret".into());
    assert_eq!(sent(&house), 202);
    house.github.edit_app(APP, |app| app.webhook_secret = "a third".into());
    assert_eq!(sent(&house), 401);
    running.end();
}

#[test]
fn what_runs_it_is_told_how_it_is() {
    let house = House::new();
    let running = house.start();
    house.expect_one_review("failure");
    let address = running.address();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(&address).expect("a connection");
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    assert!(get("/healthz").starts_with("HTTP/1.1 200"));
    assert!(get("/readyz/webhooks").starts_with("HTTP/1.1 200"));
    assert!(get("/readyz").contains("ready; 0 jobs wait"), "{}", get("/readyz"));
    let metrics = get("/metrics");
    for line in [
        "netpol_review_reviews_total{result=\"widened\"} 1",
        "netpol_review_queue_jobs{state=\"waiting\"} 0",
        "netpol_review_mirrors 1",
        "netpol_review_installations_paused 0",
        "netpol_review_github_remaining_calls{installation=\"77\"}",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(get("/webhook").starts_with("HTTP/1.1 405"));
    assert!(get("/").starts_with("HTTP/1.1 404"));
    running.end();
}
