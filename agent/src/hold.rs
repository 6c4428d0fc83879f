//! Holds back a 503 that a retry may turn into credentials. An SDK that is refused at once gives up
//! early (aws-sdk-go-v2 with retry behaviour 2.1 after 0.12 s), while the agent can go on trying.
//!
//! A held request costs memory, so each pod and the node have a limited number of them. Beyond it
//! the 503 leaves at once.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use podrole_runtime::local_address::is_local;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::Instant;

/// The default of [`crate::config::AgentOptions::hold`]. Together with a last attempt it must leave
/// within the second that the SDKs for Ruby, C++, PHP and JavaScript wait.
pub const HOLD: Duration = Duration::from_millis(HOLD_MILLIS);
pub(crate) const HOLD_MILLIS: u64 = 700;
/// The pause before the second attempt; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How many requests of one pod are held at once.
const PER_POD: usize = 8;
/// How many requests of all pods are held at once.
const PER_NODE: usize = 1024;

/// Whose request is held.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// The pod of a verified token, by UID.
    Pod(String),
    /// The address of a request whose token could not be verified yet.
    Address(IpAddr),
    /// This node, one of whose addresses such a request came from.
    Node,
}

impl Holder {
    /// The holder of a request from `peer`; `pod_uid` is `None` if its token is not verified.
    pub(crate) fn of(pod_uid: Option<String>, peer: Option<IpAddr>) -> Self {
        if let Some(uid) = pod_uid {
            return Self::Pod(uid);
        }
        let peer = peer.map(|peer| peer.to_canonical());
        match peer.filter(|peer| !peer.is_loopback() && !is_local(*peer)) {
            Some(peer) => Self::Address(peer),
            None => Self::Node,
        }
    }
}

/// The requests that are held. Clones share them.
#[derive(Clone)]
pub(crate) struct Holds {
    held: Arc<Mutex<HashMap<Holder, usize>>>,
    gauge: Gauge,
}

/// A request that is held, until this is dropped.
pub(crate) struct Hold {
    holds: Holds,
    holder: Holder,
}

impl Holds {
    /// No request is held. `gauge` shows how many are.
    pub(crate) fn new(gauge: Gauge) -> Self {
        Self { held: Arc::default(), gauge }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Holder, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a request, or returns `None` if its pod or the node holds too many.
    pub(crate) fn take(&self, holder: Holder) -> Option<Hold> {
        let mut held = self.lock();
        let all: usize = held.values().sum();
        let own = held.get(&holder).copied().unwrap_or_default();
        if own >= PER_POD || all >= PER_NODE {
            return None;
        }
        held.insert(holder.clone(), own + 1);
        self.gauge.inc();
        Some(Hold { holds: self.clone(), holder })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.holds.lock();
        let left = held.get_mut(&self.holder).map(|count| {
            *count -= 1;
            *count
        });
        if left == Some(0) {
            held.remove(&self.holder);
        }
        self.holds.gauge.dec();
    }
}

/// When a held request is tried again. Pure.
pub(crate) struct Attempts {
    end: Instant,
    pause: Duration,
}

impl Attempts {
    /// The attempts of a request that came at `begun` and is held for at most `hold`.
    pub(crate) fn new(begun: Instant, hold: Duration) -> Self {
        Self { end: begun + hold, pause: FIRST_PAUSE }
    }

    /// When the next attempt begins after one that failed at `now`, or `None` after the last one:
    /// that begins when the request has been held for its time.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Instant> {
        if now >= self.end {
            return None;
        }
        let next = (now + self.pause).min(self.end);
        self.pause *= 2;
        // A last attempt that follows at once would gain nothing.
        Some(if self.end - next < FIRST_PAUSE { self.end } else { next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(number: usize) -> Holder {
        Holder::Pod(number.to_string())
    }

    #[test]
    fn a_pod_holds_8_requests_and_the_node_1024() {
        let gauge = Gauge::default();
        let holds = Holds::new(gauge.clone());
        let mut held: Vec<_> = (0..8).map(|_| holds.take(pod(0)).unwrap()).collect();
        assert!(holds.take(pod(0)).is_none());
        for number in 1..128 {
            held.extend((0..8).map(|_| holds.take(pod(number)).unwrap()));
        }
        assert!(holds.take(pod(128)).is_none());
        assert_eq!(gauge.get(), 1024);
        held.remove(0);
        assert!(holds.take(pod(128)).is_some(), "dropping one makes room");
        held.clear();
        assert_eq!((gauge.get(), holds.lock().len()), (0, 0));
    }

    #[test]
    fn addresses_of_the_node_are_one_holder() {
        let of = |peer: &str| Holder::of(None, Some(peer.parse().unwrap()));
        assert_eq!([of("127.0.0.1"), of("127.8.8.8"), of("::1")], [const { Holder::Node }; 3]);
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(Holder::of(None, None), Holder::Node);
    }

    #[test]
    fn pauses_double_and_the_last_attempt_begins_at_the_end() {
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        let mut attempts = Attempts::new(begun, HOLD);
        let mut begins = Vec::new();
        let mut now = begun;
        while let Some(next) = attempts.next(now) {
            begins.push((next - begun).as_millis());
            now = next;
        }
        assert_eq!(begins, [50, 150, 350, 700]);
        let mut slow = Attempts::new(begun, HOLD);
        assert_eq!(slow.next(at(620)), Some(at(700)), "an attempt took 0.62 s");
        assert_eq!(slow.next(at(701)), None);
        assert_eq!(Attempts::new(begun, Duration::ZERO).next(begun), None);
    }
}
