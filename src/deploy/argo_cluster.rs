//! The cluster that an Application of Argo CD goes to, which is its environment.

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
    let destination = field(spec, "destination");
    let at = |key: &str| destination.and_then(|field| text(&field.node, &[key]));
    let (name, server) = match (at("name"), at("server")) {
        (Some(name), None) => (Some(name.to_string()), server_of(name, context)),
        (None, Some(server)) => {
            let server = server.trim_end_matches('/').to_string();
            (name_of(&server, context), Some(server))
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
    let address = server.unwrap_or_default();
    let address = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
    Ok(name.unwrap_or_else(|| address.strip_suffix(":443").unwrap_or(address).to_string()))
}

/// Names and servers of the clusters that Secrets of Argo CD in the repository tell.
fn clusters<'a>(context: &Context<'a>) -> impl Iterator<Item = (String, String)> + use<'a> {
    context.objects.iter().filter_map(|object| {
        let node = &object.node;
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
    })
}

fn server_of(name: &str, context: &Context<'_>) -> Option<String> {
    clusters(context).find(|(known, _)| known == name).map(|(_, server)| server)
}

fn name_of(server: &str, context: &Context<'_>) -> Option<String> {
    clusters(context).find(|(_, known)| known == server).map(|(name, _)| name)
}
