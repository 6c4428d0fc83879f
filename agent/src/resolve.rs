//! The session that a caller's pod may have, decided from the current state of the cluster.
//!
//! ```text
//!   association, list ─┐
//!   patterns ──────────┤
//!   annotations ───────┼─► decide ─► the session to request from AWS, or why there is none
//!   namespace, rails ──┘
//! ```

mod cached;
mod error;
mod facts;
mod lookup;
mod lookup_error;
mod session;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use podrole_identity::POD_IDENTITY_AUDIENCE;

use crate::token::Caller;
pub use cached::{Cached, WatchSlots};
pub use error::ResolveError;
pub use facts::{AssociationFacts, ServiceAccountFacts};
pub use lookup::{
    AssociationMap, Associations, Lookup, LookupMap, LookupResult, Namespaces, ServiceAccountMap,
    ServiceAccounts, Unguarded,
};
pub use lookup_error::LookupError;
pub use podrole_identity::NamespaceFacts;
pub use session::{Decision, RequestFacts, Sessions, check_permitted};

/// The session to request from AWS.
///
/// # Errors
/// If the ServiceAccount is not the one that the token was issued for, or it has no role that can
/// be used, or the token has another audience.
pub fn decide(request: &RequestFacts<'_>, sessions: &Sessions) -> Result<Decision, ResolveError> {
    let facts = check_service_account(request.caller, request.service_account, sessions)?;
    session::session(request, facts, sessions)
}

/// Checks that the ServiceAccount is the token's, and that the token is for the agent.
fn check_service_account<'a>(
    caller: &Caller,
    facts: Option<&'a ServiceAccountFacts>,
    sessions: &Sessions,
) -> Result<&'a ServiceAccountFacts, ResolveError> {
    let service_account = || caller.service_account.clone();
    let facts = facts.ok_or_else(|| ResolveError::NoServiceAccount(service_account()))?;
    if facts.uid != caller.service_account_uid {
        return Err(ResolveError::ReplacedServiceAccount(service_account()));
    }
    let own = facts.annotations.audience.as_ref();
    let is_own = |audience: &String| own.is_some_and(|own| own.as_str() == audience);
    if !caller.listed_audience && !caller.audiences.iter().any(is_own) {
        if caller.audiences.iter().any(|audience| audience == POD_IDENTITY_AUDIENCE) {
            return Err(ResolveError::PodIdentityToken);
        }
        let wanted = own.unwrap_or(&sessions.audience).to_string();
        let annotation = sessions.annotation_prefix.key("audience");
        return Err(ResolveError::Audience { wanted, annotation });
    }
    Ok(facts)
}

/// A hash of everything known about a ServiceAccount. The negative cache drops an error as soon as
/// the hash changes, so that a fix takes effect with the next request. `objects` counts the changes of
/// patterns and guard-rails.
#[must_use]
pub(crate) fn version(request: &RequestFacts<'_>, objects: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    request.service_account.map(|facts| &facts.version).hash(&mut hasher);
    request.association.map(|facts| &facts.version).hash(&mut hasher);
    request.listed.hash(&mut hasher);
    objects.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
