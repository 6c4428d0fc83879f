//! Bad input of every kind: every input gets an answer, and nothing panics.
//!
//! Each test tries 256 inputs. A long run, to be left alone for an hour:
//! `PROPTEST_CASES=1000000 cargo test --release -p podrole-webhook --lib fuzz`.

mod targets;

use podrole_identity::{Annotations, Injection};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use crate::{
    DEFAULT_PATIENCE,
    fuzzing::{block_on, webhook},
    review_bytes, validate_bytes,
};

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("metadata".to_owned()),
        Just("annotations".to_owned()),
        Just("spec".to_owned()),
        Just("template".to_owned()),
        Just("containers".to_owned()),
        Just("ephemeralContainers".to_owned()),
        Just("env".to_owned()),
        Just("name".to_owned()),
        Just("serviceAccountName".to_owned()),
        Just("secret.podrole.io/a".to_owned()),
        Just("app".to_owned()),
        "\\PC{0,8}",
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((word(), inner), 0..5).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        any_json().prop_map(|json| json.to_string()),
        Just("arn:aws:iam::111122223333:role/app".to_owned()),
        "/[a-z./{}:]{0,20}",
        "/(usr|etc|lib64|run|app)?/{0,2}(ssl|secrets|ld\\.so\\.preload|db)?",
        "[A-Z]{1,4}_{0,2}|LD_|AWS_".prop_map(|prefix| json!({"env": prefix}).to_string()),
        "arn:aws:iam::111122223333:role/(\\$\\([A-C]\\)){0,2}/?app",
        "https?://[$()a-c./:]{0,12}",
        "[{}a-z.]{0,30}",
    ]
}

fn annotations() -> impl Strategy<Value = Annotations> {
    let key = prop_oneof![
        Just("eks.amazonaws.com/role-arn".to_owned()),
        Just("eks.amazonaws.com/token-expiration".to_owned()),
        Just("eks.amazonaws.com/audience".to_owned()),
        Just("eks.amazonaws.com/skip-containers".to_owned()),
        Just("podrole.io/session-name".to_owned()),
        Just("podrole.io/endpoint-url".to_owned()),
        Just("secret.podrole.io/a".to_owned()),
        Just("secret.podrole.io/".to_owned()),
        "\\PC{0,20}",
    ];
    vec((key, value()), 0..6).prop_map(|pairs| pairs.into_iter().collect())
}

/// How many credential providers a container has.
fn providers(container: &Value) -> usize {
    let env = container["env"].as_array().into_iter().flatten();
    let names: Vec<&str> = env.filter_map(|variable| variable["name"].as_str()).collect();
    let has = |name| usize::from(names.contains(&name));
    has("AWS_ROLE_ARN") + has("AWS_CONTAINER_CREDENTIALS_FULL_URI")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_get_an_answer(body: Vec<u8>) {
        let webhook = webhook(Annotations::new());
        let reviewing = review_bytes(&webhook, Injection::Enabled, DEFAULT_PATIENCE, &body);
        let _ = block_on(reviewing);
        let _ = block_on(validate_bytes(&webhook, DEFAULT_PATIENCE, &body));
    }

    #[test]
    fn every_answer_has_the_requests_uid(
        object in any_json(), old in any_json(), of_service_account in annotations(), uid in "[a-z0-9-]{1,40}",
        form in 0..3_usize, required: bool,
    ) {
        let (operation, part) =
            [("CREATE", ""), ("UPDATE", "ephemeralcontainers"), ("DELETE", "")][form];
        let kind = if required { "Pod" } else { "ServiceAccount" };
        let body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {"uid": uid, "kind": {"group": "", "version": "v1", "kind": kind},
                "operation": operation, "subResource": part, "namespace": "shop",
                "object": object, "oldObject": old}}).to_string();
        let webhook = webhook(of_service_account);
        let injection = if required { Injection::Required } else { Injection::Enabled };
        let reviewing = review_bytes(&webhook, injection, DEFAULT_PATIENCE, body.as_bytes());
        let answer = block_on(reviewing).unwrap();
        prop_assert_eq!(&answer.response.uid, &uid);
        prop_assert!(injection == Injection::Required || answer.response.allowed);
        let checked = block_on(validate_bytes(&webhook, DEFAULT_PATIENCE, body.as_bytes()));
        let response = checked.unwrap().response;
        prop_assert_eq!((&response.uid, response.allowed), (&uid, true));
        prop_assert_eq!(response.patch, None);
    }

    #[test]
    fn no_annotation_of_a_service_account_reaches_variables_or_programs_of_its_pods(
        of_service_account in annotations(), named: bool,
    ) {
        let metadata = if named { json!({"name": "p"}) } else { json!({"generateName": "p-"}) };
        let mut pod = json!({"metadata": metadata, "spec": {"serviceAccountName": "app",
            "containers": [{"name": "a", "env": [{"name": "B", "value": "secret"}]}]}});
        let body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {"uid": "u", "namespace": "shop", "operation": "CREATE", "object": pod,
                "kind": {"group": "", "version": "v1", "kind": "Pod"}}}).to_string();
        let webhook = webhook(of_service_account);
        let reviewing =
            review_bytes(&webhook, Injection::Enabled, DEFAULT_PATIENCE, body.as_bytes());
        let answer = block_on(reviewing).unwrap().response;
        json_patch::patch(&mut pod, &answer.operations().unwrap()).unwrap();
        let container = &pod["spec"]["containers"][0];
        let list = |name: &str| container[name].as_array().cloned().unwrap_or_default();
        for variable in list("env") {
            let value = variable["value"].as_str().unwrap_or_default().replace("$$", "");
            prop_assert!(!value.replace("$(PODROLE_POD_NAME)", "").contains("$("), "{variable}");
        }
        for source in list("envFrom") {
            let prefix = source["prefix"].as_str().unwrap_or_default();
            prop_assert!(prefix.len() > 1 && prefix.ends_with('_'), "{source}");
            prop_assert!(!["LD_", "AWS_", "R_"].contains(&prefix), "{source}");
        }
        for mount in list("volumeMounts") {
            let volume = mount["name"].as_str().unwrap_or_default();
            let path = mount["mountPath"].as_str().unwrap_or_default();
            let parts: Vec<&str> =
                path.split('/').filter(|part| !["", "."].contains(part)).collect();
            let refused = match parts.as_slice() {
                []
                | ["etc" | "run"]
                | ["usr", ..]
                | ["run", "secrets", ..]
                | ["etc", "ssl" | "ld.so.preload", ..] => true,
                [first, ..] => first.starts_with("lib"),
            };
            prop_assert!(!volume.starts_with("podrole-secret-") || !refused, "{mount}");
        }
    }

    #[test]
    fn for_any_annotations_the_patch_applies_and_gives_one_provider_at_most(
        of_service_account in annotations(), own in annotations(), named: bool,
    ) {
        let metadata = if named { json!({"name": "p", "annotations": own}) }
            else { json!({"generateName": "p-", "annotations": own}) };
        let mut pod = json!({"metadata": metadata, "spec": {"serviceAccountName": "app",
            "containers": [{"name": "a"}, {"name": "b", "volumeMounts":
                [{"name": "v", "mountPath": "/etc/x"}]}]}});
        let review = |pod: &Value| json!({"apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview", "request": {"uid": "u", "namespace": "shop",
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "operation": "CREATE", "object": pod}}).to_string();
        let webhook = webhook(of_service_account);
        let ask = |pod: &Value| {
            let body = review(pod);
            let reviewing =
                review_bytes(&webhook, Injection::Enabled, DEFAULT_PATIENCE, body.as_bytes());
            block_on(reviewing).unwrap().response
        };
        let first = ask(&pod);
        json_patch::patch(&mut pod, &first.operations().unwrap()).unwrap();
        for container in pod["spec"]["containers"].as_array().unwrap() {
            prop_assert!(providers(container) <= 1);
        }
        prop_assert_eq!(ask(&pod).patch, None);
        for warning in first.warnings {
            prop_assert!(warning.chars().count() <= 120 && !warning.chars().any(char::is_control));
        }
    }
}
