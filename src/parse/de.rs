//! A serde `Deserializer` over [`Doc`] that decodes as Kubernetes does and remembers where.
//!
//! As in Go, null is the zero value of whatever is wanted, also inside a list. Unlike most serde
//! formats it knows the line and the path of what could not be decoded, and of every field that
//! the type does not have.

use super::doc::{Doc, DocError, Entry, NodeId, View};
use super::limits;
use super::scalar::Scalar;
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use std::cell::RefCell;
use std::fmt;

/// A part of an object that could not be decoded, or that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Line of the file, from 1; 0 while it is not known.
    pub line: u32,
    /// The field, for example `spec.ingress[0].ports[1].port`; empty for the whole object.
    pub path: String,
    /// What is wrong with it and what to write instead.
    pub message: String,
}

/// What decoding noticed besides the result.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    /// Fields that the type does not have; the API server drops them (M4).
    pub unknown: Vec<Fault>,
    /// Keys that are written more than once; the last counts (M4).
    pub duplicates: Vec<Fault>,
}

/// Decodes a node of which the type has a part only: fields that it does not have go unnoticed.
pub(super) fn decode_part<'d, T: de::Deserialize<'d>>(
    doc: &'d Doc<'d>,
    node: NodeId,
) -> Result<(T, Notes), Fault> {
    decode_as(doc, node, false)
}

/// Decodes a node.
pub(super) fn decode<'d, T: de::Deserialize<'d>>(
    doc: &'d Doc<'d>,
    node: NodeId,
) -> Result<(T, Notes), Fault> {
    decode_as(doc, node, true)
}

fn decode_as<'d, T: de::Deserialize<'d>>(
    doc: &'d Doc<'d>,
    node: NodeId,
    whole: bool,
) -> Result<(T, Notes), Fault> {
    let notes = RefCell::default();
    let de = De { doc, node, path: &Path::Root, notes: &notes, whole, depth: 0 };
    let value = T::deserialize(de)?;
    Ok((value, notes.into_inner()))
}

/// Where a node stands, as a list that lives on the stack.
enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, key) => f.write_str(key),
            Path::Key(parent, key) => write!(f, "{parent}.{key}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

#[derive(Clone, Copy)]
struct De<'d, 'p> {
    doc: &'d Doc<'d>,
    node: NodeId,
    path: &'p Path<'p>,
    notes: &'p RefCell<Notes>,
    /// The type has every field that the API has.
    whole: bool,
    depth: usize,
}

impl<'d> De<'d, '_> {
    fn fault(&self, message: String) -> Fault {
        Fault { line: self.doc.lines(self.node).0, path: self.path.to_string(), message }
    }

    fn doc_fault(&self, error: DocError) -> Fault {
        Fault { line: error.line, path: self.path.to_string(), message: error.message }
    }

    /// Gives a visitor's error the place of this node, unless it has one from further inside.
    fn place(&self, fault: Fault) -> Fault {
        match fault.line {
            0 => self.fault(fault.message),
            _ => fault,
        }
    }

    /// The node was wanted to be something else.
    fn mismatch(&self, wanted: &str) -> Fault {
        let written = shorten(self.doc.written(self.node).unwrap_or_default());
        let found = match self.doc.view(self.node) {
            View::Seq(_) => "a list".to_string(),
            View::Map => "a map".to_string(),
            View::Scalar(Scalar::Null) => "nothing".to_string(),
            View::Scalar(Scalar::Bool(_)) => format!("`{written}`, which is a boolean in YAML"),
            View::Scalar(Scalar::Text(_)) => format!("the string `{written}`"),
            View::Scalar(_) => format!("`{written}`, which is a number in YAML"),
        };
        let advice = match (wanted, self.doc.view(self.node)) {
            ("a string", View::Scalar(_)) => format!("; write `\"{written}\"`"),
            ("a list", View::Map | View::Scalar(_)) => "; put `- ` before each item".to_string(),
            ("a map", View::Seq(_)) => "; leave out the `- `".to_string(),
            ("a number", View::Scalar(Scalar::Text(_))) => "; write digits without quotes".into(),
            ("a boolean", View::Scalar(_)) => "; write `true` or `false` without quotes".into(),
            _ => String::new(),
        };
        self.fault(format!("expected {wanted}, found {found}{advice}"))
    }

    fn integer(&self) -> Result<i64, Fault> {
        match self.doc.view(self.node) {
            View::Scalar(Scalar::Null) => Ok(0),
            View::Scalar(Scalar::Int(value)) => Ok(value),
            View::Scalar(Scalar::Float(value)) => {
                whole(value).ok_or_else(|| self.mismatch("a number without fraction"))
            }
            _ => Err(self.mismatch("a number")),
        }
    }

    fn seq<V: Visitor<'d>>(self, items: &'d [NodeId], visitor: V) -> Result<V::Value, Fault> {
        self.descend(items.len())?;
        let access = SeqAccess { parent: self, items: items.iter().enumerate() };
        visitor.visit_seq(access).map_err(|fault| self.place(fault))
    }

    fn map<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, Fault> {
        let entries = self.doc.entries(self.node).map_err(|error| self.doc_fault(error))?;
        self.descend(entries.entries.len())?;
        self.copy(entries.entries.iter().map(|entry| entry.key.len()).sum())?;
        for (key, line) in entries.duplicates {
            self.notes.borrow_mut().duplicates.push(Fault {
                line,
                path: Path::Key(self.path, &key).to_string(),
                message: format!("`{key}` is written more than once"),
            });
        }
        let access = MapAccess { parent: self, entries: entries.entries.into_iter(), value: None };
        visitor.visit_map(access).map_err(|fault| self.place(fault))
    }

    /// Bounds what aliases can make of a small document.
    fn descend(&self, nodes: usize) -> Result<(), Fault> {
        if self.depth > limits::DEPTH {
            return Err(self.fault("aliases nest too deep; write the values out".into()));
        }
        self.doc.spend(self.node, nodes).map_err(|error| self.doc_fault(error))
    }

    /// Bounds the text that aliases can make of a small document.
    fn copy(&self, bytes: usize) -> Result<(), Fault> {
        self.doc.spend_bytes(self.node, bytes).map_err(|error| self.doc_fault(error))
    }
}

/// JSON writes whole floats without a fraction, so `1e3` and `80.0` are integers to Kubernetes.
fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 1e15).then_some(value as i64)
}

struct SeqAccess<'d, 'p> {
    parent: De<'d, 'p>,
    items: std::iter::Enumerate<std::slice::Iter<'d, NodeId>>,
}

impl<'d> de::SeqAccess<'d> for SeqAccess<'d, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'d>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some((index, node)) = self.items.next() else {
            return Ok(None);
        };
        let item = De {
            node: *node,
            path: &Path::Index(self.parent.path, index),
            depth: self.parent.depth + 1,
            ..self.parent
        };
        seed.deserialize(item).map(Some).map_err(|fault| item.place(fault))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct MapAccess<'d, 'p> {
    parent: De<'d, 'p>,
    entries: std::vec::IntoIter<Entry<'d>>,
    value: Option<Entry<'d>>,
}

impl<'d> de::MapAccess<'d> for MapAccess<'d, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'d>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.value = self.entries.next();
        match &self.value {
            Some(entry) => seed.deserialize(entry.key.as_ref().into_deserializer()).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'d>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some(entry) = self.value.take() else {
            return Err(self.parent.fault("a value was read before its key".into()));
        };
        let value = De {
            node: entry.value,
            path: &Path::Key(self.parent.path, &entry.key),
            depth: self.parent.depth + 1,
            ..self.parent
        };
        seed.deserialize(value).map_err(|fault| value.place(fault))
    }
}

macro_rules! integers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, Fault> {
            visitor
                .visit_i64(self.integer()?)
                .map_err(|_: Fault| self.mismatch("a number in the range of the field"))
        }
    )*};
}

impl<'d> Deserializer<'d> for De<'d, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match self.doc.view(self.node) {
            View::Scalar(Scalar::Null) => visitor.visit_unit(),
            View::Scalar(Scalar::Bool(value)) => visitor.visit_bool(value),
            View::Scalar(Scalar::Int(value)) => visitor.visit_i64(value),
            View::Scalar(Scalar::Unsigned(value)) => visitor.visit_u64(value),
            View::Scalar(Scalar::Float(value)) => match whole(value) {
                Some(value) => visitor.visit_i64(value),
                None => visitor.visit_f64(value),
            },
            View::Scalar(Scalar::Text(text)) => {
                self.copy(text.len())?;
                visitor.visit_str(text)
            }
            View::Seq(items) => return self.seq(items, visitor),
            View::Map => return self.map(visitor),
        };
        result.map_err(|fault: Fault| self.place(fault))
    }

    fn deserialize_option<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.doc.view(self.node) {
            View::Scalar(Scalar::Null) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_str<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.doc.view(self.node) {
            View::Scalar(Scalar::Null) => visitor.visit_str(""),
            View::Scalar(Scalar::Text(text)) => {
                self.copy(text.len())?;
                visitor.visit_str(text)
            }
            _ => Err(self.mismatch("a string")),
        }
        .map_err(|fault: Fault| self.place(fault))
    }

    fn deserialize_string<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.doc.view(self.node) {
            View::Scalar(Scalar::Null) => visitor.visit_bool(false),
            View::Scalar(Scalar::Bool(value)) => visitor.visit_bool(value),
            _ => Err(self.mismatch("a boolean")),
        }
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_seq<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.doc.view(self.node) {
            View::Scalar(Scalar::Null) => self.seq(&[], visitor),
            View::Seq(items) => self.seq(items, visitor),
            _ => Err(self.mismatch("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.doc.view(self.node) {
            View::Scalar(Scalar::Null) | View::Map => self.map(visitor),
            _ => Err(self.mismatch("a map")),
        }
    }

    fn deserialize_struct<V: Visitor<'d>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'d>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    /// Serde asks for this where the type has no such field.
    fn deserialize_ignored_any<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.whole {
            let message = match self.path {
                Path::Key(_, key) => format!("there is no field `{key}` here"),
                _ => "there is no such field".to_string(),
            };
            self.notes.borrow_mut().unknown.push(self.fault(message));
        }
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        <W: Visitor<'d>>
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct enum identifier
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { line: 0, path: String::new(), message: message.to_string() }
    }
}

/// The start of a text that may be long or of several lines.
pub(super) fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(80) {
        Some((at, _)) => format!("{}...", line.get(..at).unwrap_or_default()),
        None if line.len() < text.trim_end().len() => format!("{line}..."),
        None => line.to_string(),
    }
}
