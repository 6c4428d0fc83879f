//! One container: whether it is ours to complete, and what it lacks.

use podrole_identity::{CredentialProvider, TokenVolume, variable};

use super::{
    desired::{Wish, as_json},
    operations::{ContainerPatch, POD_NAME, parts},
    proxy,
};
use crate::pod::{Container, Mount, PodView};

/// What becomes of a container.
pub(super) enum Verdict {
    /// Its user decided otherwise, which the warning says.
    LeaveAlone(String),
    /// It has the other path's credentials, complete; the pod is told once for all of its
    /// containers.
    HasOther(CredentialProvider),
    /// It is given what it lacks, perhaps nothing.
    Complete(Lacks),
}

/// What a container lacks.
#[derive(Default)]
pub(super) struct Lacks {
    variables: Vec<(&'static str, String)>,
    /// Values of variables that are there, by their index.
    values: Vec<(usize, String)>,
    mount: bool,
    /// It mounts the token's volume by its own name, from now or from before.
    pub(super) needs_volume: bool,
    pub(super) warning: Option<String>,
}

/// What is mounted where the token should be.
enum AtMountPath<'a> {
    Nothing,
    Token(&'a Mount),
    SomethingElse,
}

pub(super) fn judge(container: &Container, pod: &PodView, wish: &Wish) -> Verdict {
    let name = &container.name;
    let decided = user_decided(container, wish);
    if let Some(variable) = decided {
        return match complete_other_path(container, wish) {
            Some(other) => Verdict::HasOther(other),
            None => Verdict::LeaveAlone(format!(
                "container {name} sets {variable}; it is left as it is"
            )),
        };
    }
    let has_pair = container.has_variable(wish.pair[0].0);
    let mount = match (at_mount_path(container, pod, wish), has_pair) {
        (AtMountPath::SomethingElse, _) => {
            let path = &wish.volume.mount_path;
            return Verdict::LeaveAlone(format!(
                "container {name} is left as it is: its own volume is at {path}"
            ));
        }
        (AtMountPath::Nothing, true) => {
            let variable = wish.pair[0].0;
            return Verdict::LeaveAlone(format!(
                "container {name} sets {variable}, and no token is mounted; remove the variable"
            ));
        }
        (AtMountPath::Nothing, false) => None,
        (AtMountPath::Token(mount), _) => Some(mount),
    };
    Verdict::Complete(lacks(container, wish, mount, has_pair))
}

fn lacks(container: &Container, wish: &Wish, mount: Option<&Mount>, has_pair: bool) -> Lacks {
    let mut lacks = Lacks {
        variables: wish.settings_for(container),
        mount: mount.is_none(),
        needs_volume: mount.is_none_or(|mount| mount.name == wish.volume.name),
        ..Lacks::default()
    };
    if !has_pair {
        lacks.variables.extend(wish.pair.iter().cloned());
    }
    if wish.path == CredentialProvider::Container {
        let exceptions = proxy::exceptions(container);
        lacks.variables.extend(exceptions.variables);
        lacks.values = exceptions.values;
        lacks.warning = exceptions.warning;
    }
    lacks
}

/// The variable that says that the user decided. None where there is no such variable, or where
/// the pair is there just as we would leave it and nothing beside it.
fn user_decided<'a>(container: &'a Container, wish: &Wish) -> Option<&'a str> {
    let decides = |name: &str| variable::USER_DECIDED.contains(&name);
    let mut deciding = container.env.iter().filter(|variable| decides(&variable.name));
    let first = deciding.clone().next()?;
    let is_ours = |name: &str, value: Option<&str>| {
        let ours = wish.pair.iter().find(|(ours, _)| *ours == name);
        ours.is_some_and(|(_, ours)| Some(ours.as_str()) == value)
    };
    let foreign = deciding.find(|variable| !is_ours(&variable.name, variable.literal()));
    let whole = wish.pair.iter().all(|(name, _)| container.has_variable(name));
    match foreign {
        Some(foreign) => Some(&foreign.name),
        None if whole => None,
        None => Some(&first.name),
    }
}

/// The other path, where the container has both its variables.
fn complete_other_path(container: &Container, wish: &Wish) -> Option<CredentialProvider> {
    let (other, pair) = match wish.path {
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

fn at_mount_path<'a>(container: &'a Container, pod: &PodView, wish: &Wish) -> AtMountPath<'a> {
    let same = |mount: &&Mount| parts(&mount.mount_path).eq(parts(&wish.volume.mount_path));
    let Some(mount) = container.volume_mounts.iter().find(same) else {
        return AtMountPath::Nothing;
    };
    let gives_token = match pod.volume(&mount.name) {
        Some(volume) => wish.is_met_by(volume),
        // A mount whose volume is missing: the volume that is to come, if it has its name.
        None => mount.name == wish.volume.name,
    };
    if gives_token && mount.is_whole() {
        AtMountPath::Token(mount)
    } else {
        AtMountPath::SomethingElse
    }
}

impl Lacks {
    /// Adds what is lacking.
    pub(super) fn add_to(&self, patch: &mut ContainerPatch<'_>, wish: &Wish) {
        for (index, value) in &self.values {
            patch.value(*index, value);
        }
        for variable in &self.variables {
            if variable.1.contains(&format!("$({POD_NAME})")) {
                patch.pod_name();
            }
            patch.variable(as_json(variable));
        }
        if self.mount {
            let TokenVolume { name, mount_path, .. } = &wish.volume;
            patch.mount(mount_path, name, wish.mount_json());
        }
    }
}
