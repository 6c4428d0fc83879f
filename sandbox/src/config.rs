//! The configuration file: accounts with their OIDC providers, users and roles, and clusters.
//!
//! ```yaml
//! accounts:
//!   "111122223333":
//!     organizationId: o-example         # aws:PrincipalOrgID
//!     oidcProviders:
//!       - url: https://oidc.example
//!         clientIds: [sts.amazonaws.com]
//!         jwks: {keys: [...]}          # default: the keys of the issuer that is served here
//!     users:
//!       node:
//!         arn: arn:aws:iam::111122223333:user/node
//!         keys: [{id: AKIAIOSFODNN7EXAMPLE, secret: ...}]
//!         policies: {assume: {Version: "2012-10-17", Statement: [...]}}
//!     roles:
//!       app:
//!         arn: arn:aws:iam::111122223333:role/app
//!         maxSessionDuration: 3600     # seconds
//!         trustPolicy: {Version: "2012-10-17", Statement: [...]}
//!         policies: {}                 # as a user's: evaluated for sts:* and eks-auth:*
//!         tags: {team: shop}
//! clusters:
//!   - name: shop
//!     arn: arn:aws:eks:eu-west-1:111122223333:cluster/shop
//!     issuer: https://oidc.example     # with or without jwks, like a provider
//!     associations:
//!       - {namespace: shop, serviceAccount: app, roleArn: "arn:aws:iam::111122223333:role/app"}
//! credentialLife: 30s                  # shortens issued credentials; checks stay the same
//! ```

mod error;
mod file;
mod life;
mod manifest;

use std::time::Duration;

use podrole_identity::AccountId;

pub use self::{
    error::{ClusterError, ConfigError},
    life::{LifeError, read_life},
};
use self::{
    file::{AccountFile, AccountKey, ClusterFile, File},
    manifest::Manifest,
};
use crate::accounts::{Accounts, User};

/// The configuration that a sandbox starts with.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(crate) accounts: Accounts,
    pub(crate) credential_life: Option<Duration>,
}

impl Config {
    /// Reads the YAML (or JSON) of a configuration file, or of a ConfigMap that contains only that file.
    ///
    /// # Errors
    /// If the text cannot be parsed (with line and reason), if a role is listed under the wrong account
    /// or name, or if its session duration is outside of what IAM allows.
    pub fn read(yaml: &str) -> Result<Self, ConfigError> {
        let manifest: Manifest =
            serde_saphyr::from_str(yaml).map_err(|error| unreadable(&error))?;
        let inner = manifest.file()?;
        let file = serde_saphyr::from_str(inner.as_deref().unwrap_or(yaml));
        let file: File = file.map_err(|error| unreadable(&error))?;
        let mut accounts = Accounts::default();
        for (AccountKey(id), account) in file.accounts {
            put_account(&mut accounts, &id, account)?;
        }
        for cluster in file.clusters {
            put_cluster(&mut accounts, cluster)?;
        }
        Ok(Self { accounts, credential_life: file.credential_life })
    }

    /// Shortens the life of issued credentials. STS's checks stay the same.
    #[must_use]
    pub fn with_credential_life(mut self, life: Duration) -> Self {
        self.credential_life = Some(life);
        self
    }

    /// Adds an AWS account, also if the file does not name it.
    #[must_use]
    pub fn with_account(mut self, id: &AccountId) -> Self {
        self.accounts.configure(id);
        self
    }

    /// The issuers whose keys are neither in the file nor those of `served`, the URL of the issuer that
    /// the sandbox serves itself. Their keys have to be fetched.
    #[must_use]
    pub fn keyless_providers(&self, served: Option<&str>) -> Vec<&str> {
        self.accounts.keyless(served)
    }
}

fn put_account(
    accounts: &mut Accounts,
    id: &AccountId,
    file: AccountFile,
) -> Result<(), ConfigError> {
    accounts.put_account(id, file.organization_id);
    for provider in file.oidc_providers {
        accounts.put_provider(id, provider.into());
    }
    for (name, user) in file.users {
        let arn = &user.arn;
        check_place((arn.as_str(), arn.account().as_str(), arn.name()), id, &name)?;
        put_user(accounts, user.into())?;
    }
    for (name, role) in file.roles {
        let arn = &role.arn;
        check_place((arn.as_str(), arn.account(), arn.name()), id, &name)?;
        accounts.put_role(role.into())?;
    }
    Ok(())
}

fn put_user(accounts: &mut Accounts, user: User) -> Result<(), ConfigError> {
    for (place, key) in user.keys.iter().enumerate() {
        let before = user.keys[..place].iter().any(|one| one.id == key.id);
        if before || accounts.user_of_key(&key.id).is_some() {
            return Err(ConfigError::KeyTwice { key: key.id.clone() });
        }
    }
    accounts.put_user(user);
    Ok(())
}

fn put_cluster(accounts: &mut Accounts, file: ClusterFile) -> Result<(), ConfigError> {
    let name = file.name.clone();
    let cluster = file.check().map_err(|error| ConfigError::Cluster { name, error })?;
    accounts.put_cluster(cluster);
    Ok(())
}

fn check_place(
    (arn, own, own_name): (&str, &str, &str),
    account: &AccountId,
    name: &str,
) -> Result<(), ConfigError> {
    if own != account.as_str() {
        return Err(ConfigError::Account { arn: arn.to_owned(), account: account.clone() });
    }
    if own_name != name {
        return Err(ConfigError::Name { arn: arn.to_owned(), name: name.to_owned() });
    }
    Ok(())
}

fn unreadable(error: &serde_saphyr::Error) -> ConfigError {
    let (line, column) = error.location().map_or((0, 0), |place| (place.line(), place.column()));
    let text = error.without_snippet().to_string();
    let reason = text.lines().next().unwrap_or_default();
    // The library repeats the position at the end.
    let again = format!(" at line {line}, column {column}");
    ConfigError::Read {
        line,
        column,
        reason: reason.strip_suffix(&again).unwrap_or(reason).to_owned(),
    }
}

#[cfg(test)]
mod tests;
