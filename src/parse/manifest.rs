//! Documents as plain values that know their lines, for whoever reads other kinds than the model holds:
//! what is deployed where, and how rendered text came from its sources.

use super::doc::{Doc, DocError, NodeId, View};
use super::scalar::Scalar;
use super::{json, limits, split, yaml};

/// A value and the lines on which it stands, from 1, both included.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// First line.
    pub start_line: u32,
    /// Last line.
    pub end_line: u32,
    /// What it holds.
    pub value: Value,
}

/// What a node holds: as Kubernetes reads it (M4, M5), aliases followed, merges expanded.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map in the order in which it is written.
    Map(Vec<Field>),
}

/// A field of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its key.
    pub key: String,
    /// The line of the key.
    pub line: u32,
    /// Its value.
    pub node: Node,
}

/// A document that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Line of the file, from 1.
    pub line: u32,
    /// What is wrong, without a full stop.
    pub message: String,
}

/// The documents of a file, YAML or JSON, in order; those that hold nothing are left out. One that can't be
/// read loses only itself.
pub fn manifests(bytes: &[u8]) -> Vec<Result<Node, Unreadable>> {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if start.trim_ascii_start().starts_with(b"{")
        && let Ok(text) = std::str::from_utf8(start)
        && let Ok(docs) = json::parse(text)
    {
        return docs.iter().map(|doc| node(doc, Doc::ROOT, 0).map_err(Unreadable::from)).collect();
    }
    split::documents(bytes).take(limits::DOCUMENTS).filter_map(|document| read(&document)).collect()
}

fn read(document: &split::Document<'_>) -> Option<Result<Node, Unreadable>> {
    let refuse = |message: &str| {
        Some(Err(Unreadable { line: document.first_line, message: message.to_string() }))
    };
    if document.text_on_marker {
        return refuse("nothing but a comment may stand on a `---` line");
    }
    let Ok(text) = std::str::from_utf8(document.bytes) else { return refuse("it is not UTF-8") };
    match yaml::parse(text, document.first_line) {
        Ok(parsed) => parsed.doc.map(|doc| node(&doc, Doc::ROOT, 0).map_err(Unreadable::from)),
        Err(error) => Some(Err(error.into())),
    }
}

fn node(doc: &Doc<'_>, id: NodeId, depth: usize) -> Result<Node, DocError> {
    let (start_line, end_line) = doc.lines(id);
    // Aliases can nest deeper than what is written.
    if depth > limits::DEPTH {
        return Err(DocError { line: start_line, message: "it is nested too deeply".into() });
    }
    let value = match doc.view(id) {
        View::Scalar(scalar) => match scalar {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Int(value) => Value::Number(value.into()),
            Scalar::Unsigned(value) => Value::Number(value.into()),
            Scalar::Float(value) => {
                serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
            }
            Scalar::Text(text) => {
                doc.spend_bytes(id, text.len())?;
                Value::Text(text.to_string())
            }
        },
        View::Seq(items) => {
            doc.spend(id, items.len())?;
            let items = items.iter().map(|item| node(doc, *item, depth + 1));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        View::Map => {
            let fields = doc.entries(id)?.entries.into_iter().map(|entry| {
                let line = doc.lines(entry.key_node).0;
                let node = node(doc, entry.value, depth + 1)?;
                Ok(Field { key: entry.key.into_owned(), line, node })
            });
            Value::Map(fields.collect::<Result<_, DocError>>()?)
        }
    };
    Ok(Node { start_line, end_line, value })
}

impl From<DocError> for Unreadable {
    fn from(error: DocError) -> Self {
        Self { line: error.line, message: error.message }
    }
}

impl Node {
    /// The value of a field of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.fields().iter().find(|field| field.key == key).map(|field| &field.node)
    }

    /// The value at the end of a path of fields.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The fields of a map; none of anything else.
    pub fn fields(&self) -> &[Field] {
        match &self.value {
            Value::Map(fields) => fields,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text at the end of a path of fields.
    pub fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.text()
    }

    /// A value of which all stands on one line.
    pub fn on_line(json: &serde_json::Value, line: u32) -> Self {
        let value = match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(value) => Value::Number(value.clone()),
            serde_json::Value::String(text) => Value::Text(text.clone()),
            serde_json::Value::Array(items) => {
                Value::List(items.iter().map(|item| Self::on_line(item, line)).collect())
            }
            serde_json::Value::Object(fields) => {
                let field = |(key, value): (&String, _)| Field {
                    key: key.clone(),
                    line,
                    node: Self::on_line(value, line),
                };
                Value::Map(fields.iter().map(field).collect())
            }
        };
        Self { start_line: line, end_line: line, value }
    }

    /// The same without lines.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(value) => value.clone().into(),
            Value::Text(text) => text.clone().into(),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(fields) => {
                let pairs = fields.iter().map(|field| (field.key.clone(), field.node.to_json()));
                serde_json::Value::Object(pairs.collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_know_their_lines() {
        let text = b"# first\na: {b: [1, yes]}\n---\n---\nc:\n  d: e\n---\n{\n";
        let read = manifests(text);
        let [Ok(first), Ok(second), Err(third)] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!(first.to_json(), serde_json::json!({"a": {"b": [1, true]}}));
        assert_eq!(second.at(&["c", "d"]).map(|node| node.start_line), Some(6));
        assert_eq!(second.text_at(&["c", "d"]), Some("e"));
        assert!(third.line >= 8, "{third:?}");
    }

    #[test]
    fn json_is_read_as_well() {
        let read = manifests(b"{\"a\":\n 1}");
        assert_eq!(read.len(), 1);
        assert!(read.iter().flatten().all(|node| node.get("a").is_some_and(|a| a.start_line == 2)));
    }
}
