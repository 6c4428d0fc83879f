//! `podrole inject` beside kubectl's own decoder: what kubectl reads in a manifest it reads in the output.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::Context as _;
use podrole_tests::project;
use serde_json::{Value, json};

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

/// The JSON pointer to the pod or pod template of a kind.
fn template(object: &Value, kind: &str) -> Option<&'static str> {
    let group = object["apiVersion"].as_str().map(|it| it.split_once('/').map_or("", |it| it.0));
    let is = |owner: &str| group.is_none_or(|group| group == owner);
    match kind {
        "Pod" if is("") => Some(""),
        "ReplicationController" if is("") => Some("/spec/template"),
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" if is("apps") => {
            Some("/spec/template")
        }
        "Job" if is("batch") => Some("/spec/template"),
        "CronJob" if is("batch") => Some("/spec/jobTemplate/spec/template"),
        "PodTemplate" if is("") => Some("/template"),
        _ => None,
    }
}

/// Whether `after` is `before`, or has more in the specs and metadata of pods.
fn keeps(before: &Value, after: &Value) -> bool {
    keeps_object(before, after, before["kind"].as_str().unwrap_or_default())
}

fn keeps_object(before: &Value, after: &Value, kind: &str) -> bool {
    let (mut before, mut after) = (before.clone(), after.clone());
    // What may have more is taken out of both, and the rest must be equal.
    if kind.ends_with("List")
        && let Some(items) = before.get_mut("items").map(Value::take)
    {
        let (Some(items), Some(others)) = (items.as_array(), after["items"].as_array()) else {
            return false;
        };
        let item_kind = |item: &Value| {
            let own = item["kind"].as_str().unwrap_or(kind.trim_end_matches("List"));
            own.to_owned()
        };
        let mut pairs = items.iter().zip(others);
        let equal = items.len() == others.len()
            && pairs.all(|(one, other)| keeps_object(one, other, &item_kind(one)));
        after["items"].take();
        return equal && before == after;
    }
    let Some(pointer) = template(&before, kind) else { return before == after };
    let (Some(pod), Some(other)) = (before.pointer_mut(pointer), after.pointer_mut(pointer)) else {
        return before == after;
    };
    let mut part = |field: &str| {
        let [one, other] = [&mut *pod, &mut *other]
            .map(|it| it.as_object_mut().and_then(|it| it.remove(field)).unwrap_or_default());
        has_all(&one, &other)
    };
    part("metadata") && part("spec") && before == after
}

/// Whether `after` has all of `before`; where there was nothing, anything may be.
fn has_all(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Null, _) => true,
        (Value::Object(before), Value::Object(after)) => {
            before.iter().all(|(key, value)| after.get(key).is_some_and(|it| has_all(value, it)))
        }
        (Value::Array(before), Value::Array(after)) => {
            before.len() <= after.len()
                && before.iter().zip(after).all(|(one, it)| has_all(one, it))
        }
        (Value::String(before), Value::String(_)) if before.is_empty() => true,
        _ => before == after,
    }
}

#[test]
fn additions_count_only_in_the_specs_and_metadata_of_pods() {
    let pod = json!({"spec": {"containers": [{"name": "c", "env": [{"name": "A"}]}]}});
    let object = |kind: &str| {
        json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "w"},
            "spec": {"template": pod, "list": [1]}})
    };
    let (deployment, other) = (object("Deployment"), object("Rollout"));
    let changed = |object: &Value, pointer: &str, change: Value| {
        let mut object = object.clone();
        match object.pointer_mut(pointer).unwrap() {
            Value::Array(items) => items.push(change),
            it => it["added"] = change,
        }
        object
    };
    let list = |items: &[&Value]| json!({"kind": "List", "items": items});
    let env = "/spec/template/spec/containers/0/env";
    for (before, pointer, kept) in [
        (&deployment, env, true),
        (&deployment, "/spec/template/spec", true),
        (&deployment, "/spec/template", false),
        (&deployment, "/spec/list", false),
        (&deployment, "/metadata", false),
        (&deployment, "", false),
        (&other, env, false),
    ] {
        let after = changed(before, pointer, json!({"name": "B"}));
        assert_eq!(keeps(before, &after), kept, "{pointer}");
        assert!(!keeps(&after, before), "{pointer}");
        let lists = [list(&[&deployment, before]), list(&[&deployment, &after])];
        assert_eq!(keeps(&lists[0], &lists[1]), kept, "{pointer}");
    }
    let mut metadata = deployment.clone();
    metadata["spec"]["template"] =
        json!({"metadata": {"annotations": {"a": "b"}}, "spec": pod["spec"]});
    assert!(keeps(&deployment, &metadata));
    assert!(!keeps(&list(&[&other]), &list(&[&other, &other])));
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
        // kubectl refuses input without objects, too.
        let has_kinds = |objects: &Vec<Value>| {
            !objects.is_empty() && objects.iter().all(|it| it["kind"].is_string())
        };
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
