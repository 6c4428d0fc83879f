use super::*;

use std::net::IpAddr;

use podrole_identity::Exchange;

fn check(flags: &[&str]) -> Result<(), ArgsError> {
    let all = ["podrole-agent", "--region", "eu-central-1"].iter().chain(flags);
    Args::try_parse_from(all).unwrap().check()
}

#[test]
fn flags_that_contradict_each_other_are_rejected() {
    let node = ["--node-name", "n1"];
    assert_eq!(check(&node), Ok(()));
    assert_eq!(check(&["--node-name", ""]), Err(ArgsError::NoNodeName));
    let off = ["--pod-liveness", "off"];
    assert_eq!(check(&off), Err(ArgsError::LivenessOff));
    for (hosts, error) in [
        ("127.0.0.1", None),
        ("localhost,[::1]", None),
        ("127.0.0.1,0.0.0.0", Some(ArgsError::LivenessOff)),
        ("10.0.0.1", Some(ArgsError::LivenessOff)),
    ] {
        let flags = [&off[..], &["-b", hosts]].concat();
        assert_eq!(check(&flags).err(), error, "{hosts}");
    }
    let issuer = [&node[..], &["--keys-from", "issuer"]].concat();
    assert_eq!(check(&issuer), Err(ArgsError::NoIssuer));
    let region = [&node[..], &["--region", ""]].concat();
    let all = ["podrole-agent"].iter().chain(&region);
    assert_eq!(Args::try_parse_from(all).unwrap().check(), Err(ArgsError::NoRegion));
}

#[test]
fn sockets_are_handed_over_only_if_the_successor_can_be_checked() {
    let handover = [&NODE[..], &["--handover", "socket"]].concat();
    assert_eq!(check(&handover), Err(ArgsError::NoHandoverToken));
    let known = [&handover[..], &["--handover-token", "token"]].concat();
    assert_eq!(check(&known), Ok(()));
    let unchecked = [&known[..], &["--pod-liveness=off", "-b=127.0.0.1"]].concat();
    assert_eq!(check(&unchecked), Err(ArgsError::HandoverLiveness));
}

#[test]
fn the_audience_follows_from_the_exchange_unless_it_is_set() {
    let args = Args::try_parse_from(["podrole-agent"]).unwrap();
    assert_eq!(args.audiences(), [Audience::sts()]);
    let args = Args::try_parse_from(["podrole-agent", "--audience", "a", "--audience", "b"]);
    let args = args.unwrap().audiences();
    assert_eq!(args.iter().map(Audience::as_str).collect::<Vec<_>>(), ["a", "b"]);
    let eks: IpAddr = "fd00:ec2::23".parse().unwrap();
    let args = Args::try_parse_from(["podrole-agent"]).unwrap();
    assert_eq!(args.bind_hosts[1], eks);
}

const NODE: [&str; 2] = ["--node-name", "n1"];
const ARN: &str = "arn:aws:eks:eu-west-1:111122223333:cluster/shop";

#[test]
fn the_agents_own_credentials_need_a_named_cluster() {
    let ask = |kind: &'static str, more: &[&'static str]| {
        check(&[&NODE[..], &["--exchange", kind], more].concat())
    };
    let named = ["--cluster-name", "shop"];
    assert_eq!(ask("eks-auth", &[]), Err(ArgsError::NoCluster(Exchange::EksAuth)));
    assert_eq!(ask("eks-auth", &named), Ok(()));
    let list = ["--associations", "list.json"];
    assert_eq!(ask("assume-role", &list), Err(ArgsError::NoCluster(Exchange::AssumeRole)));
    let only_name = [&named[..], &list].concat();
    assert_eq!(ask("assume-role", &only_name), Err(ArgsError::NoCluster(Exchange::AssumeRole)));
    let whole = [&named[..], &["--cluster-arn", ARN]].concat();
    assert_eq!(ask("assume-role", &whole), Err(ArgsError::NoRoles));
    assert_eq!(ask("assume-role", &[&whole[..], &list].concat()), Ok(()));
    let guarded = [&whole[..], &["--allow-annotation-roles"]].concat();
    assert_eq!(ask("assume-role", &guarded), Ok(()));
    let untagged = [&["--disable-session-tags"], &list[..]].concat();
    assert_eq!(ask("assume-role", &untagged), Ok(()));
    for (name, arn) in [("a/b", ARN), ("shop", "arn:aws:eks:eu-west-1:1:cluster/shop"), ("", ARN)] {
        let bad = ask("assume-role", &["--cluster-name", name, "--cluster-arn", arn]);
        assert!(matches!(bad, Err(ArgsError::Cluster(_))), "{name} {arn} {bad:?}");
    }
}

#[test]
fn the_other_exchanges_accept_their_own_audience_only() {
    let other = ["--exchange", "eks-auth", "--cluster-name", "shop", "--audience"];
    let eks = [&NODE[..], &other, &["pods.eks.amazonaws.com"]].concat();
    assert_eq!(check(&eks), Ok(()));
    let sts = [&NODE[..], &other, &["sts.amazonaws.com"]].concat();
    assert!(matches!(check(&sts), Err(ArgsError::Audience(Exchange::EksAuth, _))));
    assert_eq!(check(&[&NODE[..], &["--audience", "sts.amazonaws.com"]].concat()), Ok(()));
}

#[test]
fn bare_role_names_need_an_aws_account() {
    let composed = [&NODE[..], &["--compose-role-arn"]].concat();
    assert_eq!(check(&composed), Err(ArgsError::NoAwsAccount));
    let account = [&composed[..], &["--aws-account-id", "111122223333"]].concat();
    assert_eq!(check(&account), Ok(()));
}

#[test]
fn flags_choose_the_endpoints() {
    let read = |flags: &[&str]| {
        let all = ["podrole-agent"].iter().chain(flags);
        let args = Args::try_parse_from(all).unwrap();
        (args.use_fips, args.use_dual_stack)
    };
    assert_eq!(read(&[]), (false, false));
    assert_eq!(read(&["--use-fips"]), (true, false));
    assert_eq!(read(&["--use-fips=false", "--use-dual-stack=true"]), (false, true));
}
