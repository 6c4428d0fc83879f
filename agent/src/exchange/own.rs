//! The agent's own AWS credentials: found, kept fresh, and thrown away when AWS refuses them.
//!
//! The one file that names the SDK's providers. The container provider is not among them: on a
//! node of ours it would lead back to this very agent.

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
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use aws_sdk_sts::config::Region;
use jiff::{SignedDuration, Timestamp};
use podrole_runtime::health::Gate;
use tokio::{sync::Mutex, time::timeout};

use super::{ErrorKind, ExchangeError};
use crate::{clock::Clock, http_client::HttpClients};

/// Credentials are found anew so long before they end.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// Those without an end may be rotated under their file or process.
const WITHOUT_END: SignedDuration = SignedDuration::from_mins(1);
/// A source that fails is left alone for so long while there are credentials in hand.
const PAUSE: SignedDuration = SignedDuration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(5);
/// Found again, credentials that AWS refused make nobody ready for so long, unless AWS takes them.
const DOUBT: SignedDuration = SignedDuration::from_mins(5);

/// Where the agent's own credentials come from. Clones share what was found.
#[derive(Clone)]
pub struct OwnCredentials(Arc<Inner>);

struct Inner {
    find: Box<dyn Fn() -> SharedCredentialsProvider + Send + Sync>,
    clock: Clock,
    known: Mutex<Option<Known>>,
    /// Apart from the rest: who was served does not wait while others are found.
    doubt: sync::Mutex<Option<Doubt>>,
    good: Gate,
}

/// Credentials that AWS refused.
struct Doubt {
    access_key_id: String,
    until: Timestamp,
}

#[derive(Clone)]
struct Known {
    keys: Credentials,
    again: Timestamp,
}

impl OwnCredentials {
    /// Credentials of the SDK's usual places: environment keys, a profile (with
    /// `credential_process`), a web identity if `web_identity` says so, the instance's role.
    /// `good` is open while there are some.
    #[must_use]
    pub fn of_the_node(
        region: &str,
        web_identity: bool,
        clients: &HttpClients,
        clock: Clock,
        good: Gate,
    ) -> Self {
        let configuration = |client| {
            let configuration = ProviderConfig::default().with_http_client(client);
            configuration.with_region(Some(Region::new(region.to_owned())))
        };
        let far = configuration(clients.sdk_client());
        // The instance's metadata is never behind a proxy.
        let near = configuration(clients.direct_client());
        let find = move || SharedCredentialsProvider::new(chain(&far, &near, web_identity));
        Self::from(find, clock, good)
    }

    /// Credentials of a source that is asked anew each time.
    #[must_use]
    pub fn from(
        find: impl Fn() -> SharedCredentialsProvider + Send + Sync + 'static,
        clock: Clock,
        good: Gate,
    ) -> Self {
        let (known, doubt) = (Mutex::default(), sync::Mutex::default());
        Self(Arc::new(Inner { find: Box::new(find), clock, known, doubt, good }))
    }

    /// The credentials as they are now.
    ///
    /// # Errors
    /// When there are none: our error, with the mend in the log.
    pub async fn get(&self) -> Result<Credentials, ExchangeError> {
        let mut known = self.0.known.lock().await;
        let now = self.0.clock.now();
        if let Some(known) = known.as_ref().filter(|known| now < known.again) {
            self.open(&known.keys, now);
            return Ok(known.keys.clone());
        }
        match self.find().await {
            Ok(keys) => {
                self.open(&keys, now);
                let again = find_again(&keys, now);
                Ok(known.insert(Known { keys, again }).keys.clone())
            }
            Err(error) => self.without(&mut known, &error, now),
        }
    }

    fn doubt(&self) -> MutexGuard<'_, Option<Doubt>> {
        self.0.doubt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There are credentials, which makes us ready unless AWS refused these lately.
    fn open(&self, keys: &Credentials, now: Timestamp) {
        let mut doubt = self.doubt();
        let stands = |doubt: &Doubt| doubt.is_of(keys) && now < doubt.until;
        if !doubt.as_ref().is_some_and(stands) {
            *doubt = None;
            self.0.good.open();
        }
    }

    /// Nothing new was found: what is in hand serves until its end.
    fn without(
        &self,
        known: &mut Option<Known>,
        error: &str,
        now: Timestamp,
    ) -> Result<Credentials, ExchangeError> {
        tracing::warn!(error, "the agent's own AWS credentials cannot be found");
        if let Some(known) = known.as_mut().filter(|known| !is_over(&known.keys, now)) {
            known.again = now.saturating_add(PAUSE).unwrap_or(now);
            return Ok(known.keys.clone());
        }
        *known = None;
        self.0.good.close();
        let message = "the agent has no AWS credentials of its own; give it an instance role, \
                       AWS_ACCESS_KEY_ID, or AWS_PROFILE";
        Err(ExchangeError::new(ErrorKind::Ours, "NoOwnCredentials", message))
    }

    async fn find(&self) -> Result<Credentials, String> {
        let provider = (self.0.find)();
        let found = timeout(TIMEOUT, provider.provide_credentials()).await;
        let found = found.map_err(|_| "no answer within 5 s".to_owned())?;
        found.map_err(|error| one_line(&error))
    }

    /// Learns of these credentials from what came of a call with them. If AWS refused them, the next call finds others;
    /// until there are some, or AWS takes these, or 5 minutes are over, we are not ready.
    pub async fn hear<T>(&self, keys: &Credentials, said: &Result<T, ExchangeError>) {
        match said.as_ref().map_err(|error| error.kind) {
            Ok(_) => {
                if self.doubt().take_if(|doubt| doubt.is_of(keys)).is_some() {
                    self.0.good.open();
                }
            }
            Err(ErrorKind::Ours) => self.distrust(keys.access_key_id()).await,
            // That says nothing of them.
            Err(_) => {}
        }
    }

    async fn distrust(&self, access_key_id: &str) {
        let mut known = self.0.known.lock().await;
        if known.as_ref().is_some_and(|known| known.keys.access_key_id() == access_key_id) {
            tracing::warn!(access_key_id, "AWS refuses the agent's own credentials");
            *known = None;
            let until = self.0.clock.now().saturating_add(DOUBT).unwrap_or(Timestamp::MAX);
            *self.doubt() = Some(Doubt { access_key_id: access_key_id.to_owned(), until });
            self.0.good.close();
        }
    }
}

impl Doubt {
    fn is_of(&self, keys: &Credentials) -> bool {
        self.access_key_id == keys.access_key_id()
    }
}

fn chain(
    far: &ProviderConfig,
    near: &ProviderConfig,
    web_identity: bool,
) -> CredentialsProviderChain {
    let profile = ProfileFileCredentialsProvider::builder().configure(far);
    let profile = profile.with_custom_provider("EcsContainer", Never).build();
    let environment = EnvironmentVariableCredentialsProvider::new();
    let mut chain = CredentialsProviderChain::first_try("the environment", environment)
        .or_else("a profile", profile);
    if web_identity {
        let provider = WebIdentityTokenCredentialsProvider::builder().configure(far).build();
        chain = chain.or_else("a web identity", provider);
    }
    let instance = ImdsCredentialsProvider::builder().configure(near).build();
    chain.or_else("the instance's role", instance)
}

/// The container provider's place: a profile that names it is told so.
#[derive(Debug)]
struct Never;

impl ProvideCredentials for Never {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let error = "the agent does not take container credentials: it would ask itself";
        future::ProvideCredentials::ready(Err(CredentialsError::invalid_configuration(error)))
    }
}

fn find_again(keys: &Credentials, now: Timestamp) -> Timestamp {
    let after = |pause| now.saturating_add(pause).unwrap_or(now);
    match end(keys) {
        None => after(WITHOUT_END),
        // At least a pause: those that end soon may be all that there is.
        Some(end) => end.saturating_sub(AHEAD).unwrap_or(end).max(after(PAUSE)),
    }
}

fn end(keys: &Credentials) -> Option<Timestamp> {
    Timestamp::try_from(keys.expiry()?).ok()
}

fn is_over(keys: &Credentials, now: Timestamp) -> bool {
    end(keys).is_some_and(|end| end <= now)
}

fn one_line(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}"));
    let text = format!("{error}{}", cause.unwrap_or_default());
    text.replace(char::is_control, " ").chars().take(300).collect()
}

#[cfg(test)]
mod tests;
