//! Pods that were created without their credential provider: when they are judged again, and what is reported of them.

mod stage;

use std::time::Duration;

use podrole_identity::{
    Association, CredentialProvider, Injection, LabelTimes,
    MissedReason::{IdentityCameLater, OlderThanLabel, WebhookWasAway},
    Patterns, RawObject,
};
use podrole_runtime::latest::Latest;
use serde_json::json;
use tokio::time::sleep;

use super::fixture::{ROLE, at};
use crate::{
    node::PodChange,
    resolve::{AssociationFacts, NamespaceFacts},
};
use stage::{Stage, made};

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn a_pod_whose_identity_comes_later_is_missed_until_it_is_removed() {
    let mut stage = Stage::start();
    stage.send(PodChange::Added(made("app", "1", 0)));
    sleep(MINUTE / 2).await;
    stage.role("app", Some(30));
    sleep(MINUTE / 3).await;
    assert!(stage.missed().is_empty() && stage.reported().is_empty());
    sleep(MINUTE).await;
    assert_eq!(stage.missed(), [(IdentityCameLater, 1)]);
    let reported = stage.reported().concat();
    assert!(reported.contains("changed after the pod; create the pod again"), "{reported}");
    stage.role("app", None);
    sleep(13 * MINUTE).await;
    assert!(stage.missed().is_empty(), "it has no role any more");
    stage.role("app", Some(1000));
    sleep(13 * MINUTE).await;
    assert_eq!(stage.missed(), [(IdentityCameLater, 1)]);
    assert!(stage.reported().is_empty(), "it is reported once");
    stage.agent.pod_gone("1");
    assert!(stage.missed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_agent_saw_to_come_later_counts_if_no_time_is_known() {
    let stage = Stage::start();
    stage.role_of("undated", true, None);
    stage.send(PodChange::Added(made("undated", "2", 0)));
    stage.send(PodChange::Added(made("app", "1", 0)));
    sleep(MINUTE / 2).await;
    stage.role_of("app", true, None);
    sleep(MINUTE + MINUTE / 10).await;
    assert_eq!(stage.missed(), [(IdentityCameLater, 1), (WebhookWasAway, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_look_up_keeps_what_is_known() {
    let stage = Stage::start();
    stage.role("app", Some(-50));
    stage.send(PodChange::Earlier(made("app", "1", -70)));
    sleep(MINUTE).await;
    assert_eq!(stage.missed(), [(IdentityCameLater, 1)]);
    stage.role("app", Some(-80));
    stage.away(true);
    sleep(12 * MINUTE).await;
    stage.look_ups();
    sleep(20 * MINUTE).await;
    let (tried, _) = stage.look_ups();
    assert!((10..=20).contains(&tried), "{tried} in 20 min");
    assert_eq!(stage.missed(), [(IdentityCameLater, 1)]);
    stage.away(false);
    sleep(3 * MINUTE).await;
    assert_eq!(stage.missed(), [(WebhookWasAway, 1)], "it is tried again soon");
}

#[tokio::test(start_paused = true)]
async fn pods_that_no_request_is_about_cost_at_most_three_look_ups_a_second() {
    let stage = Stage::start();
    for number in 0..30 {
        let name = format!("app-{number}");
        stage.role(&name, Some(-400));
        stage.send(PodChange::Earlier(made(&name, &name, -300)));
    }
    sleep(MINUTE).await;
    assert_eq!((stage.missed(), stage.look_ups()), (vec![(WebhookWasAway, 30)], (90, 3)));
    sleep(40 * MINUTE).await;
    let (all, in_a_second) = stage.look_ups();
    assert!((180..=450).contains(&all) && in_a_second == 3, "{all} {in_a_second}");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_away_gets_one_attempt_a_minute() {
    let stage = Stage::start();
    for number in 0..50 {
        let name = format!("app-{number}");
        stage.send(PodChange::Earlier(made(&name, &name, -300)));
    }
    sleep(2 * MINUTE).await;
    stage.away(true);
    sleep(20 * MINUTE).await;
    stage.look_ups();
    sleep(20 * MINUTE).await;
    let (tried, _) = stage.look_ups();
    assert!((19..=21).contains(&tried), "{tried} in 20 min");
}

#[tokio::test(start_paused = true)]
async fn a_new_pod_does_not_wait_for_others() {
    let stage = Stage::start();
    stage.role("app", Some(-400));
    for number in 0..30 {
        stage.send(PodChange::Earlier(made("other", &format!("other-{number}"), -300)));
    }
    sleep(Duration::from_secs(5)).await;
    let before = stage.agent.missed_pods().next_due();
    stage.send(PodChange::Added(made("app", "new", 5)));
    sleep(Duration::from_millis(1)).await;
    assert_ne!(stage.agent.missed_pods().next_due(), before, "it was judged at once");
}

#[tokio::test(start_paused = true)]
async fn pods_of_a_namespace_without_a_label_cost_one_look_up_until_it_has_one() {
    let mut stage = Stage::start();
    stage.label(None);
    for name in ["one", "two", "three"] {
        stage.role(name, Some(-400));
        stage.send(PodChange::Earlier(made(name, name, -300)));
    }
    sleep(MINUTE).await;
    assert_eq!(stage.look_ups().0, 3);
    sleep(59 * MINUTE).await;
    let (looked_up, _) = stage.look_ups();
    assert!((5..=8).contains(&looked_up), "{looked_up}");
    stage.label(Some(3600));
    sleep(13 * MINUTE).await;
    assert_eq!(stage.missed(), [(OlderThanLabel, 3)]);
    let reported = stage.reported();
    assert!(
        reported.len() == 3 && reported[0].contains("older than its namespace's label"),
        "{reported:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_ended_before_its_turn_is_not_judged() {
    let stage = Stage::start();
    stage.role("app", Some(-400));
    let earlier = ["1", "2"].map(|uid| PodChange::Earlier(made("app", uid, -300)));
    earlier.into_iter().for_each(|change| stage.send(change));
    stage.agent.pod_gone("2");
    stage.send(PodChange::Gone("2".to_owned()));
    sleep(MINUTE).await;
    assert_eq!(stage.missed(), [(WebhookWasAway, 1)]);
    stage.send(PodChange::Gone("1".to_owned()));
    sleep(MINUTE).await;
    assert!(stage.missed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_new_pod_is_missed_at_60_to_90_s_whatever_the_nodes_clock_says() {
    for wrong in [-7200, 0, 7200] {
        let stage = Stage::with(wrong, |_| ());
        stage.role("app", Some(-400));
        stage.send(PodChange::Added(made("app", "1", 0)));
        sleep(Duration::from_secs(92)).await;
        assert_eq!(stage.missed(), [(WebhookWasAway, 1)], "{wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_source_says_how_old_it_is() {
    let spec = json!({"namespaces": ["shop"], "serviceAccounts": ["patterned-*"], "roleARN": ROLE});
    let newer = json!({"namespaces": ["shop"], "serviceAccounts": ["newer"], "roleARN": ROLE});
    let raw = |name, second: i64, spec| RawObject { name, created: Some(at(second)), spec };
    let mut stage = Stage::with(0, |options| {
        let patterns = [raw("old", -400, &spec), raw("new", -100, &newer)];
        options.patterns = Latest::from(Patterns::read(patterns));
    });
    for (name, changed) in [("before", -400), ("after", -100)] {
        stage.role(name, None);
        let spec = json!({"namespace": "shop", "serviceAccount": name, "roleARN": ROLE});
        let association = Association::read_object(&format!("shop.{name}"), &spec);
        let facts =
            AssociationFacts { association, version: "1".to_owned(), changed: Some(at(changed)) };
        stage.associations.insert(format!("shop/{name}").parse().unwrap(), facts);
    }
    for (name, why) in [
        ("before", "podrole-webhook was not called when the pod was created; check"),
        ("after", "created or changed after the pod"),
        ("newer", "created or changed after the pod"),
        // The pattern may have been changed since it was created.
        ("patterned-1", "either podrole-webhook was not called"),
    ] {
        stage.role(name, None);
        stage.send(PodChange::Earlier(made(name, name, -300)));
        sleep(Duration::from_secs(5)).await;
        let reported = stage.reported().concat();
        assert!(reported.contains(why), "{name}: {reported}");
    }
    assert_eq!(stage.missed(), [(IdentityCameLater, 2), (WebhookWasAway, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_asks_for_container_credentials_is_as_old_as_both_labels() {
    let stage = Stage::start();
    let asks = |credentials: i64| NamespaceFacts {
        injection: Some(Injection::Enabled),
        credentials: Some(CredentialProvider::Container),
        labelled: LabelTimes { injection: Some(at(-400)), credentials: Some(at(credentials)) },
        ..NamespaceFacts::default()
    };
    for (credentials, reason) in [(-350, WebhookWasAway), (-100, OlderThanLabel)] {
        let uid = credentials.to_string();
        stage.namespaces.insert("shop".to_owned(), asks(credentials));
        stage.send(PodChange::Earlier(made("app", &uid, -300)));
        sleep(Duration::from_secs(5)).await;
        assert_eq!(stage.missed(), [(reason, 1)]);
        stage.agent.pod_gone(&uid);
    }
}
