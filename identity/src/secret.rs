//! Secrets that an annotation asks into containers: `secret.podrole.io/<alias>`.
//!
//! The value is a mount path, a JSON object, or a list of these. Whatever the API server would
//! refuse is refused here, since it would refuse the whole pod for it.

mod check;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{ContainerList, annotation::Reader};
use check::Mode;

/// What stands before an alias. The alias is the Secret's name, unless the value has another.
pub const SECRET_ANNOTATION_PREFIX: &str = "secret.podrole.io/";

/// The Secrets that an object asks for, by alias. An empty value asks for nothing, and on a pod
/// takes back what its ServiceAccount asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, Vec<DesiredSecret>>);

/// One Secret as containers shall see it: as files, as variables, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredSecret {
    /// The Secret's name.
    pub secret_name: String,
    /// Where its files are mounted.
    pub mount_path: Option<String>,
    /// The part of it that is mounted there.
    pub sub_path: Option<String>,
    /// What stands before its keys as names of variables.
    pub env_prefix: Option<String>,
    /// Whether containers start without it.
    pub optional: bool,
    /// The files' permissions.
    pub mode: Option<u16>,
    /// The keys that become files, all where empty.
    pub items: Vec<SecretItem>,
    /// The containers that get it, all where empty.
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
struct RawWish {
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
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let keys: Vec<String> = reader.keys_below(SECRET_ANNOTATION_PREFIX);
        let mut secrets = BTreeMap::new();
        for key in keys {
            let alias = key[SECRET_ANNOTATION_PREFIX.len()..].to_owned();
            // A bad one is told, and takes the ServiceAccount's place on a pod all the same: to
            // mount another than was asked for would be no better.
            let wishes = reader.read(&key, |value| wishes(&alias, value));
            secrets.insert(alias, wishes.unwrap_or_default());
        }
        Self(secrets)
    }

    /// Whether no Secret is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.values().all(Vec::is_empty)
    }

    /// A pod's own Secrets and its ServiceAccount's; for one alias the pod decides.
    #[must_use]
    pub fn under(&self, pod: &Self) -> Self {
        let mut both = self.0.clone();
        both.extend(pod.0.clone());
        Self(both)
    }

    /// Each wish, with the whole key of its annotation.
    pub fn wishes(&self) -> impl Iterator<Item = (String, &DesiredSecret)> {
        self.0.iter().flat_map(|(alias, wishes)| {
            wishes.iter().map(move |wish| (format!("{SECRET_ANNOTATION_PREFIX}{alias}"), wish))
        })
    }
}

fn wishes(alias: &str, value: &str) -> Result<Vec<DesiredSecret>, String> {
    let json = |error: serde_json::Error| {
        // Without the place in the text: an annotation is one line.
        let told = error.to_string();
        told.split(" at line ").next().unwrap_or_default().to_owned()
    };
    let raw = match value.trim() {
        "" => return Ok(Vec::new()),
        text if text.starts_with('[') => {
            serde_json::from_str::<Vec<RawWish>>(text).map_err(json)?
        }
        text if text.starts_with('{') => vec![serde_json::from_str(text).map_err(json)?],
        path => vec![RawWish::at(path)],
    };
    raw.into_iter().map(|wish| wish.check(alias)).collect()
}

impl RawWish {
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

    fn check(self, alias: &str) -> Result<DesiredSecret, String> {
        let secret_name = self.secret_name.unwrap_or_else(|| alias.to_owned());
        check::secret_name(&secret_name)?;
        if self.mount_path.is_none() && self.env.is_none() {
            return Err("it needs a mountPath or an env".to_owned());
        }
        if self.mount_path.is_none() && self.sub_path.is_some() {
            return Err("a subPath needs a mountPath".to_owned());
        }
        self.mount_path.as_deref().map_or(Ok(()), check::mount_path)?;
        self.sub_path.as_deref().map_or(Ok(()), |path| check::below("subPath", path))?;
        self.env.as_deref().map_or(Ok(()), check::env_prefix)?;
        let items = self.items.into_iter().map(RawItem::check);
        Ok(DesiredSecret {
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
    fn check(self) -> Result<SecretItem, String> {
        check::item_key(&self.key)?;
        check::below("an item's path", &self.path)?;
        Ok(SecretItem { key: self.key, path: self.path, mode: self.mode.map(Mode::bits) })
    }
}

#[cfg(test)]
mod tests;
