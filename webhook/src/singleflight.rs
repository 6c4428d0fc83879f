//! One read for all who wait for the same thing.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    sync::{Arc, Mutex},
};

use tokio::sync::watch;

use crate::mutex::lock;

/// What a passenger holds: the read's answer, once it has landed.
pub(crate) type Ticket<V> = watch::Receiver<Option<V>>;

/// The reads that are under way. Clones share them.
pub(crate) struct Flights<K, V>(Arc<Mutex<HashMap<K, Ticket<V>>>>);

impl<K, V> Clone for Flights<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Flights<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Send + Sync + 'static,
{
    /// The flight for `key`: the one that is under way, or a new one. It goes on whether or not
    /// its passengers stay.
    pub(crate) fn board<F>(&self, key: &K, fly: impl FnOnce() -> F) -> Ticket<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut flying = lock(&self.0);
        // One whose sender is gone has crashed.
        if let Some(flight) = flying.get(key).filter(|flight| flight.has_changed().is_ok()) {
            return flight.clone();
        }
        let (land, flight) = watch::channel(None);
        flying.insert(key.clone(), flight.clone());
        let (flights, key, flying) = (self.clone(), key.clone(), fly());
        tokio::spawn(async move {
            let landed = flying.await;
            lock(&flights.0).remove(&key);
            land.send_replace(Some(landed));
        });
        flight
    }
}
