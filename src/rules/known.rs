//! What the side before says already, be it written in another way.

use super::granted::Granted;
use super::{About, Draft, Rule};
use std::collections::{BTreeMap, BTreeSet};

/// What the side before has of one rule.
///
/// A finding is known where that side has the same one. It is also known where the side before has one that is
/// gone now and says the same: of a policy that was renamed or split, for the same pods; or of a rule of the same
/// policy that is written differently now, as with the number of a port in the place of its name. One that is
/// still there answers for no other, so what is written once more is new.
pub struct Known<'r> {
    rule: &'r Rule,
    identities: BTreeSet<String>,
    /// The subjects of what is gone, by namespace and pods of their policies.
    gone: BTreeSet<(String, String, String)>,
    /// What they grant together, by the same and by policy.
    granted: BTreeMap<Whose, Granted>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Object(String),
    Pods(String, String),
}

impl<'r> Known<'r> {
    /// Of what the two sides say.
    pub fn of(rule: &'r Rule, before: &[Draft], after: &[Draft]) -> Self {
        let here: BTreeSet<String> = after.iter().map(|draft| draft.identity(rule)).collect();
        let identities: BTreeSet<String> =
            before.iter().map(|draft| draft.identity(rule)).collect();
        let mut gone = BTreeSet::new();
        let mut granted: BTreeMap<Whose, Granted> = BTreeMap::new();
        for draft in before.iter().filter(|draft| !here.contains(&draft.identity(rule))) {
            if let Some((namespace, pods)) = draft.place() {
                gone.insert((namespace.into(), pods.into(), draft.subject.clone()));
            }
            for (whose, own) in whose(draft).into_iter().zip(draft.granted.iter().cycle()) {
                let all = granted.remove(&whose).unwrap_or_default();
                granted.insert(whose, all.and(own));
            }
        }
        Self { rule, identities, gone, granted }
    }

    /// Is it said already?
    pub fn has(&self, draft: &Draft) -> bool {
        let moved = || {
            draft.place().is_some_and(|(namespace, pods)| {
                let key = (namespace.to_string(), pods.to_string(), draft.subject.clone());
                self.gone.contains(&key)
            })
        };
        let respelt = || {
            draft.granted.as_ref().is_some_and(|own| {
                let mut known = whose(draft).into_iter().filter_map(|one| self.granted.get(&one));
                known.any(|known| own.lies_within(known))
            })
        };
        self.identities.contains(&draft.identity(self.rule)) || moved() || respelt()
    }
}

fn whose(draft: &Draft) -> Vec<Whose> {
    let own = Whose::Object(match &draft.about {
        About::Policy(id) => id.to_string(),
        About::Object(name) => name.clone(),
    });
    let pods = draft.place().map(|(namespace, pods)| Whose::Pods(namespace.into(), pods.into()));
    [own].into_iter().chain(pods).collect()
}
