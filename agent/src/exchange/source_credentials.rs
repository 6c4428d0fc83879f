//! The agent's own AWS credentials: loaded, refreshed, and dropped when AWS rejects them.
//!
//! This is the one file that names the SDK's providers. The container provider is not among them:
//! on a node that runs podrole it would ask this agent.

use std::{
    sync::{self, Arc, MutexGuard, PoisonError},
    time::Duration,
};

use aws_config::{
    environment::EnvironmentVariableCredentialsProvider,
    imds::credentials::ImdsCredentialsProvider, meta::credentials::CredentialsProviderChain,
    profile::ProfileFileCredentialsProvider, provider_config::ProviderConfig,
    web_identity_token::WebIdentityTokenCredentialsProvider,
};
use aws_credential_types::{
    Credentials as SourceKeys,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use aws_sdk_sts::config::Region;
use jiff::{SignedDuration, Timestamp};
use podrole_runtime::{error_text::one_line, health::Gate};
use tokio::{sync::Mutex, time::timeout};

use super::{ErrorKind, ExchangeError};
use crate::{clock::Clock, http_client::HttpClients};

/// How long before their expiry credentials are loaded again.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// How often credentials without an expiry are loaded again: their file or process may rotate them.
const WITHOUT_EXPIRY: SignedDuration = SignedDuration::from_mins(1);
/// How long a failed provider is left alone while the loaded credentials are still valid.
const PAUSE: SignedDuration = SignedDuration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long the agent stays unready after AWS rejected a key, even if the provider returns the
/// same key again; a successful call ends it early.
const QUARANTINE: SignedDuration = SignedDuration::from_mins(5);

/// The agent's own credentials and the provider that loads them. Clones share both.
#[derive(Clone)]
pub struct SourceCredentials(Arc<Shared>);

struct Shared {
    provider: Box<dyn Fn() -> SharedCredentialsProvider + Send + Sync>,
    clock: Clock,
    /// Locked while the provider runs, so that concurrent callers share one call.
    loaded: Mutex<Option<Loaded>>,
    /// Has a lock of its own: recording a successful call must not wait while the provider runs.
    quarantined: sync::Mutex<Option<Quarantined>>,
    ready: Gate,
}

/// A key that AWS rejected.
struct Quarantined {
    access_key_id: String,
    until: Timestamp,
}

#[derive(Clone)]
struct Loaded {
    keys: SourceKeys,
    reload_at: Timestamp,
}

impl SourceCredentials {
    /// Credentials from the SDK's usual places, in this order: environment variables, a profile
    /// (with `credential_process`), a web identity if `web_identity` is set, the instance's role.
    /// `ready` is open while there are some that AWS did not reject.
    #[must_use]
    pub fn of_the_node(
        region: &str,
        web_identity: bool,
        clients: &HttpClients,
        clock: Clock,
        ready: Gate,
    ) -> Self {
        let configuration = |client| {
            let configuration = ProviderConfig::default().with_http_client(client);
            configuration.with_region(Some(Region::new(region.to_owned())))
        };
        let proxied = configuration(clients.sdk_client());
        // The instance's metadata is never behind a proxy.
        let direct = configuration(clients.direct_client());
        let provider =
            move || SharedCredentialsProvider::new(chain(&proxied, &direct, web_identity));
        Self::from(provider, clock, ready)
    }

    /// Credentials of `provider`, which is built anew for each load.
    #[must_use]
    pub fn from(
        provider: impl Fn() -> SharedCredentialsProvider + Send + Sync + 'static,
        clock: Clock,
        ready: Gate,
    ) -> Self {
        let (loaded, quarantined) = (Mutex::default(), sync::Mutex::default());
        let provider = Box::new(provider);
        Self(Arc::new(Shared { provider, clock, loaded, quarantined, ready }))
    }

    /// Returns valid credentials, loading them if needed.
    ///
    /// # Errors
    /// [`ErrorKind::Agent`] if there are none; the log says how to fix it.
    pub async fn get(&self) -> Result<SourceKeys, ExchangeError> {
        let mut loaded = self.0.loaded.lock().await;
        let now = self.0.clock.now();
        if let Some(loaded) = loaded.as_ref().filter(|loaded| now < loaded.reload_at) {
            self.open_gate(&loaded.keys, now);
            return Ok(loaded.keys.clone());
        }
        match self.load().await {
            Ok(keys) => {
                self.open_gate(&keys, now);
                let reload_at = reload_at(&keys, now);
                Ok(loaded.insert(Loaded { keys, reload_at }).keys.clone())
            }
            Err(error) => self.keep_valid(&mut loaded, &error, now),
        }
    }

    fn quarantined(&self) -> MutexGuard<'_, Option<Quarantined>> {
        self.0.quarantined.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the agent ready, unless `keys` are in quarantine.
    fn open_gate(&self, keys: &SourceKeys, now: Timestamp) {
        let mut quarantined = self.quarantined();
        let applies = |quarantined: &Quarantined| quarantined.is(keys) && now < quarantined.until;
        if !quarantined.as_ref().is_some_and(applies) {
            *quarantined = None;
            self.0.ready.open();
        }
    }

    /// After a failed load: keeps using the loaded credentials until they expire.
    fn keep_valid(
        &self,
        loaded: &mut Option<Loaded>,
        error: &str,
        now: Timestamp,
    ) -> Result<SourceKeys, ExchangeError> {
        if let Some(loaded) = loaded.as_mut().filter(|loaded| !is_expired(&loaded.keys, now)) {
            tracing::warn!(
                error,
                "could not load the agent's own AWS credentials; keeping the current ones"
            );
            loaded.reload_at = now.saturating_add(PAUSE).unwrap_or(now);
            return Ok(loaded.keys.clone());
        }
        tracing::warn!(
            error,
            "could not load the agent's own AWS credentials; the agent is not ready"
        );
        *loaded = None;
        self.0.ready.close();
        let message = "the agent has no AWS credentials of its own; give its node an instance \
                       role, or set AWS_ACCESS_KEY_ID or AWS_PROFILE";
        Err(ExchangeError::new(ErrorKind::Agent, "NoSourceCredentials", message))
    }

    async fn load(&self) -> Result<SourceKeys, String> {
        let provider = (self.0.provider)();
        let loaded = timeout(TIMEOUT, provider.provide_credentials()).await;
        let loaded = loaded.map_err(|_| "no answer within 5 s".to_owned())?;
        loaded.map_err(|error| one_line(&error))
    }

    /// Records the result of a call that was signed with `keys`. If AWS rejected them, the next
    /// call loads others, and the agent is unready until there are others, AWS accepts these, or
    /// the quarantine ends.
    pub async fn record_result<T>(&self, keys: &SourceKeys, result: &Result<T, ExchangeError>) {
        match result.as_ref().map_err(|error| error.kind) {
            Ok(_) => {
                if self.quarantined().take_if(|quarantined| quarantined.is(keys)).is_some() {
                    self.0.ready.open();
                }
            }
            Err(ErrorKind::Agent) => self.quarantine(keys.access_key_id()).await,
            // Any other error says nothing about these keys.
            Err(_) => {}
        }
    }

    async fn quarantine(&self, access_key_id: &str) {
        let mut loaded = self.0.loaded.lock().await;
        // A late answer about earlier keys must not drop the current ones.
        if loaded.as_ref().is_some_and(|loaded| loaded.keys.access_key_id() == access_key_id) {
            tracing::warn!(
                access_key_id,
                "AWS rejected the agent's own credentials; loading them again"
            );
            *loaded = None;
            let until = self.0.clock.now().saturating_add(QUARANTINE).unwrap_or(Timestamp::MAX);
            let access_key_id = access_key_id.to_owned();
            *self.quarantined() = Some(Quarantined { access_key_id, until });
            self.0.ready.close();
        }
    }
}

impl Quarantined {
    fn is(&self, keys: &SourceKeys) -> bool {
        self.access_key_id == keys.access_key_id()
    }
}

fn chain(
    proxied: &ProviderConfig,
    direct: &ProviderConfig,
    web_identity: bool,
) -> CredentialsProviderChain {
    let profile = ProfileFileCredentialsProvider::builder().configure(proxied);
    let profile = profile.with_custom_provider("EcsContainer", RefusedProvider).build();
    let environment = EnvironmentVariableCredentialsProvider::new();
    let mut chain = CredentialsProviderChain::first_try("the environment", environment)
        .or_else("a profile", profile);
    if web_identity {
        let provider = WebIdentityTokenCredentialsProvider::builder().configure(proxied).build();
        chain = chain.or_else("a web identity", provider);
    }
    let instance = ImdsCredentialsProvider::builder().configure(direct).build();
    chain.or_else("the instance's role", instance)
}

/// Replaces the container provider, so that a profile that names it gets a clear error.
#[derive(Debug)]
struct RefusedProvider;

impl ProvideCredentials for RefusedProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let error = "the agent cannot use container credentials: it would ask itself";
        future::ProvideCredentials::ready(Err(CredentialsError::invalid_configuration(error)))
    }
}

fn reload_at(keys: &SourceKeys, now: Timestamp) -> Timestamp {
    let after = |pause| now.saturating_add(pause).unwrap_or(now);
    match expiry(keys) {
        None => after(WITHOUT_EXPIRY),
        // At least a pause: the provider may have nothing that lives longer.
        Some(expiry) => expiry.saturating_sub(AHEAD).unwrap_or(expiry).max(after(PAUSE)),
    }
}

fn expiry(keys: &SourceKeys) -> Option<Timestamp> {
    Timestamp::try_from(keys.expiry()?).ok()
}

fn is_expired(keys: &SourceKeys, now: Timestamp) -> bool {
    expiry(keys).is_some_and(|expiry| expiry <= now)
}

#[cfg(test)]
mod tests;
