//! Flux's variables in built text, as its fork of `envsubst` puts them in.
//!
//! `${var}` is the value or nothing, `$${` stands for `${`, and `$var` is no variable. After the name may follow
//! `=`, `:=`, `:-`, `:?` or `:+` and what stands where the value is empty (Flux makes no difference between the
//! five), `:position` or `:position:length`, `/text/new`, `//text/new`, `/#text/new` or `/%text/new`, `,`, `,,`,
//! `^` or `^^`, and `#text`, `##text`, `%text` or `%%text`; `${#var}` is the length. `-`, `?` and `+` without a
//! colon, and names with other characters than letters, digits and `_`, are errors there, so they are faults here.
//! So is what versions of Flux do differently (empty patterns, negative lengths), and letters and patterns that
//! would need its libraries. Whether a variable that nobody sets is an error depends on Flux's version and
//! switches; it is replaced by nothing and told.

use super::{Substitution, is_deploying_kind};
use crate::parse::{digest, manifests, worth_parsing};
use std::collections::BTreeSet;

/// Text with its variables replaced: line by line the text that was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Substituted {
    /// The text. An object with a mistake stays as it was.
    pub text: String,
    /// What could not be told, in the order of lines.
    pub faults: Vec<Fault>,
}

/// An object that is not what Flux would make of it, or that nobody can tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Line of the text, from 1.
    pub line: u32,
    /// The kind of the object: one of a kind that plays no part need not be told.
    pub kind: Option<String>,
    /// What is wrong, and what to do.
    pub reason: String,
    /// Equal iff the reason and what becomes of the object are.
    pub identity: u128,
}

impl Fault {
    /// Is the object of a kind that can play a part, or that says what else is deployed?
    pub fn counts(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| worth_parsing(kind) || is_deploying_kind(kind))
    }
}

/// `kustomize.toolkit.fluxcd.io/substitute: disabled`, as a label or annotation, leaves an object alone.
const SWITCH: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// Bytes of the whole text.
const BYTES: usize = 64 << 20;

/// Variables inside of variables.
const DEPTH: usize = 50;

/// Puts variables into the text of objects, YAML documents as kustomize writes them.
pub fn substitute(text: &str, substitution: &Substitution) -> Substituted {
    let mut result = Substituted::default();
    let mut line = 1;
    for document in documents(text) {
        let start = result.text.len();
        let mut reader = Reader {
            text: document,
            at: 0,
            depth: 0,
            line,
            substitution,
            faults: BTreeSet::new(),
            room: BYTES.saturating_sub(start),
        };
        let kind = document.lines().find_map(|line| line.strip_prefix("kind:"));
        let kind = kind.map(|kind| kind.trim().trim_matches(['"', '\'']).to_string());
        let written =
            if is_switched_off(document) { Ok(document.to_string()) } else { reader.all() };
        let mut faults = std::mem::take(&mut reader.faults);
        match written {
            Ok(written) => result.text.push_str(&written),
            Err(wrong) => {
                let line = reader.line_at(wrong.at);
                faults = BTreeSet::from([(
                    line,
                    format!(
                        "its variables could not be put in: {}; Flux refuses the whole Kustomization: \
                         correct it, or write `$${{` where no variable is meant",
                        wrong.message
                    ),
                )]);
                result.text.push_str(document);
            }
        }
        let object = result.text.get(start..).unwrap_or_default();
        let fault = |(line, reason): (u32, String)| {
            let identity = digest(format!("{reason}\0{object}").as_bytes());
            Fault { line, kind: kind.clone(), reason, identity }
        };
        let faults: Vec<Fault> = faults.into_iter().map(fault).collect();
        result.faults.extend(faults);
        line += newlines(document);
    }
    result
}

fn newlines(text: &str) -> u32 {
    u32::try_from(memchr::memchr_iter(b'\n', text.as_bytes()).count()).unwrap_or(u32::MAX)
}

/// The documents of a text, each with the `---` before it.
fn documents(text: &str) -> Vec<&str> {
    let mut documents = Vec::new();
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest.as_bytes(), b"\n---") {
        let (document, after) = rest.split_at(at + 1);
        documents.push(document);
        rest = after;
    }
    documents.push(rest);
    documents
}

fn is_switched_off(document: &str) -> bool {
    document.contains(SWITCH)
        && manifests(document.as_bytes()).into_iter().flatten().any(|node| {
            ["labels", "annotations"]
                .iter()
                .any(|metadata| node.text_at(&["metadata", metadata, SWITCH]) == Some("disabled"))
        })
}

/// What Flux would refuse, and where in the document.
struct Wrong {
    at: usize,
    message: String,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    line: u32,
    substitution: &'a Substitution,
    /// Lines and reasons.
    faults: BTreeSet<(u32, String)>,
    room: usize,
}

/// A variable's value; empty where there is none.
struct Variable {
    value: String,
    /// Its value could not be told: why.
    unknown: Option<String>,
    set: bool,
}

impl Reader<'_> {
    fn all(&mut self) -> Result<String, Wrong> {
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let Some(dollar) = memchr::memchr(b'$', rest.as_bytes()) else {
                out.push_str(rest);
                return Ok(out);
            };
            out.push_str(rest.get(..dollar).unwrap_or_default());
            self.at += dollar;
            if self.take("${") {
                let value = self.variable()?;
                if value.len() > self.room.saturating_sub(out.len()) {
                    return Err(self.wrong("the text gets too long"));
                }
                out.push_str(&value);
            } else {
                // Of two the second is taken as it is, so that a brace after it means nothing.
                self.at += if self.rest().starts_with("$$") { 2 } else { 1 };
                out.push('$');
            }
        }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, text: &str) -> bool {
        let there = self.rest().starts_with(text);
        if there {
            self.at += text.len();
        }
        there
    }

    /// Takes one of these characters up to so many times.
    fn take_up_to(&mut self, char: char, times: usize) -> usize {
        let count = self.rest().chars().take(times).take_while(|next| *next == char).count();
        self.at += count * char.len_utf8();
        count
    }

    fn wrong(&self, message: &str) -> Wrong {
        Wrong { at: self.at, message: message.to_string() }
    }

    fn line_at(&self, at: usize) -> u32 {
        self.line + newlines(self.text.get(..at).unwrap_or_default())
    }

    /// A variable after its `${`, with the `}`.
    fn variable(&mut self) -> Result<String, Wrong> {
        let start = self.at.saturating_sub(2);
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.wrong("variables are nested too deeply"));
        }
        let value = self.expression(start).map_err(|wrong| {
            let written = self.text.get(start..).unwrap_or_default();
            let line = written.lines().next().unwrap_or_default();
            let excerpt: String = line.chars().take(40).collect();
            Wrong { at: start, message: format!("{} in `{excerpt}`", wrong.message) }
        })?;
        self.depth -= 1;
        if self.text.get(start..self.at).unwrap_or_default().contains('\n') {
            return Err(Wrong { at: start, message: "a variable goes over several lines".into() });
        }
        Ok(value)
    }

    fn expression(&mut self, start: usize) -> Result<String, Wrong> {
        if self.take("#") {
            let variable = self.named()?;
            self.close()?;
            self.tell(start, &variable);
            return Ok(variable.value.len().to_string());
        }
        let variable = self.named()?;
        let next = self.peek();
        let after = self.rest().chars().nth(1);
        match (next, after) {
            (Some('='), _) | (Some(':'), Some('=' | '-' | '?' | '+')) => {
                return self.default(start, &variable);
            }
            _ => self.tell(start, &variable),
        }
        let value = variable.value;
        match next {
            Some('}') => {
                self.close()?;
                Ok(value)
            }
            Some(':') => self.substring(&value),
            Some(case @ (',' | '^')) => self.casing(&value, case),
            Some('/') => self.replaced(&value),
            Some(side @ ('#' | '%')) => self.trimmed(&value, side),
            _ => Err(self.wrong("no `}` after the name of a variable")),
        }
    }

    /// Reads a name, and looks it up.
    fn named(&mut self) -> Result<Variable, Wrong> {
        let is_name = |char: &char| char.is_alphabetic() || char.is_numeric() || *char == '_';
        let name: String = self.rest().chars().take_while(is_name).collect();
        if name.is_empty() {
            return Err(self.wrong("no name of a variable"));
        }
        self.at += name.len();
        let given = self.substitution;
        if let Some(value) = given.variables.get(&name) {
            // Flux takes line breaks out of values.
            return Ok(Variable { value: value.replace('\n', ""), unknown: None, set: true });
        }
        let unknown = if given.hidden.contains(&name) {
            Some(format!("the variable `{name}` has a value that the repository does not hold"))
        } else {
            given.elsewhere.as_ref().map(|source| {
                format!("{source}, which is not in the repository, may set the variable `{name}`")
            })
        };
        let unknown = unknown.map(|why| why + "; review what it becomes");
        let unset = || {
            format!(
                "nothing sets the variable `{name}`: Flux refuses it or puts nothing, as it is configured; \
                 set it, give it a default as `${{{name}:=...}}`, or write `$${{{name}}}` where no variable \
                 is meant"
            )
        };
        let set = unknown.is_some();
        Ok(Variable { value: String::new(), unknown: unknown.or_else(|| Some(unset())), set })
    }

    /// Tells that the value of a variable counted that could not be told.
    fn tell(&mut self, start: usize, variable: &Variable) {
        if let Some(why) = &variable.unknown {
            self.faults.insert((self.line_at(start), why.clone()));
        }
    }

    fn close(&mut self) -> Result<(), Wrong> {
        if self.take("}") { Ok(()) } else { Err(self.wrong("no `}` where the variable ends")) }
    }

    /// Text up to a character that is not accepted, or one variable.
    fn piece(&mut self, accept: impl Fn(char) -> bool, escapes: bool) -> Result<String, Wrong> {
        if self.take("${") {
            return self.variable();
        }
        let mut piece = String::new();
        while let Some(char) = self.peek() {
            if self.rest().starts_with("${") {
                break;
            }
            let escaped = ["$$", "\\/", "\\\\"].iter().any(|pair| self.rest().starts_with(pair));
            if escapes && escaped {
                self.at += 1;
                piece.extend(self.peek());
                self.at += 1;
            } else if accept(char) {
                piece.push(char);
                self.at += char.len_utf8();
            } else {
                break;
            }
        }
        if piece.is_empty() { Err(self.wrong("an empty part")) } else { Ok(piece) }
    }

    fn default(&mut self, start: usize, variable: &Variable) -> Result<String, Wrong> {
        self.at += if self.take(":") { 1 } else { usize::from(self.peek() == Some('=')) };
        let before = self.faults.clone();
        let mut default = String::new();
        while self.peek() != Some('}') {
            default += &self.piece(|char| char != '}', false)?;
        }
        self.close()?;
        if variable.set {
            self.tell(start, variable);
        }
        if variable.value.is_empty() {
            return Ok(default);
        }
        // What the default would have needed does not count.
        self.faults = before;
        Ok(variable.value.clone())
    }

    fn substring(&mut self, value: &str) -> Result<String, Wrong> {
        self.take(":");
        let position = self.piece(|char| char != ':' && char != '}', false)?;
        let length = if self.take_up_to(':', usize::MAX) > 0 {
            Some(self.piece(|char| char != '}', false)?)
        } else {
            None
        };
        self.close()?;
        let number = |text: &str| text.parse::<i64>().ok();
        let Some(position) = number(&position) else { return Ok(value.to_string()) };
        let whole = i64::try_from(value.len()).unwrap_or(i64::MAX);
        let from = if position < 0 { (whole.saturating_add(position)).max(0) } else { position };
        let to = match length.as_deref().map(number) {
            None => whole,
            Some(None) => return Ok(value.to_string()),
            Some(Some(length)) if length < 0 => return Err(self.wrong("a negative length")),
            Some(Some(length)) => from.saturating_add(length).min(whole),
        };
        if from >= whole {
            return Ok(String::new());
        }
        let bounds = usize::try_from(from).ok().zip(usize::try_from(to).ok());
        bounds
            .and_then(|(from, to)| value.get(from..to))
            .map(str::to_string)
            .ok_or_else(|| self.wrong("a part that ends inside of a letter"))
    }

    fn casing(&mut self, value: &str, case: char) -> Result<String, Wrong> {
        let times = self.take_up_to(case, 2);
        self.close()?;
        if !value.is_ascii() {
            return Err(self.wrong("the case of letters other than a to z"));
        }
        let head = if times == 2 { value.len() } else { 1.min(value.len()) };
        let (head, tail) = value.split_at(head);
        let changed =
            if case == ',' { head.to_ascii_lowercase() } else { head.to_ascii_uppercase() };
        Ok(changed + tail)
    }

    fn replaced(&mut self, value: &str) -> Result<String, Wrong> {
        self.take("/");
        let how = self.peek().filter(|char| ['/', '#', '%'].contains(char));
        self.at += how.map_or(0, char::len_utf8);
        if self.peek() == Some('/') {
            return Err(self.wrong("an empty pattern"));
        }
        let old = self.piece(|char| char != '/', true)?;
        if self.take_up_to('/', usize::MAX) == 0 {
            return Err(self.wrong("a pattern without its `/`"));
        }
        let new = if self.peek() == Some('}') {
            None
        } else {
            Some(self.piece(|char| char != '}', true)?)
        };
        self.close()?;
        if old.is_empty() {
            return Err(self.wrong("an empty pattern"));
        }
        Ok(match (how, new) {
            // Flux leaves the value alone where the new text is missing.
            (Some('#' | '%'), None) => value.to_string(),
            (Some('#'), Some(new)) => match value.strip_prefix(&old) {
                Some(rest) => new + rest,
                None => value.to_string(),
            },
            (Some('%'), Some(new)) => match value.strip_suffix(&old) {
                Some(rest) => rest.to_string() + &new,
                None => value.to_string(),
            },
            (Some(_), new) => {
                let new = new.unwrap_or_default();
                if value.matches(&old).count().saturating_mul(new.len()) > self.room {
                    return Err(self.wrong("the text gets too long"));
                }
                value.replace(&old, &new)
            }
            (None, new) => value.replacen(&old, &new.unwrap_or_default(), 1),
        })
    }

    fn trimmed(&mut self, value: &str, side: char) -> Result<String, Wrong> {
        self.take_up_to(side, 2);
        let pattern = self.piece(|char| char != '}', false)?;
        self.close()?;
        if pattern.contains(['*', '?', '[', '\\']) {
            return Err(self.wrong("a pattern with wildcards"));
        }
        let rest =
            if side == '#' { value.strip_prefix(&pattern) } else { value.strip_suffix(&pattern) };
        Ok(rest.unwrap_or(value).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Substitution {
        let known = [
            ("name", "shop"),
            ("Empty", ""),
            ("path", "a/b/b"),
            ("lines", "one\ntwo"),
            ("ü", "no"),
            ("wide", "äb"),
        ];
        Substitution {
            variables: known.map(|(name, value)| (name.to_string(), value.to_string())).into(),
            hidden: ["secret".to_string()].into(),
            elsewhere: None,
        }
    }

    #[test]
    fn variables_become_what_flux_makes_of_them() {
        for (text, expected) in [
            ("a: b", "a: b"),
            ("${name}", "shop"),
            ("x-${name}-${name}.", "x-shop-shop."),
            ("$name $$name $$$name $ $", "$name $name $$name $ $"),
            ("$${name}", "${name}"),
            ("$$${name}", "$shop"),
            ("$${name:=${name}}", "${name:=shop}"),
            ("${name:=x}${name=x}${name:-x}${name:?x}${name:+x}", "shopshopshopshopshop"),
            ("${none:=x}${none=x}${none:-x}${none:?x}${none:+x}", "xxxxx"),
            ("${Empty:=x}${Empty}", "x"),
            ("${none:=}", ""),
            ("${none:=a${name}b${name}}", "ashopbshop"),
            ("${none:=${none:=deep}}", "deep"),
            ("${none:=a: b, {c}", "a: b, {c"),
            ("${lines}", "onetwo"),
            ("${name:1}${name:1:2}${name:-1}", "hophoshop"),
            ("${name:${one:=1}}", "hop"),
            ("${name:9}${name:0:99}${name:x}", "shopshop"),
            ("${#name}${#Empty}", "40"),
            ("${name^}${name^^}${name,}${name,,}", "ShopSHOPshopshop"),
            ("${path/b/c}${path//b/c}", "a/c/ba/c/c"),
            ("${path/\\//-}", "a-b/b"),
            ("${path/b/}${path//b/}", "a//ba//"),
            ("${path/#a/x}${path/#b/x}${path/%b/x}", "x/b/ba/b/ba/b/x"),
            ("${path/#a/}", "a/b/b"),
            ("${name#sh}${name##sh}${name%op}${name%%x}", "opopshshop"),
        ] {
            let done = substitute(text, &variables());
            assert_eq!((done.text.as_str(), done.faults.as_slice()), (expected, &[][..]), "{text}");
        }
    }

    #[test]
    fn what_flux_refuses_stays_and_is_told() {
        for (text, words) in [
            ("${}", "no name"),
            ("${INTERVAL / 1000}", "no `}` after the name"),
            ("${name-x}", "no `}` after the name"),
            ("${name?x}", "no `}` after the name"),
            ("${na.me}", "no `}` after the name"),
            ("${name", "no `}` after the name"),
            ("${name:=x", "an empty part"),
            ("${name:}", "an empty part"),
            ("${name::2}", "an empty part"),
            ("${name:0:-1}", "a negative length"),
            ("${wide:1}", "inside of a letter"),
            ("${wide^^}", "the case of letters"),
            ("${name/x}", "without its `/`"),
            ("${name///x}", "an empty pattern"),
            ("${name/#/x}", "an empty pattern"),
            ("${name#*o}", "wildcards"),
            ("${name#}", "an empty part"),
            ("${name:=a\nb}", "several lines"),
            ("${x:=${!}}", "no name"),
        ] {
            let document = format!("kind: Pod\nkey: {text}");
            let done = substitute(&document, &variables());
            assert_eq!(done.text, document);
            let [fault] = done.faults.as_slice() else { panic!("{text}: {:?}", done.faults) };
            assert!(fault.reason.contains(words), "{text}: {}", fault.reason);
            assert_eq!((fault.line, fault.kind.as_deref()), (2, Some("Pod")), "{text}");
        }
    }

    #[test]
    fn unknown_values_are_told_where_they_count() {
        let told = |text: &str, substitution: &Substitution| {
            let done = substitute(text, substitution);
            (done.text, done.faults.into_iter().map(|fault| fault.reason).collect::<Vec<_>>())
        };
        let elsewhere = Substitution { elsewhere: Some("Secret `x`".into()), ..variables() };
        for (text, result, words, substitution) in [
            ("${none}", "", Some("nothing sets the variable `none`"), variables()),
            ("${none^^}", "", Some("nothing sets"), variables()),
            ("${none:=x}", "x", None, variables()),
            ("${name:=${none}}", "shop", None, variables()),
            ("${Empty:=${none}}", "", Some("nothing sets"), variables()),
            ("${secret}", "", Some("`secret` has a value that"), variables()),
            ("${secret:=x}", "x", Some("`secret` has a value that"), variables()),
            ("${name}", "shop", None, elsewhere.clone()),
            ("${none:=x}", "x", Some("Secret `x`, which is not in"), elsewhere.clone()),
            ("$${none}", "${none}", None, elsewhere),
        ] {
            let (text_after, reasons) = told(text, &substitution);
            assert_eq!(text_after, result, "{text}");
            match words {
                None => assert!(reasons.is_empty(), "{text}: {reasons:?}"),
                Some(words) => {
                    assert!(
                        reasons.len() == 1 && reasons[0].contains(words),
                        "{text}: {reasons:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn objects_are_separate_and_lines_stay() {
        let text = "kind: A\na: ${bad name}\n---\nkind: B\nb: ${name}\n---\nmetadata:\n  annotations:\n    \
                    kustomize.toolkit.fluxcd.io/substitute: disabled\nc: ${name}\n---\nmetadata:\n  labels: \
                    {kustomize.toolkit.fluxcd.io/substitute: enabled}\nd: ${name}\ne: ${none}\n";
        let done = substitute(text, &variables());
        let expected = text.replace("b: ${name}", "b: shop").replace("d: ${name}", "d: shop");
        assert_eq!(done.text, expected.replace("e: ${none}", "e: "));
        let told: Vec<_> =
            done.faults.iter().map(|fault| (fault.line, fault.kind.as_deref())).collect();
        assert_eq!(told, [(2, Some("A")), (15, None)]);
    }

    #[test]
    fn hostile_text_ends() {
        let mut bomb = variables();
        bomb.variables.insert("big".into(), "x".repeat(1 << 20));
        for text in ["${big}".repeat(100), "${a:=".repeat(100_000), "${big//x/${big}}".to_string()]
        {
            let done = substitute(&text, &bomb);
            assert_eq!(done.faults.len(), 1);
            assert_eq!(done.text, text);
        }
    }
}
