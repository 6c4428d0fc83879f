//! The rules one by one.

use podrole_identity::{CredentialProvider, TokenExpiration};

use super::*;

fn expiry(pod: &Value) -> &Value {
    &pod["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"]
}

#[test]
fn an_invalid_role_is_a_warning_and_nothing_is_injected() {
    let annotations = [(ROLE_KEY.to_owned(), "my-role".to_owned())].into_iter().collect();
    let before = pod(&json!([web()]));
    let outcome = decide(&before, &bind(&annotations), &Settings::default());
    assert_eq!(outcome.reason(), Reason::Denied("bad_role"));
    let warning = warnings(&outcome)[0];
    assert!(warning.contains(ROLE_KEY) && warning.contains("it is not an ARN"), "{warning}");
    assert_eq!(after(&before, &outcome), before);
}

#[test]
fn each_addition_is_one_operation_at_the_end_of_its_array() {
    let container = json!({"name": "web", "env": [{"name": "A"}], "volumeMounts": []});
    let mut before = pod(&json!([container]));
    before["spec"]["volumes"] = json!([{"name": "data"}]);
    let outcome = decide(&before, &role(&json!({})), &Settings::default());
    let Outcome::Patch { operations, .. } = outcome else {
        panic!("{outcome:?}");
    };
    let [arn, file] = irsa_pair();
    let expected = json!([
        {"op": "add", "path": "/spec/volumes/-", "value": irsa_volume(86_400)},
        {"op": "add", "path": "/spec/containers/0/env/-", "value": arn},
        {"op": "add", "path": "/spec/containers/0/env/-", "value": file},
        {"op": "add", "path": "/spec/containers/0/volumeMounts", "value": [irsa_mount()]},
    ]);
    assert_eq!(json!(operations), expected);
}

#[test]
fn null_and_empty_arrays_are_replaced() {
    let mut before = pod(&json!([{"name": "web", "env": null, "volumeMounts": null}]));
    before["spec"]["volumes"] = Value::Null;
    let patched = patched(&before, &role(&json!({})), &Settings::default());
    assert_eq!(patched["spec"]["containers"][0], with_irsa(json!({"name": "web"})));
    assert_eq!(patched["spec"]["volumes"], json!([irsa_volume(86_400)]));
}

#[test]
fn the_expiry_is_the_pods_then_the_service_accounts_then_the_flags() {
    const KEY: &str = "eks.amazonaws.com/token-expiration";
    let settings =
        Settings { token_expiration: TokenExpiration::clamped(7000), ..Settings::default() };
    let plain = pod(&json!([web()]));
    assert_eq!(expiry(&patched(&plain, &role(&json!({})), &settings)), 7000);
    let binding = role(&json!({KEY: "8000"}));
    assert_eq!(expiry(&patched(&plain, &binding, &settings)), 8000);
    let mut annotated = plain;
    annotated["metadata"]["annotations"] = json!({KEY: "9000"});
    assert_eq!(expiry(&patched(&annotated, &binding, &settings)), 9000);
}

#[test]
fn the_service_accounts_audience_overrides_the_flags() {
    let settings = Settings { audience: "flag".parse().unwrap(), ..Settings::default() };
    let own = role(&json!({"eks.amazonaws.com/audience": "own"}));
    for (binding, audience) in [(role(&json!({})), "flag"), (own, "own")] {
        let patched = patched(&pod(&json!([web()])), &binding, &settings);
        let source = &patched["spec"]["volumes"][0]["projected"]["sources"][0];
        assert_eq!(source["serviceAccountToken"]["audience"], audience);
    }
}

#[test]
fn the_jitter_reaches_the_volume() {
    let view = PodView::read(&pod(&json!([web()])).to_string()).unwrap();
    for (binding, seconds) in [(container_provider(), 79_200), (role(&json!({})), 86_400)] {
        let outcome = mutate(&view, &binding, &Settings::default(), 7200);
        assert_eq!(expiry(&after(&pod(&json!([web()])), &outcome)), seconds);
    }
}

#[test]
fn the_label_is_added_for_the_container_provider_only() {
    let label = json!({"eks.amazonaws.com/pod-identity": "enabled"});
    let settings = Settings::default();
    for metadata in [json!({}), json!({"labels": null}), json!({"labels": {}})] {
        let mut before = pod(&json!([web()]));
        before["metadata"] = metadata.clone();
        let container = patched(&before, &container_provider(), &settings);
        assert_eq!(container["metadata"]["labels"], label);
        let irsa = patched(&before, &role(&json!({})), &settings);
        assert_eq!(irsa["metadata"], metadata);
    }
    let bare = json!({"spec": {"containers": [web()]}});
    let container = patched(&bare, &container_provider(), &settings);
    assert_eq!(container["metadata"]["labels"], label);
}

#[test]
fn a_pod_whose_containers_are_all_skipped_is_not_changed() {
    let skip = json!({"eks.amazonaws.com/skip-containers": "web",
        "podrole.io/credentials": "container"});
    let outcome = decide(&pod(&json!([web()])), &role(&skip), &Settings::default());
    assert_eq!(outcome, Outcome::skip(Reason::NothingToAdd));
}

#[test]
fn skip_and_include_are_read_from_pod_and_service_account() {
    const SKIP: &str = "eks.amazonaws.com/skip-containers";
    const INCLUDE: &str = "podrole.io/include-containers";
    for (on_pod, on_service_account, served) in [
        (json!({SKIP: "a"}), json!({SKIP: " b "}), &["c", "i"][..]),
        (json!({INCLUDE: "a"}), json!({}), &["a"]),
        (json!({INCLUDE: "a,i"}), json!({INCLUDE: "b"}), &["a", "b", "i"]),
        (json!({SKIP: "a"}), json!({INCLUDE: "a,b"}), &["b"]),
    ] {
        let mut before = pod(&json!([{"name": "a"}, {"name": "b"}, {"name": "c"}]));
        before["spec"]["initContainers"] = json!([{"name": "i"}]);
        before["metadata"]["annotations"] = on_pod;
        let patched = patched(&before, &role(&on_service_account), &Settings::default());
        let lists = ["containers", "initContainers"].map(|list| &patched["spec"][list]);
        let all = lists.into_iter().flat_map(|list| list.as_array().unwrap());
        let has_env = all.filter(|container| !names(container).is_empty());
        let names: Vec<_> = has_env.map(|container| container["name"].as_str().unwrap()).collect();
        assert_eq!(names, served);
    }
}

#[test]
fn the_service_accounts_sts_annotation_overrides_the_flag() {
    const KEY: &str = "eks.amazonaws.com/sts-regional-endpoints";
    for (flag, word, regional) in [(false, "true", true), (true, "false", false)] {
        let settings = Settings { sts_regional_endpoints: flag, ..Settings::default() };
        let patched = patched(&pod(&json!([web()])), &role(&json!({KEY: word})), &settings);
        let names = names(&patched["spec"]["containers"][0]);
        assert_eq!(names.contains(&"AWS_STS_REGIONAL_ENDPOINTS"), regional);
    }
}

#[test]
fn variables_that_the_container_has_are_not_added() {
    let settings = Settings {
        sts_regional_endpoints: true,
        endpoint_url: Some("http://sandbox:4566".to_owned()),
        ..Settings::default()
    };
    let patched_pod = patched(&pod(&json!([web()])), &role(&json!({})), &settings);
    let url = value(&patched_pod["spec"]["containers"][0], "AWS_ENDPOINT_URL");
    assert_eq!(url, "http://sandbox:4566");
    let env = json!([{"name": "AWS_STS_REGIONAL_ENDPOINTS", "value": "legacy"},
        {"name": "AWS_ENDPOINT_URL", "value": "http://mine"}]);
    let before = pod(&json!([{"name": "web", "env": env}]));
    let patched = patched(&before, &role(&json!({})), &settings);
    assert_eq!(names(&patched["spec"]["containers"][0]).len(), 4);
}

#[test]
fn proxy_exceptions_are_added_for_the_container_provider_only() {
    let env = json!([{"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
        {"name": "NO_PROXY", "value": "10.0.0.0/8"}]);
    let before = pod(&json!([{"name": "web", "env": env}]));
    for (binding, exceptions) in [
        (container_provider(), "10.0.0.0/8,169.254.170.23,fd00:ec2::23"),
        (role(&json!({})), "10.0.0.0/8"),
    ] {
        let patched = patched(&before, &binding, &Settings::default());
        let container = &patched["spec"]["containers"][0];
        assert_eq!(value(container, "NO_PROXY"), exceptions);
        assert!(!names(container).contains(&"no_proxy"));
    }
}

#[test]
fn the_flag_chooses_the_provider_and_a_container_has_exactly_one() {
    let rules =
        GrantRules { default_provider: CredentialProvider::Container, ..GrantRules::default() };
    let annotations = [(ROLE_KEY.to_owned(), ROLE.to_owned())].into();
    let binding = bind_by(&annotations, &rules);
    let patched = patched(&pod(&json!([web()])), &binding, &Settings::default());
    assert_eq!(patched["spec"]["containers"][0]["env"], json!(container_pair()));
}
