//! Why a tool gave no text, in words.

use std::path::PathBuf;
use std::process::ExitStatus;

/// How much of a complaint is told, in characters.
const LONGEST: usize = 600;

/// How many lines of it.
const LINES: usize = 6;

/// A tool gave no text. The message completes "...: " and quotes nothing but what a person can read: what the tool
/// said is escaped and cut, with the paths of the repository in place of those of the temporary directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stopped {
    /// It was not run, because what it would be given is not what it takes.
    #[error("`{tool}` was not run: {reason}")]
    Refused {
        /// The tool as people call it: `helm template`.
        tool: String,
        /// What is wrong, and what to try.
        reason: String,
    },
    /// It did not come to run.
    #[error("`{tool}` could not be started: {reason}")]
    NotStarted {
        /// The tool.
        tool: String,
        /// What the system said.
        reason: String,
    },
    /// It failed.
    #[error("`{tool}` failed: {said}")]
    Failed {
        /// The tool.
        tool: String,
        /// What it said.
        said: String,
    },
    /// It took too long and was ended.
    #[error("`{tool}` took longer than {seconds} s and was ended")]
    TooLong {
        /// The tool.
        tool: String,
        /// The limit.
        seconds: u64,
    },
    /// It wrote too much and was ended.
    #[error("`{tool}` wrote more than {mebibytes} MiB and was ended")]
    TooMuch {
        /// The tool.
        tool: String,
        /// The limit.
        mebibytes: u64,
    },
    /// The whole program was asked to end.
    #[error("`{tool}` was ended with netpol-review")]
    Ended {
        /// The tool.
        tool: String,
    },
    /// It asked for more memory than it may have.
    #[error("`{tool}` used more memory than {mebibytes} MiB and was ended")]
    Memory {
        /// The tool.
        tool: String,
        /// The limit.
        mebibytes: u64,
    },
}

/// Paths of this machine and what they are called in messages.
pub(super) type Names = Vec<(PathBuf, String)>;

/// What a tool that ended in failure died of. `memory` is its limit in bytes.
pub(super) fn failed(
    tool: &str,
    status: ExitStatus,
    err: &[u8],
    memory: u64,
    names: &Names,
) -> Stopped {
    let tool = tool.to_string();
    let text = String::from_utf8_lossy(err);
    // What `unshare` says and then does, in place of ending by the same signal, where a tool was killed.
    let killed = text.lines().any(|line| line.starts_with("unshare: sigprocmask "));
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("unshare: sig")).collect();
    let text = text.join("\n");
    let said = said(&text, names);
    // The shell and `unshare`, which start the tool, end so if they can't. No tool does.
    if matches!(status.code(), Some(126 | 127)) {
        return Stopped::NotStarted {
            tool,
            reason: said.unwrap_or_else(|| "unknown error".into()),
        };
    }
    let signal = if killed { Some(9) } else { signal(status) };
    if text.lines().any(ran_out_of_memory) {
        return Stopped::Memory { tool, mebibytes: memory >> 20 };
    }
    let how = match (signal, status.code()) {
        // Not by us: whoever runs over a limit of ours never comes here.
        (Some(9), _) => Some("signal 9, by which systems end what they have no memory for,".into()),
        (Some(signal), _) => Some(format!("signal {signal}")),
        (None, Some(code)) => Some(format!("exit code {code}")),
        (None, None) => None,
    };
    let said = match (said, how) {
        (Some(said), _) => said,
        (None, Some(how)) => format!("it ended with {how} and said nothing"),
        (None, None) => "it said nothing".to_string(),
    };
    Stopped::Failed { tool, said }
}

/// What Go's runtime, with which all these tools are made, says when the system has no more memory for it.
fn ran_out_of_memory(line: &str) -> bool {
    let runtime = line.starts_with("fatal error: ") || line.starts_with("runtime: ");
    runtime && line.contains("memory")
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

/// The useful lines of a complaint as one: from the error on, without what went before it.
pub(super) fn said(text: &str, names: &Names) -> Option<String> {
    let text = renamed(text, names);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is = |line: &str, what: &str| {
        line.get(..what.len()).is_some_and(|head| head.eq_ignore_ascii_case(what))
    };
    let crash = lines.iter().position(|line| is(line, "fatal error:") || is(line, "panic:"));
    let error = lines.iter().position(|line| is(line, "error:") || is(line, "error "));
    // Of a crash the first line says it all, what follows are stacks.
    let (from, count) = crash.map_or((error.unwrap_or_default(), LINES), |at| (at, 1));
    let told: Vec<&str> = lines.into_iter().skip(from).take(count).collect();
    let told = told.join(" ");
    let told = if is(&told, "error: ") { told.get(7..).unwrap_or_default() } else { &told };
    (!told.is_empty()).then(|| escaped(&cut(told)))
}

/// The beginning and the end, which is where the cause stands in a long chain of `error calling include`.
fn cut(text: &str) -> String {
    let count = text.chars().count();
    if count <= LONGEST {
        return text.to_string();
    }
    let head: String = text.chars().take(LONGEST / 2).collect();
    let tail: String = text.chars().skip(count - LONGEST / 2).collect();
    format!("{head} [...] {tail}")
}

/// Without what moves a terminal's cursor or turns its text around.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if c.is_control() || turns {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// With paths of this machine called by their names. A directory whose name is empty is the root: what is in it is
/// called by its path from there, and itself `.`.
fn renamed(text: &str, names: &Names) -> String {
    let mut text = text.to_string();
    for (path, name) in names {
        let path = path.to_string_lossy();
        let mut rest = text.as_str();
        let mut done = String::with_capacity(text.len());
        while let Some((before, after)) = rest.split_once(&*path) {
            done.push_str(before);
            rest = after;
            let longer = |c: char| c.is_alphanumeric() || "-_.".contains(c);
            match rest.strip_prefix('/') {
                Some(inside) if name.is_empty() => rest = inside,
                _ if rest.starts_with(longer) && !rest.starts_with(". ") => done.push_str(&path),
                _ if name.is_empty() => done.push('.'),
                _ => done.push_str(name),
            }
        }
        done.push_str(rest);
        text = done;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_told_without_what_went_before_it() {
        let names = vec![(PathBuf::from("/tmp/x1"), String::new())];
        for (text, told) in [
            ("", None),
            (" \n\n", None),
            (
                "# Warning: old\n\nError: no '/tmp/x1/base/a.yaml' in '/tmp/x1': lost\n",
                Some("no 'base/a.yaml' in '.': lost"),
            ),
            ("error: one\ntwo\n", Some("one two")),
            ("only this", Some("only this")),
            (
                "noise\nfatal error: all is lost\n\ngoroutine 1 [running]:\nmain\n",
                Some("fatal error: all is lost"),
            ),
            (
                "bad \u{1b}[31mred\u{7} \u{202e}turned",
                Some("bad \\u{1b}[31mred\\u{7} \\u{202e}turned"),
            ),
            ("/tmp/x12/a /tmp/x1", Some("/tmp/x12/a .")),
        ] {
            assert_eq!(said(text, &names).as_deref(), told, "{text:?}");
        }
    }

    #[test]
    fn long_complaints_keep_both_ends() {
        let text = format!("Error: begin {} the cause", "é".repeat(5000));
        let told = said(&text, &Names::new()).unwrap();
        assert!(told.starts_with("begin é") && told.ends_with("é the cause"), "{told}");
        assert!(told.chars().count() < LONGEST + 10);
        let many = "Error: a\n".to_string() + &"b\n".repeat(1000);
        assert_eq!(said(&many, &Names::new()).unwrap(), "a b b b b b");
    }

    #[test]
    fn files_outside_of_the_root_have_names_of_their_own() {
        let names = vec![
            (PathBuf::from("/tmp/v/0.json"), "the values of apps/shop.yaml:7".to_string()),
            (PathBuf::from("/tmp/v"), String::new()),
        ];
        let told = said("Error: failed to parse /tmp/v/0.json: bad", &names);
        assert_eq!(told.as_deref(), Some("failed to parse the values of apps/shop.yaml:7: bad"));
    }

    #[test]
    fn only_the_runtime_runs_out_of_memory() {
        assert!(ran_out_of_memory("fatal error: runtime: out of memory"));
        assert!(ran_out_of_memory("runtime: cannot allocate memory"));
        assert!(!ran_out_of_memory("Error: execution error at (x): fatal error: out of memory"));
    }
}
