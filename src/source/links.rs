//! Symbolic links: not followed, but what they lead to is part of what identifies them, so that no change hides
//! behind one.

use super::Loaded;
use crate::tree::{Files, SkippedFile, is_kustomization, is_manifest};
use std::collections::BTreeMap;

/// How many links lead from one to the next before they count as a loop; Linux takes as many.
const LONGEST_CHAIN: usize = 40;

/// The path that a link leads to, through other links, all given by path and target; `None` where it leads out of
/// the tree or round in circles. Whether there is something is for the caller to see.
pub(super) fn resolve(link: &str, links: &BTreeMap<&str, String>) -> Option<String> {
    let mut rest: Vec<&str> = link.split('/').rev().collect();
    let mut path: Vec<&str> = Vec::new();
    let mut followed = 0;
    while let Some(part) = rest.pop() {
        match part {
            "" | "." => continue,
            ".." => {
                path.pop()?;
                continue;
            }
            name => path.push(name),
        }
        let Some(target) = links.get(path.join("/").as_str()) else { continue };
        followed += 1;
        if followed > LONGEST_CHAIN || target.is_empty() || target.starts_with('/') {
            return None;
        }
        path.pop();
        rest.extend(target.split('/').rev());
    }
    Some(path.join("/"))
}

/// Adds what links lead to to their identities, as far as it is not read under its own name. A link to a directory
/// without manifests plays no part of its own.
pub(super) fn identify(side: &mut Loaded) {
    let mut skipped = std::mem::take(&mut side.tree.skipped);
    side.others.not_read(skipped.iter().cloned());
    side.others.expect(skipped.iter().filter_map(|link| link.leads_to.as_deref()));
    for link in &mut skipped {
        let files = side.files();
        let Some(target) = link.leads_to.take() else { continue };
        // A kustomization and a chart speak of what is beside them, and are others elsewhere.
        let speaks = is_kustomization(&link.path) || link.path.ends_with("Chart.yaml");
        if speaks {
            let beside = link.path.rsplit_once('/').map_or("", |(directory, _)| directory);
            link.identity = format!("{}{}", files.identity_of(&target), files.identity_of(beside));
        } else if side.tree.files.contains_key(target.as_str()) {
            link.leads_to = Some(target);
        } else if files.is_file(&target) {
            match files.read(&target) {
                Some(content) => link.holds(&content),
                // What can't be read is never taken for the same.
                None => link.identity = format!("{} in {}", link.identity, side.tree.name),
            }
        } else {
            let inside = files.below(&target);
            let mut manifests = inside.iter().filter(|path| is_manifest(path));
            match manifests.all(|path| side.tree.files.contains_key(path)) {
                true => link.leads_to = Some(target),
                false => link.identity = format!("{}{}", link.identity, files.identity_of(&target)),
            }
        }
    }
    let files = side.files();
    let plays_a_part = |link: &SkippedFile| {
        let Some(target) = &link.leads_to else { return true };
        is_manifest(&link.path)
            || files.unread(target).is_some()
            || !files.unread_below(target).is_empty()
            || files.below(target).iter().any(|path| is_manifest(path))
    };
    let (skipped, rest): (Vec<_>, Vec<_>) = skipped.into_iter().partition(plays_a_part);
    side.others.not_read(skipped.iter().chain(&rest).cloned());
    side.tree.skipped = skipped;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_links_lead() {
        let links = BTreeMap::from([
            ("a", "docs/guide"),
            ("docs/up", "../README.md"),
            ("docs/twice", "./up"),
            ("current", "releases//v2"),
            ("releases/v2", "v1"),
            ("deep/x.yaml", "../current/x.txt"),
            ("out", "../outside.md"),
            ("absolute", "/README.md"),
            ("nothing", ""),
            ("loop", "pool"),
            ("pool", "loop"),
        ]);
        let links = links.into_iter().map(|(path, target)| (path, target.to_string())).collect();
        for (link, expected) in [
            ("a", Some("docs/guide")),
            ("docs/up", Some("README.md")),
            ("docs/twice", Some("README.md")),
            ("current", Some("releases/v1")),
            ("deep/x.yaml", Some("releases/v1/x.txt")),
            ("out", None),
            ("absolute", None),
            ("nothing", None),
            ("loop", None),
        ] {
            assert_eq!(resolve(link, &links).as_deref(), expected, "{link}");
        }
    }
}
