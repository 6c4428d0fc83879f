//! One session's state, and what is done next. No clock, no I/O: values in, a decision out.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::{
    Held, Kept, Landed, Presented, TokenHash,
    askers::Askers,
    hold::Hold,
    schedule::{LAST_SECONDS, SECOND_OPINION, refresh_at, retry_after},
};
use crate::exchange::{ErrorKind, ExchangeError};

/// So many bad tokens are remembered for a key; two already hold it.
const BAD_TOKENS: usize = 16;
/// A token with less life than this is not sent anywhere.
const TOKEN_MARGIN: SignedDuration = SignedDuration::from_secs(5);

/// Where a fetch's result will be.
pub(super) type Flight = watch::Receiver<Option<Landed>>;

#[derive(Default)]
pub(super) struct State {
    kept: Option<Arc<Kept>>,
    flight: Option<Flight>,
    /// The whole key is refused.
    hold: Option<Hold>,
    bad_tokens: Vec<(TokenHash, Hold)>,
    /// The longest-lived good token that was seen.
    best: Option<Held>,
    /// The live pods that asked.
    pods: Askers,
    /// The state of the cluster that the remembered faults are of.
    version: u64,
    /// Somebody was served since the credentials were got.
    used: bool,
    refresh_due: Timestamp,
    retry: Option<SignedDuration>,
    denied: bool,
    tended: bool,
}

/// The right to fetch: whoever has it must land.
pub(super) struct TakeOff {
    pub(super) held: Held,
    pub(super) landed: watch::Sender<Option<Landed>>,
}

/// What a request does.
pub(super) enum Step {
    /// Serve it; and so until then, if nothing changes.
    Serve(Arc<Kept>, Timestamp),
    /// Serve it, or what the fetch in flight brings if it is quick.
    ServeOrWait(Arc<Kept>, Option<TakeOff>, Flight),
    Refuse(Arc<ExchangeError>),
    Wait(Flight),
    Lead(TakeOff, Flight),
}

/// What the tender does.
pub(super) enum Look {
    Later(SignedDuration),
    /// Ask whether this token's pod lives, then [`State::refresh`].
    Refresh(Held),
    /// No token is good enough to refresh with.
    NoToken,
    /// Nothing is kept, but a error is remembered.
    Rest,
    /// Nothing is left.
    Over,
}

impl State {
    pub(super) fn step(&mut self, token: &Presented<'_>, now: Timestamp) -> Step {
        self.join(token);
        if let Some(kept) = self.served(now) {
            self.used = true;
            self.remember(token, now);
            return self.serve(kept, token, now);
        }
        if let Some(flight) = self.flying().cloned() {
            self.remember(token, now);
            return Step::Wait(flight);
        }
        let held = self.hold.as_ref().and_then(|hold| hold.stands(now));
        if let Some(error) = held.or_else(|| self.bad_token(&token.hash, now)) {
            return Step::Refuse(error);
        }
        self.remember(token, now);
        let (take_off, flight) = self.take_off(token.hold());
        Step::Lead(take_off, flight)
    }

    fn join(&mut self, token: &Presented<'_>) {
        self.pods.join(&token.caller.pod_uid);
        if std::mem::replace(&mut self.version, token.version) != token.version {
            (self.hold, self.denied) = (None, false);
            self.bad_tokens.clear();
        }
    }

    pub(super) fn knows(&self, pod: &str) -> bool {
        self.pods.knows(pod)
    }

    /// Whether it is news that the pod has these.
    pub(super) fn tell(&mut self, pod: &str, kept: &Kept) -> bool {
        self.pods.tell(pod, kept.issued)
    }

    /// A pod is gone; says whether it was the last that asked.
    pub(super) fn leave(&mut self, pod: &str) -> bool {
        self.best.take_if(|best| best.caller.pod_uid == pod);
        self.pods.leave(pod)
    }

    /// What it holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let kept = self.kept.as_ref().map_or(0, |kept| kept.bytes());
        let best = self.best.as_ref().map_or(0, Held::bytes);
        kept + best + self.pods.bytes()
    }

    /// When what is kept ends.
    pub(super) fn ends(&self) -> Option<Timestamp> {
        self.kept.as_ref().map(|kept| kept.expires)
    }

    fn serve(&mut self, kept: Arc<Kept>, token: &Presented<'_>, now: Timestamp) -> Step {
        if now < self.refresh_due {
            let last = kept.expires.saturating_sub(LAST_SECONDS).unwrap_or(kept.expires);
            return Step::Serve(kept, self.refresh_due.min(last));
        }
        if let Some(flight) = self.flying() {
            return Step::ServeOrWait(kept, None, flight.clone());
        }
        if self.bad_token(&token.hash, now).is_some() || !lives(token.good_until(), now) {
            return Step::Serve(kept, now);
        }
        let (take_off, flight) = self.take_off(token.hold());
        Step::ServeOrWait(kept, Some(take_off), flight)
    }

    /// Takes a fetch's result in; says whether somebody must begin to tend the entry.
    pub(super) fn land(
        &mut self,
        hash: TokenHash,
        result: &Result<Arc<Kept>, Arc<ExchangeError>>,
        now: Timestamp,
        jitter: f64,
    ) -> bool {
        self.flight = None;
        match result {
            Ok(kept) => self.renew(kept, jitter),
            Err(error) => match error.kind {
                ErrorKind::Token => self.token_fault(hash, error, now),
                ErrorKind::Role | ErrorKind::Request | ErrorKind::NoAssociation => {
                    self.key_fault(error, now);
                }
                ErrorKind::Transient | ErrorKind::Ours => self.retry_later(now),
            },
        }
        self.kept.is_some() && !std::mem::replace(&mut self.tended, true)
    }

    fn renew(&mut self, kept: &Arc<Kept>, jitter: f64) {
        self.refresh_due = refresh_at(kept.issued, kept.expires, jitter);
        // Whoever waited for it uses it; what came ahead of need has yet to be used.
        self.used = self.served(kept.issued).is_none();
        self.kept = Some(Arc::clone(kept));
        self.hold = None;
        self.bad_tokens.clear();
        self.retry = None;
        self.denied = false;
    }

    fn token_fault(&mut self, hash: TokenHash, error: &Arc<ExchangeError>, now: Timestamp) {
        if self.best.as_ref().is_some_and(|best| best.hash == hash) {
            self.best = None;
        }
        let known = self.bad_tokens.iter().position(|(bad, _)| *bad == hash);
        let before = known.map(|place| self.bad_tokens.swap_remove(place).1);
        self.bad_tokens.truncate(BAD_TOKENS - 1);
        let alike = self.bad_tokens.iter().any(|(_, bad)| bad.is_like(error));
        let hold = Hold::new(before.as_ref(), error, now);
        self.bad_tokens.push((hash, hold));
        if alike {
            // Two tokens, one answer: it is not the tokens.
            self.key_fault(error, now);
        } else {
            self.retry_later(now);
        }
    }

    fn key_fault(&mut self, error: &Arc<ExchangeError>, now: Timestamp) {
        if self.served(now).is_some() && !std::mem::replace(&mut self.denied, true) {
            self.refresh_due = now.saturating_add(SECOND_OPINION).unwrap_or(now);
            return;
        }
        (self.kept, self.best) = (None, None);
        self.hold = Some(Hold::new(self.hold.as_ref(), error, now));
    }

    fn retry_later(&mut self, now: Timestamp) {
        if self.kept.is_none() {
            // Nothing to refresh: no token is held for it.
            self.best = None;
        }
        let pause = retry_after(self.retry);
        self.retry = Some(pause);
        self.refresh_due = now.saturating_add(pause).unwrap_or(now);
    }

    pub(super) fn look(&mut self, now: Timestamp) -> Look {
        if self.flying().is_some() {
            return Look::Later(SignedDuration::from_secs(1));
        }
        let Some(kept) = self.kept.clone().filter(|kept| now < kept.expires) else {
            return self.end();
        };
        let remains = kept.expires.duration_since(now);
        if now < self.refresh_due {
            return Look::Later(self.refresh_due.duration_since(now).min(remains));
        }
        if !self.used {
            return Look::Later(remains);
        }
        let best = self.best.clone();
        match best.filter(|best| lives(best.good_until, now)) {
            Some(best) => Look::Refresh(best),
            None => Look::NoToken,
        }
    }

    fn end(&mut self) -> Look {
        (self.kept, self.best, self.tended) = (None, None, false);
        let remembers = self.hold.is_some() || !self.bad_tokens.is_empty();
        if remembers { Look::Rest } else { Look::Over }
    }

    /// Begins the refresh that [`Self::look`] spoke of, unless one has begun.
    pub(super) fn refresh(&mut self, held: Held) -> Option<(TakeOff, Flight)> {
        self.flying().is_none().then(|| self.take_off(held))
    }

    /// The token's pod is no more.
    pub(super) fn forget(&mut self, hash: &TokenHash) {
        self.best.take_if(|best| best.hash == *hash);
    }

    fn remember(&mut self, token: &Presented<'_>, now: Timestamp) {
        let best = self.best.as_ref();
        let better = best.is_none_or(|best| best.good_until < token.good_until());
        if better && self.bad_token(&token.hash, now).is_none() {
            self.best = Some(token.hold());
        }
    }

    fn served(&self, now: Timestamp) -> Option<Arc<Kept>> {
        let kept = self.kept.as_ref();
        kept.filter(|kept| kept.expires.duration_since(now) > LAST_SECONDS).cloned()
    }

    fn bad_token(&self, hash: &TokenHash, now: Timestamp) -> Option<Arc<ExchangeError>> {
        let mut bad = self.bad_tokens.iter();
        bad.find(|(bad, _)| bad == hash).and_then(|(_, hold)| hold.stands(now))
    }

    /// The fetch in flight. One whose task is gone without landing is none.
    fn flying(&self) -> Option<&Flight> {
        let flight = self.flight.as_ref();
        flight.filter(|flight| flight.has_changed().is_ok())
    }

    fn take_off(&mut self, held: Held) -> (TakeOff, Flight) {
        let (landed, flight) = watch::channel(None);
        self.flight = Some(flight.clone());
        (TakeOff { held, landed }, flight)
    }
}

fn lives(expires: Timestamp, now: Timestamp) -> bool {
    expires.duration_since(now) > TOKEN_MARGIN
}
