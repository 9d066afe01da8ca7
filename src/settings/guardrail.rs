//! Guardrails: what can be written of them, and what it means.

use super::check::{self, shown};
use super::file;
use super::read::{Reader, at};
use crate::config::{self, Config, Demand, PortSpan, Who};
use crate::model::{NamespaceMatch, Selector};
use crate::report::Severity;
use crate::rules::not_public;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};
use std::collections::{BTreeMap, BTreeSet};

/// What must never, or must always, be reachable: exactly one of `deny`, `must-reach` and `frozen`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    {"required": ["deny"]}, {"required": ["must-reach"]}, {"required": ["frozen"]}
]))]
pub(super) struct Guardrail {
    /// Its name, for example `payments-never-from-internet`.
    #[schemars(with = "file::Namespace")]
    pub id: Spanned<String>,
    /// The level of its findings. Default: `high`.
    pub severity: Option<Severity>,
    /// The environments in which it holds, by name. Default: all.
    #[schemars(with = "Option<Vec<String>>")]
    pub environments: Option<Vec<Spanned<String>>>,
    /// What must never be allowed.
    #[serde(default, deserialize_with = "some")]
    #[schemars(with = "Deny")]
    pub deny: Option<Deny>,
    /// What must always be allowed between declared workloads.
    #[serde(default, deserialize_with = "some")]
    #[schemars(with = "MustReach")]
    pub must_reach: Option<MustReach>,
    /// What may not be opened further without a word of somebody.
    #[serde(default, deserialize_with = "some")]
    #[schemars(with = "Frozen")]
    pub frozen: Option<Frozen>,
}

/// A key that is there has a value.
fn some<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// What must never be allowed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Deny {
    /// Who connects. Default: any.
    #[schemars(with = "Option<Ends>")]
    pub from: Option<Spanned<Ends>>,
    /// Who is connected to. Default: any.
    #[schemars(with = "Option<Ends>")]
    pub to: Option<Spanned<Ends>>,
    /// The ports, as `TCP/5432` or `TCP/8000-8100`. Default: all.
    #[schemars(with = "Option<Vec<Port>>")]
    pub ports: Option<Vec<Spanned<String>>>,
    /// Does what was allowed before the change count against it, too? Default: `new`.
    pub enforce: Option<Enforce>,
}

/// Does what was allowed before a change count against the change?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Enforce {
    /// Always.
    Always,
    /// Only what the change allows.
    New,
}

/// What must always be allowed between declared workloads.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct MustReach {
    /// Who connects.
    #[schemars(with = "Ends")]
    pub from: Spanned<Ends>,
    /// Who is connected to.
    #[schemars(with = "Ends")]
    pub to: Spanned<Ends>,
    /// The ports, as `TCP/5432` or `TCP/8000-8100`. Default: all.
    #[schemars(with = "Option<Vec<Port>>")]
    pub ports: Option<Vec<Spanned<String>>>,
}

/// What may not be opened further without a word of somebody.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Frozen {
    /// Who connects. Default: any.
    #[schemars(with = "Option<Ends>")]
    pub from: Option<Spanned<Ends>>,
    /// Who is connected to. Default: any.
    #[schemars(with = "Option<Ends>")]
    pub to: Option<Spanned<Ends>>,
    /// The ports, as `TCP/5432` or `TCP/8000-8100`. Default: all.
    #[schemars(with = "Option<Vec<Port>>")]
    pub ports: Option<Vec<Spanned<String>>>,
    /// Whose word it is: logins or `organisation/team`. Default: whoever may accept what opens.
    #[schemars(with = "Option<Vec<String>>")]
    pub approvers: Option<Vec<Spanned<String>>>,
}

/// One end: everything, the Internet, addresses, or pods by the name or the labels of their namespace and by
/// their own labels.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Ends {
    /// `true`: every pod and every address.
    #[schemars(with = "Option<True>")]
    pub any: Option<bool>,
    /// `true`: public addresses outside the cluster.
    #[schemars(with = "Option<True>")]
    pub internet: Option<bool>,
    /// Addresses, as CIDRs.
    #[schemars(with = "Option<Vec<String>>")]
    pub addresses: Option<Vec<Spanned<String>>>,
    /// The pods of the namespace of this name.
    #[schemars(with = "Option<file::Namespace>")]
    pub namespace: Option<Spanned<String>>,
    /// The pods of namespaces with these labels.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub namespace_labels: Option<Spanned<BTreeMap<String, String>>>,
    /// Pods with these labels.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub labels: Option<Spanned<BTreeMap<String, String>>>,
    /// Who of them is not meant.
    #[schemars(with = "Option<Vec<Except>>")]
    pub except: Option<Vec<Spanned<Except>>>,
}

/// Who of an end is not meant: as the end itself, without exceptions of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Except {
    /// `true`: public addresses outside the cluster.
    #[schemars(with = "Option<True>")]
    pub internet: Option<bool>,
    /// Addresses, as CIDRs.
    #[schemars(with = "Option<Vec<String>>")]
    pub addresses: Option<Vec<Spanned<String>>>,
    /// The pods of the namespace of this name.
    #[schemars(with = "Option<file::Namespace>")]
    pub namespace: Option<Spanned<String>>,
    /// The pods of namespaces with these labels.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub namespace_labels: Option<Spanned<BTreeMap<String, String>>>,
    /// Pods with these labels.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub labels: Option<Spanned<BTreeMap<String, String>>>,
}

/// Ports, for the schema.
#[derive(JsonSchema)]
#[schemars(inline)]
#[allow(dead_code, reason = "only its schema is used")]
struct Port(#[schemars(regex(pattern = r"^(TCP|UDP|SCTP)/[0-9]{1,5}(-[0-9]{1,5})?$"))] String);

/// `true`, for the schema.
#[derive(JsonSchema)]
#[schemars(inline)]
#[allow(dead_code, reason = "only its schema is used")]
struct True(#[schemars(extend("const" = true))] bool);

type Stated = (Option<Spanned<Ends>>, Option<Spanned<Ends>>, Option<Vec<Spanned<String>>>);

impl Reader {
    /// Guardrails with names of their own; the configuration says what is no Internet.
    pub(super) fn guardrails(
        &mut self,
        written: Vec<Spanned<Guardrail>>,
        config: &Config,
    ) -> Vec<config::Guardrail> {
        let mut known: BTreeSet<String> = BTreeSet::new();
        let own = [&config.pod_ranges, &config.service_ranges, &config.node_ranges];
        let mut without = not_public();
        without.extend(own.into_iter().flatten());
        let mut guardrails = Vec::with_capacity(written.len());
        for Spanned { value, defined, .. } in written {
            let id = self.check(&value.id, check::guardrail);
            if let Some(id) = &id
                && !known.insert(id.clone())
            {
                let message = format!("there are two guardrails {}; give each a name", shown(id));
                self.errors.push(at(value.id.defined, message));
            }
            let Some((demand, (from, to, ports))) =
                self.demand(value.deny, value.must_reach, value.frozen)
            else {
                let message = "a guardrail has one of `deny`, `must-reach` and `frozen`";
                self.errors.push(at(defined, message.into()));
                continue;
            };
            if from.is_none() && to.is_none() {
                let message = "a guardrail is about somebody; write `from`, `to` or both";
                self.errors.push(at(defined, message.into()));
            }
            if ports.as_ref().is_some_and(Vec::is_empty) {
                let message = "`ports` is empty; leave it out for all ports";
                self.errors.push(at(defined, message.into()));
            }
            let from = self.ends(from, &without);
            let to = self.ends(to, &without);
            let ports: Vec<PortSpan> = self.all(&ports, check::ports);
            let environments =
                self.all(&value.environments, |text| check::words(text, "environments"));
            let (Some(id), Some(from), Some(to)) = (id, from, to) else { continue };
            let severity = value.severity.unwrap_or(Severity::High);
            let (file, line) = (super::PATH.into(), at(defined, String::new()).line);
            guardrails.push(config::Guardrail {
                id,
                demand,
                from,
                to,
                ports,
                severity,
                environments,
                file,
                line,
            });
        }
        guardrails
    }

    fn demand(
        &mut self,
        deny: Option<Deny>,
        must_reach: Option<MustReach>,
        frozen: Option<Frozen>,
    ) -> Option<(Demand, Stated)> {
        Some(match (deny, must_reach, frozen) {
            (Some(Deny { from, to, ports, enforce }), None, None) => {
                let always = enforce == Some(Enforce::Always);
                (Demand::Deny { always }, (from, to, ports))
            }
            (None, Some(MustReach { from, to, ports }), None) => {
                (Demand::MustReach, (Some(from), Some(to), ports))
            }
            (None, None, Some(Frozen { from, to, ports, approvers })) => {
                let approvers = self.all(&approvers, check::approver);
                (Demand::Frozen { approvers }, (from, to, ports))
            }
            _ => return None,
        })
    }

    /// One end; what is not written is any.
    fn ends(
        &mut self,
        written: Option<Spanned<Ends>>,
        without: &[ipnet::IpNet],
    ) -> Option<config::Ends> {
        let Some(Spanned { value, defined, .. }) = written else {
            return Some(config::Ends { who: Who::Any, except: Vec::new() });
        };
        let Ends { any, internet, addresses, namespace, namespace_labels, labels, except } = value;
        let fields = Except { internet, addresses, namespace, namespace_labels, labels };
        let who = self.who(any, fields, defined, without);
        let mut exceptions = Vec::new();
        for Spanned { value, defined, .. } in except.into_iter().flatten() {
            exceptions.push(self.who(None, value, defined, without)?);
        }
        Some(config::Ends { who: who?, except: exceptions })
    }

    fn who(
        &mut self,
        any: Option<bool>,
        fields: Except,
        defined: Location,
        without: &[ipnet::IpNet],
    ) -> Option<Who> {
        let Except { internet, addresses, namespace, namespace_labels, labels } = fields;
        let pods = namespace.is_some() || namespace_labels.is_some() || labels.is_some();
        let kinds = [any.is_some(), internet.is_some(), addresses.is_some(), pods];
        let message = match kinds.into_iter().filter(|kind| *kind).count() {
            _ if any == Some(false) || internet == Some(false) => {
                "write `true`, or leave the key out"
            }
            0 => {
                "it names nobody; write `any: true`, `internet: true`, `addresses`, `namespace`, `namespace-labels` \
                 or `labels`"
            }
            1 if namespace.is_some() && namespace_labels.is_some() => {
                "write `namespace` or `namespace-labels`, not both"
            }
            1 if addresses.as_ref().is_some_and(Vec::is_empty) => {
                "`addresses` is empty; write CIDRs, for example `[203.0.113.0/24]`"
            }
            1 => "",
            _ => "write one of `any`, `internet`, `addresses` and pods, not several",
        };
        if !message.is_empty() {
            self.errors.push(at(defined, message.into()));
            return None;
        }
        if any.is_some() {
            return Some(Who::Any);
        }
        if internet.is_some() {
            return Some(Who::Internet { without: without.to_vec() });
        }
        if addresses.is_some() {
            return Some(Who::Addresses(self.all(&addresses, check::cidr)));
        }
        let everything = || NamespaceMatch::Labels(Selector::default());
        let namespaces = match (namespace, namespace_labels) {
            (Some(name), _) => {
                NamespaceMatch::Name(self.check(&name, check::namespace)?.as_str().into())
            }
            (None, Some(labels)) => NamespaceMatch::Labels(self.selector(labels)?),
            (None, None) => everything(),
        };
        let pods = match labels {
            Some(labels) => self.selector(labels)?,
            None => Selector::default(),
        };
        Some(Who::Pods { namespaces, pods })
    }

    fn selector(&mut self, written: Spanned<BTreeMap<String, String>>) -> Option<Selector> {
        let Spanned { value: labels, defined, .. } = written;
        if labels.is_empty() {
            let message = "there is no label here; write `{app: db}`, or leave the key out";
            self.errors.push(at(defined, message.into()));
            return None;
        }
        for (key, value) in &labels {
            if let Err(message) = check::label(key, value) {
                self.errors.push(at(defined, message));
                return None;
            }
        }
        let labels = labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        Some(Selector::labels(labels))
    }
}
