//! Names of Services in texts: `db.payments.svc:5432`, `http://api/v1`.

use super::super::names;
use memchr::memmem;

/// What may be the name of a Service: `name[.namespace[.svc[.cluster.local]]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Host {
    pub name: Box<str>,
    /// `None`: the one of whoever asks.
    pub namespace: Option<Box<str>>,
}

/// Such a name in a text, with what is known of the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Mention {
    pub host: Host,
    /// The port that is written.
    pub port: Option<u16>,
    /// The port of the URL's scheme, for where none is written.
    pub usual: Option<u16>,
}

/// The name that a text is as a whole.
pub(super) fn host(text: &str) -> Option<Host> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let (text, service) = match text.strip_suffix(".svc.cluster.local") {
        Some(text) => (text, true),
        None => text.strip_suffix(".svc").map_or((text, false), |text| (text, true)),
    };
    let labels: Vec<&str> = text.splitn(4, '.').collect();
    let (name, namespace) = match (labels.as_slice(), service) {
        ([name], false) => (*name, None),
        ([name, namespace], _) => (*name, Some(*namespace)),
        // A pod of a headless Service.
        ([pod, name, namespace], true) if names::dns_label(pod).is_ok() => {
            (*name, Some(*namespace))
        }
        _ => return None,
    };
    let starts = name.starts_with(|first: char| first.is_ascii_lowercase());
    let valid = starts
        && names::dns_label(name).is_ok()
        && namespace.is_none_or(|namespace| names::dns_label(namespace).is_ok());
    valid.then(|| Host { name: name.into(), namespace: namespace.map(Into::into) })
}

/// A port number as text has it.
pub(super) fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

/// False only if [`mentions`] finds nothing in any part of the text, and no key of it ends with `host`.
pub(super) fn may_mention(bytes: &[u8]) -> bool {
    let colon = |at: usize| {
        let next = bytes.get(at + 1);
        let before = at.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(is_host);
        next.is_some_and(u8::is_ascii_digit) && before || next == Some(&b'/')
    };
    let host = |at: usize| matches!(bytes.get(at + 4), Some(b':' | b'"' | b'\'' | b' '));
    memchr::memchr_iter(b':', bytes).any(colon)
        || [b"host", b"HOST"].into_iter().any(|word| memmem::find_iter(bytes, word).any(host))
}

/// The names in a text that have a port, or stand in a URL.
pub(super) fn mentions(text: &str) -> Vec<Mention> {
    memchr::memchr_iter(b':', text.as_bytes())
        .filter_map(|at| {
            let (before, after) = (text.get(..at)?, text.get(at + 1..)?);
            match after.strip_prefix("//") {
                Some(rest) => in_url(before, rest),
                None => with_port(before, after),
            }
        })
        .collect()
}

/// `host` and `5432/...` around a colon.
fn with_port(before: &str, after: &str) -> Option<Mention> {
    let end = after.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(after.len());
    let port = port(after.get(..end)?)?;
    let goes_on = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'-' | b'_' | b':' | b'@')
            || !byte.is_ascii()
    };
    if after.as_bytes().get(end).copied().is_some_and(goes_on) {
        return None;
    }
    // The longest name has 253 letters.
    let length = before.bytes().rev().take(255).take_while(is_host).count();
    let (rest, name) = before.split_at_checked(before.len() - length)?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii();
    if rest.bytes().next_back().is_some_and(is_part) {
        return None;
    }
    Some(Mention { host: host(name)?, port: Some(port), usual: None })
}

/// A scheme and what follows `://`, if no port is written there: see [`with_port`].
fn in_url(before: &str, rest: &str) -> Option<Mention> {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-');
    let length = before.bytes().rev().take(32).take_while(letter).count();
    let scheme = before.get(before.len() - length..).filter(|scheme| !scheme.is_empty())?;
    let inside = |byte: &u8| is_host(byte) || matches!(byte, b':' | b'@' | b'_' | b'%' | b'$');
    let end = rest.bytes().take(512).take_while(inside).count();
    let authority = rest.get(..end)?;
    let name = authority.rsplit('@').next().filter(|name| !name.contains(':'))?;
    let usual = match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    Some(Mention { host: host(name)?, port: None, usual })
}

fn is_host(byte: &u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let one = |found: Mention| {
            let namespace = found.host.namespace.as_deref().unwrap_or("-");
            let port = found.port.map_or("-".into(), |port| port.to_string());
            let usual = found.usual.map(|port| format!(" usually {port}")).unwrap_or_default();
            format!("{}/{namespace} {port}{usual}", found.host.name)
        };
        if !may_mention(text.as_bytes()) {
            assert_eq!(mentions(text), [], "{text}");
        }
        mentions(text).into_iter().map(one).collect()
    }

    #[test]
    fn names_with_ports_are_found() {
        for (text, found) in [
            ("db:5432", &["db/- 5432"][..]),
            ("db.payments.svc:5432", &["db/payments 5432"]),
            ("db.payments.svc.cluster.local.:5432", &["db/payments 5432"]),
            ("http://api.shop.svc:8080/v1?x=y", &["api/shop 8080"]),
            ("redis://cache:6379", &["cache/- 6379"]),
            ("postgres://user:12@db.pay:5432/x", &["db/pay 5432"]),
            ("--brokers=a:1,b.x:2", &["a/- 1", "b/x 2"]),
            ("PLAINTEXT://kafka-0.kafka.data.svc:9092;", &["kafka/data 9092"]),
            ("a: {\"url\": \"https://api.shop.svc\"}", &["api/shop - usually 443"]),
            ("http://user@api/", &["api/- - usually 80"]),
            ("amqp://mq", &["mq/- -"]),
            ("url=http://a\n b http://c.d.svc/e\n", &["a/- - usually 80", "c/d - usually 80"]),
        ] {
            assert_eq!(shown(text), found, "{text}");
        }
    }

    #[test]
    fn near_misses_are_none() {
        for text in [
            "",
            ":",
            ":80",
            "db:",
            "db:0",
            "db:65536",
            "db:54321000000000000000000000000",
            "db: 5432",
            "db:5432x",
            "image:1.2",
            "12:30",
            "10.0.0.1:80",
            "Db:80",
            "$DB_db:80",
            "a.b.c.d.e:80",
            "example.org.uk:443",
            "db..x:80",
            "-db:80",
            "ödb:80",
            "db:80ö",
            "user:80@",
            "http://",
            "://db",
            "http://10.0.0.1/",
            "http://$HOST/",
            "http://www.example.com/",
            "file:///etc/x",
            "[::1]:80",
        ] {
            assert_eq!(shown(text), [] as [&str; 0], "{text}");
        }
        // Any name of two labels may be a Service; whether it is one is asked later.
        assert_eq!(shown("example.com:443"), ["example/com 443"]);
    }

    #[test]
    fn long_texts_take_no_long_time() {
        for text in ["a".repeat(1 << 20) + ":80", "a:".repeat(1 << 19), "h://".repeat(1 << 18)] {
            assert_eq!(mentions(&text), []);
        }
        assert_eq!(mentions(&"db:1 ".repeat(1 << 16)).len(), 1 << 16);
    }
}
