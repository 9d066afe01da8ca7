//! What the expressions of templates read: paths of values.

use super::template::{Block, Kind, Template};
use super::values::Key;
use std::collections::BTreeMap;

/// How many variables are followed from one to the next, and how deep brackets are looked into.
const DEPTH: usize = 8;

/// How long an expression is that is read.
const LENGTH: usize = 4_000;

/// What a dot or a variable stands for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Meaning {
    /// Nobody knows.
    #[default]
    Unknown,
    /// What is at a path from the root of all that a template is given.
    Path(Vec<Key>),
    /// A `dict` of others.
    Fields(BTreeMap<String, Meaning>),
}

/// Where an expression stands.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    /// The template.
    pub(super) template: &'s Template,
    /// What `$` stands for, and the dot outside of all blocks.
    pub(super) root: &'s Meaning,
    /// The line, from 0.
    pub(super) line: usize,
    /// The innermost block around.
    pub(super) block: Option<usize>,
    /// How often the loops around had been run.
    pub(super) rounds: &'s [(usize, usize)],
}

/// What an expression names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    /// The variable; `None`: the dot.
    variable: Option<String>,
    keys: Vec<String>,
}

impl Meaning {
    /// All that a template is given.
    pub(super) fn everything() -> Self {
        Self::Path(Vec::new())
    }

    /// The path behind `Values`, if it stands for a value.
    pub(super) fn value(&self) -> Option<&[Key]> {
        match self {
            Self::Path(path) => match path.split_first() {
                Some((Key::Field(first), rest)) if first == "Values" => Some(rest),
                _ => None,
            },
            _ => None,
        }
    }

    fn field(&self, key: &str) -> Self {
        match self {
            Self::Path(path) => {
                let mut path = path.clone();
                path.push(Key::Field(key.to_string()));
                Self::Path(path)
            }
            Self::Fields(fields) => fields.get(key).cloned().unwrap_or_default(),
            Self::Unknown => Self::Unknown,
        }
    }

    /// What a loop over it reaches in a round.
    fn round(self, round: usize) -> Self {
        match self {
            Self::Path(mut path) => {
                path.push(Key::Round(round));
                Self::Path(path)
            }
            _ => Self::Unknown,
        }
    }
}

impl Scope<'_> {
    /// The paths of all values that an expression reads, without `Values`.
    pub(super) fn values(&self, expression: &str) -> Vec<Vec<Key>> {
        let mut found: Vec<Vec<Key>> = Vec::new();
        for name in names(expression) {
            if let Some(path) = self.meaning(&name, DEPTH).value()
                && !path.is_empty()
                && !found.iter().any(|other| other == path)
            {
                found.push(path.to_vec());
            }
        }
        found
    }

    /// What an expression as a whole stands for, as far as it is a name or a `dict`.
    pub(super) fn whole(&self, expression: &str) -> Meaning {
        self.evaluate(expression, DEPTH)
    }

    fn evaluate(&self, expression: &str, depth: usize) -> Meaning {
        let text = expression.trim();
        let text = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(text);
        match text.strip_prefix("dict ") {
            Some(pairs) => {
                let words = words(pairs);
                let pairs = words.chunks_exact(2).filter_map(|pair| match pair {
                    [key, value] if depth > 0 => {
                        Some((key.trim_matches('"').to_string(), self.evaluate(value, depth - 1)))
                    }
                    _ => None,
                });
                Meaning::Fields(pairs.collect())
            }
            None => {
                let name = names(text).into_iter().next();
                name.map(|name| self.meaning(&name, depth)).unwrap_or_default()
            }
        }
    }

    fn meaning(&self, name: &Name, depth: usize) -> Meaning {
        let start = match &name.variable {
            None => self.dot(depth),
            Some(variable) if variable.is_empty() => self.root.clone(),
            Some(variable) => self.variable(variable, depth),
        };
        name.keys.iter().fold(start, |meaning, key| meaning.field(key))
    }

    /// What the dot stands for: what the innermost `range` or `with` around says.
    fn dot(&self, depth: usize) -> Meaning {
        let moves = |(_, block): &(usize, &Block)| !matches!(block.kind, Kind::If);
        match self.template.outwards(self.block).find(moves) {
            Some((index, block)) if matches!(block.kind, Kind::Range | Kind::With) => {
                self.head(index, block, depth)
            }
            _ => self.root.clone(),
        }
    }

    /// What a `range` or `with` makes of the dot.
    fn head(&self, index: usize, block: &Block, depth: usize) -> Meaning {
        let Some(depth) = depth.checked_sub(1) else { return Meaning::Unknown };
        let (_, expression) = block.head.split_once(":=").unwrap_or(("", &block.head));
        // The head itself stands outside of its block.
        let outer = Scope { line: block.first, block: block.parent, ..*self };
        let meaning = outer.evaluate(expression, depth);
        let round =
            self.rounds.iter().find(|(own, _)| *own == index).map_or(0, |(_, round)| *round);
        if block.kind == Kind::Range { meaning.round(round) } else { meaning }
    }

    fn variable(&self, name: &str, depth: usize) -> Meaning {
        let Some(depth) = depth.checked_sub(1) else { return Meaning::Unknown };
        for (index, block) in self.template.outwards(self.block) {
            let Some((variables, _)) = block.head.split_once(":=") else { continue };
            let mut variables = variables.split(',').map(|own| own.trim().trim_start_matches('$'));
            if variables.clone().next_back() == Some(name) {
                return self.head(index, block, depth);
            }
            if variables.any(|own| own == name) {
                return Meaning::Unknown;
            }
        }
        let before = self.template.assignments.iter().rev();
        let before = before.filter(|assignment| assignment.line <= self.line);
        let Some(found) = before.into_iter().find(|assignment| assignment.name == name) else {
            return Meaning::Unknown;
        };
        // One that names itself means what was there before.
        let line = found.line.saturating_sub(usize::from(found.line == self.line));
        Scope { line, block: found.block, ..*self }.evaluate(&found.value, depth)
    }
}

/// The names in an expression: `.a.b`, `$x.c`, and `index .a "b"`.
fn names(expression: &str) -> Vec<Name> {
    let mut found = Vec::new();
    gather(expression, DEPTH, &mut found);
    found
}

fn gather(expression: &str, depth: usize, found: &mut Vec<Name>) {
    let mut index = false;
    for word in words(expression) {
        if let Some(inner) = word.strip_prefix('(') {
            if let Some(depth) = depth.checked_sub(1) {
                gather(inner.strip_suffix(')').unwrap_or(inner), depth, found);
            }
            index = false;
        } else if matches!(word.as_str(), "index" | "get" | "dig") {
            index = true;
        } else if let Some(text) = word.strip_prefix('"') {
            if let Some(Name { keys, .. }) = found.last_mut().filter(|_| index) {
                keys.push(text.trim_end_matches('"').to_string());
            }
        } else if let Some(name) = name(&word) {
            found.push(name);
        } else {
            index = false;
        }
    }
}

fn name(word: &str) -> Option<Name> {
    let (variable, rest) = match word.strip_prefix('$') {
        Some(rest) => {
            let end = rest.find('.').unwrap_or(rest.len());
            (Some(rest.get(..end)?.to_string()), rest.get(end..)?)
        }
        None => (None, word),
    };
    if variable.is_none() && !rest.starts_with('.') {
        return None;
    }
    let keys = rest.split('.').filter(|key| !key.is_empty()).map(str::to_string);
    Some(Name { variable, keys: keys.collect() })
}

/// The words of an expression; what is in quotes or in brackets is one.
fn words(expression: &str) -> Vec<String> {
    if expression.len() > LENGTH {
        return Vec::new();
    }
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut depth = 0_usize;
    for char in expression.chars() {
        match (quote, char) {
            (None, '"' | '`') => quote = Some(char),
            (Some(open), char) if open == char => quote = None,
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        let between =
            quote.is_none() && depth == 0 && (char.is_whitespace() || "|,=:".contains(char));
        match (between, words.last_mut()) {
            (true, _) => words.push(String::new()),
            (false, Some(word)) => word.push(char),
            (false, None) => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The template that an action prints and what it gives to it: `include "name" .`.
pub(super) fn included(action: &str) -> Option<(String, String)> {
    included_in(action, DEPTH)
}

fn included_in(action: &str, depth: usize) -> Option<(String, String)> {
    let words = words(action);
    let at = words.iter().position(|word| matches!(word.as_str(), "include" | "template"));
    let Some(at) = at else {
        // `(include "name" .)` in the middle of something.
        let depth = depth.checked_sub(1)?;
        let mut inner = words.iter().filter_map(|word| word.strip_prefix('('));
        return inner.find_map(|word| included_in(word.strip_suffix(')').unwrap_or(word), depth));
    };
    let name = words.get(at + 1)?.trim_matches(['"', '`']).to_string();
    Some((name, words.get(at + 2).cloned().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(path: &[Key]) -> String {
        let keys = path.iter().map(|key| match key {
            Key::Field(key) => key.clone(),
            Key::Round(round) => format!("#{round}"),
        });
        keys.collect::<Vec<_>>().join(".")
    }

    /// The values that the line with `HERE` reads.
    fn values(text: &str, rounds: &[(usize, usize)]) -> Vec<String> {
        let template = Template::read(text);
        let line = text.lines().position(|line| line.contains("HERE")).unwrap();
        let root = Meaning::everything();
        let block = template.lines[line].block;
        let scope = Scope { template: &template, root: &root, line, block, rounds };
        let actions = template.lines[line].actions();
        actions.flat_map(|action| scope.values(action)).map(|path| shown(&path)).collect()
    }

    #[test]
    fn values_are_read_by_their_paths() {
        for (line, expected) in [
            ("{{ .Values.a.b | default .Values.c | quote }}", vec!["a.b", "c"]),
            ("{{ $.Values.a }} {{ .Release.Name }}", vec!["a"]),
            ("{{ index .Values.a \"x-y\" \"z\" }}", vec!["a.x-y.z"]),
            ("{{ printf \"%s .Values.no\" (.Values.a | upper) }}", vec!["a"]),
            ("{{ toYaml (default (list) .Values.a) | nindent 2 }}", vec!["a"]),
            ("{{ .Values }}", vec![]),
        ] {
            assert_eq!(values(&format!("HERE {line}"), &[]), expected, "{line}");
        }
    }

    #[test]
    fn blocks_say_what_the_dot_is() {
        let text = "{{ with .Values.a }}\n{{ range .b }}\nHERE {{ .c }} {{ $.Values.d }}\n{{ end }}\n{{ end }}";
        assert_eq!(values(text, &[(1, 3)]), ["a.b.#3.c", "d"]);
        let text = "{{ range $i, $e := .Values.a }}\n{{ range $e.b }}\nHERE {{ . }} {{ $e.c }} {{ $i }}\n{{ end }}\n{{ end }}";
        assert_eq!(values(text, &[(0, 1), (1, 2)]), ["a.#1.b.#2", "a.#1.c"]);
        let text = "{{ if .Values.a }}\nHERE {{ .Values.b }}\n{{ end }}";
        assert_eq!(values(text, &[]), ["b"]);
    }

    #[test]
    fn variables_are_followed() {
        let text = "{{ $a := .Values.x }}\n{{ $b := $a.y }}\nHERE {{ $b.z }}";
        assert_eq!(values(text, &[]), ["x.y.z"]);
        let text = "{{ range .Values.l }}\n{{ $p := .port }}\nHERE {{ $p }}\n{{ end }}";
        assert_eq!(values(text, &[(0, 1)]), ["l.#1.port"]);
        assert_eq!(values("{{ $a := $a.b }}\nHERE {{ $a }}", &[]), [""; 0]);
    }

    #[test]
    fn helpers_get_what_they_are_given() {
        assert_eq!(included("include \"a.b\" . | nindent 4"), Some(("a.b".into(), ".".into())));
        assert_eq!(
            included("tpl (include \"x\" (dict \"a\" .b)) $"),
            Some(("x".into(), "(dict \"a\" .b)".into()))
        );
        assert_eq!(included("toYaml .Values.a"), None);
        let template = Template::read("HERE");
        let root = Meaning::everything();
        let scope = Scope { template: &template, root: &root, line: 0, block: None, rounds: &[] };
        let given = scope.whole("(dict \"peers\" .Values.peers \"root\" $)");
        let inner = Scope { root: &given, ..scope };
        let paths = inner.values(".peers.x | default .root.Values.y");
        assert_eq!(paths.iter().map(|path| shown(path)).collect::<Vec<_>>(), ["peers.x", "y"]);
    }
}
