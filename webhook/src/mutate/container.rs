//! One container: whether podrole may complete it, and what is missing.

use podrole_identity::{CredentialProvider, TokenVolume, variable};

use super::{
    desired::DesiredIdentity,
    expression::Expression,
    operations::{ContainerPatch, parts},
    proxy,
};
use crate::pod::{Container, Mount, PodView};

/// What to do with a container.
pub(super) enum ContainerPlan {
    /// Its author decided otherwise, as the warning says.
    LeaveAlone(String),
    /// It has the other provider's variables, complete. The pod gets one warning for all such
    /// containers.
    HasOther(CredentialProvider),
    /// Add what is missing, if anything is.
    Complete(Missing),
}

/// What is missing in a container.
#[derive(Default)]
pub(super) struct Missing {
    variables: Vec<(&'static str, Expression)>,
    /// New values of existing variables, by their index.
    values: Vec<(usize, Expression)>,
    mount: bool,
    /// Whether the container mounts the token's volume under the volume's own name, whether it is
    /// added now or was there before.
    pub(super) needs_volume: bool,
    pub(super) warning: Option<String>,
}

/// What is mounted at the token's path.
enum AtMountPath<'a> {
    Nothing,
    Token(&'a Mount),
    SomethingElse,
}

pub(super) fn plan(
    container: &Container,
    pod: &PodView,
    desired: &DesiredIdentity,
) -> ContainerPlan {
    let name = &container.name;
    let decided = user_decided(container, desired);
    if let Some(variable) = decided {
        return match other_provider(container, desired) {
            Some(other) => ContainerPlan::HasOther(other),
            None => ContainerPlan::LeaveAlone(format!(
                "container {name} sets {variable} and is not changed; remove it to use the role"
            )),
        };
    }
    let has_pair = container.has_variable(desired.pair[0].0);
    let mount = match (at_mount_path(container, pod, desired), has_pair) {
        (AtMountPath::SomethingElse, _) => {
            let path = &desired.volume.mount_path;
            return ContainerPlan::LeaveAlone(format!(
                "container {name} is not changed: remove its own mount at {path}"
            ));
        }
        (AtMountPath::Nothing, true) => {
            let variable = desired.pair[0].0;
            return ContainerPlan::LeaveAlone(format!(
                "container {name} sets {variable}, but no token is mounted; remove the variable"
            ));
        }
        (AtMountPath::Nothing, false) => None,
        (AtMountPath::Token(mount), _) => Some(mount),
    };
    ContainerPlan::Complete(missing(container, desired, mount, has_pair))
}

fn missing(
    container: &Container,
    desired: &DesiredIdentity,
    mount: Option<&Mount>,
    has_pair: bool,
) -> Missing {
    let mut missing = Missing {
        variables: desired.settings_for(container),
        mount: mount.is_none(),
        needs_volume: mount.is_none_or(|mount| mount.name == desired.volume.name),
        ..Missing::default()
    };
    if !has_pair {
        missing.variables.extend(desired.pair.iter().cloned());
    }
    if desired.provider == CredentialProvider::Container {
        let exceptions = proxy::exceptions(container);
        missing.variables.extend(exceptions.variables);
        missing.values = exceptions.values;
        missing.warning = exceptions.warning;
    }
    missing
}

/// The variable that shows that the container's author chose other credentials. Returns `None` if
/// there is none, or if the pair has exactly our values and no such variable is beside it, as a
/// first pass or EKS's webhook leaves it.
fn user_decided<'a>(container: &'a Container, desired: &DesiredIdentity) -> Option<&'a str> {
    let decides = |name: &str| variable::USER_DECIDED.contains(&name);
    let mut deciding = container.env.iter().filter(|variable| decides(&variable.name));
    let first = deciding.clone().next()?;
    let is_ours = |name: &str, value: Option<&str>| {
        let ours = desired.pair.iter().find(|(ours, _)| *ours == name);
        ours.is_some_and(|(_, ours)| value.is_some_and(|value| ours.is_same_as(value)))
    };
    let foreign = deciding.find(|variable| !is_ours(&variable.name, variable.literal()));
    let whole = desired.pair.iter().all(|(name, _)| container.has_variable(name));
    match foreign {
        Some(foreign) => Some(&foreign.name),
        None if whole => None,
        None => Some(&first.name),
    }
}

/// The other provider, if the container has both of its variables.
fn other_provider(container: &Container, desired: &DesiredIdentity) -> Option<CredentialProvider> {
    let (other, pair) = match desired.provider {
        CredentialProvider::WebIdentity => (
            CredentialProvider::Container,
            [variable::CONTAINER_FULL_URI, variable::CONTAINER_TOKEN_FILE],
        ),
        CredentialProvider::Container => (
            CredentialProvider::WebIdentity,
            [variable::ROLE_ARN, variable::WEB_IDENTITY_TOKEN_FILE],
        ),
    };
    pair.iter().all(|name| container.has_variable(name)).then_some(other)
}

/// One warning for all containers that already have the other provider's credentials: an answer has
/// room for three warnings, and one per container would hide the others. The names come last,
/// because a long warning is cut at its end.
pub(super) fn has_other(provider: CredentialProvider, containers: &[String]) -> String {
    let noun = if containers.len() == 1 { "container" } else { "containers" };
    let names = containers.join(", ");
    format!("{provider} credentials are already set, and are kept, in {noun} {names}")
}

fn at_mount_path<'a>(
    container: &'a Container,
    pod: &PodView,
    desired: &DesiredIdentity,
) -> AtMountPath<'a> {
    let same = |mount: &&Mount| parts(&mount.mount_path).eq(parts(&desired.volume.mount_path));
    let Some(mount) = container.volume_mounts.iter().find(same) else {
        return AtMountPath::Nothing;
    };
    let gives_token = match pod.volume(&mount.name) {
        Some(volume) => desired.is_satisfied_by(volume),
        // The mount's volume is missing. If it has the token volume's name, it is the one that this
        // pass adds.
        None => mount.name == desired.volume.name,
    };
    if gives_token && mount.is_whole() {
        AtMountPath::Token(mount)
    } else {
        AtMountPath::SomethingElse
    }
}

impl Missing {
    pub(super) fn add_to(&self, patch: &mut ContainerPatch<'_>, desired: &DesiredIdentity) {
        for (index, value) in &self.values {
            patch.value(*index, value);
        }
        for (name, value) in &self.variables {
            // `$(NAME)` is expanded only from variables that precede it.
            if value.refers_to_pod_name() {
                patch.pod_name();
            }
            patch.variable(name, value);
        }
        if self.mount {
            let TokenVolume { name, mount_path, .. } = &desired.volume;
            patch.mount(mount_path, name, desired.mount_json());
        }
    }
}
