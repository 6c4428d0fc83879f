//! Mistakes of a user: the demo prints one failure, where it is, and how to fix it.

use anyhow::ensure;

use crate::{Manifests, json, run};

/// Standard error of `podrole demo ARGS`, which must fail.
fn fails(args: &[&str]) -> anyhow::Result<String> {
    let output = run(args)?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success(), "{args:?} succeeded: {error}");
    ensure!(!error.contains("panicked"), "{error}");
    Ok(error)
}

#[test]
fn the_error_names_a_missing_file() {
    let error = fails(&["-f", "no-such-file.yaml"]).unwrap();
    assert!(error.contains("no-such-file.yaml"), "{error}");
    assert!(error.contains("fix: "), "{error}");
}

#[test]
fn a_syntax_error_has_its_line() {
    let broken = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: [\n";
    let file = Manifests::new("broken.yaml", broken).unwrap();
    let error = fails(&["-f", file.path().unwrap()]).unwrap();
    assert!(error.contains("broken.yaml"), "{error}");
    let line = ["line 3", "line 4", ":3", ":4"];
    assert!(line.iter().any(|line| error.contains(line)), "{error}");
    assert!(error.contains("fix: "), "{error}");
}

#[test]
fn a_file_without_a_workload_says_what_is_missing() {
    let alone = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
    let file = Manifests::new("alone.yaml", alone).unwrap();
    let error = fails(&["-f", file.path().unwrap()]).unwrap();
    assert!(error.contains("fix: "), "{error}");
}

#[test]
fn a_folder_with_only_subfolders_needs_the_flag_for_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    let path = folder.path().display().to_string();
    let error = fails(&["-f", &path]).unwrap();
    assert!(error.contains(&format!("no manifests in {path}; use -R for its subf")), "{error}");
}

#[test]
fn the_json_has_the_failure() {
    let (object, success) = json(&["-f", "no-such-file.yaml"]).unwrap();
    assert!(!success && object["ok"] == false, "{object:#}");
    for part in ["step", "why", "fix"] {
        let text = object["failure"][part].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{part} is missing: {object:#}");
    }
}

#[test]
fn a_bad_flag_and_a_missing_command_are_reported() {
    assert!(fails(&["--provider", "irsa"]).unwrap().contains("web-identity"));
    let error = fails(&["--", "no-such-command-here"]).unwrap();
    assert!(error.contains("no-such-command-here"), "{error}");
}
