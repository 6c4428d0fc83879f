//! A pod asks again for what it has: the commonest request, and the one that is answered quickest.
//!
//! What a request was served is remembered with its token's verdict, and with it all that it
//! follows from: the session, the pod, the ServiceAccount, the namespace's guard-rail and the
//! association. While none of these can have changed, resolving them again would end the same;
//! each tells so itself, by a time until which it stands or a count of its changes.

use std::{net::IpAddr, sync::Arc};

use axum::body::Bytes;
use jiff::Timestamp;

use crate::{agent::Agent, keep, limit::Bucket, token::MAX_TOKEN_BYTES};

/// What was served, and how long it may be served again.
pub(crate) struct Hit {
    pub(crate) session: keep::Again,
    pub(crate) peer: Option<IpAddr>,
    pub(crate) grounds: Grounds,
    pub(crate) bucket: Option<Arc<Bucket>>,
}

/// The state of the cluster that a decision follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grounds {
    /// How often this node's pods changed.
    pub(crate) pods: u64,
    /// How often the association list changed.
    pub(crate) associations: u64,
    /// Until when ServiceAccount and namespace stand as they were looked up.
    pub(crate) until: Timestamp,
}

impl Grounds {
    /// Whether what follows from `self` follows from what is there `now` too.
    fn stand(&self, pods: Option<u64>, associations: u64, now: Timestamp) -> bool {
        pods == Some(self.pods) && associations == self.associations && now < self.until
    }
}

impl Agent {
    /// The same answer again, while nothing that it follows from has changed.
    pub(crate) fn again(&self, token: &[u8], peer: Option<IpAddr>) -> Option<Bytes> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let now = self.clock().now();
        let verdict = self.verifier().known(token, now).ok()?;
        let hit = verdict.hit.load();
        let hit = hit.as_ref()?;
        let (pods, associations) = self.changes();
        let same = hit.peer == peer && hit.grounds.stand(pods, associations, now);
        let kept = hit.session.kept(now).filter(|_| same)?;
        // Who asks too often is told so on the long way.
        let admitted = hit.bucket.as_ref().is_none_or(|bucket| bucket.take(now));
        admitted.then(|| {
            self.metrics().hit(true);
            kept.body.clone()
        })
    }
}
