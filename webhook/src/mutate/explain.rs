//! What each container of a pod gets, and why one gets nothing: for people, not for the patch.

use podrole_identity::CredentialProvider;

use super::{
    annotations::annotations_of,
    container::{ContainerPlan, Obstacle, plan},
    desired::DesiredIdentity,
    selected::selected,
};
use crate::{Settings, binding::Binding, pod::PodView};

/// A container, and what it gets of its pod's role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerReport {
    /// The container's name.
    pub name: String,
    /// What it gets.
    pub result: ContainerResult,
}

/// What a container gets of its pod's role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerResult {
    /// The whole credential provider, now or before.
    Served,
    /// The token's volume alone, because it sets this variable.
    TokenOnly {
        /// The name of the variable.
        sets: String,
    },
    /// Nothing: it has the other provider's credentials.
    HasOther(CredentialProvider),
    /// Nothing: it sets this variable, or has a mount or a volume of its own in the way.
    LeftAlone {
        /// What is in the way, as in `sets AWS_PROFILE`.
        because: String,
    },
    /// Nothing: an annotation leaves it out.
    Excluded,
}

/// Variables that hold credentials themselves, or name another source than a token.
const KEYS: [&str; 7] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    podrole_identity::variable::CONTAINER_FULL_URI,
    podrole_identity::variable::CONTAINER_TOKEN_FILE,
];

impl ContainerResult {
    /// Whether the container can use the role: a profile or a role of its own may name the token, and
    /// keys do not.
    #[must_use]
    pub fn uses_the_role(&self) -> bool {
        match self {
            Self::Served => true,
            Self::TokenOnly { sets } => !KEYS.contains(&sets.as_str()),
            Self::HasOther(_) | Self::LeftAlone { .. } | Self::Excluded => false,
        }
    }
}

/// Says what [`super::mutate`] gives each container; empty if the pod has no role.
#[must_use]
pub fn explain(pod: &PodView, binding: &Binding, settings: &Settings) -> Vec<ContainerReport> {
    let annotations = annotations_of(pod, settings);
    let Some(provider) = binding.provider else { return Vec::new() };
    let desired = DesiredIdentity::new(pod, &annotations, (binding, provider), settings, 0);
    let volume = &desired.volume.name;
    let taken = desired.is_volume_taken(pod);
    let chosen: Vec<_> =
        selected(pod, &annotations, binding).map(|(list, index, _)| (list, index)).collect();
    let lists =
        [("initContainers", &pod.spec.init_containers), ("containers", &pod.spec.containers)];
    let all = lists.into_iter().flat_map(|(list, containers)| {
        containers.iter().enumerate().map(move |(index, container)| (list, index, container))
    });
    let reports = all.map(|(list, index, container)| {
        let result = if !chosen.contains(&(list, index)) {
            ContainerResult::Excluded
        } else if taken {
            ContainerResult::LeftAlone { because: format!("the pod has its own volume {volume}") }
        } else {
            match plan(container, pod, &desired) {
                ContainerPlan::LeaveAlone(Obstacle::Variable(name)) => {
                    ContainerResult::LeftAlone { because: format!("sets {name}") }
                }
                ContainerPlan::LeaveAlone(Obstacle::Mount(path)) => {
                    ContainerResult::LeftAlone { because: format!("has its own mount at {path}") }
                }
                ContainerPlan::HasOther(provider) => ContainerResult::HasOther(provider),
                ContainerPlan::Complete(missing) => match missing.own_choice {
                    Some(sets) => ContainerResult::TokenOnly { sets },
                    None => ContainerResult::Served,
                },
            }
        };
        ContainerReport { name: container.name.clone(), result }
    });
    reports.collect()
}
