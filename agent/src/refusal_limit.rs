//! A limit of rejected tokens for each address. To verify a signature costs the agent more than a
//! made-up token costs its sender.

use std::{net::IpAddr, sync::Arc};

use jiff::Timestamp;

use crate::{limit::PodLimit, refusal::Refusal};

/// Rejected tokens per second. An SDK with a bad token sends one or two a second.
const PER_SECOND: u32 = 20;

/// The addresses' buckets. Clones share them.
#[derive(Clone)]
pub(crate) struct RefusalLimit(Arc<PodLimit>);

impl RefusalLimit {
    pub(crate) fn new() -> Self {
        Self(Arc::new(PodLimit::per_second(PER_SECOND)))
    }

    /// Whether `peer` has sent so many bad tokens that its next token is not verified.
    pub(crate) fn is_reached(&self, peer: IpAddr, now: Timestamp) -> bool {
        let bucket = self.0.known_bucket(&peer.to_canonical().to_string());
        bucket.is_some_and(|bucket| bucket.is_empty(now))
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
        if !matches!(refusal, Refusal::Token(_)) || peer.is_loopback() || is_local(peer) {
            return;
        }
        if let Some(bucket) = self.0.bucket(&peer.to_string(), now) {
            let _ = bucket.take(now);
        }
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

    #[test]
    fn an_address_with_many_bad_tokens_is_refused_for_a_while_and_others_are_not() {
        let limit = RefusalLimit::new();
        let bad = Refusal::from(VerifyError::Token(TokenError::Signature));
        assert!(!refusals(&limit, "10.1.2.3", 79, &bad));
        assert!(refusals(&limit, "10.1.2.3", 1, &bad));
        assert!(!limit.is_reached("10.1.2.4".parse().unwrap(), at(0)));
        assert!(limit.is_reached("::ffff:10.1.2.3".parse().unwrap(), at(0)));
        assert!(!limit.is_reached("10.1.2.3".parse().unwrap(), at(1)));
    }

    #[test]
    fn other_refusals_and_addresses_of_the_node_do_not_count() {
        let limit = RefusalLimit::new();
        assert!(!refusals(&limit, "10.1.2.3", 1000, &Refusal::StillFetching));
        let bad = Refusal::from(VerifyError::Token(TokenError::Signature));
        for own in ["127.0.0.1", "127.9.9.9", "::1", "169.254.170.23"] {
            assert!(!refusals(&limit, own, 1000, &bad), "{own}");
        }
    }
}
