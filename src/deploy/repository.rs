//! Is a source the repository and the branch under review?

use super::Facts;

impl Facts<'_> {
    /// Is an address the one of this repository? Where nobody knows its addresses, it is if what is looked for is
    /// in it: `there`.
    pub(super) fn is_this(&self, url: &str, there: impl FnOnce() -> bool) -> bool {
        let Some(wanted) = normal(url) else { return false };
        if self.urls.is_empty() {
            return there();
        }
        self.urls.iter().any(|own| normal(own).is_some_and(|own| own == wanted))
    }

    /// Is a branch, tag, commit or range of versions something else than the branch under review?
    pub(super) fn is_pinned(&self, revision: &str) -> bool {
        if revision.is_empty() || revision == "HEAD" {
            return false;
        }
        let branch = revision.strip_prefix("refs/heads/");
        if branch.is_none() && self.branches.is_empty() && is_no_branch(revision) {
            return true;
        }
        self.is_other_branch(branch.unwrap_or(revision))
    }

    /// Is a branch another than the one under review? Where nobody knows that one, none is.
    pub(super) fn is_other_branch(&self, branch: &str) -> bool {
        !self.branches.is_empty() && !self.branches.iter().any(|own| own == branch)
    }
}

/// An address without what does not tell repositories apart: scheme, user, port, case, `.git`. `None`: it is no
/// git repository's.
fn normal(url: &str) -> Option<String> {
    let url = url.trim();
    let rest = match url.split_once("://") {
        Some((scheme, rest)) => {
            let git = ["https", "http", "ssh", "git", "git+ssh", "git+https"];
            git.contains(&scheme.to_ascii_lowercase().as_str()).then_some(rest)?.to_string()
        }
        // `user@host:path`, git's short form.
        None => match url.split_once(':') {
            Some((host, path)) if !host.contains('/') => format!("{host}/{path}"),
            _ => url.to_string(),
        },
    };
    let (host, path) = rest.split_once('/')?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let parts = path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>();
    (!host.is_empty() && !parts.is_empty())
        .then(|| format!("{host}/{}", parts.join("/")).to_lowercase())
}

/// Does a revision look like a tag, a commit or a range of versions, rather than like a branch?
fn is_no_branch(revision: &str) -> bool {
    if revision.starts_with("refs/") {
        return true;
    }
    let hexadecimal = revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hexadecimal && revision.len() >= 7 && revision.bytes().any(|byte| byte.is_ascii_digit()) {
        return true;
    }
    if revision.starts_with(['^', '~', '>', '<', '=', '*']) || revision.contains([' ', '*']) {
        return true;
    }
    let version = revision.strip_prefix(['v', 'V']).unwrap_or(revision);
    let numbers = version.split(['-', '+']).next().unwrap_or_default();
    numbers.starts_with(|first: char| first.is_ascii_digit())
        && numbers.split('.').all(|part| {
            part.eq_ignore_ascii_case("x")
                || !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    #[test]
    fn spellings_of_one_address() {
        let same = "example.com/shop/deploy";
        for url in [
            "https://example.com/shop/deploy",
            "https://Example.com/shop/deploy.git",
            "https://user:token@example.com/Shop/deploy/",
            "http://example.com:8080/shop/deploy",
            "ssh://git@example.com/shop/deploy.git",
            "ssh://git@example.com:2222/shop/deploy",
            "git@example.com:shop/deploy.git",
            "git@example.com:/shop/deploy.git",
            " https://example.com//shop/deploy ",
        ] {
            assert_eq!(normal(url).as_deref(), Some(same), "{url}");
        }
        for url in [
            "https://example.com/shop/deploy-2",
            "https://example.org/shop/deploy",
            "https://example.com/shop/deploy/more",
            "oci://example.com/shop/deploy",
            "https://example.com",
            "shop",
            "",
        ] {
            assert_ne!(normal(url).as_deref(), Some(same), "{url}");
        }
    }

    #[test]
    fn revisions() {
        let tree = Tree::default();
        let main = ["main".to_string()];
        for (revision, unknown, known) in [
            ("", false, false),
            ("HEAD", false, false),
            ("main", false, false),
            ("refs/heads/main", false, false),
            ("production", false, true),
            ("release-1.2", false, true),
            ("v2-migration", true, true),
            ("v1.2.3", true, true),
            ("1.2.x", true, true),
            ("1.2.3-rc.1", true, true),
            ("^1.0", true, true),
            (">= 1.0 < 2", true, true),
            ("2024", true, true),
            ("refs/tags/main", true, true),
            ("0c3f5d1", true, true),
            ("0c3f5d1b2c3d4e5f60718293a4b5c6d7e8f90123", true, true),
            ("feedbee", false, true),
            ("v1.beta", false, true),
        ] {
            let facts = Facts { urls: &[], branches: &[], files: &tree };
            assert_eq!(facts.is_pinned(revision), unknown, "{revision} of an unknown branch");
            let facts = Facts { branches: &main, ..facts };
            assert_eq!(facts.is_pinned(revision), known, "{revision} of main");
        }
    }

    #[test]
    fn an_unknown_address_is_ours_if_the_path_is_there() {
        let tree = Tree::default();
        let facts = Facts { urls: &[], branches: &[], files: &tree };
        assert!(facts.is_this("https://example.com/a/b", || true));
        assert!(!facts.is_this("https://example.com/a/b", || false));
        assert!(!facts.is_this("oci://example.com/a/b", || true));
        let own = ["git@example.com:a/b.git".to_string()];
        let facts = Facts { urls: &own, ..facts };
        assert!(facts.is_this("https://example.com/a/b", || false));
        assert!(!facts.is_this("https://example.com/a/c", || true));
    }
}
