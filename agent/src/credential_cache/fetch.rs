//! A fetch, in a task of its own, so that a request that hangs up does not cancel it for others.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use podrole_identity::RoleArn;

use super::{
    CredentialCache,
    credentials::CachedCredentials,
    entry::Entry,
    in_flight::FetchPermit,
    key::CacheKey,
    schedule::{self, is_short},
};
use crate::{
    exchange::ExchangeError,
    jitter::jitter,
    sync::{spawn, timeout},
};

const TIMEOUT: Duration = Duration::from_secs(15);

type FetchOutcome = Result<Arc<CachedCredentials>, Arc<ExchangeError>>;

impl CredentialCache {
    pub(super) fn start_fetch(&self, entry: &Arc<Entry>, permit: FetchPermit) {
        let (cache, entry) = (self.clone(), Arc::clone(entry));
        spawn(async move { cache.fetch(&entry, permit).await });
    }

    async fn fetch(&self, entry: &Arc<Entry>, permit: FetchPermit) {
        let key = &entry.key;
        let FetchPermit { token, result: sender } = permit;
        let fetch = self.0.exchange.exchange(&key.session, &token.caller, &token.token);
        let fetched = timeout(TIMEOUT, fetch).await;
        let now = self.0.clock.now();
        let outcome = match fetched {
            Ok(Ok(credentials)) => schedule::check_lifetime(credentials.expires, now)
                .map(|()| CachedCredentials::new(credentials, now)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ExchangeError::transient("Timeout", "AWS did not answer within 15 s")),
        };
        let outcome = outcome.map(Arc::new).map_err(Arc::new);
        self.report(key, &outcome, now);
        let jitter = jitter();
        let hash = *token.hash();
        let is_new = entry.change(|state| state.record(hash, &outcome, now, jitter));
        self.0.entries.reweigh(key);
        self.update_gauges();
        if is_new {
            warn_if_short(key, &outcome);
        }
        // After the state has changed: who waits must find these credentials when it asks again.
        let _ = sender.send(Some((outcome, hash)));
        if is_new {
            self.check_after(entry, SignedDuration::ZERO);
        }
        if entry.lock().is_unused() {
            // Its last pod ended during the fetch.
            self.remove(entry);
        }
    }

    fn report(&self, key: &CacheKey, outcome: &FetchOutcome, now: Timestamp) {
        let namespace = key.service_account.namespace();
        let service_account = key.service_account.name();
        // Any answer of AWS's own ends an outage, a refusal too.
        let outage = outcome.as_ref().err().and_then(|error| error.endpoint()).cloned();
        let outage = outage.map(|error| (self.0.clock.steady(), error));
        *self.0.outage.lock().unwrap_or_else(PoisonError::into_inner) = outage;
        match outcome {
            Ok(credentials) => {
                self.0.metrics.exchange_call(key.exchange, "ok");
                self.0.throttle.recover();
                let (role, expires) = (credentials.role.as_str(), credentials.expires);
                tracing::info!(namespace, service_account, role, %expires, "credentials fetched");
            }
            Err(error) => {
                let reason = error.kind.as_str();
                self.0.metrics.exchange_call(key.exchange, reason);
                if error.is_throttling() {
                    self.0.throttle.slow_down(now);
                }
                // While AWS is away, requests that are held fetch again and again.
                let Some(failures) = self.0.failures.count(&key.service_account, now) else {
                    return;
                };
                let role = key.session.role(error.step).map(RoleArn::as_str);
                tracing::warn!(
                    namespace, service_account, role, reason, %error, failures,
                    "could not fetch credentials"
                );
            }
        }
    }
}

fn warn_if_short(key: &CacheKey, outcome: &FetchOutcome) {
    if let Ok(credentials) = outcome
        && is_short(credentials.issued, credentials.expires)
    {
        tracing::warn!(
            namespace = key.service_account.namespace(),
            service_account = key.service_account.name(),
            role = credentials.role.as_str(),
            "the session lasts 15 minutes or less, and the SDKs for Python and .NET request such \
             credentials at each use; set its duration to 1800 s or more"
        );
    }
}
