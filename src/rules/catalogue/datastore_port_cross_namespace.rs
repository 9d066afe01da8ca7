//! Data stores that pods of other namespaces can reach.

use super::super::evidence;
use crate::diff::facts::{self, Listener};
use crate::model::{ContainerPort, Protocol, Workload};
use crate::reach::Slot;
use crate::report::{Message, Persona, Severity};
use crate::rules::{Check, Example, Opened, Rule};
use crate::set::OverBudget;
use crate::set::fields::End;

/// See [`Rule::catches`].
pub const RULE: Rule = Rule {
    id: "datastore-port-cross-namespace",
    severity: Severity::High,
    persona: Persona::Regular,
    lesson: false,
    catches: "A path to a data store from another namespace or from outside the cluster.",
    why: "What a data store holds belongs to one application, which mostly lives beside it. Who else can connect is one \
          password away from all of it. A workload is a data store by its image, or where no image is known by the port \
          that it declares. Clients of its own namespace are left alone, and so are such ports of other images.",
    fix: "Name the pods that need it, with their namespace, and this one port.",
    bad: Example::new(
        "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: 'postgres:17', ports: [{containerPort: 5432}]}]}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{namespaceSelector: {}}]
",
    )
    .after(BEFORE),
    good: Example::new(
        "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: 'postgres:17', ports: [{containerPort: 5432}]}]}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {}}]
",
    )
    .after(BEFORE),
    check: Check::Row(check),
};

const BEFORE: &str = "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: payments}
spec: {template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: 'postgres:17', ports: [{containerPort: 5432}]}]}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-ingress, namespace: payments}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
";

/// How many data stores are looked for.
const ASKED: usize = 20;

/// How many a message names.
const NAMED: usize = 3;

fn check(opened: &mut Opened<'_, '_, '_>) -> Result<Option<Message>, OverBudget> {
    let listeners = facts::listeners(opened.encoder, opened.flows, ASKED, is_store)?;
    let mut stores: Vec<String> = Vec::new();
    for Listener { slot, workload, port } in listeners {
        let encoder = &mut *opened.encoder;
        let own = facts::namespace_slots(encoder, Slot::Workload(slot as usize));
        let own = encoder.in_slots(End::Source, &own)?;
        let foreign = encoder.d.minus(opened.flows, own)?;
        let here = encoder.in_slots(End::Destination, &[(slot, slot)])?;
        let listens = facts::port(encoder, port.protocol, port.number)?;
        let there = encoder.d.and(here, listens)?;
        if !encoder.d.and(foreign, there)?.is_empty() {
            let images = workload.images.iter().find(|image| evidence::is_store_image(image));
            let what = images.map(|image| format!(" ({})", evidence::image_name(image)));
            stores.push(format!("{}{} {}", workload.id, what.unwrap_or_default(), port.number));
        }
    }
    Ok((!stores.is_empty()).then(|| {
        Message::new(
            "A data store listens there, and clients from outside its namespace reach it now: ",
        )
        .names(stores, NAMED)
    }))
}

/// By the image; where none is known, by the port.
fn is_store(workload: &Workload, port: &ContainerPort) -> bool {
    match evidence::is_store(workload) {
        Some(store) => {
            let metrics = port.name.as_ref().is_some_and(|name| name.contains("metrics"));
            store && port.protocol == Protocol::Tcp && !metrics
        }
        None => facts::is_store_port(port),
    }
}

#[cfg(test)]
mod tests {
    use super::{BEFORE, RULE};
    use crate::rules::catalogue::testing::on_rows;

    fn fires(before: &str, from: &str) -> bool {
        on_rows(RULE.id, before, &format!("{before}  ingress: [{{from: [{from}]}}]\n"))
    }

    const SHOP: &str = "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}, podSelector: {matchLabels: {app: web}}}";

    #[test]
    fn who_is_foreign() {
        assert!(fires(BEFORE, SHOP));
        assert!(fires(BEFORE, "{ipBlock: {cidr: 10.0.0.0/8}}"));
        assert!(!fires(BEFORE, &SHOP.replace("shop", "payments")));
        assert!(!fires(BEFORE, "{podSelector: {matchLabels: {app: web}}}"));
    }

    #[test]
    fn what_is_a_data_store() {
        assert!(!fires(&BEFORE.replace("postgres:17", "registry.example/team/api:3"), SHOP));
        assert!(!fires(&BEFORE.replace("postgres:17", "postgres-exporter"), SHOP));
        assert!(fires(&BEFORE.replace("image: 'postgres:17', ", ""), SHOP));
        assert!(fires(&BEFORE.replace("postgres:17", "rabbitmq").replace("5432", "5672"), SHOP));
    }

    #[test]
    fn a_rule_for_other_ports() {
        let after = format!("{BEFORE}  ingress: [{{from: [{SHOP}], ports: [{{port: 9187}}]}}]\n");
        assert!(!on_rows(RULE.id, BEFORE, &after));
    }
}
