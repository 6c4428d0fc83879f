//! Parsing pods, and errors that reveal nothing of them.

use podrole_identity::{EKS_SKIP_LABEL, INJECTION_LABEL};

use super::*;

fn read(json: &str) -> PodView {
    PodView::read(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

fn head(json: &str) -> PodHead<'_> {
    PodHead::read(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

#[test]
fn null_is_the_default_and_unknown_fields_are_ignored() {
    for json in [
        "{}",
        r#"{"metadata":null,"spec":null}"#,
        r#"{"metadata":{"labels":null,"annotations":null},"spec":{"containers":null,
            "initContainers":null,"volumes":null,"nodeSelector":null,"os":null}}"#,
        r#"{"spec":{"containers":[{"name":"a","env":null,"volumeMounts":null,"new":{}}],
            "volumes":[{"name":"v","projected":null},{"name":"w","projected":{"sources":[{}]}}]}}"#,
    ] {
        let (pod, head) = (read(json), head(json));
        assert_eq!(head.service_account(), "default");
        assert!(!head.opted_out() && !head.asks_for_secrets() && !pod.is_windows());
    }
}

#[test]
fn a_pod_without_a_service_account_has_the_default_one() {
    for (json, name) in [
        (r#"{"spec":{"serviceAccountName":""}}"#, "default"),
        (r#"{"spec":{"serviceAccountName":null}}"#, "default"),
        (r#"{"spec":{"serviceAccountName":"app"}}"#, "app"),
    ] {
        assert_eq!(head(json).service_account(), name);
    }
}

#[test]
fn a_label_opts_out() {
    for (label, value, out) in [
        (INJECTION_LABEL, "disabled", true),
        (INJECTION_LABEL, "enabled", false),
        (EKS_SKIP_LABEL, "", true),
        ("other", "disabled", false),
    ] {
        let json = format!(r#"{{"metadata":{{"labels":{{"{label}":"{value}"}}}}}}"#);
        assert_eq!(head(&json).opted_out(), out, "{label}={value}");
    }
}

#[test]
fn the_head_does_not_parse_containers() {
    let json = r#"{"metadata":{"annotations":{"secret.podrole.io/db":"/etc/db","a":7}},
        "spec":{"containers":"none","serviceAccountName":"a\u0070p"}}"#;
    assert_eq!(head(json).service_account(), "app");
    assert!(head(json).asks_for_secrets());
    assert!(PodView::read(json).is_err());
}

#[test]
fn a_generated_name_is_63_characters_at_most() {
    for (metadata, name, longest) in [
        (r#"{"name":"app"}"#.to_owned(), Some("app"), 3),
        (r#"{"generateName":"app-"}"#.to_owned(), None, 9),
        (format!(r#"{{"name":"","generateName":"{}"}}"#, "a".repeat(200)), None, 63),
    ] {
        let pod = read(&format!(r#"{{"metadata":{metadata}}}"#));
        assert_eq!((pod.name(), pod.longest_name()), (name, longest), "{metadata}");
    }
}

#[test]
fn windows_pods_are_recognized_in_three_ways() {
    for (spec, windows) in [
        (r#"{"nodeSelector":{"kubernetes.io/os":"windows"}}"#, true),
        (r#"{"nodeSelector":{"beta.kubernetes.io/os":"windows"}}"#, true),
        (r#"{"os":{"name":"windows"}}"#, true),
        (r#"{"os":{"name":"linux"},"nodeSelector":{"kubernetes.io/os":"Windows"}}"#, false),
    ] {
        assert_eq!(read(&format!(r#"{{"spec":{spec}}}"#)).is_windows(), windows, "{spec}");
    }
}

#[test]
fn an_error_gives_the_position_and_no_content() {
    let error = |json| PodView::read(json).err().map(|error| error.to_string());
    assert!(error("[]").is_some());
    let error = error(r#"{"spec":{"containers":[{"env":"hunter2"}]}}"#).unwrap();
    assert!(error.contains("line 1") && !error.contains("hunter2"), "{error}");
}
