//! The audit log: one line for each key that a pod receives, which joins the pod with CloudTrail.
//!
//! A pod that asks again for the same key gets no second line.

use std::net::IpAddr;

use crate::{
    credential_cache::{Served, ServedFrom},
    token::Caller,
};

/// Logs that the caller's pod receives what is served, unless it received it before.
pub fn issued(caller: &Caller, peer: Option<IpAddr>, served: &Served) {
    let Served { credentials, source, .. } = served;
    if !served.is_first_for(&caller.pod_uid) {
        return;
    }
    tracing::info!(
        target: "podrole_audit",
        namespace = caller.service_account.namespace(),
        pod = caller.pod_name,
        pod_uid = caller.pod_uid,
        service_account = caller.service_account.name(),
        role = credentials.role.as_str(),
        session_name = credentials.session_name,
        access_key_id = credentials.access_key_id,
        expires = %credentials.expires,
        peer = peer.map(tracing::field::display),
        source = match source { ServedFrom::Cache => "cache", ServedFrom::Fetch => "fetch" },
        "credentials issued"
    );
}
