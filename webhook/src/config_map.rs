//! Roles out of a ConfigMap, in the form that kOps writes: one JSON map from `namespace/name`, or
//! `*/name` for any namespace, to `{"RoleARN","Audience","UseRegionalSTS","TokenExpiration"}`.
//!
//! Names of fields do not mind case. A bad key or value is told and left out; the others count.

use std::collections::HashMap;

use podrole_identity::{Audience, RoleArn, RoleComposer, ServiceAccountRef, TokenExpiration};
use serde_json::{Map, Value};

use crate::{Metrics, metrics::Source, sources::Latest};

/// The ConfigMap's name, as with EKS's webhook.
pub(crate) const NAME: &str = "pod-identity-webhook";
/// The key under which its JSON stands.
pub(crate) const KEY: &str = "config";
/// Any namespace, in a key.
const ANY: &str = "*";

/// What the ConfigMap says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleMap {
    exact: HashMap<ServiceAccountRef, RoleEntry>,
    anywhere: HashMap<String, RoleEntry>,
}

/// What stands for one ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleEntry {
    /// The role.
    pub role: RoleArn,
    /// The token's audience.
    pub audience: Option<Audience>,
    /// Whether SDKs shall ask the region's STS.
    pub sts_regional_endpoints: Option<bool>,
    /// The token's life.
    pub token_expiration: Option<TokenExpiration>,
}

/// Puts what the ConfigMap holds now in place of what it held before; `None` where it is gone.
/// What is no map at all leaves everything as it was.
pub(crate) fn update(
    roles: &Latest<RoleMap>,
    text: Option<&str>,
    composer: Option<&RoleComposer>,
    metrics: &Metrics,
) {
    match RoleMap::read(text.unwrap_or("{}"), composer) {
        Ok((map, problems)) => {
            for problem in &problems {
                tracing::warn!(problem, "ConfigMap {NAME}: one entry is left out");
            }
            metrics.source_problems(Source::ConfigMap, problems.len());
            roles.set(map);
        }
        Err(error) => {
            tracing::warn!(error, "ConfigMap {NAME} is no JSON map; what it held before counts");
            metrics.source_problems(Source::ConfigMap, 1);
            roles.set_if_first(RoleMap::default());
        }
    }
}

impl RoleMap {
    /// Reads the JSON; with it comes what was left out, and why.
    ///
    /// # Errors
    /// When it is no JSON map.
    pub fn read(
        text: &str,
        composer: Option<&RoleComposer>,
    ) -> Result<(Self, Vec<String>), String> {
        let text = if text.trim().is_empty() { "{}" } else { text };
        let raw: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| error.to_string())?;
        let (mut map, mut problems) = (Self::default(), Vec::new());
        for (key, value) in raw {
            let read = map.add(&key, &value, composer);
            problems.extend(read.err().map(|error| format!("{}: {error}", shown(&key))));
        }
        Ok((map, problems))
    }

    fn add(
        &mut self,
        key: &str,
        value: &Value,
        composer: Option<&RoleComposer>,
    ) -> Result<(), String> {
        let (namespace, name) = key.split_once('/').ok_or("write the key as namespace/name")?;
        let entry = RoleEntry::read(value, composer)?;
        // The namespace of any is checked as one that it could be.
        let checked = if namespace == ANY { "any" } else { namespace };
        let account = ServiceAccountRef::new(checked, name).map_err(|error| error.to_string())?;
        if namespace == ANY {
            self.anywhere.insert(name.to_owned(), entry);
        } else {
            self.exact.insert(account, entry);
        }
        Ok(())
    }

    /// What stands for a ServiceAccount: its own entry, else that of its name in any namespace.
    #[must_use]
    pub fn find(&self, account: &ServiceAccountRef) -> Option<&RoleEntry> {
        self.exact.get(account).or_else(|| self.anywhere.get(account.name()))
    }
}

impl RoleEntry {
    fn read(value: &Value, composer: Option<&RoleComposer>) -> Result<Self, String> {
        let fields = value.as_object().ok_or("the value is no JSON object")?;
        let field = |name: &str| {
            let found = fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value).filter(|value| !value.is_null())
        };
        let text = |name: &'static str| match field(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(format!("{name} is no text")),
        };
        let role = text("RoleARN")?.ok_or("RoleARN is missing")?;
        let role = composer.map_or_else(|| role.to_owned(), |composer| composer.compose(role));
        let seconds = match field("TokenExpiration") {
            None => None,
            Some(value) => Some(value.as_i64().ok_or("TokenExpiration is no whole number")?),
        };
        Ok(Self {
            role: role.parse().map_err(|error| format!("RoleARN: {error}"))?,
            audience: text("Audience")?
                .map(str::parse)
                .transpose()
                .map_err(|error| format!("Audience: {error}"))?,
            sts_regional_endpoints: match field("UseRegionalSTS") {
                None => None,
                Some(value) => Some(value.as_bool().ok_or("UseRegionalSTS is no boolean")?),
            },
            // 0 is how Go writes that nothing was said.
            token_expiration: seconds.filter(|seconds| *seconds != 0).map(TokenExpiration::clamped),
        })
    }
}

/// A key as it may stand in a line of the log.
fn shown(key: &str) -> String {
    key.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests;
