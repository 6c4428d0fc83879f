//! The evaluation of a request against policies, with the reason for a denial.

use super::{
    condition::Condition,
    context::{Context, is_modelled},
    document::{IdentityPolicy, Policy, Statement},
    effect::Effect,
    near_miss,
    pattern::Pattern,
    principal::{Principal, PrincipalMatch},
};

/// What policies are evaluated for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The caller.
    pub principal: Principal<'a>,
    /// For example `sts:AssumeRoleWithWebIdentity`.
    pub action: &'a str,
    /// An ARN or `*`. A trust policy ignores it: its resource is the role.
    pub resource: &'a str,
    /// The request's condition keys.
    pub context: &'a Context,
}

/// The result of an evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A statement allows the request.
    Allowed {
        /// The statement's `Sid` or position.
        statement: String,
        /// How specifically it names the caller.
        named: PrincipalMatch,
    },
    /// A statement denies the request, or no statement allows it.
    Denied {
        /// The statement and condition that failed, with the request's values.
        reason: String,
        /// Whether a Deny statement applies.
        explicit: bool,
    },
}

/// Evaluates a role's trust policy. An explicit Deny wins. Without an Allow the request is denied.
#[must_use]
pub fn evaluate(policy: &Policy, request: &Request<'_>) -> Verdict {
    let statements = policy.statements().iter().enumerate();
    evaluate_statements(
        statements.map(|(place, statement)| (statement.label(place), statement)),
        request,
    )
}

/// Evaluates all policies of a user, role or session together. Each has its name.
#[must_use]
pub fn evaluate_identity<'a>(
    policies: impl IntoIterator<Item = (&'a str, &'a IdentityPolicy)>,
    request: &Request<'_>,
) -> Verdict {
    let statements = policies.into_iter().flat_map(|(name, policy)| {
        let statements = policy.statements().iter().enumerate();
        statements.map(move |(place, statement)| {
            (format!("policy {name:?}, {}", statement.label(place)), statement)
        })
    });
    evaluate_statements(statements, request)
}

fn evaluate_statements<'a>(
    statements: impl Iterator<Item = (String, &'a Statement)>,
    request: &Request<'_>,
) -> Verdict {
    let mut allowed: Option<(PrincipalMatch, String)> = None;
    let mut mismatches = Vec::new();
    for (label, statement) in statements {
        match (statement.effect, applies(statement, request)) {
            (Effect::Deny, Ok(_)) => {
                let reason = format!("{label} denies it explicitly");
                return Verdict::Denied { reason, explicit: true };
            }
            (Effect::Allow, Ok(named)) => {
                if allowed.as_ref().is_none_or(|(before, _)| *before < named) {
                    allowed = Some((named, label));
                }
            }
            (Effect::Allow, Err(mismatch)) => mismatches.push(format!("{label}: {mismatch}")),
            (Effect::Deny, Err(_)) => {}
        }
    }
    match allowed {
        Some((named, statement)) => Verdict::Allowed { statement, named },
        None if mismatches.is_empty() => {
            let reason = "no statement allows it".to_owned();
            Verdict::Denied { reason, explicit: false }
        }
        None => Verdict::Denied { reason: mismatches.join("; "), explicit: false },
    }
}

/// How specifically the statement names the caller, or why it does not apply.
fn applies(statement: &Statement, request: &Request<'_>) -> Result<PrincipalMatch, String> {
    let named = match &statement.principals {
        // An identity policy applies to the identity that has it.
        None => PrincipalMatch::Itself,
        Some(principals) => principals.name(request.principal).ok_or_else(|| {
            let near = near_miss::of_principals(principals, request.principal);
            format!("its Principal does not name {}{near}", request.principal)
        })?,
    };
    let action = request.action.to_lowercase();
    if !statement.actions.means(|one| Pattern::new(&one.to_lowercase()).matches(&action)) {
        return Err(format!("its Action does not cover {}", request.action));
    }
    if let Some(resources) = &statement.resources {
        let fits = |pattern: Pattern| pattern.matches(request.resource);
        if !resources.means(|one| one.fill(request.context).is_some_and(fits)) {
            return Err(format!("its Resource does not cover {}", request.resource));
        }
    }
    let failed = statement.conditions.iter().find(|one| !one.holds(request.context));
    failed.map_or(Ok(named), |one| Err(mismatch(one, request.context)))
}

fn mismatch(condition: &Condition, context: &Context) -> String {
    let Condition { operator, key, expected } = condition;
    let near = near_miss::of_condition(condition, context);
    let expected: Vec<&str> = expected.iter().map(super::compare::ExpectedValue::written).collect();
    match context.get(key) {
        Some(actual) => {
            format!("{operator} {key} requires {expected:?} and the request has {actual:?}{near}")
        }
        None if is_modelled(key) || !near.is_empty() => {
            format!(
                "{operator} {key} requires {expected:?} and the request does not have the key{near}"
            )
        }
        None => format!(
            "{operator} {key} requires {expected:?} and the request does not have the key, which this \
             sandbox never sets"
        ),
    }
}
