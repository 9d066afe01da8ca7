//! The review of one event from beginning to end: the one function of the Action and of a server.

use super::api::{Api, Pull};
use super::check::{self, Check};
use super::client::{self, Client};
use super::commands::{self, Case, Decided, People};
use super::compare::{self, Compared, Evaluated, Said, compare};
use super::event::{Event, Subject};
use super::page::{Cover, Pages};
use super::publish::{self, Begun, SameHead, Told};
use super::pull::{Fetcher, Mirror};
use crate::environments::{self, Render};
use crate::settings::{CommentWhen, FailOn, Mode};
use crate::source;
use crate::spans;
use crate::tree::InventoryFile;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;

/// What a workflow may say. It fills what the configuration leaves open and may tighten it.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Paths to look at.
    pub paths: Vec<String>,
    /// Another place for the configuration, where the usual one is empty.
    pub config_file: Option<String>,
    /// Fail or warn.
    pub mode: Option<Mode>,
    /// The least that fails.
    pub fail_on: Option<FailOn>,
    /// When to comment.
    pub comment: Option<CommentWhen>,
    /// Comments on lines.
    pub inline: Option<bool>,
    /// How kustomizations and charts are built.
    pub rendering: environments::Options,
    /// What is declared elsewhere, in place of what the configuration names.
    pub inventory: Vec<InventoryFile>,
    /// Names this run among all of the repository.
    pub run_id: String,
    /// It is an App's, and so one of a row of tries.
    pub app: Option<AppRun>,
    /// Where what is fetched is kept for the next review; `None`: it is not.
    pub mirror: Option<Mirror>,
    /// Where report pages are kept; `None`: none is made.
    pub pages: Option<Arc<dyn Pages>>,
}

/// What an App's run knows more than an Action's. One pull request is worked on by one run at a time, and a run that
/// failed is followed by another of the same name.
#[derive(Clone, Debug)]
pub struct AppRun {
    /// The App: whose check runs may be taken over.
    pub id: i64,
    /// The head is reviewed though it has a concluded check of ours.
    pub again: bool,
    /// The head that was reviewed last, or was to be.
    pub earlier: Option<String>,
    /// Nobody tries again after this run, so that the check has to be concluded whatever happens.
    pub last: bool,
    /// The process ended during each of the earlier tries, so that nothing is tried, and the check says so.
    pub died: bool,
}

/// What is to be reviewed, as GitHub has it now.
#[derive(Clone, Debug)]
pub struct Found {
    /// The pull request; none for a group of a merge queue.
    pub pull: Option<Pull>,
    /// Its head.
    pub head: String,
}

/// Looks for the subject of an event.
pub async fn find(event: &Event, client: &Client) -> Result<Found, Error> {
    match &event.subject {
        Subject::Group { head, .. } => Ok(Found { pull: None, head: head.clone() }),
        Subject::Pull(number) => {
            let pull = Api::new(client, &event.repository).pull(*number).await?;
            Ok(Found { head: pull.head.sha.clone(), pull: Some(pull) })
        }
    }
}

/// When and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// When waivers have to hold.
    pub now: DateTime<Utc>,
    /// The first wait before something is asked again.
    pub pause: Duration,
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// What was found, and what was made of it for GitHub.
    pub evaluated: Evaluated,
    /// What became of that.
    pub told: Told,
    /// A newer head came meanwhile, and nothing was written.
    pub gave_way: bool,
    /// How many requests were made of GitHub's API.
    pub calls: usize,
    /// Other pull requests with the same head, whose checks say something else for the time being, by number.
    pub others: Vec<u64>,
}

/// Why a run came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// GitHub.
    #[error(transparent)]
    GitHub(#[from] client::Error),
    /// git, or the files.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// A bug here.
    #[error("internal error while the change was compared; this is a bug in netpol-review")]
    Internal,
    /// The runner wants it to end; the signal's number.
    #[error("the run was stopped from outside")]
    Stopped(u8),
    /// Nobody knows why, as the process was gone each time.
    #[error(
        "the server ended each time while it reviewed this; it may be too much for the memory that it has"
    )]
    Died,
    /// There is nothing to review any more.
    #[error("nothing is left to do: {0}")]
    Moot(&'static str),
}

impl Error {
    /// May the same succeed later?
    pub fn is_passing(&self) -> bool {
        match self {
            // A no may be that of a server that lags behind.
            Self::GitHub(error) => !error.is_unprocessable(),
            Self::Source(error) => !error.is_lasting(),
            Self::Internal | Self::Stopped(_) => true,
            Self::Moot(_) | Self::Died => false,
        }
    }
}

/// Reviews an event. `evaluated` is called before anything of the result is written to GitHub, for what
/// needs no rights there; it is told whether there is a check run, whose annotations say the same. `stopped` ends when
/// somebody wants the run to end, with a signal's number.
///
/// A check run that was begun is concluded, whatever happens: one that never ends blocks a merge for ever. Only an App's
/// run leaves that to its next try.
#[allow(clippy::too_many_arguments)] // One call, and a struct would only rename them.
pub async fn run(
    event: &Event,
    found: &Found,
    inputs: &Inputs,
    client: &Client,
    token: Option<&SecretString>,
    clock: Clock,
    stopped: impl Future<Output = u8>,
    evaluated: impl FnOnce(&Evaluated, bool),
) -> Result<Outcome, Error> {
    let api = Api::new(client, &event.repository);
    let Found { pull, head } = found;
    let own = inputs.run_id.split('#').next().unwrap_or_default();
    if let Some(app) = &inputs.app {
        let is_open = pull.as_ref().is_none_or(|pull| pull.state == "open");
        // What an earlier try began is concluded by this one, or by nobody.
        let earlier = app.earlier.iter().filter(|earlier| *earlier != head);
        for left in earlier.chain((!is_open).then_some(head)) {
            publish::abandon(&api, left, own, app.id).await?;
        }
        if !is_open {
            return Err(Error::Moot("the pull request is not open"));
        }
    }
    let begun = match &inputs.app {
        None => publish::begin(&api, head, &inputs.run_id, false).await?,
        Some(app) => match publish::resume(&api, head, &inputs.run_id, app).await? {
            Some(begun) => begun,
            None => return Err(Error::Moot("the check is concluded")),
        },
    };
    let has_check = matches!(begun, Begun::Run { .. });
    let evaluated = |found: &Evaluated| evaluated(found, has_check);
    let work = async {
        if inputs.app.as_ref().is_some_and(|app| app.died) {
            return Err(Error::Died);
        }
        work(&api, event, inputs, pull.as_ref(), head, token, clock, evaluated).await
    };
    let (result, check) = tokio::select! {
        result = work => match result {
            Ok((outcome, check)) => (Ok(outcome), check),
            Err(error) if inputs.app.as_ref().is_some_and(|app| !app.last) && error.is_passing() => {
                return Err(error);
            }
            Err(error) => {
                let check = check::failed(inputs.mode.unwrap_or_default(), &error.to_string());
                (Err(error), check)
            }
        },
        number = stopped => {
            let error = Error::Stopped(number);
            let check = check::failed(Mode::Enforce, &error.to_string());
            (Err(error), check)
        }
    };
    let mut others = Vec::new();
    let check = match &inputs.app {
        Some(app) if matches!(check.conclusion, "success" | "neutral") => {
            match publish::same_head(&api, head, own, app.id).await {
                Ok(SameHead { failing, derived, .. }) => {
                    others = derived;
                    failing.first().map_or(check.clone(), |number| check::shared(check, *number))
                }
                Err(error) if !app.last => return Err(error.into()),
                Err(error) => check::failed(Mode::Enforce, &error.to_string()),
            }
        }
        _ => check,
    };
    let concluded = spans::part("check", publish::conclude(&api, &begun, head, &check)).await;
    if let Some(app) = &inputs.app
        && check.conclusion == "failure"
    {
        // Looked at after the own one is written: of two that end together one sees the other.
        others = publish::same_head(&api, head, own, app.id).await?.passing;
    }
    let result = result.map(|outcome| Outcome { calls: client.calls(), others, ..outcome });
    match (result, concluded) {
        // The job's own result has to do, as it does for a fork.
        (Ok(mut outcome), Err(error)) if error.is_forbidden() => {
            outcome.told.problems.push(error.to_string());
            Ok(outcome)
        }
        (Ok(_), Err(error)) => Err(error.into()),
        (result, _) => result,
    }
}

#[allow(clippy::too_many_arguments)] // One call, and a struct would only rename them.
async fn work(
    api: &Api<'_>,
    event: &Event,
    inputs: &Inputs,
    pull: Option<&Pull>,
    head: &str,
    token: Option<&SecretString>,
    clock: Clock,
    evaluated: impl FnOnce(&Evaluated),
) -> Result<(Outcome, Check), Error> {
    let fetcher = Fetcher::new(event, inputs.mirror.as_ref(), token, clock.pause);
    let checked_out = fetcher.checked_out();
    let (commits, repository) = spans::part("git", fetcher.commits(api, pull)).await?;
    let unsafe_checkout = event.trusted_context
        && checked_out
            .is_some_and(|id| id == commits.head || (id == commits.after && commits.merged));
    let home = format!("{}/{}", event.addresses.server, event.repository.as_str());
    let (app, today) = (inputs.app.is_some(), clock.now.date_naive());
    let mut inputs = inputs.clone();
    let pages = inputs.pages.take();
    // What is suggested is tried first, by reviews of trees that differ in a few lines.
    inputs.rendering.kept = Some(Arc::default());
    inputs.rendering.urls = vec![home.clone()];
    inputs.rendering.branches = pull.iter().map(|pull| pull.base.name.clone()).collect();
    if event.trusted_context && inputs.rendering.render == Render::Trusted {
        // Whatever a fork names would run beside this repository's secrets.
        inputs.rendering.render = Render::Auto;
    }
    // Comparing takes the processor, and a bug in it must not take the check with it.
    let compared = tokio::task::spawn_blocking(move || {
        compare(repository, commits, home, inputs, unsafe_checkout, today)
    });
    let compared = async { compared.await.map_err(|_| Error::Internal)? };
    let compared = spans::part("comparison", compared).await?;
    let talk = match pull {
        Some(pull) => {
            let read = publish::conversation(api, pull.number, app);
            Some(spans::part("conversation", read).await?)
        }
        None => None,
    };
    let (decided, said) = match (pull, &talk) {
        (Some(pull), Some(talk)) => heard(api, event, pull, head, &compared, talk, clock).await?,
        _ => Default::default(),
    };
    let cover = pages.is_some().then(|| Cover {
        repository: event.repository.as_str().to_string(),
        number: pull.map(|pull| pull.number),
        title: pull.and_then(|pull| pull.title.clone()),
        made: clock.now.format("%Y-%m-%d %H:%M UTC").to_string(),
    });
    let result = tokio::task::spawn_blocking(move || compared.evaluate(&said, cover.as_ref()));
    let result = async { result.await.map_err(|_| Error::Internal)? };
    let mut result = spans::part("evaluation", result).await?;
    let page = result.page.take();
    evaluated(&result);
    let mut outcome = Outcome {
        evaluated: result,
        told: Told::default(),
        gave_way: false,
        calls: 0,
        others: Vec::new(),
    };
    if let Some(pull) = pull {
        // The newest head is the one to tell of, and its own run does.
        if api.pull(pull.number).await?.head.sha != head {
            outcome.gave_way = true;
            return Ok((outcome, check::cancelled()));
        }
        let review = &outcome.evaluated.review;
        if let Some(talk) = &talk {
            let telling = publish::tell(api, pull.number, head, review, talk);
            outcome.told = spans::part("comment", telling).await?;
            let answers = decided.answers(&review.explained);
            outcome.told.problems.extend(commands::reply(api, pull.number, talk, &answers).await?);
        }
    }
    let mut check = outcome.evaluated.review.check.clone();
    if let (Some(pages), Some(page)) = (pages, page) {
        // It is there before anybody can follow the link.
        check.details = pages.keep(head, page).await;
    }
    Ok((outcome, check))
}

/// What people say on a pull request, and what that comes to.
async fn heard(
    api: &Api<'_>,
    event: &Event,
    pull: &Pull,
    head: &str,
    compared: &Compared,
    talk: &publish::Conversation,
    clock: Clock,
) -> Result<(Decided, Said), Error> {
    let compare::Found { settings, report, broken, .. } = compared.found();
    let owners = match settings.approvers.codeowners {
        true => compared.codeowners()?,
        false => None,
    };
    let author = pull.user.as_ref();
    let mut people = People::new(api, &settings.approvers, author, owners.as_deref(), *broken);
    let comments = talk.comments.as_deref().unwrap_or_default();
    let case = Case { comments, me: &talk.me, report, settings, now: clock.now };
    let mut decided = commands::decide(&case, &mut people).await;
    let gate = compared.gate(&decided.waivers);
    let approvals =
        commands::approvals(api, pull.number, head, (report, settings, &gate), &mut people).await?;
    decided.add(approvals);
    decided.audit(event.repository.as_str(), pull.number);
    let said = decided.said();
    Ok((decided, said))
}
