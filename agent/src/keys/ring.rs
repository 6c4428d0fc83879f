//! The newest key set, and when to ask for a newer one.

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
    clock::Clock,
    token::{self, Caller, Rules, TokenError},
};

/// At most one question to the source in this time, however many tokens ask for one.
const BETWEEN_FETCHES: SignedDuration = SignedDuration::from_secs(5);
/// API servers of one cluster publish a new key some time apart from each other.
const SPREAD: SignedDuration = SignedDuration::from_secs(60);

/// Holds the cluster's keys, and asks again when a token names one that is unknown.
///
/// Clones are the same ring.
#[derive(Clone)]
pub struct KeyRing(Arc<Ring>);

struct Ring {
    source: KeySource,
    clock: Clock,
    current: ArcSwap<Keys>,
    /// When the source was asked last; held while it is asked.
    asked: Mutex<Timestamp>,
    /// How often a key went.
    losses: AtomicU64,
    file: Option<KeysFile>,
}

/// Why a token could not be verified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It is the token's error, and stays so.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Its key or its issuer is not known yet; it may be soon.
    #[error("the token's signing key or issuer is not known here yet; try again in a few seconds")]
    KeyPending,
}

impl KeyRing {
    /// A ring over `source`. It is empty until [`Self::refetch`], unless the source is static.
    #[must_use]
    pub fn new(source: KeySource, clock: Clock) -> Self {
        let keys = match &source {
            KeySource::Static(keys) => keys.clone(),
            _ => Keys::default(),
        };
        Self::starting_with(keys, source, clock, None)
    }

    /// A ring that has the keys of `file` to begin with, and keeps newer ones there.
    #[must_use]
    pub fn kept_in(file: Option<KeysFile>, source: KeySource, clock: Clock) -> Self {
        let keys = file.as_ref().and_then(KeysFile::keys).unwrap_or_default();
        Self::starting_with(keys, source, clock, file)
    }

    fn starting_with(keys: Keys, source: KeySource, clock: Clock, file: Option<KeysFile>) -> Self {
        Self(Arc::new(Ring {
            source,
            clock,
            current: ArcSwap::from_pointee(keys),
            asked: Mutex::new(Timestamp::MIN),
            losses: AtomicU64::new(0),
            file,
        }))
    }

    /// [`token::verify`], with newer keys if the token names an unknown one.
    ///
    /// # Errors
    /// [`VerifyError::KeyPending`] while a newer set might still have the key.
    pub async fn verify(
        &self,
        token: &str,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Caller, VerifyError> {
        let first = token::verify(token, &self.0.current.load(), rules, now);
        if !first.as_ref().is_err_and(|error| self.may_pass(error).is_some()) {
            return Ok(first?);
        }
        if let Err(error) = self.refetch().await {
            tracing::warn!(%error, "an unknown key or issuer, and no newer set");
        }
        let keys = self.0.current.load();
        let second = token::verify(token, &keys, rules, now);
        let issued = second.as_ref().err().and_then(|error| self.may_pass(error));
        match issued {
            Some(issued) if !is_final(issued, keys.fetched()) => Err(VerifyError::KeyPending),
            _ => Ok(second?),
        }
    }

    /// For a error that a newer set may mend: when the token was made, by its own account.
    fn may_pass(&self, error: &TokenError) -> Option<Option<Timestamp>> {
        match error {
            TokenError::UnknownKey { issued } if !self.is_static() => Some(*issued),
            TokenError::Issuer { issued } if self.0.source.names_the_issuer() => Some(*issued),
            _ => None,
        }
    }

    /// Asks the source, unless somebody did in the last 5 s; who comes meanwhile waits for the
    /// same answer.
    ///
    /// # Errors
    /// When the source was asked now and failed. The set in hand stays.
    pub async fn refetch(&self) -> Result<(), KeysError> {
        let ring = Arc::clone(&self.0);
        // In its own task: the answer is for everybody, though the asker may hang up.
        let fetch = tokio::spawn(async move { ring.refetch().await });
        fetch.await.unwrap_or(Ok(()))
    }

    /// The issuer that the API server names, where it is asked for it.
    #[must_use]
    pub fn issuer(&self) -> Option<String> {
        self.0.current.load().issuer().map(str::to_owned)
    }

    /// Whether there are no keys at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.current.load().is_empty()
    }

    /// How often keys were withdrawn: verdicts from before one of these are none any more.
    pub(crate) fn losses(&self) -> u64 {
        self.0.losses.load(Acquire)
    }

    #[cfg(test)]
    pub(crate) fn lose_a_key(&self) {
        self.0.losses.fetch_add(1, Release);
    }

    fn is_static(&self) -> bool {
        matches!(self.0.source, KeySource::Static(_))
    }
}

impl Ring {
    async fn refetch(&self) -> Result<(), KeysError> {
        let mut asked = self.asked.lock().await;
        let now = self.clock.now();
        if now.duration_since(*asked) < BETWEEN_FETCHES {
            return Ok(());
        }
        *asked = now;
        let former = self.current.load_full();
        let newer = self.source.fetch(&former, &self.clock).await?.instead_of(&former);
        if let Some(issuer) = newer.issuer().filter(|named| !former.names(named)) {
            tracing::info!(issuer, "the API server's issuer");
        }
        let lost = !former.all_in(&newer);
        if let Some(file) = &self.file {
            file.write(&newer);
        }
        self.current.store(Arc::new(newer));
        if lost {
            self.losses.fetch_add(1, Release);
        }
        Ok(())
    }
}

/// A set that was fetched so long after the token was made would have its key.
fn is_final(issued: Option<Timestamp>, fetched: Timestamp) -> bool {
    issued.is_none_or(|issued| fetched.duration_since(issued) >= SPREAD)
}

#[cfg(test)]
mod tests;
