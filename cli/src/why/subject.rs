//! The pod that is examined, and the workload that makes it.

use podrole_identity::ServiceAccountRef;
use podrole_webhook::{pod_of_template, template};
use serde_json::Value;

use super::{
    object::Object,
    resource::Resource,
    target::Target,
    world::{Known, World},
};
use crate::report::Finding;

/// A pod or a workload, and all that is known of both.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) target: Target,
    pub(crate) namespace: String,
    pub(crate) service_account: ServiceAccountRef,
    /// The stored pod; of several the newest.
    pub(crate) pod: Known<Option<Object>>,
    /// The other live pods of the workload.
    pub(crate) others: Vec<Object>,
    /// The kind and name of the workload.
    pub(crate) owner: Option<(Resource, String)>,
    /// The workload itself.
    pub(crate) workload: Known<Option<Object>>,
    /// A pod as the workload would make it now.
    pub(crate) template: Option<Value>,
}

impl Subject {
    /// The stored pod, if it is there and was read.
    pub(crate) fn stored(&self) -> Option<&Object> {
        self.pod.as_ref().ok()?.as_ref()
    }

    /// The pod whose containers are examined: the stored one, else the one that would be made.
    pub(crate) fn examined(&self) -> Option<&Value> {
        self.stored().map(Object::json).or(self.template.as_ref())
    }

    /// `deployment/web`.
    pub(crate) fn workload_name(&self) -> Option<String> {
        let (kind, name) = self.owner.as_ref()?;
        Some(format!("{}/{name}", kind.kind().to_ascii_lowercase()))
    }

    /// What a sentence calls it: `pod web-1` or `deployment/web`.
    pub(crate) fn shown(&self) -> String {
        match (self.stored(), self.workload_name()) {
            (Some(pod), _) => format!("pod {}/{}", self.namespace, pod.name()),
            (None, Some(workload)) => workload,
            (None, None) => self.target.to_string(),
        }
    }

    /// How its pods are created again: commands, or a sentence.
    pub(crate) fn restart(&self) -> String {
        let namespace = &self.namespace;
        match (&self.owner, self.stored()) {
            (Some((kind, name)), _)
                if matches!(
                    kind,
                    Resource::Deployment | Resource::StatefulSet | Resource::DaemonSet
                ) =>
            {
                let kind = kind.kind().to_ascii_lowercase();
                format!("kubectl -n {namespace} rollout restart {kind}/{name}")
            }
            (Some((Resource::CronJob, name)), _) => {
                format!("wait for the next Job of cronjob/{name}, whose pods are new")
            }
            (Some((Resource::Job, name)), _) => {
                format!(
                    "delete job/{name} in {namespace} and apply it again; a Job does not replace its pods"
                )
            }
            (Some(_), Some(pod)) => format!("kubectl -n {namespace} delete pod {}", pod.name()),
            (None, Some(pod)) => {
                format!(
                    "delete pod {} in {namespace} and apply it again; no workload makes it",
                    pod.name()
                )
            }
            (_, None) => format!("create the pods of {} again", self.target),
        }
    }

    /// The same in few words, within a sentence.
    pub(crate) fn restart_words(&self) -> String {
        match self.workload_name() {
            Some(workload) => format!("restart {workload}"),
            None => "create it again".to_owned(),
        }
    }

    /// Finds what a target names.
    ///
    /// # Errors
    /// A finding that says why nothing can be examined.
    pub(crate) fn find(
        world: &World,
        namespace: &str,
        target: &Target,
    ) -> Result<Self, Box<Finding>> {
        match target {
            Target::Pod(name) => Self::of_pod(world, namespace, target, name),
            Target::Workload(kind, name) => {
                Self::of_workload(world, namespace, target, (*kind, name))
            }
            Target::ServiceAccount(name) => {
                Self::of_service_account(world, namespace, target, name)
            }
        }
    }

    fn of_pod(
        world: &World,
        namespace: &str,
        target: &Target,
        name: &str,
    ) -> Result<Self, Box<Finding>> {
        let pod = world.find(Resource::Pod, namespace, name).map_err(|it| it.boxed())?;
        let Some(pod) = pod else { return Err(Box::new(gone(world, namespace, name))) };
        let (owner, workload) = owner(world, namespace, pod);
        Self::new(world, target, namespace, Ok(Some(pod.clone())), owner, workload)
    }

    fn of_workload(
        world: &World,
        namespace: &str,
        target: &Target,
        (kind, name): (Resource, &str),
    ) -> Result<Self, Box<Finding>> {
        let workload = world.find(kind, namespace, name).map_err(|it| it.boxed())?;
        let Some(workload) = workload else {
            let text = format!("{target} does not exist in namespace {namespace}");
            let kind = kind.kind().to_ascii_lowercase();
            let finding = Finding::unknown(text).fix(format!("kubectl -n {namespace} get {kind}"));
            return Err(Box::new(finding));
        };
        let key = (kind, name.to_owned());
        let pod = world
            .in_namespace(Resource::Pod, namespace)
            .map(|pods| newest(pods.filter(|pod| chain(world, namespace, pod).contains(&key))));
        let owner = Some(key);
        Self::new(world, target, namespace, pod, owner, Ok(Some(workload.clone())))
    }

    fn of_service_account(
        world: &World,
        namespace: &str,
        target: &Target,
        name: &str,
    ) -> Result<Self, Box<Finding>> {
        let pods = world.in_namespace(Resource::Pod, namespace);
        let pod =
            pods.map(|pods| newest(pods.filter(|pod| service_account_of(pod.json()) == name)));
        let (owner, workload) = match &pod {
            Ok(Some(pod)) => owner(world, namespace, pod),
            _ => (None, Ok(None)),
        };
        let subject = Self::new(world, target, namespace, pod, owner, workload)?;
        let service_account = reference(namespace, name)?;
        Ok(Self { service_account, ..subject })
    }

    fn new(
        world: &World,
        target: &Target,
        namespace: &str,
        pod: Known<Option<Object>>,
        owner: Option<(Resource, String)>,
        workload: Known<Option<Object>>,
    ) -> Result<Self, Box<Finding>> {
        let template = workload.as_ref().ok().and_then(Option::as_ref).and_then(made_by);
        let stored = pod.as_ref().ok().and_then(Option::as_ref);
        let examined = stored.map(Object::json).or(template.as_ref());
        let name = examined.map_or("default", service_account_of);
        let service_account = reference(namespace, name)?;
        let is_other = |it: &&Object| {
            stored.is_some_and(|pod| pod.name() != it.name())
                && is_live(it)
                && owner.as_ref().is_some_and(|owner| chain(world, namespace, it).contains(owner))
        };
        let others = world.in_namespace(Resource::Pod, namespace);
        let others = others.map(|pods| pods.filter(is_other).cloned().collect());
        Ok(Self {
            target: target.clone(),
            namespace: namespace.to_owned(),
            service_account,
            pod,
            others: others.unwrap_or_default(),
            owner,
            workload,
            template,
        })
    }
}

fn reference(namespace: &str, name: &str) -> Result<ServiceAccountRef, Box<Finding>> {
    ServiceAccountRef::new(namespace, name).map_err(|error| {
        Box::new(Finding::unknown(format!("ServiceAccount {namespace}/{name}: {error}")))
    })
}

/// A pod as the workload's controller makes it.
pub(crate) fn made_by(workload: &Object) -> Option<Value> {
    let (group, kind) = workload.group_kind();
    let mut pod = pod_of_template(workload.json(), template(group, kind)?, kind)?;
    // The API server copies the field's old name.
    let name = service_account_of(&pod).to_owned();
    pod.get_mut("spec")?.as_object_mut()?.insert("serviceAccountName".to_owned(), name.into());
    Some(pod)
}

/// The ServiceAccount that a pod names.
pub(crate) fn service_account_of(pod: &Value) -> &str {
    let name = |field: &str| pod["spec"][field].as_str().filter(|name| !name.is_empty());
    name("serviceAccountName").or_else(|| name("serviceAccount")).unwrap_or("default")
}

fn is_live(pod: &Object) -> bool {
    let ended = ["Succeeded", "Failed"].contains(&pod.text("/status/phase").unwrap_or_default());
    !ended && pod.text("/metadata/deletionTimestamp").is_none()
}

/// The newest live pod, else the newest one.
fn newest<'a>(pods: impl Iterator<Item = &'a Object>) -> Option<Object> {
    pods.max_by_key(|pod| (is_live(pod), pod.created(), std::cmp::Reverse(pod.name()))).cloned()
}

/// The workloads above an object, nearest first.
fn chain(world: &World, namespace: &str, object: &Object) -> Vec<(Resource, String)> {
    let mut chain = Vec::new();
    let mut controller = object.controller().map(|(kind, name)| (kind.to_owned(), name.to_owned()));
    while let Some((kind, name)) = controller {
        let Some(resource) = Resource::workload(&kind) else { break };
        let above = world.find(resource, namespace, &name).ok().flatten();
        let next = above.and_then(Object::controller);
        controller = next.map(|(kind, name)| (kind.to_owned(), name.to_owned()));
        chain.push((resource, name));
        // Owners cannot form a circle of controllers this long.
        if chain.len() > 3 {
            break;
        }
    }
    chain
}

/// The uppermost workload of a pod, by name and as it is.
fn owner(
    world: &World,
    namespace: &str,
    pod: &Object,
) -> (Option<(Resource, String)>, Known<Option<Object>>) {
    let Some((kind, name)) = chain(world, namespace, pod).pop() else { return (None, Ok(None)) };
    let workload = world.find(kind, namespace, &name).map(Option::<&Object>::cloned);
    (Some((kind, name)), workload)
}

/// What is said of a pod that is not there. Names of a Deployment's pods have two parts of their own.
fn gone(world: &World, namespace: &str, name: &str) -> Finding {
    let parts: Vec<&str> = name.rsplitn(3, '-').collect();
    let candidates = [parts.get(2).copied(), name.rsplit_once('-').map(|(owner, _)| owner)];
    let kinds = [Resource::Deployment, Resource::StatefulSet, Resource::DaemonSet, Resource::Job];
    let owner = candidates.into_iter().flatten().find_map(|name| {
        let exists =
            |kind: &Resource| world.find(*kind, namespace, name).is_ok_and(|found| found.is_some());
        let kind = kinds.into_iter().find(exists)?;
        Some(format!("{}/{name}", kind.kind().to_ascii_lowercase()))
    });
    let finding = Finding::unknown(format!(
        "pod {namespace}/{name} does not exist; it may have been replaced"
    ));
    match owner {
        Some(owner) => finding.fix(format!("podrole why {owner} -n {namespace}")),
        None => finding.fix(format!("kubectl -n {namespace} get pods")),
    }
}
