//! One process with all that it starts: its output read within bounds, and ended as a whole.

use super::ending;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How much is kept of what a process complains about, in bytes: the beginning and the end, up to twice that.
const COMPLAINTS: usize = 64 << 10;

/// How long the output of a process that ended may stay open: as long as the kernel takes to end what it left behind.
const GRACE: Duration = Duration::from_secs(1);

/// How often a silent process is looked at.
const TICK: Duration = Duration::from_millis(20);

/// What became of a process.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It ended by itself.
    Ended {
        /// How.
        status: ExitStatus,
        /// All that it wrote to its standard output.
        out: Vec<u8>,
        /// What it wrote to its standard error; of much, the beginning and the end.
        err: Vec<u8>,
    },
    /// It was ended because it took too long.
    TooLong,
    /// It was ended because it wrote too much.
    TooMuch,
    /// It was ended because the whole program ends.
    WithUs,
}

/// Runs a command in a process group of its own, without input, for at most `time`; `output` bytes are taken of
/// either stream. Whatever happens, no process of the group is left when this returns.
///
/// # Errors
///
/// It could not be started, or the system refused to tell what it does.
pub(super) fn run(command: &mut Command, time: Duration, output: u64) -> io::Result<Outcome> {
    let started = Instant::now();
    in_own_group(command)?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = Group(command.spawn()?);
    let mut out = Stream::new(group.0.stdout.take(), usize::MAX)?;
    let mut err = Stream::new(group.0.stderr.take(), COMPLAINTS)?;
    let mut buffer = vec![0; 64 << 10];
    let mut ended: Option<Instant> = None;
    loop {
        if ended.is_none() && group.has_ended()? {
            // What it left behind could hold its output open for ever.
            group.kill();
            ended = Some(Instant::now());
        }
        if ending::ended() {
            return Ok(Outcome::WithUs);
        }
        out.read(&mut buffer)?;
        err.read(&mut buffer)?;
        if out.total.max(err.total) > output {
            return Ok(Outcome::TooMuch);
        }
        let closed = out.pipe.is_none() && err.pipe.is_none();
        match ended {
            Some(at) if closed || at.elapsed() > GRACE => break,
            None if started.elapsed() > time => return Ok(Outcome::TooLong),
            _ => wait(&out, &err)?,
        }
    }
    let status = group.0.wait()?;
    Ok(Outcome::Ended { status, out: out.bytes, err: err.bytes })
}

/// A process and the group that it leads.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        // Both do nothing to one that was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A stream of a process, read without waiting.
struct Stream<R> {
    pipe: Option<R>,
    bytes: Vec<u8>,
    keep: usize,
    total: u64,
}

impl<R: Read> Stream<R> {
    /// Takes what is there; nothing where the stream has ended.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        match pipe.read(buffer) {
            Ok(0) => self.pipe = None,
            Ok(read) => {
                self.total += read as u64;
                self.bytes.extend(buffer.iter().take(read));
                if self.bytes.len() > self.keep.saturating_mul(2) {
                    let middle = self.keep / 2..self.bytes.len() - self.keep / 2;
                    self.bytes.splice(middle, *b"\n");
                }
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
        Ok(())
    }
}

#[cfg(unix)]
mod system {
    use super::{Group, Stream, TICK};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;
    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
    use std::io;
    use std::os::fd::AsFd;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    pub(super) fn in_own_group(command: &mut Command) -> io::Result<()> {
        command.process_group(0);
        Ok(())
    }

    impl Group {
        /// Ends every process of the group. The leader must not have been waited for: until then no other
        /// group can have its number.
        pub(super) fn kill(&self) {
            // That there is nobody left is no fault, and nothing else can be wrong with a group of ours.
            let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        }

        /// Has the leader ended? It stays to be waited for.
        pub(super) fn has_ended(&self) -> io::Result<bool> {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            match waitid(WaitId::Pid(Pid::from_child(&self.0)), options) {
                Ok(status) => Ok(status.is_some()),
                Err(Errno::INTR) => Ok(false),
                Err(error) => Err(error.into()),
            }
        }
    }

    impl<R: AsFd> Stream<R> {
        pub(super) fn new(pipe: Option<R>, keep: usize) -> io::Result<Self> {
            if let Some(pipe) = &pipe {
                rustix::io::ioctl_fionbio(pipe, true)?;
            }
            Ok(Self { pipe, bytes: Vec::new(), keep, total: 0 })
        }
    }

    /// Waits until there is something to read, or a moment.
    pub(super) fn wait<A: AsFd, B: AsFd>(out: &Stream<A>, err: &Stream<B>) -> io::Result<()> {
        let both = [out.pipe.as_ref().map(AsFd::as_fd), err.pipe.as_ref().map(AsFd::as_fd)];
        let mut open: Vec<PollFd> = both
            .iter()
            .flatten()
            .map(|pipe| PollFd::from_borrowed_fd(*pipe, PollFlags::IN))
            .collect();
        if open.is_empty() {
            // It has nothing more to say and is about to end.
            std::thread::sleep(TICK / 20);
            return Ok(());
        }
        let tick = Timespec { tv_sec: 0, tv_nsec: i64::from(TICK.subsec_nanos()) };
        match poll(&mut open, Some(&tick)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(not(unix))]
mod system {
    use super::{Group, Stream};
    use std::io;
    use std::process::Command;

    pub(super) fn in_own_group(_: &mut Command) -> io::Result<()> {
        Err(io::Error::other("this system has no groups of processes that could be ended together"))
    }

    impl Group {
        pub(super) fn kill(&self) {}

        pub(super) fn has_ended(&self) -> io::Result<bool> {
            Ok(true)
        }
    }

    impl<R> Stream<R> {
        pub(super) fn new(pipe: Option<R>, keep: usize) -> io::Result<Self> {
            Ok(Self { pipe, bytes: Vec::new(), keep, total: 0 })
        }
    }

    pub(super) fn wait<A, B>(_: &Stream<A>, _: &Stream<B>) -> io::Result<()> {
        Ok(())
    }
}

use system::{in_own_group, wait};
