//! May this flow happen, and which rule says so: one question to one snapshot.

mod peer;

pub use peer::{PeerError, PortError, read_peer, read_port, write_peer};

use crate::config::{Config, HostNetworkPods};
use crate::eval::{Decision, End, Flow, Side as Verdict, evaluate};
use crate::model::{Cluster, Direction, Origin};
use crate::parse::{Affects, Parsed, parse_both};
use crate::problems;
use crate::report::{
    Answer, EndAnswer, Hides, Location, PolicyRef, RuleRef, SCHEMA_VERSION, Side, Tool,
};
use crate::tree::Tree;

/// Why a question can't be answered: it is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The source.
    #[error("could not understand the source: {0}")]
    From(PeerError),
    /// The destination.
    #[error("could not understand the destination: {0}")]
    To(PeerError),
    /// The port.
    #[error("could not understand the port: {0}")]
    Port(PortError),
}

/// Answers whether a snapshot allows a flow from one peer to another, and by which rules.
///
/// `from` and `to` are PEERs (see [`read_peer`]), `port` is a PORT (see [`read_port`]). A pod whose
/// address is not known is outside every `ipBlock` (U1).
pub fn query(
    tree: &Tree,
    config: &Config,
    from: &str,
    to: &str,
    port: &str,
) -> Result<Answer, QueryError> {
    let (parsed, _) = parse_both(tree, tree, config);
    ask(&parsed, config.host_network_pods, from, to, port)
}

/// [`query`] on a snapshot that is read already.
pub fn query_parsed(
    parsed: &Parsed,
    from: &str,
    to: &str,
    port: &str,
) -> Result<Answer, QueryError> {
    ask(parsed, HostNetworkPods::Node, from, to, port)
}

fn ask(
    parsed: &Parsed,
    host_network_pods: HostNetworkPods,
    from: &str,
    to: &str,
    port: &str,
) -> Result<Answer, QueryError> {
    let cluster = &parsed.cluster;
    let mut source = read_peer(cluster, from).map_err(QueryError::From)?;
    let mut destination = read_peer(cluster, to).map_err(QueryError::To)?;
    for end in [&mut source.end, &mut destination.end] {
        if let End::Pod(pod) = end {
            pod.host_network &= host_network_pods == HostNetworkPods::Node;
        }
    }
    let (protocol, port) = read_port(port).map_err(QueryError::Port)?;

    let itself = source
        .workload
        .as_ref()
        .is_some_and(|workload| workload.single && Some(workload) == destination.workload.as_ref());
    let decision = if itself {
        to_itself()
    } else {
        evaluate(cluster, &Flow { from: &source.end, to: &destination.end, protocol, port })
    };
    let not_evaluated: Vec<_> = parsed
        .problems
        .iter()
        .filter(|problem| match &problem.affects {
            Affects::Nothing => false,
            Affects::Namespace(name) => [&source.end, &destination.end]
                .iter()
                .any(|end| matches!(end, End::Pod(pod) if pod.namespace == *name)),
            Affects::Anything | Affects::Perhaps => true,
        })
        .map(|problem| problems::not_evaluated(problem, Side::Both, Hides::Flow))
        .collect();
    Ok(Answer {
        schema_version: SCHEMA_VERSION,
        tool: Tool::this(),
        allowed: decision.allowed,
        egress: end_answer(cluster, &decision.egress, Direction::Egress),
        ingress: end_answer(cluster, &decision.ingress, Direction::Ingress),
        exact: not_evaluated.is_empty(),
        not_evaluated,
        inventory: problems::inventory(&parsed.inventory, &parsed.inventory),
    })
}

/// A bare pod can't be cut off from itself, whatever the policies say (B3).
fn to_itself() -> Decision {
    let open = Verdict { applies: false, allowed: true, isolated_by: Vec::new(), by: Vec::new() };
    Decision { allowed: true, egress: open.clone(), ingress: open }
}

fn end_answer(cluster: &Cluster, verdict: &Verdict, direction: Direction) -> EndAnswer {
    let rule_ref = |&(policy, rule): &(usize, usize)| {
        let policy = cluster.policies.get(policy)?;
        let origin = &policy.section(direction)?.rules.get(rule)?.origin;
        Some(RuleRef { policy: policy.id.to_string(), rule, location: location(origin) })
    };
    let policy_ref = |&policy: &usize| {
        let policy = cluster.policies.get(policy)?;
        Some(PolicyRef { policy: policy.id.to_string(), location: location(&policy.origin) })
    };
    EndAnswer {
        isolated: !verdict.isolated_by.is_empty(),
        allowed: verdict.allowed,
        by: verdict.by.iter().filter_map(rule_ref).collect(),
        isolated_by: if verdict.allowed {
            Vec::new()
        } else {
            verdict.isolated_by.iter().filter_map(policy_ref).collect()
        },
    }
}

/// A snapshot that stands alone is both sides.
fn location(origin: &Origin) -> Location {
    Location {
        side: Side::Both,
        file: origin.file.to_string(),
        start_line: origin.start_line,
        end_line: origin.end_line,
    }
}
