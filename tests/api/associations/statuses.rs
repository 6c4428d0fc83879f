//! What the controller writes into the status of associations, and how often.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::events::v1::Event;
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams, Patch, PatchParams},
};
use podrole_identity::Kind;
use podrole_tests::{cluster::Cluster, namespace::TestNamespace, process::signal, wait};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use super::stage::{apply, delete, install, role};
use crate::daemons::{self, Daemon};

/// Two controllers would write the same statuses: in a cluster there is one Lease, here one of each namespace.
pub(super) static ALONE: Mutex<()> = Mutex::const_new(());
const PATIENCE: Duration = Duration::from_secs(30);

fn associations(client: Client) -> Api<DynamicObject> {
    podrole_runtime::objects::api(client, Kind::Association)
}

/// A replica of the controller, whose Lease is in the namespace.
pub(super) async fn controller(
    namespace: &TestNamespace<'_>,
    identity: &str,
) -> anyhow::Result<Daemon> {
    let flags = [
        format!("--namespace={}", namespace.name()),
        format!("--identity={identity}"),
        "--association-objects".to_owned(),
        "--exchange=assume-role".to_owned(),
        "--region=eu-west-1".to_owned(),
        "--cluster-name=shop".to_owned(),
        "--cluster-arn=arn:aws:eks:eu-west-1:111122223333:cluster/shop".to_owned(),
    ];
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    daemons::controller(namespace.cluster(), &flags).await
}

async fn associate(
    namespace: &TestNamespace<'_>,
    service_account: &str,
    more: &Value,
) -> anyhow::Result<String> {
    let mut spec = json!({"namespace": namespace.name(), "serviceAccount": service_account,
        "roleARN": role("one")});
    if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
        spec.extend(more.clone());
    }
    let name = format!("{}.{service_account}", namespace.name());
    apply(&namespace.client(), Kind::Association, &name, &spec).await?;
    Ok(name)
}

/// Condition, status and reason, as `kubectl get` shows them.
pub(super) fn condition(object: &DynamicObject, name: &str) -> String {
    let conditions = object.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.iter().find(|it| it["type"] == name);
    found.map_or_else(String::new, |it| {
        format!("{} {}", it["status"].as_str().unwrap_or("-"), it["reason"].as_str().unwrap_or("-"))
    })
}

async fn until(
    client: &Client,
    name: &str,
    kind: &str,
    wanted: &str,
) -> anyhow::Result<DynamicObject> {
    let api = associations(client.clone());
    let seen = async || Ok(condition(&api.get(name).await?, kind) == wanted);
    let waited = wait::until(wanted, PATIENCE, seen).await;
    let object = api.get(name).await?;
    waited.map_err(|error| error.context(format!("{:#}", object.data["status"])))?;
    Ok(object)
}

#[tokio::test]
async fn each_association_says_whether_it_is_accepted_and_why_not() {
    let _alone = ALONE.lock().await;
    install().await.unwrap();
    let namespace = Cluster::shared().await.unwrap().namespace("statuses", &[]).await.unwrap();
    let client = namespace.client();
    namespace.service_account("podrole-controller", &[]).await.unwrap();
    let _controller = controller(&namespace, "one").await.unwrap();
    let name = associate(&namespace, "app", &json!({})).await.unwrap();
    let object = until(&client, &name, "Accepted", "True Valid").await.unwrap();
    assert_eq!(condition(&object, "Ready"), "True Valid");
    assert_eq!(condition(&object, "ServiceAccountFound"), "False NotFound");
    assert_eq!(object.data["status"]["observedGeneration"], 1);
    namespace.service_account("app", &[]).await.unwrap();
    until(&client, &name, "ServiceAccountFound", "True Found").await.unwrap();

    let rail = json!({"namespaces": [namespace.name()], "permittedRoles": [role("two")]});
    apply(&client, Kind::Guardrail, namespace.name(), &rail).await.unwrap();
    let refused = until(&client, &name, "Accepted", "False NotPermitted").await.unwrap();
    let message = refused.data["status"]["conditions"][0]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("permittedRoles of a PodIdentityGuardrail"), "{message}");
    let more = json!({"roleARN": role("two"), "targetRoleARN": role("two")});
    associate(&namespace, "app", &more).await.unwrap();
    let chained = until(&client, &name, "Accepted", "True Valid").await.unwrap();
    let external_id = format!("eu-west-1/111122223333/shop/{}/app", namespace.name());
    assert_eq!(chained.data["status"]["externalID"], json!(external_id));

    // Edited by hand, it is restored.
    let edit = json!({"status": {"externalID": "mine"}});
    let api = associations(client.clone());
    let params = PatchParams::default();
    api.patch_status(&name, &params, &Patch::Merge(&edit)).await.unwrap();
    let restored =
        async || Ok(api.get(&name).await?.data["status"]["externalID"] == json!(external_id));
    wait::until("the status to be restored", PATIENCE, restored).await.unwrap();
    delete(&client, Kind::Guardrail, namespace.name()).await.unwrap();

    let events: Api<Event> = Api::namespaced(client, "default");
    let events = events.list(&ListParams::default()).await.unwrap().items.into_iter();
    let about =
        |it: &Event| it.regarding.as_ref().and_then(|it| it.name.clone()) == Some(name.clone());
    let reasons: Vec<_> = events.filter(about).filter_map(|it| it.reason).collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}: one for each change of Accepted");
    assert!(reasons.contains(&"NotPermitted".to_owned()), "{reasons:?}");
}

/// The replica with the Lease is killed while associations change: the other one goes on, and neither writes what is right.
#[tokio::test]
async fn another_replica_goes_on_and_writes_no_faster_than_ten_a_second() {
    let count = if std::env::var_os("PODROLE_TEST_ALL").is_some() { 1000 } else { 80 };
    let _alone = ALONE.lock().await;
    install().await.unwrap();
    let namespace = Cluster::shared().await.unwrap().namespace("replicas", &[]).await.unwrap();
    let client = namespace.client();
    namespace.service_account("podrole-controller", &[]).await.unwrap();
    let first = controller(&namespace, "first").await.unwrap();
    let names = async {
        let mut names = Vec::new();
        for number in 0..count {
            names.push(associate(&namespace, &format!("app-{number}"), &json!({})).await?);
        }
        anyhow::Ok(names)
    };
    let names = names.await.unwrap();
    until(&client, &names[count / 8], "Accepted", "True Valid").await.unwrap();
    let second = controller(&namespace, "second").await.unwrap();
    signal(first.process().pid().unwrap(), Signal::KILL).unwrap();
    for name in &names[..count / 2] {
        let service_account = name.split_once('.').unwrap().1;
        associate(&namespace, service_account, &json!({"roleARN": role("two")})).await.unwrap();
    }
    let changed = Instant::now();
    let api = associations(client);
    let right = async || {
        let all = api.list(&ListParams::default()).await?.items.into_iter();
        let ours = all.filter(|it| it.metadata.name.as_ref().is_some_and(|it| names.contains(it)));
        let right = ours.filter(|it| {
            let observed = it.data["status"]["observedGeneration"].as_i64();
            observed == it.metadata.generation && condition(it, "Accepted") == "True Valid"
        });
        Ok(right.count() == count)
    };
    wait::until("every status", Duration::from_secs(180), right).await.unwrap();
    let took = changed.elapsed();
    println!("{count} associations: every status right {took:?} after the last change");
    let versions = async || {
        let all = api.list(&ListParams::default()).await?.items.into_iter();
        let versions =
            all.filter_map(|it| Some((it.metadata.name?, it.metadata.resource_version?)));
        anyhow::Ok(versions.filter(|(name, _)| names.contains(name)).collect::<BTreeMap<_, _>>())
    };
    let before = versions().await.unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(versions().await.unwrap(), before, "no write without a change");
    drop(second);
}
