//! Link 11 by a trust policy in a file.

use serde_json::{Value, json};

use super::cluster::{Change, Cluster, Flags, now};
use crate::{
    report::State,
    why::{case::Case, subject::Subject, trust::Trust},
};

const ISSUER: &str = "https://oidc.example.com";

fn policy(subject: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/oidc.example.com"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {"oidc.example.com:sub": subject}}}]})
}

/// What is printed about a Deployment, and the exit code.
async fn why(trust: &Trust, flags: &Flags, change: &Change) -> (String, u8) {
    let cluster = Cluster::new(flags, &Change::default(), &[change]);
    let target = "deployment/web".parse().unwrap();
    let subject = Subject::find(&cluster.world, "shop", &target).unwrap();
    let case = Case::new(&cluster.world, &subject, &cluster.settings, now());
    let aws = trust.findings(&case).await;
    let (text, code, ..) = cluster.why("deployment/web", &aws);
    (text, code)
}

#[tokio::test]
async fn a_policy_that_names_another_service_account_is_the_verdict() {
    let wrong = Trust::of_policy(&policy("system:serviceaccount:shop:web").to_string(), Ok(ISSUER));
    let (text, code) = why(&wrong, &Flags::default(), &Change::default()).await;
    let (first, rest) = text.split_once('\n').unwrap();
    let expected =
        "ERROR PR020: the trust policy of shop-app names ServiceAccount shop:web, not shop:app";
    assert_eq!((first, code), (expected, 1), "{text}");
    for part in [
        "is         statement 1: StringEquals oidc.example.com:sub = \"system:serviceaccount:shop:web\"",
        "podrole trust-policy shop/app",
        "--into trust.json",
    ] {
        assert!(rest.contains(part), "no {part} in {text}");
    }
    let right = Trust::of_policy(&policy("system:serviceaccount:shop:app").to_string(), Ok(ISSUER));
    let (text, code) = why(&right, &Flags::default(), &Change::default()).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("ok: ") && !text.contains("AWS not checked"), "{text}");
}

#[tokio::test]
async fn without_an_issuer_the_policy_is_not_judged() {
    let trust = Trust::of_policy(
        &policy("system:serviceaccount:shop:app").to_string(),
        Err("give --issuer"),
    );
    let (text, code) = why(&trust, &Flags::default(), &Change::default()).await;
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("give --issuer"), "{text}");
}

#[tokio::test]
async fn a_pod_without_a_role_asks_no_policy() {
    let trust = Trust::of_policy("{", Ok(ISSUER));
    let without = json!({"objects": {"ServiceAccount/app": {"metadata": {"annotations": null}}}});
    let change: Change = serde_json::from_value(without).unwrap();
    let cluster = Cluster::new(&Flags::default(), &Change::default(), &[&change]);
    let target = "deployment/web".parse().unwrap();
    let subject = Subject::find(&cluster.world, "shop", &target).unwrap();
    let case = Case::new(&cluster.world, &subject, &cluster.settings, now());
    let found = trust.findings(&case).await.trust.unwrap();
    assert_eq!(found[0].state, State::Skipped);
}
