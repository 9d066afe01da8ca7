//! The body of a comment -> the commands in it. What can't be understood is an error with words for its author, and
//! never a guess.

use crate::settings;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// What a line with a command begins with.
pub const WORD: &str = "/netpol-review";

/// How many commands of one comment are read.
const MOST: usize = 20;

/// The longest reason, in characters.
const REASON: usize = 500;

/// The longest time that a waiver may be given for, in days. A later end is a day that is named.
const LONGEST: i64 = 3_660;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Accepts what has this fingerprint.
    Waive {
        /// Its digits, in lower case.
        fingerprint: String,
        /// Why.
        reason: String,
        /// Until when.
        expires: Option<Expiry>,
    },
    /// Takes that back.
    Unwaive {
        /// As in [`Command::Waive`].
        fingerprint: String,
    },
    /// Reviews once more.
    Recheck,
    /// Tells all about what has this fingerprint.
    Explain {
        /// As in [`Command::Waive`].
        fingerprint: String,
    },
    /// Tells which commands there are.
    Help,
}

/// When a waiver ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// So long after the comment.
    After(TimeDelta),
    /// This is the last day, in UTC.
    Day(NaiveDate),
}

impl Expiry {
    /// The point in time for a comment of this time, or the last day.
    pub fn of(self, comment: DateTime<Utc>) -> (Option<DateTime<Utc>>, Option<NaiveDate>) {
        match self {
            // A time beyond what can be written ends at once, which is the safe side.
            Self::After(time) => (Some(comment.checked_add_signed(time).unwrap_or(comment)), None),
            Self::Day(day) => (None, Some(day)),
        }
    }
}

impl Command {
    /// As it is written.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waive { .. } => "waive",
            Self::Unwaive { .. } => "unwaive",
            Self::Recheck => "recheck",
            Self::Explain { .. } => "explain",
            Self::Help => "help",
        }
    }

    /// The fingerprint that it names.
    pub fn fingerprint(&self) -> Option<&str> {
        match self {
            Self::Waive { fingerprint, .. }
            | Self::Unwaive { fingerprint }
            | Self::Explain { fingerprint } => Some(fingerprint),
            Self::Recheck | Self::Help => None,
        }
    }
}

/// The commands of a comment, in their order; for each that can't be understood what is wrong with it, a sentence
/// without an end that has nothing of the comment in it.
pub fn parse(body: &str) -> Vec<Result<Command, String>> {
    let mut commands: Vec<_> = Shown::of(body).filter_map(command).take(MOST + 1).collect();
    if commands.len() > MOST {
        commands.truncate(MOST);
        commands.push(Err(format!("only the first {MOST} commands of a comment are read")));
    }
    commands
}

/// The lines of a comment that readers see as words of its author: none of code, quotations or what is hidden.
struct Shown<'a> {
    lines: std::str::Lines<'a>,
    fence: Option<(char, usize)>,
    hidden: bool,
}

impl<'a> Shown<'a> {
    fn of(body: &'a str) -> Self {
        Self { lines: body.lines(), fence: None, hidden: false }
    }
}

impl<'a> Iterator for Shown<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let line = self.lines.next()?.trim_end();
            let bare = line.trim_start_matches(' ');
            if let Some((sign, length)) = self.fence {
                let closing = bare.chars().take_while(|c| *c == sign).count();
                if closing >= length && bare.chars().skip(closing).all(char::is_whitespace) {
                    self.fence = None;
                }
                continue;
            }
            let hidden = self.hidden;
            self.hidden = match (line.rfind("<!--"), line.rfind("-->")) {
                (Some(begin), Some(end)) => begin > end,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => hidden,
            };
            if hidden {
                continue;
            }
            self.fence = fence(bare);
            if self.fence.is_none() && begins_mail(bare) {
                // Who answers by mail sends along what is answered, not always as a quotation.
                self.lines = "".lines();
                return None;
            }
            // Four columns make code of a line.
            let indented = line.len() - bare.len() > 3 || bare.starts_with('\t');
            if self.fence.is_none() && !indented && !bare.starts_with('>') {
                return Some(bare);
            }
        }
    }
}

/// Is this what programs for mail put before the message that is answered? As `-----Original Message-----`,
/// `From: somebody <somebody@example.com>`, or `On Tue, 3 Mar 2026 somebody <somebody@example.com> wrote:`.
fn begins_mail(line: &str) -> bool {
    let rule = |sign: char| line.chars().take_while(|c| *c == sign).count() >= 5;
    let header = line.split_once(':').is_some_and(|(name, value)| {
        let name = name.trim_matches(['*', ' ']);
        (1..=12).contains(&name.chars().count())
            && name.chars().all(char::is_alphabetic)
            && value.contains('@')
            && value.contains(['<', '['])
    });
    let introduced = line.ends_with(':') && line.contains('@') && line.contains(['<', '>']);
    rule('-') || rule('_') || header || introduced
}

/// The sign and the length of a fence that begins here, possibly in an item of a list.
fn fence(line: &str) -> Option<(char, usize)> {
    let mut rest = line;
    loop {
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let marker = match digits.len() < rest.len() {
            true => digits.strip_prefix(['.', ')']),
            false => rest.strip_prefix(['-', '*', '+']),
        };
        match marker.filter(|after| after.starts_with([' ', '\t'])) {
            Some(after) => rest = after.trim_start(),
            None => break,
        }
    }
    let sign = rest.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = rest.chars().take_while(|c| *c == sign).count();
    let info = rest.get(length..).unwrap_or_default();
    (length >= 3 && (sign == '~' || !info.contains('`'))).then_some((sign, length))
}

/// The command of a line, if it is one.
fn command(line: &str) -> Option<Result<Command, String>> {
    let rest = line.strip_prefix(WORD)?;
    if !(rest.is_empty() || rest.starts_with(char::is_whitespace)) {
        return None;
    }
    Some(words(rest).and_then(|words| understood(&words)))
}

/// One word of a command.
#[derive(Debug, PartialEq, Eq)]
struct Word {
    text: String,
    /// It has quotation marks, and so is no option.
    quoted: bool,
}

/// Splits at blanks that stand in no quotation marks; `--option="some words"` is one word. Telephones write
/// marks of their own.
fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        let own = word.get_or_insert(Word { text: String::new(), quoted: false });
        let open = own.text.is_empty() || own.text.ends_with('=');
        let closing: &[char] = match c {
            '"' if open => &['"'],
            '\'' if open => &['\''],
            '“' | '”' | '„' if open => &['“', '”'],
            c => {
                own.text.push(c);
                continue;
            }
        };
        own.quoted |= own.text.is_empty();
        loop {
            match rest.next() {
                None => return Err("a quotation mark is never closed".into()),
                Some(end) if closing.contains(&end) => break,
                Some('\\') => match rest.next() {
                    Some(escaped) if closing.contains(&escaped) || escaped == '\\' => {
                        own.text.push(escaped);
                    }
                    Some(other) => own.text.extend(['\\', other]),
                    None => return Err("a quotation mark is never closed".into()),
                },
                Some(inside) => own.text.push(inside),
            }
        }
        if rest.as_str().chars().next().is_some_and(|next| !next.is_whitespace()) {
            return Err("a blank is missing behind a quotation mark".into());
        }
    }
    words.extend(word);
    Ok(words)
}

fn understood(words: &[Word]) -> Result<Command, String> {
    let Some((first, rest)) = words.split_first() else {
        return Err("no command is named".into());
    };
    let name = first.text.to_ascii_lowercase();
    let alone = |command: Command| match rest {
        [] => Ok(command),
        _ => Err(format!("`{name}` takes nothing behind it")),
    };
    match name.as_str() {
        "recheck" => alone(Command::Recheck),
        "help" => alone(Command::Help),
        "unwaive" => Ok(Command::Unwaive { fingerprint: only(&name, rest)? }),
        "explain" => Ok(Command::Explain { fingerprint: only(&name, rest)? }),
        "waive" => waive(rest),
        _ => Err("there is no such command".into()),
    }
}

fn only(name: &str, words: &[Word]) -> Result<String, String> {
    match words {
        [] => Err(format!("`{name}` needs a fingerprint")),
        [word] => beginning(word),
        _ => Err(format!("`{name}` takes one fingerprint and nothing else")),
    }
}

fn fingerprint(word: &Word) -> Result<String, String> {
    settings::check_fingerprint(bare(word)).map_err(|_| {
        "that is no fingerprint; write all 32 of its hexadecimal digits, as the review shows them".into()
    })
}

/// What is not accepted by it may be named by its beginning.
fn beginning(word: &Word) -> Result<String, String> {
    let text = bare(word);
    let good = SHORT.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| text.to_ascii_lowercase()).ok_or_else(|| {
        "that is no fingerprint; write 12 to 32 of its hexadecimal digits, as the review shows them".into()
    })
}

/// A word that was copied from where it is shown as code.
fn bare(word: &Word) -> &str {
    let bare = word.text.strip_prefix('`').and_then(|text| text.strip_suffix('`'));
    bare.unwrap_or(&word.text)
}

/// How many digits tell fingerprints apart where nothing hangs on it.
const SHORT: std::ops::RangeInclusive<usize> = 12..=32;

fn waive(words: &[Word]) -> Result<Command, String> {
    let (mut print, mut reason, mut expires) = (None, None, None);
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let option = word.text.strip_prefix("--").filter(|_| !word.quoted);
        let Some(option) = option else {
            if print.replace(fingerprint(word)?).is_some() {
                return Err(
                    "`waive` takes one fingerprint; a reason of several words stands in quotation \
                            marks, as `--reason \"why\"`"
                        .into(),
                );
            }
            continue;
        };
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (option, rest.next().map(|word| word.text.clone())),
        };
        let slot = match name {
            "reason" => &mut reason,
            "expires" => &mut expires,
            _ => return Err("`waive` knows `--reason` and `--expires`, and no other option".into()),
        };
        let Some(value) = value else { return Err(format!("`--{name}` needs a value")) };
        if slot.replace(value).is_some() {
            return Err(format!("`--{name}` is there twice"));
        }
    }
    let print = print.ok_or("`waive` needs a fingerprint")?;
    let reason = reason.ok_or("`waive` needs a reason, as `--reason \"why\"`")?;
    let reason = settings::check_words(&reason, "--reason")?;
    if reason.chars().count() > REASON {
        return Err(format!("the reason is longer than {REASON} characters"));
    }
    let expires = expires.as_deref().map(expiry).transpose()?;
    Ok(Command::Waive { fingerprint: print, reason, expires })
}

/// `30d`, `12h` or a day.
fn expiry(text: &str) -> Result<Expiry, String> {
    let wrong = || {
        "`--expires` takes a number of days (`30d`) or hours (`12h`), up to ten years, or the last day that counts \
         (`2027-01-31`)"
            .to_string()
    };
    let Some(unit) = text.chars().last().filter(|unit| matches!(unit, 'd' | 'h')) else {
        return settings::check_day(text).map(Expiry::Day).map_err(|_| wrong());
    };
    let digits = text.strip_suffix(unit).unwrap_or_default();
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let count: i64 = digits.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
    let most = if unit == 'd' { LONGEST } else { LONGEST * 24 };
    if !(1..=most).contains(&count) {
        return Err(wrong());
    }
    let time = if unit == 'd' { TimeDelta::try_days(count) } else { TimeDelta::try_hours(count) };
    time.map(Expiry::After).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PRINT: &str = "5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f";

    fn waived(reason: &str, expires: Option<Expiry>) -> Result<Command, String> {
        Ok(Command::Waive { fingerprint: PRINT.into(), reason: reason.into(), expires })
    }

    #[test]
    fn commands() {
        let day = NaiveDate::from_ymd_opt(2027, 1, 31).expect("a day");
        for (line, expected) in [
            (
                "waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason \"it's ok\"",
                waived("it's ok", None),
            ),
            ("WAIVE `5F0C1D2E3A4B5C6D7E8F9A0B1C2D3E4F` --reason known", waived("known", None)),
            ("waive --reason=\"a b\" 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f", waived("a b", None)),
            ("waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason “so said” ", waived("so said", None)),
            (
                r#"waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason "a \"b\" \\ \c""#,
                waived(r#"a "b" \ \c"#, None),
            ),
            (
                "waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --expires 30d --reason 'x --expires y'",
                waived("x --expires y", Some(Expiry::After(TimeDelta::days(30)))),
            ),
            (
                "waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --expires=12h --reason x",
                waived("x", Some(Expiry::After(TimeDelta::hours(12)))),
            ),
            (
                "waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason x --expires 2027-01-31",
                waived("x", Some(Expiry::Day(day))),
            ),
            (
                "unwaive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f",
                Ok(Command::Unwaive { fingerprint: PRINT.into() }),
            ),
            (
                "explain 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f",
                Ok(Command::Explain { fingerprint: PRINT.into() }),
            ),
            ("  recheck\r", Ok(Command::Recheck)),
            ("help", Ok(Command::Help)),
        ] {
            assert_eq!(parse(&format!("{WORD} {line}")), [expected], "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_is_never_guessed() {
        for (line, words) in [
            ("", "no command"),
            ("approve", "no such command"),
            ("waive", "needs a fingerprint"),
            ("waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f", "needs a reason"),
            ("waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason", "needs a value"),
            ("waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason \"\"", "is empty"),
            ("waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason two words", "no fingerprint"),
            (
                "waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason x",
                "one fingerprint",
            ),
            ("waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason x --reason y", "twice"),
            ("waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason \"x", "never closed"),
            ("waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason \"x\"y", "a blank"),
            ("waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason x --force yes", "no other option"),
            ("waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4 --reason x", "is no fingerprint"),
            ("waive * --reason x", "is no fingerprint"),
            ("waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason x --expires soon", "`30d`"),
            ("waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason x --expires 0d", "`30d`"),
            ("waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason x --expires -1d", "`30d`"),
            (
                "waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason x --expires 99999999999999999999h",
                "`30d`",
            ),
            ("waive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f --reason x --expires 2027-02-30", "`30d`"),
            ("unwaive", "needs a fingerprint"),
            ("unwaive 5f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f because", "nothing else"),
            ("recheck now", "nothing behind"),
        ] {
            let commands = parse(&format!("{WORD} {line}"));
            let [Err(wrong)] = commands.as_slice() else { panic!("{line}: {commands:?}") };
            assert!(wrong.contains(words), "{line}: {wrong}");
        }
        let long = format!("{WORD} waive {PRINT} --reason \"{}\"", "x".repeat(501));
        assert!(parse(&long)[0].is_err());
    }

    #[test]
    fn only_what_its_author_says_counts() {
        for silent in [
            "words /netpol-review help",
            "/netpol-reviewer help",
            "> /netpol-review help",
            "> a\n  > /netpol-review help",
            "```\n/netpol-review help\n```",
            "~~~ sh\n/netpol-review help\n```\n/netpol-review help\n~~~",
            "````\n```\n/netpol-review help",
            "- ```\n  /netpol-review help\n  ```",
            "1. * ```\n     /netpol-review help",
            "    /netpol-review help",
            "\t/netpol-review help",
            "<!--\n/netpol-review help\n-->",
            "a <!-- b --> <!--\n/netpol-review help",
            "`/netpol-review help`",
            "no\n\n-----Original Message-----\nSubject: x\n\n/netpol-review help",
            "no\n\nFrom: Bob <bob@example.com>\n\n/netpol-review help",
            "no\n\n*Von:* Bob [mailto:bob@example.com]\n/netpol-review help",
            "no\n________________________________\n/netpol-review help",
            "no\n\nAm 3.3.2026 schrieb Bob <bob@example.com>:\n\n/netpol-review help",
            "no\n\nOn Tue, 3 Mar 2026 Bob <\nbob@example.com> wrote:\n\n/netpol-review help",
        ] {
            assert_eq!(parse(silent), [], "{silent}");
        }
        for said in [
            "   /netpol-review help",
            "words\n/netpol-review help",
            "```a`b\n/netpol-review help",
            "```\n> x\n```\n/netpol-review help",
            "<!-- x -->\n/netpol-review help",
            "<!--\nx -->\n/netpol-review help",
        ] {
            assert_eq!(parse(said), [Ok(Command::Help)], "{said}");
        }
        let several = "/netpol-review help\nand\n/netpol-review recheck\n/netpol-review no";
        assert_eq!(parse(several).len(), 3);
        let many = "/netpol-review help\n".repeat(50);
        assert_eq!(parse(&many).len(), MOST + 1);
        assert!(parse(&many).pop().is_some_and(|last| last.is_err()));
    }

    #[test]
    fn an_end_is_counted_from_the_comment() {
        let at: DateTime<Utc> = "2026-06-01T10:00:00Z".parse().expect("a time");
        let (until, _) = Expiry::After(TimeDelta::hours(12)).of(at);
        assert_eq!(until, Some("2026-06-01T22:00:00Z".parse().expect("a time")));
        assert_eq!(Expiry::After(TimeDelta::MAX).of(at).0, Some(at), "never for ever");
    }

    proptest! {
        #[test]
        fn anything_can_be_read(body in "(/netpol-review ?|waive |--reason |\"|`|~|>|<!--|-->|\\PC|\n){0,40}") {
            parse(&body);
        }

        #[test]
        fn a_reason_comes_back(reason in "[^\\p{C}\r\n]{0,80}") {
            prop_assume!(!reason.trim().is_empty());
            let quoted = reason.replace('\\', "\\\\").replace('"', "\\\"");
            let line = format!("{WORD} waive {PRINT} --reason \"{quoted}\"");
            prop_assert_eq!(parse(&line), [waived(reason.trim(), None)]);
        }

        #[test]
        fn nothing_in_a_fence_or_a_quotation_counts(body in "(/netpol-review help|a|``| |\n){0,30}") {
            let quoted: String = body.lines().map(|line| format!("> {line}\n")).collect();
            prop_assert_eq!(parse(&quoted), []);
            let fenced = format!("{0}\n{body}\n{0}", "`".repeat(100));
            prop_assert_eq!(parse(&fenced), []);
        }
    }
}
