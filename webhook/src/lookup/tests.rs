//! Look-ups against a cluster that is late, slow, broken or asked too much.

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
use crate::{cache::Seen, mutex::lock};

const LONG: Duration = Duration::from_secs(20);

/// An API server that answers after a while with what it has when it is asked, and counts.
#[derive(Clone)]
struct Server {
    /// What is told of every ServiceAccount that is not among `there`.
    answer: Result<Option<Seen>, LookupError>,
    there: Arc<Mutex<HashMap<ServiceAccountRef, Seen>>>,
    after: Duration,
    asked: Arc<AtomicUsize>,
    listed: Arc<AtomicUsize>,
}

impl Live for Server {
    async fn read(&self, account: &ServiceAccountRef) -> Result<Option<Seen>, LookupError> {
        self.asked.fetch_add(1, SeqCst);
        let there = lock(&self.there).get(account).cloned();
        sleep(self.after).await;
        there.map_or_else(|| self.answer.clone(), |seen| Ok(Some(seen)))
    }

    async fn list(
        &self,
        _namespace: &str,
    ) -> Result<HashMap<ServiceAccountRef, Seen>, LookupError> {
        self.listed.fetch_add(1, SeqCst);
        let there = lock(&self.there).clone();
        sleep(self.after).await;
        self.answer.clone().map(|_| there)
    }
}

fn seen(version: u64, role: &str) -> Seen {
    let role = Some(role).filter(|role| !role.is_empty());
    let role = role.map(|name| format!("arn:aws:iam::111122223333:role/{name}"));
    let role = role.map(|arn| ("eks.amazonaws.com/role-arn".to_owned(), arn));
    let annotations: Annotations = role.into_iter().collect();
    let said = ServiceAccountAnnotations::read(&annotations, &AnnotationPrefix::default());
    Seen { version, said: Arc::new(said) }
}

fn server(answer: Result<Option<Seen>, LookupError>, after: Duration) -> Server {
    let (there, asked, listed) = Default::default();
    Server { answer, there, after, asked, listed }
}

fn account(name: &str) -> ServiceAccountRef {
    ServiceAccountRef::new("shop", name).unwrap()
}

/// A look-up whose watch has listed shop/app at version 1, with this role or none.
fn lookup(server: &Server, role: &str) -> Arc<Lookup<Server>> {
    let cache = SharedCache::default();
    cache.change(|cache| {
        cache.begin_list();
        cache.list(account("app"), &seen(1, role));
        cache.end_list();
    });
    Arc::new(Lookup::new(cache, server.clone(), Metrics::default()))
}

async fn role_of(lookup: &Lookup<Server>, name: &str, patience: Duration) -> String {
    match lookup.look(&account(name), patience).await {
        Ok(None) => "missing".to_owned(),
        Ok(Some(said)) => match &said.role {
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
    assert_eq!(server.asked.load(SeqCst), 0);
}

#[tokio::test]
async fn unsynced_is_not_no_role() {
    let server = server(Ok(None), Duration::ZERO);
    let lookup = Lookup::new(SharedCache::default(), server.clone(), Metrics::default());
    assert_eq!(role_of(&lookup, "app", LONG).await, "Unsynced");
    assert_eq!(server.asked.load(SeqCst), 0);
}

#[tokio::test]
async fn no_role_and_never_heard_of_are_confirmed_live_once() {
    for name in ["app", "other"] {
        let server = server(Ok(Some(seen(2, "late"))), Duration::ZERO);
        let lookup = lookup(&server, "");
        for _ in 0..3 {
            assert_eq!(role_of(&lookup, name, LONG).await, "late");
        }
        assert_eq!(server.asked.load(SeqCst), 1, "{name}");
    }
    let server = server(Ok(None), Duration::ZERO);
    assert_eq!(role_of(&lookup(&server, ""), "other", LONG).await, "missing");
}

#[tokio::test]
async fn all_who_wait_share_one_read() {
    let server = server(Ok(Some(seen(2, "late"))), Duration::from_millis(50));
    let lookup = lookup(&server, "");
    let waiting = (0..50).map(|_| role_of(&lookup, "app", LONG));
    for role in futures::future::join_all(waiting).await {
        assert_eq!(role, "late");
    }
    assert_eq!(server.asked.load(SeqCst), 1);
}

#[tokio::test]
async fn a_reader_who_gives_up_does_not_end_the_read_for_others() {
    let server = server(Ok(Some(seen(2, "late"))), Duration::from_millis(100));
    let lookup = lookup(&server, "");
    let given_up = timeout(Duration::from_millis(10), role_of(&lookup, "app", LONG));
    assert!(given_up.await.is_err());
    assert_eq!(role_of(&lookup, "app", LONG).await, "late");
    assert_eq!(server.asked.load(SeqCst), 1);
}

#[tokio::test]
async fn a_broken_or_slow_server_is_a_fault() {
    let broken = server(Err(LookupError::Failed), Duration::ZERO);
    assert_eq!(role_of(&lookup(&broken, ""), "app", LONG).await, "Failed");
    let slow = server(Ok(None), Duration::from_secs(60));
    let patience = Duration::from_millis(50);
    assert_eq!(role_of(&lookup(&slow, ""), "app", patience).await, "TooSlow");
}

#[tokio::test]
async fn the_watch_may_tell_before_the_live_read() {
    let server = server(Ok(None), Duration::from_secs(60));
    let lookup = lookup(&server, "");
    let waiting = tokio::spawn({
        let lookup = Arc::clone(&lookup);
        async move { role_of(&lookup, "other", LONG).await }
    });
    while server.asked.load(SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    lookup.cache.change(|cache| cache.apply(account("other"), &seen(2, "watched")));
    assert_eq!(waiting.await.unwrap(), "watched");
}

#[tokio::test]
async fn over_the_budget_the_cache_is_believed_and_what_it_lacks_is_a_fault() {
    let server = server(Ok(None), Duration::ZERO);
    let lookup = lookup(&server, "");
    lookup.exhaust_budget();
    let patience = Duration::from_millis(50);
    assert_eq!(role_of(&lookup, "app", patience).await, "no role");
    assert_eq!(role_of(&lookup, "other", patience).await, "Busy");
    assert_eq!(server.asked.load(SeqCst), 0);
}

/// Two hundred ServiceAccounts that exist without a role are given one each, and the pod of each
/// follows at once. The watch tells of none of it.
#[tokio::test(start_paused = true)]
async fn two_hundred_roles_and_pods_in_one_second_are_served_while_the_watch_is_late() {
    let server = server(Ok(None), Duration::from_millis(20));
    let names: Vec<String> = (0..200).map(|index| format!("app-{index}")).collect();
    let cache = SharedCache::default();
    cache.change(|cache| {
        cache.begin_list();
        names.iter().for_each(|name| cache.list(account(name), &seen(1, "")));
        cache.end_list();
    });
    for name in &names {
        lock(&server.there).insert(account(name), seen(1, ""));
    }
    let lookup = Lookup::new(cache, server.clone(), Metrics::default());
    let pods = names.iter().enumerate().map(|(index, name)| {
        let (server, lookup) = (&server, &lookup);
        async move {
            sleep(Duration::from_millis(u64::try_from(index).unwrap() * 3)).await;
            lock(&server.there).insert(account(name), seen(2, name));
            role_of(lookup, name, Duration::from_millis(1500)).await
        }
    });
    let roles = futures::future::join_all(pods).await;
    assert_eq!(roles, names);
    let (asked, listed) = (server.asked.load(SeqCst), server.listed.load(SeqCst));
    assert!(asked <= 60 && listed <= 40, "{asked} reads and {listed} lists");
}

#[tokio::test(start_paused = true)]
async fn a_crowd_costs_one_list_and_those_who_come_later_another() {
    let server = server(Ok(None), Duration::from_millis(30));
    let lookup = lookup(&server, "");
    let names: Vec<String> = (0..100).map(|index| format!("app-{index}")).collect();
    for name in &names {
        lock(&server.there).insert(account(name), seen(2, name));
    }
    let all = names.iter().map(|name| role_of(&lookup, name, LONG));
    assert_eq!(futures::future::join_all(all).await, names);
    assert_eq!((server.asked.load(SeqCst), server.listed.load(SeqCst)), (8, 1));
    assert_eq!(role_of(&lookup, "nobody", LONG).await, "missing");
}

/// Whoever asks while a list is under way may have been changed since it began.
#[tokio::test(start_paused = true)]
async fn a_list_that_is_under_way_does_not_answer_who_asks_later() {
    let server = server(Ok(None), Duration::from_millis(30));
    let lookup = lookup(&server, "");
    let names: Vec<String> = (0..20).map(|index| format!("app-{index}")).collect();
    lock(&server.there).insert(account("late"), seen(1, ""));
    let late = async {
        while server.listed.load(SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        lock(&server.there).insert(account("late"), seen(2, "late"));
        role_of(&lookup, "late", LONG).await
    };
    let all = futures::future::join_all(names.iter().map(|name| role_of(&lookup, name, LONG)));
    let (late, _) = tokio::join!(late, all);
    assert_eq!(late, "late");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_fails_is_a_fault_for_all_who_wait() {
    let server = server(Err(LookupError::Failed), Duration::ZERO);
    let lookup = lookup(&server, "");
    let names: Vec<String> = (0..50).map(|index| format!("app-{index}")).collect();
    let all = names.iter().map(|name| role_of(&lookup, name, LONG));
    let told = futures::future::join_all(all).await;
    assert!(told.iter().all(|told| told == "Failed"), "{told:?}");
}
