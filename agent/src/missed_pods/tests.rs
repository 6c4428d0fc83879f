use podrole_identity::MissedReason::{IdentityCameLater, WebhookWasAway};
use tokio::time::advance;

use super::*;
use crate::node::PodProvider;

fn pod(service_account: &str, uid: &str) -> AddedPod {
    AddedPod {
        name: uid.to_owned(),
        uid: uid.to_owned(),
        service_account: service_account.parse().unwrap(),
        provider: PodProvider::Other,
        created: None,
    }
}

fn pods() -> MissedPods {
    MissedPods::new(MissedIntervals::default())
}

/// After how many seconds the next pod is due.
fn due_in(pods: &MissedPods) -> f64 {
    (pods.next_due().unwrap() - Instant::now()).as_secs_f64()
}

fn uids(pods: &[Arc<AddedPod>]) -> BTreeSet<&str> {
    pods.iter().map(|pod| &*pod.uid).collect()
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_judged_at_60_to_90_s_and_then_every_8_to_12_min() {
    for _ in 0..100 {
        let pods = pods();
        pods.insert(&pod("shop/app", "1"), Duration::ZERO, Instant::now());
        pods.judged("1", None, Instant::now());
        assert!((60.0..=90.0).contains(&due_in(&pods)), "{}", due_in(&pods));
        advance(Duration::from_secs(59)).await;
        assert!(pods.due(Instant::now()).is_empty());
        advance(Duration::from_secs(31)).await;
        assert_eq!(uids(&pods.due(Instant::now())), ["1"].into());
        pods.judged("1", None, Instant::now());
        assert!((480.0..=720.0).contains(&due_in(&pods)), "{}", due_in(&pods));
    }
    let old = pods();
    old.insert(&pod("shop/app", "1"), Duration::from_mins(5), Instant::now());
    assert!((480.0..=720.0).contains(&due_in(&old)), "it is judged when it is inserted");
    let young = pods();
    young.insert(&pod("shop/app", "1"), Duration::from_secs(50), Instant::now());
    assert!((10.0..=40.0).contains(&due_in(&young)), "{}", due_in(&young));
}

#[tokio::test(start_paused = true)]
async fn the_pods_of_a_service_account_are_judged_together() {
    let pods = pods();
    for (service_account, uid) in [("shop/app", "1"), ("shop/app", "2"), ("shop/other", "3")] {
        pods.insert(&pod(service_account, uid), Duration::ZERO, Instant::now());
    }
    advance(Duration::from_secs(95)).await;
    pods.insert(&pod("shop/app", "4"), Duration::ZERO, Instant::now());
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        let due = pods.due(Instant::now());
        for pod in &due {
            pods.judged(&pod.uid, None, Instant::now());
        }
        seen.insert(uids(&due).into_iter().map(str::to_owned).collect::<Vec<_>>());
    }
    assert_eq!(seen, [vec!["1".into(), "2".into(), "4".into()], vec!["3".to_owned()]].into());
    assert!(due_in(&pods) <= 90.0, "the newest is judged again when it is a minute old");
}

#[tokio::test(start_paused = true)]
async fn a_failed_judgement_keeps_the_last_one_and_is_tried_again() {
    let pods = pods();
    let pod = pods.insert(&pod("shop/app", "1"), Duration::from_mins(5), Instant::now());
    pods.judged("1", Some(WebhookWasAway), Instant::now());
    pods.failed(&[pod], Instant::now());
    assert!((60.0..=90.0).contains(&due_in(&pods)), "{}", due_in(&pods));
    assert_eq!(pods.counts(false), [((WebhookWasAway, None), 1)].into());
    pods.none_in("other", Instant::now());
    assert_eq!(pods.counts(false).len(), 1, "another namespace");
    advance(Duration::from_mins(1)).await;
    pods.none_in("shop", Instant::now());
    assert!(pods.counts(false).is_empty() && due_in(&pods) > 90.0);
}

#[tokio::test]
async fn a_pod_is_reported_once_and_forgotten_when_it_ends() {
    let pods = pods();
    let one = pod("shop/app", "1");
    pods.insert(&one, Duration::ZERO, Instant::now());
    pods.judged("1", Some(IdentityCameLater), Instant::now());
    assert!(pods.report_once("1") && !pods.report_once("1"));
    pods.insert(&one, Duration::ZERO, Instant::now());
    assert!(!pods.report_once("1"));
    pods.forget("1");
    pods.judged("1", Some(IdentityCameLater), Instant::now());
    assert!(pods.counts(false).is_empty() && pods.next_due().is_none());
}

#[tokio::test]
async fn at_most_1000_pods_are_kept_and_50_namespaces_named() {
    let pods = pods();
    for number in 0..1100 {
        let (account, uid) = (format!("n{:02}/app", number % 100), number.to_string());
        pods.insert(&pod(&account, &uid), Duration::ZERO, Instant::now());
        pods.judged(&uid, Some(WebhookWasAway), Instant::now());
    }
    assert!(pods.report_once("1099"), "it is reported although it is not kept");
    let counts = pods.counts(true);
    assert_eq!(counts.len(), 51);
    let of = |namespace: &str| counts[&(WebhookWasAway, Some(namespace.to_owned()))];
    assert_eq!((of("n00"), of("n49"), of("other")), (10, 10, 500));
    assert_eq!(pods.counts(false), [((WebhookWasAway, None), 1000)].into());
}
