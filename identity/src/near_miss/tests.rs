//! Keys that people wrote, with the advice that they get.

use super::*;
use crate::ServiceAccountRef;

const ROLE: &str = "eks.amazonaws.com/role-arn";

fn advice(place: Place<'_>, annotations: &[&str], labels: &[(&str, &str)]) -> Vec<String> {
    let prefix = AnnotationPrefix::default();
    let (annotations, labels) = (annotations.iter().copied(), labels.iter().copied());
    near_misses(place, annotations, labels, &prefix).iter().map(ToString::to_string).collect()
}

fn of_annotation(place: Place<'_>, key: &str) -> String {
    advice(place, &[key], &[]).join("; ")
}

fn of_label(place: Place<'_>, key: &str, value: &str) -> String {
    advice(place, &[], &[(key, value)]).join("; ")
}

fn app() -> ServiceAccountRef {
    "default/app".parse().unwrap()
}

#[test]
fn a_misspelled_annotation_is_named_with_the_right_one() {
    for key in [
        "eks.amazonaws.com/role_arn",
        "eks.amazonaws.com/rolearn",
        "eks.amazonaws.com/roleArn",
        "eks.amazonaws.com/role-arm",
        "eks.amazonaws.com/roel-arn",
        "eks.amazonaws.com.role-arn",
        "eks.amazonws.com/role-arn",
        "eks.amazon.com/role-arn",
        "iam.amazonaws.com/role-arn",
        "EKS.amazonaws.com/role-arn",
    ] {
        let expected = format!("{key} has no effect; use {ROLE}");
        assert_eq!(of_annotation(Place::ServiceAccount, key), expected);
    }
    for (key, right) in [
        ("eks.amazonaws.com/sts-regional-endpoint", "eks.amazonaws.com/sts-regional-endpoints"),
        ("eks.amazonaws.com/token-expiratoin", "eks.amazonaws.com/token-expiration"),
        ("podrole.io/regoin", "podrole.io/region"),
        ("podrol.io/session-name", "podrole.io/session-name"),
    ] {
        let expected = format!("{key} has no effect; use {right}");
        assert_eq!(of_annotation(Place::ServiceAccount, key), expected);
    }
    let unknown = of_annotation(Place::ServiceAccount, "podrole.io/colour");
    assert!(unknown.ends_with("not a known annotation and has no effect; check its spelling"));
}

#[test]
fn an_annotation_on_the_wrong_object_is_named_with_the_right_object() {
    let app = app();
    let belongs = format!("{ROLE} belongs on ServiceAccount default/app; it has no effect here");
    assert_eq!(of_annotation(Place::Pod(&app), ROLE), belongs);
    assert_eq!(of_annotation(Place::Workload(&app), ROLE), belongs);
    let namespace = of_annotation(Place::Namespace, ROLE);
    assert!(namespace.ends_with("belongs on a ServiceAccount; it has no effect on a Namespace"));
    let guard_rail = of_annotation(Place::ServiceAccount, "podrole.io/permitted-roles");
    assert!(guard_rail.contains("belongs on the Namespace"), "{guard_rail}");
    let template = of_annotation(Place::Workload(&app), "podrole.io/region");
    assert!(template.contains("in the pod template"), "{template}");
    let near = of_annotation(Place::Pod(&app), "eks.amazonaws.com/rolearn");
    assert!(near.ends_with("use eks.amazonaws.com/role-arn on ServiceAccount default/app"));
    let secret = of_annotation(Place::Workload(&app), "secret.podrole.io/db");
    assert!(secret.contains("in the pod template"), "{secret}");
}

#[test]
fn annotations_of_kiam_and_kube2iam_are_named_with_ours() {
    let app = app();
    let role = "iam.amazonaws.com/role";
    assert_eq!(
        of_annotation(Place::Pod(&app), role),
        format!("{role} is not read; use {ROLE} on ServiceAccount default/app")
    );
    assert_eq!(
        of_annotation(Place::ServiceAccount, role),
        format!("{role} is not read; use {ROLE}")
    );
    for key in ["iam.amazonaws.com/permitted", "iam.amazonaws.com/allowed-roles"] {
        let advice = of_annotation(Place::Namespace, key);
        assert!(advice.ends_with("use podrole.io/permitted-roles"), "{advice}");
    }
}

#[test]
fn labels_are_checked_by_key_and_value() {
    let app = app();
    let (namespace, pod) = (Place::Namespace, Place::Pod(&app));
    for (place, key, value, end) in [
        (namespace, "podrole.io/inject", "enabled", "no effect; use podrole.io/injection"),
        (namespace, "podrole.io/injektion", "enabled", "no effect; use podrole.io/injection"),
        (namespace, INJECTION_LABEL, "enable", "write enabled, required or disabled"),
        (namespace, INJECTION_LABEL, "", "write enabled, required or disabled"),
        (namespace, INJECTION_LABEL, "true", "write enabled, required or disabled"),
        (pod, INJECTION_LABEL, "disable", "disabled opts a pod out"),
        (pod, INJECTION_LABEL, "false", "disabled opts a pod out"),
        (pod, INJECTION_LABEL, "enabled", "label its Namespace"),
        (pod, "podrole.io/inject", "false", "use podrole.io/injection"),
        (
            pod,
            "eks.amazonaws.com/skip-pod-identity-webhooks",
            "true",
            "use eks.amazonaws.com/skip-pod-identity-webhook",
        ),
        (Place::ServiceAccount, INJECTION_LABEL, "enabled", "label its Namespace"),
        (Place::Workload(&app), INJECTION_LABEL, "disabled", "write it in the pod template"),
        (namespace, "podrole.io/permitted-roles", "", "is an annotation, not a label"),
    ] {
        let advice = of_label(place, key, value);
        assert!(advice.ends_with(end), "{key}={value}: {advice}");
    }
    let annotation = of_annotation(namespace, INJECTION_LABEL);
    assert_eq!(annotation, "podrole.io/injection is a label, not an annotation");
}

#[test]
fn right_keys_and_those_of_others_give_no_warning() {
    let app = app();
    let others = [
        "kubernetes.io/description",
        "eks.amazonaws.com/nodegroup",
        "eks.amazonaws.com/compute-type",
        "eks.amazonaws.com/component",
        "service.beta.kubernetes.io/aws-load-balancer-type",
        "meta.helm.sh/release-name",
        "ecs.amazonaws.com/role",
    ];
    let places = [Place::Namespace, Place::ServiceAccount, Place::Pod(&app), Place::Workload(&app)];
    for place in places {
        let labels: Vec<_> = others.iter().map(|key| (*key, "x")).collect();
        assert_eq!(advice(place, &others, &labels), Vec::<String>::new(), "{place:?}");
    }
    for key in [ROLE, "podrole.io/session-duration", "secret.podrole.io/db"] {
        assert_eq!(of_annotation(Place::ServiceAccount, key), "");
    }
    for key in ["podrole.io/region", "eks.amazonaws.com/skip-containers"] {
        assert_eq!(of_annotation(Place::Pod(&app), key), "");
    }
    for value in ["enabled", "required", "disabled"] {
        assert_eq!(of_label(Place::Namespace, INJECTION_LABEL, value), "");
    }
    assert_eq!(of_label(Place::Pod(&app), INJECTION_LABEL, "disabled"), "");
    assert_eq!(of_annotation(Place::Namespace, "podrole.io/permitted-roles"), "");
}

#[test]
fn a_warning_shows_a_long_key_cut() {
    let key = format!("podrole.io/{}", "x".repeat(52));
    let warning = of_annotation(Place::ServiceAccount, &key);
    assert!(warning.contains("x.. is not a known"), "{warning}");
    assert!(warning.len() <= 130, "{warning}");
}

#[test]
fn a_namespaces_own_label_and_time_have_an_effect() {
    assert_eq!(of_label(Place::Namespace, "podrole.io/credentials", "container"), "");
    let other = of_label(Place::Namespace, "podrole.io/credentials", "web-identity");
    assert!(other.contains("only container has one on a Namespace"), "{other}");
    let elsewhere = of_label(Place::ServiceAccount, "podrole.io/credentials", "container");
    assert!(elsewhere.contains("is an annotation"), "{elsewhere}");
    assert_eq!(of_annotation(Place::Namespace, "podrole.io/not-before"), "");
    let misplaced = of_annotation(Place::ServiceAccount, "podrole.io/not-before");
    assert!(misplaced.contains("belongs on the Namespace"), "{misplaced}");
}
