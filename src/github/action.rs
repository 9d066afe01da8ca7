//! The review of one event from beginning to end: the one function of the Action and of a server.

use super::api::{Api, Pull};
use super::check::{self, Check};
use super::client::{self, Client};
use super::compare::{Evaluated, evaluate};
use super::event::{Event, Subject};
use super::publish::{self, Begun, Told};
use super::pull::{Fetcher, Mirror};
use crate::environments::{self, Render, Signals, ending};
use crate::settings::{CommentWhen, FailOn, Mode};
use crate::source;
use crate::tree::InventoryFile;
use chrono::NaiveDate;
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
    /// Where what is fetched is kept for the next review; `None`: it is not.
    pub mirror: Option<Mirror>,
}

/// When and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The day on which waivers have to hold.
    pub today: NaiveDate,
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
}

/// Reviews an event. `evaluated` is called before anything of the result is written to GitHub, for what
/// needs no rights there; it is told whether there is a check run, whose annotations say the same.
///
/// A check run that was begun is concluded, whatever happens: one that never ends blocks a merge for ever.
pub async fn run(
    event: &Event,
    inputs: &Inputs,
    client: &Client,
    token: Option<&SecretString>,
    clock: Clock,
    evaluated: impl FnOnce(&Evaluated, bool),
) -> Result<Outcome, Error> {
    let api = Api::new(client, &event.repository);
    let pull = match event.subject {
        Subject::Pull(number) => Some(api.pull(number).await?),
        Subject::Group { .. } => None,
    };
    let head = match (&event.subject, &pull) {
        (Subject::Group { head, .. }, _) => head.clone(),
        (Subject::Pull(_), pull) => pull.as_ref().map(|p| p.head.sha.clone()).unwrap_or_default(),
    };
    let begun = publish::begin(&api, &head, &inputs.run_id).await?;
    let stopped = Signals::take().first();
    let has_check = matches!(begun, Begun::Run(_));
    let evaluated = |found: &Evaluated| evaluated(found, has_check);
    let work = work(&api, event, inputs, pull.as_ref(), &head, token, clock, evaluated);
    let (result, check) = tokio::select! {
        result = work => match result {
            Ok((outcome, check)) => (Ok(outcome), check),
            Err(error) => {
                let check = check::failed(inputs.mode.unwrap_or_default(), &error.to_string());
                (Err(error), check)
            }
        },
        number = stopped => {
            // Nobody waits for builds any more.
            ending::end();
            let error = Error::Stopped(number);
            let check = check::failed(Mode::Enforce, &error.to_string());
            (Err(error), check)
        }
    };
    match (result, publish::conclude(&api, &begun, &head, &check).await) {
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
    let (commits, repository) = fetcher.commits(api, pull).await?;
    let unsafe_checkout = event.trusted_context
        && checked_out
            .is_some_and(|id| id == commits.head || (id == commits.after && commits.merged));
    let home = format!("{}/{}", event.addresses.server, event.repository.as_str());
    let (mut inputs, today) = (inputs.clone(), clock.today);
    // What is suggested is tried first, by reviews of trees that differ in a few lines.
    inputs.rendering.kept = Some(Arc::default());
    inputs.rendering.urls = vec![home.clone()];
    inputs.rendering.branches = pull.iter().map(|pull| pull.base.name.clone()).collect();
    if event.trusted_context && inputs.rendering.render == Render::Trusted {
        // Whatever a fork names would run beside this repository's secrets.
        inputs.rendering.render = Render::Auto;
    }
    // Comparing takes the processor, and a bug in it must not take the check with it.
    let result = tokio::task::spawn_blocking(move || {
        evaluate(&repository, commits, home, &inputs, unsafe_checkout, today)
    });
    let result = result.await.map_err(|_| Error::Internal)??;
    evaluated(&result);
    let mut outcome = Outcome { evaluated: result, told: Told::default(), gave_way: false };
    if let Some(pull) = pull {
        // The newest head is the one to tell of, and its own run does.
        if api.pull(pull.number).await?.head.sha != head {
            outcome.gave_way = true;
            return Ok((outcome, check::cancelled()));
        }
        let review = &outcome.evaluated.review;
        outcome.told = publish::tell(api, pull.number, head, review).await?;
    }
    let check = outcome.evaluated.review.check.clone();
    Ok((outcome, check))
}
