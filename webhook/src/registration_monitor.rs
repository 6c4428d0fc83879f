//! Looks at what is registered, at start and from time to time: for others that would inject into
//! our pods, and for a `caBundle` by which no API server gets through, where we do not keep it
//! right ourselves.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use podrole_certs::prove;
use rustls::ServerConfig;
use tokio::{sync::watch, time::sleep};

use crate::{
    Metrics,
    cluster::{Client, ListError, registered},
    conflicts::{self, Kind, Registered, Rival},
};

/// While our own configuration is not there: an installer makes it about when it starts us.
const SOON: Duration = Duration::from_secs(2);
/// How many times it is looked for that soon.
const SOON_TIMES: usize = 60;
/// Later.
const LATER: Duration = Duration::from_secs(60);

/// What is served, where it is somebody else who tells API servers whom to trust.
pub(crate) type Served = watch::Receiver<Option<Arc<ServerConfig>>>;

/// Looks out for ever, with a line in the log for each thing that comes.
///
/// # Errors
/// When another podrole was here first, as far as the first look at all goes: later it is a
/// warning, since whoever serves already is not taken away from the pods.
pub(crate) async fn look_out(
    client: &Client,
    own: &str,
    metrics: &Metrics,
    mut served: Option<Served>,
) -> anyhow::Error {
    let tls = match &mut served {
        Some(served) => served.wait_for(Option::is_some).await.ok().and_then(|tls| tls.clone()),
        None => None,
    };
    let (mut told, mut looks, mut started) = (BTreeSet::new(), 0, false);
    loop {
        looks += 1;
        match registered(client).await {
            Ok(all) => {
                if let Some(rivals) = conflicts::find(own, &all) {
                    count(&rivals, metrics);
                    if let Some(first) = rivals.iter().find(|it| it.was_first() && !started) {
                        return anyhow::Error::msg(first.sentence(own));
                    }
                    let unproved = tls.iter().flat_map(|tls| unproved(own, &all, tls));
                    let rivals = rivals.iter().map(|rival| rival.sentence(own));
                    tell(rivals.chain(unproved), &mut told);
                    started = true;
                }
            }
            Err(error) => {
                tell([error.to_string()], &mut told);
                started |= matches!(error, ListError::Forbidden);
            }
        }
        sleep(if started || looks > SOON_TIMES { LATER } else { SOON }).await;
    }
}

/// Our entries by whose `caBundle` an API server would not get through to us.
fn unproved(own: &str, all: &[Registered], tls: &Arc<ServerConfig>) -> Vec<String> {
    let ours = all.iter().filter(|registered| registered.name == own);
    let failed = ours.flat_map(|ours| &ours.entries).filter_map(|entry| {
        let error = prove(tls, &entry.bundle, &entry.host).err()?;
        Some(format!(
            "API servers will not get through: {own}, {}: the caBundle does not prove what is \
             served as {} ({error}); put the CA there, with cert-manager by its annotation \
             inject-ca-from",
            entry.name, entry.host
        ))
    });
    failed.collect()
}

fn count(rivals: &[Rival], metrics: &Metrics) {
    let of = |kind| rivals.iter().filter(|rival| rival.kind == kind).count();
    metrics.foreign_webhooks(of(Kind::Eks), of(Kind::Podrole));
}

/// Each sentence is told once while it holds.
fn tell(sentences: impl IntoIterator<Item = String>, told: &mut BTreeSet<String>) {
    let now: BTreeSet<String> = sentences.into_iter().collect();
    for sentence in now.difference(told) {
        tracing::warn!("{sentence}");
    }
    *told = now;
}
