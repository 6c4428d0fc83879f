//! The ARN of an assumed role: `arn:<partition>:sts::<account>:assumed-role/<role>/<session>`.

use crate::RoleArn;

/// The parts of such an ARN. It does not contain the role's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssumedRoleArn<'a> {
    /// The partition, such as `aws`.
    pub partition: &'a str,
    /// The AWS account, 12 digits.
    pub aws_account: &'a str,
    /// The role's name without its path.
    pub role: &'a str,
    /// The session name.
    pub session: &'a str,
}

impl<'a> AssumedRoleArn<'a> {
    /// Parses `arn`, or returns `None` if it is not the ARN of an assumed role.
    #[must_use]
    pub fn parse(arn: &'a str) -> Option<Self> {
        let (partition, rest) = arn.strip_prefix("arn:")?.split_once(":sts::")?;
        let (aws_account, rest) = rest.split_once(":assumed-role/")?;
        let (role, session) = rest.split_once('/')?;
        let whole = !role.is_empty() && !session.is_empty() && !session.contains('/');
        whole.then_some(Self { partition, aws_account, role, session })
    }

    /// The role's ARN without its path.
    #[must_use]
    pub fn role_arn(&self) -> Option<RoleArn> {
        format!("arn:{}:iam::{}:role/{}", self.partition, self.aws_account, self.role).parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_assumed_role_arns_parse() {
        let arn = "arn:aws-cn:sts::111122223333:assumed-role/app/me@x";
        let parsed = AssumedRoleArn::parse(arn).unwrap();
        assert_eq!(parsed.session, "me@x");
        let role = parsed.role_arn().unwrap();
        assert_eq!(role.as_str(), "arn:aws-cn:iam::111122223333:role/app");
        for arn in [
            "",
            "arn:aws:iam::111122223333:role/app",
            "arn:aws:sts::111122223333:assumed-role/app",
            "arn:aws:sts::111122223333:assumed-role//me",
            "arn:aws:sts::111122223333:assumed-role/a/b/c",
            "arn:aws:sts::111122223333:federated-user/me",
        ] {
            assert_eq!(AssumedRoleArn::parse(arn), None, "{arn}");
        }
        let short_account = AssumedRoleArn::parse("arn:aws:sts::1:assumed-role/app/me").unwrap();
        assert_eq!(short_account.role_arn(), None);
    }
}
