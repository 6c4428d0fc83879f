//! `docs/associations.md`: its reference is what the schemas say, and the API server accepts its examples.

use std::{fmt::Write as _, fs};

use anyhow::{Context as _, ensure};
use kube::api::{DynamicObject, PostParams};
use podrole_tests::project;
use serde_json::Value;

use super::{Kind, client, explained};
use crate::golden;

const PAGE: &str = "docs/associations.md";
/// The heading of what is generated, to the end of the page.
const HEADING: &str = "\n## Fields\n";

#[test]
fn the_reference_is_generated_from_the_schemas() -> anyhow::Result<()> {
    let path = project::root().join(PAGE);
    let page = fs::read_to_string(&path)?;
    let (written, _) = page.split_once(HEADING).context("the page has no fields")?;
    let mut text = format!(
        "{written}{HEADING}\nGenerated from the schemas, by `PODROLE_BLESS=1 ./test chart`.\n"
    );
    for kind in Kind::ALL {
        let schema = kind.schema()?;
        let about = schema["description"].as_str().context("no description")?;
        write!(
            text,
            "\n### {}\n\n{about}\n\n| field of `spec` | type | rule | meaning |\n|---|---|---|---|\n",
            kind.name()
        )?;
        table(&schema["properties"]["spec"], "", &mut text)?;
    }
    golden::same(&path, &text)
}

/// A row for each property, and for those of its own.
fn table(schema: &Value, before: &str, text: &mut String) -> anyhow::Result<()> {
    let required = schema["required"].as_array().into_iter().flatten();
    let required: Vec<_> = required.filter_map(Value::as_str).collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let field = format!("{before}{name}");
        let description = property["description"].as_str().context("no description")?;
        let (meaning, example) = explained::parts(description).with_context(|| field.clone())?;
        let rule = rule(property, required.contains(&name.as_str()));
        let of = kind_of(property);
        let meaning = meaning.replace('|', "\\|");
        writeln!(text, "| `{field}` | {of} | {rule} | {meaning} Example: `{example}` |")?;
        table(property, &format!("{field}."), text)?;
        table(&property["items"], &format!("{field}[]."), text)?;
    }
    Ok(())
}

fn kind_of(schema: &Value) -> String {
    let of = schema["type"].as_str().unwrap_or_default();
    match of {
        "array" => format!("list of {}s", kind_of(&schema["items"])),
        "string" if schema["format"] == "date-time" => "time".to_owned(),
        "object" if schema["additionalProperties"].is_object() => "map of strings".to_owned(),
        of => of.to_owned(),
    }
}

/// Whether it must be there, its default, and how much there may be of it.
fn rule(schema: &Value, is_required: bool) -> String {
    let mut rules = Vec::new();
    if is_required {
        rules.push("required".to_owned());
    }
    if !schema["default"].is_null() {
        rules.push(format!("default `{}`", schema["default"]));
    }
    for (least, most, unit) in [
        ("minLength", "maxLength", " characters"),
        ("minimum", "maximum", ""),
        ("minItems", "maxItems", " items"),
        ("minProperties", "maxProperties", " labels"),
    ] {
        match (schema[least].as_i64(), schema[most].as_i64()) {
            (Some(least), Some(most)) => rules.push(format!("{least} to {most}{unit}")),
            (None, Some(most)) => rules.push(format!("at most {most}{unit}")),
            _ => {}
        }
    }
    let values = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let values: Vec<_> = values.map(|value| format!("`{value}`")).collect();
    if !values.is_empty() {
        rules.push(format!("one of {}", values.join(", ")));
    }
    rules.join("; ")
}

#[tokio::test]
async fn the_examples_of_the_page_are_accepted() -> anyhow::Result<()> {
    let client = client().await?;
    let page = fs::read_to_string(project::root().join(PAGE))?;
    let mut seen = Vec::new();
    for block in page.split("```yaml\n").skip(1) {
        let (block, _) = block.split_once("```").context("a block does not end")?;
        // A block in a list is indented with it.
        let object: Value = serde_saphyr::from_str(block).with_context(|| block.to_owned())?;
        let Some(kind) = Kind::ALL.into_iter().find(|kind| object["kind"] == kind.name()) else {
            continue;
        };
        let object: DynamicObject = serde_json::from_value(object)?;
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let created = kind.api(&client).create(&params, &object).await;
        created.with_context(|| block.to_owned())?;
        seen.push(kind);
    }
    ensure!(Kind::ALL.iter().all(|kind| seen.contains(kind)), "examples of {seen:?} only");
    Ok(())
}
