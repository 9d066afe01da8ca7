//! Several servers on one PostgreSQL, and servers that are killed at any moment: every open pull request ends with
//! exactly one comment and one concluded check for its head.

use crate::house::{self, APP, House, REPOSITORY, SECRET, keys};
use crate::postgres;
use crate::server::Pull;
use crate::world::{ANY, WEB};
use rustix::process::{Pid, Signal, kill_process};
use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long servers are killed. Minutes are for a measurement: NETPOL_REVIEW_CHAOS=180.
fn chaos() -> Duration {
    let seconds = std::env::var("NETPOL_REVIEW_CHAOS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(12))
}

/// A server that is a process.
pub struct Replica {
    pub port: u16,
    /// Further variables of its environment.
    pub variables: Vec<(&'static str, String)>,
    child: Option<Child>,
    killed: Option<Instant>,
}

impl Replica {
    pub fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        Self { port, variables: Vec::new(), child: None, killed: None }
    }

    fn start(&mut self, house: &House, database: &str) {
        let log = match std::env::var_os("NETPOL_REVIEW_CHAOS_LOG") {
            Some(path) => {
                let file = std::fs::File::options().append(true).create(true).open(path);
                file.expect("a file").into()
            }
            None => Stdio::null(),
        };
        self.start_with(house, database, "text", log);
    }

    /// Starts it with a log in this format.
    pub fn start_with(&mut self, house: &House, database: &str, format: &str, log: Stdio) {
        let mut command = self.command(house, database, house.github.url());
        command.args(["--log-format", format]).stderr(log);
        self.spawn(command);
    }

    /// A server of a GitHub at this address, not yet started.
    pub fn command(&self, house: &House, database: &str, github: &str) -> Command {
        let key = house.folder.path().join("key.pem");
        std::fs::write(&key, &keys()[0].private_pem).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_netpol-review"));
        command
            .arg("serve")
            .args(["--app-id", &APP.to_string()])
            .arg("--private-key-file")
            .arg(&key)
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--database", database, "--github-url", github])
            .args(["--workers", "4", "--per-installation", "4", "--mirrors"])
            .arg(house.folder.path().join(format!("mirrors-{}", self.port)))
            .args(["--lease", "4", "--reconcile", "10"])
            .env("NETPOL_REVIEW_WEBHOOK_SECRET", SECRET)
            .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
            .env_remove("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
            .envs(self.variables.iter().cloned());
        command
    }

    pub fn spawn(&mut self, mut command: Command) {
        self.child = Some(command.spawn().expect("the program runs"));
        self.killed = None;
    }

    /// No goodbye.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("gone");
            self.killed = Some(Instant::now());
        }
    }

    /// Ends it as Kubernetes does. The answer: how it ended, and how long it took.
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        let child = self.child.as_mut().expect("it runs");
        let begun = Instant::now();
        kill_process(Pid::from_child(child), Signal::TERM).expect("told");
        loop {
            if let Some(status) = child.try_wait().expect("a status") {
                self.child = None;
                return (status, begun.elapsed());
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The names of its threads, as far as Linux keeps them.
    pub fn threads(&self) -> Vec<String> {
        let id = self.child.as_ref().expect("it runs").id();
        let tasks = std::fs::read_dir(format!("/proc/{id}/task")).expect("threads").flatten();
        let names = tasks.map(|task| std::fs::read_to_string(task.path().join("comm")));
        names.flatten().collect()
    }

    pub fn is_up(&self) -> bool {
        std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}

/// So many pull requests, each from a branch of its own.
fn open_pulls(house: &House, count: u64) {
    for number in 2..=count {
        let branch = format!("feature-{number}");
        house::commit(&house.world, &branch, &format!("{ANY}        # {number}\n"));
        house.github.open_pull(REPOSITORY, Pull { number, head: branch, ..Pull::default() });
    }
}

fn branch(number: u64) -> String {
    if number == 1 { "feature".into() } else { format!("feature-{number}") }
}

/// The head of every pull request has one concluded check, and every pull request one comment.
fn expect_all_reviewed(house: &House, count: u64) {
    let head = |number| house.world.git(&["rev-parse", &format!("refs/heads/{}", branch(number))]);
    let begun = Instant::now();
    for number in 1..=count {
        let head = head(number);
        while house.concluded(&head).is_empty() {
            assert!(
                begun.elapsed() < Duration::from_secs(120),
                "pull request {number} has no check"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    house.until_idle();
    for number in 1..=count {
        let head = head(number);
        let runs = house.github.check_runs(REPOSITORY).into_iter();
        let runs: Vec<_> = runs.filter(|run| run.head_sha == head).collect();
        let told: Vec<_> =
            runs.iter().map(|run| (&run.conclusion, &run.external_id, &run.title)).collect();
        assert_eq!(runs.len(), 1, "pull request {number}: {told:?}");
        assert!(runs[0].conclusion.is_some(), "pull request {number}");
        let comments = house.github.comments(REPOSITORY, number).len();
        assert_eq!(comments, 1, "pull request {number}: {told:?}");
    }
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

const PULLS: u64 = 6;

#[test]
#[allow(clippy::print_stdout, reason = "the figures of a measurement")]
fn two_replicas_that_are_killed_at_random_lose_nothing_and_do_nothing_twice() {
    let Some(database) = postgres::database() else { return };
    let house = House::new();
    // Also of a pull request of which no head that opens something was seen in time.
    let settings = "version: 1\ncomment: {when: always}\n";
    house.world.commit("main", &[(".github/netpol-review.yml", Some(settings))]);
    house.github.refresh_pull(REPOSITORY, 1);
    open_pulls(&house, PULLS);
    let mut replicas = [Replica::new(), Replica::new()];
    for replica in &mut replicas {
        replica.start(&house, &database);
    }
    // Everything was reviewed once before anything is killed.
    expect_all_reviewed(&house, PULLS);
    let mut numbers = Numbers(4711);
    let begun = Instant::now();
    let (mut pushed, mut kills) = (0, 0);
    while begun.elapsed() < chaos() {
        // A webhook goes to one of them, whether it lives or not.
        let port = replicas[numbers.below(2) as usize].port;
        let url = format!("http://127.0.0.1:{port}/webhook");
        house.github.edit_app(APP, |app| app.webhook_url = url);
        match numbers.below(4) {
            0 => {
                let victim = &mut replicas[numbers.below(2) as usize];
                victim.kill();
                kills += 1;
            }
            _ => {
                let number = numbers.below(PULLS) + 1;
                let peers = if numbers.below(2) == 0 { ANY } else { WEB };
                let branch = branch(number);
                let before = house.world.git(&["rev-parse", &format!("refs/heads/{branch}")]);
                // The text differs each time, so that each commit does.
                let peers = format!("{peers}        # {pushed}\n");
                house::commit(&house.world, &branch, &peers);
                house.github.refresh_pull(REPOSITORY, number);
                house
                    .github
                    .send_later(&house.github.synchronize_event(REPOSITORY, number, &before));
                pushed += 1;
            }
        }
        for replica in &mut replicas {
            if replica.killed.is_some_and(|killed| killed.elapsed() > Duration::from_millis(700)) {
                replica.start(&house, &database);
            }
        }
        std::thread::sleep(Duration::from_millis(50 + numbers.below(300)));
    }
    for replica in &mut replicas {
        if replica.child.is_none() {
            replica.start(&house, &database);
        }
    }
    house.until("both answer", || replicas.iter().all(Replica::is_up));
    house.github.wait_until_sent();
    let calm = Instant::now();
    expect_all_reviewed(&house, PULLS);
    println!("{pushed} pushes, {kills} kills; all reviewed {:?} after the last", calm.elapsed());
    assert!(kills > 0 && pushed > 0);
}

#[test]
fn a_killed_server_goes_on_where_it_was() {
    let house = House::new();
    open_pulls(&house, PULLS);
    let database = format!("sqlite:{}", house.folder.path().join("killed.db").display());
    let mut replica = Replica::new();
    for round in 0..6 {
        replica.start(&house, &database);
        std::thread::sleep(Duration::from_millis(60 + 90 * round));
        replica.kill();
    }
    replica.start(&house, &database);
    expect_all_reviewed(&house, PULLS);
}
