//! The clusters that Applications of Argo CD go to.

use super::object::{self, Context, Subject, Trouble, field, text};
use crate::parse::Node;
use base64::Engine;

/// The server of the cluster that Argo CD itself runs in.
const OWN_SERVER: &str = "https://kubernetes.default.svc";
const OWN_NAME: &str = "in-cluster";

/// The cluster that an Application goes to. That of Argo CD itself is the environment of the Application's own
/// place, if that tells one.
pub(super) fn environment(
    spec: &Node,
    subject: &Subject<'_>,
    context: &Context<'_>,
) -> Result<String, Trouble> {
    let known = context.known;
    let destination = field(spec, "destination");
    let at = |key: &str| destination.and_then(|field| text(&field.node, &[key]));
    let (name, server) = match (at("name"), at("server")) {
        (Some(name), None) => (Some(name.to_string()), known.server_of(name).map(str::to_string)),
        (None, Some(server)) => {
            let server = server.trim_end_matches('/').to_string();
            (known.name_of(&server).map(str::to_string), Some(server))
        }
        (Some(_), Some(_)) => {
            return Err("its destination has a name and a server; keep one of them"
                .to_string()
                .into());
        }
        (None, None) => {
            return Err("its destination names no cluster; give it a `name` or `server`"
                .to_string()
                .into());
        }
    };
    if name.as_deref() == Some(OWN_NAME) || server.as_deref() == Some(OWN_SERVER) {
        return Ok(subject.object.environment.clone().unwrap_or_else(|| OWN_NAME.to_string()));
    }
    // Whether a name and a server are one cluster, nobody tells.
    match (&name, &server) {
        (Some(name), None) => known.names_cluster(name),
        (None, Some(server)) => known.names_server(server, subject),
        _ => {}
    }
    let address = server.unwrap_or_default();
    let address = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
    Ok(name.unwrap_or_else(|| address.strip_suffix(":443").unwrap_or(address).to_string()))
}

/// The name and the server of a cluster, if an object is a Secret with which Argo CD knows one.
pub(super) fn cluster(node: &Node) -> Option<(String, String)> {
    let label = ["metadata", "labels", "argocd.argoproj.io/secret-type"];
    if object::kind(node) != "Secret" || node.text_at(&label) != Some("cluster") {
        return None;
    }
    let value = |key: &str| match node.text_at(&["stringData", key]) {
        Some(text) => Some(text.to_string()),
        None => {
            let encoded = node.text_at(&["data", key])?;
            let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
            String::from_utf8(bytes).ok()
        }
    };
    Some((value("name")?, value("server")?.trim_end_matches('/').to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::argo::tests::{FILES, URL, application, one};
    use super::super::object::tests::objects;
    use super::super::{Facts, units};
    use super::*;
    use crate::tree::Tree;

    #[test]
    fn clusters() {
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, labels: \
                      {argocd.argoproj.io/secret-type: cluster}}\n";
        let secrets = format!(
            "{secret}stringData: {{name: us, server: 'https://us.example.com'}}\n---\n{secret}\
             data: {{name: {}, server: {}}}\n",
            base64::engine::general_purpose::STANDARD.encode("here"),
            base64::engine::general_purpose::STANDARD.encode("https://kubernetes.default.svc"),
        );
        for (destination, own, expected) in [
            ("name: prod", None, "prod"),
            ("name: in-cluster", None, "in-cluster"),
            ("name: in-cluster", Some("hub"), "hub"),
            ("server: 'https://kubernetes.default.svc'", Some("hub"), "hub"),
            ("server: 'https://kubernetes.default.svc/'", None, "in-cluster"),
            ("name: here", Some("hub"), "hub"),
            ("server: 'https://us.example.com/'", Some("hub"), "us"),
            ("server: 'https://eu.example.com:443'", None, "eu.example.com"),
            ("server: 'https://eu.example.com:6443'", None, "eu.example.com:6443"),
            ("server: 'https://r.example.com/k8s/c-1'", None, "r.example.com/k8s/c-1"),
        ] {
            let text = application(&format!(
                "destination: {{{destination}}}\n  source: {{{URL}, path: plain}}"
            ));
            let tree = Tree::from_texts("t", FILES.iter().copied());
            let facts = Facts { urls: &[], branches: &[], files: &tree };
            let found = units(&objects("a.yaml", &format!("{text}---\n{secrets}"), own), &facts);
            assert_eq!(one(&found).environment.as_deref(), Some(expected), "{destination}");
        }
    }
}
