//! Which connections rest between two requests: at the limit the one that rests longest makes
//! room, rather than that a new one is kept out.
//!
//! A request costs two stores here; only who needs room looks at all seats.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::sync::Notify;

/// A connection that works is never asked to leave.
const WORKS: u64 = u64::MAX;
/// One that was asked is not asked again.
const LEAVES: u64 = u64::MAX - 1;
/// So many are asked at once: where one more comes, others are not far.
const TOGETHER: usize = 16;

/// All seats of a listener. Clones are the same seats.
#[derive(Clone, Default)]
pub(super) struct Seats(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Counts connections: the time, as far as it matters here.
    taken: AtomicU64,
    seats: Mutex<HashMap<u64, Arc<Place>>>,
}

struct Place {
    /// When its rest began, or [`WORKS`] or [`LEAVES`].
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
    /// A seat for one more connection.
    pub(super) fn take(&self) -> Seat {
        let number = self.0.taken.fetch_add(1, Relaxed);
        let place = Place { rests_since: AtomicU64::new(number), leave: Notify::new() };
        let place = Arc::new(place);
        self.lock().insert(number, Arc::clone(&place));
        Seat { all: self.clone(), number, place }
    }

    /// Asks the connections that rest longest to leave, if any rests.
    pub(super) fn make_room(&self) {
        let seats = self.lock();
        let since = |place: &Arc<Place>| place.rests_since.load(Relaxed);
        let resting = seats.values().map(|place| (since(place), place));
        let mut resting: Vec<_> = resting.filter(|(since, _)| *since < LEAVES).collect();
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
        let now = self.0.all.0.taken.load(Relaxed);
        self.0.place.rests_since.store(now, Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.all.lock().remove(&self.number);
    }
}
