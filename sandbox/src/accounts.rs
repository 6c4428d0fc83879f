//! What the sandbox knows of AWS: accounts with their OIDC providers, users and roles; and clusters.

mod cluster;
mod entity;
mod identity;
mod provider;
mod tags;

use std::collections::BTreeMap;

use podrole_identity::{AccountId, RoleArn};

pub(crate) use self::identity::{Identity, Owner};
pub use self::{
    cluster::{Cluster, ClusterArn, PodAssociation},
    entity::{AccessKey, Policies, Role, User, UserArn},
    provider::Provider,
    tags::{TagError, Tags},
};

const MAX_SESSION_DURATION: std::ops::RangeInclusive<u32> = 3600..=43_200;

/// All accounts, by their twelve digits, and all clusters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    accounts: BTreeMap<String, Account>,
    clusters: Vec<Cluster>,
}

#[derive(Clone, Debug, Default)]
struct Account {
    organization: Option<String>,
    providers: Vec<Provider>,
    /// By name, like the roles: IAM lets no two of an account have one, whatever their paths.
    users: BTreeMap<String, User>,
    roles: BTreeMap<String, Role>,
}

/// A role's longest session is not one that IAM allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the role {role} has a maxSessionDuration of {seconds}; IAM allows 3600 to 43200")]
#[non_exhaustive]
pub struct SessionDurationError {
    /// The role.
    pub role: RoleArn,
    /// What was asked for.
    pub seconds: u32,
}

impl Accounts {
    /// The account's entry, made where there is none.
    fn account(&mut self, id: &str) -> &mut Account {
        self.accounts.entry(id.to_owned()).or_default()
    }

    /// How many accounts there are.
    pub(crate) fn count(&self) -> usize {
        self.accounts.len()
    }

    /// Creates an account, if it is not there, and sets its organization.
    pub(crate) fn put_account(&mut self, id: &AccountId, organization: Option<String>) {
        self.account(id.as_str()).organization = organization;
    }

    /// The organization of an account.
    pub(crate) fn organization(&self, id: &str) -> Option<&str> {
        self.accounts.get(id)?.organization.as_deref()
    }

    /// Adds a provider; one of the same URL is replaced.
    pub(crate) fn put_provider(&mut self, account: &AccountId, provider: Provider) {
        let account = self.account(account.as_str());
        account.providers.retain(|one| one.url != provider.url);
        account.providers.push(provider);
    }

    /// The provider of an account with that issuer.
    pub(crate) fn provider(&self, account: &str, issuer: &str) -> Option<&Provider> {
        self.providers(account).find(|one| one.url == issuer)
    }

    /// An account's providers.
    pub(crate) fn providers(&self, account: &str) -> impl Iterator<Item = &Provider> {
        self.accounts.get(account).into_iter().flat_map(|account| &account.providers)
    }

    /// The provider of an account with that issuer, to be changed.
    pub(crate) fn provider_mut(&mut self, account: &str, issuer: &str) -> Option<&mut Provider> {
        let mut providers = self.accounts.get_mut(account)?.providers.iter_mut();
        providers.find(|one| one.url == issuer)
    }

    /// Takes a provider away; whether it was there.
    pub(crate) fn remove_provider(&mut self, account: &str, issuer: &str) -> bool {
        let before = self.providers(account).count();
        self.account(account).providers.retain(|one| one.url != issuer);
        before > self.providers(account).count()
    }

    /// Adds a role; one of the same name is replaced.
    pub(crate) fn put_role(&mut self, role: Role) -> Result<(), SessionDurationError> {
        if !MAX_SESSION_DURATION.contains(&role.max_session_duration) {
            return Err(SessionDurationError {
                role: role.arn,
                seconds: role.max_session_duration,
            });
        }
        let account = self.account(role.arn.account());
        account.roles.insert(role.arn.name().to_owned(), role);
        Ok(())
    }

    /// The role with that ARN, its path included.
    pub(crate) fn role(&self, arn: &RoleArn) -> Option<&Role> {
        let role = self.role_named(arn.account(), arn.name())?;
        (role.arn == *arn).then_some(role)
    }

    /// The role of an account with that name, whatever its path.
    pub(crate) fn role_named(&self, account: &str, name: &str) -> Option<&Role> {
        self.accounts.get(account)?.roles.get(name)
    }

    /// The role of an account with that name, to be changed.
    pub(crate) fn role_mut(&mut self, account: &str, name: &str) -> Option<&mut Role> {
        self.accounts.get_mut(account)?.roles.get_mut(name)
    }

    /// An account's roles, by name.
    pub(crate) fn roles(&self, account: &str) -> impl Iterator<Item = &Role> {
        self.accounts.get(account).into_iter().flat_map(|account| account.roles.values())
    }

    /// Takes a role away.
    pub(crate) fn remove_role(&mut self, account: &str, name: &str) -> Option<Role> {
        self.accounts.get_mut(account)?.roles.remove(name)
    }

    /// Adds a user; one of the same name is replaced.
    pub(crate) fn put_user(&mut self, user: User) {
        let account = self.account(user.arn.account().as_str());
        account.users.insert(user.arn.name().to_owned(), user);
    }

    /// The user with that ARN.
    pub(crate) fn user(&self, arn: &UserArn) -> Option<&User> {
        let user = self.accounts.get(arn.account().as_str())?.users.get(arn.name())?;
        (user.arn == *arn).then_some(user)
    }

    /// The user whose key that is, and the key.
    pub(crate) fn user_of_key(&self, key_id: &str) -> Option<(&User, &AccessKey)> {
        let users = self.accounts.values().flat_map(|account| account.users.values());
        let mut keys = users.flat_map(|user| user.keys.iter().map(move |key| (user, key)));
        keys.find(|(_, key)| key.id == key_id)
    }

    /// Adds a cluster; one of the same ARN is replaced.
    pub(crate) fn put_cluster(&mut self, cluster: Cluster) {
        self.clusters.retain(|one| one.arn != cluster.arn);
        self.clusters.push(cluster);
    }

    /// The cluster of that name, of an account and a region.
    pub(crate) fn cluster(&self, account: &str, region: &str, name: &str) -> Option<&Cluster> {
        self.clusters.iter().find(|one| {
            let arn = &one.arn;
            (arn.account(), arn.region(), arn.name()) == (account, region, name)
        })
    }

    /// All clusters.
    pub(crate) fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// The URLs of issuers whose keys are nowhere, but for the served issuer's.
    pub(crate) fn keyless(&self, served: Option<&str>) -> Vec<&str> {
        let providers = self.accounts.values().flat_map(|account| &account.providers);
        let issuers = providers.chain(self.clusters.iter().map(|cluster| &cluster.issuer));
        let keyless = issuers.filter(|one| one.keys.is_none() && Some(&*one.url) != served);
        keyless.map(|one| one.url.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn role(arn: &str) -> Role {
        let everyone = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*"}}"#;
        Role::new(arn.parse().unwrap(), Policy::read(everyone).unwrap())
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
        assert!(accounts.role_named("111122223333", "app").is_some());
        assert!(accounts.remove_role("111122223333", "app").is_some());
        assert!(accounts.role_named("111122223333", "app").is_none());
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

    #[test]
    fn a_provider_is_its_accounts_own() {
        let mut accounts = Accounts::default();
        let url = "https://oidc.example";
        accounts.put_provider(&"111122223333".parse().unwrap(), Provider::new(url, Vec::new()));
        assert!(accounts.provider("444455556666", url).is_none());
        assert!(accounts.provider_mut("111122223333", url).is_some());
        assert!(!accounts.remove_provider("444455556666", url));
        assert!(accounts.remove_provider("111122223333", url));
        assert!(!accounts.remove_provider("111122223333", url));
    }
}
