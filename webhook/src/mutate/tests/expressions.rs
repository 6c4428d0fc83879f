//! Values that the kubelet would expand: nothing that an author of an annotation, flag or list
//! writes refers to a variable of the container.

use super::{expression::tests::expand, *};

/// A reference that an attacker would like to see expanded.
const STEAL: &str = "$(DB_PASSWORD)";

/// Asserts that each value which the patch added expands to a text that still has the reference, or
/// that never had it.
fn assert_nothing_leaks(patched: &Value, names: &[&str]) {
    let container = &patched["spec"]["containers"][0];
    for variable in container["env"].as_array().unwrap() {
        let Some(value) = variable["value"].as_str() else { continue };
        let expanded = expand(value);
        assert!(!expanded.contains("<DB_PASSWORD>"), "{variable}");
    }
    for name in names {
        assert!(expand(value(container, name)).contains(STEAL), "{name}");
    }
}

#[test]
fn a_role_in_an_annotation_expands_nothing() {
    let arn = format!("arn:aws:iam::111122223333:role/{STEAL}/app");
    let patched =
        patched(&pod(&json!([web()])), &role(&json!({ROLE_KEY: arn})), &Settings::default());
    assert_nothing_leaks(&patched, &["AWS_ROLE_ARN"]);
    assert_eq!(expand(value(&patched["spec"]["containers"][0], "AWS_ROLE_ARN")), arn);
}

#[test]
fn flags_expand_nothing() {
    let mut settings = Settings {
        region: Some(STEAL.to_owned()),
        endpoint_url: Some(format!("http://evil/{STEAL}")),
        container_full_uri: format!("http://evil/{STEAL}"),
        ..Settings::default()
    };
    settings.web_identity_volume.mount_path = format!("/var/{STEAL}");
    settings.container_volume.mount_path = format!("/var/{STEAL}");
    let shared = ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"];
    let before = pod(&json!([web()]));
    let with_role = patched(&before, &role(&json!({})), &settings);
    assert_nothing_leaks(&with_role, &shared);
    assert_nothing_leaks(&with_role, &["AWS_WEB_IDENTITY_TOKEN_FILE"]);
    let with_agent = patched(&before, &container_provider(), &settings);
    let pair = ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"];
    assert_nothing_leaks(&with_agent, &shared);
    assert_nothing_leaks(&with_agent, &pair);
    // The kubelet does not expand a mount path.
    let mount = &with_agent["spec"]["containers"][0]["volumeMounts"][0]["mountPath"];
    assert_eq!(*mount, format!("/var/{STEAL}"));
}

#[test]
fn a_session_name_refers_to_nothing_but_the_pods_name() {
    let binding = role(&json!({"podrole.io/session-name": "$(DB_PASSWORD)-{pod.name}"}));
    let mut before = pod(&json!([web()]));
    before["metadata"] = json!({"generateName": "a-"});
    let patched = patched(&before, &binding, &Settings::default());
    let name = value(&patched["spec"]["containers"][0], "AWS_ROLE_SESSION_NAME");
    assert_eq!(expand(name), "--DB_PASSWORD--<PODROLE_POD_NAME>");
}

#[test]
fn a_sub_path_refers_to_nothing_but_the_pods_name() {
    let secret = r#"{"mountPath":"/etc/db","subPath":"$(DB_PASSWORD)/{pod.name}"}"#;
    let binding = role(&json!({"secret.podrole.io/db": secret}));
    let mut before = pod(&json!([web()]));
    before["metadata"] = json!({"generateName": "a-"});
    let patched = patched(&before, &binding, &Settings::default());
    let mounts = patched["spec"]["containers"][0]["volumeMounts"].as_array().unwrap();
    let path = mounts.iter().find_map(|mount| mount["subPathExpr"].as_str()).unwrap();
    assert_eq!(expand(path), "$(DB_PASSWORD)/<PODROLE_POD_NAME>");
}

#[test]
fn an_earlier_pass_that_escaped_nothing_is_recognized() {
    let arn = "arn:aws:iam::111122223333:role/a$b/app";
    let mut container = with_irsa(web());
    container["env"][0]["value"] = json!(arn);
    let mut before = pod(&json!([container]));
    before["spec"]["volumes"] = json!([irsa_volume(86_400)]);
    let binding = role(&json!({ROLE_KEY: arn}));
    let outcome = decide(&before, &binding, &Settings::default());
    assert_eq!(outcome, Outcome::skip(Reason::NothingToAdd));
    // What refers to a variable is not what podrole would write, even if the texts are equal.
    let arn = format!("arn:aws:iam::111122223333:role/{STEAL}/app");
    before["spec"]["containers"][0]["env"][0]["value"] = json!(arn);
    let outcome = decide(&before, &role(&json!({ROLE_KEY: arn})), &Settings::default());
    assert!(warnings(&outcome)[0].contains("sets AWS_ROLE_ARN"), "{outcome:?}");
    assert_eq!(after(&before, &outcome), before);
}

#[test]
fn a_debugger_copies_no_reference_of_a_container() {
    let binding = role(&json!({"podrole.io/session-name": "s-{pod.name}"}));
    let mut container = web();
    container["env"] = json!([{"name": "AWS_REGION", "value": STEAL},
        {"name": "AWS_DEFAULT_REGION", "value": "eu-west-1"},
        {"name": "AWS_ENDPOINT_URL", "value": format!("http://evil/{STEAL}")}]);
    let mut stored = patched(&pod(&json!([container])), &binding, &Settings::default());
    let old = stored.clone();
    stored["spec"]["ephemeralContainers"] = json!([{"name": "d"}]);
    let read = |pod: &Value| PodView::read(&pod.to_string()).unwrap();
    let outcome = mutate_ephemeral(&read(&stored), &read(&old));
    let debugger = &after(&stored, &outcome)["spec"]["ephemeralContainers"][0];
    assert_eq!(value(debugger, "AWS_ROLE_SESSION_NAME"), "s-p");
    assert_eq!(value(debugger, "AWS_ROLE_ARN"), ROLE);
    let names = names(debugger);
    assert!(!names.contains(&"AWS_ENDPOINT_URL") && !names.contains(&"AWS_REGION"), "{names:?}");
}
