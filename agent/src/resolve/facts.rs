//! What a look-up of a ServiceAccount returns.

use podrole_identity::{Association, ServiceAccountAnnotations, Sources};

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

impl ServiceAccountFacts {
    /// What the sources that an agent reads say about the ServiceAccount. `listed` is its entry in
    /// the association list; agents do not read the ConfigMap.
    pub(crate) fn sources<'a>(&'a self, listed: Option<&'a Association>) -> Sources<'a> {
        Sources { association: None, listed, annotations: &self.annotations, role_map: None }
    }
}
