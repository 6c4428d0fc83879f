//! Which session each pod has, so that one that no pod has any more is dropped: its role was changed,
//! its association deleted, or it was revoked.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::credential_cache::CacheKey;

/// How many sessions of a pod are remembered.
const MOST: usize = 8;

/// Sessions by pod UID. A pod has one for each list of audiences of its tokens.
#[derive(Default)]
pub(crate) struct PodSessions(Mutex<Known>);

#[derive(Default)]
struct Known {
    pods: HashMap<String, Vec<Arc<CacheKey>>>,
    /// How many pods have ended.
    ends: u64,
}

/// Pods have ended since the caller counted them: so many by now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MoreEnds(pub(crate) u64);

impl PodSessions {
    /// How many pods have ended so far.
    pub(crate) fn ends(&self) -> u64 {
        self.lock().ends
    }

    /// Records that the pod has the session `key`; returns the one that it had before. `ends` was
    /// counted before the pod was seen alive.
    ///
    /// # Errors
    /// If pods have ended since, and this may be one of them: nothing would forget it again.
    pub(crate) fn replace(
        &self,
        pod_uid: &str,
        key: &Arc<CacheKey>,
        ends: u64,
    ) -> Result<Option<Arc<CacheKey>>, MoreEnds> {
        let mut known = self.lock();
        if known.ends != ends {
            return Err(MoreEnds(known.ends));
        }
        let keys = known.pods.entry(pod_uid.to_owned()).or_default();
        let Some(known) = keys.iter_mut().find(|known| known.audiences == key.audiences) else {
            keys.push(Arc::clone(key));
            // A tenant can have tokens issued for any number of lists of audiences.
            return Ok((keys.len() > MOST).then(|| keys.remove(0)));
        };
        if Arc::ptr_eq(known, key) {
            return Ok(None);
        }
        let before = std::mem::replace(known, Arc::clone(key));
        // The same session may have left the cache and come back.
        Ok((before != *key).then_some(before))
    }

    /// Forgets the pod; returns the sessions that it had.
    pub(crate) fn forget(&self, pod_uid: &str) -> Vec<Arc<CacheKey>> {
        self.lock().pods.remove(pod_uid).unwrap_or_default()
    }

    /// Forgets a pod that ended.
    pub(crate) fn pod_gone(&self, pod_uid: &str) {
        let mut known = self.lock();
        known.ends += 1;
        known.pods.remove(pod_uid);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
