//! Ephemeral containers.

use super::*;

fn debugger(name: &str) -> Value {
    json!({"name": name, "image": "busybox"})
}

/// `pod` with ephemeral containers, as it is and as it was.
fn debug(pod: &Value, new: &Value, old: &Value) -> (Value, Outcome) {
    let with = |containers: &Value| {
        let mut pod = pod.clone();
        pod["spec"]["ephemeralContainers"] = containers.clone();
        pod
    };
    let (new, old) = (with(new), with(old));
    let read = |pod: &Value| PodView::read(&pod.to_string()).unwrap();
    let outcome = mutate_ephemeral(&read(&new), &read(&old));
    (after(&new, &outcome), outcome)
}

fn injected(binding: &Binding) -> Value {
    patched(&pod(&json!([web()])), binding, &Settings::default())
}

#[test]
fn a_debugger_gets_the_identity_of_the_pods_containers() {
    for binding in [role(&json!({"podrole.io/region": "eu-north-1"})), container_provider()] {
        let before = injected(&binding);
        let (patched, _) = debug(&before, &json!([debugger("d")]), &json!([]));
        let (container, web) =
            (&patched["spec"]["ephemeralContainers"][0], &before["spec"]["containers"][0]);
        assert_eq!(container["env"], web["env"]);
        assert_eq!(container["volumeMounts"], web["volumeMounts"]);
        assert_eq!(patched["spec"]["containers"], before["spec"]["containers"]);
    }
}

#[test]
fn only_new_ones_change_wherever_they_are_in_the_list() {
    let before = injected(&role(&json!({})));
    let old = json!([debugger("missed")]);
    let new = json!([debugger("new"), debugger("missed")]);
    let (patched, outcome) = debug(&before, &new, &old);
    assert_eq!(outcome.reason(), Reason::Injected);
    let containers = &patched["spec"]["ephemeralContainers"];
    assert_eq!(names(&containers[0]).len(), 2);
    assert_eq!(containers[1], debugger("missed"));
    let (_, again) = debug(&before, &old, &old);
    assert_eq!(again, Outcome::skip(Reason::NoRole));
}

#[test]
fn without_an_identity_or_its_volume_a_debugger_gets_nothing() {
    let (_, outcome) = debug(&pod(&json!([web()])), &json!([debugger("d")]), &json!([]));
    assert_eq!(outcome, Outcome::skip(Reason::NoRole));
    let mut lost = injected(&role(&json!({})));
    lost["spec"]["volumes"] = json!([]);
    let (_, outcome) = debug(&lost, &json!([debugger("d")]), &json!([]));
    assert_eq!(outcome, Outcome::skip(Reason::NoRole));
}

#[test]
fn the_target_containers_identity_is_copied() {
    let mut before =
        pod(&json!([with_irsa(json!({"name": "a"})), with_irsa(json!({"name": "b"}))]));
    before["spec"]["volumes"] = json!([irsa_volume(86_400)]);
    let other = "arn:aws:iam::111122223333:role/other";
    before["spec"]["containers"][1]["env"][0]["value"] = json!(other);
    let mut debugger = debugger("d");
    debugger["targetContainerName"] = json!("b");
    let (patched, _) = debug(&before, &json!([debugger]), &json!([]));
    assert_eq!(value(&patched["spec"]["ephemeralContainers"][0], "AWS_ROLE_ARN"), other);
}

#[test]
fn a_debuggers_own_credentials_are_kept() {
    let before = injected(&role(&json!({})));
    let own = json!({"name": "d", "env": [{"name": "AWS_PROFILE", "value": "x"}]});
    let (patched, outcome) = debug(&before, &json!([own]), &json!([]));
    let debugger = &patched["spec"]["ephemeralContainers"][0];
    assert_eq!(debugger["env"], own["env"]);
    assert_eq!(debugger["volumeMounts"], json!([irsa_mount()]), "a profile may name the token");
    assert_eq!((outcome.reason(), warnings(&outcome).len()), (Reason::Injected, 1));
}

#[test]
fn secrets_are_copied_except_sub_paths() {
    let binding = role(&json!({"secret.podrole.io/db": "/etc/db",
        "secret.podrole.io/part": r#"{"mountPath":"/etc/part","subPath":"a"}"#}));
    let (patched, _) = debug(&injected(&binding), &json!([debugger("d")]), &json!([]));
    let mounts = patched["spec"]["ephemeralContainers"][0]["volumeMounts"].as_array().unwrap();
    let paths: Vec<&str> = mounts.iter().map(|it| it["mountPath"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/var/run/secrets/eks.amazonaws.com/serviceaccount", "/etc/db"]);
    assert!(mounts.iter().all(|mount| mount.get("subPath").is_none()));
}

#[test]
fn a_generated_pod_name_is_filled_in() {
    let binding = role(&json!({"podrole.io/session-name": "s-{pod.name}"}));
    let mut before = pod(&json!([web()]));
    before["metadata"] = json!({"generateName": "app-"});
    let mut stored = patched(&before, &binding, &Settings::default());
    stored["metadata"]["name"] = json!("app-x7k2p");
    let (patched, _) = debug(&stored, &json!([debugger("d")]), &json!([]));
    let debugger = &patched["spec"]["ephemeralContainers"][0];
    assert_eq!(value(debugger, "AWS_ROLE_SESSION_NAME"), "s-app-x7k2p");
}

#[test]
fn windows_paths_are_matched_to_the_mount() {
    let mut before = pod(&json!([web()]));
    before["spec"]["os"] = json!({"name": "windows"});
    let stored = patched(&before, &role(&json!({})), &Settings::default());
    let (patched, _) = debug(&stored, &json!([debugger("d")]), &json!([]));
    let debugger = &patched["spec"]["ephemeralContainers"][0];
    assert!(value(debugger, "AWS_WEB_IDENTITY_TOKEN_FILE").starts_with(r"C:\var\run"));
    assert_eq!(debugger["volumeMounts"], json!([irsa_mount()]));
}
