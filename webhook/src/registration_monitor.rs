//! Checks the registered webhook configurations at start and once a minute: for other webhooks that
//! inject into our pods, and for a `caBundle` with which API servers cannot verify this webhook,
//! if podrole does not maintain it itself. It also reads how long API servers wait for an answer.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use podrole_certs::self_check;
use rustls::ServerConfig;
use tokio::{sync::watch, time::sleep};

use crate::{
    Metrics,
    cluster::{Client, ListError, registered},
    conflicts::{self, Conflict, ConflictKind, Registered},
    registered_timeout::RegisteredTimeout,
};

/// The interval until our own configuration is registered: an installer creates it at about the
/// time it starts us.
const EARLY_INTERVAL: Duration = Duration::from_secs(2);
/// How many checks are made at the early interval, two minutes in all.
const EARLY_CHECKS: usize = 60;
const INTERVAL: Duration = Duration::from_secs(60);

/// The serving configuration, once there is one, for a `caBundle` that podrole does not maintain.
pub(crate) type Served = watch::Receiver<Option<Arc<ServerConfig>>>;

/// Checks until the process ends, and logs each finding once.
///
/// # Errors
/// Returns if the first successful check finds an older podrole for the same namespaces. On later
/// checks that is only a warning: a replica that already serves pods must not stop because an older
/// configuration appeared.
pub(crate) async fn monitor(
    client: &Client,
    own: &str,
    metrics: &Metrics,
    timeout: &RegisteredTimeout,
    mut served: Option<Served>,
) -> anyhow::Error {
    let tls = match &mut served {
        Some(served) => served.wait_for(Option::is_some).await.ok().and_then(|tls| tls.clone()),
        None => None,
    };
    let (mut logged, mut checks, mut started) = (BTreeSet::new(), 0, false);
    loop {
        checks += 1;
        match registered(client).await {
            Ok(all) => {
                let ours = all.iter().filter(|registered| registered.name == own);
                timeout.set(ours.flat_map(|ours| &ours.entries).map(|entry| entry.timeout));
                if let Some(conflicts) = conflicts::find(own, &all) {
                    count(&conflicts, metrics);
                    let first = conflicts.iter().find(|it| it.has_precedence() && !started);
                    if let Some(first) = first {
                        return anyhow::Error::msg(first.sentence(own));
                    }
                    let unverified = tls.iter().flat_map(|tls| unverified(own, &all, tls));
                    let conflicts = conflicts.iter().map(|conflict| conflict.sentence(own));
                    log_new(conflicts.chain(unverified), &mut logged);
                    started = true;
                }
            }
            Err(error) => {
                log_new([error.to_string()], &mut logged);
                started |= matches!(error, ListError::Forbidden);
            }
        }
        sleep(if started || checks > EARLY_CHECKS { INTERVAL } else { EARLY_INTERVAL }).await;
    }
}

/// A sentence for each of our entries whose `caBundle` does not verify what is served.
fn unverified(own: &str, all: &[Registered], tls: &Arc<ServerConfig>) -> Vec<String> {
    let ours = all.iter().filter(|registered| registered.name == own);
    let failed = ours.flat_map(|ours| &ours.entries).filter_map(|entry| {
        let error = self_check(tls, &entry.ca_bundle, &entry.host).err()?;
        Some(format!(
            "API servers cannot call {} of {own}: its caBundle does not verify the certificate \
             served for {} ({error}); put the CA there, with cert-manager by the annotation \
             cert-manager.io/inject-ca-from",
            entry.name, entry.host
        ))
    });
    failed.collect()
}

fn count(conflicts: &[Conflict], metrics: &Metrics) {
    let of = |kind| conflicts.iter().filter(|conflict| conflict.kind == kind).count();
    metrics.conflicts(of(ConflictKind::Eks), of(ConflictKind::Podrole));
}

/// Logs the sentences that the last check did not have. One that comes back is logged again.
fn log_new(sentences: impl IntoIterator<Item = String>, logged: &mut BTreeSet<String>) {
    let now: BTreeSet<String> = sentences.into_iter().collect();
    for sentence in now.difference(logged) {
        tracing::warn!("{sentence}");
    }
    *logged = now;
}
