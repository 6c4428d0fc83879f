//! `podrole inject` beside kubectl's own decoder: what kubectl reads in a manifest it reads in the output.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::Context as _;
use podrole_tests::project;
use serde_json::Value;

fn run(program: &Path, arguments: &[&str], stdin: &[u8]) -> anyhow::Result<Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| program.display().to_string())?;
    let mut pipe = child.stdin.take().context("no standard input")?;
    // A program that refuses the beginning does not read the rest.
    let _ = pipe.write_all(stdin);
    drop(pipe);
    Ok(child.wait_with_output()?)
}

/// The objects as kubectl reads them; `None` if it refuses them.
fn decoded(decoder: &Path, text: &[u8]) -> anyhow::Result<Option<Vec<Value>>> {
    let output = run(decoder, &[], text)?;
    if !output.status.success() {
        return Ok(None);
    }
    let lines = String::from_utf8(output.stdout)?;
    let objects = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok(Some(objects))
}

/// Whether `after` has all of `before`; where there was nothing, anything may be.
fn keeps(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Null, _) => true,
        (Value::Object(before), Value::Object(after)) => {
            before.iter().all(|(key, value)| after.get(key).is_some_and(|it| keeps(value, it)))
        }
        (Value::Array(before), Value::Array(after)) => {
            before.len() <= after.len() && before.iter().zip(after).all(|(one, it)| keeps(one, it))
        }
        (Value::String(before), Value::String(_)) if before.is_empty() => true,
        _ => before == after,
    }
}

#[test]
fn kubectls_decoder_reads_the_output_as_the_input_and_refuses_what_inject_refuses() {
    let decoder = project::folder_from("tests/kubernetes/decoder").unwrap();
    let podrole = project::binary("podrole").unwrap();
    let (mut equal, mut changed, mut refused) = (0, 0, 0);
    for file in project::files().unwrap() {
        let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if !["yaml", "yml", "json"].contains(&ending) {
            continue;
        }
        let text = std::fs::read(project::root().join(&file)).unwrap();
        let arguments = ["inject", "-f", "-", "--allow-missing"];
        let output = run(&podrole, &arguments, &text).unwrap();
        let name = file.display();
        let has_kinds = |objects: &Vec<Value>| objects.iter().all(|it| it["kind"].is_string());
        let Some(before) = decoded(&decoder, &text).unwrap().filter(has_kinds) else {
            assert_eq!(output.status.code(), Some(1), "{name}");
            assert!(output.stdout.is_empty(), "{name}");
            refused += 1;
            continue;
        };
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {stderr}");
        let after = decoded(&decoder, &output.stdout).unwrap().unwrap();
        assert_eq!(before.len(), after.len(), "{name}");
        for (before, after) in before.iter().zip(&after) {
            assert!(keeps(before, after), "{name}: {before:#} became {after:#}");
        }
        if output.stdout == text {
            equal += 1;
        } else {
            changed += 1;
        }
    }
    // The repository has some of each, or this would show nothing.
    assert!(equal > 10 && changed > 10 && refused > 10, "{equal}, {changed}, {refused}");
}
