//! Secrets that an annotation adds to containers: `secret.podrole.io/<alias>`.
//!
//! The value is a mount path, a JSON object, or a list of these. What the API server
//! would reject is rejected here, because it would reject the whole pod.

mod check;
mod error;
mod permission;
mod protected_paths;
mod reserved_variables;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{ContainerList, annotation::AnnotationReader};
use check::Mode;
use error::{PathField, SecretAnnotationError};
pub use permission::SecretDenial;

/// The prefix of an alias. The alias is the Secret's name, unless the value sets another.
pub const SECRET_ANNOTATION_PREFIX: &str = "secret.podrole.io/";

/// How the names of the volumes begin that the webhook adds for Secrets.
pub const SECRET_VOLUME_PREFIX: &str = "podrole-secret-";

/// The Secrets that an object's annotations ask for, by alias. An empty value asks for nothing; on a
/// pod it cancels the ServiceAccount's value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, Vec<DesiredSecret>>);

/// Whose annotation asks for a Secret.
///
/// A pod's author may write volumes and variables into the pod without podrole. A ServiceAccount's
/// author may not, and often cannot even read the pods' Secrets: so less is permitted to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretOwner {
    /// The pod itself.
    Pod,
    /// The pod's ServiceAccount.
    ServiceAccount,
}

/// One Secret to add to containers: as files, as variables, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredSecret {
    /// Whose annotation asks for it.
    pub owner: SecretOwner,
    /// The Secret's name.
    pub secret_name: String,
    /// Where to mount its files.
    pub mount_path: Option<String>,
    /// The part of it to mount there.
    pub sub_path: Option<String>,
    /// The prefix of the variables that are named after its keys.
    pub env_prefix: Option<String>,
    /// Whether containers start if it does not exist.
    pub optional: bool,
    /// The files' permissions.
    pub mode: Option<u16>,
    /// The keys that become files; if empty, all of them.
    pub items: Vec<SecretItem>,
    /// The containers that get it; if empty, all of them.
    pub containers: ContainerList,
}

/// A key of a Secret that becomes a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretItem {
    /// The key.
    pub key: String,
    /// The file below the mount path.
    pub path: String,
    /// The file's permissions.
    pub mode: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawSecret {
    secret_name: Option<String>,
    mount_path: Option<String>,
    sub_path: Option<String>,
    env: Option<String>,
    #[serde(default)]
    optional: bool,
    mode: Option<Mode>,
    #[serde(default)]
    items: Vec<RawItem>,
    #[serde(default)]
    containers: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawItem {
    key: String,
    path: String,
    mode: Option<Mode>,
}

impl Secrets {
    pub(crate) fn read(reader: &mut AnnotationReader<'_>, owner: SecretOwner) -> Self {
        let keys: Vec<String> = reader.keys_with_prefix(SECRET_ANNOTATION_PREFIX);
        let mut secrets = BTreeMap::new();
        for key in keys {
            let alias = key[SECRET_ANNOTATION_PREFIX.len()..].to_owned();
            // On a pod, a bad value still replaces the ServiceAccount's: mounting another Secret than
            // the pod asks for would be worse than mounting none.
            let desired = reader.read(&key, |value| parse(&alias, owner, value));
            secrets.insert(alias, desired.unwrap_or_default());
        }
        Self(secrets)
    }

    /// Whether no Secret is desired.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.values().all(Vec::is_empty)
    }

    /// A ServiceAccount's Secrets together with a pod's, which takes precedence for an alias.
    #[must_use]
    pub fn under(&self, pod: &Self) -> Self {
        let mut both = self.0.clone();
        both.extend(pod.0.clone());
        Self(both)
    }

    /// Each desired Secret, with the whole key of its annotation.
    pub fn desired(&self) -> impl Iterator<Item = (String, &DesiredSecret)> {
        self.0.iter().flat_map(|(alias, all)| {
            all.iter().map(move |one| (format!("{SECRET_ANNOTATION_PREFIX}{alias}"), one))
        })
    }
}

fn parse(
    alias: &str,
    owner: SecretOwner,
    value: &str,
) -> Result<Vec<DesiredSecret>, SecretAnnotationError> {
    let raw: Vec<RawSecret> = match value.trim() {
        "" => return Ok(Vec::new()),
        text if text.starts_with('[') => serde_json::from_str(text)?,
        text if text.starts_with('{') => vec![serde_json::from_str(text)?],
        path => vec![RawSecret::at(path)],
    };
    raw.into_iter().map(|secret| secret.check(alias, owner)).collect()
}

impl RawSecret {
    fn at(path: &str) -> Self {
        Self {
            secret_name: None,
            mount_path: Some(path.to_owned()),
            sub_path: None,
            env: None,
            optional: false,
            mode: None,
            items: Vec::new(),
            containers: BTreeSet::new(),
        }
    }

    fn check(
        self,
        alias: &str,
        owner: SecretOwner,
    ) -> Result<DesiredSecret, SecretAnnotationError> {
        let secret_name = self.secret_name.unwrap_or_else(|| alias.to_owned());
        check::secret_name(&secret_name)?;
        if self.mount_path.is_none() && self.env.is_none() {
            return Err(SecretAnnotationError::Empty);
        }
        if self.mount_path.is_none() && self.sub_path.is_some() {
            return Err(SecretAnnotationError::SubPathAlone);
        }
        self.mount_path.as_deref().map_or(Ok(()), check::mount_path)?;
        self.sub_path.as_deref().map_or(Ok(()), |path| check::below(PathField::Sub, path))?;
        self.env.as_deref().map_or(Ok(()), check::env_prefix)?;
        let items = self.items.into_iter().map(RawItem::check);
        Ok(DesiredSecret {
            owner,
            secret_name,
            mount_path: self.mount_path,
            sub_path: self.sub_path,
            env_prefix: self.env,
            optional: self.optional,
            mode: self.mode.map(Mode::bits),
            items: items.collect::<Result<_, _>>()?,
            containers: self.containers.into_iter().collect(),
        })
    }
}

impl RawItem {
    fn check(self) -> Result<SecretItem, SecretAnnotationError> {
        check::item_key(&self.key)?;
        check::below(PathField::Item, &self.path)?;
        Ok(SecretItem { key: self.key, path: self.path, mode: self.mode.map(Mode::bits) })
    }
}

#[cfg(test)]
mod tests;
