//! How much is looked at, so that the largest repository ends, and a hostile one does, too.

use super::plan::Plan;
use crate::deploy::{Decision, Told};
use crate::parse::{Affects, Problem, Sort, digest};
use std::sync::Arc;

/// Bounds on what is planned and compared. Each is far above what one repository has been seen to hold.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Things that are deployed on one side, and reasons why others could not be told.
    pub units: usize,
    /// Things that are built to see what they deploy in turn, on one side.
    pub nested: usize,
    /// Files that all those things are made of, a file counted for each.
    pub files: usize,
    /// What is compared in all environments together: files, built things and problems, counted for each environment.
    pub compared: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { units: 50_000, nested: 10_000, files: 10_000_000, compared: 10_000_000 }
    }
}

/// More than a bound allows.
#[derive(Clone, Debug)]
pub(super) struct Over {
    /// The file at which it was too much.
    pub(super) file: Arc<str>,
    /// What there is too much of, with the bound.
    pub(super) what: String,
}

impl Over {
    pub(super) fn at(decided: &Decision, what: String) -> Self {
        Self { file: decided.origin.file.clone(), what }
    }

    /// A plan of nothing that says why. Of a part of so many environments nobody would know what is missing, so none is
    /// looked at.
    pub(super) fn plan(&self) -> Plan {
        let reason = format!(
            "nothing was evaluated: {}; review a part at a time with `paths`, or state the environments in the \
             configuration",
            self.what
        );
        let problem = Problem {
            file: self.file.clone(),
            line: None,
            kind: None,
            name: None,
            identity: digest(reason.as_bytes()),
            sort: Sort::Other,
            reason,
            affects: Affects::Anything,
        };
        Plan { problems: vec![Told::from(problem)], over: Some(self.clone()), ..Plan::default() }
    }
}

/// The plans of both sides where one of them is over a bound: no side is compared with nothing, and that nothing was
/// compared is said once, and never as something that stays as it is.
pub(super) fn both([before, after]: [Plan; 2]) -> [Plan; 2] {
    match (&before.over, &after.over) {
        (_, Some(over)) => [Plan::default(), over.plan()],
        (Some(over), None) => [over.plan(), Plan::default()],
        (None, None) => [before, after],
    }
}

/// The plans of both sides, if all their environments together are within a bound.
pub(super) fn compared(plans: [Plan; 2], most: usize) -> [Plan; 2] {
    let mut weight = 0_usize;
    for plan in &plans {
        let index = plan.index();
        for name in plan.names() {
            weight = weight.saturating_add(index.weight(name));
            if weight > most {
                let parts = index.of(name);
                let decided = parts.iter().rev().map(|part| &part.unit.decided.origin.file);
                let files = parts.iter().flat_map(|part| &part.inputs.files);
                let file = decided.chain(files).find(|file| !file.is_empty()).cloned();
                let what = format!(
                    "the environments have more than {most} files in common, counted in each that has them"
                );
                return both([
                    Plan::default(),
                    Over { file: file.unwrap_or_default(), what }.plan(),
                ]);
            }
        }
    }
    plans
}

#[cfg(test)]
mod tests {
    use super::super::{DEFAULT, Options, review};
    use super::*;
    use crate::report::{Hides, Report, Side};
    use crate::settings::Settings;
    use crate::source::{Loaded, Pair};
    use crate::tree::Tree;

    /// Applications of a directory with a policy each, into clusters of their own, and one file that belongs to all.
    fn side(name: &str, applications: usize, rules: &str) -> Loaded {
        let policy = |rules: &str| {
            format!(
                "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p}}\n\
                 spec: {{podSelector: {{}}, policyTypes: [Ingress], ingress: [{rules}]}}\n"
            )
        };
        let mut texts = vec![("all.yaml".to_string(), policy(""))];
        for number in 0..applications {
            texts.push((format!("web/{number}/p.yaml"), policy(rules)));
            let application = format!(
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: a{number}}}\nspec:\n  \
                 source: {{repoURL: 'https://example.com/a/b', path: web/{number}}}\n  \
                 destination: {{name: c{number}, namespace: shop}}\n"
            );
            texts.push((format!("apps/{number}.yaml"), application));
        }
        let texts = texts.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        Loaded { tree: Tree::from_texts(name, texts), ..Loaded::default() }
    }

    fn reviewed(applications: [usize; 2], bounds: Bounds) -> Report {
        let [before, after] = applications;
        let pair = Pair { before: side("before", before, ""), after: side("after", after, "{}") };
        let options = Options { bounds, ..Options::default() };
        review(&pair, &Settings::default(), &options, |_| {})
    }

    #[test]
    fn within_its_bounds_everything_is_compared() {
        let bounds = Bounds { units: 3, nested: 0, files: 9, compared: 8 };
        let report = reviewed([2, 2], bounds);
        let opened = report.environments.iter().filter(|each| !each.opened.is_empty());
        assert_eq!((opened.count(), report.not_evaluated.len()), (2, 0), "{report:#?}");
    }

    #[test]
    fn what_is_over_a_bound_is_told_and_fails_closed() {
        let large = Bounds::default();
        let (units, files) = (Bounds { units: 2, ..large }, Bounds { files: 2, ..large });
        let compared = Bounds { compared: 7, ..large };
        for (applications, bounds, side, words) in [
            ([2, 2], units, Side::After, "more than 2 things are deployed"),
            ([0, 2], units, Side::After, "more than 2 things are deployed"),
            ([2, 0], units, Side::Before, "more than 2 things are deployed"),
            ([2, 2], files, Side::After, "made of more than 2 files"),
            ([2, 2], compared, Side::After, "more than 7 files"),
        ] {
            let report = reviewed(applications, bounds);
            let [entry] = &report.not_evaluated[..] else { panic!("{words}: {report:#?}") };
            let names: Vec<&str> = report.environments.iter().map(|each| &*each.name).collect();
            assert_eq!(names, [DEFAULT], "{words}");
            assert!(!entry.file.is_empty() && entry.reason.contains("`paths`"), "{entry:?}");
            assert!(entry.reason.contains(words), "{words}: {entry:?}");
            assert_eq!((entry.side, entry.hides), (side, Hides::Widening), "{entry:?}");
        }
    }
}
