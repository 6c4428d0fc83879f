//! The connections of a listener, and how one is asked to close.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{net::TcpStream, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    activity::{Activity, File},
    limits::Limits,
    peer_key::PeerKey,
    seats::{Admission, SeatId, Seats, Stage},
};

/// How many connections may be closing at a time. Each still has its file descriptor.
const MAX_CLOSING: usize = 64;

/// The connections of a listener. Clones share them.
#[derive(Clone)]
pub(super) struct Seating(Arc<Mutex<State>>);

struct State {
    limits: Limits,
    seats: Seats,
    /// All connections that have a file descriptor.
    open: HashMap<SeatId, Occupant>,
    /// The connections whose activity has changed since `seats` was given it.
    unfiled: HashSet<SeatId>,
}

struct Occupant {
    /// The socket, while no byte has arrived on it.
    silent: Weak<TcpStream>,
    leave: CancellationToken,
    activity: Arc<Activity>,
}

/// A connection's place in the list. Dropping it frees the place.
pub(super) struct Seat {
    seating: Seating,
    id: SeatId,
    pub(super) peer: PeerKey,
    leave: CancellationToken,
    activity: Arc<Activity>,
}

/// What happens to a new connection.
pub(super) enum Welcome {
    Seated {
        seat: Seat,
        /// The client that loses a connection for it.
        displaced: Option<PeerKey>,
    },
    /// It must wait until another connection has ended.
    Wait,
    Refused,
}

impl Seating {
    pub(super) fn new(limits: Limits) -> Self {
        let (seats, open, unfiled) = (Seats::new(limits), HashMap::new(), HashSet::new());
        Self(Arc::new(Mutex::new(State { limits, seats, open, unfiled })))
    }

    /// Gives a new connection a place, by closing another one if necessary.
    pub(super) fn admit(&self, stream: &Arc<TcpStream>, peer: PeerKey) -> Welcome {
        let mut state = self.lock();
        if state.open.len() >= state.limits.connections + MAX_CLOSING {
            return Welcome::Wait;
        }
        if state.seats.is_full_for(peer) {
            state.file();
        }
        let now = Instant::now();
        let State { seats, open, .. } = &mut *state;
        let sent = |id| open.get(&id).is_some_and(|it| has_sent(&it.silent));
        match seats.admit(peer, now, sent) {
            Admission::Seated { id, evicted } => {
                if let Some(occupant) = evicted.and_then(|(evicted, _)| open.get(&evicted)) {
                    occupant.leave.cancel();
                }
                let leave = CancellationToken::new();
                let activity = Arc::new(Activity::new(now));
                let silent = Arc::downgrade(stream);
                let occupant =
                    Occupant { silent, leave: leave.clone(), activity: Arc::clone(&activity) };
                open.insert(id, occupant);
                let seat = Seat { seating: self.clone(), id, peer, leave, activity };
                Welcome::Seated { seat, displaced: evicted.map(|(_, peer)| peer) }
            }
            Admission::Full => Welcome::Wait,
            Admission::Refused => Welcome::Refused,
        }
    }

    /// Closes one connection, so that its file descriptor can be used for another one.
    pub(super) fn close_one(&self) {
        let mut state = self.lock();
        state.file();
        let evicted = state.seats.evict(Instant::now());
        if let Some(occupant) = evicted.and_then(|evicted| state.open.get(&evicted)) {
            occupant.leave.cancel();
        }
    }

    /// How many connections are open.
    pub(super) fn len(&self) -> usize {
        self.lock().open.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Files what connections have done meanwhile.
    fn file(&mut self) {
        for id in std::mem::take(&mut self.unfiled) {
            self.record(id);
        }
    }

    fn record(&mut self, id: SeatId) {
        if let Some(occupant) = self.open.get(&id) {
            let (working, answered) = occupant.activity.filed();
            self.seats.record(id, working, answered);
        }
    }
}

impl Seat {
    /// Completes when the connection must close for another one.
    pub(super) async fn evicted(&self) {
        self.leave.cancelled().await;
    }

    /// How long the handshake may take, from now on.
    pub(super) fn handshake(&self) -> Duration {
        self.seating.lock().seats.handshake()
    }

    /// A byte has arrived. Returns the socket.
    pub(super) fn begun(&self, stream: Arc<TcpStream>) -> Option<TcpStream> {
        {
            let mut state = self.seating.lock();
            state.seats.advance(self.id, Stage::Begun);
            // The list looks at the socket under its lock only, so there is no other reference.
            if let Some(occupant) = state.open.get_mut(&self.id) {
                occupant.silent = Weak::new();
            }
        }
        Arc::into_inner(stream)
    }

    /// The handshake is complete.
    pub(super) fn open(&self) {
        self.seating.lock().seats.advance(self.id, Stage::Open);
    }

    /// A request has begun; `whole` if nothing of it is missing.
    pub(super) fn begin(&self, whole: bool) {
        self.file(self.activity.begin(Instant::now(), whole));
    }

    /// Whether its client has had a request answered before.
    pub(super) fn is_served(&self) -> bool {
        self.seating.lock().seats.is_served(self.id)
    }

    /// The rest of a request has arrived.
    pub(super) fn received(&self) {
        self.file(self.activity.received());
    }

    /// A request has ended.
    pub(super) fn end(&self, whole: bool, answered: bool) {
        self.file(self.activity.end(Instant::now(), whole, answered));
    }

    fn file(&self, when: File) {
        match when {
            File::Known => {}
            File::Later => {
                self.seating.lock().unfiled.insert(self.id);
            }
            File::Now => self.seating.lock().record(self.id),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.seating.lock();
        state.unfiled.remove(&self.id);
        state.record(self.id);
        state.seats.leave(self.id, Instant::now());
        state.open.remove(&self.id);
    }
}

/// Whether a byte is waiting in the socket. Under load it may have arrived long before its task
/// learns of it.
#[cfg(unix)]
fn has_sent(stream: &Weak<TcpStream>) -> bool {
    use rustix::net::{RecvFlags, recv};
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    stream.upgrade().is_some_and(|stream| {
        let mut byte = [0_u8; 1];
        matches!(recv(&*stream, &mut byte, flags), Ok((1.., _)))
    })
}

#[cfg(not(unix))]
fn has_sent(_stream: &Weak<TcpStream>) -> bool {
    false
}
