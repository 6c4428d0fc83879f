//! What a look-up of a ServiceAccount returns.

use podrole_identity::ServiceAccountAnnotations;

/// What is known of a ServiceAccount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceAccountFacts {
    /// Its UID; one that was deleted and created again has another.
    pub uid: String,
    /// Its annotations.
    pub annotations: ServiceAccountAnnotations,
    /// Its `resourceVersion`, which any change changes.
    pub version: String,
}
