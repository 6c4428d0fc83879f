//! Verifies each token once: the result is remembered until the token expires or a signing key is
//! withdrawn.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use jiff::Timestamp;

use crate::{
    bearer_token::{BearerToken, TokenHash},
    keys::{JwksCache, VerifyError},
    lru::{LruCache, LruValue},
    token::{Caller, Rules, SKEW},
};

/// How many verified tokens are remembered. Each pod has one or two, for about an hour.
const MAX_VERDICTS: usize = 8192;

/// Verifies tokens and remembers those that are valid.
pub struct Verifier {
    keys: JwksCache,
    rules: Rules,
    verdicts: LruCache<TokenHash, Arc<Verdict>>,
}

/// A valid token's caller.
pub(crate) struct Verdict {
    pub(crate) caller: Arc<Caller>,
    /// [`JwksCache::withdrawals`] when the token was verified.
    pub(crate) withdrawals: u64,
    last_used: AtomicI64,
}

impl LruValue for Arc<Verdict> {
    fn last_used(&self) -> i64 {
        self.last_used.load(Relaxed)
    }
}

impl Verdict {
    /// When the token stops being accepted.
    pub(crate) fn ends(&self) -> Timestamp {
        self.caller.expires.saturating_add(SKEW).unwrap_or(Timestamp::MAX)
    }
}

impl Verifier {
    /// A verifier with these keys and rules.
    #[must_use]
    pub fn new(keys: JwksCache, rules: Rules) -> Self {
        Self { keys, rules, verdicts: LruCache::with_entries(MAX_VERDICTS) }
    }

    /// The issuer of the tokens that pods get now, or an empty string if it is not known yet.
    pub(crate) fn issuer(&self) -> String {
        let given = self.rules.issuers.first().cloned();
        given.or_else(|| self.keys.issuer()).unwrap_or_default()
    }

    /// [`JwksCache::withdrawals`] now.
    pub(crate) fn withdrawals(&self) -> u64 {
        self.keys.withdrawals()
    }

    fn known(&self, token: &BearerToken, now: Timestamp) -> Option<Arc<Verdict>> {
        let verdict = self.verdicts.get(token.hash()).filter(|verdict| {
            verdict.withdrawals == self.keys.withdrawals() && now < verdict.ends()
        })?;
        verdict.last_used.store(now.as_millisecond(), Relaxed);
        Some(verdict)
    }

    /// Verifies a token, or recalls that it is valid.
    ///
    /// # Errors
    /// If the token is not valid, or its key is not known yet.
    pub(crate) async fn verify(
        &self,
        token: &BearerToken,
        now: Timestamp,
    ) -> Result<Arc<Verdict>, VerifyError> {
        if let Some(verdict) = self.known(token, now) {
            return Ok(verdict);
        }
        // Read before verifying, so that a key withdrawn meanwhile invalidates this verdict.
        let withdrawals = self.keys.withdrawals();
        let caller = Arc::new(self.keys.verify(token, &self.rules, now).await?);
        let last_used = now.as_millisecond().into();
        let verdict = Arc::new(Verdict { caller, withdrawals, last_used });
        self.verdicts.insert(token.hash(), Arc::clone(&verdict));
        Ok(verdict)
    }
}
