//! The workloads of the namespaces that ask for healing, and which of their pods are missed.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, api::ListParams};
use podrole_identity::{InjectionDefault, NamespaceFacts, is_old_enough};
use podrole_runtime::{clock, objects};

use super::{
    plan::{SeenPod, WorkloadKey},
    pods::{HEAL_LABEL, Pod},
    world::World,
};
use crate::controller::request::bounded;

/// Pods per page. A tenant can make a pod of more than a megabyte, and a page is in memory while it is read.
const PODS: u32 = 20;
/// Namespaces per page; each may have 256 KiB of annotations.
const NAMESPACES: u32 = 50;

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
        let next = objects::next_page(params, &page.metadata);
        for object in page.items {
            let Some(name) = object.metadata.name else { continue };
            let labels = object.metadata.labels.unwrap_or_default();
            let annotations = object.metadata.annotations.unwrap_or_default();
            let facts = NamespaceFacts::read(labels, &annotations, InjectionDefault::Labelled);
            found.extend(facts.injection.is_some().then_some((name, facts)));
        }
        let Some(next) = next else { return Ok(found) };
        params = next;
    }
}

/// `namespaces` without podrole's own. Evicting the webhook's or the agents' pods would stop injection.
pub(super) fn without_own(
    mut namespaces: BTreeMap<String, NamespaceFacts>,
    own: &[String],
) -> BTreeMap<String, NamespaceFacts> {
    namespaces.retain(|name, _| !own.contains(name));
    namespaces
}

/// The live pods of each workload of a namespace, and how many of its pods are missed.
///
/// # Errors
/// Says in one line what could not be read. Then nothing is known of any of its pods.
pub(super) async fn workloads(
    client: &Client,
    namespace: &str,
    facts: &NamespaceFacts,
    world: &mut World<'_>,
) -> Result<(HashMap<WorkloadKey, Vec<SeenPod>>, i64), String> {
    let api = Api::<Pod>::namespaced(client.clone(), namespace);
    let (mut params, now) = (ListParams::default().limit(PODS), clock::now());
    let (mut workloads, mut count) = (HashMap::<_, Vec<_>>::new(), 0);
    loop {
        let page = bounded(api.list(&params)).await?;
        let next = objects::next_page(params, &page.metadata);
        for pod in page.items.iter().filter(|pod| pod.is_live()) {
            let missed = world.is_missed(pod, facts, now).await?;
            count += i64::from(missed);
            if let Some((key, owner)) = pod.workload().zip(pod.owner()) {
                workloads.entry(key).or_default().push(SeenPod {
                    name: pod.name().to_owned(),
                    uid: pod.uid().to_owned(),
                    ready: pod.is_ready(),
                    missed,
                    judged: is_old_enough(pod.created(), now),
                    evictable: !pod.is_kept(),
                    owner,
                });
            }
        }
        let Some(next) = next else { return Ok((workloads, count)) };
        params = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespaces_of_podrole_are_left_alone() {
        let labelled = ["podrole", "shop"].map(|it| (it.to_owned(), NamespaceFacts::default()));
        let left = without_own(labelled.into(), &["podrole".to_owned(), "kube-system".to_owned()]);
        assert_eq!(left.into_keys().collect::<Vec<_>>(), ["shop"]);
    }
}
