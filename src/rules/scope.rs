//! What of a repository a change can have altered for a rule.

use crate::model::{Caller, NamespaceMatch, Namespaces, Need, PeerKind, Policy, Service, Target};
use crate::reach::{Side, Versions, World, join};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The namespaces and policies that rules are asked about.
///
/// A finding comes from a policy, the pods that it selects, the pods that its peers match, and the other
/// policies of those namespaces. So it can only be new where the policy's namespace holds something that the
/// change touched, or where a peer reaches pods or namespaces that it touched.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    all: bool,
    /// Namespaces in which something differs, by index.
    namespaces: BTreeSet<usize>,
    /// Those of them in which pods or labels of the namespace differ.
    pods: BTreeSet<usize>,
}

impl Scope {
    /// Everything there is.
    pub fn everything() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// Nothing differs.
    pub fn is_empty(&self) -> bool {
        !self.all && self.namespaces.is_empty()
    }

    /// What differs between the sides, and what looks at that.
    pub fn of(world: &World<'_>) -> Self {
        let mut scope = Self::default();
        for (before, after) in &world.changed_policies {
            let namespaces = [before, after].into_iter().flatten();
            let names = namespaces.filter_map(|policy| policy.id.namespace.as_ref());
            scope.namespaces.extend(names.filter_map(|name| world.namespace(name)));
        }
        for slot in &world.changed_workloads {
            scope.pods.extend(world.workloads.get(*slot as usize).map(|w| w.namespace));
        }
        scope.services(world);
        scope.needs(world);
        scope.pods.extend(&world.changed_namespaces);
        scope.namespaces.extend(&scope.pods);
        scope
    }

    /// Namespaces in which a Service differs. Pods behind it are looked at like pods that differ.
    fn services(&mut self, world: &World<'_>) {
        let on = |side| world.cluster(side).evidence.services.as_slice();
        let pairs = join(on(Side::Before), on(Side::After), |one| (&*one.namespace, &*one.name));
        let differs = |(before, after): &Versions<'_, Service>| match (before, after) {
            (Some(before), Some(after)) => !Arc::ptr_eq(before, after) && before != after,
            _ => true,
        };
        let names = pairs.filter(differs).filter_map(|(before, after)| before.or(after));
        let names = names.map(|service| &service.namespace);
        self.pods.extend(names.filter_map(|name| world.namespace(name)));
    }

    /// Namespaces with a dependency that only one side declares, at either end.
    fn needs(&mut self, world: &World<'_>) {
        let on = |side| world.cluster(side).evidence.needs.as_slice();
        let (before, after) = (on(Side::Before), on(Side::After));
        let missing = |one: &Arc<Need>, others: &[Arc<Need>]| {
            let order =
                |other: &Arc<Need>| (&other.caller, &other.target).cmp(&(&one.caller, &one.target));
            others.binary_search_by(order).is_err()
        };
        let gone = before.iter().filter(|one| missing(one, after));
        let here = after.iter().filter(|one| missing(one, before));
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for need in gone.chain(here) {
            if let Caller::Workload(id) = &need.caller {
                names.insert(&id.namespace);
            }
            match &need.target {
                Target::Service { namespace, .. } => {
                    names.insert(namespace);
                }
                Target::Services { namespaces, .. } | Target::Pods { namespaces, .. } => {
                    if let Namespaces::These(these) = namespaces {
                        names.extend(these.iter().map(|name| &**name));
                    }
                }
            }
        }
        self.namespaces.extend(names.into_iter().filter_map(|name| world.namespace(name)));
    }

    /// Is the namespace of this name asked about, which the world need not know?
    pub fn named(&self, world: &World<'_>, name: &str) -> bool {
        self.all || world.namespace(name).is_some_and(|index| self.namespace(index))
    }

    /// Is this namespace asked about?
    pub fn namespace(&self, index: usize) -> bool {
        self.all || self.namespaces.contains(&index)
    }

    /// Is this policy, of the namespace of this index, asked about?
    pub fn policy(&self, world: &World<'_>, side: Side, index: usize, policy: &Policy) -> bool {
        self.namespace(index) || (!self.pods.is_empty() && self.reaches(world, side, policy))
    }

    /// Can a peer match something in a namespace whose pods or labels differ?
    fn reaches(&self, world: &World<'_>, side: Side, policy: &Policy) -> bool {
        let sections = [&policy.ingress, &policy.egress].into_iter().flatten();
        let rules = sections.flat_map(|section| &section.rules);
        rules.flat_map(|rule| rule.peers.iter().flatten()).any(|peer| match &peer.kind {
            PeerKind::Block(_) => false,
            PeerKind::Pods { namespaces: NamespaceMatch::Name(name), .. } => {
                world.namespace(name).is_some_and(|index| self.pods.contains(&index))
            }
            PeerKind::Pods { namespaces: NamespaceMatch::Labels(selector), .. } => {
                self.pods.iter().filter_map(|index| world.namespaces.get(*index)).any(|namespace| {
                    !namespace.declared.on(side) || selector.matches(namespace.labels.on(side))
                })
            }
        })
    }
}
