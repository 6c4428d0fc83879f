//! Pods and workloads with the annotations of kube2iam and kiam.

use serde_json::{Value, json};

use super::*;

pub(super) const BASE: &str = "arn:aws:iam::111122223333:role/";
pub(super) const KEY: &str = "iam.amazonaws.com/role";

/// A pod of the ServiceAccount `app` with this role, or none.
pub(super) fn pod(name: &str, role: &str) -> Value {
    let annotations = if role.is_empty() { json!({}) } else { json!({ KEY: role }) };
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
        "spec": {"serviceAccountName": "app", "containers": [{"name": "app", "image": "app:1"}]}})
}

/// A list with an item in each line, from line 2 on.
pub(super) fn list(items: &[Value]) -> String {
    let items: Vec<String> = items.iter().map(Value::to_string).collect();
    let items = items.join(",\n");
    format!("{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n{items}\n]}}")
}

/// The specs of the imported objects.
pub(super) fn specs(imported: &str) -> Vec<Value> {
    let documents = crate::yaml::documents(imported).into_iter();
    documents.map(|document| document.unwrap().value["spec"].clone()).collect()
}

#[test]
fn a_role_may_be_an_arn_a_name_or_a_path_and_a_name() {
    for (role, arn) in [
        (ROLE, ROLE),
        ("app", ROLE),
        ("/app", ROLE),
        ("team/app", "arn:aws:iam::111122223333:role/team/app"),
        ("arn:aws-cn:iam::444455556666:role/b", "arn:aws-cn:iam::444455556666:role/b"),
    ] {
        let imported = import_with(Some(BASE), &[("in", &list(&[pod("a", role)]))]).unwrap();
        let expected = json!({"namespace": "shop", "serviceAccount": "app", "roleARN": arn});
        assert_eq!(specs(&imported), [expected], "{role}");
        assert!(!imported.contains('#'), "{imported}");
    }
}

#[test]
fn a_name_without_a_base_is_an_error_that_names_the_flag() {
    let text = list(&[pod("a", "app"), pod("b", "app"), pod("c", "app")]);
    assert_eq!(
        error(&text),
        "in.yaml:2: shop/app: Pod a: iam.amazonaws.com/role: \"app\" is not an ARN; run `podrole \
         associations import` with --base-role-arn arn:aws:iam::<account>:role/"
    );
}

#[test]
fn a_text_that_is_no_role_is_an_error() {
    for (role, said) in [
        (" app", "remove the blanks around it"),
        ("app\n", "remove the blanks around it"),
        (" arn:aws:iam::111122223333:role/a", "remove the blanks around it"),
        ("arn:aws:iam::111122223333:role/a\r\n", "remove the blanks around it"),
        (
            "arn:aws:iam::111122223333:user/a",
            "it is not the ARN of a role (role/<name> is missing)",
        ),
        ("a:b", "its role name is not 1 to 64 characters of A-Z a-z 0-9 + = , . @ _ -"),
    ] {
        let errors = import_with(Some(BASE), &[("in", &list(&[pod("a", role)]))]).unwrap_err();
        let expected = format!("in:2: shop/app: Pod a: {KEY}: {role:?}: {said}");
        assert_eq!(errors, [expected]);
    }
    let long = error(&list(&[pod("a", &format!("arn:{}", "é\u{1b}".repeat(100_000)))]));
    assert!(long.chars().count() < 600 && long.contains("\"...: it is not an ARN"), "{long}");
    for role in [json!(7), json!(true), json!({"a": "b"}), json!(["a"])] {
        let mut pod = pod("a", "app");
        pod["metadata"]["annotations"][KEY] = role;
        let said = error(&list(&[pod]));
        assert!(said.starts_with("in.yaml:2: iam.amazonaws.com/role: "), "{said}");
    }
}

#[test]
fn each_kind_of_workload_is_read() {
    let template = json!({"metadata": {"annotations": {KEY: ROLE}},
        "spec": {"serviceAccountName": "app"}});
    let metadata = json!({"name": "web", "namespace": "shop"});
    for (version, kind) in [
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("apps/v1", "ReplicaSet"),
        ("batch/v1", "Job"),
        ("v1", "ReplicationController"),
    ] {
        let workload = json!({"apiVersion": version, "kind": kind, "metadata": metadata,
            "spec": {"template": template}});
        assert_eq!(specs(&import(&workload.to_string()).unwrap()).len(), 1, "{kind}");
        // As an API server answers a request for the list.
        let mut item = workload;
        item.as_object_mut().unwrap().retain(|key, _| !["kind", "apiVersion"].contains(&&**key));
        let list = json!({"apiVersion": version, "kind": format!("{kind}List"), "items": [item]});
        assert_eq!(specs(&import(&list.to_string()).unwrap()).len(), 1, "{kind}List");
    }
    let cron_job = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata,
        "spec": {"jobTemplate": {"spec": {"template": template}}}});
    assert_eq!(specs(&import(&cron_job.to_string()).unwrap()).len(), 1);
    let other = json!({"apiVersion": "example.com/v1", "kind": "Deployment", "metadata": metadata,
        "spec": {"template": template}});
    assert!(error(&other.to_string()).contains("it has no association, only Deployment"));
}

#[test]
fn a_replica_set_that_is_scaled_to_zero_does_not_count() {
    let replica_set = |replicas: u32| {
        let role = format!("arn:aws:iam::111122223333:role/{replicas}");
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": "web", "namespace": "shop"}, "spec": {"replicas": replicas,
            "template": {"metadata": {"annotations": {KEY: role}}, "spec": {}}}})
    };
    let imported = import(&list(&[replica_set(0), replica_set(2)])).unwrap();
    assert_eq!(specs(&imported)[0]["roleARN"], "arn:aws:iam::111122223333:role/2");
}

#[test]
fn a_pod_without_the_annotation_is_ignored() {
    let text = list(&[pod("a", "")]);
    assert_eq!(import(&text), Ok(String::new()));
    assert_eq!(notes(&text), ["no pod has the annotation iam.amazonaws.com/role"]);
    // Odd values of pods that get nothing are no errors.
    let odd = [
        json!({"apiVersion": "v1", "kind": "Pod"}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"annotations": [KEY]}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": 7}, "spec": []}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "patch"}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": "x"}}),
        pod("b", ""),
    ];
    assert_eq!(import(&list(&odd)), Ok(String::new()));
    // Beside associations it is no news that pods have no annotation.
    let text = format!("{}---\n{}", fixture("ack.yaml"), list(&[pod("a", "")]));
    assert_eq!(notes(&text), Vec::<String>::new());
}

#[test]
fn the_service_account_of_a_pod_that_names_none_is_default() {
    let mut unnamed = pod("a", ROLE);
    unnamed["spec"] = json!({});
    let imported = import(&list(&[unnamed.clone()])).unwrap();
    assert_eq!(specs(&imported)[0]["serviceAccount"], "default");
    let comment =
        "# every pod of shop that names no ServiceAccount has default, and gets this role\n";
    assert!(imported.starts_with(comment), "{imported}");
    unnamed["spec"]["serviceAccount"] = json!("old");
    let imported = import(&list(&[unnamed])).unwrap();
    assert_eq!(specs(&imported)[0]["serviceAccount"], "old");
    assert!(!imported.contains('#'), "{imported}");
}

#[test]
fn a_pod_without_a_namespace_is_an_error() {
    let mut lost = pod("a", ROLE);
    lost["metadata"].as_object_mut().unwrap().remove("namespace");
    assert_eq!(
        error(&list(&[lost])),
        "in.yaml:2: Pod a: it has no namespace; set metadata.namespace, or import what `kubectl get \
         pods -A -o json` prints"
    );
    for (namespace, name, said) in [
        (
            json!("Shop"),
            json!("app"),
            "in.yaml:2: Pod a: Shop/app: a namespace is 1 to 63 of a-z 0-9 -",
        ),
        (json!("shop"), json!("a_b"), "in.yaml:2: Pod a: shop/a_b: a ServiceAccount's name is"),
        (json!("shop"), json!(7), "in.yaml:2: serviceAccountName: 7 is a number; put it in quotes"),
        (json!(7), json!("app"), "in.yaml:2: namespace: 7 is a number; put it in quotes"),
    ] {
        let mut odd = pod("a", ROLE);
        odd["metadata"]["namespace"] = namespace;
        odd["spec"]["serviceAccountName"] = name;
        let found = error(&list(&[odd]));
        assert!(found.starts_with(said), "{found}");
    }
}

#[test]
fn an_external_id_is_a_comment_and_a_session_name_is_kept_if_all_have_it() {
    let named = |name: &str, session: &str, external_id: &str| {
        let mut pod = pod(name, ROLE);
        for (key, value) in [("session-name", session), ("external-id", external_id)] {
            pod["metadata"]["annotations"][format!("iam.amazonaws.com/{key}")] = json!(value);
        }
        pod
    };
    let imported = import(&list(&[named("a", "web", "x-1"), named("b", "web", "x-1")])).unwrap();
    assert_eq!(specs(&imported)[0]["sessionName"], "web");
    let comment = "# not imported: iam.amazonaws.com/external-id: \"x-1\"; the statement that trusts \
                   podrole must not require sts:ExternalId\napi";
    assert!(imported.starts_with(comment), "{imported}");
    for (second, shown) in [("api", "\"api\", \"web\""), ("", "\"web\"")] {
        let imported = import(&list(&[named("a", "web", ""), named("b", second, "")])).unwrap();
        let comment = format!(
            "# not imported: iam.amazonaws.com/session-name: {shown}; only a valid name that all pods \
             of the ServiceAccount have is kept\napi"
        );
        assert!(imported.starts_with(&comment), "{imported}");
    }
    for odd in ["two words", "{pod.name}", "x"] {
        let imported = import(&list(&[named("a", odd, "")])).unwrap();
        assert!(imported.starts_with("# not imported: iam.amazonaws.com/session-name: "), "{odd}");
        assert!(!imported.contains("sessionName"), "{imported}");
    }
}
