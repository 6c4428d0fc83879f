//! What the cluster says of pods and namespaces, and what the agent says of it to the cluster.

use std::time::Duration;

use k8s_openapi::api::{
    core::v1::{Namespace, Pod},
    events::v1::Event,
};
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;

use super::{Stage, make_node};
use crate::{
    daemons::{self, ACCOUNT, role},
    http,
};
use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
    wait,
};

/// What comes to be there within 10 s.
async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let patience = Duration::from_secs(10);
    wait::found(what, patience, async || Ok(look().await)).await.unwrap()
}

pub(super) async fn events_on(namespace: &TestNamespace<'_>, pod: &Pod) -> Vec<Event> {
    let api: Api<Event> = Api::namespaced(namespace.client(), namespace.name());
    let listed = api.list(&ListParams::default()).await.unwrap().items;
    let about = |event: &Event| event.regarding.as_ref().and_then(|it| it.uid.clone());
    listed.into_iter().filter(|event| about(event) == pod.uid()).collect()
}

#[tokio::test]
async fn a_guard_rail_of_the_namespace_holds_at_the_next_request_but_few() {
    let stage = Stage::start("guard-rail").await.unwrap();
    stage.service_account("app", "container").await.unwrap();
    let pod = stage.pod("app", "app").await.unwrap();
    let token = stage.write_token(&pod).await.unwrap();
    assert_eq!(stage.ask(&token).await.unwrap().0, 200);
    let api: Api<Namespace> = Api::all(stage.namespace.client());
    let permit = async |roles: &str| {
        let patch = json!({"metadata": {"annotations": {"podrole.io/permitted-roles": roles}}});
        let (name, params) = (stage.namespace.name(), PatchParams::default());
        api.patch(name, &params, &Patch::Merge(patch)).await.unwrap();
    };
    permit(&format!("arn:aws:iam::{ACCOUNT}:role/other-*")).await;
    let refused = until("the refusal", async || {
        stage.ask(&token).await.ok().filter(|answer| answer.0 == 403)
    });
    let (_, body) = refused.await;
    assert_eq!(body["code"], "RoleNotPermitted", "{body}");
    permit(&format!("arn:aws:iam::{ACCOUNT}:role/shop-*")).await;
    until("the yes", async || stage.ask(&token).await.ok().filter(|answer| answer.0 == 200)).await;
}

#[tokio::test]
async fn a_token_from_an_address_that_is_not_its_pods_is_reported_or_refused() {
    let stage = Stage::start("peer").await.unwrap();
    stage.service_account("app", "container").await.unwrap();
    let cluster = Cluster::shared().await.unwrap();
    let flags = ["--verify-peer=enforce"];
    let strict =
        daemons::agent_with(cluster, &stage.sandbox, super::NODE, &flags, &[]).await.unwrap();
    let pod = stage.pod("app", "app").await.unwrap();
    let token = stage.write_token(&pod).await.unwrap();
    let move_to = async |ip: &str| stage.namespace.set_address("app", ip).await.unwrap();
    move_to("10.1.2.3").await;
    let answers = async |status| {
        let patience = Duration::from_secs(10);
        http::credentials_until(strict.address, &token, status, patience).await.unwrap()
    };
    let body = answers(403).await;
    assert_eq!(body["code"], "PodNotServed", "{body}");
    assert!(body["message"].as_str().unwrap().contains("does not come from"), "{body}");
    // Where it only warns, the pod is served, and the metric tells.
    until("the count", async || {
        assert_eq!(stage.ask(&token).await.unwrap().0, 200);
        stage.agent.counts("podrole_agent_foreign_peers_total").await.filter(|count| *count > 0)
    })
    .await;
    // Not 127.0.0.1, from which the other tests ask.
    let own = "127.0.0.9";
    move_to(own).await;
    until("the pod's own address", async || {
        let (status, _) = http::credentials_from(own, strict.address, &token).await.ok()?;
        (status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stolen_token_is_rejected_from_another_pod() {
    let stage = Stage::start("stolen").await.unwrap();
    stage.service_account("app", "container").await.unwrap();
    let [victim, thief] = ["127.0.0.6", "127.0.0.7"];
    let mut tokens = Vec::new();
    for (name, address) in [("victim", Some(victim)), ("thief", Some(thief)), ("new", None)] {
        let pod = stage.pod(name, "app").await.unwrap();
        tokens.push(stage.namespace.bound_token(&pod, super::AUDIENCE, 3600).await.unwrap());
        if let Some(address) = address {
            stage.namespace.set_address(name, address).await.unwrap();
        }
    }
    let agent = stage.agent.address;
    let (token, new) = (&tokens[0], &tokens[2]);
    until("the thief's address", async || {
        let (status, _) = http::credentials_from(thief, agent, token).await.ok()?;
        (status == 403).then_some(())
    })
    .await;
    let (status, body) = http::credentials_from(thief, agent, new).await.unwrap();
    assert_eq!((status, &body["code"]), (403, &json!("PodNotServed")), "no address yet: {body}");
    assert_eq!(http::credentials_from(victim, agent, token).await.unwrap().0, 200);
    let before = stage.agent.counts("podrole_agent_foreign_peers_total").await;
    assert_eq!(stage.ask(token).await.unwrap().0, 200, "from the node");
    assert!(stage.agent.counts("podrole_agent_foreign_peers_total").await > before);
}

#[tokio::test]
async fn a_final_refusal_is_an_event_on_the_pod_and_only_one() {
    let stage = Stage::start("events").await.unwrap();
    stage.service_account("stranger", "container").await.unwrap();
    let pod = stage.pod("stranger", "stranger").await.unwrap();
    let token = stage.write_token(&pod).await.unwrap();
    for _ in 0..20 {
        assert_eq!(stage.ask(&token).await.unwrap().0, 403);
    }
    let event = until("the Event", async || events_on(&stage.namespace, &pod).await.pop()).await;
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    assert_eq!(
        (said(&event.reason), said(&event.type_)),
        ("AccessDenied".into(), "Warning".into())
    );
    let note = said(&event.note);
    assert!(note.contains("in its trust policy") && note.contains(":stranger"), "{note}");
    assert!(!note.contains(token.rsplit('.').next().unwrap()), "a token is in an Event");
    assert_eq!(events_on(&stage.namespace, &pod).await.len(), 1);
}

/// No webhook is registered for these namespaces.
#[tokio::test]
async fn a_pod_that_should_have_been_injected_is_reported_once() {
    let cluster = Cluster::shared().await.unwrap();
    let node = "node-missed";
    make_node(cluster, node).await.unwrap();
    let labelled = cluster.namespace("missed", &[("podrole.io/injection", "enabled")]).await;
    let labelled = labelled.unwrap();
    let plain = cluster.namespace("plain", &[]).await.unwrap();
    let sandbox = daemons::sandbox(cluster, "system:serviceaccount:a:b").await.unwrap();
    let make = async |namespace: &TestNamespace<'_>, name: &str, account: &str, label: &str| {
        let mut pod = plain_pod(name, account);
        pod["spec"]["nodeName"] = json!(node);
        pod["metadata"]["labels"] = json!({"podrole.io/injection": label});
        namespace.pod(pod).await.unwrap()
    };
    let named = [("eks.amazonaws.com/role-arn", role())];
    let named = named.each_ref().map(|(name, value)| (*name, value.as_str()));
    for namespace in [&labelled, &plain] {
        namespace.service_account("app", &named).await.unwrap();
        namespace.service_account("no-role", &[]).await.unwrap();
    }
    let before = make(&labelled, "before", "app", "").await;
    let agent = daemons::agent(cluster, &sandbox, node).await.unwrap();
    let others = [
        make(&plain, "unlabelled", "app", "").await,
        make(&labelled, "no-role", "no-role", "").await,
        make(&labelled, "opted-out", "app", "disabled").await,
    ];
    let after = make(&labelled, "after", "app", "").await;
    for pod in [&before, &after] {
        let event = until("the Event", async || events_on(&labelled, pod).await.pop()).await;
        assert_eq!(event.reason.as_deref(), Some("NotInjected"));
        assert!(event.note.unwrap().contains("create the pod again"));
        assert_eq!(events_on(&labelled, pod).await.len(), 1);
    }
    assert_eq!(agent.counts("podrole_agent_pods_not_injected_total").await, Some(2));
    for pod in &others {
        assert!(events_on(&labelled, pod).await.is_empty());
    }
    // The namespace has no label: its owner is notified of it.
    let event = until("the Event", async || events_on(&plain, &others[0]).await.pop()).await;
    assert_eq!(event.reason.as_deref(), Some("NotOptedIn"));
    assert_eq!(agent.counts("podrole_agent_pods_not_injected_total").await, Some(2));
}
