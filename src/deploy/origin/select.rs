//! Which objects a patch or a replacement is about.

use crate::parse::{Node, Value};

/// How much is done to match one pattern.
const TRIED: usize = 10_000;

/// What an object is called, before and after it was changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    /// Its `apiVersion`.
    pub(super) api_version: String,
    /// Its `kind`.
    pub(super) kind: String,
    /// Its names, the first one of the source.
    pub(super) names: Vec<String>,
    /// Its namespaces.
    pub(super) namespaces: Vec<String>,
}

impl Identity {
    /// That of an object in a source and in the built text.
    pub(super) fn of(nodes: &[&Node]) -> Self {
        let texts = |path: &[&str]| -> Vec<String> {
            nodes.iter().filter_map(|node| node.text_at(path)).map(str::to_string).collect()
        };
        let first = |path: &[&str]| texts(path).into_iter().next().unwrap_or_default();
        Self {
            api_version: first(&["apiVersion"]),
            kind: first(&["kind"]),
            names: texts(&["metadata", "name"]),
            namespaces: texts(&["metadata", "namespace"]),
        }
    }

    /// The group of its `apiVersion`; "" for the core.
    pub(super) fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    fn version(&self) -> &str {
        self.api_version.rsplit_once('/').map_or(&self.api_version, |(_, version)| version)
    }

    /// Does an object of a strategic merge patch name this one?
    pub(super) fn is_named_by(&self, patch: &Node) -> bool {
        let other = Self::of(&[patch]);
        let shared =
            |one: &[String], others: &[String]| one.iter().any(|name| others.contains(name));
        self.kind == other.kind
            && self.group() == other.group()
            && shared(&self.names, &other.names)
            && (self.namespaces.is_empty()
                || other.namespaces.is_empty()
                || shared(&self.namespaces, &other.namespaces))
    }

    /// Does a `target` or `select` choose this object? `labels`, `annotations`: those it is known to have.
    /// `None`: that can't be told.
    pub(super) fn is_chosen_by(
        &self,
        target: &Node,
        labels: &[&Node],
        annotations: &[&Node],
    ) -> Option<bool> {
        let one = |text: &str| vec![text.to_string()];
        let fields = [
            ("group", one(self.group())),
            ("version", one(self.version())),
            ("kind", one(&self.kind)),
            ("name", self.names.clone()),
            ("namespace", self.namespaces.clone()),
        ];
        let mut answers = Vec::new();
        for (key, texts) in &fields {
            if let Some(pattern) = target.text_at(&[key]).filter(|pattern| !pattern.is_empty()) {
                answers.push(any(texts.iter().map(|text| matches(pattern, text))));
            }
        }
        for (key, maps) in [("labelSelector", labels), ("annotationSelector", annotations)] {
            if let Some(selector) = target.text_at(&[key]).filter(|text| !text.is_empty()) {
                answers.push(any(maps.iter().map(|map| selects(selector, map))));
            }
        }
        match answers.contains(&Some(false)) {
            true => Some(false),
            false => answers.into_iter().collect::<Option<Vec<_>>>().map(|_| true),
        }
    }
}

/// Yes if any says so, no if all do.
fn any(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let answers: Vec<_> = answers.collect();
    match answers.contains(&Some(true)) {
        true => Some(true),
        false if answers.contains(&None) => None,
        false => Some(false),
    }
}

/// Does a label selector select? Only its simple forms are read.
fn selects(selector: &str, labels: &Node) -> Option<bool> {
    if selector.contains('(') {
        return None;
    }
    let value = |key: &str| {
        labels.get(key.trim()).map(|node| match &node.value {
            Value::Text(text) => text.clone(),
            _ => node.to_json().to_string(),
        })
    };
    let met = |part: &str| {
        if let Some((key, text)) = part.split_once("!=") {
            return value(key).is_none_or(|value| value != text.trim());
        }
        match (part.split_once('='), part.trim().strip_prefix('!')) {
            (Some((key, text)), _) => {
                value(key).is_some_and(|value| value == text.trim_start_matches('=').trim())
            }
            (None, Some(key)) => value(key).is_none(),
            (None, None) => value(part).is_some(),
        }
    };
    Some(selector.split(',').all(met))
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Char(char),
    Any,
    Rest,
}

/// Does a regular expression match the whole of a text? Only those are read that hold nothing but characters,
/// `.`, `.*`, `.+` and `|`.
fn matches(pattern: &str, text: &str) -> Option<bool> {
    let mut left = TRIED;
    any(pattern.split('|').map(|one| {
        let parts = parts(one.strip_prefix('^').unwrap_or(one))?;
        fits(&parts, &text.chars().collect::<Vec<_>>(), &mut left)
    }))
}

fn parts(pattern: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut chars = pattern.strip_suffix('$').unwrap_or(pattern).chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '.' => match chars.peek() {
                Some('*') => parts.push(Part::Rest),
                Some('+') => parts.extend([Part::Any, Part::Rest]),
                _ => {
                    parts.push(Part::Any);
                    continue;
                }
            },
            '\\' => {
                let escaped = chars.next().filter(|char| !char.is_alphanumeric())?;
                parts.push(Part::Char(escaped));
                continue;
            }
            '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' => return None,
            char => {
                parts.push(Part::Char(char));
                continue;
            }
        }
        chars.next();
    }
    Some(parts)
}

/// `None`: it would take too long.
fn fits(parts: &[Part], text: &[char], left: &mut usize) -> Option<bool> {
    *left = left.checked_sub(1)?;
    let Some((part, parts)) = parts.split_first() else { return Some(text.is_empty()) };
    match (part, text.split_first()) {
        (Part::Rest, _) => {
            for at in 0..=text.len() {
                if fits(parts, text.get(at..).unwrap_or_default(), left)? {
                    return Some(true);
                }
            }
            Some(false)
        }
        (Part::Any, Some((_, text))) => fits(parts, text, left),
        (Part::Char(char), Some((first, text))) if char == first => fits(parts, text, left),
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::manifests;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, text, expected) in [
            ("web", "web", Some(true)),
            ("web", "web-2", Some(false)),
            ("web|db", "db", Some(true)),
            ("web.*", "web-2", Some(true)),
            ("^.*-web$", "p-web", Some(true)),
            (".+", "", Some(false)),
            ("a.c", "abc", Some(true)),
            ("a\\.c", "abc", Some(false)),
            ("(a|b)c", "ac", None),
            ("a|b+", "a", Some(true)),
            ("a|b+", "c", None),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        let long = ".*a".repeat(30);
        assert_eq!(matches(&long, &"a".repeat(29)), None);
        let deep = "x".repeat(100_000);
        assert_eq!(matches(&deep, &deep), None);
    }

    #[test]
    fn targets_choose_by_what_is_known() {
        let node = |text: &str| manifests(text.as_bytes()).remove(0).unwrap();
        let source = node(
            "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web, labels: {a: b}}}",
        );
        let built = node("{metadata: {name: p-web, namespace: prod}}");
        let identity = Identity::of(&[&source, &built]);
        let labels = source.at(&["metadata", "labels"]).unwrap();
        for (target, expected) in [
            ("{kind: NetworkPolicy, name: web}", Some(true)),
            ("{kind: NetworkPolicy, name: p-.*}", Some(true)),
            ("{group: networking.k8s.io, version: v1, kind: Network.*}", Some(true)),
            ("{group: apps}", Some(false)),
            ("{namespace: prod, labelSelector: 'a=b'}", Some(true)),
            ("{labelSelector: 'a==b,c'}", Some(false)),
            ("{labelSelector: 'a!=c,!c'}", Some(true)),
            ("{labelSelector: 'a in (b)'}", None),
            ("{kind: Pod, labelSelector: 'a in (b)'}", Some(false)),
            ("{}", Some(true)),
        ] {
            assert_eq!(identity.is_chosen_by(&node(target), &[labels], &[]), expected, "{target}");
        }
        let patch =
            "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web}}";
        assert!(identity.is_named_by(&node(patch)));
        assert!(!identity.is_named_by(&node(&patch.replace("web", "db"))));
        let elsewhere = patch.replace("name: web", "name: web, namespace: other");
        assert!(!identity.is_named_by(&node(&elsewhere)));
    }
}
