//! Why a statement almost applies: the mistakes that people make in trust policies, each with its fix.

use super::{
    compare::ExpectedValue,
    condition::Condition,
    context::Context,
    pattern::Pattern,
    principal::{Principal, Principals},
};

/// The service that EKS Pod Identity assumes roles as.
const POD_IDENTITY: &str = "pods.eks.amazonaws.com";
/// How many principals of a statement are named.
const MOST_NAMED: usize = 3;

/// What is wrong with a condition that does not hold; empty if it is not one of the known mistakes.
pub(super) fn of_condition(condition: &Condition, context: &Context) -> &'static str {
    let Condition { operator, key, expected } = condition;
    let Some(actual) = context.get(key) else {
        return of_key(key, context);
    };
    let is_wildcard = |expected: &ExpectedValue| {
        let written = expected.written();
        written.contains(['*', '?'])
            && actual.iter().any(|actual| Pattern::new(written).matches(actual))
    };
    if operator.is_exact() && expected.iter().any(is_wildcard) {
        return "; this operator takes * and ? literally, StringLike does not";
    }
    ""
}

/// A key that the request does not have, and would have with another spelling.
fn of_key(key: &str, context: &Context) -> &'static str {
    if let Some((_, bare)) = key.split_once("://") {
        let has = context.get(bare).or_else(|| context.get(&without_slash(bare))).is_some();
        return if has { "; write the key without https://" } else { "" };
    }
    if context.get(&without_slash(key)).is_some() {
        return "; write the key without / before the colon";
    }
    if context.get(&with_slash(key)).is_some() {
        return "; the issuer ends with /, and so does the part of the key before the colon";
    }
    ""
}

/// `issuer/:sub` as `issuer:sub`.
fn without_slash(key: &str) -> String {
    key.rsplit_once("/:").map_or_else(String::new, |(issuer, claim)| format!("{issuer}:{claim}"))
}

/// `issuer:sub` as `issuer/:sub`.
fn with_slash(key: &str) -> String {
    key.rsplit_once(':').map_or_else(String::new, |(issuer, claim)| format!("{issuer}/:{claim}"))
}

/// What a statement names in place of the caller.
pub(super) fn of_principals(principals: &Principals, caller: Principal<'_>) -> String {
    let names = principals.names();
    if let Principal::Federated(provider) = caller {
        let mut federated = principals.federated();
        if federated.any(|named| named.trim_end_matches('/') == provider.trim_end_matches('/')) {
            return "; one of the two ARNs ends with /, and they must be equal".to_owned();
        }
        if let Some(other) = principals.federated().find(|named| tail(named) == tail(provider)) {
            return format!("; it names {other}, of another account or partition");
        }
        if principals.services().any(|service| service == POD_IDENTITY) {
            return "; it trusts EKS Pod Identity only, not the cluster's tokens".to_owned();
        }
    }
    match names.len() {
        0 => String::new(),
        count => {
            let more = if count > MOST_NAMED { ", .." } else { "" };
            let named = names.into_iter().take(MOST_NAMED).collect::<Vec<_>>().join(", ");
            format!("; it names {named}{more}")
        }
    }
}

/// What follows the account in an ARN.
fn tail(arn: &str) -> Option<&str> {
    arn.splitn(6, ':').nth(5)
}
