//! A Node as far as its taints. The whole object has the names of its images and more, 20 kB of it: lists of
//! whole Nodes took more memory than the controller has.

use std::borrow::Cow;

use jiff::Timestamp;
use k8s_openapi::{
    ClusterResourceScope,
    api::core::v1::{Node, Taint},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::Resource;
use serde::Deserialize;

/// A Node's metadata and taints.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct TaintedNode {
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Spec {
    #[serde(default)]
    taints: Option<Vec<Taint>>,
}

impl TaintedNode {
    /// Its taints, in the order in which a patch counts them.
    pub(super) fn taints(&self) -> impl Iterator<Item = &Taint> {
        self.spec.taints.iter().flatten()
    }

    /// When it was registered, by the API server's clock.
    pub(super) fn created(&self) -> Option<Timestamp> {
        self.metadata.creation_timestamp.as_ref().map(|time| time.0)
    }
}

impl Resource for TaintedNode {
    type DynamicType = ();
    type Scope = ClusterResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        Node::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        Node::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        Node::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        Node::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
