//! Who sent a webhook.

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The header that proves that GitHub sent it.
pub const HEADER: &str = "x-hub-signature-256";

/// What GitHub signs webhooks with: one secret, or two while one takes the place of the other.
#[derive(Clone, Debug)]
pub struct Secrets(Vec<SecretString>);

impl Secrets {
    /// At least one, none of them empty: anybody could sign with an empty one.
    pub fn new(secrets: Vec<SecretString>) -> Option<Self> {
        let good = !secrets.is_empty() && secrets.iter().all(|one| !one.expose_secret().is_empty());
        good.then_some(Self(secrets))
    }

    /// Is the body signed with one of them? `header` is the value of [`HEADER`]. The comparison takes as long for
    /// any signature of the right form.
    pub fn signed(&self, header: &[u8], body: &[u8]) -> bool {
        let Some(signature) = header.strip_prefix(b"sha256=").and_then(bytes) else { return false };
        let mut signed = false;
        for secret in &self.0 {
            // A key of any length is good for HMAC.
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
            else {
                continue;
            };
            mac.update(body);
            signed |= mac.verify_slice(&signature).is_ok();
        }
        signed
    }
}

/// 64 hexadecimal digits to 32 bytes.
fn bytes(digits: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != bytes.len() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let digit = |digit: &u8| char::from(*digit).to_digit(16);
        *byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GitHub's own example.
    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const SIGNATURE: &str =
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn secrets(secrets: &[&str]) -> Secrets {
        let secrets = secrets.iter().map(|one| SecretString::from(*one)).collect();
        Secrets::new(secrets).expect("secrets")
    }

    #[test]
    fn the_example_of_github() {
        assert!(secrets(&[SECRET]).signed(SIGNATURE.as_bytes(), BODY));
    }

    #[test]
    fn either_of_two_secrets() {
        for pair in [["other", SECRET], [SECRET, "other"]] {
            assert!(secrets(&pair).signed(SIGNATURE.as_bytes(), BODY));
        }
        assert!(!secrets(&["other", "another"]).signed(SIGNATURE.as_bytes(), BODY));
    }

    #[test]
    fn forgeries() {
        let secrets = secrets(&[SECRET]);
        let digits = SIGNATURE.trim_start_matches("sha256=");
        for header in [
            "",
            "sha256=",
            digits,
            &SIGNATURE[..SIGNATURE.len() - 2],
            &format!("{SIGNATURE}00"),
            &SIGNATURE.replace('7', "g"),
            &SIGNATURE.replace("sha256", "sha1"),
            "sha256=0000000000000000000000000000000000000000000000000000000000000000",
        ] {
            assert!(!secrets.signed(header.as_bytes(), BODY), "{header}");
        }
        assert!(!secrets.signed(SIGNATURE.as_bytes(), b"Hello, World?"));
        assert!(!secrets.signed(SIGNATURE.as_bytes(), b""));
    }

    #[test]
    fn an_empty_secret_is_none() {
        assert!(Secrets::new(vec![]).is_none());
        assert!(Secrets::new(vec![SecretString::from("a"), SecretString::from("")]).is_none());
    }
}
