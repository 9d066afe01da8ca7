//! Label selectors (S5, S8).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Labels of a pod or a namespace.
pub type Labels = BTreeMap<Box<str>, Box<str>>;

/// A conjunction of requirements on labels. Without requirements it matches everything.
///
/// Kept canonical (sorted, no requirement twice; `matchLabels` become `In` with one value), so that
/// two spellings of one selector are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

/// One requirement on one label key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirement {
    /// The label key.
    pub key: Box<str>,
    /// What its value must satisfy.
    pub operator: Operator,
}

/// The operators of S8. The empty string is a value like any other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// The key is present and its value is one of these.
    In(BTreeSet<Box<str>>),
    /// The key is absent, or its value is none of these.
    NotIn(BTreeSet<Box<str>>),
    /// The key is present.
    Exists,
    /// The key is absent.
    DoesNotExist,
}

impl Operator {
    /// True iff a label with this value (`None`: the key is absent) satisfies the operator.
    pub fn admits(&self, value: Option<&str>) -> bool {
        match (self, value) {
            (Operator::In(values), Some(value)) => values.contains(value),
            (Operator::In(_), None) => false,
            (Operator::NotIn(values), Some(value)) => !values.contains(value),
            (Operator::NotIn(_), None) => true,
            (Operator::Exists, value) => value.is_some(),
            (Operator::DoesNotExist, value) => value.is_none(),
        }
    }
}

impl Selector {
    /// The selector that requires all of these.
    pub fn new(requirements: impl IntoIterator<Item = Requirement>) -> Self {
        let mut requirements: Vec<_> = requirements.into_iter().collect();
        requirements.sort();
        requirements.dedup();
        Self { requirements }
    }

    /// The selector `key=value, ...` of `matchLabels`.
    pub fn labels<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::new(pairs.into_iter().map(|(key, value)| Requirement {
            key: key.into(),
            operator: Operator::In(BTreeSet::from([value.into()])),
        }))
    }

    /// The requirements in their canonical order.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// True iff the selector has no requirement and so matches everything.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }

    /// True iff these labels satisfy every requirement.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|r| r.operator.admits(labels.get(&r.key).map(AsRef::as_ref)))
    }
}

/// The notation of `kubectl get -l`: `app=db,tier in (a,b),!legacy`.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, requirement) in self.requirements.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{requirement}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        let list = |values: &BTreeSet<Box<str>>| {
            values.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(",")
        };
        match &self.operator {
            Operator::In(values) if values.len() == 1 => write!(f, "{key}={}", list(values)),
            Operator::In(values) => write!(f, "{key} in ({})", list(values)),
            Operator::NotIn(values) if values.len() == 1 => write!(f, "{key}!={}", list(values)),
            Operator::NotIn(values) => write!(f, "{key} notin ({})", list(values)),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
        }
    }
}
