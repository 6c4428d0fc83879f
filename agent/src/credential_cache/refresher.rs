//! One task that refreshes all entries in time and removes those that expired unused.

use std::{sync::Arc, time::Duration};

use super::{
    CredentialCache, entry::Entry, in_flight::join, refresh_queue::Due, request::RefreshToken,
    state::RefreshStep,
};
use crate::{node::NodeError, sync::spawn};
use jiff::SignedDuration;

/// How often each entry is checked at least: a request changes when its refresh is due, and the
/// wall clock may be set.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Before an entry without a valid token is checked again. A request with one refreshes it sooner.
const NO_TOKEN: SignedDuration = SignedDuration::from_secs(30);
const SOON: SignedDuration = SignedDuration::from_secs(1);

impl CredentialCache {
    /// Has the refresher check the entry after `wait`.
    pub(super) fn check_after(&self, entry: &Arc<Entry>, wait: SignedDuration) {
        let wait = Duration::try_from(wait).unwrap_or_default().min(MAX_WAIT);
        // Fails only after the cache was dropped, and the refresher with it.
        let _ = self.0.due.send(Due::after(wait, entry));
    }

    pub(super) fn check(&self, entry: Arc<Entry>) {
        let step = entry.lock().check(self.0.clock.now());
        match step {
            RefreshStep::CheckAfter(wait) => {
                self.check_after(&entry, wait.max(SignedDuration::from_millis(100)));
            }
            RefreshStep::Refresh(token) => {
                let cache = self.clone();
                spawn(async move {
                    let wait = cache.refresh(&entry, token).await;
                    cache.check_after(&entry, wait);
                });
            }
            RefreshStep::NoToken => {
                self.0.metrics.refresh("no_token");
                self.check_after(&entry, NO_TOKEN);
            }
            RefreshStep::Stop => {}
            RefreshStep::Remove => self.remove(&entry),
        }
    }

    /// Refreshes once; returns how long to wait before the next check.
    async fn refresh(&self, entry: &Arc<Entry>, token: RefreshToken) -> SignedDuration {
        if let Some(pause) = self.0.throttle.remaining(self.0.clock.now()) {
            self.0.metrics.refresh("throttled");
            return pause;
        }
        let Ok(_permit) = self.0.refreshes.acquire().await else {
            return SOON;
        };
        match self.0.liveness.check(&token.caller, self.0.clock.now()).await {
            Ok(_) => {}
            Err(NodeError::Unknown(_)) => return SOON,
            Err(_) => {
                entry.change(|state| state.drop_token(token.hash()));
                return SOON;
            }
        }
        let started = entry.lock().start_refresh(token, self.0.clock.now());
        if let Some((permit, in_flight)) = started {
            self.0.metrics.refresh("started");
            self.start_fetch(entry, permit);
            // Holds the semaphore's permit until the fetch ends.
            let _ = join(in_flight).await;
        }
        SignedDuration::ZERO
    }
}
