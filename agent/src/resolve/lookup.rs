//! Where things are looked up by name.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::{BoxFuture, FutureExt as _, ready};
use jiff::Timestamp;
use podrole_identity::ServiceAccountRef;

use super::{LookupError, NamespaceFacts, ServiceAccountFacts};

/// What a look-up ends with: none when there is no such thing.
pub type Found<V> = Result<Option<Arc<V>>, LookupError>;

/// Where values are looked up by name.
pub trait Lookup<K, V>: Send + Sync + 'static {
    /// The value as it is now, as far as can be known.
    ///
    /// # Errors
    /// When the cluster cannot be asked and nothing is known from before.
    fn find<'a>(&'a self, name: &'a K) -> BoxFuture<'a, Found<V>>;

    /// Until when [`Self::find`] says the same; none where it is asked anew each time.
    fn stands(&self, _: &K) -> Option<Timestamp> {
        None
    }
}

/// Where ServiceAccounts are looked up.
pub type ServiceAccounts = dyn Lookup<ServiceAccountRef, ServiceAccountFacts>;
/// Where namespaces are looked up.
pub type Namespaces = dyn Lookup<String, NamespaceFacts>;

/// Values from a map, where there is no cluster. Clones are the same map.
pub struct LookupMap<K, V>(Arc<Mutex<HashMap<K, Arc<V>>>>);

/// ServiceAccounts from a map.
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
    /// Adds a value, or replaces it.
    pub fn insert(&self, name: K, value: V) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.insert(name, Arc::new(value));
    }

    /// Takes a value away.
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
    fn find<'a>(&'a self, name: &'a K) -> BoxFuture<'a, Found<V>> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready(Ok(map.get(name).cloned())).boxed()
    }
}

/// Namespaces without guard-rails, where there is no cluster.
#[derive(Default)]
pub struct Unguarded(Arc<NamespaceFacts>);

impl Lookup<String, NamespaceFacts> for Unguarded {
    fn find<'a>(&'a self, _: &'a String) -> BoxFuture<'a, Found<NamespaceFacts>> {
        ready(Ok(Some(Arc::clone(&self.0)))).boxed()
    }

    fn stands(&self, _: &String) -> Option<Timestamp> {
        Some(Timestamp::MAX)
    }
}
