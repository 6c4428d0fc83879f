//! A memory that is bounded by entries and by bytes: what was asked for longest ago goes first.
//!
//! What goes, goes an eighth of the bound at once, so that a full memory is not sorted for each
//! newcomer.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What a memory must know of what is in it.
pub(crate) trait Aged {
    /// When it was asked for last, in milliseconds.
    fn asked(&self) -> i64;

    /// What it weighs.
    fn bytes(&self) -> usize {
        0
    }

    /// It is taken out; who holds it still may want to know.
    fn leaves(&self) {}
}

/// The memory.
pub(crate) struct Bounded<K, V> {
    most: usize,
    most_bytes: usize,
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K, V> {
    slots: HashMap<K, Slot<V>>,
    bytes: usize,
}

struct Slot<V> {
    value: V,
    /// What it weighed when it was looked at last.
    bytes: usize,
}

impl<K: Clone + Eq + Hash, V: Aged + Clone> Bounded<K, V> {
    /// At most so many entries.
    pub(crate) fn entries(most: usize) -> Self {
        Self::new(most, usize::MAX)
    }

    /// At most so many entries and bytes, but never less than one entry.
    pub(crate) fn new(most: usize, most_bytes: usize) -> Self {
        let inner = Mutex::new(Inner { slots: HashMap::new(), bytes: 0 });
        Self { most: most.max(1), most_bytes, inner }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K, V>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is under `key`.
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.lock().slots.get(key).map(|slot| slot.value.clone())
    }

    /// What is under `key`, or what `make` makes for it.
    pub(crate) fn get_or_insert_with(&self, key: &K, make: impl FnOnce() -> V) -> V {
        let mut inner = self.lock();
        if let Some(slot) = inner.slots.get(key) {
            return slot.value.clone();
        }
        let value = make();
        self.put(&mut inner, key, value.clone());
        value
    }

    /// Puts `value` under `key`.
    pub(crate) fn insert(&self, key: &K, value: V) {
        let mut inner = self.lock();
        inner.take_out(key);
        self.put(&mut inner, key, value);
    }

    /// What is under `key` weighs something else now.
    pub(crate) fn weigh(&self, key: &K) {
        let mut inner = self.lock();
        let Some(slot) = inner.slots.get_mut(key) else {
            return;
        };
        let (before, after) = (slot.bytes, slot.value.bytes());
        slot.bytes = after;
        inner.bytes = inner.bytes - before + after;
        self.shrink(&mut inner, key);
    }

    /// Takes out what is under `key` if `is` says that it is meant.
    pub(crate) fn remove_if(&self, key: &K, is: impl FnOnce(&V) -> bool) {
        let mut inner = self.lock();
        if inner.slots.get(key).is_some_and(|slot| is(&slot.value)) {
            inner.take_out(key);
        }
    }

    /// All that is in it.
    pub(crate) fn values(&self) -> Vec<V> {
        self.lock().slots.values().map(|slot| slot.value.clone()).collect()
    }

    /// How many are in it.
    pub(crate) fn len(&self) -> usize {
        self.lock().slots.len()
    }

    /// What all of it weighs.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn put(&self, inner: &mut Inner<K, V>, key: &K, value: V) {
        let bytes = value.bytes();
        inner.bytes += bytes;
        inner.slots.insert(key.clone(), Slot { value, bytes });
        self.shrink(inner, key);
    }

    /// Makes room, but not of `newest`.
    fn shrink(&self, inner: &mut Inner<K, V>, newest: &K) {
        if inner.slots.len() <= self.most && inner.bytes <= self.most_bytes {
            return;
        }
        let others = inner.slots.iter().filter(|(key, _)| *key != newest);
        let mut ages: Vec<_> =
            others.map(|(key, slot)| (slot.value.asked(), key.clone())).collect();
        ages.sort_unstable_by_key(|(asked, _)| *asked);
        let room = |most: usize| most - most / 8;
        for (_, key) in ages {
            if inner.slots.len() <= room(self.most) && inner.bytes <= room(self.most_bytes) {
                return;
            }
            inner.take_out(&key);
        }
    }
}

impl<K: Eq + Hash, V: Aged> Inner<K, V> {
    fn take_out(&mut self, key: &K) {
        if let Some(slot) = self.slots.remove(key) {
            self.bytes -= slot.bytes;
            slot.value.leaves();
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
    struct Thing {
        asked: AtomicI64,
        bytes: AtomicUsize,
        left: AtomicBool,
    }

    impl Aged for Arc<Thing> {
        fn asked(&self) -> i64 {
            self.asked.load(SeqCst)
        }

        fn bytes(&self) -> usize {
            self.bytes.load(SeqCst)
        }

        fn leaves(&self) {
            self.left.store(true, SeqCst);
        }
    }

    fn thing(asked: i64, bytes: usize) -> Arc<Thing> {
        Arc::new(Thing { asked: asked.into(), bytes: bytes.into(), ..Thing::default() })
    }

    #[test]
    fn who_was_asked_for_longest_ago_goes_first() {
        let memory = Bounded::entries(16);
        for n in 0..16 {
            memory.insert(&n, thing(i64::from(n), 0));
        }
        let (first, second) = (memory.get(&0).unwrap(), memory.get(&1).unwrap());
        first.asked.store(100, SeqCst);
        memory.insert(&16, thing(0, 0));
        assert_eq!(memory.len(), 14, "an eighth at once");
        assert!(memory.get(&0).is_some() && memory.get(&16).is_some());
        assert!([1, 2, 3].iter().all(|gone| memory.get(gone).is_none()));
        assert!(second.left.load(SeqCst) && !first.left.load(SeqCst));
    }

    #[test]
    fn bytes_are_bounded_too_as_they_grow() {
        let memory = Bounded::new(100, 1000);
        for n in 0..10 {
            memory.insert(&n, thing(i64::from(n), 100));
        }
        assert_eq!((memory.len(), memory.bytes()), (10, 1000));
        let last = memory.get(&9).unwrap();
        last.bytes.store(300, SeqCst);
        memory.weigh(&9);
        assert_eq!((memory.len(), memory.bytes()), (6, 800));
        assert!(memory.get(&9).is_some() && memory.get(&0).is_none());
        last.bytes.store(5000, SeqCst);
        memory.weigh(&9);
        assert_eq!(memory.len(), 1, "one that is larger than all room is held alone");
        memory.weigh(&0);
        memory.insert(&9, thing(0, 7));
        assert_eq!((memory.len(), memory.bytes()), (1, 7));
        assert!(last.left.load(SeqCst), "what is replaced leaves");
    }

    #[test]
    fn only_what_is_meant_is_taken_out() {
        let memory = Bounded::entries(4);
        let one = memory.get_or_insert_with(&1, || thing(0, 1));
        let again = memory.get_or_insert_with(&1, || thing(0, 1));
        assert!(Arc::ptr_eq(&one, &again));
        memory.remove_if(&1, |it| !Arc::ptr_eq(it, &one));
        assert_eq!(memory.values().len(), 1);
        memory.remove_if(&1, |it| Arc::ptr_eq(it, &one));
        assert_eq!((memory.len(), memory.bytes()), (0, 0));
    }
}
