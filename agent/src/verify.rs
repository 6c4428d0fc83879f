//! Verification with a memory: a verdict stands until its token ends, or a key is withdrawn.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use moka::sync::Cache;

use crate::{
    keep::TokenHash,
    keys::{KeyRing, VerifyError},
    token::{Caller, MAX_TOKEN_BYTES, Rules, SKEW, TokenError},
};

/// So many tokens are remembered; each pod has one, for an hour or so.
const VERDICTS: u64 = 8192;

/// Verifies tokens, each once.
pub struct Verifier {
    keys: KeyRing,
    rules: Rules,
    verdicts: Cache<TokenHash, Arc<Caller>>,
}

impl Verifier {
    /// Verifies with these keys and rules.
    #[must_use]
    pub fn new(keys: KeyRing, rules: Rules) -> Self {
        Self { keys, rules, verdicts: Cache::new(VERDICTS) }
    }

    /// The rules that tokens are held to.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Who presents this token, and the token's SHA-256.
    ///
    /// # Errors
    /// When the token is not believed, or not yet.
    pub async fn verify(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<(Arc<Caller>, TokenHash), VerifyError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong.into());
        }
        if self.keys.take_lost_a_key() {
            self.verdicts.invalidate_all();
        }
        let hash = sha256(token);
        let known = self.verdicts.get(&hash);
        if let Some(caller) = known.filter(|caller| now.duration_since(caller.expires) < SKEW) {
            return Ok((caller, hash));
        }
        let caller = Arc::new(self.keys.verify(token, &self.rules, now).await?);
        self.verdicts.insert(hash, Arc::clone(&caller));
        Ok((caller, hash))
    }
}

fn sha256(token: &str) -> TokenHash {
    let mut hash = TokenHash::default();
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}
