//! What an account has: roles, and users with keys.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use podrole_identity::{AccountId, RoleArn};

use super::Tags;
use crate::policy::{IdentityPolicy, Policy};

const DEFAULT_MAX_SESSION_DURATION: u32 = 3600;

/// Inline policies, by name.
pub type Policies = BTreeMap<String, IdentityPolicy>;

/// A role of an account.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its ARN; the account is in it.
    pub arn: RoleArn,
    /// Who may assume it.
    pub trust_policy: Policy,
    /// What it may do, of `sts:*` and `eks-auth:*`.
    pub policies: Policies,
    /// The longest session in seconds: 3600 to 43200.
    pub max_session_duration: u32,
    /// Its tags: every session's `aws:PrincipalTag/*`, but for those that the session overrides.
    pub tags: Tags,
    /// What somebody wrote about it.
    pub description: Option<String>,
    /// When it was made; 1970 for those of a file.
    pub created: Timestamp,
}

/// A user of an account: somebody with keys that do not expire.
#[derive(Clone, Debug)]
pub struct User {
    /// Its ARN; the account is in it.
    pub arn: UserArn,
    /// Its keys.
    pub keys: Vec<AccessKey>,
    /// What it may do, of `sts:*` and `eks-auth:*`.
    pub policies: Policies,
    /// Its tags, which are its `aws:PrincipalTag/*`.
    pub tags: Tags,
}

/// A user's key.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// `AKIA…`
    pub id: String,
    /// What requests are signed with.
    pub secret: String,
}

/// `arn:<partition>:iam::<account>:user/<path>/<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserArn {
    text: String,
    account: AccountId,
}

impl Role {
    /// A role with sessions of at most an hour, without policies and tags.
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
    /// Reads a user's ARN; nothing when it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (head, name) = text.split_once(":user/")?;
        // A role's ARN in all but that word, so that one place knows the form.
        let role: RoleArn = format!("{head}:role/{name}").parse().ok()?;
        let account = role.account().parse().ok()?;
        Some(Self { text: text.to_owned(), account })
    }

    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its account.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The user's name without its path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or(&self.text)
    }

    /// `aws`, `aws-cn`, ...
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
    fn a_user_is_read() {
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
