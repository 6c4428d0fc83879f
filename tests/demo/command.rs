//! The user's command, run as the pod.

use crate::{EXAMPLE, demo, run};
use podrole_tests::python;

#[test]
fn the_exit_code_is_that_of_the_command() {
    let output = run(&["--", "sh", "-c", "exit 7"]).unwrap();
    assert_eq!(output.status.code(), Some(7), "{output:?}");
}

#[test]
fn standard_output_is_only_that_of_the_command() {
    let output = run(&["--", "echo", "mine"]).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "mine\n");
}

#[test]
fn a_command_gets_no_other_aws_variable() {
    let mut command = demo(["--", "env"]).unwrap();
    let output = command.env("AWS_ACCESS_KEY_ID", "mine").output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{stdout}");
    assert!(!stdout.contains("AWS_ACCESS_KEY_ID"), "{stdout}");
    let injected = ["AWS_WEB_IDENTITY_TOKEN_FILE=", "AWS_CONTAINER_CREDENTIALS_FULL_URI="];
    assert!(injected.iter().any(|name| stdout.contains(name)), "{stdout}");
}

/// The AWS CLI of PyPI. `./test` skips this test by its name if there is no Python.
#[test]
fn python_aws_cli_has_the_role_with_both_providers() {
    let bin = python::bin().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    for provider in ["web-identity", "container"] {
        let args = ["--provider", provider, "--", "aws", "sts", "get-caller-identity"];
        let output =
            demo(args).unwrap().env("PATH", format!("{}:{path}", bin.display())).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{provider}: {stdout}\n{stderr}");
        assert!(stdout.contains(EXAMPLE), "{provider}: {stdout}\n{stderr}");
    }
}
