//! The workloads of the namespaces that ask for healing, and which of their pods are missed.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, api::ListParams};
use podrole_identity::{InjectionDefault, MISSED_AFTER, NamespaceFacts};
use podrole_runtime::clock;

use super::{
    plan::{Plan, SeenPod, WorkloadKey},
    pods::{HEAL_LABEL, Owner, Pod},
    world::World,
};
use crate::controller::request::bounded;

/// Pods per page. A tenant can make a pod of more than a megabyte, and a page is in memory while it is read.
const PODS: u32 = 20;
/// Namespaces per page; each may have 256 KiB of annotations.
const NAMESPACES: u32 = 50;

/// The live pods of a workload.
#[derive(Default)]
pub(super) struct Workload {
    pub(super) pods: Vec<SeenPod>,
    /// The owner of each pod.
    owners: Vec<Owner>,
}

impl Workload {
    fn add(&mut self, pod: &Pod, owner: Owner, missed: bool, now: Timestamp) {
        let is_old = |created| now.duration_since(created) >= MISSED_AFTER;
        self.pods.push(SeenPod {
            name: pod.name().to_owned(),
            uid: pod.uid().to_owned(),
            ready: pod.is_ready(),
            missed,
            judged: pod.created().is_some_and(is_old),
            evictable: !pod.is_kept(),
        });
        self.owners.push(owner);
    }

    pub(super) fn owner_of(&self, pod: &SeenPod) -> Option<&Owner> {
        let index = self.pods.iter().position(|it| it.uid == pod.uid)?;
        self.owners.get(index)
    }

    /// Whether there may be something to do.
    pub(super) fn concerns(&self, plan: &Plan, key: &WorkloadKey) -> bool {
        plan.is_replacing(key) || self.pods.iter().any(|pod| pod.missed)
    }
}

/// The namespaces that ask for healing and, by their own label, for injection.
///
/// # Errors
/// Says in one line what could not be read.
pub(super) async fn namespaces(
    client: &Client,
) -> Result<BTreeMap<String, NamespaceFacts>, String> {
    let api = Api::<Namespace>::all(client.clone());
    let labelled = ListParams::default().labels(&format!("{HEAL_LABEL}=evict"));
    let (mut params, mut found) = (labelled.limit(NAMESPACES), BTreeMap::new());
    loop {
        let page = bounded(api.list_metadata(&params)).await?;
        for object in page.items {
            let Some(name) = object.metadata.name else { continue };
            let labels = object.metadata.labels.unwrap_or_default();
            let annotations = object.metadata.annotations.unwrap_or_default();
            let facts = NamespaceFacts::read(labels, &annotations, InjectionDefault::Labelled);
            found.extend(facts.injection.is_some().then_some((name, facts)));
        }
        match page.metadata.continue_.filter(|it| !it.is_empty()) {
            Some(next) => params.continue_token = Some(next),
            None => return Ok(found),
        }
    }
}

/// The workloads of a namespace, and how many of its pods are missed.
///
/// # Errors
/// Says in one line what could not be read. Then nothing is known of any of its pods.
pub(super) async fn workloads(
    client: &Client,
    namespace: &str,
    facts: &NamespaceFacts,
    world: &mut World<'_>,
) -> Result<(HashMap<WorkloadKey, Workload>, i64), String> {
    let api = Api::<Pod>::namespaced(client.clone(), namespace);
    let (mut params, now) = (ListParams::default().limit(PODS), clock::now());
    let (mut workloads, mut count) = (HashMap::<_, Workload>::new(), 0);
    loop {
        let page = bounded(api.list(&params)).await?;
        for pod in page.items.iter().filter(|pod| pod.is_live()) {
            let missed = world.is_missed(pod, facts, now).await?;
            count += i64::from(missed);
            if let Some((key, owner)) = pod.workload().zip(pod.owner()) {
                workloads.entry(key).or_default().add(pod, owner, missed, now);
            }
        }
        match page.metadata.continue_.filter(|it| !it.is_empty()) {
            Some(next) => params.continue_token = Some(next),
            None => return Ok((workloads, count)),
        }
    }
}
