//! Text -> settings, or everything that is wrong with it.

use super::check::{self, shown};
use super::file::{self, File, LEAST_NODES, MOST_NODES};
use super::{Approvers, CommentOptions, FailOn, Settings, Waiver};
use crate::config::{Config, Ignored, Protected, RuleSettings, Rules, Stated};
use crate::nearest::nearest;
use crate::report::{CauseKind, Persona, Severity};
use crate::rules::catalogue::RULES;
use ipnet::IpNet;
use serde_saphyr::{DuplicateKeyPolicy, Location, MergeKeyPolicy, Spanned};
use std::collections::{BTreeMap, BTreeSet};

/// The largest file that is read, in bytes: a thousand waivers and more.
const MOST_BYTES: usize = 256 << 10;

/// Something that is wrong with a configuration. As text it is `LINE:COLUMN: MESSAGE`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct SettingsError {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong, and what to write.
    pub message: String,
}

/// Reads the text of a configuration.
///
/// # Errors
///
/// All values that are wrong, in the order of their lines; where the structure itself is wrong (a key that does not
/// exist, say), the first such place only.
pub fn parse(text: &str) -> Result<Settings, Vec<SettingsError>> {
    if text.len() > MOST_BYTES {
        let message = format!(
            "the configuration has {} bytes, more than the {MOST_BYTES} that are read",
            text.len()
        );
        return Err(vec![SettingsError { line: 1, column: 1, message }]);
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 16,
            max_nodes: 50_000,
            max_events: 100_000,
            max_anchors: 0,
            max_aliases: 0,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    };
    let file: File = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| vec![structural(&error, text)])?;
    let mut reader = Reader::default();
    let settings = reader.settings(file);
    if reader.errors.is_empty() {
        return Ok(settings);
    }
    reader.errors.sort();
    Err(reader.errors)
}

/// [`parse`] for what a file holds. Bytes that are not UTF-8 are an error with its line.
///
/// # Errors
///
/// See [`parse`].
pub fn parse_bytes(bytes: &[u8]) -> Result<Settings, Vec<SettingsError>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let line = u32::try_from(line).unwrap_or(u32::MAX);
            let message = "it is not UTF-8; save the file in that encoding".into();
            Err(vec![SettingsError { line, column: 1, message }])
        }
    }
}

pub(super) fn at(location: Location, message: String) -> SettingsError {
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).max(1);
    SettingsError { line: number(location.line()), column: number(location.column()), message }
}

/// The words for an error of the YAML reader.
fn structural(error: &serde_saphyr::Error, text: &str) -> SettingsError {
    use serde_saphyr::Error;
    let location = error.location().unwrap_or(Location::UNKNOWN);
    let message = match error.without_snippet() {
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("there is no key {} here{}", shown(field), near(field, expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("{} is none of the values here{}", shown(variant), near(variant, expected))
        }
        Error::Eof { .. } if is_blank(text) => {
            "the file is empty; it begins with `version: 1`".into()
        }
        Error::SerdeMissingField { field: "version", .. } => {
            "the key `version` is missing; write `version: 1`".into()
        }
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key {} is there twice; remove one", shown(key))
        }
        Error::InvalidBooleanStrict { .. } => "write `true` or `false`".into(),
        Error::MultipleDocuments { .. } => "the file holds a second document; write one only".into(),
        Error::Budget { .. } => {
            "the file nests deeper, or holds more, than any configuration needs; anchors and aliases are \
             not read either"
                .into()
        }
        other => plain(&other.to_string()),
    };
    at(location, message)
}

/// Nothing but blanks and comments.
fn is_blank(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#'))
}

/// The reader's own words, without the place, which stands in front.
fn plain(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" at line ").next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    format!("it could not be read: {}", line.trim_end_matches(['.', ':']))
}

fn near(wrong: &str, known: &[&'static str]) -> String {
    let quoted = |names: &[&str]| {
        let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        quoted.join(", ")
    };
    match nearest(wrong, known.iter().copied(), 2).as_slice() {
        [] => match elsewhere(wrong) {
            Some(section) => format!("; it belongs below `{section}`"),
            None => format!("; there are {}", quoted(known)),
        },
        near => format!("; did you mean {}?", quoted(near)),
    }
}

/// The section that has a key which stands outside of it.
fn elsewhere(key: &str) -> Option<&'static str> {
    Some(match key {
        "profile"
        | "podCIDRs"
        | "serviceCIDRs"
        | "nodeCIDRs"
        | "ipBlocksMatchPods"
        | "hostNetworkPods"
        | "endPort"
        | "sctp"
        | "closedNamespaces"
        | "protectedNamespaceLabels" => "cluster",
        "namespaces" | "ranges" => "protected",
        "users" | "teams" | "codeowners" | "author" => "approvers",
        "when" | "inline" => "comment",
        "nodes" => "limits",
        "deny" | "must-reach" | "frozen" => "guardrails",
        _ => return None,
    })
}

#[derive(Default)]
pub(super) struct Reader {
    pub(super) errors: Vec<SettingsError>,
}

impl Reader {
    /// The value if it is good; notes what is wrong otherwise.
    pub(super) fn check<T>(
        &mut self,
        written: &Spanned<String>,
        check: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        check(&written.value).map_err(|message| self.errors.push(at(written.defined, message))).ok()
    }

    pub(super) fn all<T>(
        &mut self,
        written: &Option<Vec<Spanned<String>>>,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let written = written.iter().flatten();
        written.filter_map(|value| self.check(value, &check)).collect()
    }

    fn settings(&mut self, file: File) -> Settings {
        if file.version.value != 1 {
            let version = file.version.value;
            let message = format!("version {version} is not known; write `version: 1`");
            self.errors.push(at(file.version.defined, message));
        }
        let severity = severities(file.severity.unwrap_or_default());
        let comment = file.comment.unwrap_or_default();
        let default = CommentOptions::default();
        let mut paths = self.all(&file.paths, check::path);
        // The root itself is no limit.
        if paths.iter().any(|path| path == ".") {
            paths.clear();
        }
        let (environments, environment_fail_on) =
            self.environments(file.environments.unwrap_or_default());
        let rules = self.rules(file.persona, file.rules);
        let mut config = self.config(
            file.default_namespace,
            file.protected.unwrap_or_default(),
            file.cluster.unwrap_or_default(),
            file.limits.unwrap_or_default(),
            severity.iter().map(|(kind, _, level)| (*kind, *level)).collect(),
            rules,
        );
        config.guardrails = self.guardrails(file.guardrails.unwrap_or_default(), &config);
        Settings {
            paths,
            inventory: self.all(&file.inventory, check::file),
            config,
            mode: file.mode.unwrap_or_default(),
            fail_on: file.fail_on,
            environments,
            environment_fail_on,
            severity: severity.into_iter().map(|(_, name, level)| (name.into(), level)).collect(),
            approvers: self.approvers(file.approvers.unwrap_or_default()),
            waivers: self.waivers(file.waivers.unwrap_or_default()),
            comment: CommentOptions {
                when: comment.when.unwrap_or(default.when),
                inline: comment.inline.unwrap_or(default.inline),
            },
        }
    }

    fn config(
        &mut self,
        default_namespace: Option<Spanned<String>>,
        protected: file::Protected,
        cluster: file::Cluster,
        limits: file::Limits,
        least_severity: BTreeMap<CauseKind, Severity>,
        rules: Rules,
    ) -> Config {
        let default = Config::default();
        let known = cluster.profile.map(super::profile::Profile::known).unwrap_or_default();
        let namespace =
            default_namespace.and_then(|written| self.check(&written, check::namespace));
        if let Some(nodes) = &limits.nodes
            && !(LEAST_NODES..=MOST_NODES).contains(&nodes.value)
        {
            let message = format!(
                "{} is no number of nodes; write {LEAST_NODES} to {MOST_NODES}",
                nodes.value
            );
            self.errors.push(at(nodes.defined, message));
        }
        let closed = self.all(&cluster.closed_namespaces, check::namespace);
        let trusted = cluster.protected_namespace_labels.is_some();
        let trusted = trusted.then(|| {
            self.all(&cluster.protected_namespace_labels, |key| {
                check::label(key, "").map(|()| key.to_string())
            })
        });
        let rules = Rules {
            closed_namespaces: closed.into_iter().collect(),
            protected_labels: trusted.map(|keys| keys.into_iter().collect()),
            ..rules
        };
        let nodes = limits.nodes.and_then(|nodes| usize::try_from(nodes.value).ok());
        Config {
            default_namespace: namespace.unwrap_or(default.default_namespace),
            ip_blocks_match_pods: cluster
                .ip_blocks_match_pods
                .or(known.ip_blocks_match_pods)
                .unwrap_or(default.ip_blocks_match_pods),
            pod_ranges: self.ranges(&cluster.pod_cidrs),
            service_ranges: self.ranges(&cluster.service_cidrs),
            node_ranges: self.ranges(&cluster.node_cidrs),
            host_network_pods: cluster
                .host_network_pods
                .or(known.host_network_pods)
                .unwrap_or(default.host_network_pods),
            end_port: cluster.end_port.or(known.end_port).unwrap_or(default.end_port),
            sctp: cluster.sctp.or(known.sctp).unwrap_or(default.sctp),
            protected: Protected {
                namespaces: self.all(&protected.namespaces, check::namespace).into_iter().collect(),
                ranges: self.ranges(&protected.ranges),
            },
            least_severity,
            rules,
            guardrails: default.guardrails,
            node_budget: nodes.unwrap_or(default.node_budget),
            connections: default.connections,
        }
    }

    fn ranges(&mut self, written: &Option<Vec<Spanned<String>>>) -> Vec<IpNet> {
        IpNet::aggregate(&self.all(written, check::cidr))
    }

    fn approvers(&mut self, written: file::Approvers) -> Approvers {
        Approvers {
            users: self.all(&written.users, check::user),
            teams: self.all(&written.teams, check::team),
            codeowners: written.codeowners.unwrap_or_default(),
            author: written.author.unwrap_or_default(),
        }
    }

    fn waivers(&mut self, written: Vec<Spanned<file::Waiver>>) -> Vec<Waiver> {
        let mut waivers = Vec::with_capacity(written.len());
        for Spanned { value: written, defined, .. } in written {
            let fingerprint = self.check(&written.fingerprint, check::fingerprint);
            let reason = self.check(&written.reason, |text| check::words(text, "reason"));
            let expires = written.expires.and_then(|day| self.check(&day, check::day));
            let by = written.by.and_then(|by| self.check(&by, |text| check::words(text, "by")));
            let (Some(fingerprint), Some(reason)) = (fingerprint, reason) else { continue };
            let line = at(defined, String::new()).line;
            waivers.push(Waiver { fingerprint, reason, expires, by, line, given: None });
        }
        waivers
    }
}

/// What is stated of environments: what they are made of, and what fails in each.
type Environments = (Vec<Stated>, BTreeMap<String, FailOn>);

impl Reader {
    fn environments(&mut self, written: Vec<Spanned<file::Environment>>) -> Environments {
        // Environments of one cluster are one, under all their names.
        let mut clusters: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for Spanned { value, .. } in &written {
            if let Some(cluster) = &value.cluster {
                clusters.entry(cluster.value.clone()).or_default().insert(value.name.value.clone());
            }
        }
        let (mut environments, mut fail_on) = (Vec::new(), BTreeMap::<String, FailOn>::new());
        for Spanned { value, defined, .. } in written {
            let Some(own) = self.check(&value.name, |text| check::words(text, "name")) else {
                continue;
            };
            let names = value.cluster.as_ref().and_then(|cluster| clusters.get(&cluster.value));
            let name = names.map_or(own, |names| {
                names.iter().map(String::as_str).collect::<Vec<_>>().join(" + ")
            });
            if let Some(own) = value.fail_on {
                let known = fail_on.entry(name.clone()).or_insert(own);
                *known = own.max(*known);
            }
            let namespace = value.namespace.and_then(|text| self.check(&text, check::namespace));
            let release = value
                .release
                .and_then(|text| self.check(&text, |text| check::words(text, "release")));
            let root = |path: String| if path == "." { String::new() } else { path };
            let values = self.all(&value.values, check::path);
            let paths: Vec<String> =
                self.all(&value.paths, check::path).into_iter().map(root).collect();
            if !paths.is_empty() {
                environments.push(Stated {
                    name,
                    paths,
                    renderer: value.renderer,
                    values,
                    namespace,
                    release,
                    file: super::PATH.into(),
                    line: at(defined, String::new()).line,
                });
            }
        }
        (environments, fail_on)
    }
}

type WrittenRules = Spanned<BTreeMap<String, Spanned<file::RuleSettings>>>;

impl Reader {
    fn rules(&mut self, persona: Option<Persona>, written: Option<WrittenRules>) -> Rules {
        let mut rules = Rules { persona: persona.unwrap_or_default(), ..Rules::default() };
        for (id, Spanned { value, defined, .. }) in written.into_iter().flat_map(|map| map.value) {
            if !RULES.iter().any(|rule| rule.id == id) {
                let known: Vec<&'static str> = RULES.iter().map(|rule| rule.id).collect();
                let near = match nearest(&id, known.iter().copied(), 2).as_slice() {
                    [] => "; `netpol-review rules` lists them".into(),
                    _ => near(&id, &known),
                };
                self.errors.push(at(defined, format!("there is no rule {}{near}", shown(&id))));
                continue;
            }
            let mut ignore = Vec::new();
            for Spanned { value, defined, .. } in value.ignore.into_iter().flatten() {
                let policy = self.check(&value.policy, |text| check::words(text, "policy"));
                let reason = self.check(&value.reason, |text| check::words(text, "reason"));
                let (Some(policy), Some(reason)) = (policy, reason) else { continue };
                ignore.push(Ignored { policy, reason, line: at(defined, String::new()).line });
            }
            let settings = RuleSettings {
                severity: value.severity,
                disable: value.disable.unwrap_or_default(),
                ignore,
            };
            rules.settings.insert(id, settings);
        }
        rules
    }
}

fn severities(written: file::Severities) -> Vec<(CauseKind, &'static str, Severity)> {
    let all = [
        (CauseKind::RuleAdded, "rule-added", written.rule_added),
        (CauseKind::RuleWidened, "rule-widened", written.rule_widened),
        (CauseKind::SelectorWidened, "selector-widened", written.selector_widened),
        (CauseKind::DirectionAdded, "direction-added", written.direction_added),
        (CauseKind::IsolationLost, "isolation-lost", written.isolation_lost),
        (CauseKind::WorkloadAdded, "workload-added", written.workload_added),
        (CauseKind::WorkloadChanged, "workload-changed", written.workload_changed),
        (CauseKind::NamespaceChanged, "namespace-changed", written.namespace_changed),
        (CauseKind::TierChanged, "tier-changed", written.tier_changed),
    ];
    all.into_iter().filter_map(|(kind, name, level)| Some((kind, name, level?))).collect()
}
