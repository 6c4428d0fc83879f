//! What the IAM API changed, as text: for `--state`, and to stand when the file is read again.
//!
//! Roles and providers are in it, and which were deleted. Users, keys and sessions never are.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::Path,
};

use jiff::Timestamp;
use podrole_identity::{AccountId, Audience, RoleArn};
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{Accounts, Provider, Role, Tags},
    iam::change::Change,
    policy::{IdentityPolicy, Policy},
};

/// All changes.
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
    /// What those changes left in the accounts.
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

    /// Makes the changes again, over what a file says; which they were.
    pub(crate) fn apply(self, accounts: &mut Accounts) -> Result<BTreeSet<Change>, String> {
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
            accounts.put_role(role).map_err(|error| error.to_string())?;
            changes.insert(Change::Role { account, name });
        }
        for saved in self.providers {
            let account: AccountId = saved.account.parse().map_err(|_| "an account".to_owned())?;
            changes.insert(Change::Provider {
                account: saved.account.clone(),
                url: saved.url.clone(),
            });
            let known = accounts.provider(account.as_str(), &saved.url).cloned();
            accounts.put_provider(&account, saved.provider(known)?);
        }
        Ok(changes)
    }

    /// Reads a state file; nothing is there yet when it is missing.
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        match std::fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| error.to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Writes a state file: whole, or not at all.
    pub(crate) fn write(&self, file: &Path) -> Result<(), String> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let write = || {
            let mut new = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
            serde_json::to_writer_pretty(&mut new, self)?;
            new.write_all(b"\n")?;
            new.as_file().sync_all()?;
            new.persist(file).map_err(|error| error.error)?;
            Ok::<_, std::io::Error>(())
        };
        write().map_err(|error| error.to_string())
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

    fn role(self) -> Result<Role, String> {
        let arn = &self.arn;
        let trust = Policy::read(&self.trust_policy).map_err(|error| format!("{arn}: {error}"))?;
        let mut role = Role::new(self.arn, trust);
        for (name, text) in self.policies {
            let policy = IdentityPolicy::read(&text);
            role.policies.insert(name, policy.map_err(|error| format!("{}: {error}", role.arn))?);
        }
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

    /// Keys are the file's, where it knows the provider too.
    fn provider(self, known: Option<Provider>) -> Result<Provider, String> {
        let known = known.unwrap_or_else(|| Provider::new(&self.url, Vec::new()));
        Ok(Provider {
            client_ids: self.client_ids,
            thumbprints: self.thumbprints,
            tags: tags(&self.tags)?,
            created: self.created,
            ..known
        })
    }
}

fn plain(tags: &Tags) -> BTreeMap<String, String> {
    tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn tags(plain: &BTreeMap<String, String>) -> Result<Tags, String> {
    let mut tags = Tags::default();
    for (key, value) in plain {
        tags.add(key, value).map_err(|error| error.to_string())?;
    }
    Ok(tags)
}

#[cfg(test)]
mod tests;
