//! kOps's ConfigMap, from which its webhook reads roles.

use podrole_identity::{ROLE_MAP_KEY, ROLE_MAP_NAME, RoleEntry, RoleMap, ServiceAccountRef};
use serde_json::{Value, json};

use super::super::{checked::Checked, entry::Entry, merged::Merged, node::Node};
use crate::yaml;

/// Whether a ConfigMap is the one of roles.
pub(super) fn is_role_map(node: &Node<'_>) -> bool {
    let name = node.value.pointer("/metadata/name").and_then(Value::as_str);
    name == Some(ROLE_MAP_NAME) && config(node).is_some_and(|config| config.value.is_string())
}

fn config<'a>(node: &Node<'a>) -> Option<Node<'a>> {
    node.at(&["data", ROLE_MAP_KEY])
}

/// Reads the entries by the webhook's own code.
pub(super) fn read(node: &Node<'_>, merged: &mut Merged) {
    let Some(config) = config(node) else { return };
    let text = config.value.as_str().unwrap_or_default();
    let (map, problems) = match RoleMap::read(text, None) {
        Ok(read) => read,
        Err(error) => {
            let what = format!("data.{ROLE_MAP_KEY} is not a JSON object: {error}");
            return merged.fail(config.error(what));
        }
    };
    for document in yaml::documents(text).into_iter().flatten() {
        for yaml::Duplicate { key, .. } in document.duplicates {
            let what = format!("data.{ROLE_MAP_KEY} has the key {key} twice; remove one of them");
            merged.fail(config.error(what));
        }
    }
    problems.into_iter().for_each(|problem| merged.fail(config.error(problem.to_string())));
    for (service_account, role) in map.entries() {
        merged.add(Checked::of(entry(&config, service_account, role)));
    }
    for (name, role) in map.entries_of_any_namespace() {
        merged.note(format!(
            "{}: */{name} is left out, because an association is for one namespace; write a \
             PodIdentityPattern with namespaces: [\"*\"], serviceAccounts: [{name}] and roleARN: {}",
            config.place(),
            role.role
        ));
    }
}

fn entry(config: &Node<'_>, service_account: &ServiceAccountRef, role: &RoleEntry) -> Entry {
    let RoleEntry { role, audience, sts_regional_endpoints, token_expiration } = role;
    let audience = audience.as_ref().map(|it| format!("Audience: {:?}", it.as_str()));
    let regional =
        sts_regional_endpoints.filter(|it| *it).map(|_| "UseRegionalSTS: true".to_owned());
    let expiration = token_expiration.map(|it| format!("TokenExpiration: {}", it.seconds()));
    let comments = [audience, regional, expiration].into_iter().flatten();
    Entry {
        place: config.place(),
        service_account: service_account.clone(),
        spec: json!({ "roleARN": role.to_string() }),
        eks_names: [None, None],
        comments: comments.map(|it| format!("not imported: {it}")).collect(),
    }
}
