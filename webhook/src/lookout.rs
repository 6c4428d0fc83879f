//! Looks for others that would inject into our pods: at start, and from time to time.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::sleep;

use crate::{
    Metrics,
    cluster::{Client, ListFault, registered},
    rivals::{self, Kind, Rival},
};

/// While our own configuration is not there: an installer makes it about when it starts us.
const SOON: Duration = Duration::from_secs(2);
/// How many times it is looked for that soon.
const SOON_TIMES: usize = 60;
/// Later.
const LATER: Duration = Duration::from_secs(300);

/// Looks out for ever, with a line in the log for each that comes.
///
/// # Errors
/// When another podrole was here first, as far as the first look at all goes: later it is a
/// warning, since whoever serves already is not taken away from the pods.
pub(crate) async fn look_out(client: &Client, own: &str, metrics: &Metrics) -> anyhow::Error {
    let (mut told, mut looks, mut started) = (BTreeSet::new(), 0, false);
    loop {
        looks += 1;
        match registered(client).await {
            Ok(all) => {
                if let Some(rivals) = rivals::find(own, &all) {
                    count(&rivals, metrics);
                    if let Some(first) = rivals.iter().find(|it| it.was_first() && !started) {
                        return anyhow::Error::msg(first.sentence(own));
                    }
                    tell(rivals.iter().map(|rival| rival.sentence(own)), &mut told);
                    started = true;
                }
            }
            Err(fault) => {
                tell([fault.to_string()], &mut told);
                started |= matches!(fault, ListFault::Forbidden);
            }
        }
        sleep(if started || looks > SOON_TIMES { LATER } else { SOON }).await;
    }
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
