//! EKS's own answers, as the AWS CLI prints them.

use serde_json::Value;

use super::super::{cluster_name::ClusterName, entry::Fields, merged::Merged, node::Node};

const FIELDS: Fields = Fields {
    namespace: "namespace",
    service_account: "serviceAccount",
    role: "roleArn",
    target: "targetRoleArn",
    external_id: "externalId",
    disable_session_tags: "disableSessionTags",
    policy: "policy",
    duration: "",
    session_name: "",
    arn: "associationArn",
    id: "associationId",
    references: &[],
    no_role: "it has no roleArn; print it with `aws eks describe-pod-identity-association`",
    ignored: &["clusterName", "createdAt", "modifiedAt"],
};

/// The answer of DescribePodIdentityAssociation.
pub(super) fn described(node: &Node<'_>, merged: &mut Merged) {
    if let Some(association) = node.child("association") {
        merged.read(&association, &FIELDS, |_| {});
    }
}

/// The same with `--query association`.
pub(super) fn bare(node: &Node<'_>, merged: &mut Merged) {
    merged.read(node, &FIELDS, |_| {});
}

/// The answer of ListPodIdentityAssociations, which has no roles.
pub(super) fn listed(node: &Node<'_>, merged: &mut Merged) {
    let first = node.child("associations").and_then(|all| all.items().next());
    let text = |key: &str| first.as_ref().and_then(|it| it.value.get(key)).and_then(Value::as_str);
    let cluster = text("clusterName").filter(|name| name.parse::<ClusterName>().is_ok());
    let cluster = cluster.unwrap_or("CLUSTER");
    let is_plain = |id: &&str| id.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c));
    let id = text("associationId").filter(is_plain).unwrap_or("ID");
    merged.fail(node.error(format!(
        "a list of associations has no roles; run `podrole associations import --from-eks \
         {cluster}`, or for each association `aws eks describe-pod-identity-association \
         --cluster-name {cluster} --association-id {id}`"
    )));
}
