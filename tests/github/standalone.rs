//! The test GitHub as a process of its own, for end-to-end tests with a real runner.
//!
//! ```text
//! cargo run --release --example test-github -- --port 8080 --repo octo/shop=shop.git \
//!     --pull pull.json --token secret=actions --app app.json
//! ```
//!
//! Prints `listening on URL` when it is ready and runs until it is ended. A pull request's JSON has
//! `repository` and the fields of `Pull` (server/state.rs), the least being `number`, `head` and
//! `base`; those are branches of the bare repository. `--token SECRET=KIND` takes the kinds `actions`
//! (the default: what the README asks for, with the secret `test-token`), `fork` (reads only),
//! `personal=LOGIN` and `installation=APP`. An App's JSON has the fields of
//! `App` (server/app.rs) and `installations` with the fields of `Installation`; its events are sent as
//! things happen. `GET /_state` shows everything, and `POST /_pulls` with a
//! pull request's JSON opens it or looks at its branches again.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for tests")]

#[path = "server/mod.rs"]
mod server;

use server::{TestGitHub, Token};
use std::path::Path;

const USAGE: &str = "usage: test-github [--port N] --repo OWNER/NAME=BARE [--pull FILE]... \
                     [--token SECRET=KIND]... [--app FILE]...";

/// Changes the server as one option says.
fn configure(github: &TestGitHub, option: &str, value: &str) -> Option<()> {
    match option {
        "--repo" => {
            let (name, path) = value.split_once('=')?;
            github.add_repository(name, Path::new(path));
        }
        "--pull" => {
            let json = std::fs::read(value).unwrap_or_else(|e| panic!("{value}: {e}"));
            github.open_pull_json(&json).unwrap_or_else(|e| panic!("{value}: {e}"));
        }
        "--app" => {
            let json = std::fs::read(value).unwrap_or_else(|e| panic!("{value}: {e}"));
            github.add_app_json(&json).unwrap_or_else(|e| panic!("{value}: {e}"));
            github.send_automatically(true);
        }
        "--token" => {
            let (secret, kind) = value.split_once('=')?;
            let token = match kind.split_once('=').unwrap_or((kind, "")) {
                ("actions", "") => Token::actions(),
                ("fork", "") => Token::fork(),
                ("personal", login) if !login.is_empty() => Token::personal(login),
                ("installation", app) if !app.is_empty() => Token::installation(app),
                _ => return None,
            };
            github.add_token(secret, token);
        }
        _ => return None,
    }
    Some(())
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let pairs: Vec<(&str, &str)> = arguments
        .chunks(2)
        .filter_map(|pair| Some((pair[0].as_str(), pair.get(1)?.as_str())))
        .collect();
    let port = pairs.iter().find(|(option, _)| *option == "--port").map_or("0", |(_, value)| value);
    let Ok(port) = port.parse() else { panic!("{USAGE}") };
    let github = TestGitHub::start_on(port);
    github.add_token("test-token", Token::actions());
    assert!(arguments.len().is_multiple_of(2), "{USAGE}");
    for (option, value) in pairs.into_iter().filter(|(option, _)| *option != "--port") {
        configure(&github, option, value).unwrap_or_else(|| panic!("{option} {value}\n{USAGE}"));
    }
    println!("listening on {}", github.url());
    loop {
        std::thread::park();
    }
}
