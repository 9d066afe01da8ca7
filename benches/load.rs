//! Sends signed webhooks to a server as fast as it takes them, and tells how fast that is.
//!
//!     load ADDRESS:PORT SECRET [SECONDS] [CONNECTIONS] [PER-SECOND]
//!
//! Each is an event of its own, `pull_request` `synchronize` of one of 1,000 pull requests in 100 installations, with
//! a body of 12 KiB. With PER-SECOND events begin at that rate, and one that begins late counts from when it should
//! have begun. Prints the count, the rate, and the percentiles of the time to the answer.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that can't go on has failed"
)]

use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a webhook of GitHub has at least.
const BODY: usize = 12 << 10;

fn body(number: u64) -> String {
    let (installation, pull) = (number % 100 + 1, number % 1000 + 1);
    let text = format!(
        "{{\"action\":\"synchronize\",\"number\":{pull},\"pull_request\":{{\"number\":{pull}}},\"repository\":{{\"id\":\
         {installation},\"full_name\":\"load/repository-{installation}\"}},\"installation\":{{\"id\":{installation}}},\
         \"padding\":\""
    );
    format!("{text}{}\"}}", "x".repeat(BODY.saturating_sub(text.len() + 2)))
}

fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads one answer; its status.
fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> u16 {
    buffer.clear();
    let mut piece = [0; 4096];
    loop {
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "the server closed the connection");
        buffer.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(buffer);
        let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
        let named = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if rest.len() >= named.and_then(|text| text.parse().ok()).unwrap_or(0) {
            return head.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap();
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, secret, rest @ ..] = arguments.as_slice() else {
        println!("load ADDRESS:PORT SECRET [SECONDS] [CONNECTIONS] [PER-SECOND]");
        std::process::exit(2);
    };
    let number = |index: usize, default: u64| {
        rest.get(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(default)
    };
    let (seconds, connections, rate) = (number(0, 10), number(1, 32), number(2, 0));
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let end = begun + Duration::from_secs(seconds);
    let run = begun.elapsed().as_nanos();
    let threads = (0..connections).map(|_| {
        let (address, secret, next) = (address.clone(), secret.clone(), next.clone());
        std::thread::spawn(move || {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.set_nodelay(true).unwrap();
            let (mut times, mut refused) = (Vec::new(), 0_u64);
            let mut buffer = Vec::new();
            while Instant::now() < end {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let body = body(number);
                let request = format!(
                    "POST /webhook HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nx-github-event: \
                     pull_request\r\nx-github-delivery: load-{run}-{}-{number}\r\nx-hub-signature-256: sha256={}\r\n\
                     content-length: {}\r\n\r\n{body}",
                    std::process::id(),
                    signature(&secret, &body),
                    body.len()
                );
                let due = match rate {
                    0 => Instant::now(),
                    rate => begun + Duration::from_secs_f64(number as f64 / rate as f64),
                };
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                stream.write_all(request.as_bytes()).unwrap();
                match answer(&mut stream, &mut buffer) {
                    202 => times.push(due.elapsed()),
                    _ => refused += 1,
                }
            }
            (times, refused)
        })
    });
    let (mut times, mut refused) = (Vec::new(), 0);
    for thread in threads.collect::<Vec<_>>() {
        let (own, not) = thread.join().unwrap();
        times.extend(own);
        refused += not;
    }
    let took = begun.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| {
        let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        times.get(index).copied().unwrap_or_default().as_secs_f64() * 1000.0
    };
    println!(
        "{} accepted, {refused} refused, {:.0} a second; p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
        times.len(),
        times.len() as f64 / took,
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}
