//! Where an identity comes from: the first source that names the ServiceAccount decides.
//!
//! ```text
//!   association list ─► ServiceAccount's annotations ─► ConfigMap ─► nobody
//! ```
//!
//! Before all of them there is a place for associations out of the cluster itself.

use std::sync::{Arc, PoisonError, RwLock};

use podrole_identity::{AssociationList, ServiceAccountAnnotations, ServiceAccountRef};

use crate::{LookupError, binding::Binding, config_map::RoleMap};

/// The newest of something that is read anew from time to time; nothing before the first time.
/// Clones are the same.
#[derive(Debug)]
pub struct Latest<T>(Arc<RwLock<Option<Arc<T>>>>);

impl<T> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Latest<T> {
    /// The newest.
    #[must_use]
    pub fn get(&self) -> Option<Arc<T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a newer one in its place.
    pub fn set(&self, newer: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(newer));
    }

    /// Puts one where there has been none.
    pub(crate) fn set_if_first(&self, first: T) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| first.into());
    }
}

/// The sources beside the ServiceAccounts' own annotations; `None` where a flag does not ask for
/// one.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The association list file.
    pub associations: Option<Latest<AssociationList>>,
    /// The ConfigMap of roles.
    pub config_map: Option<Latest<RoleMap>>,
}

impl Sources {
    /// Who the pods of a ServiceAccount are, which says `said`; `None` where it does not exist.
    ///
    /// # Errors
    /// When a source that could decide has not been read yet.
    pub fn bind(
        &self,
        account: &ServiceAccountRef,
        said: Option<ServiceAccountAnnotations>,
    ) -> Result<Binding, LookupError> {
        let said = said.unwrap_or_default();
        if let Some(list) = &self.associations {
            let list = list.get().ok_or(LookupError::Unsynced)?;
            if let Some(association) = list.find(account) {
                return Ok(Binding::associated(account, association, said));
            }
        }
        if said.names_role() {
            return Ok(Binding::annotated(account, said));
        }
        if let Some(roles) = &self.config_map {
            let roles = roles.get().ok_or(LookupError::Unsynced)?;
            if let Some(entry) = roles.find(account) {
                return Ok(Binding::mapped(account, entry, said));
            }
        }
        Ok(Binding::nobody(account, said))
    }
}

#[cfg(test)]
mod tests;
