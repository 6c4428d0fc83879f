//! What an account has: OIDC providers, roles, and users with keys.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use podrole_identity::{AccountId, Audience, RoleArn};

use super::Tags;
use crate::{
    discovery::Discovery,
    jwk::JwkSet,
    policy::{IdentityPolicy, Policy},
};

const DEFAULT_MAX_SESSION_DURATION: u32 = 3600;

/// Inline policies, by name.
pub type Policies = BTreeMap<String, IdentityPolicy>;

/// An OIDC provider of an account.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The issuer, exactly as tokens carry it in `iss`.
    pub url: String,
    /// The audiences that it takes.
    pub client_ids: Vec<Audience>,
    /// The issuer's keys. `None`: those of the issuer that this sandbox serves, if it has that URL,
    /// else those that the issuer publishes.
    pub keys: Option<JwkSet>,
    /// The certificates that IAM would believe. Only kept: nothing here looks at them.
    pub thumbprints: Vec<String>,
    /// Its tags.
    pub tags: Tags,
    /// When it was made; 1970 for those of a file.
    pub created: Timestamp,
    /// The keys that the issuer itself publishes, where they are looked for there.
    pub(crate) discovery: Discovery,
}

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

impl Provider {
    /// A provider that takes those audiences, and has the keys of the issuer that is served here.
    #[must_use]
    pub fn new(url: &str, client_ids: Vec<Audience>) -> Self {
        Self {
            url: url.to_owned(),
            client_ids,
            keys: None,
            thumbprints: Vec::new(),
            tags: Tags::default(),
            created: Timestamp::UNIX_EPOCH,
            discovery: Discovery::default(),
        }
    }

    /// With keys of its own.
    #[must_use]
    pub fn with_keys(mut self, keys: JwkSet) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Its ARN in an account: the issuer without its scheme.
    pub(crate) fn arn(&self, partition: &str, account: &str) -> String {
        let issuer = self.issuer();
        format!("arn:{partition}:iam::{account}:oidc-provider/{issuer}")
    }

    /// The issuer as condition keys have it: without its scheme.
    pub(crate) fn issuer(&self) -> &str {
        let url = self.url.strip_prefix("https://");
        url.or_else(|| self.url.strip_prefix("http://")).unwrap_or(&self.url)
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
