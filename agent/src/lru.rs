//! A map bounded by entries and by bytes, which evicts the least recently used.
//!
//! It evicts an eighth of its bound at once, so that a full map is not sorted at each insertion.
//! Recency is a property of the value, so that a user who holds one need not lock the map.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, sync::PoisonError};

use crate::sync::{Mutex, MutexGuard};

/// What the cache asks of its values.
pub(crate) trait LruValue {
    /// When the value was used last, in milliseconds.
    fn last_used(&self) -> i64;

    /// Its size, which [`LruCache::reweigh`] reads again.
    fn bytes(&self) -> usize {
        0
    }

    /// Whether the value must stay for now, even if it was not used for long.
    fn is_busy(&self) -> bool {
        false
    }

    /// Called when the value leaves the cache. Others may still hold clones of it.
    fn on_evict(&self) {}

    /// Lets the value leave the cache unless it is busy; returns whether it leaves. A value that others may
    /// make busy meanwhile asks and leaves in one step.
    fn evict_idle(&self) -> bool {
        let idle = !self.is_busy();
        if idle {
            self.on_evict();
        }
        idle
    }
}

/// The map.
pub(crate) struct LruCache<K, V> {
    max_entries: usize,
    max_bytes: usize,
    map: Mutex<WeighedMap<K, V>>,
}

struct WeighedMap<K, V> {
    entries: HashMap<K, Weighed<V>>,
    bytes: usize,
}

struct Weighed<V> {
    value: V,
    /// Its size when it was last read.
    bytes: usize,
}

impl<K: Clone + Eq + Hash, V: LruValue + Clone> LruCache<K, V> {
    /// A cache of at most this many entries.
    pub(crate) fn with_entries(max_entries: usize) -> Self {
        Self::new(max_entries, usize::MAX)
    }

    /// A cache of at most this many entries and bytes. It holds one entry however large that is.
    pub(crate) fn new(max_entries: usize, max_bytes: usize) -> Self {
        let map = Mutex::new(WeighedMap { entries: HashMap::new(), bytes: 0 });
        Self { max_entries: max_entries.max(1), max_bytes, map }
    }

    fn lock(&self) -> MutexGuard<'_, WeighedMap<K, V>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a clone of the value under `key`. The caller records the use.
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.lock().entries.get(key).map(|entry| entry.value.clone())
    }

    /// Returns the value under `key`, inserting `make`'s if there is none.
    pub(crate) fn get_or_insert_with(&self, key: &K, make: impl FnOnce() -> V) -> V {
        let mut map = self.lock();
        if let Some(entry) = map.entries.get(key) {
            return entry.value.clone();
        }
        let value = make();
        self.put(&mut map, key, value.clone());
        value
    }

    /// Inserts `value`, replacing the one under `key`.
    pub(crate) fn insert(&self, key: &K, value: V) {
        let mut map = self.lock();
        map.evict(key);
        self.put(&mut map, key, value);
    }

    /// Reads the size of the value under `key` again, evicting others if it no longer fits.
    pub(crate) fn reweigh(&self, key: &K) {
        let mut map = self.lock();
        let Some(entry) = map.entries.get_mut(key) else {
            return;
        };
        let (before, after) = (entry.bytes, entry.value.bytes());
        entry.bytes = after;
        map.bytes = map.bytes - before + after;
        self.shrink(&mut map, key);
    }

    /// Removes the value under `key` if `predicate` holds for it.
    pub(crate) fn remove_if(&self, key: &K, predicate: impl FnOnce(&V) -> bool) {
        let mut map = self.lock();
        if map.entries.get(key).is_some_and(|entry| predicate(&entry.value)) {
            map.evict(key);
        }
    }

    /// Clones of all values.
    pub(crate) fn values(&self) -> Vec<V> {
        self.lock().entries.values().map(|entry| entry.value.clone()).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// The sum of the values' sizes.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn put(&self, map: &mut WeighedMap<K, V>, key: &K, value: V) {
        let bytes = value.bytes();
        map.bytes += bytes;
        map.entries.insert(key.clone(), Weighed { value, bytes });
        self.shrink(map, key);
    }

    /// Evicts the least recently used until the cache fits its bounds again, sparing `newest`.
    fn shrink(&self, map: &mut WeighedMap<K, V>, newest: &K) {
        if map.entries.len() <= self.max_entries && map.bytes <= self.max_bytes {
            return;
        }
        let others = map.entries.iter();
        let others = others.filter(|(key, entry)| *key != newest && !entry.value.is_busy());
        let mut ages: Vec<_> =
            others.map(|(key, entry)| (entry.value.last_used(), key.clone())).collect();
        ages.sort_unstable_by_key(|(last_used, _)| *last_used);
        let room = |bound: usize| bound - bound / 8;
        for (_, key) in ages {
            if map.entries.len() <= room(self.max_entries) && map.bytes <= room(self.max_bytes) {
                return;
            }
            map.evict_idle(&key);
        }
    }
}

impl<K: Eq + Hash, V: LruValue> WeighedMap<K, V> {
    fn evict_idle(&mut self, key: &K) {
        if self.entries.get(key).is_some_and(|entry| entry.value.evict_idle())
            && let Some(entry) = self.entries.remove(key)
        {
            self.bytes -= entry.bytes;
        }
    }

    fn evict(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.bytes;
            entry.value.on_evict();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::SeqCst},
    };

    #[derive(Default)]
    struct TestValue {
        last_used: AtomicI64,
        bytes: AtomicUsize,
        evicted: AtomicBool,
    }

    impl LruValue for Arc<TestValue> {
        fn last_used(&self) -> i64 {
            self.last_used.load(SeqCst)
        }

        fn bytes(&self) -> usize {
            self.bytes.load(SeqCst)
        }

        fn on_evict(&self) {
            self.evicted.store(true, SeqCst);
        }
    }

    fn value(last_used: i64, bytes: usize) -> Arc<TestValue> {
        Arc::new(TestValue {
            last_used: last_used.into(),
            bytes: bytes.into(),
            ..TestValue::default()
        })
    }

    #[test]
    fn the_least_recently_used_is_evicted_first() {
        let cache = LruCache::with_entries(16);
        for n in 0..16 {
            cache.insert(&n, value(i64::from(n), 0));
        }
        let (first, second) = (cache.get(&0).unwrap(), cache.get(&1).unwrap());
        first.last_used.store(100, SeqCst);
        cache.insert(&16, value(0, 0));
        assert_eq!(cache.len(), 14, "it evicts an eighth at once");
        assert!(cache.get(&0).is_some() && cache.get(&16).is_some());
        assert!([1, 2, 3].iter().all(|gone| cache.get(gone).is_none()));
        assert!(second.evicted.load(SeqCst) && !first.evicted.load(SeqCst));
    }

    #[test]
    fn bytes_are_bounded_as_values_grow() {
        let cache = LruCache::new(100, 1000);
        for n in 0..10 {
            cache.insert(&n, value(i64::from(n), 100));
        }
        assert_eq!((cache.len(), cache.bytes()), (10, 1000));
        let last = cache.get(&9).unwrap();
        last.bytes.store(300, SeqCst);
        cache.reweigh(&9);
        assert_eq!((cache.len(), cache.bytes()), (6, 800));
        assert!(cache.get(&9).is_some() && cache.get(&0).is_none());
        last.bytes.store(5000, SeqCst);
        cache.reweigh(&9);
        assert_eq!(cache.len(), 1, "a value larger than the bound is held alone");
        cache.reweigh(&0);
        cache.insert(&9, value(0, 7));
        assert_eq!((cache.len(), cache.bytes()), (1, 7));
        assert!(last.evicted.load(SeqCst), "a replaced value is evicted");
    }

    #[test]
    fn only_what_the_predicate_accepts_is_removed() {
        let cache = LruCache::with_entries(4);
        let one = cache.get_or_insert_with(&1, || value(0, 1));
        let again = cache.get_or_insert_with(&1, || value(0, 1));
        assert!(Arc::ptr_eq(&one, &again));
        cache.remove_if(&1, |it| !Arc::ptr_eq(it, &one));
        assert_eq!(cache.values().len(), 1);
        cache.remove_if(&1, |it| Arc::ptr_eq(it, &one));
        assert_eq!((cache.len(), cache.bytes()), (0, 0));
    }
}
