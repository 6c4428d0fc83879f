//! One line for each key that a pod is given: the join between a pod and CloudTrail.
//!
//! A pod that asks again for what it has is no news: the line is written once for a pod and key.

use std::net::IpAddr;

use crate::{
    keep::{Got, Served},
    token::Caller,
};

/// Tells that the caller's pod was given what it is served, unless it has that already.
pub fn issued(caller: &Caller, peer: Option<IpAddr>, served: &Served) {
    let Served { kept, got, .. } = served;
    if !served.is_news(&caller.pod_uid) {
        return;
    }
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
