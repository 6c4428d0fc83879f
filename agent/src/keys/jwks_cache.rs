//! The newest key set, and when to fetch a newer one.

use std::sync::{
    Arc,
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Release},
    },
};

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::{KeySource, Keys, KeysError, KeysFile};
use crate::{
    bearer_token::BearerToken,
    clock::Clock,
    token::{self, Caller, Rules, TokenError},
};

/// The source is asked at most once in this time, however many tokens name unknown keys.
const BETWEEN_FETCHES: SignedDuration = SignedDuration::from_secs(5);
/// How much later than its first API server the last one of a cluster may publish a new key.
const SPREAD: SignedDuration = SignedDuration::from_secs(60);

/// The cluster's keys, fetched again when a token names an unknown one. Clones share the keys.
#[derive(Clone)]
pub struct JwksCache(Arc<CachedKeys>);

struct CachedKeys {
    source: KeySource,
    clock: Clock,
    current: ArcSwap<Keys>,
    /// When the source was asked last, by [`Clock::steady`]. Locked while it is asked, so that callers share the answer.
    asked: Mutex<Timestamp>,
    /// How often a fetch found a key or an issuer withdrawn.
    withdrawals: AtomicU64,
    file: Option<KeysFile>,
}

/// Why a token could not be verified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The token is not valid, and will not become so.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Its key or its issuer is not known yet, but may be soon.
    #[error(
        "the token's signing key or issuer is not known to the agent yet; retry in a few seconds"
    )]
    KeyPending,
}

impl JwksCache {
    /// A cache of `source`. It is empty until [`Self::refetch`], unless the source is static.
    #[must_use]
    pub fn new(source: KeySource, clock: Clock) -> Self {
        let keys = match &source {
            KeySource::Static(keys) => keys.clone(),
            _ => Keys::default(),
        };
        Self::starting_with(keys, source, clock, None)
    }

    /// A cache that starts with the keys in `file`, and writes newer ones to it.
    #[must_use]
    pub fn with_file(file: Option<KeysFile>, source: KeySource, clock: Clock) -> Self {
        let keys = file.as_ref().and_then(KeysFile::keys).unwrap_or_default();
        Self::starting_with(keys, source, clock, file)
    }

    fn starting_with(keys: Keys, source: KeySource, clock: Clock, file: Option<KeysFile>) -> Self {
        Self(Arc::new(CachedKeys {
            source,
            clock,
            current: ArcSwap::from_pointee(keys),
            asked: Mutex::new(Timestamp::MIN),
            withdrawals: AtomicU64::new(0),
            file,
        }))
    }

    /// Verifies a token, with newer keys if it names an unknown one.
    ///
    /// # Errors
    /// If the token is not valid; [`VerifyError::KeyPending`] while a newer set may have its key.
    pub async fn verify(
        &self,
        token: &BearerToken,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Caller, VerifyError> {
        let first = token::verify(token, &self.0.current.load(), rules, now);
        if !first.as_ref().is_err_and(|error| self.may_pass(error).is_some()) {
            return Ok(first?);
        }
        if let Err(error) = self.refetch().await {
            tracing::warn!(
                %error,
                "could not fetch newer signing keys for a token with an unknown key or issuer; keeping the current ones"
            );
        }
        let keys = self.0.current.load();
        let second = token::verify(token, &keys, rules, now);
        let issued = second.as_ref().err().and_then(|error| self.may_pass(error));
        match issued {
            Some(issued) if !is_final(issued, keys.fetched()) => Err(VerifyError::KeyPending),
            _ => Ok(second?),
        }
    }

    /// For an error that a newer key set may resolve: the token's own `iat`.
    fn may_pass(&self, error: &TokenError) -> Option<Option<Timestamp>> {
        match error {
            TokenError::UnknownKey { issued } if !self.is_static() => Some(*issued),
            TokenError::Issuer { issued } if self.0.source.names_the_issuer() => Some(*issued),
            _ => None,
        }
    }

    /// Fetches the key set, unless it was asked for in the last 5 s. Concurrent callers share one
    /// fetch.
    ///
    /// # Errors
    /// If this call's fetch failed. The current keys are kept.
    pub async fn refetch(&self) -> Result<(), KeysError> {
        let keys = Arc::clone(&self.0);
        // In a task of its own, so that a request that hangs up does not cancel it for others.
        let fetch = tokio::spawn(async move { keys.refetch().await });
        fetch.await.unwrap_or(Ok(()))
    }

    /// The issuer that the API server names, if it is asked for it.
    #[must_use]
    pub fn issuer(&self) -> Option<String> {
        self.0.current.load().issuer().map(str::to_owned)
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.current.load().is_empty()
    }

    /// How often keys or issuers were withdrawn. A token that was verified before the last time must
    /// be verified again.
    pub(crate) fn withdrawals(&self) -> u64 {
        self.0.withdrawals.load(Acquire)
    }

    /// When the current keys were fetched. With other keys a token may be valid that was not.
    pub(crate) fn fetched(&self) -> Timestamp {
        self.0.current.load().fetched()
    }

    #[cfg(test)]
    pub(crate) fn withdraw_a_key(&self) {
        self.0.withdrawals.fetch_add(1, Release);
    }

    fn is_static(&self) -> bool {
        matches!(self.0.source, KeySource::Static(_))
    }
}

impl CachedKeys {
    async fn refetch(&self) -> Result<(), KeysError> {
        let mut asked = self.asked.lock().await;
        let now = self.clock.steady();
        if now.duration_since(*asked) < BETWEEN_FETCHES {
            return Ok(());
        }
        *asked = now;
        let former = self.current.load_full();
        let newer = self.source.fetch(&former, &self.clock).await?.replacing(&former);
        if let Some(issuer) = newer.issuer().filter(|named| !former.names(named)) {
            tracing::info!(issuer, "accepting tokens of the issuer that the API server names");
        }
        let withdrawn = !former.all_in(&newer);
        if let Some(file) = &self.file {
            file.write(&newer);
        }
        self.current.store(Arc::new(newer));
        if withdrawn {
            self.withdrawals.fetch_add(1, Release);
        }
        Ok(())
    }
}

/// Whether a set that was fetched then would have the key of a token issued at `issued`.
fn is_final(issued: Option<Timestamp>, fetched: Timestamp) -> bool {
    issued.is_none_or(|issued| fetched.duration_since(issued) >= SPREAD)
}

#[cfg(test)]
mod tests;
