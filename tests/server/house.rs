//! A repository with a pull request on a test GitHub, an App installed there, and servers of it.

use crate::server::{Access, App, AppKey, CheckRun, Permissions, Pull, TestGitHub};
use crate::world::{ANY, WEB, World, shop};
use netpol_review::github::Addresses;
use netpol_review::server::signature::Secrets;
use netpol_review::server::{Key, Options, Server};
use netpol_review::source::git::Bounds;
use secrecy::SecretString;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub const REPOSITORY: &str = "shop/manifests";
pub const APP: u64 = 4711;
pub const INSTALLATION: u64 = 77;
pub const SECRET: &str = "a secret of the App";
/// Real waits are too long for tests.
const PAUSE: Duration = Duration::from_millis(5);

/// Two pairs, made once.
pub fn keys() -> &'static [AppKey; 2] {
    static KEYS: OnceLock<[AppKey; 2]> = OnceLock::new();
    KEYS.get_or_init(|| [AppKey::generate(), AppKey::generate()])
}

/// What the App asks for when it is made.
pub fn permissions() -> Permissions {
    Permissions {
        contents: Access::Read,
        members: Access::Read,
        merge_queues: Access::Read,
        ..Permissions::all(Access::Write)
    }
}

/// The repository, whose pull request opens the database to everybody, and GitHub.
pub struct House {
    pub world: World,
    pub github: TestGitHub,
    pub folder: TempDir,
    runtime: Arc<Runtime>,
}

/// A server and its end.
pub struct Running {
    pub server: Option<Server>,
    runtime: Arc<Runtime>,
}

impl House {
    pub fn new() -> Self {
        let world = World::new();
        commit(&world, "main", WEB);
        commit(&world, "feature", ANY);
        let github = TestGitHub::start();
        github.add_repository(REPOSITORY, &world.bare());
        github.add_app(App {
            id: APP,
            slug: "reviewer".into(),
            public_keys: vec![keys()[0].public_pem.clone()],
            webhook_secret: SECRET.into(),
            webhook_url: String::new(),
        });
        github.add_installation(INSTALLATION, "shop", &[REPOSITORY], permissions());
        github.open_pull(REPOSITORY, Pull::default());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = Arc::new(runtime.expect("a runtime"));
        Self { world, github, folder: tempfile::tempdir().expect("a folder"), runtime }
    }

    /// What a server of this App is told.
    pub fn options(&self) -> Options {
        let url = self.github.url().to_string();
        Options {
            listen: "127.0.0.1:0".parse().expect("an address"),
            public_url: None,
            app: APP as i64,
            key: Key::Text(SecretString::from(keys()[0].private_pem.clone())),
            secrets: Secrets::new(vec![SecretString::from(SECRET)]).expect("secrets"),
            addresses: Addresses {
                graphql: format!("{url}/graphql"),
                server: "https://github.example".into(),
                git: url.clone(),
                api: url,
            },
            database: format!("sqlite:{}", self.folder.path().join("queue.db").display()),
            mirrors: self.folder.path().join("mirrors"),
            bounds: Bounds::default(),
            workers: 4,
            per_installation: 4,
            rendering: netpol_review::environments::Options::default(),
            reconcile: Duration::from_secs(3600),
            grace: Duration::from_secs(20),
            beat: Duration::from_millis(100),
            silent: Duration::from_millis(500),
            pause: PAUSE,
        }
    }

    pub fn start(&self) -> Running {
        self.start_with(self.options())
    }

    /// A server, to which GitHub's webhooks go from now on.
    pub fn start_with(&self, options: Options) -> Running {
        let server = self.runtime.block_on(Server::start(options)).expect("a server");
        let url = format!("http://{}/webhook", server.address());
        self.github.edit_app(APP, |app| app.webhook_url = url);
        Running { server: Some(server), runtime: self.runtime.clone() }
    }

    /// Makes a second pull request of the same head, to a branch to which it brings nothing new.
    pub fn open_mild_twin(&self) {
        self.world.git(&["branch", "lenient", "feature"]);
        let pull = Pull { number: 2, base: "lenient".into(), ..Pull::default() };
        self.github.open_pull(REPOSITORY, pull);
    }

    /// Waits for something.
    pub fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            if begun.elapsed() > Duration::from_secs(30) {
                let requests = self.github.requests().into_iter();
                let requests =
                    requests.map(|one| format!("{} {} {:?}", one.method, one.path, one.status));
                panic!("not so: {what}\n{}", requests.collect::<Vec<_>>().join("\n"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The concluded check runs of a commit.
    pub fn concluded(&self, head: &str) -> Vec<CheckRun> {
        let runs = self.github.check_runs(REPOSITORY).into_iter();
        runs.filter(|run| run.head_sha == head && run.conclusion.is_some()).collect()
    }

    /// The head of the pull request.
    pub fn head(&self) -> String {
        self.world.git(&["rev-parse", "refs/heads/feature"])
    }

    /// One comment, and one concluded check on the head.
    pub fn expect_one_review(&self, conclusion: &str) {
        let head = self.head();
        self.until("the check is concluded", || !self.concluded(&head).is_empty());
        self.until_idle();
        let conclusions: Vec<_> =
            self.concluded(&head).into_iter().map(|run| run.conclusion).collect();
        assert_eq!(conclusions, [Some(conclusion.to_string())]);
        assert_eq!(self.github.comments(REPOSITORY, 1).len(), 1);
    }

    /// No request comes any more.
    pub fn until_idle(&self) {
        let mut seen = self.github.requests().len();
        let mut since = Instant::now();
        while since.elapsed() < Duration::from_millis(300) {
            std::thread::sleep(Duration::from_millis(20));
            let now = self.github.requests().len();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
    }
}

/// The shop with these peers of its database.
pub fn commit(world: &World, branch: &str, peers: &str) -> String {
    let files = shop(peers);
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, Some(text.as_str()))).collect();
    world.commit(branch, &files)
}

impl Running {
    pub fn address(&self) -> String {
        self.server.as_ref().expect("it runs").address().to_string()
    }

    /// Runs something of the server's.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Ends it as it should be.
    pub fn end(mut self) {
        let server = self.server.take().expect("it runs");
        self.runtime.block_on(server.end());
    }
}
