//! Reports on random changes, held to the executable specification from outside: by what they say, not
//! by how it was found.

use crate::cases::{brute, reported, table};
use crate::worlds::{Options, Pair, Universe, manifests, pair};
use netpol_review::config::Config;
use netpol_review::query::query;
use netpol_review::report::{Report, Row, Verdict, Witness};
use netpol_review::review;
use netpol_review::tree::Tree;
use proptest::prelude::*;

/// The two sides as manifests. Files that are the same on both sides share their content.
pub fn trees(pair: &Pair) -> (Tree, Tree) {
    let tree = |name, cluster| {
        let files = manifests(cluster);
        Tree::from_texts(name, files.iter().map(|(path, text)| (path.as_str(), text.as_str())))
    };
    let (before, mut after) = (tree("before", &pair.before), tree("after", &pair.after));
    for (path, content) in &mut after.files {
        if let Some(same) = before.files.get(path).filter(|other| other.same(content)) {
            *content = same.clone();
        }
    }
    (before, after)
}

/// Is the witness allowed on a side? An end that can't be said there does not exist there.
fn allowed(tree: &Tree, witness: &Witness) -> bool {
    let port = format!("{}/{}", witness.protocol, witness.port);
    let answer = query(tree, &Config::default(), &witness.from, &witness.to, &port);
    answer.is_ok_and(|answer| answer.allowed)
}

/// The files of both sides, for messages.
pub fn shown(before: &Tree, after: &Tree) -> String {
    let files = |tree: &Tree| {
        let text = |(path, content): (&std::sync::Arc<str>, &netpol_review::tree::Content)| {
            format!("# {}: {path}\n{}", tree.name, String::from_utf8_lossy(content.bytes()))
        };
        tree.files.iter().map(text).collect::<String>()
    };
    format!("{}{}", files(before), files(after))
}

pub fn report(before: &Tree, after: &Tree) -> Report {
    review(before, after, &Config::default())
}

#[test]
fn port_names_do_not_resolve_on_the_host_network() {
    let workload = "apiVersion: v1\nkind: Pod\nmetadata: {name: w, namespace: a}\nspec:\n  hostNetwork: true\n  \
                    containers: [{name: c, image: i, ports: [{name: dns, containerPort: 53}]}]\n";
    let policy = |egress: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p, namespace: a}}\n\
             spec: {{podSelector: {{}}, policyTypes: [Egress], egress: [{egress}]}}\n"
        )
    };
    let tree =
        |egress: &str| Tree::from_texts("a", [("w.yaml", workload), ("p.yaml", &policy(egress))]);
    let report = report(&tree(""), &tree("{ports: [{port: dns}]}"));
    assert!(report.exact, "{:?}", report.not_evaluated);
}

proptest! {
    #![proptest_config(crate::worlds::config(96))]

    /// The concrete table is the one that asking for every flow gives.
    #[test]
    fn the_concrete_table_is_exact(pair in pair()) {
        let (before, after) = trees(&pair);
        let differences = table::differences(&reported(&before, &after), &brute::table(&before, &after));
        prop_assert!(differences.is_empty(), "{}", differences);
    }

    /// A change is widened iff some flow opens, narrowed iff none opens and some closes. Rows that need
    /// an assumption widen too, so without an opened flow at least one of them is there.
    #[test]
    fn the_verdict_is_exact(pair in pair()) {
        let (before, after) = trees(&pair);
        let report = report(&before, &after);
        prop_assert!(report.exact, "{:?}\n{}", report.not_evaluated, shown(&before, &after));
        let universe = Universe::of(&pair.before, &pair.after, &Options::default());
        let (mut opens, mut closes) = (None, None);
        for flow in universe.flows() {
            match universe.decide(&flow) {
                (false, true) => opens = Some(flow),
                (true, false) => closes = Some(flow),
                _ => {}
            }
        }
        let rows = || report.environments.iter().flat_map(|environment| {
            environment.opened.iter().map(|row| (true, row)).chain(environment.closed.iter().map(|row| (false, row)))
        });
        let sure = |opened: bool| rows().any(|(is, row)| is == opened && row.assumes.is_none());
        prop_assert!(opens.is_none() || sure(true), "opens: {:?}\n{:#?}\n{}", opens, report, shown(&before, &after));
        prop_assert!(closes.is_none() || sure(false), "closes: {:?}\n{:#?}\n{}", closes, report, shown(&before, &after));
        let expected = match (rows().any(|(opened, _)| opened), rows().next().is_some()) {
            (true, _) => Verdict::Widened,
            (false, true) => Verdict::Narrowed,
            (false, false) => Verdict::Unchanged,
        };
        prop_assert_eq!(report.result, expected);
    }

    /// Whoever asks for a witness gets the answer that the row claims.
    #[test]
    fn witnesses_can_be_asked_again(pair in pair()) {
        check_witnesses(&pair, |row| row.assumes.is_none())?;
    }

    /// So does who asks for one that assumes an address: it has to say the address.
    #[test]
    fn assumed_witnesses_can_be_asked_again(pair in pair()) {
        check_witnesses(&pair, |row| row.assumes.is_some())?;
    }
}

/// Is an end an undeclared pod of a namespace that has a manifest on one side only? Its namespace may have
/// had any labels on the other side, which a question to one side can't say.
fn in_half_declared_namespace(pair: &Pair, witness: &Witness) -> bool {
    [&witness.from, &witness.to].iter().any(|end| {
        let name = end.strip_prefix("namespace:").and_then(|rest| rest.split(',').next());
        name.is_some_and(|name| {
            pair.before.namespaces.contains_key(name) != pair.after.namespaces.contains_key(name)
        })
    })
}

fn check_witnesses(pair: &Pair, of: fn(&Row) -> bool) -> Result<(), TestCaseError> {
    let (before, after) = trees(pair);
    for environment in report(&before, &after).environments {
        for (rows, without, with) in
            [(&environment.opened, &before, &after), (&environment.closed, &after, &before)]
        {
            let can_be_said =
                |row: &&Row| of(row) && !in_half_declared_namespace(pair, &row.witness);
            for row in rows.iter().filter(can_be_said) {
                let (is, is_not) = (allowed(with, &row.witness), !allowed(without, &row.witness));
                prop_assert!(is && is_not, "{:?}\n{}", row, shown(&before, &after));
            }
        }
    }
    Ok(())
}
