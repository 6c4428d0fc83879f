//! The token of a pod that is gone.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt as _, api::DeleteParams};

use super::Stage;
use crate::{daemons::role, http};

/// STS knows of no pods: what it believes is the signature and the time. So it is the agent that
/// ends a pod's reach with the pod.
#[tokio::test]
async fn a_deleted_pods_token_is_good_for_sts_and_not_for_the_agent() {
    let stage = Stage::start("deleted").await.unwrap();
    stage.service_account("app", "container").await.unwrap();
    let pod = stage.pod("app", "app").await.unwrap();
    let token = stage.write_token(&pod).await.unwrap();
    assert_eq!(stage.ask(&token).await.unwrap().0, 200, "{}", stage.agent.log());
    assert_eq!(ask_sts(&stage, &token).await.unwrap(), 200);

    let pods = Api::<Pod>::namespaced(stage.namespace.client(), stage.namespace.name());
    let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    pods.delete(&pod.name_any(), &now).await.unwrap();
    let mut refused = stage.ask(&token).await.unwrap();
    for _ in 0..50 {
        if refused.0 == 403 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        refused = stage.ask(&token).await.unwrap();
    }
    assert_eq!(refused.0, 403, "a deleted pod was served for 5 s: {}", refused.1);
    assert_eq!(ask_sts(&stage, &token).await.unwrap(), 200, "{}", stage.sandbox.log());
}

/// The status of STS's answer to whoever has the token.
async fn ask_sts(stage: &Stage, token: &str) -> anyhow::Result<u16> {
    let call = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=app";
    let path = format!("/?{call}&RoleArn={}&WebIdentityToken={token}", role());
    Ok(http::get(stage.sandbox.address, &path, None).await?.0)
}
