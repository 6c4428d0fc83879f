//! What the cache answers, event by event.

use super::*;
use podrole_identity::{AnnotationPrefix, Annotations};

fn found(version: u64, role: Option<&str>) -> VersionedServiceAccount {
    let role = role.map(|name| format!("arn:aws:iam::111122223333:role/{name}"));
    let role = role.map(|arn| ("eks.amazonaws.com/role-arn".to_owned(), arn));
    let annotations: Annotations = role.into_iter().collect();
    let annotations = podrole_identity::ServiceAccountAnnotations::read(
        &annotations,
        &AnnotationPrefix::default(),
    );
    VersionedServiceAccount { version, found: Arc::new(annotations.into()) }
}

fn service_account() -> ServiceAccountRef {
    "shop/app".parse().unwrap()
}

/// The cache's answer in a word.
fn answer(cache: &Cache, now: Instant) -> String {
    match cache.get(&service_account(), &BTreeSet::new(), now) {
        CacheAnswer::Unsynced => "unsynced".to_owned(),
        CacheAnswer::NoRole(_) => "no role".to_owned(),
        CacheAnswer::Unknown => "unknown".to_owned(),
        CacheAnswer::Known(None) => "missing".to_owned(),
        CacheAnswer::Known(Some(annotations)) => match &annotations.annotations.role {
            Some(role) => role.name().to_owned(),
            None => "confirmed no role".to_owned(),
        },
    }
}

fn listed(role: Option<&str>) -> Cache {
    let mut cache = Cache::default();
    cache.begin_list(BTreeSet::new());
    cache.list(service_account(), &found(1, role));
    cache.end_list();
    cache
}

#[test]
fn the_cache_is_unsynced_until_the_first_list_is_complete() {
    let (mut cache, now) = (Cache::default(), Instant::now());
    cache.begin_list(BTreeSet::new());
    cache.list(service_account(), &found(1, Some("a")));
    assert_eq!(answer(&cache, now), "unsynced");
    cache.end_list();
    assert_eq!(answer(&cache, now), "a");
}

#[test]
fn a_later_list_replaces_the_first_at_its_end() {
    let (mut cache, now) = (listed(Some("a")), Instant::now());
    cache.begin_list(BTreeSet::new());
    assert_eq!(answer(&cache, now), "a");
    cache.end_list();
    assert_eq!(answer(&cache, now), "unknown");
}

#[test]
fn the_watch_adds_removes_and_deletes_roles() {
    let (mut cache, now) = (listed(None), Instant::now());
    assert_eq!(answer(&cache, now), "no role");
    cache.apply(service_account(), &found(2, Some("a")));
    assert_eq!(answer(&cache, now), "a");
    cache.apply(service_account(), &found(3, None));
    assert_eq!(answer(&cache, now), "no role");
    cache.delete(&service_account(), 4);
    assert_eq!(answer(&cache, now), "unknown");
}

#[test]
fn a_live_answer_is_valid_for_five_seconds() {
    let (mut cache, now) = (listed(None), Instant::now());
    cache.record_live([(service_account(), Some(found(2, None)))], now);
    assert_eq!(answer(&cache, now + Duration::from_millis(4999)), "confirmed no role");
    assert_eq!(answer(&cache, now + Duration::from_secs(5)), "no role");
    cache.record_live([(service_account(), None)], now);
    assert_eq!(answer(&cache, now), "missing");
}

#[test]
fn a_lagging_watch_does_not_undo_a_live_answer() {
    let (mut cache, now) = (listed(None), Instant::now());
    cache.record_live([(service_account(), Some(found(5, Some("a"))))], now);
    cache.apply(service_account(), &found(4, None));
    assert_eq!(answer(&cache, now), "a");
    cache.apply(service_account(), &found(6, Some("b")));
    assert_eq!(answer(&cache, now), "b");
    cache.record_live([(service_account(), Some(found(7, Some("c"))))], now);
    cache.delete(&service_account(), 8);
    assert_eq!(answer(&cache, now), "unknown");
}

#[test]
fn a_live_answer_older_than_the_watch_is_ignored() {
    let (mut cache, now) = (listed(None), Instant::now());
    cache.apply(service_account(), &found(6, Some("a")));
    cache.record_live([(service_account(), Some(found(5, None)))], now);
    assert_eq!(answer(&cache, now), "a");
    cache.record_live([(service_account(), Some(found(7, None)))], now);
    assert_eq!(answer(&cache, now), "confirmed no role");
}

#[test]
fn annotations_without_a_role_are_kept() {
    let mut cache = listed(None);
    let annotations = [("podrole.io/region".to_owned(), "eu-west-1".to_owned())];
    let annotations = podrole_identity::ServiceAccountAnnotations::read(
        &annotations.into(),
        &AnnotationPrefix::default(),
    );
    let found = VersionedServiceAccount { version: 2, found: Arc::new(annotations.clone().into()) };
    cache.apply(service_account(), &found);
    let CacheAnswer::NoRole(kept) = cache.get(&service_account(), &BTreeSet::new(), Instant::now())
    else {
        panic!("it names no role");
    };
    assert_eq!(kept.annotations, annotations);
}

#[test]
fn expired_live_answers_are_dropped() {
    let (mut cache, now) = (listed(None), Instant::now());
    cache.record_live([(service_account(), None)], now);
    let other = "shop/other".parse().unwrap();
    cache.record_live([(other, None)], now + Duration::from_secs(6));
    assert_eq!(cache.live.len(), 1);
}

#[test]
fn names_that_were_made_up_need_bounded_memory() {
    let (mut cache, now) = (listed(None), Instant::now());
    let made_up = |number| ServiceAccountRef::new("shop", &format!("made-up-{number}")).unwrap();
    cache.record_live((0..2 * MAX_MISSING).map(|number| (made_up(number), None)), now);
    assert_eq!(cache.live.len(), MAX_MISSING);
    cache.record_live([(service_account(), Some(found(2, Some("a"))))], now);
    assert_eq!(answer(&cache, now), "a");
    cache.record_live([(service_account(), None)], now);
    assert_eq!(answer(&cache, now), "missing");
}

#[test]
fn what_was_listed_without_a_label_that_decides_is_not_used() {
    let (mut cache, now) = (Cache::default(), Instant::now());
    let wanted: BTreeSet<String> = ["team".to_owned()].into();
    cache.begin_list(BTreeSet::new());
    cache.list(service_account(), &found(1, Some("app")));
    cache.end_list();
    assert!(matches!(cache.get(&service_account(), &wanted, now), CacheAnswer::Unknown));
    cache.begin_list(wanted.clone());
    cache.list(service_account(), &found(1, Some("app")));
    cache.end_list();
    assert!(matches!(cache.get(&service_account(), &wanted, now), CacheAnswer::Known(_)));
    assert!(matches!(cache.get(&service_account(), &BTreeSet::new(), now), CacheAnswer::Known(_)));
}
