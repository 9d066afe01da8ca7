//! `pr`: the review of a pull request, in an Action or by hand. Reads the environment and writes files;
//! what is done lies in [`crate::github`].

use super::args::ReportFormat;
use super::failure::{self, Failure};
use super::inventory::{self, Inventory};
use super::rendering::{RenderOptions, RenderWhen};
use super::{exit, output};
use crate::environments::{Signals, ending};
use crate::gate::GateVerdict;
use crate::github::{self, Client, Clock, Evaluated, Event, Inputs, Named, Subject};
use crate::render::text::Style;
use crate::render::words::{self, Totals};
use crate::render::{self, markdown};
use crate::report::Verdict;
use crate::settings::Mode;
use crate::source::git::{Repository, top};
use clap::{Args, ValueEnum};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// Below the workspace, so that the paths mean the same inside and outside of a container.
const REPORT: &str = ".netpol-review/report.json";

/// GitHub cuts a step's summary at this many bytes, and shows nothing of a larger one.
const LARGEST_SUMMARY: usize = 1_000_000;

const ABOUT: &str = "\
In GitHub Actions everything comes from the environment: the event (GITHUB_EVENT_PATH), the
repository, and the inputs of action.yml (INPUT_TOKEN, INPUT_MODE, ...). By hand, name the pull
request and put a token into GITHUB_TOKEN.";

#[derive(Debug, Args)]
#[command(after_help = ABOUT)]
pub(super) struct Pr {
    /// The repository, where it is not that of the event
    #[arg(long, value_name = "OWNER/NAME")]
    repo: Option<String>,
    /// The pull request, where it is not that of the event
    #[arg(long, value_name = "N")]
    number: Option<u64>,
    #[command(flatten)]
    render: RenderOptions,
    /// Workloads, namespaces and policies that live elsewhere. In an Action the configuration is the better
    /// place, as the workflow is part of the change. Repeatable [default: `inventory` of the configuration]
    #[arg(long, value_name = "[ENV=]FILE")]
    inventory: Vec<Inventory>,
}

/// The inputs of the Action.
struct Given {
    inputs: Inputs,
    token: Option<SecretString>,
    sarif: Option<PathBuf>,
    summary: bool,
    format: ReportFormat,
    refs: Option<(String, String)>,
}

pub(super) fn run(pr: &Pr, style: &Style) -> Result<u8, Failure> {
    // A panic while two sides are compared has to leave time to conclude the check.
    failure::install_gentle_panic_hook();
    let mut given = given(&|name| std::env::var(name).ok(), &pr.render)?;
    let Some(token) = &given.token else {
        return Err(Failure::Usage(
            "no token\n  try: the input `token` in an Action, or GITHUB_TOKEN".into(),
        ));
    };
    let event = event(pr, &given)?;
    let checkout = event.workspace.as_deref().unwrap_or(Path::new("."));
    given.inputs.inventory = inventory::typed(&pr.inventory, &Vec::from_iter(top(Some(checkout))))?;
    let pause = Duration::from_secs(1);
    let clock = Clock { now: chrono::Utc::now(), pause };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Usage(format!("could not start: {error}")))?;
    let mut written = Ok(());
    let evaluated = |found: &Evaluated, has_check: bool| {
        written = write_files(&event, &given, found, has_check);
    };
    let result = runtime.block_on(async {
        let client = Client::new(&event.addresses, token, pause)?;
        let signals = Signals::take();
        let stopped = async {
            let number = signals.first().await;
            // Nobody waits for builds any more.
            ending::end();
            number
        };
        let found = github::find(&event, &client).await?;
        github::run(&event, &found, &given.inputs, &client, Some(token), clock, stopped, evaluated)
            .await
    });
    let outcome = match result {
        Ok(outcome) => outcome,
        // `warn` means that nothing fails, in either place.
        Err(error) if given.inputs.mode == Some(Mode::Warn) => {
            failure::say(&format!("warning: {error}"));
            return Ok(0);
        }
        Err(error) => return Err(error.into()),
    };
    written?;
    for problem in &outcome.told.problems {
        failure::say(&format!("warning: {problem}"));
    }
    let found = &outcome.evaluated;
    for note in &found.notes {
        failure::say(&format!("note: {}", words::plain(note)));
    }
    if outcome.gave_way {
        failure::say("note: the pull request has a newer head; its own run tells of it");
        return Ok(0);
    }
    outputs(&given, found, outcome.told.comment_url.as_deref())?;
    output::write(&match given.format {
        ReportFormat::Text => render::text::report(&found.report, style),
        ReportFormat::Json => render::json::report(&found.report),
        ReportFormat::Markdown => markdown::report(&found.report, &markdown::Options::default()),
        ReportFormat::Sarif => render::sarif::report(&found.report, Some(&found.gate)),
        ReportFormat::Github => render::github::report(&found.report, Some(&found.gate)),
    })?;
    failure::say(&markdown::gate_line(&found.gate).replace("**", ""));
    Ok(match found.gate.outcome() {
        GateVerdict::Pass => 0,
        GateVerdict::Fail => exit::Outcome::Failed.code(),
        GateVerdict::Unknown => exit::Outcome::Unknown.code(),
    })
}

fn event(pr: &Pr, given: &Given) -> Result<Event, Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    let payload = match variable("GITHUB_EVENT_PATH").filter(|path| !path.is_empty()) {
        Some(path) => Some(fs::read_to_string(&path).map_err(|error| {
            Failure::Unreadable(format!("could not read the event at `{path}`: {error}"))
        })?),
        None => None,
    };
    let named = Named { repository: pr.repo.clone(), number: pr.number, refs: given.refs.clone() };
    let mut event = Event::read(&variable, payload.as_deref(), &named)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    if let (Subject::Group { base, head }, Some(_)) = (&mut event.subject, &given.refs) {
        let repository = Repository::open(event.workspace.as_deref().unwrap_or(Path::new(".")))?;
        for name in [base, head] {
            let id = repository.commit(name);
            *name = id.ok_or_else(|| {
                Failure::Usage(format!(
                    "`{name}` is no commit of this checkout\n  try: `fetch-depth: 0` for actions/checkout"
                ))
            })?;
        }
    }
    Ok(event)
}

/// Reads the inputs. A runner passes `fail-on` as `INPUT_FAIL-ON`; a shell can only set `INPUT_FAIL_ON`.
fn given(
    variable: &dyn Fn(&str) -> Option<String>,
    rendering: &RenderOptions,
) -> Result<Given, Failure> {
    let input = |name: &str| {
        let name = name.to_ascii_uppercase();
        let spelled = [format!("INPUT_{name}"), format!("INPUT_{}", name.replace('-', "_"))];
        let value = spelled.iter().find_map(|name| variable(name));
        value.map(|value| value.trim().to_string()).filter(|value| !value.is_empty())
    };
    let token = input("token").or_else(|| variable("GITHUB_TOKEN")).filter(|t| !t.is_empty());
    let refs = match (input("base-ref"), input("head-ref")) {
        (Some(base), Some(head)) => Some((base, head)),
        (None, None) => None,
        _ => {
            return Err(Failure::Usage(
                "`base-ref` and `head-ref` go together\n  try: both, or neither".into(),
            ));
        }
    };
    let run = ["GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB"]
        .map(|name| variable(name).unwrap_or_default());
    let run_id = match run.iter().all(String::is_empty) {
        true => format!("by-hand-{}", std::process::id()),
        false => run.join("-"),
    };
    let list = |text: String| -> Vec<String> {
        let parts = text.split(['\n', ',']).map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::to_string).collect()
    };
    let mut rendering = rendering.clone();
    if let Some(when) = choice("render", input("render"), &RENDER)? {
        rendering.render = when;
    }
    let sarif = input("sarif-file").map(PathBuf::from);
    let inside = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    if let Some(path) = sarif.as_deref().filter(|path| !inside(path)) {
        return Err(Failure::Usage(format!(
            "the input `sarif-file` is `{}`, which is no path in the workspace\n  try: without a leading `/` \
             and without `..`",
            path.display()
        )));
    }
    Ok(Given {
        inputs: Inputs {
            paths: input("paths").map(list).unwrap_or_default(),
            config_file: input("config-file"),
            mode: choice(
                "mode",
                input("mode"),
                &[("enforce", Mode::Enforce), ("warn", Mode::Warn)],
            )?,
            fail_on: variant("fail-on", input("fail-on"))?,
            comment: variant("comment", input("comment"))?,
            inline: choice("inline-comments", input("inline-comments"), &YES_NO)?,
            rendering: rendering.options()?,
            inventory: Vec::new(),
            run_id,
            app: None,
            mirror: None,
            pages: None,
        },
        token: token.map(SecretString::from),
        sarif,
        summary: choice("job-summary", input("job-summary"), &YES_NO)?.unwrap_or(true),
        format: variant("report-format", input("report-format"))?.unwrap_or(ReportFormat::Text),
        refs,
    })
}

const RENDER: [(&str, RenderWhen); 3] =
    [("auto", RenderWhen::Auto), ("never", RenderWhen::Never), ("trusted", RenderWhen::Trusted)];

const YES_NO: [(&str, bool); 2] = [("true", true), ("false", false)];

fn choice<T: Copy>(
    name: &str,
    value: Option<String>,
    known: &[(&str, T)],
) -> Result<Option<T>, Failure> {
    let Some(value) = value else { return Ok(None) };
    let meant = known.iter().find(|(word, _)| *word == value).map(|(_, meant)| Some(*meant));
    meant.ok_or_else(|| none_of(name, &value, known.iter().map(|(word, _)| word.to_string())))
}

/// [`choice`] among the values that an option of the command line takes.
fn variant<T: ValueEnum>(name: &str, value: Option<String>) -> Result<Option<T>, Failure> {
    let Some(value) = value else { return Ok(None) };
    T::from_str(&value, false).map(Some).map_err(|_| {
        let known = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        none_of(name, &value, known.map(|known| known.get_name().to_string()))
    })
}

fn none_of(name: &str, value: &str, known: impl Iterator<Item = String>) -> Failure {
    let names: Vec<String> = known.map(|word| format!("`{word}`")).collect();
    Failure::Usage(format!(
        "the input `{name}` is `{value}`, which is none of its values\n  try: {}",
        names.join(", ")
    ))
}

/// What needs no rights on GitHub: the summary of the job, annotations in the log, files.
fn write_files(
    event: &Event,
    given: &Given,
    found: &Evaluated,
    has_check: bool,
) -> Result<(), Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if given.summary
        && let Some(path) = variable("GITHUB_STEP_SUMMARY")
    {
        let text = &found.review.check.summary;
        if text.len() <= LARGEST_SUMMARY {
            append(Path::new(&path), &format!("{text}\n"))?;
        }
    }
    // A check run has the same annotations, and twice is noise.
    if !has_check && given.format != ReportFormat::Github {
        output::write(&render::github::report(&found.report, Some(&found.gate)))?;
    }
    let workspace = event.workspace.clone().unwrap_or_else(|| PathBuf::from("."));
    if variable("GITHUB_OUTPUT").is_some() {
        create(&workspace.join(REPORT), &render::json::report(&found.report))?;
    }
    if let Some(file) = &given.sarif {
        create(&workspace.join(file), &render::sarif::report(&found.report, Some(&found.gate)))?;
    }
    Ok(())
}

/// The outputs of the Action.
fn outputs(given: &Given, found: &Evaluated, comment: Option<&str>) -> Result<(), Failure> {
    let Some(path) = std::env::var("GITHUB_OUTPUT").ok().filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let totals = Totals::of(&found.report);
    let result = match found.report.result {
        Verdict::Unchanged => "unchanged",
        Verdict::Narrowed => "narrowed",
        Verdict::Widened => "widened",
        Verdict::Unknown => "unknown",
    };
    let sarif = given.sarif.as_deref().map(|file| file.to_string_lossy().into_owned());
    let values = [
        ("result", result.to_string()),
        ("opened-count", totals.opened.to_string()),
        ("closed-count", totals.closed.to_string()),
        ("findings-count", totals.findings.to_string()),
        ("not-evaluated-count", found.report.not_evaluated.len().to_string()),
        ("report-json", REPORT.to_string()),
        ("sarif-file", sarif.unwrap_or_default()),
        ("comment-url", comment.unwrap_or_default().to_string()),
    ];
    let lines: Vec<String> = values.iter().map(|(name, value)| entry(name, value)).collect();
    append(Path::new(&path), &lines.concat())
}

/// One output, ended by a line that its value cannot hold.
fn entry(name: &str, value: &str) -> String {
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    let mut salt = 0u32;
    loop {
        let digest =
            Sha256::digest(format!("{nanos} {} {salt} {name} {value}", std::process::id()));
        let end = digest.iter().take(12).fold(String::from("end-"), |mut text, byte| {
            text.push_str(&format!("{byte:02x}"));
            text
        });
        if !value.contains(&end) {
            return format!("{name}<<{end}\n{value}\n{end}\n");
        }
        salt += 1;
    }
}

fn append(path: &Path, text: &str) -> Result<(), Failure> {
    let file = fs::OpenOptions::new().append(true).create(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| unwritable(path, &error))
}

fn create(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    folder.and_then(|()| fs::write(path, text)).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Unreadable(format!("could not write `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::FailOn;

    fn read(variables: &[(&str, &str)]) -> Result<Given, String> {
        let variable = |name: &str| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string())
        };
        given(&variable, &RenderOptions::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn inputs_in_both_spellings() {
        for name in ["INPUT_FAIL-ON", "INPUT_FAIL_ON"] {
            let given = read(&[(name, "high"), ("INPUT_PATHS", "a\n b/c ,d\n")]).expect("inputs");
            assert_eq!(given.inputs.fail_on, Some(FailOn::High));
            assert_eq!(given.inputs.paths, ["a", "b/c", "d"]);
        }
    }

    #[test]
    fn nothing_given_is_nothing_said() {
        let given = read(&[("INPUT_MODE", ""), ("INPUT_COMMENT", "  ")]).expect("inputs");
        assert_eq!(given.inputs.mode, None);
        assert_eq!(given.inputs.comment, None);
        assert!(given.summary && given.token.is_none());
    }

    #[test]
    fn a_wrong_value_is_refused_with_the_right_ones() {
        let error = read(&[("INPUT_MODE", "strict")]).err().expect("an error");
        assert!(error.contains("`mode`") && error.contains("`enforce`"), "{error}");
        assert!(read(&[("INPUT_BASE-REF", "main")]).is_err());
    }

    #[test]
    fn outputs_end_where_their_value_does_not() {
        let text = entry("result", "a\nend-\nb<<end-");
        let lines: Vec<&str> = text.lines().collect();
        let end = lines[0].strip_prefix("result<<").expect("a delimiter");
        assert_eq!(lines.last(), Some(&end));
        assert_eq!(lines.iter().filter(|line| **line == end).count(), 1);
    }
}
