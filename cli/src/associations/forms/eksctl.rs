//! eksctl's configuration of a cluster.

use super::super::{
    entry::{Entry, Fields},
    merged::Merged,
    node::Node,
};

/// The API group of eksctl's files.
pub(super) const GROUP: &str = "eksctl.io";

const FIELDS: Fields = Fields {
    namespace: "namespace",
    service_account: "serviceAccountName",
    role: "roleARN",
    target: "targetRoleARN",
    external_id: "",
    disable_session_tags: "disableSessionTags",
    policy: "policy",
    duration: "",
    session_name: "",
    arn: "",
    id: "",
    references: &[],
    no_role: "eksctl creates its role; put the ARN of the role into roleARN (`eksctl get \
              podidentityassociation` prints it)",
    ignored: &[],
};

/// Reads `iam.podIdentityAssociations`.
pub(super) fn read(node: &Node<'_>, merged: &mut Merged) {
    if let Some(all) = node.at(&["iam", "podIdentityAssociations"]) {
        for item in all.items() {
            merged.read(&item, &FIELDS, Entry::comment_on_external_id);
        }
    } else {
        merged.note(format!("{}: it has no iam.podIdentityAssociations", node.place()));
    }
    let addons = node.child("addons");
    for addon in addons.iter().flat_map(Node::items) {
        if let Some(own) = addon.child("podIdentityAssociations") {
            let note = format!("{}: associations of an EKS add-on are left out", own.place());
            merged.note(note);
        }
    }
}
