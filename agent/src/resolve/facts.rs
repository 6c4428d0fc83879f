//! What look-ups return.

use jiff::Timestamp;
use podrole_identity::{Association, Labels, ServiceAccountAnnotations, Sources, Unreadable};

/// What is known about a ServiceAccount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceAccountFacts {
    /// Its UID. A ServiceAccount that is deleted and created again gets another one.
    pub uid: String,
    /// Its annotations.
    pub annotations: ServiceAccountAnnotations,
    /// Its labels, which patterns may select by.
    pub labels: Labels,
    /// Its `resourceVersion`, which each change replaces.
    pub version: String,
    /// When the annotation that names its role was last changed, at the latest.
    pub role_changed: Option<Timestamp>,
}

/// A PodIdentityAssociation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssociationFacts {
    /// What it says, or why that cannot be read.
    pub association: Result<Association, Unreadable>,
    /// Its `resourceVersion`.
    pub version: String,
    /// When it was last changed, at the latest; writes of its status do not count.
    pub changed: Option<Timestamp>,
}

impl ServiceAccountFacts {
    /// What the sources that an agent reads say about the ServiceAccount. `listed` is its entry in
    /// the association list; agents do not read the ConfigMap.
    pub(crate) fn sources<'a>(
        &'a self,
        association: Option<&'a AssociationFacts>,
        listed: Option<&'a Association>,
    ) -> Sources<'a> {
        let association = association.map(|facts| facts.association.as_ref());
        Sources { association, listed, annotations: &self.annotations, role_map: None }
    }
}
