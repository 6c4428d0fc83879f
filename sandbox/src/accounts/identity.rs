//! Identities as GetCallerIdentity returns them.

use podrole_identity::{RoleArn, SessionName};

use super::UserArn;
use crate::{policy::Principal, random};

/// The owner of credentials: a role session or a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) account: String,
    /// `arn:<partition>:sts::<account>:assumed-role/<role>/<session>`, without the role's path; or
    /// the user's ARN.
    pub(crate) arn: String,
    /// `AROA…:<session>`, or `AIDA…`.
    pub(crate) id: String,
    pub(crate) owner: Owner,
}

/// The entity whose policies and tags apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Role(RoleArn),
    User(UserArn),
}

impl Identity {
    /// The identity of a role session.
    pub(crate) fn session(role: &RoleArn, session: &SessionName) -> Self {
        let (partition, account, name) = (role.partition(), role.account(), role.name());
        Self {
            account: account.to_owned(),
            arn: format!("arn:{partition}:sts::{account}:assumed-role/{name}/{session}"),
            id: format!("{}:{session}", random::role_id(role.as_str())),
            owner: Owner::Role(role.clone()),
        }
    }

    /// The identity of a user.
    pub(crate) fn user(arn: &UserArn) -> Self {
        let id = random::role_id(arn.as_str());
        Self {
            account: arn.account().to_string(),
            arn: arn.as_str().to_owned(),
            id: id.replacen("AROA", "AIDA", 1),
            owner: Owner::User(arn.clone()),
        }
    }

    /// The name of a role session. `None` for a user.
    pub(crate) fn session_name(&self) -> Option<&str> {
        match &self.owner {
            Owner::Role(_) => self.arn.rsplit('/').next(),
            Owner::User(_) => None,
        }
    }

    /// The identity as policies name it.
    pub(crate) fn principal(&self) -> Principal<'_> {
        match &self.owner {
            Owner::Role(role) => Principal::Session { arn: &self.arn, role: role.as_str() },
            Owner::User(_) => Principal::User(&self.arn),
        }
    }

    /// The ARN of the role or the user: `aws:PrincipalArn`.
    pub(crate) fn owner_arn(&self) -> &str {
        match &self.owner {
            Owner::Role(role) => role.as_str(),
            Owner::User(user) => user.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sessions_arn_does_not_have_the_roles_path() {
        let arn = "arn:aws-cn:iam::111122223333:role/team/app".parse().unwrap();
        let session = Identity::session(&arn, &"pod-1".parse().unwrap());
        let wanted = "arn:aws-cn:sts::111122223333:assumed-role/app/pod-1";
        assert_eq!(session.arn, wanted);
        assert_eq!((session.owner_arn(), session.session_name()), (arn.as_str(), Some("pod-1")));
        assert!(session.id.starts_with("AROA") && session.id.ends_with(":pod-1"));
        assert_eq!(session.id.len(), "AROA".len() + 17 + ":pod-1".len());
    }

    #[test]
    fn a_user_keeps_its_path() {
        let arn = UserArn::read("arn:aws:iam::111122223333:user/team/node").unwrap();
        let user = Identity::user(&arn);
        assert_eq!((&*user.arn, user.owner_arn()), (arn.as_str(), arn.as_str()));
        assert_eq!(user.session_name(), None);
        assert!(user.id.starts_with("AIDA") && user.id.len() == 21, "{}", user.id);
    }
}
