//! Every value is in the schema, and has a comment in values.yaml.

use std::{collections::BTreeMap, fs};

use anyhow::ensure;
use serde_json::Value;

use crate::helm;

#[test]
fn every_value_is_documented_and_in_the_schema() -> anyhow::Result<()> {
    let schema = fs::read_to_string(helm::chart().join("values.schema.json"))?;
    let schema: Value = serde_json::from_str(&schema)?;
    let mut known = Vec::new();
    leaves(&schema, "", &mut known);
    known.retain(|path| path != "global");

    let written = fs::read_to_string(helm::chart().join("values.yaml"))?;
    let documented = documented(&written);
    for path in &known {
        let has_comment = documented.get(path);
        ensure!(has_comment.is_some(), "{path} is in the schema, and not in values.yaml");
        ensure!(has_comment == Some(&true), "{path} has no comment above it in values.yaml");
    }
    let values: Value = serde_saphyr::from_str(&written)?;
    for path in &known {
        let pointer = format!("/{}", path.replace('.', "/"));
        ensure!(values.pointer(&pointer).is_some(), "{path} has no default");
    }
    Ok(())
}

/// The paths of values; an object that the schema describes in place is a folder of them.
fn leaves(schema: &Value, path: &str, found: &mut Vec<String>) {
    let Some(properties) = schema["properties"].as_object() else {
        found.push(path.to_owned());
        return;
    };
    assert_eq!(schema["additionalProperties"], false, "{path} takes anything");
    for (name, schema) in properties {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        leaves(schema, &path, found);
    }
}

/// The keys that stand in a file of ours, two blanks deeper each, and whether a comment is above.
fn documented(text: &str) -> BTreeMap<String, bool> {
    let (mut found, mut path, mut commented) = (BTreeMap::new(), Vec::<String>::new(), false);
    for line in text.lines() {
        let bare = line.trim_start();
        if bare.starts_with('#') {
            commented = true;
            continue;
        }
        if let Some((name, _)) = bare.split_once(':') {
            path.truncate((line.len() - bare.len()) / 2);
            path.push(name.to_owned());
            found.insert(path.join("."), commented);
        }
        commented = false;
    }
    found
}

#[test]
fn no_object_of_the_schema_takes_what_is_not_known() -> anyhow::Result<()> {
    let schema = fs::read_to_string(helm::chart().join("values.schema.json"))?;
    let schema: Value = serde_json::from_str(&schema)?;
    ensure!(schema["$schema"] == "http://json-schema.org/draft-07/schema#");
    let mut open = Vec::new();
    visit(&schema, &mut |object| {
        if object.contains_key("properties")
            && object.get("additionalProperties") != Some(&Value::Bool(false))
        {
            open.push(format!("{object:?}"));
        }
    });
    ensure!(open.is_empty(), "{open:?}");
    Ok(())
}

fn visit(value: &Value, see: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            see(object);
            object.values().for_each(|value| visit(value, see));
        }
        Value::Array(list) => list.iter().for_each(|value| visit(value, see)),
        _ => {}
    }
}

/// The sandbox makes roles in these only, so that a role of another account shows before production.
#[test]
fn the_sandbox_has_the_accounts_that_the_values_name() -> anyhow::Result<()> {
    let association = "associations[0].roleArn=arn:aws:iam::444455556666:role/a,associations[0].targetRoleArn=arn:aws-cn:iam::012345678901:role/b";
    let named = "associations[0].namespace=shop,associations[0].serviceAccount=app";
    let rendered = helm::template(&[
        "local.enabled=true",
        association,
        named,
        "local.accounts={999988887777,12345}",
        "composeRoleArn.accountId=222233334444",
    ])?;
    let accounts: Vec<&str> =
        rendered.lines().filter_map(|line| line.trim().strip_prefix("- \"--account=")).collect();
    let wanted = ["000000012345", "012345678901", "222233334444", "444455556666", "999988887777"];
    let wanted: Vec<String> = wanted.iter().map(|id| format!("{id}\"")).collect();
    ensure!(accounts == wanted, "{accounts:?}");
    let production = helm::template(&[])?;
    ensure!(!production.contains("--account=") && !production.contains("sandbox-state"));
    Ok(())
}

#[test]
fn a_session_name_has_known_placeholders_only() -> anyhow::Result<()> {
    let set = |name: &str| helm::template(&[&format!("injection.sessionName={name}")]);
    set(r"\{pod.namespace\}.\{serviceaccount.name\}")?;
    for name in [r"\{foo\}", r"x\{pod.namespacee\}", "a b"] {
        ensure!(set(name).is_err(), "{name} would end the webhook at its start");
    }
    Ok(())
}
