//! The objects whose status must be written, in the order in which that became known. Pure.

use std::{
    collections::{HashMap, HashSet, VecDeque},
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
    selecting: VecDeque<ObjectKey>,
    associations: VecDeque<ObjectKey>,
    queued: HashSet<ObjectKey>,
    /// When each object may be written next, if not at once.
    not_before: HashMap<ObjectKey, Instant>,
}

impl Queue {
    /// Adds an object, unless it is there.
    pub(super) fn push(&mut self, key: ObjectKey) {
        if self.queued.insert(key.clone()) {
            self.part(key.0).push_back(key);
        }
    }

    /// Takes an object out. Its place in the order stays until it is reached.
    pub(super) fn remove(&mut self, key: &ObjectKey) {
        self.queued.remove(key);
    }

    /// The next object that may be written now; it may be written again after 5 s.
    pub(super) fn pop(&mut self, now: Instant) -> Option<ObjectKey> {
        self.not_before.retain(|_, time| *time > now);
        let key = self.pop_from(Kind::Pattern).or_else(|| self.pop_from(Kind::Association))?;
        self.not_before.insert(key.clone(), now + AGAIN);
        Some(key)
    }

    fn pop_from(&mut self, kind: Kind) -> Option<ObjectKey> {
        // At most ten objects a second are written, so few are passed over.
        for _ in 0..self.part(kind).len() {
            let key = self.part(kind).pop_front()?;
            if !self.queued.contains(&key) {
                continue;
            }
            if self.not_before.contains_key(&key) {
                self.part(kind).push_back(key);
                continue;
            }
            self.queued.remove(&key);
            return Some(key);
        }
        None
    }

    fn part(&mut self, kind: Kind) -> &mut VecDeque<ObjectKey> {
        match kind {
            Kind::Association => &mut self.associations,
            Kind::Pattern | Kind::Guardrail => &mut self.selecting,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queued.len()
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
}
