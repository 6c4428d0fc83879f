//! Objects that controllers in a cluster turn into EKS's associations: ACK's and Crossplane's.

use serde_json::Value;

use super::super::{entry::Fields, merged::Merged, node::Node};

pub(super) const ACK_GROUP: &str = "eks.services.k8s.aws";
pub(super) const CROSSPLANE_GROUP: &str = "eks.aws.upbound.io";
/// Crossplane 2 has namespaced objects too.
pub(super) const NAMESPACED_CROSSPLANE_GROUP: &str = "eks.aws.m.upbound.io";

const ACK: Fields = Fields {
    namespace: "namespace",
    service_account: "serviceAccount",
    role: "roleARN",
    target: "targetRoleARN",
    external_id: "",
    disable_session_tags: "disableSessionTags",
    policy: "policy",
    duration: "",
    session_name: "",
    arn: "",
    id: "",
    references: &[("roleRef", "roleARN"), ("targetRoleRef", "targetRoleARN")],
    no_role: "it has no roleARN",
    ignored: &["clusterName", "clusterRef", "clientRequestToken"],
};

const CROSSPLANE: Fields = Fields {
    namespace: "namespace",
    service_account: "serviceAccount",
    role: "roleArn",
    target: "targetRoleArn",
    external_id: "",
    disable_session_tags: "disableSessionTags",
    policy: "policy",
    duration: "",
    session_name: "",
    arn: "",
    id: "",
    references: &[
        ("roleArnRef", "roleArn"),
        ("roleArnSelector", "roleArn"),
        ("targetRoleArnRef", "targetRoleArn"),
        ("targetRoleArnSelector", "targetRoleArn"),
    ],
    no_role: "it has no roleArn",
    ignored: &["clusterName", "clusterNameRef", "clusterNameSelector", "region"],
};

/// A text of the status, which the controller writes.
fn status(node: &Node<'_>, path: &[&str]) -> Option<String> {
    let text = node.at(path)?.value.as_str()?.to_owned();
    Some(text).filter(|text| !text.is_empty())
}

/// Reads an object of AWS Controllers for Kubernetes.
pub(super) fn ack(node: &Node<'_>, merged: &mut Merged) {
    let Some(spec) = node.child("spec") else { return merged.fail(node.error("it has no spec")) };
    merged.read(&spec, &ACK, |entry| {
        let arn = status(node, &["status", "ackResourceMetadata", "arn"]);
        entry.eks_names = [arn, status(node, &["status", "associationID"])];
        entry.comment_on_external_id();
    });
}

/// Reads an object of Crossplane's provider for AWS.
pub(super) fn crossplane(node: &Node<'_>, merged: &mut Merged) {
    let Some(spec) = node.at(&["spec", "forProvider"]) else {
        return merged.fail(node.error("it has no spec.forProvider"));
    };
    merged.read(&spec, &CROSSPLANE, |entry| {
        let observed = |key: &str| status(node, &["status", "atProvider", key]);
        entry.eks_names = [observed("associationArn"), observed("associationId")];
        entry.spec["externalID"] = observed("externalId").map_or(Value::Null, Value::from);
        entry.comment_on_external_id();
    });
}
