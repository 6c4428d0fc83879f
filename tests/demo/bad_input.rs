//! What a person can get wrong: one failure, where it is, and the mend.

use anyhow::ensure;

use crate::{Manifests, json, run};

/// What is said when `podrole demo ARGS` fails, as it must.
fn fails(args: &[&str]) -> anyhow::Result<String> {
    let output = run(args)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success(), "{args:?} succeeded: {said}");
    ensure!(!said.contains("panicked"), "{said}");
    Ok(said)
}

#[test]
fn a_missing_file_is_named() {
    let said = fails(&["-f", "no-such-file.yaml"]).unwrap();
    assert!(said.contains("no-such-file.yaml"), "{said}");
    assert!(said.contains("mend"), "{said}");
}

#[test]
fn a_file_that_does_not_parse_is_told_with_its_line() {
    let broken = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: [\n";
    let file = Manifests::new("broken.yaml", broken).unwrap();
    let said = fails(&["-f", file.path().unwrap()]).unwrap();
    assert!(said.contains("broken.yaml"), "{said}");
    let line = ["line 3", "line 4", ":3", ":4"];
    assert!(line.iter().any(|line| said.contains(line)), "{said}");
    assert!(said.contains("mend"), "{said}");
}

#[test]
fn a_file_without_a_workload_says_what_is_missing() {
    let alone = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
    let file = Manifests::new("alone.yaml", alone).unwrap();
    let said = fails(&["-f", file.path().unwrap()]).unwrap();
    assert!(said.contains("mend"), "{said}");
}

#[test]
fn a_failure_is_in_the_json_too() {
    let (object, success) = json(&["-f", "no-such-file.yaml"]).unwrap();
    assert!(!success && object["ok"] == false, "{object:#}");
    for part in ["step", "why", "mend"] {
        let text = object["failure"][part].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{part} is missing: {object:#}");
    }
}

#[test]
fn a_bad_flag_and_a_missing_command_are_told() {
    assert!(fails(&["--path", "irsa"]).unwrap().contains("web-identity"));
    let said = fails(&["--", "no-such-command-here"]).unwrap();
    assert!(said.contains("no-such-command-here"), "{said}");
}
