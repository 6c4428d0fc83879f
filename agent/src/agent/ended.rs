//! What ends: the session of a pod that has another one now, of one that may have none any more, and of one that is
//! revoked.

use jiff::{SignedDuration, Timestamp};

use super::Agent;
use crate::{
    credential_cache::Served,
    node::{NodeError, NodePods},
    pod_sessions::MoreEnds,
    resolve::{Decision, ResolveError},
    token::Caller,
};

impl Agent {
    /// Drops the session that the pod had before, if it has another one now and no other pod has it.
    /// `ends` was counted before the pod was seen alive.
    ///
    /// # Errors
    /// If the pod has ended since.
    pub(super) async fn forget_other_session(
        &self,
        caller: &Caller,
        served: &Served,
        mut ends: u64,
    ) -> Result<(), NodeError> {
        // Without the pods' ends this would grow without end.
        if self.liveness.pods().is_none() {
            return Ok(());
        }
        loop {
            match self.pod_sessions.replace(&caller.pod_uid, served.key(), ends) {
                Ok(Some(before)) => {
                    self.cache.leave(&before, &caller.pod_uid);
                    return Ok(());
                }
                Ok(None) => return Ok(()),
                // AWS may have taken longer than the pod lived.
                Err(MoreEnds(now)) => ends = now,
            }
            match self.liveness.check(caller, self.clock.now()).await {
                Ok(_) => {}
                // The pod was seen alive when the request began. Its next request remembers the session.
                Err(NodeError::Unknown(_)) => return Ok(()),
                Err(error) => {
                    self.cache.pod_gone(&caller.pod_uid);
                    return Err(error);
                }
            }
        }
    }

    /// Drops the sessions of a pod that may have none any more, and says "not yet" to one that has
    /// just started and never had any.
    pub(super) fn not_served(&self, caller: &Caller, error: ResolveError) -> ResolveError {
        // Other errors are about the token, and the pod's next one may be a good one.
        let had_one = error.ends_sessions() && self.end_sessions(&caller.pod_uid);
        let is_new = |pods: &NodePods| pods.is_new(&caller.pod_uid);
        let by_objects = self.options.associations.is_some();
        if by_objects
            && error.is_without_role()
            && !had_one
            && self.liveness.pods().is_some_and(is_new)
        {
            return ResolveError::NotYet(Box::new(error));
        }
        error
    }

    /// Returns whether the pod had a session.
    fn end_sessions(&self, pod_uid: &str) -> bool {
        let keys = self.pod_sessions.forget(pod_uid);
        keys.iter().for_each(|key| self.cache.leave(key, pod_uid));
        !keys.is_empty()
    }

    /// Ends an answer's life when a time comes before which sessions are not served, although nothing
    /// changes then.
    pub(super) fn until_revoked(
        &self,
        until: Timestamp,
        decision: &Decision,
        now: Timestamp,
    ) -> Timestamp {
        let Some(time) = decision.not_before.filter(|time| *time > now) else {
            return until;
        };
        let left: SignedDuration = time.duration_since(now);
        until.min(self.clock.steady().saturating_add(left).unwrap_or(until))
    }
}
