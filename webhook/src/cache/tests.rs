//! What the cache says, event by event.

use super::*;
use podrole_identity::{AnnotationPrefix, Annotations};

fn seen(version: u64, role: Option<&str>) -> Seen {
    let role = role.map(|name| format!("arn:aws:iam::111122223333:role/{name}"));
    let role = role.map(|arn| ("eks.amazonaws.com/role-arn".to_owned(), arn));
    let annotations: Annotations = role.into_iter().collect();
    let said = ServiceAccountAnnotations::read(&annotations, &AnnotationPrefix::default());
    Seen { version, said: Arc::new(said) }
}

fn account() -> ServiceAccountRef {
    "shop/app".parse().unwrap()
}

/// One word for what is known.
fn word(cache: &Cache, now: Instant) -> String {
    match cache.look(&account(), now) {
        Known::Unsynced => "unsynced".to_owned(),
        Known::NoRole(_) => "no role".to_owned(),
        Known::Never => "never".to_owned(),
        Known::Said(None) => "missing".to_owned(),
        Known::Said(Some(said)) => match &said.role {
            Some(role) => role.name().to_owned(),
            None => "surely no role".to_owned(),
        },
    }
}

fn listed(role: Option<&str>) -> Cache {
    let mut cache = Cache::default();
    cache.begin_list();
    cache.list(account(), &seen(1, role));
    cache.end_list();
    cache
}

#[test]
fn nothing_is_known_before_the_first_list_is_whole() {
    let (mut cache, now) = (Cache::default(), Instant::now());
    cache.begin_list();
    cache.list(account(), &seen(1, Some("a")));
    assert_eq!(word(&cache, now), "unsynced");
    cache.end_list();
    assert_eq!(word(&cache, now), "a");
}

#[test]
fn a_later_list_replaces_the_first_at_its_end() {
    let (mut cache, now) = (listed(Some("a")), Instant::now());
    cache.begin_list();
    assert_eq!(word(&cache, now), "a");
    cache.end_list();
    assert_eq!(word(&cache, now), "never");
}

#[test]
fn the_watch_gives_takes_and_deletes_roles() {
    let (mut cache, now) = (listed(None), Instant::now());
    assert_eq!(word(&cache, now), "no role");
    cache.apply(account(), &seen(2, Some("a")));
    assert_eq!(word(&cache, now), "a");
    cache.apply(account(), &seen(3, None));
    assert_eq!(word(&cache, now), "no role");
    cache.delete(&account(), 4);
    assert_eq!(word(&cache, now), "never");
}

#[test]
fn a_live_answer_is_believed_for_five_seconds() {
    let (mut cache, now) = (listed(None), Instant::now());
    cache.answered([(account(), Some(seen(2, None)))], now);
    assert_eq!(word(&cache, now + Duration::from_millis(4999)), "surely no role");
    assert_eq!(word(&cache, now + Duration::from_secs(5)), "no role");
    cache.answered([(account(), None)], now);
    assert_eq!(word(&cache, now), "missing");
}

#[test]
fn a_watch_that_is_behind_does_not_undo_a_live_answer() {
    let (mut cache, now) = (listed(None), Instant::now());
    cache.answered([(account(), Some(seen(5, Some("a"))))], now);
    cache.apply(account(), &seen(4, None));
    assert_eq!(word(&cache, now), "a");
    cache.apply(account(), &seen(6, Some("b")));
    assert_eq!(word(&cache, now), "b");
    cache.answered([(account(), Some(seen(7, Some("c"))))], now);
    cache.delete(&account(), 8);
    assert_eq!(word(&cache, now), "never");
}

#[test]
fn a_read_that_the_watch_has_overtaken_is_not_believed() {
    let (mut cache, now) = (listed(None), Instant::now());
    cache.apply(account(), &seen(6, Some("a")));
    cache.answered([(account(), Some(seen(5, None)))], now);
    assert_eq!(word(&cache, now), "a");
    cache.answered([(account(), Some(seen(7, None)))], now);
    assert_eq!(word(&cache, now), "surely no role");
}

#[test]
fn what_is_said_without_a_role_is_kept() {
    let mut cache = listed(None);
    let annotations = [("podrole.io/region".to_owned(), "eu-west-1".to_owned())];
    let said = ServiceAccountAnnotations::read(&annotations.into(), &AnnotationPrefix::default());
    cache.apply(account(), &Seen { version: 2, said: Arc::new(said.clone()) });
    let Known::NoRole(kept) = cache.look(&account(), Instant::now()) else {
        panic!("it names no role");
    };
    assert_eq!(*kept, said);
}

#[test]
fn old_live_answers_do_not_pile_up() {
    let (mut cache, now) = (listed(None), Instant::now());
    cache.answered([(account(), None)], now);
    let other = "shop/other".parse().unwrap();
    cache.answered([(other, None)], now + Duration::from_secs(6));
    assert_eq!(cache.live.len(), 1);
}
