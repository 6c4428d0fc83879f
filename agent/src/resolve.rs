//! Whose role: what the cluster says that the caller may become, as it stands now.
//!
//! ```text
//!   association ─┐
//!   annotations ─┼─► decide ─► the session that is asked of AWS, or why there is none
//!   guard-rail ──┘
//! ```

mod associations;
mod cached;
mod error;
mod lookup;
mod lookup_error;
mod session;

use podrole_identity::{PermittedRoles, ServiceAccountAnnotations};

use crate::token::Caller;
pub use associations::Associations;
pub(crate) use associations::version;
pub use cached::Cached;
pub use error::ResolveError;
pub use lookup::{
    Found, Lookup, LookupMap, Namespaces, ServiceAccountMap, ServiceAccounts, Unguarded,
};
pub use lookup_error::LookupError;
pub use session::{Asked, ClusterId, ClusterIdError, Decision, Sessions, check_permitted};

/// What is known of a ServiceAccount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceAccountFacts {
    /// Its UID; one that was deleted and made again has another.
    pub uid: String,
    /// What its annotations say.
    pub annotations: ServiceAccountAnnotations,
    /// Which state of it this is: any change is another.
    pub version: String,
}

/// What is known of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// The roles that its pods may become.
    pub permitted: PermittedRoles,
    /// Its label asks that its pods be given their identities.
    pub asks_for_injection: bool,
}

/// The session to ask AWS for.
///
/// # Errors
/// When the ServiceAccount is not the one that the token speaks of, or leads to no role that may
/// be asked for, or the token is for somebody else.
pub fn decide(asked: &Asked<'_>, sessions: &Sessions) -> Result<Decision, ResolveError> {
    check_account(asked.caller, asked.account, sessions)?;
    session::session(asked, sessions)
}

/// The ServiceAccount must be the token's, and the token for us.
fn check_account(
    caller: &Caller,
    facts: Option<&ServiceAccountFacts>,
    sessions: &Sessions,
) -> Result<(), ResolveError> {
    let account = || caller.service_account.clone();
    let facts = facts.ok_or_else(|| ResolveError::NoAccount(account()))?;
    if facts.uid != caller.service_account_uid {
        return Err(ResolveError::OtherAccount(account()));
    }
    let own = facts.annotations.audience.as_ref();
    let is_own = |named: &String| own.is_some_and(|own| own.as_str() == named);
    if !caller.listed_audience && !caller.audiences.iter().any(is_own) {
        let wanted = own.unwrap_or(&sessions.audience).to_string();
        return Err(ResolveError::Audience { wanted });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
