//! One line for each key that a pod is given: the join between a pod and CloudTrail.
//!
//! A pod that asks again for what it has is no news: the line is written once for a pod and key.

use std::net::IpAddr;

use moka::{policy::EvictionPolicy, sync::Cache};

use crate::{
    keep::{Got, Kept},
    token::Caller,
};

/// So many pairs of pod and key are remembered.
const PAIRS: u64 = 8192;

/// Writes the lines.
pub struct Audit {
    told: Cache<(String, String), ()>,
}

impl Default for Audit {
    fn default() -> Self {
        let told =
            Cache::builder().max_capacity(PAIRS).eviction_policy(EvictionPolicy::lru()).build();
        Self { told }
    }
}

impl Audit {
    /// Tells that the caller's pod was given `kept`, unless that was told.
    pub fn issued(&self, caller: &Caller, peer: Option<IpAddr>, kept: &Kept, got: Got) {
        let pair = (caller.pod_uid.clone(), kept.access_key_id.clone());
        if self.told.contains_key(&pair) {
            return;
        }
        self.told.insert(pair, ());
        tracing::info!(
            target: "podrole_audit",
            pod = caller.pod_name,
            pod_uid = caller.pod_uid,
            service_account = %caller.service_account,
            role = kept.role.as_str(),
            session_name = kept.session_name,
            access_key_id = kept.access_key_id,
            expires = %kept.expires,
            peer = peer.map(tracing::field::display),
            got = match got { Got::Hit => "hit", Got::Fetched => "fetch" },
            "credentials issued"
        );
    }
}
