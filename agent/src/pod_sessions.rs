//! Which session each pod has, so that one that no pod has any more is dropped: its role was changed,
//! its association deleted, or it was revoked.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::credential_cache::CacheKey;

/// How many sessions of a pod are remembered.
const MOST: usize = 8;

/// Sessions by pod UID. A pod has one for each list of audiences of its tokens.
#[derive(Default)]
pub(crate) struct PodSessions(Mutex<HashMap<String, Vec<Arc<CacheKey>>>>);

impl PodSessions {
    /// Records that the pod has the session `key`; returns the one that it had before.
    pub(crate) fn replace(&self, pod_uid: &str, key: &Arc<CacheKey>) -> Option<Arc<CacheKey>> {
        let mut pods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !pods.contains_key(pod_uid) {
            pods.insert(pod_uid.to_owned(), vec![Arc::clone(key)]);
            return None;
        }
        let keys = pods.get_mut(pod_uid)?;
        let Some(known) = keys.iter_mut().find(|known| known.audiences == key.audiences) else {
            keys.push(Arc::clone(key));
            // A tenant can have tokens issued for any number of lists of audiences.
            return (keys.len() > MOST).then(|| keys.remove(0));
        };
        if Arc::ptr_eq(known, key) {
            return None;
        }
        let before = std::mem::replace(known, Arc::clone(key));
        // The same session may have left the cache and come back.
        (before != *key).then_some(before)
    }

    /// Forgets the pod; returns the sessions that it had.
    pub(crate) fn forget(&self, pod_uid: &str) -> Vec<Arc<CacheKey>> {
        let mut pods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pods.remove(pod_uid).unwrap_or_default()
    }
}
