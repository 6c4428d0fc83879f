//! What belongs to an AWS account here: OIDC providers and roles.

use std::collections::BTreeMap;

use podrole_identity::{AccountId, Audience, RoleArn, SessionName};

use crate::{config::ConfigError, jwk::JwkSet, policy::Policy, random};

const DEFAULT_MAX_SESSION_DURATION: u32 = 3600;
const MAX_SESSION_DURATION: std::ops::RangeInclusive<u32> = 3600..=43_200;

/// An OIDC provider of an account.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The issuer, exactly as tokens carry it in `iss`.
    pub url: String,
    /// The audiences that it takes.
    pub client_ids: Vec<Audience>,
    /// The issuer's keys. `None`: those of the issuer that this sandbox serves, if it has that URL.
    pub keys: Option<JwkSet>,
}

/// A role of an account.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its ARN; the account is in it.
    pub arn: RoleArn,
    /// Who may assume it.
    pub trust_policy: Policy,
    /// The longest session in seconds: 3600 to 43200.
    pub max_session_duration: u32,
}

impl Role {
    /// A role with sessions of at most an hour.
    #[must_use]
    pub fn new(arn: RoleArn, trust_policy: Policy) -> Self {
        Self { arn, trust_policy, max_session_duration: DEFAULT_MAX_SESSION_DURATION }
    }
}

impl Provider {
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

/// A role with a session name: who the issued credentials are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AssumedRole {
    pub(crate) account: String,
    /// `arn:<partition>:sts::<account>:assumed-role/<role>/<session>`, without the role's path.
    pub(crate) arn: String,
    /// `AROA…:<session>`.
    pub(crate) id: String,
}

impl AssumedRole {
    pub(crate) fn new(role: &RoleArn, session: &SessionName) -> Self {
        let (partition, account, name) = (role.partition(), role.account(), role.name());
        Self {
            account: account.to_owned(),
            arn: format!("arn:{partition}:sts::{account}:assumed-role/{name}/{session}"),
            id: format!("{}:{session}", random::role_id(role.as_str())),
        }
    }
}

/// All accounts, by their twelve digits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts(BTreeMap<String, Account>);

#[derive(Clone, Debug, Default)]
struct Account {
    providers: Vec<Provider>,
    /// By name: IAM lets no two roles of an account have one, whatever their paths.
    roles: BTreeMap<String, Role>,
}

impl Accounts {
    /// Adds a provider; one of the same URL is replaced.
    pub(crate) fn put_provider(&mut self, account: &AccountId, provider: Provider) {
        let account = self.0.entry(account.to_string()).or_default();
        account.providers.retain(|one| one.url != provider.url);
        account.providers.push(provider);
    }

    /// Adds a role; one of the same name is replaced.
    pub(crate) fn put_role(&mut self, role: Role) -> Result<(), ConfigError> {
        if !MAX_SESSION_DURATION.contains(&role.max_session_duration) {
            return Err(ConfigError::MaxSessionDuration {
                role: role.arn,
                seconds: role.max_session_duration,
            });
        }
        let account = self.0.entry(role.arn.account().to_owned()).or_default();
        account.roles.insert(role.arn.name().to_owned(), role);
        Ok(())
    }

    /// The provider of an account with that issuer.
    pub(crate) fn provider(&self, account: &str, issuer: &str) -> Option<&Provider> {
        let mut providers = self.0.get(account)?.providers.iter();
        providers.find(|one| one.url == issuer)
    }

    /// The role with that ARN, its path included.
    pub(crate) fn role(&self, arn: &RoleArn) -> Option<&Role> {
        let role = self.0.get(arn.account())?.roles.get(arn.name())?;
        (role.arn == *arn).then_some(role)
    }

    /// The URLs of providers whose keys are nowhere, but for the served issuer's.
    pub(crate) fn keyless(&self, served: Option<&str>) -> Vec<&str> {
        let providers = self.0.values().flat_map(|account| &account.providers);
        let keyless = providers.filter(|one| one.keys.is_none() && Some(&*one.url) != served);
        keyless.map(|one| one.url.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(arn: &str) -> Role {
        let everyone = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*"}}"#;
        Role::new(arn.parse().unwrap(), Policy::read(everyone).unwrap())
    }

    #[test]
    fn a_session_has_not_its_roles_path() {
        let arn = "arn:aws-cn:iam::111122223333:role/team/app".parse().unwrap();
        let assumed = AssumedRole::new(&arn, &"pod-1".parse().unwrap());
        let wanted = "arn:aws-cn:sts::111122223333:assumed-role/app/pod-1";
        assert_eq!(assumed.arn, wanted);
        assert!(assumed.id.starts_with("AROA") && assumed.id.ends_with(":pod-1"));
        assert_eq!(assumed.id.len(), "AROA".len() + 17 + ":pod-1".len());
    }

    #[test]
    fn a_role_is_found_by_its_whole_arn() {
        let mut accounts = Accounts::default();
        accounts.put_role(role("arn:aws:iam::111122223333:role/team/app")).unwrap();
        for (arn, known) in [
            ("arn:aws:iam::111122223333:role/team/app", true),
            ("arn:aws:iam::111122223333:role/app", false),
            ("arn:aws-cn:iam::111122223333:role/team/app", false),
            ("arn:aws:iam::444455556666:role/team/app", false),
        ] {
            let found = accounts.role(&arn.parse().unwrap()).is_some();
            assert_eq!(found, known, "{arn}");
        }
    }

    #[test]
    fn sessions_last_an_hour_to_twelve_at_most() {
        let mut accounts = Accounts::default();
        for (seconds, legal) in [(3599, false), (3600, true), (43_200, true), (43_201, false)] {
            let mut role = role("arn:aws:iam::111122223333:role/app");
            role.max_session_duration = seconds;
            assert_eq!(accounts.put_role(role).is_ok(), legal, "{seconds}");
        }
    }
}
