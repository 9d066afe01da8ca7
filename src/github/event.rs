//! What happened: the environment of an Action, or arguments -> what is to be reviewed.

use super::api::RepositoryName;
use super::client::Addresses;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is to be reviewed, and where.
#[derive(Clone, Debug)]
pub struct Event {
    /// The repository that the pull request is to.
    pub repository: RepositoryName,
    /// What is reviewed in it.
    pub subject: Subject,
    /// Where GitHub is.
    pub addresses: Addresses,
    /// A checkout, if there is one.
    pub workspace: Option<PathBuf>,
    /// The commit that the run is about, as the runner says (`GITHUB_SHA`): for `pull_request`, the merge
    /// commit.
    pub commit: Option<String>,
    /// True for `pull_request_target` and `issue_comment`, whose token can write and whose checkout must not be the
    /// head.
    pub trusted_context: bool,
}

/// What is reviewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A pull request.
    Pull(u64),
    /// The head of a merge queue's group against its base.
    Group {
        /// The commit that the group starts from.
        base: String,
        /// The commit that would be merged.
        head: String,
    },
}

/// The event can't be reviewed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EventError(String);

/// The arguments that name a pull request by hand.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// `OWNER/NAME`.
    pub repository: Option<String>,
    /// Its number.
    pub number: Option<u64>,
    /// Two commits or branches of the checkout, for events that are about no pull request.
    pub refs: Option<(String, String)>,
}

/// The fields of events that are needed. An unknown action is no error.
#[derive(Deserialize)]
struct Payload {
    pull_request: Option<PayloadPull>,
    merge_group: Option<PayloadGroup>,
    issue: Option<PayloadIssue>,
    inputs: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Deserialize)]
struct PayloadPull {
    number: u64,
}

/// Pull requests are issues, too, and their comments are those of issues.
#[derive(Deserialize)]
struct PayloadIssue {
    number: u64,
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct PayloadGroup {
    base_sha: String,
    head_sha: String,
}

impl Event {
    /// Reads the environment of an Action. `variable` gives environment variables, `payload` the text of
    /// the file at `GITHUB_EVENT_PATH`.
    pub fn read(
        variable: &dyn Fn(&str) -> Option<String>,
        payload: Option<&str>,
        named: &Named,
    ) -> Result<Self, EventError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let wrong = |text: String| Err(EventError(text));
        let repository = named.repository.clone().or_else(|| variable("GITHUB_REPOSITORY"));
        let Some(repository) = repository else {
            return wrong(
                "no repository is named\n  try: `--repo OWNER/NAME --number N`, or run it in GitHub Actions"
                    .into(),
            );
        };
        let Some(repository) = RepositoryName::new(&repository) else {
            return wrong(format!(
                "`{repository}` is not a repository's name\n  try: `OWNER/NAME`"
            ));
        };
        let name = variable("GITHUB_EVENT_NAME").unwrap_or_default();
        let subject = match named.number {
            Some(number) => Subject::Pull(number),
            None => subject(&name, payload, named)?,
        };
        let server = variable("GITHUB_SERVER_URL").unwrap_or("https://github.com".into());
        let api = variable("GITHUB_API_URL").unwrap_or("https://api.github.com".into());
        let graphql = variable("GITHUB_GRAPHQL_URL")
            .unwrap_or_else(|| format!("{}/graphql", api.trim_end_matches("/v3")));
        let server = server.trim_end_matches('/').to_string();
        let by_hand = named.number.is_some();
        Ok(Self {
            repository,
            addresses: Addresses { api, graphql, git: server.clone(), server },
            workspace: variable("GITHUB_WORKSPACE").map(PathBuf::from),
            commit: variable("GITHUB_SHA").filter(|_| !by_hand && name == "pull_request"),
            trusted_context: matches!(name.as_str(), "pull_request_target" | "issue_comment"),
            subject,
        })
    }
}

fn subject(name: &str, payload: Option<&str>, named: &Named) -> Result<Subject, EventError> {
    let Some(payload) = payload else {
        return Err(EventError(
            "no event: `GITHUB_EVENT_PATH` names no file\n  try: `--repo OWNER/NAME --number N`"
                .into(),
        ));
    };
    let payload: Payload = serde_json::from_str(payload).map_err(|error| {
        EventError(format!(
            "could not understand the event `{name}` of `GITHUB_EVENT_PATH`: {error}"
        ))
    })?;
    if let Some(group) = payload.merge_group {
        return Ok(Subject::Group { base: group.base_sha, head: group.head_sha });
    }
    if let Some(pull) = payload.pull_request {
        return Ok(Subject::Pull(pull.number));
    }
    if let Some(issue) = payload.issue.filter(|issue| issue.pull_request.is_some()) {
        return Ok(Subject::Pull(issue.number));
    }
    let number = payload.inputs.as_ref().and_then(|inputs| {
        let value = inputs.get("number").or_else(|| inputs.get("pull-request"))?;
        value.as_u64().or_else(|| value.as_str()?.trim_start_matches('#').parse().ok())
    });
    match (number, &named.refs) {
        (Some(number), _) => Ok(Subject::Pull(number)),
        (None, Some((base, head))) => Ok(Subject::Group { base: base.clone(), head: head.clone() }),
        (None, None) => Err(EventError(format!(
            "the event `{name}` is about no pull request\n  try: `on: pull_request` or `merge_group`; for \
             `workflow_dispatch`, an input `number`; or the inputs `base-ref` and `head-ref`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        variables: &[(&str, &str)],
        payload: Option<&str>,
        named: &Named,
    ) -> Result<Event, String> {
        let variable = |name: &str| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string())
        };
        Event::read(&variable, payload, named).map_err(|error| error.to_string())
    }

    const ACTION: [(&str, &str); 3] = [
        ("GITHUB_REPOSITORY", "shop/manifests"),
        ("GITHUB_EVENT_NAME", "pull_request"),
        ("GITHUB_SHA", "abc"),
    ];

    #[test]
    fn pull_requests() {
        let event = read(
            &ACTION,
            Some(r#"{"action":"whatever","pull_request":{"number":7}}"#),
            &Named::default(),
        )
        .expect("an event");
        assert_eq!(event.subject, Subject::Pull(7));
        assert_eq!(event.commit.as_deref(), Some("abc"));
        assert_eq!(event.addresses.graphql, "https://api.github.com/graphql");
    }

    #[test]
    fn enterprise_servers() {
        let mut variables = ACTION.to_vec();
        variables.push(("GITHUB_API_URL", "https://git.example/api/v3"));
        variables.push(("GITHUB_SERVER_URL", "https://git.example/"));
        let event = read(&variables, Some(r#"{"pull_request":{"number":7}}"#), &Named::default())
            .expect("an event");
        assert_eq!(event.addresses.graphql, "https://git.example/api/graphql");
        assert_eq!(event.addresses.server, "https://git.example");
    }

    #[test]
    fn groups_dispatches_and_names() {
        let group =
            r#"{"action":"checks_requested","merge_group":{"base_sha":"b","head_sha":"h"}}"#;
        let event = read(&ACTION, Some(group), &Named::default()).expect("an event");
        assert_eq!(event.subject, Subject::Group { base: "b".into(), head: "h".into() });
        for (comment, pull) in [
            (r#"{"issue":{"number":7,"pull_request":{"url":"x"}},"comment":{}}"#, true),
            (r#"{"issue":{"number":7},"comment":{}}"#, false),
        ] {
            let event = read(&ACTION, Some(comment), &Named::default());
            assert_eq!(event.is_ok_and(|event| event.subject == Subject::Pull(7)), pull);
        }
        for inputs in [r#"{"inputs":{"number":"12"}}"#, r##"{"inputs":{"number":"#12"}}"##] {
            let event = read(&ACTION, Some(inputs), &Named::default()).expect("an event");
            assert_eq!(event.subject, Subject::Pull(12));
        }
        let named = Named { repository: Some("a/b".into()), number: Some(3), refs: None };
        let event = read(&ACTION, None, &named).expect("an event");
        assert_eq!((event.repository.as_str(), event.subject), ("a/b", Subject::Pull(3)));
        assert_eq!(event.commit, None, "the run is about another commit");
    }

    #[test]
    fn what_is_no_pull_request_is_said() {
        for (variables, payload, words) in [
            (&ACTION[..], Some(r#"{"ref":"refs/heads/main"}"#), "is about no pull request"),
            (&ACTION, Some("{"), "could not understand"),
            (&ACTION, None, "GITHUB_EVENT_PATH"),
            (&[], None, "--repo"),
            (&[("GITHUB_REPOSITORY", "x")], None, "OWNER/NAME"),
        ] {
            let error = read(variables, payload, &Named::default()).expect_err("no event");
            assert!(error.contains(words), "{error}");
        }
    }
}
