//! Objects that the API server doesn't know but that could be meant to play a part: `kind`
//! in the wrong letter case, or without its group.

use super::kinds::{self, Kind};

/// The kinds that people write by hand and may write wrongly.
const KINDS: [&str; 17] = [
    "NetworkPolicy",
    "Namespace",
    "Pod",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "Job",
    "CronJob",
    "DeploymentConfig",
    "AdminNetworkPolicy",
    "BaselineAdminNetworkPolicy",
    "ClusterNetworkPolicy",
    "GlobalNetworkPolicy",
    "CiliumNetworkPolicy",
    "CiliumClusterwideNetworkPolicy",
];

/// True iff a document of this kind must be parsed: it plays a part, or could be meant to.
pub(super) fn worth_parsing(kind: &str) -> bool {
    kinds::worth_parsing(kind) || known(kind).is_some()
}

/// The kind that this is in any letter case.
fn known(kind: &str) -> Option<&'static str> {
    KINDS.into_iter().find(|known| known.eq_ignore_ascii_case(kind))
}

/// What is written of an object that is [`Kind::Other`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'a> {
    /// `apiVersion`, if it is a string.
    pub api_version: Option<&'a str>,
    /// `kind`, if it is a string.
    pub kind: Option<&'a str>,
    /// `metadata` or `spec` is a map.
    pub has_body: bool,
}

/// Why the object could be meant to play a part, and what is wrong with it, with whether it belongs
/// to one namespace for certain. `None`: it is what it says. Files of other tools (values, pipelines,
/// charts) have at most one of `apiVersion`, `kind` and a body.
pub(super) fn mistake(written: Written<'_>) -> Option<(String, bool)> {
    let api_version = written.api_version.filter(|version| !version.is_empty());
    let kind = written.kind.filter(|kind| !kind.is_empty());
    let Some(kind) = kind else {
        let api_version = api_version.filter(|_| written.has_body)?;
        let concerned = KINDS.iter().any(|kind| kinds::of(api_version, kind) != Kind::Other);
        return concerned.then(|| {
            (
                "`kind` is missing or no string, so kubectl refuses the object; write it".into(),
                false,
            )
        });
    };
    let known = known(kind)?;
    let namespaced =
        !known.starts_with("Namespace") && (known == "NetworkPolicy" || !known.ends_with("Policy"));
    let Some(api_version) = api_version else {
        let policy = known.ends_with("NetworkPolicy");
        return (policy || written.has_body).then(|| {
            let reason =
                "`apiVersion` is missing, so the API server does not know the object; write it";
            (reason.into(), namespaced)
        });
    };
    if kind != known && kinds::of(api_version, known) != Kind::Other {
        let reason = format!("the API server knows no kind `{kind}`; write `{known}`");
        return Some((reason, namespaced));
    }
    // A group of one's own may have any kind; `networking.k8s.io` may lack its version.
    let own = matches!(
        kinds::group(api_version),
        "" | "apps" | "batch" | "extensions" | "policy" | "autoscaling" | "networking.k8s.io"
    );
    own.then(|| {
        let reason = format!(
            "the API server knows no `{kind}` of `{api_version}`; correct the `apiVersion`"
        );
        (reason, namespaced)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_are_those_that_play_a_part() {
        for kind in KINDS {
            assert!(kinds::worth_parsing(kind), "{kind}");
            assert!(worth_parsing(&kind.to_lowercase()), "{kind}");
        }
        assert!(!worth_parsing("ConfigMap"));
        assert!(!worth_parsing("pipeline"));
    }

    #[test]
    fn mistakes_are_told_from_files_of_other_tools() {
        let written = |api_version: &'static str, kind: &'static str, has_body| {
            let given = |text: &'static str| (!text.is_empty()).then_some(text);
            Written { api_version: given(api_version), kind: given(kind), has_body }
        };
        for (api_version, kind, has_body, part) in [
            ("networking.k8s.io/v1", "", true, "`kind` is missing"),
            ("v1", "", true, "`kind` is missing"),
            ("", "NetworkPolicy", false, "`apiVersion` is missing"),
            ("", "networkpolicy", false, "`apiVersion` is missing"),
            ("", "Deployment", true, "`apiVersion` is missing"),
            ("networking.k8s.io/v1", "networkPolicy", true, "write `NetworkPolicy`"),
            ("apps/v1", "deployment", true, "write `Deployment`"),
            ("v1", "NetworkPolicy", true, "no `NetworkPolicy` of `v1`"),
            ("networking.k8s.io", "NetworkPolicy", true, "of `networking.k8s.io`"),
            ("v1", "Deployment", true, "of `v1`"),
        ] {
            let reason = mistake(written(api_version, kind, has_body));
            assert!(
                reason.as_ref().is_some_and(|(reason, _)| reason.contains(part)),
                "{kind}: {reason:?}"
            );
        }
        for (api_version, kind, has_body) in [
            ("v2", "", false),
            ("example.com/v1", "", true),
            ("", "", true),
            ("", "Job", false),
            ("", "pipeline", true),
            ("example.com/v1", "NetworkPolicy", true),
            ("example.com/v1", "deployment", true),
            ("v1", "ConfigMap", true),
        ] {
            let reason = mistake(written(api_version, kind, has_body));
            assert_eq!(reason, None, "{api_version} {kind}");
        }
    }
}
