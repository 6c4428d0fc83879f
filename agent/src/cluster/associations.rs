//! Looks up single PodIdentityAssociations, and watches those that are in use.

use std::sync::Arc;

use futures::{
    future::{BoxFuture, FutureExt as _},
    stream::BoxStream,
};
use kube::{Api, Client, api::DynamicObject, core::PartialObjectMeta, runtime::watcher};
use podrole_identity::{Association, Kind, ServiceAccountRef};
use podrole_runtime::{health::Health, managed_fields::spec_changed, objects};

use super::{
    access::Access,
    named::{changes, only},
};
use crate::resolve::{AssociationFacts, Lookup, LookupError, LookupResult};

/// Looks up associations by their names.
pub(super) struct LiveAssociations {
    client: Client,
    access: Access,
}

impl LiveAssociations {
    pub(super) fn new(client: &Client, health: &Health) -> Self {
        let access = Access::to("the right to get PodIdentityAssociations", health);
        Self { client: client.clone(), access }
    }

    async fn look(&self, service_account: &ServiceAccountRef) -> LookupResult<AssociationFacts> {
        let name = Association::object_name(service_account);
        let (api, asked) = (objects::api(self.client.clone(), Kind::Association), name.clone());
        let request = move || {
            let (api, name) = (api.clone(), asked.clone());
            async move { objects::get(&api, &name).await }
        };
        let found = self.access.ask(request).await?;
        Ok(found.map(|mut found| {
            Arc::new(AssociationFacts {
                changed: spec_changed(&found.metadata),
                association: Association::read_object(&name, &objects::take_spec(&mut found)),
                version: found.metadata.resource_version.unwrap_or_default(),
            })
        }))
    }
}

impl Lookup<ServiceAccountRef, AssociationFacts> for LiveAssociations {
    fn find<'a>(
        &'a self,
        service_account: &'a ServiceAccountRef,
    ) -> BoxFuture<'a, LookupResult<AssociationFacts>> {
        self.look(service_account).boxed()
    }

    fn watch(
        &self,
        service_account: &ServiceAccountRef,
    ) -> Option<BoxStream<'static, Result<(), LookupError>>> {
        let name = Association::object_name(service_account);
        let kind = objects::resource(Kind::Association);
        let api: Api<PartialObjectMeta<DynamicObject>> = Api::all_with(self.client.clone(), &kind);
        Some(changes(watcher(api, only(&name))))
    }

    /// Most ServiceAccounts have none, and are asked for as often.
    fn watches_missing(&self) -> bool {
        true
    }
}
