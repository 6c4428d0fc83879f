//! Reads what the checks are about.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{
        admissionregistration::v1::MutatingWebhookConfiguration,
        apps::v1::DaemonSet,
        coordination::v1::Lease,
        core::v1::{Node, Pod},
        discovery::v1::EndpointSlice,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, api::ListParams};
use podrole_identity::{API_GROUP, API_VERSION, Kind};

use super::seen::{KindState, Read, Seen};
use crate::{
    cluster::{Reader, Target},
    identities::{Identities, Scope},
    progress::Progress,
    settings::{ClusterSettings, Component, Daemon, SettingsArgs},
};

/// The namespace of the nodes' Leases.
const NODE_LEASES: &str = "kube-node-lease";
const AGENTS: &str = "app.kubernetes.io/name=podrole,app.kubernetes.io/component=agent";

impl Seen {
    /// Reads the cluster.
    ///
    /// # Errors
    /// If a file of the command's own flags cannot be read: a usage error.
    pub(super) async fn read(
        reader: &Reader,
        args: &SettingsArgs,
        progress: &Progress,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let settings = ClusterSettings::read(reader, args).await?;
        let webhook = settings.versions.iter().find(|it| it.component == Component::Webhook);
        let agent = settings.versions.iter().find(|it| it.component == Component::Agent);
        let endpoints = endpoints(reader, webhook).await;
        let nodes_with_agent = nodes_with_agent(reader, agent).await;
        let server = reader
            .bounded(reader.client().apiserver_version(), || Target::of_path("/version"))
            .await;
        let identities = Identities::read(reader, &settings, &Scope::All, progress, now).await;
        Ok(Self {
            server: server.map(|it| (number(&it.major), number(&it.minor))),
            kinds: kinds(reader).await,
            configurations: all::<MutatingWebhookConfiguration>(reader).await,
            endpoints,
            daemon_sets: all::<DaemonSet>(reader).await,
            nodes: all::<Node>(reader).await,
            nodes_with_agent,
            clocks: clocks(reader).await,
            identities,
            settings,
        })
    }
}

/// `35+` is 35.
fn number(text: &str) -> u32 {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_default()
}

async fn all<K>(reader: &Reader) -> Read<Vec<K>>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    reader.all(&Api::<K>::all(reader.client()), ListParams::default()).await
}

async fn kinds(reader: &Reader) -> Read<Vec<(String, KindState)>> {
    let api = Api::<CustomResourceDefinition>::all(reader.client());
    let mut kinds = Vec::new();
    for kind in [Kind::Association, Kind::Pattern, Kind::Guardrail] {
        let name = format!("{}.{API_GROUP}", kind.plural());
        let state = match reader.get(&api, &name).await? {
            None => KindState::Missing,
            Some(found) => {
                let mut versions = found.spec.versions.iter();
                match versions.any(|it| it.name == API_VERSION && it.served) {
                    true => KindState::Served,
                    false => KindState::OtherVersion,
                }
            }
        };
        kinds.push((name, state));
    }
    Ok(kinds)
}

async fn endpoints(reader: &Reader, webhook: Option<&Daemon>) -> Read<usize> {
    let Some(webhook) = webhook else { return Ok(0) };
    let api = Api::<EndpointSlice>::namespaced(reader.client(), &webhook.namespace);
    let of_service =
        ListParams::default().labels(&format!("kubernetes.io/service-name={}", webhook.name));
    let mut ready = 0;
    let count = |page: kube::api::ObjectList<EndpointSlice>| {
        let endpoints = page.items.iter().flat_map(|slice| &slice.endpoints);
        let is_ready = |it: &&k8s_openapi::api::discovery::v1::Endpoint| {
            it.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
        };
        ready += endpoints.filter(is_ready).map(|it| it.addresses.len()).sum::<usize>();
    };
    reader.list(&api, of_service, count).await?;
    Ok(ready)
}

async fn nodes_with_agent(reader: &Reader, agent: Option<&Daemon>) -> Read<Vec<String>> {
    let Some(agent) = agent else { return Ok(Vec::new()) };
    let api = Api::<Pod>::namespaced(reader.client(), &agent.namespace);
    let mut nodes = BTreeSet::new();
    let add = |page: kube::api::ObjectList<Pod>| {
        nodes.extend(page.items.into_iter().filter_map(|pod| pod.spec?.node_name));
    };
    reader.list(&api, ListParams::default().labels(AGENTS), add).await?;
    Ok(nodes.into_iter().collect())
}

/// A node writes its Lease with the time of its own clock, and the API server records its own time of the same write.
async fn clocks(reader: &Reader) -> Read<Vec<(String, SignedDuration)>> {
    let api = Api::<Lease>::namespaced(reader.client(), NODE_LEASES);
    let mut clocks = Vec::new();
    let add = |page: kube::api::ObjectList<Lease>| {
        clocks.extend(page.items.into_iter().filter_map(|lease| {
            let renewed = lease.spec?.renew_time?.0;
            let entries = lease.metadata.managed_fields.iter().flatten();
            let written = entries.filter_map(|entry| Some(entry.time.as_ref()?.0)).max()?;
            Some((lease.metadata.name?, renewed.duration_since(written)))
        }));
    };
    reader.list(&api, ListParams::default(), add).await?;
    Ok(clocks)
}
