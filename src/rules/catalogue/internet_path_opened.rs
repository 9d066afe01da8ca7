//! Who of the Internet can use a path, and what stands in the way.

use super::super::evidence;
use crate::diff::facts;
use crate::model::{Cluster, Protocol, Workload};
use crate::reach::{Side, Slot};
use crate::report::{Message, Peers, Persona, Severity};
use crate::rules::{Check, Example, Opened, Rule};
use crate::set::fields::End;
use crate::set::{OverBudget, Set};

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "internet-path-opened",
    severity: Severity::High,
    persona: Persona::Regular,
    lesson: false,
    catches: "A path from or to the Internet, with what lets clients in from outside.",
    why: "A policy that admits everybody is one half; a Service of type LoadBalancer or NodePort, or a host port, is the \
          other. The row says what policies admit; this says whether the other half is there already, or that the row \
          takes in the Internet where its words do not show it. Pods whose trade it is (ingress controllers and \
          gateways) are left alone, and so are small blocks of addresses that nothing exposes.",
    fix: "Name the pods that connect. Requests from the Internet that come through an ingress controller come from its \
          pods.",
    bad: Example::new(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, ports: [{containerPort: 5432}]}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: payments}
spec: {type: LoadBalancer, selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - ports: [{port: 5432}]
",
    )
    .after(BEFORE),
    good: Example::new(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, ports: [{containerPort: 5432}]}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: payments}
spec: {type: LoadBalancer, selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432}]
",
    )
    .after(BEFORE),
    check: Check::Row(check),
};

const BEFORE: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, ports: [{containerPort: 5432}]}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: payments}
spec: {type: LoadBalancer, selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
";

/// How many declared workloads are asked about.
const ASKED: usize = 50;

fn check(opened: &mut Opened<'_, '_, '_>) -> Result<Option<Message>, OverBudget> {
    let from = facts::addresses(opened.encoder, opened.flows, End::Source)?;
    if from.iter().any(|net| facts::is_public(net, opened.config)) {
        let wide = facts::wide(&from, opened.config);
        return incoming(opened, wide);
    }
    let to = facts::addresses(opened.encoder, opened.flows, End::Destination)?;
    let plain = is_plain(&opened.row.to);
    let unsaid = facts::wide(&to, opened.config) && !plain;
    Ok(unsaid.then(|| {
        Message::new("Among these destinations is the Internet: data can leave to anybody")
    }))
}

/// Do the words of an end themselves say that it is the Internet? Those of a large block do not.
fn is_plain(peers: &Peers) -> bool {
    peers.anything || peers.any_of.iter().any(is_plain) || peers.text.contains("any external")
}

fn incoming(opened: &mut Opened<'_, '_, '_>, wide: bool) -> Result<Option<Message>, OverBudget> {
    let outside = opened.encoder.outside(End::Source)?;
    let flows = opened.encoder.d.and(opened.flows, outside)?;
    let cluster = opened.encoder.world.cluster(Side::After);
    let mut asked = 0;
    for (first, last) in opened.encoder.slots(flows, End::Destination)? {
        for slot in first..=last.min(opened.encoder.world.external().0) {
            let Slot::Workload(index) = opened.encoder.world.slot(slot) else { break };
            let known = opened.encoder.world.workloads.get(index);
            let Some(workload) = known.and_then(|known| *known.on.on(Side::After)) else {
                continue;
            };
            asked += 1;
            if asked > ASKED {
                break;
            }
            let here = opened.encoder.in_slots(End::Destination, &[(slot, slot)])?;
            let here = opened.encoder.d.and(flows, here)?;
            if !evidence::is_edge(workload)
                && let Some(message) = exposed(opened, cluster, workload, here)?
            {
                return Ok(Some(message));
            }
        }
    }
    let unsaid = wide && !is_plain(&opened.row.from);
    Ok(unsaid.then(|| {
        Message::new(
            "Among these sources is the Internet, for whatever is exposed there now or later",
        )
    }))
}

/// What lets clients from outside in to a port of the row.
fn exposed(
    opened: &mut Opened<'_, '_, '_>,
    cluster: &Cluster,
    workload: &Workload,
    flows: Set,
) -> Result<Option<Message>, OverBudget> {
    let mut admits = |ports: &mut dyn Iterator<Item = (Protocol, u16)>| {
        for (protocol, number) in ports {
            let port = facts::port(opened.encoder, protocol, number)?;
            if !opened.encoder.d.and(flows, port)?.is_empty() {
                return Ok(Some((protocol, number)));
            }
        }
        Ok(None)
    };
    for service in evidence::services_of(cluster, workload) {
        if let Some(kind) = evidence::exposure(service)
            && let Some((protocol, number)) =
                admits(&mut evidence::targets(workload, service).into_iter())?
        {
            return Ok(Some(
                Message::new("Service ")
                    .name(format_args!("{}/{}", service.namespace, service.name))
                    .words(" (")
                    .words(kind)
                    .words(") lets clients from outside the cluster in to ")
                    .name(&workload.id)
                    .words(" on ")
                    .words(protocol.as_str())
                    .words(" ")
                    .number(number.into())
                    .words(": these addresses can use this path now"),
            ));
        }
    }
    let mut host_ports = workload.host_ports.iter().copied();
    let any_port = !workload.host_ports.is_empty()
        && admits(&mut workload.ports.iter().map(|port| (port.protocol, port.number)))?.is_some();
    Ok(host_ports.next().filter(|_| any_port).map(|(protocol, number)| {
        Message::new("Nodes forward ")
            .words(protocol.as_str())
            .words(" ")
            .number(number.into())
            .words(" (`hostPort`) to ")
            .name(&workload.id)
            .words(": these addresses can use this path now")
    }))
}

#[cfg(test)]
mod tests {
    use super::{BEFORE, RULE};
    use crate::rules::catalogue::testing::words_on_rows;

    fn words(before: &str, ingress: &str) -> Vec<String> {
        words_on_rows(RULE.id, before, &format!("{before}  ingress: {ingress}\n"), "")
    }

    const OFFICE: &str = "[{from: [{ipBlock: {cidr: 93.184.216.0/24}}], ports: [{port: 5432}]}]";
    const ANYBODY: &str = "[{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]";

    #[test]
    fn an_office_is_told_where_a_load_balancer_lets_it_in() {
        assert!(words(BEFORE, OFFICE)[0].contains("LoadBalancer"));
        let inside = BEFORE.replace("LoadBalancer", "ClusterIP");
        assert!(words(&inside, OFFICE).is_empty());
        let private = OFFICE.replace("93.184.216.0/24", "10.0.0.0/8");
        assert!(words(BEFORE, &private).is_empty());
    }

    #[test]
    fn words_that_say_it_need_no_more() {
        let inside = BEFORE.replace("LoadBalancer", "ClusterIP");
        assert!(words(&inside, ANYBODY).is_empty());
        assert!(words(&inside, "[{}]").is_empty());
        let half = "[{from: [{ipBlock: {cidr: 0.0.0.0/1}}]}]";
        assert!(!words(&inside, half).is_empty());
    }

    #[test]
    fn another_port_than_the_exposed_one() {
        let other = OFFICE.replace("5432", "9187");
        assert!(words(BEFORE, &other).is_empty());
    }

    #[test]
    fn whose_trade_it_is() {
        let edge = BEFORE.replace("name: db,", "name: ingress-nginx,");
        assert!(words(&edge, OFFICE).is_empty());
    }
}
