//! The warnings about changes that running pods do not get.

use podrole_identity::{Patterns, RawObject};
use podrole_runtime::latest::Latest;
use serde_json::json;

use super::*;
use crate::{
    DEFAULT_PATIENCE, InMemory, Metrics, Webhook, sources::ConfiguredSources,
    validate::tests::review, validate_bytes,
};

const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const RESTART: &str =
    "podrole: running pods keep what they have; kubectl rollout restart deployment NAME -n shop";

/// The warnings about an update, from the metadata before and now.
async fn warnings_of(webhook: &Webhook<InMemory>, old: &Value, new: &Value) -> Vec<String> {
    let object = |metadata: &Value| {
        let mut metadata = metadata.clone();
        metadata["name"] = json!("app");
        json!({"metadata": metadata})
    };
    let mut review = review("", "ServiceAccount", &object(new));
    review["request"]["operation"] = json!("UPDATE");
    review["request"]["oldObject"] = object(old);
    let body = review.to_string();
    let answer = validate_bytes(webhook, DEFAULT_PATIENCE, body.as_bytes()).await.unwrap();
    answer.response.warnings
}

async fn warnings_for_update(old: &Value, new: &Value) -> Vec<String> {
    let webhook = Webhook::new(InMemory::default(), Settings::default(), Metrics::default());
    warnings_of(&webhook, &json!({"annotations": old}), &json!({"annotations": new})).await
}

#[tokio::test]
async fn a_change_that_running_pods_do_not_get_is_reported_with_how_to_restart() {
    let role = json!({"eks.amazonaws.com/role-arn": ROLE});
    let with = |key: &str, value: &str| {
        let mut annotations = role.clone();
        annotations[key] = json!(value);
        annotations
    };
    let container = with("podrole.io/credentials", "container");
    let mut other = container.clone();
    other["eks.amazonaws.com/role-arn"] = json!(ROLE.replace("app", "other"));
    for (old, new, warned) in [
        (json!(null), role.clone(), true),
        (json!({}), container.clone(), true),
        (role.clone(), json!({}), true),
        (role.clone(), json!({"eks.amazonaws.com/role-arn": ROLE.replace("app", "other")}), true),
        (role.clone(), container.clone(), true),
        (role.clone(), with("podrole.io/region", "eu-west-1"), true),
        (role.clone(), with("secret.podrole.io/db", "/etc/db"), true),
        (role.clone(), with("team", "shop"), false),
        (role.clone(), role.clone(), false),
        (json!({}), json!({"team": "shop"}), false),
        // The agent looks the role up at each request.
        (container.clone(), other, false),
    ] {
        let warnings = warnings_for_update(&old, &new).await;
        let expected: &[&str] = if warned { &[RESTART] } else { &[] };
        assert_eq!(warnings, expected, "{old} -> {new}");
    }
    let problem = json!({"eks.amazonaws.com/role-arn": "app"});
    let warnings = warnings_for_update(&json!({}), &problem).await;
    assert!(warnings.len() == 1 && warnings[0].contains("not an ARN"), "{warnings:?}");
}

#[tokio::test]
async fn a_namespace_that_opts_in_later_is_notified_of_its_running_pods() {
    let object = |labels: &Value| json!({"metadata": {"name": "shop", "labels": labels}});
    for (old, new, warned) in [
        (json!(null), json!({"podrole.io/injection": "enabled"}), true),
        (
            json!({"podrole.io/injection": "disabled"}),
            json!({"podrole.io/injection": "required"}),
            true,
        ),
        (
            json!({"podrole.io/injection": "enabled"}),
            json!({"podrole.io/injection": "required"}),
            false,
        ),
        (json!({"podrole.io/injection": "enabled"}), json!({}), false),
    ] {
        let mut review = review("", "Namespace", &object(&new));
        review["request"]["oldObject"] = object(&old);
        let webhook = Webhook::new(InMemory::default(), Settings::default(), Metrics::default());
        let body = review.to_string();
        let answer = validate_bytes(&webhook, DEFAULT_PATIENCE, body.as_bytes()).await.unwrap();
        let warnings = answer.response.warnings.join("\n");
        assert_eq!(
            warnings.contains("rollout restart deployment NAME -n shop"),
            warned,
            "{new}: {warnings}"
        );
    }
}

/// The labels decide which pattern selects a ServiceAccount.
#[tokio::test]
async fn a_label_that_changes_the_pattern_is_reported() {
    let spec = json!({"namespaces": ["shop"], "roleARN": ROLE,
        "serviceAccountSelector": {"matchLabels": {"tier": "web"}}});
    let object = RawObject { name: "web", created: None, spec: &spec };
    let patterns = Some(Latest::from(Patterns::read([object])));
    let sources = ConfiguredSources { patterns, ..ConfiguredSources::default() };
    let webhook = Webhook::new(InMemory::default(), Settings::default(), Metrics::default())
        .with_sources(sources);
    let (web, other) = (json!({"labels": {"tier": "web"}}), json!({"labels": {"tier": "db"}}));
    let none = json!({});
    for (old, new, warned) in
        [(&none, &web, true), (&web, &none, true), (&web, &web, false), (&none, &other, false)]
    {
        let warnings = warnings_of(&webhook, old, new).await;
        let expected: &[&str] = if warned { &[RESTART] } else { &[] };
        assert_eq!(warnings, expected, "{old} -> {new}");
    }
}
