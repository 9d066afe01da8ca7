//! What came from an inventory, and how old that is.

use super::count;
use crate::report::{Inventory, Listed};

/// What stands behind the name of a workload that only an inventory has: ` (inventory of 2026-11-20)`. Nothing behind
/// others.
pub fn listed(listed: Option<&Listed>) -> String {
    match listed.map(|listed| listed.taken) {
        None => String::new(),
        Some(None) => " (inventory)".into(),
        Some(Some(day)) => format!(" (inventory of {day})"),
    }
}

/// What is said of a file of an inventory, before its name and behind it: `3 workloads and 1 policy come from
/// the inventory `, `, taken on 2026-11-20 (5 days ago)`. Holds no text out of manifests.
pub fn inventory(source: &Inventory) -> [String; 2] {
    let Inventory { workloads, namespaces, policies, .. } = *source;
    let kinds = [
        (workloads, "workload", "workloads"),
        (namespaces, "namespace", "namespaces"),
        (policies, "policy", "policies"),
    ];
    let some = kinds.iter().filter(|(n, ..)| *n > 0);
    let some: Vec<String> = some.map(|(n, one, many)| count(*n, one, many)).collect();
    let what = match some.as_slice() {
        [] => "nothing".into(),
        [only] => only.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    };
    let verb = if workloads + namespaces + policies > 1 { "come" } else { "comes" };
    let taken = match (source.taken, source.age) {
        (None, _) => ", whose age is unknown".into(),
        (Some(day), None) => format!(", taken on {day}"),
        (Some(day), Some(0)) => format!(", taken on {day} (today)"),
        (Some(day), Some(1)) => format!(", taken on {day} (yesterday)"),
        (Some(day), Some(age)) if age < 0 => format!(", taken on {day}, which is yet to come"),
        (Some(day), Some(age)) => format!(", taken on {day} ({age} days ago)"),
    };
    [format!("{what} {verb} from the inventory "), taken]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::date;
    use chrono::NaiveDate;

    fn said(numbers: [usize; 3], taken: Option<&str>, today: Option<&str>) -> String {
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        let [workloads, namespaces, policies] = numbers;
        let taken = taken.map(day);
        let file = String::new();
        let mut all = [Inventory { file, taken, workloads, namespaces, policies, age: None }];
        if let Some(today) = today {
            date(&mut all, day(today));
        }
        inventory(&all[0]).join("x")
    }

    #[test]
    fn counts_and_ages() {
        let taken = Some("2026-11-20");
        for (numbers, taken, today, text) in [
            (
                [3, 2, 1],
                taken,
                Some("2026-11-25"),
                "3 workloads, 2 namespaces and 1 policy come from the inventory x, taken on 2026-11-20 (5 days \
                 ago)",
            ),
            (
                [0, 1, 4],
                taken,
                Some("2026-11-21"),
                "1 namespace and 4 policies come from the inventory x, taken on 2026-11-20 (yesterday)",
            ),
            (
                [1, 0, 0],
                taken,
                Some("2026-11-20"),
                "1 workload comes from the inventory x, taken on 2026-11-20 (today)",
            ),
            (
                [0, 0, 0],
                taken,
                Some("2026-11-19"),
                "nothing comes from the inventory x, taken on 2026-11-20, which is yet to come",
            ),
            ([0, 0, 2], taken, None, "2 policies come from the inventory x, taken on 2026-11-20"),
            (
                [0, 0, 2],
                None,
                Some("2026-11-19"),
                "2 policies come from the inventory x, whose age is unknown",
            ),
        ] {
            assert_eq!(said(numbers, taken, today), text);
        }
    }
}
