//! Saves the changes of the IAM API: in the file of `--state`, and across reloads of the configuration.
//!
//! Contains changed and deleted roles and providers, and never users, keys or sessions.

mod error;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::Path,
};

use jiff::Timestamp;
use podrole_identity::{AccountId, Audience, RoleArn};
use serde::{Deserialize, Serialize};

pub use self::error::StateError;
use crate::{
    accounts::{Accounts, Policies, Provider, Role, TagError, Tags},
    iam::change::Change,
    policy::{IdentityPolicy, Policy},
};

/// All changes, with the current state of what was changed.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SavedChanges {
    roles: Vec<SavedRole>,
    providers: Vec<SavedProvider>,
    deleted: BTreeSet<Change>,
}

#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SavedRole {
    arn: RoleArn,
    trust_policy: String,
    policies: BTreeMap<String, String>,
    max_session_duration: u32,
    tags: BTreeMap<String, String>,
    description: Option<String>,
    created: Timestamp,
}

#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SavedProvider {
    account: String,
    url: String,
    client_ids: Vec<Audience>,
    thumbprints: Vec<String>,
    tags: BTreeMap<String, String>,
    created: Timestamp,
}

impl SavedChanges {
    /// The current state of the changed entities.
    pub(crate) fn of(accounts: &Accounts, changes: &BTreeSet<Change>) -> Self {
        let mut saved = Self::default();
        for change in changes {
            let kept = match change {
                Change::Role { account, name } => {
                    let role = accounts.role_named(account, name).map(SavedRole::of);
                    role.map(|role| saved.roles.push(role))
                }
                Change::Provider { account, url } => {
                    let provider = accounts.provider(account, url);
                    let provider = provider.map(|one| SavedProvider::of(account, one));
                    provider.map(|provider| saved.providers.push(provider))
                }
            };
            if kept.is_none() {
                saved.deleted.insert(change.clone());
            }
        }
        saved
    }

    /// Applies the changes to the accounts of a configuration file, and returns what was changed.
    pub(crate) fn apply(self, accounts: &mut Accounts) -> Result<BTreeSet<Change>, StateError> {
        let mut changes = self.deleted;
        for change in &changes {
            match change {
                Change::Role { account, name } => {
                    accounts.remove_role(account, name);
                }
                Change::Provider { account, url } => {
                    accounts.remove_provider(account, url);
                }
            }
        }
        for saved in self.roles {
            let role = saved.role()?;
            let (account, name) = (role.arn.account().to_owned(), role.arn.name().to_owned());
            accounts.put_role(role)?;
            changes.insert(Change::Role { account, name });
        }
        for saved in self.providers {
            let account: AccountId =
                saved.account.parse().map_err(|_| StateError::Account(saved.account.clone()))?;
            changes.insert(Change::Provider {
                account: saved.account.clone(),
                url: saved.url.clone(),
            });
            let existing = accounts.provider(account.as_str(), &saved.url).cloned();
            accounts.put_provider(&account, saved.provider(existing)?);
        }
        Ok(changes)
    }

    /// Reads a state file. A missing file is empty.
    pub(crate) fn read(file: &Path) -> Result<Self, StateError> {
        match std::fs::read_to_string(file) {
            Ok(text) => Ok(serde_json::from_str(&text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a state file atomically.
    pub(crate) fn write(&self, file: &Path) -> Result<(), StateError> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut new = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        serde_json::to_writer_pretty(&mut new, self)?;
        new.write_all(b"\n")?;
        new.as_file().sync_all()?;
        new.persist(file).map_err(|error| error.error)?;
        Ok(())
    }
}

impl SavedRole {
    fn of(role: &Role) -> Self {
        let policies = role.policies.iter();
        Self {
            arn: role.arn.clone(),
            trust_policy: role.trust_policy.text().to_owned(),
            policies: policies.map(|(name, one)| (name.clone(), one.text().to_owned())).collect(),
            max_session_duration: role.max_session_duration,
            tags: plain(&role.tags),
            description: role.description.clone(),
            created: role.created,
        }
    }

    fn role(self) -> Result<Role, StateError> {
        let arn = self.arn;
        let malformed = |error| StateError::Policy { role: arn.clone(), error };
        let mut policies = Policies::new();
        for (name, text) in self.policies {
            policies.insert(name, IdentityPolicy::read(&text).map_err(malformed)?);
        }
        let trust_policy = Policy::read(&self.trust_policy).map_err(malformed)?;
        let mut role = Role::new(arn, trust_policy);
        role.policies = policies;
        role.max_session_duration = self.max_session_duration;
        role.tags = tags(&self.tags)?;
        role.description = self.description;
        role.created = self.created;
        Ok(role)
    }
}

impl SavedProvider {
    fn of(account: &str, provider: &Provider) -> Self {
        Self {
            account: account.to_owned(),
            url: provider.url.clone(),
            client_ids: provider.client_ids.clone(),
            thumbprints: provider.thumbprints.clone(),
            tags: plain(&provider.tags),
            created: provider.created,
        }
    }

    /// The provider, with its keys from the configuration file if it is there too: keys are not saved.
    fn provider(self, existing: Option<Provider>) -> Result<Provider, StateError> {
        let existing = existing.unwrap_or_else(|| Provider::new(&self.url, Vec::new()));
        Ok(Provider {
            client_ids: self.client_ids,
            thumbprints: self.thumbprints,
            tags: tags(&self.tags)?,
            created: self.created,
            ..existing
        })
    }
}

fn plain(tags: &Tags) -> BTreeMap<String, String> {
    tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn tags(plain: &BTreeMap<String, String>) -> Result<Tags, TagError> {
    let mut tags = Tags::default();
    for (key, value) in plain {
        tags.add(key, value)?;
    }
    Ok(tags)
}

#[cfg(test)]
mod tests;
