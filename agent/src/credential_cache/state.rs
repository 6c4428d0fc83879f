//! The state of one session, and what happens to it next. No clock, no I/O: values go in, a
//! decision comes out.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::{
    credentials::CachedCredentials,
    in_flight::{FetchPermit, InFlight},
    negative_cache::CachedError,
    request::{CredentialRequest, RefreshToken},
    schedule::{LAST_SECONDS, SECOND_OPINION, refresh_at, retry_after},
    users::Users,
};
use crate::{
    bearer_token::TokenHash,
    exchange::{ErrorKind, ExchangeError},
};

/// How many rejected tokens are remembered. Two with the same error already block the key.
const MAX_BAD_TOKENS: usize = 16;
/// A token that expires sooner than this is not sent: it could expire on the way.
const TOKEN_MARGIN: SignedDuration = SignedDuration::from_secs(5);

mod refresh;

#[derive(Default)]
pub(super) struct State {
    credentials: Option<Arc<CachedCredentials>>,
    in_flight: Option<InFlight>,
    /// An error that every token gets.
    blocked: Option<CachedError>,
    bad_tokens: Vec<(TokenHash, CachedError)>,
    /// An error that may pass by itself.
    transient: Option<CachedError>,
    /// The accepted token that expires last.
    best_token: Option<RefreshToken>,
    users: Users,
    /// The version of the ServiceAccount and association that the remembered errors belong to.
    version: u64,
    /// Whether a request was served since the credentials were fetched.
    used: bool,
    refresh_due: Timestamp,
    retry_pause: Option<SignedDuration>,
    /// Whether AWS refused the role at the last refresh.
    denied: bool,
    /// Whether the refresher checks this entry.
    refreshing: bool,
    /// Whether the entry has left the cache. A fetch that it began now could be the second one for its key.
    removed: bool,
}

/// What a request does.
pub(super) enum RequestStep {
    /// Serves these; and so do others until the given time, if nothing changes.
    Serve(Arc<CachedCredentials>, Timestamp),
    /// Serves these, or newer ones if the fetch is quick.
    ServeOrWait(Arc<CachedCredentials>, Option<FetchPermit>, InFlight),
    Refuse(Arc<ExchangeError>),
    Wait(InFlight),
    Lead(FetchPermit, InFlight),
    /// Looks the key up again: the entry has left the cache.
    LookUpAgain,
}

/// What the refresher does.
pub(super) enum RefreshStep {
    CheckAfter(SignedDuration),
    /// Checks that the token's pod is alive, then calls [`State::start_refresh`].
    Refresh(RefreshToken),
    /// Waits: no valid token is known.
    NoToken,
    /// Stops checking; the entry remembers errors.
    Stop,
    /// Stops checking and removes the entry.
    Remove,
}

impl State {
    pub(super) fn next_step(
        &mut self,
        request: &CredentialRequest<'_>,
        now: Timestamp,
    ) -> RequestStep {
        if self.removed {
            return RequestStep::LookUpAgain;
        }
        self.add_user(request);
        if let Some(credentials) = self.usable(now) {
            self.used = true;
            self.offer_token(request, now);
            return self.serve(credentials, request, now);
        }
        if let Some(in_flight) = self.running_fetch().cloned() {
            self.offer_token(request, now);
            return RequestStep::Wait(in_flight);
        }
        let blocked = self.blocked.as_ref().and_then(|error| error.get(now));
        let transient = self.transient.as_ref().and_then(|error| error.get(now));
        let known = blocked.or_else(|| self.token_error(request.token.hash(), now)).or(transient);
        if let Some(error) = known {
            return RequestStep::Refuse(error);
        }
        self.offer_token(request, now);
        let (permit, in_flight) = self.permit_fetch(request.refresh_token());
        RequestStep::Lead(permit, in_flight)
    }

    fn add_user(&mut self, request: &CredentialRequest<'_>) {
        self.users.add(&request.caller.pod_uid);
        if std::mem::replace(&mut self.version, request.version) != request.version {
            // The change of the ServiceAccount or the association may have fixed the error.
            (self.blocked, self.transient, self.denied) = (None, None, false);
            self.bad_tokens.clear();
        }
    }

    pub(super) fn is_used_by(&self, pod_uid: &str) -> bool {
        self.users.contains(pod_uid)
    }

    /// Records that the pod receives `credentials`; returns false if it had them.
    pub(super) fn record_use(&mut self, pod_uid: &str, credentials: &CachedCredentials) -> bool {
        self.users.record_use(pod_uid, credentials.issued)
    }

    /// Removes a pod that ended; returns whether it was the last user.
    pub(super) fn remove_user(&mut self, pod_uid: &str) -> bool {
        self.best_token.take_if(|best| best.caller.pod_uid == pod_uid);
        self.users.remove(pod_uid)
    }

    /// Whether no live pod has asked for the session.
    pub(super) fn is_unused(&self) -> bool {
        self.users.is_empty()
    }

    /// Whether a fetch is in flight.
    pub(super) fn is_fetching(&self) -> bool {
        self.running_fetch().is_some()
    }

    /// Leaves the cache, if that loses nothing; returns whether it does. While a fetch is in flight it stays, so that
    /// requests find the fetch.
    pub(super) fn leave(&mut self) -> bool {
        let is_empty = self.credentials.is_none() && !self.has_errors();
        self.removed |= !self.is_fetching() && (self.is_unused() || is_empty);
        self.removed
    }

    /// Leaves the cache in any case: others need its place.
    pub(super) fn evict(&mut self) {
        self.removed = true;
    }

    fn has_errors(&self) -> bool {
        self.blocked.is_some() || !self.bad_tokens.is_empty()
    }

    /// Its size in memory, approximately.
    pub(super) fn bytes(&self) -> usize {
        let credentials = self.credentials.as_ref().map_or(0, |credentials| credentials.bytes());
        let token = self.best_token.as_ref().map_or(0, RefreshToken::bytes);
        credentials + token + self.users.bytes()
    }

    /// When the credentials expire.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.credentials.as_ref().map(|credentials| credentials.expires)
    }

    fn serve(
        &mut self,
        credentials: Arc<CachedCredentials>,
        request: &CredentialRequest<'_>,
        now: Timestamp,
    ) -> RequestStep {
        if now < self.refresh_due {
            let expires = credentials.expires;
            let last = expires.saturating_sub(LAST_SECONDS).unwrap_or(expires);
            return RequestStep::Serve(credentials, self.refresh_due.min(last));
        }
        if let Some(in_flight) = self.running_fetch() {
            return RequestStep::ServeOrWait(credentials, None, in_flight.clone());
        }
        let bad_token = self.token_error(request.token.hash(), now).is_some();
        if bad_token || !is_sendable(request.good_until(), now) {
            return RequestStep::Serve(credentials, now);
        }
        let (permit, in_flight) = self.permit_fetch(request.refresh_token());
        RequestStep::ServeOrWait(credentials, Some(permit), in_flight)
    }

    /// Records the result of a fetch; returns whether the refresher must start to check the entry.
    pub(super) fn record(
        &mut self,
        token: TokenHash,
        result: &Result<Arc<CachedCredentials>, Arc<ExchangeError>>,
        now: Timestamp,
        jitter: f64,
    ) -> bool {
        self.in_flight = None;
        match result {
            Ok(credentials) => self.replace_credentials(credentials, jitter),
            Err(error) => match error.kind {
                ErrorKind::Token => self.record_token_error(token, error, now),
                ErrorKind::Role | ErrorKind::Request | ErrorKind::NoAssociation => {
                    self.record_key_error(error, now);
                }
                ErrorKind::Transient | ErrorKind::Agent => {
                    self.transient =
                        Some(CachedError::transient(self.transient.as_ref(), error, now));
                    self.retry_later(now);
                }
            },
        }
        self.credentials.is_some() && !std::mem::replace(&mut self.refreshing, true)
    }

    fn replace_credentials(&mut self, credentials: &Arc<CachedCredentials>, jitter: f64) {
        self.refresh_due = refresh_at(credentials.issued, credentials.expires, jitter);
        // A request waits for the first credentials and so uses them; refreshed ones may go unused.
        self.used = self.usable(credentials.issued).is_none();
        self.credentials = Some(Arc::clone(credentials));
        (self.blocked, self.transient) = (None, None);
        self.bad_tokens.clear();
        self.retry_pause = None;
        self.denied = false;
    }

    fn record_token_error(&mut self, token: TokenHash, error: &Arc<ExchangeError>, now: Timestamp) {
        self.best_token.take_if(|best| *best.hash() == token);
        let known = self.bad_tokens.iter().position(|(bad, _)| *bad == token);
        let previous = known.map(|index| self.bad_tokens.swap_remove(index).1);
        self.bad_tokens.truncate(MAX_BAD_TOKENS - 1);
        let alike = self.bad_tokens.iter().any(|(_, other)| other.is_like(error));
        self.bad_tokens.push((token, CachedError::new(previous.as_ref(), error, now)));
        if alike {
            // Two tokens with the same error: the cause is not the tokens.
            self.record_key_error(error, now);
        } else {
            self.retry_later(now);
        }
    }

    fn record_key_error(&mut self, error: &Arc<ExchangeError>, now: Timestamp) {
        // IAM is eventually consistent, so one refusal does not yet withdraw valid credentials.
        if self.usable(now).is_some() && !std::mem::replace(&mut self.denied, true) {
            self.refresh_due = now.saturating_add(SECOND_OPINION).unwrap_or(now);
            return;
        }
        (self.credentials, self.best_token) = (None, None);
        self.blocked = Some(CachedError::new(self.blocked.as_ref(), error, now));
    }

    fn retry_later(&mut self, now: Timestamp) {
        if self.credentials.is_none() {
            // There is nothing to refresh, so no token is kept for it.
            self.best_token = None;
        }
        let pause = retry_after(self.retry_pause);
        self.retry_pause = Some(pause);
        self.refresh_due = now.saturating_add(pause).unwrap_or(now);
    }

    /// Keeps the request's token to refresh with, if it expires later than the one that is kept.
    fn offer_token(&mut self, request: &CredentialRequest<'_>, now: Timestamp) {
        let best = self.best_token.as_ref();
        let better = best.is_none_or(|best| best.good_until < request.good_until());
        if better && self.token_error(request.token.hash(), now).is_none() {
            self.best_token = Some(request.refresh_token());
        }
    }

    /// The credentials, if they live long enough to be served.
    fn usable(&self, now: Timestamp) -> Option<Arc<CachedCredentials>> {
        let credentials = self.credentials.as_ref();
        let lasts = |it: &&Arc<CachedCredentials>| it.expires.duration_since(now) > LAST_SECONDS;
        credentials.filter(lasts).filter(|it| it.is_of_this_clock(now)).cloned()
    }

    fn token_error(&self, token: &TokenHash, now: Timestamp) -> Option<Arc<ExchangeError>> {
        let mut bad_tokens = self.bad_tokens.iter();
        bad_tokens.find(|(bad, _)| bad == token).and_then(|(_, error)| error.get(now))
    }

    /// The fetch in flight. If its task panicked, its channel is closed and there is none.
    fn running_fetch(&self) -> Option<&InFlight> {
        let in_flight = self.in_flight.as_ref();
        in_flight.filter(|in_flight| in_flight.has_changed().is_ok())
    }

    fn permit_fetch(&mut self, token: RefreshToken) -> (FetchPermit, InFlight) {
        let (result, in_flight) = watch::channel(None);
        self.in_flight = Some(in_flight.clone());
        (FetchPermit { token, result }, in_flight)
    }
}

fn is_sendable(good_until: Timestamp, now: Timestamp) -> bool {
    good_until.duration_since(now) > TOKEN_MARGIN
}
