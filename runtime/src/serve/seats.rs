//! Which connection is closed for a new one when a limit is reached. Pure: the time and what has
//! arrived on a socket are arguments.
//!
//! A connection costs its client nothing, so a new one is never made to wait for those that are
//! there. Each connection has one of three classes:
//!
//! | class | connections |
//! |---|---|
//! | waiting | no request was answered yet and none is being worked on |
//! | idle | a request was answered, none is being worked on |
//! | working | a whole request has arrived and is not answered yet |
//!
//! Of a class, the client with the most connections loses one: the one that has come least far, and
//! of those the oldest. An attacker with many connections therefore displaces its own.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use tokio::time::Instant;

use super::{limits::Limits, peer_key::PeerKey};

/// A client with more waiting connections than this loses one at once.
const FEW: usize = 4;
/// A client with more idle connections than this loses one before a new connection does that is
/// about to ask. An API server keeps fewer, and so do SDKs.
const HOARD: usize = 32;
/// How long a connection of a client with few may wait for its handshake or its first request before
/// it can be closed for a new one, unless there is no other.
const GRACE: Duration = Duration::from_millis(250);
/// A client has at least this many more connections at work than the new one before it loses one.
const GREEDY: usize = 16;
/// How long a client without connections is remembered as served.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// How many of them are remembered.
const MAX_REMEMBERED: usize = 4096;
/// The part of the handshake's timeout that is left when the listener is full.
const SHORTEST_HANDSHAKE: u32 = 10;

pub(super) type SeatId = u64;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// No byte has arrived.
    Silent,
    /// A byte has arrived; the TLS handshake is not complete.
    Begun,
    /// The handshake is complete, or there is none.
    Open,
    /// A request was answered.
    Answered,
}

/// The order in which connections of one client and class are closed.
type Rank = (Stage, Instant, SeatId);

#[derive(Clone, Copy)]
enum Class {
    Waiting,
    Idle,
    Working,
}

struct Seat {
    peer: PeerKey,
    stage: Stage,
    /// When the connection was accepted; once a request was answered, when the last one began or
    /// ended.
    since: Instant,
    /// How many whole requests are being worked on.
    working: u32,
}

impl Seat {
    fn class(&self) -> Class {
        match (self.working, self.stage) {
            (1.., _) => Class::Working,
            (0, Stage::Answered) => Class::Idle,
            (0, _) => Class::Waiting,
        }
    }
}

/// The connections of one client.
#[derive(Default)]
struct PeerSeats {
    ranks: [BTreeSet<Rank>; 3],
    /// When a request of this client was last answered.
    served: Option<Instant>,
}

impl PeerSeats {
    fn of(&self, class: Class) -> &BTreeSet<Rank> {
        &self.ranks[class as usize]
    }

    fn count(&self) -> usize {
        self.ranks.iter().map(BTreeSet::len).sum()
    }
}

/// What happens to a new connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is accepted, and `evicted` is closed for it, a connection of that client.
    Seated { id: SeatId, evicted: Option<(SeatId, PeerKey)> },
    /// Every other connection is working.
    Full,
    /// Its client is at its limit, and all of its connections are working.
    Refused,
}

/// The connections of a listener.
pub(super) struct Seats {
    limits: Limits,
    seats: HashMap<SeatId, Seat>,
    peers: HashMap<PeerKey, PeerSeats>,
    /// How many connections are of clients that have had no request answered.
    strangers: usize,
    next_id: SeatId,
}

impl Seats {
    pub(super) fn new(limits: Limits) -> Self {
        let (seats, peers) = (HashMap::new(), HashMap::new());
        Self { limits, seats, peers, strangers: 0, next_id: 0 }
    }

    /// Whether a connection must be closed before `peer` can have a new one. What its connections
    /// do must be recorded then.
    pub(super) fn is_full_for(&self, peer: PeerKey) -> bool {
        self.is_full() || self.is_at_limit(self.count(peer))
    }

    /// Accepts a connection of `peer`. `has_sent` returns whether a byte has arrived on a
    /// connection that counts as silent: under load the kernel knows that first.
    pub(super) fn admit(
        &mut self,
        peer: PeerKey,
        now: Instant,
        has_sent: impl Fn(SeatId) -> bool,
    ) -> Admission {
        self.forget(peer, now);
        let evicted = loop {
            let own = self.count(peer);
            let (victim, none) = if self.is_at_limit(own) {
                (self.own_victim(peer), Admission::Refused)
            } else if self.is_full() {
                (self.victim(own, now), Admission::Full)
            } else {
                break None;
            };
            let Some(victim) = victim else { return none };
            let silent = self.seats.get(&victim).is_some_and(|seat| seat.stage == Stage::Silent);
            if silent && has_sent(victim) {
                self.advance(victim, Stage::Begun);
                continue;
            }
            let loser = self.seats.get(&victim).map_or(peer, |seat| seat.peer);
            self.leave(victim, now);
            break Some((victim, loser));
        };
        let id = self.next_id;
        self.next_id += 1;
        self.seats.insert(id, Seat { peer, stage: Stage::Silent, since: now, working: 0 });
        self.file(id);
        Admission::Seated { id, evicted }
    }

    /// The connection that is closed if another one must be accepted nevertheless.
    pub(super) fn evict(&mut self, now: Instant) -> Option<SeatId> {
        let victim = self.victim(0, now)?;
        self.leave(victim, now);
        Some(victim)
    }

    /// A connection has come to `stage`. It never goes back.
    pub(super) fn advance(&mut self, id: SeatId, stage: Stage) {
        self.change(id, |seat| seat.stage = seat.stage.max(stage));
    }

    /// Files how many whole requests are being worked on, and when one last began or ended if one
    /// was answered.
    pub(super) fn record(&mut self, id: SeatId, working: u32, answered: Option<Instant>) {
        self.change(id, |seat| {
            seat.working = working;
            if let Some(last) = answered {
                (seat.stage, seat.since) = (Stage::Answered, last);
            }
        });
        let peer = self.seats.get(&id).and_then(|seat| self.peers.get_mut(&seat.peer));
        if let Some((peer, last)) = peer.zip(answered)
            && peer.served.replace(last).is_none()
        {
            self.strangers -= peer.count();
        }
    }

    /// Whether the connection's client has had a request answered.
    pub(super) fn is_served(&self, id: SeatId) -> bool {
        let peer = self.seats.get(&id).and_then(|seat| self.peers.get(&seat.peer));
        peer.is_some_and(|peer| peer.served.is_some())
    }

    /// The connection has ended, or is being closed.
    pub(super) fn leave(&mut self, id: SeatId, now: Instant) {
        self.unfile(id);
        let Some(seat) = self.seats.remove(&id) else { return };
        self.forget(seat.peer, now);
        if self.peers.len() > self.limits.connections + MAX_REMEMBERED {
            let gone = self.peers.iter().filter(|(_, peer)| peer.count() == 0);
            let oldest = gone.min_by_key(|(_, peer)| peer.served).map(|(key, _)| *key);
            oldest.map(|key| self.peers.remove(&key));
        }
    }

    /// How long the handshake of a connection that is accepted now may take: less and less from
    /// the moment that half of the connections are in use.
    pub(super) fn handshake(&self) -> Duration {
        let whole = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).max(1);
        let total = whole(self.limits.connections);
        let free = self.limits.connections.saturating_sub(self.seats.len()).saturating_mul(2);
        let most = self.limits.handshake;
        let part = most.saturating_mul(whole(free).min(total)) / total;
        part.max(most / SHORTEST_HANDSHAKE)
    }

    fn is_full(&self) -> bool {
        self.seats.len() >= self.limits.connections
    }

    /// Whether a client with `own` connections may have no more.
    fn is_at_limit(&self, own: usize) -> bool {
        let limit = self.limits.connections_per_peer;
        limit > 0 && own >= limit
    }

    fn count(&self, peer: PeerKey) -> usize {
        self.peers.get(&peer).map_or(0, PeerSeats::count)
    }

    /// The connection that `peer` loses for a new one of its own.
    fn own_victim(&self, peer: PeerKey) -> Option<SeatId> {
        let peer = self.peers.get(&peer)?;
        let first = peer.of(Class::Waiting).first().or(peer.of(Class::Idle).first());
        first.map(|(.., id)| *id)
    }

    /// The connection that is closed for a new one of a client that has `own`.
    fn victim(&self, own: usize, now: Instant) -> Option<SeatId> {
        // Served clients have no more than their reserve, so only others can lose a connection.
        let shielded = self.strangers + self.limits.reserved_connections >= self.limits.connections;
        let exposed = |peer: &&PeerSeats| !shielded || peer.served.is_none();
        let heaviest = |class: Class| {
            let ranks = self.peers.values().filter(exposed).map(|peer| peer.of(class));
            let first = ranks.filter_map(|ranks| Some((ranks.len(), Reverse(*ranks.first()?))));
            first.max()
        };
        let (waiting, idle) = (heaviest(Class::Waiting), heaviest(Class::Idle));
        let overdue = waiting.filter(|(count, Reverse((_, since, _)))| {
            *count > FEW || now.saturating_duration_since(*since) >= GRACE
        });
        let hoarded = idle.filter(|(count, _)| *count > HOARD);
        let greedy = || heaviest(Class::Working).filter(|(count, _)| *count >= 2 * own + GREEDY);
        let victim = overdue.or(hoarded).or(waiting).or(idle).or_else(greedy);
        victim.map(|(_, Reverse((.., id)))| id)
    }

    fn change(&mut self, id: SeatId, change: impl FnOnce(&mut Seat)) {
        self.unfile(id);
        if let Some(seat) = self.seats.get_mut(&id) {
            change(seat);
        }
        self.file(id);
    }

    fn file(&mut self, id: SeatId) {
        let Some(seat) = self.seats.get(&id) else { return };
        let peer = self.peers.entry(seat.peer).or_default();
        peer.ranks[seat.class() as usize].insert((seat.stage, seat.since, id));
        self.strangers += usize::from(peer.served.is_none());
    }

    fn unfile(&mut self, id: SeatId) {
        let Some(seat) = self.seats.get(&id) else { return };
        let Some(peer) = self.peers.get_mut(&seat.peer) else { return };
        peer.ranks[seat.class() as usize].remove(&(seat.stage, seat.since, id));
        self.strangers -= usize::from(peer.served.is_none());
    }

    /// Forgets a client without connections that was not served, or long ago.
    fn forget(&mut self, peer: PeerKey, now: Instant) {
        let gone = self.peers.get(&peer).is_some_and(|it| {
            let recent = |served| now.saturating_duration_since(served) < REMEMBERED;
            it.count() == 0 && !it.served.is_some_and(recent)
        });
        if gone {
            self.peers.remove(&peer);
        }
    }
}

#[cfg(test)]
mod tests;
