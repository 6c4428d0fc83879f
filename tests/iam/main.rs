//! The sandbox's IAM API, asked by boto3 and the AWS CLI as Terraform and people ask it.
#![forbid(unsafe_code)]

mod stage;

use stage::Stage;

#[test]
fn python_makes_reads_changes_and_deletes() -> anyhow::Result<()> {
    Stage::start(None)?.run("terraform.py")
}

#[test]
fn python_meets_the_exceptions_of_iam() -> anyhow::Result<()> {
    Stage::start(None)?.run("exceptions.py")
}

#[test]
fn python_asks_with_the_aws_cli() -> anyhow::Result<()> {
    Stage::start(None)?.run("cli.py")
}

#[test]
fn python_gets_sessions_and_eks_auth() -> anyhow::Result<()> {
    Stage::start(None)?.run("sessions.py")
}

/// What the IAM API made is there in the next sandbox, and no session is.
#[test]
fn python_finds_what_an_earlier_sandbox_made() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state.json");
    Stage::start(Some(&state))?.run("make.py")?;
    let written = std::fs::read_to_string(&state)?;
    anyhow::ensure!(!written.contains("secret"), "a secret is in the state");
    Stage::start(Some(&state))?.run("find.py")
}
