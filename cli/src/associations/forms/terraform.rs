//! Terraform's state, as the file and as `terraform show -json` prints it.

use serde_json::Value;

use super::super::{entry::Fields, merged::Merged, node::Node};

const TYPE: &str = "aws_eks_pod_identity_association";

const FIELDS: Fields = Fields {
    namespace: "namespace",
    service_account: "service_account",
    role: "role_arn",
    target: "target_role_arn",
    external_id: "external_id",
    disable_session_tags: "disable_session_tags",
    policy: "policy",
    duration: "",
    session_name: "",
    arn: "association_arn",
    id: "association_id",
    references: &[],
    no_role: "it has no role_arn; run `terraform apply` or `terraform refresh` first",
    ignored: &["cluster_name", "id", "region", "tags_all", "timeouts"],
};

fn is_association(resource: &Node<'_>) -> bool {
    let is = |key: &str, text: &str| resource.value.get(key).and_then(Value::as_str) == Some(text);
    is("type", TYPE) && is("mode", "managed")
}

/// Reads the state file.
pub(super) fn state(node: &Node<'_>, merged: &mut Merged) {
    let resources = node.child("resources");
    let resources = resources.iter().flat_map(Node::items).filter(is_association);
    let mut found = false;
    for instance in resources.filter_map(|it| it.child("instances")).flat_map(|it| it.items()) {
        // A deposed instance is the one that a replaced resource had before.
        if let Some(attributes) = instance.child("attributes")
            && instance.child("deposed").is_none()
        {
            merged.read(&attributes, &FIELDS, |_| {});
            found = true;
        }
    }
    note(node, found, merged);
}

/// Reads the output of `terraform show -json`.
pub(super) fn shown(node: &Node<'_>, merged: &mut Merged) {
    let root = node.at(&["values", "root_module"]);
    let found = root.is_some_and(|root| module(&root, merged));
    note(node, found, merged);
}

fn module(node: &Node<'_>, merged: &mut Merged) -> bool {
    let (resources, children) = (node.child("resources"), node.child("child_modules"));
    let mut found = false;
    for resource in resources.iter().flat_map(Node::items).filter(is_association) {
        if let Some(values) = resource.child("values") {
            merged.read(&values, &FIELDS, |_| {});
            found = true;
        }
    }
    for child in children.iter().flat_map(Node::items) {
        found |= module(&child, merged);
    }
    found
}

fn note(node: &Node<'_>, found: bool, merged: &mut Merged) {
    if !found {
        merged.note(format!("{}: the Terraform state has no {TYPE}", node.place()));
    }
}
