//! Verification with a memory: a verdict stands until its token ends, or a key is withdrawn. What
//! its bearer was served stays with it, so that the next request need not look at anything else.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use arc_swap::ArcSwapOption;
use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;

use crate::{
    again::Hit,
    bounded::{Aged, Bounded},
    keep::TokenHash,
    keys::{KeyRing, VerifyError},
    token::{Caller, MAX_TOKEN_BYTES, Rules, SKEW, TokenError},
};

/// So many tokens are remembered; each pod has one or two, for an hour or so.
const VERDICTS: usize = 8192;

/// Verifies tokens, each once.
pub struct Verifier {
    keys: KeyRing,
    rules: Rules,
    verdicts: Bounded<TokenHash, Arc<Verdict>>,
}

/// What is known of a token that was found good.
pub(crate) struct Verdict {
    pub(crate) hash: TokenHash,
    pub(crate) caller: Arc<Caller>,
    /// How many keys had been withdrawn when it was verified.
    losses: u64,
    asked: AtomicI64,
    /// What its bearer was served last.
    pub(crate) hit: ArcSwapOption<Hit>,
}

impl Aged for Arc<Verdict> {
    fn asked(&self) -> i64 {
        self.asked.load(Relaxed)
    }
}

impl Verifier {
    /// Verifies with these keys and rules.
    #[must_use]
    pub fn new(keys: KeyRing, rules: Rules) -> Self {
        Self { keys, rules, verdicts: Bounded::entries(VERDICTS) }
    }

    /// The issuer of the tokens that pods get now, as far as it is known.
    pub(crate) fn issuer(&self) -> String {
        let given = self.rules.issuers.first().cloned();
        given.or_else(|| self.keys.issuer()).unwrap_or_default()
    }

    /// The verdict on a token that was found good before, if it stands.
    pub(crate) fn known(&self, token: &[u8], now: Timestamp) -> Result<Arc<Verdict>, TokenHash> {
        let hash = sha256(token);
        let known = self.verdicts.get(&hash).filter(|verdict| {
            verdict.losses == self.keys.losses()
                && now.duration_since(verdict.caller.expires) < SKEW
        });
        let verdict = known.ok_or(hash)?;
        verdict.asked.store(now.as_millisecond(), Relaxed);
        Ok(verdict)
    }

    /// Who presents this token.
    ///
    /// # Errors
    /// When the token is not believed, or not yet.
    pub(crate) async fn verify(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Arc<Verdict>, VerifyError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong.into());
        }
        let hash = match self.known(token.as_bytes(), now) {
            Ok(verdict) => return Ok(verdict),
            Err(hash) => hash,
        };
        // Before: what is withdrawn meanwhile counts against it.
        let losses = self.keys.losses();
        let caller = Arc::new(self.keys.verify(token, &self.rules, now).await?);
        let asked = now.as_millisecond().into();
        let hit = ArcSwapOption::empty();
        let verdict = Arc::new(Verdict { hash, caller, losses, asked, hit });
        self.verdicts.insert(&hash, Arc::clone(&verdict));
        Ok(verdict)
    }
}

fn sha256(token: &[u8]) -> TokenHash {
    let mut hash = TokenHash::default();
    hash.copy_from_slice(digest(&SHA256, token).as_ref());
    hash
}
