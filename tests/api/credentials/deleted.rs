//! The token of a pod that is gone.

use std::time::Duration;

use anyhow::ensure;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, api::DeleteParams};

use podrole_tests::wait;

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

    stage.delete(&pod).await.unwrap();
    // It is served for 5 s at most.
    let (agent, patience) = (stage.agent.address, Duration::from_secs(5));
    http::credentials_until(agent, &token, 403, patience).await.unwrap();
    assert_eq!(ask_sts(&stage, &token).await.unwrap(), 200, "{}", stage.sandbox.log());
}

/// The status of STS's answer to a caller with the token.
async fn ask_sts(stage: &Stage, token: &str) -> anyhow::Result<u16> {
    let call = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=app";
    let path = format!("/?{call}&RoleArn={}&WebIdentityToken={token}", role());
    Ok(http::get(stage.sandbox.address, &path, None).await?.0)
}

/// Within 5 s, though its token and its pod are good; and one that is made again inherits nothing.
#[tokio::test]
async fn a_deleted_service_account_is_served_no_longer_and_its_successor_is_another() {
    let stage = Stage::start("account").await.unwrap();
    stage.service_account("app", "container").await.unwrap();
    let pod = stage.pod("app", "app").await.unwrap();
    let token = stage.write_token(&pod).await.unwrap();
    assert_eq!(stage.ask(&token).await.unwrap().0, 200);
    let accounts: Api<ServiceAccount> =
        Api::namespaced(stage.namespace.client(), stage.namespace.name());
    accounts.delete("app", &DeleteParams::default()).await.unwrap();
    let until = async |status: u16, code: &str| {
        wait::until(code, Duration::from_millis(5500), async || {
            let (answered, body) = stage.ask(&token).await?;
            ensure!(
                (answered, body["code"].as_str()) == (status, Some(code)),
                "{answered}: {body}"
            );
            Ok(true)
        })
        .await
        .unwrap();
    };
    until(404, "NoRole").await;
    stage.service_account("app", "container").await.unwrap();
    until(403, "ServiceAccountReplaced").await;
}
