//! podrole's association list, which has EKS's format and a few fields more.

use super::super::{entry::Fields, merged::Merged, node::Node};

const FIELDS: Fields = Fields {
    namespace: "namespace",
    service_account: "serviceAccount",
    role: "roleArn",
    target: "targetRoleArn",
    external_id: "externalId",
    disable_session_tags: "disableSessionTags",
    policy: "policy",
    duration: "durationSeconds",
    session_name: "sessionName",
    arn: "",
    id: "",
    references: &[],
    no_role: "set roleArn; an entry without a role only selects the provider, and has no object",
    ignored: &[],
};

/// Reads `identities`.
pub(super) fn read(node: &Node<'_>, merged: &mut Merged) {
    let all = node.child("identities");
    for item in all.iter().flat_map(Node::items) {
        merged.read(&item, &FIELDS, |_| {});
    }
}
