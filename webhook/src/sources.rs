//! The sources beside the ServiceAccounts' annotations: the association list and the ConfigMap.

use std::sync::Arc;

use podrole_identity::{
    Association, AssociationList, RoleEntry, RoleEntryError, RoleMap, ServiceAccountAnnotations,
    ServiceAccountRef, Sources,
};
use podrole_runtime::latest::Latest;

use crate::LookupError;

/// The sources that the flags ask for; `None` for one that they do not.
#[derive(Clone, Debug, Default)]
pub struct ConfiguredSources {
    /// The association list file.
    pub associations: Option<Latest<AssociationList>>,
    /// The ConfigMap of roles.
    pub config_map: Option<Latest<RoleMap>>,
}

/// The sources at one time, as far as they can decide about one ServiceAccount.
#[derive(Default)]
pub(crate) struct Snapshot {
    pub(crate) list: Option<Arc<AssociationList>>,
    pub(crate) map: Option<Arc<RoleMap>>,
}

impl ConfiguredSources {
    /// The sources as they are now.
    ///
    /// # Errors
    /// If a source that could decide has not been read yet.
    pub(crate) fn snapshot(
        &self,
        service_account: &ServiceAccountRef,
        annotations: &ServiceAccountAnnotations,
    ) -> Result<Snapshot, LookupError> {
        let list = self.associations.as_ref().map(|it| it.current().ok_or(LookupError::Unsynced));
        let mut snapshot = Snapshot { list: list.transpose()?, map: None };
        let decides_earlier =
            annotations.names_role() || snapshot.listed(service_account).is_some();
        // The ConfigMap comes last: what an earlier source decides does not wait for it, nor does a
        // ServiceAccount on the list, whose provider the ConfigMap cannot serve.
        if let Some(map) = self.config_map.as_ref().filter(|_| !decides_earlier) {
            snapshot.map = Some(map.current().ok_or(LookupError::Unsynced)?);
        }
        Ok(snapshot)
    }
}

impl Snapshot {
    /// What each source says about a ServiceAccount.
    pub(crate) fn sources<'a>(
        &'a self,
        service_account: &ServiceAccountRef,
        annotations: &'a ServiceAccountAnnotations,
    ) -> Sources<'a> {
        Sources {
            association: None,
            listed: self.listed(service_account),
            annotations,
            role_map: self.entry(service_account),
        }
    }

    fn listed(&self, service_account: &ServiceAccountRef) -> Option<&Association> {
        self.list.as_ref()?.find(service_account)
    }

    /// The entry of the ConfigMap, or why it cannot be used.
    pub(crate) fn entry(
        &self,
        service_account: &ServiceAccountRef,
    ) -> Option<Result<&RoleEntry, &RoleEntryError>> {
        self.map.as_ref()?.find(service_account)
    }
}

#[cfg(test)]
mod tests {
    use podrole_identity::{AnnotationPrefix, Annotations};

    use super::*;

    #[test]
    fn a_source_that_was_not_read_yet_is_unknown_unless_an_earlier_one_decides() {
        let service_account: ServiceAccountRef = "shop/app".parse().unwrap();
        let role = ("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/own");
        let role: Annotations = [(role.0.to_owned(), role.1.to_owned())].into();
        let annotated = ServiceAccountAnnotations::read(&role, &AnnotationPrefix::default());
        let plain = ServiceAccountAnnotations::default();
        let list = ConfiguredSources { associations: Some(Latest::default()), config_map: None };
        let unsynced = list.snapshot(&service_account, &annotated).err();
        assert_eq!(unsynced, Some(LookupError::Unsynced));
        let map = ConfiguredSources { associations: None, config_map: Some(Latest::default()) };
        assert_eq!(map.snapshot(&service_account, &plain).err(), Some(LookupError::Unsynced));
        assert!(map.snapshot(&service_account, &annotated).is_ok());
    }
}
