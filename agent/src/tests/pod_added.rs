//! What happens for a pod before it asks.

use std::sync::Arc;

use podrole_identity::{
    AnnotationPrefix, Annotations, Injection, Labels, PermittedRoles, PodShapeReader,
};
use serde_json::json;

use super::{
    fixture::{ROLE, RSA, STRANGER, at, rules},
    full_path::{world, world_with},
    source_credentials::{assume_role, endpoint, pods_token},
};
use crate::{
    events::Notices,
    exchange::web_identity::WebIdentity,
    http_client::HttpClients,
    node::{AddedPod, PodProvider},
    resolve::{LookupMap, NamespaceFacts},
    tests::sts::FakeSts,
};

pub(crate) fn pod(account: &str, uid: &str, provider: PodProvider) -> AddedPod {
    let (name, uid) = ("app-1".to_owned(), uid.to_owned());
    AddedPod {
        name,
        uid,
        service_account: account.parse().unwrap(),
        provider,
        created: Some(podrole_runtime::clock::now()),
    }
}

pub(crate) fn uninjected() -> PodProvider {
    let prefix = AnnotationPrefix::default();
    let mut shape = PodShapeReader::new(&Labels::new(), &Annotations::new(), &prefix);
    shape.container("app", [], []);
    PodProvider::None(shape.finish())
}

#[tokio::test]
async fn prefetched_credentials_are_served_only_to_their_pod() {
    let (world, _) = assume_role(json!({})).await;
    world.agent.pod_added(&pod("shop/app", "pod-uid", PodProvider::Agent), false).await.unwrap();
    assert_eq!((world.sts.calls(), world.agent.cache().len()), (1, 1));
    let mut claims = world.claims();
    claims["aud"] = json!(["pods.eks.amazonaws.com"]);
    let (status, body) = world.ask(&STRANGER.token("RS256", &claims)).await;
    assert_eq!(status, 400, "{body}");
    // A token of another pod of the same ServiceAccount, whose session tags differ.
    claims["kubernetes.io"]["pod"]["uid"] = json!("another");
    let (status, body) = world.ask(&RSA.token("RS256", &claims)).await;
    assert_eq!(status, 403, "{body}");
    assert_eq!(world.sts.calls(), 1);
    let (status, body) = world.ask(&pods_token(&world)).await;
    assert_eq!((status, &body["AccountId"]), (200, &"111122223333".into()), "{body}");
    assert_eq!(world.sts.calls(), 1, "it was cached");
    world.agent.pod_gone("pod-uid");
    assert!(world.agent.cache().is_empty(), "the entry is removed with its pod");
}

#[tokio::test]
async fn nothing_is_prefetched_if_the_pods_token_is_needed_or_its_role_is_unknown() {
    let (own, _) = assume_role(json!({})).await;
    for pod in [
        pod("shop/app", "pod-uid", PodProvider::Other),
        pod("shop/app", "pod-uid", uninjected()),
        pod("shop/other", "pod-uid", PodProvider::Agent),
    ] {
        let _ = own.agent.pod_added(&pod, false).await;
    }
    let web = world().await;
    web.agent.pod_added(&pod("shop/app", "pod-uid", PodProvider::Agent), false).await.unwrap();
    assert_eq!((own.sts.calls(), web.sts.calls()), (0, 0));
}

#[tokio::test]
async fn a_pod_without_a_provider_is_reported_once() {
    let namespaces = LookupMap::<String, NamespaceFacts>::default();
    let known = namespaces.clone();
    let (notices, mut reported) = Notices::new();
    let web = |sts: &FakeSts| {
        Arc::new(WebIdentity::at(&endpoint(sts.url()), &HttpClients::default())) as _
    };
    let world = world_with(web, rules(), |options| {
        options.namespaces = Arc::new(known);
        options.notices = Some(notices);
    });
    let world = world.await;
    let uninjected = |uid| pod("shop/app", uid, self::uninjected());
    let asks = |injection, permitted| NamespaceFacts {
        permitted: PermittedRoles::read(permitted),
        injection,
        is_unlabelled: false,
        ..NamespaceFacts::default()
    };
    let enabled = Some(Injection::Enabled);
    for (injection, permitted) in [(None, None), (enabled, Some(""))] {
        namespaces.insert("shop".to_owned(), asks(injection, permitted));
        world.agent.pod_added(&uninjected("1"), false).await.unwrap();
    }
    assert!(reported.try_recv().is_err(), "injection is not asked for, or the role not permitted");
    namespaces.insert("shop".to_owned(), asks(enabled, Some(ROLE)));
    for uid in ["1", "1", "2"] {
        world.agent.pod_added(&uninjected(uid), false).await.unwrap();
    }
    for uid in ["1", "2"] {
        let notice = reported.try_recv().unwrap();
        assert_eq!((notice.uid.as_str(), notice.reason), (uid, "NotInjected"));
    }
    assert!(reported.try_recv().is_err());
    let unlabelled = NamespaceFacts { is_unlabelled: true, ..NamespaceFacts::default() };
    namespaces.insert("shop".to_owned(), unlabelled);
    world.agent.pod_added(&uninjected("4"), false).await.unwrap();
    assert_eq!(reported.try_recv().unwrap().reason, "NotOptedIn");
    let old = AddedPod { created: Some(at(-600)), ..uninjected("5") };
    world.agent.pod_added(&old, true).await.unwrap();
    assert!(reported.try_recv().is_err(), "a pod that was there before");
    namespaces.insert("shop".to_owned(), asks(enabled, Some(ROLE)));
    world.set_role("");
    world.agent.pod_added(&uninjected("3"), false).await.unwrap();
    assert!(reported.try_recv().is_err(), "its ServiceAccount has no role");
}
