//! The demo's AWS: a sandbox that knows the issuer, and the roles that the files name.

use podrole_identity::{AccountId, Audience, RoleArn, ServiceAccountRef};
use podrole_sandbox::{Config, Issuer, Provider, Role, Sandbox, policy::Policy};
use serde_json::{Value, json};

use super::Failure;

/// The region that pods are told.
pub(crate) const REGION: &str = "us-east-1";

/// A sandbox without roles.
pub(crate) fn sandbox(issuer: Issuer) -> Sandbox {
    Sandbox::new(Config::default()).with_issuer(issuer)
}

/// Creates a role that trusts ServiceAccounts, and the OIDC provider in its account, as an IRSA
/// guide has it.
pub(crate) fn create_role(
    sandbox: &Sandbox,
    issuer: &Issuer,
    role: &RoleArn,
    trusted: &[ServiceAccountRef],
    audiences: &[Audience],
) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::ours("creating the role", error);
    let account: AccountId = role.account().parse().map_err(|error| failed(&error))?;
    let provider = Provider::new(issuer.url(), audiences.to_vec());
    sandbox.register_provider(&account, provider);
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
    let (partition, account) = (role.partition(), role.account());
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {
                "Federated": format!("arn:{partition}:iam::{account}:oidc-provider/{issuer}"),
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
