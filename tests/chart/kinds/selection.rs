//! Globs and label selectors: patterns and guard-rails have the same.

use serde_json::{Value, json};

use super::{
    ROLE,
    every_rule::{Row, field, spec},
    role::long,
};

/// A list of `length` different globs.
fn globs(length: usize) -> Value {
    (0..length).map(|number| format!("shop-{number}-*")).collect::<Vec<_>>().into()
}

pub(super) fn glob_rows(name: &'static str) -> Vec<Row> {
    let item = |rule: &'static str, accepted: Value, refused: Value| {
        let row = field(name, rule, json!([accepted]), json!([refused]));
        Row { path: format!("{}[]", row.path), ..row }
    };
    vec![
        field(name, "minItems", globs(1), json!([])),
        field(name, "maxItems", globs(64), globs(65)),
        field(name, "set", json!(["a", "b"]), json!(["a", "a"])),
        item("minLength", json!("*"), json!("")),
        item("maxLength", long(253), long(254)),
        item("pattern", json!("shop-*.a"), json!("shop?")),
    ]
}

fn selector_rows(name: &'static str) -> Vec<Row> {
    let labels = |rule: &'static str, path: &str, accepted: Value, refused: Value| {
        let selector = |labels: Value| json!({"matchLabels": labels});
        let row = field(name, rule, selector(accepted), selector(refused));
        Row { path: format!("{}.matchLabels{path}", row.path), ..row }
    };
    let expressions = |rule: &'static str, path: &str, accepted: Value, refused: Value| {
        let selector = |expressions: Value| json!({"matchExpressions": expressions});
        let row = field(name, rule, selector(accepted), selector(refused));
        Row { path: format!("{}.matchExpressions{path}", row.path), ..row }
    };
    let one = |key: Value, operator: Value, values: Value| {
        let mut expression = json!({"key": key, "operator": operator, "values": values});
        if let Some(fields) = expression.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        json!([expression])
    };
    let exists = |key: Value| one(key, json!("Exists"), json!(null));
    let within = |values: Value| one(json!("team"), json!("In"), values);
    let many_labels = |count: usize| -> Value {
        (0..count)
            .map(|number| (format!("l{number}"), json!("a")))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let many = |count: usize| -> Value {
        vec![json!({"key": "team", "operator": "Exists"}); count].into()
    };
    vec![
        labels("maxProperties", "", many_labels(16), many_labels(17)),
        labels("maxLength", "{}", json!({"team": long(63)}), json!({"team": long(64)})),
        labels("pattern", "{}", json!({"team": ""}), json!({"team": "shop "})),
        expressions("maxItems", "", many(16), many(17)),
        expressions("required", "[].key", exists(json!("team")), exists(json!(null))),
        expressions("minLength", "[].key", exists(json!("a")), exists(json!(""))),
        expressions(
            "maxLength",
            "[].key",
            exists(format!("{}/{}", "d".repeat(253), "n".repeat(63)).into()),
            exists(long(318)),
        ),
        expressions(
            "pattern",
            "[].key",
            exists(json!("example.com/Team_1")),
            exists(json!("te am")),
        ),
        expressions(
            "required",
            "[].operator",
            exists(json!("team")),
            one(json!("team"), json!(null), json!(null)),
        ),
        expressions(
            "enum",
            "[].operator",
            one(json!("team"), json!("DoesNotExist"), json!(null)),
            one(json!("team"), json!("Gt"), json!(["1"])),
        ),
        expressions(
            "maxItems",
            "[].values",
            within(vec!["a"; 64].into()),
            within(vec!["a"; 65].into()),
        ),
        expressions(
            "maxLength",
            "[].values[]",
            within(json!([long(63)])),
            within(json!([long(64)])),
        ),
        expressions("pattern", "[].values[]", within(json!(["a.b"])), within(json!(["a b"]))),
        expressions(
            "In and NotIn need values, and Exists and DoesNotExist take none",
            "[]",
            one(json!("team"), json!("NotIn"), json!(["a"])),
            within(json!([])),
        ),
    ]
}

/// Rows for namespaces and their labels.
pub(super) fn namespace_rows() -> Vec<Row> {
    let mut rows = glob_rows("namespaces");
    rows.extend(selector_rows("namespaceSelector"));
    rows.push(spec(
        "give namespaces, namespaceSelector or both",
        json!({"namespaces": null, "namespaceSelector": {}}),
        json!({"namespaces": null}),
    ));
    rows
}

/// Rows for ServiceAccounts and their labels.
pub(super) fn service_account_rows() -> Vec<Row> {
    let mut rows = glob_rows("serviceAccounts");
    rows.extend(selector_rows("serviceAccountSelector"));
    rows
}

/// What only guard-rails have.
pub(super) fn guardrail_rows() -> Vec<Row> {
    let roles = |count: usize| -> Value {
        (0..count).map(|number| format!("{ROLE}-{number}")).collect::<Vec<_>>().into()
    };
    let item = |rule: &'static str, accepted: Value, refused: Value| {
        let row = field("permittedRoles", rule, json!([accepted]), json!([refused]));
        Row { path: format!("{}[]", row.path), ..row }
    };
    let glob = |length: usize| -> Value {
        let begin = "arn:aws:iam::*:role/";
        format!("{begin}{}", "a".repeat(length - begin.len())).into()
    };
    vec![
        field("permittedRoles", "required", json!([]), json!(null)),
        field("permittedRoles", "maxItems", roles(100), roles(101)),
        field("permittedRoles", "set", json!([ROLE]), json!([ROLE, ROLE])),
        item("maxLength", glob(2048), glob(2049)),
        item("pattern", json!("arn:aws*:iam::1111*:role/shop-?/*"), json!("arn:aws:iam::*:user/*")),
    ]
}
