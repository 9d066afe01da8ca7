//! "Did you mean": the nearest thing that exists.

/// The candidates nearest to `wanted`, best first, at most `limit` of them; none that is too far to be
/// a slip of the finger. Letter case counts less than other differences.
pub fn nearest<'a>(
    wanted: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    limit: usize,
) -> Vec<&'a str> {
    let folded = wanted.to_lowercase();
    let mut scored: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter(|candidate| *candidate != wanted)
        .filter_map(|candidate| {
            let distance = strsim::damerau_levenshtein(&folded, &candidate.to_lowercase());
            let allowed = wanted.chars().count().max(candidate.chars().count()).div_ceil(3);
            (distance <= allowed.min(6)).then_some((distance, candidate))
        })
        .collect();
    scored.sort_unstable();
    scored.dedup();
    scored.truncate(limit);
    scored.into_iter().map(|(_, candidate)| candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let names = ["main", "master", "release-1.2", "origin/main"];
        for (wanted, found) in [
            ("mian", vec!["main"]),
            ("mastr", vec!["master"]),
            ("MAIN", vec!["main"]),
            ("release-1.3", vec!["release-1.2"]),
            ("feature/login", vec![]),
            ("main", vec![]),
        ] {
            assert_eq!(nearest(wanted, names, 1), found, "{wanted}");
        }
    }
}
