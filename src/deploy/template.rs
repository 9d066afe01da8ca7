//! The templates of ApplicationSets: `{{name}}` for a parameter, or Go templates.

use super::expression;
use super::object::Bounds;
use crate::parse::{Field, Node, Value};
use serde_json::Map;

/// What a template may do.
pub(super) struct Templates<'a> {
    /// Go templates (`goTemplate: true`).
    pub(super) go: bool,
    /// `missingkey=error`.
    pub(super) strict: bool,
    bounds: &'a Bounds,
}

/// What fills in a tag.
type Fill<'a> = dyn Fn(&str) -> Result<String, String> + 'a;

/// Parameters by name.
pub(super) type Parameters = Map<String, serde_json::Value>;

impl<'a> Templates<'a> {
    pub(super) fn new(go: bool, strict: bool, bounds: &'a Bounds) -> Self {
        Self { go, strict, bounds }
    }

    /// A value with its templates filled in, keys as well. Lines stay those of the template.
    pub(super) fn node(&self, node: &Node, parameters: &Parameters) -> Result<Node, String> {
        self.walk(node, &|tag| self.tag(tag, parameters))
    }

    /// A text with its templates filled in.
    pub(super) fn text(&self, text: &str, parameters: &Parameters) -> Result<String, String> {
        self.filled(text, &|tag| self.tag(tag, parameters))
    }

    /// A generator with the parameters of the one before it. What is no Go template and names no parameter stays,
    /// for those that the generator gives itself.
    pub(super) fn generator(&self, node: &Node, parameters: &Parameters) -> Result<Node, String> {
        if self.go {
            return self.node(node, parameters);
        }
        self.walk(node, &|tag| {
            Ok(plain(tag, parameters).unwrap_or_else(|| format!("{{{{{tag}}}}}")))
        })
    }

    fn walk(&self, node: &Node, fill: &Fill<'_>) -> Result<Node, String> {
        self.bounds.spend_bytes(32)?;
        let value = match &node.value {
            Value::Text(text) => Value::Text(self.filled(text, fill)?),
            Value::List(items) => {
                let items = items.iter().map(|item| self.walk(item, fill));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            Value::Map(fields) => {
                let fields = fields.iter().map(|field| {
                    let key = self.filled(&field.key, fill)?;
                    Ok(Field { key, line: field.line, node: self.walk(&field.node, fill)? })
                });
                Value::Map(fields.collect::<Result<_, String>>()?)
            }
            other => other.clone(),
        };
        Ok(Node { start_line: node.start_line, end_line: node.end_line, value })
    }

    fn tag(&self, tag: &str, parameters: &Parameters) -> Result<String, String> {
        let filled = if self.go {
            expression::evaluate(tag, parameters, self.strict)
        } else {
            plain(tag, parameters).ok_or_else(|| "no generator gives that parameter".to_string())
        };
        filled.map_err(|why| format!("the template `{{{{{tag}}}}}` can't be filled in: {why}"))
    }

    fn filled(&self, text: &str, fill: &Fill<'_>) -> Result<String, String> {
        self.bounds.spend_bytes(text.len())?;
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((tag, after)) = after.split_once("}}") else {
                return Err("a template has no end: a `{{` without its `}}`".into());
            };
            let (trims_before, tag) = match tag.strip_prefix("- ").filter(|_| self.go) {
                Some(tag) => (true, tag),
                None => (false, tag),
            };
            let (trims_after, tag) = match tag.strip_suffix(" -").filter(|_| self.go) {
                Some(tag) => (true, tag),
                None => (false, tag),
            };
            out.push_str(if trims_before { before.trim_end() } else { before });
            let value = fill(tag)?;
            self.bounds.spend_bytes(value.len())?;
            out.push_str(&value);
            rest = if trims_after { after.trim_start() } else { after };
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// Does a value hold any template?
pub(super) fn is_template(node: &Node) -> bool {
    match &node.value {
        Value::Text(text) => text.contains("{{"),
        Value::List(items) => items.iter().any(is_template),
        Value::Map(fields) => {
            fields.iter().any(|field| field.key.contains("{{") || is_template(&field.node))
        }
        _ => false,
    }
}

fn plain(tag: &str, parameters: &Parameters) -> Option<String> {
    parameters.get(tag.trim()).and_then(serde_json::Value::as_str).map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filled(go: bool, text: &str) -> Result<String, String> {
        let serde_json::Value::Object(parameters) = json!({"path": "a/b", "path.basename": "b", "path[0]": "a", "number": 1, "x": {"y": "z"}})
        else {
            panic!("a map")
        };
        Templates::new(go, false, &Bounds::default()).text(text, &parameters)
    }

    #[test]
    fn tags() {
        for (go, text, expected) in [
            (false, "no template", "no template"),
            (false, "{{path}}", "a/b"),
            (false, "x-{{ path.basename }}-{{path[0]}}", "x-b-a"),
            (false, "{ {path} }", "{ {path} }"),
            (true, "x {{ .x.y }}", "x z"),
            (true, "x {{- .x.y -}} y", "xzy"),
            (true, "x  {{- .path }}", "xa/b"),
            (true, "{{ .path -}}  \n x", "a/bx"),
            (true, "{{.path}}", "a/b"),
        ] {
            assert_eq!(filled(go, text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_can_not_be_filled_in() {
        for (go, text) in [
            (false, "{{none}}"),
            (false, "{{number}}"),
            (false, "{{.path}}"),
            (false, "{{}}"),
            (false, "{{path"),
            (true, "{{path}}"),
            (true, "{{ .none }}"),
            (true, "{{ if .x }}a{{ end }}"),
        ] {
            let reason = filled(go, text).unwrap_err();
            assert!(reason.contains("template"), "{text}: {reason}");
        }
    }

    #[test]
    fn there_is_an_end() {
        let bounds = Bounds::default();
        let templates = Templates::new(false, false, &bounds);
        let parameters = Parameters::from_iter([("x".to_string(), "y".repeat(1 << 20).into())]);
        assert!(templates.text(&"{{x}}".repeat(1_000), &parameters).is_err());
    }
}
