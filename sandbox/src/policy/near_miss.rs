//! Why a statement almost applies: the mistakes that people make in trust policies, each with its fix.

use super::{
    compare::ExpectedValue,
    condition::Condition,
    context::Context,
    miss::NearMiss,
    pattern::Pattern,
    principal::{Principal, Principals},
};

/// The service that EKS Pod Identity assumes roles as.
const POD_IDENTITY: &str = "pods.eks.amazonaws.com";

/// What is wrong with a condition that does not hold, if it is one of the known mistakes.
pub(super) fn of_condition(condition: &Condition, context: &Context) -> Option<NearMiss> {
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
        return Some(NearMiss::LiteralWildcard);
    }
    None
}

/// A key that the request does not have, and would have with another spelling.
fn of_key(key: &str, context: &Context) -> Option<NearMiss> {
    if let Some((_, bare)) = key.split_once("://") {
        let has = context.get(bare).or_else(|| context.get(&without_slash(bare))).is_some();
        return has.then_some(NearMiss::SchemeInKey);
    }
    if context.get(&without_slash(key)).is_some() {
        return Some(NearMiss::SlashInKey);
    }
    context.get(&with_slash(key)).is_some().then_some(NearMiss::NoSlashInKey)
}

/// `issuer/:sub` as `issuer:sub`.
fn without_slash(key: &str) -> String {
    key.rsplit_once("/:").map_or_else(String::new, |(issuer, claim)| format!("{issuer}:{claim}"))
}

/// `issuer:sub` as `issuer/:sub`.
fn with_slash(key: &str) -> String {
    key.rsplit_once(':').map_or_else(String::new, |(issuer, claim)| format!("{issuer}/:{claim}"))
}

/// What a statement names in place of the caller, if it is one of the known mistakes.
pub(super) fn of_principals(principals: &Principals, caller: Principal<'_>) -> Option<NearMiss> {
    let Principal::Federated(provider) = caller else { return None };
    let mut federated = principals.federated();
    if federated.any(|named| named.trim_end_matches('/') == provider.trim_end_matches('/')) {
        return Some(NearMiss::SlashOfProvider);
    }
    if let Some(other) = principals.federated().find(|named| tail(named) == tail(provider)) {
        return Some(NearMiss::OtherAccount(other.to_owned()));
    }
    let is_for_eks = principals.services().any(|service| service == POD_IDENTITY);
    is_for_eks.then_some(NearMiss::PodIdentityOnly)
}

/// What follows the account in an ARN.
fn tail(arn: &str) -> Option<&str> {
    arn.splitn(6, ':').nth(5)
}
