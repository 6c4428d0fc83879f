//! Whether a pod lacks the credential provider that the webhook would inject today. Pure.
//!
//! The agent reports such pods and the controller may replace them, so both must agree with the webhook about every
//! pod that they name. In doubt a pod is not missed: to create it again would change nothing.

mod reason;

use jiff::{SignedDuration, Timestamp};

use crate::{
    AnnotationPrefix, Annotations, ContainerList, CredentialProvider, Denial, Grant, Injection,
    Labels, NamespaceFacts, PodAnnotations, ServiceAccountAnnotations, injected_provider,
    pod_opts_out, variable,
};
pub use reason::{MissedReason, MissedTimes};

/// The annotation of a static pod, which the kubelet creates without any webhook.
const MIRROR_ANNOTATION: &str = "kubernetes.io/config.mirror";
/// A pod is missed at this age. Before, the object that grants its role may not have reached every reader.
const MISSED_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// A pod with more containers is not judged: tenants make up pods, and agents keep what decides of each.
const MAX_CONTAINERS: usize = 128;

/// A pod as far as its injection depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodShape {
    opts_out: bool,
    is_mirror: bool,
    has_token: bool,
    /// Whether a container sets credentials.
    has_credentials: bool,
    /// Whether it has more than [`MAX_CONTAINERS`].
    is_too_large: bool,
    /// Whether its own annotation lists the only containers to inject into.
    includes: bool,
    containers: Vec<ContainerShape>,
    /// The providers whose volume's name another volume has.
    taken_volumes: Vec<CredentialProvider>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ContainerShape {
    name: String,
    /// Whether the pod's own annotations include it, and whether they skip it.
    included: bool,
    skipped: bool,
    /// The providers at whose token's path it mounts something.
    taken_paths: Vec<CredentialProvider>,
}

/// Something of the pod's own that is in the way of a provider's token, however often the pod is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InTheWay {
    /// A volume with the name of the token's.
    Volume,
    /// In each container that takes part, a mount at the token's path.
    Mount,
}

/// A provider that a pod lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The provider.
    pub provider: CredentialProvider,
    /// Why the webhook cannot inject it; `None` if a pod created now would get it.
    pub obstacle: Option<InTheWay>,
}

/// Reads a pod's shape, part by part. It ends before the shape is kept: annotations may list far more containers than the pod
/// has, and the pod's author must not decide how much memory a reader needs.
#[derive(Clone, Debug)]
pub struct PodShapeReader {
    shape: PodShape,
    skip: ContainerList,
    include: ContainerList,
}

impl PodShapeReader {
    /// Begins with the pod's own labels and annotations.
    #[must_use]
    pub fn new(labels: &Labels, annotations: &Annotations, prefix: &AnnotationPrefix) -> Self {
        let read = PodAnnotations::read(annotations, prefix);
        let shape = PodShape {
            opts_out: pod_opts_out(|name| labels.get(name).map(String::as_str)),
            is_mirror: is_mirror(annotations),
            includes: !read.include_containers.is_empty(),
            ..PodShape::default()
        };
        Self { shape, skip: read.skip_containers, include: read.include_containers }
    }

    /// Adds a container or an init container: the names of the variables that have a value or a source,
    /// and the paths that it mounts something at.
    pub fn container<'a>(
        &mut self,
        name: &str,
        variables: impl IntoIterator<Item = &'a str>,
        mount_paths: impl IntoIterator<Item = &'a str>,
    ) {
        let mut variables = variables.into_iter();
        let mut taken_paths = Vec::new();
        for path in mount_paths {
            let at = |provider: &CredentialProvider| provider.token_volume().is_mounted_at(path);
            let new =
                CredentialProvider::ALL.into_iter().filter(at).find(|it| !taken_paths.contains(it));
            taken_paths.extend(new);
        }
        self.shape.has_credentials |= variables.any(|name| variable::USER_DECIDED.contains(&name));
        if self.shape.containers.len() == MAX_CONTAINERS {
            self.shape.is_too_large = true;
            return;
        }
        let (included, skipped) = (self.include.names(name), self.skip.names(name));
        let name = name.to_owned();
        self.shape.containers.push(ContainerShape { name, included, skipped, taken_paths });
    }

    /// Adds a volume, and whether it projects the token of a ServiceAccount.
    pub fn volume(&mut self, name: &str, projects_token: bool) {
        let named = |provider: &CredentialProvider| provider.token_volume().name == name;
        let Some(provider) = CredentialProvider::ALL.into_iter().find(named) else { return };
        self.shape.has_token |= projects_token;
        self.shape.taken_volumes.push(provider);
    }

    /// The shape of what was added.
    #[must_use]
    pub fn finish(self) -> PodShape {
        self.shape
    }
}

impl PodShape {
    /// Whether nothing that the pod already has answers the question: it has no provider, no credentials of its own
    /// and is not a static pod. Callers ask this before they look anything up.
    #[must_use]
    pub fn may_lack(&self) -> bool {
        !self.is_mirror && !self.has_token && !self.has_credentials && !self.is_too_large
    }

    /// Whether it has the token of a provider.
    #[must_use]
    pub fn has_token(&self) -> bool {
        self.has_token
    }

    /// Whether its own label keeps it from being injected: in `required` that does not count.
    #[must_use]
    pub fn opts_out_of(&self, namespace: &NamespaceFacts) -> bool {
        self.opts_out && namespace.injection != Some(Injection::Required)
    }

    fn obstacle(
        &self,
        provider: CredentialProvider,
        service_account: &ServiceAccountAnnotations,
    ) -> Option<InTheWay> {
        if self.taken_volumes.contains(&provider) {
            return Some(InTheWay::Volume);
        }
        let mut selected = self.selected(service_account);
        selected
            .all(|container| container.taken_paths.contains(&provider))
            .then_some(InTheWay::Mount)
    }

    /// The containers that take part, as in the webhook.
    fn selected(
        &self,
        service_account: &ServiceAccountAnnotations,
    ) -> impl Iterator<Item = &ContainerShape> {
        let ServiceAccountAnnotations { skip_containers, include_containers, .. } = service_account;
        let includes = self.includes || !include_containers.is_empty();
        self.containers.iter().filter(move |container| {
            let included = container.included || include_containers.names(&container.name);
            let skipped = container.skipped || skip_containers.names(&container.name);
            (included || !includes) && !skipped
        })
    }
}

/// Whether a pod with these annotations is the copy of a static one.
#[must_use]
pub fn is_mirror(annotations: &Annotations) -> bool {
    annotations.contains_key(MIRROR_ANNOTATION)
}

/// The provider that a pod lacks, if its namespace asks for injection. `granted` is the decision of the one
/// resolver about its ServiceAccount.
#[must_use]
pub fn lacked_provider(
    pod: &PodShape,
    service_account: &ServiceAccountAnnotations,
    granted: &Result<Option<Grant>, Denial>,
    namespace: &NamespaceFacts,
) -> Option<Lack> {
    let may_lack = pod.may_lack() && !pod.opts_out_of(namespace);
    if !may_lack || pod.selected(service_account).next().is_none() {
        return None;
    }
    let provider = injected_provider(granted, namespace)?;
    // With web identity the injection is the grant, so a denied pod is not injected; in `required` it is refused.
    let injected = granted.is_ok()
        || provider == CredentialProvider::Container
            && namespace.injection != Some(Injection::Required);
    let obstacle = pod.obstacle(provider, service_account);
    injected.then_some(Lack { provider, obstacle })
}

/// Whether a pod that was created at `created` has been missed: its namespace asks for injection, and a pod
/// like it would be injected if it were created `now`.
#[must_use]
pub fn is_missed(
    lack: Option<Lack>,
    namespace: &NamespaceFacts,
    created: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    is_old_enough(created, now)
        && namespace.injection.is_some()
        && lack.is_some_and(|lack| lack.obstacle.is_none())
}

/// Whether a pod that was created at `created` is old enough to be called missed.
#[must_use]
pub fn is_old_enough(created: Option<Timestamp>, now: Timestamp) -> bool {
    created.is_some_and(|created| now.duration_since(created) >= MISSED_AFTER)
}

impl Lack {
    /// What is in the way, with the fix.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        let volume = self.provider.token_volume();
        Some(match self.obstacle? {
            InTheWay::Volume => {
                format!("the pod has another volume with the name {}; rename it", volume.name)
            }
            InTheWay::Mount => format!(
                "its containers mount something else at {}, where the token belongs; mount it elsewhere",
                volume.mount_path
            ),
        })
    }
}

#[cfg(test)]
mod tests;
