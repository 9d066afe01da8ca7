//! Text that comes from whoever wrote the manifests, made harmless for each kind of output.
//!
//! Names, labels, file names and reasons can hold anything: escape sequences that repaint a
//! terminal, bidirectional overrides that make a line read backwards, Markdown, HTML, mentions.
//! Every format passes such text through the one function here that is meant for it.

use std::fmt::Write as _;

/// Longest text that [`markdown`] writes, in characters; an ellipsis stands for the rest.
pub const MARKDOWN_CAP: usize = 240;

/// Longest text that [`plain`] writes, in characters. Only texts that no honest manifest holds
/// are longer (a Kubernetes name has at most 253).
pub const PLAIN_CAP: usize = 1_000;

/// Longest label of a picture, in characters.
pub const LABEL_CAP: usize = 120;

/// Longest text that [`html`] writes, in characters.
pub const HTML_CAP: usize = 600;

/// Is this character invisible, or does it steer the display instead of being shown?
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text with every steering character spelled as an escape (`\n`, `\u{202e}`), and capped.
fn visible(text: &str, cap: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut left = cap;
    for c in text.chars() {
        let long = steers(c);
        let cost = if long { c.escape_default().count() } else { 1 };
        if cost > left {
            out.push('…');
            break;
        }
        left -= cost;
        if long {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// For a terminal: nothing in it moves the cursor, changes colours or turns the reading direction.
pub fn plain(text: &str) -> String {
    visible(text, PLAIN_CAP)
}

/// For Markdown: a code span that shows the text and does nothing else, wherever it stands.
///
/// The fence is longer than any run of backticks inside. What a table, an HTML block or a mail
/// client could still act on is replaced by a lookalike (`<`, `|`) or followed by a zero-width space
/// (`&`, `@`, `#`: code spans still notify in e-mail). This is the only function that
/// writes manifest text into Markdown.
pub fn markdown(text: &str) -> String {
    let mut shown = String::new();
    for c in visible(text, MARKDOWN_CAP).chars() {
        match c {
            '<' => shown.push('‹'),
            '|' => shown.push('¦'),
            '@' | '#' | '&' => shown.extend([c, '\u{200b}']),
            c => shown.push(c),
        }
    }
    if shown.is_empty() {
        return "(empty)".into();
    }
    let longest = shown.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // A space at an edge is stripped by Markdown, a backtick there would join the fence.
    let edge = |c: Option<char>| matches!(c, Some(' ' | '`'));
    let pad = if edge(shown.chars().next()) || edge(shown.chars().last()) { " " } else { "" };
    format!("{fence}{pad}{shown}{pad}{fence}")
}

/// For HTML: the text of an element, or the value of a quoted attribute that takes any text, and nothing
/// else. This is the only function that writes manifest text into HTML.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text, HTML_CAP).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A fenced block of Markdown, `indent` columns from the margin, whose fence is longer than any run of
/// backticks inside. `language` is ours.
pub fn fenced(text: &str, language: &str, indent: usize) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let margin = " ".repeat(indent);
    let mut out = format!("{margin}{fence}{language}\n");
    for line in text.lines() {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{margin}{}", visible(line, PLAIN_CAP));
    }
    out + &format!("{margin}{fence}\n")
}

/// A block of GitHub's Markdown that offers a text in the place of the lines under a comment: what is shown is what is
/// written then. `None` for a text that can't be shown as it is.
pub fn suggestion(text: &str) -> Option<String> {
    let shown = text.lines().all(|line| visible(line, PLAIN_CAP) == line);
    (shown && !text.contains('\r')).then(|| fenced(text, "suggestion", 0))
}

/// For the target of a Markdown link that the caller built: `None` unless it is `https`, and with
/// everything percent-encoded that could end the link.
pub fn link_target(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://")?;
    let mut out = String::from("https://");
    for byte in rest.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&*+,;=%".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    Some(out)
}

/// For a quoted label of a Mermaid picture: everything but plain letters, digits and a few
/// separators becomes an entity code (`#96;`), so that it ends neither the label nor the fence.
pub fn mermaid(text: &str) -> String {
    let mut out = String::new();
    for c in visible(text, LABEL_CAP).chars() {
        if c.is_alphanumeric() || " -_./:=,()[]…".contains(c) {
            out.push(c);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    out
}

/// For Graphviz: a quoted string. Backslashes are doubled, since labels know escapes of their own.
pub fn dot(text: &str) -> String {
    let shown = visible(text, PLAIN_CAP);
    format!("\"{}\"", shown.replace('\\', "\\\\").replace('"', "\\\""))
}

/// For one field of CSV, as RFC 4180 quotes it. A data format: nothing else is changed.
pub fn csv(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}

/// For JSON that may end in a terminal: `json` with steering characters, which can stand inside
/// its strings only, written as `\u` escapes. A parser reads the same values.
pub fn json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && steers(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// For a message of SARIF, which is plain text in which `[words](target)` is a link and `{0}` a
/// placeholder: a space keeps either from coming about.
pub fn sarif(text: &str) -> String {
    let mut out = String::new();
    let mut last = ' ';
    for c in visible(text, PLAIN_CAP).chars() {
        if (last == ']' && c == '(') || (last == '{' && c.is_ascii_digit()) {
            out.push(' ');
        }
        out.push(c);
        last = c;
    }
    out
}

/// For the path of a file as a relative URI: percent-encoded but for what a path may hold, so that
/// it has neither a scheme nor a query, and cannot be taken for another host's.
pub fn uri_path(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        let leads = byte == b'/' && (out.is_empty() || out.ends_with('/'));
        if byte.is_ascii_alphanumeric() || (b"-._~/".contains(&byte) && !leads) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// For the text of a GitHub workflow command (`::error::text`), which ends with its line.
pub fn command_text(text: &str) -> String {
    visible(text, PLAIN_CAP).replace('%', "%25")
}

/// For a property of a GitHub workflow command (`::error file=value::`), which ends at a comma or
/// colon as well.
pub fn command_property(text: &str) -> String {
    command_text(text).replace(':', "%3A").replace(',', "%2C")
}
