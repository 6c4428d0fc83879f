//! The sandbox's AWS: accounts with their OIDC providers, users and roles, and EKS clusters.

mod cluster;
mod entity;
mod identity;
mod provider;
mod tags;

use std::collections::{BTreeMap, BTreeSet};

use podrole_identity::{AccountId, RoleArn};

pub(crate) use self::identity::{Identity, Owner};
pub use self::{
    cluster::{Cluster, ClusterArn, PodAssociation},
    entity::{AccessKey, Policies, Role, User, UserArn},
    provider::Provider,
    tags::{TagError, Tags},
};

const MAX_SESSION_DURATION: std::ops::RangeInclusive<u32> = 3600..=43_200;

/// All accounts, by their 12-digit id, and all clusters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    accounts: BTreeMap<String, Account>,
    /// Those that file, flags or embedder name. Saved changes can be in others.
    configured: BTreeSet<AccountId>,
    clusters: Vec<Cluster>,
}

#[derive(Clone, Debug, Default)]
struct Account {
    organization: Option<String>,
    providers: Vec<Provider>,
    /// By name, like the roles: names are unique in an account, whatever the paths.
    users: BTreeMap<String, User>,
    roles: BTreeMap<String, Role>,
}

/// A role's maximum session duration is outside of what IAM allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the role {role} has a maxSessionDuration of {seconds}; IAM allows 3600 to 43200")]
#[non_exhaustive]
pub struct SessionDurationError {
    /// The role.
    pub role: RoleArn,
    /// The duration that was given.
    pub seconds: u32,
}

impl Accounts {
    /// The account's entry, created if it does not exist.
    fn account(&mut self, id: &str) -> &mut Account {
        self.accounts.entry(id.to_owned()).or_default()
    }

    /// Notes that file, flags or embedder name the account.
    pub(crate) fn configure(&mut self, id: &AccountId) {
        self.configured.insert(id.clone());
    }

    /// Whether file, flags or embedder name the account. Roles are only made in such accounts: a role in
    /// another one is probably a mistake, which AWS would not let pass.
    pub(crate) fn is_configured(&self, id: &str) -> bool {
        self.configured.iter().any(|one| one.as_str() == id)
    }

    /// Whether any account is configured.
    pub(crate) fn has_accounts(&self) -> bool {
        !self.configured.is_empty()
    }

    /// Notes that the file names the account, and sets its organization.
    pub(crate) fn put_account(&mut self, id: &AccountId, organization: Option<String>) {
        self.configure(id);
        self.account(id.as_str()).organization = organization;
    }

    /// The id of the account's organization.
    pub(crate) fn organization(&self, id: &str) -> Option<&str> {
        self.accounts.get(id)?.organization.as_deref()
    }

    /// Adds a provider, or replaces the one with the same URL.
    pub(crate) fn put_provider(&mut self, account: &AccountId, provider: Provider) {
        let account = self.account(account.as_str());
        account.providers.retain(|one| one.url != provider.url);
        account.providers.push(provider);
    }

    /// The account's provider with that issuer URL.
    pub(crate) fn provider(&self, account: &str, issuer: &str) -> Option<&Provider> {
        self.providers(account).find(|one| one.url == issuer)
    }

    /// All providers of the account.
    pub(crate) fn providers(&self, account: &str) -> impl Iterator<Item = &Provider> {
        self.accounts.get(account).into_iter().flat_map(|account| &account.providers)
    }

    /// The account's provider with that issuer URL, for changing it.
    pub(crate) fn provider_mut(&mut self, account: &str, issuer: &str) -> Option<&mut Provider> {
        let mut providers = self.accounts.get_mut(account)?.providers.iter_mut();
        providers.find(|one| one.url == issuer)
    }

    /// Removes a provider. Returns whether it existed.
    pub(crate) fn remove_provider(&mut self, account: &str, issuer: &str) -> bool {
        let before = self.providers(account).count();
        self.account(account).providers.retain(|one| one.url != issuer);
        before > self.providers(account).count()
    }

    /// Adds a role, or replaces the one with the same name.
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

    /// The role with exactly that ARN, path included.
    pub(crate) fn role(&self, arn: &RoleArn) -> Option<&Role> {
        let role = self.role_named(arn.account(), arn.name())?;
        (role.arn == *arn).then_some(role)
    }

    /// The account's role with that name, whatever its path.
    pub(crate) fn role_named(&self, account: &str, name: &str) -> Option<&Role> {
        self.accounts.get(account)?.roles.get(name)
    }

    /// The account's role with that name, for changing it.
    pub(crate) fn role_mut(&mut self, account: &str, name: &str) -> Option<&mut Role> {
        self.accounts.get_mut(account)?.roles.get_mut(name)
    }

    /// The account's roles in the order of their names.
    pub(crate) fn roles(&self, account: &str) -> impl Iterator<Item = &Role> {
        self.accounts.get(account).into_iter().flat_map(|account| account.roles.values())
    }

    /// Removes a role and returns it.
    pub(crate) fn remove_role(&mut self, account: &str, name: &str) -> Option<Role> {
        self.accounts.get_mut(account)?.roles.remove(name)
    }

    /// Adds a user, or replaces the one with the same name.
    pub(crate) fn put_user(&mut self, user: User) {
        let account = self.account(user.arn.account().as_str());
        account.users.insert(user.arn.name().to_owned(), user);
    }

    /// The user with exactly that ARN.
    pub(crate) fn user(&self, arn: &UserArn) -> Option<&User> {
        let user = self.accounts.get(arn.account().as_str())?.users.get(arn.name())?;
        (user.arn == *arn).then_some(user)
    }

    /// The user that owns the access key, and the key.
    pub(crate) fn user_of_key(&self, key_id: &str) -> Option<(&User, &AccessKey)> {
        let users = self.accounts.values().flat_map(|account| account.users.values());
        let mut keys = users.flat_map(|user| user.keys.iter().map(move |key| (user, key)));
        keys.find(|(_, key)| key.id == key_id)
    }

    /// Adds a cluster, or replaces the one with the same ARN.
    pub(crate) fn put_cluster(&mut self, cluster: Cluster) {
        self.clusters.retain(|one| one.arn != cluster.arn);
        self.clusters.push(cluster);
    }

    /// The cluster with that name in the account and region.
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

    /// The URLs of issuers without keys in the file. `served`, the URL of the issuer that the sandbox
    /// serves itself, is left out.
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
    fn the_maximum_session_duration_is_one_to_twelve_hours() {
        let mut accounts = Accounts::default();
        for (seconds, legal) in [(3599, false), (3600, true), (43_200, true), (43_201, false)] {
            let mut role = role("arn:aws:iam::111122223333:role/app");
            role.max_session_duration = seconds;
            assert_eq!(accounts.put_role(role).is_ok(), legal, "{seconds}");
        }
    }

    #[test]
    fn what_is_saved_in_an_account_does_not_configure_it() {
        let mut accounts = Accounts::default();
        accounts.put_role(role("arn:aws:iam::111122223333:role/app")).unwrap();
        assert!(!accounts.is_configured("111122223333") && !accounts.has_accounts());
        accounts.configure(&"111122223333".parse().unwrap());
        assert!(accounts.is_configured("111122223333") && accounts.has_accounts());
        assert!(!accounts.is_configured("444455556666"));
    }

    #[test]
    fn a_provider_belongs_to_one_account() {
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
