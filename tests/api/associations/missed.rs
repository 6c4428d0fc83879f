//! A pod that was created before its association is missed: the agent counts it until it is gone.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use podrole_tests::wait;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::stage::Stage;

const GAUGE: &str = "podrole_agent_missed_pods{reason=\"identity_came_later\"}";

#[tokio::test]
async fn a_pod_that_is_older_than_its_association_is_counted_until_it_is_gone() {
    let stage = Stage::start("missed-pod").await.unwrap();
    let name = stage.namespace.name();
    let labels = json!({"metadata": {"labels": {"podrole.io/injection": "enabled"}}});
    let namespaces: Api<Namespace> = Api::all(stage.client());
    namespaces.patch(name, &PatchParams::default(), &Patch::Merge(labels)).await.unwrap();
    stage.namespace.service_account("app", &[]).await.unwrap();
    stage.pod("app").await.unwrap();
    let created = Instant::now();
    // Kubernetes dates changes in whole seconds.
    sleep(Duration::from_secs(2)).await;
    stage.associate("app", "one", &json!({})).await.unwrap();
    let is = async |count| Ok(stage.agent.counts(GAUGE).await == Some(count));
    assert!(is(0).await.unwrap(), "{}", stage.agent.log());
    wait::until("the gauge", Duration::from_mins(2), async || is(1).await).await.unwrap();
    let counted = created.elapsed();
    assert!(counted >= Duration::from_secs(58), "counted after {counted:?}");
    let pods: Api<Pod> = Api::namespaced(stage.client(), name);
    // There is no kubelet that would end it.
    pods.delete("app", &DeleteParams::default().grace_period(0)).await.unwrap();
    wait::until("its end", Duration::from_secs(10), async || is(0).await).await.unwrap();
}
