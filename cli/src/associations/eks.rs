//! The associations of an EKS cluster, from EKS's API.

mod api;

use std::{cell::Cell, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use super::{cluster_name::ClusterName, failure::Failure, input, merged::Merged};
use crate::progress::{Progress, grouped};
use api::Eks;

/// Five calls a second: what AWS permits is shared with everything else in the AWS account.
const PACE: Duration = Duration::from_millis(200);

/// How many associations were listed and described.
#[derive(Debug, Default)]
struct Counts {
    listed: Cell<usize>,
    described: Cell<usize>,
}

impl Counts {
    fn missing(&self) -> String {
        let (described, listed) = (self.described.get(), self.listed.get());
        let missing = grouped(listed.saturating_sub(described));
        format!(
            "described {} of {} associations; {missing} are missing, and nothing is printed",
            grouped(described),
            grouped(listed)
        )
    }
}

/// Lists and describes all associations of a cluster.
///
/// # Errors
/// If EKS refuses or cannot be reached, or the user interrupts it.
pub(super) async fn read(cluster: &ClusterName, progress: &Progress) -> Result<Merged, Failure> {
    let eks = Eks::from_environment().await?;
    let counts = Counts::default();
    tokio::select! {
        merged = collect(&eks, cluster, PACE, progress, &counts) => {
            merged.map_err(|error| match counts.listed.get() {
                0 => error.into(),
                _ => error.context(counts.missing()).into(),
            })
        }
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted(counts.missing())),
    }
}

async fn collect(
    eks: &Eks,
    cluster: &ClusterName,
    pace: Duration,
    progress: &Progress,
    counts: &Counts,
) -> anyhow::Result<Merged> {
    let mut ticks = interval(pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut ids, mut token) = (Vec::new(), None::<String>);
    loop {
        ticks.tick().await;
        let page = eks.list(cluster, token.as_deref()).await?;
        ids.extend(page.associations.into_iter().map(|it| it.association_id));
        counts.listed.set(ids.len());
        progress.show(|| format!("listed {} associations", grouped(ids.len())));
        let next = page.next_token.filter(|token| !token.is_empty());
        anyhow::ensure!(next.is_none() || next != token, "EKS repeats a page of its list");
        match next {
            Some(next) => token = Some(next),
            None => break,
        }
    }
    let mut merged = Merged::default();
    for id in &ids {
        ticks.tick().await;
        match eks.describe(cluster, id).await? {
            Some(text) => {
                let source = format!("association {id} of EKS cluster {cluster}");
                input::read_text(&source, &text, false, &mut merged);
            }
            None => merged.note(format!("association {id} was deleted meanwhile")),
        }
        counts.described.set(counts.described.get() + 1);
        progress.show(|| {
            format!("described {} of {}", grouped(counts.described.get()), grouped(ids.len()))
        });
    }
    Ok(merged)
}

#[cfg(test)]
mod tests;
