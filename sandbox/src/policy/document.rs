//! A trust policy's document: what it may contain, read without forgiveness.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    condition::Operator,
    text::{one_or_many, texts},
};

/// A role's trust policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Policy {
    #[serde(default, rename = "Version")]
    _version: Version,
    #[serde(default, rename = "Id")]
    _id: Option<String>,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) statement: Vec<Statement>,
}

/// A document that is no trust policy.
#[derive(Debug, thiserror::Error)]
#[error("the trust policy is malformed: {0}")]
pub struct PolicyError(String);

#[derive(Clone, Copy, Debug, Default, Deserialize)]
enum Version {
    #[default]
    #[serde(rename = "2008-10-17")]
    Old,
    #[serde(rename = "2012-10-17")]
    Current,
}

/// One statement of a policy: whom it means, for what, when, and with what effect.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Statement {
    #[serde(default)]
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    pub(super) principal: Principals,
    #[serde(deserialize_with = "texts")]
    pub(super) action: Vec<String>,
    #[serde(default)]
    pub(super) condition: BTreeMap<Operator, BTreeMap<String, Wanted>>,
}

/// What a statement does when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whatever others allow.
    Deny,
}

/// Whom a statement means.
#[derive(Clone, Debug)]
pub enum Principals {
    /// `"*"`, or `{"AWS": "*"}`, which IAM documents as the same.
    Everyone,
    /// Those it names.
    Named {
        /// Accounts, users, roles and sessions.
        aws: Vec<String>,
        /// Identity providers, by ARN or domain.
        federated: Vec<String>,
        /// AWS's services.
        service: Vec<String>,
    },
}

/// A condition's values. Policy variables are refused: to compare `${...}` as it stands would be
/// another answer than IAM's.
#[derive(Clone, Debug)]
pub(super) struct Wanted(pub(super) Vec<String>);

impl Policy {
    /// Reads the JSON of a trust policy.
    ///
    /// # Errors
    /// When it is no JSON, or no trust policy; the reason has line and column.
    pub fn read(json: &str) -> Result<Self, PolicyError> {
        serde_json::from_str(json).map_err(|fault| PolicyError(fault.to_string()))
    }
}

impl Statement {
    /// Its `Sid`, else its place, counted from 1.
    pub(super) fn label(&self, place: usize) -> String {
        match &self.sid {
            Some(sid) => format!("statement {sid:?}"),
            None => format!("statement {}", place + 1),
        }
    }
}

impl<'de> Deserialize<'de> for Wanted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = texts(deserializer)?;
        match values.iter().find(|value| value.contains("${")) {
            Some(value) => {
                Err(D::Error::custom(format!("policy variables are not known here: {value:?}")))
            }
            None => Ok(Self(values)),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedPrincipals {
    #[serde(default, rename = "AWS", deserialize_with = "texts")]
    aws: Vec<String>,
    #[serde(default, rename = "Federated", deserialize_with = "texts")]
    federated: Vec<String>,
    #[serde(default, rename = "Service", deserialize_with = "texts")]
    service: Vec<String>,
}

struct PrincipalsVisitor;

impl<'de> Visitor<'de> for PrincipalsVisitor {
    type Value = Principals;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"*\", or an object with AWS, Federated or Service")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Principals, E> {
        match text {
            "*" => Ok(Principals::Everyone),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &"\"*\", or an object")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Principals, A::Error> {
        let named = NamedPrincipals::deserialize(MapAccessDeserializer::new(map))?;
        if named.aws.iter().any(|name| name == "*") {
            return Ok(Principals::Everyone);
        }
        if named.aws.is_empty() && named.federated.is_empty() && named.service.is_empty() {
            return Err(A::Error::custom("the Principal names nobody"));
        }
        Ok(Principals::Named { aws: named.aws, federated: named.federated, service: named.service })
    }
}

impl<'de> Deserialize<'de> for Principals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PrincipalsVisitor)
    }
}
