//! Secrets: as files, as variables, for some containers, and rejected.

use super::*;

const KEY: &str = "secret.podrole.io/db";

/// A ServiceAccount without a role that asks for one Secret.
fn asks(value: &str) -> Binding {
    bind(&[(KEY.to_owned(), value.to_owned())].into_iter().collect())
}

fn mounts(container: &Value) -> Vec<(&str, &str)> {
    let mounts = container["volumeMounts"].as_array().into_iter().flatten();
    mounts.map(|it| (it["mountPath"].as_str().unwrap(), it["name"].as_str().unwrap())).collect()
}

fn settings() -> Settings {
    Settings::default()
}

/// The patched pod of a binding without a role: a second pass adds nothing.
fn given(before: &Value, binding: &Binding) -> Value {
    let outcome = decide(before, binding, &settings());
    assert!(matches!(outcome, Outcome::Patch { .. }), "{outcome:?}");
    assert_eq!(warnings(&outcome), Vec::<&str>::new());
    let patched = after(before, &outcome);
    let again = decide(&patched, binding, &settings());
    assert_eq!(again, Outcome::skip(Reason::NoRole));
    patched
}

#[test]
fn a_path_becomes_a_read_only_mount_of_a_required_secret() {
    let patched = given(&pod(&json!([web()])), &asks("/etc/db"));
    let volume = &patched["spec"]["volumes"][0];
    assert_eq!(volume["secret"], json!({"secretName": "db"}));
    let name = volume["name"].as_str().unwrap();
    assert!(name.starts_with("podrole-secret-") && name.len() == 31, "{name}");
    let mount = json!([{"name": name, "readOnly": true, "mountPath": "/etc/db"}]);
    assert_eq!(patched["spec"]["containers"][0]["volumeMounts"], mount);
}

#[test]
fn an_object_sets_every_field_beside_an_identity() {
    let binding = role(&json!({KEY: r#"{"secretName":"db.v2","mountPath":"/etc/db","env":"DB_",
        "optional":true,"mode":"0440","items":[{"key":"{pod.name}","path":"{pod.namespace}/key"}]}"#}));
    let patched = patched(&pod(&json!([web()])), &binding, &settings());
    let secret = json!({"secretName": "db.v2", "items": [{"key": "p", "path": "shop/key"}],
        "defaultMode": 0o440, "optional": true});
    assert_eq!(patched["spec"]["volumes"][0], irsa_volume(86_400));
    assert_eq!(patched["spec"]["volumes"][1]["secret"], secret);
    let container = &patched["spec"]["containers"][0];
    let from = json!([{"prefix": "DB_", "secretRef": {"name": "db.v2", "optional": true}}]);
    assert_eq!(container["envFrom"], from);
    assert_eq!(container["env"], json!(irsa_pair()));
    assert_eq!(mounts(container).len(), 2);
}

#[test]
fn variables_alone_need_no_volume() {
    let mut before = pod(&json!([web()]));
    before["metadata"]["annotations"] = json!({KEY: r#"{"env":""}"#});
    let patched = given(&before, &asks(""));
    assert_eq!(patched["spec"]["volumes"], Value::Null);
    let from = json!([{"secretRef": {"name": "db"}}]);
    assert_eq!(patched["spec"]["containers"][0]["envFrom"], from);
}

#[test]
fn secrets_go_to_the_listed_containers_that_are_not_skipped() {
    let mut before = pod(&json!([{"name": "a"}, {"name": "b"}]));
    before["spec"]["initContainers"] = json!([{"name": "i"}]);
    let of = |patched: &Value| {
        let spec = &patched["spec"];
        let all = [&spec["containers"][0], &spec["containers"][1], &spec["initContainers"][0]];
        all.map(|container| mounts(container).len())
    };
    assert_eq!(of(&given(&before, &asks("/etc/db"))), [1, 1, 1]);
    let chosen = r#"{"mountPath":"/etc/db","containers":["b","i"]}"#;
    assert_eq!(of(&given(&before, &asks(chosen))), [0, 1, 1]);
    before["metadata"]["annotations"] = json!({"eks.amazonaws.com/skip-containers": "b"});
    assert_eq!(of(&given(&before, &asks(chosen))), [0, 0, 1]);
}

#[test]
fn the_pods_annotation_overrides_the_service_accounts() {
    let mut before = pod(&json!([web()]));
    before["metadata"]["annotations"] = json!({KEY: "/srv/db", "secret.podrole.io/mq": "/etc/mq"});
    let patched = given(&before, &asks("/etc/db"));
    let paths: Vec<_> =
        mounts(&patched["spec"]["containers"][0]).into_iter().map(|m| m.0).collect();
    assert_eq!(paths, ["/srv/db", "/etc/mq"]);
    before["metadata"]["annotations"] = json!({KEY: ""});
    assert_eq!(decide(&before, &asks("/etc/db"), &settings()), Outcome::skip(Reason::NoRole));
}

#[test]
fn equal_secrets_share_a_volume() {
    let twice = r#"[{"mountPath":"/a"},{"mountPath":"/b"},{"mountPath":"/c","optional":true}]"#;
    let patched = given(&pod(&json!([web()])), &asks(twice));
    assert_eq!(patched["spec"]["volumes"].as_array().unwrap().len(), 2);
    let container = &patched["spec"]["containers"][0];
    let mounts = mounts(container);
    assert_eq!(mounts[0].1, mounts[1].1);
    assert_ne!(mounts[0].1, mounts[2].1);
}

/// Asserts that the pod is not changed and that the warning contains `word`.
fn rejected(before: &Value, binding: &Binding, word: &str) {
    let outcome = decide(before, binding, &settings());
    let warnings = warnings(&outcome);
    assert_eq!(warnings.len(), 1, "{outcome:?}");
    assert!(warnings[0].contains(word), "{warnings:?}");
    assert_eq!(after(before, &outcome), *before);
}

#[test]
fn an_existing_mount_is_not_covered() {
    for (there, path) in
        [("/etc/db", "/etc/db"), ("/etc/db/", "/etc//db"), ("/etc/db/x", "/etc/db")]
    {
        let container = json!({"name": "web", "volumeMounts": [{"name": "v", "mountPath": there}]});
        rejected(&pod(&json!([container])), &asks(path), KEY);
    }
    let beside = json!({"name": "web", "volumeMounts": [{"name": "v", "mountPath": "/etc/dbx"}]});
    given(&pod(&json!([beside])), &asks("/etc/db"));
    // The token's mount counts as well, although it is added in the same pass.
    let mut before = pod(&json!([web()]));
    before["metadata"]["annotations"] = json!({KEY: "/var/run/secrets"});
    let outcome = decide(&before, &role(&json!({})), &settings());
    assert!(warnings(&outcome)[0].contains("would cover another mount"), "{outcome:?}");
    let patched = after(&before, &outcome);
    assert_eq!(patched["spec"]["containers"][0], with_irsa(web()));
}

#[test]
fn two_secrets_do_not_share_a_path_nor_nest() {
    for (first, second) in
        [("/etc/db", "/etc/db"), ("/etc/db", "/etc/db/x"), ("/etc/db/x", "/etc/db")]
    {
        let annotations = [("secret.podrole.io/a", first), ("secret.podrole.io/b", second)];
        let annotations = annotations.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let outcome = decide(&pod(&json!([web()])), &bind(&annotations.into()), &settings());
        assert!(warnings(&outcome)[0].contains("secret.podrole.io/b"), "{outcome:?}");
        let patched = after(&pod(&json!([web()])), &outcome);
        assert_eq!(mounts(&patched["spec"]["containers"][0]).len(), 1);
        assert_eq!(patched["spec"]["volumes"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn an_invalid_value_is_a_warning_even_if_nothing_is_injected() {
    rejected(&pod(&json!([web()])), &asks("etc/db"), KEY);
    rejected(&pod(&json!([web()])), &asks("/etc/../db"), KEY);
}

#[test]
fn a_service_account_that_enforces_mountable_secrets_gets_none() {
    let annotations = [(KEY, "/etc/db"), ("kubernetes.io/enforce-mountable-secrets", "true")];
    let annotations = annotations.map(|(key, value)| (key.to_owned(), value.to_owned()));
    rejected(&pod(&json!([web()])), &bind(&annotations.into()), "enforces mountable secrets");
}

#[test]
fn another_volume_with_our_name_is_not_used() {
    let name = given(&pod(&json!([web()])), &asks("/etc/db"))["spec"]["volumes"][0]["name"].clone();
    let mut before = pod(&json!([web()]));
    before["spec"]["volumes"] = json!([{"name": name, "secret": {"secretName": "other"}}]);
    rejected(&before, &asks("/etc/db"), KEY);
}

#[test]
fn a_generated_name_is_possible_in_a_sub_path_only() {
    let mut before = pod(&json!([web()]));
    before["metadata"] = json!({"generateName": "app-"});
    let sub_path = r#"{"mountPath":"/etc/db","subPath":"$x/{pod.namespace}/{pod.name}"}"#;
    let patched = given(&before, &asks(sub_path));
    let container = &patched["spec"]["containers"][0];
    let mount = &container["volumeMounts"][0];
    assert_eq!(mount["subPathExpr"], "$$x/shop/$(PODROLE_POD_NAME)");
    assert_eq!(container["env"][0]["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name");
    for value in [
        "/etc/{pod.name}",
        r#"{"mountPath":"/etc/db","items":[{"key":"{pod.name}","path":"a"}]}"#,
        r#"{"mountPath":"/etc/db","items":[{"key":"a","path":"{pod.name}"}]}"#,
    ] {
        rejected(&before, &asks(value), KEY);
    }
    let named = given(&pod(&json!([web()])), &asks(sub_path));
    assert_eq!(named["spec"]["containers"][0]["volumeMounts"][0]["subPath"], "$x/shop/p");
}

#[test]
fn known_placeholders_are_filled_in() {
    let value = r#"{"mountPath":"/etc/{serviceaccount.name}/{pod.name}",
        "items":[{"key":"{pod.namespace}-{serviceaccount.name}","path":"{pod.name}"}]}"#;
    let patched = given(&pod(&json!([web()])), &asks(value));
    let items = &patched["spec"]["volumes"][0]["secret"]["items"];
    assert_eq!(*items, json!([{"key": "shop-app", "path": "p"}]));
    assert_eq!(mounts(&patched["spec"]["containers"][0])[0].0, "/etc/app/p");
}
