//! One container: whether podrole may complete it, and what is missing.

use podrole_identity::{CredentialProvider, TokenVolume, variable};

use super::{
    beside,
    desired::{Chosen, DesiredIdentity},
    expression::Expression,
    operations::ContainerPatch,
    proxy,
};
use crate::pod::{Container, Mount, PodView};

/// What to do with a container.
pub(super) enum ContainerPlan {
    /// Something of its author's is in the way.
    LeaveAlone(Obstacle),
    /// It has the other provider's variables, complete. The pod gets one warning for all such
    /// containers.
    HasOther(CredentialProvider),
    /// Add what is missing, if anything is. It counts as served even if it gets the token alone.
    Complete(Missing),
}

/// What of a container's author is in the way.
pub(super) enum Obstacle {
    /// A variable that chooses other credentials, and something else at the token's path.
    Variable(String),
    /// Something else at the token's path.
    Mount(String),
}

impl Obstacle {
    pub(super) fn warning(&self, container: &str) -> String {
        match self {
            Self::Variable(name) => format!(
                "container {container} sets {name} and is not changed; remove it to use the role"
            ),
            Self::Mount(path) => {
                format!("container {container} is not changed: remove its own mount at {path}")
            }
        }
    }
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
    /// Whether it gets the endpoint now.
    pub(super) gets_endpoint: bool,
    /// Warnings that other containers of the pod may share. The names of the containers follow.
    pub(super) shared_warnings: Vec<String>,
    /// The variable for which it gets no credential variables.
    pub(super) own_choice: Option<String>,
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
    let decided = user_decided(container, desired);
    if decided.is_some()
        && let Some(other) = other_provider(container, desired)
    {
        return ContainerPlan::HasOther(other);
    }
    let mount = match (at_mount_path(container, pod, desired), decided) {
        (AtMountPath::SomethingElse, Some(variable)) => {
            return ContainerPlan::LeaveAlone(Obstacle::Variable(variable.to_owned()));
        }
        (AtMountPath::SomethingElse, None) => {
            let path = desired.volume.mount_path.clone();
            return ContainerPlan::LeaveAlone(Obstacle::Mount(path));
        }
        (AtMountPath::Nothing, _) => None,
        (AtMountPath::Token(mount), _) => Some(mount),
    };
    let mut missing = Missing {
        mount: mount.is_none(),
        needs_volume: mount.is_none_or(|mount| mount.name == desired.volume.name),
        ..Missing::default()
    };
    match decided {
        Some(variable) => missing.beside_own_credentials(container, desired, variable),
        None => missing.whole_identity(container, desired),
    }
    ContainerPlan::Complete(missing)
}

/// The variable that shows that the container's author chose other credentials. Returns `None` if
/// there is none, or if the pair has exactly our values and no such variable is beside it, as a
/// first pass or EKS's webhook leaves it.
fn user_decided<'a>(container: &'a Container, desired: &DesiredIdentity) -> Option<&'a str> {
    let decides = |name: &str| variable::USER_DECIDED.contains(&name);
    let mut deciding =
        container.env.iter().filter(|variable| decides(&variable.name) && variable.is_set());
    let first = deciding.clone().next()?;
    let is_ours = |name: &str, value: Option<&str>| {
        let ours = desired.pair.iter().find(|(ours, _)| *ours == name);
        ours.is_some_and(|(_, ours)| value.is_some_and(|value| ours.is_same_as(value)))
    };
    let foreign = deciding.find(|variable| !is_ours(&variable.name, variable.literal()));
    let whole = desired.pair.iter().all(|(name, _)| container.sets(name));
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
    pair.iter().all(|name| container.sets(name)).then_some(other)
}

/// One warning for all containers that already have the other provider's credentials: an answer has
/// room for three warnings, and one per container would hide the others.
pub(super) fn has_other(provider: CredentialProvider, containers: &[String]) -> String {
    in_containers(&format!("{provider} credentials are already set, and are kept,"), containers)
}

/// A warning with the containers that it is about. Their names come last, because a long warning is cut
/// at its end.
pub(super) fn in_containers(warning: &str, containers: &[String]) -> String {
    let noun = if containers.len() == 1 { "container" } else { "containers" };
    format!("{warning} in {noun} {}", containers.join(", "))
}

fn at_mount_path<'a>(
    container: &'a Container,
    pod: &PodView,
    desired: &DesiredIdentity,
) -> AtMountPath<'a> {
    let same = |mount: &&Mount| desired.volume.is_mounted_at(&mount.mount_path);
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
    /// What a container needs that uses our credentials.
    fn whole_identity(&mut self, container: &Container, desired: &DesiredIdentity) {
        for variable in desired.settings_for(container, Chosen::Ours) {
            self.set(container, variable);
        }
        let is_new = !container.sets(desired.pair[0].0);
        if is_new {
            for variable in desired.pair.clone() {
                self.set(container, variable);
            }
        }
        let hosts = proxy::hosts(container, desired);
        let exceptions = proxy::exceptions(container, &hosts);
        self.variables.extend(exceptions.variables);
        self.values.extend(exceptions.values);
        self.warning = exceptions.warning;
        self.gets_endpoint = !container.sets(variable::ENDPOINT_URL)
            && desired.settings.iter().flatten().any(|(name, _)| *name == variable::ENDPOINT_URL);
        if is_new {
            let added: Vec<&str> = self.variables.iter().map(|(name, _)| *name).collect();
            self.shared_warnings = beside::warnings(container, desired.provider, &added, &hosts);
        }
    }

    /// What a container gets whose author chose its credentials: the token, which a profile or a
    /// pair of its own may name, and the region. Mounting it harms nothing, and EKS's webhook does.
    fn beside_own_credentials(
        &mut self,
        container: &Container,
        desired: &DesiredIdentity,
        variable: &str,
    ) {
        for variable in desired.settings_for(container, Chosen::Authors) {
            self.set(container, variable);
        }
        self.own_choice = Some(variable.to_owned());
        let name = &container.name;
        self.warning = Some(format!(
            "container {name} sets {variable}: it gets the token, no credential variables; remove it to use the role"
        ));
    }

    /// Adds a variable, or replaces its empty value. A value with a reference is always added: the
    /// variable that it refers to must come before it.
    fn set(&mut self, container: &Container, (name, value): (&'static str, Expression)) {
        match container.empty_variable(name) {
            Some(index) if !value.refers_to_pod_name() => self.values.push((index, value)),
            _ => self.variables.push((name, value)),
        }
    }

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
