//! The demo's AWS: a sandbox with the demo's OIDC issuer and the roles that the files name.

use podrole_identity::{
    AccountId, AnnotationPrefix, Audience, Partition, RoleArn, ServiceAccountAnnotations,
    ServiceAccountRef,
};
use podrole_sandbox::{Config, Issuer, Provider, Role, Sandbox, policy::Policy};
use serde_json::{Value, json};

use super::{
    Failure,
    manifests::{Manifests, Workload},
};

/// A region of each partition, for pods that choose none.
const REGIONS: [&str; 8] = [
    "us-east-1",
    "cn-north-1",
    "us-gov-west-1",
    "eusc-de-east-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "eu-isoe-west-1",
    "us-isof-south-1",
];

/// The region that is injected into a workload's pods: one of the partition of its role.
pub(crate) fn region(workload: &Workload, manifests: &Manifests) -> &'static str {
    let annotations = manifests.service_accounts.get(&workload.service_account);
    let read = |all| ServiceAccountAnnotations::read(all, &AnnotationPrefix::default());
    let role = annotations.and_then(|annotations| read(annotations).role);
    let partition = role.as_ref().map_or("aws", RoleArn::partition);
    let is_of = |region: &&str| Partition::of_region(region).as_str() == partition;
    REGIONS.into_iter().find(is_of).unwrap_or(REGIONS[0])
}

pub(crate) fn sandbox(issuer: Issuer) -> Sandbox {
    Sandbox::new(Config::default()).with_issuer(issuer)
}

/// Creates a role that trusts `trusted`, and the OIDC provider in its AWS account, as the guides to
/// IRSA do.
pub(crate) fn create_role(
    sandbox: &Sandbox,
    issuer: &Issuer,
    role: &RoleArn,
    trusted: &[ServiceAccountRef],
    audiences: &[Audience],
) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::bug("creating the role", error);
    let aws_account: AccountId = role.account().parse().map_err(|error| failed(&error))?;
    let provider = Provider::new(issuer.url(), audiences.to_vec());
    sandbox.register_provider(&aws_account, provider);
    let policy = trust_policy(issuer.url(), role, trusted, audiences);
    let policy = Policy::read(&policy.to_string()).map_err(|error| failed(&error))?;
    sandbox.put_role(Role::new(role.clone(), policy)).map_err(|error| failed(&error))
}

fn trust_policy(
    issuer: &str,
    role: &RoleArn,
    trusted: &[ServiceAccountRef],
    audiences: &[Audience],
) -> Value {
    let issuer = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    let subjects: Vec<String> = trusted.iter().map(ServiceAccountRef::subject).collect();
    let audiences: Vec<&str> = audiences.iter().map(Audience::as_str).collect();
    let (partition, aws_account) = (role.partition(), role.account());
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {
                "Federated": format!("arn:{partition}:iam::{aws_account}:oidc-provider/{issuer}"),
            },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    format!("{issuer}:sub"): subjects,
                    format!("{issuer}:aud"): audiences,
                },
            },
        }],
    })
}
