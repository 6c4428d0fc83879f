//! Which associations are read live, and for how long an answer is valid.

use super::*;
use podrole_identity::ServiceAccountRef;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const LONG: Duration = Duration::from_secs(1);

fn app() -> ServiceAccountRef {
    "shop/app".parse().unwrap()
}

fn read(more: &serde_json::Value) -> Result<Association, Unreadable> {
    let mut spec = json!({"namespace": "shop", "serviceAccount": "app", "roleARN": ROLE});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Association::read_object("shop.app", &spec)
}

#[derive(Clone, Default)]
struct Live(Arc<Mutex<FoundAssociation>>, Arc<AtomicUsize>);

impl LiveAssociations for Live {
    async fn association(&self, _: &ServiceAccountRef) -> Result<FoundAssociation, LookupError> {
        self.1.fetch_add(1, SeqCst);
        Ok(lock(&self.0).clone())
    }
}

#[test]
fn what_is_kept_decides_as_the_object_does() {
    for (more, policy) in [
        (json!({}), None),
        (json!({"policy": "{\"Version\": 1}", "disableSessionTags": true}), Some("{}")),
        (json!({"policy": "{}}"}), Some("{}}")),
        (json!({"podTags": false}), None),
    ] {
        let mut whole = read(&more).unwrap();
        let kept = Packed::new(Ok(whole.clone())).unpack(&app()).unwrap().unwrap();
        whole.policy = policy.map(str::to_owned);
        assert_eq!(kept, whole);
    }
    assert!(matches!(Packed::new(read(&json!({}))), Packed::Role(_)));
    let unreadable = Packed::new(read(&json!({"x": 1}))).unpack(&app()).unwrap();
    assert!(unreadable.is_err());
}

#[tokio::test(start_paused = true)]
async fn absence_is_confirmed_once_in_5_s_if_it_decides() {
    let (cache, live) = (AssociationCache::default(), Live::default());
    let lookup = AssociationLookup::new(
        cache.clone(),
        NamespaceCache::default(),
        live.clone(),
        Metrics::default(),
    );
    assert_eq!(lookup.find(&app(), true, LONG).await, Err(LookupError::Unsynced));
    cache.begin_list();
    cache.end_list();
    assert_eq!(lookup.find(&app(), false, LONG).await, Ok(None));
    assert_eq!(live.1.load(SeqCst), 0);
    for _ in 0..3 {
        assert_eq!(lookup.find(&app(), true, LONG).await, Ok(None));
    }
    assert_eq!(live.1.load(SeqCst), 1);
    *lock(&live.0) = Some(read(&json!({})));
    tokio::time::sleep(LIVE_ANSWER_LIFE).await;
    assert_eq!(lookup.find(&app(), true, LONG).await, Ok(Some(read(&json!({})))));
    cache.put("shop.app", read(&json!({"podTags": false})));
    let watched = lookup.find(&app(), true, LONG).await.unwrap().unwrap().unwrap();
    assert_eq!(watched.pod_tags, Some(false), "the watch is asked first");
    cache.remove("shop.app");
    assert_eq!(cache.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_live_read_found_ends_when_the_watch_reports_its_deletion() {
    let (cache, live) = (AssociationCache::default(), Live::default());
    cache.begin_list();
    cache.end_list();
    let existing = NamespaceCache::default();
    let lookup = AssociationLookup::new(cache.clone(), existing, live.clone(), Metrics::default());
    *lock(&live.0) = Some(read(&json!({})));
    assert_eq!(lookup.find(&app(), true, LONG).await, Ok(Some(read(&json!({})))));
    *lock(&live.0) = None;
    cache.put("shop.app", read(&json!({})));
    cache.remove("shop.app");
    assert_eq!(lookup.find(&app(), true, LONG).await, Ok(None));
    assert_eq!(live.1.load(SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_budget_the_watch_is_final() {
    let (cache, live) = (AssociationCache::default(), Live::default());
    cache.begin_list();
    cache.end_list();
    let existing = NamespaceCache::default();
    existing.put("quiet".to_owned(), podrole_identity::NamespaceFacts::default());
    let lookup = AssociationLookup::new(cache, existing, live.clone(), Metrics::default());
    for number in 0..250 {
        let name = format!("shop/app-{number}").parse().unwrap();
        assert_eq!(lookup.find(&name, true, LONG).await, Ok(None));
    }
    assert_eq!(live.1.load(SeqCst), 200);
    let other = "quiet/app".parse().unwrap();
    assert_eq!(lookup.find(&other, true, LONG).await, Ok(None));
    assert_eq!(live.1.load(SeqCst), 201, "a namespace has reads that no other can spend");
}

/// Never answers its first read, and panics at its second.
#[derive(Clone, Default)]
struct Broken(Arc<AtomicUsize>);

impl LiveAssociations for Broken {
    async fn association(&self, _: &ServiceAccountRef) -> Result<FoundAssociation, LookupError> {
        match self.0.fetch_add(1, SeqCst) {
            0 => std::future::pending().await,
            1 => panic!("a panic of a test"),
            _ => Ok(None),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_hangs_or_panics_does_not_fail_later_look_ups() {
    let cache = AssociationCache::default();
    cache.begin_list();
    cache.end_list();
    let existing = NamespaceCache::default();
    let lookup = AssociationLookup::new(cache, existing, Broken::default(), Metrics::default());
    let error = lookup.find(&app(), true, DEFAULT_PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("too long to return the PodIdentityAssociation"));
    tokio::time::sleep(Duration::from_millis(1)).await;
    let error = lookup.find(&app(), true, DEFAULT_PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("could not read the PodIdentityAssociation"));
    assert_eq!(lookup.find(&app(), true, DEFAULT_PATIENCE).await, Ok(None));
}
