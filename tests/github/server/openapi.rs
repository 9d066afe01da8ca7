//! GitHub's OpenAPI description, cut down by tests/github/openapi.py, as a judge of requests and
//! answers. Where the file is missing nothing is judged, and a line on standard error says so.

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

/// Names the file, where it is not `target/github-openapi.json`. Then it has to be there.
const VARIABLE: &str = "GITHUB_OPENAPI";

struct Description {
    whole: Value,
    components: Value,
    operations: Vec<Operation>,
    /// The components of events, which are others.
    event_components: Value,
    /// Events by name and action, as far as they were looked at.
    events: Mutex<Events>,
}

type Events = BTreeMap<(String, String), Arc<Validator>>;

struct Operation {
    method: String,
    /// The path's segments; those in braces stand for any.
    pattern: Vec<String>,
    /// Query parameters by name, with whether they are required.
    query: Vec<(String, bool, Validator)>,
    /// The schema of what is sent, as it is written, and whether something has to be sent.
    sent: Option<(Value, bool, Validator)>,
    /// Statuses with the schema of what is answered; none for no body.
    answered: Vec<(String, Option<Validator>)>,
}

/// Whether requests and answers are judged at all.
pub fn present() -> bool {
    description().is_some()
}

fn description() -> Option<&'static Description> {
    static DESCRIPTION: OnceLock<Option<Description>> = OnceLock::new();
    DESCRIPTION.get_or_init(read).as_ref()
}

#[allow(clippy::print_stderr, reason = "a check that is left out has to be seen")]
fn read() -> Option<Description> {
    let usual = concat!(env!("CARGO_MANIFEST_DIR"), "/target/github-openapi.json");
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let path = named.clone().unwrap_or_else(|| PathBuf::from(usual));
    let Ok(text) = std::fs::read_to_string(&path) else {
        assert!(named.is_none(), "{VARIABLE}: {} can't be read", path.display());
        // Straight to the stream: the test harness keeps what `eprintln!` writes.
        let line = "not checked against GitHub's OpenAPI description: run tests/github/openapi.py";
        std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes()).ok();
        return None;
    };
    let whole: Value = serde_json::from_str(&text).expect("the description is JSON");
    let components = nullable(&whole["components"]);
    let event_components = nullable(&whole["x-webhooks"]["components"]);
    let (operations, events) = (Vec::new(), Mutex::default());
    let mut description = Description { whole, components, operations, event_components, events };
    let paths = description.whole["paths"].as_object().expect("paths").clone();
    for (path, methods) in &paths {
        for (method, operation) in methods.as_object().expect("methods") {
            description.operations.push(description.operation(path, method, operation));
        }
    }
    Some(description)
}

/// `nullable` is OpenAPI's; JSON Schema says it with `anyOf`.
fn nullable(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(nullable).collect(),
        Value::Object(fields) => {
            let mut kept: Map<String, Value> =
                fields.iter().map(|(name, value)| (name.clone(), nullable(value))).collect();
            if kept.get("nullable") == Some(&json!(true)) {
                kept.remove("nullable");
                json!({"anyOf": [kept, {"type": "null"}]})
            } else {
                Value::Object(kept)
            }
        }
        other => other.clone(),
    }
}

impl Description {
    fn operation(&self, path: &str, method: &str, operation: &Value) -> Operation {
        let query = operation["parameters"].as_array().into_iter().flatten();
        let query = query
            .map(|parameter| self.resolve(parameter))
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| {
                let name = parameter["name"].as_str().expect("a name").to_string();
                (name, parameter["required"] == true, self.validator(&parameter["schema"]))
            })
            .collect();
        let body = &operation["requestBody"];
        let sent = body["content"]["application/json"]
            .get("schema")
            .map(|schema| (schema.clone(), body["required"] == true, self.validator(schema)));
        let answered = operation["responses"].as_object().expect("responses");
        let answered = answered
            .iter()
            .map(|(status, answer)| {
                let content = &self.resolve(answer)["content"];
                let schema = content["application/json"].get("schema");
                (status.clone(), schema.map(|schema| self.validator(schema)))
            })
            .collect();
        let pattern = path.split('/').skip(1).map(str::to_string).collect();
        Operation { method: method.to_uppercase(), pattern, query, sent, answered }
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(at) => self.whole.pointer(at.trim_start_matches('#')).expect("a reference"),
            None => value,
        }
    }

    fn validator(&self, schema: &Value) -> Validator {
        Self::build(json!({"allOf": [nullable(schema)], "components": self.components}))
    }

    fn build(schema: Value) -> Validator {
        // OpenAPI 3.0 grew out of this draft: `exclusiveMinimum` is a boolean, `$ref` stands alone.
        let options = jsonschema::options().with_draft(Draft::Draft4).should_validate_formats(true);
        options.build(&schema).expect("a schema")
    }

    /// Fields that the schema does not name. GitHub ignores them, so they are mistakes.
    fn unknown(&self, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        let schema = self.resolve(schema);
        if let (Some(known), Some(fields)) = (schema["properties"].as_object(), value.as_object()) {
            for (name, inner) in fields {
                match known.get(name) {
                    Some(schema) => self.unknown(schema, inner, &format!("{at}/{name}"), found),
                    None => {
                        found.push(format!("`{at}/{name}` is a field that GitHub does not know"))
                    }
                }
            }
        }
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            self.unknown(&schema["items"], item, &format!("{at}/{index}"), found);
        }
    }

    fn find(&self, method: &str, path: &str) -> Option<&Operation> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let any = |pattern: &str| pattern.starts_with('{');
        // The last parameter of a comparison and a reference may hold slashes.
        let long = |pattern: &[String]| match pattern.iter().position(|p| p == "{basehead}") {
            Some(at) => segments.len() > at && pattern[3] == segments[3],
            None => {
                let at = pattern.iter().position(|p| p == "{ref}");
                at.is_some_and(|at| {
                    segments.len() > at + 1
                        && pattern[at - 1] == segments[at - 1]
                        && pattern.last().map(String::as_str) == segments.last().copied()
                })
            }
        };
        self.operations.iter().find(|operation| {
            let pattern = &operation.pattern;
            let same = pattern.len() == segments.len()
                && pattern.iter().zip(&segments).all(|(p, s)| any(p) || p == s);
            operation.method == method && (same || long(pattern))
        })
    }
}

fn errors(validator: &Validator, value: &Value, what: &str) -> Vec<String> {
    let errors = validator.iter_errors(value);
    errors.map(|error| format!("{what} {}: {error}", error.instance_path())).collect()
}

/// What is wrong with a request. `sent` is its body as JSON, `has_body` whether it had one at all.
pub fn request(
    method: &str,
    path: &str,
    query: &str,
    sent: Option<&Value>,
    has_body: bool,
) -> Vec<String> {
    // GraphQL is no part of the description.
    if path == "/graphql" {
        return Vec::new();
    }
    let Some(description) = description() else { return Vec::new() };
    let Some(operation) = description.find(method, path) else {
        return vec!["the description, or the part of it that tests use, has no such route".into()];
    };
    let mut found = Vec::new();
    let parameters = super::routes::parameters(query);
    for (name, value) in &parameters {
        match operation.query.iter().find(|(known, ..)| known == name) {
            Some((.., validator)) => {
                let number: Option<u64> = value.parse().ok();
                let text = json!(value);
                if !validator.is_valid(&text)
                    && !number.is_some_and(|n| validator.is_valid(&json!(n)))
                {
                    found.push(format!("the parameter `{name}` can't be `{value}`"));
                }
            }
            None => found.push(format!("`{name}` is a parameter that GitHub does not know")),
        }
    }
    for (name, ..) in operation.query.iter().filter(|(_, required, _)| *required) {
        if !parameters.iter().any(|(given, _)| given == name) {
            found.push(format!("the parameter `{name}` is missing"));
        }
    }
    match (&operation.sent, sent) {
        (Some((schema, _, validator)), Some(value)) => {
            found.extend(errors(validator, value, "sent"));
            description.unknown(schema, value, "", &mut found);
        }
        (Some((_, true, _)), None) => found.push("no JSON was sent".into()),
        (None, _) if has_body => found.push("something was sent where GitHub takes nothing".into()),
        _ => {}
    }
    found
}

/// What is wrong with an answer. Errors that the description leaves out are not judged.
pub fn answer(method: &str, path: &str, status: u16, answered: Option<&Value>) -> Vec<String> {
    let Some(operation) = description().and_then(|all| all.find(method, path)) else {
        return Vec::new();
    };
    let status = status.to_string();
    match operation.answered.iter().find(|(known, _)| *known == status) {
        None if status.starts_with('2') => vec![format!("GitHub never answers {status} to this")],
        Some((_, Some(validator))) => match answered {
            Some(value) => errors(validator, value, "answered"),
            None => vec!["no JSON was answered".into()],
        },
        // Errors are JSON even where the description says nothing of a body.
        Some((_, None)) if answered.is_some() && status.starts_with('2') => {
            vec!["JSON was answered to this".into()]
        }
        _ => Vec::new(),
    }
}

impl Description {
    /// The schema of an event, built when it is needed first.
    fn event(&self, name: &str, action: &str) -> Option<Arc<Validator>> {
        let mut events = self.events.lock().unwrap();
        let key = (name.to_string(), action.to_string());
        if let Some(known) = events.get(&key) {
            return Some(Arc::clone(known));
        }
        let schema = self.whole["x-webhooks"]["events"][name].get(action)?;
        let all = json!({ "components": self.event_components });
        let schema = json!({"allOf": [nullable(schema)], "x-webhooks": all});
        let built = Arc::new(Self::build(schema));
        events.insert(key, Arc::clone(&built));
        Some(built)
    }
}

/// What is wrong with the payload of an event.
pub fn event(name: &str, payload: &Value) -> Vec<String> {
    let Some(description) = description() else { return Vec::new() };
    let action = payload["action"].as_str().unwrap_or_default();
    let what = format!("event {name} {action}:");
    match description.event(name, action) {
        Some(validator) => errors(&validator, payload, &what),
        None => vec![format!("{what} the description, or the part of it in use, has none such")],
    }
}
