//! Which connections rest between two requests: at the limit the one that rests longest makes
//! room, rather than that a new one is kept out.
//!
//! A request costs two stores and a look at the clock here; only who needs room looks at all seats.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::{sync::Notify, time::Instant};

/// A connection that works is never asked to leave.
const WORKS: u64 = u64::MAX;
/// One that was asked is not asked again.
const LEAVES: u64 = u64::MAX - 1;
/// So many are asked at once: where one more comes, others are not far.
const TOGETHER: usize = 16;
/// Who has just come is about to ask, on a busy machine a moment later; in milliseconds.
const LEAST_REST: u64 = 1000;

/// All seats of a listener. Clones are the same seats.
#[derive(Clone)]
pub(super) struct Seats(Arc<Shared>);

struct Shared {
    begun: Instant,
    taken: AtomicU64,
    seats: Mutex<HashMap<u64, Arc<Place>>>,
}

struct Place {
    /// When its rest began, in milliseconds, or [`WORKS`] or [`LEAVES`].
    rests_since: AtomicU64,
    leave: Notify,
}

/// One connection's seat; it is free again when this goes.
pub(super) struct Seat {
    all: Seats,
    number: u64,
    place: Arc<Place>,
}

/// While this is there, its connection works.
pub(super) struct Work(Arc<Seat>);

impl Seats {
    /// Seats that are all free.
    pub(super) fn new() -> Self {
        let (taken, seats) = (AtomicU64::default(), Mutex::default());
        Self(Arc::new(Shared { begun: Instant::now(), taken, seats }))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.begun.elapsed().as_millis()).unwrap_or(0)
    }

    /// A seat for one more connection.
    pub(super) fn take(&self) -> Seat {
        let number = self.0.taken.fetch_add(1, Relaxed);
        let rests_since = AtomicU64::new(self.now());
        let place = Place { rests_since, leave: Notify::new() };
        let place = Arc::new(place);
        self.lock().insert(number, Arc::clone(&place));
        Seat { all: self.clone(), number, place }
    }

    /// Asks the connections that rest longest to leave, if any rests.
    pub(super) fn make_room(&self) {
        let (latest, seats) = (self.now().saturating_sub(LEAST_REST), self.lock());
        let since = |place: &Arc<Place>| place.rests_since.load(Relaxed);
        let resting = seats.values().map(|place| (since(place), place));
        let mut resting: Vec<_> = resting.filter(|(since, _)| *since < latest).collect();
        resting.sort_unstable_by_key(|(since, _)| *since);
        // Of a few seats only one.
        let some = (seats.len() / 64).clamp(1, TOGETHER);
        for (since, place) in resting.into_iter().take(some) {
            let asked = place.rests_since.compare_exchange(since, LEAVES, Relaxed, Relaxed);
            if asked.is_ok() {
                place.leave.notify_one();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Place>>> {
        self.0.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// A request has come; until the end of what this gives, nobody asks the connection to leave.
    pub(super) fn work(self: &Arc<Self>) -> Work {
        self.place.rests_since.store(WORKS, Relaxed);
        Work(Arc::clone(self))
    }

    /// Comes to pass when the connection rests and others need its place.
    pub(super) async fn is_needed(&self) {
        loop {
            self.place.leave.notified().await;
            if self.place.rests_since.load(Relaxed) == LEAVES {
                return;
            }
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.place.rests_since.store(self.0.all.now(), Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.all.lock().remove(&self.number);
    }
}
