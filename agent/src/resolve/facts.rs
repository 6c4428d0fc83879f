//! What a look-up of a ServiceAccount returns.

use podrole_identity::ServiceAccountAnnotations;

/// What is known about a ServiceAccount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceAccountFacts {
    /// Its UID. A ServiceAccount that is deleted and created again gets another one.
    pub uid: String,
    /// Its annotations.
    pub annotations: ServiceAccountAnnotations,
    /// Its `resourceVersion`, which each change replaces.
    pub version: String,
}
