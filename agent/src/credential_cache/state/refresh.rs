//! What the refresher does with a session.

use jiff::{SignedDuration, Timestamp};

use super::{RefreshStep, State, is_sendable};
use crate::{
    bearer_token::TokenHash,
    credential_cache::{
        in_flight::{FetchPermit, InFlight},
        request::RefreshToken,
    },
};

impl State {
    /// What the refresher does with the entry now.
    pub(in crate::credential_cache) fn check(&mut self, now: Timestamp) -> RefreshStep {
        if self.removed {
            return RefreshStep::Stop;
        }
        if self.is_fetching() {
            return RefreshStep::CheckAfter(SignedDuration::from_secs(1));
        }
        let credentials = self.credentials.clone();
        let Some(credentials) = credentials.filter(|credentials| now < credentials.expires) else {
            return self.expire();
        };
        let left = credentials.expires.duration_since(now);
        if now < self.refresh_due {
            return RefreshStep::CheckAfter(self.refresh_due.duration_since(now).min(left));
        }
        if !self.used {
            return RefreshStep::CheckAfter(left);
        }
        let best = self.best_token.clone();
        match best.filter(|best| is_sendable(best.good_until, now)) {
            Some(best) => RefreshStep::Refresh(best),
            None => RefreshStep::NoToken,
        }
    }

    fn expire(&mut self) -> RefreshStep {
        (self.credentials, self.best_token, self.refreshing) = (None, None, false);
        if self.has_errors() { RefreshStep::Stop } else { RefreshStep::Remove }
    }

    /// Starts a refresh, unless since [`Self::check`] a request has fetched or the entry has left the cache.
    pub(in crate::credential_cache) fn start_refresh(
        &mut self,
        token: RefreshToken,
        now: Timestamp,
    ) -> Option<(FetchPermit, InFlight)> {
        let may_fetch = !self.is_fetching() && now >= self.refresh_due && !self.removed;
        may_fetch.then(|| self.permit_fetch(token))
    }

    /// Drops a token whose pod ended.
    pub(in crate::credential_cache) fn drop_token(&mut self, token: &TokenHash) {
        self.best_token.take_if(|best| best.hash() == token);
    }
}
