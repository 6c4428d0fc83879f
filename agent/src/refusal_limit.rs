//! A limit of rejected tokens for each address. To verify a signature costs the agent more than a
//! made-up token costs its sender. Valid tokens are not limited: what they cost is a look at the
//! caches, and a pod cannot make more of them.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

use crate::{
    log_limit::LogLimit,
    lru::{LruCache, LruValue},
    refusal::Refusal,
};

/// The default limit of rejected tokens per second. An SDK with a bad token sends one or two a
/// second.
pub const REJECTED_TOKENS: u32 = 20;
/// How many addresses have a bucket. A node runs a few hundred pods; an address whose bucket is
/// evicted starts with a full one.
const ADDRESSES: usize = 4096;
/// A bucket's capacity, as a multiple of what may come in a second.
const BURST: f64 = 4.0;

/// The addresses' buckets. Clones share them.
#[derive(Clone)]
pub struct RefusalLimit(Arc<Buckets>);

struct Buckets {
    per_second: f64,
    buckets: LruCache<IpAddr, Arc<Bucket>>,
    log: LogLimit<IpAddr>,
}

/// How many rejected tokens an address has left.
struct Bucket(Mutex<Level>);

#[derive(Clone, Copy)]
struct Level {
    left: f64,
    at: Timestamp,
}

impl Level {
    /// The level at `now`. A clock that was set back refills nothing.
    fn refilled(self, per_second: f64, now: Timestamp) -> Self {
        let passed = now.duration_since(self.at).as_secs_f64().max(0.0);
        Self { left: (self.left + passed * per_second).min(per_second * BURST), at: now }
    }
}

impl LruValue for Arc<Bucket> {
    fn last_used(&self) -> i64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).at.as_millisecond()
    }
}

impl RefusalLimit {
    /// A limit of `rate` rejected tokens per second and address; 0 sets none.
    #[must_use]
    pub fn per_second(rate: u32) -> Self {
        let (buckets, log) = (LruCache::with_entries(ADDRESSES), LogLimit::new());
        Self(Arc::new(Buckets { per_second: f64::from(rate), buckets, log }))
    }

    /// Whether `peer` has sent so many bad tokens that its next token is not verified. Logs so once
    /// a minute.
    pub(crate) fn is_reached(&self, peer: IpAddr, now: Timestamp) -> bool {
        let peer = peer.to_canonical();
        let reached = self.level(peer, now).is_some_and(|level| level.left < 1.0);
        if reached && let Some(requests) = self.0.log.count(&peer, now) {
            tracing::warn!(
                %peer,
                requests,
                "an address sends too many invalid tokens; refusing its requests without a look at their tokens"
            );
        }
        reached
    }

    /// Counts a refusal, if it is one of a bad token. Addresses of the node itself are not counted:
    /// good pods share them with bad ones.
    pub(crate) fn count(
        &self,
        peer: IpAddr,
        now: Timestamp,
        refusal: &Refusal,
        is_local: impl FnOnce(IpAddr) -> bool,
    ) {
        let peer = peer.to_canonical();
        let per_second = self.0.per_second;
        // A token whose key is not known yet is not a bad one.
        let bad = matches!(refusal, Refusal::Token(_)) && refusal.is_final();
        let counts = bad && per_second > 0.0;
        if !counts || peer.is_loopback() || is_local(peer) {
            return;
        }
        let full = || Arc::new(Bucket(Mutex::new(Level { left: per_second * BURST, at: now })));
        let bucket = self.0.buckets.get_or_insert_with(&peer, full);
        let mut level = bucket.0.lock().unwrap_or_else(PoisonError::into_inner);
        *level = level.refilled(per_second, now);
        level.left = (level.left - 1.0).max(0.0);
    }

    /// What the address has left, or `None` if it has sent no bad token.
    fn level(&self, peer: IpAddr, now: Timestamp) -> Option<Level> {
        let bucket = self.0.buckets.get(&peer)?;
        let level = *bucket.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(level.refilled(self.0.per_second, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keys::VerifyError, tests::fixture::at, token::TokenError};

    fn refusals(limit: &RefusalLimit, peer: &str, count: usize, refusal: &Refusal) -> bool {
        let peer = peer.parse().unwrap();
        let local = |address: IpAddr| address.to_string() == "169.254.170.23";
        (0..count).for_each(|_| limit.count(peer, at(0), refusal, local));
        limit.is_reached(peer, at(0))
    }

    fn bad() -> Refusal {
        Refusal::from(VerifyError::Token(TokenError::Signature))
    }

    #[test]
    fn an_address_with_many_bad_tokens_is_refused_for_a_while_and_others_are_not() {
        let limit = RefusalLimit::per_second(20);
        assert!(!refusals(&limit, "10.1.2.3", 79, &bad()));
        assert!(refusals(&limit, "10.1.2.3", 1, &bad()));
        assert!(!limit.is_reached("10.1.2.4".parse().unwrap(), at(0)));
        let mapped = "::ffff:10.1.2.3".parse().unwrap();
        assert!(limit.is_reached(mapped, at(0)));
        assert!(limit.is_reached(mapped, at(-90)), "a clock that is set back refills nothing");
        assert!(!limit.is_reached(mapped, at(1)));
    }

    #[test]
    fn other_refusals_and_addresses_of_the_node_do_not_count() {
        let limit = RefusalLimit::per_second(20);
        assert!(!refusals(&limit, "10.1.2.3", 1000, &Refusal::StillFetching));
        let pending = Refusal::from(VerifyError::KeyPending);
        assert!(!refusals(&limit, "10.1.2.3", 1000, &pending));
        for own in ["127.0.0.1", "127.9.9.9", "::1", "169.254.170.23"] {
            assert!(!refusals(&limit, own, 1000, &bad()), "{own}");
        }
    }

    #[test]
    fn a_rate_of_0_sets_no_limit() {
        assert!(!refusals(&RefusalLimit::per_second(0), "10.1.2.3", 1000, &bad()));
    }
}
