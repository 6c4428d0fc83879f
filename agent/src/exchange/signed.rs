//! What an assumed role's ARN says: `arn:<partition>:sts::<account>:assumed-role/<role>/<session>`.

use podrole_identity::RoleArn;

/// The parts of such an ARN. The role's path is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) partition: &'a str,
    pub(super) account: &'a str,
    pub(super) role: &'a str,
    pub(super) session: &'a str,
}

/// Takes the ARN apart; nothing when it is another's.
pub(super) fn parts(arn: &str) -> Option<Parts<'_>> {
    let (partition, rest) = arn.strip_prefix("arn:")?.split_once(":sts::")?;
    let (account, rest) = rest.split_once(":assumed-role/")?;
    let (role, session) = rest.split_once('/')?;
    let whole = !role.is_empty() && !session.is_empty() && !session.contains('/');
    whole.then_some(Parts { partition, account, role, session })
}

impl Parts<'_> {
    /// The role, as if it had no path.
    pub(super) fn role_arn(&self) -> Option<RoleArn> {
        format!("arn:{}:iam::{}:role/{}", self.partition, self.account, self.role).parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_is_read_and_nothing_else_passes() {
        let parts = parts("arn:aws-cn:sts::111122223333:assumed-role/app/me@x").unwrap();
        assert_eq!(parts.session, "me@x");
        let role = parts.role_arn().unwrap();
        assert_eq!(role.as_str(), "arn:aws-cn:iam::111122223333:role/app");
        for arn in [
            "",
            "arn:aws:iam::111122223333:role/app",
            "arn:aws:sts::111122223333:assumed-role/app",
            "arn:aws:sts::111122223333:assumed-role//me",
            "arn:aws:sts::111122223333:assumed-role/a/b/c",
            "arn:aws:sts::111122223333:federated-user/me",
        ] {
            assert_eq!(super::parts(arn), None, "{arn}");
        }
        let odd = super::parts("arn:aws:sts::1:assumed-role/app/me").unwrap();
        assert_eq!(odd.role_arn(), None);
    }
}
