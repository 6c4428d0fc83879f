//! The controller evicts pods that were missed. The test is the ReplicaSets' controller and the kubelet.

use std::{collections::BTreeSet, time::Duration};

use k8s_openapi::api::{
    apps::v1::ReplicaSet, core::v1::Pod, events::v1::Event, policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use podrole_tests::{cluster::Cluster, namespace::TestNamespace, wait};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::daemons::{self, Daemon};

const ROLE: &str = "arn:aws:iam::111122223333:role/app";
/// Pods are missed after a minute, and so are their replacements.
const PATIENCE: Duration = Duration::from_mins(3);
const EACH: Duration = Duration::from_millis(500);

/// A namespace with the ServiceAccount `app`, which has a role.
async fn namespace(labels: &[(&str, &str)]) -> TestNamespace<'static> {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("heal", labels).await.unwrap();
    let role = [("eks.amazonaws.com/role-arn", ROLE), ("podrole.io/credentials", "container")];
    namespace.service_account("app", &role).await.unwrap();
    namespace
}

async fn controller(namespace: &TestNamespace<'_>, more: &[&str]) -> Daemon {
    let own = format!("--namespace={}", namespace.name());
    let flags = [own.as_str(), "--heal", "--heal-wait=5s", "--region=eu-west-1"];
    let flags: Vec<_> = flags.iter().chain(more).copied().collect();
    daemons::controller(namespace.cluster(), &flags).await.unwrap()
}

/// What a workload's pods are like.
#[derive(Clone, Copy)]
struct Workload {
    name: &'static str,
    replicas: usize,
    /// Whether pods that are created now are injected.
    heals: bool,
}

struct World<'a> {
    namespace: &'a TestNamespace<'a>,
    pods: Api<Pod>,
    created: usize,
}

impl World<'_> {
    async fn replica_set(&self, workload: Workload) -> String {
        let sets = Api::<ReplicaSet>::namespaced(self.namespace.client(), self.namespace.name());
        let labels = json!({"app": workload.name});
        let set = json!({"metadata": {"name": workload.name}, "spec": {
            "replicas": workload.replicas, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "i"}]}}}});
        let set: ReplicaSet = serde_json::from_value(set).unwrap();
        let set = sets.create(&PostParams::default(), &set).await.unwrap();
        let status = json!({"status": {"replicas": workload.replicas,
            "readyReplicas": workload.replicas, "observedGeneration": 1}});
        let patch = Patch::Merge(&status);
        sets.patch_status(workload.name, &PatchParams::default(), &patch).await.unwrap();
        set.metadata.uid.unwrap()
    }

    /// A running pod of the workload, as its controller and a kubelet leave it.
    async fn pod(&mut self, workload: Workload, uid: &str, injected: bool, more: &Value) {
        self.created += 1;
        let name = format!("{}-{}", workload.name, self.created);
        let uri = json!([{"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://a"}]);
        let mut pod = json!({
            "metadata": {"name": name, "labels": {"app": workload.name}, "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": workload.name, "uid": uid,
                    "controller": true}]},
            "spec": {"serviceAccountName": "app", "containers": [
                {"name": "app", "image": "i", "env": if injected { uri } else { json!([]) }}]}});
        for part in ["metadata", "spec"] {
            let more = more.get(part).and_then(Value::as_object).into_iter().flatten();
            for (key, value) in more {
                pod[part][key] = value.clone();
            }
        }
        self.namespace.pod(pod).await.unwrap();
        let ready = json!({"status": {"phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}]}});
        let patch = Patch::Merge(&ready);
        self.pods.patch_status(&name, &PatchParams::default(), &patch).await.unwrap();
    }

    async fn names(&self) -> BTreeSet<String> {
        let pods = self.pods.list(&ListParams::default()).await.unwrap();
        pods.items.into_iter().filter_map(|pod| pod.metadata.name).collect()
    }
}

async fn budget_of_none(client: Client, namespace: &str, app: &str) {
    let budgets = Api::<PodDisruptionBudget>::namespaced(client, namespace);
    let budget = json!({"metadata": {"name": app},
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": app}}}});
    let budget: PodDisruptionBudget = serde_json::from_value(budget).unwrap();
    budgets.create(&PostParams::default(), &budget).await.unwrap();
    let status = json!({"status": {"observedGeneration": 1, "disruptionsAllowed": 0,
        "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1}});
    let patch = Patch::Merge(&status);
    budgets.patch_status(app, &PatchParams::default(), &patch).await.unwrap();
}

async fn reasons(client: Client, namespace: &str) -> Vec<(String, String)> {
    let events = Api::<Event>::namespaced(client, namespace);
    let events = events.list(&ListParams::default()).await.unwrap().items.into_iter();
    let about = |event: Event| Some((event.reason?, event.regarding?.name?));
    events.filter_map(about).filter(|(reason, _)| reason.starts_with("Healing")).collect()
}

#[tokio::test]
async fn missed_pods_are_replaced_one_at_a_time_and_no_others() {
    let labels = [
        ("podrole.io/injection", "enabled"),
        ("podrole.io/credentials", "container"),
        ("podrole.io/heal", "evict"),
    ];
    let healed = namespace(&labels).await;
    let other = namespace(&labels[..2]).await;
    // Pods of podrole's own namespaces are never evicted, so the controllers have others.
    let (own, unregistered) = (namespace(&labels).await, namespace(&labels).await);
    for namespace in [&own, &unregistered] {
        namespace.service_account("podrole-controller", &[]).await.unwrap();
    }
    let pods = |it: &TestNamespace<'_>| Api::<Pod>::namespaced(it.client(), it.name());
    let mut world = World { namespace: &healed, pods: pods(&healed), created: 0 };
    let mut elsewhere = World { namespace: &other, pods: pods(&other), created: 0 };
    let good = Workload { name: "good", replicas: 2, heals: true };
    let again = Workload { name: "again", replicas: 1, heals: false };
    let blocked = Workload { name: "blocked", replicas: 1, heals: true };
    let kept = Workload { name: "kept", replicas: 4, heals: true };
    budget_of_none(healed.client(), healed.name(), blocked.name).await;
    let mut uids = Vec::new();
    for workload in [good, again, blocked] {
        let uid = world.replica_set(workload).await;
        for _ in 0..workload.replicas {
            world.pod(workload, &uid, false, &json!({})).await;
        }
        uids.push((workload, uid));
    }
    let uid = world.replica_set(kept).await;
    for more in [
        json!({"metadata": {"annotations": {"podrole.io/heal": "disabled"}}}),
        json!({"metadata": {"ownerReferences": []}}),
        json!({"spec": {"volumes": [{"name": "own", "hostPath": {"path": "/var/lib/app"}}]}}),
    ] {
        world.pod(kept, &uid, false, &more).await;
    }
    world.pod(kept, &uid, true, &json!({})).await;
    let mut at_home = World { namespace: &own, pods: pods(&own), created: 0 };
    for world in [&mut elsewhere, &mut at_home] {
        let uid = world.replica_set(again).await;
        world.pod(again, &uid, false, &json!({})).await;
    }
    // In place of the webhook there is a policy, which needs no endpoint.
    let healer = controller(&own, &["--remove-webhook=none"]).await;
    // Its webhook is not registered: what it evicted would be missed again.
    let without_webhook = controller(&unregistered, &[]).await;

    let begin = Instant::now();
    let (mut evicted, mut firsts) = (Vec::new(), None);
    while begin.elapsed() < PATIENCE && evicted.len() < 3 {
        sleep(EACH).await;
        let names = world.names().await;
        for (workload, uid) in &uids {
            let own = names.iter().filter(|name| name.starts_with(workload.name)).count();
            assert!(own + 1 >= workload.replicas, "at most one at a time: {names:?}");
            if own < workload.replicas {
                evicted.push(workload.name);
                world.pod(*workload, uid, workload.heals, &json!({})).await;
                if workload.name == good.name {
                    firsts.get_or_insert_with(Instant::now);
                }
            }
        }
    }
    let log = healer.log();
    evicted.sort_unstable();
    assert_eq!(evicted, ["again", "good", "good"], "{log}");
    let between = firsts.unwrap().elapsed();
    assert!(between > Duration::from_secs(55), "the replacement was not judged: {between:?}");

    let stopped = async || Ok(healer.counts("podrole_controller_healing_stopped").await == Some(1));
    wait::until("a workload to be left alone", PATIENCE, stopped).await.unwrap();
    sleep(Duration::from_secs(10)).await;
    assert_eq!(world.names().await.len(), 8, "{}", healer.log());
    assert_eq!((elsewhere.names().await.len(), at_home.names().await.len()), (1, 1));
    assert_eq!(without_webhook.counts("podrole_controller_missed_pods").await, Some(0));
    let mut reasons = reasons(healed.client(), healed.name()).await;
    reasons.sort();
    let reasons: Vec<_> =
        reasons.iter().map(|(why, pod)| (why.as_str(), pod.rsplit_once('-').unwrap().0)).collect();
    let expected = [
        ("HealingBlocked", "blocked"),
        ("HealingEvicted", "again"),
        ("HealingEvicted", "good"),
        ("HealingEvicted", "good"),
        ("HealingStopped", "again"),
    ];
    assert_eq!(reasons, expected);
}
