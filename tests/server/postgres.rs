//! A PostgreSQL of the tests' own, started once and ended with them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

struct Server {
    port: u16,
    _folder: TempDir,
}

/// The address of a new, empty database; nothing where PostgreSQL is not installed and nobody requires it.
pub fn database() -> Option<String> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let server = SERVER.get_or_init(start).as_ref()?;
    let name = format!("test{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let address =
        |database: &str| format!("postgres://postgres@127.0.0.1:{}/{database}", server.port);
    let made = Command::new(program("psql")?)
        .args(["--quiet", "--command", &format!("CREATE DATABASE {name}"), &address("postgres")])
        .output()
        .expect("psql runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(address(&name))
}

/// Debian keeps them apart from everything else.
fn program(name: &str) -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn start() -> Option<Server> {
    let (Some(initdb), Some(postgres)) = (program("initdb"), program("postgres")) else {
        let required =
            std::env::var_os("NETPOL_REVIEW_TOOLS").is_some_and(|value| value == "required");
        assert!(!required, "PostgreSQL is required and not installed");
        return None;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let as_root = rustix::process::geteuid().is_root();
    let run = |program: &Path| {
        // It does not run as root, and ends with the tests.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "QUIT"]);
        if as_root {
            command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
        }
        command.arg(program).stdin(Stdio::null()).env("LC_ALL", "C");
        command
    };
    if as_root {
        std::fs::create_dir(&data).expect("a folder");
        let mut chown = Command::new("chown");
        chown.args(["-R", "postgres:postgres"]).arg(folder.path());
        assert!(chown.status().expect("chown runs").success());
    }
    let made = run(&initdb)
        .arg("--pgdata")
        .arg(&data)
        .args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8"])
        .output()
        .expect("initdb runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let mut server = run(&postgres);
    server
        .arg("-D")
        .arg(&data)
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
        .args(["-c", &format!("unix_socket_directories={}", folder.path().display())])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // The signal comes with the end of the thread that started it, and that of a test ends early.
    std::thread::spawn(move || {
        let mut server = server.spawn().expect("postgres runs");
        let _ = server.wait();
    });
    let begun = Instant::now();
    let ready = || {
        let mut asked = Command::new(program("pg_isready")?);
        asked.args(["-h", "127.0.0.1", "-p", &port.to_string(), "--quiet"]);
        asked.status().ok()?.success().then_some(())
    };
    while ready().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(30), "PostgreSQL does not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(Server { port, _folder: folder })
}
