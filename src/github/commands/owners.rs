//! CODEOWNERS: which users and teams own a path, by GitHub's rules.
//!
//! The last line that matches decides, also where it names nobody. Patterns are those of gitignore, without
//! `!`, `[ ]` and `\#`; a line with one of these says nothing, as on GitHub. An e-mail address is nobody that a comment
//! could be from.

/// Where the file can be, in the order in which it is looked for.
pub const PLACES: [&str; 3] = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"];

/// GitHub reads no larger one.
pub const LARGEST: usize = 3 << 20;

/// Who owns what.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    lines: Vec<Line>,
}

/// An owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A login.
    User(String),
    /// `organisation/team`.
    Team(String),
}

#[derive(Clone, Debug)]
struct Line {
    pattern: Pattern,
    owners: Vec<Owner>,
}

/// The parts of a pattern between its slashes.
#[derive(Clone, Debug)]
struct Pattern {
    parts: Vec<Part>,
    /// It can begin in any directory.
    anywhere: bool,
    /// What is below a match matches, too.
    below: bool,
    /// Only what is below a match does.
    only_below: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// `**`: any number of directories.
    Any,
    /// The signs of one name.
    Name(Vec<Sign>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Star,
    One,
    Just(char),
}

impl Owners {
    /// Reads the text of the file.
    pub fn read(text: &str) -> Self {
        match text.len() <= LARGEST {
            true => Self { lines: text.lines().filter_map(line).collect() },
            false => Self::default(),
        }
    }

    /// The owners of a path from the root of the repository.
    pub fn of(&self, path: &str) -> &[Owner] {
        let names: Vec<&str> = path.split('/').collect();
        let last = self.lines.iter().rfind(|line| line.pattern.matches(&names));
        last.map_or(&[], |line| &line.owners)
    }
}

fn line(text: &str) -> Option<Line> {
    let text = text.trim();
    if text.is_empty() || text.starts_with(['#', '!']) || text.starts_with("\\#") {
        return None;
    }
    let (pattern, rest) = match blank(text) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let pattern = Pattern::read(pattern)?;
    let mut owners = Vec::new();
    for word in rest.split_whitespace().take_while(|word| !word.starts_with('#')) {
        match word.strip_prefix('@') {
            Some(name) => owners.push(match name.split_once('/') {
                None if is_name(name) => Owner::User(name.into()),
                Some((organisation, team)) if is_name(organisation) && is_name(team) => {
                    Owner::Team(name.into())
                }
                _ => return None,
            }),
            None if word.contains('@') => {}
            None => return None,
        }
    }
    Some(Line { pattern, owners })
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// The first blank that no backslash escapes.
fn blank(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c.is_whitespace() && !escaped {
            return Some(at);
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

impl Pattern {
    fn read(text: &str) -> Option<Self> {
        if text.contains(['[', ']']) {
            return None;
        }
        let only_below = text.ends_with('/');
        let bare = text.strip_suffix('/').unwrap_or(text);
        let rooted = bare.strip_prefix('/');
        let bare = rooted.unwrap_or(bare);
        if bare.is_empty() {
            return None;
        }
        let mut anywhere = rooted.is_none() && !bare.contains('/');
        let mut parts: Vec<Part> = bare.split('/').map(part).collect();
        let mut only_below = only_below;
        while parts.last() == Some(&Part::Any) {
            parts.pop();
            only_below = true;
        }
        let star = Part::Name(vec![Sign::Star]);
        if parts.is_empty() {
            (parts, anywhere, only_below) = (vec![star.clone()], true, false);
        }
        // `docs/*` are the files there, and not those of directories in it.
        let below = only_below || parts.last() != Some(&star);
        Some(Self { parts, anywhere, below, only_below })
    }

    fn matches(&self, names: &[&str]) -> bool {
        let starts = if self.anywhere { names.len() } else { 1 };
        (0..starts).any(|start| names.get(start..).is_some_and(|names| self.from(names)))
    }

    /// Does it match a path that begins with these names? By the table of beginnings that match, so that a hostile pattern
    /// costs no more than its length times that of the path.
    fn from(&self, names: &[&str]) -> bool {
        // `reached[n]`: the parts so far match the first `n` names.
        let mut reached = vec![false; names.len() + 1];
        reached[0] = true;
        for part in &self.parts {
            let mut next = vec![false; names.len() + 1];
            match part {
                Part::Any => {
                    let mut open = false;
                    for (next, now) in next.iter_mut().zip(&reached) {
                        open |= *now;
                        *next = open;
                    }
                }
                Part::Name(signs) => {
                    for ((next, now), name) in next.iter_mut().skip(1).zip(&reached).zip(names) {
                        *next = *now && named(signs, name);
                    }
                }
            }
            reached = next;
        }
        let whole = reached.pop().unwrap_or_default() && !self.only_below;
        // At least one name has matched, and at least one is left.
        whole || self.below && reached.iter().skip(1).any(|reached| *reached)
    }
}

fn part(text: &str) -> Part {
    if text == "**" {
        return Part::Any;
    }
    let mut signs = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        signs.push(match c {
            '*' => Sign::Star,
            '?' => Sign::One,
            '\\' => Sign::Just(chars.next().unwrap_or('\\')),
            c => Sign::Just(c),
        });
    }
    signs.dedup_by(|a, b| *a == Sign::Star && *b == Sign::Star);
    Part::Name(signs)
}

/// Does a name match? The last star takes one more where what follows it does not fit, which is enough.
fn named(signs: &[Sign], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut sign, mut at) = (0, 0);
    let mut star = None;
    while let Some(c) = name.get(at) {
        match signs.get(sign) {
            Some(Sign::Star) => {
                star = Some((sign, at));
                sign += 1;
            }
            Some(Sign::One) => (sign, at) = (sign + 1, at + 1),
            Some(Sign::Just(own)) if own == c => (sign, at) = (sign + 1, at + 1),
            _ => match star {
                Some((own, taken)) => {
                    star = Some((own, taken + 1));
                    (sign, at) = (own + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    signs.iter().skip(sign).all(|sign| *sign == Sign::Star)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, path: &str) -> bool {
        !Owners::read(&format!("{pattern} @a")).of(path).is_empty()
    }

    #[test]
    fn patterns() {
        for (pattern, yes, no) in [
            ("*", &["a", "a/b/c"][..], &[][..]),
            ("*.yaml", &["a.yaml", "d/e/a.yaml"], &["a.yml", "a.yaml.txt"]),
            (
                "/build/logs/",
                &["build/logs/a", "build/logs/b/c"],
                &["build/logs", "x/build/logs/a"],
            ),
            ("docs/*", &["docs/a.md"], &["docs/a/b.md", "x/docs/a.md", "docs"]),
            ("apps/", &["apps/a", "x/apps/a/b"], &["apps", "x/apps"]),
            ("/apps/shop", &["apps/shop", "apps/shop/a/b"], &["apps/shopping", "x/apps/shop"]),
            ("apps/shop", &["apps/shop/a"], &["x/apps/shop/a"]),
            ("**/logs", &["logs/a", "a/b/logs", "a/logs/b"], &["logs.txt", "a/logss/b"]),
            ("/a/**/z", &["a/z", "a/b/z", "a/b/c/z/y"], &["b/z", "az"]),
            ("a/**", &["a/b", "a/b/c"], &["a", "b/a/c"]),
            ("**", &["a", "a/b"], &[]),
            ("te?t.md", &["test.md", "x/text.md"], &["tet.md"]),
            ("a\\ b.md", &["a b.md"], &["a", "b.md"]),
            ("a*b*c", &["abc", "axxbbyc", "abcbc"], &["ab", "acb"]),
            ("Docs/", &["Docs/a"], &["docs/a"]),
            ("[ab].md", &[], &["a.md", "[ab].md"]),
            ("!a.md", &[], &["a.md", "!a.md"]),
        ] {
            for path in yes {
                assert!(matches(pattern, path), "{pattern} has {path}");
            }
            for path in no {
                assert!(!matches(pattern, path), "{pattern} has not {path}");
            }
        }
    }

    #[test]
    fn the_last_line_decides() {
        let owners = Owners::read(
            "# comment\n* @everybody mail@example.com # and @nobody\n/db/ @org/db @dba\n/db/free.yaml\n\
             /x.yaml only words @a\n\\#y @b\n/mail mail@example.com\n",
        );
        let user = |name: &str| Owner::User(name.into());
        assert_eq!(owners.of("a.yaml"), [user("everybody")]);
        assert_eq!(owners.of("db/a.yaml"), [Owner::Team("org/db".into()), user("dba")]);
        assert_eq!(owners.of("db/free.yaml"), [], "nobody owns it any more");
        assert_eq!(owners.of("x.yaml"), [user("everybody")], "a line that is wrong says nothing");
        assert_eq!(owners.of("#y"), [user("everybody")]);
        assert_eq!(owners.of("mail"), [], "nobody that a comment could be from");
        let large = format!("* @a\n{}", "#".repeat(LARGEST));
        assert_eq!(Owners::read(&large).of("a"), []);
    }

    proptest! {
        #[test]
        fn anything_can_be_read(text in "(\\*|\\*\\*|/|a|b|\\?|\\\\| |@a|@o/t|#|\n|\\PC){0,60}", path in "[ab/]{0,20}") {
            Owners::read(&text).of(&path);
        }

        /// Against the plain definition of a star.
        #[test]
        fn stars(pattern in "[ab*?]{1,8}", name in "[ab]{1,10}") {
            fn plain(pattern: &[u8], name: &[u8]) -> bool {
                match (pattern.split_first(), name.split_first()) {
                    (None, None) => true,
                    (Some((b'*', rest)), None) => plain(rest, name),
                    (Some((b'*', rest)), Some((_, tail))) => plain(rest, name) || plain(pattern, tail),
                    (Some((b'?', rest)), Some((_, tail))) => plain(rest, tail),
                    (Some((p, rest)), Some((n, tail))) => p == n && plain(rest, tail),
                    _ => false,
                }
            }
            // `**` is a part of its own.
            prop_assume!(pattern != "**");
            prop_assert_eq!(matches(&format!("/{pattern}"), &name), plain(pattern.as_bytes(), name.as_bytes()));
        }

        /// A path's own name, and every directory above it, match it.
        #[test]
        fn a_path_and_what_is_above_it_match(path in "[abc]{1,3}(/[abc]{1,3}){0,4}", other in "[xyz]{1,3}") {
            let mut above = String::new();
            for name in path.split('/') {
                above = format!("{above}/{name}");
                prop_assert!(matches(&above, &path));
                prop_assert_eq!(matches(&format!("{above}/"), &path), above.len() <= path.len());
                let (elsewhere, under) = (format!("/{other}{above}"), format!("{other}/{path}"));
                prop_assert!(!matches(&elsewhere, &path));
                prop_assert!(!matches(&above, &under));
            }
        }
    }
}
