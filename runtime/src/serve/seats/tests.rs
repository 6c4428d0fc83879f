use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::serve::activity::Activity;

/// A listener with this many connections, as its limits are changed.
struct Listener {
    seats: Seats,
    start: Instant,
    millis: u64,
}

impl Listener {
    fn new(connections: usize, change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits { connections, ..Limits::default() };
        change(&mut limits);
        Self { seats: Seats::new(limits), start: Instant::now(), millis: 0 }
    }

    fn of(connections: usize) -> Self {
        Self::new(connections, |_| {})
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.millis)
    }

    /// A connection comes a millisecond after the one before.
    fn admit(&mut self, peer: PeerKey) -> Admission {
        self.millis += 1;
        self.seats.admit(peer, self.now(), |_| false)
    }

    /// The number of a connection that must be accepted, and of the one that was closed for it.
    fn seat(&mut self, peer: PeerKey) -> (SeatId, Option<SeatId>) {
        match self.admit(peer) {
            Admission::Seated { id, evicted } => (id, evicted.map(|(id, _)| id)),
            other => panic!("{other:?}"),
        }
    }

    fn come(&mut self, peer: PeerKey) -> SeatId {
        self.seat(peer).0
    }

    /// A whole request is answered.
    fn ask(&mut self, id: SeatId) {
        let now = self.now();
        self.seats.advance(id, Stage::Open);
        self.seats.record(id, 0, Some(now));
    }

    /// A whole request has arrived.
    fn work(&mut self, id: SeatId) {
        self.seats.record(id, 1, None);
    }

    /// The list learns what a connection is doing.
    fn file(&mut self, id: SeatId, activity: &Activity) {
        let (working, answered) = activity.filed();
        self.seats.record(id, working, answered);
    }

    fn has(&self, id: SeatId) -> bool {
        self.seats.seats.contains_key(&id)
    }
}

fn peer(number: u16) -> PeerKey {
    let [high, low] = number.to_be_bytes();
    PeerKey::Address(IpAddr::V4(Ipv4Addr::new(10, 0, high, low)))
}

#[test]
fn of_one_clients_connections_the_one_that_has_come_least_far_is_closed_first() {
    let mut listener = Listener::of(6);
    let ids: Vec<_> = (0..6).map(|_| listener.come(peer(1))).collect();
    listener.ask(ids[0]);
    listener.seats.advance(ids[1], Stage::Open);
    listener.seats.advance(ids[2], Stage::Begun);
    listener.work(ids[3]);
    // 4 and 5 have sent nothing. 3 is at work and 0 was answered, so neither is closed before them.
    let mut closed = Vec::new();
    for _ in 0..4 {
        let (new, evicted) = listener.seat(peer(1));
        closed.push(evicted.unwrap());
        listener.ask(new);
    }
    assert_eq!(closed, [ids[4], ids[5], ids[2], ids[1]]);
    assert!(listener.has(ids[0]) && listener.has(ids[3]));
}

#[test]
fn the_client_with_most_connections_loses_one() {
    let mut listener = Listener::of(1000);
    let honest = listener.come(peer(0));
    for number in 0..4000 {
        listener.come(peer(1 + number % 50));
    }
    assert!(listener.has(honest), "the client with one connection lost it");
    let of = |number| listener.seats.peers[&peer(number)].count();
    assert!((1..=50).all(|number| (19..=20).contains(&of(number))), "{}", of(1));
}

#[test]
fn a_connection_with_an_answered_request_outlives_any_number_of_silent_ones() {
    // Of few clients with many connections each, and of many clients with one or two.
    for (connections, kept) in [(1000, 40), (100, 30)] {
        let mut listener = Listener::of(connections);
        let kept: Vec<_> = (0..kept).map(|_| listener.come(peer(0))).collect();
        kept.iter().for_each(|id| listener.ask(*id));
        for number in 0..4000 {
            listener.come(peer(1 + number % 50));
        }
        assert!(kept.iter().all(|id| listener.has(*id)), "{connections}");
    }
}

#[test]
fn a_byte_that_the_kernel_has_counts() {
    let mut listener = Listener::of(2);
    let (first, second) = (listener.come(peer(1)), listener.come(peer(1)));
    listener.millis += 1;
    let admission = listener.seats.admit(peer(1), listener.now(), |id| id == first);
    assert!(matches!(admission, Admission::Seated { evicted: Some((id, _)), .. } if id == second));
}

#[test]
fn a_client_at_its_limit_loses_one_of_its_own() {
    let mut listener = Listener::new(100, |limits| limits.connections_per_peer = 2);
    let (other, first) = (listener.come(peer(2)), listener.come(peer(1)));
    let second = listener.come(peer(1));
    let (third, evicted) = listener.seat(peer(1));
    assert_eq!(evicted, Some(first));
    for id in [second, third] {
        listener.work(id);
    }
    assert_eq!(listener.admit(peer(1)), Admission::Refused, "both are at work");
    assert!(listener.has(other));
}

#[test]
fn served_clients_keep_their_reserve_against_any_number_of_addresses() {
    let mut listener = Listener::new(100, |limits| limits.reserved_connections = 20);
    let served: Vec<_> = (0..20).map(|number| listener.come(peer(number))).collect();
    served.iter().for_each(|id| listener.ask(*id));
    // Each address has one connection, so only the reserve tells the clients apart.
    for number in 100..3000 {
        let id = listener.come(peer(number));
        listener.seats.advance(id, Stage::Open);
    }
    assert!(served.iter().all(|id| listener.has(*id)));
    // A served client without a connection gets one at once, and it is not closed for others.
    listener.seats.leave(served[0], listener.now());
    let back = listener.come(peer(0));
    for number in 3000..6000 {
        listener.admit(peer(number));
    }
    assert!(listener.has(back));
}

#[test]
fn hoarded_idle_connections_are_closed_before_a_new_one_that_is_about_to_ask() {
    let mut listener = Listener::of(100);
    for number in 0..100 {
        let id = listener.come(peer(1 + number % 2));
        listener.ask(id);
    }
    let new = listener.come(peer(0));
    for number in 0..30 {
        let id = listener.come(peer(1 + number % 2));
        listener.ask(id);
    }
    assert!(listener.has(new), "the new connection was closed before its request");
}

#[test]
fn when_all_are_at_work_a_client_with_many_more_loses_one() {
    let mut listener = Listener::of(40);
    for number in 0..40 {
        let id = listener.come(peer(1 + number % 20));
        listener.work(id);
    }
    assert_eq!(listener.admit(peer(0)), Admission::Full, "no client has many");
    let mut listener = Listener::of(40);
    for _ in 0..40 {
        let id = listener.come(peer(1));
        listener.work(id);
    }
    let (_, evicted) = listener.seat(peer(0));
    assert!(evicted.is_some());
}

#[test]
fn a_request_without_its_end_is_not_work() {
    let mut listener = Listener::of(2);
    let (whole, part) = (listener.come(peer(1)), listener.come(peer(1)));
    let now = listener.now();
    for (id, is_whole) in [(whole, true), (part, false)] {
        let activity = Activity::new(now);
        activity.begin(now, is_whole);
        listener.file(id, &activity);
    }
    assert_eq!(listener.seat(peer(1)).1, Some(part));
    let mut listener = Listener::of(2);
    let (one, two) = (listener.come(peer(1)), listener.come(peer(1)));
    let now = listener.now();
    let activities = [one, two].map(|id| {
        let activity = Activity::new(now);
        activity.begin(now, false);
        listener.file(id, &activity);
        activity
    });
    activities[0].received();
    listener.file(one, &activities[0]);
    assert_eq!(listener.seat(peer(1)).1, Some(two));
}

#[test]
fn several_requests_on_one_connection_are_work_until_the_last_has_ended() {
    let mut listener = Listener::of(1);
    let id = listener.come(peer(1));
    let now = listener.now();
    let activity = Activity::new(now);
    activity.begin(now, true);
    activity.begin(now, true);
    activity.end(now, true, true);
    listener.file(id, &activity);
    assert_eq!(listener.admit(peer(1)), Admission::Full);
    activity.end(now, true, true);
    listener.file(id, &activity);
    assert_eq!(listener.seat(peer(1)).1, Some(id));
}

#[test]
fn the_handshakes_timeout_shrinks_when_more_than_half_of_the_connections_are_open() {
    let mut listener = Listener::of(100);
    for (open, millis) in [(0, 5000), (50, 5000), (75, 2500), (90, 1000), (99, 500), (100, 500)] {
        while listener.seats.seats.len() < open {
            listener.come(peer(1));
        }
        assert_eq!(listener.seats.handshake(), Duration::from_millis(millis), "{open}");
    }
}

#[test]
fn clients_that_are_gone_are_forgotten() {
    let mut listener = Listener::of(10);
    for number in 0..20_000 {
        let id = listener.come(peer(number));
        if number % 2 == 0 {
            listener.ask(id);
        }
        listener.seats.leave(id, listener.now());
    }
    assert!(listener.seats.peers.len() <= 10 + MAX_REMEMBERED);
    assert_eq!((listener.seats.strangers, listener.seats.seats.len()), (0, 0));
    let last = peer(19_998);
    assert!(listener.seats.peers[&last].served.is_some());
    listener.millis += 3_600_000;
    let id = listener.come(last);
    assert!(!listener.seats.is_served(id), "it was served more than an hour ago");
}
