//! What came of the stores: their Secrets, what the operator's Events say, and whose signature the sandbox saw.

use std::{collections::BTreeMap, time::Duration};

use anyhow::ensure;
use k8s_openapi::{
    ByteString,
    api::core::v1::{Event, Secret},
};
use kube::api::ListParams;
use podrole_tests::wait;

use super::stores::{NAMESPACE as ENGINE, ROWS, Row};
use crate::stage::{NAMESPACE, Stage};

/// Waits until every store has come to what it must, with `value` in moto, and gives the refusals.
pub(super) async fn settled(
    stage: &Stage,
    value: &str,
    seconds: u64,
) -> anyhow::Result<Vec<String>> {
    wait::found("the stores", Duration::from_secs(seconds), async || {
        let secrets = secrets(stage).await?;
        let events = stage.api::<Event>(ENGINE).list(&ListParams::default()).await?.items;
        let (mut refusals, mut open) = (Vec::new(), Vec::new());
        for row in &ROWS {
            let secret = secrets.get(row.name);
            let is_synced = secret.is_some_and(|data| row.is_synced(data, value));
            match row.refusal() {
                None if is_synced => {}
                Some(words) if secret.is_none() => match sentence(row, words, &events) {
                    Some(sentence) => refusals.push(format!("{}: {sentence}", row.name)),
                    None => open.push(last_said(row, &events)),
                },
                None => open.push(last_said(row, &events)),
                Some(_) => {
                    open.push(format!("{}: AWS must refuse it, and it has synced", row.name));
                }
            }
        }
        ensure!(open.is_empty(), "{} are open:\n{}", open.len(), open.join("\n"));
        Ok(Some(refusals))
    })
    .await
}

async fn secrets(stage: &Stage) -> anyhow::Result<BTreeMap<String, BTreeMap<String, ByteString>>> {
    let list = stage.api::<Secret>(ENGINE).list(&ListParams::default()).await?;
    let named = |secret: Secret| Some((secret.metadata.name?, secret.data.unwrap_or_default()));
    Ok(list.items.into_iter().filter_map(named).collect())
}

/// The part of an Event about a store or its ExternalSecret that has AWS's words.
fn sentence(row: &Row, words: &str, events: &[Event]) -> Option<String> {
    messages(row, events).find_map(|message| {
        let begin = message.find("AccessDenied")?;
        message[begin..].contains(words).then(|| message[begin..].trim().to_owned())
    })
}

/// What a person sees of a store that has not come to what it must.
fn last_said(row: &Row, events: &[Event]) -> String {
    let messages: Vec<_> = messages(row, events).collect();
    format!("{}: {}", row.name, messages.join(" | "))
}

fn messages<'a>(row: &Row, events: &'a [Event]) -> impl Iterator<Item = &'a str> {
    let name = row.name;
    let about = move |event: &&Event| event.involved_object.name.as_deref() == Some(name);
    events.iter().filter(about).filter_map(|event| event.message.as_deref())
}

/// Checks in the sandbox's log that each store asked AWS as the role that it must have.
pub(super) async fn signed_by_each(stage: &Stage) -> anyhow::Result<()> {
    let log = stage.kubectl(&["-n", NAMESPACE, "logs", "deployment/podrole-sandbox"]).await?;
    for row in &ROWS {
        let Some((operation, by)) = row.call() else { continue };
        let saw = log.lines().any(|line| line.contains(operation) && line.contains(&by));
        ensure!(saw, "{}: the sandbox has no {operation} with the reason \"{by}\"", row.name);
    }
    Ok(())
}
