//! Approving reviews of those whose word a guardrail needs.

use super::approve::{Need, People};
use crate::gate::{Gate, named_approvers};
use crate::github::api::{Api, MOST, PullReview};
use crate::github::client::Result;
use crate::report::Report;
use crate::settings::{Given, Settings, Waiver};
use std::collections::BTreeMap;

/// What approving reviews of a head accept: findings of guardrails that name their authors. Nobody is asked unless such a
/// finding holds the change back.
pub async fn approvals(
    api: &Api<'_>,
    number: u64,
    head: &str,
    (report, settings, gate): (&Report, &Settings, &Gate),
    people: &mut People<'_>,
) -> Result<Vec<Waiver>> {
    let mut held: BTreeMap<&str, &[String]> = BTreeMap::new();
    for environment in &report.environments {
        for finding in environment.findings.iter().filter(|finding| finding.introduced) {
            let named = named_approvers(settings, finding);
            let blocks = gate.blocking_findings.iter().any(|(_, own)| *own == finding.fingerprint);
            if blocks && !named.is_empty() {
                held.insert(&finding.fingerprint, named);
            }
        }
    }
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let reviews = match api.reviews(number).await {
        Ok(reviews) => reviews,
        Err(error) if error.is_forbidden() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let approving = approving(&reviews, head);
    let mut waivers = Vec::new();
    for (fingerprint, named) in held {
        for review in &approving {
            let Some(user) = &review.user else { continue };
            if people.may(user, &[Need::Named(named.to_vec())]).await.is_err() {
                continue;
            }
            waivers.push(Waiver {
                fingerprint: fingerprint.to_string(),
                reason: "approved in a review".into(),
                expires: None,
                by: Some(user.login.clone()),
                line: 0,
                given: Some(Given {
                    url: review.html_url.clone(),
                    until: None,
                    lapsed: false,
                    approval: true,
                }),
            });
            break;
        }
    }
    Ok(waivers)
}

/// The last reviews of those who approve this very head. Words alone change no verdict.
fn approving<'a>(reviews: &'a [PullReview], head: &str) -> Vec<&'a PullReview> {
    // The end of a longer list is not there, and with it perhaps what takes an approval back.
    if reviews.len() >= MOST {
        return Vec::new();
    }
    let mut last: BTreeMap<String, &PullReview> = BTreeMap::new();
    for review in reviews {
        let verdict =
            matches!(review.state.as_str(), "APPROVED" | "CHANGES_REQUESTED" | "DISMISSED");
        if let Some(user) = review.user.as_ref().filter(|_| verdict) {
            last.insert(user.login.to_ascii_lowercase(), review);
        }
    }
    let approves = |review: &&PullReview| {
        review.state == "APPROVED" && review.commit_id.as_deref() == Some(head)
    };
    last.into_values().filter(approves).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::api::User;

    #[test]
    fn the_last_verdict_on_this_head_counts() {
        let approved = |reviews: &[(&str, &str, &str)]| {
            let reviews: Vec<PullReview> = reviews
                .iter()
                .map(|(login, state, commit)| PullReview {
                    user: Some(User { login: (*login).into(), kind: None }),
                    state: (*state).into(),
                    commit_id: Some((*commit).into()),
                    html_url: String::new(),
                })
                .collect();
            approving(&reviews, "head").len()
        };
        for (reviews, count) in [
            (&[("a", "APPROVED", "head")][..], 1),
            (&[("a", "APPROVED", "older")], 0),
            (&[("a", "APPROVED", "head"), ("a", "COMMENTED", "head")], 1),
            (&[("a", "APPROVED", "head"), ("a", "CHANGES_REQUESTED", "head")], 0),
            (&[("a", "CHANGES_REQUESTED", "head"), ("A", "APPROVED", "head")], 1),
            (&[("a", "APPROVED", "head"), ("a", "APPROVED", "older")], 0),
            (&[("a", "DISMISSED", "head")], 0),
            (&[("a", "APPROVED", "head"), ("b", "APPROVED", "head")], 2),
        ] {
            assert_eq!(approved(reviews), count, "{reviews:?}");
        }
    }
}
