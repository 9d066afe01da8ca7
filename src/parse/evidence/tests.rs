mod sorts;
mod workloads;

use crate::config::Config;
use crate::model::{
    Caller, Cluster, Evidence, MonitorPort, Namespaces, Need, ObsoleteKind, Origin, PortRef,
    Protocol, ServiceKind, Target,
};
use crate::parse::{Parsed, parse_both};
use crate::tree::{Rendered, Source, Tree};
use std::sync::Arc;

fn parsed(files: &[(&str, &str)]) -> Parsed {
    let tree = Tree::from_texts("t", files.iter().copied());
    parse_both(&Tree::default(), &tree, &Config::default()).1
}

/// What one file is read as, of which nothing may be a problem.
fn cluster(text: &str) -> Cluster {
    let parsed = parsed(&[("a.yaml", text)]);
    assert_eq!(parsed.problems, [], "{text}");
    parsed.cluster
}

fn evidence(text: &str) -> Evidence {
    cluster(text).evidence
}

fn port(port: &PortRef) -> String {
    match port {
        PortRef::Number(number) => number.to_string(),
        PortRef::Name(name) => name.to_string(),
    }
}

fn place(origin: &Origin) -> String {
    format!("{}:{}", origin.file, origin.start_line)
}

fn need(need: &Arc<Need>) -> String {
    let caller = match &need.caller {
        Caller::Workload(id) => id.to_string(),
        other => format!("{other:?}"),
    };
    let any = |found: Option<String>| found.unwrap_or("any".into());
    let names = |namespaces: &Namespaces| match namespaces {
        Namespaces::Any => "everywhere".to_string(),
        Namespaces::These(names) => {
            names.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join("+")
        }
    };
    let target = match &need.target {
        Target::Service { namespace, name, port: at } => {
            format!("{namespace}/{name} {}", any(at.as_ref().map(port)))
        }
        Target::Services { namespaces, selector, port: at } => {
            let at = at.as_ref().map(|at| match at {
                MonitorPort::Service(name) => name.to_string(),
                MonitorPort::Pod(at) => format!("pod's {}", port(at)),
            });
            format!("services {selector} in {} {}", names(namespaces), any(at))
        }
        Target::Pods { namespaces, selector, port: at } => {
            format!("pods {selector} in {} {}", names(namespaces), any(at.as_ref().map(port)))
        }
    };
    format!("{caller} -> {target} at {}", place(&need.origin))
}

fn needs(text: &str) -> Vec<String> {
    evidence(text).needs.iter().map(need).collect()
}

/// Services of these names in `shop` and `pay`, to be named by others.
const SERVICES: &str = "
---
{apiVersion: v1, kind: Service, metadata: {name: api, namespace: shop}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: db, namespace: pay}, spec: {ports: [{port: 5432}]}}
";

fn with_services(text: &str) -> String {
    format!("{text}{SERVICES}")
}

#[test]
fn a_service_is_read_whole() {
    let found = evidence(
        "apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
  labels: {team: a}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  externalIPs: [192.0.2.1]
  selector:
    app: web
  ports:
  - name: http
    port: 80
    targetPort: 8080
    nodePort: 30080
  - name: dns
    port: 53
    protocol: UDP
    targetPort: dns
  - name: plain
    port: 9000
    targetPort: null
",
    );
    let service = found.service("shop", "web").expect("it is there");
    assert_eq!(found.service("shop", "we"), None);
    assert_eq!(service.kind, ServiceKind::LoadBalancer);
    assert!(service.local_traffic && service.external_ips && !service.headless);
    assert_eq!(service.labels.get("team").map(AsRef::as_ref), Some("a"));
    assert_eq!(service.selector.get("app").map(AsRef::as_ref), Some("web"));
    assert_eq!((service.origin.start_line, service.origin.end_line), (1, 24));
    let ports: Vec<_> = service
        .ports
        .iter()
        .map(|p| (p.name.as_deref(), p.protocol, p.port, port(&p.target), p.node_port))
        .collect();
    assert_eq!(
        ports,
        [
            (Some("http"), Protocol::Tcp, 80, "8080".into(), Some(30080)),
            (Some("dns"), Protocol::Udp, 53, "dns".into(), None),
            (Some("plain"), Protocol::Tcp, 9000, "9000".into(), None),
        ]
    );
}

fn service(metadata: &str, spec: &str) -> Evidence {
    evidence(&format!("apiVersion: v1\nkind: Service\nmetadata: {metadata}\nspec: {spec}\n"))
}

#[test]
fn services_that_have_no_pods_of_their_own_are_told() {
    let one = |spec| service("{name: a}", spec).services.first().cloned().expect("a service");
    let external = one("{type: ExternalName, externalName: db.example.com}");
    assert_eq!((external.kind, external.ports.len()), (ServiceKind::ExternalName, 0));
    assert_eq!(&*external.namespace, "default");
    let headless = one("{clusterIP: None, selector: {app: a}}");
    assert!(headless.headless && headless.ports.is_empty());
    let bare =
        one("{selector: null, type: null, externalIPs: [], ports: [{port: 1, targetPort: 0}]}");
    assert!(bare.selector.is_empty() && !bare.external_ips && !bare.local_traffic);
    assert_eq!((bare.kind, port(&bare.ports[0].target)), (ServiceKind::ClusterIp, "1".into()));
}

#[test]
fn a_malformed_service_is_no_evidence_and_no_problem() {
    for (metadata, spec) in [
        ("{name: a}", "null"),
        ("{name: a}", "{}"),
        ("{name: a}", "[]"),
        ("{name: a}", "{ports: {port: 1}}"),
        ("{name: a}", "{ports: [{port: null}]}"),
        ("{name: a}", "{ports: [null]}"),
        ("{name: a}", "{ports: [{port: 0}]}"),
        ("{name: a}", "{ports: [{port: 65536}]}"),
        ("{name: a}", "{ports: [{port: '80'}]}"),
        ("{name: a}", "{ports: [{port: 80, targetPort: '8080'}]}"),
        ("{name: a}", "{ports: [{port: 80, targetPort: []}]}"),
        ("{name: a}", "{ports: [{port: 80, protocol: HTTP}]}"),
        ("{name: a}", "{ports: [{port: 80, nodePort: -1}]}"),
        ("{name: a}", "{ports: [{port: 80}], type: External}"),
        ("{name: a}", "{ports: [{port: 80}], type: 1}"),
        ("{name: a}", "{ports: [{port: 80}], selector: [a]}"),
        ("{name: a}", "{ports: [{port: 80}], selector: {a: 1}}"),
        ("{name: a, labels: {a: 1}}", "{ports: [{port: 80}]}"),
        ("null", "{ports: [{port: 80}]}"),
        ("[a]", "{ports: [{port: 80}]}"),
        ("{name: A_b}", "{ports: [{port: 80}]}"),
        ("{name: 1}", "{ports: [{port: 80}]}"),
        ("{name: a, namespace: ${NAMESPACE}}", "{ports: [{port: 80}]}"),
        ("{name: a}", "{ports: [{port: 80}], &a"),
    ] {
        assert_eq!(service(metadata, spec), Evidence::default(), "{metadata} {spec}");
    }
    let other = "apiVersion: example.com/v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}\n";
    assert_eq!(evidence(other), Evidence::default());
}

#[test]
fn documents_that_are_evidence_alone_play_no_part() {
    let read = parsed(&[
        ("a.yaml", SERVICES),
        ("b.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: [\n"),
    ]);
    assert_eq!((read.documents, read.relevant, read.cluster.evidence.services.len()), (3, 0, 2));
    assert_eq!(read.problems, []);
}

#[test]
fn objects_of_lists_and_of_json_count() {
    let list = "apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 1}]}}
- null
- {apiVersion: v1, kind: Service, metadata: {name: b}, spec: null}
---
apiVersion: v1
kind: ServiceList
items:
- {metadata: {name: c}, spec: {ports: [{port: 1}]}}
";
    let json = r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "d"}, "spec": {"ports": [{"port": 1}]}}"#;
    let found = parsed(&[("a.yaml", list), ("b.json", json)]).cluster.evidence;
    let names: Vec<_> = found.services.iter().map(|service| &*service.name).collect();
    assert_eq!(names, ["a", "c", "d"]);
}

#[test]
fn of_two_services_of_one_name_the_last_counts() {
    let one = |port| {
        format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: a}}, spec: {{ports: [{{port: {port}}}]}}}}"
        )
    };
    let found = parsed(&[("a.yaml", &one(1)), ("b.yaml", &one(2))]);
    assert_eq!(found.problems, []);
    let [service] = found.cluster.evidence.services.as_slice() else { panic!("not one") };
    assert_eq!((service.ports[0].port, &*service.origin.file), (2, "b.yaml"));
}

#[test]
fn an_ingress_needs_its_backends() {
    let text = "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a, namespace: shop}
spec:
  defaultBackend:
    service: {name: api, port: {name: http}}
  rules:
  - null
  - host: x
  - http:
      paths:
      - path: /
        backend:
          service: {name: api, port: {number: 80}}
      - backend: {service: {name: gone, port: {number: 80}}}
      - backend: {resource: {kind: Bucket, name: api}}
      - backend: null
---
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: old, namespace: shop}
spec: {backend: {serviceName: api, servicePort: 8080}}
";
    assert_eq!(
        needs(&with_services(text)),
        [
            "Controller -> shop/api 80 at a.yaml:13",
            "Controller -> shop/api 8080 at a.yaml:22",
            "Controller -> shop/api http at a.yaml:5",
        ]
    );
    assert_eq!(needs(text), [] as [&str; 0]);
    for spec in [
        "null",
        "[]",
        "{rules: {}}",
        "{rules: [{http: []}]}",
        "{defaultBackend: {service: {name: 1}}}",
    ] {
        let text = format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: a}}\nspec: {spec}\n"
        );
        assert_eq!(evidence(&text), Evidence::default(), "{spec}");
    }
}

#[test]
fn routes_need_services_and_nothing_else() {
    for kind in ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"] {
        let text = format!(
            "apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{name: a, namespace: shop}}
spec:
  rules:
  - backendRefs:
    - name: api
      port: 80
    - {{name: db, namespace: pay, port: 5432, kind: Service, group: ''}}
    - {{name: api, kind: Bucket}}
    - {{name: api, group: example.com}}
"
        );
        assert_eq!(
            needs(&with_services(&text)),
            ["Controller -> pay/db 5432 at a.yaml:9", "Controller -> shop/api 80 at a.yaml:7"],
            "{kind}"
        );
    }
}

#[test]
fn the_api_server_needs_webhooks() {
    for (version, kind, body, line) in [
        (
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            "webhooks: [{clientConfig: {url: x}}, {clientConfig: {service: {name: api, namespace: shop}}}, null]",
            4,
        ),
        (
            "admissionregistration.k8s.io/v1",
            "MutatingWebhookConfiguration",
            "webhooks:\n- clientConfig:\n    service: {name: api, namespace: shop, port: 443}",
            6,
        ),
        (
            "apiregistration.k8s.io/v1",
            "APIService",
            "spec: {service: {name: api, namespace: shop}}",
            4,
        ),
        (
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            "spec:\n  group: x\n  conversion:\n    strategy: Webhook\n    webhook:\n      clientConfig:\n        service: {name: api, namespace: shop}\n  versions:\n  - schema: {a: [",
            10,
        ),
        (
            "apiextensions.k8s.io/v1beta1",
            "CustomResourceDefinition",
            "spec:\n  conversion:\n    webhookClientConfig:\n\n      service:\n        name: api\n        namespace: shop\n",
            8,
        ),
    ] {
        let text = format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\n{body}\n");
        let found = needs(&with_services(&text));
        assert_eq!(found, [format!("ApiServer -> shop/api 443 at a.yaml:{line}")], "{kind}");
    }
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: apiextensions.k8s.io/v1\n  kind: CustomResourceDefinition\n  metadata: {name: a}\n  spec: {conversion: {webhook: {clientConfig: {service: {name: api, namespace: shop, port: 9443}}}}}\n";
    assert_eq!(needs(&with_services(list)), ["ApiServer -> shop/api 9443 at a.yaml:7"]);
    let unclear = "apiVersion: apiregistration.k8s.io/v1\nkind: APIService\nmetadata: {name: a}\nspec: {service: null}\n";
    assert_eq!(needs(&with_services(unclear)), [] as [&str; 0]);
}

#[test]
fn monitors_say_where_they_look_and_for_what() {
    let monitor = |kind: &str, spec: &str| {
        let text = format!(
            "apiVersion: monitoring.coreos.com/v1\nkind: {kind}\nmetadata: {{name: a, namespace: shop}}\nspec: {spec}\n"
        );
        needs(&text)
    };
    assert_eq!(
        monitor(
            "ServiceMonitor",
            "{selector: {matchLabels: {app: web}}, endpoints: [{port: metrics}, {targetPort: 9090}, {targetPort: m}, {}]}"
        ),
        [
            "Monitor -> services app=web in shop any at a.yaml:4",
            "Monitor -> services app=web in shop metrics at a.yaml:4",
            "Monitor -> services app=web in shop pod's 9090 at a.yaml:4",
            "Monitor -> services app=web in shop pod's m at a.yaml:4",
        ]
    );
    assert_eq!(
        monitor(
            "PodMonitor",
            "{selector: {}, namespaceSelector: {matchNames: [b, a]}, podMetricsEndpoints: [{portNumber: 1}, {port: m}]}"
        ),
        ["Monitor -> pods  in a+b 1 at a.yaml:4", "Monitor -> pods  in a+b m at a.yaml:4"]
    );
    assert_eq!(
        monitor(
            "PodMonitor",
            "{selector: {}, namespaceSelector: {any: true}, podMetricsEndpoints: [{}]}"
        ),
        ["Monitor -> pods  in everywhere any at a.yaml:4"]
    );
    for spec in [
        "{endpoints: [{port: a}]}",
        "{selector: null, endpoints: [{port: a}]}",
        "{selector: [], endpoints: [{port: a}]}",
        "{selector: {matchExpressions: [{key: a, operator: Near}]}, endpoints: [{port: a}]}",
        "{selector: {}, endpoints: {}}",
    ] {
        assert_eq!(monitor("ServiceMonitor", spec), [] as [&str; 0], "{spec}");
    }
}

/// A Deployment `shop/web` with this in its container, from line 9 on.
fn deployment(container: &str) -> String {
    let container = container.replace('\n', "\n        ");
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec:
  template:
    spec:
      containers:
      - name: a
        {container}
"
    )
}

#[test]
fn operators_and_deployers_open_namespaces() {
    let object = |version: &str, kind: &str, namespace: &str, spec: &str| {
        evidence(&format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a, namespace: {namespace}}}\nspec: {spec}\n"
        ))
    };
    for (version, kind) in [
        ("monitoring.coreos.com/v1", "Prometheus"),
        ("kafka.strimzi.io/v1beta2", "Kafka"),
        ("postgresql.cnpg.io/v1", "Cluster"),
        ("elasticsearch.k8s.elastic.co/v1", "Elasticsearch"),
        ("kibana.k8s.elastic.co/v1", "Kibana"),
        ("databases.spotahome.com/v1", "RedisFailover"),
        ("serving.knative.dev/v1", "Service"),
        ("apps.kruise.io/v1beta1", "StatefulSet"),
    ] {
        let found = object(version, kind, "shop", "{}");
        assert!(found.custom.iter().map(AsRef::as_ref).eq(["shop"]), "{kind}");
        assert!(found.is_open("shop") && !found.is_open("pay") && found.deployed.is_empty());
    }
    for (version, kind) in [
        ("cluster.x-k8s.io/v1beta1", "Cluster"),
        ("xkafka.strimzi.io/v1", "Kafka"),
        ("v1", "Secret"),
        ("monitoring.coreos.com/v1", "PrometheusRule"),
    ] {
        assert!(object(version, kind, "shop", "{}").custom.is_empty(), "{version} {kind}");
    }
    let (argo, flux) = ("argoproj.io/v1alpha1", "helm.toolkit.fluxcd.io/v2");
    for (version, kind, spec, found) in [
        (flux, "HelmRelease", "{}", &["ops"][..]),
        (flux, "HelmRelease", "{targetNamespace: shop}", &["shop"]),
        (flux, "HelmRelease", "{targetNamespace: shop, kubeConfig: {}}", &[]),
        (flux, "HelmRelease", "{targetNamespace: '${ns}'}", &[]),
        ("helm.cattle.io/v1", "HelmChart", "{targetNamespace: shop}", &["shop"]),
        ("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "{targetNamespace: shop}", &["shop"]),
        ("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "{}", &[]),
        (argo, "Application", "{destination: {namespace: shop}}", &["shop"]),
        (argo, "Application", "{destination: {}}", &[]),
        (argo, "ApplicationSet", "{template: {spec: {destination: {namespace: shop}}}}", &["shop"]),
        (argo, "ApplicationSet", "{template: {spec: {destination: {namespace: '{{.ns}}'}}}}", &[]),
    ] {
        let evidence = object(version, kind, "ops", spec);
        assert!(
            evidence.deployed.iter().map(AsRef::as_ref).eq(found.iter().copied()),
            "{kind} {spec}"
        );
        assert!(evidence.custom.is_empty());
    }
}

#[test]
fn obsolete_things_are_remembered_with_their_lines() {
    let text = "apiVersion: v1
kind: Namespace
metadata:
  name: shop
  annotations:
    net.beta.kubernetes.io/network-policy: |
      {\"ingress\": {\"isolation\": \"DefaultDeny\"}}
---
kind: NetworkPolicy
apiVersion: extensions/v1beta1
metadata: {name: a, namespace: pay}
spec: {podSelector: {}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: other, annotations: {net.beta.kubernetes.io/network: x}}}
";
    let read = parsed(&[("a.yaml", text)]);
    let found: Vec<_> = read
        .cluster
        .evidence
        .obsolete
        .iter()
        .map(|found| (found.what, &*found.namespace, &*found.name, found.origin.start_line))
        .collect();
    assert_eq!(
        found,
        [
            (ObsoleteKind::NamespaceAnnotation, "shop", "shop", 6),
            (ObsoleteKind::PolicyVersion, "pay", "a", 10),
        ]
    );
}

#[test]
fn lines_of_built_text_are_those_of_its_sources() {
    let text = with_services(&deployment("args: [\"http://api\"]"));
    let mut tree = Tree::from_texts("t", [("built", &*text)]);
    let source = |line: u32| vec![Source { file: 0, line: 100 + line, changed: false }];
    let rendered = Rendered {
        files: vec!["base.yaml".into()],
        lines: (1..40).map(source).collect(),
        ..Rendered::default()
    };
    tree.rendered.insert("built".into(), Arc::new(rendered));
    let found = parse_both(&Tree::default(), &tree, &Config::default()).1.cluster.evidence;
    assert_eq!(
        found.services.iter().map(|service| place(&service.origin)).collect::<Vec<_>>(),
        ["base.yaml:114", "base.yaml:112"]
    );
    assert_eq!(
        found.needs.iter().map(need).collect::<Vec<_>>(),
        ["shop/web[Deployment] -> shop/api 80 at base.yaml:109"]
    );
}

#[test]
fn charts_and_templates_of_ytt_are_no_evidence() {
    let service = SERVICES.trim_start_matches("\n---\n").replace("port: 80", "port: 80 #@ x\n");
    assert_eq!(parsed(&[("a.yaml", &service)]).cluster.evidence.services.len(), 1);
    let template = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  # {{ x }}\n  ports: [{port: 1}]\n";
    let found = |path: &str| {
        parsed(&[("c/Chart.yaml", "name: c"), (path, template)]).cluster.evidence.services.len()
    };
    assert_eq!((found("c/templates/a.yaml"), found("b/a.yaml")), (0, 1));
}

#[test]
fn much_of_anything_is_read_in_little_time() {
    let ports: String =
        (1..=10_000).map(|port| format!("  - {{port: {port}, name: p{port}}}\n")).collect();
    let text =
        format!("apiVersion: v1\nkind: Service\nmetadata: {{name: a}}\nspec:\n  ports:\n{ports}");
    assert_eq!(evidence(&text).services[0].ports.len(), 10_000);

    let variables: String = (0..50_000)
        .map(|n| format!("\n- {{name: V{n}, value: \"api:{} db.pay:{0}\"}}", 1 + n % 60_000))
        .collect();
    let found = evidence(&with_services(&deployment(&format!("env:{variables}"))));
    assert!(!found.needs.is_empty() && found.needs.len() <= 100_000);

    // Many workloads that take one ConfigMap with very many names.
    let keys: String = (0..20_000).map(|n| format!("  k{n}: \"api:{}\"\n", n + 1)).collect();
    let mut text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c, namespace: shop}}\ndata:\n{keys}"
    );
    for n in 0..1_000 {
        let workload = deployment("envFrom: [{configMapRef: {name: c}}]")
            .replace("name: web", &format!("name: w{n}"));
        text.push_str("---\n");
        text.push_str(&workload);
    }
    let found = evidence(&with_services(&text));
    assert!(!found.needs.is_empty() && found.needs.len() <= crate::parse::limits::NEEDS);
}

#[test]
fn aliases_take_nothing_from_what_else_is_read() {
    let variables: String =
        (0..5_000).map(|n| format!("    - {{name: V{n}, value: \"api:1\"}}\n")).collect();
    let mut text = format!("apiVersion: v1\nkind: List\nx:\n  y: &env\n{variables}items:\n");
    for n in 0..500 {
        text.push_str(&format!(
            "- {{apiVersion: apps/v1, kind: Deployment, metadata: {{name: w{n}}}, spec: {{template: {{metadata: \
             {{labels: {{a: b}}}}, spec: {{containers: [{{name: a, env: *env}}]}}}}}}}}\n"
        ));
    }
    assert_eq!(cluster(&text).workloads.len(), 500);
}
