//! Expressions of Go templates, as far as ApplicationSets need them: fields, `index`, and functions on text.
//!
//! Whatever else a template can say is an error, never a guess.

use serde_json::{Map, Value};

/// Parentheses inside of parentheses.
const DEPTH: usize = 20;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// `.a.b`; `.` has no names.
    Field(Vec<String>),
    Text(String),
    Number(i64),
    Name(String),
    Open,
    Close,
    Pipe,
}

/// The text that the expression between `{{` and `}}` stands for. `strict`: `missingkey=error`.
pub(super) fn evaluate(
    expression: &str,
    parameters: &Map<String, Value>,
    strict: bool,
) -> Result<String, String> {
    let mut tokens = tokens(expression)?;
    tokens.reverse();
    let mut evaluator = Evaluator { tokens, parameters, strict, depth: 0 };
    let value = evaluator.pipeline()?;
    if !evaluator.tokens.is_empty() {
        return Err("a `)` without its `(`".into());
    }
    print(value.as_ref().unwrap_or(&Value::Null)).ok_or_else(|| "it is no single value".into())
}

/// A value as Go prints it; `None`: it is a list, a map or nothing, or a number that Go would write with an exponent.
pub(super) fn print(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => {
            let value = number.as_f64()?;
            let plain = value == 0.0 || (1e-4..1e6).contains(&value.abs());
            let text =
                if value.fract() == 0.0 { format!("{value:.0}") } else { number.to_string() };
            plain.then_some(text)
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn tokens(expression: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = expression;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        let word = |text: &str| {
            text.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(text.len())
        };
        let (token, left) = match first {
            '(' => (Token::Open, after),
            ')' => (Token::Close, after),
            '|' => (Token::Pipe, after),
            '"' => {
                let end = after.find(['"', '\\']).filter(|at| after.get(*at..=*at) == Some("\""));
                let end = end.ok_or("a text with escapes, or without its end")?;
                let (text, left) = after.split_at(end);
                (Token::Text(text.to_string()), left.get(1..).unwrap_or_default())
            }
            '`' => {
                let (text, left) = after.split_once('`').ok_or("a text without its end")?;
                (Token::Text(text.to_string()), left)
            }
            '.' => {
                let mut names = Vec::new();
                let mut left = rest;
                while let Some(after) = left.strip_prefix('.') {
                    let (name, more) = after.split_at(word(after));
                    if name.is_empty() {
                        left = after;
                        break;
                    }
                    names.push(name.to_string());
                    left = more;
                }
                if left.starts_with('.') || rest.starts_with("..") {
                    return Err("a field without a name".into());
                }
                (Token::Field(names), left)
            }
            '0'..='9' => {
                let (number, left) = rest.split_at(word(rest));
                let number = number.parse().map_err(|_| format!("`{number}` is no number"))?;
                (Token::Number(number), left)
            }
            first if first.is_alphabetic() => {
                let (name, left) = rest.split_at(word(rest));
                (Token::Name(name.to_string()), left)
            }
            other => return Err(format!("`{other}` is not supported")),
        };
        let joined =
            matches!(token, Token::Field(_) | Token::Text(_) | Token::Number(_) | Token::Name(_))
                && !left.is_empty()
                && !left.starts_with([' ', '\t', '\r', '\n', ')', '|']);
        if joined || token == Token::Close && left.starts_with('.') {
            return Err("fields of a value are not supported".into());
        }
        tokens.push(token);
        rest = left;
    }
}

struct Evaluator<'a> {
    /// The next one is the last.
    tokens: Vec<Token>,
    parameters: &'a Map<String, Value>,
    strict: bool,
    depth: usize,
}

impl Evaluator<'_> {
    /// `None`: a field that is not there.
    fn pipeline(&mut self) -> Result<Option<Value>, String> {
        let mut value = None;
        let mut first = true;
        loop {
            value = self.command((!first).then_some(value))?;
            first = false;
            if self.tokens.last() != Some(&Token::Pipe) {
                return Ok(value);
            }
            self.tokens.pop();
        }
    }

    /// One value, or a function with its arguments; what is piped into it is the last.
    fn command(&mut self, piped: Option<Option<Value>>) -> Result<Option<Value>, String> {
        let mut arguments = Vec::new();
        let function = match self.tokens.last() {
            Some(Token::Name(name)) if !matches!(name.as_str(), "true" | "false" | "nil") => {
                let name = name.clone();
                self.tokens.pop();
                Some(name)
            }
            _ => None,
        };
        while let Some(token) = self.tokens.last() {
            if matches!(token, Token::Pipe | Token::Close) {
                break;
            }
            arguments.push(self.operand()?);
        }
        let is_piped = piped.is_some();
        arguments.extend(piped);
        match function {
            Some(name) => call(&name, arguments, self.strict).map(Some),
            None if arguments.len() == 1 && !is_piped => Ok(arguments.pop().flatten()),
            None => Err("one value is expected".into()),
        }
    }

    fn operand(&mut self) -> Result<Option<Value>, String> {
        match self.tokens.pop() {
            Some(Token::Text(text)) => Ok(Some(Value::String(text))),
            Some(Token::Number(number)) => Ok(Some(number.into())),
            Some(Token::Field(names)) => self.field(&names),
            Some(Token::Open) => {
                self.depth += 1;
                if self.depth > DEPTH {
                    return Err("it is nested too deeply".into());
                }
                let value = self.pipeline()?;
                self.depth -= 1;
                match self.tokens.pop() {
                    Some(Token::Close) => Ok(value),
                    _ => Err("a `(` without its `)`".into()),
                }
            }
            Some(Token::Name(name)) => Err(format!("`{name}` is not supported here")),
            _ => Err("a value is expected".into()),
        }
    }

    fn field(&self, names: &[String]) -> Result<Option<Value>, String> {
        let mut names = names.iter();
        let Some(first) = names.next() else { return Err("`.` is no single value".into()) };
        let mut value = self.parameters.get(first);
        for name in names {
            let Some(Value::Object(map)) = value else {
                return Err(format!("there is no field `{first}` with a field `{name}`"));
            };
            value = map.get(name);
        }
        if value.is_none() && self.strict {
            return Err(format!("there is no field `{first}`"));
        }
        Ok(value.cloned())
    }
}

fn call(name: &str, arguments: Vec<Option<Value>>, strict: bool) -> Result<Value, String> {
    let wrong = || format!("`{name}` with these arguments is not supported");
    if name == "default" {
        let [default, value] = <[_; 2]>::try_from(arguments).map_err(|_| wrong())?;
        let value = value.filter(|value| !is_empty(value));
        return value.or(default).ok_or_else(wrong);
    }
    let arguments: Option<Vec<Value>> = arguments.into_iter().collect();
    let arguments = arguments.ok_or_else(|| format!("a value for `{name}` is missing"))?;
    if name == "index" {
        let mut arguments = arguments.into_iter();
        let start = arguments.next().ok_or_else(wrong)?;
        return arguments.try_fold(start, |value, key| index(&value, &key, strict));
    }
    let texts: Option<Vec<&str>> = arguments.iter().map(Value::as_str).collect();
    let result = match (name, texts.as_deref().ok_or_else(wrong)?) {
        ("lower", [text]) => text.to_lowercase(),
        ("upper", [text]) if text.is_ascii() => text.to_ascii_uppercase(),
        ("trim", [text]) => text.trim().to_string(),
        ("trimPrefix", [prefix, text]) => text.strip_prefix(prefix).unwrap_or(text).to_string(),
        ("trimSuffix", [suffix, text]) => text.strip_suffix(suffix).unwrap_or(text).to_string(),
        ("replace", [old, new, text]) if !old.is_empty() && new.len() <= 1_000 => {
            text.replace(old, new)
        }
        ("normalize", [text]) => normalized(text),
        _ => return Err(wrong()),
    };
    Ok(Value::String(result))
}

fn index(value: &Value, key: &Value, strict: bool) -> Result<Value, String> {
    let found = match (value, key) {
        (Value::Array(items), Value::Number(number)) => {
            number.as_u64().and_then(|at| items.get(usize::try_from(at).ok()?))
        }
        (Value::Object(map), Value::String(key)) => map.get(key),
        _ => None,
    };
    let why = if strict { "`index` finds nothing" } else { "`index` finds nothing to print" };
    found.cloned().ok_or_else(|| why.into())
}

/// What `default` replaces.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// A name as Argo CD makes it one of an object: lower case, other characters become `-`.
pub(super) fn normalized(name: &str) -> String {
    let allowed = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '.';
    let name: String = name
        .to_lowercase()
        .chars()
        .map(|char| if allowed(char) { char } else { '-' })
        .take(253)
        .collect();
    name.trim_matches(['-', '.']).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn evaluated(expression: &str, strict: bool) -> Result<String, String> {
        let Value::Object(parameters) = json!({
            "path": {"path": "apps/shop", "basename": "shop", "segments": ["apps", "shop"]},
            "cluster": {"name": "EU-1", "none": null},
            "count": 3,
            "share": 0.5,
            "many": 1_000_000,
            "on": true,
            "empty": "",
        }) else {
            panic!("a map")
        };
        evaluate(expression, &parameters, strict)
    }

    #[test]
    fn expressions() {
        for (expression, expected) in [
            (".path.path", "apps/shop"),
            ("  .path.basename ", "shop"),
            ("index .path.segments 1", "shop"),
            ("(index .path.segments 0)", "apps"),
            ("index .cluster \"name\" | lower", "eu-1"),
            (".cluster.name | lower | upper", "EU-1"),
            ("lower .cluster.name", "eu-1"),
            (".none | default \"x\"", "x"),
            (".empty | default `x`", "x"),
            ("default \"x\" .path.basename", "shop"),
            (".cluster.none | default \"x\"", "x"),
            (".count", "3"),
            (".share", "0.5"),
            (".on", "true"),
            ("\"text\"", "text"),
            (".cluster.name | replace \"-\" \"_\" | trimPrefix \"EU\"", "_1"),
            ("trimSuffix \"op\" (lower .path.basename)", "sh"),
            ("normalize \"A_b.\"", "a-b"),
        ] {
            assert_eq!(evaluated(expression, false).as_deref(), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn anything_else_is_an_error() {
        for expression in [
            "",
            ".",
            ".path",
            ".path.segments",
            ".none",
            ".none.more",
            ".many",
            ".count.more",
            ".none | lower",
            ".count | lower",
            "index .path.segments 5",
            "index .path.segments -1",
            "path",
            "if .on",
            "end",
            "range .path.segments",
            "$x := .path",
            "printf \"%s\" .count",
            "/* comment */",
            ".path.path .count",
            "(.path.path",
            ".path.path)",
            "\"a\\n\"",
            "\"open",
            ".path..path",
            "..path",
            "(index .path.segments 0).x",
            ".path.path|",
            ".path.path | .path.basename",
            "env \"HOME\"",
            "tpl .path.path .",
        ] {
            assert!(evaluated(expression, false).is_err(), "{expression}");
        }
        assert!(evaluated(".none | default \"x\"", true).is_err());
        assert!(evaluated(&"(".repeat(10_000), false).is_err());
    }
}
