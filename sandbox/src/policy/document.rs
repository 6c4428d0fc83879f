//! Policy documents and the meaning of their statements.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{
    condition::{Condition, Operator},
    effect::Effect,
    malformed::MalformedPolicy,
    principal::Principals,
    variable::Template,
    version::Version,
    written::{Conditions, IdentityStatement, TrustStatement, Written},
};

/// A role's trust policy. It decides who may assume the role.
#[derive(Clone, Debug)]
pub struct Policy(PolicyDocument);

/// An identity policy or session policy. It decides what a role, user or session may do.
#[derive(Clone, Debug)]
pub struct IdentityPolicy(PolicyDocument);

#[derive(Clone, Debug)]
struct PolicyDocument {
    /// The JSON, unchanged if the policy was given as JSON.
    text: Arc<str>,
    statements: Arc<[Statement]>,
}

/// The document is not a policy of its kind.
#[derive(Debug, thiserror::Error)]
#[error("the policy is malformed: {0}")]
pub struct PolicyError(serde_json::Error);

/// One statement of a policy.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    /// `None` in an identity policy.
    pub(super) principals: Option<Principals>,
    pub(super) actions: Listed<String>,
    /// `None` in a trust policy.
    pub(super) resources: Option<Listed<Template>>,
    pub(super) conditions: Vec<Condition>,
}

/// A list of an element such as Action, or of its Not form such as NotAction.
#[derive(Debug)]
pub(super) enum Listed<T> {
    On(Vec<T>),
    NotOn(Vec<T>),
}

macro_rules! kind_of_policy {
    ($policy:ident, $statement:ty) => {
        impl $policy {
            /// Parses a policy from JSON.
            ///
            /// # Errors
            /// If it is not JSON or not such a policy. The text has line and column.
            pub fn read(json: &str) -> Result<Self, PolicyError> {
                let mut policy: Self = serde_json::from_str(json).map_err(PolicyError)?;
                policy.0.text = json.into();
                Ok(policy)
            }

            /// The document as JSON, unchanged if it was given as JSON.
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

/// The conversion of a parsed statement of either kind.
pub(super) trait IntoStatement: Serialize {
    fn into_statement(self, version: Version) -> Result<Statement, MalformedPolicy>;
}

impl PolicyDocument {
    fn new<S: IntoStatement>(written: Written<S>) -> Result<Self, MalformedPolicy> {
        let text = serde_json::to_string(&written)
            .map_err(|error| MalformedPolicy::Unwritable(error.to_string()))?;
        let version = written.version;
        let statements = written.statement.into_iter().map(|one| one.into_statement(version));
        let statements = statements.collect::<Result<Vec<_>, _>>()?;
        let sids = statements.iter().filter_map(|one| one.sid.as_deref());
        let mut sids: Vec<&str> = sids.filter(|sid| !sid.is_empty()).collect();
        sids.sort_unstable();
        if let Some(pair) = sids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(MalformedPolicy::DuplicateSid(pair[0].to_owned()));
        }
        Ok(Self { text: text.into(), statements: statements.into() })
    }
}

impl IntoStatement for TrustStatement {
    fn into_statement(self, version: Version) -> Result<Statement, MalformedPolicy> {
        if self.resource.is_some() {
            return Err(MalformedPolicy::Prohibited("Resource"));
        }
        let principal = self.principal.ok_or(MalformedPolicy::Missing("Principal"))?;
        let actions = either("Action", self.action, self.not_action)?;
        check_trust_actions(&actions)?;
        Ok(Statement {
            sid: self.sid,
            effect: self.effect,
            principals: Some(Principals::try_from(principal)?),
            actions,
            resources: None,
            conditions: conditions(self.condition, version)?,
        })
    }
}

impl IntoStatement for IdentityStatement {
    fn into_statement(self, version: Version) -> Result<Statement, MalformedPolicy> {
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

/// A role's trust policy is about assuming the role. What IAM does with wildcards such as `sts:*` is not
/// known, so they are accepted.
fn check_trust_actions(actions: &Listed<String>) -> Result<(), MalformedPolicy> {
    let Listed::On(actions) = actions else { return Ok(()) };
    let belongs = |action: &&String| {
        let action = action.to_lowercase();
        action.starts_with("sts:assumerole")
            || ["sts:tagsession", "sts:setsourceidentity", "sts:setcontext"].contains(&&*action)
            || action.contains('*') && (action == "*" || action.starts_with("sts:"))
    };
    match actions.iter().find(|action| !belongs(action)) {
        Some(other) => Err(MalformedPolicy::TrustAction(other.clone())),
        None => Ok(()),
    }
}

/// Requires exactly one of an element and its Not form, with a list that is not empty.
fn either(
    name: &'static str,
    on: Option<Vec<String>>,
    not_on: Option<Vec<String>>,
) -> Result<Listed<String>, MalformedPolicy> {
    let listed = match (on, not_on) {
        (Some(list), None) => Listed::On(list),
        (None, Some(list)) => Listed::NotOn(list),
        _ => return Err(MalformedPolicy::EitherOr(name)),
    };
    let (Listed::On(list) | Listed::NotOn(list)) = &listed;
    if list.is_empty() {
        return Err(MalformedPolicy::EmptyList(name));
    }
    Ok(listed)
}

fn conditions(written: Conditions, version: Version) -> Result<Vec<Condition>, MalformedPolicy> {
    let mut conditions = Vec::new();
    for (operator, keys) in written.0 {
        for (key, values) in keys {
            conditions.push(Condition::read(operator, key, &values, version)?);
        }
    }
    no_key_twice(&conditions)?;
    Ok(conditions)
}

/// Rejects duplicate keys. Keys are compared case-insensitively, so two spellings are one key.
fn no_key_twice(conditions: &[Condition]) -> Result<(), MalformedPolicy> {
    let mut seen: Vec<(Operator, String)> = Vec::new();
    for condition in conditions {
        let one = (condition.operator, condition.key.to_lowercase());
        if seen.contains(&one) {
            return Err(MalformedPolicy::DuplicateKey {
                key: condition.key.clone(),
                operator: condition.operator.to_string(),
            });
        }
        seen.push(one);
    }
    Ok(())
}

impl<T> Listed<T> {
    fn read<U>(
        self,
        read: impl Fn(&T) -> Result<U, MalformedPolicy>,
    ) -> Result<Listed<U>, MalformedPolicy> {
        let all = |list: Vec<T>| list.iter().map(&read).collect::<Result<_, _>>();
        Ok(match self {
            Self::On(list) => Listed::On(all(list)?),
            Self::NotOn(list) => Listed::NotOn(all(list)?),
        })
    }

    /// Whether the element covers a value, given whether an entry of the list matches it.
    pub(super) fn means(&self, fits: impl Fn(&T) -> bool) -> bool {
        match self {
            Self::On(list) => list.iter().any(fits),
            Self::NotOn(list) => !list.iter().any(fits),
        }
    }
}

impl Statement {
    /// The statement's `Sid`, or its position counted from 1.
    pub(super) fn label(&self, place: usize) -> String {
        match &self.sid {
            Some(sid) => format!("statement {sid:?}"),
            None => format!("statement {}", place + 1),
        }
    }
}
