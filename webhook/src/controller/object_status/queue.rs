//! The objects whose status must be written, in the order in which that became known. Pure.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use podrole_identity::Kind;
use tokio::time::Instant;

/// An object by kind and name.
pub(super) type ObjectKey = (Kind, Box<str>);

/// Before an object's status is written again: what changes all the time must not keep others from theirs.
const AGAIN: Duration = Duration::from_secs(5);

/// The queue. Guard-rails and patterns come first: there are few, and each concerns many pods.
#[derive(Default)]
pub(super) struct Queue {
    selecting: BTreeMap<u64, ObjectKey>,
    associations: BTreeMap<u64, ObjectKey>,
    /// The place of each object in its part.
    places: HashMap<ObjectKey, u64>,
    /// The place of the next that is added.
    next: u64,
    /// When each object may be written next, if not at once.
    not_before: HashMap<ObjectKey, Instant>,
}

impl Queue {
    /// Adds an object, unless it is there.
    pub(super) fn push(&mut self, key: ObjectKey) {
        if self.places.contains_key(&key) {
            return;
        }
        let place = self.next;
        self.next += 1;
        self.places.insert(key.clone(), place);
        self.part(key.0).insert(place, key);
    }

    /// Takes an object out.
    pub(super) fn remove(&mut self, key: &ObjectKey) {
        if let Some(place) = self.places.remove(key) {
            self.part(key.0).remove(&place);
        }
    }

    /// The next object that may be written now; it may be written again after 5 s.
    pub(super) fn pop(&mut self, now: Instant) -> Option<ObjectKey> {
        self.not_before.retain(|_, time| *time > now);
        // At most ten objects a second are written, so few are passed over.
        let may_be_written = |key: &&ObjectKey| !self.not_before.contains_key(*key);
        let mut all = self.selecting.values().chain(self.associations.values());
        let key = all.find(may_be_written)?.clone();
        self.remove(&key);
        self.not_before.insert(key.clone(), now + AGAIN);
        Some(key)
    }

    fn part(&mut self, kind: Kind) -> &mut BTreeMap<u64, ObjectKey> {
        match kind {
            Kind::Association => &mut self.associations,
            Kind::Pattern | Kind::Guardrail => &mut self.selecting,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: Kind, name: &str) -> ObjectKey {
        (kind, name.into())
    }

    #[tokio::test(start_paused = true)]
    async fn objects_are_written_in_order_and_one_that_changes_all_the_time_waits() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let association = |name: &str| key(Kind::Association, name);
        for name in ["a", "b", "a"] {
            queue.push(association(name));
        }
        queue.push(key(Kind::Guardrail, "z"));
        assert_eq!(queue.len(), 3);
        assert_eq!(queue.pop(now), Some(key(Kind::Guardrail, "z")), "it concerns many");
        assert_eq!(queue.pop(now), Some(association("a")));
        queue.push(association("a"));
        assert_eq!(queue.pop(now), Some(association("b")));
        assert_eq!(queue.pop(now), None, "a was written just now");
        assert_eq!(queue.pop(now + AGAIN), Some(association("a")));
        queue.push(association("c"));
        queue.remove(&association("c"));
        assert_eq!((queue.pop(now + AGAIN), queue.len()), (None, 0));
    }

    #[test]
    fn an_object_that_comes_and_goes_has_one_place_the_last() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let association = |name: &str| key(Kind::Association, name);
        queue.push(association("a"));
        queue.push(association("b"));
        for _ in 0..100 {
            queue.remove(&association("a"));
            queue.push(association("a"));
        }
        assert_eq!((queue.len(), queue.associations.len()), (2, 2));
        assert_eq!(queue.pop(now), Some(association("b")));
        assert_eq!(queue.pop(now), Some(association("a")));
    }
}
