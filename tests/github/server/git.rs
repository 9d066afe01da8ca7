//! The git program on the bare repository: commits, merges, hunks, and git over HTTP.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// git, told to ignore whoever runs the test.
fn git(repository: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .arg("--git-dir")
        .arg(repository)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "GitHub")
        .env("GIT_AUTHOR_EMAIL", "noreply@github.com")
        .env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z")
        .env("GIT_COMMITTER_NAME", "GitHub")
        .env("GIT_COMMITTER_EMAIL", "noreply@github.com")
        .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z");
    command
}

/// What git prints, without the last line's end; none where it fails.
pub fn output(repository: &Path, arguments: &[&str]) -> Option<String> {
    let output = git(repository).args(arguments).stderr(Stdio::null()).output().expect("git runs");
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.trim_end_matches('\n').to_string())
}

/// The commit that a name means.
pub fn commit(repository: &Path, name: &str) -> Option<String> {
    let name = format!("{name}^{{commit}}");
    output(repository, &["rev-parse", "--verify", "--quiet", "--end-of-options", &name])
}

/// Where two commits parted.
pub fn merge_base(repository: &Path, one: &str, other: &str) -> Option<String> {
    output(repository, &["merge-base", one, other])
}

/// Merges `head` into `base` as GitHub does for `refs/pull/N/merge`: a commit with the parents base
/// and head, in this order; none on a conflict.
pub fn merge(repository: &Path, base: &str, head: &str) -> Option<String> {
    let tree = output(repository, &["merge-tree", "--write-tree", base, head])?;
    let message = format!("Merge {head} into {base}");
    output(repository, &["commit-tree", &tree, "-p", base, "-p", head, "-m", &message])
}

/// Sets a reference.
pub fn set_reference(repository: &Path, name: &str, commit: &str) {
    output(repository, &["update-ref", name, commit]).expect("references can be written");
}

/// One hunk: the lines that may be commented on, and its text.
#[derive(Debug, Default)]
pub struct Hunk {
    /// The text from `@@` on; each line with its number before and after, where it has one.
    lines: Vec<(String, Option<u64>, Option<u64>)>,
}

impl Hunk {
    fn position(&self, side: &str, line: u64) -> Option<usize> {
        let number = Some(line);
        self.lines.iter().position(|(_, before, after)| {
            if side == "LEFT" { *before == number } else { *after == number }
        })
    }

    /// Whether the hunk shows this line on this side, `LEFT` (before) or `RIGHT` (after).
    pub fn shows(&self, side: &str, line: u64) -> bool {
        self.position(side, line).is_some()
    }

    /// The text up to this line, as GitHub keeps it with a comment.
    pub fn text_until(&self, side: &str, line: u64) -> String {
        let end = self.position(side, line).map_or(self.lines.len(), |at| at + 1);
        let lines: Vec<&str> = self.lines[..end].iter().map(|(text, ..)| text.as_str()).collect();
        lines.join("\n")
    }
}

/// Looks for `path` among the changed files between two commits, renames found as by GitHub. Gives
/// its hunks with three lines of context; none where the file did not change.
pub fn hunks(repository: &Path, before: &str, after: &str, path: &str) -> Option<Vec<Hunk>> {
    let changed = output(repository, &["diff", "--name-status", "-z", "-M", before, after])?;
    let mut fields = changed.split('\0').filter(|field| !field.is_empty());
    let mut paths = Vec::new();
    while let Some(status) = fields.next() {
        let old = fields.next()?;
        let new = if status.starts_with(['R', 'C']) { fields.next()? } else { old };
        if new == path {
            paths = vec![format!(":(literal,top){old}"), format!(":(literal,top){new}")];
        }
    }
    if paths.is_empty() {
        return None;
    }
    let mut arguments =
        vec!["diff", "-U3", "-M", "--no-color", "--no-ext-diff", before, after, "--"];
    arguments.extend(paths.iter().map(String::as_str));
    let patch = output(repository, &arguments)?;
    let mut hunks: Vec<Hunk> = Vec::new();
    let (mut old, mut new) = (0, 0);
    for line in patch.split('\n') {
        if let Some(ranges) = line.strip_prefix("@@ -") {
            let mut starts = ranges.split(['+', ' ', ',']).filter_map(|word| word.parse().ok());
            old = starts.next()?;
            new = ranges.split_once('+')?.1.split([',', ' ']).next()?.parse().ok()?;
            hunks.push(Hunk { lines: vec![(line.to_string(), None, None)] });
            continue;
        }
        // What comes before the first hunk is the file's header.
        let Some(hunk) = hunks.last_mut() else { continue };
        let (before, after) = match line.as_bytes().first() {
            Some(b'-') => (Some(old), None),
            Some(b'+') => (None, Some(new)),
            Some(b' ') => (Some(old), Some(new)),
            _ => continue,
        };
        old += u64::from(before.is_some());
        new += u64::from(after.is_some());
        hunk.lines.push((line.to_string(), before, after));
    }
    Some(hunks)
}

/// A file that differs between two commits.
#[derive(Debug)]
pub struct Change {
    /// Its path, the later one where it was renamed.
    pub path: String,
    /// The path before it was renamed.
    pub before: Option<String>,
    /// `added`, `removed`, `modified`, `renamed`, `copied` or `changed`.
    pub status: &'static str,
    /// The blob after, or before where the file was removed.
    pub blob: Option<String>,
    /// Lines added.
    pub added: u64,
    /// Lines removed.
    pub removed: u64,
    /// Its hunks; none for binary files and mere renames.
    pub patch: Option<String>,
}

/// All files that differ between two commits, by path.
pub fn changes(repository: &Path, before: &str, after: &str) -> Vec<Change> {
    let raw = ["diff", "--raw", "--no-abbrev", "-z", "-M", before, after];
    let raw = output(repository, &raw).unwrap_or_default();
    let mut fields = raw.split('\0').filter(|field| !field.is_empty());
    let mut changes = Vec::new();
    while let (Some(head), Some(first)) = (fields.next(), fields.next()) {
        let words: Vec<&str> = head.split(' ').collect();
        let status = match words[4].as_bytes()[0] {
            b'A' => "added",
            b'D' => "removed",
            b'R' => "renamed",
            b'C' => "copied",
            b'T' => "changed",
            _ => "modified",
        };
        let moved = matches!(status, "renamed" | "copied");
        let path = if moved { fields.next().unwrap_or(first) } else { first };
        let blob = if status == "removed" { words[2] } else { words[3] };
        let places = [format!(":(literal,top){first}"), format!(":(literal,top){path}")];
        let diff = ["diff", "-U3", "-M", "--no-color", "--no-ext-diff", before, after, "--"];
        let diff = [&diff[..], &[&places[0], &places[1]]].concat();
        let text = output(repository, &diff).unwrap_or_default();
        let patch = text.find("\n@@ ").map(|at| text[at + 1..].to_string());
        let count = |sign: char| {
            let lines = patch.iter().flat_map(|patch| patch.lines());
            lines.filter(|line| line.starts_with(sign)).count() as u64
        };
        let (added, removed) = (count('+'), count('-'));
        let (path, before) = (path.to_string(), moved.then(|| first.to_string()));
        changes.push(Change {
            path,
            before,
            status,
            blob: Some(blob.to_string()),
            added,
            removed,
            patch,
        });
    }
    changes
}

/// A request for `git http-backend`.
#[derive(Debug)]
pub struct Cgi<'a> {
    /// The bare repository.
    pub repository: &'a Path,
    /// `GET` or `POST`.
    pub method: &'a str,
    /// What follows `OWNER/NAME.git`.
    pub path: &'a str,
    /// What follows `?`.
    pub query: &'a str,
    /// The headers `Content-Type`, `Content-Encoding` and `Git-Protocol`, empty where missing.
    pub headers: [&'a str; 3],
    /// The login of the token.
    pub login: &'a str,
    /// What was sent.
    pub body: Vec<u8>,
}

/// The answer of `git http-backend`: status, headers, body.
pub fn serve(cgi: Cgi<'_>) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let settings = [
        ("uploadpack.allowFilter", "true"),
        ("uploadpack.allowAnySHA1InWant", "true"),
        ("uploadpack.allowReachableSHA1InWant", "true"),
        ("safe.directory", "*"),
    ];
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_COUNT", settings.len().to_string())
        .env("GIT_PROJECT_ROOT", cgi.repository)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", cgi.path)
        .env("REQUEST_METHOD", cgi.method)
        .env("QUERY_STRING", cgi.query)
        .env("CONTENT_LENGTH", cgi.body.len().to_string())
        .env("REMOTE_USER", cgi.login)
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    for (number, (key, value)) in settings.iter().enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{number}"), key);
        command.env(format!("GIT_CONFIG_VALUE_{number}"), value);
    }
    for (name, value) in
        ["CONTENT_TYPE", "HTTP_CONTENT_ENCODING", "GIT_PROTOCOL"].iter().zip(cgi.headers)
    {
        if !value.is_empty() {
            command.env(name, value);
        }
    }
    let mut child = command.spawn().expect("git runs");
    let mut input = child.stdin.take().expect("a pipe");
    let body = cgi.body;
    // git may answer before it has read everything; then this write fails, and that is all right.
    let writer = std::thread::spawn(move || input.write_all(&body).ok());
    let mut output = Vec::new();
    child.stdout.take().expect("a pipe").read_to_end(&mut output).expect("git's answer");
    child.wait().expect("git ends");
    writer.join().expect("the writer ends");
    let end = output.windows(4).position(|end| end == b"\r\n\r\n");
    let Some(end) = end else {
        return (500, Vec::new(), b"git http-backend gave no answer".to_vec());
    };
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let mut status = 200;
    let mut headers = Vec::new();
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("status") {
            status = value.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(500);
        } else {
            headers.push((name.to_string(), value.to_string()));
        }
    }
    (status, headers, output[end + 4..].to_vec())
}
