//! Associations for properties: any that the schema accepts.

use jiff::Timestamp;
use podrole_identity::Association;
use proptest::prelude::*;
use serde_json::json;

const ROLE: &str = "arn:aws:iam::[0-9]{12}:role/([!-.0-~][!-~]{0,20}/)?[A-Za-z0-9+=,.@_-]{1,64}";

/// Any association.
pub(super) fn associations() -> impl Strategy<Value = Association> {
    let names = (
        "[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?",
        "[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?(\\.[a-z0-9]{1,5}){0,2}",
    );
    let external_id = proptest::option::of("[A-Za-z0-9_+=,.@:/-]{2,40}");
    let target = proptest::option::of((ROLE, external_id));
    let text = "[ -\u{ff}]{0,40}|[$%]\\{[a-z'\"`\\\\!]{0,5}\\}";
    let policy = (text, prop_oneof!["", "\n", " \t\r\n"]);
    let policy = proptest::option::of(
        policy.prop_map(|(text, end)| format!("{}{end}", json!({ "Sid": text }))),
    );
    let session_name = proptest::option::of(
        "[A-Za-z0-9_+=,.@-]{2,10}(\\{pod\\.name\\}|\\{serviceaccount\\.name\\})?",
    );
    let rest = (
        any::<bool>(),
        any::<Option<bool>>(),
        proptest::option::of(900..=43_200_u32),
        session_name,
        proptest::option::of(0..253_402_207_200_i64),
    );
    let all = (names, ROLE, target, policy, rest);
    all.prop_map(|((namespace, name), role, target, policy, rest)| {
        let (no_tags, pod_tags, duration, session_name, not_before) = rest;
        let no_tags = no_tags || policy.is_some();
        let (target, external_id) = target.unzip();
        let longest = if target.is_some() { 3540 } else { 43_200 };
        let not_before = not_before.map(|time| Timestamp::from_second(time).unwrap().to_string());
        let mut spec = json!({
            "namespace": namespace, "serviceAccount": name, "roleARN": role,
            "targetRoleARN": target, "externalID": external_id.flatten(),
            "disableSessionTags": no_tags, "podTags": pod_tags.filter(|tags| !(*tags && no_tags)),
            "policy": policy, "durationSeconds": duration.map(|it| it.min(longest)),
            "sessionName": session_name, "notBefore": not_before,
        });
        spec.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let association = Association::read_object(&format!("{namespace}.{name}"), &spec).unwrap();
        assert_eq!(association.schema_errors(), []);
        association
    })
}
