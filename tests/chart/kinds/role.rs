//! The fields that say which role pods get: associations and patterns have the same.

use serde_json::{Value, json};

use super::{
    ROLE, TARGET,
    every_rule::{Row, field, spec},
};

/// A text that is `length` characters long.
pub(super) fn long(length: usize) -> Value {
    "a".repeat(length).into()
}

/// An ARN of `length` characters, with a name of 64.
fn arn(length: usize) -> String {
    let begin = "arn:aws:iam::111122223333:role/";
    let name = "n".repeat(64);
    // Too long for a path too; both are reported.
    format!("{begin}{}/{name}", "p".repeat(length - begin.len() - 1 - name.len()))
}

/// A session policy of `length` characters.
pub(super) fn policy(length: usize) -> String {
    format!("{{{}}}", " ".repeat(length - 2))
}

pub(super) fn rows() -> Vec<Row> {
    let with_target =
        |external_id: Value| json!({"targetRoleARN": TARGET, "externalID": external_id});
    let external_id = |rule: &'static str, accepted: Value, refused: Value| Row {
        path: "spec.externalID".to_owned(),
        ..spec(rule, with_target(accepted), with_target(refused))
    };
    let policy_of = |rule: &'static str, accepted: &str, refused: &str| {
        let policy = |text: &str| json!({"policy": text, "disableSessionTags": true});
        Row { path: "spec.policy".to_owned(), ..spec(rule, policy(accepted), policy(refused)) }
    };
    let user = "arn:aws:iam::111122223333:user/app";
    vec![
        field("roleARN", "required", json!(ROLE), json!(null)),
        field("roleARN", "pattern", json!("arn:aws-cn:iam::111122223333:role/a/b"), json!(user)),
        field("roleARN", "maxLength", json!(arn(500)), json!(arn(2049))),
        field("targetRoleARN", "pattern", json!(TARGET), json!(user)),
        field("targetRoleARN", "maxLength", json!(arn(500)), json!(arn(2049))),
        external_id("minLength", json!("ab"), json!("a")),
        external_id("maxLength", long(1224), long(1225)),
        external_id("pattern", json!("eu-west-1/111122223333/shop/shop/app"), json!("a b")),
        policy_of("minLength", "{}", "{"),
        policy_of("maxLength", &policy(2048), &policy(2049)),
        policy_of("pattern", "\n{\"Version\": \"é\"}\n", "[]"),
        field("durationSeconds", "minimum", json!(900), json!(899)),
        field("durationSeconds", "maximum", json!(43_200), json!(43_201)),
        field("sessionName", "minLength", json!("ab"), json!("a")),
        field("sessionName", "maxLength", long(256), long(257)),
        field(
            "sessionName",
            "pattern",
            json!("{pod.namespace}.{serviceaccount.name}.{pod.name}"),
            json!("{pod.uid}"),
        ),
        field("notBefore", "format", json!("2026-01-31T12:00:00Z"), json!("2026-01-31")),
        spec(
            "policy needs disableSessionTags: true",
            json!({"policy": "{}", "disableSessionTags": true}),
            json!({"policy": "{}"}),
        ),
        spec(
            "externalID needs targetRoleARN",
            json!({"externalID": "ab", "targetRoleARN": TARGET}),
            json!({"externalID": "ab"}),
        ),
        spec(
            "podTags: true contradicts disableSessionTags: true",
            json!({"podTags": false, "disableSessionTags": true}),
            json!({"podTags": true, "disableSessionTags": true}),
        ),
        spec(
            "with targetRoleARN durationSeconds is at most 3540, because AWS limits role chaining to one hour",
            json!({"targetRoleARN": TARGET, "durationSeconds": 3540}),
            json!({"targetRoleARN": TARGET, "durationSeconds": 3541}),
        ),
        spec(
            "roleARN and targetRoleARN must be of one partition",
            json!({"targetRoleARN": TARGET}),
            json!({"targetRoleARN": "arn:aws-cn:iam::444455556666:role/shop-app"}),
        ),
    ]
}
