//! Variables that opt-in annotations add beside the identity.

use super::*;

fn container(patched: &Value) -> &Value {
    &patched["spec"]["containers"][0]
}

#[test]
fn each_opt_in_is_a_variable_and_a_containers_own_is_kept() {
    let binding = role(&json!({
        "podrole.io/region": "eu-north-1",
        "podrole.io/endpoint-url": "http://sandbox.podrole.svc:4566",
        "podrole.io/disable-imds": "true",
        "podrole.io/session-name": "{pod.namespace}.{pod.name}",
    }));
    let settings = Settings { region: Some("eu-west-1".to_owned()), ..Settings::default() };
    let patched_pod = patched(&pod(&json!([web()])), &binding, &settings);
    for (name, expected) in [
        ("AWS_REGION", "eu-north-1"),
        ("AWS_DEFAULT_REGION", "eu-north-1"),
        ("AWS_ENDPOINT_URL", "http://sandbox.podrole.svc:4566"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_ROLE_SESSION_NAME", "shop.p"),
    ] {
        assert_eq!(value(container(&patched_pod), name), expected, "{name}");
        let own = json!([{"name": "web", "env": [{"name": name, "value": "own"}]}]);
        let patched = patched(&pod(&own), &binding, &settings);
        assert_eq!(value(container(&patched), name), "own");
    }
}

#[test]
fn the_administrators_session_name_is_the_default_of_web_identity() {
    let template = Some("{pod.namespace}.{serviceaccount.name}".parse().unwrap());
    let settings = Settings { session_name: template, ..Settings::default() };
    let before = pod(&json!([web()]));
    let patched_pod = patched(&before, &role(&json!({})), &settings);
    assert_eq!(value(container(&patched_pod), "AWS_ROLE_SESSION_NAME"), "shop.app");
    let annotated = role(&json!({"podrole.io/session-name": "own-{pod.name}"}));
    let patched_pod = patched(&before, &annotated, &settings);
    assert_eq!(value(container(&patched_pod), "AWS_ROLE_SESSION_NAME"), "own-p");
    let patched_pod = patched(&before, &container_provider(), &settings);
    assert_eq!(container(&patched_pod)["env"], json!(container_pair()));
}

#[test]
fn a_session_name_without_the_pods_is_cut_and_never_left_out() {
    let mut before = pod(&json!([web()]));
    before["metadata"] = json!({"generateName": "a".repeat(58)});
    let binding = role(&json!({"podrole.io/session-name": "x".repeat(99)}));
    let patched_pod = patched(&before, &binding, &Settings::default());
    assert_eq!(value(container(&patched_pod), "AWS_ROLE_SESSION_NAME"), "x".repeat(64));
}

#[test]
fn one_warning_names_all_containers_that_it_is_about() {
    let from = json!([{"configMapRef": {"name": "vars"}}]);
    let before = pod(&json!([
        {"name": "web", "envFrom": from}, {"name": "worker", "envFrom": from}, {"name": "logs"}]));
    let settings = Settings { region: Some("eu-west-1".to_owned()), ..Settings::default() };
    let outcome = decide(&before, &role(&json!({})), &settings);
    let warnings = warnings(&outcome);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].ends_with(", in containers web, worker"), "{warnings:?}");
    let again = decide(&after(&before, &outcome), &role(&json!({})), &settings);
    assert_eq!(again, Outcome::skip(Reason::NothingToAdd));
}

#[test]
fn the_pods_annotations_override_the_service_accounts() {
    let binding =
        role(&json!({"podrole.io/region": "eu-north-1", "podrole.io/disable-imds": "true"}));
    let mut before = pod(&json!([web()]));
    before["metadata"]["annotations"] =
        json!({"podrole.io/region": "us-east-1", "podrole.io/disable-imds": "false"});
    let patched = patched(&before, &binding, &Settings::default());
    assert_eq!(value(container(&patched), "AWS_REGION"), "us-east-1");
    assert!(!names(container(&patched)).contains(&"AWS_EC2_METADATA_DISABLED"));
}

#[test]
fn only_web_identity_has_a_session_name() {
    let binding = role(&json!({"podrole.io/session-name": "{pod.namespace}",
        "podrole.io/credentials": "container"}));
    let patched = patched(&pod(&json!([web()])), &binding, &Settings::default());
    assert_eq!(container(&patched)["env"], json!(container_pair()));
}

#[test]
fn the_kubelet_fills_in_a_generated_name_if_it_fits() {
    let generated = |base: &str| {
        let mut before = pod(&json!([web()]));
        before["metadata"] = json!({"generateName": base});
        before
    };
    let binding = role(&json!({"podrole.io/session-name": "{pod.namespace}.{pod.name}"}));
    let patched_pod = patched(&generated("app-"), &binding, &Settings::default());
    let from = json!({"name": "PODROLE_POD_NAME",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
    let all = names(container(&patched_pod));
    let at = |name: &str| all.iter().position(|one| *one == name).unwrap();
    assert_eq!(container(&patched_pod)["env"][at("PODROLE_POD_NAME")], from);
    assert!(
        at("PODROLE_POD_NAME") < at("AWS_ROLE_SESSION_NAME"),
        "$(NAME) needs an earlier variable"
    );
    let name = value(container(&patched_pod), "AWS_ROLE_SESSION_NAME");
    assert_eq!(name, "shop.$(PODROLE_POD_NAME)");

    let too_long = generated(&"a".repeat(58));
    let outcome = decide(&too_long, &binding, &Settings::default());
    assert!(warnings(&outcome)[0].contains("podrole.io/session-name"), "{outcome:?}");
    let patched = after(&too_long, &outcome);
    assert_eq!(container(&patched)["env"], json!(irsa_pair()));
}

/// The warnings, and the endpoint that the container gets.
fn endpoint(outcome: &Outcome, before: &Value) -> (Vec<String>, Option<String>) {
    let patched = after(before, outcome);
    let env = container(&patched)["env"].as_array().cloned().unwrap_or_default();
    let mut env = env.iter().filter(|variable| variable["name"] == "AWS_ENDPOINT_URL");
    let url = env.next().and_then(|variable| variable["value"].as_str()).map(str::to_owned);
    (warnings(outcome).into_iter().map(str::to_owned).collect(), url)
}

#[test]
fn only_permitted_endpoints_reach_containers() {
    const EVIL: &str = "http://sandbox.podrole.svc.evil.example:4566/a";
    const GOOD: &str = "http://sandbox.podrole.svc:4566/a";
    let annotated = |url: &str| {
        let mut before = pod(&json!([web()]));
        before["metadata"]["annotations"] = json!({"podrole.io/endpoint-url": url});
        before
    };
    let asks = |url: &str| role(&json!({"podrole.io/endpoint-url": url}));
    let plain = pod(&json!([web()]));
    let mut settings = Settings {
        permitted_endpoints: endpoints(&["http://sandbox.podrole.svc:4566/*"]),
        ..Settings::default()
    };
    for default in [None, Some("http://default.example")] {
        settings.endpoint_url = default.map(str::to_owned);
        for (binding, before) in [(asks(GOOD), &plain), (role(&json!({})), &annotated(GOOD))] {
            let outcome = decide(before, &binding, &settings);
            assert_eq!(endpoint(&outcome, before), (Vec::new(), Some(GOOD.to_owned())));
        }
        for (binding, before) in [(asks(EVIL), &plain), (role(&json!({})), &annotated(EVIL))] {
            let outcome = decide(before, &binding, &settings);
            let (warnings, url) = endpoint(&outcome, before);
            assert_eq!(url.as_deref(), default);
            let warning = "podrole.io/endpoint-url \"http://sandbox.podrole.svc.evil.example:\
                           ..\": not listed in injection.endpointURLs";
            assert_eq!(warnings, [warning]);
            // It is a warning in `required` namespaces too, as for other values that cannot be used.
            assert_eq!(outcome.clone().required(), outcome);
        }
        // The pod's value is not used, and its ServiceAccount's is, as for other bad values.
        let outcome = decide(&annotated(EVIL), &asks(GOOD), &settings);
        assert_eq!(endpoint(&outcome, &plain).1.as_deref(), Some(GOOD));
    }
}
