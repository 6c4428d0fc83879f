//! Each rule of the schemas: one object that keeps it is accepted, and one that breaks it is refused. A rule of the schema
//! without a row here fails.

use std::collections::BTreeSet;

use anyhow::ensure;
use serde_json::{Value, json};

use super::{Kind, association, client, pattern, role, selection};

/// A rule of a schema, and two objects, as changes of the kind's smallest object.
pub(super) struct Row {
    /// From the object's root, with `[]` for items and `{}` for the values of a map.
    pub(super) path: String,
    /// The schema's keyword, or the message of a CEL rule.
    pub(super) rule: &'static str,
    pub(super) accepted: Value,
    pub(super) refused: Value,
}

/// A row about a field of the spec.
pub(super) fn field(name: &str, rule: &'static str, accepted: Value, refused: Value) -> Row {
    let spec = |value: Value| json!({"spec": {name: value}});
    let path = format!("spec.{name}");
    Row { path, rule, accepted: spec(accepted), refused: spec(refused) }
}

/// A row about the whole spec.
pub(super) fn spec(rule: &'static str, accepted: Value, refused: Value) -> Row {
    let spec = |value: Value| json!({"spec": value});
    Row { path: "spec".to_owned(), rule, accepted: spec(accepted), refused: spec(refused) }
}

/// Rules about changes, which no creation breaks; [`association`] and the other modules have their tests.
const ELSEWHERE: [(&str, &str); 1] =
    [("spec", "namespace and serviceAccount cannot change; create another association")];

fn rows(kind: Kind) -> Vec<Row> {
    let mut rows = match kind {
        Kind::Association => association::rows(),
        Kind::Pattern => pattern::rows(),
        Kind::Guardrail => selection::guardrail_rows(),
    };
    if kind != Kind::Guardrail {
        rows.extend(role::rows());
    }
    if kind != Kind::Association {
        rows.extend(selection::namespace_rows());
    }
    let without = json!({"spec": null});
    rows.push(Row {
        path: "spec".to_owned(),
        rule: "required",
        accepted: json!({}),
        refused: without,
    });
    rows
}

/// What the API server writes about a broken rule.
fn complaint(rule: &str) -> &str {
    match rule {
        "pattern" => "in body should match",
        "minLength" => "should be at least",
        "maxLength" => "Too long",
        "minimum" => "should be greater than or equal to",
        "maximum" => "should be less than or equal to",
        "minItems" => "should have at least",
        "maxItems" | "maxProperties" => "Too many",
        "required" => "Required value",
        "enum" => "Unsupported value",
        "set" => "Duplicate value",
        "format" => "must be of type date-time",
        message => message,
    }
}

#[tokio::test]
async fn each_rule_accepts_one_object_and_refuses_another() -> anyhow::Result<()> {
    let client = client().await?;
    let mut wrong = Vec::new();
    for kind in Kind::ALL {
        for Row { path, rule, accepted, refused } in rows(kind) {
            let place = format!("{kind:?} {path}, {rule}");
            if let Err(message) = kind.verdict(&client, &accepted).await? {
                wrong.push(format!("{place}: {accepted} is refused: {message}"));
            }
            // A value of a map is reported with its key, which the path does not have.
            let reported = path.trim_end_matches("{}").replace("[]", "[");
            let begins = reported.split('[').next().unwrap_or_default();
            match kind.verdict(&client, &refused).await? {
                Ok(_) => wrong.push(format!("{place}: {refused} is accepted")),
                Err(message) if message.contains(complaint(rule)) && message.contains(begins) => {}
                Err(message) => wrong.push(format!("{place}: another message: {message}")),
            }
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[test]
fn no_rule_is_without_a_row() -> anyhow::Result<()> {
    for kind in Kind::ALL {
        let mut there = BTreeSet::new();
        for name in ["spec", "status"] {
            let schema = kind.schema()?;
            collect(&schema["properties"][name], name, &mut there);
        }
        there.retain(|(path, _)| !path.starts_with("status"));
        let schema = kind.schema()?;
        of_object(&schema, "", &mut there);
        let tried: BTreeSet<_> =
            rows(kind).into_iter().map(|row| (row.path, row.rule.to_owned())).collect();
        let is_elsewhere = |(path, rule): &&(String, String)| ELSEWHERE.contains(&(path, rule));
        let missing: Vec<_> = there.difference(&tried).filter(|it| !is_elsewhere(it)).collect();
        ensure!(missing.is_empty(), "{kind:?} has rules without a row: {missing:#?}");
        let gone: Vec<_> = tried.difference(&there).collect();
        ensure!(gone.is_empty(), "{kind:?} does not have the rules of these rows: {gone:#?}");
    }
    Ok(())
}

const KEYWORDS: [&str; 9] = [
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "maxProperties",
    "enum",
];

fn collect(schema: &Value, path: &str, rules: &mut BTreeSet<(String, String)>) {
    let mut rule = |rule: &str| rules.insert((path.to_owned(), rule.to_owned()));
    for keyword in KEYWORDS.iter().filter(|keyword| !schema[**keyword].is_null()) {
        rule(keyword);
    }
    if schema["format"] == "date-time" {
        rule("format");
    }
    if schema["x-kubernetes-list-type"] == "set" {
        rule("set");
    }
    of_object(schema, path, rules);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        collect(property, &format!("{path}.{name}"), rules);
    }
    if schema["items"].is_object() {
        collect(&schema["items"], &format!("{path}[]"), rules);
    }
    if schema["additionalProperties"].is_object() {
        collect(&schema["additionalProperties"], &format!("{path}{{}}"), rules);
    }
}

/// The rules that an object has beside those of its fields.
fn of_object(schema: &Value, path: &str, rules: &mut BTreeSet<(String, String)>) {
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let child = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        rules.insert((child, "required".to_owned()));
    }
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let message = rule["message"].as_str().unwrap_or(association::NAME_RULE);
        rules.insert((path.to_owned(), message.to_owned()));
    }
}
