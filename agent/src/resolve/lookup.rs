//! Looking up objects of the cluster by name.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{
    future::{BoxFuture, FutureExt as _, ready},
    stream::BoxStream,
};
use jiff::Timestamp;
use podrole_identity::ServiceAccountRef;

use super::{AssociationFacts, LookupError, NamespaceFacts, ServiceAccountFacts};

/// The result of a look-up; `None` if the object does not exist.
pub type LookupResult<V> = Result<Option<Arc<V>>, LookupError>;

/// Looks up values by name.
pub trait Lookup<K, V>: Send + Sync + 'static {
    /// The current value; from a cache, the last known one if the API server fails.
    ///
    /// # Errors
    /// If the API server does not answer and no earlier value is known.
    fn find<'a>(&'a self, name: &'a K) -> BoxFuture<'a, LookupResult<V>>;

    /// The value contradicts what the caller knows, so it may have changed since it was looked up: the next
    /// [`Self::find`] looks it up anew, unless that was done just now.
    fn doubt(&self, _: &K) {}

    /// Until when [`Self::find`] returns the same value, by [`crate::clock::Clock::steady`], or `None` if it looks the
    /// value up each time.
    fn fresh_until(&self, _: &K) -> Option<Timestamp> {
        None
    }

    /// How often the value of any name is known to have changed.
    fn changes(&self) -> u64 {
        0
    }

    /// An item when the watch begins and after each change of the value, or `None` if it cannot be watched. The stream
    /// ends, or yields an error, when changes may have been missed.
    fn watch(&self, _: &K) -> Option<BoxStream<'static, Result<(), LookupError>>> {
        None
    }

    /// Whether names that do not exist are watched too.
    fn watches_missing(&self) -> bool {
        false
    }
}

/// Where ServiceAccounts are looked up.
pub type ServiceAccounts = dyn Lookup<ServiceAccountRef, ServiceAccountFacts>;
/// Where namespaces are looked up.
pub type Namespaces = dyn Lookup<String, NamespaceFacts>;

/// Where associations are looked up.
pub type Associations = dyn Lookup<ServiceAccountRef, AssociationFacts>;

/// Looks up values in a map, for demos and tests. Clones share the map.
pub struct LookupMap<K, V>(Arc<Mutex<HashMap<K, Arc<V>>>>);

/// Looks up ServiceAccounts in a map.
pub type ServiceAccountMap = LookupMap<ServiceAccountRef, ServiceAccountFacts>;

impl<K, V> Clone for LookupMap<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for LookupMap<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Hash + Eq, V> LookupMap<K, V> {
    /// Adds or replaces a value.
    pub fn insert(&self, name: K, value: V) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.insert(name, Arc::new(value));
    }

    /// Removes a value.
    pub fn remove(&self, name: &K) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.remove(name);
    }
}

impl<K, V> Lookup<K, V> for LookupMap<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn find<'a>(&'a self, name: &'a K) -> BoxFuture<'a, LookupResult<V>> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready(Ok(map.get(name).cloned())).boxed()
    }
}

/// Looks up associations in a map.
pub type AssociationMap = LookupMap<ServiceAccountRef, AssociationFacts>;

/// Says of each namespace that it exists and has no guard-rail, for demos and tests.
#[derive(Default)]
pub struct Unguarded(Arc<NamespaceFacts>);

impl Lookup<String, NamespaceFacts> for Unguarded {
    fn find<'a>(&'a self, _: &'a String) -> BoxFuture<'a, LookupResult<NamespaceFacts>> {
        ready(Ok(Some(Arc::clone(&self.0)))).boxed()
    }

    fn fresh_until(&self, _: &String) -> Option<Timestamp> {
        Some(Timestamp::MAX)
    }
}
