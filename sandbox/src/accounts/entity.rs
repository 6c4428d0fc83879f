//! What an account has: roles, and users with keys.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use podrole_identity::{AccountId, RoleArn};

use super::Tags;
use crate::policy::{IdentityPolicy, Policy};

const DEFAULT_MAX_SESSION_DURATION: u32 = 3600;

/// Inline policies by name.
pub type Policies = BTreeMap<String, IdentityPolicy>;

/// A role of an account.
#[derive(Clone, Debug)]
pub struct Role {
    /// Contains the account.
    pub arn: RoleArn,
    /// Decides who may assume the role.
    pub trust_policy: Policy,
    /// Evaluated for `sts:*` and `eks-auth:*` actions only.
    pub policies: Policies,
    /// In seconds, 3600 to 43200.
    pub max_session_duration: u32,
    /// `aws:PrincipalTag/*` of every session, unless a session tag overrides them.
    pub tags: Tags,
    /// Free text.
    pub description: Option<String>,
    /// The epoch for entities from the configuration file.
    pub created: Timestamp,
}

/// An IAM user: an identity with access keys that do not expire.
#[derive(Clone, Debug)]
pub struct User {
    /// Contains the account.
    pub arn: UserArn,
    /// Its keys.
    pub keys: Vec<AccessKey>,
    /// Evaluated for `sts:*` and `eks-auth:*` actions only.
    pub policies: Policies,
    /// The user's `aws:PrincipalTag/*`.
    pub tags: Tags,
}

/// A user's access key.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// `AKIA…`
    pub id: String,
    /// The secret that requests are signed with.
    pub secret: String,
}

/// `arn:<partition>:iam::<account>:user/<path>/<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserArn {
    text: String,
    account: AccountId,
}

impl Role {
    /// A role with sessions of up to one hour, and without policies and tags.
    #[must_use]
    pub fn new(arn: RoleArn, trust_policy: Policy) -> Self {
        Self {
            arn,
            trust_policy,
            policies: Policies::new(),
            max_session_duration: DEFAULT_MAX_SESSION_DURATION,
            tags: Tags::default(),
            description: None,
            created: Timestamp::UNIX_EPOCH,
        }
    }
}

impl UserArn {
    /// Parses a user's ARN. Returns `None` for anything else.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (head, name) = text.split_once(":user/")?;
        // A user's ARN differs from a role's in that word only: the role's parser checks the rest.
        let role: RoleArn = format!("{head}:role/{name}").parse().ok()?;
        let account = role.account().parse().ok()?;
        Some(Self { text: text.to_owned(), account })
    }

    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The account of the user.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The user's name, without the path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or(&self.text)
    }

    /// `aws`, `aws-cn` and so on.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.text.split(':').nth(1).unwrap_or_default()
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_arn_is_parsed() {
        let user = UserArn::read("arn:aws-cn:iam::111122223333:user/team/node").unwrap();
        assert_eq!((user.name(), user.partition()), ("node", "aws-cn"));
        assert_eq!(user.account().as_str(), "111122223333");
        for text in ["", "arn:aws:iam::1:user/a", "arn:aws:iam::111122223333:root"] {
            assert_eq!(UserArn::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_key_does_not_print_its_secret() {
        let key = AccessKey { id: "AKIA".to_owned(), secret: "hidden".to_owned() };
        assert!(!format!("{key:?}").contains("hidden"));
    }
}
