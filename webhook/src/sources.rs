//! The sources beside the ServiceAccounts' annotations: associations, the association list, patterns
//! and the ConfigMap.

use std::sync::Arc;

use podrole_identity::{
    Association, AssociationList, Facts, Guardrails, NamespaceFacts, Patterns, RoleEntry,
    RoleEntryError, RoleMap, ServiceAccountRef, Sources,
};
use podrole_runtime::latest::Latest;

use crate::{FoundAssociation, LookupError, ServiceAccount};

/// The sources that the flags ask for; `None` for one that they do not.
#[derive(Clone, Debug, Default)]
pub struct ConfiguredSources {
    /// The association list file.
    pub associations: Option<Latest<AssociationList>>,
    /// The ConfigMap of roles.
    pub config_map: Option<Latest<RoleMap>>,
    /// The cluster's patterns.
    pub patterns: Option<Latest<Patterns>>,
    /// The cluster's guard-rails.
    pub guardrails: Option<Latest<Guardrails>>,
}

/// The sources at one time, as far as they can decide about one ServiceAccount.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The association list file.
    pub list: Option<Arc<AssociationList>>,
    /// The ConfigMap of roles.
    pub map: Option<Arc<RoleMap>>,
    /// The ServiceAccount's own PodIdentityAssociation.
    pub association: FoundAssociation,
    /// The cluster's patterns.
    pub patterns: Arc<Patterns>,
    /// The cluster's guard-rails.
    pub guardrails: Arc<Guardrails>,
}

impl ConfiguredSources {
    /// The sources as they are now, without the ConfigMap.
    ///
    /// # Errors
    /// If a source that could decide has not been read yet.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, LookupError> {
        Ok(Snapshot {
            list: current(self.associations.as_ref())?,
            map: None,
            association: None,
            patterns: current(self.patterns.as_ref())?.unwrap_or_default(),
            guardrails: current(self.guardrails.as_ref())?.unwrap_or_default(),
        })
    }

    /// Adds the ConfigMap if it can decide. It comes last: what an earlier source decides does not
    /// wait for it, nor does a ServiceAccount on the list, whose provider the ConfigMap cannot serve.
    ///
    /// # Errors
    /// If it has not been read yet.
    pub(crate) fn add_config_map(
        &self,
        snapshot: &mut Snapshot,
        service_account: &ServiceAccountRef,
        found: &ServiceAccount,
        namespace: &NamespaceFacts,
    ) -> Result<(), LookupError> {
        if self.config_map.is_none() {
            return Ok(());
        }
        let decides_earlier = found.names_role()
            || snapshot.association.is_some()
            || snapshot.listed(service_account).is_some()
            || snapshot.patterns.select(service_account, &found.labels, &namespace.labels);
        if !decides_earlier {
            snapshot.map = current(self.config_map.as_ref())?;
        }
        Ok(())
    }
}

/// The newest value of a source that is configured.
fn current<T>(source: Option<&Latest<T>>) -> Result<Option<Arc<T>>, LookupError> {
    source.map(|it| it.current().ok_or(LookupError::Unsynced)).transpose()
}

impl Snapshot {
    /// All that decides about a ServiceAccount.
    #[must_use]
    pub fn facts<'a>(
        &'a self,
        service_account: &'a ServiceAccountRef,
        found: &'a ServiceAccount,
        namespace: &'a NamespaceFacts,
    ) -> Facts<'a> {
        Facts {
            service_account,
            labels: &found.labels,
            sources: self.sources(service_account, found),
            patterns: &self.patterns,
            guardrails: &self.guardrails,
            namespace,
            provider: None,
        }
    }

    /// What each source says about a ServiceAccount.
    pub(crate) fn sources<'a>(
        &'a self,
        service_account: &ServiceAccountRef,
        found: &'a ServiceAccount,
    ) -> Sources<'a> {
        Sources {
            association: self.association.as_ref().map(Result::as_ref),
            listed: self.listed(service_account),
            annotations: &found.annotations,
            role_map: self.entry(service_account),
        }
    }

    pub(crate) fn listed(&self, service_account: &ServiceAccountRef) -> Option<&Association> {
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
    use super::*;
    use podrole_identity::{AnnotationPrefix, RawObject, ServiceAccountAnnotations};
    use serde_json::json;

    #[test]
    fn a_source_that_is_not_read_yet_is_not_an_empty_one() {
        let service_account = "shop/app".parse().unwrap();
        let role = [("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/app")];
        let role = role.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let annotated: ServiceAccount =
            ServiceAccountAnnotations::read(&role, &AnnotationPrefix::default()).into();
        let plain = ServiceAccount::default();
        for sources in [
            ConfiguredSources { associations: Some(Latest::default()), ..Default::default() },
            ConfiguredSources { patterns: Some(Latest::default()), ..Default::default() },
            ConfiguredSources { guardrails: Some(Latest::default()), ..Default::default() },
        ] {
            assert_eq!(sources.snapshot().err(), Some(LookupError::Unsynced));
        }
        let map = ConfiguredSources { config_map: Some(Latest::default()), ..Default::default() };
        let mut snapshot = map.snapshot().unwrap();
        let unsynced =
            map.add_config_map(&mut snapshot, &service_account, &plain, &NamespaceFacts::default());
        assert_eq!(unsynced, Err(LookupError::Unsynced));
        assert_eq!(
            map.add_config_map(
                &mut snapshot,
                &service_account,
                &annotated,
                &NamespaceFacts::default()
            ),
            Ok(())
        );
        let spec = json!({"namespaces": ["shop"], "roleARN": "arn:aws:iam::111122223333:role/p"});
        let object = RawObject { name: "p", created: None, spec: &spec };
        snapshot.patterns = Arc::new(Patterns::read([object]));
        let decided =
            map.add_config_map(&mut snapshot, &service_account, &plain, &NamespaceFacts::default());
        assert_eq!(decided, Ok(()), "a pattern decides before the ConfigMap");
    }
}
