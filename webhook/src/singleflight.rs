//! One fetch shared by all callers that want the same key at the same time.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    sync::{Arc, Mutex},
};

use tokio::sync::watch;

use crate::mutex::lock;

/// A fetch as its callers see it: `None` until it is finished.
pub(crate) type InFlight<V> = watch::Receiver<Option<V>>;

/// The fetches that are in flight. Clones share them.
pub(crate) struct Singleflight<K, V>(Arc<Mutex<HashMap<K, InFlight<V>>>>);

impl<K, V> Clone for Singleflight<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Singleflight<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Singleflight<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Send + Sync + 'static,
{
    /// Joins the fetch for `key`, or starts one with `fetch`.
    ///
    /// The fetch runs in a task of its own, so a caller that times out does not cancel it for the
    /// others.
    pub(crate) fn join<F>(&self, key: &K, fetch: impl FnOnce() -> F) -> InFlight<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut fetches = lock(&self.0);
        // If its task panicked, the sender is gone and the entry never removed: start anew.
        if let Some(fetch) = fetches.get(key).filter(|fetch| fetch.has_changed().is_ok()) {
            return fetch.clone();
        }
        let (sender, receiver) = watch::channel(None);
        fetches.insert(key.clone(), receiver.clone());
        let (singleflight, key, fetch) = (self.clone(), key.clone(), fetch());
        tokio::spawn(async move {
            let result = fetch.await;
            // Removed first: a caller that joins after the result is known must see fresh data.
            lock(&singleflight.0).remove(&key);
            sender.send_replace(Some(result));
        });
        receiver
    }
}
