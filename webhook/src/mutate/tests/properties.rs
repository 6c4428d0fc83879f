//! Properties of every pod and its patch.

use proptest::{collection::vec, prelude::*};

use super::*;

fn variable() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("AWS_REGION"),
        Just("AWS_PROFILE"),
        Just("AWS_ROLE_ARN"),
        Just("HTTP_PROXY"),
        Just("NO_PROXY"),
        Just("no_proxy"),
        Just("AWS_STS_REGIONAL_ENDPOINTS"),
        Just("PLAIN"),
        Just("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    ];
    (name, 0..4).prop_map(|(name, form)| match form {
        0 => json!({"name": name, "value": ""}),
        1 => json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
        2 => json!({"name": name}),
        _ => json!({"name": name, "value": "x", "newField": null}),
    })
}

fn mount() -> impl Strategy<Value = Value> {
    let name = prop_oneof![Just("aws-iam-token"), Just("eks-pod-identity-token"), Just("data")];
    let path = prop_oneof![
        Just("/data"),
        Just("/var/run/secrets/eks.amazonaws.com/serviceaccount/"),
        Just("/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"),
    ];
    (name, path).prop_map(|(name, path)| json!({"name": name, "mountPath": path}))
}

fn array(of: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        Just(None),
        Just(Some(Value::Null)),
        vec(of, 0..4).prop_map(|values| Some(json!(values))),
    ]
}

fn container() -> impl Strategy<Value = Value> {
    (array(variable()), array(mount()), "[a-c]").prop_map(|(env, mounts, name)| {
        let mut container = json!({"name": name, "command": [], "stdin": false,
            "resources": {"limits": {"cpu": "1000m"}}, "grpcOfNextYear": {"port": 1}});
        set(&mut container, "env", env);
        set(&mut container, "volumeMounts", mounts);
        container
    })
}

fn volume() -> impl Strategy<Value = Value> {
    let mut container = irsa_volume(3600);
    container["name"] = json!("eks-pod-identity-token");
    prop_oneof![
        Just(json!({"name": "data", "emptyDir": {}})),
        Just(json!({"name": "aws-iam-token", "emptyDir": {}})),
        Just(irsa_volume(3600)),
        Just(container),
    ]
}

fn any_pod() -> impl Strategy<Value = Value> {
    let labels =
        prop_oneof![Just(None), Just(Some(Value::Null)), Just(Some(json!({"a/b~c": "d"})))];
    let inits = array(container());
    (vec(container(), 0..3), inits, array(volume()), labels, any::<bool>()).prop_map(
        |(containers, inits, volumes, labels, windows)| {
            let mut pod = json!({"metadata": {"creationTimestamp": null, "managedFields": []},
                "spec": {"containers": containers, "hostPID": false, "newInKubernetes": [{}]}});
            set(&mut pod["metadata"], "labels", labels);
            set(&mut pod["spec"], "initContainers", inits);
            set(&mut pod["spec"], "volumes", volumes);
            if windows {
                pod["spec"]["os"] = json!({"name": "windows"});
            }
            pod
        },
    )
}

fn set(object: &mut Value, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        object[key] = value;
    }
}

fn any_settings() -> impl Strategy<Value = Settings> {
    (any::<bool>(), any::<bool>()).prop_map(|(sts, region)| Settings {
        sts_regional_endpoints: sts,
        region: region.then(|| "eu-west-1".to_owned()),
        ..Settings::default()
    })
}

/// Removes from a patched pod everything that podrole may add: the original pod must remain.
fn strip(before: &Value, after: &mut Value) {
    if after["metadata"]["labels"] != before["metadata"]["labels"] {
        let labels = after["metadata"]["labels"].as_object_mut().unwrap();
        assert_eq!(labels.remove(EKS_POD_IDENTITY_LABEL), Some(json!("enabled")));
        restore(&before["metadata"], &mut after["metadata"], "labels");
    }
    restore(&before["spec"], &mut after["spec"], "volumes");
    for list in ["containers", "initContainers"] {
        let containers = after["spec"].get_mut(list).and_then(Value::as_array_mut);
        let Some(containers) = containers else {
            continue;
        };
        for (index, container) in containers.iter_mut().enumerate() {
            let was = &before["spec"][list][index];
            exceptions(was, container);
            empty_literals(was, container);
            restore(was, container, "env");
            restore(was, container, "volumeMounts");
        }
    }
}

/// Asserts that the original values are a prefix of the patched ones, and restores them.
fn restore(before: &Value, after: &mut Value, key: &str) {
    if let (Some(was), Some(is)) = (before[key].as_array(), after[key].as_array()) {
        assert!(is.starts_with(was), "{key}: {was:?} became {is:?}");
    }
    match before.get(key) {
        Some(was) => after[key] = was.clone(),
        None => drop(after.as_object_mut().unwrap().remove(key)),
    }
}

/// An empty literal is the only value that a patch may replace.
fn empty_literals(before: &Value, after: &mut Value) {
    let was = before["env"].as_array().into_iter().flatten();
    for (index, was) in was.enumerate() {
        let is_empty = was["value"].as_str().unwrap_or_default().is_empty();
        if is_empty && was.get("valueFrom").is_none() {
            assert_eq!(after["env"][index]["name"], was["name"]);
            after["env"][index] = was.clone();
        }
    }
}

/// The value of `NO_PROXY` is the only one that a patch may extend.
fn exceptions(before: &Value, after: &mut Value) {
    let was = before["env"].as_array().into_iter().flatten();
    for (index, was) in was.enumerate() {
        let name = was["name"].as_str().unwrap();
        let is = &mut after["env"][index];
        if name.eq_ignore_ascii_case("no_proxy") && is != was {
            let grown = is["value"].as_str().unwrap();
            assert!(grown.starts_with(was["value"].as_str().unwrap_or_default()));
            *is = was.clone();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_second_pass_adds_nothing_and_only_our_fields_are_added(
        before in any_pod(), settings in any_settings(), container in any::<bool>(), jitter: u64,
    ) {
        let binding = if container { container_provider() } else { role(&json!({})) };
        let read = |pod: &Value| PodView::read(&pod.to_string()).unwrap();
        let view = read(&before);
        let outcome = mutate(&view, &binding, &settings, jitter);
        missed::assert_agrees(&before, &view, &binding, &outcome, &settings);
        let once = after(&before, &outcome);
        let again = mutate(&read(&once), &binding, &settings, jitter.wrapping_add(1));
        prop_assert!(matches!(again, Outcome::Skip { .. }), "{:?}", again);
        let mut stripped = once;
        strip(&before, &mut stripped);
        prop_assert_eq!(stripped, before);
    }
}
