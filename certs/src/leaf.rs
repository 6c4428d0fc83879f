//! The serving certificate that all replicas share: what the Secret holds, and when the controller
//! issues another. Pure.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::{CaBundle, Lifetimes, MintError, Pair, verify::verifies};

/// When the serving certificate expires, for a metric. Clones share one value.
#[derive(Clone, Debug, Default)]
pub struct Expires(Arc<AtomicI64>);

impl Expires {
    /// Seconds from `now` to the expiry; negative afterwards, and while there is no certificate.
    #[must_use]
    pub fn in_seconds(&self, now: Timestamp) -> i64 {
        self.0.load(Relaxed).saturating_sub(now.as_second())
    }

    pub(crate) fn note(&self, expiry: Option<Timestamp>) {
        if let Some(expiry) = expiry {
            self.0.store(expiry.as_second(), Relaxed);
        }
    }
}

/// What the listening replicas read. `Debug` omits the key and the segment.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) pair: Pair,
    /// The CAs that API servers trust, as PEM.
    pub(crate) bundle: String,
    /// The secret part of the webhook's path.
    pub(crate) segment: String,
}

/// What the API servers know from our configurations. The leaf must fit it.
pub(crate) struct Published<'a> {
    pub(crate) ca_bundle: &'a CaBundle,
    pub(crate) segment: &'a str,
    /// The names by which API servers call the webhook.
    pub(crate) names: &'a [String],
}

/// What is due for the leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeafStep {
    /// It is as it should be.
    Keep,
    /// The certificate stays, and the bundle or the segment beside it changes.
    Rewrite,
    /// Issue another certificate.
    Issue,
}

impl Published<'_> {
    /// Returns what is due at `now` for the leaf that the Secret holds.
    ///
    /// A CA that was made a moment ago signs nothing that replaces a working certificate: some API
    /// servers may not trust it yet.
    pub(crate) fn due(
        &self,
        leaf: Option<&Leaf>,
        now: Timestamp,
        lifetimes: &Lifetimes,
    ) -> LeafStep {
        let bundle = self.ca_bundle.to_pem();
        let Some(leaf) = leaf.filter(|leaf| leaf.is_trusted(&bundle, self.names, now)) else {
            return LeafStep::Issue;
        };
        let current = leaf.is_trusted(self.ca_bundle.signer(), self.names, now);
        let old = expires_within(&leaf.pair, lifetimes.leaf / 3, now);
        if (old || !current) && self.ca_bundle.may_sign(now, lifetimes) {
            LeafStep::Issue
        } else if leaf.bundle != bundle || leaf.segment != self.segment {
            LeafStep::Rewrite
        } else {
            LeafStep::Keep
        }
    }

    /// The leaf after a step, or `None` if it stays as it is.
    ///
    /// # Errors
    /// If the CA cannot sign.
    pub(crate) fn leaf(
        &self,
        step: LeafStep,
        leaf: Option<&Leaf>,
        now: Timestamp,
        lifetimes: &Lifetimes,
    ) -> Result<Option<Leaf>, MintError> {
        let pair = match (step, leaf) {
            (LeafStep::Keep, _) => return Ok(None),
            (LeafStep::Rewrite, Some(leaf)) => leaf.pair.clone(),
            _ => {
                let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
                self.ca_bundle.authority()?.issue(&names, now, lifetimes.leaf)?
            }
        };
        let segment = self.segment.to_owned();
        Ok(Some(Leaf { pair, bundle: self.ca_bundle.to_pem(), segment }))
    }
}

impl Leaf {
    /// Whether a client that trusts `roots_pem` accepts it for each of `names`.
    pub(crate) fn is_trusted(&self, roots_pem: &str, names: &[String], now: Timestamp) -> bool {
        self.pair.certified().is_ok()
            && !names.is_empty()
            && names.iter().all(|name| verifies(&self.pair, roots_pem, name, now).is_ok())
    }
}

/// A certificate whose end cannot be read counts as expiring.
fn expires_within(pair: &Pair, margin: Duration, now: Timestamp) -> bool {
    let margin = SignedDuration::try_from(margin).unwrap_or(SignedDuration::ZERO);
    pair.expires_at().is_none_or(|expiry| expiry.duration_since(now) <= margin)
}

impl std::fmt::Debug for Leaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leaf").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
