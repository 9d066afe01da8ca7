//! What sort of problem something is.

use super::parsed;
use crate::parse::Sort;

#[test]
fn problems_say_what_sort_they_are() {
    let policy = |spec: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: a}}\nspec: {spec}\n"
        )
    };
    let sorts = |files: &[(&str, &str)]| {
        parsed(files).problems.iter().map(|problem| problem.sort).collect::<Vec<_>>()
    };
    let one = |text: &str| sorts(&[("a.yaml", text)]);
    assert_eq!(one(&policy("{ingress: [{from: [{}]}]}")), [Sort::Refused]);
    assert_eq!(one(&policy("{ingress: {from: []}}")), [Sort::Refused]);
    assert_eq!(one(&policy("{ingress: [{ports: [{port: '53'}]}]}")), [Sort::Refused]);
    assert_eq!(one(&policy("{}").replace("NetworkPolicy", "networkPolicy")), [Sort::Refused]);
    assert_eq!(one(&policy("{selector: {}}")), [Sort::UnknownField]);
    assert_eq!(one(&policy("{podSelector: {}, podSelector: {}}")), [Sort::Other]);
    assert_eq!(one(&policy("{ingress: {a: #@ x\n}}")), [Sort::Other]);
    assert_eq!(one(&policy("{podSelector: {matchLabels: {a: '{{ x }}'}}}")), [Sort::Other]);
    assert_eq!(
        one("apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: a}\n"),
        [Sort::Other]
    );
    let (open, closed) = (policy("{ingress: [{}]}"), policy("{}"));
    assert_eq!(sorts(&[("a.yaml", &open), ("b.yaml", &closed)]), [Sort::Twice]);
    assert_eq!(sorts(&[("a.yaml", &open), ("b.yaml", &open)]), []);
}
