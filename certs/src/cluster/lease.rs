//! The Lease of the controller.

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::api::{Patch, PatchParams, PostParams};
use podrole_runtime::clock::now;

use super::{Cluster, ClusterError, bounded, secrets::reference};
use crate::{
    lease::{LEASE_DURATION, LeaseRecord},
    registration::Owner,
};

impl Cluster {
    pub(crate) async fn lease(&self) -> Result<LeaseRecord, ClusterError> {
        let found = bounded(self.namespaced::<Lease>().get_opt(&self.config.name)).await?;
        let Some(lease) = found else { return Ok(LeaseRecord::default()) };
        let spec = lease.spec.unwrap_or_default();
        Ok(LeaseRecord {
            holder: spec.holder_identity.unwrap_or_default(),
            transitions: spec.lease_transitions.unwrap_or_default(),
            resource_version: lease.metadata.resource_version,
        })
    }

    /// Makes `holder` the holder; empty releases the Lease. Fails with [`ClusterError::Conflict`] if it
    /// changed since it was read.
    pub(crate) async fn write_lease(
        &self,
        read: &LeaseRecord,
        holder: &str,
        owner: &Owner,
    ) -> Result<(), ClusterError> {
        let name = &self.config.name;
        let changes_hands = !holder.is_empty() && read.holder != holder;
        let seconds = i32::try_from(LEASE_DURATION.as_secs()).unwrap_or(i32::MAX);
        let spec = LeaseSpec {
            holder_identity: (!holder.is_empty()).then(|| holder.to_owned()),
            lease_duration_seconds: Some(seconds),
            lease_transitions: Some(read.transitions.saturating_add(changes_hands.into())),
            renew_time: Some(MicroTime(now())),
            ..LeaseSpec::default()
        };
        let metadata = ObjectMeta {
            resource_version: read.resource_version.clone(),
            owner_references: Some(vec![reference(owner)]),
            ..self.metadata(name)
        };
        let lease = Lease { metadata, spec: Some(spec) };
        let leases = self.namespaced::<Lease>();
        if read.resource_version.is_some() {
            return bounded(leases.replace(name, &PostParams::default(), &lease)).await.map(drop);
        }
        // A Lease that does not exist has no version that two replicas could race for. So each applies
        // it under a name of its own and without force: the API server refuses the second.
        let params = PatchParams::apply(&format!("{}/{holder}", super::FIELD_MANAGER));
        bounded(leases.patch(name, &params, &Patch::Apply(&lease))).await.map(drop)
    }
}
