//! `serve`: the GitHub App. Reads options and files; what is done lies in [`crate::server`].

use super::failure::{self, Failure};
use super::output;
use super::rendering::RenderOptions;
use super::traces::Traces;
use crate::environments::Signals;
use crate::github::Addresses;
use crate::server::queue::{self, Queue};
use crate::server::signature::Secrets;
use crate::server::{Key, Options, PublicUrl, Server, check};
use crate::source::git::Bounds;
use crate::spans;
use clap::{Args, ValueEnum};
use secrecy::SecretString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

const ABOUT: &str = "\
What the server must know comes from options, files or the environment: the App's number, its private
key and the webhook secret. docs/server.md tells how to make an App and how to run it; docs/OPERATIONS.md
what it does under load and faults.

Secrets may also be given as NETPOL_REVIEW_PRIVATE_KEY and NETPOL_REVIEW_WEBHOOK_SECRET, and while one
webhook secret takes the place of another, the older as NETPOL_REVIEW_WEBHOOK_SECRET_OLD.";

#[derive(Debug, Args)]
#[command(after_help = ABOUT)]
pub(super) struct Serve {
    /// The App's number
    #[arg(long, value_name = "N", env = "NETPOL_REVIEW_APP_ID")]
    app_id: Option<i64>,
    /// The App's private key, a PEM file; it is read again when GitHub does not know the key any more
    #[arg(long, value_name = "FILE", env = "NETPOL_REVIEW_PRIVATE_KEY_FILE")]
    private_key_file: Option<PathBuf>,
    /// A file with the webhook secret. Repeatable, while one takes the place of another
    #[arg(long, value_name = "FILE", env = "NETPOL_REVIEW_WEBHOOK_SECRET_FILE")]
    webhook_secret_file: Vec<PathBuf>,
    /// Where webhooks come in, at /webhook
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "NETPOL_REVIEW_LISTEN",
        default_value = "0.0.0.0:8080"
    )]
    listen: SocketAddr,
    /// Where people's browsers reach this server, for links from checks to report pages; without it there are none
    #[arg(long, value_name = "URL", env = "NETPOL_REVIEW_PUBLIC_URL")]
    public_url: Option<PublicUrl>,
    /// Where the queue is: `sqlite:PATH` for one process, `postgres://...` for several
    #[arg(
        long,
        value_name = "URL",
        env = "NETPOL_REVIEW_DATABASE",
        default_value = "sqlite:netpol-review.db",
        hide_env_values = true
    )]
    database: String,
    /// Where GitHub is, if it is a GitHub Enterprise Server
    #[arg(
        long,
        value_name = "URL",
        env = "NETPOL_REVIEW_GITHUB_URL",
        default_value = "https://github.com"
    )]
    github_url: String,
    /// Where what was fetched of repositories is kept for the next review: a folder for this server alone
    #[arg(
        long,
        value_name = "DIR",
        env = "NETPOL_REVIEW_MIRRORS",
        default_value = "netpol-review.mirrors"
    )]
    mirrors: PathBuf,
    /// How much disk that may take, in GiB; what was used last stays
    #[arg(long, value_name = "GIB", env = "NETPOL_REVIEW_MIRRORS_DISK", default_value = "10", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    mirrors_disk: u64,
    /// How much memory what was read of them may take, in MiB
    #[arg(long, value_name = "MIB", env = "NETPOL_REVIEW_MIRRORS_MEMORY", default_value = "512", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    mirrors_memory: u64,
    /// How many reviews are made at a time [default: the number of processors]
    #[arg(long, value_name = "N", env = "NETPOL_REVIEW_WORKERS", value_parser = clap::value_parser!(u64).range(1..=512))]
    workers: Option<u64>,
    /// How many of these for one installation [default: half of them, and one at least]
    #[arg(long, value_name = "N", env = "NETPOL_REVIEW_PER_INSTALLATION", value_parser = clap::value_parser!(u64).range(1..=512))]
    per_installation: Option<u64>,
    /// How often lost events are looked for, in seconds
    #[arg(long, value_name = "SECONDS", env = "NETPOL_REVIEW_RECONCILE", default_value = "1800", value_parser = clap::value_parser!(u64).range(10..=86400))]
    reconcile: u64,
    /// How long reviews may go on once the server is to end, in seconds
    #[arg(long, value_name = "SECONDS", env = "NETPOL_REVIEW_GRACE", default_value = "25", value_parser = clap::value_parser!(u64).range(0..=3600))]
    grace: u64,
    /// After how long without a sign of life a process is given up, and others do what it held, in seconds
    #[arg(long, value_name = "SECONDS", env = "NETPOL_REVIEW_LEASE", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=600))]
    lease: u64,
    /// How log lines are written, to standard error; NETPOL_REVIEW_LOG chooses them, as `info` or `debug`
    #[arg(long, value_name = "FORMAT", env = "NETPOL_REVIEW_LOG_FORMAT", default_value = "json")]
    log_format: LogFormat,
    #[command(flatten)]
    render: RenderOptions,
    /// Try everything that is set, say what is wrong, and end
    #[arg(long, conflicts_with_all = ["list_dead", "retry"])]
    check_config: bool,
    /// List what was tried too often and waits for somebody to look at it, and end
    #[arg(long, conflicts_with = "retry")]
    list_dead: bool,
    /// Try one of these once more, by its key, and end
    #[arg(long, value_name = "KEY")]
    retry: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// An object a line
    Json,
    /// For people
    Text,
}

pub(super) fn run(serve: &Serve) -> Result<u8, Failure> {
    // A review holds a thread, and what it waits for another.
    let threads = 2 * workers(serve) + 64;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(threads)
        .build()
        .map_err(|error| Failure::Usage(format!("could not start: {error}")))?;
    let code = if serve.list_dead || serve.retry.is_some() {
        runtime.block_on(dead(serve))
    } else {
        let options = options(serve)?;
        let traces = Traces::begin(runtime.handle())?;
        match serve.check_config {
            true => runtime.block_on(checked(&options)),
            false => {
                logs(serve.log_format, traces.as_ref());
                let code = runtime.block_on(served(options));
                if let Some(traces) = traces {
                    traces.end();
                }
                code
            }
        }
    };
    // A comparison that nobody waits for any more does not hold the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

/// Serves until a signal comes.
async fn served(options: Options) -> Result<u8, Failure> {
    failure::install_gentle_panic_hook();
    let signals = Signals::take();
    let server = Server::start(options).await.map_err(|error| Failure::Usage(error.to_string()))?;
    let number = signals.first().await;
    tracing::info!(signal = number, "ending");
    server.end().await;
    crate::environments::ending::end();
    Ok(0)
}

async fn checked(options: &Options) -> Result<u8, Failure> {
    let (lines, notes) = check(options).await;
    let good = lines.iter().all(Result::is_ok);
    let lines = lines.iter().map(|line| match line {
        Ok(words) => format!("ok      {words}\n"),
        Err(words) => format!("wrong   {words}\n"),
    });
    let notes = notes.iter().map(|words| format!("note    {words}\n"));
    output::write(&lines.chain(notes).collect::<String>())?;
    if good {
        return Ok(0);
    }
    Err(Failure::Usage("the server would not work like this".into()))
}

async fn dead(serve: &Serve) -> Result<u8, Failure> {
    let unusable = |error: queue::Error| Failure::Unreadable(error.to_string());
    let queue = Queue::look(&serve.database).await.map_err(unusable)?;
    if let Some(key) = &serve.retry {
        if queue.retry(key).await.map_err(unusable)? {
            return Ok(0);
        }
        let text =
            format!("nothing of the key `{key}` waits\n  try: `netpol-review serve --list-dead`");
        return Err(Failure::Usage(text));
    }
    let dead = queue.dead().await.map_err(unusable)?;
    let text = dead.iter().map(|one| {
        let error = one.error.replace('\n', " ");
        format!("{}\t{}\t{error}\n", one.key, one.job.place.name)
    });
    output::write(&text.collect::<String>())?;
    Ok(0)
}

/// Lines of the log, each with its fields; and beside them spans for a collector, which no line tells of.
fn logs(format: LogFormat, traces: Option<&Traces>) {
    let filter =
        tracing_subscriber::EnvFilter::try_from_env("NETPOL_REVIEW_LOG").unwrap_or_else(|_| {
            tracing_subscriber::EnvFilter::new("netpol_review=info,audit=info,octocrab=off,warn")
        });
    let filter = match format!("{}=off", spans::TARGET).parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.boxed(),
    };
    let spans = traces.map(Traces::layer);
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(spans).init();
}

fn options(serve: &Serve) -> Result<Options, Failure> {
    let missing = |what: &str, how: &str| Failure::Usage(format!("no {what}\n  try: {how}"));
    let app =
        serve.app_id.ok_or_else(|| missing("App", "`--app-id N`, or NETPOL_REVIEW_APP_ID"))?;
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let key = match (&serve.private_key_file, variable("NETPOL_REVIEW_PRIVATE_KEY")) {
        (Some(file), _) => {
            // Whether it is there is known at once, not with the first webhook.
            read(file)?;
            Key::File(file.clone())
        }
        (None, Some(text)) => Key::Text(SecretString::from(text)),
        (None, None) => {
            let how = "`--private-key-file FILE`, or NETPOL_REVIEW_PRIVATE_KEY";
            return Err(missing("private key", how));
        }
    };
    let mut secrets = Vec::new();
    for file in &serve.webhook_secret_file {
        secrets.push(SecretString::from(read(file)?.trim_end_matches(['\r', '\n'])));
    }
    let names = ["NETPOL_REVIEW_WEBHOOK_SECRET", "NETPOL_REVIEW_WEBHOOK_SECRET_OLD"];
    secrets.extend(names.into_iter().filter_map(variable).map(SecretString::from));
    let secrets = Secrets::new(secrets).ok_or_else(|| {
        missing("webhook secret", "`--webhook-secret-file FILE`, or NETPOL_REVIEW_WEBHOOK_SECRET")
    })?;
    let workers = workers(serve);
    let half = i64::try_from(workers / 2).unwrap_or(1).max(1);
    let per_installation =
        serve.per_installation.and_then(|count| i64::try_from(count).ok()).unwrap_or(half);
    Ok(Options {
        listen: serve.listen,
        public_url: serve.public_url.clone(),
        app,
        key,
        secrets,
        addresses: Addresses::of_server(&serve.github_url),
        database: serve.database.clone(),
        mirrors: serve.mirrors.clone(),
        bounds: Bounds {
            folder: serve.mirrors_disk << 30,
            memory: serve.mirrors_memory << 20,
            ..Bounds::default()
        },
        workers,
        per_installation,
        rendering: serve.render.options()?,
        reconcile: Duration::from_secs(serve.reconcile),
        grace: Duration::from_secs(serve.grace),
        beat: Duration::from_secs(serve.lease) / 6,
        silent: Duration::from_secs(serve.lease),
        // Somebody waits for a check.
        pause: Duration::from_millis(if serve.check_config { 50 } else { 1000 }),
    })
}

fn workers(serve: &Serve) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    serve.workers.and_then(|count| usize::try_from(count).ok()).unwrap_or(cores)
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::Unreadable(format!("could not read `{}`: {error}", file.display()))
    })
}
