//! Valid and invalid reviews, and the form of the answers.

use podrole_identity::CredentialProvider;
use serde_json::{Value, json};

use super::*;
use crate::{Outcome, Reason};

fn review(version: &str) -> Value {
    json!({"apiVersion": version, "kind": "AdmissionReview", "request": {
        "uid": "u-1", "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE", "namespace": "shop", "object": {"spec": {}}, "oldObject": null,
        "dryRun": false, "options": {"new": 1}}})
}

#[test]
fn both_versions_are_parsed_and_the_object_stays_raw() {
    for version in VERSIONS {
        let mut wanted = review(version);
        wanted["request"]["object"] = json!({"any": ["thing", 1.0]});
        let body = wanted.to_string();
        let review = Review::read(body.as_bytes()).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(review.version(), version);
        assert_eq!(review.request.uid, "u-1");
        assert_eq!(review.request.subject(), Some(Subject::NewPod));
        let object = review.request.object.map(RawValue::get);
        assert_eq!(object, Some(r#"{"any":["thing",1.0]}"#));
    }
}

#[test]
fn only_new_pods_and_ephemeral_containers_are_decided() {
    for (place, value) in [
        ("/request/operation", json!("UPDATE")),
        ("/request/subResource", json!("ephemeralcontainers")),
        ("/request/kind/kind", json!("Deployment")),
        ("/request/kind/group", json!("apps")),
        ("/request/kind/version", json!("v2")),
        ("/request/kind", json!({})),
    ] {
        let mut review = review(VERSIONS[0]);
        match review.pointer_mut(place) {
            Some(there) => *there = value,
            None => review["request"]["subResource"] = value,
        }
        let body = review.to_string();
        let review = Review::read(body.as_bytes()).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(review.request.subject(), None, "{place}");
    }
}

#[test]
fn ephemeral_containers_are_an_update_of_their_subresource() {
    for (operation, part, subject) in [
        ("UPDATE", "ephemeralcontainers", Some(Subject::EphemeralContainers)),
        ("UPDATE", "status", None),
        ("UPDATE", "", None),
        ("CREATE", "ephemeralcontainers", None),
    ] {
        let mut review = review(VERSIONS[0]);
        review["request"]["operation"] = json!(operation);
        review["request"]["subResource"] = json!(part);
        review["request"]["oldObject"] = json!({"old": true});
        let body = review.to_string();
        let review = Review::read(body.as_bytes()).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(review.request.subject(), subject, "{operation} {part}");
        assert_eq!(review.request.old_object.map(RawValue::get), Some(r#"{"old":true}"#));
    }
}

/// The version and uid to answer an invalid review with; `None` if it cannot be answered.
fn bad(body: &str) -> Option<(String, String)> {
    match Review::read(body.as_bytes()) {
        Err(BadReview::Answerable { version, uid, .. }) => Some((version, uid)),
        Err(BadReview::Unanswerable) => None,
        Ok(_) => panic!("it was accepted: {body}"),
    }
}

#[test]
fn an_invalid_review_with_a_uid_is_answered() {
    let (v1, beta) = ("admission.k8s.io/v1", "admission.k8s.io/v1beta1");
    let next = "admission.k8s.io/v2";
    let long = format!("admission.k8s.io/{}", "v".repeat(99));
    for (place, value, version) in [
        ("/apiVersion", json!(next), next),
        ("/apiVersion", json!("v1"), v1),
        ("/apiVersion", json!(7), v1),
        ("/apiVersion", json!(long), v1),
        ("/kind", json!("Pod"), beta),
        ("/kind", json!(null), beta),
        ("/request/kind", json!("Pod"), beta),
        ("/request/namespace", json!(1), beta),
    ] {
        let mut review = review(beta);
        *review.pointer_mut(place).unwrap() = value;
        let answer = Some((version.to_owned(), "u-1".to_owned()));
        assert_eq!(bad(&review.to_string()), answer, "{place}");
    }
}

#[test]
fn a_body_without_a_uid_cannot_be_answered() {
    for body in ["", "{}", "[]", "null", "not json", r#"{"request":null}"#, "\u{0}"] {
        assert_eq!(bad(body), None, "{body}");
    }
    for uid in [json!(""), json!(null), json!(7), json!("u".repeat(257))] {
        let mut review = review(VERSIONS[0]);
        review["request"]["uid"] = uid;
        assert_eq!(bad(&review.to_string()), None);
    }
    let truncated = review(VERSIONS[0]).to_string();
    assert_eq!(bad(&truncated[..truncated.len() - 1]), None);
    assert_eq!(bad(&"[".repeat(100_000)), None);
}

fn answer(outcome: &Outcome) -> Value {
    serde_json::to_value(Answer::new(VERSIONS[1], "u-1", outcome, &Audit::default())).unwrap()
}

#[test]
fn a_patch_is_base64_and_has_a_type() {
    let operations = json!([{"op": "add", "path": "/a", "value": 1}]);
    let outcome = Outcome::Patch {
        operations: serde_json::from_value(operations).unwrap(),
        warnings: Vec::new(),
    };
    let audit = Audit {
        provider: Some(CredentialProvider::Container),
        role: Some("arn:aws:iam::111122223333:role/app".parse().unwrap()),
        denial: None,
    };
    let answer = Answer::new(VERSIONS[0], "u-1", &outcome, &audit);
    let Outcome::Patch { operations, .. } = outcome else {
        unreachable!();
    };
    assert_eq!(answer.response.operations().unwrap(), operations);
    let expected = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": {"uid": "u-1", "allowed": true, "patchType": "JSONPatch",
            "patch": "W3sib3AiOiJhZGQiLCJwYXRoIjoiL2EiLCJ2YWx1ZSI6MX1d",
            "auditAnnotations": {"path": "container", "reason": "injected",
                "role": "arn:aws:iam::111122223333:role/app"}}});
    assert_eq!(serde_json::to_value(&answer).unwrap(), expected);
}

#[test]
fn an_answer_without_a_patch_has_no_patch_type() {
    let expected = json!({"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview",
        "response": {"uid": "u-1", "allowed": true, "auditAnnotations": {"reason": "no_role"}}});
    assert_eq!(answer(&Outcome::skip(Reason::NoRole)), expected);
}

#[test]
fn a_denial_has_a_reason() {
    let refused = Outcome::skip_with(Reason::Denied("bad_role"), "fix\nit").required();
    let response = &answer(&refused)["response"];
    assert_eq!(response["allowed"], false);
    let status = json!({"code": 403, "reason": "Forbidden", "message": "podrole: fixit"});
    assert_eq!(response["status"], status);
}

#[test]
fn at_most_three_short_warnings_are_returned() {
    let outcome = Outcome::Skip {
        reason: Reason::LeftAlone,
        warnings: vec!["a\u{7}\u{1b}[31m\nb".into(), "é".repeat(300), "c".into(), "d".into()],
    };
    let answer = answer(&outcome);
    let warnings: Vec<String> =
        serde_json::from_value(answer["response"]["warnings"].clone()).unwrap();
    assert_eq!((warnings.len(), warnings[0].as_str()), (3, "podrole: a[31mb"));
    assert_eq!(warnings[1].chars().count(), 120);
    assert!(warnings[1].ends_with(".."));
}
