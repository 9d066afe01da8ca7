//! Measures the reviews of a server whose caches are warm: how many a second and core, and where their time goes.
//!
//! ```text
//! cargo run --release --example generate -- --workloads 3250 --policies 1650 target/performance/mirror
//! cargo run --release --example mirror -- target/performance/mirror
//! ```
//!
//! Each review is of another commit, in which one policy has one peer more. Reviews run one after the other, on one
//! thread. Needs git.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own")]

use netpol_review::environments::{self, Options};
use netpol_review::settings::Settings;
use netpol_review::source::Meter;
use netpol_review::source::git::{Bounds, Mirrors, Remote};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many reviews are measured.
const REVIEWS: usize = 60;

/// Those before them, which fill caches.
const WARM: usize = 5;

fn main() -> ExitCode {
    let Some(directory) = std::env::args().nth(1) else {
        eprintln!("usage: mirror DIR, as benches/generate.rs wrote it");
        return ExitCode::from(2);
    };
    // Before any thread of rayon's starts.
    match rayon::ThreadPoolBuilder::new().num_threads(1).build_global() {
        Ok(()) => {}
        Err(error) => eprintln!("{error}"),
    }
    match measure(Path::new(&directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(directory: &Path) -> Result<(), Box<dyn Error>> {
    let place = tempfile::tempdir()?;
    let work = place.path().join("work");
    let policies = copy(&directory.join("before"), &work)?;
    let git = |arguments: &[&str]| git(&work, arguments);
    git(&["init", "--quiet", "--initial-branch=main", "."])?;
    git(&["config", "uploadpack.allowAnySHA1InWant", "true"])?;
    git(&["config", "uploadpack.allowFilter", "true"])?;
    git(&["add", "--all"])?;
    git(&["commit", "--quiet", "--message", "before"])?;
    let base = git(&["rev-parse", "HEAD"])?;
    let mut heads = Vec::new();
    let step = (policies.len() / (WARM + REVIEWS)).max(1);
    for policy in policies.iter().step_by(step).take(WARM + REVIEWS) {
        let text = fs::read_to_string(policy)?;
        let peer = "    - from:\n        - podSelector:\n            matchLabels:\n              app.kubernetes.io/name: reports\n";
        let changed = text.replacen("    - from:\n", peer, 1);
        fs::write(policy, &changed)?;
        git(&["commit", "--quiet", "--all", "--message", "after"])?;
        heads.push(git(&["rev-parse", "HEAD"])?);
        git(&["checkout", "--quiet", "--detach", &base])?;
    }

    let mirrors = Mirrors::open(&place.path().join("mirrors"), Bounds::default())?;
    let remote = Remote { url: format!("file://{}", work.display()), token: None };
    let (settings, options) = (Settings::default(), Options::default());
    let mut phases: Vec<(&'static str, Vec<Duration>)> = Vec::new();
    let mut note = |phase: &'static str, time: Duration| match phases
        .iter_mut()
        .find(|(known, _)| *known == phase)
    {
        Some((_, times)) => times.push(time),
        None => phases.push((phase, vec![time])),
    };
    let (mut cpu, mut children, mut wall) = (0.0, 0.0, Instant::now());
    let (mut files, mut opened) = (0, 0);
    for (number, head) in heads.iter().enumerate() {
        if number == WARM {
            (cpu, children) = used();
            wall = Instant::now();
        }
        let warm = number >= WARM;
        let mut last = Instant::now();
        let mut step = |phase: &'static str| {
            let now = Instant::now();
            if warm {
                note(phase, now - last);
            } else if number == 0 {
                println!("cold: {phase} {:.1} ms", (now - last).as_secs_f64() * 1000.0);
            }
            last = Instant::now();
        };
        let repository = mirrors.fetch(1, &remote, &[&base, head], 1)?;
        step("commits fetched");
        drop(repository.pair(&base, head, &[], &Meter::default())?);
        step("contents fetched");
        let pair = repository.pair(&base, head, &[], &Meter::default())?;
        step("both sides made, nothing fetched");
        let report = environments::review(&pair, &settings, &options, &mut step);
        step("the rest of the review");
        files = pair.before.tree.files.len();
        opened += usize::from(report.environments.iter().any(|each| !each.opened.is_empty()));
        drop((pair, report));
        step("freeing");
        drop(repository);
    }
    let wall = wall.elapsed().as_secs_f64();
    let (cpu, children) = (used().0 - cpu, used().1 - children);
    let count = phases.first().map_or(0, |(_, times)| times.len());
    println!("{files} manifests on each side, {count} reviews, {opened} open something");
    let each = |total: f64| total * 1000.0 / count as f64;
    println!("| phase | median |\n|---|---:|");
    for (phase, times) in &mut phases {
        times.sort();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        println!("| {phase} | {:.2} ms |", median.as_secs_f64() * 1000.0);
    }
    println!(
        "CPU for each review: {:.1} ms of ours, {:.1} ms of git; wall {:.1} ms",
        each(cpu),
        each(children),
        each(wall)
    );
    println!("{:?}", mirrors.figures());
    println!("memory at its peak: {} kB", status("VmHWM:"));
    Ok(())
}

/// Seconds of the processor: of this process, and of those that it waited for.
fn used() -> (f64, f64) {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = text
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .map(|field| field.parse().unwrap_or_default())
        .collect();
    let ticks = |at: usize| fields.get(at).copied().unwrap_or_default() / 100.0;
    (ticks(11) + ticks(12), ticks(13) + ticks(14))
}

fn status(name: &str) -> String {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_default().trim().trim_end_matches(" kB").to_string()
}

/// Copies manifests; the paths of those that are policies with a peer.
fn copy(from: &Path, to: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    fs::create_dir_all(to)?;
    let mut policies = Vec::new();
    for entry in fs::read_dir(from)? {
        let (from, to) = (entry?.path(), to);
        let to = to.join(from.file_name().unwrap_or_default());
        if from.is_dir() {
            policies.extend(copy(&from, &to)?);
            continue;
        }
        let text = fs::read_to_string(&from)?;
        if text.contains("kind: NetworkPolicy") && text.contains("    - from:\n") {
            policies.push(to.clone());
        }
        fs::write(&to, text)?;
    }
    policies.sort();
    Ok(policies)
}

fn git(work: &Path, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(work)
        .args(["-c", "user.name=bench", "-c", "user.email=bench@example.invalid"])
        .args(arguments)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}
