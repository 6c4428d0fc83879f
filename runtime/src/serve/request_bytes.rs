//! Which request is given up when the requests in flight need too much memory. Pure.
//!
//! An attacker sends large bodies and leaves their last byte out. The client that holds most loses
//! its largest request, so that small ones of others go on.

use std::{cmp::Reverse, collections::HashMap};

use super::peer_key::PeerKey;

/// The part of the limit beyond which clients that have had no request answered lose one first.
const STRANGERS_PART: usize = 4;

pub(super) type RequestId = u64;

struct Held {
    peer: PeerKey,
    bytes: usize,
}

#[derive(Default)]
struct PeerBytes {
    bytes: usize,
    requests: usize,
    /// A request of this client was answered before.
    served: bool,
}

/// What the requests in flight hold.
pub(super) struct RequestBytes {
    limit: usize,
    total: usize,
    requests: HashMap<RequestId, Held>,
    peers: HashMap<PeerKey, PeerBytes>,
    next_id: RequestId,
}

impl RequestBytes {
    /// Allows `limit` bytes in all; 0 means no limit.
    pub(super) fn new(limit: usize) -> Self {
        let (requests, peers) = (HashMap::new(), HashMap::new());
        Self { limit, total: 0, requests, peers, next_id: 0 }
    }

    /// A request begins.
    pub(super) fn begin(&mut self, peer: PeerKey, served: bool) -> RequestId {
        let id = self.next_id;
        self.next_id += 1;
        self.requests.insert(id, Held { peer, bytes: 0 });
        let peer = self.peers.entry(peer).or_default();
        peer.requests += 1;
        peer.served |= served;
        id
    }

    /// More of a request has arrived. Returns the requests that must be given up for it, which may
    /// include itself.
    pub(super) fn add(&mut self, id: RequestId, bytes: usize) -> Vec<RequestId> {
        // A request that was given up no longer counts.
        let Some(held) = self.requests.get_mut(&id) else { return Vec::new() };
        held.bytes += bytes;
        self.total += bytes;
        if let Some(peer) = self.peers.get_mut(&held.peer) {
            peer.bytes += bytes;
        }
        let mut given_up = Vec::new();
        while self.limit > 0 && self.total > self.limit {
            let Some(victim) = self.victim() else { break };
            self.end(victim);
            given_up.push(victim);
        }
        given_up
    }

    /// A request has ended.
    pub(super) fn end(&mut self, id: RequestId) {
        let Some(held) = self.requests.remove(&id) else { return };
        self.total -= held.bytes;
        if let Some(peer) = self.peers.get_mut(&held.peer) {
            peer.bytes -= held.bytes;
            peer.requests -= 1;
            if peer.requests == 0 {
                self.peers.remove(&held.peer);
            }
        }
    }

    fn victim(&self) -> Option<RequestId> {
        let strangers = self.peers.values().filter(|peer| !peer.served);
        let strangers: usize = strangers.map(|peer| peer.bytes).sum();
        let shielded = strangers > self.limit / STRANGERS_PART;
        let exposed = self.peers.iter().filter(|(_, peer)| !(shielded && peer.served));
        let (heaviest, _) = exposed.max_by_key(|(_, peer)| peer.bytes)?;
        let own = self.requests.iter().filter(|(_, held)| held.peer == *heaviest);
        own.max_by_key(|(id, held)| (held.bytes, Reverse(**id))).map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const MIB: usize = 1024 * 1024;

    fn peer(last: u8) -> PeerKey {
        PeerKey::Address(IpAddr::from([10, 0, 0, last]))
    }

    #[test]
    fn the_largest_request_of_the_client_that_holds_most_is_given_up() {
        let mut bytes = RequestBytes::new(10 * MIB);
        let honest = bytes.begin(peer(1), false);
        assert!(bytes.add(honest, 3 * MIB).is_empty());
        let (small, large) = (bytes.begin(peer(2), false), bytes.begin(peer(2), false));
        assert!(bytes.add(small, 2 * MIB).is_empty());
        assert!(bytes.add(large, 4 * MIB).is_empty());
        assert_eq!(bytes.add(honest, 2 * MIB), [large]);
        assert!(bytes.add(large, MIB).is_empty(), "it was given up");
        bytes.end(honest);
        assert!(bytes.add(small, 8 * MIB).is_empty());
        assert_eq!(bytes.add(small, 1), [small], "one request may not exceed the limit alone");
        assert_eq!((bytes.total, bytes.requests.len(), bytes.peers.len()), (0, 0, 0));
    }

    #[test]
    fn a_served_client_loses_nothing_while_others_hold_more_than_a_quarter() {
        let mut bytes = RequestBytes::new(8 * MIB);
        let api_server = bytes.begin(peer(1), true);
        bytes.add(api_server, 5 * MIB);
        let strangers: Vec<_> = (2..5).map(|last| bytes.begin(peer(last), false)).collect();
        assert!(strangers.iter().all(|id| bytes.add(*id, MIB).is_empty()));
        assert_eq!(bytes.add(strangers[1], 1), [strangers[1]]);
        let given_up = bytes.add(api_server, 2 * MIB);
        assert_eq!(given_up, [api_server], "the others hold their share only");
    }

    #[test]
    fn without_a_limit_nothing_is_given_up() {
        let mut bytes = RequestBytes::new(0);
        let id = bytes.begin(peer(1), false);
        assert!(bytes.add(id, usize::MAX / 2).is_empty());
    }
}
