//! Verifies each token once: that it is valid is remembered until it expires or a signing key is
//! withdrawn, that it is not until the keys are fetched again.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use jiff::Timestamp;

use crate::{
    bearer_token::{BearerToken, TokenHash},
    keys::{JwksCache, VerifyError},
    lru::{LruCache, LruValue},
    token::{Caller, Rules, SKEW, TokenError},
};

/// How many verified tokens are remembered. Each pod has one or two, for about an hour.
const MAX_VERDICTS: usize = 8192;
/// How many rejected tokens are remembered, of clients that send one again and again.
const MAX_REJECTED: usize = 1024;

/// Verifies tokens and remembers those that are valid.
pub struct Verifier {
    keys: JwksCache,
    rules: Rules,
    verdicts: LruCache<TokenHash, Arc<Verdict>>,
    rejected: LruCache<TokenHash, Arc<Rejected>>,
}

/// Why a token is not valid, whatever the time.
struct Rejected {
    error: TokenError,
    /// [`JwksCache::fetched`] when it was verified.
    fetched: Timestamp,
    last_used: AtomicI64,
}

impl LruValue for Arc<Rejected> {
    fn last_used(&self) -> i64 {
        self.last_used.load(Relaxed)
    }
}

/// Whether only other keys can make the token valid.
fn is_final(error: &TokenError) -> bool {
    !matches!(
        error,
        TokenError::UnknownKey { .. }
            | TokenError::Issuer { .. }
            | TokenError::NotYet
            | TokenError::Expired
    )
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
        let verdicts = LruCache::with_entries(MAX_VERDICTS);
        Self { keys, rules, verdicts, rejected: LruCache::with_entries(MAX_REJECTED) }
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

    fn known_error(&self, token: &BearerToken, now: Timestamp) -> Option<TokenError> {
        let rejected = self.rejected.get(token.hash())?;
        rejected.last_used.store(now.as_millisecond(), Relaxed);
        (rejected.fetched == self.keys.fetched()).then(|| rejected.error.clone())
    }

    fn remember_error(
        &self,
        token: &BearerToken,
        fetched: Timestamp,
        now: Timestamp,
        error: &VerifyError,
    ) {
        let VerifyError::Token(error) = error else { return };
        if is_final(error) {
            let last_used = now.as_millisecond().into();
            let rejected = Rejected { error: error.clone(), fetched, last_used };
            self.rejected.insert(token.hash(), Arc::new(rejected));
        }
    }

    /// Verifies a token, or recalls that it is valid or is not.
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
        if let Some(error) = self.known_error(token, now) {
            return Err(error.into());
        }
        // Read before verifying, so that keys withdrawn or fetched meanwhile invalidate this verdict.
        let (withdrawals, fetched) = (self.keys.withdrawals(), self.keys.fetched());
        let verified = self.keys.verify(token, &self.rules, now).await;
        let caller =
            verified.inspect_err(|error| self.remember_error(token, fetched, now, error))?;
        let caller = Arc::new(caller);
        let last_used = now.as_millisecond().into();
        let verdict = Arc::new(Verdict { caller, withdrawals, last_used });
        self.verdicts.insert(token.hash(), Arc::clone(&verdict));
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bearer_token::PresentedToken,
        clock::Clock,
        keys::KeySource,
        tests::fixture::{RSA, STRANGER, Signer, at, claims, keys, now, rules},
    };

    fn verifier() -> Verifier {
        let source = KeySource::Static(keys(&[&RSA]));
        Verifier::new(JwksCache::new(source, Clock::default()), rules())
    }

    fn bearer(signer: &Signer) -> BearerToken {
        let token = signer.token("RS256", &claims());
        PresentedToken::read(token.as_bytes()).unwrap().to_bearer()
    }

    async fn error(verifier: &Verifier, token: &BearerToken) -> Option<TokenError> {
        match verifier.verify(token, now()).await {
            Err(VerifyError::Token(error)) => Some(error),
            Err(other) => panic!("{other}"),
            Ok(_) => None,
        }
    }

    #[tokio::test]
    async fn a_bad_token_is_remembered_until_the_keys_are_fetched_again() {
        let (verifier, bad, good) = (verifier(), bearer(&STRANGER), bearer(&RSA));
        assert_eq!(error(&verifier, &bad).await, Some(TokenError::Signature));
        let remembered = verifier.rejected.get(bad.hash()).unwrap();
        assert_eq!(remembered.error, TokenError::Signature);
        // What is remembered decides, and not what is verified, as long as the keys are the same.
        for (fetched, expected) in [(now(), Some(TokenError::Legacy)), (at(-1), None)] {
            let (error_of, last_used) = (TokenError::Legacy, 0.into());
            let rejected = Rejected { error: error_of, fetched, last_used };
            verifier.rejected.insert(good.hash(), Arc::new(rejected));
            assert_eq!(error(&verifier, &good).await, expected);
        }
    }

    #[tokio::test]
    async fn what_time_can_change_is_not_remembered() {
        let verifier = verifier();
        let mut early = claims();
        early["nbf"] = (now().as_second() + 90_000).into();
        let early = RSA.token("RS256", &early);
        let early = PresentedToken::read(early.as_bytes()).unwrap().to_bearer();
        assert_eq!(error(&verifier, &early).await, Some(TokenError::NotYet));
        assert!(verifier.rejected.get(early.hash()).is_none());
    }
}
