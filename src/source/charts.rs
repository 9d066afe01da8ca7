//! Files of Helm charts whose names are none of manifests: helpers, packaged charts, locks. A change of
//! one can change what the chart renders to, so they are read as well.

/// The names that lock the versions of what a chart depends on.
const LOCKS: [&str; 2] = ["Chart.lock", "requirements.lock"];

/// Could a path be that of such a file? Whether it is depends on the chart: see [`belongs`].
pub(super) fn could_belong(path: &str) -> bool {
    charts_around(path).next().is_some()
}

/// Is a path that of such a file? `exists`: is there a manifest with this path?
pub(super) fn belongs(path: &str, exists: impl Fn(&str) -> bool) -> bool {
    charts_around(path).any(|chart| match chart {
        "" => exists("Chart.yaml"),
        chart => exists(&format!("{chart}/Chart.yaml")),
    })
}

/// The directories that a file could be part of, were they charts.
fn charts_around(path: &str) -> impl Iterator<Item = &str> {
    let starts = [0].into_iter().chain(path.match_indices('/').map(|(at, _)| at + 1));
    starts.filter_map(move |at| {
        let inside = path.get(at..)?;
        let part = inside.starts_with("templates/") || inside.starts_with("charts/");
        (part || LOCKS.contains(&inside)).then(|| path.get(..at.saturating_sub(1)))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_charts_are_known_by_their_place() {
        let exists = |path: &str| ["a/b/Chart.yaml", "Chart.yaml"].contains(&path);
        for (path, expected) in [
            ("a/b/templates/_helpers.tpl", true),
            ("a/b/charts/redis.tgz", true),
            ("a/b/charts/redis/templates/_x.tpl", true),
            ("a/b/Chart.lock", true),
            ("templates/x.tpl", true),
            ("Chart.lock", true),
            ("a/b/README.md", false),
            ("a/templates/x.tpl", false),
            ("c/charts/x.tgz", false),
            ("templates", false),
        ] {
            assert_eq!(belongs(path, exists), expected, "{path}");
            assert!(!expected || could_belong(path), "{path}");
        }
    }
}
