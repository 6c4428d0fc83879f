//! The trust policy that an IRSA guide writes.

use serde_json::{Value, json};

/// Lets the ServiceAccount of `subject` become a role of `account` by web identity, with a token
/// of `issuer` (its whole URL) for STS.
#[must_use]
pub fn web_identity(issuer: &str, account: &str, subject: &str) -> Value {
    let host = issuer.split_once("://").map_or(issuer, |(_, host)| host);
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": format!("arn:aws:iam::{account}:oidc-provider/{host}")},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {
                format!("{host}:sub"): subject,
                format!("{host}:aud"): "sts.amazonaws.com",
            }},
        }],
    })
}
