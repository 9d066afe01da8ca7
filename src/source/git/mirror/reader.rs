//! Objects out of a repository, through one `git cat-file` that answers as long as somebody asks.

use super::id::Id;
use crate::source::Error;
use crate::source::git::program::{Git, could_not_run};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// How many questions are asked before the answers are read.
const AT_ONCE: usize = 10_000;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Commit,
    Tree,
    Blob,
    Other,
}

/// What git says of an object before its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) size: u64,
}

/// A running `git cat-file`.
pub(super) struct Reader {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Reader {
    pub(super) fn start(git: &Git) -> Result<Self, Error> {
        let mut child = git
            .command("cat-file")
            .args(["--batch-command", "--buffer"])
            .stdin(Stdio::piped())
            // Nobody reads it while there are answers to come, and a full pipe would stop them.
            .stderr(Stdio::null())
            .spawn()
            .map_err(could_not_run)?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => {
                Ok(Self { child, input, output: BufReader::with_capacity(1 << 16, output) })
            }
            _ => Err(git.failed("cat-file", b"it has no input or no output")),
        }
    }

    /// What there is of these objects; `None` for one that is not here.
    pub(super) fn headers(&mut self, ids: &[Id]) -> io::Result<Vec<Option<Header>>> {
        let mut headers = Vec::with_capacity(ids.len());
        for some in ids.chunks(AT_ONCE) {
            self.ask("info", some)?;
            for id in some {
                headers.push(self.header(id)?);
            }
        }
        Ok(headers)
    }

    /// The objects themselves, each with what it is; `None` for one that is not here. One of more than `most` bytes
    /// is an error.
    pub(super) fn objects(
        &mut self,
        ids: &[Id],
        most: u64,
        mut each: impl FnMut(Id, Option<(Kind, Vec<u8>)>),
    ) -> io::Result<()> {
        for some in ids.chunks(AT_ONCE) {
            self.ask("contents", some)?;
            for id in some {
                let Some(Header { kind, size }) = self.header(id)? else {
                    each(*id, None);
                    continue;
                };
                let length = usize::try_from(size).ok().filter(|_| size <= most);
                let length = length.ok_or_else(|| {
                    io::Error::other(format!("object {id} has {size} bytes, more than {most}"))
                })?;
                let mut bytes = vec![0; length];
                self.output.read_exact(&mut bytes)?;
                self.output.read_exact(&mut [0])?;
                each(*id, Some((kind, bytes)));
            }
        }
        Ok(())
    }

    /// git answers nothing before `flush`, so it reads all questions first.
    fn ask(&mut self, what: &str, ids: &[Id]) -> io::Result<()> {
        let mut lines = String::with_capacity(ids.len() * 50);
        for id in ids {
            lines.push_str(&format!("{what} {id}\n"));
        }
        lines.push_str("flush\n");
        self.input.write_all(lines.as_bytes())?;
        self.input.flush()
    }

    /// `ID TYPE SIZE`, or `ID missing`.
    fn header(&mut self, id: &Id) -> io::Result<Option<Header>> {
        let mut line = Vec::new();
        (&mut self.output).take(1024).read_until(b'\n', &mut line)?;
        let line = String::from_utf8_lossy(&line);
        let mut fields = line.trim_end().split(' ');
        let stopped = || io::Error::other(format!("it stopped at object {id}"));
        if fields.next() != Some(&id.to_string()) {
            return Err(stopped());
        }
        let kind = match fields.next() {
            Some("missing") => return Ok(None),
            Some("commit") => Kind::Commit,
            Some("tree") => Kind::Tree,
            Some("blob") => Kind::Blob,
            _ => Kind::Other,
        };
        let size = fields.next().and_then(|size| size.parse().ok()).ok_or_else(stopped)?;
        Ok(Some(Header { kind, size }))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
