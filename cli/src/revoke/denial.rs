//! The inline policy that ends the credentials that processes already have.

use jiff::Timestamp;
use podrole_identity::RoleArn;
use serde_json::json;

use crate::{aws_iam::Iam, printable::printable};

/// The name of the inline policy.
pub(super) const POLICY_NAME: &str = "podrole-revoke";

/// The inline policy that denies everything to sessions that were issued before.
pub(super) fn policy(before: Timestamp) -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Sid": "PodroleRevoke", "Effect": "Deny", "Action": "*",
        "Resource": "*", "Condition": {"DateLessThan": {"aws:TokenIssueTime": before.to_string()}}}]})
    .to_string()
}

/// Whether the credentials are of the role's AWS account. Others would change a role of the same name.
///
/// # Errors
/// If they are not.
pub(super) fn check_account(account: &str, role: &RoleArn) -> anyhow::Result<()> {
    anyhow::ensure!(
        account == role.account(),
        "the AWS credentials are of AWS account {account}, and the role {role} is of another one; nothing is changed"
    );
    Ok(())
}

/// Puts the policy on the role.
///
/// # Errors
/// If IAM does not accept it, in one line.
pub(super) async fn put(iam: &Iam, role: &RoleArn, before: Timestamp) -> Result<(), String> {
    let put = iam.put_role_policy(role, POLICY_NAME, &policy(before)).await;
    put.map_err(|error| printable(&format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws_iam::testing::iam;

    const ACCOUNTS: &str = r#"
accounts:
  "111122223333":
    users:
      admin:
        arn: arn:aws:iam::111122223333:user/admin
        keys: [{id: AKIAIOSFODNN7EXAMPLE, secret: secret}]
    roles:
      app:
        arn: arn:aws:iam::111122223333:role/team/app
        trustPolicy: {Statement: {Effect: Allow, Principal: "*", Action: "sts:AssumeRole"}}
"#;

    #[tokio::test]
    async fn iam_accepts_the_policy() {
        let (iam, sandbox) = iam(ACCOUNTS, "secret").await;
        let role = "arn:aws:iam::111122223333:role/team/app".parse().unwrap();
        let now = "2026-01-31T12:00:00Z".parse().unwrap();
        put(&iam, &role, now).await.unwrap();
        put(&iam, &role, now).await.unwrap();
        assert_eq!(sandbox.calls().get("PutRolePolicy"), Some(&2));
        let none = "arn:aws:iam::111122223333:role/none".parse().unwrap();
        let error = put(&iam, &none, now).await.unwrap_err();
        assert!(error.contains("NoSuchEntity"), "{error}");
    }

    #[test]
    fn a_role_of_another_aws_account_is_not_changed() {
        let role = "arn:aws:iam::111122223333:role/app".parse().unwrap();
        assert!(check_account("111122223333", &role).is_ok());
        let error = check_account("444455556666", &role).unwrap_err().to_string();
        assert!(error.ends_with("nothing is changed"), "{error}");
    }
}
