//! A person's own command, as the pod.

use crate::{EXAMPLE, demo, run};
use podrole_tests::python;

#[test]
fn the_exit_code_is_the_commands() {
    let output = run(&["--", "sh", "-c", "exit 7"]).unwrap();
    assert_eq!(output.status.code(), Some(7), "{output:?}");
}

#[test]
fn standard_output_is_the_commands_own() {
    let output = run(&["--", "echo", "mine"]).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "mine\n");
}

#[test]
fn a_command_gets_no_other_aws_variable() {
    let mut command = demo(["--", "env"]).unwrap();
    let output = command.env("AWS_ACCESS_KEY_ID", "mine").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}");
    assert!(!told.contains("AWS_ACCESS_KEY_ID"), "{told}");
    let injected = ["AWS_WEB_IDENTITY_TOKEN_FILE=", "AWS_CONTAINER_CREDENTIALS_FULL_URI="];
    assert!(injected.iter().any(|name| told.contains(name)), "{told}");
}

/// The AWS CLI of PyPI; the name is how `./test` leaves it out where there is no Python.
#[test]
fn python_aws_cli_is_the_role_both_ways() {
    let bin = python::bin().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    for way in ["web-identity", "container"] {
        let args = ["--path", way, "--", "aws", "sts", "get-caller-identity"];
        let output =
            demo(args).unwrap().env("PATH", format!("{}:{path}", bin.display())).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{way}: {told}\n{said}");
        assert!(told.contains(EXAMPLE), "{way}: {told}\n{said}");
    }
}
