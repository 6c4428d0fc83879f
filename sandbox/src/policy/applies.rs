//! Whether a statement applies to a request.

use super::{
    condition::Condition,
    context::{Context, is_modelled},
    document::{Policy, Statement},
    effect::Effect,
    miss::{ComparedCondition, MissedPart},
    near_miss,
    pattern::Pattern,
    principal::PrincipalMatch,
    request::Request,
};

/// A statement that applies or not depending on keys that the request's facts do not settle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndecidedStatement {
    /// The statement's `Sid` or position.
    pub statement: String,
    /// The statement's position in its policy, counted from 0.
    pub place: usize,
    /// What it does if it applies.
    pub effect: Effect,
    /// The keys, as the policy writes them.
    pub keys: Vec<String>,
}

/// The statements of a trust policy that depend on keys for which `is_settled` is false, and whose other
/// parts match the request.
#[must_use]
pub fn undecided(
    policy: &Policy,
    request: &Request<'_>,
    is_settled: impl Fn(&str) -> bool,
) -> Vec<UndecidedStatement> {
    let statements = policy.statements().iter().enumerate();
    let undecided = statements.filter_map(|(place, statement)| {
        let settled = |key: &str| request.context.get(key).is_some() || is_settled(key);
        let open: Vec<String> = statement
            .conditions
            .iter()
            .flat_map(Condition::keys)
            .filter(|key| !settled(key))
            .collect();
        let is_open = |key: &str| open.iter().any(|one| one == key);
        let others =
            || statement.conditions.iter().filter(|one| !one.keys().any(|key| is_open(&key)));
        let matches = !open.is_empty()
            && named(statement, request).is_some()
            && covers(statement, request.action)
            && others().all(|one| one.holds(request.context));
        matches.then(|| UndecidedStatement {
            statement: statement.label(place),
            place,
            effect: statement.effect,
            keys: open.clone(),
        })
    });
    undecided.collect()
}

/// How specifically the statement names the caller, or each part that does not match.
pub(super) fn applies(
    statement: &Statement,
    request: &Request<'_>,
) -> Result<PrincipalMatch, Vec<MissedPart>> {
    let mut misses = Vec::new();
    let named = named(statement, request);
    if let (None, Some(principals)) = (&named, &statement.principals) {
        misses.push(MissedPart::Principal {
            caller: request.principal.to_string(),
            named: principals.names(),
            near_miss: near_miss::of_principals(principals, request.principal),
        });
    }
    if !covers(statement, request.action) {
        misses.push(MissedPart::Action { requested: request.action.to_owned() });
    }
    if let Some(resources) = &statement.resources {
        let fits = |pattern: Pattern| pattern.matches(request.resource);
        if !resources.means(|one| one.fill(request.context).is_some_and(fits)) {
            misses.push(MissedPart::Resource { requested: request.resource.to_owned() });
        }
    }
    let failed = statement.conditions.iter().filter(|one| !one.holds(request.context));
    misses.extend(failed.map(|one| MissedPart::Condition(compared(one, request.context))));
    named.filter(|_| misses.is_empty()).ok_or(misses)
}

fn named(statement: &Statement, request: &Request<'_>) -> Option<PrincipalMatch> {
    match &statement.principals {
        // An identity policy applies to the identity that has it.
        None => Some(PrincipalMatch::Itself),
        Some(principals) => principals.name(request.principal),
    }
}

fn covers(statement: &Statement, action: &str) -> bool {
    let action = action.to_lowercase();
    statement.actions.means(|one| Pattern::new(&one.to_lowercase()).matches(&action))
}

/// A condition beside the request's values.
pub(super) fn compared(condition: &Condition, context: &Context) -> ComparedCondition {
    let Condition { operator, key, expected } = condition;
    ComparedCondition {
        operator: operator.to_string(),
        key: key.clone(),
        wanted: expected.iter().map(|one| one.written().to_owned()).collect(),
        held: context.get(key).map(<[String]>::to_vec),
        is_modelled: is_modelled(key),
        near_miss: near_miss::of_condition(condition, context),
    }
}
