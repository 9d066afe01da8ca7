//! What single values must be like. Each function gives the value as it is used, or what is wrong and what
//! to write.

use crate::config::PortSpan;
use crate::model::Protocol;
use chrono::NaiveDate;
use ipnet::IpNet;
use std::str::FromStr;

type Checked<T> = Result<T, String>;

/// A namespace's name as Kubernetes takes it: an RFC 1123 label.
pub fn namespace(text: &str) -> Checked<String> {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let good = (1..=63).contains(&text.len())
        && text.bytes().all(|byte| inside(byte) || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    if good {
        Ok(text.to_string())
    } else {
        Err("a namespace's name has 1 to 63 of a-z, 0-9 and `-`, and neither begins nor ends with `-`".into())
    }
}

/// A path from the root of the repository, without `.` and without `/` at the end.
pub(super) fn path(text: &str) -> Checked<String> {
    if text.trim().is_empty() {
        return Err("a path is empty; leave `paths` out to look at the whole repository".into());
    }
    if text.starts_with('/') || text.contains('\\') || text.bytes().any(|byte| byte == 0) {
        return Err(format!(
            "{} is not a path from the root of the repository; write it without a leading `/`, with `/` \
             between names",
            shown(text)
        ));
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err(format!(
            "{} leads out of the repository, or could; write it without `..`",
            shown(text)
        ));
    }
    Ok(if parts.is_empty() { ".".into() } else { parts.join("/") })
}

/// A path of a file, as [`path`] has it.
pub(super) fn file(text: &str) -> Checked<String> {
    match path(text) {
        Ok(path) if path == "." => {
            Err(format!("{} is the whole repository; name a file", shown(text)))
        }
        Err(_) if text.trim().is_empty() => Err("the path of a file is empty; name a file".into()),
        other => other,
    }
}

/// A range of addresses.
pub(super) fn cidr(text: &str) -> Checked<IpNet> {
    let net = IpNet::from_str(text).map_err(|_| match text.parse::<std::net::IpAddr>() {
        Ok(address) => format!("`{text}` has no length; write `{}`", IpNet::from(address)),
        Err(_) => format!("{} is no CIDR; write for example `10.0.0.0/8`", shown(text)),
    })?;
    if net.trunc() != net {
        return Err(format!(
            "`{text}` has bits beyond its length; write `{}` for the whole range",
            net.trunc()
        ));
    }
    Ok(net)
}

/// A whole fingerprint. Of its beginning alone somebody who names policies could make two: one that is accepted, and
/// another.
pub fn fingerprint(text: &str) -> Checked<String> {
    let digits = super::FINGERPRINT_DIGITS;
    let good = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if good {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!(
        "{} is no fingerprint; write all {digits} of its hexadecimal digits, as the report shows them",
        shown(text),
    ))
}

/// A day.
pub fn day(text: &str) -> Checked<NaiveDate> {
    let strict = text.len() == 10;
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| strict).ok_or_else(|| {
        format!("{} is no day; write it as `2027-01-31`, the last one that counts", shown(text))
    })
}

/// Words that are not only blanks.
pub fn words(text: &str, what: &str) -> Checked<String> {
    match text.trim() {
        "" => {
            Err(format!("`{what}` is empty; write words that a reader will understand in a year"))
        }
        words => Ok(words.to_string()),
    }
}

/// A login.
pub(super) fn user(text: &str) -> Checked<String> {
    if is_login(text) {
        return Ok(text.to_string());
    }
    match text.strip_prefix('@') {
        Some(login) if is_login(login) => Err(format!("`{text}` is a mention; write `{login}`")),
        _ => Err(format!("{} is no login", shown(text))),
    }
}

/// `organisation/team`.
pub(super) fn team(text: &str) -> Checked<String> {
    let bare = text.strip_prefix('@').unwrap_or(text);
    match bare.split_once('/') {
        Some((organisation, team)) if is_login(organisation) && is_login(team) => {
            match bare == text {
                true => Ok(text.to_string()),
                false => Err(format!("`{text}` is a mention; write `{bare}`")),
            }
        }
        _ => Err(format!("{} is no team; write `organisation/team`", shown(text))),
    }
}

fn is_login(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=100).contains(&text.len())
        && text.bytes().all(inside)
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// A guardrail's name.
pub(super) fn guardrail(text: &str) -> Checked<String> {
    namespace(text).map_err(|_| {
        "a guardrail's name has 1 to 63 of a-z, 0-9 and `-`, and neither begins nor ends with `-`"
            .into()
    })
}

/// Who may accept what a guardrail holds back: a login, or `organisation/team`.
pub(super) fn approver(text: &str) -> Checked<String> {
    if text.contains('/') { team(text) } else { user(text) }
}

/// Ports of one protocol: `TCP/5432`, `TCP/8000-8100`.
pub(super) fn ports(text: &str) -> Checked<PortSpan> {
    let wrong = || format!("{} is no port; write `TCP/5432` or `UDP/8000-8100`", shown(text));
    let (protocol, numbers) = text.split_once('/').ok_or_else(wrong)?;
    let mut known = Protocol::ALL.into_iter();
    let protocol = known.find(|known| known.as_str() == protocol).ok_or_else(|| {
        format!("{} is no protocol; write `TCP`, `UDP` or `SCTP`", shown(protocol))
    })?;
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| digits && *number > 0).ok_or_else(wrong)
    };
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(format!("{} ends before it begins; write the lower port first", shown(text)));
    }
    Ok(PortSpan { protocol, first, last })
}

/// A label's key and its value.
pub(super) fn label(key: &str, value: &str) -> Checked<()> {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let ends = |text: &str| {
        let bytes = text.as_bytes();
        [bytes.first(), bytes.last()].into_iter().flatten().all(|byte| byte.is_ascii_alphanumeric())
    };
    let word = |text: &str| text.len() <= 63 && text.bytes().all(inside) && ends(text);
    let (prefix, name) = key.rsplit_once('/').unwrap_or(("", key));
    let good = prefix.len() <= 253 && prefix.bytes().all(inside) && ends(prefix);
    match (good && !name.is_empty() && word(name), word(value)) {
        (false, _) => Err(format!("{} is no key of a label", shown(key))),
        (_, false) => Err(format!("{} is no value of a label", shown(value))),
        _ => Ok(()),
    }
}

/// A value that someone wrote, for a message: in backticks, on one line, not endless.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut short: String = text
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_control() || c == '`' { ' ' } else { c })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push_str("...");
    }
    format!("`{short}`")
}
