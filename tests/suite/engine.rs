//! The symbolic engine against the executable specification, on every flow of small worlds.

use crate::worlds::change::pair;
use crate::worlds::universe::{Names, Options, Point, Universe, UniverseFlow};
use netpol_review::config::Config;
use netpol_review::diff::gained_flows;
use netpol_review::model::{Cluster, Labels, NAMESPACE_NAME_LABEL, WorkloadId};
use netpol_review::reach::{Encoder, Reading, Side, World};
use netpol_review::set::Set;
use netpol_review::set::fields::{End, Field, PORT};
use netpol_review::set::ports;
use proptest::prelude::*;
use std::collections::BTreeSet;

const BUDGET: usize = 1_000_000;

/// Is the flow a member of the set?
pub fn contains(encoder: &Encoder, mut set: Set, flow: &UniverseFlow) -> bool {
    let world = encoder.world;
    let point = |end| match end {
        End::Source => flow.from,
        End::Destination => flow.to,
    };
    let slot = |end| match point(end) {
        Point::Workload { id, .. } => {
            world.workloads.iter().position(|w| w.id == id).expect("a known workload") as u32
        }
        Point::Undeclared { namespace, .. } => {
            world.namespace(namespace).map_or(world.elsewhere(), |index| world.undeclared(index))
        }
        Point::External(_) => world.external().0,
    };
    let label = |end, key: &str, of_namespace: bool| -> Option<Box<str>> {
        let Point::Undeclared { labels, namespace_labels, namespace, .. } = point(end) else {
            return None;
        };
        let labels: &Labels = if of_namespace { namespace_labels } else { labels };
        if of_namespace && key == NAMESPACE_NAME_LABEL {
            return Some((&**namespace).into());
        }
        labels.get(key).cloned()
    };
    let address = |end| match point(end) {
        Point::External(address) => Some(*address),
        Point::Workload { assumed_address, .. } | Point::Undeclared { assumed_address, .. } => {
            *assumed_address
        }
    };
    while let Some(level) = encoder.d.level(set) {
        let value = match encoder.fields.at(level) {
            _ if level == End::Destination.slot() => slot(End::Destination),
            _ if level == End::Source.slot() => slot(End::Source),
            _ if level == PORT => {
                ports::values(flow.atom.protocol, flow.atom.number, flow.atom.number).0
            }
            Some(Field::PodLabel(end, key)) => {
                encoder.fields.value_of(key, label(*end, key, false).as_deref())
            }
            Some(Field::NamespaceLabel(end, key)) => {
                encoder.fields.value_of(key, label(*end, key, true).as_deref())
            }
            Some(Field::PortName(protocol, name)) => {
                let Point::Undeclared { ports, .. } = flow.to else {
                    panic!("a declared pod's names are known")
                };
                let is_it = *protocol == flow.atom.protocol
                    && ports.iter().any(|port| {
                        port.name.as_ref() == Some(name)
                            && port.protocol == flow.atom.protocol
                            && port.number == flow.atom.number
                    });
                u32::from(is_it)
            }
            None => {
                let end =
                    [End::Destination, End::Source].into_iter().find(|e| e.address() == level);
                let address = address(end.expect("a field of an end"));
                encoder.world.addresses.value_of(address.expect("an end with an address"))
            }
        };
        let edges = encoder.d.edges(set);
        set = edges.iter().find(|edge| value <= edge.last).expect("edges cover all values").child;
    }
    set == Set::FULL
}

fn compare(before: &Cluster, after: &Cluster, options: &Options) {
    compare_in([before, after], [before, after], options, &Config::default());
}

/// Compares what the engine makes of two clusters under a configuration with what the specification says of two
/// that say the same without one.
pub fn compare_in(
    [before, after]: [&Cluster; 2],
    specified: [&Cluster; 2],
    options: &Options,
    config: &Config,
) {
    let world = World::of(before, after, config);
    let reading = match options.assumed_addresses {
        true => Reading::AnyAddress,
        false => Reading::KnownAddresses,
    };
    let mut encoder = Encoder::new(&world, reading, BUDGET);
    let opened = gained_flows(&mut encoder, Side::After).expect("within the budget");
    let closed = gained_flows(&mut encoder, Side::Before).expect("within the budget");
    let universe = Universe::of(specified[0], specified[1], options);
    // In the second reading every pod has some address; unknown ones belong to the first.
    let addressed = |point: &Point| match point {
        Point::External(_) => true,
        Point::Undeclared { assumed_address, .. } => assumed_address.is_some(),
        Point::Workload { id, assumed_address } => {
            let known = |cluster: &Cluster| {
                cluster.workloads.iter().all(|w| w.id != *id || !w.addresses.is_empty())
            };
            assumed_address.is_some() || (known(before) && known(after))
        }
    };
    let of_node = |id: &WorkloadId| {
        let all = [before, after].into_iter().flat_map(|cluster| &cluster.workloads);
        all.filter(|w| w.id == *id).map(|w| w.node_address).collect::<BTreeSet<_>>()
    };
    // An assumed address is one that such a pod can have.
    let possible = |point: &Point| {
        let (address, of_node) = match point {
            Point::External(_) => return true,
            Point::Undeclared { assumed_address, .. } => (assumed_address, BTreeSet::from([false])),
            Point::Workload { id, assumed_address } => (assumed_address, of_node(id)),
        };
        let ranges = match of_node.into_iter().collect::<Vec<_>>().as_slice() {
            [false] => &config.pod_ranges[..],
            [true] => &config.node_ranges[..],
            _ => &[],
        };
        let Some(address) = address else { return true };
        ranges.is_empty() || ranges.iter().any(|range| range.contains(address))
    };
    for flow in universe.flows() {
        if options.assumed_addresses && !(addressed(flow.from) && addressed(flow.to)) {
            continue;
        }
        if !(possible(flow.from) && possible(flow.to)) {
            continue;
        }
        let (then, now) = universe.decide(&flow);
        for (set, expected, name) in
            [(opened, now && !then, "opened"), (closed, then && !now, "closed")]
        {
            let found = contains(&encoder, set, &flow);
            assert_eq!(found, expected, "{name}: {flow:?}\nbefore {before:#?}\nafter {after:#?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Neither missing nor invented: each flow is in the rows iff the specification says so.
    #[test]
    fn rows_are_exactly_what_opened_and_closed(pair in pair()) {
        compare(&pair.before, &pair.after, &Options::default());
    }

    /// The same where names of ports meet numbers.
    #[test]
    fn rows_are_exact_where_port_names_clash(pair in pair()) {
        compare(&pair.before, &pair.after, &Options { names: Names::Clashing, ..Options::default() });
    }

    /// The same where pods may have any address (U1).
    #[test]
    fn rows_are_exact_where_blocks_match_pods(pair in pair()) {
        compare(&pair.before, &pair.after, &Options { assumed_addresses: true, ..Options::default() });
    }
}
