//! `podrole associations` as a program: exit codes, and what is on which stream.

#![allow(clippy::unwrap_used, reason = "an integration test: a panic is its failure")]

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/associations")
}

/// Runs the program in the folder of the fixtures.
fn run(arguments: &[&str], stdin: &str) -> Output {
    let mut podrole = Command::new(env!("CARGO_BIN_EXE_podrole"))
        .arg("associations")
        .args(arguments)
        .current_dir(folder())
        .env("KUBECONFIG", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    podrole.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    podrole.wait_with_output().unwrap()
}

/// The exit code, standard output and standard error.
fn ends(arguments: &[&str], stdin: &str) -> (i32, String, String) {
    let Output { status, stdout, stderr } = run(arguments, stdin);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

#[test]
fn an_import_prints_manifests_alone() {
    let expected = (0, fixture("imported/eks.yaml"), String::new());
    assert_eq!(ends(&["import", "eks.json"], ""), expected);
    assert_eq!(ends(&["import", "-"], &fixture("eks.json")), expected);
}

#[test]
fn pods_that_would_get_a_role_are_named_on_standard_error() {
    let note = "pods.json:9: shop/orders: pods without the annotation iam.amazonaws.com/role get this \
                role too: Pod orders-debug\n";
    let expected = (0, fixture("imported/pods.yaml"), note.to_owned());
    assert_eq!(ends(&["import", "pods.json"], ""), expected);
}

#[test]
fn an_error_leaves_standard_output_empty() {
    let (code, stdout, stderr) = ends(&["import", "eks.json", "list.json", "-"], "a: 1\n");
    assert_eq!((code, stdout.as_str()), (1, ""));
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{stderr}");
    assert_eq!(
        lines[0],
        "list.json:3: shop/orders: it is also at eks.json:2, with another durationSeconds, \
         sessionName; remove one of them"
    );
    assert!(lines[1].starts_with("list.json:10: billing/export: it is also at eks.json:16, with"));
    assert!(lines[2].starts_with("<stdin>:1: it is in none of the known forms; "));
    assert_eq!(lines[3], "podrole: nothing is printed or applied");
}

#[test]
fn what_cannot_be_used_is_exit_code_2() {
    for (arguments, said) in [
        (&["import", "none.yaml"][..], "could not read none.yaml: "),
        (&["import"], "<FILE>..."),
        (&["import", "--from-eks", "a/b"], "a cluster's name is 1 to 100 of"),
        (&["import", "eks.json", "--from-eks", "shop"], "cannot be used with"),
        (&["import", "eks.json", "--force-conflicts"], "--apply"),
        (
            &["import", "pods.json", "--base-role-arn", "role/"],
            "write the beginning of role ARNs: arn:aws",
        ),
        (&["import", "eks.json", "--apply", "--kubeconfig", "none"], "--kubeconfig none: "),
        (&["export", "--format", "aws-cli", "eks.json"], "--cluster-name <NAME>"),
        (&["export", "eks.json"], "--format <FORMAT>"),
        (&["export", "--format", "list", "--kubeconfig", "none"], "--kubeconfig none: "),
    ] {
        let (code, stdout, stderr) = ends(arguments, "");
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
}

#[test]
fn an_export_names_what_is_lost_on_standard_error() {
    let (code, stdout, stderr) =
        ends(&["export", "--format", "aws-cli", "--cluster-name", "shop-1", "list.json"], "");
    assert_eq!((code, stdout), (0, fixture("exported/aws-cli.sh")));
    assert_eq!(stderr.lines().count(), 4, "{stderr}");
    assert!(stderr.starts_with("billing/export: externalID is lost: EKS sends"), "{stderr}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let entry = |index: usize| {
        format!(
            "{{\"namespace\":\"n{index}\",\"serviceAccount\":\"app\",\
             \"roleArn\":\"arn:aws:iam::111122223333:role/app\"}}"
        )
    };
    let entries: Vec<String> = (0..2000).map(entry).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, format!("{{\"identities\":[{}]}}", entries.join(","))).unwrap();
    let mut podrole = Command::new(env!("CARGO_BIN_EXE_podrole"))
        .args(["associations", "import"])
        .arg(file.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(podrole.stdout.take());
    let ended = podrole.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.len()), (Some(0), 0));
}
