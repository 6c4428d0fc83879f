//! Ephemeral containers, as `kubectl debug` adds them: they get the identity that the pod's other
//! containers have. The pod's role was decided at its creation and is not looked up again, because
//! its token volume cannot change any more.
//!
//! Only new ones may change. They are recognized by name, because a client may reorder the list.
//! Kubernetes does not allow a subPath in their mounts.

use std::collections::BTreeSet;

use podrole_identity::{
    CredentialProvider, DEFAULT_CLUSTER_DOMAIN, EndpointUrl, SECRET_VOLUME_PREFIX, TokenVolume,
    path_components, variable as names,
};
use serde_json::json;

use super::{
    container::{self, ContainerPlan},
    desired::{DesiredIdentity, Group},
    expression::{Expression, expanded},
    operations::ContainerPatch,
};
use crate::{
    Outcome, Reason,
    pod::{Container, PodView},
};

/// The variables beside the pair that a debugger needs to reach the same AWS endpoint and region.
const SETTINGS: [&[&str]; 5] = [
    &[names::STS_REGIONAL_ENDPOINTS],
    &[names::DEFAULT_REGION, names::REGION],
    &[names::ENDPOINT_URL],
    &[names::EC2_METADATA_DISABLED],
    &[names::ROLE_SESSION_NAME],
];

/// Decides about a pod that was `old` and gets ephemeral containers.
#[must_use]
pub fn mutate_ephemeral(pod: &PodView, old: &PodView) -> Outcome {
    let known: BTreeSet<&str> =
        old.spec.ephemeral_containers.iter().map(|container| container.name.as_str()).collect();
    let (mut operations, mut warnings, mut served) = (Vec::new(), Vec::new(), false);
    let all = pod.spec.ephemeral_containers.iter().enumerate();
    for (index, container) in all.filter(|(_, one)| !known.contains(one.name.as_str())) {
        let Some((donor, desired)) = donor(pod, container) else {
            continue;
        };
        match container::plan(container, pod, &desired) {
            ContainerPlan::LeaveAlone(obstacle) => {
                warnings.push(obstacle.warning(&container.name));
            }
            ContainerPlan::HasOther(provider) => {
                warnings
                    .push(container::has_other(provider, std::slice::from_ref(&container.name)));
            }
            ContainerPlan::Complete(missing) => {
                let mut patch = ContainerPatch::new("ephemeralContainers", index, container);
                missing.add_to(&mut patch, &desired);
                add_secrets(donor, &mut patch);
                operations.extend(patch.into_operations());
                warnings.extend(missing.warning);
                let name = std::slice::from_ref(&container.name);
                let shared = missing.shared_warnings.iter();
                warnings.extend(shared.map(|it| container::in_containers(it, name)));
                served = true;
            }
        }
    }
    match (operations.is_empty(), served, warnings.is_empty()) {
        (false, _, _) => Outcome::Patch { operations, warnings },
        (true, true, _) => Outcome::Skip { reason: Reason::NothingToAdd, warnings },
        (true, false, false) => Outcome::Skip { reason: Reason::LeftAlone, warnings },
        (true, false, true) => Outcome::skip(Reason::NoRole),
    }
}

/// The container whose identity is copied: the debugger's target, or else the first container with
/// an identity.
fn donor<'a>(pod: &'a PodView, ephemeral: &Container) -> Option<(&'a Container, DesiredIdentity)> {
    let all = || pod.spec.containers.iter().chain(&pod.spec.init_containers);
    let target = ephemeral.target_container_name.as_deref();
    let target = all().filter(|container| Some(container.name.as_str()) == target);
    let mut candidates = target.chain(all());
    candidates.find_map(|container| Some((container, identity(pod, container)?)))
}

/// A container's identity. It needs both variables of a provider, and the token at the path that
/// they name.
fn identity(pod: &PodView, container: &Container) -> Option<DesiredIdentity> {
    let pairs = [
        (CredentialProvider::WebIdentity, [names::ROLE_ARN, names::WEB_IDENTITY_TOKEN_FILE]),
        (CredentialProvider::Container, [names::CONTAINER_FULL_URI, names::CONTAINER_TOKEN_FILE]),
    ];
    let literal = |name| expanded(container.variable(name)?.literal()?);
    pairs.into_iter().find_map(|(provider, [first, file])| {
        let pair = [(first, literal(first)?), (file, literal(file)?)];
        let (volume, audience) = token(pod, container, &pair[1].1)?;
        let pair = pair.map(|(name, value)| (name, Expression::literal(&value)));
        let settings = SETTINGS.iter().filter_map(|group| settings(pod, container, group));
        let settings = settings.collect();
        Some(DesiredIdentity {
            provider,
            volume,
            pair,
            settings,
            audience,
            // Only a volume has a lifetime, and the pod's volumes do not change.
            expiration_seconds: 0,
            warning: None,
            local_endpoint: literal(names::ENDPOINT_URL)
                .and_then(|url| url.parse::<EndpointUrl>().ok())
                .filter(|url| url.is_local(DEFAULT_CLUSTER_DOMAIN)),
            unresolvable: None,
        })
    })
}

/// The volume that a token's file is mounted from, and the token's audience.
fn token(pod: &PodView, container: &Container, file: &str) -> Option<(TokenVolume, String)> {
    let file = file.strip_prefix("C:").unwrap_or(file).replace('\\', "/");
    let (folder, file) = file.rsplit_once('/')?;
    let here = |path: &str| path_components(path).eq(path_components(folder));
    let mut mounts = container.volume_mounts.iter().filter(|mount| mount.is_whole());
    let mount = mounts.find(|mount| here(&mount.mount_path))?;
    let audience = pod.volume(&mount.name)?.token_audience(file)?.to_owned();
    let (name, mount_path) = (mount.name.clone(), mount.mount_path.clone());
    Some((TokenVolume { name, mount_path, file: file.to_owned() }, audience))
}

/// The values of a group of variables, if the container has all of them and they can be copied.
fn settings(pod: &PodView, container: &Container, group: &[&'static str]) -> Option<Group> {
    let pod_name = pod.name().unwrap_or_default();
    let value = |name: &&'static str| {
        let value = container.variable(name)?.literal()?;
        Some((*name, Expression::copied(value, pod_name)?))
    };
    group.iter().map(value).collect()
}

fn add_secrets(donor: &Container, patch: &mut ContainerPatch<'_>) {
    let mounts = donor.volume_mounts.iter().filter(|mount| mount.is_whole());
    for mount in mounts.filter(|mount| mount.name.starts_with(SECRET_VOLUME_PREFIX)) {
        let path = &mount.mount_path;
        let taken = patch.mounted().any(|(other, _)| {
            let (own, other): (Vec<_>, Vec<_>) =
                (path_components(path).collect(), path_components(other).collect());
            own.starts_with(&other) || other.starts_with(&own)
        });
        if !taken {
            let json = json!({ "name": mount.name, "readOnly": true, "mountPath": path });
            patch.mount(path, &mount.name, json);
        }
    }
}
