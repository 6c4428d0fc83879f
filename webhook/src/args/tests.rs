//! What the flags decide, and which are refused.

use super::*;
use clap::CommandFactory as _;

fn settings(flags: &[&str]) -> Settings {
    let name = ["podrole-webhook"].iter();
    Args::try_parse_from(name.chain(flags)).unwrap().settings().unwrap()
}

#[test]
fn the_defaults_are_those_of_ekss_webhook() {
    Args::command().debug_assert();
    assert_eq!(settings(&[]), Settings::default());
}

#[test]
fn a_region_enables_its_sts_unless_a_flag_disables_it() {
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
fn endpoints_of_annotations_are_listed_and_safe_from_eavesdroppers() {
    let permits = |flags: &[&str], url: &str| {
        settings(flags).permitted_endpoints.permits(&url.parse().unwrap())
    };
    let url = "http://sandbox.podrole.svc.corp:4566";
    assert!(!permits(&[], url));
    let domain = "--cluster-domain=corp";
    let listed = "--permitted-endpoint-url=http://sandbox.podrole.svc.corp:4566/*";
    let other = "--permitted-endpoint-url=https://other.example";
    assert!(permits(&[domain, other, listed], url) && !permits(&[domain, other], url));
    let own = "http://emulator.example:5000";
    assert!(permits(&["--endpoint-url=http://emulator.example:5000"], own));
    let args = Args::try_parse_from(["w", "--permitted-endpoint-url=http://emulator.example"]);
    let error = anyhow::Error::from(args.unwrap().settings().unwrap_err());
    let text = format!("{error:#}");
    assert!(text.starts_with("--permitted-endpoint-url: endpoint http://emulator.example:"));
    assert_eq!(text.matches("use https").count(), 1, "{text}");
}

#[test]
fn bare_roles_are_composed_only_with_the_flag() {
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
async fn the_default_aws_account_of_bare_roles_is_the_instances() {
    let parse = |flags: &[&str]| Args::try_parse_from(["w"].iter().chain(flags)).unwrap();
    let nowhere = "--instance-metadata-url=http://127.0.0.1:1";
    let args = parse(&["--compose-role-arn", nowhere]).completed().await;
    assert!(args.unwrap_err().to_string().contains("give --aws-account-id"));
    let known = parse(&["--compose-role-arn", "--aws-account-id=111122223333", nowhere]);
    assert!(known.completed().await.is_ok(), "the metadata service is not called");
    let mut args = parse(&["--compose-role-arn", "--aws-account-id=111122223333"]);
    args.instance_region = Some("cn-north-1".to_owned());
    let composed = args.settings().unwrap().annotations.composer.unwrap().compose("app");
    assert_eq!(composed, "arn:aws-cn:iam::111122223333:role/app");
}

#[test]
fn flags_that_would_break_every_pod_are_rejected() {
    for flag in [
        "--token-mount-path=var/run",
        "--token-mount-path=/a:b",
        "--container-credentials-token-volume-name=A",
        "--container-credentials-token-volume-name=-a",
        "--container-credentials-token-path=a/b",
        "--container-credentials-full-uri=169.254.170.23",
        "--container-credentials-audience=",
        "--endpoint-url=localhost:4566",
        "--permitted-endpoint-url=localhost:4566",
        "--permitted-endpoint-url=https://good.example*",
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
