//! `PodIdentityAssociation`: the role of one ServiceAccount.

use serde_json::{Map, Value};

use super::{fields::RoleFields, object::Kind, unreadable::Unreadable};
use crate::{Association, ServiceAccountRef};

impl Association {
    /// The name of a ServiceAccount's PodIdentityAssociation: `<namespace>.<name>`. A namespace has
    /// no dot, so the name splits in one place.
    #[must_use]
    pub fn object_name(service_account: &ServiceAccountRef) -> String {
        format!("{}.{}", service_account.namespace(), service_account.name())
    }

    /// The ServiceAccount of the PodIdentityAssociation of this name, or `None` if it is not the name
    /// of one.
    #[must_use]
    pub fn service_account_of(name: &str) -> Option<ServiceAccountRef> {
        let (namespace, service_account) = name.split_once('.')?;
        ServiceAccountRef::new(namespace, service_account).ok()
    }

    /// Reads a PodIdentityAssociation. The name alone says whose it is, because readers look it up by
    /// name.
    ///
    /// # Errors
    /// If this version cannot read it whole.
    pub fn read_object(name: &str, spec: &Value) -> Result<Self, Unreadable> {
        let unreadable =
            |error: &dyn std::fmt::Display| Unreadable::new(Kind::Association, name, error);
        let form = || unreadable(&"metadata.name is not <namespace>.<serviceAccount> of its spec");
        let service_account = Self::service_account_of(name).ok_or_else(form)?;
        let mut spec: Map<String, Value> = spec.as_object().cloned().unwrap_or_default();
        let names = [spec.remove("namespace"), spec.remove("serviceAccount")];
        if names != [Some(service_account.namespace().into()), Some(service_account.name().into())]
        {
            return Err(form());
        }
        let fields: Result<RoleFields, _> = serde_json::from_value(Value::Object(spec));
        let fields = fields.map_err(|error| unreadable(&error))?;
        fields.check(&service_account).map_err(|error| unreadable(&error))
    }
}
