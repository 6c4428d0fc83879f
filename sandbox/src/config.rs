//! The sandbox's file: accounts, their OIDC providers and their roles.
//!
//! ```yaml
//! accounts:
//!   "111122223333":
//!     oidcProviders:
//!       - url: https://oidc.example
//!         clientIds: [sts.amazonaws.com]
//!         jwks: {keys: [...]}          # left out: the keys of the issuer that is served here
//!     roles:
//!       app:
//!         arn: arn:aws:iam::111122223333:role/app
//!         maxSessionDuration: 3600     # seconds
//!         trustPolicy: {Version: "2012-10-17", Statement: [...]}
//! credentialLife: 30s                  # shortens what is issued, and no check
//! ```

use std::{collections::BTreeMap, time::Duration};

use podrole_identity::{AccountId, Audience, RoleArn};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    accounts::{Accounts, Provider, Role},
    jwk::JwkSet,
    policy::Policy,
};

/// What a sandbox starts with.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(crate) accounts: Accounts,
    pub(crate) credential_life: Option<Duration>,
}

/// Why a file, or a role, cannot be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is no YAML, or has fields or values that are not known here.
    #[error("line {line}, column {column}: {reason}")]
    Read {
        /// Counted from 1; 0 when not known.
        line: u64,
        /// Counted from 1; 0 when not known.
        column: u64,
        /// What is wrong.
        reason: String,
    },
    /// A role's ARN is of another account than the one that it stands under.
    #[error("the role {role} stands under account {account}; move it under its own account")]
    Account {
        /// The role.
        role: RoleArn,
        /// The account that it stands under.
        account: AccountId,
    },
    /// A role stands under another name than its ARN's.
    #[error("the role {role} stands under the name {name:?}; use the name in its ARN")]
    RoleName {
        /// The role.
        role: RoleArn,
        /// The name that it stands under.
        name: String,
    },
    /// A role's longest session is not one that IAM allows.
    #[error("the role {role} has a maxSessionDuration of {seconds}; IAM allows 3600 to 43200")]
    MaxSessionDuration {
        /// The role.
        role: RoleArn,
        /// What was asked for.
        seconds: u32,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    #[serde(default)]
    accounts: BTreeMap<AccountKey, AccountFile>,
    #[serde(default, deserialize_with = "life")]
    credential_life: Option<Duration>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct AccountKey(AccountId);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AccountFile {
    #[serde(default)]
    oidc_providers: Vec<ProviderFile>,
    #[serde(default)]
    roles: BTreeMap<String, RoleFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProviderFile {
    url: ProviderUrl,
    client_ids: Vec<Audience>,
    jwks: Option<JwkSet>,
}

struct ProviderUrl(String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RoleFile {
    arn: RoleArn,
    trust_policy: Policy,
    max_session_duration: Option<u32>,
}

impl Config {
    /// Reads the YAML (or JSON) of a sandbox's file.
    ///
    /// # Errors
    /// When it cannot be read, with line and reason; when a role stands under a wrong account or
    /// name, or has a session duration that IAM does not allow.
    pub fn read(yaml: &str) -> Result<Self, ConfigError> {
        let file: File = serde_saphyr::from_str(yaml).map_err(|fault| unreadable(&fault))?;
        let mut accounts = Accounts::default();
        for (AccountKey(id), account) in file.accounts {
            for provider in account.oidc_providers {
                accounts.put_provider(&id, provider.into());
            }
            for (name, role) in account.roles {
                check_place(&role.arn, &id, &name)?;
                accounts.put_role(role.into())?;
            }
        }
        Ok(Self { accounts, credential_life: file.credential_life })
    }

    /// Shortens the life of what is issued. What STS checks stays as it is.
    #[must_use]
    pub fn with_credential_life(mut self, life: Duration) -> Self {
        self.credential_life = Some(life);
        self
    }

    /// The providers whose keys the file does not give and `served`, the URL of an issuer that the
    /// sandbox serves itself, does not either: tokens of theirs can only be refused.
    #[must_use]
    pub fn keyless_providers(&self, served: Option<&str>) -> Vec<&str> {
        self.accounts.keyless(served)
    }
}

fn check_place(role: &RoleArn, account: &AccountId, name: &str) -> Result<(), ConfigError> {
    if role.account() != account.as_str() {
        return Err(ConfigError::Account { role: role.clone(), account: account.clone() });
    }
    if role.name() != name {
        return Err(ConfigError::RoleName { role: role.clone(), name: name.to_owned() });
    }
    Ok(())
}

fn unreadable(fault: &serde_saphyr::Error) -> ConfigError {
    let (line, column) = fault.location().map_or((0, 0), |place| (place.line(), place.column()));
    let text = fault.without_snippet().to_string();
    let reason = text.lines().next().unwrap_or_default();
    // The library says the place again at the end.
    let again = format!(" at line {line}, column {column}");
    ConfigError::Read {
        line,
        column,
        reason: reason.strip_suffix(&again).unwrap_or(reason).to_owned(),
    }
}

fn life<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    read_life(&text).map(Some).map_err(D::Error::custom)
}

/// Reads a life of credentials: `30s`, `5m`, `1h`.
///
/// # Errors
/// When it is no duration, or not longer than nothing.
pub fn read_life(text: &str) -> Result<Duration, String> {
    let life: jiff::SignedDuration =
        text.parse().map_err(|_| format!("{text:?} is no duration; write 30s, 5m or 1h"))?;
    match Duration::try_from(life) {
        Ok(life) if life >= Duration::from_secs(1) => Ok(life),
        _ => Err(format!("{text:?} is too short: a second is the least")),
    }
}

impl From<ProviderFile> for Provider {
    fn from(file: ProviderFile) -> Self {
        Self { url: file.url.0, client_ids: file.client_ids, keys: file.jwks }
    }
}

impl From<RoleFile> for Role {
    fn from(file: RoleFile) -> Self {
        let role = Self::new(file.arn, file.trust_policy);
        Self {
            max_session_duration: file.max_session_duration.unwrap_or(role.max_session_duration),
            ..role
        }
    }
}

impl<'de> Deserialize<'de> for AccountKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let fault = |fault| D::Error::custom(format!("the account {text:?}: {fault}"));
        text.parse().map(Self).map_err(fault)
    }
}

impl<'de> Deserialize<'de> for ProviderUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let url = String::deserialize(deserializer)?;
        let rest = url.strip_prefix("https://");
        match rest.or_else(|| url.strip_prefix("http://")) {
            Some(rest) if !rest.is_empty() => Ok(Self(url)),
            _ => Err(D::Error::custom(format!(
                "the provider's url {url:?} must begin with https:// (or http://)"
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
