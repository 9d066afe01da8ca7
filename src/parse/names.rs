//! The spelling that the API server demands of names, labels and ports (V3, V8, V10).
//!
//! Each check returns what a valid one looks like, to complete "`x` is no ...".

/// A label key: `[prefix/]name` (V8).
pub(super) fn label_key(key: &str) -> Result<(), &'static str> {
    const FORM: &str = "label key; write `name` or `dns.prefix/name` with 1 to 63 letters, digits, \
                        `-`, `_`, `.` in the name, the first and last a letter or digit";
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let prefix_ok = prefix.is_none_or(|prefix| dns_subdomain(prefix).is_ok());
    match prefix_ok && !name.is_empty() && label_value(name).is_ok() {
        true => Ok(()),
        false => Err(FORM),
    }
}

/// A label value, which may be empty (V8).
pub(super) fn label_value(value: &str) -> Result<(), &'static str> {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let ok = value.len() <= 63
        && value.bytes().all(inside)
        && alphanumeric_ends(value, u8::is_ascii_alphanumeric);
    match ok {
        true => Ok(()),
        false => Err(
            "label value; write at most 63 letters, digits, `-`, `_`, `.`, the first and last a \
             letter or digit",
        ),
    }
}

/// The name of most objects (V10).
pub(super) fn dns_subdomain(name: &str) -> Result<(), &'static str> {
    let ok = (1..=253).contains(&name.len()) && name.split('.').all(lower_label);
    match ok {
        true => Ok(()),
        false => Err(
            "object name; write 1 to 253 lower-case letters, digits, `-`, `.`, the first and last \
             a letter or digit",
        ),
    }
}

/// The name of a namespace.
pub(super) fn dns_label(name: &str) -> Result<(), &'static str> {
    match name.len() <= 63 && lower_label(name) {
        true => Ok(()),
        false => Err(
            "namespace name; write 1 to 63 lower-case letters, digits, `-`, the first and last a \
             letter or digit",
        ),
    }
}

/// The name of a port (V3).
pub(super) fn port_name(name: &str) -> Result<(), &'static str> {
    let ok = name.len() <= 15
        && lower_label(name)
        && !name.contains("--")
        && name.bytes().any(|byte| byte.is_ascii_lowercase());
    match ok {
        true => Ok(()),
        false => Err(
            "port name; write 1 to 15 lower-case letters, digits, single `-`, with at least one \
             letter, the first and last a letter or digit",
        ),
    }
}

fn lower_label(label: &str) -> bool {
    let lower = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !label.is_empty()
        && label.bytes().all(|byte| lower(&byte) || byte == b'-')
        && alphanumeric_ends(label, lower)
}

fn alphanumeric_ends(text: &str, ok: impl Fn(&u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_none_or(&ok) && bytes.last().is_none_or(&ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_by_the_api_server() {
        let long = "x".repeat(64);
        for (key, ok) in [
            ("app", true),
            ("a/b", true),
            ("example.com/a_b.c-d", true),
            ("A", true),
            ("1", true),
            ("", false),
            ("/a", false),
            ("a/", false),
            ("a/b/c", false),
            ("-a", false),
            ("a-", false),
            ("Example.com/a", false),
            ("a b", false),
            (&long, false),
        ] {
            assert_eq!(label_key(key).is_ok(), ok, "{key}");
        }
        for (value, ok) in [
            ("", true),
            ("A_b.c-1", true),
            ("-a", false),
            ("a.", false),
            ("é", false),
            (&long, false),
        ] {
            assert_eq!(label_value(value).is_ok(), ok, "{value}");
        }
        for (name, ok) in [
            ("http", true),
            ("a1", true),
            ("1a", true),
            ("80", false),
            ("", false),
            ("a--b", false),
            ("-a", false),
            ("Http", false),
            ("abcdefghijklmno", true),
            ("abcdefghijklmnop", false),
        ] {
            assert_eq!(port_name(name).is_ok(), ok, "{name}");
        }
        assert!(dns_subdomain("a.b-c.d").is_ok());
        assert!(dns_subdomain("a..b").is_err());
        assert!(dns_subdomain("a_b").is_err());
        assert!(dns_label("a.b").is_err());
    }
}
