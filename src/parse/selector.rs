//! LabelSelectors -> [`Selector`]s, with the checks of V8.

use super::de::Fault;
use super::names;
use super::place::Place;
use crate::model::{Operator, Requirement, Selector};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use std::collections::BTreeSet;

/// Lowers a selector that is set. Empty, it matches everything (S5).
pub(super) fn lower(selector: &LabelSelector, place: &Place<'_, '_>) -> Result<Selector, Fault> {
    let mut requirements = Vec::new();
    let labels = place.key("matchLabels");
    for (key, value) in selector.match_labels.iter().flatten() {
        check_label(key, value, &labels)?;
        requirements.push(Requirement {
            key: key.as_str().into(),
            operator: Operator::In(BTreeSet::from([value.as_str().into()])),
        });
    }
    let expressions = place.key("matchExpressions");
    for (i, expression) in selector.match_expressions.iter().flatten().enumerate() {
        requirements.push(requirement(expression, &expressions.index(i))?);
    }
    Ok(Selector::new(requirements))
}

fn requirement(
    expression: &LabelSelectorRequirement,
    place: &Place<'_, '_>,
) -> Result<Requirement, Fault> {
    let key = &expression.key;
    check(names::label_key(key), key, &place.key("key"))?;
    let written = place.key("values");
    let mut values: BTreeSet<Box<str>> = BTreeSet::new();
    for (i, value) in expression.values.iter().flatten().enumerate() {
        check(names::label_value(value), value, &written.index(i))?;
        values.insert(value.as_str().into());
    }
    let operator = match expression.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            return Err(
                written.fault(format!("`{}` needs at least one value", expression.operator))
            );
        }
        "In" => Operator::In(values),
        "NotIn" => Operator::NotIn(values),
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            return Err(written.fault(format!(
                "`{0}` takes no values; leave them out, or write `{1}`",
                expression.operator,
                match expression.operator.as_str() {
                    "Exists" => "In",
                    _ => "NotIn",
                }
            )));
        }
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        other => {
            return Err(place.key("operator").fault(format!(
                "`{other}` is no operator; write `In`, `NotIn`, `Exists` or `DoesNotExist`"
            )));
        }
    };
    Ok(Requirement { key: key.as_str().into(), operator })
}

/// Checks one label of a map of labels. The label is looked up only to say where it is wrong, as
/// there may be very many.
pub(super) fn check_label(key: &str, value: &str, labels: &Place<'_, '_>) -> Result<(), Fault> {
    if names::label_key(key).is_ok() && names::label_value(value).is_ok() {
        return Ok(());
    }
    let place = labels.key(key);
    check(names::label_key(key), key, &place)?;
    check(names::label_value(value), value, &place)
}

/// Turns a broken spelling into a fault.
pub(super) fn check(
    verdict: Result<(), &'static str>,
    value: &str,
    place: &Place<'_, '_>,
) -> Result<(), Fault> {
    verdict.map_err(|form| place.fault(format!("`{}` is no {form}", super::de::shorten(value))))
}
