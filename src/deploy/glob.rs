//! Globs over paths: `*` stays within a component, `**` does not, `{a,b}` are alternatives.

use globset::{GlobBuilder, GlobMatcher};

/// Does a glob match a path? One that is none matches nothing: ask [`is_valid`] first.
pub fn matches(glob: &str, path: &str) -> bool {
    matcher(glob).is_some_and(|matcher| matcher.is_match(path))
}

/// Is it a glob at all?
pub fn is_valid(glob: &str) -> bool {
    matcher(glob).is_some()
}

fn matcher(glob: &str) -> Option<GlobMatcher> {
    Some(GlobBuilder::new(glob).literal_separator(true).build().ok()?.compile_matcher())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_know_components() {
        for (glob, path, expected) in [
            ("apps/*", "apps/shop", true),
            ("apps/*", "apps/shop/x", false),
            ("apps/**", "apps/shop/x", true),
            ("*.{yaml,yml}", "a.yml", true),
            ("[", "[", false),
        ] {
            assert_eq!(matches(glob, path), expected, "{glob} {path}");
        }
        assert!(!is_valid("["));
    }
}
