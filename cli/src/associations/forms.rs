//! The forms of input, recognised by their content.

mod eks;
mod eksctl;
mod kubernetes;
mod list;
mod own;
mod pod;
mod role_map;
mod terraform;

use std::collections::BTreeSet;

use podrole_identity::{API_GROUP, Kind};
use serde_json::Value;

use super::{
    merged::Merged,
    node::Node,
    place::{InputError, Place},
};

/// The forms that are read, for errors about what is in none of them.
pub(super) const NAMES: &str = "\
known forms are the output of `aws eks describe-pod-identity-association`, PodIdentityAssociations \
of ACK (eks.services.k8s.aws), Crossplane (eks.aws.upbound.io) and podrole (podrole.io), an eksctl \
ClusterConfig, a Terraform state (`terraform show -json`), kOps's ConfigMap pod-identity-webhook, \
pods and workloads with kube2iam's or kiam's annotations, and an association list \
({\"identities\":[...]})";

/// Kubernetes objects of a source that are no associations.
#[derive(Debug, Default)]
pub(super) struct Others {
    kinds: BTreeSet<String>,
    first: Option<Place>,
    /// Documents and objects of a known form.
    known: usize,
}

impl Others {
    fn add(&mut self, node: &Node<'_>, kind: &str) {
        self.kinds.insert(kind.to_owned());
        self.first.get_or_insert_with(|| node.place());
    }

    /// Objects of other kinds beside associations are left out with a note, because repositories keep
    /// both in one file; a source that has only such is an error.
    pub(super) fn report(self, source: &str, merged: &mut Merged) {
        let Some(first) = self.first else { return };
        let kinds = self.kinds.into_iter().collect::<Vec<_>>().join(", ");
        if self.known == 0 {
            let what = format!("it has no association, only {kinds}; {NAMES}");
            merged.fail(InputError::new(&first, what));
        } else {
            merged.note(format!("{source}: objects of other kinds are left out: {kinds}"));
        }
    }
}

/// Adds the associations of a document, or of an item of a list.
pub(super) fn read(node: &Node<'_>, merged: &mut Merged, others: &mut Others) {
    if node.value.is_array() && node.items().next().is_some() {
        return node.items().for_each(|item| read(&item, merged, others));
    }
    if let Some(read) = of_content(node).or_else(|| of_object(node)) {
        others.known += 1;
        return read(node, merged);
    }
    match group_and_kind(node) {
        Some((group, kind)) => other(node, group, kind, merged, others),
        None => merged.fail(node.error(format!("it is in none of the known forms; {NAMES}"))),
    }
}

type Read = fn(&Node<'_>, &mut Merged);

/// The form of a document that is no Kubernetes object.
fn of_content(node: &Node<'_>) -> Option<Read> {
    let is_list = |key: &str| node.child(key).is_some_and(|child| child.value.is_array());
    let is_map = |path: &[&str]| node.at(path).is_some_and(|child| child.value.is_object());
    if is_map(&["association"]) {
        return Some(eks::described);
    }
    if is_list("associations") {
        return Some(eks::listed);
    }
    if is_list("identities") {
        return Some(list::read);
    }
    if is_list("resources") && node.child("terraform_version").is_some() {
        return Some(terraform::state);
    }
    if node.child("format_version").is_some() && is_map(&["values", "root_module"]) {
        return Some(terraform::shown);
    }
    let has = |key: &str| node.child(key).is_some();
    let is_bare = has("namespace") && has("serviceAccount") && has("associationId");
    is_bare.then_some(eks::bare)
}

/// The form of a Kubernetes object.
fn of_object(node: &Node<'_>) -> Option<Read> {
    let (group, kind) = group_and_kind(node)?;
    let is_association = kind == Kind::Association.as_str();
    match group {
        kubernetes::ACK_GROUP if is_association => Some(kubernetes::ack),
        kubernetes::CROSSPLANE_GROUP | kubernetes::NAMESPACED_CROSSPLANE_GROUP
            if is_association =>
        {
            Some(kubernetes::crossplane)
        }
        API_GROUP if is_association => Some(own::read),
        "" if kind == "ConfigMap" && role_map::is_role_map(node) => Some(role_map::read),
        eksctl::GROUP if kind == "ClusterConfig" => Some(eksctl::read),
        _ => None,
    }
}

/// The API group and the kind of a Kubernetes object.
fn group_and_kind<'a>(node: &Node<'a>) -> Option<(&'a str, &'a str)> {
    let text = |key: &str| node.value.get(key).and_then(Value::as_str);
    let group = text("apiVersion")?.split_once('/').map_or("", |(group, _)| group);
    Some((group, text("kind")?))
}

/// A workload, or a List, which is read item by item; an object of another kind is left out.
fn other(node: &Node<'_>, group: &str, kind: &str, merged: &mut Merged, others: &mut Others) {
    if let Some(pointer) = pod::pointer(group, kind) {
        others.known += 1;
        return pod::read(node, kind, pointer, merged);
    }
    let list = kind.strip_suffix("List").zip(node.child("items"));
    let Some((of, items)) = list else { return others.add(node, kind) };
    for item in items.items() {
        // What the API server answers as a PodList names the kind only once.
        match pod::pointer(group, of).filter(|_| item.child("kind").is_none()) {
            Some(pointer) => {
                others.known += 1;
                pod::read(&item, of, pointer, merged);
            }
            None => read(&item, merged, others),
        }
    }
}
