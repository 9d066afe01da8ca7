//! Globs as the tools match paths with them; no two do it alike.

/// Whose rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Go's `path.Match`: no wildcard takes a `/`.
    Go,
    /// Git's pathspecs: every wildcard takes `/`, and a directory stands for all that is in it.
    Git,
    /// `**` takes any number of directories, `*` takes no `/`.
    Directories,
    /// Argo CD's `include` and `exclude`: every wildcard takes `/`, and `{a,b}` is one of several.
    Braces,
}

/// Alternatives that braces may stand for; a pattern with more matches nothing.
const ALTERNATIVES: usize = 1_000;

/// Characters of a pattern; a longer one matches nothing.
const PATTERN: usize = 10_000;

/// Has a pattern any character that is more than itself?
pub(super) fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '{'])
}

/// A pattern, ready to be matched. One that the tool would refuse matches nothing.
pub(super) struct Glob {
    style: Style,
    /// Each with the text that it starts with.
    alternatives: Vec<(String, Vec<Token>)>,
}

#[derive(Debug)]
enum Token {
    /// Itself.
    Char(char),
    /// One character.
    One,
    /// Any number of characters.
    Star,
    /// The same, and of `/`.
    Crossing,
    /// Nothing, or directories with the `/` after them.
    Parents,
    /// One of some ranges, or none of them.
    Class { not: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    pub(super) fn new(pattern: &str, style: Style) -> Self {
        let mut patterns = vec![pattern.to_string()];
        if style == Style::Braces {
            patterns = expand(pattern).unwrap_or_default();
        }
        let whole = patterns.iter().map(String::len).sum::<usize>() <= PATTERN;
        let alternatives = whole.then(|| {
            let one = |pattern: &String| {
                let tokens = tokens(pattern, style)?;
                let literal = |token: &Token| match token {
                    Token::Char(char) => Some(*char),
                    _ => None,
                };
                Some((tokens.iter().map_while(literal).collect(), tokens))
            };
            patterns.iter().map(one).collect()
        });
        Self { style, alternatives: alternatives.flatten().unwrap_or_default() }
    }

    /// About how long matching takes.
    pub(super) fn steps(&self, path: &str) -> usize {
        let takes = |(start, tokens): &(String, Vec<Token>)| {
            if path.starts_with(start.as_str()) { tokens.len() * path.len() } else { 1 }
        };
        self.alternatives.iter().map(takes).sum()
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        let ends = |(start, tokens): &(String, Vec<Token>)| {
            if !path.starts_with(start.as_str()) {
                return false;
            }
            let reached = self.reached(tokens, path);
            let prefix = |(index, _): (usize, char)| {
                self.style == Style::Git && reached.get(index) == Some(&true)
            };
            reached.last() == Some(&true)
                || path.char_indices().filter(|(_, char)| *char == '/').any(prefix)
        };
        self.alternatives.iter().any(ends)
    }

    /// For each number of bytes of the path, whether the whole pattern matches so many. The time is the product of
    /// the lengths, whatever the pattern.
    fn reached(&self, tokens: &[Token], path: &str) -> Vec<bool> {
        let slash = matches!(self.style, Style::Git | Style::Braces);
        let mut now = vec![false; path.len() + 1];
        if let Some(start) = now.first_mut() {
            *start = true;
        }
        for token in tokens {
            let mut next = vec![false; path.len() + 1];
            // An open end that goes on through the characters that the token takes.
            let mut open = false;
            let mut parents = false;
            for (at, char) in
                path.char_indices().map(|(at, char)| (at, Some(char))).chain([(path.len(), None)])
            {
                let here = now.get(at) == Some(&true);
                let mut mark = |at: usize| {
                    if let Some(place) = next.get_mut(at) {
                        *place = true;
                    }
                };
                match token {
                    Token::Star | Token::Crossing => {
                        open |= here;
                        if open {
                            mark(at);
                        }
                        let takes = slash || matches!(token, Token::Crossing);
                        open &= takes || char != Some('/');
                    }
                    Token::Parents => {
                        if here {
                            mark(at);
                            parents = true;
                        }
                        if let Some('/') = char
                            && parents
                        {
                            mark(at + 1);
                        }
                    }
                    single => {
                        if let Some(char) = char
                            && here
                            && single.takes(char, slash)
                        {
                            mark(at + char.len_utf8());
                        }
                    }
                }
            }
            now = next;
        }
        now
    }
}

impl Token {
    fn takes(&self, char: char, slash: bool) -> bool {
        match self {
            Self::Char(own) => *own == char,
            Self::One => slash || char != '/',
            Self::Class { not, ranges } => {
                (slash || char != '/')
                    && ranges.iter().any(|(low, high)| (*low..=*high).contains(&char)) != *not
            }
            _ => false,
        }
    }
}

/// `None`: the tool would refuse it.
fn tokens(pattern: &str, style: Style) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = pattern.chars().peekable();
    let mut at_start = true;
    while let Some(char) = rest.next() {
        let starts = std::mem::replace(&mut at_start, char == '/');
        tokens.push(match char {
            '*' => {
                let mut stars = 1;
                while rest.next_if_eq(&'*').is_some() {
                    stars += 1;
                }
                if stars == 1 || style != Style::Directories {
                    Token::Star
                } else if starts && rest.next_if_eq(&'/').is_some() {
                    at_start = true;
                    Token::Parents
                } else {
                    Token::Crossing
                }
            }
            '?' => Token::One,
            '[' => class(&mut rest, style)?,
            '\\' => Token::Char(rest.next()?),
            char => Token::Char(char),
        });
    }
    Some(tokens)
}

fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, style: Style) -> Option<Token> {
    let negates: &[char] = match style {
        Style::Go => &['^'],
        Style::Braces => &['!'],
        Style::Git | Style::Directories => &['!', '^'],
    };
    let not = rest.next_if(|char| negates.contains(char)).is_some();
    let mut ranges = Vec::new();
    loop {
        let low = match rest.next()? {
            ']' if !ranges.is_empty() => return Some(Token::Class { not, ranges }),
            '\\' => rest.next()?,
            char => char,
        };
        let high = if rest.next_if_eq(&'-').is_some() {
            match rest.next()? {
                ']' => {
                    ranges.extend([(low, low), ('-', '-')]);
                    return Some(Token::Class { not, ranges });
                }
                '\\' => rest.next()?,
                char => char,
            }
        } else {
            low
        };
        ranges.push((low, high));
    }
}

/// What a pattern with braces stands for; `None`: braces without their end, or too many alternatives.
fn expand(pattern: &str) -> Option<Vec<String>> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_string()];
    while let Some(pattern) = open.pop() {
        let Some((start, end, commas)) = braces(&pattern)? else {
            done.push(pattern);
            continue;
        };
        let mut from = start + 1;
        for comma in commas.into_iter().chain([end]) {
            let one = pattern.get(from..comma)?;
            open.push(format!("{}{one}{}", pattern.get(..start)?, pattern.get(end + 1..)?));
            from = comma + 1;
        }
        let bytes = open.iter().map(String::len).sum::<usize>();
        if open.len() + done.len() > ALTERNATIVES || bytes > PATTERN * 10 {
            return None;
        }
    }
    Some(done)
}

/// The first braces: start, end, and the commas between; an outer `None`: they have no end.
#[expect(clippy::option_option, reason = "no braces, and broken ones")]
fn braces(pattern: &str) -> Option<Option<(usize, usize, Vec<usize>)>> {
    let mut start = None;
    let mut depth = 0_usize;
    let mut commas = Vec::new();
    let mut escaped = false;
    for (at, char) in pattern.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => {
                depth += 1;
                start.get_or_insert(at);
            }
            ',' if depth == 1 => commas.push(at),
            '}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    return Some(start.map(|start| (start, at, commas)));
                }
            }
            _ => {}
        }
    }
    start.is_none().then_some(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_style_has_its_own_rules() {
        use Style::{Braces, Directories, Git, Go};
        for (style, pattern, path, expected) in [
            (Go, "apps/*", "apps/shop", true),
            (Go, "apps/*", "apps", false),
            (Go, "apps/*", "apps/shop/base", false),
            (Go, "apps/*/overlays/*", "apps/shop/overlays/prod", true),
            (Go, "*", "apps", true),
            (Go, "apps/**", "apps/a/b", false),
            (Go, "a[^b]c", "axc", true),
            (Go, "a[^b]c", "abc", false),
            (Go, "a[!b]c", "a!c", true),
            (Go, "a[x-z]?", "ayq", true),
            (Go, "a[x", "ax", false),
            (Go, "a\\*", "a*", true),
            (Go, "a\\*", "ab", false),
            (Git, "clusters/*/config.json", "clusters/a/config.json", true),
            (Git, "clusters/*/config.json", "clusters/a/b/config.json", true),
            (Git, "clusters/**/config.json", "clusters/config.json", false),
            (Git, "clusters", "clusters/a/config.json", true),
            (Git, "clusters", "clusters-2/config.json", false),
            (Git, "clu*", "clusters/a.json", true),
            (Git, "clusters/a.json", "clusters/a.json", true),
            (Directories, "clusters/*/config.json", "clusters/a/b/config.json", false),
            (Directories, "clusters/**/config.json", "clusters/a/b/config.json", true),
            (Directories, "clusters/**/config.json", "clusters/config.json", true),
            (Directories, "**/x.yaml", "x.yaml", true),
            (Directories, "**/x.yaml", "ax.yaml", false),
            (Directories, "clusters/**", "clusters/a/b", true),
            (Braces, "*.yaml", "a/b.yaml", true),
            (Braces, "{config.json,env-2/*}", "env-2/a/b", true),
            (Braces, "{config.json,env-2/*}", "config.json", true),
            (Braces, "{config.json,env-2/*}", "config.yaml", false),
            (Braces, "{a,b{1,2}}.yaml", "b2.yaml", true),
            (Braces, "{a,b{1,2}}.yaml", "b3.yaml", false),
            (Braces, "{a,b", "a", false),
            (Braces, "ü?", "üö", true),
        ] {
            let matched = Glob::new(pattern, style).matches(path);
            assert_eq!(matched, expected, "{style:?} {pattern} {path}");
        }
    }

    #[test]
    fn hostile_patterns_end() {
        let path = "a".repeat(2_000);
        assert!(!Glob::new(&("*a".repeat(2_000) + "b"), Style::Git).matches(&path));
        assert!(!Glob::new(&"{a,b}".repeat(200), Style::Braces).matches(&path));
        assert!(!Glob::new(&"{".repeat(5_000), Style::Braces).matches(&path));
        assert!(!Glob::new(&"*".repeat(PATTERN + 1), Style::Git).matches(&path));
    }
}
