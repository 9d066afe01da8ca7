//! JSON text -> [`Doc`]s: one value, or several one after another as kubectl takes them.
//!
//! A YAML parser refuses some JSON (tabs, surrogate pairs) and serde_json keeps no lines, so this
//! small parser feeds the same builder. It keeps its own stack and can't overflow the program's.

use super::doc::{Builder, Doc, DocError, Style};
use std::borrow::Cow;

/// Parses all values of a file.
pub(super) fn parse(text: &str) -> Result<Vec<Doc<'_>>, DocError> {
    let mut json = Json { text, at: 0, line: 1 };
    let mut docs = Vec::new();
    json.skip_space();
    while json.peek().is_some() {
        docs.extend(json.value()?);
        json.skip_space();
    }
    Ok(docs)
}

struct Json<'a> {
    text: &'a str,
    at: usize,
    line: u32,
}

/// What may come next inside the innermost collection.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    /// A value, or the end of a list that was just opened.
    FirstItem,
    /// A key, or the end of a map that was just opened.
    FirstKey,
    /// A value.
    Value,
    /// A key.
    Key,
    /// A comma or the end.
    More,
}

impl<'a> Json<'a> {
    fn value(&mut self) -> Result<Option<Doc<'a>>, DocError> {
        let mut builder = Builder::default();
        // True for maps.
        let mut open: Vec<bool> = Vec::new();
        let mut expect = Expect::Value;
        loop {
            self.skip_space();
            let Some(byte) = self.peek() else {
                return self.refuse("the text ends before the value does");
            };
            match (expect, byte) {
                (Expect::FirstItem | Expect::More, b']') if open.last() == Some(&false) => {
                    self.at += 1;
                    open.pop();
                    builder.close(false, Some(self.line));
                    expect = Expect::More;
                }
                (Expect::FirstKey | Expect::More, b'}') if open.last() == Some(&true) => {
                    self.at += 1;
                    open.pop();
                    builder.close(true, Some(self.line));
                    expect = Expect::More;
                }
                (Expect::More, b',') => {
                    self.at += 1;
                    expect = match open.last() {
                        Some(true) => Expect::Key,
                        _ => Expect::Value,
                    };
                }
                (Expect::More, _) => {
                    return self.refuse("expected `,` or the end of the list or map");
                }
                (Expect::FirstKey | Expect::Key, b'"') => {
                    let key = self.string()?;
                    builder.scalar(key, Style::Text, (self.line, self.line))?;
                    self.skip_space();
                    if self.peek() != Some(b':') {
                        return self.refuse("expected `:` after a key");
                    }
                    self.at += 1;
                    expect = Expect::Value;
                }
                (Expect::FirstKey | Expect::Key, _) => {
                    return self.refuse("expected a key in double quotes");
                }
                (_, b'{' | b'[') => {
                    self.at += 1;
                    builder.open(self.line)?;
                    open.push(byte == b'{');
                    expect = match byte {
                        b'{' => Expect::FirstKey,
                        _ => Expect::FirstItem,
                    };
                }
                (_, b'"') => {
                    let text = self.string()?;
                    builder.scalar(text, Style::Text, (self.line, self.line))?;
                    expect = Expect::More;
                }
                _ => {
                    let word = self.word()?;
                    builder.scalar(Cow::Borrowed(word), Style::Plain, (self.line, self.line))?;
                    expect = Expect::More;
                }
            }
            if open.is_empty() && expect == Expect::More {
                return Ok(builder.finish());
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) = self.peek() {
            self.line += u32::from(byte == b'\n');
            self.at += 1;
        }
    }

    /// `true`, `false`, `null` or a number.
    fn word(&mut self) -> Result<&'a str, DocError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        let number = word.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            && serde_json::from_str::<serde_json::Number>(word).is_ok();
        if !number && !matches!(word, "true" | "false" | "null") {
            return self.refuse("expected a value");
        }
        self.at += end;
        Ok(word)
    }

    fn string(&mut self) -> Result<Cow<'a, str>, DocError> {
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let mut escaped = false;
        let mut bytes = rest.bytes().enumerate();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    let written = self.text.get(self.at..self.at + at + 2).unwrap_or_default();
                    self.at += at + 2;
                    if !escaped {
                        return Ok(Cow::Borrowed(rest.get(..at).unwrap_or_default()));
                    }
                    return match serde_json::from_str::<String>(written) {
                        Ok(text) => Ok(Cow::Owned(text)),
                        Err(_) => self.refuse("a string holds a bad `\\` escape"),
                    };
                }
                b'\\' => {
                    escaped = true;
                    bytes.next();
                }
                0..=0x1f => return self.refuse("a string holds a control character"),
                _ => {}
            }
        }
        self.refuse("a string has no end")
    }

    fn refuse<T>(&self, what: &str) -> Result<T, DocError> {
        Err(DocError { line: self.line, message: format!("it is not valid JSON: {what}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lines_and_escapes() {
        let text =
            "{\n\t\"a\": [1, true,\n null],\n\t\"b\\n\": \"\\ud83d\\ude00 x\"\n}\n{\"c\": {}}";
        let docs = parse(text).unwrap();
        assert_eq!(docs.len(), 2);
        let a = docs[0].get(Doc::ROOT, "a").unwrap();
        assert_eq!(docs[0].lines(a), (2, 3));
        assert_eq!(docs[0].text(Doc::ROOT, "b\n"), Some("😀 x"));
        assert_eq!(docs[1].lines(Doc::ROOT), (6, 6));
    }

    #[test]
    fn broken_json_is_an_error() {
        for text in [
            "{",
            "{]",
            "[1 2]",
            "{\"a\" 1}",
            "[01]",
            "[tru]",
            "{a: 1}",
            "[\"\n\"]",
            "[1,]",
            "}",
            "\"\\u12\"",
            "[-]",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"[".repeat(20_000)).unwrap_err().message.contains("deep"));
    }
}
