//! What was read of text that a tool built: its lines -> the lines of the files that people edit.

use super::evidence::Mentions;
use super::file::FileRead;
use crate::model::{Origin, Section};
use crate::tree::{Rendered, Source};
use std::sync::Arc;

/// Lines of one file that are this far apart are still one place: comments, and what leaves nothing in
/// built text, stand between.
const NEAR: u32 = 4;

/// Moves everything that was read to where it came from.
pub(super) fn relocate(read: &mut FileRead, rendered: &Rendered) {
    let mover = Mover { rendered };
    for policy in &mut read.policies {
        let policy = Arc::make_mut(policy);
        for origin in
            [&mut policy.origin, &mut policy.subject_origin, &mut policy.directions_origin]
        {
            mover.origin(origin);
        }
        let sections = [&mut policy.ingress, &mut policy.egress];
        sections.into_iter().flatten().for_each(|section| mover.section(section));
        policy.dead.iter_mut().for_each(|(_, section)| mover.section(section));
    }
    for namespace in &mut read.namespaces {
        mover.origin(&mut Arc::make_mut(namespace).origin);
    }
    for draft in &mut read.workloads {
        let workload = Arc::make_mut(&mut draft.workload);
        mover.origin(&mut workload.origin);
        mover.origin(&mut workload.labels_origin);
        let mentions = draft.mentions.as_mut().map(Arc::make_mut);
        mentions.into_iter().flat_map(Mentions::origins).for_each(|origin| mover.origin(origin));
    }
    read.evidence.origins().for_each(|origin| mover.origin(origin));
    for problem in &mut read.problems {
        let place = problem.line.map(|line| mover.place(line, line));
        problem.file = place.as_ref().map_or(&rendered.entry, |place| &place.file).clone();
        problem.line = place.map(|place| place.start_line);
    }
}

/// Where lines of built text came from, as one place.
pub fn source_of(rendered: &Rendered, start_line: u32, end_line: u32) -> Origin {
    Mover { rendered }.place(start_line, end_line)
}

struct Mover<'r> {
    rendered: &'r Rendered,
}

impl Mover<'_> {
    fn section(&self, section: &mut Section) {
        self.origin(&mut section.origin);
        for rule in &mut section.rules {
            self.origin(&mut rule.origin);
            rule.peers.iter_mut().flatten().for_each(|peer| self.origin(&mut peer.origin));
            rule.ports.iter_mut().flatten().for_each(|port| self.origin(&mut port.origin));
        }
    }

    fn origin(&self, origin: &mut Origin) {
        *origin = self.place(origin.start_line, origin.end_line);
    }

    /// Where lines of the built text came from; the entry where nobody knows.
    ///
    /// That is one place in one file: around what the first line came from or, if the change does not touch
    /// that, around what it does touch. A leaf that came from elsewhere stretches nothing, and of what lines only
    /// depend on no more counts than is touched.
    fn place(&self, start: u32, end: u32) -> Origin {
        let lines = &self.rendered.lines;
        let from = (start.max(1) as usize - 1).min(lines.len());
        let to = (end.max(start) as usize).clamp(from, lines.len());
        let span = lines.get(from..to).unwrap_or_default();
        let nowhere = || Origin { file: self.rendered.entry.clone(), start_line: 1, end_line: 1 };
        let Some((rank, chosen)) = choose(span) else { return nowhere() };
        let Some(file) = self.rendered.files.get(chosen.file as usize) else { return nowhere() };
        let mut around: Vec<u32> = span
            .iter()
            .flatten()
            .filter(|source| source.file == chosen.file && (rank == 0 || source.changed))
            .map(|source| source.line)
            .collect();
        around.sort_unstable();
        let (before, after) = around.split_at(around.partition_point(|line| *line < chosen.line));
        let near = |reached: &mut u32, line: &u32| {
            let is_near = reached.abs_diff(*line) <= NEAR;
            *reached = if is_near { *line } else { *reached };
            is_near.then_some(*line)
        };
        let first = before.iter().rev().scan(chosen.line, near).last().unwrap_or(chosen.line);
        let last = after.iter().scan(chosen.line, near).last().unwrap_or(chosen.line);
        Origin { file: file.clone(), start_line: first, end_line: last }
    }
}

/// The source that stands for some lines, and its place among those of its line.
fn choose(span: &[Vec<Source>]) -> Option<(usize, Source)> {
    let first = span.iter().find_map(|sources| sources.first())?;
    if first.changed {
        return Some((0, *first));
    }
    let ranked = span.iter().flat_map(|sources| sources.iter().copied().enumerate());
    let changed = ranked.filter(|(_, source)| source.changed).min_by_key(|(rank, _)| *rank);
    Some(changed.unwrap_or((0, *first)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::parse::{Parsed, parse_both};
    use crate::tree::Tree;

    const POLICY: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: web
spec:
  ingress:
  - from:
    - podSelector: {}
    - ipBlock:
        cidr: 10.0.0.0/8
  podSelector: {}
";

    fn source(file: u32, line: u32, changed: bool) -> Source {
        Source { file, line, changed }
    }

    /// The policy above, built from lines 11 to 21 of `base.yaml` but for what is given.
    fn rendered(other: &[(usize, Vec<Source>)]) -> Rendered {
        let mut lines: Vec<_> = (11..22).map(|line| vec![source(0, line, false)]).collect();
        for (line, sources) in other {
            lines[line - 1].clone_from(sources);
        }
        Rendered {
            entry: "overlay".into(),
            namespace: None,
            files: vec!["base.yaml".into(), "patch.yaml".into()],
            lines,
        }
    }

    fn tree(text: &str, rendered: Rendered) -> Tree {
        let mut tree = Tree::from_texts("t", [("built", text)]);
        tree.rendered.insert("built".into(), Arc::new(rendered));
        tree
    }

    fn read(text: &str, rendered: Rendered) -> Parsed {
        parse_both(&Tree::default(), &tree(text, rendered), &Config::default()).1
    }

    fn shown(origin: &Origin) -> String {
        format!("{}:{}-{}", origin.file, origin.start_line, origin.end_line)
    }

    /// Where the rule and its two peers are said to stand.
    fn places(other: &[(usize, Vec<Source>)]) -> Vec<String> {
        let parsed = read(POLICY, rendered(other));
        let rule = &parsed.cluster.policies[0].ingress.as_ref().unwrap().rules[0];
        let peers = rule.peers.iter().flatten().map(|peer| &peer.origin);
        std::iter::once(&rule.origin).chain(peers).map(shown).collect()
    }

    #[test]
    fn lines_are_those_of_the_source() {
        assert_eq!(places(&[]), ["base.yaml:17-20", "base.yaml:18-18", "base.yaml:19-20"]);
        let parsed = read(POLICY, rendered(&[]));
        let policy = &parsed.cluster.policies[0];
        assert_eq!(shown(&policy.origin), "base.yaml:11-21");
        assert_eq!(shown(&policy.subject_origin), "base.yaml:21-21");
        assert_eq!(shown(&policy.ingress.as_ref().unwrap().origin), "base.yaml:16-20");
    }

    #[test]
    fn what_the_change_touches_is_where_a_rule_stands() {
        let patched = [(9, vec![source(1, 3, true)]), (10, vec![source(1, 4, true)])];
        assert_eq!(places(&patched), ["patch.yaml:3-4", "base.yaml:18-18", "patch.yaml:3-4"]);
        let same = [(9, vec![source(1, 3, false)]), (10, vec![source(1, 4, false)])];
        assert_eq!(places(&same), ["base.yaml:17-18", "base.yaml:18-18", "patch.yaml:3-4"]);
        // What made the line beats what it depends on, on whichever line.
        let both = [
            (7, vec![source(0, 17, false), source(1, 30, true)]),
            (10, vec![source(0, 20, true), source(1, 9, true)]),
        ];
        assert_eq!(places(&both)[0], "base.yaml:17-20");
        // Of what lines depend on, that which is touched.
        let depends = [
            (7, vec![source(0, 17, false), source(1, 7, false)]),
            (8, vec![source(0, 18, false), source(1, 8, true)]),
            (9, vec![source(0, 19, false), source(1, 9, false)]),
        ];
        assert_eq!(places(&depends)[0], "patch.yaml:8-8");
    }

    #[test]
    fn a_leaf_from_far_away_stretches_nothing() {
        let far = [(8, vec![source(0, 400, false)])];
        assert_eq!(places(&far), ["base.yaml:17-20", "base.yaml:400-400", "base.yaml:19-20"]);
        let near = [(8, vec![source(0, 23, false)])];
        assert_eq!(places(&near)[0], "base.yaml:17-23");
    }

    #[test]
    fn what_nobody_knows_stands_in_the_entry() {
        assert_eq!(places(&[(8, vec![])])[1], "overlay:1-1");
        // The next line knows.
        assert_eq!(places(&[(7, vec![])])[0], "base.yaml:18-20");
        let short = Rendered { entry: "overlay".into(), ..Rendered::default() };
        let parsed = read(POLICY, short);
        assert_eq!(shown(&parsed.cluster.policies[0].origin), "overlay:1-1");
        let beyond = [(8, vec![source(9, 1, true)])];
        assert_eq!(places(&beyond)[1], "overlay:1-1");
    }

    #[test]
    fn problems_workloads_and_namespaces_move_too() {
        let text = "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: a}\nspec:\n  template:\n    metadata:\n      labels: {a: b}\n---\nkind: Namespace\napiVersion: v1\nmetadata: {name: [a]}\n---\nkind: Namespace\napiVersion: v1\nmetadata: {name: shop}\n";
        let mut rendered = rendered(&[]);
        rendered.lines = (1..=15).map(|line| vec![source(0, 100 + line, false)]).collect();
        let parsed = read(text, rendered);
        assert_eq!(shown(&parsed.cluster.workloads[0].origin), "base.yaml:101-107");
        assert_eq!(shown(&parsed.cluster.workloads[0].labels_origin), "base.yaml:107-107");
        let namespace = parsed.cluster.namespaces.values().next().unwrap();
        assert_eq!(shown(&namespace.origin), "base.yaml:113-115");
        let [problem] = parsed.problems.as_slice() else { panic!("{:?}", parsed.problems) };
        assert_eq!((&*problem.file, problem.line), ("base.yaml", Some(111)));
    }

    #[test]
    fn the_one_who_deploys_it_says_the_namespace() {
        let parsed = read(POLICY, rendered(&[]));
        assert_eq!(parsed.cluster.policies[0].id.to_string(), "default/web");
        let namespace = Some("shop".to_string());
        let parsed = read(POLICY, Rendered { namespace, ..rendered(&[]) });
        assert_eq!(parsed.cluster.policies[0].id.to_string(), "shop/web");
    }

    #[test]
    fn sides_share_what_has_the_same_text_and_the_same_origins() {
        let same = |before: Rendered, after: Rendered| {
            let (before, after) = (tree(POLICY, before), tree(POLICY, after));
            let (before, after) = parse_both(&before, &after, &Config::default());
            Arc::ptr_eq(&before.cluster.policies[0], &after.cluster.policies[0])
        };
        assert!(same(rendered(&[]), rendered(&[])));
        assert!(!same(rendered(&[]), rendered(&[(7, vec![])])));
        let elsewhere = Rendered { namespace: Some("shop".into()), ..rendered(&[]) };
        assert!(!same(rendered(&[]), elsewhere));
    }

    #[test]
    fn built_text_is_no_kustomization_and_no_template() {
        let mut tree = tree(POLICY, rendered(&[]));
        let content = tree.files.remove("built").unwrap();
        for path in ["kustomization.yaml", "templates/a.yaml", "charts/a.txt"] {
            let mut tree = tree.clone();
            tree.files.insert("Chart.yaml".into(), crate::tree::Content::new(*b"name: a"));
            tree.files.insert(path.into(), content.clone());
            tree.rendered.insert(path.into(), Arc::new(rendered(&[])));
            let parsed = parse_both(&Tree::default(), &tree, &Config::default()).1;
            assert_eq!(parsed.cluster.policies.len(), 1, "{path}");
        }
    }
}
