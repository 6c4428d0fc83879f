//! A pod is seen before it asks: what was fetched for it, and who gets it.

use std::sync::Arc;

use podrole_identity::PermittedRoles;
use serde_json::json;

use super::{
    fixture::{ROLE, RSA, STRANGER, rules},
    full_path::{world, world_with},
    own_power::{assume_role, place, pods_token},
};
use crate::{
    events::Notices,
    exchange::web_identity::WebIdentity,
    http_client::HttpClients,
    node::{Seen, Way},
    resolve::{LookupMap, NamespaceFacts},
    tests::sts::Sts,
};

fn seen(account: &str, uid: &str, way: Way) -> Seen {
    let (name, uid) = ("app-1".to_owned(), uid.to_owned());
    Seen { name, uid, service_account: account.parse().unwrap(), way }
}

#[tokio::test]
async fn what_was_fetched_ahead_is_served_to_the_pod_that_proves_itself_and_to_nobody_else() {
    let (world, _) = assume_role(json!({})).await;
    world.agent.greet(&seen("shop/app", "pod-uid", Way::Agent)).await.unwrap();
    assert_eq!((world.sts.calls(), world.agent.keep().len()), (1, 1));
    let mut claims = world.claims();
    claims["aud"] = json!(["pods.eks.amazonaws.com"]);
    let (status, body) = world.ask(&STRANGER.token("RS256", &claims)).await;
    assert_eq!(status, 400, "{body}");
    // A token of another pod of the same ServiceAccount: its tags are others.
    claims["kubernetes.io"]["pod"]["uid"] = json!("another");
    let (status, body) = world.ask(&RSA.token("RS256", &claims)).await;
    assert_eq!(status, 403, "{body}");
    assert_eq!(world.sts.calls(), 1);
    let (status, body) = world.ask(&pods_token(&world)).await;
    assert_eq!((status, &body["AccountId"]), (200, &"111122223333".into()), "{body}");
    assert_eq!(world.sts.calls(), 1, "it was there already");
    world.agent.pod_gone("pod-uid");
    assert!(world.agent.keep().is_empty(), "and goes with its pod");
}

#[tokio::test]
async fn nothing_is_fetched_ahead_where_the_pods_own_token_is_needed_or_no_role_is_known() {
    let (own, _) = assume_role(json!({})).await;
    for pod in [
        seen("shop/app", "pod-uid", Way::Own),
        seen("shop/app", "pod-uid", Way::None),
        seen("shop/other", "pod-uid", Way::Agent),
    ] {
        let _ = own.agent.greet(&pod).await;
    }
    let web = world().await;
    web.agent.greet(&seen("shop/app", "pod-uid", Way::Agent)).await.unwrap();
    assert_eq!((own.sts.calls(), web.sts.calls()), (0, 0));
}

#[tokio::test]
async fn a_pod_that_was_missed_is_told_of_once() {
    let namespaces = LookupMap::<String, NamespaceFacts>::default();
    let known = namespaces.clone();
    let (notices, mut told) = Notices::new();
    let web =
        |sts: &Sts| Arc::new(WebIdentity::at(&place(sts.url()), &HttpClients::default())) as _;
    let world = world_with(web, rules(), |extras| {
        extras.namespaces = Arc::new(known);
        extras.notices = Some(notices);
    });
    let world = world.await;
    let pod = |uid| seen("shop/app", uid, Way::None);
    let asks = |asks_for_injection, permitted| NamespaceFacts {
        permitted: PermittedRoles::read(permitted),
        asks_for_injection,
    };
    for (asks_for_injection, permitted) in [(false, None), (true, Some(""))] {
        namespaces.insert("shop".to_owned(), asks(asks_for_injection, permitted));
        world.agent.greet(&pod("1")).await.unwrap();
    }
    assert!(told.try_recv().is_err(), "nobody asked for it, or it is not permitted");
    namespaces.insert("shop".to_owned(), asks(true, Some(ROLE)));
    for uid in ["1", "1", "2"] {
        world.agent.greet(&pod(uid)).await.unwrap();
    }
    for uid in ["1", "2"] {
        let notice = told.try_recv().unwrap();
        assert_eq!((notice.uid.as_str(), notice.reason), (uid, "NotInjected"));
    }
    assert!(told.try_recv().is_err());
    world.set_role("");
    world.agent.greet(&pod("3")).await.unwrap();
    assert!(told.try_recv().is_err(), "its ServiceAccount names nobody");
}
