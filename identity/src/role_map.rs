//! Roles from a ConfigMap, in the form that kOps writes: one JSON map from `namespace/name`, or
//! `*/name` for any namespace, to `{"RoleARN","Audience","UseRegionalSTS","TokenExpiration"}`.
//!
//! Field names are matched without regard to case, as Go's JSON decoder does.

use std::{collections::HashMap, fmt};

use serde_json::{Map, Value};

use crate::{
    ArnError, Audience, AudienceError, RoleArn, RoleComposer, ServiceAccountError,
    ServiceAccountRef, TokenExpiration,
};

/// The name of the ConfigMap, as in EKS's webhook.
pub const ROLE_MAP_NAME: &str = "pod-identity-webhook";
/// The key of its JSON.
pub const ROLE_MAP_KEY: &str = "config";
/// In place of a namespace: any.
const ANY: &str = "*";

/// The ConfigMap's entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleMap {
    exact: HashMap<ServiceAccountRef, Result<RoleEntry, RoleEntryError>>,
    /// By name alone, for entries of any namespace.
    any_namespace: HashMap<String, Result<RoleEntry, RoleEntryError>>,
}

/// The entry of one ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleEntry {
    /// The role.
    pub role: RoleArn,
    /// The token's audience.
    pub audience: Option<Audience>,
    /// Whether SDKs use the region's STS endpoint.
    pub sts_regional_endpoints: Option<bool>,
    /// The token's lifetime.
    pub token_expiration: Option<TokenExpiration>,
}

/// An entry that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleMapProblem {
    /// Its key, without control characters and cut to what fits a line.
    pub key: String,
    /// Why.
    pub error: RoleEntryError,
}

/// Why an entry cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoleEntryError {
    /// The key has no slash.
    #[error("write the key as namespace/name")]
    Key,
    /// The key names no ServiceAccount that could exist.
    #[error(transparent)]
    ServiceAccount(#[from] ServiceAccountError),
    /// The value is not an object.
    #[error("the value is not a JSON object")]
    NotAnObject,
    /// There is no role.
    #[error("RoleARN is missing")]
    NoRole,
    /// A field has another JSON type.
    #[error("{field} is not {wanted}")]
    Type {
        /// The field.
        field: &'static str,
        /// The type it must have.
        wanted: &'static str,
    },
    /// The role is not an ARN of a role.
    #[error("RoleARN: {0}")]
    Role(#[from] ArnError),
    /// The audience cannot be one.
    #[error("Audience: {0}")]
    Audience(#[from] AudienceError),
}

impl fmt::Display for RoleMapProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.error)
    }
}

impl RoleMap {
    /// Reads the JSON. Errors of entries are returned beside the map. An entry that names a
    /// ServiceAccount but cannot be used stays in the map as its error: otherwise a typing error
    /// in the entry of one ServiceAccount would select the broader one for any namespace.
    ///
    /// # Errors
    /// If the text is not a JSON object.
    pub fn read(
        text: &str,
        composer: Option<&RoleComposer>,
    ) -> Result<(Self, Vec<RoleMapProblem>), serde_json::Error> {
        let text = if text.trim().is_empty() { "{}" } else { text };
        let raw: Map<String, Value> = serde_json::from_str(text)?;
        let (mut map, mut problems) = (Self::default(), Vec::new());
        for (key, value) in raw {
            if let Err(error) = map.add(&key, &value, composer) {
                problems.push(RoleMapProblem { key: printable(&key), error });
            }
        }
        Ok((map, problems))
    }

    fn add(
        &mut self,
        key: &str,
        value: &Value,
        composer: Option<&RoleComposer>,
    ) -> Result<(), RoleEntryError> {
        let (namespace, name) = key.split_once('/').ok_or(RoleEntryError::Key)?;
        // `*` is not a legal namespace: any legal one serves to check the name.
        let checked = if namespace == ANY { "any" } else { namespace };
        let service_account = ServiceAccountRef::new(checked, name)?;
        let entry = RoleEntry::read(value, composer);
        let problem = entry.as_ref().err().cloned();
        if namespace == ANY {
            self.any_namespace.insert(name.to_owned(), entry);
        } else {
            self.exact.insert(service_account, entry);
        }
        problem.map_or(Ok(()), Err)
    }

    /// The entry of a ServiceAccount, or why it cannot be used: its own, else the one for its name
    /// in any namespace.
    #[must_use]
    pub fn find(
        &self,
        service_account: &ServiceAccountRef,
    ) -> Option<Result<&RoleEntry, &RoleEntryError>> {
        let own = self.exact.get(service_account);
        let found = own.or_else(|| self.any_namespace.get(service_account.name()));
        found.map(Result::as_ref)
    }

    /// The usable entries for one ServiceAccount each, sorted.
    pub fn entries(&self) -> impl Iterator<Item = (&ServiceAccountRef, &RoleEntry)> {
        sorted(&self.exact)
    }

    /// The usable entries for a name in any namespace, sorted.
    pub fn entries_of_any_namespace(&self) -> impl Iterator<Item = (&str, &RoleEntry)> {
        sorted(&self.any_namespace).map(|(name, entry)| (name.as_str(), entry))
    }
}

fn sorted<K: Ord, E>(
    map: &HashMap<K, Result<RoleEntry, E>>,
) -> impl Iterator<Item = (&K, &RoleEntry)> {
    let usable = map.iter().filter_map(|(key, entry)| Some((key, entry.as_ref().ok()?)));
    let mut usable: Vec<_> = usable.collect();
    usable.sort_unstable_by_key(|(key, _)| *key);
    usable.into_iter()
}

impl RoleEntry {
    fn read(value: &Value, composer: Option<&RoleComposer>) -> Result<Self, RoleEntryError> {
        let fields = Fields(value.as_object().ok_or(RoleEntryError::NotAnObject)?);
        let role = fields.text("RoleARN")?.ok_or(RoleEntryError::NoRole)?;
        let role = composer.map_or_else(|| role.to_owned(), |composer| composer.compose(role));
        let seconds = fields.typed("TokenExpiration", "a whole number", Value::as_i64)?;
        Ok(Self {
            role: role.parse()?,
            audience: fields.text("Audience")?.map(str::parse).transpose()?,
            sts_regional_endpoints: fields.typed("UseRegionalSTS", "a boolean", Value::as_bool)?,
            // Go writes an unset number as 0.
            token_expiration: seconds.filter(|seconds| *seconds != 0).map(TokenExpiration::clamped),
        })
    }
}

struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn typed<T>(
        &self,
        field: &'static str,
        wanted: &'static str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, RoleEntryError> {
        let found = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(field));
        match found.map(|(_, value)| value).filter(|value| !value.is_null()) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or(RoleEntryError::Type { field, wanted }),
        }
    }

    /// A text; an empty one counts as absent.
    fn text(&self, field: &'static str) -> Result<Option<&'a str>, RoleEntryError> {
        Ok(self.typed(field, "a string", Value::as_str)?.filter(|text| !text.is_empty()))
    }
}

fn printable(key: &str) -> String {
    key.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests;
