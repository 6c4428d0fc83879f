//! The eviction and the Events about it.

use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{
    Api, Client,
    api::{DeleteParams, EvictParams, PostParams, Preconditions},
};
use podrole_identity::API_GROUP;
use podrole_runtime::{clock, error_text::with_root};
use tokio::time::timeout;

use super::{
    plan::SeenPod,
    request::{PATIENCE, bounded},
};

/// What became of an eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Evicted {
    Done,
    /// A PodDisruptionBudget does not permit it now.
    Refused,
    /// The pod has ended meanwhile.
    Gone,
}

/// Evicts this very pod, and not one that has taken its name.
///
/// # Errors
/// Says in one line what went wrong.
pub(super) async fn evict(
    client: &Client,
    namespace: &str,
    pod: &SeenPod,
) -> Result<Evicted, String> {
    let uid = Some(pod.uid.clone());
    let preconditions = Some(Preconditions { uid, ..Preconditions::default() });
    let delete_options = Some(DeleteParams { preconditions, ..DeleteParams::default() });
    let params = EvictParams { delete_options, ..EvictParams::default() };
    let api = Api::<k8s_openapi::api::core::v1::Pod>::namespaced(client.clone(), namespace);
    match timeout(PATIENCE, api.evict(&pod.name, &params)).await {
        Ok(Ok(_)) => Ok(Evicted::Done),
        Ok(Err(kube::Error::Api(status))) if status.code == 429 => Ok(Evicted::Refused),
        // 409: the name belongs to another pod by now.
        Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => Ok(Evicted::Gone),
        Ok(Err(error)) => Err(with_root(&error)),
        Err(_) => Err("no answer within 5 s".to_owned()),
    }
}

/// Why an Event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The pod is evicted.
    Evicted,
    /// Its eviction is not permitted.
    Blocked,
    /// The pods of its workload are left alone.
    Stopped,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Evicted => "HealingEvicted",
            Self::Blocked => "HealingBlocked",
            Self::Stopped => "HealingStopped",
        }
    }
}

/// The pod that an Event is about.
pub(super) struct About<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) uid: &'a str,
}

/// Writes an Event. One that is lost is no reason to stop.
pub(super) async fn report(
    client: &Client,
    identity: &str,
    about: &About<'_>,
    reason: Reason,
    note: String,
) {
    let event = event(identity, about, reason, note, clock::now());
    let api = Api::<Event>::namespaced(client.clone(), about.namespace);
    if let Err(error) = bounded(api.create(&PostParams::default(), &event)).await {
        tracing::warn!(object = about.name, error, "could not write an Event");
    }
}

fn event(identity: &str, about: &About<'_>, reason: Reason, note: String, now: Timestamp) -> Event {
    let regarding = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        namespace: Some(about.namespace.to_owned()),
        name: Some(about.name.to_owned()),
        uid: Some(about.uid.to_owned()),
        ..ObjectReference::default()
    };
    Event {
        metadata: ObjectMeta {
            // The API server appends a suffix, and a dot before it is not allowed in a name.
            generate_name: Some(format!("{:.50}-", about.name.replace('.', "-"))),
            namespace: Some(about.namespace.to_owned()),
            ..ObjectMeta::default()
        },
        action: Some("Heal".to_owned()),
        event_time: Some(MicroTime(now)),
        note: Some(note),
        reason: Some(reason.as_str().to_owned()),
        regarding: Some(regarding),
        reporting_controller: Some(format!("{API_GROUP}/podrole-controller")),
        reporting_instance: Some(identity.chars().take(128).collect()),
        type_: Some(if reason == Reason::Evicted { "Normal" } else { "Warning" }.to_owned()),
        ..Event::default()
    }
}
