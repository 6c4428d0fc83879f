//! The JSON format of policies. Unknown fields are rejected with their name and position.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Unexpected, Visitor, value::MapAccessDeserializer},
};

use super::{
    condition::Operator,
    effect::Effect,
    text::{one_or_many, some_texts, texts, unique},
    version::Version,
};

/// A policy document with statements of one kind.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[serde(bound(deserialize = "S: Deserialize<'de>"))]
pub(super) struct Written<S> {
    #[serde(default)]
    pub(super) version: Version,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) statement: Vec<S>,
}

/// A statement of a trust policy. It has no Resource, because that is the role.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct TrustStatement {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) principal: Option<WrittenPrincipals>,
    /// Read to be rejected in IAM's words.
    #[serde(default, deserialize_with = "some_texts", skip_serializing_if = "Option::is_none")]
    pub(super) resource: Option<Vec<String>>,
    #[serde(default, deserialize_with = "some_texts", skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<Vec<String>>,
    #[serde(default, deserialize_with = "some_texts", skip_serializing_if = "Option::is_none")]
    pub(super) not_action: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Conditions::is_empty")]
    pub(super) condition: Conditions,
}

/// A statement of an identity policy or session policy. It has no Principal, because that is the identity
/// that has the policy.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct IdentityStatement {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    #[serde(default, deserialize_with = "some_texts", skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<Vec<String>>,
    #[serde(default, deserialize_with = "some_texts", skip_serializing_if = "Option::is_none")]
    pub(super) not_action: Option<Vec<String>>,
    #[serde(default, deserialize_with = "some_texts", skip_serializing_if = "Option::is_none")]
    pub(super) resource: Option<Vec<String>>,
    #[serde(default, deserialize_with = "some_texts", skip_serializing_if = "Option::is_none")]
    pub(super) not_resource: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Conditions::is_empty")]
    pub(super) condition: Conditions,
}

/// Operators, keys and values. Duplicates are rejected, because one of the two would be ignored.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub(super) struct Conditions(pub(super) BTreeMap<Operator, BTreeMap<String, Vec<String>>>);

impl Conditions {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

struct ConditionKeys(BTreeMap<String, Vec<String>>);

struct ConditionValues(Vec<String>);

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let operators: BTreeMap<Operator, ConditionKeys> = unique(deserializer)?;
        Ok(Self(operators.into_iter().map(|(operator, keys)| (operator, keys.0)).collect()))
    }
}

impl<'de> Deserialize<'de> for ConditionKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let keys: BTreeMap<String, ConditionValues> = unique(deserializer)?;
        Ok(Self(keys.into_iter().map(|(key, values)| (key, values.0)).collect()))
    }
}

impl<'de> Deserialize<'de> for ConditionValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        texts(deserializer).map(Self)
    }
}

/// The Principal element.
pub(super) enum WrittenPrincipals {
    /// `"*"`
    Everyone,
    /// An object of principals by kind.
    Named(NamedPrincipals),
}

/// Principals by kind.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NamedPrincipals {
    #[serde(default, rename = "AWS", deserialize_with = "texts", skip_serializing_if = "none")]
    pub(super) aws: Vec<String>,
    #[serde(
        default,
        rename = "Federated",
        deserialize_with = "texts",
        skip_serializing_if = "none"
    )]
    pub(super) federated: Vec<String>,
    #[serde(default, rename = "Service", deserialize_with = "texts", skip_serializing_if = "none")]
    pub(super) service: Vec<String>,
}

fn none(list: &[String]) -> bool {
    list.is_empty()
}

impl Serialize for WrittenPrincipals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Everyone => serializer.serialize_str("*"),
            Self::Named(named) => named.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for WrittenPrincipals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PrincipalsVisitor)
    }
}

struct PrincipalsVisitor;

impl<'de> Visitor<'de> for PrincipalsVisitor {
    type Value = WrittenPrincipals;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"*\", or an object with AWS, Federated or Service")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<WrittenPrincipals, E> {
        match text {
            "*" => Ok(WrittenPrincipals::Everyone),
            _ => Err(E::invalid_value(Unexpected::Str(text), &"\"*\", or an object")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WrittenPrincipals, A::Error> {
        NamedPrincipals::deserialize(MapAccessDeserializer::new(map)).map(WrittenPrincipals::Named)
    }
}
