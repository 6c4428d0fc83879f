//! Look-ups against a cluster that is late, slow, broken or asked too much.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use podrole_identity::{AnnotationPrefix, Annotations};

use super::*;

const LONG: Duration = Duration::from_secs(20);

/// An API server that answers after a while, and counts.
#[derive(Clone)]
struct Server {
    answer: Result<Option<Seen>, LookupFault>,
    after: Duration,
    asked: Arc<AtomicUsize>,
}

impl Live for Server {
    async fn read(&self, _account: &ServiceAccountRef) -> Result<Option<Seen>, LookupFault> {
        self.asked.fetch_add(1, SeqCst);
        sleep(self.after).await;
        self.answer.clone()
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

fn server(answer: Result<Option<Seen>, LookupFault>, after: Duration) -> Server {
    Server { answer, after, asked: Arc::default() }
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
    match lookup.find(&account(name), patience).await {
        Ok(None) => "missing".to_owned(),
        Ok(Some(said)) => match said.role {
            Some(role) => role.name().to_owned(),
            None => "no role".to_owned(),
        },
        Err(fault) => format!("{fault:?}"),
    }
}

#[tokio::test]
async fn a_role_in_the_cache_needs_no_live_read() {
    let server = server(Err(LookupFault::Failed), Duration::ZERO);
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
    let broken = server(Err(LookupFault::Failed), Duration::ZERO);
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
    let none = Duration::ZERO;
    while lock(&lookup.shared.budget).take(Instant::now() + LONG, none).is_some() {}
    let patience = Duration::from_millis(50);
    assert_eq!(role_of(&lookup, "app", patience).await, "missing");
    assert_eq!(role_of(&lookup, "other", patience).await, "Busy");
    assert_eq!(server.asked.load(SeqCst), 0);
}

#[tokio::test]
async fn two_hundred_at_once_are_all_served_when_the_watch_is_late() {
    let server = server(Ok(Some(seen(2, "live"))), Duration::from_millis(5));
    let lookup = lookup(&server, "");
    let names: Vec<String> = (0..200).map(|index| format!("app-{index}")).collect();
    let telling = async {
        sleep(Duration::from_millis(300)).await;
        for name in &names {
            lookup.cache.change(|cache| cache.apply(account(name), &seen(2, "watched")));
        }
    };
    let waiting = names.iter().map(|name| role_of(&lookup, name, Duration::from_secs(5)));
    let (roles, ()) = tokio::join!(futures::future::join_all(waiting), telling);
    assert!(roles.iter().all(|role| role == "live" || role == "watched"), "{roles:?}");
    assert!(server.asked.load(SeqCst) <= 100);
}
