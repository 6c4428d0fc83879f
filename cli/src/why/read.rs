//! Reads from the API server what the links need.

use jiff::Timestamp;
use kube::{
    Api,
    api::{DynamicObject, ListParams},
};
use serde_json::Value;

use super::{
    object::Object,
    resource::Resource,
    subject::{Subject, service_account_of},
    target::Target,
    world::{Missing, World},
};
use crate::cluster::{Reader, Target as Read, Unread};

/// The namespace of the kubelets' Leases.
const LEASES: &str = "kube-node-lease";

/// All that the links about `target` may need.
pub(super) async fn world(reader: &Reader, namespace: &str, target: &Target) -> World {
    let mut reading = Reading { reader, namespace, world: World::default() };
    reading.subject(target).await;
    for resource in [Resource::ServiceAccount, Resource::NetworkPolicy, Resource::SecretStore] {
        reading.list(resource, Some(namespace), ListParams::default(), |_| true).await;
    }
    for resource in [
        Resource::MutatingWebhookConfiguration,
        Resource::Association,
        Resource::Pattern,
        Resource::Guardrail,
        Resource::ClusterSecretStore,
    ] {
        reading.list(resource, None, ListParams::default(), |_| true).await;
    }
    reading.get(Resource::Namespace, None, namespace).await;
    reading.endpoints().await;
    reading.node(target).await;
    reading.world
}

struct Reading<'a> {
    reader: &'a Reader,
    namespace: &'a str,
    world: World,
}

impl Reading<'_> {
    fn api(&self, resource: Resource, namespace: Option<&str>) -> Api<DynamicObject> {
        let (client, kind) = (self.reader.client(), resource.api_resource());
        match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &kind),
            None => Api::all_with(client, &kind),
        }
    }

    async fn get(
        &mut self,
        resource: Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Option<Object> {
        let found = self.reader.get(&self.api(resource, namespace), name).await;
        match found {
            Ok(found) => {
                let found = object(resource, found?)?;
                self.world.extend([found.clone()]);
                Some(found)
            }
            Err(unread) => {
                self.world.missing(resource, Missing::Unread(unread));
                None
            }
        }
    }

    /// Reads a kind, and keeps what is wanted.
    async fn list(
        &mut self,
        resource: Resource,
        namespace: Option<&str>,
        params: ListParams,
        wanted: impl Fn(&Object) -> bool,
    ) {
        let api = self.api(resource, namespace);
        let mut found = Vec::new();
        let take = |page: kube::api::ObjectList<DynamicObject>| {
            let page = page.items.into_iter().filter_map(|it| object(resource, it));
            found.extend(page.filter(|it| wanted(it)));
        };
        match self.reader.list(&api, params, take).await {
            Ok(()) => self.world.extend(found),
            // Without the CRD there are no objects.
            Err(Unread::NotFound(..)) if resource.is_optional() => {}
            Err(unread) => self.world.missing(resource, Missing::Unread(unread)),
        }
    }

    /// The pods, and the workloads above them.
    async fn subject(&mut self, target: &Target) {
        let namespace = self.namespace;
        match target {
            Target::Pod(name) => {
                let pod = self.get(Resource::Pod, Some(namespace), name).await;
                if let Some(pod) = &pod {
                    self.owners(pod).await;
                } else {
                    // One of them may have made the pod that is gone.
                    for resource in
                        [Resource::Deployment, Resource::StatefulSet, Resource::DaemonSet]
                    {
                        self.list(resource, Some(namespace), ListParams::default(), |_| true).await;
                    }
                }
            }
            Target::Workload(resource, name) => {
                self.get(*resource, Some(namespace), name).await;
                let between = match resource {
                    Resource::Deployment => Some(Resource::ReplicaSet),
                    Resource::CronJob => Some(Resource::Job),
                    _ => None,
                };
                if let Some(between) = between {
                    let kind = resource.kind();
                    let is_own = |it: &Object| it.controller() == Some((kind, name.as_str()));
                    self.list(between, Some(namespace), ListParams::default(), is_own).await;
                }
                let owners: Vec<Object> =
                    between.map(|it| self.world.seen(it).to_vec()).unwrap_or_default();
                let kind = resource.kind();
                let is_own = |it: &Object| {
                    let Some((above, by)) = it.controller() else { return false };
                    (above == kind && by == name.as_str())
                        || owners
                            .iter()
                            .any(|owner| owner.name() == by && owner.group_kind().1 == above)
                };
                self.list(Resource::Pod, Some(namespace), ListParams::default(), is_own).await;
            }
            Target::ServiceAccount(name) => {
                let is_own = |it: &Object| service_account_of(it.json()) == name;
                self.list(Resource::Pod, Some(namespace), ListParams::default(), is_own).await;
                let subject = Subject::find(&self.world, namespace, target).ok();
                if let Some(pod) = subject.as_ref().and_then(Subject::stored).cloned() {
                    self.owners(&pod).await;
                }
            }
        }
    }

    /// The workloads above an object, one after the other.
    async fn owners(&mut self, of: &Object) {
        let mut current = of.clone();
        for _ in 0..3 {
            let Some((kind, name)) = current.controller() else { return };
            let Some(resource) = Resource::workload(kind) else { return };
            let name = name.to_owned();
            let Some(above) = self.get(resource, Some(self.namespace), &name).await else { return };
            current = above;
        }
    }

    /// The endpoints of the Services that webhooks of podrole are registered with.
    async fn endpoints(&mut self) {
        let registered = self.world.seen(Resource::MutatingWebhookConfiguration).to_vec();
        let services = registered.iter().flat_map(|it| it.list("/webhooks"));
        let services = services.filter_map(|it| it.pointer("/clientConfig/service"));
        let mut known: Vec<(String, String)> = services
            .filter_map(|it| {
                Some((it["namespace"].as_str()?.to_owned(), it["name"].as_str()?.to_owned()))
            })
            .filter(|(_, name)| name.ends_with("-webhook"))
            .collect();
        known.sort();
        known.dedup();
        for (namespace, name) in known.iter().take(5) {
            let params =
                ListParams::default().labels(&format!("kubernetes.io/service-name={name}"));
            self.list(Resource::EndpointSlice, Some(namespace), params, |_| true).await;
        }
    }

    /// The node of the examined pod, what else runs there, and the time. Only the provider `container` needs them; a caller
    /// without the right to them loses nothing else.
    async fn node(&mut self, target: &Target) {
        let subject = Subject::find(&self.world, self.namespace, target).ok();
        let pod = subject.as_ref().and_then(Subject::stored);
        let node = pod.and_then(|it| it.text("/spec/nodeName")).map(ToOwned::to_owned);
        let Some(node) = node else { return };
        self.get(Resource::Node, None, &node).await;
        self.get(Resource::Lease, Some(LEASES), &node).await;
        self.world.server_time = self.server_time().await;
        let own = self.namespace.to_owned();
        let params = ListParams::default().fields(&format!("spec.nodeName={node}"));
        let known: Vec<String> =
            self.world.seen(Resource::Pod).iter().map(|it| it.name().to_owned()).collect();
        let is_new =
            |it: &Object| it.namespace() != own || !known.iter().any(|name| name == it.name());
        self.list(Resource::Pod, None, params, is_new).await;
    }

    /// The API server's clock, by the header of an answer.
    async fn server_time(&self) -> Option<Timestamp> {
        let request = http::Request::get("/version").body(kube::client::Body::empty()).ok()?;
        let client = self.reader.client();
        let target = || Read::of_path("/version");
        let answer = self.reader.bounded(client.send(request), target).await.ok()?;
        let date = answer.headers().get(http::header::DATE)?.to_str().ok()?;
        let time = jiff::fmt::rfc2822::parse(date).ok()?;
        Some(time.timestamp())
    }
}

/// An object as JSON, with the type that lists leave out.
fn object(resource: Resource, found: DynamicObject) -> Option<Object> {
    let mut value = serde_json::to_value(found).ok()?;
    let api = resource.api_resource();
    let map = value.as_object_mut()?;
    map.insert("apiVersion".to_owned(), Value::from(api.api_version));
    map.insert("kind".to_owned(), Value::from(api.kind));
    Some(Object::new(value))
}

/// Used by tests to make a right missing.
#[cfg(test)]
pub(super) fn forbidden(resource: Resource, namespace: &str) -> Missing {
    Missing::Unread(Unread::Forbidden(Read {
        verb: "list",
        resource: resource.right(),
        namespace: Some(namespace.to_owned()),
        name: None,
    }))
}
