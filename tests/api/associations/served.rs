//! What the agent serves of a pod whose association, guard-rails and patterns change, without a restart of either.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use podrole_identity::Kind;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::stage::{PROMPT, Stage, apply, delete, role};
use crate::{faulty_api::Manner, http};

/// One after another, each within 5 s: created after the pod, changed, limited, revoked, deleted.
async fn follows(stage: &Stage) -> anyhow::Result<()> {
    let namespace = stage.namespace.name().to_owned();
    stage.namespace.service_account("app", &[]).await?;
    let token = stage.pod("app").await?;
    let (status, body) = stage.ask(&token).await?;
    anyhow::ensure!(status == 503, "a new pod is asked to retry: {status} {body}");
    stage.associate("app", "one", &json!({})).await?;
    let first = stage.until(&token, "one").await?;
    stage.associate("app", "two", &json!({})).await?;
    stage.until(&token, "two").await?;

    let rail = |roles: &[String]| json!({"namespaces": [namespace], "permittedRoles": roles});
    apply(&stage.client(), Kind::Guardrail, &namespace, &rail(&[role("one")])).await?;
    let refused = stage.until(&token, "403").await?;
    let sentence = refused["message"].as_str().unwrap_or_default();
    anyhow::ensure!(sentence.contains(&format!("({namespace})")), "{sentence}");
    apply(&stage.client(), Kind::Guardrail, &namespace, &rail(&[role("t*")])).await?;
    let before = stage.until(&token, "two").await?;

    let now = podrole_runtime::clock::now();
    let more = json!({"notBefore": format!("{:.0}", now)});
    stage.associate("app", "two", &more).await?;
    let begun = Instant::now();
    loop {
        let (_, body) = stage.ask(&token).await?;
        if body["AccessKeyId"] != before["AccessKeyId"] {
            break;
        }
        anyhow::ensure!(
            begun.elapsed() < PROMPT,
            "a revoked session is served: {}",
            stage.agent.log()
        );
        sleep(Duration::from_millis(200)).await;
    }
    anyhow::ensure!(first["AccessKeyId"] != before["AccessKeyId"], "two roles, one session");

    delete(&stage.client(), Kind::Association, &format!("{namespace}.app")).await?;
    let refused = stage.until(&token, "404").await;
    delete(&stage.client(), Kind::Guardrail, &namespace).await?;
    let refused = refused?;
    let sentence = refused["message"].as_str().unwrap_or_default();
    anyhow::ensure!(sentence.contains(&format!("{namespace}.app")), "{sentence}");
    Ok(())
}

#[tokio::test]
async fn a_pods_role_follows_its_association_within_5_s() {
    let stage = Stage::start("followed").await.unwrap();
    follows(&stage).await.unwrap();
}

#[tokio::test]
async fn it_does_so_if_the_api_server_needs_600_ms_and_a_cold_agent_serves() {
    let stage = Stage::start("followed-slowly").await.unwrap();
    stage.api.set(|manners| manners.grant = Manner::After(Duration::from_millis(600)));
    follows(&stage).await.unwrap();
    stage.associate("cold", "three", &json!({})).await.unwrap();
    stage.namespace.service_account("cold", &[]).await.unwrap();
    let token = stage.pod("cold").await.unwrap();
    let agent = stage.cold_agent().await.unwrap();
    let patience = Duration::from_secs(3);
    let body = http::credentials_until(agent.address, &token, 200, patience).await;
    body.unwrap_or_else(|error| panic!("{error:#}\n{}", agent.log()));
}

#[tokio::test]
async fn a_pattern_gives_each_service_account_its_own_role_until_it_is_deleted() {
    let stage = Stage::start("patterned").await.unwrap();
    let namespace = stage.namespace.name();
    let spec = json!({"namespaces": [namespace], "serviceAccounts": ["one", "t*"],
        "roleARN": role("{serviceAccount}")});
    apply(&stage.client(), Kind::Pattern, namespace, &spec).await.unwrap();
    let mut tokens = Vec::new();
    for name in ["one", "two"] {
        stage.namespace.service_account(name, &[]).await.unwrap();
        tokens.push(stage.pod(name).await.unwrap());
        stage.until(&tokens[tokens.len() - 1], name).await.unwrap();
    }
    // An association outranks the pattern.
    stage.associate("two", "three", &json!({})).await.unwrap();
    stage.until(&tokens[1], "three").await.unwrap();
    delete(&stage.client(), Kind::Pattern, namespace).await.unwrap();
    stage.until(&tokens[0], "404").await.unwrap();
    stage.until(&tokens[1], "three").await.unwrap();
}

/// Two objects of a name, and its namespace.
#[tokio::test]
async fn a_busy_pod_costs_few_gets_and_three_watches_on_one_connection() {
    let stage = Stage::start("busy-pod").await.unwrap();
    stage.namespace.service_account("app", &[]).await.unwrap();
    let token = stage.pod("app").await.unwrap();
    let asked = stage.api.asked();
    let counts = || (asked.gets.load(SeqCst), asked.watches.load(SeqCst));
    let ask = async |time: Duration| {
        let begun = Instant::now();
        while begun.elapsed() < time {
            stage.ask(&token).await.unwrap();
            sleep(Duration::from_millis(333)).await;
        }
    };
    let connections = stage.api.connections();
    // No association yet: a watch of a name that does not exist delivers its creation.
    ask(Duration::from_secs(4)).await;
    stage.associate("app", "one", &json!({})).await.unwrap();
    stage.until(&token, "one").await.unwrap();
    if std::env::var_os("PODROLE_TEST_ALL").is_some() {
        ask(Duration::from_mins(5)).await;
        let (gets, watches) = counts();
        println!("3 requests a second for 5 min: {gets} GETs, {watches} watches");
        assert!(gets <= 10 && watches <= 3, "{asked:?} in 5 min");
    } else {
        let mut quiet = false;
        for _ in 0..6 {
            let before = counts();
            ask(Duration::from_secs(9)).await;
            quiet |= counts() == before && before.1 >= 3;
            if quiet {
                break;
            }
        }
        assert!(quiet, "{asked:?}: no 9 s without a GET");
    }
    assert_eq!(stage.api.connections(), connections, "all go over the one that there was");
}
