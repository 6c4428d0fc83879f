//! Look-ups against an API server that is late, slow, broken or overloaded.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use podrole_identity::{AnnotationPrefix, Annotations};
use tokio::time::sleep;

use super::*;
use crate::{
    cache::VersionedServiceAccount,
    live_reads::{ListResult, ReadResult},
    mutex::lock,
};

const LONG: Duration = Duration::from_secs(20);

/// An API server that answers after `latency` with the objects of the time it was asked, and
/// counts its calls.
#[derive(Clone)]
struct FakeApiServer {
    /// The answer for every ServiceAccount that is not in `objects`.
    answer: ReadResult,
    objects: Arc<Mutex<HashMap<ServiceAccountRef, VersionedServiceAccount>>>,
    latency: Duration,
    reads: Arc<AtomicUsize>,
    lists: Arc<AtomicUsize>,
}

impl LiveServiceAccounts for FakeApiServer {
    async fn read(&self, service_account: &ServiceAccountRef) -> ReadResult {
        self.reads.fetch_add(1, SeqCst);
        let object = lock(&self.objects).get(service_account).cloned();
        sleep(self.latency).await;
        object.map_or_else(|| self.answer.clone(), |found| Ok(Some(found)))
    }

    async fn list(&self, _namespace: &str) -> ListResult {
        self.lists.fetch_add(1, SeqCst);
        let objects = lock(&self.objects).clone();
        sleep(self.latency).await;
        self.answer.clone().map(|_| objects)
    }
}

fn found(version: u64, role: &str) -> VersionedServiceAccount {
    let role = Some(role).filter(|role| !role.is_empty());
    let role = role.map(|name| format!("arn:aws:iam::111122223333:role/{name}"));
    let role = role.map(|arn| ("eks.amazonaws.com/role-arn".to_owned(), arn));
    let annotations: Annotations = role.into_iter().collect();
    let annotations = podrole_identity::ServiceAccountAnnotations::read(
        &annotations,
        &AnnotationPrefix::default(),
    );
    VersionedServiceAccount { version, found: Arc::new(annotations.into()) }
}

fn server(answer: ReadResult, latency: Duration) -> FakeApiServer {
    let (objects, reads, lists) = Default::default();
    FakeApiServer { answer, objects, latency, reads, lists }
}

fn service_account(name: &str) -> ServiceAccountRef {
    ServiceAccountRef::new("shop", name).unwrap()
}

/// A look-up whose watch has listed shop/app at version 1, with this role or (`""`) none.
fn lookup(server: &FakeApiServer, role: &str) -> Arc<Lookup<FakeApiServer>> {
    let cache = SharedCache::default();
    cache.change(|cache| {
        cache.begin_list(Default::default());
        cache.list(service_account("app"), &found(1, role));
        cache.end_list();
    });
    Arc::new(Lookup::new(cache, NamespaceCache::default(), server.clone(), Metrics::default()))
}

async fn role_of(lookup: &Lookup<FakeApiServer>, name: &str, patience: Duration) -> String {
    match lookup.find(&service_account(name), patience).await {
        Ok(None) => "missing".to_owned(),
        Ok(Some(annotations)) => match &annotations.annotations.role {
            Some(role) => role.name().to_owned(),
            None => "no role".to_owned(),
        },
        Err(error) => format!("{error:?}"),
    }
}

#[tokio::test]
async fn a_role_in_the_cache_needs_no_live_read() {
    let server = server(Err(LookupError::Failed), Duration::ZERO);
    assert_eq!(role_of(&lookup(&server, "app"), "app", LONG).await, "app");
    assert_eq!(server.reads.load(SeqCst), 0);
}

#[tokio::test]
async fn unsynced_is_not_no_role() {
    let server = server(Ok(None), Duration::ZERO);
    let lookup = Lookup::new(
        SharedCache::default(),
        NamespaceCache::default(),
        server.clone(),
        Metrics::default(),
    );
    assert_eq!(role_of(&lookup, "app", LONG).await, "Unsynced");
    assert_eq!(server.reads.load(SeqCst), 0);
}

#[tokio::test]
async fn no_role_and_unknown_are_confirmed_by_one_live_read() {
    for name in ["app", "other"] {
        let server = server(Ok(Some(found(2, "late"))), Duration::ZERO);
        let lookup = lookup(&server, "");
        for _ in 0..3 {
            assert_eq!(role_of(&lookup, name, LONG).await, "late");
        }
        assert_eq!(server.reads.load(SeqCst), 1, "{name}");
    }
    let server = server(Ok(None), Duration::ZERO);
    assert_eq!(role_of(&lookup(&server, ""), "other", LONG).await, "missing");
}

#[tokio::test]
async fn concurrent_lookups_share_one_read() {
    let server = server(Ok(Some(found(2, "late"))), Duration::from_millis(50));
    let lookup = lookup(&server, "");
    let lookups = (0..50).map(|_| role_of(&lookup, "app", LONG));
    for role in futures::future::join_all(lookups).await {
        assert_eq!(role, "late");
    }
    assert_eq!(server.reads.load(SeqCst), 1);
}

#[tokio::test]
async fn a_lookup_that_times_out_does_not_cancel_the_read_for_others() {
    let server = server(Ok(Some(found(2, "late"))), Duration::from_millis(100));
    let lookup = lookup(&server, "");
    let timed_out = timeout(Duration::from_millis(10), role_of(&lookup, "app", LONG));
    assert!(timed_out.await.is_err());
    assert_eq!(role_of(&lookup, "app", LONG).await, "late");
    assert_eq!(server.reads.load(SeqCst), 1);
}

#[tokio::test]
async fn a_broken_or_slow_api_server_is_an_error() {
    let broken = server(Err(LookupError::Failed), Duration::ZERO);
    assert_eq!(role_of(&lookup(&broken, ""), "app", LONG).await, "Failed");
    let slow = server(Ok(None), Duration::from_secs(60));
    let patience = Duration::from_millis(50);
    assert_eq!(role_of(&lookup(&slow, ""), "app", patience).await, "TooSlow");
}

#[tokio::test]
async fn the_watch_may_answer_before_the_live_read() {
    let server = server(Ok(None), Duration::from_secs(60));
    let lookup = lookup(&server, "");
    let waiting = tokio::spawn({
        let lookup = Arc::clone(&lookup);
        async move { role_of(&lookup, "other", LONG).await }
    });
    while server.reads.load(SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    lookup.cache.change(|cache| cache.apply(service_account("other"), &found(2, "watched")));
    assert_eq!(waiting.await.unwrap(), "watched");
}

#[tokio::test]
async fn under_the_rate_limit_the_cache_answers_and_an_unknown_service_account_is_an_error() {
    let server = server(Ok(None), Duration::ZERO);
    let lookup = lookup(&server, "");
    lookup.exhaust_budget();
    let patience = Duration::from_millis(50);
    assert_eq!(role_of(&lookup, "app", patience).await, "no role");
    assert_eq!(role_of(&lookup, "other", patience).await, "Busy");
    assert_eq!(server.reads.load(SeqCst), 0);
}

/// Two hundred ServiceAccounts that exist without a role get one each, and the pod of each follows
/// at once. The watch reports none of it.
#[tokio::test(start_paused = true)]
async fn two_hundred_roles_and_pods_in_one_second_are_found_while_the_watch_lags() {
    let server = server(Ok(None), Duration::from_millis(20));
    let names: Vec<String> = (0..200).map(|index| format!("app-{index}")).collect();
    let cache = SharedCache::default();
    cache.change(|cache| {
        cache.begin_list(Default::default());
        names.iter().for_each(|name| cache.list(service_account(name), &found(1, "")));
        cache.end_list();
    });
    for name in &names {
        lock(&server.objects).insert(service_account(name), found(1, ""));
    }
    let lookup = Lookup::new(cache, NamespaceCache::default(), server.clone(), Metrics::default());
    let pods = names.iter().enumerate().map(|(index, name)| {
        let (server, lookup) = (&server, &lookup);
        async move {
            sleep(Duration::from_millis(u64::try_from(index).unwrap() * 3)).await;
            lock(&server.objects).insert(service_account(name), found(2, name));
            role_of(lookup, name, Duration::from_millis(1500)).await
        }
    });
    let roles = futures::future::join_all(pods).await;
    assert_eq!(roles, names);
    let (reads, lists) = (server.reads.load(SeqCst), server.lists.load(SeqCst));
    assert!(reads <= 60 && lists <= 40, "{reads} reads and {lists} lists");
}

#[tokio::test(start_paused = true)]
async fn a_burst_costs_one_list_and_later_lookups_another() {
    let server = server(Ok(None), Duration::from_millis(30));
    let lookup = lookup(&server, "");
    let names: Vec<String> = (0..100).map(|index| format!("app-{index}")).collect();
    for name in &names {
        lock(&server.objects).insert(service_account(name), found(2, name));
    }
    let all = names.iter().map(|name| role_of(&lookup, name, LONG));
    assert_eq!(futures::future::join_all(all).await, names);
    assert_eq!((server.reads.load(SeqCst), server.lists.load(SeqCst)), (8, 1));
    assert_eq!(role_of(&lookup, "absent", LONG).await, "missing");
}

/// A ServiceAccount may have changed since the list in flight began.
#[tokio::test(start_paused = true)]
async fn a_list_in_flight_does_not_answer_later_lookups() {
    let server = server(Ok(None), Duration::from_millis(30));
    let lookup = lookup(&server, "");
    let names: Vec<String> = (0..20).map(|index| format!("app-{index}")).collect();
    lock(&server.objects).insert(service_account("late"), found(1, ""));
    let late = async {
        let listing = async {
            while server.lists.load(SeqCst) == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LONG, listing).await.expect("no list began");
        lock(&server.objects).insert(service_account("late"), found(2, "late"));
        role_of(&lookup, "late", LONG).await
    };
    let all = futures::future::join_all(names.iter().map(|name| role_of(&lookup, name, LONG)));
    let (late, _) = tokio::join!(late, all);
    assert_eq!(late, "late");
}

#[tokio::test(start_paused = true)]
async fn a_failed_list_is_an_error_for_every_waiter() {
    let server = server(Err(LookupError::Failed), Duration::ZERO);
    let lookup = lookup(&server, "");
    let names: Vec<String> = (0..50).map(|index| format!("app-{index}")).collect();
    let all = names.iter().map(|name| role_of(&lookup, name, LONG));
    let results = futures::future::join_all(all).await;
    assert!(results.iter().all(|result| result == "Failed"), "{results:?}");
}

/// Reviews of made-up ServiceAccounts arrive for five seconds, and once a second a pod of a new
/// ServiceAccount in `shop`.
async fn found_under_attack(made_up: impl Fn(u64) -> ServiceAccountRef) -> Vec<String> {
    let server = server(Ok(None), Duration::from_millis(5));
    let (cache, existing) = (SharedCache::default(), NamespaceCache::default());
    cache.change(|cache| {
        cache.begin_list(Default::default());
        cache.end_list();
    });
    for namespace in ["shop", "hostile"] {
        existing.put(namespace.to_owned(), podrole_identity::NamespaceFacts::default());
    }
    let lookup = Arc::new(Lookup::new(cache, existing, server.clone(), Metrics::default()));
    let attack = tokio::spawn({
        let (lookup, made_up) = (Arc::clone(&lookup), (0..2000).map(made_up).collect::<Vec<_>>());
        async move {
            for made_up in made_up {
                let lookup = Arc::clone(&lookup);
                tokio::spawn(async move { drop(lookup.find(&made_up, 10 * LONG).await) });
                sleep(Duration::from_millis(4)).await;
            }
        }
    });
    let mut roles = Vec::new();
    for second in 0..5 {
        sleep(Duration::from_secs(1)).await;
        let name = format!("new-{second}");
        lock(&server.objects).insert(service_account(&name), found(2, &name));
        roles.push(role_of(&lookup, &name, Duration::from_millis(1500)).await);
    }
    attack.abort();
    roles
}

#[tokio::test(start_paused = true)]
async fn reviews_of_made_up_namespaces_do_not_starve_a_real_one() {
    let made_up = |number| ServiceAccountRef::new(&format!("made-up-{number}"), "app").unwrap();
    let roles = found_under_attack(made_up).await;
    assert_eq!(roles, ["new-0", "new-1", "new-2", "new-3", "new-4"]);
}

#[tokio::test(start_paused = true)]
async fn reviews_of_another_or_the_same_namespace_do_not_starve_one() {
    for namespace in ["hostile", "shop"] {
        let made_up =
            |number| ServiceAccountRef::new(namespace, &format!("made-up-{number}")).unwrap();
        let roles = found_under_attack(made_up).await;
        assert_eq!(roles, ["new-0", "new-1", "new-2", "new-3", "new-4"], "{namespace}");
    }
}
