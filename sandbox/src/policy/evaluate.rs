//! The evaluation of a request against policies, with the reason for a denial.

use super::{
    applies::{applies, compared},
    document::{IdentityPolicy, Policy, Statement},
    effect::Effect,
    miss::{Denial, StatementMiss},
    principal::PrincipalMatch,
    request::Request,
};

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
    Denied(Denial),
}

/// Evaluates a role's trust policy. An explicit Deny wins. Without an Allow the request is denied.
#[must_use]
pub fn evaluate(policy: &Policy, request: &Request<'_>) -> Verdict {
    let statements = policy.statements().iter().enumerate();
    evaluate_statements(
        statements.map(|(place, statement)| (place, statement.label(place), statement)),
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
            (place, format!("policy {name:?}, {}", statement.label(place)), statement)
        })
    });
    evaluate_statements(statements, request)
}

fn evaluate_statements<'a>(
    statements: impl Iterator<Item = (usize, String, &'a Statement)>,
    request: &Request<'_>,
) -> Verdict {
    let mut allowed: Option<(PrincipalMatch, String)> = None;
    let mut misses = Vec::new();
    for (place, label, statement) in statements {
        match (statement.effect, applies(statement, request)) {
            (Effect::Deny, Ok(_)) => {
                let conditions = statement.conditions.iter();
                let conditions = conditions.map(|one| compared(one, request.context)).collect();
                return Verdict::Denied(Denial::Explicit { statement: label, place, conditions });
            }
            (Effect::Allow, Ok(named)) => {
                if allowed.as_ref().is_none_or(|(before, _)| *before < named) {
                    allowed = Some((named, label));
                }
            }
            (Effect::Allow, Err(parts)) => {
                let mut parts = parts.into_iter();
                let first = parts.next();
                misses.extend(first.map(|first| StatementMiss {
                    statement: label,
                    place,
                    first,
                    others: parts.collect(),
                }));
            }
            (Effect::Deny, Err(_)) => {}
        }
    }
    match allowed {
        Some((named, statement)) => Verdict::Allowed { statement, named },
        None => Verdict::Denied(Denial::NoneAllows(misses)),
    }
}
