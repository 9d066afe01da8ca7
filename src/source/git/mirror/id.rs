//! Names of objects, as bytes.

use std::fmt;

/// The name of an object: a SHA-1, which is what GitHub has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::source::git) struct Id([u8; 20]);

impl Id {
    /// From 40 hexadecimal digits.
    pub(in crate::source::git) fn of_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 40 {
            return None;
        }
        let value =
            |digit: u8| (digit as char).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = value(*high)? << 4 | value(*low)?;
        }
        Some(Self(bytes))
    }

    /// From the 20 bytes that a tree has.
    pub(in crate::source::git) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: [char; 16] =
            ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
        let mut text = String::with_capacity(40);
        for byte in self.0 {
            let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or_default();
            text.push(digit(byte >> 4));
            text.push(digit(byte & 15));
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let text = "0123456789abcdef0123456789abcdefdeadbeef";
        assert_eq!(Id::of_hex(text).map(|id| id.to_string()).as_deref(), Some(text));
        let id = Id::of_hex(&text.to_uppercase()).expect("an id");
        assert_eq!(id.to_string(), text);
        assert_eq!(Id::of_bytes(&id.0), Some(id));
        for wrong in ["", "0123", &text.replace('f', "g"), &format!("{text}00")] {
            assert_eq!(Id::of_hex(wrong), None, "{wrong}");
        }
    }
}
