//! Everything that is set, tried out before it counts.

use super::identity::Identity;
use super::options::Options;
use super::queue::Queue;
use crate::source::git::Mirrors;

/// What a review does, as the App's settings on GitHub call it.
const PERMISSIONS: [(&str, &str); 4] =
    [("checks", "write"), ("contents", "read"), ("metadata", "read"), ("pull_requests", "write")];

/// What the server has to be told. `check_run` and `installation` come without being asked for.
const EVENTS: [&str; 5] =
    ["issue_comment", "merge_group", "pull_request", "pull_request_review", "push"];

/// What is right, and what is wrong with what to do about it, a line each; and notes about what a server can do without.
pub async fn check(options: &Options) -> (Vec<Result<String, String>>, Vec<String>) {
    let mut lines = Vec::new();
    lines.push(match Queue::try_out(&options.database).await {
        Ok(()) => Ok("the queue's database can be used".to_string()),
        Err(error) => Err(error.to_string()),
    });
    lines.push(match Mirrors::open(&options.mirrors, options.bounds) {
        Ok(_) => Ok(format!("`{}` can hold mirrors", options.mirrors.display())),
        Err(error) => Err(error.to_string()),
    });
    lines.push(match tokio::net::TcpListener::bind(options.listen).await {
        Ok(_) => Ok(format!("`{}` can be listened on", options.listen)),
        Err(error) => Err(format!("could not listen on `{}`: {error}", options.listen)),
    });
    let identity = Identity::new(options);
    match identity.as_app(async |app| app.identity().await).await {
        Err(error) => lines.push(Err(error.to_string())),
        Ok(known) if known.id != options.app => {
            lines.push(Err(format!("the key is of App {}, not of {}", known.id, options.app)));
        }
        Ok(known) => {
            let slug = known.slug.as_deref().unwrap_or("without a name");
            lines.push(Ok(format!("GitHub knows the key as that of App {} ({slug})", known.id)));
            for (name, least) in PERMISSIONS {
                let granted = known.permissions.get(name).map(String::as_str);
                if !matches!((least, granted), (_, Some("write")) | ("read", Some("read"))) {
                    lines.push(Err(format!(
                        "the App lacks the permission `{name}: {least}`\n  try: its settings on GitHub"
                    )));
                }
            }
            for event in EVENTS {
                if !known.events.iter().any(|known| known == event) {
                    lines.push(Err(format!(
                        "the App is not told of `{event}`\n  try: its settings on GitHub"
                    )));
                }
            }
            lines.push(match identity.as_app(async |app| app.installations().await).await {
                Ok(all) => Ok(format!("it is installed {} times", all.len())),
                Err(error) => Err(error.to_string()),
            });
        }
    }
    let mut notes = Vec::new();
    match &options.public_url {
        Some(url) => lines.push(Ok(format!("checks link to report pages at `{url}/reports/`"))),
        None => notes.push("checks have no report pages: no `--public-url`".to_string()),
    }
    let tools = &options.rendering.tools;
    let built =
        [("kustomizations", tools.kustomize().map(|_| ())), ("charts", tools.helm().map(|_| ()))];
    for (what, tool) in built {
        match tool {
            Ok(()) => lines.push(Ok(format!("{what} can be built"))),
            Err(error) => {
                notes.push(format!("{what} will be told as not evaluated: {error}"));
            }
        }
    }
    (lines, notes)
}
