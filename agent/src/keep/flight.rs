//! A fetch: in a task of its own, so that nobody who waits can cancel it for the others.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use podrole_identity::RoleArn;
use tokio::time::timeout;

use super::{
    Keep, Kept, Key, Landed,
    entry::{Flight, TakeOff},
    schedule,
    slot::Slot,
};
use crate::{
    answer,
    exchange::{Credentials, ErrorKind, ExchangeError},
};

const FLIGHT_TIMEOUT: Duration = Duration::from_secs(15);

impl Keep {
    /// Fetches in a task of its own.
    pub(super) fn take_off(&self, slot: &Arc<Slot>, take_off: TakeOff) {
        let (keep, slot) = (self.clone(), Arc::clone(slot));
        tokio::spawn(async move { keep.fly(&slot, take_off).await });
    }

    async fn fly(&self, slot: &Arc<Slot>, take_off: TakeOff) {
        let key = &slot.key;
        let TakeOff { held, landed } = take_off;
        let asked = self.0.exchange.exchange(&key.session, &held.caller, &held.token);
        let asked = timeout(FLIGHT_TIMEOUT, asked).await;
        let now = self.0.clock.now();
        let result = match asked {
            Ok(Ok(credentials)) => {
                schedule::lasting(credentials.expires, now).map(|()| keep(credentials, now))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(transient("Timeout", "the exchange took more than 15 s")),
        };
        let result = result.map(Arc::new).map_err(Arc::new);
        self.report(key, &result, now);
        let jitter = schedule::jitter();
        let tend = slot.change(|state| state.land(held.hash, &result, now, jitter));
        self.0.slots.weigh(key);
        self.count();
        if tend {
            hint(key, &result);
        }
        let _ = landed.send(Some((result, held.hash)));
        if tend {
            self.tend(slot, jiff::SignedDuration::ZERO);
        }
    }

    fn report(&self, key: &Key, result: &Result<Arc<Kept>, Arc<ExchangeError>>, now: Timestamp) {
        let account = &key.service_account;
        match result {
            Ok(kept) => {
                self.0.metrics.upstream(key.exchange, "ok");
                self.0.pace.recover();
                let role = kept.role.as_str();
                tracing::info!(%account, role, expires = %kept.expires, "credentials fetched");
            }
            Err(error) => {
                let kind = error.kind.as_str();
                self.0.metrics.upstream(key.exchange, kind);
                if error.is_throttling() {
                    self.0.pace.slow_down(now);
                }
                let role = key.session.role(error.hop).map(RoleArn::as_str);
                tracing::warn!(%account, role, kind, %error, "no credentials");
            }
        }
    }
}

/// Says once of a session that it is a short one.
fn hint(key: &Key, result: &Result<Arc<Kept>, Arc<ExchangeError>>) {
    if let Ok(kept) = result
        && schedule::is_short(kept.issued, kept.expires)
    {
        let (account, role) = (&key.service_account, kept.role.as_str());
        tracing::warn!(
            %account, role,
            "a session of 15 minutes or less: SDKs for Python and .NET ask for it at each use; give it 1800 s or more"
        );
    }
}

fn keep(credentials: Credentials, issued: Timestamp) -> Kept {
    Kept {
        body: answer::success(&credentials),
        issued,
        expires: credentials.expires,
        access_key_id: credentials.access_key_id,
        role: credentials.role,
        session_name: credentials.session_name,
    }
}

/// Waits for a fetch to land.
pub(super) async fn landing(mut flight: Flight) -> Result<Landed, Arc<ExchangeError>> {
    let landed = flight.wait_for(Option::is_some).await;
    let landed = landed.ok().and_then(|landed| landed.clone());
    landed.ok_or_else(|| Arc::new(transient("Lost", "the fetch ended without a result")))
}

pub(super) fn transient(code: &str, message: &str) -> ExchangeError {
    ExchangeError::new(ErrorKind::Transient, code, message)
}
