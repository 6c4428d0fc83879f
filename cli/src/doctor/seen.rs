//! All that the checks are about, as it was read.

use jiff::SignedDuration;
use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration, apps::v1::DaemonSet, core::v1::Node,
};

use crate::{cluster::Unread, identities::Identities, settings::ClusterSettings};

/// What was read, or why it was not.
pub(super) type Read<T> = Result<T, Unread>;

pub(super) struct Seen {
    pub(super) settings: ClusterSettings,
    pub(super) identities: Identities,
    /// The API server's version: major and minor.
    pub(super) server: Read<(u32, u32)>,
    /// podrole's kinds, each with whether the API server serves the version that is read here.
    pub(super) kinds: Read<Vec<(String, KindState)>>,
    pub(super) configurations: Read<Vec<MutatingWebhookConfiguration>>,
    /// How many endpoints of the webhook's Service are ready.
    pub(super) endpoints: Read<usize>,
    pub(super) daemon_sets: Read<Vec<DaemonSet>>,
    pub(super) nodes: Read<Vec<Node>>,
    /// The nodes with a pod of podrole's agent.
    pub(super) nodes_with_agent: Read<Vec<String>>,
    /// How far each node's clock is ahead of the API server's.
    pub(super) clocks: Read<Vec<(String, SignedDuration)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KindState {
    Served,
    /// Another version of it is.
    OtherVersion,
    Missing,
}
