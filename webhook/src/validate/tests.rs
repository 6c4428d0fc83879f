//! The warnings at `kubectl apply`.

use podrole_identity::{NamespaceFacts, PermittedRoles, PermittedSecrets};
use serde_json::json;

use super::*;
use crate::{DEFAULT_PATIENCE, InMemory, Metrics, Settings, validate_bytes};

const ROLE: &str = "arn:aws:iam::111122223333:role/app";

pub(super) fn review(group: &str, kind: &str, object: &Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u-1", "kind": {"group": group, "version": "v1", "kind": kind},
        "operation": "CREATE", "namespace": "shop", "object": object}})
}

/// The warnings, without their prefix.
async fn warnings_for(group: &str, kind: &str, object: &Value) -> Vec<String> {
    let annotations = [("eks.amazonaws.com/role-arn", ROLE), ("eks.amazonaws.com/audience", "")];
    let annotations = annotations.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let annotations = Settings::default().annotations.read(annotations.into());
    let service_accounts: InMemory =
        [("shop/app".parse().unwrap(), annotations)].into_iter().collect();
    let roles = PermittedRoles::read(Some("arn:aws:iam::*:role/app"));
    let guard_rail = NamespaceFacts {
        permitted: roles,
        secrets: PermittedSecrets::read(Some("db")),
        ..NamespaceFacts::default()
    };
    let service_accounts = service_accounts.with_namespace("shop", guard_rail);
    let webhook = Webhook::new(service_accounts, Settings::default(), Metrics::default());
    let body = review(group, kind, object).to_string();
    let answer = validate_bytes(&webhook, DEFAULT_PATIENCE, body.as_bytes()).await.unwrap();
    assert_eq!((answer.response.uid.as_str(), answer.response.allowed), ("u-1", true));
    assert_eq!(answer.response.patch, None);
    let warnings = answer.response.warnings.into_iter();
    warnings.map(|warning| warning.trim_start_matches("podrole: ").to_owned()).collect()
}

async fn warnings_for_service_account(annotations: Value) -> Vec<String> {
    let object = json!({"metadata": {"name": "app", "annotations": annotations}});
    warnings_for("", "ServiceAccount", &object).await
}

#[tokio::test]
async fn a_service_account_gets_the_warnings_that_its_pods_would_get() {
    for (annotations, word) in [
        (json!({"eks.amazonaws.com/role-arn": "app"}), "it is not an ARN"),
        (json!({"eks.amazonaws.com/role-arn": ROLE.replace("app", "x")}), "permitted-roles"),
        (json!({"eks.amazonaws.com/token-expiration": "60"}), "600 is used"),
        (json!({"eks.amazon.com/role-arn": ROLE}), "use eks.amazonaws.com/role-arn"),
        (json!({"podrole.io/regoin": "eu-west-1"}), "has no effect; use podrole.io/region"),
        (json!({"podrole.io/colour": "blue"}), "podrole.io/colour is not a known annotation"),
        (json!({"eks.amazonaws.com/role_arn": ROLE}), "use eks.amazonaws.com/role-arn"),
        (json!({"iam.amazonaws.com/role": ROLE}), "is not read; use eks.amazonaws.com"),
        (json!({"eks.amazonaws.com/role-arn": format!("{ROLE}\n")}), "a line break around it"),
        (
            json!({"eks.amazonaws.com/role-arn": "arn:aws:iam::<ACCOUNT_ID>:role/app"}),
            "contains the placeholder <ACCOUNT_ID>",
        ),
        (json!({"eks.amazonaws.com/token-expiration": "5m"}), "of seconds; 86400 is used"),
        (
            json!({"eks.amazonaws.com/role-arn": ROLE, "podrole.io/session-duration": "6h"}),
            "no effect with web-identity",
        ),
        (
            json!({"eks.amazonaws.com/role-arn": ROLE, "eks.amazonaws.com/sts-regional-endpoint": "true"}),
            "use eks.amazonaws.com/sts-regional-endpoints",
        ),
        (json!({"podrole.io/permitted-roles": ROLE}), "belongs on the Namespace"),
        (json!({"secret.podrole.io/db": "etc"}), "secret.podrole.io/db"),
        (json!({"secret.podrole.io/mq": "/etc/mq"}), "podrole.io/permitted-secrets"),
        (json!({"secret.podrole.io/db": r#"{"env": "AWS_"}"#}), "env AWS_ is reserved"),
        (json!({"secret.podrole.io/db": "/usr/bin"}), "must not mount over /usr"),
    ] {
        let warnings = warnings_for_service_account(annotations).await;
        assert!(warnings.len() == 1 && warnings[0].contains(word), "{word}: {warnings:?}");
    }
    let secret = json!({"secret.podrole.io/db": "/etc/{serviceaccount.name}/{pod.name}"});
    for annotations in [json!({"eks.amazonaws.com/role-arn": ROLE}), secret, json!({}), json!(null)]
    {
        assert_eq!(warnings_for_service_account(annotations).await, Vec::<String>::new());
    }
}

fn workload(kind: &str, spec: &Value) -> Value {
    let template = json!({"spec": spec});
    match kind {
        "CronJob" => json!({"metadata": {"name": "w"},
            "spec": {"jobTemplate": {"spec": {"template": template}}}}),
        _ => json!({"metadata": {"name": "w"}, "spec": {"template": template}}),
    }
}

#[tokio::test]
async fn a_workload_gets_the_warnings_that_its_pods_would_get() {
    let own = json!([{"name": "web", "env": [{"name": "AWS_PROFILE", "value": "x"}]}]);
    let spec = json!({"serviceAccountName": "app", "containers": own});
    for (group, kind) in [
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("apps", "ReplicaSet"),
        ("batch", "Job"),
        ("batch", "CronJob"),
        ("", "ReplicationController"),
    ] {
        let warnings = warnings_for(group, kind, &workload(kind, &spec)).await;
        let expected = "container web sets AWS_PROFILE: it gets the token, no credential variables; remove it to use the role";
        assert_eq!(warnings.first().map(String::as_str), Some(expected), "{kind}");
    }
    assert!(warnings_for("example.org", "Deployment", &workload("", &spec)).await.is_empty());
}

#[tokio::test]
async fn a_key_that_has_no_effect_on_a_workload_is_reported_once() {
    let annotations = json!({"eks.amazonaws.com/role-arn": ROLE});
    let spec = json!({"serviceAccountName": "app", "containers": [{"name": "web"}]});
    let belongs =
        "eks.amazonaws.com/role-arn belongs on ServiceAccount shop/app; it has no effect here";
    for (on_workload, on_template) in [(true, false), (false, true), (true, true)] {
        let mut object = workload("", &spec);
        if on_workload {
            object["metadata"]["annotations"] = annotations.clone();
        }
        if on_template {
            object["spec"]["template"]["metadata"] = json!({"annotations": annotations});
        }
        let warnings = warnings_for("apps", "Deployment", &object).await;
        let about_role = warnings.iter().filter(|warning| warning.contains("role-arn"));
        assert_eq!(about_role.collect::<Vec<_>>(), [belongs]);
    }
    let mut labelled = workload("", &spec);
    labelled["spec"]["template"]["metadata"] =
        json!({"labels": {"podrole.io/injection": "disable"}});
    let warnings = warnings_for("apps", "Deployment", &labelled).await;
    assert!(warnings[1].ends_with("disabled opts a pod out"), "{warnings:?}");
}

#[tokio::test]
async fn a_namespace_gets_warnings_about_its_labels_and_annotations() {
    let label = |key: &str, value: &str| json!({"labels": {key: value}});
    let annotation = |key: &str, value: &str| json!({"annotations": {key: value}});
    for (metadata, word) in [
        (label("podrole.io/inject", "enabled"), "use podrole.io/injection"),
        (label("podrole.io/injection", "enable"), "write enabled, required or disabled"),
        (annotation("podrole.io/permitted-role", "*"), "use podrole.io/permitted-roles"),
        (annotation("iam.amazonaws.com/permitted", ".*"), "use podrole.io/permitted-roles"),
        (annotation("eks.amazonaws.com/role-arn", ROLE), "belongs on a ServiceAccount"),
        (annotation("podrole.io/permitted-roles", "app"), "no role is permitted"),
        (annotation("podrole.io/permitted-secrets", "A"), "no Secret is permitted"),
    ] {
        let object = json!({"metadata": metadata});
        let warnings = warnings_for("", "Namespace", &object).await;
        assert!(warnings.len() == 1 && warnings[0].contains(word), "{word}: {warnings:?}");
    }
    let right = json!({"metadata": {"name": "shop", "labels": {"podrole.io/injection": "required"},
        "annotations": {"podrole.io/permitted-roles": "arn:aws:iam::111122223333:role/*"}}});
    assert_eq!(warnings_for("", "Namespace", &right).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_opted_out_pod_and_a_missing_service_account_give_no_warning() {
    let spec = |name: &str| json!({"serviceAccountName": name, "containers": [{"name": "web"}]});
    assert!(warnings_for("apps", "Deployment", &workload("", &spec("later"))).await.is_empty());
    let mut out = workload("", &spec("app"));
    out["spec"]["template"]["metadata"] = json!({"labels": {"podrole.io/injection": "disabled"}});
    assert!(warnings_for("apps", "Deployment", &out).await.is_empty());
}

#[tokio::test]
async fn only_a_stateful_sets_pod_names_are_known_beforehand() {
    let spec = json!({"serviceAccountName": "other", "containers": [{"name": "web"}]});
    for (kind, warnings) in [("StatefulSet", 0), ("Deployment", 1)] {
        let mut object = workload(kind, &spec);
        let value = r#"{"mountPath":"/a","items":[{"key":"{pod.name}","path":"a"}]}"#;
        object["spec"]["template"]["metadata"] =
            json!({"annotations": {"secret.podrole.io/db": value}});
        assert_eq!(warnings_for("apps", kind, &object).await.len(), warnings, "{kind}");
    }
}

#[tokio::test]
async fn no_object_is_denied() {
    for object in [json!(null), json!([]), json!({"metadata": {"annotations": {"a": 1}}}), json!(7)]
    {
        for (group, kind) in [("", "ServiceAccount"), ("apps", "Deployment"), ("", "Secret")] {
            assert!(warnings_for(group, kind, &object).await.is_empty(), "{kind} {object}");
        }
    }
}

#[tokio::test]
async fn an_association_gets_the_denial_that_its_pods_would_get() {
    let warned = async |kind: &str, name: &str, spec: Value| {
        let object = json!({"metadata": {"name": name}, "spec": spec});
        warnings_for("podrole.io", kind, &object).await.join("|")
    };
    let with = |more: Value| {
        let mut spec = json!({"namespace": "shop", "serviceAccount": "app", "roleARN": ROLE});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let associated = async |more| warned("PodIdentityAssociation", "shop.app", with(more)).await;
    assert_eq!(associated(json!({})).await, "");
    assert_eq!(
        associated(json!({"roleARN": ROLE.replace("app", "y")})).await.matches('|').count(),
        0
    );
    for (more, word) in [
        (json!({"roleARN": ROLE.replace("app", "y")}), "does not permit"),
        (json!({"policy": "{}", "disableSessionTags": true}), "cannot be enforced"),
        (json!({"targetRoleARN": ROLE}), "set externalID"),
        (json!({"onlyOnTuesdays": true}), "cannot be read"),
    ] {
        let warning = associated(more).await;
        assert!(warning.contains(word), "{warning}");
    }
    let spec = json!({"namespaces": ["shop"], "roleARN": ROLE, "x": 1});
    let warning = warned("PodIdentityPattern", "team", spec).await;
    assert!(warning.contains("PodIdentityPattern team cannot be read"), "{warning}");
    let spec = json!({"namespaces": ["shop"], "roleARN": ROLE, "policy": "{}"});
    assert!(warned("PodIdentityPattern", "team", spec).await.contains("cannot be enforced"));
    let spec = json!({"namespaces": ["shop"], "permittedRoles": [], "x": 1});
    assert!(warned("PodIdentityGuardrail", "team", spec).await.contains("`x`"));
}
