//! What a policy document may contain, and what its statements mean.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{
    condition::{Condition, Operator},
    effect::Effect,
    principal::Principals,
    variable::Template,
    version::Version,
    written::{Conditions, IdentityStatement, TrustStatement, Written},
};

/// A role's trust policy: who may become the role.
#[derive(Clone, Debug)]
pub struct Policy(PolicyDocument);

/// A policy that says what its owner may do: of a role, a user or a session.
#[derive(Clone, Debug)]
pub struct IdentityPolicy(PolicyDocument);

#[derive(Clone, Debug)]
struct PolicyDocument {
    /// The JSON, as it was given where it was given as JSON.
    text: Arc<str>,
    statements: Arc<[Statement]>,
}

/// A document that is no policy of its kind.
#[derive(Debug, thiserror::Error)]
#[error("the policy is malformed: {0}")]
pub struct PolicyError(String);

/// One statement of a policy: whom it means, for what, when, and with what effect.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    /// Nothing in an identity policy.
    pub(super) principals: Option<Principals>,
    pub(super) actions: Listed<String>,
    /// Nothing in a trust policy.
    pub(super) resources: Option<Listed<Template>>,
    pub(super) conditions: Vec<Condition>,
}

/// A list, and whether the statement means what is on it or all that is not (`NotAction`).
#[derive(Debug)]
pub(super) enum Listed<T> {
    On(Vec<T>),
    NotOn(Vec<T>),
}

macro_rules! kind_of_policy {
    ($policy:ident, $statement:ty) => {
        impl $policy {
            /// Reads the JSON of such a policy.
            ///
            /// # Errors
            /// When it is no JSON, or no such policy; the reason has line and column.
            pub fn read(json: &str) -> Result<Self, PolicyError> {
                let error = |error: serde_json::Error| PolicyError(error.to_string());
                let mut policy: Self = serde_json::from_str(json).map_err(error)?;
                policy.0.text = json.into();
                Ok(policy)
            }

            /// The document as JSON: as it was given, where it was given as JSON.
            #[must_use]
            pub fn text(&self) -> &str {
                &self.0.text
            }

            pub(super) fn statements(&self) -> &[Statement] {
                &self.0.statements
            }
        }

        impl<'de> Deserialize<'de> for $policy {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let written = Written::<$statement>::deserialize(deserializer)?;
                PolicyDocument::new(written).map(Self).map_err(D::Error::custom)
            }
        }
    };
}

kind_of_policy!(Policy, TrustStatement);
kind_of_policy!(IdentityPolicy, IdentityStatement);

/// What the two kinds of written statements have in common.
pub(super) trait IntoStatement: Serialize {
    fn into_statement(self, version: Version) -> Result<Statement, String>;
}

impl PolicyDocument {
    fn new<S: IntoStatement>(written: Written<S>) -> Result<Self, String> {
        let text = serde_json::to_string(&written).map_err(|error| error.to_string())?;
        let version = written.version;
        let statements = written.statement.into_iter().map(|one| one.into_statement(version));
        let statements = statements.collect::<Result<Vec<_>, _>>()?;
        let sids = statements.iter().filter_map(|one| one.sid.as_deref());
        let mut sids: Vec<&str> = sids.filter(|sid| !sid.is_empty()).collect();
        sids.sort_unstable();
        if let Some(pair) = sids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("the Sid {:?} stands twice", pair[0]));
        }
        Ok(Self { text: text.into(), statements: statements.into() })
    }
}

impl IntoStatement for TrustStatement {
    fn into_statement(self, version: Version) -> Result<Statement, String> {
        Ok(Statement {
            sid: self.sid,
            effect: self.effect,
            principals: Some(Principals::try_from(self.principal)?),
            actions: either("Action", self.action, self.not_action)?,
            resources: None,
            conditions: conditions(self.condition, version)?,
        })
    }
}

impl IntoStatement for IdentityStatement {
    fn into_statement(self, version: Version) -> Result<Statement, String> {
        let resources = either("Resource", self.resource, self.not_resource)?;
        Ok(Statement {
            sid: self.sid,
            effect: self.effect,
            principals: None,
            actions: either("Action", self.action, self.not_action)?,
            resources: Some(resources.read(|text| Template::read(text, version))?),
            conditions: conditions(self.condition, version)?,
        })
    }
}

/// Exactly one of an element and its Not form, with something on its list.
fn either(
    name: &str,
    on: Option<Vec<String>>,
    not_on: Option<Vec<String>>,
) -> Result<Listed<String>, String> {
    let listed = match (on, not_on) {
        (Some(list), None) => Listed::On(list),
        (None, Some(list)) => Listed::NotOn(list),
        _ => return Err(format!("a statement has either {name} or Not{name}")),
    };
    let (Listed::On(list) | Listed::NotOn(list)) = &listed;
    if list.is_empty() {
        return Err(format!("the {name} names nothing"));
    }
    Ok(listed)
}

fn conditions(written: Conditions, version: Version) -> Result<Vec<Condition>, String> {
    let mut conditions = Vec::new();
    for (operator, keys) in written.0 {
        for (key, wanted) in keys {
            conditions.push(Condition::read(operator, key, &wanted, version)?);
        }
    }
    no_key_twice(&conditions)?;
    Ok(conditions)
}

/// Keys compare without case, so that two spellings are one key.
fn no_key_twice(conditions: &[Condition]) -> Result<(), String> {
    let mut seen: Vec<(Operator, String)> = Vec::new();
    for condition in conditions {
        let one = (condition.operator, condition.key.to_lowercase());
        if seen.contains(&one) {
            return Err(format!("`{}` stands twice under {}", condition.key, condition.operator));
        }
        seen.push(one);
    }
    Ok(())
}

impl<T> Listed<T> {
    fn read<U>(self, read: impl Fn(&T) -> Result<U, String>) -> Result<Listed<U>, String> {
        let all = |list: Vec<T>| list.iter().map(&read).collect::<Result<_, _>>();
        Ok(match self {
            Self::On(list) => Listed::On(all(list)?),
            Self::NotOn(list) => Listed::NotOn(all(list)?),
        })
    }

    /// Whether the statement means what `fits` one of the list.
    pub(super) fn means(&self, fits: impl Fn(&T) -> bool) -> bool {
        match self {
            Self::On(list) => list.iter().any(fits),
            Self::NotOn(list) => !list.iter().any(fits),
        }
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
