//! What the flags decide, and which are refused.

use super::*;
use clap::CommandFactory as _;

fn settings(flags: &[&str]) -> Settings {
    let name = ["podrole-webhook"].iter();
    Args::try_parse_from(name.chain(flags)).unwrap().settings().unwrap()
}

#[test]
fn without_flags_it_is_ekss_webhook() {
    Args::command().debug_assert();
    assert_eq!(settings(&[]), Settings::default());
}

#[test]
fn a_region_brings_its_sts_unless_told_otherwise() {
    for (flags, regional) in [
        (&["--aws-default-region=eu-west-1"][..], true),
        (&["--aws-default-region=eu-west-1", "--sts-regional-endpoint=false"], false),
        (&["--sts-regional-endpoint"], true),
        (&["--aws-default-region="], false),
    ] {
        assert_eq!(settings(flags).sts_regional_endpoints, regional, "{flags:?}");
    }
}

#[test]
fn bare_roles_are_composed_only_where_the_flag_says_so() {
    let composer = |flags: &[&str]| settings(flags).annotations.composer;
    let account = "--aws-account-id=111122223333";
    assert_eq!(composer(&[account]), None);
    assert_eq!(composer(&[account, "--compose-role-arn=false"]), None);
    let composed = |flags: &[&str]| composer(flags).unwrap().compose("app");
    let arn = "arn:aws:iam::111122223333:role/app";
    assert_eq!(composed(&[account, "--compose-role-arn"]), arn);
    let china = "--aws-default-region=cn-north-1";
    let arn = "arn:aws-cn:iam::111122223333:role/app";
    assert_eq!(composed(&[account, "--compose-role-arn=true", china]), arn);
    assert_eq!(composed(&[account, "--compose-role-arn", "--aws-partition=aws-cn"]), arn);
}

#[tokio::test]
async fn without_an_account_bare_roles_are_of_the_instances_and_it_must_be_known() {
    let parse = |flags: &[&str]| Args::try_parse_from(["w"].iter().chain(flags)).unwrap();
    let nowhere = "--instance-metadata-url=http://127.0.0.1:1";
    let args = parse(&["--compose-role-arn", nowhere]).completed().await;
    assert!(args.unwrap_err().to_string().contains("give --aws-account-id"));
    let known = parse(&["--compose-role-arn", "--aws-account-id=111122223333", nowhere]);
    assert!(known.completed().await.is_ok(), "nobody had to be asked");
    let mut args = parse(&["--compose-role-arn", "--aws-account-id=111122223333"]);
    args.instance_region = Some("cn-north-1".to_owned());
    let composed = args.settings().unwrap().annotations.composer.unwrap().compose("app");
    assert_eq!(composed, "arn:aws-cn:iam::111122223333:role/app");
}

#[test]
fn flags_that_would_break_every_pod_are_refused() {
    for flag in [
        "--token-mount-path=var/run",
        "--token-mount-path=/a:b",
        "--container-credentials-token-volume-name=A",
        "--container-credentials-token-volume-name=-a",
        "--container-credentials-token-path=a/b",
        "--container-credentials-full-uri=169.254.170.23",
        "--container-credentials-audience=",
        "--endpoint-url=localhost:4566",
        "--credentials=irsa",
        "--exchange=none",
        "--aws-account-id=1",
        "--instance-metadata-url=169.254.169.254",
        "--aws-partition=a:b",
    ] {
        assert!(Args::try_parse_from(["w", flag]).is_err(), "{flag}");
    }
    assert_eq!(settings(&["--token-expiration=5"]).token_expiration.seconds(), 600);
}
