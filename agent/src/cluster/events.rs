//! Writes Events on pods. Permission to is optional: without it there are none.

use std::time::Duration;

use k8s_openapi::{
    api::events::v1::Event,
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Client, api::PostParams};
use podrole_runtime::{clock, error_text::one_line};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::events::Notice;

const TIMEOUT: Duration = Duration::from_secs(2);
/// Between two Events, so that a node of refused pods does not load the API server.
const PAUSE: Duration = Duration::from_millis(200);
/// The API server's limit for an Event's note, in characters.
const MAX_NOTE: usize = 1000;

/// Writes notices one after the other, until the channel closes.
pub(super) async fn write(client: Client, node: &str, mut notices: mpsc::Receiver<Notice>) {
    while let Some(notice) = notices.recv().await {
        let api: Api<Event> = Api::namespaced(client.clone(), &notice.namespace);
        let event = event(&notice, node, clock::now());
        let params = PostParams::default();
        match timeout(TIMEOUT, api.create(&params, &event)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::info!(error = %one_line(&error), "could not write an Event; skipping it");
            }
            Err(_) => {
                tracing::info!(
                    error = "no answer within 2 s",
                    "could not write an Event; skipping it"
                );
            }
        }
        sleep(PAUSE).await;
    }
}

fn event(notice: &Notice, node: &str, now: jiff::Timestamp) -> Event {
    let (namespace, pod) = (notice.namespace.clone(), &notice.pod);
    let note: String = notice.message.chars().take(MAX_NOTE).collect();
    Event {
        metadata: ObjectMeta {
            // The API server appends a suffix, and a dot before it is not allowed in a name.
            generate_name: Some(format!("{:.50}-", pod.replace('.', "-"))),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        action: Some(notice.action.to_owned()),
        event_time: Some(MicroTime(now)),
        note: Some(note),
        reason: Some(notice.reason.to_owned()),
        regarding: Some(k8s_openapi::api::core::v1::ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(pod.clone()),
            namespace: Some(namespace),
            uid: Some(notice.uid.clone()),
            ..Default::default()
        }),
        reporting_controller: Some("podrole.io/agent".to_owned()),
        reporting_instance: Some(node.to_owned()),
        type_: Some("Warning".to_owned()),
        ..Event::default()
    }
}
