//! Whose role: what the caller's ServiceAccount says it may become.

mod cached;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::{BoxFuture, FutureExt as _, ready};
use podrole_identity::{Problem, RoleArn, ServiceAccountAnnotations, ServiceAccountRef};

use crate::token::Caller;
pub use cached::CachedServiceAccounts;

/// What is known of a ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccountFacts {
    /// Its UID; one that was deleted and made again has another.
    pub uid: String,
    /// What its annotations say.
    pub annotations: ServiceAccountAnnotations,
}

/// The cluster could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Kubernetes API server cannot be asked: {0}")]
pub struct LookupFault(pub String);

/// Where ServiceAccounts are looked up.
pub trait ServiceAccounts: Send + Sync + 'static {
    /// The ServiceAccount as it is now, as far as can be known; none when there is none.
    ///
    /// # Errors
    /// When the cluster cannot be asked and nothing is known from before.
    fn find<'a>(
        &'a self,
        account: &'a ServiceAccountRef,
    ) -> BoxFuture<'a, Result<Option<Arc<ServiceAccountFacts>>, LookupFault>>;
}

/// Why a caller has no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The ServiceAccount names no role.
    #[error("ServiceAccount {0} names no role; annotate it with eks.amazonaws.com/role-arn")]
    NoRole(ServiceAccountRef),
    /// There is no such ServiceAccount any more.
    #[error("ServiceAccount {0} does not exist; create it and restart the pod")]
    NoAccount(ServiceAccountRef),
    /// It was deleted and made again after the token was made.
    #[error("ServiceAccount {0} was created anew after this pod started; restart the pod")]
    OtherAccount(ServiceAccountRef),
    /// What it names is no role.
    #[error("the role of ServiceAccount {account} cannot be used; mend its annotation {problem}")]
    BadRole {
        /// The ServiceAccount.
        account: ServiceAccountRef,
        /// What is wrong with the annotation.
        problem: Problem,
    },
    /// The token's audience is neither the agent's nor the ServiceAccount's own.
    #[error(
        "the token is for another audience; its volume must ask for the audience {wanted} \
         (or name the token's own with the annotation eks.amazonaws.com/audience)"
    )]
    Audience {
        /// The audience to ask for.
        wanted: String,
    },
    /// The cluster could not be asked.
    #[error("{0}; it is tried again with the next request")]
    Lookup(#[from] LookupFault),
}

/// The caller's role, from its ServiceAccount as it stands now.
///
/// # Errors
/// When the ServiceAccount is not the one that the token speaks of, or has no usable role, or the
/// token is for somebody else. `wanted` is the audience that the message then asks for.
pub fn decide(
    caller: &Caller,
    facts: Option<&ServiceAccountFacts>,
    wanted: &str,
) -> Result<RoleArn, ResolveError> {
    let account = || caller.service_account.clone();
    let facts = facts.ok_or_else(|| ResolveError::NoAccount(account()))?;
    if facts.uid != caller.service_account_uid {
        return Err(ResolveError::OtherAccount(account()));
    }
    let own = facts.annotations.audience.as_ref();
    let is_own = |named: &String| own.is_some_and(|own| own.as_str() == named);
    if !caller.listed_audience && !caller.audiences.iter().any(is_own) {
        let wanted = own.map_or_else(|| wanted.to_owned(), ToString::to_string);
        return Err(ResolveError::Audience { wanted });
    }
    if let Some(problem) = &facts.annotations.bad_role {
        return Err(ResolveError::BadRole { account: account(), problem: problem.clone() });
    }
    let role = facts.annotations.role.clone();
    role.ok_or_else(|| ResolveError::NoRole(account()))
}

/// ServiceAccounts from a map, where there is no cluster. Clones are the same map.
#[derive(Clone, Default)]
pub struct ServiceAccountMap(Arc<Mutex<HashMap<ServiceAccountRef, Arc<ServiceAccountFacts>>>>);

impl ServiceAccountMap {
    /// Adds a ServiceAccount, or replaces it.
    pub fn insert(&self, account: ServiceAccountRef, facts: ServiceAccountFacts) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.insert(account, Arc::new(facts));
    }

    /// Takes a ServiceAccount away.
    pub fn remove(&self, account: &ServiceAccountRef) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.remove(account);
    }
}

impl ServiceAccounts for ServiceAccountMap {
    fn find<'a>(
        &'a self,
        account: &'a ServiceAccountRef,
    ) -> BoxFuture<'a, Result<Option<Arc<ServiceAccountFacts>>, LookupFault>> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready(Ok(map.get(account).cloned())).boxed()
    }
}

#[cfg(test)]
mod tests;
