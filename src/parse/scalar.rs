//! What an unquoted scalar means, as go-yaml (and so kubectl) reads it (M5).

/// The value of a scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    /// `~`, `null` or nothing at all.
    Null,
    /// `true`, `no`, `On`, `y` ...
    Bool(bool),
    /// An integer that fits 64 bits.
    Int(i64),
    /// An integer that fits 64 bits without sign only.
    Unsigned(u64),
    /// Any other number.
    Float(f64),
    /// Everything else.
    Text(&'a str),
}

/// Resolves a plain (unquoted, untagged) scalar.
///
/// Differences from YAML 1.2 that matter: `y`, `n`, `yes`, `no`, `on` and `off` are booleans,
/// a leading `0` is octal, `_` may group digits, and there are no sexagesimals. Timestamps stay
/// texts, as kubectl's library hands them on.
pub(super) fn resolve(text: &str) -> Scalar<'_> {
    let Some(first) = text.bytes().next() else {
        return Scalar::Null;
    };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => word(text),
        b'.' => match text {
            ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
            ".inf" | ".Inf" | ".INF" => Scalar::Float(f64::INFINITY),
            _ => decimal(text).map_or(Scalar::Text(text), Scalar::Float),
        },
        b'+' | b'-' | b'0'..=b'9' => number(text),
        _ => Scalar::Text(text),
    }
}

fn word(text: &str) -> Scalar<'_> {
    match text {
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        _ => Scalar::Text(text),
    }
}

fn number(text: &str) -> Scalar<'_> {
    match text {
        "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let plain = text.replace('_', "");
    if let Some(integer) = integer(&plain) {
        return integer;
    }
    decimal(&plain).map_or(Scalar::Text(text), Scalar::Float)
}

/// Go's `strconv.ParseInt` and `ParseUint` with base 0.
fn integer(text: &str) -> Option<Scalar<'static>> {
    let (negative, signed, digits) = match text.as_bytes().first()? {
        b'-' => (true, true, text.get(1..)?),
        b'+' => (false, true, text.get(1..)?),
        _ => (false, false, text),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, digits.get(2..)?),
        Some("0o" | "0O") => (8, digits.get(2..)?),
        Some("0b" | "0B") => (2, digits.get(2..)?),
        Some(two) if two.starts_with('0') => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    // Rust's own parser takes a second sign, Go's does not.
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        let value = i64::try_from(-i128::from(magnitude)).ok()?;
        return Some(Scalar::Int(value));
    }
    match i64::try_from(magnitude) {
        Ok(value) => Some(Scalar::Int(value)),
        Err(_) if signed => None,
        Err(_) => Some(Scalar::Unsigned(magnitude)),
    }
}

/// A float as go-yaml's pattern has it: `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn decimal(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    if let Some(exponent) = exponent {
        let unsigned = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if unsigned.is_empty() || !digits(unsigned) {
            return None;
        }
    }
    // Go refuses what overflows and so keeps it a text; Rust makes it infinite.
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::{Scalar::*, resolve};

    #[test]
    fn scalars_resolve_as_in_go_yaml() {
        let table = [
            ("", Null),
            ("~", Null),
            ("null", Null),
            ("nUll", Text("nUll")),
            ("y", Bool(true)),
            ("Yes", Bool(true)),
            ("yEs", Text("yEs")),
            ("on", Bool(true)),
            ("off", Bool(false)),
            ("n", Bool(false)),
            ("none", Text("none")),
            ("80", Int(80)),
            ("-1", Int(-1)),
            ("+1", Int(1)),
            ("+-1", Text("+-1")),
            ("0", Int(0)),
            ("0777", Int(511)),
            ("0o755", Int(493)),
            ("0x1F", Int(31)),
            ("0b101", Int(5)),
            ("1_000", Int(1000)),
            ("08", Float(8.0)),
            ("1e3", Float(1000.0)),
            ("1.5", Float(1.5)),
            (".5", Float(0.5)),
            ("1.", Float(1.0)),
            (".", Text(".")),
            ("-", Text("-")),
            ("1.2.3", Text("1.2.3")),
            ("190:20:30", Text("190:20:30")),
            ("2001-01-01", Text("2001-01-01")),
            ("10.0.0.0/8", Text("10.0.0.0/8")),
            ("18446744073709551615", Unsigned(u64::MAX)),
            ("-9223372036854775808", Int(i64::MIN)),
            ("1e999", Text("1e999")),
            ("infinity", Text("infinity")),
            ("=", Text("=")),
            ("é", Text("é")),
            ("0é", Text("0é")),
        ];
        for (text, value) in table {
            assert_eq!(resolve(text), value, "{text}");
        }
    }
}
