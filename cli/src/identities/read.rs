//! Reads the cluster.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::{
    Api,
    api::{DynamicObject, ListParams},
};
use podrole_identity::{Guardrails, Kind, Patterns, ServiceAccountRef};
use podrole_runtime::objects;
use podrole_webhook::LivePod;

use super::{identity::Identity, scope::Scope, world::World};
use crate::{
    cluster::{Reader, Unread},
    progress::{Progress, grouped},
    settings::ClusterSettings,
};

/// The ServiceAccounts whose pods get something, with what could not be read.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    pub(crate) world: World,
    pub(crate) of: BTreeMap<ServiceAccountRef, Identity>,
    /// What decides roles and could not be read: another role than the one shown may be in force.
    pub(crate) unread: Vec<Unread>,
    /// Why pods are not counted.
    pub(crate) uncounted: Option<Unread>,
    /// The names of the ServiceAccounts that associations name and that do not exist. Known only for all namespaces.
    pub(crate) without_service_account: Vec<String>,
}

impl Identities {
    pub(crate) async fn read(
        reader: &Reader,
        settings: &ClusterSettings,
        scope: &Scope,
        progress: &Progress,
        now: Timestamp,
    ) -> Self {
        let mut read = Self::default();
        read.namespaces(reader, settings, scope).await;
        if settings.association_objects {
            read.objects(reader, progress).await;
        }
        read.service_accounts(reader, settings, scope, progress).await;
        // Without what decides, no pod is called missed.
        if read.unread.is_empty() {
            read.pods(reader, settings, scope, progress, now).await;
        }
        progress.done();
        read
    }

    /// Whether pods were counted.
    pub(crate) fn is_counted(&self) -> bool {
        self.unread.is_empty() && self.uncounted.is_none()
    }

    async fn namespaces(&mut self, reader: &Reader, settings: &ClusterSettings, scope: &Scope) {
        let api = Api::<Namespace>::all(reader.client());
        let world = &mut self.world;
        let done = match scope {
            Scope::All => {
                let add = |page: kube::api::ObjectList<Namespace>| {
                    page.items.into_iter().for_each(|it| world.add_namespace(it, settings));
                };
                reader.list(&api, ListParams::default(), add).await
            }
            Scope::Namespace(name) => reader.get(&api, name).await.map(|found| {
                found.into_iter().for_each(|it| world.add_namespace(it, settings));
            }),
        };
        self.unread.extend(done.err());
    }

    async fn objects(&mut self, reader: &Reader, progress: &Progress) {
        let api = objects::api(reader.client(), Kind::Association);
        let world = &mut self.world;
        let done = reader.list(&api, ListParams::default(), |page| {
            page.items.into_iter().for_each(|it| world.add_association(it));
            progress
                .show(|| format!("reading associations: {}", grouped(world.associations.len())));
        });
        self.unread.extend(done.await.err());
        let patterns = self.all(reader, Kind::Pattern).await;
        self.world.patterns = Patterns::read(objects::raw(&patterns));
        let guardrails = self.all(reader, Kind::Guardrail).await;
        self.world.guardrails = Guardrails::read(objects::raw(&guardrails));
    }

    /// All objects of a kind; those of the pages before the one that could not be read.
    async fn all(&mut self, reader: &Reader, kind: Kind) -> Vec<DynamicObject> {
        let (api, mut all) = (objects::api(reader.client(), kind), Vec::new());
        let done = reader.list(&api, ListParams::default(), |page| all.extend(page.items)).await;
        self.unread.extend(done.err());
        all
    }

    async fn service_accounts(
        &mut self,
        reader: &Reader,
        settings: &ClusterSettings,
        scope: &Scope,
        progress: &Progress,
    ) {
        let api = scope.api::<ServiceAccount>(reader.client());
        let (world, of, mut count) = (&self.world, &mut self.of, 0);
        let mut unmatched: std::collections::HashSet<&str> =
            world.associations.keys().map(String::as_str).collect();
        let done = reader.list(&api, ListParams::default(), |page| {
            count += page.items.len();
            for account in page.items {
                if let (Some(namespace), Some(name)) =
                    (&account.metadata.namespace, &account.metadata.name)
                {
                    unmatched.remove(format!("{namespace}.{name}").as_str());
                }
                of.extend(world.decide(account, settings));
            }
            progress.show(|| format!("reading ServiceAccounts: {}", grouped(count)));
        });
        let done = done.await;
        if *scope == Scope::All && done.is_ok() {
            self.without_service_account = unmatched.into_iter().map(str::to_owned).collect();
            self.without_service_account.sort();
        }
        self.unread.extend(done.err());
    }

    async fn pods(
        &mut self,
        reader: &Reader,
        settings: &ClusterSettings,
        scope: &Scope,
        progress: &Progress,
        now: Timestamp,
    ) {
        let api = scope.api::<LivePod>(reader.client());
        let (world, of, mut count) = (&self.world, &mut self.of, 0);
        let done = reader.list(&api, ListParams::default(), |page| {
            count += page.items.len();
            for pod in page.items.iter().filter(|pod| pod.is_live()) {
                let Some(service_account) = pod.service_account() else { continue };
                if let Some(identity) = of.get_mut(&service_account) {
                    world.count(pod, &service_account, identity, settings, now);
                }
            }
            progress.show(|| format!("reading pods: {}", grouped(count)));
        });
        self.uncounted = done.await.err();
    }
}
