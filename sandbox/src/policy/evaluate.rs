//! The judgement: a request against a policy, and the reason when it is no.

use std::collections::BTreeMap;

use super::{
    document::{Effect, Policy, Principals, Statement},
    pattern,
};

/// What the policy is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: Principal<'a>,
    /// What for: `sts:AssumeRoleWithWebIdentity`.
    pub action: &'a str,
    /// What else is known of the request.
    pub context: &'a Context,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal<'a> {
    /// Somebody that an identity provider vouches for; the provider's ARN.
    Federated(&'a str),
    /// An AWS principal, by its ARN.
    Aws(&'a str),
    /// An AWS service, by its domain.
    Service(&'a str),
}

/// The condition keys that a request has. Keys compare without case; a key may have many values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Vec<String>>);

/// What the policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, by this statement.
    Allowed {
        /// The statement's `Sid` or place.
        statement: String,
    },
    /// No.
    Denied {
        /// Which statement, which condition, and what the request held instead.
        reason: String,
    },
}

impl Context {
    /// Adds a key with its values; without values the request does not have the key.
    #[must_use]
    pub fn with<T: Into<String>>(mut self, key: &str, values: impl IntoIterator<Item = T>) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.0.insert(key.to_lowercase(), values);
        self
    }

    fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_lowercase()).map(Vec::as_slice)
    }
}

/// Judges a request. An explicit Deny wins; what nothing allows is denied.
#[must_use]
pub fn evaluate(policy: &Policy, request: &Request<'_>) -> Verdict {
    let mut allowed = None;
    let mut misses = Vec::new();
    for (place, statement) in policy.statement.iter().enumerate() {
        let label = statement.label(place);
        match (statement.effect, miss(statement, request)) {
            (Effect::Deny, None) => {
                let reason = format!("{label} denies it explicitly");
                return Verdict::Denied { reason };
            }
            (Effect::Allow, None) => allowed = allowed.or(Some(label)),
            (Effect::Allow, Some(miss)) => misses.push(format!("{label}: {miss}")),
            (Effect::Deny, Some(_)) => {}
        }
    }
    match allowed {
        Some(statement) => Verdict::Allowed { statement },
        None if misses.is_empty() => {
            Verdict::Denied { reason: "no statement allows anything".to_owned() }
        }
        None => Verdict::Denied { reason: misses.join("; ") },
    }
}

/// Why a statement does not apply to a request; nothing when it does.
fn miss(statement: &Statement, request: &Request<'_>) -> Option<String> {
    if !names(&statement.principal, request.principal) {
        let (kind, name) = match request.principal {
            Principal::Federated(name) => ("Federated", name),
            Principal::Aws(name) => ("AWS", name),
            Principal::Service(name) => ("Service", name),
        };
        return Some(format!("its Principal does not name {kind} {name}"));
    }
    if !covers(&statement.action, request.action) {
        return Some(format!("its Action does not cover {}", request.action));
    }
    let conditions = statement.condition.iter();
    let mut conditions = conditions.flat_map(|(op, keys)| keys.iter().map(move |key| (op, key)));
    conditions.find_map(|(operator, (key, wanted))| {
        let held = request.context.get(key);
        (!operator.holds(held, &wanted.0)).then(|| {
            let wanted = &wanted.0;
            match held {
                Some(held) if !held.is_empty() => {
                    format!("{operator} {key} wants {wanted:?} and the request has {held:?}")
                }
                _ => format!("{operator} {key} wants {wanted:?} and the request has no such key"),
            }
        })
    })
}

fn names(principals: &Principals, principal: Principal<'_>) -> bool {
    let Principals::Named { aws, federated, service } = principals else {
        return true;
    };
    let (list, name) = match principal {
        Principal::Federated(name) => (federated, name),
        Principal::Aws(name) => (aws, name),
        Principal::Service(name) => (service, name),
    };
    list.iter().any(|one| one == name)
}

fn covers(actions: &[String], action: &str) -> bool {
    let action = action.to_lowercase();
    actions.iter().any(|one| pattern::matches(&one.to_lowercase(), &action))
}
