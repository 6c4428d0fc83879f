//! Limits the connections of each client address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Open connections by client address. Clones share the counts.
#[derive(Clone)]
pub(super) struct PerPeerLimit {
    max: usize,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// Permission for one connection. Dropping it returns the permission.
pub(super) struct PeerPermit {
    peer: IpAddr,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl PerPeerLimit {
    /// Allows `max` connections for each address; 0 means no limit.
    pub(super) fn new(max: usize) -> Self {
        Self { max, counts: Arc::default() }
    }

    /// Returns `None` if `peer` has reached the limit.
    pub(super) fn acquire(&self, peer: IpAddr) -> Option<PeerPermit> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(peer).or_default();
        if self.max > 0 && *count >= self.max {
            return None;
        }
        *count += 1;
        Some(PeerPermit { peer, counts: Arc::clone(&self.counts) })
    }
}

impl Drop for PeerPermit {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.peer) {
            *count -= 1;
            // Without this the map would grow with every address ever seen.
            if *count == 0 {
                counts.remove(&self.peer);
            }
        }
    }
}
